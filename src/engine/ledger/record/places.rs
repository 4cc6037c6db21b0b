//! Where a partition begins and stands, and which source offset became which target offset.

use serde::{Deserialize, Serialize};

/// What first contact found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// First offset of the source.
    pub source_start: i64,
    /// End of the source.
    pub source_end: i64,
    /// First offset of the target.
    pub target_start: i64,
    /// End of the target: ours begins here or behind.
    pub target_end: i64,
}

impl Seam {
    /// Target offsets that were there before and stay, from and to; `None` where ours are the first.
    pub fn kept(self) -> Option<(i64, i64)> {
        (self.target_end > self.target_start).then_some((self.target_start, self.target_end))
    }
}

/// Where a sequence of an identity meets an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Number of the identity.
    pub identity: u32,
    /// Records written under the identity before: the wire's sequence is this modulo 2^31.
    pub sequence: u64,
    /// The offset of that record.
    pub offset: i64,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of the identity.
    pub identity: u32,
    /// Records acknowledged under it.
    pub next_sequence: u64,
    /// Every eligible source record below is on the target.
    pub source: i64,
    /// The target offset after our last record, or from which to look for the next.
    pub target: i64,
    /// Leader epoch of the last source batch below `source`, -1 if unknown: asked with the next fetch, so that a source whose log was cut
    /// off and grew again meanwhile says so (KIP-320, KIP-595).
    pub source_epoch: i32,
}

/// The last copy of the other direction that was passed over. Goes with the checkpoint before which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Its producer id.
    pub producer_id: i64,
    /// Its producer epoch.
    pub epoch: i16,
    /// The sequence behind its last record, as on the wire: what comes later under this identity does not begin below.
    pub next_sequence: i32,
    /// The source offset behind it.
    pub end: i64,
    /// The source offset behind the last record that was copied: should the source lose what lies behind, nothing of it stands anywhere else.
    pub copied_to: i64,
    /// Leader epoch of the last batch below `copied_to`, -1 if unknown.
    pub copied_epoch: i32,
}

/// Which source offset became which target offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// Number of the identity that the last was written under.
    pub identity: u32,
    /// Records under it that are in the map.
    pub sequence: u64,
    /// Where the map begins, on the source and on the target, if older records were let go of.
    pub begin: Option<(i64, i64)>,
    /// Stretches of records: how far source and target are behind the end of the stretch before, and how many records there are.
    pub steps: Vec<[u64; 3]>,
}

/// Where a leader epoch of the source begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number.
    pub number: i32,
    /// The source offset of the first record that was read under it.
    pub source: i64,
}
