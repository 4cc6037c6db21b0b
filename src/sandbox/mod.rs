//! A simulation of Kafka clusters in this process: loopback only, on real sockets, with faults at exact points.
//!
//! It speaks Kafka's protocol as brokers of one release do, and keeps the rules that an engine which copies raw batches depends on:
//! batches as stored, byte for byte; idempotence, transactions, fetch, groups, access rules. It is for demonstrations and tests: its
//! cluster ids begin with `simulated-`, nothing is written to disk, and it binds no address but 127.0.0.1.

mod acls;
mod api;
mod broker;
mod cluster;
mod configs;
mod errors;
mod faults;
mod groups;
mod held;
mod log;
mod login;
mod pair;
mod partition;
mod plan;
mod producers;
mod records;
#[cfg(test)]
mod sockets;
mod state;
#[cfg(test)]
mod tests;
mod transactions;

use std::io;

pub use self::{
    cluster::Cluster,
    faults::{Action, Faults, Fired, Follow, Rule, When},
    plan::{ClusterPlan, Plan, Release, User},
};

/// Clusters that run until this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    clusters: Vec<Cluster>,
    seed: u64,
}

impl Sandbox {
    /// Starts every cluster of the plan. Fails where a port is taken, or an address is not this machine's own.
    pub async fn start(plan: Plan) -> io::Result<Self> {
        let mut sandbox = Self {
            clusters: Vec::new(),
            seed: plan.seed,
        };
        for (at, cluster) in plan.clusters.into_iter().enumerate() {
            let seed = plan.seed.wrapping_add(at as u64);
            sandbox.clusters.push(Cluster::start(cluster, seed).await?);
        }
        Ok(sandbox)
    }

    /// The cluster of this name in the plan.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name() == name)
    }

    /// All clusters, in the plan's order.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// What every random choice follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for cluster in &self.clusters {
            cluster.stop();
        }
    }
}
