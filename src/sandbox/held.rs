//! Requests that are still under way when their connection is gone, and take effect later than what was sent after them.

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use super::{
    api::{self, Error},
    broker::Connection,
    cluster::Cluster,
    state::Call,
};

/// A request in the network.
#[derive(Debug)]
pub struct Held {
    /// Who asks, and whom.
    pub call: Call,
    /// What it is.
    pub api: ApiKey,
    /// Without its header.
    pub body: Bytes,
}

impl Held {
    /// It takes effect now; nobody waits for the answer. A broker that does not run is not reached.
    pub async fn arrive(self, cluster: &Cluster) {
        if !cluster.with(|state| state.is_alive(self.call.broker)) {
            return;
        }
        let mut connection = Connection::new(cluster.listener());
        connection.principal = Some(self.call.principal.clone());
        let (call, api) = (&self.call, self.api);
        drop(api::dispatch(cluster, &mut connection, call, api, self.body, Error::None).await);
    }
}
