//! Which partitions are compared, and up to where: the ends of both sides as the command begins.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::partition::Task;
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
    pub tasks: Vec<Task>,
    /// Topics that are not on the target.
    pub absent: HashSet<TopicName>,
    /// Source offsets in all.
    pub total: u64,
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

    let mut tasks = Vec::new();
    for (name, topic) in &here {
        let other = there.get(name);
        let count = topic
            .partitions
            .len()
            .max(other.map_or(0, |t| t.partitions.len()));
        for number in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            let has = |topic: &TopicInfo| topic.partitions.iter().any(|p| p.partition == number);
            tasks.push(Task {
                at: TopicPartition::new(name.clone(), number),
                source: has(topic).then_some(topic.id),
                target: other.filter(|t| has(t)).map(|t| t.id),
                compacted: compacted.contains(name),
                target_compacted: target_compacted.contains(name),
                required: 0,
                source_end: 0,
                target_end: 0,
                kept: 0,
            });
        }
    }
    let total = ends(&mut tasks, source, target).await?;
    Ok(Compared {
        tasks,
        absent,
        total,
    })
}

/// The source's end, then the target's, then the source's once more: whatever the target holds at its end was on the source
/// by then. Returns the number of source offsets.
async fn ends(tasks: &mut [Task], source: &Source, target: &Target) -> Result<u64, Failure> {
    let on = |tasks: &[Task], has: fn(&Task) -> bool| -> Vec<_> {
        tasks
            .iter()
            .filter(|t| has(t))
            .map(|t| t.at.clone())
            .collect()
    };
    let (here, there) = (
        on(tasks, |t| t.source.is_some()),
        on(tasks, |t| t.target.is_some()),
    );
    let starts = offsets(source, &here, OffsetSpec::Earliest).await?;
    let required = offsets(source, &here, OffsetSpec::Stable).await?;
    let target_ends = offsets(target, &there, OffsetSpec::End).await?;
    let source_ends = offsets(source, &here, OffsetSpec::Stable).await?;
    let mut total = 0u64;
    for task in tasks {
        let of =
            |offsets: &HashMap<TopicPartition, i64>| offsets.get(&task.at).copied().unwrap_or(0);
        let (start, required, source_end, target_end) = (
            of(&starts),
            of(&required),
            of(&source_ends),
            of(&target_ends),
        );
        total += u64::try_from(source_end - start).unwrap_or(0);
        (task.required, task.source_end, task.target_end) = (required, source_end, target_end);
    }
    Ok(total)
}

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
