//! What an observation holds of a topic in scope: both sides, settings, partitions, stored batches, rights.

use serde::Serialize;

use super::super::Known;
use crate::cluster::{Operations, Probe};

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
    /// What the target objects to in the source's settings, where it is there; validated only.
    pub objections: Known<Vec<Objection>>,
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
    /// By trying: reading its settings.
    pub describe_configs: Known<Probe>,
    /// By trying: changing its settings.
    pub alter_configs: Known<Probe>,
    /// By trying, where it is not there: adding partitions.
    pub grow: Known<Probe>,
}

/// An error code and the broker's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Kafka's error code.
    pub code: i16,
    /// In words.
    pub message: String,
}

/// A setting that the target refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objection {
    /// The setting, and the value it was to have.
    pub setting: String,
    /// What the target says.
    pub refusal: Refusal,
}
