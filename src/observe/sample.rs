//! What a topic really holds: headers of stored batches at both ends of its partitions, as the broker serves them.

use super::{BatchSeen, PartitionSeen, Sample};
use crate::{
    cluster::{Cluster, OffsetSpec, Result},
    model::names::TopicPartition,
    wire::{batch::Batch, record::Records},
};

/// Partitions of a topic that are looked at.
const PARTITIONS: usize = 4;
/// Bytes per look; a batch larger than this comes whole.
const BYTES: i32 = 128 << 10;
/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;
/// What a batch may decompress to while a record without a key is looked for.
const PLAIN: usize = 16 << 20;

/// Looks at the beginning and at the end of some partitions, the fullest first.
pub(super) async fn of(
    source: &Cluster,
    topic: &str,
    partitions: &[PartitionSeen],
    keys: bool,
) -> Result<Sample> {
    let mut sample = Sample::default();
    let mut held: Vec<(u64, i32, i64, i64)> = partitions
        .iter()
        .filter_map(|one| {
            let (start, end) = (one.source_start?, one.source_stable?);
            let offsets = u64::try_from(end - start)
                .ok()
                .filter(|offsets| *offsets > 0)?;
            Some((offsets, one.partition, start, end))
        })
        .collect();
    sample.offsets = held.iter().map(|one| one.0).sum();
    held.sort_unstable_by(|a, b| b.cmp(a));
    for (_, partition, start, end) in held.into_iter().take(PARTITIONS) {
        let at = TopicPartition::new(topic, partition);
        let first = read(source, &at, start).await?;
        let seen_to = first
            .last()
            .map_or(start, |batch| batch.header.next_offset());
        add(&mut sample, partition, &first, keys);
        if seen_to < end {
            let last = read(source, &at, seen_to.max(end - 1)).await?;
            add(&mut sample, partition, &last, keys);
        }
    }
    Ok(sample)
}

/// Reads from there on, or from where the log begins by now: retention, and owners of repartition topics, delete between two looks.
async fn read(source: &Cluster, at: &TopicPartition, from: i64) -> Result<Vec<Batch>> {
    match source.read(at, from, BYTES).await {
        Err(error) if error.code() == Some(OUT_OF_RANGE) => {
            let starts = source.offsets(std::slice::from_ref(at), OffsetSpec::Earliest);
            let start = starts.await.remove(at).ok_or(error)??;
            Ok(source.read(at, start.max(from), BYTES).await?.0)
        }
        read => Ok(read?.0),
    }
}

fn add(sample: &mut Sample, partition: i32, batches: &[Batch], keys: bool) {
    for batch in batches {
        let header = &batch.header;
        if header.is_control() || header.record_count <= 0 {
            continue;
        }
        let seen = BatchSeen {
            partition,
            offset: header.base_offset,
            bytes: batch.bytes.len() as u64,
            records: u64::try_from(header.record_count).unwrap_or(0),
        };
        sample.batches += 1;
        sample.records += seen.records;
        sample.bytes += seen.bytes;
        sample.transactional += u64::from(header.is_transactional());
        let larger = |than: &Option<BatchSeen>| than.is_none_or(|than| than.bytes < seen.bytes);
        if larger(&sample.largest) {
            sample.largest = Some(seen);
        }
        if seen.records == 1 && larger(&sample.largest_single) {
            sample.largest_single = Some(seen);
        }
        // The header tells the first record's time and the largest; one in between may be older still.
        let (first, last) = (
            header.base_timestamp.min(header.max_timestamp),
            header.max_timestamp,
        );
        if first >= 0 && sample.oldest.is_none_or(|(_, time)| first < time) {
            sample.oldest = Some((seen, first));
        }
        if last >= 0 && sample.latest.is_none_or(|(_, time)| last > time) {
            sample.latest = Some((seen, last));
        }
        if keys && sample.unkeyed.is_none() && holds_unkeyed(batch) {
            sample.unkeyed = Some(seen);
        }
    }
}

fn holds_unkeyed(batch: &Batch) -> bool {
    let Ok(records) = Records::of(batch, PLAIN) else {
        return false;
    };
    records.flatten().any(|record| record.key.is_none())
}
