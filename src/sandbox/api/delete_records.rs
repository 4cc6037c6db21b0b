//! DeleteRecords: a log's start moves up (probe N14: not where a topic is compacted only).

use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse,
    delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
};

use super::super::{
    acls::{operation::DELETE, resource::TOPIC},
    errors,
    state::{Call, State},
};

/// One answer per partition: where the log begins now.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| {
        let each = topic.partitions.iter().map(|one| {
            let done = delete(state, call, &topic.name, one.partition_index, one.offset);
            DeleteRecordsPartitionResult::default()
                .with_partition_index(one.partition_index)
                .with_low_watermark(done.unwrap_or(-1))
                .with_error_code(done.err().unwrap_or(errors::NONE))
        });
        DeleteRecordsTopicResult::default()
            .with_name(topic.name.clone())
            .with_partitions(each.collect())
    });
    let topics = topics.collect();
    DeleteRecordsResponse::default().with_topics(topics)
}

fn delete(
    state: &mut State,
    call: &Call,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<i64, i16> {
    if !state.allows(call, DELETE, TOPIC, topic) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let policy = state.topic_setting(topic, "cleanup.policy");
    let found = state.led(call.broker, topic, partition)?;
    if !policy.split(',').any(|word| word.trim() == "delete") {
        return Err(errors::POLICY_VIOLATION);
    }
    let end = found.log.high_watermark();
    // -1 is the high watermark.
    let offset = if offset == -1 { end } else { offset };
    if offset < 0 || offset > end {
        return Err(errors::OFFSET_OUT_OF_RANGE);
    }
    found.log.delete_before(offset);
    let start = found.log.start();
    state.touch();
    Ok(start)
}
