//! Where times stand in partitions: the youngest record of each, and the first that is younger than a moment.

use std::collections::HashMap;

use kafka_protocol::messages::{
    BrokerId, ListOffsetsRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
};
use tokio::task::JoinSet;

use super::{
    Cluster, Error, Result,
    pool::{Lane, kafka_name},
};
use crate::{model::names::TopicPartition, wire::versions::Ask};

/// Asks for the record with the largest timestamp (KIP-734), from version 7 on. An older broker would take it for a time.
const YOUNGEST: i64 = -3;
const YOUNGEST_FROM: i16 = 7;

/// A record that was found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970.
    pub time: i64,
}

impl Cluster {
    /// The record with the largest timestamp of each partition; `None` where there is no record.
    pub async fn youngest(
        &self,
        of: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, Option<Timed>>> {
        let asked = of.iter().map(|at| (at.clone(), YOUNGEST)).collect();
        self.timed(asked, YOUNGEST_FROM).await
    }

    /// The first record of each partition that is as young as the time beside it; `None` where there is none.
    pub async fn first_since(
        &self,
        of: HashMap<TopicPartition, i64>,
    ) -> Result<HashMap<TopicPartition, Option<Timed>>> {
        let asked = of.into_iter().map(|(at, time)| (at, time.max(0))).collect();
        self.timed(asked, 0).await
    }

    async fn timed(
        &self,
        times: HashMap<TopicPartition, i64>,
        least: i16,
    ) -> Result<HashMap<TopicPartition, Option<Timed>>> {
        let (led, orphans) = self.by_leader(times.keys().cloned().collect()).await?;
        if let Some(at) = orphans.first() {
            return Err(self.orphan(at));
        }
        let mut asked = JoinSet::new();
        for (broker, partitions) in led {
            let cluster = self.clone();
            let some: Vec<(TopicPartition, i64)> = partitions
                .into_iter()
                .map(|at| {
                    let time = times.get(&at).copied().unwrap_or(0);
                    (at, time)
                })
                .collect();
            asked.spawn(async move { cluster.timed_at(broker, some, least).await });
        }
        let mut found = HashMap::with_capacity(times.len());
        for answer in asked.join_all().await {
            found.extend(answer?);
        }
        Ok(found)
    }

    async fn timed_at(
        &self,
        broker: i32,
        of: Vec<(TopicPartition, i64)>,
        least: i16,
    ) -> Result<Vec<(TopicPartition, Option<Timed>)>> {
        let api = ListOffsetsRequest::API.name;
        let conn = self.conn(broker, Lane::Ask, api).await?;
        let speaks = conn.versions().pick(ListOffsetsRequest::API);
        if speaks.is_none_or(|version| version < least) {
            return Err(Error::Incomplete {
                side: self.side(),
                broker: conn.address().clone(),
                api,
                what: "the youngest record: Apache Kafka tells it from 3.0 on".to_owned(),
            });
        }
        let answer = self.ask(&conn, &request(&of)).await?;
        let mut found = Vec::with_capacity(of.len());
        for topic in answer.topics {
            for partition in topic.partitions {
                let at = TopicPartition::new(&*topic.name.0, partition.partition_index);
                if partition.error_code != 0 {
                    return Err(Error::Kafka {
                        side: self.side(),
                        broker: Some(conn.address().clone()),
                        api,
                        topic: Some(at.topic.clone()),
                        partition: Some(at.partition),
                        code: partition.error_code,
                        message: None,
                    });
                }
                let timed = (partition.offset >= 0).then_some(Timed {
                    offset: partition.offset,
                    time: partition.timestamp,
                });
                found.push((at, timed));
            }
        }
        match of
            .iter()
            .find(|(at, _)| !found.iter().any(|(there, _)| there == at))
        {
            None => Ok(found),
            Some((at, _)) => Err(Error::Incomplete {
                side: self.side(),
                broker: conn.address().clone(),
                api,
                what: format!("the offset of {at}"),
            }),
        }
    }
}

fn request(of: &[(TopicPartition, i64)]) -> ListOffsetsRequest {
    let mut topics: HashMap<&str, Vec<ListOffsetsPartition>> = HashMap::new();
    for (at, time) in of {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(at.partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(*time);
        topics.entry(&at.topic).or_default().push(partition);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        ListOffsetsTopic::default()
            .with_name(kafka_name(name))
            .with_partitions(partitions)
    });
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(topics.collect())
}
