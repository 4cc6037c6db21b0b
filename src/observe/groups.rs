//! Groups: who they are, where they stand, and the numbers made from that.

use std::collections::{BTreeSet, HashMap};

use super::{GroupCount, GroupKind, GroupSeen, GroupsSeen, Known, Observation, TopicSeen};
use crate::{
    cluster::{Cluster, Group, OffsetSpec, Operation, Operations, Probe},
    model::{names::TopicPartition, patterns::Patterns},
};

/// A group without members counts as active if it has read a record this young.
const ACTIVE_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;

/// Asks one cluster for the groups in scope.
pub(super) async fn seen(
    cluster: &Cluster,
    rights: &Known<Operations>,
    wanted: &Patterns,
    unwanted: &Patterns,
    topics: &BTreeSet<String>,
    now: i64,
) -> Known<GroupsSeen> {
    let in_scope = |name: &str| wanted.matches(name) && !unwanted.matches(name);
    let groups = match cluster.groups(in_scope).await {
        Ok(groups) => groups,
        Err(error) => return Known::unknown(error.to_string()),
    };
    let (hidden, groups): (Vec<Group>, Vec<Group>) =
        groups.into_iter().partition(|group| group.denied);
    let hidden: Vec<String> = hidden.into_iter().map(|group| group.name).collect();
    let complete = matches!(rights.value(), Ok(rights) if rights.contains(&Operation::Describe));
    let named: Vec<String> = wanted
        .literals()
        .filter(|name| !groups.iter().any(|group| group.name == **name))
        .filter(|name| !hidden.contains(name))
        .cloned()
        .collect();
    let denied: Vec<String> = match cluster.may_describe_groups(&named).await {
        Ok(answers) => answers
            .into_iter()
            .filter(|(_, probe)| *probe == Probe::Denied)
            .map(|(name, _)| name)
            .chain(hidden)
            .collect(),
        Err(error) => return Known::unknown(error.to_string()),
    };
    let young = since(cluster, &groups, topics, now - ACTIVE_WITHIN_MS).await;
    let groups = groups.into_iter().map(|group| one(group, topics, &young));
    Known::seen(GroupsSeen {
        complete,
        denied,
        groups: groups.collect(),
    })
}

/// Where the records of the last day begin, in the partitions that memberless groups stand in.
async fn since(
    cluster: &Cluster,
    groups: &[Group],
    topics: &BTreeSet<String>,
    time: i64,
) -> HashMap<TopicPartition, i64> {
    let mut asked: Vec<TopicPartition> = groups
        .iter()
        .filter(|group| group.members.is_empty())
        .flat_map(|group| group.committed.keys())
        .filter(|at| topics.contains(&*at.topic))
        .cloned()
        .collect();
    asked.sort_unstable();
    asked.dedup();
    let answers = cluster.offsets(&asked, OffsetSpec::Since(time)).await;
    answers
        .into_iter()
        .filter_map(|(at, offset)| Some((at, offset.ok()?)))
        .collect()
}

fn one(group: Group, topics: &BTreeSet<String>, young: &HashMap<TopicPartition, i64>) -> GroupSeen {
    let kind = match (&*group.protocol_type, &*group.assignor) {
        ("connect", _) => GroupKind::Connect,
        ("streams", _) | ("consumer", "stream") => GroupKind::Streams,
        ("consumer" | "", _) => GroupKind::Consumer,
        _ => GroupKind::Other,
    };
    let subscribed: Option<BTreeSet<String>> = group
        .members
        .iter()
        .map(|member| member.topics.clone())
        .collect::<Option<Vec<_>>>()
        .map(|topics| topics.into_iter().flatten().collect());
    let mut stands = group
        .committed
        .iter()
        .filter(|(at, _)| topics.contains(&*at.topic))
        .peekable();
    let idle = group.members.is_empty()
        && stands.peek().is_some()
        && stands.all(|(at, offset)| {
            young
                .get(at)
                .is_some_and(|first| *first != i64::MAX && offset < first)
        });
    let clients: BTreeSet<String> = group
        .members
        .iter()
        .map(|member| member.client_id.clone())
        .collect();
    GroupSeen {
        name: group.name,
        state: group.state,
        kind,
        members: group.members.len(),
        clients: clients.into_iter().collect(),
        subscribed: subscribed.map(|topics| topics.into_iter().collect()),
        committed: group.committed,
        idle,
    }
}

