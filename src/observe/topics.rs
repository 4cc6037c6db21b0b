//! Topics in scope on both sides: partitions, settings, offsets, what the ledger says of them.

use std::collections::{BTreeSet, HashMap};

use tokio::task::JoinSet;

use super::{
    Known, PartitionSeen, TargetRights, TopicSeen, TopicSettings, TopicSide, needs::NOT_ASKED,
};
use crate::{
    cluster::{Cluster, ConfigEntry, OffsetSpec, Result, Source, Target, TopicInfo},
    engine::{
        status::{Closely, Standing},
        topics::made_with,
    },
    model::names::{TopicName, TopicPartition},
    wire::batch::Batch,
};

/// Partitions whose first uncopied record is looked at, those furthest behind first.
const LOOKED_INTO: usize = 256;
const AT_ONCE: usize = 16;
/// Bytes of one look at a partition's tail, and how many of them.
const TAIL: i32 = 1 << 20;
const TAIL_LOOKS: usize = 8;

/// Settings of a broker that a topic without its own has, by the topic's name for them.
const INHERITED: [(&str, &str); 11] = [
    ("max.message.bytes", "message.max.bytes"),
    ("cleanup.policy", "log.cleanup.policy"),
    ("retention.ms", "log.retention.ms"),
    ("retention.bytes", "log.retention.bytes"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    (
        "message.timestamp.before.max.ms",
        "log.message.timestamp.before.max.ms",
    ),
    (
        "message.timestamp.after.max.ms",
        "log.message.timestamp.after.max.ms",
    ),
    (
        "message.timestamp.difference.max.ms",
        "log.message.timestamp.difference.max.ms",
    ),
    ("min.insync.replicas", "min.insync.replicas"),
    ("compression.type", "compression.type"),
];

type Offsets = HashMap<TopicPartition, i64>;

/// Topics with the settings of their source, which making them needs.
pub(super) struct Found {
    pub(super) topics: Vec<TopicSeen>,
    /// What each would be made with on the target.
    pub(super) made_with: HashMap<String, Vec<(String, String)>>,
}

/// Asks both sides for these topics of the source.
pub(super) async fn seen(
    source: &Source,
    target: Option<&Target>,
    here: &[TopicInfo],
    closely: std::result::Result<&Closely, &str>,
) -> Found {
    let names: Vec<TopicName> = here.iter().map(|topic| topic.name.clone()).collect();
    let at: Vec<TopicPartition> = here.iter().flat_map(TopicInfo::named_partitions).collect();
    let (configs, stable, high, starts, there) = tokio::join!(
        source.topic_configs_each(&names),
        offsets(source, &at, OffsetSpec::Stable),
        offsets(source, &at, OffsetSpec::End),
        offsets(source, &at, OffsetSpec::Earliest),
        on_target(target, &names),
    );
    let mut found = Found {
        topics: Vec::with_capacity(here.len()),
        made_with: HashMap::new(),
    };
    for topic in here {
        let entries = match &configs {
            Ok(all) => match all.get(&topic.name) {
                Some(Ok(entries)) => Ok(entries),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the source did not tell its settings".to_owned()),
            },
            Err(error) => Err(error.to_string()),
        };
        let made = entries.as_ref().map(|entries| made_with(entries));
        let (target_side, target_settings) = there.of(&topic.name, made.as_deref().ok());
        let is_there = matches!(target_side.value(), Ok(Some(_)));
        let one = |number: i32| {
            let at = TopicPartition::new(topic.name.clone(), number);
            let standing = closely
                .ok()
                .and_then(|closely| closely.partitions.get(&at))
                .copied();
            let standing = standing.filter(|_| is_there);
            PartitionSeen {
                partition: number,
                source_start: starts.get(&at).copied(),
                source_stable: stable.get(&at).copied(),
                source_end: high.get(&at).copied(),
                target_start: there.starts.get(&at).copied(),
                target_end: there.ends.get(&at).copied(),
                copied: standing.and_then(|standing| standing.copied),
                first: standing.and_then(|standing| standing.first),
                next_ms: None,
            }
        };
        let met = match closely {
            Ok(closely) => Known::seen(
                topic
                    .named_partitions()
                    .any(|at| closely.partitions.contains_key(&at)),
            ),
            Err(reason) => Known::unknown(reason),
        };
        found.topics.push(TopicSeen {
            name: topic.name.to_string(),
            source: side(topic),
            target: target_side,
            source_settings: match &entries {
                Ok(entries) => Known::seen(settings(|name| value(entries, name))),
                Err(reason) => Known::unknown(reason),
            },
            target_settings,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| one(partition.partition))
                .collect(),
            met,
            keeps_existing: false,
            foreign_writes: Known::unknown(NOT_ASKED),
            sample: Known::unknown(NOT_ASKED),
            source_rights: Known::unknown(NOT_ASKED),
            target_rights: TargetRights {
                operations: Known::unknown(NOT_ASKED),
                write: Known::unknown(NOT_ASKED),
                read: Known::unknown(NOT_ASKED),
                describe_configs: Known::unknown(NOT_ASKED),
                alter_configs: Known::unknown(NOT_ASKED),
                grow: Known::unknown(NOT_ASKED),
            },
            objections: Known::unknown(NOT_ASKED),
            creation: Known::unknown(NOT_ASKED),
        });
        if let Ok(made) = made {
            found.made_with.insert(topic.name.to_string(), made);
        }
    }
    next_records(source, &mut found.topics).await;
    if let (Some(target), Ok(closely)) = (target, closely) {
        foreign_writes(target, &mut found.topics, closely).await;
    }
    found
}

