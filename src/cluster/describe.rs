//! Topics, partitions and active producers.

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeProducersRequest, MetadataRequest, describe_producers_request::TopicRequest,
    metadata_response::MetadataResponseTopic,
};
use uuid::Uuid;

use super::{
    Cluster, Error, Result,
    pool::{Lane, kafka_name},
};
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::{Error as WireError, versions::Ask},
};

/// A topic and its partitions, in order.
#[derive(Debug, Clone)]
pub struct TopicInfo {
    /// The name.
    pub name: TopicName,
    /// Its id; nil where the broker has none (before 2.8).
    pub id: Uuid,
    /// Does the broker mark it internal?
    pub internal: bool,
    /// By number.
    pub partitions: Vec<PartitionInfo>,
}

impl TopicInfo {
    /// Its partitions by their names.
    pub fn named_partitions(&self) -> impl Iterator<Item = TopicPartition> {
        let at = |number| TopicPartition::new(self.name.clone(), number);
        self.partitions.iter().map(move |one| at(one.partition))
    }
}

/// One partition.
#[derive(Debug, Clone)]
pub struct PartitionInfo {
    /// Its number.
    pub partition: i32,
    /// Broker id of the leader.
    pub leader: Option<i32>,
    /// Epoch of the leader, -1 if unknown.
    pub leader_epoch: i32,
    /// How many replicas there are.
    pub replicas: usize,
    /// How many of them are in sync.
    pub isr: usize,
}

/// A producer that a partition's leader remembers (DescribeProducers, KIP-664).
#[derive(Debug, Clone, Copy)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Last sequence appended, -1 if none.
    pub last_sequence: i32,
    /// Largest timestamp of its last batch, in milliseconds since the epoch.
    pub last_timestamp: i64,
    /// First offset of its open transaction, if it has one.
    pub transaction_start: Option<i64>,
}

impl Cluster {
    /// All topics (`None`), or the named ones; an unknown name is left out of the answer. Refreshes the leader cache too. Never auto-creates.
    pub async fn topics(&self, names: Option<&[TopicName]>) -> Result<Vec<TopicInfo>> {
        let mut patience = self.patience(MetadataRequest::API.name);
        loop {
            let answer = self.metadata(names).await?;
            match answer
                .topics
                .iter()
                .filter(|topic| topic.error_code != 3)
                .map(|topic| self.topic(topic))
                .collect()
            {
                Ok(mut topics) => {
                    let topics: &mut Vec<TopicInfo> = &mut topics;
                    topics.sort_by(|a, b| a.name.cmp(&b.name));
                    return Ok(std::mem::take(topics));
                }
                Err(error) => patience.after(error).await?,
            };
        }
    }

    /// The named topics, each with its own error; an unknown name is left out. Asks once.
    pub async fn topics_each(
        &self,
        names: &[TopicName],
    ) -> Result<HashMap<TopicName, Result<TopicInfo>>> {
        let answer = self.metadata(Some(names)).await?;
        let known = answer.topics.iter().filter(|topic| topic.error_code != 3);
        Ok(known
            .map(|topic| {
                let name: TopicName = topic.name.as_ref().map_or("", |name| &*name.0).into();
                (name, self.topic(topic))
            })
            .collect())
    }

    fn topic(&self, topic: &MetadataResponseTopic) -> Result<TopicInfo> {
        let name: TopicName = topic.name.as_ref().map_or("", |name| &*name.0).into();
        if topic.error_code != 0 {
            return Err(Error::Kafka {
                side: self.side(),
                broker: None,
                api: MetadataRequest::API.name,
                topic: Some(name),
                partition: None,
                code: topic.error_code,
                message: None,
            });
        }
        let mut partitions: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| PartitionInfo {
                partition: partition.partition_index,
                leader: Some(partition.leader_id.0).filter(|&id| id >= 0),
                leader_epoch: partition.leader_epoch,
                replicas: partition.replica_nodes.len(),
                isr: partition.isr_nodes.len(),
            })
            .collect();
        partitions.sort_unstable_by_key(|partition| partition.partition);
        Ok(TopicInfo {
            name,
            id: topic.topic_id,
            internal: topic.is_internal,
            partitions,
        })
    }

    /// Active producers per partition (DescribeProducers); Ok(None) where the broker does not offer the API.
    pub async fn active_producers(
        &self,
        of: &[TopicPartition],
    ) -> Result<Option<HashMap<TopicPartition, Vec<ActiveProducer>>>> {
        let api = DescribeProducersRequest::API.name;
        let mut patience = self.patience(api);
        let mut found = HashMap::new();
        loop {
            let used = self.inner.leaders.generation();
            let open: Vec<_> = of
                .iter()
                .filter(|at| !found.contains_key(*at))
                .cloned()
                .collect();
            let (led, orphans) = self.by_leader(open).await?;
            let mut failed = orphans.first().map(|at| self.orphan(at));
            for (broker, partitions) in led {
                match self.producers_at(broker, &partitions, &mut found).await {
                    Ok(()) => {}
                    Err(error) if matches!(error.wire(), Some(WireError::Version { .. })) => {
                        return Ok(None);
                    }
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                None => return Ok(Some(found)),
                Some(error) => {
                    if patience.after(error).await? {
                        self.refresh_since(used).await?;
                    }
                }
            }
        }
    }

    async fn producers_at(
        &self,
        broker: i32,
        of: &[TopicPartition],
        found: &mut HashMap<TopicPartition, Vec<ActiveProducer>>,
    ) -> Result<()> {
        let api = DescribeProducersRequest::API.name;
        let conn = self.conn(broker, Lane::Ask, api).await?;
        let mut topics: HashMap<&TopicName, Vec<i32>> = HashMap::new();
        for at in of {
            topics.entry(&at.topic).or_default().push(at.partition);
        }
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| {
                TopicRequest::default()
                    .with_name(kafka_name(name))
                    .with_partition_indexes(partitions)
            })
            .collect();
        let answer = self
            .ask(
                &conn,
                &DescribeProducersRequest::default().with_topics(topics),
            )
            .await?;
        let mut failed = None;
        for topic in answer.topics {
            for partition in topic.partitions {
                let at = TopicPartition::new(&*topic.name.0, partition.partition_index);
                if partition.error_code == 0 {
                    let producers =
                        partition
                            .active_producers
                            .iter()
                            .map(|producer| ActiveProducer {
                                producer_id: producer.producer_id.0,
                                producer_epoch: i16::try_from(producer.producer_epoch)
                                    .unwrap_or(-1),
                                last_sequence: producer.last_sequence,
                                last_timestamp: producer.last_timestamp,
                                transaction_start: Some(producer.current_txn_start_offset)
                                    .filter(|offset| *offset >= 0),
                            });
                    found.insert(at, producers.collect());
                } else {
                    failed = Some(Error::Kafka {
                        side: self.side(),
                        broker: Some(conn.address().clone()),
                        api,
                        topic: Some(at.topic),
                        partition: Some(at.partition),
                        code: partition.error_code,
                        message: partition.error_message.map(|message| message.to_string()),
                    });
                }
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        match of.iter().find(|at| !found.contains_key(*at)) {
            None => Ok(()),
            Some(at) => Err(Error::Incomplete {
                side: self.side(),
                broker: conn.address().clone(),
                api,
                what: at.to_string(),
            }),
        }
    }
}
