//! Everything one simulated cluster knows, and the questions that every API asks of it.

mod upkeep;

use std::collections::BTreeMap;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    acls::Acls,
    configs, errors,
    faults::Random,
    groups::{self, Groups},
    login::Users,
    partition::Partition,
    plan::Release,
    transactions::Transactions,
};

/// Who asks, and how.
#[derive(Debug, Clone)]
pub struct Call {
    /// The broker that was asked.
    pub broker: i32,
    /// `User:name`, or `User:ANONYMOUS`.
    pub principal: String,
    /// As the request's header says.
    pub client_id: String,
    /// Version of the API.
    pub version: i16,
}

/// What a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// PLAINTEXT.
    Open,
    /// SASL_PLAINTEXT.
    Login,
}

/// One cluster: what its brokers share. A real cluster replicates it; here all brokers look at the same.
#[derive(Debug)]
pub struct State {
    /// `simulated-<name>`.
    pub cluster_id: String,
    /// What it pretends to be.
    pub release: Release,
    /// By id, from 1.
    pub brokers: BTreeMap<i32, Broker>,
    /// By name.
    pub topics: BTreeMap<String, Topic>,
    /// Settings of all brokers, as started with.
    pub settings: BTreeMap<String, String>,
    /// Settings of all brokers that were changed since.
    pub changed: BTreeMap<String, String>,
    /// Transactional ids.
    pub transactions: Transactions,
    /// Groups and their offsets.
    pub groups: Groups,
    /// Who may log in.
    pub users: Users,
    /// Access rules.
    pub acls: Acls,
    /// The source of every random choice.
    pub random: Random,
    /// Did something change that a waiting request may wait for?
    pub(super) dirty: bool,
    clock: Clock,
    next_producer_id: i64,
    next_expiry_ms: i64,
}

/// One broker.
#[derive(Debug)]
pub struct Broker {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Does it run?
    pub alive: bool,
    /// Fetch sessions it remembers (KIP-227).
    pub sessions: super::api::fetch::Sessions,
}

/// One topic.
#[derive(Debug)]
pub struct Topic {
    /// Its id (KIP-516).
    pub id: Uuid,
    /// By number.
    pub partitions: Vec<Partition>,
    /// Settings of the topic itself.
    pub settings: BTreeMap<String, String>,
    /// Kafka's own?
    pub internal: bool,
}

/// The cluster's clock: that of the machine, and how far it was advanced.
#[derive(Debug)]
struct Clock {
    base_ms: i64,
    started: Instant,
    ahead_ms: i64,
}

impl State {
    /// An empty cluster.
    pub fn new(cluster_id: String, release: Release, seed: u64) -> Self {
        Self {
            cluster_id,
            release,
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            settings: BTreeMap::new(),
            changed: BTreeMap::new(),
            transactions: Transactions::default(),
            groups: Groups::new(seed),
            users: Users::default(),
            acls: Acls::default(),
            random: Random::new(seed),
            dirty: false,
            clock: Clock {
                base_ms: crate::clock::unix_millis(),
                started: Instant::now(),
                ahead_ms: 0,
            },
            next_producer_id: 0,
            // Counted from when settings are known.
            next_expiry_ms: i64::MAX,
        }
    }

