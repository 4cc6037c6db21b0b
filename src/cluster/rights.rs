//! What this login may do: asked where Kafka tells (KIP-430), tried where it does not, in ways that can change nothing.

use std::collections::{BTreeSet, HashMap};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DescribeClusterRequest, DescribeGroupsRequest, DescribeProducersRequest,
    EndTxnRequest, GroupId, MetadataRequest, ProducerId, TransactionalId,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    describe_producers_request::TopicRequest,
    metadata_request::MetadataRequestTopic,
};

use super::{
    Cluster, Error, Result, Target,
    pool::{kafka_name, text},
    produce,
};
use crate::{
    model::names::TopicName,
    wire::{
        frame::{put_header, put_length, put_string},
        kept::Chunk,
        versions::{Ask, PRODUCE},
    },
};

pub(super) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
pub(super) const GROUP_AUTHORIZATION_FAILED: i16 = 30;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
/// What an answer holds where operations were not asked for or cannot be told.
const NOT_TOLD: i32 = i32::MIN;
/// Topics per request.
pub(super) const AT_ONCE: usize = 500;

/// Something that can be done to a resource (`org.apache.kafka.common.acl.AclOperation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub enum Operation {
    /// Read records or positions.
    Read = 3,
    /// Write records.
    Write = 4,
    /// Make it.
    Create = 5,
    /// Remove it, or records of it.
    Delete = 6,
    /// Change it.
    Alter = 7,
    /// See it.
    Describe = 8,
    /// What brokers do among themselves.
    ClusterAction = 9,
    /// See its settings.
    DescribeConfigs = 10,
    /// Change its settings.
    AlterConfigs = 11,
    /// Write with sequence numbers.
    IdempotentWrite = 12,
}

impl Operation {
    const ALL: [Self; 10] = [
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Alter,
        Self::Describe,
        Self::ClusterAction,
        Self::DescribeConfigs,
        Self::AlterConfigs,
        Self::IdempotentWrite,
    ];

    /// As `kafka-acls` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Delete => "Delete",
            Self::Alter => "Alter",
            Self::Describe => "Describe",
            Self::ClusterAction => "ClusterAction",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
            Self::IdempotentWrite => "IdempotentWrite",
        }
    }
}

/// What may be done to one resource.
pub type Operations = BTreeSet<Operation>;

/// What came of trying a right in a way that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Refused for something else than the right, which is looked at first.
    Allowed,
    /// The right is missing.
    Denied,
}

fn operations(bits: i32) -> Option<Operations> {
    let has = |operation: &Operation| bits & (1 << (*operation as i32)) != 0;
    (bits != NOT_TOLD).then(|| Operation::ALL.into_iter().filter(has).collect())
}

impl Cluster {
    /// What may be done to the cluster. `None` where it does not tell.
    pub async fn cluster_rights(&self) -> Result<Option<Operations>> {
        let request =
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
        let conn = self.any().await?;
        let answer = self.ask(&conn, &request).await?;
        if answer.error_code != 0 {
            return Err(Error::Kafka {
                side: self.side(),
                broker: Some(conn.address().clone()),
                api: DescribeClusterRequest::API.name,
                topic: None,
                partition: None,
                code: answer.error_code,
                message: answer.error_message.map(|message| message.to_string()),
            });
        }
        Ok(operations(answer.cluster_authorized_operations))
    }

    /// What may be done to topics that are there; one that is not, or is not shown, stays out.
    pub async fn topic_rights(
        &self,
        names: &[TopicName],
    ) -> Result<HashMap<TopicName, Option<Operations>>> {
        let mut rights = HashMap::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let topic = |name: &TopicName| {
                MetadataRequestTopic::default().with_name(Some(kafka_name(name)))
            };
            let request = MetadataRequest::default()
                .with_allow_auto_topic_creation(false)
                .with_include_topic_authorized_operations(true)
                .with_topics(Some(some.iter().map(topic).collect()));
            let conn = self.any().await?;
            for topic in self.ask(&conn, &request).await?.topics {
                if let Some(name) = topic.name.filter(|_| topic.error_code == 0) {
                    rights.insert(
                        TopicName::from(&*name.0),
                        operations(topic.topic_authorized_operations),
                    );
                }
            }
        }
        Ok(rights)
    }

    /// May these groups be described? Any broker looks at the right before it looks whether the group is its own.
    pub async fn may_describe_groups(&self, names: &[String]) -> Result<HashMap<String, Probe>> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let groups = names.iter().map(|name| GroupId(text(name))).collect();
        let conn = self.any().await?;
        let request = DescribeGroupsRequest::default().with_groups(groups);
        let answer = self.ask(&conn, &request).await?;
        Ok(answer
            .groups
            .into_iter()
            .map(|group| {
                let probe = probe(group.error_code, GROUP_AUTHORIZATION_FAILED);
                (group.group_id.0.to_string(), probe)
            })
            .collect())
    }
}

