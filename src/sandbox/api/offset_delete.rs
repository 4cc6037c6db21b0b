//! OffsetDelete: single positions of a group, unless its members read the topic.

use kafka_protocol::messages::{
    OffsetDeleteRequest, OffsetDeleteResponse,
    offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
};

use super::{
    super::{
        acls::{
            operation::{DELETE, READ},
            resource::{GROUP, TOPIC},
        },
        errors,
        state::{Call, State},
    },
    refuse::Refuse,
};

/// Needs DELETE of the group and READ of each topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    if !state.allows(call, DELETE, GROUP, &request.group_id) {
        return request.refuse(call.version, errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, &request.group_id) {
        return request.refuse(call.version, errors::NOT_COORDINATOR);
    }
    let mut known = Vec::new();
    let mut verdicts = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            verdicts.push(if !state.allows(call, READ, TOPIC, &topic.name) {
                Some(errors::TOPIC_AUTHORIZATION_FAILED)
            } else if state
                .partition(&topic.name, partition.partition_index)
                .is_none()
            {
                Some(errors::UNKNOWN_TOPIC_OR_PARTITION)
            } else {
                known.push((topic.name.to_string(), partition.partition_index));
                None
            });
        }
    }
    let now = state.now_ms();
    let deleted = match state.groups.delete_offsets(now, &request.group_id, &known) {
        Ok(deleted) => deleted,
        Err(error) => return request.refuse(call.version, error),
    };
    let mut deleted = deleted.into_iter();
    let mut verdicts = verdicts.into_iter();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let error = verdicts.next().flatten().or_else(|| deleted.next());
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error.unwrap_or(errors::NONE))
        });
        OffsetDeleteResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    OffsetDeleteResponse::default().with_topics(topics.collect())
}

impl Refuse for OffsetDeleteRequest {
    fn refuse(&self, _: i16, code: i16) -> OffsetDeleteResponse {
        OffsetDeleteResponse::default().with_error_code(code)
    }
}
