//! ListTransactions: the transactional ids that the asked broker coordinates (KIP-664, KIP-994).

use kafka_protocol::messages::{
    ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId,
    list_transactions_response::TransactionState,
};

use super::super::{
    acls::{operation::DESCRIBE, resource::TRANSACTIONAL_ID},
    state::{Call, State, text},
};

/// Names of `TransactionState`.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// Those that may be seen and fit the filters.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let now = state.now_ms();
    let filters = &request.state_filters;
    let ids = &request.producer_id_filters;
    let unknown = filters
        .iter()
        .filter(|name| !STATES.contains(&name.as_str()));
    let unknown: Vec<_> = unknown.cloned().collect();
    let each = state.transactions.all().filter(|(id, txn)| {
        state.allows(call, DESCRIBE, TRANSACTIONAL_ID, id)
            && state.coordinates(call, id)
            && (filters.is_empty() || filters.iter().any(|name| name.as_str() == txn.phase.name()))
            && (ids.is_empty() || ids.iter().any(|own| **own == txn.producer_id))
            && (request.duration_filter < 0
                || txn.started_ms >= 0 && now - txn.started_ms > request.duration_filter)
    });
    let each = each.map(|(id, txn)| {
        TransactionState::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(txn.producer_id))
            .with_transaction_state(text(txn.phase.name()))
    });
    let each = each.collect();
    ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown)
        .with_transaction_states(each)
}
