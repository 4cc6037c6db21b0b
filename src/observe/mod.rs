//! Everything known at one instant about both clusters, the engine, groups and applications, and what could not be learned.
//!
//! An observation is plain data: gates and plans are functions of it and of nothing else. What was asked for and not answered stands in
//! it with the reason, never as something empty.

mod clusters;
mod discovery;
#[cfg(test)]
pub(crate) mod example;
mod groups;
mod guess;
mod look;
mod needs;
mod sample;
mod topics;
mod trend;

use std::collections::BTreeMap;

pub use discovery::{Discovery, Writer, discover};
pub use guess::{Guess, Guessed, fitting, guess};
pub use look::{Depth, Eyes, Subject};
use serde::Serialize;
pub use trend::Trend;

use crate::{
    cluster::{Operations, Probe},
    engine::status::EngineState,
    model::{
        application::Application,
        names::{Side, TopicPartition},
        patterns::Patterns,
    },
};

/// Version of the document.
pub const VERSION: u32 = 1;

/// Something that was asked, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Known<T> {
    /// The answer.
    Seen {
        /// What it says.
        value: T,
        /// How old it was when the observation was put together.
        age_ms: u64,
    },
    /// No answer.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl<T> Known<T> {
    /// An answer of this moment.
    pub fn seen(value: T) -> Self {
        Self::Seen { value, age_ms: 0 }
    }

    /// No answer.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    /// The answer, however old, or why there is none.
    pub fn value(&self) -> Result<&T, &str> {
        match self {
            Self::Seen { value, .. } => Ok(value),
            Self::Unknown { reason } => Err(reason),
        }
    }

    /// The same answer, said to be this old.
    #[must_use]
    pub fn aged(self, age: std::time::Duration) -> Self {
        match self {
            Self::Seen { value, .. } => Self::Seen {
                value,
                age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            },
            unknown @ Self::Unknown { .. } => unknown,
        }
    }

    /// What it holds, changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Seen { value, age_ms } => Known::Seen {
                value: change(value),
                age_ms,
            },
            Self::Unknown { reason } => Known::Unknown { reason },
        }
    }
}

impl<T> From<Result<T, crate::cluster::Error>> for Known<T> {
    fn from(answer: Result<T, crate::cluster::Error>) -> Self {
        match answer {
            Ok(value) => Self::seen(value),
            Err(error) => Self::unknown(error.to_string()),
        }
    }
}

/// Everything at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct Observation {
    /// Version of this document.
    pub v: u32,
    /// Milliseconds since 1970, by this machine's clock.
    pub at_ms: i64,
    /// The migration's name.
    pub migration: String,
    /// What the migration file asks for.
    pub asked: Asked,
    /// The cluster applications come from.
    pub source: ClusterSeen,
    /// The cluster they go to.
    pub target: ClusterSeen,
    /// Topics in scope.
    pub topics: Known<Vec<TopicSeen>>,
    /// Topics that the file names and the source does not show.
    pub missing_topics: Vec<String>,
    /// Topics of the source that are not in scope: what a group or an application may need besides.
    pub topics_outside: Vec<String>,
    /// The engine, by its ledger.
    pub engine: Known<EngineSeen>,
    /// The engine that copies back, by its ledger.
    pub reverse: Known<EngineSeen>,
    /// Groups on the source.
    pub source_groups: Known<GroupsSeen>,
    /// Groups on the target.
    pub target_groups: Known<GroupsSeen>,
    /// Applications of the file.
    pub applications: Vec<Application>,
    /// Other migrations that left ledgers on these clusters.
    pub others: Known<Vec<OtherSeen>>,
    /// What the target lets us do to what the engine needs besides topics.
    pub engine_rights: EngineRights,
    /// Numbers under MSK Replicator's names.
    pub metrics: Metrics,
    /// How numbers moved since the command began to look.
    pub trend: Trend,
}

/// What the migration file asks for, as far as gates care.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// Copy back, too.
    pub two_way: bool,
    /// Groups to carry; empty: none.
    pub groups: Patterns,
    /// Of topics we make.
    pub replication_factor: Option<i16>,
    /// Bytes per second, where a number was given.
    pub bytes_per_second: Option<u64>,
    /// The most topics that the backend takes.
    pub most_topics: Option<usize>,
    /// The one application that is asked about, if it is one.
    pub application: Option<String>,
}

