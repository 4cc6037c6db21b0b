//! AddOffsetsToTxn: the transaction will commit offsets of a group.

use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{
    super::{
        acls::{
            operation::{READ, WRITE},
            resource::{GROUP, TRANSACTIONAL_ID},
        },
        errors,
        state::{Call, State},
    },
    add_partitions_to_txn::fenced,
};

/// Done, or why not.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let id: &str = &request.transactional_id;
    let group: &str = &request.group_id;
    let code = if !state.allows(call, WRITE, TRANSACTIONAL_ID, id) {
        errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    } else if !state.allows(call, READ, GROUP, group) {
        errors::GROUP_AUTHORIZATION_FAILED
    } else if !state.coordinates(call, id) {
        errors::NOT_COORDINATOR
    } else {
        let identity = (*request.producer_id, request.producer_epoch);
        let now = state.now_ms();
        let added = state.transactions.add_group(id, identity, now, group);
        fenced(added.err().unwrap_or(errors::NONE), call.version)
    };
    AddOffsetsToTxnResponse::default().with_error_code(code)
}
