//! TxnOffsetCommit: offsets that count once the transaction's marker is written; accepted in active groups, too (G2).

use kafka_protocol::messages::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
    txn_offset_commit_response::{TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic},
};

use super::{
    super::{
        acls::{
            operation::{READ, WRITE},
            resource::{GROUP, TOPIC, TRANSACTIONAL_ID},
        },
        errors,
        groups::{Position, Who},
        state::{Call, State},
    },
    refuse::Refuse,
};

/// One answer per partition.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    if let Err(code) = rights(state, call, &request) {
        return request.refuse(call.version, code);
    }
    let each = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|one| Position {
            topic: topic.name.to_string(),
            partition: one.partition_index,
            offset: one.committed_offset,
            leader_epoch: one.committed_leader_epoch,
            metadata: one.committed_metadata.as_ref().map(ToString::to_string),
        })
    });
    let positions: Vec<Position> = each.collect();
    let mut codes: Vec<i16> = positions
        .iter()
        .map(|one| check(state, call, one))
        .collect();
    let good = positions
        .into_iter()
        .zip(&codes)
        .filter(|(_, code)| **code == errors::NONE);
    let good: Vec<Position> = good.map(|(one, _)| one).collect();
    let count = good.len();
    // What is refused for itself stays so, whatever the coordinator says to the others.
    if count > 0 {
        let staged = stage(state, call, &request, good);
        let done = staged.unwrap_or_else(|code| vec![code; count]);
        let open = codes.iter_mut().filter(|code| **code == errors::NONE);
        for (code, own) in open.zip(done) {
            *code = own;
        }
    }
    let mut codes = codes.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let each = topic.partitions.iter().map(|one| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(one.partition_index)
                .with_error_code(codes.next().unwrap_or(errors::NONE))
        });
        TxnOffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(each.collect())
    });
    let topics = topics.collect();
    TxnOffsetCommitResponse::default().with_topics(topics)
}

fn check(state: &State, call: &Call, one: &Position) -> i16 {
    if !state.allows(call, READ, TOPIC, &one.topic) {
        errors::TOPIC_AUTHORIZATION_FAILED
    } else if state.partition(&one.topic, one.partition).is_none() {
        errors::UNKNOWN_TOPIC_OR_PARTITION
    } else {
        errors::NONE
    }
}

/// Of the whole request.
fn rights(state: &State, call: &Call, request: &TxnOffsetCommitRequest) -> Result<(), i16> {
    if !state.allows(call, WRITE, TRANSACTIONAL_ID, &request.transactional_id) {
        return Err(errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if !state.allows(call, READ, GROUP, &request.group_id) {
        return Err(errors::GROUP_AUTHORIZATION_FAILED);
    }
    Ok(())
}

fn stage(
    state: &mut State,
    call: &Call,
    request: &TxnOffsetCommitRequest,
    positions: Vec<Position>,
) -> Result<Vec<i16>, i16> {
    let id: &str = &request.transactional_id;
    let group: &str = &request.group_id;
    if !state.coordinates(call, group) {
        return Err(errors::NOT_COORDINATOR);
    }
    let (producer_id, epoch) = (*request.producer_id, request.producer_epoch);
    match state.transactions.has_group(id, producer_id, epoch, group) {
        errors::NONE => {}
        code => return Err(code),
    }
    let who = Who {
        member: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id,
    };
    let now = state.now_ms();
    state.touch();
    state.groups.stage(now, producer_id, group, &who, positions)
}