/// One cluster.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterSeen {
    /// Its id, where a connection came about.
    pub id: Option<String>,
    /// Why none came about.
    pub trouble: Option<Trouble>,
    /// Who logs in, where somebody does.
    pub user: Option<String>,
    /// The login's mechanism.
    pub mechanism: &'static str,
    /// Servers to ask first, as the file has them.
    pub bootstrap: Vec<String>,
    /// TLS is on.
    pub tls: bool,
    /// Every broker that it advertises.
    pub brokers: Known<Vec<BrokerSeen>>,
    /// Its clock.
    pub clock: Known<ClockSeen>,
    /// What may be done to it.
    pub rights: Known<Operations>,
}

/// A trouble, as a failure names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Its code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// One broker, dialled at its advertised address.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerSeen {
    /// Its id.
    pub id: i32,
    /// Where.
    pub address: String,
    /// Why it could not be reached or logged in to.
    pub trouble: Option<Trouble>,
    /// One small question and its answer, in microseconds.
    pub round_trip_us: u64,
    /// When its certificate ends, in seconds since 1970.
    pub certificate_ends: Option<i64>,
    /// APIs we cannot do without that it does not speak in a version of ours.
    pub lacks: Vec<&'static str>,
    /// APIs we would like.
    pub misses: Vec<&'static str>,
}

/// A clock against ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClockSeen {
    /// Milliseconds that it is ahead.
    pub ahead_ms: i64,
    /// How far off that may be.
    pub within_ms: u64,
}

/// A topic in scope.
#[derive(Debug, Clone, Serialize)]
pub struct TopicSeen {
    /// Its name.
    pub name: String,
    /// On the source.
    pub source: TopicSide,
    /// On the target; `None` if it is not there.
    pub target: Known<Option<TopicSide>>,
    /// Its settings on the source.
    pub source_settings: Known<TopicSettings>,
    /// Its settings on the target, or those it would have if it were made now.
    pub target_settings: Known<TopicSettings>,
    /// Its partitions on the source.
    pub partitions: Vec<PartitionSeen>,
    /// Our ledger knows it.
    pub met: Known<bool>,
    /// The file says that what the target holds stays, and ours goes behind it (`existing = "keep"`).
    pub keeps_existing: bool,
    /// Partitions of the target that hold records behind ours which are not ours; asked for compacted topics only.
    pub foreign_writes: Known<Vec<i32>>,
    /// What its stored batches look like.
    pub sample: Known<Sample>,
    /// What may be done to it on the source.
    pub source_rights: Known<Operations>,
    /// What may be done to it on the target.
    pub target_rights: TargetRights,
    /// What the target says to making it, where it is not there.
    pub creation: Known<Option<Refusal>>,
}

/// A topic on one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TopicSide {
    /// How many partitions.
    pub partitions: usize,
    /// Partitions without a leader.
    pub offline: usize,
    /// Partitions with a replica that is not in sync.
    pub under_replicated: usize,
    /// The fewest replicas in sync of any partition.
    pub least_in_sync: usize,
    /// The fewest replicas of any partition.
    pub replicas: usize,
}

/// Settings of a topic, as far as they decide what fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TopicSettings {
    /// `max.message.bytes`.
    pub max_message_bytes: Option<u64>,
    /// `cleanup.policy` names `compact`.
    pub compacts: bool,
    /// `cleanup.policy` names `delete`.
    pub deletes: bool,
    /// `retention.ms`; `None` keeps for ever.
    pub retention_ms: Option<u64>,
    /// `retention.bytes`; `None` keeps any size.
    pub retention_bytes: Option<u64>,
    /// `delete.retention.ms`.
    pub delete_retention_ms: Option<u64>,
    /// `message.timestamp.type` is `LogAppendTime`.
    pub stamps: bool,
    /// `message.timestamp.before.max.ms`; `None` takes records of any age.
    pub before_max_ms: Option<u64>,
    /// `message.timestamp.after.max.ms`; `None` takes any future.
    pub after_max_ms: Option<u64>,
    /// `min.insync.replicas`.
    pub min_in_sync: Option<usize>,
    /// `compression.type`, where it is not `producer`.
    pub codec: Option<String>,
}

