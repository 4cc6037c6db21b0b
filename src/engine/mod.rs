//! The embedded replication engine: one direction, from one cluster to another, exactly once and in order.

pub mod budget;
pub mod groups;
pub mod held;
pub mod identity;
pub mod lease;
pub mod ledger;
pub mod manners;
pub mod maps;
pub mod metrics;
pub mod opening;
pub mod owner;
pub mod pipeline;
pub mod recopy;
pub mod recover;
pub mod scope;
pub mod seam;
pub mod settings;
pub mod shard;
pub mod status;
pub mod steer;
pub mod steps;
pub mod supervisor;
pub mod topics;
pub mod ways;

pub use settings::{Settings, Stop, StopSignal, Summary, Until};
pub use supervisor::run;
