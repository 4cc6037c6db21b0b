//! Topics of our own, `kafka-migrate.*`: plain appends of one record, and the journal's topic, the only one of a source that can be written.

use kafka_protocol::messages::DeleteTopicsRequest;

use crate::{
    clock,
    model::{
        direction::Direction,
        names::{TopicName, TopicPartition},
    },
    wire::{
        batch::{Stamp, Stamped},
        encode::batch_of_one,
        record::Records,
        retry::{self, ProduceVerdict},
        versions::{Ask as _, PRODUCE},
    },
};

use super::{
    Error, NewTopic, OffsetSpec, ProduceAnswer, ProducePart, Producer, Result, Source, Target,
    pool::{Lane, kafka_name},
};

/// Replicas, where there are so many brokers.
const REPLICAS: usize = 3;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// Bytes per request when reading.
const CHUNK: i32 = 1 << 20;
/// No record of ours is larger than what a broker takes in one batch.
const LARGEST: usize = 16 << 20;

/// The journal's topic on one cluster. It is made and appended to; on a source nothing else can be written through it.
#[derive(Clone)]
pub struct JournalTopic {
    cluster: Target,
    at: TopicPartition,
}

impl Source {
    /// The journal's topic of a migration.
    pub fn journal(&self, migration: &str) -> JournalTopic {
        // Inside, and only here, a source is written as a target is.
        JournalTopic::new(Target(self.0.clone()), migration)
    }
}

impl Target {
    /// The journal's topic of a migration.
    pub fn journal(&self, migration: &str) -> JournalTopic {
        JournalTopic::new(self.clone(), migration)
    }

    /// Settings of a topic of ours: nothing of it is ever deleted by time or size.
    fn own_topic(&self, name: TopicName) -> NewTopic {
        let replicas = self.brokers().len().clamp(1, REPLICAS);
        let mut configs = vec![
            ("cleanup.policy".to_owned(), "delete".to_owned()),
            ("retention.ms".to_owned(), "-1".to_owned()),
            ("retention.bytes".to_owned(), "-1".to_owned()),
        ];
        if replicas == REPLICAS {
            configs.push(("min.insync.replicas".to_owned(), "2".to_owned()));
        }
        NewTopic {
            name,
            partitions: 1,
            replication: i16::try_from(replicas).unwrap_or(1),
            configs,
        }
    }

    /// Removes the ledger of a direction that this cluster holds. Nothing but a topic of our own can be named. Removed by somebody else meanwhile is as
    /// good.
    pub async fn remove_ledger(&self, migration: &str, direction: Direction) -> Result<()> {
        let name = format!("kafka-migrate.{migration}.{direction}");
        self.remove_topic(&name.as_str().into()).await
    }

    /// Removes a topic of our own.
    pub(super) async fn remove_topic(&self, name: &TopicName) -> Result<()> {
        let api = DeleteTopicsRequest::API.name;
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![kafka_name(name)])
            .with_timeout_ms(10_000);
        let mut patience = self.patience(api);
        loop {
            let tried = async {
                let conn = self.controller(api).await?;
                let answer = self.ask(&conn, &request).await?;
                let code = answer.responses.first().map_or(0, |one| one.error_code);
                match code {
                    0 | UNKNOWN_TOPIC_OR_PARTITION => Ok(()),
                    code => Err(self.refused(&conn, api, name, None, code, None)),
                }
            };
            match tried.await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_leaders().await?;
                    }
                }
            }
        }
    }

    /// Appends one record, acknowledged by all replicas in sync, without an identity: after an unknown outcome it is sent again, and may
    /// then stand there twice. Answers where the one stands that was acknowledged.
    pub async fn append(&self, at: &TopicPartition, value: &[u8]) -> Result<i64> {
        let stamp = Stamp {
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        };
        self.append_batch(at, || batch_of_one(value, clock::unix_millis(), stamp))
            .await
    }

    /// Appends a batch, which is made anew for each try; see [`Self::append`].
    pub(super) async fn append_batch(
        &self,
        at: &TopicPartition,
        batch: impl Fn() -> Stamped,
    ) -> Result<i64> {
        let mut patience = self.patience(PRODUCE.name);
        loop {
            let used = self.inner.leaders.generation();
            let part = ProducePart {
                at: at.clone(),
                batch: batch(),
            };
            let error = match self.append_once(part).await {
                Ok(answer) => match retry::produce_verdict(answer.error) {
                    ProduceVerdict::Appended => return Ok(answer.base_offset),
                    ProduceVerdict::Retry { .. } | ProduceVerdict::Unknown => {
                        self.refusal(at, answer)
                    }
                    ProduceVerdict::Identity | ProduceVerdict::Refused => {
                        return Err(self.refusal(at, answer));
                    }
                },
                Err(error) => error,
            };
            if patience.after(error).await? {
                self.refresh_since(used).await?;
            }
        }
    }

    async fn append_once(&self, part: ProducePart) -> Result<ProduceAnswer> {
        let leader = self.leader(&part.at).await?;
        let conn = self.conn(leader, Lane::Own, PRODUCE.name).await?;
        let at = part.at.clone();
        let producer = Producer::over(self, conn)?;
        let (answers, _) = producer.send(vec![part]).await?.answers().await?;
        let answer = answers.into_iter().next();
        // Without an answer the outcome is unknown.
        Ok(answer.unwrap_or(ProduceAnswer {
            at,
            error: 7,
            base_offset: -1,
            message: None,
        }))
    }

    fn refusal(&self, at: &TopicPartition, answer: ProduceAnswer) -> Error {
        Error::Kafka {
            side: self.side(),
            broker: None,
            api: PRODUCE.name,
            topic: Some(at.topic.clone()),
            partition: Some(at.partition),
            code: answer.error,
            message: answer.message,
        }
    }
}

