//! What is in scope as time goes on, and which shard has it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use uuid::Uuid;

use super::{
    Settings, Until, back,
    ledger::state::State,
    pipeline::{Assignment, MADE_ANEW, Reason, Shared, made_anew},
    seam::Existing,
    topics::{self, Prepared, Takes},
};
use crate::{
    cluster::{OffsetSpec, TopicInfo},
    error::Failure,
    events::Event,
    model::{
        direction::Direction,
        names::{TopicName, TopicPartition},
    },
};

/// What is in scope, and which shard has it.
pub struct Scope {
    shared: Shared,
    settings: Settings,
    /// Partitions handed out, and the id on the source, by topic.
    known: HashMap<TopicName, (i32, Uuid)>,
    senders: Vec<mpsc::UnboundedSender<Vec<Assignment>>>,
    /// The trouble told last, so that it is told once.
    trouble: Option<String>,
    /// This migration had a ledger before, which is gone.
    lost_ledger: bool,
    /// Partitions on the way back that were handed out.
    back: HashSet<TopicPartition>,
}

impl Scope {
    /// Nothing handed out yet.
    pub fn new(shared: Shared, settings: Settings, lost_ledger: bool) -> Self {
        Self {
            shared,
            settings,
            known: HashMap::new(),
            senders: Vec::new(),
            trouble: None,
            lost_ledger,
            back: HashSet::new(),
        }
    }

    /// How long to wait between two looks: `soon` where a run waits for what they find.
    pub fn pause_of(&self, usual: Duration, soon: Duration) -> Duration {
        let waits =
            self.shared.direction == Direction::Reverse && self.settings.until == Until::CaughtUp;
        if waits { soon } else { usual }
    }

    /// How many topics were handed out.
    pub fn topics(&self) -> usize {
        self.known.len()
    }

    /// How many of our partitions on the target miss a replica: for manners. A target that does not answer says nothing.
    pub async fn look_at_replicas(&self) {
        let names: Vec<TopicName> = self.known.keys().cloned().collect();
        let Ok(topics) = self.shared.target.topics(Some(&names)).await else {
            return;
        };
        let partitions = topics.iter().flat_map(|topic| &topic.partitions);
        let behind = partitions.filter(|partition| partition.isr < partition.replicas);
        self.shared.signs.under_replicated(behind.count());
    }

    /// The next shard takes its later partitions here.
    pub fn hand_to(&mut self, shard: mpsc::UnboundedSender<Vec<Assignment>>) {
        self.senders.push(shard);
    }

    /// Makes topics ready on the target, and sorts their new partitions by shard.
    pub async fn take_on(
        &mut self,
        found: Vec<TopicInfo>,
        until: Until,
    ) -> Result<Vec<Vec<Assignment>>, Failure> {
        let shards = self.settings.shards.max(1) as usize;
        let mut sorted = vec![Vec::new(); shards];
        let grown: Vec<TopicInfo> = found
            .into_iter()
            .filter(|topic| self.handed_out(&topic.name) < count(topic))
            .collect();
        if grown.is_empty() {
            return Ok(sorted);
        }
        let (source, target) = (&self.shared.source, &self.shared.target);
        let prepared =
            topics::prepare(source, target, &grown, self.settings.replication_factor).await?;
        let mut names = Vec::new();
        for (topic, prepared) in grown.iter().zip(&prepared) {
            let from = self.handed_out(&topic.name);
            names.extend((from..count(topic)).map(|partition| TopicPartition {
                topic: topic.name.clone(),
                partition,
            }));
            self.tell(topic, prepared, from);
        }
        let mut ends = HashMap::new();
        if until == Until::CaughtUp {
            for (name, end) in source.offsets(&names, OffsetSpec::Stable).await {
                let end = end.map_err(|error| error.failure())?;
                ends.insert(name, end);
            }
        }
        for (topic, prepared) in grown.iter().zip(prepared) {
            let from = self.handed_out(&topic.name);
            self.known
                .insert(topic.name.clone(), (count(topic), topic.id));
            let partitions = topic.partitions.len();
            self.shared.holds.expect(&topic.name, partitions);
            if prepared.created {
                self.shared.made.note(&topic.name, prepared.made_with);
            }
            let refused = prepared.refused.map(|(code, text)| Reason { code, text });
            for partition in from..count(topic) {
                let name = TopicPartition {
                    topic: topic.name.clone(),
                    partition,
                };
                sorted[shard_of(&name, shards)].push(Assignment {
                    wanted_end: ends.get(&name).copied(),
                    begin_at: None,
                    name,
                    source_id: topic.id,
                    target_id: prepared.target_id,
                    takes: prepared.takes,
                    tombstones_ms: prepared.tombstones_ms,
                    existing: self.existing(&topic.name, partition >= prepared.made_from),
                    refused: refused.clone(),
                });
            }
        }
        Ok(sorted)
    }

    fn existing(&self, topic: &TopicName, is_new: bool) -> Existing {
        let merges = self.settings.merge.is_match(&**topic);
        if !merges && !self.settings.keep.is_match(&**topic) {
            return Existing::Undecided;
        }
        match (is_new, self.lost_ledger) {
            (true, _) => Existing::New,
            (false, true) => Existing::MayBeOurs,
            (false, false) if merges => Existing::Merge,
            (false, false) => Existing::Keep,
        }
    }

    fn handed_out(&self, topic: &TopicName) -> i32 {
        self.known
            .get(topic)
            .map_or(0, |(partitions, _)| *partitions)
    }

