//! Produce: one batch per partition, appended as the rules P1 to P20 and S1 to S12 have it.

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::messages::{
    BrokerId, ProduceRequest, ProduceResponse,
    produce_request::{PartitionProduceData, TopicProduceData},
    produce_response::{LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse},
};
use tokio::time::Instant;

use super::super::{
    acls::{
        operation::WRITE,
        resource::{TOPIC, TRANSACTIONAL_ID},
    },
    cluster::Cluster,
    errors,
    log::validate::{self, Admitted, Limits, Refused},
    partition::Appended,
    state::{Call, State, text},
};
use crate::wire::codec::Codec;

type Each = BTreeMap<(String, i32), Result<Appended, Refused>>;

/// Appends, and with acks=-1 waits until every replica in sync has it.
pub async fn handle(cluster: &Cluster, call: &Call, request: ProduceRequest) -> ProduceResponse {
    let patience = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + patience;
    let mut changes = cluster.changes();
    let acks = request.acks;
    let mut each = cluster.with(|state| append(state, call, request));
    if acks == -1 {
        loop {
            changes.mark_unchanged();
            if !cluster.with(|state| waits(state, call, &mut each)) {
                break;
            }
            let change = tokio::time::timeout_at(deadline, changes.changed()).await;
            if change.is_err() {
                cluster.with(|state| time_out(state, &mut each));
                break;
            }
        }
    }
    cluster.with(|state| answer(state, call, &each))
}

/// Is anything not yet on all replicas? A leader that leads no more says so: whether its batch stays is not known
/// (`DelayedProduce.tryComplete`).
fn waits(state: &State, call: &Call, each: &mut Each) -> bool {
    let mut waits = false;
    for ((topic, partition), done) in each {
        let Ok(appended) = done else { continue };
        let found = state.partition(topic, *partition);
        if found.is_none_or(|found| found.log.high_watermark() >= appended.needs) {
            continue;
        }
        if found.is_some_and(|found| found.leader == call.broker) {
            waits = true;
        } else {
            *done = Err(errors::NOT_LEADER_OR_FOLLOWER.into());
        }
    }
    waits
}

/// What is not on all replicas by now may be there later: nobody knows.
fn time_out(state: &State, each: &mut Each) {
    for ((topic, partition), done) in each {
        let found = state.partition(topic, *partition);
        let high_watermark = found.map_or(i64::MAX, |found| found.log.high_watermark());
        if let Ok(appended) = done
            && high_watermark < appended.needs
        {
            *done = Err(Refused {
                code: errors::REQUEST_TIMED_OUT,
                appended: Some(*appended),
                ..Refused::default()
            });
        }
    }
}

fn append(state: &mut State, call: &Call, request: ProduceRequest) -> Each {
    // The same partition twice: brokers put them in a map, and one is never heard of again (N3).
    let mut asked: BTreeMap<(String, i32), PartitionProduceData> = BTreeMap::new();
    for TopicProduceData {
        name,
        partition_data,
        ..
    } in request.topic_data
    {
        for data in partition_data {
            asked.insert((name.to_string(), data.index), data);
        }
    }
    let mut given: BTreeMap<_, _> = asked
        .into_iter()
        .map(|(at, data)| (at, validate::single(data.records.as_ref(), call.version)))
        .collect();
    let transactional = given.values().any(|batch| {
        batch
            .as_ref()
            .is_ok_and(|batch| batch.header.is_transactional())
    });
    let id = request.transactional_id.as_ref().map(|id| id.to_string());
    let whole = if !(-1..=1).contains(&request.acks) {
        errors::INVALID_REQUIRED_ACKS
    } else if transactional
        && !id
            .as_ref()
            .is_some_and(|id| state.allows(call, WRITE, TRANSACTIONAL_ID, id))
    {
        errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    } else {
        errors::NONE
    };
    let mut each = Each::new();
    while let Some((at, batch)) = given.pop_first() {
        let done = if whole == errors::NONE {
            batch.and_then(|batch| one(state, call, &at, batch, request.acks, id.as_deref()))
        } else {
            Err(whole.into())
        };
        each.insert(at, done);
    }
    state.touch();
    each
}

