//! Are both sides the same, record by record?

mod align;
mod print;
mod region;
mod report;
mod search;
mod stream;
mod table;
mod tally;

pub use report::{
    Content, Counts, Difference, Kind, Report, SAMPLES, Shape, TopicReport, Verdict, Witness,
};

use crate::{
    cluster::{Source, Target},
    error::Failure,
    events::Events,
    model::{connection::Connection, scope::Scope},
};

/// What one `verify` is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The migration's name.
    pub migration: String,
    /// Topics to compare.
    pub scope: Scope,
    /// How to reach the target once more, for the second reader.
    pub target: Connection,
    /// Show what the differing records hold.
    pub show_values: bool,
    /// Read the target through librdkafka too; needs the feature `rdkafka`.
    pub witness: bool,
    /// Partitions compared at the same time; each takes a few MiB.
    pub at_once: usize,
}

/// Compares all topics in scope, from the source to the target, up to the ends seen when it begins.
pub async fn run(
    settings: Settings,
    source: Source,
    target: Target,
    events: Events,
) -> Result<Report, Failure> {
    let (_, _, _, _) = (settings, source, target, events);
    todo!("wired to clusters next")
}
