//! What somebody asks of a running engine through its ledger, and that it was done.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{engine::ledger::positions::Holder, model::numbers};

/// What somebody asks of a running engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Tells it from all others, and from itself appended twice.
    pub id: Uuid,
    /// What is asked.
    pub steer: Steer,
    /// Who, for people.
    pub by: String,
    /// Milliseconds since 1970, by their clock.
    pub at_ms: i64,
}

/// What can be asked of a running engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steer {
    /// Read nothing more; what was read is written. Stands until `Resume`, whoever runs.
    Pause,
    /// Go on.
    Resume,
    /// Another limit of bytes per second. Stands until the next.
    Throttle(Limit),
    /// From now on this cluster's commits count for a group. Asked of the first shard alone.
    Authority {
        /// The group.
        group: String,
        /// The cluster.
        side: Holder,
    },
    /// Say that you are there, and whether you carry positions of groups. Asked of the first shard alone.
    Attend,
    /// From now on an application may write on this cluster: rules of the source that let it are made on the target, or taken back. Asked of the
    /// first shard alone.
    Writes {
        /// The application.
        application: String,
        /// The cluster.
        side: Holder,
    },
    /// Come to an end, as at a planned stop. Stands until `Resume`, whoever runs: what was made is about to be removed.
    Stop,
    /// An application went back without the cluster that is read: what it wrote there to these topics, and has not come over, waits for a person.
    Strand {
        /// The topics.
        topics: Vec<String>,
    },
}

/// A limit of bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// What the engine was started with.
    Settings,
    /// None.
    Unlimited,
    /// As fast as nobody else suffers from it.
    Auto,
    /// So many.
    Fixed(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("the rate is again what the engine was started with"),
            Self::Unlimited => f.write_str("no limit of rate"),
            Self::Auto => f.write_str("rate auto"),
            Self::Fixed(limit) => write!(f, "at most {}", numbers::rate(*limit as f64)),
        }
    }
}

/// That a request was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of which request.
    pub id: Uuid,
    /// What came of it.
    pub said: String,
    /// Milliseconds since 1970, by the owner's clock.
    pub at_ms: i64,
}
