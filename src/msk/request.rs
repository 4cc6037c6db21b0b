//! What a replicator is asked for: the shapes of CreateReplicator, under the names that the AWS command line reads.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Which way a replicator copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the external cluster to MSK.
    Forward,
    /// From MSK to the external cluster.
    Reverse,
}

impl Direction {
    /// Both, the one that is made first first.
    pub const BOTH: [Self; 2] = [Self::Forward, Self::Reverse];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        })
    }
}

/// One call of CreateReplicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Request {
    /// Its name.
    pub replicator_name: String,
    /// What people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The role that it assumes.
    pub service_execution_role_arn: String,
    /// Both clusters.
    pub kafka_clusters: Vec<KafkaCluster>,
    /// What is copied: one.
    pub replication_info_list: Vec<ReplicationInfo>,
    /// Where it logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_delivery: Option<LogDelivery>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// One cluster, and how it is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct KafkaCluster {
    /// A cluster of MSK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amazon_msk_cluster: Option<MskCluster>,
    /// Any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apache_kafka_cluster: Option<ApacheKafkaCluster>,
    /// Where the replicator's interfaces are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// How it logs in; external clusters only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication: Option<ClientAuthentication>,
    /// TLS; external clusters only, and there always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_in_transit: Option<EncryptionInTransit>,
}

/// A cluster of MSK.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct MskCluster {
    /// Its ARN.
    pub msk_cluster_arn: String,
}

/// Any other cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ApacheKafkaCluster {
    /// The cluster's own id: the service compares it.
    pub apache_kafka_cluster_id: String,
    /// `host:port,host:port`.
    pub bootstrap_broker_string: String,
}

/// Where the replicator's interfaces are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct VpcConfig {
    /// Two or three.
    pub subnet_ids: Vec<String>,
    /// Up to sixteen; none: the VPC's default group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
}

/// How it logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ClientAuthentication {
    /// SASL/SCRAM.
    pub sasl_scram: SaslScram,
}

/// SASL/SCRAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct SaslScram {
    /// `SHA256` or `SHA512`: not Kafka's names.
    pub mechanism: String,
    /// The secret that holds user and password.
    pub secret_arn: String,
}

/// TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EncryptionInTransit {
    /// `TLS`.
    pub encryption_type: String,
    /// ARN of a secret with the authority's certificates; none: everybody trusts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_ca_certificate: Option<String>,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ReplicationInfo {
    /// Where from: MSK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_kafka_cluster_arn: Option<String>,
    /// Where from: another cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_kafka_cluster_id: Option<String>,
    /// Where to: MSK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_kafka_cluster_arn: Option<String>,
    /// Where to: another cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_kafka_cluster_id: Option<String>,
    /// Codec of what is written.
    pub target_compression_type: String,
    /// Topics.
    pub topic_replication: TopicReplication,
    /// Groups.
    pub consumer_group_replication: ConsumerGroupReplication,
}

/// Topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TopicReplication {
    /// Regular expressions, one to a hundred.
    pub topics_to_replicate: Vec<String>,
    /// Regular expressions; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics_to_exclude: Vec<String>,
    /// Settings too, and keep them in step.
    pub copy_topic_configurations: bool,
    /// Access rules too.
    pub copy_access_control_lists_for_topics: bool,
    /// Topics and partitions that are made later too.
    pub detect_and_copy_new_topics: bool,
    /// `EARLIEST` or `LATEST`.
    pub starting_position: Type,
    /// `IDENTICAL`, or with the source's alias before it.
    pub topic_name_configuration: Type,
}

/// A choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Type {
    /// Its name.
    pub r#type: String,
}

/// Groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ConsumerGroupReplication {
    /// Regular expressions, none to a hundred.
    #[serde(default)]
    pub consumer_groups_to_replicate: Vec<String>,
    /// Regular expressions; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumer_groups_to_exclude: Vec<String>,
    /// Their positions too.
    pub synchronise_consumer_group_offsets: bool,
    /// Groups that come later too.
    pub detect_and_copy_new_consumer_groups: bool,
    /// `ENHANCED` or `LEGACY`.
    pub consumer_group_offset_sync_mode: String,
}

/// Where it logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LogDelivery {
    /// Of replicators.
    pub replicator_log_delivery: ReplicatorLogDelivery,
}

/// Where a replicator logs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ReplicatorLogDelivery {
    /// CloudWatch Logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_logs: Option<LogDestination>,
    /// Firehose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firehose: Option<LogDestination>,
    /// S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<LogDestination>,
}

/// One destination; which of the names stands there goes with its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct LogDestination {
    /// Is it used?
    pub enabled: bool,
    /// Name of the log group, not its ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// Name of the delivery stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_stream: Option<String>,
    /// The bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Before every object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}
