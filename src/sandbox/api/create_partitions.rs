//! CreatePartitions: more partitions for a topic, never fewer.

use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse,
    create_partitions_request::CreatePartitionsTopic,
    create_partitions_response::CreatePartitionsTopicResult,
};

use super::super::{
    acls::{operation::ALTER, resource::TOPIC},
    errors,
    partition::Partition,
    state::{Call, State, text},
};

/// One answer per topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let names: Vec<_> = request.topics.iter().map(|one| &one.name).collect();
    // One named twice is answered once, and refused.
    let once = request.topics.iter().enumerate();
    let once = once.filter(|(at, topic)| !names[..*at].contains(&&topic.name));
    let each = once.map(|(at, topic)| {
        let answer = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        if names[at + 1..].contains(&&topic.name) {
            return answer
                .with_error_code(errors::INVALID_REQUEST)
                .with_error_message(Some(text("Duplicate topic in request.")));
        }
        match grow(state, call, topic, request.validate_only) {
            Ok(()) => answer,
            Err((code, message)) => answer
                .with_error_code(code)
                .with_error_message(Some(text(message))),
        }
    });
    let results = each.collect();
    CreatePartitionsResponse::default().with_results(results)
}

fn grow(
    state: &mut State,
    call: &Call,
    topic: &CreatePartitionsTopic,
    only_check: bool,
) -> Result<(), (i16, &'static str)> {
    let name: &str = &topic.name;
    if !state.allows(call, ALTER, TOPIC, name) {
        return Err((errors::TOPIC_AUTHORIZATION_FAILED, "Authorization failed."));
    }
    let Some(found) = state.topics.get(name) else {
        return Err((
            errors::UNKNOWN_TOPIC_OR_PARTITION,
            "This server does not host this topic.",
        ));
    };
    let have = found.partitions.len();
    let factor = found.partitions.first().map_or(1, |one| one.replicas.len());
    let want = usize::try_from(topic.count).unwrap_or(0);
    if want <= have || want > 10_000 {
        return Err((
            errors::INVALID_PARTITIONS,
            "The topic has as many partitions or more, or too many are asked for.",
        ));
    }
    let new = match &topic.assignments {
        None => state.spread(have, want - have, factor),
        Some(given) if given.len() == want - have => given
            .iter()
            .map(|one| one.broker_ids.iter().map(|id| **id).collect())
            .collect(),
        Some(_) => {
            return Err((
                errors::INVALID_REPLICA_ASSIGNMENT,
                "Not one assignment per new partition.",
            ));
        }
    };
    let known =
        |ids: &Vec<i32>| !ids.is_empty() && ids.iter().all(|id| state.brokers.contains_key(id));
    if !new.iter().all(known) {
        return Err((
            errors::INVALID_REPLICA_ASSIGNMENT,
            "An assignment names a broker that does not exist.",
        ));
    }
    if only_check {
        return Ok(());
    }
    let alive: Vec<i32> = state.alive().collect();
    if let Some(found) = state.topics.get_mut(name) {
        let new = new
            .iter()
            .map(|ids| Partition::new(ids, |id| alive.contains(&id)));
        found.partitions.extend(new);
    }
    state.touch();
    Ok(())
}
