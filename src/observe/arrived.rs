//! What has arrived on the target by the clusters' own word, whoever copies: by the times of the youngest records on both sides.
//!
//! A replicator keeps timestamps and the order within a partition. So what the source holds that is younger than everything on the
//! target has not arrived. Where applications write on the target too the youngest record there may be one of theirs, and less
//! may seem to be missing than is.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;

use super::{Known, TopicSeen, Waiting};
use crate::{
    cluster::{Source, Target, Timed},
    model::names::TopicPartition,
};

/// Partitions of one question.
const AT_ONCE: usize = 2000;
/// A broker tells no youngest record while it is being written and has not reached all replicas: it is asked again.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// What waits on the source, topic by topic; topics of which nothing waits stay out.
pub(super) async fn waiting(
    source: &Source,
    target: &Target,
    topics: &[TopicSeen],
) -> Known<Vec<Waiting>> {
    let mut all: Vec<Asked> = Vec::new();
    for topic in topics {
        let on_target = topic.target.value().ok().copied().flatten();
        let held = on_target.map_or(0, |side| side.partitions);
        let partitions = topic.partitions.iter();
        all.extend(partitions.map(|one| {
            let at = TopicPartition::new(topic.name.as_str(), one.partition);
            let is_there = usize::try_from(one.partition).is_ok_and(|number| number < held);
            let is_empty = one.target_start == one.target_end;
            Asked {
                at,
                is_there,
                has_records: is_there && !is_empty,
                end: one.source_end,
            }
        }));
    }
    let mut waiting: HashMap<String, Waiting> = HashMap::new();
    for some in all.chunks(AT_ONCE) {
        if let Err(reason) = look(source, target, some, &mut waiting).await {
            return Known::unknown(reason);
        }
    }
    let mut waiting: Vec<Waiting> = waiting.into_values().collect();
    waiting.sort_by(|a, b| a.topic.cmp(&b.topic));
    Known::seen(waiting)
}

/// A partition, as it was seen a moment ago.
struct Asked {
    at: TopicPartition,
    /// The target has it.
    is_there: bool,
    /// And holds records of it.
    has_records: bool,
    /// Where it ends on the source.
    end: Option<i64>,
}

/// The youngest record on the target of each partition that it has.
async fn youngest(
    target: &Target,
    some: &[Asked],
) -> Result<HashMap<TopicPartition, Option<Timed>>, String> {
    let there = some.iter().filter(|one| one.is_there);
    let mut open: Vec<TopicPartition> = there.map(|one| one.at.clone()).collect();
    let mut known = HashMap::with_capacity(open.len());
    for _ in 0..TRIES {
        let found = target.youngest(&open).await;
        known.extend(found.map_err(|error| error.to_string())?);
        let is_open = |one: &&Asked| one.has_records && known.get(&one.at) == Some(&None);
        open = some
            .iter()
            .filter(is_open)
            .map(|one| one.at.clone())
            .collect();
        if open.is_empty() {
            return Ok(known);
        }
        sleep(PAUSE).await;
    }
    let which = open.first().map_or(String::new(), ToString::to_string);
    Err(format!(
        "the target holds records of {which} and does not tell the youngest"
    ))
}

async fn look(
    source: &Source,
    target: &Target,
    some: &[Asked],
    waiting: &mut HashMap<String, Waiting>,
) -> Result<(), String> {
    let youngest = youngest(target, some).await?;
    let since: HashMap<TopicPartition, i64> = some
        .iter()
        .map(|Asked { at, .. }| {
            let newest = youngest.get(at).copied().flatten();
            (
                at.clone(),
                newest.map_or(0, |newest| newest.time.saturating_add(1)),
            )
        })
        .collect();
    let first = source
        .first_since(since)
        .await
        .map_err(|error| error.to_string())?;
    for Asked { at, end, .. } in some {
        let Some(Timed { offset, time }) = first.get(at).copied().flatten() else {
            continue;
        };
        let records = end.map_or(1, |end| u64::try_from(end - offset).unwrap_or(0));
        if records == 0 {
            continue;
        }
        let one = waiting
            .entry(at.topic.to_string())
            .or_insert_with(|| Waiting {
                topic: at.topic.to_string(),
                records: 0,
                since_ms: time,
            });
        one.records += records;
        one.since_ms = one.since_ms.min(time);
    }
    Ok(())
}
