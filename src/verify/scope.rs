//! Which partitions are compared, and up to where: the ends of both sides as the command begins.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use crate::{
    cluster::{Cluster, OffsetSpec, Source, Target, TopicInfo, failure},
    error::Failure,
    model::{
        names::{TopicName, TopicPartition},
        scope::Scope,
    },
};

/// What is compared.
pub struct Compared {
    /// All partitions, by topic and number.
    pub partitions: Vec<Partition>,
    /// Topics that are not on the target.
    pub absent: HashSet<TopicName>,
}

/// A partition of a topic in scope.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its name.
    pub at: TopicPartition,
    /// It on the source; `None` if it is not there.
    pub source: Option<Log>,
    /// It on the target.
    pub target: Option<Log>,
}

/// One side of a partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log {
    /// The topic's id.
    pub id: Uuid,
    /// The log cleaner may remove records of it.
    pub compacted: bool,
    /// Its first offset.
    pub start: i64,
    /// Its last stable offset before the other side's end was asked for.
    pub before: i64,
    /// Its end, asked for in between.
    pub end: i64,
    /// Its last stable offset after the other side's end was asked for.
    pub after: i64,
}

/// Looks at both clusters.
pub async fn look(scope: &Scope, source: &Source, target: &Target) -> Result<Compared, Failure> {
    let here = source.topics(None).await.map_err(Failure::from)?;
    let here: BTreeMap<TopicName, TopicInfo> = here
        .into_iter()
        .filter(|t| scope.has_topic(&t.name, t.internal))
        .map(|t| (t.name.clone(), t))
        .collect();
    let missing: Vec<TopicName> = scope
        .literal_topics
        .iter()
        .filter(|name| !here.contains_key(name.as_str()))
        .map(|name| name.as_str().into())
        .collect();
    if !missing.is_empty() {
        return Err(failure::missing_topics(&missing));
    }
    if here.is_empty() {
        return Err(failure::empty_scope());
    }
    let names: Vec<TopicName> = here.keys().cloned().collect();
    let there = target.topics(Some(&names)).await.map_err(Failure::from)?;
    let there: HashMap<TopicName, TopicInfo> =
        there.into_iter().map(|t| (t.name.clone(), t)).collect();
    let absent: HashSet<TopicName> = names
        .iter()
        .filter(|name| !there.contains_key(*name))
        .cloned()
        .collect();
    let present: Vec<TopicName> = names
        .iter()
        .filter(|name| there.contains_key(*name))
        .cloned()
        .collect();
    let (compacted, target_compacted) = (
        compacted(source, &names).await?,
        compacted(target, &present).await?,
    );

    let mut partitions = Vec::new();
    for (name, topic) in &here {
        let other = there.get(name);
        let count = topic
            .partitions
            .len()
            .max(other.map_or(0, |t| t.partitions.len()));
        for number in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            let log = |topic: &TopicInfo, compacted| {
                let mut all = topic.partitions.iter();
                all.any(|p| p.partition == number).then_some(Log {
                    id: topic.id,
                    compacted,
                    ..Log::default()
                })
            };
            partitions.push(Partition {
                at: TopicPartition::new(name.clone(), number),
                source: log(topic, compacted.contains(name)),
                target: other.and_then(|topic| log(topic, target_compacted.contains(name))),
            });
        }
    }
    ends(&mut partitions, source, target).await?;
    Ok(Compared { partitions, absent })
}

/// For either direction: the stable offset of the side that is copied from, then the other's end, then the stable offset once more. Whatever
/// the other holds at its end was on this side by then, and what it does not hold of before it has not received.
async fn ends(
    partitions: &mut [Partition],
    source: &Source,
    target: &Target,
) -> Result<(), Failure> {
    let (of_source, of_target): (Side, Side) = (|one| &mut one.source, |one| &mut one.target);
    let asks: [(&Cluster, Side, OffsetSpec, Field); 8] = [
        (source, of_source, OffsetSpec::Earliest, |log| {
            &mut log.start
        }),
        (target, of_target, OffsetSpec::Earliest, |log| {
            &mut log.start
        }),
        (source, of_source, OffsetSpec::Stable, |log| &mut log.before),
        (target, of_target, OffsetSpec::Stable, |log| &mut log.before),
        (target, of_target, OffsetSpec::End, |log| &mut log.end),
        (source, of_source, OffsetSpec::End, |log| &mut log.end),
        (source, of_source, OffsetSpec::Stable, |log| &mut log.after),
        (target, of_target, OffsetSpec::Stable, |log| &mut log.after),
    ];
    for (cluster, side, spec, field) in asks {
        let there = partitions.iter_mut().filter_map(|one| {
            let at = one.at.clone();
            side(one).is_some().then_some(at)
        });
        let there: Vec<TopicPartition> = there.collect();
        let found = offsets(cluster, &there, spec).await?;
        for one in &mut *partitions {
            if let (Some(offset), Some(log)) = (found.get(&one.at).copied(), side(one)) {
                *field(log) = offset;
            }
        }
    }
    Ok(())
}

type Side = fn(&mut Partition) -> &mut Option<Log>;
type Field = fn(&mut Log) -> &mut i64;

async fn offsets(
    cluster: &Cluster,
    of: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<HashMap<TopicPartition, i64>, Failure> {
    let answers = cluster.offsets(of, spec).await;
    answers
        .into_iter()
        .map(|(at, offset)| offset.map(|offset| (at, offset)).map_err(Failure::from))
        .collect()
}

/// Topics whose cleanup policy names compaction.
async fn compacted(cluster: &Cluster, topics: &[TopicName]) -> Result<HashSet<TopicName>, Failure> {
    let configs = cluster.topic_configs(topics).await.map_err(Failure::from)?;
    let compacts = |entry: &crate::cluster::ConfigEntry| {
        entry.name == "cleanup.policy"
            && entry
                .value
                .as_deref()
                .is_some_and(|policy| policy.contains("compact"))
    };
    Ok(configs
        .into_iter()
        .filter(|(_, entries)| entries.iter().any(compacts))
        .map(|(name, _)| name)
        .collect())
}
