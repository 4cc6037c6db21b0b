//! EndTxn up to version 4: the epoch stays, and the answer comes before the markers are written (probe D9, §6).

use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{
    super::{
        acls::{operation::WRITE, resource::TRANSACTIONAL_ID},
        errors,
        state::{Call, State},
    },
    add_partitions_to_txn::fenced,
};

/// Decided, or why not.
pub fn handle(state: &mut State, call: &Call, request: EndTxnRequest) -> EndTxnResponse {
    let id: &str = &request.transactional_id;
    let code = if !state.allows(call, WRITE, TRANSACTIONAL_ID, id) {
        errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    } else if !state.coordinates(call, id) {
        errors::NOT_COORDINATOR
    } else {
        let identity = (*request.producer_id, request.producer_epoch);
        let now = state.now_ms();
        let ended = state.transactions.end(id, identity, now, request.committed);
        fenced(ended.err().unwrap_or(errors::NONE), call.version)
    };
    EndTxnResponse::default().with_error_code(code)
}