/// A partition of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PartitionSeen {
    /// Its number.
    pub partition: i32,
    /// First offset of the source.
    pub source_start: Option<i64>,
    /// Last stable offset of the source.
    pub source_stable: Option<i64>,
    /// High watermark of the source.
    pub source_end: Option<i64>,
    /// First offset of the target.
    pub target_start: Option<i64>,
    /// High watermark of the target.
    pub target_end: Option<i64>,
    /// Everything of the source below is on the target.
    pub copied: Option<i64>,
    /// Where the source began when it was first met.
    pub first: Option<i64>,
    /// Milliseconds since 1970: the largest timestamp of the first batch that is not copied, where the partition is behind.
    pub next_ms: Option<i64>,
}

impl PartitionSeen {
    /// Offsets that the target does not hold yet.
    pub fn lag(&self) -> Option<u64> {
        let from = self.copied.or(self.first).or(self.source_start)?;
        Some(u64::try_from(self.source_stable? - from).unwrap_or(0))
    }
}

/// What stored batches of a topic look like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Batches looked at.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them, as stored.
    pub bytes: u64,
    /// Offsets between first and last stable offset, all partitions.
    pub offsets: u64,
    /// The largest batch: where, bytes, records.
    pub largest: Option<BatchSeen>,
    /// The largest batch of one record.
    pub largest_single: Option<BatchSeen>,
    /// The oldest timestamp, in milliseconds since 1970.
    pub oldest: Option<(BatchSeen, i64)>,
    /// The latest timestamp, in milliseconds since 1970.
    pub latest: Option<(BatchSeen, i64)>,
    /// The first record found without a key; looked for only where the target compacts and the source does not.
    pub unkeyed: Option<BatchSeen>,
    /// Batches that are part of transactions.
    pub transactional: u64,
}

/// One batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BatchSeen {
    /// Its partition.
    pub partition: i32,
    /// Its first offset.
    pub offset: i64,
    /// Its bytes.
    pub bytes: u64,
    /// Its records.
    pub records: u64,
}

/// What may be done to a topic on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetRights {
    /// By what the broker tells of a topic that is there.
    pub operations: Known<Operations>,
    /// By trying: writing.
    pub write: Known<Probe>,
    /// By trying: reading.
    pub read: Known<Probe>,
}

/// An error code and the broker's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Kafka's error code.
    pub code: i16,
    /// In words.
    pub message: String,
}

/// What the target lets us do to the ledger and its identities.
#[derive(Debug, Clone, Serialize)]
pub struct EngineRights {
    /// The ledger's topic.
    pub ledger: String,
    /// What the target says to making it; `None`: it would, or it is there.
    pub creation: Known<Option<Refusal>>,
    /// Writing to it.
    pub write: Known<Probe>,
    /// Reading it.
    pub read: Known<Probe>,
    /// Deleting records of it.
    pub delete: Known<Probe>,
    /// What may be done to it, where it is there.
    pub operations: Known<Option<Operations>>,
    /// The prefix of its transactional ids.
    pub transactional_ids: String,
    /// Using such an id.
    pub transactions: Known<Probe>,
}

/// The engine, by its ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EngineSeen {
    /// What it does.
    pub state: EngineState,
    /// Whose it is.
    pub owner: Option<String>,
    /// Offsets between the source's last stable offset and what the target holds.
    pub message_lag: Option<u64>,
    /// Partitions that wait for a person.
    pub stopped: Vec<StoppedSeen>,
    /// Why it holds itself back, if it does.
    pub throttled_by: Option<String>,
    /// Transactions open on the source; `None` if it does not say.
    pub open_transactions: Option<usize>,
}

/// A partition that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedSeen {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why: a code.
    pub code: String,
    /// Why: a sentence.
    pub reason: String,
}

/// Groups of one cluster.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupsSeen {
    /// This login may see all groups there are: what is not here is not there.
    pub complete: bool,
    /// Groups that the file names and that may not be described.
    pub denied: Vec<String>,
    /// Groups in scope.
    pub groups: Vec<GroupSeen>,
}