    /// The cluster's time in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        let elapsed = self.clock.started.elapsed().as_millis();
        let here = i64::try_from(elapsed).unwrap_or(i64::MAX / 4) + self.clock.base_ms;
        here.saturating_add(self.clock.ahead_ms)
    }

    /// Makes it later by so much.
    pub fn advance_clock(&mut self, by_ms: i64) {
        self.clock.ahead_ms = self.clock.ahead_ms.saturating_add(by_ms.max(0));
        self.touch();
    }

    /// Says that something changed: whoever waits looks again.
    pub fn touch(&mut self) {
        self.dirty = true;
    }

    /// A producer id that this cluster never gave out. They are small numbers, as from a controller (S11).
    pub fn new_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        id
    }

    /// The id that `new_producer_id` would answer.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// A new id for a topic.
    pub fn new_uuid(&mut self) -> Uuid {
        let high = self.random.next();
        let low = self.random.next();
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid()
    }

    /// The broker that plays the controller: the first that runs.
    pub fn controller(&self) -> i32 {
        self.alive().next().unwrap_or(-1)
    }

    /// Brokers that run.
    pub fn alive(&self) -> impl Iterator<Item = i32> {
        self.brokers
            .iter()
            .filter(|(_, broker)| broker.alive)
            .map(|(id, _)| *id)
    }

    /// Who coordinates this group or transactional id; -1 if nobody can.
    ///
    /// Kafka hashes the key to a partition of an internal topic; here to one of the brokers that run.
    pub fn coordinator_of(&self, key: &str) -> i32 {
        let alive: Vec<i32> = self.alive().collect();
        if alive.is_empty() {
            return -1;
        }
        // `String.hashCode`, as `partitionFor` in both coordinators.
        let hash = key.encode_utf16().fold(0i32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(i32::from(unit))
        });
        let at = (hash & i32::MAX) as usize % alive.len();
        alive[at]
    }

    /// Takes the settings over that others keep for themselves.
    pub fn settings_changed(&mut self) {
        let everyone = self.setting("allow.everyone.if.no.acl.found") == "true";
        self.acls.everyone_if_none = everyone;
        self.groups.settings = groups::Settings::of(|name| self.number(name));
    }

    /// Is the asked broker the coordinator of this key? Else NOT_COORDINATOR.
    pub fn coordinates(&self, call: &Call, key: &str) -> bool {
        self.coordinator_of(key) == call.broker
    }

    /// One partition, if it exists.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        let at = usize::try_from(partition).ok()?;
        self.topics.get(topic)?.partitions.get(at)
    }

    /// One partition, if it exists.
    pub fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        let at = usize::try_from(partition).ok()?;
        self.topics.get_mut(topic)?.partitions.get_mut(at)
    }

    /// One partition, if it exists and this broker leads it; else the error to answer.
    pub fn led(&mut self, broker: i32, topic: &str, partition: i32) -> Result<&mut Partition, i16> {
        let found = self
            .partition_mut(topic, partition)
            .ok_or(errors::UNKNOWN_TOPIC_OR_PARTITION)?;
        if found.leader == broker {
            Ok(found)
        } else {
            Err(errors::NOT_LEADER_OR_FOLLOWER)
        }
    }

    /// The name of the topic with this id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&str> {
        self.topics
            .iter()
            .find(|(_, topic)| topic.id == id)
            .map(|(name, _)| name.as_str())
    }

    /// A broker's setting: as changed, as started with, or Kafka's default. Empty if Kafka has none of this name.
    pub fn setting(&self, name: &str) -> &str {
        self.changed
            .get(name)
            .or_else(|| self.settings.get(name))
            .map_or_else(
                || configs::broker_default(self.release, name),
                String::as_str,
            )
    }

    /// A broker's setting that is a number.
    pub fn number(&self, name: &str) -> i64 {
        self.setting(name).parse().unwrap_or(-1)
    }

    /// A topic's setting: its own, its broker's, or Kafka's default.
    pub fn topic_setting(&self, topic: &str, name: &str) -> String {
        configs::of_topic(self, self.topics.get(topic), name).0
    }

    /// A topic's setting that is a number.
    pub fn topic_number(&self, topic: &str, name: &str) -> i64 {
        self.topic_setting(topic, name).parse().unwrap_or(-1)
    }

    /// May the principal do this?
    pub fn allows(&self, call: &Call, operation: i8, resource: i8, name: &str) -> bool {
        self.acls.allows(&call.principal, operation, resource, name)
    }

    /// May the principal do this to any resource of the type (KIP-679)?
    pub fn allows_any(&self, call: &Call, operation: i8, resource: i8) -> bool {
        self.acls.allows_any(&call.principal, operation, resource)
    }
}

/// Is this a name that a topic may have (`Topic.validate`)?
pub fn legal_topic(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name != "." && name != ".." && name.chars().all(legal)
}

/// A string of the protocol.
pub fn text(from: &str) -> kafka_protocol::protocol::StrBytes {
    kafka_protocol::protocol::StrBytes::from_string(from.to_owned())
}
