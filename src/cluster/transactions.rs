//! The transaction coordinator: producer ids, epochs, and transactions used as barriers.

use std::{collections::HashMap, time::Duration};

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest,
    ProducerId, TransactionalId, add_partitions_to_txn_request::AddPartitionsToTxnTopic,
};

use super::{
    Error, Result, Target,
    patience::Patience,
    pool::{Lane, kafka_name, text},
};
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::{conn::Conn, versions::Ask},
};

/// `FindCoordinatorRequest.CoordinatorType.TRANSACTION`.
const TRANSACTION: i8 = 1;
/// A transaction of ours holds no data and lives for milliseconds; one that is left behind is aborted by the broker after this long.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Several request timeouts: a coordinator may be moving, loading its log, or finishing the transaction before.
const REQUEST_TIMEOUTS: u32 = 4;
/// Partitions per AddPartitionsToTxn: each is a few dozen bytes in the request and in the coordinator's log record.
const PARTITIONS_AT_ONCE: usize = 1_000;
/// The answer for partitions that were fine while another of the same request was not.
const OPERATION_NOT_ATTEMPTED: i16 = 55;
const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;

/// A producer id and its epoch, as the transaction coordinator handed it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdentity {
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Commit marker.
    Commit,
    /// Abort marker.
    Abort,
}

