//! The limits that gates hold numbers against, under MSK Replicator's names.

use std::time::Duration;

/// `[ready]` of the migration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// MessageLag must be below this many offsets.
    pub message_lag: u64,
    /// ReplicationLatency must be below this.
    pub replication_latency: Duration,
    /// SumOffsetLag must be below this many offsets, on both clusters.
    pub offset_lag: u64,
    /// A gate must have been open this long, and at three fresh observations.
    pub hold: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_lag: 1000,
            replication_latency: Duration::from_secs(90),
            offset_lag: 1000,
            hold: Duration::from_secs(60),
        }
    }
}
