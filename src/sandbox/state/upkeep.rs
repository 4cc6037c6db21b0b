//! What changes in a cluster without a client's asking: what is due, topics laid out, brokers that come and go.

use std::collections::BTreeMap;

use super::{
    super::{
        acls::{
            operation::{ALTER_CONFIGS, DESCRIBE_CONFIGS},
            resource::GROUP,
        },
        partition::Partition,
        plan::Release,
        transactions,
    },
    Call, State, Topic,
};

impl State {
    /// Does this broker run?
    pub fn is_alive(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|one| one.alive)
    }

    /// What the principal may do, as bits by `AclOperation`'s number (KIP-430).
    pub fn operations(&self, call: &Call, resource: i8, name: &str) -> i32 {
        let bits = self.acls.operations(&call.principal, resource, name);
        if resource != GROUP || self.release < Release::V4_1 {
            return bits;
        }
        // Groups have settings of their own since 4.1.
        let settings = [DESCRIBE_CONFIGS, ALTER_CONFIGS].into_iter();
        settings
            .filter(|one| self.allows(call, *one, GROUP, name))
            .fold(bits, |bits, one| bits | 1 << one)
    }

    /// Does what is due by the cluster's clock.
    pub fn due(&mut self) {
        transactions::due(self);
        let now = self.now_ms();
        self.groups.tick(now);
        if now >= self.next_expiry_ms {
            self.expire_producers();
        }
    }

    /// Counts the ten minutes until producers expire from now.
    pub fn schedule_expiry(&mut self) {
        let every = self.number("producer.id.expiration.check.interval.ms");
        self.next_expiry_ms = self.now_ms().saturating_add(every.max(1));
    }

    /// Has every replica forget producers whose last batch is too old, as it happens every ten minutes (S6).
    pub fn expire_producers(&mut self) {
        let now = self.now_ms();
        let expiry = self.number("producer.id.expiration.ms");
        self.schedule_expiry();
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.expire_producers(now, expiry);
            }
        }
        self.touch();
    }

    /// Creates a topic with these replicas for each partition. The caller has checked all of it.
    pub fn create_topic(
        &mut self,
        name: &str,
        replicas: &[Vec<i32>],
        settings: BTreeMap<String, String>,
    ) {
        let each = replicas
            .iter()
            .map(|ids| Partition::new(ids, |id| self.is_alive(id)));
        let partitions = each.collect();
        let topic = Topic {
            id: self.new_uuid(),
            partitions,
            settings,
            internal: name.starts_with("__"),
        };
        self.topics.insert(name.to_owned(), topic);
        self.touch();
    }

    /// Replicas of so many new partitions from this number on: brokers one after the other, those that run first.
    pub fn spread(&self, from: usize, count: usize, factor: usize) -> Vec<Vec<i32>> {
        let mut all: Vec<i32> = self.alive().collect();
        if all.len() < factor {
            all = self.brokers.keys().copied().collect();
        }
        let one = |partition: usize| {
            let replicas = 0..factor.min(all.len());
            replicas
                .map(|replica| all[(partition + replica) % all.len()])
                .collect()
        };
        (from..from + count).map(one).collect()
    }

    /// Runs the log cleaner over a topic.
    pub fn compact(&mut self, topic: &str) {
        let now = self.now_ms();
        let horizon = self.topic_number(topic, "delete.retention.ms");
        let partitions = self
            .topics
            .get_mut(topic)
            .map(|found| &mut found.partitions);
        for partition in partitions.into_iter().flatten() {
            partition.compact(now, horizon);
        }
        self.touch();
    }

    /// A broker is gone: the partitions it led go to another replica that is in sync, or have no leader.
    pub fn broker_stopped(&mut self, broker: i32, keep_memory: bool) {
        if let Some(one) = self.brokers.get_mut(&broker) {
            one.alive = false;
            one.sessions = Default::default();
        }
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.broker_stopped(broker, keep_memory);
            }
        }
        self.touch();
    }

    /// A broker is back: its replicas catch up, and partitions without a leader have one again.
    pub fn broker_started(&mut self, broker: i32) {
        let (now, expiry) = (self.now_ms(), self.number("producer.id.expiration.ms"));
        if let Some(one) = self.brokers.get_mut(&broker) {
            one.alive = true;
        }
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.broker_started(broker, now, expiry);
            }
        }
        self.touch();
    }
}