/// One group.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupSeen {
    /// Its name.
    pub name: String,
    /// Kafka's word for its state.
    pub state: String,
    /// What its members are.
    pub kind: GroupKind,
    /// How many members.
    pub members: usize,
    /// What they call themselves, each once.
    pub clients: Vec<String>,
    /// Topics that its members subscribe to, sorted; `None` where that cannot be told of one of them.
    pub subscribed: Option<Vec<String>>,
    /// Where it stands.
    #[serde(serialize_with = "by_name")]
    pub committed: BTreeMap<TopicPartition, i64>,
    /// No members, and behind every record of the last 24 hours wherever it stands.
    pub idle: bool,
}

/// What the members of a group are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// Consumers.
    #[default]
    Consumer,
    /// A Kafka Streams application.
    Streams,
    /// Workers of a Kafka Connect cluster.
    Connect,
    /// Something else.
    Other,
}

/// Another migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherSeen {
    /// On which of our clusters its ledger lies.
    #[serde(serialize_with = "side_word")]
    pub on: Side,
    /// Its ledger's topic.
    pub ledger: String,
    /// What it copies, or why that is unknown.
    pub content: Known<OtherCopies>,
}

/// What another migration copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherCopies {
    /// Its name.
    pub migration: String,
    /// The cluster it reads.
    pub source_cluster: String,
    /// The cluster it writes.
    pub target_cluster: String,
    /// Its topics.
    pub topics: Vec<String>,
}

/// Numbers under MSK Replicator's names.
#[derive(Debug, Clone, Serialize)]
pub struct Metrics {
    /// `ReplicatorFailure`: 0 while a replicator runs as it should.
    pub replicator_failure: Known<u64>,
    /// `ConsumerGroupOffsetSyncFailure`.
    pub offset_sync_failure: Known<u64>,
    /// `KafkaClusterPingSuccessCount` of the source.
    pub source_ping: Known<u64>,
    /// `KafkaClusterPingSuccessCount` of the target.
    pub target_ping: Known<u64>,
    /// `MessageLag`.
    pub message_lag: Known<u64>,
    /// `ReplicationLatency`.
    pub replication_latency: Known<Latency>,
    /// `SumOffsetLag` of the source.
    pub source_offset_lag: Known<u64>,
    /// `SumOffsetLag` of the target.
    pub target_offset_lag: Known<u64>,
    /// `ConsumerGroupCount`, by name.
    pub groups: Known<GroupCount>,
}

/// From a record's append on the source to its acknowledgement on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Latency {
    /// No record took longer than this many milliseconds.
    AtMost(u64),
    /// A record that was on the source this many milliseconds ago is not on the target yet.
    Behind(u64),
}

/// Groups that should be on the target, and those that are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupCount {
    /// In scope, with a position on a topic in scope, and active.
    pub expected: Vec<String>,
    /// The same, but not active in the last 24 hours.
    pub idle: Vec<String>,
    /// On the target, with a position on a topic in scope.
    pub present: Vec<String>,
}

impl Observation {
    /// The observation with nothing in it but what concerns one application: its topics and its groups.
    #[must_use]
    pub fn of_application(mut self, application: &Application) -> Self {
        let keep = |groups: Known<GroupsSeen>| {
            groups.map(|mut seen| {
                seen.groups
                    .retain(|group| application.groups.matches(&group.name));
                seen.denied
                    .retain(|group| application.groups.matches(group));
                seen
            })
        };
        self.topics = self.topics.map(|mut topics| {
            topics.retain(|topic| application.has_topic(&topic.name));
            topics
        });
        self.missing_topics
            .retain(|topic| application.has_topic(topic));
        self.engine = self.engine.map(|mut engine| {
            engine
                .stopped
                .retain(|stopped| application.has_topic(&stopped.topic));
            engine
        });
        self.source_groups = keep(self.source_groups);
        self.target_groups = keep(self.target_groups);
        self.asked.groups = application.groups.clone();
        self.asked.application = Some(application.name.clone());
        groups::count(&mut self);
        self
    }
}

fn by_name<S: serde::Serializer>(
    committed: &BTreeMap<TopicPartition, i64>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(
        committed
            .iter()
            .map(|(at, offset)| (at.to_string(), offset)),
    )
}

fn side_word<S: serde::Serializer>(side: &Side, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(side)
}
