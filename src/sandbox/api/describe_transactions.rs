//! DescribeTransactions: where transactional ids stand (KIP-664).

use kafka_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId, TopicName,
    describe_transactions_response::{TopicData, TransactionState},
};

use super::{
    super::{
        acls::{operation::DESCRIBE, resource::TRANSACTIONAL_ID},
        errors,
        state::{Call, State, text},
        transactions::Txn,
    },
    refuse::Refuse,
};

/// One answer per id.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let each = request.transactional_ids.into_iter().map(|id| {
        let name = id.to_string();
        let answer = TransactionState::default().with_transactional_id(id);
        let code = if !state.allows(call, DESCRIBE, TRANSACTIONAL_ID, &name) {
            errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        } else if !state.coordinates(call, &name) {
            errors::NOT_COORDINATOR
        } else if let Some(txn) = state.transactions.get(&name) {
            return described(answer, txn);
        } else {
            errors::TRANSACTIONAL_ID_NOT_FOUND
        };
        answer.with_error_code(code)
    });
    let states = each.collect();
    DescribeTransactionsResponse::default().with_transaction_states(states)
}

fn described(answer: TransactionState, txn: &Txn) -> TransactionState {
    let mut topics: Vec<TopicData> = Vec::new();
    for (topic, partition) in &txn.partitions {
        match topics.iter_mut().find(|one| &**one.topic == topic.as_str()) {
            Some(one) => one.partitions.push(*partition),
            None => topics.push(
                TopicData::default()
                    .with_topic(TopicName(text(topic)))
                    .with_partitions(vec![*partition]),
            ),
        }
    }
    answer
        .with_transaction_state(text(txn.phase.name()))
        .with_transaction_timeout_ms(txn.timeout_ms)
        .with_transaction_start_time_ms(txn.started_ms)
        .with_producer_id(ProducerId(txn.producer_id))
        .with_producer_epoch(txn.epoch)
        .with_topics(topics)
}

impl Refuse for DescribeTransactionsRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeTransactionsResponse {
        let each = self.transactional_ids.iter().map(|id| {
            TransactionState::default()
                .with_transactional_id(id.clone())
                .with_error_code(code)
        });
        DescribeTransactionsResponse::default().with_transaction_states(each.collect())
    }
}
