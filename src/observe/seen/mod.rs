//! What an observation is made of: plain data, by subject.

mod amazon;
mod cluster;
mod engine;
mod follows;
mod group;
mod metrics;
mod topic;

pub use amazon::{
    AmazonAsked, AmazonSeen, CallerSeen, ListenerSeen, ReplicatorSeen, ReplicatorsSeen, SecretSeen,
    Vantage,
};
pub use cluster::{BrokerSeen, ClientSeen, ClockSeen, ClusterSeen, Trouble};
pub use engine::{BackSeen, EngineRights, EngineSeen, OtherCopies, OtherSeen, StoppedSeen};
pub use follows::{AclsSeen, FollowsSeen};
pub use group::{GroupCount, GroupKind, GroupSeen, GroupsSeen};
pub use metrics::{Latency, Metrics, Waiting};
pub use topic::{
    BatchSeen, Objection, PartitionSeen, Refusal, Sample, TargetRights, TopicSeen, TopicSettings,
    TopicSide,
};
