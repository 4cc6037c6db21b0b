//! What an observation holds of consumer groups.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::names::TopicPartition;

/// Groups of one cluster.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupsSeen {
    /// This login may see all groups there are: what is not here is not there.
    pub complete: bool,
    /// Groups that the file names and that may not be described.
    pub denied: Vec<String>,
    /// Groups in scope.
    pub groups: Vec<GroupSeen>,
}

/// One group.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupSeen {
    /// Its name.
    pub name: String,
    /// Kafka's word for its state.
    pub state: String,
    /// What its members are.
    pub kind: GroupKind,
    /// How many members.
    pub members: usize,
    /// What they call themselves, each once.
    pub clients: Vec<String>,
    /// Topics that its members subscribe to, sorted; `None` where that cannot be told of one of them.
    pub subscribed: Option<Vec<String>>,
    /// Where it stands.
    #[serde(serialize_with = "by_name")]
    pub committed: BTreeMap<TopicPartition, i64>,
    /// No members, and behind every record of the last 24 hours wherever it stands.
    pub idle: bool,
}

/// What the members of a group are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// Consumers.
    #[default]
    Consumer,
    /// A Kafka Streams application.
    Streams,
    /// Workers of a Kafka Connect cluster.
    Connect,
    /// Something else.
    Other,
}

/// Groups that should be on the target, and those that are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupCount {
    /// In scope, with a position on a topic in scope, and active.
    pub expected: Vec<String>,
    /// The same, but not active in the last 24 hours.
    pub idle: Vec<String>,
    /// On the target, with a position on a topic in scope.
    pub present: Vec<String>,
}

fn by_name<S: serde::Serializer>(
    committed: &BTreeMap<TopicPartition, i64>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(
        committed
            .iter()
            .map(|(at, offset)| (at.to_string(), offset)),
    )
}
