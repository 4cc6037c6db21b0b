//! AddPartitionsToTxn up to version 3: versions 4 and 5 are for brokers (probe 14), and not offered.

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    add_partitions_to_txn_response::{
        AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
    },
};

use super::super::{
    acls::{
        operation::WRITE,
        resource::{TOPIC, TRANSACTIONAL_ID},
    },
    errors,
    state::{Call, State},
};

/// All partitions are added, or none is.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let id = request.v3_and_below_transactional_id.to_string();
    let topics = &request.v3_and_below_topics;
    let check = |topic: &str, partition: i32| {
        if !state.allows(call, WRITE, TOPIC, topic) {
            errors::TOPIC_AUTHORIZATION_FAILED
        } else if state.partition(topic, partition).is_none() {
            errors::UNKNOWN_TOPIC_OR_PARTITION
        } else {
            errors::NONE
        }
    };
    let pairs = topics.iter().flat_map(|topic| {
        topic
            .partitions
            .iter()
            .map(|one| (topic.name.to_string(), *one))
    });
    let pairs: Vec<(String, i32)> = pairs.collect();
    let codes: Vec<i16> = pairs
        .iter()
        .map(|(topic, one)| check(topic, *one))
        .collect();
    let whole = if !state.allows(call, WRITE, TRANSACTIONAL_ID, &id) {
        errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    } else if codes.iter().any(|code| *code != errors::NONE) {
        errors::NONE
    } else if !state.coordinates(call, &id) {
        errors::NOT_COORDINATOR
    } else {
        let identity = (
            *request.v3_and_below_producer_id,
            request.v3_and_below_producer_epoch,
        );
        let now = state.now_ms();
        let added = state.transactions.add_partitions(&id, identity, now, pairs);
        fenced(added.err().unwrap_or(errors::NONE), call.version)
    };
    let some_failed = codes.iter().any(|code| *code != errors::NONE);
    let mut codes = codes.into_iter();
    let results = topics.iter().map(|topic| {
        let each = topic.partitions.iter().map(|one| {
            let own = codes.next().unwrap_or(errors::NONE);
            let code = match whole {
                errors::NONE if some_failed && own == errors::NONE => {
                    errors::OPERATION_NOT_ATTEMPTED
                }
                errors::NONE => own,
                whole => whole,
            };
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*one)
                .with_partition_error_code(code)
        });
        AddPartitionsToTxnTopicResult::default()
            .with_name(topic.name.clone())
            .with_results_by_partition(each.collect())
    });
    let results = results.collect();
    AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results)
}

/// Clients below version 2 do not know PRODUCER_FENCED.
pub fn fenced(code: i16, version: i16) -> i16 {
    if code == errors::PRODUCER_FENCED && version < 2 {
        errors::INVALID_PRODUCER_EPOCH
    } else {
        code
    }
}