fn side(topic: &TopicInfo) -> TopicSide {
    let all = &topic.partitions;
    TopicSide {
        partitions: all.len(),
        offline: all.iter().filter(|one| one.leader.is_none()).count(),
        under_replicated: all.iter().filter(|one| one.isr < one.replicas).count(),
        least_in_sync: all.iter().map(|one| one.isr).min().unwrap_or(0),
        replicas: all.iter().map(|one| one.replicas).min().unwrap_or(0),
    }
}

/// Offsets by partition; one that could not be asked is not there.
async fn offsets(cluster: &Cluster, of: &[TopicPartition], spec: OffsetSpec) -> Offsets {
    let answers = cluster.offsets(of, spec).await.into_iter();
    answers
        .filter_map(|(at, offset)| Some((at, offset.ok()?)))
        .collect()
}

/// What the target says of topics.
struct There {
    topics: std::result::Result<HashMap<TopicName, Result<TopicInfo>>, String>,
    configs: std::result::Result<HashMap<TopicName, Result<Vec<ConfigEntry>>>, String>,
    brokers: std::result::Result<Vec<ConfigEntry>, String>,
    starts: Offsets,
    ends: Offsets,
}

async fn on_target(target: Option<&Target>, names: &[TopicName]) -> There {
    let nobody = || "no connection to the target".to_owned();
    let Some(target) = target else {
        return There {
            topics: Err(nobody()),
            configs: Err(nobody()),
            brokers: Err(nobody()),
            starts: Offsets::new(),
            ends: Offsets::new(),
        };
    };
    let topics = target
        .topics_each(names)
        .await
        .map_err(|error| error.to_string());
    let shown: Vec<&TopicInfo> = topics.iter().flat_map(HashMap::values).flatten().collect();
    let at: Vec<TopicPartition> = shown
        .iter()
        .copied()
        .flat_map(TopicInfo::named_partitions)
        .collect();
    let present: Vec<TopicName> = shown.iter().map(|topic| topic.name.clone()).collect();
    let (configs, brokers, starts, ends) = tokio::join!(
        target.topic_configs_each(&present),
        target.broker_configs(),
        offsets(target, &at, OffsetSpec::Earliest),
        offsets(target, &at, OffsetSpec::End),
    );
    There {
        configs: configs.map_err(|error| error.to_string()),
        brokers: brokers.map_err(|error| error.to_string()),
        starts,
        ends,
        topics,
    }
}

