//! Who leads a partition, with generations.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use uuid::Uuid;

use crate::model::names::{TopicName, TopicPartition};

/// What the brokers last said about themselves and about the partitions we asked for.
///
/// Each answer that is stored makes a new generation. Who finds an entry wrong says which generation it came from, so that two tasks that
/// fail together cause one refresh.
#[derive(Debug, Default)]
pub struct Leaders(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    generation: u64,
    brokers: HashMap<i32, Arc<str>>,
    controller: Option<i32>,
    topics: HashMap<TopicName, Topic>,
}

#[derive(Debug)]
struct Topic {
    id: Uuid,
    /// By partition; -1 where there is no leader.
    leaders: Vec<Leader>,
}

/// A partition's leader and the epoch it leads in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leader {
    /// Broker id, -1 for none.
    pub broker: i32,
    /// Leader epoch, -1 if unknown.
    pub epoch: i32,
}

/// One topic of an answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The name.
    pub name: TopicName,
    /// Its id, nil before 2.8.
    pub id: Uuid,
    /// Leaders by partition number.
    pub leaders: Vec<(i32, Leader)>,
}

impl Leaders {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.read().expect("nothing panics while holding it")
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.0.write().expect("nothing panics while holding it")
    }

    /// The number of answers stored so far.
    pub fn generation(&self) -> u64 {
        self.read().generation
    }

    /// The leader, if there is one.
    pub fn leader(&self, of: &TopicPartition) -> Option<Leader> {
        let known = self.read();
        let leader = *known
            .topics
            .get(&of.topic)?
            .leaders
            .get(usize::try_from(of.partition).ok()?)?;
        (leader.broker >= 0).then_some(leader)
    }

    /// The topic's id, nil if the brokers have none.
    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        self.read().topics.get(topic).map(|topic| topic.id)
    }

    /// Does the partition exist, with a leader or without?
    pub fn has(&self, at: &TopicPartition) -> bool {
        let known = self.read();
        known.topics.get(&at.topic).is_some_and(|topic| {
            usize::try_from(at.partition).is_ok_and(|number| number < topic.leaders.len())
        })
    }

    /// Is anything known of the topic?
    pub fn knows(&self, topic: &str) -> bool {
        self.read()
            .topics
            .get(topic)
            .is_some_and(|topic| !topic.leaders.is_empty())
    }

    /// Every topic that is known.
    pub fn topics(&self) -> Vec<TopicName> {
        self.read().topics.keys().cloned().collect()
    }

    /// A broker's address.
    pub fn broker(&self, id: i32) -> Option<Arc<str>> {
        self.read().brokers.get(&id).cloned()
    }

    /// Every broker that is known.
    pub fn brokers(&self) -> Vec<(i32, Arc<str>)> {
        self.read()
            .brokers
            .iter()
            .map(|(&id, address)| (id, address.clone()))
            .collect()
    }

    /// The broker that takes topic commands.
    pub fn controller(&self) -> Option<i32> {
        self.read().controller
    }

    /// Stores an answer: brokers replace what was known, topics are added or replaced, `gone` are forgotten.
    ///
    /// A broker that is behind may name an older leader: an entry of the same topic with a lower epoch does not replace a newer one (KIP-320).
    pub fn learn(
        &self,
        brokers: HashMap<i32, Arc<str>>,
        controller: Option<i32>,
        topics: Vec<Seen>,
        gone: &[TopicName],
    ) {
        let mut known = self.write();
        known.generation += 1;
        if !brokers.is_empty() {
            known.brokers = brokers;
        }
        known.controller = controller;
        for name in gone {
            // The name stays, so that the next refresh asks for it again: one broker's ignorance may pass.
            if let Some(topic) = known.topics.get_mut(name) {
                topic.leaders.clear();
            }
        }
        for seen in topics {
            let before = known
                .topics
                .remove(&seen.name)
                .filter(|before| before.id == seen.id);
            // Answers list partitions in any order and may leave some out; numbers come from outside, so none makes room on its word alone.
            let mut leaders = Vec::with_capacity(seen.leaders.len());
            let mut ordered = seen.leaders;
            ordered.sort_unstable_by_key(|&(partition, _)| partition);
            for (partition, leader) in ordered {
                if usize::try_from(partition) != Ok(leaders.len()) {
                    continue;
                }
                let older = before
                    .as_ref()
                    .and_then(|before| before.leaders.get(leaders.len()).copied());
                leaders.push(
                    older
                        .filter(|older| older.epoch > leader.epoch && leader.epoch >= 0)
                        .unwrap_or(leader),
                );
            }
            known.topics.insert(
                seen.name,
                Topic {
                    id: seen.id,
                    leaders,
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(epoch: i32, broker: i32) -> Vec<Seen> {
        let leader = Leader { broker, epoch };
        vec![Seen {
            name: "orders".into(),
            id: Uuid::nil(),
            leaders: vec![(1, leader), (0, leader), (9, leader), (-1, leader)],
        }]
    }

    #[test]
    fn an_older_answer_does_not_replace_a_newer_one() {
        let leaders = Leaders::default();
        let at = TopicPartition::new("orders", 1);
        let learn = |topics, gone: &[TopicName]| leaders.learn(HashMap::new(), None, topics, gone);
        learn(seen(4, 2), &[]);
        learn(seen(3, 1), &[]);
        assert_eq!(
            leaders.leader(&at),
            Some(Leader {
                broker: 2,
                epoch: 4
            })
        );
        learn(seen(5, -1), &[]);
        assert_eq!(leaders.leader(&at), None);
        assert_eq!(leaders.leader(&TopicPartition::new("orders", 9)), None);
        assert_eq!(leaders.leader(&TopicPartition::new("orders", -1)), None);
        learn(vec![], &["orders".into()]);
        assert!(!leaders.knows("orders"));
        assert_eq!(leaders.topics(), ["orders".into()], "asked for again");
        assert_eq!(leaders.generation(), 4);
    }
}
