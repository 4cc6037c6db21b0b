//! Other migrations that left their ledgers on a cluster, and what they copy.

use std::collections::BTreeSet;

use super::look::{open, shards};
use crate::model::direction::Direction;
use crate::{cluster::Cluster, engine::ledger, error::Failure, model::names::TopicName};

const PREFIX: &str = "kafka-migrate.";

/// Another migration, as its ledger tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its name.
    pub migration: String,
    /// The cluster that it reads.
    pub source_cluster: String,
    /// The cluster that it writes: this one, unless the ledger was itself copied here.
    pub target_cluster: String,
    /// Topics that it has met.
    pub topics: BTreeSet<String>,
}

/// Migrations of other names whose ledgers lie on this cluster, by the ledger's topic. Of one that cannot be read it is unknown what it
/// copies.
pub async fn others(
    cluster: &Cluster,
    ours: &str,
) -> Result<Vec<(String, Result<Other, Failure>)>, Failure> {
    let all = cluster
        .topics(None)
        .await
        .map_err(|error| error.failure())?;
    let own = [Direction::Forward, Direction::Reverse].map(|way| ledger::topic(ours, way));
    let ledgers = all.iter().map(|topic| &topic.name).filter(|name| {
        let inner = name.strip_prefix(PREFIX);
        inner.is_some_and(|rest| rest.ends_with(".forward") || rest.ends_with(".reverse"))
            && !own.iter().any(|own| own == &***name)
    });
    let mut found = Vec::new();
    for name in ledgers {
        match read(cluster, name).await {
            Ok(Some(other)) => found.push((name.to_string(), Ok(other))),
            // A ledger that nobody has written to: a start that ended before its first record.
            Ok(None) => {}
            Err(failure) => found.push((name.to_string(), Err(failure))),
        }
    }
    Ok(found)
}

async fn read(cluster: &Cluster, name: &TopicName) -> Result<Option<Other>, Failure> {
    let readers = open(cluster, name, shards(cluster, name).await?).await?;
    let Some(header) = readers.iter().find_map(|one| one.state.header.clone()) else {
        return Ok(None);
    };
    let topics = readers.iter().flat_map(|one| one.state.numbers.keys());
    Ok(Some(Other {
        migration: header.migration,
        source_cluster: header.source_cluster,
        target_cluster: header.target_cluster,
        topics: topics.map(ToString::to_string).collect(),
    }))
}
