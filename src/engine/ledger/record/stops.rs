//! Why a partition waits, and what a person, or the owner of its topic, decided about what lies there.

use serde::{Deserialize, Serialize};

/// Why a partition waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Stable code, `K5xx`.
    pub code: String,
    /// What happened.
    pub reason: String,
    /// First source offset that was not copied.
    pub source: i64,
    /// Milliseconds since 1970.
    pub since_ms: i64,
    /// Where it would go on if a person gave up what is in the way.
    pub beyond: Option<Beyond>,
}

/// A source offset, and the leader epoch below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// The offset. Below that of the stop where the source was cut off.
    pub source: i64,
    /// Leader epoch of the last batch below, -1 if unknown.
    pub epoch: i32,
}

/// What a person decided about a range: to give it up, or to take it for an application's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The code of the stop that it passes.
    pub code: String,
    /// The source offset at which the partition had stopped.
    pub from: i64,
    /// The end of the range; of what is given up: where the partition goes on.
    pub to: Beyond,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// Records of an application that went back without the cluster that they are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    /// The end of the log that is read, when it was first seen again.
    pub until: i64,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What the owner of a repartition topic had read and deleted before it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// The owner: a group of Kafka Streams.
    pub group: String,
    /// The offset that it had committed by then, at or behind `to`.
    pub committed: i64,
    /// The first source offset that was passed over.
    pub from: i64,
    /// Where the partition goes on: the first offset that the source still had.
    pub to: i64,
    /// Offsets that were passed over so in this partition, ever, these included.
    pub offsets: u64,
    /// How often.
    pub times: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// That a person wants a partition copied again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recopy {
    /// The code of the stop that it passes.
    pub code: String,
    /// The source offset at which the partition had stopped.
    pub from: i64,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}
