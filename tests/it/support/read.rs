//! Whole partitions as a reader sees them, and their comparison between two clusters.

use std::{collections::HashMap, time::Duration};

use super::{
    codecs::{Batch, Record, decode},
    kafka::Kafka,
    wait,
};

/// Which records a reader is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All records, those of open and of aborted transactions too.
    Uncommitted,
    /// What a read_committed reader is given.
    Committed,
}

/// All batches of a partition from its start to the end it has now, with the aborted transactions among them.
pub fn batches(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    view: View,
) -> (Vec<Batch>, Vec<(i64, i64)>) {
    let start_and_end = || {
        let mut wire = kafka.wire_to_leader(topic, partition)?;
        Some((
            wire.offset(topic, partition, -2).ok()?.ok()?,
            wire.offset(topic, partition, -1).ok()?.ok()?,
        ))
    };
    let (start, end) = wait::until_some(
        &format!("{topic}-{partition} can be read"),
        Duration::from_secs(60),
        start_and_end,
    );
    let mut all: Vec<Batch> = Vec::new();
    let mut aborted = Vec::new();
    let mut next = start;
    while next < end {
        let fetched = wait::until_some(
            &format!("{topic}-{partition} can be fetched at {next}"),
            Duration::from_secs(60),
            || {
                let mut wire = kafka.wire_to_leader(topic, partition)?;
                wire.fetch(topic, partition, next, view == View::Committed, 8 << 20)
                    .ok()?
                    .ok()
            },
        );
        let before = next;
        for mut batch in decode(&fetched.records) {
            if batch.last_offset >= next {
                // A batch comes whole, records that were deleted from its front too: no reader is given those.
                batch.records.retain(|record| record.offset >= next);
                next = batch.last_offset + 1;
                all.push(batch);
            }
        }
        for transaction in fetched.aborted {
            if !aborted.contains(&transaction) {
                aborted.push(transaction);
            }
        }
        if next == before {
            // Nothing left: the end lies behind compacted records, or (committed only) behind an open transaction.
            break;
        }
    }
    (all, aborted)
}

/// A partition's records, in order, as a reader with this view is given them.
pub fn partition(kafka: &Kafka, topic: &str, number: i32, view: View) -> Vec<Record> {
    let (batches, aborted) = batches(kafka, topic, number, view);
    let mut aborted: HashMap<i64, Vec<i64>> =
        aborted
            .into_iter()
            .fold(HashMap::new(), |mut map, (producer, first)| {
                map.entry(producer).or_default().push(first);
                map
            });
    aborted
        .values_mut()
        .for_each(|firsts| firsts.sort_unstable());
    let mut records = Vec::new();
    for batch in batches {
        let open = aborted.get_mut(&batch.producer_id).filter(|firsts| {
            firsts
                .first()
                .is_some_and(|first| *first <= batch.base_offset)
        });
        if batch.is_control {
            // A marker ends the aborted transaction it belongs to.
            if let Some(firsts) = open {
                firsts.remove(0);
            }
        } else if view == View::Uncommitted || !batch.is_transactional || open.is_none() {
            records.extend(batch.records);
        }
    }
    records
}

/// Compares every partition of a topic: what a read_committed reader is given by the source against what a
/// read_uncommitted reader is given by the target. Answers the number of records; panics at the first difference.
#[track_caller]
pub fn assert_same(source: &Kafka, target: &Kafka, topic: &str) -> usize {
    let partitions = source.partitions(topic);
    assert!(partitions > 0, "there is no topic {topic} on the source");
    assert_eq!(
        partitions,
        target.partitions(topic),
        "partitions of {topic}"
    );
    (0..partitions)
        .map(|number| assert_same_partition(source, target, topic, number))
        .sum()
}

#[track_caller]
fn assert_same_partition(source: &Kafka, target: &Kafka, topic: &str, number: i32) -> usize {
    let expected = partition(source, topic, number, View::Committed);
    let found = partition(target, topic, number, View::Uncommitted);
    for (index, (wanted, got)) in expected.iter().zip(&found).enumerate() {
        if !wanted.is_same(got) {
            let elsewhere = |sequence: &[Record], record: &Record| {
                let places: Vec<usize> = sequence
                    .iter()
                    .enumerate()
                    .filter(|(_, other)| record.is_same(other))
                    .map(|(i, _)| i)
                    .take(5)
                    .collect();
                format!("{places:?}")
            };
            panic!(
                "not the same records: {topic}-{number} differs at index {index} (source {} records, target {}):\n  source {}\n    on the target at {}\n  target {}\n    on the source at {}",
                expected.len(),
                found.len(),
                show(wanted),
                elsewhere(&found, wanted),
                show(got),
                elsewhere(&expected, got),
            );
        }
    }
    assert_eq!(
        expected.len(),
        found.len(),
        "not the same records: {topic}-{number}: number of records on source and target; all up to the shorter one are equal"
    );
    expected.len()
}

fn show(record: &Record) -> String {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_ref().map_or_else(
            || "null".to_owned(),
            |b| String::from_utf8_lossy(&b[..b.len().min(60)]).into_owned(),
        )
    };
    let headers: Vec<String> = record
        .headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{}={}",
                String::from_utf8_lossy(name).escape_default(),
                text(value)
            )
        })
        .collect();
    format!(
        "offset {} time {} key {} value {} headers {headers:?}",
        record.offset,
        record.timestamp,
        text(&record.key),
        text(&record.value)
    )
}
