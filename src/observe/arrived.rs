//! What has arrived on the target by the clusters' own word, whoever copies: by the times of the youngest records on both sides.
//!
//! A replicator keeps timestamps and the order within a partition. So what the source holds that is younger than everything on the
//! target has not arrived. Where applications write on the target too the youngest record there may be one of theirs, and less
//! may seem to be missing than is.

use std::collections::HashMap;

use super::{Known, TopicSeen, Waiting};
use crate::{
    cluster::{Source, Target, Timed},
    model::names::TopicPartition,
};

/// Partitions of one question.
const AT_ONCE: usize = 2000;

/// What waits on the source, topic by topic; topics of which nothing waits stay out.
pub(super) async fn waiting(
    source: &Source,
    target: &Target,
    topics: &[TopicSeen],
) -> Known<Vec<Waiting>> {
    let mut all = Vec::new();
    for topic in topics {
        let on_target = topic.target.value().ok().copied().flatten();
        let held = on_target.map_or(0, |side| side.partitions);
        let partitions = topic.partitions.iter();
        all.extend(partitions.map(|one| {
            let at = TopicPartition::new(topic.name.as_str(), one.partition);
            let is_there = usize::try_from(one.partition).is_ok_and(|number| number < held);
            (at, is_there, one.source_end)
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

async fn look(
    source: &Source,
    target: &Target,
    some: &[(TopicPartition, bool, Option<i64>)],
    waiting: &mut HashMap<String, Waiting>,
) -> Result<(), String> {
    let there: Vec<TopicPartition> = some
        .iter()
        .filter(|(_, is_there, _)| *is_there)
        .map(|(at, ..)| at.clone())
        .collect();
    let youngest = target
        .youngest(&there)
        .await
        .map_err(|error| error.to_string())?;
    let since: HashMap<TopicPartition, i64> = some
        .iter()
        .map(|(at, ..)| {
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
    for (at, _, end) in some {
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
