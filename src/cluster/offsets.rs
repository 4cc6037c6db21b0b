//! First, last and stable offsets of many partitions at once.

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
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::versions::Ask,
};

/// Which offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// log start
    Earliest,
    /// high watermark (read_uncommitted end)
    End,
    /// last stable offset (read_committed end)
    Stable,
    /// the first record that is as young as this, in milliseconds since 1970; `i64::MAX` where there is none
    Since(i64),
}

impl OffsetSpec {
    /// The special timestamps of ListOffsets that every version from 1 on knows.
    fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::End | Self::Stable => -1,
            Self::Since(time) => time.max(0),
        }
    }

    fn isolation(self) -> i8 {
        i8::from(self == Self::Stable)
    }
}

impl Cluster {
    /// Offsets of many partitions at once; a partition that could not be asked carries its own error. Retries leader moves inside.
    pub async fn offsets(
        &self,
        of: &[TopicPartition],
        spec: OffsetSpec,
    ) -> HashMap<TopicPartition, Result<i64>> {
        let mut known: HashMap<TopicPartition, Result<i64>> = HashMap::with_capacity(of.len());
        let mut patience = self.patience(ListOffsetsRequest::API.name);
        let mut open = of.to_vec();
        open.sort_unstable();
        open.dedup();
        loop {
            let used = self.inner.leaders.generation();
            let mut failed: Vec<(TopicPartition, Error)> = Vec::new();
            match self.by_leader(open.clone()).await {
                Err(error) => failed.extend(open.drain(..).map(|at| (at, error.clone()))),
                Ok((led, orphans)) => {
                    failed.extend(orphans.into_iter().map(|at| (at.clone(), self.orphan(&at))));
                    let mut asked = JoinSet::new();
                    for (broker, partitions) in led {
                        let cluster = self.clone();
                        asked.spawn(async move {
                            match cluster.offsets_at(broker, &partitions, spec).await {
                                Ok(offsets) => offsets,
                                Err(error) => partitions
                                    .into_iter()
                                    .map(|at| (at, Err(error.clone())))
                                    .collect(),
                            }
                        });
                    }
                    for (at, offset) in asked.join_all().await.into_iter().flatten() {
                        match offset {
                            Ok(offset) => drop(known.insert(at, Ok(offset))),
                            Err(error) => failed.push((at, error)),
                        }
                    }
                }
            }
            // Partitions whose error will not pass are answered now, the others are asked again together.
            let (again, over): (Vec<_>, Vec<_>) = failed
                .into_iter()
                .partition(|(_, error)| error.passes().is_some());
            known.extend(over.into_iter().map(|(at, error)| (at, Err(error))));
            let Some((_, error)) = again.first() else {
                return known;
            };
            match patience.after(error.clone()).await {
                Ok(refresh) => {
                    if refresh {
                        // The next round meets the same trouble and reports it.
                        let _ = self.refresh_since(used).await;
                    }
                    open = again.into_iter().map(|(at, _)| at).collect();
                }
                Err(_) => {
                    known.extend(again.into_iter().map(|(at, error)| (at, Err(error))));
                    return known;
                }
            }
        }
    }

    async fn offsets_at(
        &self,
        broker: i32,
        of: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<Vec<(TopicPartition, Result<i64>)>> {
        let api = ListOffsetsRequest::API.name;
        let conn = self.conn(broker, Lane::Ask, api).await?;
        let answer = self.ask(&conn, &request(of, spec)).await?;
        let mut offsets = Vec::with_capacity(of.len());
        let mut missing: std::collections::HashSet<TopicPartition> = of.iter().cloned().collect();
        for topic in answer.topics {
            for partition in topic.partitions {
                let at = TopicPartition::new(&*topic.name.0, partition.partition_index);
                if !missing.remove(&at) {
                    continue;
                }
                let offset = if partition.error_code != 0 {
                    Err(Error::Kafka {
                        side: self.side(),
                        broker: Some(conn.address().clone()),
                        api,
                        topic: Some(at.topic.clone()),
                        partition: Some(at.partition),
                        code: partition.error_code,
                        message: None,
                    })
                } else if matches!(spec, OffsetSpec::Since(_)) && partition.offset < 0 {
                    Ok(i64::MAX)
                } else if partition.offset < 0 {
                    Err(self.left_out(&conn, &at))
                } else {
                    Ok(partition.offset)
                };
                offsets.push((at, offset));
            }
        }
        offsets.extend(missing.into_iter().map(|at| {
            let error = self.left_out(&conn, &at);
            (at, Err(error))
        }));
        Ok(offsets)
    }

    fn left_out(&self, conn: &crate::wire::conn::Conn, at: &TopicPartition) -> Error {
        let api = ListOffsetsRequest::API.name;
        Error::Incomplete {
            side: self.side(),
            broker: conn.address().clone(),
            api,
            what: format!("the offset of {at}"),
        }
    }
}

fn request(of: &[TopicPartition], spec: OffsetSpec) -> ListOffsetsRequest {
    let mut topics: HashMap<&TopicName, Vec<ListOffsetsPartition>> = HashMap::new();
    for at in of {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(at.partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(spec.timestamp());
        topics.entry(&at.topic).or_default().push(partition);
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| {
            ListOffsetsTopic::default()
                .with_name(kafka_name(name))
                .with_partitions(partitions)
        })
        .collect();
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(spec.isolation())
        .with_topics(topics)
}
