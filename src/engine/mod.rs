//! The embedded replication engine: from one cluster to another, and back where that is wanted, exactly once and in order.

mod back;
pub mod budget;
pub mod groups;
pub mod held;
pub mod identity;
pub mod lanes;
pub mod lease;
pub mod ledger;
pub mod manners;
pub mod maps;
pub mod metrics;
pub mod opening;
pub mod other;
pub mod owner;
pub mod pipeline;
pub mod recopy;
pub mod recover;
mod repartition;
pub mod scope;
pub mod seam;
pub mod settings;
pub mod shard;
pub mod status;
pub mod steer;
pub mod steps;
pub mod supervisor;
pub mod sync;
pub mod told;
pub mod topics;
pub mod ways;

pub use settings::{Settings, Stop, StopSignal, Summary, Until};
pub use supervisor::run;
