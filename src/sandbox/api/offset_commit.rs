//! OffsetCommit: positions of a member, of a tool, or of a consumer that assigns itself (G1).

use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse,
    offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
};

use super::{
    super::{
        acls::{
            operation::READ,
            resource::{GROUP, TOPIC},
        },
        errors,
        groups::{Position, Who},
        plan::Release,
        state::{Call, State},
    },
    refuse::Refuse,
};

/// Needs READ of the group and of each topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    if !state.allows(call, READ, GROUP, &request.group_id) {
        return request.refuse(call.version, errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, &request.group_id) {
        return request.refuse(call.version, errors::NOT_COORDINATOR);
    }
    // What is refused one by one does not get as far as the coordinator; its answers fill the rest.
    let mut positions = Vec::new();
    let mut verdicts = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            let refused = if !state.allows(call, READ, TOPIC, &topic.name) {
                Some(errors::TOPIC_AUTHORIZATION_FAILED)
            } else if state
                .partition(&topic.name, partition.partition_index)
                .is_none()
            {
                Some(errors::UNKNOWN_TOPIC_OR_PARTITION)
            } else {
                positions.push(Position {
                    topic: topic.name.to_string(),
                    partition: partition.partition_index,
                    offset: partition.committed_offset,
                    leader_epoch: partition.committed_leader_epoch,
                    metadata: partition
                        .committed_metadata
                        .as_ref()
                        .map(|text| text.to_string()),
                });
                None
            };
            verdicts.push(refused);
        }
    }
    let who = Who {
        member: &request.member_id,
        instance: request.group_instance_id.as_deref(),
        generation: request.generation_id_or_member_epoch,
    };
    let (now, count) = (state.now_ms(), positions.len());
    let committed = if count == 0 && !request.topics.is_empty() {
        Vec::new()
    } else {
        // 3.9's coordinator has no other words in version 9 than before.
        let version = if state.release < Release::V4_1 {
            call.version.min(8)
        } else {
            call.version
        };
        let committed = state
            .groups
            .commit(now, &request.group_id, &who, version, positions);
        committed.unwrap_or_else(|error| vec![error; count])
    };
    let mut committed = committed.into_iter();
    let mut verdicts = verdicts.into_iter();
    let mut next = || {
        verdicts
            .next()
            .flatten()
            .or_else(|| committed.next())
            .unwrap_or(errors::NONE)
    };
    answer(&request, &mut next)
}

fn answer(request: &OffsetCommitRequest, next: &mut dyn FnMut() -> i16) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(next())
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

impl Refuse for OffsetCommitRequest {
    fn refuse(&self, _: i16, code: i16) -> OffsetCommitResponse {
        answer(self, &mut || code)
    }
}
