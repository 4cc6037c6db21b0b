//! What time a cluster thinks it is.

use std::time::Duration;

use kafka_protocol::messages::{
    BrokerId, DescribeQuorumRequest,
    describe_quorum_request::{PartitionData, TopicData},
};

use super::{Cluster, Error, Result, pool::kafka_name};
use crate::{
    clock::{self, BootInstant},
    wire::{Error as WireError, versions::Ask},
};

const QUORUM: &str = "__cluster_metadata";

/// A cluster's clock, read against ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Milliseconds that it is ahead of this machine's.
    pub ahead_ms: i64,
    /// How far off that may be: half of what the question took.
    pub within: Duration,
}

impl Cluster {
    /// The clock of the active controller: in its answer to DescribeQuorum (KIP-836) it gives itself, as the leader, the time it
    /// answered at as the time it was last caught up. Nothing else in the protocol tells a broker's time without a write. `Ok(None)`
    /// where the cluster does not offer that (ZooKeeper, before Apache Kafka 3.3); the right to Describe the cluster is needed.
    pub async fn clock(&self) -> Result<Option<ClockReading>> {
        let api = DescribeQuorumRequest::API.name;
        let topic = TopicData::default()
            .with_topic_name(kafka_name(QUORUM))
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
        let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
        let conn = self.any().await?;
        let (before, asked) = (clock::unix_millis(), BootInstant::now());
        let answer = match self.ask(&conn, &request).await {
            Ok(answer) => answer,
            Err(error) if matches!(error.wire(), Some(WireError::Version { .. })) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let took = asked.elapsed();
        let refused = |code: i16| Error::Kafka {
            side: self.side(),
            broker: Some(conn.address().clone()),
            api,
            topic: None,
            partition: None,
            code,
            message: None,
        };
        if answer.error_code != 0 {
            return Err(refused(answer.error_code));
        }
        let Some(partition) = answer
            .topics
            .iter()
            .flat_map(|topic| &topic.partitions)
            .next()
        else {
            return Ok(None);
        };
        if partition.error_code != 0 {
            return Err(refused(partition.error_code));
        }
        let leader: BrokerId = partition.leader_id;
        let told = partition
            .current_voters
            .iter()
            .find(|voter| voter.replica_id == leader)
            .map(|voter| voter.last_caught_up_timestamp)
            .filter(|time| *time > 0);
        let half = i64::try_from(took.as_millis() / 2).unwrap_or(i64::MAX);
        Ok(told.map(|time| ClockReading {
            ahead_ms: time - before.saturating_add(half),
            within: took / 2,
        }))
    }
}
