//! What the service says of a replicator, in our words.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// A replicator, as DescribeReplicator shows it. What an external cluster was registered with it does not show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Described {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// Why, where the service says: a code and a sentence, both free text.
    pub state_info: Option<(String, String)>,
    /// What an update has to name.
    pub version: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// The role that it assumes.
    pub role_arn: String,
    /// The cluster of MSK.
    pub msk_cluster_arn: Option<String>,
    /// The alias of each cluster in the metrics, MSK's first.
    pub msk_alias: Option<String>,
    /// The alias of the external cluster.
    pub external_alias: Option<String>,
    /// Does it copy from MSK to the external cluster? `None`: the aliases do not tell.
    pub from_msk: Option<bool>,
    /// Codec of what it writes.
    pub compression: String,
    /// Topics to take.
    pub topics: Vec<String>,
    /// Topics to leave out.
    pub topics_to_exclude: Vec<String>,
    /// Settings of topics go along.
    pub copy_configs: bool,
    /// Access rules go along.
    pub copy_acls: bool,
    /// Topics that are made later too.
    pub detect_topics: bool,
    /// `EARLIEST` or `LATEST`.
    pub start: String,
    /// `IDENTICAL` or prefixed.
    pub names: String,
    /// Groups to take.
    pub groups: Vec<String>,
    /// Groups to leave out.
    pub groups_to_exclude: Vec<String>,
    /// Positions go along.
    pub sync_offsets: bool,
    /// Groups that come later too.
    pub detect_groups: bool,
    /// `ENHANCED` or `LEGACY`.
    pub sync_mode: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Where a replicator is in its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// Being made: allow half an hour.
    #[default]
    Creating,
    /// It copies.
    Running,
    /// Being changed.
    Updating,
    /// Being removed.
    Deleting,
    /// It failed, and is not repaired: remove it and make it anew.
    Failed,
    /// A word that this version does not know.
    Other(String),
}

impl Lifecycle {
    /// From AWS's word.
    pub fn of(word: &str) -> Self {
        match word {
            "CREATING" => Self::Creating,
            "RUNNING" => Self::Running,
            "UPDATING" => Self::Updating,
            "DELETING" => Self::Deleting,
            "FAILED" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Updating => "updating",
            Self::Deleting => "deleting",
            Self::Failed => "failed",
            Self::Other(word) => word,
        })
    }
}

/// A cluster of MSK.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ManagedCluster {
    /// Its name.
    pub name: String,
    /// `PROVISIONED` or `SERVERLESS`.
    pub kind: String,
    /// `ACTIVE` where all is well.
    pub state: String,
    /// Version of Apache Kafka.
    pub version: String,
    /// Brokers.
    pub brokers: u32,
    /// What they run on; an Express broker's begins with `express.`.
    pub instance: String,
    /// Subnets, one for each zone.
    pub subnets: Vec<String>,
    /// Security groups of the brokers.
    pub security_groups: Vec<String>,
    /// IAM access control is on.
    pub iam: bool,
}

impl ManagedCluster {
    /// Are its brokers Express brokers?
    pub fn is_express(&self) -> bool {
        self.instance.starts_with("express.")
    }
}