/// One partition's batch.
fn one(
    state: &mut State,
    call: &Call,
    at: &(String, i32),
    batch: Admitted,
    acks: i16,
    id: Option<&str>,
) -> Result<Appended, Refused> {
    let (topic, index) = at;
    if !state.allows(call, WRITE, TOPIC, topic) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED.into());
    }
    let limits = limits(state, topic);
    let enough = state.topic_number(topic, "min.insync.replicas");
    let verify = state.setting("transaction.partition.verification.enable") == "true";
    let partition = state.led(call.broker, topic, *index)?;
    // Never more than there are (`Partition.effectiveMinIsr`).
    let enough = enough.min(partition.replicas.len() as i64);
    if acks == -1 && (partition.isr.len() as i64) < enough {
        return Err(errors::NOT_ENOUGH_REPLICAS.into());
    }
    let header = batch.header;
    if verify && header.is_transactional() && header.producer_id >= 0 {
        let known = partition.producers().epoch(header.producer_id);
        let open = partition.log.open_since(header.producer_id).is_some();
        if !(open && known == Some(header.producer_epoch)) {
            partition.producers().verify(&header);
            let answer = state.transactions.verify(
                id.unwrap_or_default(),
                header.producer_id,
                header.producer_epoch,
                at,
            );
            match answer {
                errors::NONE => {}
                // As clients of that age know it (D4).
                errors::TRANSACTION_ABORTABLE if call.version < 11 => {
                    return Err(errors::INVALID_TXN_STATE.into());
                }
                errors::CONCURRENT_TRANSACTIONS => return Err(errors::NOT_ENOUGH_REPLICAS.into()),
                other => return Err(other.into()),
            }
        }
    }
    let admitted = validate::admit(batch, &limits)?;
    let partition = state.led(call.broker, topic, *index)?;
    partition.append(&admitted, limits.append_time)
}

/// What the topic's settings ask of a batch.
fn limits(state: &State, topic: &str) -> Limits {
    let number = |name| state.topic_number(topic, name);
    let policy = state.topic_setting(topic, "cleanup.policy");
    Limits {
        now: state.now_ms(),
        append_time: state.topic_setting(topic, "message.timestamp.type") == "LogAppendTime",
        before_ms: number("message.timestamp.before.max.ms"),
        after_ms: number("message.timestamp.after.max.ms"),
        message_bytes: number("max.message.bytes"),
        segment_bytes: number("segment.bytes"),
        compacted: policy.split(',').any(|word| word.trim() == "compact"),
        codec: match state.topic_setting(topic, "compression.type").as_str() {
            "uncompressed" => Some(Codec::None),
            "gzip" => Some(Codec::Gzip),
            "snappy" => Some(Codec::Snappy),
            "lz4" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            _ => None,
        },
    }
}

/// Partitions in another order than they were asked in (N2).
fn answer(state: &State, call: &Call, each: &Each) -> ProduceResponse {
    let mut topics: Vec<TopicProduceResponse> = Vec::new();
    for ((topic, index), done) in each.iter().rev() {
        let found = state.partition(topic, *index);
        let start = found.map_or(-1, |found| found.log.start());
        let mut one = PartitionProduceResponse::default().with_index(*index);
        match done {
            Ok(done) => {
                one.base_offset = done.base_offset;
                one.log_append_time_ms = done.append_time;
                one.log_start_offset = start;
            }
            Err(refused) => {
                let appended = refused.appended;
                one.base_offset = appended.map_or(-1, |done| done.base_offset);
                one.log_append_time_ms = appended.map_or(-1, |done| done.append_time);
                one.log_start_offset = appended.map_or(-1, |_| start);
                one.error_code = refused.code;
                one.error_message = refused.message.map(text);
                one.record_errors.clone_from(&refused.records);
            }
        }
        if call.version >= 10
            && one.error_code == errors::NOT_LEADER_OR_FOLLOWER
            && let Some(found) = found
        {
            one.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(found.leader))
                .with_leader_epoch(found.leader_epoch);
        }
        match topics.iter_mut().find(|one| **one.name == **topic) {
            Some(same) => same.partition_responses.push(one),
            None => topics.push(
                TopicProduceResponse::default()
                    .with_name(kafka_protocol::messages::TopicName(text(topic)))
                    .with_partition_responses(vec![one]),
            ),
        }
    }
    ProduceResponse::default().with_responses(topics)
}
