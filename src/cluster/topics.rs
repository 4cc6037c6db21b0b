//! Commands on topics: create, grow, trim.

use std::collections::HashMap;

use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest,
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::{CreatableTopic, CreatableTopicConfig},
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
};

use super::{
    Error, Result, Target,
    pool::{Lane, kafka_name, text},
};
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::{conn::Conn, versions::Ask},
};

const TOPIC_ALREADY_EXISTS: i16 = 36;
const INVALID_PARTITIONS: i16 = 37;

/// A topic to be created.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions.
    pub partitions: i32,
    /// -1: the broker's default
    pub replication: i16,
    /// Settings that differ from the broker's defaults.
    pub configs: Vec<(String, String)>,
}

impl Target {
    /// One result per topic, in order. TOPIC_ALREADY_EXISTS is `Ok(false)`.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Result<bool>>> {
        let api = CreateTopicsRequest::API.name;
        let mut done: HashMap<TopicName, Result<bool>> = HashMap::with_capacity(topics.len());
        let mut patience = self.patience(api);
        loop {
            let open: Vec<&NewTopic> = topics
                .iter()
                .filter(|topic| !done.contains_key(&topic.name))
                .collect();
            let tried = async {
                let conn = self.controller(api).await?;
                let request = CreateTopicsRequest::default()
                    .with_topics(open.iter().map(|topic| creatable(topic)).collect())
                    .with_timeout_ms(self.timeout_ms())
                    .with_validate_only(validate_only);
                Ok((self.ask(&conn, &request).await?, conn))
            };
            let passing = match tried.await {
                Err(error) => Some(error),
                Ok((answer, conn)) => {
                    let mut passing = None;
                    for topic in answer.topics {
                        let name = TopicName::from(&*topic.name.0);
                        let message = topic.error_message.map(|message| message.to_string());
                        match topic.error_code {
                            0 => drop(done.insert(name, Ok(true))),
                            TOPIC_ALREADY_EXISTS => drop(done.insert(name, Ok(false))),
                            code => {
                                let error = self.refused(&conn, api, &name, None, code, message);
                                if error.passes().is_some() {
                                    passing = Some(error);
                                } else {
                                    done.insert(name, Err(error));
                                }
                            }
                        }
                    }
                    passing.or_else(|| {
                        let left = open.iter().find(|topic| !done.contains_key(&topic.name))?;
                        let what = left.name.to_string();
                        Some(Error::Incomplete {
                            side: self.side(),
                            broker: conn.address().clone(),
                            api,
                            what,
                        })
                    })
                }
            };
            match passing {
                None => break,
                Some(error) => {
                    if patience.after(error).await? {
                        self.refresh_leaders().await?;
                    }
                }
            }
        }
        Ok(topics
            .iter()
            .map(|topic| done.get(&topic.name).cloned().unwrap_or(Ok(false)))
            .collect())
    }

    /// Grows topics to as many partitions. One result per topic, in order; a topic that has as many already is fine.
    pub async fn grow_topics(&self, topics: &[(TopicName, i32)]) -> Result<Vec<Result<()>>> {
        let api = CreatePartitionsRequest::API.name;
        let mut done: HashMap<TopicName, Result<()>> = HashMap::with_capacity(topics.len());
        let mut patience = self.patience(api);
        loop {
            let open: Vec<&(TopicName, i32)> = topics
                .iter()
                .filter(|(name, _)| !done.contains_key(name))
                .collect();
            let grown = |(name, partitions): &&(TopicName, i32)| {
                CreatePartitionsTopic::default()
                    .with_name(kafka_name(name))
                    .with_count(*partitions)
                    .with_assignments(None)
            };
            let request = CreatePartitionsRequest::default()
                .with_topics(open.iter().map(grown).collect())
                .with_timeout_ms(self.timeout_ms());
            let tried = async {
                let conn = self.controller(api).await?;
                Ok((self.ask(&conn, &request).await?, conn))
            };
            let mut passing: HashMap<TopicName, Error> = HashMap::new();
            let error = match tried.await {
                Err(error) => Some(error),
                Ok((answer, conn)) => {
                    for result in answer.results {
                        let name = TopicName::from(&*result.name.0);
                        let message = result.error_message.map(|message| message.to_string());
                        match result.error_code {
                            0 => drop(done.insert(name, Ok(()))),
                            // Without an assignment of replicas this says only that the topic has as many partitions, or more
                            // (`ReplicationControlManager`): also when the command is repeated because its first answer was lost.
                            INVALID_PARTITIONS => drop(done.insert(name, Ok(()))),
                            code => {
                                let error = self.refused(&conn, api, &name, None, code, message);
                                if error.passes().is_some() {
                                    passing.insert(name, error);
                                } else {
                                    done.insert(name, Err(error));
                                }
                            }
                        }
                    }
                    let left = open.iter().find(|(name, _)| !done.contains_key(name));
                    left.map(|(name, _)| {
                        let left_out = || Error::Incomplete {
                            side: self.side(),
                            broker: conn.address().clone(),
                            api,
                            what: name.to_string(),
                        };
                        passing.get(name).cloned().unwrap_or_else(left_out)
                    })
                }
            };
            let Some(error) = error else { break };
            match patience.after(error).await {
                Ok(true) => self.refresh_leaders().await?,
                Ok(false) => {}
                // The trouble of some topics is not that of the others.
                Err(error) if passing.is_empty() => return Err(error),
                Err(_) => {
                    done.extend(passing.into_iter().map(|(name, error)| (name, Err(error))));
                    break;
                }
            }
        }
        Ok(topics
            .iter()
            .map(|(name, _)| done.get(name).cloned().unwrap_or(Ok(())))
            .collect())
    }

    /// Deletes records below `before` (DeleteRecords).
    pub async fn delete_records(&self, at: &TopicPartition, before: i64) -> Result<()> {
        let api = DeleteRecordsRequest::API.name;
        let partition = DeleteRecordsPartition::default()
            .with_partition_index(at.partition)
            .with_offset(before);
        let topic = DeleteRecordsTopic::default()
            .with_name(kafka_name(&at.topic))
            .with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(self.timeout_ms());
        let mut patience = self.patience(api);
        loop {
            let used = self.inner.leaders.generation();
            let tried = async {
                let conn = self.conn(self.leader(at).await?, Lane::Ask, api).await?;
                let answer = self.ask(&conn, &request).await?;
                let result = answer
                    .topics
                    .iter()
                    .flat_map(|topic| &topic.partitions)
                    .next();
                match result.map(|result| result.error_code) {
                    Some(0) => Ok(()),
                    Some(code) => {
                        Err(self.refused(&conn, api, &at.topic, Some(at.partition), code, None))
                    }
                    None => Err(Error::Incomplete {
                        side: self.side(),
                        broker: conn.address().clone(),
                        api,
                        what: at.to_string(),
                    }),
                }
            };
            match tried.await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_since(used).await?;
                    }
                }
            }
        }
    }

    /// ZooKeeper clusters take topic commands at the controller only; KRaft brokers all take them, and name one of themselves.
    pub(super) async fn controller(&self, api: &'static str) -> Result<Conn> {
        match self.inner.leaders.controller() {
            Some(controller) => self.conn(controller, Lane::Ask, api).await,
            None => self.any().await,
        }
    }

    fn timeout_ms(&self) -> i32 {
        i32::try_from(self.settings().request_timeout.as_millis() / 3 * 2).unwrap_or(i32::MAX)
    }

    pub(super) fn refused(
        &self,
        conn: &Conn,
        api: &'static str,
        topic: &TopicName,
        partition: Option<i32>,
        code: i16,
        message: Option<String>,
    ) -> Error {
        let (side, broker, topic) = (
            self.side(),
            Some(conn.address().clone()),
            Some(topic.clone()),
        );
        Error::Kafka {
            side,
            broker,
            api,
            topic,
            partition,
            code,
            message,
        }
    }
}

fn creatable(topic: &NewTopic) -> CreatableTopic {
    let config = |(name, value): &(String, String)| {
        CreatableTopicConfig::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
    };
    CreatableTopic::default()
        .with_name(kafka_name(&topic.name))
        .with_num_partitions(topic.partitions)
        .with_replication_factor(topic.replication)
        .with_configs(topic.configs.iter().map(config).collect())
}