impl Target {
    /// May these topics be written to, whether they are there or not? A produce request without a batch in it: the broker looks at the
    /// right first, then for the topic, and refuses the rest (`KafkaApis.handleProduceRequest`), so nothing can be written by it.
    pub async fn may_write(&self, names: &[TopicName]) -> Result<HashMap<TopicName, Probe>> {
        let mut found = HashMap::with_capacity(names.len());
        let conn = self.any().await?;
        let version = conn
            .version(PRODUCE)
            .map_err(|source| self.wire(conn.address(), PRODUCE.name, source))?;
        for some in names.chunks(AT_ONCE) {
            let pending = conn
                .submit(
                    PRODUCE,
                    PRODUCE.limit,
                    self.settings().request_timeout,
                    |correlation| Ok(empty_produce(some, version, correlation)),
                )
                .await;
            let frame = match pending {
                Ok(pending) => pending.wait().await,
                Err(error) => Err(error),
            };
            let frame = frame.map_err(|source| self.wire(conn.address(), PRODUCE.name, source))?;
            let answer = produce::decode(frame, version)
                .map_err(|reason| conn.malformed(PRODUCE.name, reason))
                .map_err(|source| self.wire(conn.address(), PRODUCE.name, source))?;
            for topic in answer.responses {
                let code = topic
                    .partition_responses
                    .first()
                    .map_or(0, |one| one.error_code);
                found.insert(
                    TopicName::from(&*topic.name.0),
                    probe(code, TOPIC_AUTHORIZATION_FAILED),
                );
            }
        }
        Ok(found)
    }

    /// May these topics be read, whether they are there or not? DescribeProducers wants the same right as a fetch, and the broker looks at
    /// it first.
    pub async fn may_read(&self, names: &[TopicName]) -> Result<HashMap<TopicName, Probe>> {
        let mut found = HashMap::with_capacity(names.len());
        let conn = self.any().await?;
        for some in names.chunks(AT_ONCE) {
            let topic = |name: &TopicName| {
                TopicRequest::default()
                    .with_name(kafka_name(name))
                    .with_partition_indexes(vec![0])
            };
            let request =
                DescribeProducersRequest::default().with_topics(some.iter().map(topic).collect());
            for topic in self.ask(&conn, &request).await?.topics {
                let code = topic.partitions.first().map_or(0, |one| one.error_code);
                let probe = probe(code, TOPIC_AUTHORIZATION_FAILED);
                found.insert(TopicName::from(&*topic.name.0), probe);
            }
        }
        Ok(found)
    }

    /// May records of these topics be deleted, whether they are there or not? What is asked for is to delete nothing: all below offset 0.
    pub async fn may_delete_records(
        &self,
        names: &[TopicName],
    ) -> Result<HashMap<TopicName, Probe>> {
        let topic = |name: &TopicName| {
            let partition = DeleteRecordsPartition::default()
                .with_partition_index(0)
                .with_offset(0);
            DeleteRecordsTopic::default()
                .with_name(kafka_name(name))
                .with_partitions(vec![partition])
        };
        let request = DeleteRecordsRequest::default()
            .with_topics(names.iter().map(topic).collect())
            .with_timeout_ms(10_000);
        let conn = self.any().await?;
        let answer = self.ask(&conn, &request).await?;
        Ok(answer
            .topics
            .into_iter()
            .map(|topic| {
                let code = topic.partitions.first().map_or(0, |one| one.error_code);
                let probe = probe(code, TOPIC_AUTHORIZATION_FAILED);
                (TopicName::from(&*topic.name.0), probe)
            })
            .collect())
    }

    /// May transactions be ended under this transactional id? It is to be one that nobody ever used: the broker looks at the right first,
    /// then refuses, since it knows no producer of that name.
    pub async fn may_use_transactional_id(&self, unused: &str) -> Result<Probe> {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(unused)))
            .with_producer_id(ProducerId(0))
            .with_producer_epoch(0)
            .with_committed(false);
        let conn = self.any().await?;
        let answer = self.ask(&conn, &request).await?;
        Ok(probe(
            answer.error_code,
            TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ))
    }
}

pub(super) fn probe(code: i16, denied: i16) -> Probe {
    if code == denied {
        Probe::Denied
    } else {
        Probe::Allowed
    }
}

/// A produce request of version 9 to 11 with empty records for partition 0 of each topic.
fn empty_produce(names: &[TopicName], version: i16, correlation: i32) -> Vec<Chunk> {
    let mut bytes = BytesMut::new();
    put_header(&mut bytes, PRODUCE.key, version, correlation);
    bytes.put_u8(0); // no transactional id
    bytes.put_i16(-1);
    bytes.put_i32(10_000);
    put_length(&mut bytes, names.len());
    for name in names {
        put_string(&mut bytes, name);
        put_length(&mut bytes, 1);
        bytes.put_i32(0);
        put_length(&mut bytes, 0); // records of no bytes
        bytes.put_u8(0);
        bytes.put_u8(0);
    }
    bytes.put_u8(0);
    vec![bytes.freeze().into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_operations_and_a_broker_that_does_not_tell_says_so() {
        let told = operations(1 << 3 | 1 << 8 | 1 << 12).expect("it was told");
        let expected = [
            Operation::Read,
            Operation::Describe,
            Operation::IdempotentWrite,
        ];
        assert_eq!(told, Operations::from(expected));
        assert_eq!(operations(i32::MIN), None);
        assert_eq!(operations(0), Some(Operations::new()));
    }
}
