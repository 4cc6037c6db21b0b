//! The report of a migration and its runbook: plain data made into Markdown, HTML or JSON; nothing is asked or read here but its own numbers.
//!
//! What could not be looked at is said as that, and no number is made up: what nobody saw is a gap.

pub mod again;
mod bars;
mod document;
mod html;
mod markdown;
pub mod moves;
pub mod numbers;
mod over_time;
mod page;
mod plot;
pub mod runbook;
pub mod verified;

use serde::Serialize;

pub use over_time::{Gap, OverTime};

use self::{moves::Move, verified::Verified};
use crate::run::waiver::Waiver;

/// Version of the document.
pub const VERSION: u32 = 1;

/// Everything that a report says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this document.
    pub v: u32,
    /// When it was made.
    pub at: String,
    /// `report`.
    pub event: &'static str,
    /// The migration's name.
    pub migration: String,
    /// `embedded` or `msk`.
    pub backend: &'static str,
    /// Version of the program that made it.
    pub program: String,
    /// Whether what is written on the target comes back.
    pub two_way: bool,
    /// Ids of both clusters; `None`: nobody has told yet.
    pub source_cluster: Option<String>,
    /// The target's.
    pub target_cluster: Option<String>,
    /// Topics of the scope, as they are written.
    pub topics: Vec<String>,
    /// Groups of the scope, as they are written.
    pub groups: Vec<String>,
    /// What stands on the clusters now.
    pub now: Now,
    /// There was a journal to read, or nothing was ever begun; else nothing is known of moves and waivers.
    pub journal: bool,
    /// Each application of the file, and those that the journal knows besides.
    pub applications: Vec<Standing>,
    /// Commands that wrote the journal, the oldest first.
    pub commands: Vec<Command>,
    /// Gates that persons answer for.
    pub waived: Vec<Waiver>,
    /// Every move.
    pub moves: Vec<Move>,
    /// Lag, latency and throughput over time.
    pub over_time: OverTime,
    /// What `verify` found last, on this machine.
    pub verified: Option<Verified>,
    /// What could not be looked at, and why, in sentences.
    pub not_looked_at: Vec<String>,
}

/// What the clusters and the ledger say at this moment; `None` is what could not be looked at.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Now {
    /// What copies, in a few words.
    pub copier: Option<String>,
    /// Topics in scope.
    pub topics: Option<u64>,
    /// Partitions in scope.
    pub partitions: Option<u64>,
    /// Offsets that the target does not hold yet.
    pub message_lag: Option<u64>,
    /// Partitions that wait for a person, both ways.
    pub stopped: Option<Vec<Stopped>>,
    /// Is the way back open?
    pub way_back: Option<WayBack>,
}

/// A partition that waits for a person.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Stable code.
    pub code: String,
    /// What happened.
    pub reason: String,
}

/// The way back.
#[derive(Debug, Clone, Serialize)]
pub struct WayBack {
    /// Records and positions come back.
    pub open: bool,
    /// Why, in a sentence.
    pub why: String,
}

/// Where an application stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `source` or `target`: where it runs, or ran before it began to move; `None`: the journal could not be read.
    pub at: Option<String>,
    /// `source` or `target`, where it is on its way there.
    pub moving_to: Option<String>,
    /// In words.
    pub words: String,
}

/// A command that wrote the journal.
#[derive(Debug, Clone, Serialize)]
pub struct Command {
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
    /// Which.
    pub command: String,
    /// On which machine.
    pub host: String,
    /// Of which version of the program.
    pub version: String,
}

impl Report {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::of(&page::of(self))
    }

    /// As one HTML file.
    pub fn html(&self) -> String {
        let title = format!("Migration {}", self.migration);
        html::of(&page::of(self), &title)
    }
}

#[cfg(test)]
mod tests;
