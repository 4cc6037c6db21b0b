//! The embedded replication engine: one direction, from one cluster to another, exactly once and in order.

pub mod budget;
pub mod identity;
pub mod lease;
pub mod ledger;
pub mod metrics;
pub mod pipeline;
pub mod recover;
pub mod settings;
pub mod status;
pub mod steps;

pub use settings::{Settings, Stop, StopSignal, Summary, Until};

use crate::{
    cluster::{Source, Target},
    error::Failure,
    events::Events,
};

/// Copies until stopped, or until caught up.
pub async fn run(
    _settings: Settings,
    _source: Source,
    _target: Target,
    _events: Events,
    _stop: StopSignal,
) -> Result<Summary, Failure> {
    todo!()
}
