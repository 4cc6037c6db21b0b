//! Applications: what moves as one, and what it reads, writes and commits as.

use super::patterns::Patterns;

/// One application of the migration file.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Topics it reads.
    pub reads: Patterns,
    /// Topics it writes.
    pub writes: Patterns,
    /// Its consumer groups.
    pub groups: Patterns,
}

impl Application {
    /// Does it read or write this topic?
    pub fn has_topic(&self, topic: &str) -> bool {
        self.reads.matches(topic) || self.writes.matches(topic)
    }
}
