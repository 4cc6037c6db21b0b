//! What a sandbox is to consist of: clusters, brokers, users, settings and the release they pretend to be.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

/// The release whose versions a cluster advertises and whose behaviour it copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Apache Kafka 3.9.
    V3_9,
    /// Apache Kafka 4.1.
    V4_1,
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The clusters.
    pub clusters: Vec<ClusterPlan>,
    /// Every random choice follows from it: ids, members' names, random faults.
    pub seed: u64,
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct ClusterPlan {
    /// What the plan calls it, and the end of its cluster id: `simulated-<name>`.
    pub name: String,
    /// Number of brokers, with the ids 1, 2, ...
    pub brokers: u16,
    /// Where to listen. Anything but 127.0.0.1 is refused.
    pub address: IpAddr,
    /// One port per broker; a free one is taken for those left out.
    pub ports: Vec<u16>,
    /// Are access rules enforced?
    pub authorizer: bool,
    /// Principals (`User:admin`) that may do everything.
    pub super_users: Vec<String>,
    /// Who may log in. With none the listener is PLAINTEXT, else SASL_PLAINTEXT.
    pub users: Vec<User>,
    /// Settings of every broker, such as `producer.id.expiration.ms`.
    pub settings: BTreeMap<String, String>,
    /// What it pretends to be.
    pub release: Release,
}

impl ClusterPlan {
    /// One broker of the newest release on a free port, open to everyone.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            brokers: 1,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: Vec::new(),
            authorizer: false,
            super_users: Vec::new(),
            users: Vec::new(),
            settings: BTreeMap::new(),
            release: Release::V4_1,
        }
    }

    /// The same with so many brokers.
    pub fn with_brokers(mut self, brokers: u16) -> Self {
        self.brokers = brokers;
        self
    }

    /// The same with a setting.
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with a user who may log in with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.users.push(User {
            name: name.to_owned(),
            password: password.to_owned(),
        });
        self
    }
}

/// Who may log in.
#[derive(Clone)]
pub struct User {
    /// The name; the principal is `User:<name>`.
    pub name: String,
    /// The password, good for this simulation only.
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
