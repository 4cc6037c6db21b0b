//! ListOffsets: offsets by time, and the special ones, each from the version that brought it (probe D8).

use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse,
    list_offsets_request::ListOffsetsPartition,
    list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
};

use super::super::{
    acls::{operation::DESCRIBE, resource::TOPIC},
    errors,
    state::{Call, State},
};

/// One answer per partition that was asked for.
pub fn handle(state: &mut State, call: &Call, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let committed = request.isolation_level == 1;
    let topics = request.topics.iter().map(|topic| {
        let each = topic.partitions.iter().map(|asked| {
            let answer =
                ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index);
            match find(state, call, &topic.name, asked, committed) {
                Ok((timestamp, offset, epoch)) => answer
                    .with_timestamp(timestamp)
                    .with_offset(offset)
                    // There is no such field before version 4, and what is not there cannot be written.
                    .with_leader_epoch(if call.version < 4 { -1 } else { epoch }),
                Err(code) => answer
                    .with_error_code(code)
                    .with_timestamp(-1)
                    .with_offset(-1)
                    .with_leader_epoch(-1),
            }
        });
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(each.collect())
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

fn find(
    state: &mut State,
    call: &Call,
    topic: &str,
    asked: &ListOffsetsPartition,
    committed: bool,
) -> Result<(i64, i64, i32), i16> {
    if !state.allows(call, DESCRIBE, TOPIC, topic) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let found = state.led(call.broker, topic, asked.partition_index)?;
    if call.version >= 4 {
        found.check_epoch(asked.current_leader_epoch)?;
    }
    let epoch = found.leader_epoch;
    let log = &found.log;
    let bound = if committed {
        log.last_stable()
    } else {
        log.high_watermark()
    };
    match asked.timestamp {
        -1 => Ok((-1, bound, epoch)),
        -2 => Ok((-1, log.start(), log.epoch_at(log.start()).max(0))),
        -3 if call.version >= 7 => Ok(match log.latest_time() {
            Some((time, offset)) => (time, offset, log.epoch_at(offset)),
            None => (-1, -1, -1),
        }),
        -4 if call.version >= 8 => Ok((-1, log.start(), log.epoch_at(log.start()).max(0))),
        // Nothing is tiered.
        -5 if call.version >= 9 => Ok((-1, -1, -1)),
        special if special < 0 => Err(errors::UNSUPPORTED_VERSION),
        time => Ok(match log.at_time(time, bound) {
            Some((time, offset)) => (time, offset, log.epoch_at(offset)),
            None => (-1, -1, -1),
        }),
    }
}
