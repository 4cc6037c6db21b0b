//! Numbers under MSK Replicator's names.

use serde::Serialize;

use super::{super::Known, GroupCount};

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
    /// `AuthError`: logins that a replicator was refused, on either cluster.
    pub auth_errors: Known<u64>,
    /// `ConsumerGroupCount`, where MSK Replicator tells it.
    pub groups_carried: Known<u64>,
    /// `MessageLag`.
    pub message_lag: Known<u64>,
    /// What waits on the source by the clusters' own word: beside what MSK Replicator says of itself.
    pub waiting: Known<Vec<Waiting>>,
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

/// Records of a topic that are on the source and not on the target yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The topic.
    pub topic: String,
    /// How many offsets.
    pub records: u64,
    /// The timestamp of the first, in milliseconds since 1970.
    pub since_ms: i64,
}
