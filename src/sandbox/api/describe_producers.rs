//! DescribeProducers: what the leader remembers of producers (rule S12).

use kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, ProducerId,
    describe_producers_response::{PartitionResponse, ProducerState, TopicResponse},
};

use super::{
    super::{
        acls::{operation::READ, resource::TOPIC},
        errors,
        state::{Call, State},
    },
    refuse::Refuse,
};

/// One answer per partition. Needs READ of the topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.iter().map(|topic| {
        let each = topic.partition_indexes.iter().map(|index| {
            let answer = PartitionResponse::default().with_partition_index(*index);
            match producers(state, call, &topic.name, *index) {
                Ok(producers) => answer.with_active_producers(producers),
                Err(code) => answer.with_error_code(code),
            }
        });
        TopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(each.collect())
    });
    let topics = topics.collect();
    DescribeProducersResponse::default().with_topics(topics)
}

fn producers(
    state: &mut State,
    call: &Call,
    topic: &str,
    index: i32,
) -> Result<Vec<ProducerState>, i16> {
    if !state.allows(call, READ, TOPIC, topic) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let found = state.led(call.broker, topic, index)?;
    let entries: Vec<_> = found
        .producers()
        .all()
        .map(|(id, entry)| (id, entry.clone()))
        .collect();
    let each = entries.into_iter().map(|(id, entry)| {
        ProducerState::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(entry.epoch.into())
            .with_last_sequence(entry.last_sequence())
            .with_last_timestamp(entry.last_timestamp)
            .with_coordinator_epoch(entry.coordinator_epoch)
            .with_current_txn_start_offset(found.log.open_since(id).unwrap_or(-1))
    });
    Ok(each.collect())
}

impl Refuse for DescribeProducersRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeProducersResponse {
        let topics = self.topics.iter().map(|topic| {
            let each = topic.partition_indexes.iter().map(|index| {
                PartitionResponse::default()
                    .with_partition_index(*index)
                    .with_error_code(code)
            });
            TopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(each.collect())
        });
        DescribeProducersResponse::default().with_topics(topics.collect())
    }
}