impl JournalTopic {
    fn new(cluster: Target, migration: &str) -> Self {
        let name = TopicName::from(format!("kafka-migrate.{migration}.journal"));
        Self {
            cluster,
            at: TopicPartition::new(name, 0),
        }
    }

    /// Its name.
    pub fn topic(&self) -> &TopicName {
        &self.at.topic
    }

    /// Is it there?
    pub async fn exists(&self) -> Result<bool> {
        let name = std::slice::from_ref(&self.at.topic);
        Ok(!self.cluster.topics(Some(name)).await?.is_empty())
    }

    /// Removes it. Removed by somebody else meanwhile is as good.
    pub async fn remove(&self) -> Result<()> {
        self.cluster.remove_topic(&self.at.topic).await
    }

    /// Makes it. Made by somebody else meanwhile is as good.
    pub async fn make(&self) -> Result<()> {
        let topic = self.cluster.own_topic(self.at.topic.clone());
        let made = self.cluster.create_topics(&[topic], false).await?;
        made.into_iter().try_for_each(|made| made.map(drop))
    }

    /// Appends a value; see [`Target::append`].
    pub async fn append(&self, value: &[u8]) -> Result<i64> {
        self.cluster.append(&self.at, value).await
    }

    /// Values from an offset on, to the end as it is now, and the offset after the last. What was deleted is passed over.
    pub async fn read(&self, from: i64) -> Result<(Vec<Vec<u8>>, i64)> {
        let mut next = from;
        let mut values = Vec::new();
        loop {
            let (batches, end) = match self.cluster.read(&self.at, next, CHUNK).await {
                Ok(read) => read,
                // Its beginning was deleted.
                Err(error) if error.code() == Some(1) => {
                    let at = std::slice::from_ref(&self.at);
                    let starts = self.cluster.offsets(at, OffsetSpec::Earliest).await;
                    match starts.get(&self.at) {
                        Some(Ok(start)) if *start > next => {
                            next = *start;
                            continue;
                        }
                        _ => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            };
            let before = next;
            for batch in batches {
                let after = batch.header.next_offset();
                if after <= next {
                    continue;
                }
                if !batch.header.is_control() {
                    let damaged = |source: crate::wire::record::RecordError| Error::Incomplete {
                        side: self.cluster.side(),
                        broker: self.at.to_string().into(),
                        api: "Fetch",
                        what: format!("a readable batch at offset {next} ({source})"),
                    };
                    for record in Records::of(&batch, LARGEST).map_err(damaged)? {
                        let record = record.map_err(damaged)?;
                        if record.offset >= next {
                            values.push(record.value.as_deref().unwrap_or_default().to_vec());
                        }
                    }
                }
                next = after;
            }
            if next >= end {
                return Ok((values, next));
            }
            if next == before {
                // Nothing readable below the end: a hole.
                next = end;
            }
        }
    }
}