impl Target {
    /// InitProducerId(-1, -1) on a transactional id: a new epoch of its producer id, or a new producer id if the old one is gone.
    /// Retries CONCURRENT_TRANSACTIONS, coordinator moves and loading inside, up to the request timeout several times over.
    pub async fn init_producer(&self, transactional_id: &str) -> Result<ProducerIdentity> {
        let api = InitProducerIdRequest::API.name;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(transactional_id))))
            .with_transaction_timeout_ms(TRANSACTION_TIMEOUT.as_millis() as i32)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let mut patience = self.long_patience(api);
        loop {
            let tried = async {
                let conn = self.coordinator(transactional_id, api).await?;
                let answer = self.ask(&conn, &request).await?;
                self.check(&conn, api, answer.error_code)?;
                Ok(ProducerIdentity {
                    producer_id: answer.producer_id.0,
                    producer_epoch: answer.producer_epoch,
                })
            };
            match tried.await {
                Ok(identity) => return Ok(identity),
                Err(error) => {
                    self.coordinator_failed(transactional_id, &mut patience, error)
                        .await?
                }
            }
        }
    }

    /// A fresh producer id that belongs to no transactional id. Any broker hands it out to who may write to some topic.
    pub(super) async fn passing_identity(&self) -> Result<ProducerIdentity> {
        let api = InitProducerIdRequest::API.name;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(TRANSACTION_TIMEOUT.as_millis() as i32)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let mut patience = self.patience(api);
        loop {
            let tried = async {
                let conn = self.any().await?;
                let answer = self.ask(&conn, &request).await?;
                self.check(&conn, api, answer.error_code)?;
                Ok(ProducerIdentity {
                    producer_id: answer.producer_id.0,
                    producer_epoch: answer.producer_epoch,
                })
            };
            match tried.await {
                Ok(identity) => return Ok(identity),
                Err(error) => drop(patience.after(error).await?),
            }
        }
    }

    /// Does its coordinator know a transactional id? `None` where brokers do not tell (before Apache Kafka 3.0, or a missing right).
    pub async fn knows_transactional_id(&self, transactional_id: &str) -> Result<Option<bool>> {
        let api = DescribeTransactionsRequest::API.name;
        let request = DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![TransactionalId(text(transactional_id))]);
        let mut patience = self.long_patience(api);
        loop {
            let tried = async {
                let conn = self.coordinator(transactional_id, api).await?;
                let answer = self.ask(&conn, &request).await?;
                let code = answer.transaction_states.first().map(|one| one.error_code);
                match code {
                    Some(TRANSACTIONAL_ID_NOT_FOUND) => Ok(Some(false)),
                    Some(code) => self.check(&conn, api, code).map(|()| Some(true)),
                    None => Ok(None),
                }
            };
            match tried.await {
                Ok(known) => return Ok(known),
                Err(error) if error.passes().is_none() => {
                    tracing::debug!(%error, transactional_id, "a coordinator does not tell");
                    return Ok(None);
                }
                Err(error) => {
                    self.coordinator_failed(transactional_id, &mut patience, error)
                        .await?
                }
            }
        }
    }

    /// AddPartitionsToTxn v3, in chunks the broker takes.
    pub async fn add_partitions(
        &self,
        transactional_id: &str,
        identity: ProducerIdentity,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        let api = AddPartitionsToTxnRequest::API.name;
        for some in partitions.chunks(PARTITIONS_AT_ONCE) {
            let request = add_request(transactional_id, identity, some);
            let mut patience = self.long_patience(api);
            loop {
                let tried = async {
                    let conn = self.coordinator(transactional_id, api).await?;
                    let answer = self.ask(&conn, &request).await?;
                    let mut worst: Option<Error> = None;
                    let mut answered = 0;
                    for topic in &answer.results_by_topic_v3_and_below {
                        for partition in &topic.results_by_partition {
                            answered += 1;
                            let code = partition.partition_error_code;
                            if code == 0 || (code == OPERATION_NOT_ATTEMPTED && worst.is_some()) {
                                continue;
                            }
                            worst = Some(Error::Kafka {
                                side: self.side(),
                                broker: Some(conn.address().clone()),
                                api,
                                topic: Some(TopicName::from(&*topic.name.0)),
                                partition: Some(partition.partition_index),
                                code,
                                message: None,
                            });
                        }
                    }
                    match worst {
                        Some(error) => Err(error),
                        None if answered < some.len() => {
                            let what =
                                format!("{} of {} partitions", some.len() - answered, some.len());
                            Err(Error::Incomplete {
                                side: self.side(),
                                broker: conn.address().clone(),
                                api,
                                what,
                            })
                        }
                        None => Ok(()),
                    }
                };
                match tried.await {
                    Ok(()) => break,
                    Err(error) => {
                        self.coordinator_failed(transactional_id, &mut patience, error)
                            .await?
                    }
                }
            }
        }
        Ok(())
    }

    /// EndTxn v3.
    pub async fn end_transaction(
        &self,
        transactional_id: &str,
        identity: ProducerIdentity,
        end: End,
    ) -> Result<()> {
        let api = EndTxnRequest::API.name;
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(transactional_id)))
            .with_producer_id(ProducerId(identity.producer_id))
            .with_producer_epoch(identity.producer_epoch)
            .with_committed(end == End::Commit);
        let mut patience = self.long_patience(api);
        loop {
            let tried = async {
                let conn = self.coordinator(transactional_id, api).await?;
                let answer = self.ask(&conn, &request).await?;
                self.check(&conn, api, answer.error_code)
            };
            match tried.await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.coordinator_failed(transactional_id, &mut patience, error)
                        .await?
                }
            }
        }
    }

    fn long_patience(&self, api: &'static str) -> Patience {
        Patience::new(
            self.side(),
            api,
            self.settings().request_timeout * REQUEST_TIMEOUTS,
        )
    }

    async fn coordinator(&self, transactional_id: &str, api: &'static str) -> Result<Conn> {
        let known = self.coordinators().get(transactional_id).copied();
        let broker = match known {
            Some(broker) => broker,
            None => {
                let key = [transactional_id.to_owned()];
                let found = self.find_coordinators(TRANSACTION, &key).await?;
                let broker = match found.into_iter().next() {
                    Some((_, broker)) => broker?,
                    None => -1,
                };
                self.coordinators()
                    .insert(transactional_id.to_owned(), broker);
                broker
            }
        };
        self.conn(broker, Lane::Transact, api).await
    }

    /// Waits before another try, and forgets the coordinator if it may have moved.
    async fn coordinator_failed(
        &self,
        transactional_id: &str,
        patience: &mut Patience,
        error: Error,
    ) -> Result<()> {
        let unknown_broker = matches!(error, Error::NoBroker { .. });
        if patience.after(error).await? {
            self.coordinators().remove(transactional_id);
            if unknown_broker {
                self.refresh_leaders().await?;
            }
        }
        Ok(())
    }

    fn coordinators(&self) -> std::sync::MutexGuard<'_, HashMap<String, i32>> {
        self.inner
            .coordinators
            .lock()
            .expect("nothing panics while holding it")
    }

    fn check(&self, conn: &Conn, api: &'static str, code: i16) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let (side, broker) = (self.side(), Some(conn.address().clone()));
        Err(Error::Kafka {
            side,
            broker,
            api,
            topic: None,
            partition: None,
            code,
            message: None,
        })
    }
}

fn add_request(
    transactional_id: &str,
    identity: ProducerIdentity,
    partitions: &[TopicPartition],
) -> AddPartitionsToTxnRequest {
    let mut topics: HashMap<&TopicName, Vec<i32>> = HashMap::new();
    for at in partitions {
        topics.entry(&at.topic).or_default().push(at.partition);
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| {
            AddPartitionsToTxnTopic::default()
                .with_name(kafka_name(name))
                .with_partitions(partitions)
        })
        .collect();
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(TransactionalId(text(transactional_id)))
        .with_v3_and_below_producer_id(ProducerId(identity.producer_id))
        .with_v3_and_below_producer_epoch(identity.producer_epoch)
        .with_v3_and_below_topics(topics)
}
