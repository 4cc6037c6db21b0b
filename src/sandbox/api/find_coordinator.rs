//! FindCoordinator: who coordinates a group or a transactional id.

use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse,
    find_coordinator_response::Coordinator,
};

use super::super::{
    acls::{operation::DESCRIBE, resource},
    errors,
    state::{Call, State, text},
};

/// One key up to version 3, many from 4 on (KIP-699).
pub fn handle(
    state: &mut State,
    call: &Call,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    if call.version < 4 {
        let (error, broker, port) = find(state, call, request.key_type, &request.key);
        return FindCoordinatorResponse::default()
            .with_error_code(error)
            .with_node_id(BrokerId(broker))
            .with_host(text(if broker < 0 { "" } else { "127.0.0.1" }))
            .with_port(port);
    }
    let keys = request.coordinator_keys.iter().map(|key| {
        let (error, broker, port) = find(state, call, request.key_type, key);
        Coordinator::default()
            .with_key(key.clone())
            .with_error_code(error)
            .with_node_id(BrokerId(broker))
            .with_host(text(if broker < 0 { "" } else { "127.0.0.1" }))
            .with_port(port)
    });
    FindCoordinatorResponse::default().with_coordinators(keys.collect())
}

fn find(state: &State, call: &Call, kind: i8, key: &str) -> (i16, i32, i32) {
    let (resource, denied) = match kind {
        0 => (resource::GROUP, errors::GROUP_AUTHORIZATION_FAILED),
        1 => (
            resource::TRANSACTIONAL_ID,
            errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ),
        _ => return (errors::INVALID_REQUEST, -1, -1),
    };
    if !state.allows(call, DESCRIBE, resource, key) {
        return (denied, -1, -1);
    }
    let broker = state.coordinator_of(key);
    match state.brokers.get(&broker) {
        Some(one) => (errors::NONE, broker, i32::from(one.port)),
        None => (errors::COORDINATOR_NOT_AVAILABLE, -1, -1),
    }
}
