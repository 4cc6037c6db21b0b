//! What a ledger is, who claims it, what it keeps out, and how its owner is doing.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::At;
use crate::{engine::ledger::data_id, model::direction::Direction};

/// What a ledger is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Given when the ledger was made.
    pub migration_id: Uuid,
    /// The migration's name.
    pub migration: String,
    /// Id of the cluster that is read.
    pub source_cluster: String,
    /// Id of the cluster that is written.
    pub target_cluster: String,
    /// `forward` or `reverse`.
    pub direction: String,
    /// Partitions of the ledger.
    pub shards: u32,
    /// When it was made, the target still knew writers of an earlier ledger of this migration, which is gone: what the target holds may be
    /// what that one had copied.
    pub after_loss: bool,
}

impl Header {
    /// Which way its records go.
    pub fn direction(&self) -> Direction {
        if self.direction == Direction::Reverse.word() {
            Direction::Reverse
        } else {
            Direction::Forward
        }
    }

    /// Transactional id of the n-th data identity of a shard.
    pub fn data_id(&self, shard: u32, number: u32) -> String {
        data_id(&self.migration, self.direction(), shard, number)
    }
}

/// Who claims a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name, for people.
    pub host: String,
    /// Identifies the machine and its last start.
    pub machine: String,
    /// The process.
    pub process: u32,
    /// Where its lock lies.
    pub lock: String,
    /// Version of the program.
    pub version: String,
}

/// What keeps a fenced identity out: a marker in every partition it wrote to, which a broker remembers for a producer expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// When it was fenced, in milliseconds since the epoch, by the engine's clock.
    pub since_ms: i64,
    /// When its markers were last written.
    pub marked_ms: i64,
    /// The partitions it may have written to.
    pub partitions: Vec<At>,
}

/// The owner's numbers of one shard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Milliseconds since 1970, by the owner's clock.
    pub at_ms: i64,
    /// Partitions of this shard.
    pub partitions: u32,
    /// Those stopped.
    pub stopped: u32,
    /// Batches in flight.
    pub in_flight: u32,
    /// Records acknowledged by this run.
    pub records: u64,
    /// Bytes acknowledged by this run.
    pub bytes: u64,
    /// Records per second over the last seconds.
    pub records_per_second: f64,
    /// Bytes per second over the last seconds.
    pub bytes_per_second: f64,
    /// Fences of this run so far.
    pub fences: u32,
    /// Batches passed over in this session: commit and abort markers.
    pub control: u64,
    /// Batches passed over in this session: aborted data.
    pub aborted: u64,
    /// Batches passed over in this session: emptied by compaction.
    pub empty: u64,
    /// Batches that became part of another in this session, because they were tiny.
    pub merged: u64,
    /// Why the engine holds itself back, if it does.
    pub throttled_by: Option<String>,
    /// Batches passed over in this session: fetched, and proved to be the other direction's copies.
    pub echoes: u64,
    /// Ranges passed over in this session: acknowledged to the other direction, and never fetched.
    pub jumps: u64,
}
