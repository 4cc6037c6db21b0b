//! What a question or command to a cluster can fail with, and what was asked.

use std::{sync::Arc, time::Duration};

use crate::{
    model::names::{Side, TopicName, TopicPartition},
    wire::{
        self,
        batch::BatchError,
        retry::{self, ReadVerdict},
    },
};

/// A failed question or command.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used (trusted certificates, addresses).
    #[error("the {side} connection settings cannot be used")]
    Settings {
        /// Which cluster.
        side: Side,
        /// What is wrong.
        source: Box<wire::Error>,
    },
    /// Every server was tried, none gave a working connection.
    #[error("no {side} server gave a connection (tried {})", .tried.join(", "))]
    Unreachable {
        /// Which cluster.
        side: Side,
        /// The addresses tried.
        tried: Vec<String>,
        /// The most telling of the failures.
        source: Box<wire::Error>,
    },
    /// One broker's connection failed; what became of the request is unknown.
    #[error("{api} at the {side} broker {broker} failed")]
    Wire {
        /// Which cluster.
        side: Side,
        /// `host:port`.
        broker: Arc<str>,
        /// Kafka's name of the API.
        api: &'static str,
        /// What broke.
        source: Box<wire::Error>,
    },
    /// The broker answered with an error code.
    #[error("{}", kafka(*side, broker.as_deref(), api, topic.as_deref(), *partition, *code, message.as_deref()))]
    Kafka {
        /// Which cluster.
        side: Side,
        /// `host:port`.
        broker: Option<Arc<str>>,
        /// Kafka's name of the API.
        api: &'static str,
        /// The topic asked about.
        topic: Option<TopicName>,
        /// The partition asked about.
        partition: Option<i32>,
        /// Kafka's error code.
        code: i16,
        /// The broker's words.
        message: Option<String>,
    },
    /// The brokers name no leader for the partition.
    #[error("{at} has no leader on the {side}")]
    NoLeader {
        /// Which cluster.
        side: Side,
        /// The partition.
        at: TopicPartition,
    },
    /// No broker with this id is known.
    #[error("the {side} has no broker {broker}")]
    NoBroker {
        /// Which cluster.
        side: Side,
        /// The broker's id.
        broker: i32,
    },
    /// The answer left out what was asked for.
    #[error("the {side} broker {broker} left {what} out of its answer to {api}")]
    Incomplete {
        /// Which cluster.
        side: Side,
        /// `host:port`.
        broker: Arc<str>,
        /// Kafka's name of the API.
        api: &'static str,
        /// What is missing.
        what: String,
    },
    /// A broker belongs to another cluster than the first one did.
    #[error("a {side} server belongs to cluster {found}, the others to {expected}")]
    OtherCluster {
        /// Which cluster.
        side: Side,
        /// The id learnt first.
        expected: String,
        /// The id learnt now.
        found: String,
    },
    /// Tried again until the time was up.
    #[error("{api} on the {side} did not succeed within {after:?}")]
    GaveUp {
        /// Which cluster.
        side: Side,
        /// Kafka's name of the API.
        api: &'static str,
        /// How long it was tried.
        after: Duration,
        /// The last failure.
        source: Box<Error>,
    },
    /// Records that are no batches of format 2.
    #[error("the records of {at} on the {side} cannot be split into batches")]
    Batch {
        /// Which cluster.
        side: Side,
        /// The partition.
        at: TopicPartition,
        /// What was wrong.
        source: BatchError,
    },
}

/// What cluster operations return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Which cluster.
    pub fn side(&self) -> Side {
        match self {
            Self::Settings { side, .. }
            | Self::Unreachable { side, .. }
            | Self::Wire { side, .. }
            | Self::Kafka { side, .. }
            | Self::NoLeader { side, .. }
            | Self::NoBroker { side, .. }
            | Self::Incomplete { side, .. }
            | Self::OtherCluster { side, .. }
            | Self::GaveUp { side, .. }
            | Self::Batch { side, .. } => *side,
        }
    }

    /// Kafka's error code, if a broker answered with one.
    pub fn code(&self) -> Option<i16> {
        match self {
            Self::Kafka { code, .. } => Some(*code),
            Self::GaveUp { source, .. } => source.code(),
            _ => None,
        }
    }

    /// The connection's error, if that is what failed.
    pub fn wire(&self) -> Option<&wire::Error> {
        match self {
            Self::Settings { source, .. }
            | Self::Unreachable { source, .. }
            | Self::Wire { source, .. } => Some(source),
            Self::GaveUp { source, .. } => source.wire(),
            _ => None,
        }
    }

    /// May the same thing succeed later, without anybody changing a setting or a right?
    pub fn is_passing(&self) -> bool {
        self.passes().is_some() || matches!(self, Self::GaveUp { .. } | Self::Incomplete { .. })
    }

    /// May the same question succeed in a moment? `Some(refresh)` if so: whether to ask who leads first.
    pub(super) fn passes(&self) -> Option<bool> {
        match self {
            Self::Kafka { code, .. } => match retry::read_verdict(*code) {
                ReadVerdict::Retry { refresh } => Some(refresh),
                _ => None,
            },
            Self::Wire { source, .. } | Self::Unreachable { source, .. } => {
                source.is_passing().then_some(true)
            }
            Self::NoLeader { .. } | Self::NoBroker { .. } => Some(true),
            _ => None,
        }
    }
}

fn kafka(
    side: Side,
    broker: Option<&str>,
    api: &str,
    topic: Option<&str>,
    partition: Option<i32>,
    code: i16,
    message: Option<&str>,
) -> String {
    use std::fmt::Write;
    let mut text = format!("the {side} ");
    if let Some(broker) = broker {
        let _ = write!(text, "broker {broker} ");
    }
    let _ = write!(text, "answered {api}");
    match (topic, partition) {
        (Some(topic), Some(partition)) => drop(write!(text, " of {topic}-{partition}")),
        (Some(topic), None) => drop(write!(text, " of {topic}")),
        _ => {}
    }
    let _ = write!(text, " with {}", retry::describe(code));
    if let Some(message) = message.filter(|message| !message.is_empty()) {
        let _ = write!(text, ": {}", message.trim_end_matches('.'));
    }
    text
}