impl There {
    /// The topic and its settings, or those it would be made with.
    fn of(
        &self,
        name: &TopicName,
        made_with: Option<&[(String, String)]>,
    ) -> (Known<Option<TopicSide>>, Known<TopicSettings>) {
        let topics = match &self.topics {
            Ok(topics) => topics,
            Err(reason) => return (Known::unknown(reason), Known::unknown(reason)),
        };
        match topics.get(name) {
            Some(Ok(topic)) => {
                let told = match &self.configs {
                    Ok(all) => match all.get(name) {
                        Some(Ok(entries)) => Known::seen(settings(|name| value(entries, name))),
                        Some(Err(error)) => Known::unknown(error.to_string()),
                        None => Known::unknown("the target did not tell its settings"),
                    },
                    Err(reason) => Known::unknown(reason),
                };
                (Known::seen(Some(side(topic))), told)
            }
            Some(Err(error)) => (
                Known::unknown(error.to_string()),
                Known::unknown(error.to_string()),
            ),
            None => {
                let told = match (&self.brokers, made_with) {
                    (Ok(brokers), Some(made)) => Known::seen(settings(|name| {
                        let own = made.iter().find(|(own, _)| own == name);
                        own.map(|(_, value)| value.clone()).or_else(|| {
                            let (_, theirs) = INHERITED.iter().find(|(topic, _)| *topic == name)?;
                            value(brokers, theirs)
                        })
                    })),
                    (Err(reason), _) => Known::unknown(reason),
                    (_, None) => Known::unknown("its settings on the source are not known"),
                };
                (Known::seen(None), told)
            }
        }
    }
}

fn value(entries: &[ConfigEntry], name: &str) -> Option<String> {
    let entry = entries.iter().find(|entry| entry.name == name)?;
    entry.value.clone()
}

fn settings(of: impl Fn(&str) -> Option<String>) -> TopicSettings {
    let number = |name: &str| of(name)?.parse::<u64>().ok();
    // -1 and i64::MAX both mean that there is no such limit.
    let limit = |name: &str| number(name).filter(|limit| *limit < i64::MAX as u64);
    let policy = of("cleanup.policy").unwrap_or_default();
    let has = |word: &str| policy.split(',').any(|part| part.trim() == word);
    let difference = limit("message.timestamp.difference.max.ms");
    TopicSettings {
        max_message_bytes: number("max.message.bytes"),
        compacts: has("compact"),
        deletes: has("delete"),
        retention_ms: limit("retention.ms"),
        retention_bytes: limit("retention.bytes"),
        delete_retention_ms: number("delete.retention.ms"),
        stamps: of("message.timestamp.type").as_deref() == Some("LogAppendTime"),
        before_max_ms: limit("message.timestamp.before.max.ms").or(difference),
        after_max_ms: limit("message.timestamp.after.max.ms").or(difference),
        min_in_sync: number("min.insync.replicas").and_then(|least| usize::try_from(least).ok()),
        codec: of("compression.type").filter(|codec| codec != "producer"),
    }
}

