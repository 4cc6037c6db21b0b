//! Applications: what moves as one, and what it reads, writes and commits as.

use std::{path::PathBuf, time::Duration};

use super::patterns::Patterns;

/// The longest that a hook may take, where the file does not say.
pub const HOOK_WITHIN: Duration = Duration::from_secs(60);

/// One application of the migration file.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Topics it reads.
    pub reads: Patterns,
    /// Topics it writes.
    pub writes: Patterns,
    /// Its consumer groups.
    pub groups: Patterns,
    /// Who it logs in as.
    #[serde(skip)]
    pub principals: Vec<String>,
    /// What stops and starts it.
    #[serde(skip)]
    pub hooks: Hooks,
}

/// Executables of the user's that stop and start an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Stops it, on the side that it is told.
    pub stop: Option<PathBuf>,
    /// Starts it, on the side that it is told.
    pub start: Option<PathBuf>,
    /// The longest that one of them may take.
    pub within: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            stop: None,
            start: None,
            within: HOOK_WITHIN,
        }
    }
}

impl Application {
    /// Does it read or write this topic?
    pub fn has_topic(&self, topic: &str) -> bool {
        self.reads.matches(topic) || self.writes.matches(topic)
    }
}
