//! What an observation holds of engines: ours, what it may do, and those of other migrations.

use serde::Serialize;

use super::{super::Known, Refusal};
use crate::{
    cluster::{Fidelity, Operations, Probe},
    engine::status::EngineState,
    model::names::Side,
};

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

/// What the source lets us do, where records come back to it.
#[derive(Debug, Clone, Serialize)]
pub struct BackSeen {
    /// To the ledger of the way back and its identities.
    pub rights: EngineRights,
    /// Whether it keeps batches as they are written, by trying.
    pub fidelity: Known<Fidelity>,
    /// Topics in scope that it does not let us write to.
    pub denied: Known<Vec<String>>,
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
    /// Positions of groups that could not be read or written since it began; `None` if it never said.
    pub sync_failures: Option<u64>,
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

fn side_word<S: serde::Serializer>(side: &Side, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(side)
}
