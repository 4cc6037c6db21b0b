//! Open transactions: which producers hold a partition's last stable offset back, whose they are, and how old.

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeTransactionsRequest, ListTransactionsRequest, ProducerId, TransactionalId,
};

use super::{
    Cluster, Result,
    pool::{Lane, text},
};
use crate::{
    model::names::TopicPartition,
    wire::{Error as WireError, versions::Ask},
};

/// A transaction that is open in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// The partition.
    pub at: TopicPartition,
    /// Its producer's id.
    pub producer_id: i64,
    /// Its first offset in the partition.
    pub first_offset: i64,
    /// What its coordinator says of it, if it says anything.
    pub owner: Option<Owner>,
    /// Largest timestamp of the producer's last batch there, in milliseconds since 1970.
    pub last_timestamp: i64,
}

/// What a coordinator says of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The application's transactional id.
    pub transactional_id: String,
    /// Kafka's word for where it is.
    pub state: String,
    /// When it began, in milliseconds since 1970, by the coordinator's clock.
    pub started_ms: Option<i64>,
    /// After how many milliseconds the coordinator aborts it.
    pub timeout_ms: i32,
}

impl Cluster {
    /// Transactions that are open in these partitions (DescribeProducers, ListTransactions, DescribeTransactions). `None` where the brokers
    /// do not offer the first; owners that nobody tells (a missing right, an older broker) stay unknown.
    pub async fn open_transactions(
        &self,
        of: &[TopicPartition],
    ) -> Result<Option<Vec<OpenTransaction>>> {
        let Some(producers) = self.active_producers(of).await? else {
            return Ok(None);
        };
        let mut open: Vec<OpenTransaction> = producers
            .into_iter()
            .flat_map(|(at, producers)| {
                producers.into_iter().filter_map(move |producer| {
                    Some(OpenTransaction {
                        at: at.clone(),
                        producer_id: producer.producer_id,
                        first_offset: producer.transaction_start?,
                        owner: None,
                        last_timestamp: producer.last_timestamp,
                    })
                })
            })
            .collect();
        open.sort_unstable_by(|a, b| (&a.at, a.first_offset).cmp(&(&b.at, b.first_offset)));
        let mut ids: Vec<i64> = open.iter().map(|one| one.producer_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let owners = self.owners(&ids).await;
        for one in &mut open {
            one.owner = owners.get(&one.producer_id).cloned();
        }
        Ok(Some(open))
    }

    /// Producers with a transactional id, by producer id: those that the coordinators show this login, which may not be all. `None` where
    /// the brokers do not offer to list them (before Apache Kafka 3.0).
    pub async fn transactional_ids(&self) -> Result<Option<HashMap<i64, String>>> {
        let api = ListTransactionsRequest::API.name;
        let mut ids = HashMap::new();
        for broker in self.brokers() {
            let conn = self.conn(broker, Lane::Ask, api).await?;
            match self.ask(&conn, &ListTransactionsRequest::default()).await {
                Ok(listed) => {
                    ids.extend(listed.transaction_states.into_iter().map(|listed| {
                        (listed.producer_id.0, listed.transactional_id.0.to_string())
                    }))
                }
                Err(error) if matches!(error.wire(), Some(WireError::Version { .. })) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(ids))
    }

    /// Every broker is asked for the transactions it coordinates.
    async fn owners(&self, producers: &[i64]) -> HashMap<i64, Owner> {
        let mut owners = HashMap::new();
        for broker in self.brokers() {
            if owners.len() == producers.len() {
                break;
            }
            match self.owners_at(broker, producers).await {
                Ok(found) => owners.extend(found),
                Err(error) => tracing::debug!(%error, "transactions cannot be listed"),
            }
        }
        owners
    }

    async fn owners_at(&self, broker: i32, producers: &[i64]) -> Result<HashMap<i64, Owner>> {
        let conn = self
            .conn(broker, Lane::Ask, ListTransactionsRequest::API.name)
            .await?;
        let list = ListTransactionsRequest::default()
            .with_producer_id_filters(producers.iter().copied().map(ProducerId).collect());
        let listed = self.ask(&conn, &list).await?.transaction_states;
        let mut owners: HashMap<i64, Owner> = listed
            .iter()
            .map(|listed| {
                let owner = Owner {
                    transactional_id: listed.transactional_id.0.to_string(),
                    state: listed.transaction_state.to_string(),
                    started_ms: None,
                    timeout_ms: 0,
                };
                (listed.producer_id.0, owner)
            })
            .collect();
        if owners.is_empty() {
            return Ok(owners);
        }
        let named = owners.values();
        let named = named.map(|owner| TransactionalId(text(&owner.transactional_id)));
        let describe =
            DescribeTransactionsRequest::default().with_transactional_ids(named.collect());
        for described in self.ask(&conn, &describe).await?.transaction_states {
            if described.error_code == 0
                && let Some(owner) = owners.get_mut(&described.producer_id.0)
            {
                let started = described.transaction_start_time_ms;
                owner.started_ms = (started >= 0).then_some(started);
                owner.timeout_ms = described.transaction_timeout_ms;
            }
        }
        Ok(owners)
    }
}