    /// Stops the partitions of topics that were deleted and made anew on the source: a fetch by name would not notice.
    fn made_anew(&self, found: &[TopicInfo]) -> Vec<Vec<Assignment>> {
        let shards = self.settings.shards.max(1) as usize;
        let mut sorted = vec![Vec::new(); shards];
        for topic in found {
            let Some((partitions, id)) = self.known.get(&topic.name) else {
                continue;
            };
            if id.is_nil() || topic.id.is_nil() || *id == topic.id {
                continue;
            }
            for partition in 0..*partitions {
                let name = TopicPartition {
                    topic: topic.name.clone(),
                    partition,
                };
                sorted[shard_of(&name, shards)].push(Assignment {
                    name,
                    source_id: topic.id,
                    target_id: Uuid::nil(),
                    takes: Takes::default(),
                    tombstones_ms: None,
                    wanted_end: None,
                    begin_at: None,
                    existing: Existing::Undecided,
                    refused: Some(Reason {
                        code: MADE_ANEW,
                        text: made_anew("source"),
                    }),
                });
            }
        }
        sorted
    }

    fn tell(&self, topic: &TopicInfo, prepared: &Prepared, before: i32) {
        let events = &self.shared.events;
        if let Some(text) = &prepared.trouble {
            events.send(Event::Trouble { text: text.clone() });
        }
        let (name, partitions) = (topic.name.to_string(), count(topic));
        if before > 0 {
            events.send(Event::PartitionsAdded {
                topic: name,
                partitions,
            });
        } else if prepared.refused.is_none() {
            events.send(Event::TopicAdded {
                topic: name,
                partitions,
                created: prepared.created,
            });
        }
    }

    /// Partitions that the direction there has met since the last look, by shard: what it does not copy does not come back. They begin
    /// where its copies begin.
    pub async fn take_back(&mut self, until: Until) -> Result<Vec<Vec<Assignment>>, Failure> {
        let shards = self.settings.shards.max(1) as usize;
        let mut sorted = vec![Vec::new(); shards];
        let Some(there) = self.shared.other.clone() else {
            return Ok(sorted);
        };
        there.catch_up().await.map_err(|error| error.failure())?;
        let mut met = there.with(back::met).await;
        met.retain(|one| !self.back.contains(&one.name));
        if met.is_empty() {
            return Ok(sorted);
        }
        let (source, target) = (&self.shared.source, &self.shared.target);
        let topics = back::look(source, target, &met).await?;
        let names: Vec<TopicPartition> = met.iter().map(|one| one.name.clone()).collect();
        let mut ends = HashMap::new();
        if until == Until::CaughtUp {
            for (name, end) in source.offsets(&names, OffsetSpec::Stable).await {
                ends.insert(name, end.map_err(|error| error.failure())?);
            }
        }
        for one in met {
            let Some(topic) = topics.get(&one.name.topic) else {
                continue;
            };
            self.known
                .insert(one.name.topic.clone(), (topic.partitions, one.target_id));
            self.back.insert(one.name.clone());
            let shard = shard_of(&one.name, shards);
            let wanted_end = ends.get(&one.name).copied();
            sorted[shard].push(topic.assignment(one, wanted_end));
        }
        Ok(sorted)
    }

    /// Looks for new topics and partitions, and hands them to their shards.
    pub async fn follow(&mut self) {
        let began = Instant::now();
        let looked = async {
            if self.shared.direction == Direction::Reverse {
                // What the direction there meets in this run belongs to what the run waits for.
                return self.take_back(self.settings.until).await;
            }
            let found = topics::found(&self.shared.source, &self.settings.scope).await?;
            let mut sorted = self.made_anew(&found);
            for (all, more) in sorted
                .iter_mut()
                .zip(self.take_on(found, Until::Stopped).await?)
            {
                all.extend(more);
            }
            Ok::<_, Failure>(sorted)
        };
        match looked.await {
            Ok(sorted) => {
                self.trouble = None;
                for (sender, assigned) in self.senders.iter().zip(sorted) {
                    if !assigned.is_empty() {
                        self.shared.numbers.hand();
                        // A shard that has ended needs none.
                        drop(sender.send(assigned));
                    }
                }
                self.shared.numbers.looked(began);
            }
            Err(failure) => {
                let text = format!("new topics cannot be looked for: {failure}");
                if self.trouble.as_ref() != Some(&text) {
                    self.trouble = Some(text.clone());
                    self.shared.events.send(Event::Trouble { text });
                }
            }
        }
    }
}

/// Partitions that the ledger knows of topics which the source does not show: they stop, and the others go on.
pub fn gone(topics: &HashSet<TopicName>, state: &State) -> Vec<Assignment> {
    let known = state.partitions.keys().filter_map(|&at| {
        let name = state.name(at)?;
        let topic = state.topics.get(at.topic as usize)?;
        let is_meant = state.numbers.get(&name.topic) == Some(&at.topic);
        (is_meant && topics.contains(&name.topic)).then(|| Assignment {
            name,
            source_id: topic.source_id,
            target_id: Uuid::nil(),
            takes: Takes::default(),
            tombstones_ms: None,
            wanted_end: None,
            begin_at: None,
            existing: Existing::Undecided,
            refused: Some(Reason {
                code: "K525",
                text: "the source does not show the topic any more: it was deleted, or this login may not see it".to_owned(),
            }),
        })
    });
    known.collect()
}

fn count(topic: &TopicInfo) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

/// Neighbours that share a shard, and so a request to the target: one request with four batches costs less than four requests.
const NEIGHBOURS: u64 = 4;

/// The shard of a partition: where its topic's name hashes to, and every four partitions one shard further.
pub fn shard_of(name: &TopicPartition, shards: usize) -> usize {
    let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, name.topic.as_bytes());
    let partition = u64::try_from(name.partition).unwrap_or(0);
    usize::try_from((hash + partition / NEIGHBOURS) % shards.max(1) as u64).unwrap_or(0)
}
