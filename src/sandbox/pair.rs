//! The usual pair: a source and a target of one broker each, as `demo` and `sandbox` start them.

use std::io;

use super::{ClusterPlan, Plan, Sandbox};

/// The source's name, and the target's.
pub const PAIR: [&str; 2] = ["source", "target"];

impl Sandbox {
    /// Starts a source and a target, open to everyone on this machine, on these ports or on free ones.
    pub async fn pair(ports: [Option<u16>; 2]) -> io::Result<Self> {
        let clusters = PAIR.iter().zip(ports).map(|(name, port)| ClusterPlan {
            ports: port.into_iter().collect(),
            ..ClusterPlan::new(name)
        });
        let plan = Plan {
            clusters: clusters.collect(),
            seed: 1,
        };
        Self::start(plan).await
    }

    /// Servers of both, for clients: the source's and the target's.
    pub fn servers(&self) -> [String; 2] {
        PAIR.map(|name| {
            let cluster = self.cluster(name);
            cluster.map(|one| one.bootstrap()).unwrap_or_default()
        })
    }
}
