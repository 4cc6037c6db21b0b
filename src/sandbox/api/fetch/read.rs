//! What one partition answers to a fetch: records, or why there are none (rules F1 to F6).

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, ProducerId,
    fetch_response::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, PartitionData},
};

use super::{
    super::super::{
        acls::{operation::READ, resource::TOPIC},
        errors,
        partition::Partition,
        state::{Call, State},
    },
    Wanted,
};

/// What goes for the whole request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `fetch.max.bytes`.
    pub bytes: usize,
    /// `isolation.level=read_committed`.
    pub committed: bool,
}

/// Every partition, in order. The first that has anything may exceed the limits by one batch; no other may (F6).
pub fn all(state: &State, call: &Call, wanted: &[Wanted], limits: &Limits) -> Vec<PartitionData> {
    let mut left = limits.bytes;
    let mut one = true;
    let each = wanted.iter().map(|wanted| {
        let answer = partition(state, call, wanted)
            .and_then(|found| records(found, wanted, left.min(wanted.max_bytes), one, limits));
        match answer {
            Ok(data) => {
                let bytes = data.records.as_ref().map_or(0, Bytes::len);
                left = left.saturating_sub(bytes);
                one &= bytes == 0;
                data
            }
            Err(code) => refused(state, call, wanted, code),
        }
    });
    each.collect()
}

/// The name of the topic that is meant.
fn name<'a>(state: &'a State, call: &Call, wanted: &'a Wanted) -> Result<&'a str, i16> {
    if call.version < 13 {
        return Ok(&wanted.topic);
    }
    if let Some(name) = state.topic_by_id(wanted.topic_id) {
        return Ok(name);
    }
    // A session goes on by the name it found for the id (`FetchSession.CachedPartition`).
    match &wanted.known {
        None => Err(errors::UNKNOWN_TOPIC_ID),
        Some(name) if state.topics.contains_key(&***name) => Err(errors::INCONSISTENT_TOPIC_ID),
        Some(_) => Err(errors::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

/// The partition, if the asked broker may serve it: its leader, or for clients of version 11 and later a replica in sync (F8).
fn partition<'a>(state: &'a State, call: &Call, wanted: &'a Wanted) -> Result<&'a Partition, i16> {
    let topic = name(state, call, wanted)?;
    if !state.allows(call, READ, TOPIC, topic) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let found = state
        .partition(topic, wanted.partition)
        .ok_or(errors::UNKNOWN_TOPIC_OR_PARTITION)?;
    let follows = call.version >= 11 && found.leader >= 0 && found.isr.contains(&call.broker);
    if found.leader != call.broker && !follows {
        return Err(errors::NOT_LEADER_OR_FOLLOWER);
    }
    found.check_epoch(wanted.leader_epoch)?;
    Ok(found)
}

fn records(
    found: &Partition,
    wanted: &Wanted,
    max: usize,
    one: bool,
    limits: &Limits,
) -> Result<PartitionData, i16> {
    let log = &found.log;
    let data = PartitionData::default()
        .with_partition_index(wanted.partition)
        .with_high_watermark(log.high_watermark())
        .with_last_stable_offset(log.last_stable())
        .with_log_start_offset(log.start())
        .with_records(Some(Bytes::new()));
    if wanted.last_epoch >= 0 {
        let (epoch, end) = log.end_of_epoch(wanted.last_epoch);
        if end < 0 || wanted.offset < log.start() {
            return Err(errors::OFFSET_OUT_OF_RANGE);
        }
        if epoch < wanted.last_epoch || end < wanted.offset {
            let diverging = EpochEndOffset::default()
                .with_epoch(epoch)
                .with_end_offset(end);
            return Ok(data.with_diverging_epoch(diverging));
        }
    }
    if wanted.offset < log.start() || wanted.offset > log.end() {
        return Err(errors::OFFSET_OUT_OF_RANGE);
    }
    let bound = if limits.committed {
        log.last_stable()
    } else {
        log.high_watermark()
    };
    let (records, next) = log.read(wanted.offset, bound, max, one);
    let aborted = limits.committed.then(|| {
        let each = log.aborted(wanted.offset, next).map(|one| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(one.producer_id))
                .with_first_offset(one.first)
        });
        each.collect()
    });
    Ok(data
        .with_records(Some(records))
        .with_aborted_transactions(aborted))
}

fn refused(state: &State, call: &Call, wanted: &Wanted, code: i16) -> PartitionData {
    let mut data = PartitionData::default()
        .with_partition_index(wanted.partition)
        .with_error_code(code)
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_records(Some(Bytes::new()));
    let stale = code == errors::NOT_LEADER_OR_FOLLOWER || code == errors::FENCED_LEADER_EPOCH;
    if call.version >= 16
        && stale
        && let Ok(topic) = name(state, call, wanted)
        && let Some(found) = state.partition(topic, wanted.partition)
    {
        data.current_leader = LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(found.leader))
            .with_leader_epoch(found.leader_epoch);
    }
    data
}
