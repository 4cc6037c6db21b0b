//! OffsetForLeaderEpoch: where an epoch ended (rule F5).

use kafka_protocol::messages::{
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
};

use super::super::{
    acls::{operation::DESCRIBE, resource::TOPIC},
    errors,
    state::{Call, State},
};

/// One answer per partition that was asked for; (-1, -1) where nobody knows.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let each = topic.partitions.iter().map(|asked| {
            let answer = EpochEndOffset::default().with_partition(asked.partition);
            let found = if state.allows(call, DESCRIBE, TOPIC, &topic.topic) {
                state.led(call.broker, &topic.topic, asked.partition)
            } else {
                Err(errors::TOPIC_AUTHORIZATION_FAILED)
            };
            let end = found.and_then(|found| {
                found.check_epoch(asked.current_leader_epoch)?;
                Ok(found.log.end_of_epoch(asked.leader_epoch))
            });
            match end {
                Ok((epoch, end)) => answer.with_leader_epoch(epoch).with_end_offset(end),
                Err(code) => answer
                    .with_error_code(code)
                    .with_leader_epoch(-1)
                    .with_end_offset(-1),
            }
        });
        OffsetForLeaderTopicResult::default()
            .with_topic(topic.topic.clone())
            .with_partitions(each.collect())
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}
