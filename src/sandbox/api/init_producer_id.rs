//! InitProducerId: a new identity, or the next epoch of a transactional id's (rules S11, X1, X3; probe D1).

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::super::{
    acls::{
        CLUSTER_NAME,
        operation::{IDEMPOTENT_WRITE, WRITE},
        resource::{CLUSTER, TOPIC, TRANSACTIONAL_ID},
    },
    errors,
    state::{Call, State},
    transactions,
};

/// The identity, or why there is none.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    match identity(state, call, &request) {
        Ok((id, epoch)) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(epoch),
        Err(code) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
            .with_error_code(code),
    }
}

fn identity(
    state: &mut State,
    call: &Call,
    request: &InitProducerIdRequest,
) -> Result<(i64, i16), i16> {
    let had = (*request.producer_id, request.producer_epoch);
    if (had.0 < 0) != (had.1 < 0) {
        return Err(errors::INVALID_REQUEST);
    }
    let Some(id) = request.transactional_id.as_ref().map(|id| id.to_string()) else {
        // The right to write any topic is enough (KIP-679).
        let may = state.allows(call, IDEMPOTENT_WRITE, CLUSTER, CLUSTER_NAME)
            || state.allows_any(call, WRITE, TOPIC);
        return if may {
            Ok((state.new_producer_id(), 0))
        } else {
            Err(errors::CLUSTER_AUTHORIZATION_FAILED)
        };
    };
    if !state.allows(call, WRITE, TRANSACTIONAL_ID, &id) {
        return Err(errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if id.is_empty() {
        return Err(errors::INVALID_REQUEST);
    }
    if !state.coordinates(call, &id) {
        return Err(errors::NOT_COORDINATOR);
    }
    let timeout = request.transaction_timeout_ms;
    if timeout <= 0 || i64::from(timeout) > state.number("transaction.max.timeout.ms") {
        return Err(errors::INVALID_TRANSACTION_TIMEOUT);
    }
    transactions::init(state, &id, timeout, (had.0 >= 0).then_some(had))
}