/// Looks at the first record that is not copied yet, where one is.
async fn next_records(source: &Source, topics: &mut [TopicSeen]) {
    let mut behind: Vec<(u64, usize, usize, TopicPartition, i64)> = Vec::new();
    for (topic, seen) in topics.iter().enumerate() {
        for (index, partition) in seen.partitions.iter().enumerate() {
            let lag = partition.lag().filter(|lag| *lag > 0);
            if let (Some(lag), Some(from)) = (lag, partition.copied.or(partition.source_start)) {
                let at = TopicPartition::new(seen.name.as_str(), partition.partition);
                behind.push((lag, topic, index, at, from));
            }
        }
    }
    behind.sort_unstable_by_key(|one| std::cmp::Reverse(one.0));
    behind.truncate(LOOKED_INTO);
    let mut waiting = behind.into_iter();
    let mut looking = JoinSet::new();
    loop {
        while looking.len() < AT_ONCE
            && let Some((_, topic, index, at, from)) = waiting.next()
        {
            let source = Cluster::clone(source);
            looking.spawn(async move { (topic, index, source.read(&at, from, 1024).await) });
        }
        match looking.join_next().await {
            Some(Ok((topic, index, Ok((batches, _))))) => {
                let time = batches
                    .first()
                    .map(|batch: &Batch| batch.header.max_timestamp);
                topics[topic].partitions[index].next_ms = time.filter(|time| *time >= 0);
            }
            Some(_) => {}
            None => break,
        }
    }
}

/// Compacted topics: does the target hold anything behind our last record that we did not write?
async fn foreign_writes(target: &Target, topics: &mut [TopicSeen], closely: &Closely) {
    for topic in topics {
        let compacts = |settings: &Known<TopicSettings>| {
            settings.value().is_ok_and(|settings| settings.compacts)
        };
        if !compacts(&topic.source_settings) && !compacts(&topic.target_settings) {
            continue;
        }
        topic.foreign_writes = match topic.target.value() {
            Ok(None) => Known::seen(Vec::new()),
            Ok(Some(_)) => writes_of_others(target, topic, closely).await,
            Err(reason) => Known::unknown(reason),
        };
    }
}

async fn writes_of_others(
    target: &Target,
    topic: &TopicSeen,
    closely: &Closely,
) -> Known<Vec<i32>> {
    let mut foreign = Vec::new();
    for partition in &topic.partitions {
        let at = TopicPartition::new(topic.name.as_str(), partition.partition);
        let standing = closely.partitions.get(&at).copied();
        let Some(Standing {
            target: Some(from), ..
        }) = standing
        else {
            // Nothing of ours is there yet: what is, another gate asks about.
            continue;
        };
        match is_foreign_behind(target, &at, from, &closely.identities).await {
            Ok(Some(true)) => foreign.push(partition.partition),
            Ok(Some(false)) => {}
            Ok(None) => {
                return Known::unknown(format!(
                    "{at} holds more behind the last checkpoint on the target than is looked at"
                ));
            }
            Err(error) => return Known::unknown(error.to_string()),
        }
    }
    Known::seen(foreign)
}

async fn is_foreign_behind(
    target: &Target,
    at: &TopicPartition,
    from: i64,
    ours: &BTreeSet<i64>,
) -> Result<Option<bool>> {
    let mut next = from;
    for _ in 0..TAIL_LOOKS {
        let (batches, end) = target.read(at, next, TAIL).await?;
        for batch in &batches {
            let header = &batch.header;
            if header.base_offset >= from
                && !ours.contains(&header.producer_id)
                && !header.is_control()
            {
                return Ok(Some(true));
            }
            next = next.max(header.next_offset());
        }
        if next >= end || batches.is_empty() {
            return Ok(Some(false));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_none_is_none_however_it_is_written() {
        let read = |pairs: &'static [(&str, &str)]| {
            settings(move |name| {
                let found = pairs.iter().find(|(key, _)| *key == name)?;
                Some(found.1.to_owned())
            })
        };
        let kept = read(&[
            ("retention.ms", "-1"),
            ("message.timestamp.before.max.ms", "9223372036854775807"),
            ("cleanup.policy", "compact, delete"),
            ("compression.type", "producer"),
        ]);
        let expected = TopicSettings {
            compacts: true,
            deletes: true,
            ..TopicSettings::default()
        };
        assert_eq!(kept, expected);
        let older = read(&[("message.timestamp.difference.max.ms", "86400000")]);
        assert_eq!(
            (older.before_max_ms, older.after_max_ms),
            (Some(86_400_000), Some(86_400_000))
        );
    }
}