/// The numbers that are sums over topics and groups: made anew when an observation was narrowed to one application.
pub(super) fn count(seen: &mut Observation) {
    let (topics, age_ms) = match &seen.topics {
        Known::Seen { value, age_ms } => (value, *age_ms),
        Known::Unknown { reason } => {
            let reason = reason.to_owned();
            seen.metrics.message_lag = Known::unknown(reason.clone());
            seen.metrics.source_offset_lag = Known::unknown(reason.clone());
            seen.metrics.target_offset_lag = Known::unknown(reason.clone());
            seen.metrics.groups = Known::unknown(reason);
            return;
        }
    };
    // What is made of the topics is as old as they are.
    let age = std::time::Duration::from_millis(age_ms);
    seen.metrics.message_lag = message_lag(&seen.engine, topics).aged(age);
    let names: BTreeSet<&str> = topics.iter().map(|topic| &*topic.name).collect();
    let (source, target) = (&seen.source_groups, &seen.target_groups);
    seen.metrics.source_offset_lag = offset_lag(source, &ends(topics, true)).aged(age);
    seen.metrics.target_offset_lag = offset_lag(target, &ends(topics, false)).aged(age);
    seen.metrics.groups = match (source.value(), target.value()) {
        (Ok(source), Ok(target)) => {
            let stands =
                |group: &&GroupSeen| group.committed.keys().any(|at| names.contains(&*at.topic));
            let named = |groups: &GroupsSeen, wanted: &dyn Fn(&GroupSeen) -> bool| -> Vec<String> {
                let of = groups
                    .groups
                    .iter()
                    .filter(stands)
                    .filter(|group| wanted(group));
                of.map(|group| group.name.clone()).collect()
            };
            Known::seen(GroupCount {
                expected: named(source, &|group| !group.idle),
                idle: named(source, &|group| group.idle),
                present: named(target, &|_| true),
            })
        }
        (Err(reason), _) | (_, Err(reason)) => Known::unknown(reason),
    };
}

fn message_lag(engine: &Known<super::EngineSeen>, topics: &[TopicSeen]) -> Known<u64> {
    if let Err(reason) = engine.value() {
        return Known::unknown(reason);
    }
    let mut sum = 0;
    for topic in topics {
        for partition in &topic.partitions {
            match partition.lag() {
                Some(lag) => sum += lag,
                None => {
                    let at = format!("{}-{}", topic.name, partition.partition);
                    return Known::unknown(format!("the source did not say where {at} ends"));
                }
            }
        }
    }
    Known::seen(sum)
}

fn ends(topics: &[TopicSeen], source: bool) -> HashMap<TopicPartition, Option<i64>> {
    let mut ends = HashMap::new();
    for topic in topics {
        for partition in &topic.partitions {
            let end = if source {
                partition.source_end
            } else {
                partition.target_end
            };
            ends.insert(
                TopicPartition::new(topic.name.as_str(), partition.partition),
                end,
            );
        }
    }
    ends
}

/// Offsets between where groups in scope stand and the ends of the topics in scope.
fn offset_lag(
    groups: &Known<GroupsSeen>,
    ends: &HashMap<TopicPartition, Option<i64>>,
) -> Known<u64> {
    let groups = match groups.value() {
        Ok(groups) => groups,
        Err(reason) => return Known::unknown(reason),
    };
    let mut sum = 0;
    for (at, committed) in groups
        .groups
        .iter()
        .filter(|group| !group.idle)
        .flat_map(|group| &group.committed)
    {
        match ends.get(at) {
            // Not in scope.
            None => {}
            Some(Some(end)) => sum += u64::try_from(end - committed).unwrap_or(0),
            Some(None) => return Known::unknown(format!("where {at} ends is not known")),
        }
    }
    Known::seen(sum)
}
