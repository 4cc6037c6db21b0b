//! What `init` looks at on the source: topics, groups and whoever writes, as far as the brokers tell.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClusterSeen, GroupsSeen, Known, clusters, groups};
use crate::{
    clock,
    cluster::{Result, Source, TopicInfo},
    error::Failure,
    model::{connection::Connection, names::TopicPartition, patterns::Patterns, scope::Scope},
};

/// What our own transactional ids begin with: an engine of ours is no application.
const OURS: &str = "kafka-migrate.";

/// What was seen of the source.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// The cluster.
    pub source: ClusterSeen,
    /// Topics in scope, sorted.
    pub topics: Vec<String>,
    /// The others, sorted.
    pub left_out: Vec<String>,
    /// Its groups.
    pub groups: Known<GroupsSeen>,
    /// Who wrote to topics in scope lately.
    pub writers: Known<Vec<Writer>>,
    /// Whether transactional ids were told.
    pub ids_told: bool,
}

/// A producer that the brokers remember: an idempotent one for a day after its last record, where nobody changed that. Others leave no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Its producer id.
    pub producer_id: i64,
    /// What it calls itself, where it writes in transactions and this login is shown that.
    pub transactional_id: Option<String>,
    /// Topics in scope that it wrote to, sorted.
    pub topics: Vec<String>,
}

/// Connects to the source and looks at it, once. Changes nothing. What was asked and not answered stands in the discovery.
pub async fn discover(
    connection: &Connection,
    scope: &Scope,
    wanted: &Patterns,
    unwanted: &Patterns,
) -> std::result::Result<Discovery, Failure> {
    let source = Source::connect(connection)
        .await
        .map_err(|error| error.failure())?;
    let all = source.topics(None).await.map_err(|error| error.failure())?;
    let (here, outside): (Vec<TopicInfo>, Vec<TopicInfo>) = all
        .into_iter()
        .partition(|topic| scope.has_topic(&topic.name, topic.internal));
    let topics: BTreeSet<String> = here.iter().map(|topic| topic.name.to_string()).collect();
    let cluster = clusters::seen(connection, &source).await;
    let (groups, (writers, ids_told)) = tokio::join!(
        groups::seen(
            &source,
            &cluster.rights,
            wanted,
            unwanted,
            &topics,
            clock::unix_millis()
        ),
        writers(&source, &here)
    );
    Ok(Discovery {
        source: cluster,
        topics: topics.into_iter().collect(),
        left_out: outside.iter().map(|topic| topic.name.to_string()).collect(),
        groups,
        writers,
        ids_told,
    })
}

/// Who wrote to these topics, and whether transactional ids were told.
async fn writers(source: &Source, topics: &[TopicInfo]) -> (Known<Vec<Writer>>, bool) {
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|topic| {
            let of = |partition| TopicPartition::new(topic.name.clone(), partition);
            // One without a leader would be waited for, and can tell nothing.
            let led = topic.partitions.iter().filter(|one| one.leader.is_some());
            led.map(move |one| of(one.partition))
        })
        .collect();
    let (active, ids): (Result<_>, Result<_>) = tokio::join!(
        source.active_producers(&partitions),
        source.transactional_ids()
    );
    let ids_told = matches!(ids, Ok(Some(_)));
    let ids = ids.ok().flatten().unwrap_or_default();
    let active = match active {
        Ok(Some(active)) => active,
        Ok(None) => {
            let reason = "the brokers do not tell who writes: Apache Kafka does from 2.8 on";
            return (Known::unknown(reason), ids_told);
        }
        Err(error) => return (Known::unknown(error.to_string()), ids_told),
    };
    let mut by_id: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for (at, producers) in active {
        for producer in producers {
            let topics = by_id.entry(producer.producer_id).or_default();
            topics.insert(at.topic.to_string());
        }
    }
    let writers = by_id.into_iter().map(|(producer_id, topics)| Writer {
        producer_id,
        transactional_id: ids.get(&producer_id).cloned(),
        topics: topics.into_iter().collect(),
    });
    let is_ours = |writer: &Writer| {
        let id = writer.transactional_id.as_ref();
        id.is_some_and(|id| id.starts_with(OURS))
    };
    let writers = writers.filter(|writer| !is_ours(writer)).collect();
    (Known::seen(writers), ids_told)
}
