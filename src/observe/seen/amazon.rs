//! What an observation holds of Amazon's side, where MSK Replicator copies.

use serde::Serialize;

use super::{super::Known, ClusterSeen};
use crate::{
    cluster::Operations,
    msk::{Described, Direction, ManagedCluster},
};

/// What MSK Replicator needs, and what is there of it.
#[derive(Debug, Clone, Serialize)]
pub struct AmazonSeen {
    /// What the migration file asks for, as far as gates and their commands need it.
    pub asked: AmazonAsked,
    /// Who we are to AWS.
    pub caller: Known<CallerSeen>,
    /// The cluster of MSK.
    pub cluster: Known<ManagedCluster>,
    /// The external cluster, by the listener and the login that the replicators use.
    pub listener: Known<Box<ListenerSeen>>,
    /// Rules of AWS that the requests break.
    pub broken: Known<Vec<String>>,
    /// The replicators.
    pub replicators: Known<ReplicatorsSeen>,
    /// The secrets.
    pub secrets: Known<Vec<SecretSeen>>,
    /// Is the log group there? `None`: none is asked for.
    pub log_group: Known<Option<bool>>,
    /// Whether brokers can be reached from the replicators' subnets, by somebody who looked from there.
    pub from_subnets: Known<Vantage>,
}

/// What the migration file asks of AWS.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AmazonAsked {
    /// The region.
    pub region: String,
    /// The account, by the cluster's ARN.
    pub account: String,
    /// ARN of the cluster of MSK.
    pub cluster_arn: String,
    /// Subnets.
    pub subnets: Vec<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// The role.
    pub role_arn: String,
    /// The key of the secrets.
    pub kms_key: Option<String>,
    /// The log group.
    pub log_group: Option<String>,
    /// From the first record there is.
    pub from_earliest: bool,
    /// Names of the replicators, forward and reverse.
    pub names: [String; 2],
    /// The listener that the replicators use.
    pub bootstrap: Vec<String>,
    /// Who they log in as.
    pub user: String,
    /// Everybody trusts the external cluster's certificates.
    pub public_authority: bool,
}

/// Who we are to AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallerSeen {
    /// The account.
    pub account: String,
    /// User or role.
    pub arn: String,
}

/// The external cluster as a replicator would meet it.
#[derive(Debug, Clone, Serialize)]
pub struct ListenerSeen {
    /// The cluster by that listener: every broker that it advertises there, dialled with this login and these certificates.
    pub cluster: ClusterSeen,
    /// What this login may do to each topic in scope; `None`: the topic is not shown to it, or the cluster does not tell.
    pub topic_rights: Known<Vec<(String, Option<Operations>)>>,
    /// Groups in scope that it may not describe.
    pub groups_denied: Known<Vec<String>>,
}

/// The replicators, as far as they are there.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReplicatorsSeen {
    /// From the external cluster to MSK.
    pub forward: Option<ReplicatorSeen>,
    /// Back.
    pub reverse: Option<ReplicatorSeen>,
    /// All replicators of the account in this region, ours among them.
    pub all: usize,
}

impl ReplicatorsSeen {
    /// The one of that direction.
    pub fn of(&self, direction: Direction) -> Option<&ReplicatorSeen> {
        match direction {
            Direction::Forward => self.forward.as_ref(),
            Direction::Reverse => self.reverse.as_ref(),
        }
    }
}

/// One replicator beside what it is asked for.
#[derive(Debug, Clone, Serialize)]
pub struct ReplicatorSeen {
    /// What the service says of it.
    pub described: Described,
    /// Its tags say that this migration made it.
    pub is_ours: bool,
    /// What differs and can be changed.
    pub to_change: Vec<String>,
    /// What differs and cannot.
    pub cannot_change: Vec<String>,
}

/// One secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretSeen {
    /// Name or ARN.
    pub name: String,
    /// We make it, or it is the user's own.
    pub is_kept_by_us: bool,
    /// How it stands, in words.
    pub state: String,
    /// What is wrong with it, if anything is.
    pub trouble: Option<String>,
}

/// What somebody saw from inside the replicators' network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vantage {
    /// Which of the subnets.
    pub subnet: String,
    /// How old that is.
    pub age_ms: u64,
    /// What could not be reached from there.
    pub trouble: Vec<String>,
}
