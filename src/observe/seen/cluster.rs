//! What an observation holds of a cluster as a whole.

use serde::Serialize;

use super::super::Known;
use crate::cluster::{Everyone, Operations, Quotas};

/// One cluster.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterSeen {
    /// Its id, where a connection came about.
    pub id: Option<String>,
    /// Why none came about.
    pub trouble: Option<Trouble>,
    /// Who logs in, where somebody does.
    pub user: Option<String>,
    /// The login's mechanism.
    pub mechanism: &'static str,
    /// Servers to ask first, as the file has them.
    pub bootstrap: Vec<String>,
    /// TLS is on.
    pub tls: bool,
    /// Every broker that it advertises.
    pub brokers: Known<Vec<BrokerSeen>>,
    /// Its clock.
    pub clock: Known<ClockSeen>,
    /// What may be done to it.
    pub rights: Known<Operations>,
    /// What may be done to something that no ACL speaks of.
    pub everyone: Known<Everyone>,
    /// How fast it lets us read and write.
    pub quotas: Known<Quotas>,
    /// What a client like those of applications meets at each of its brokers.
    pub clients: Known<Vec<ClientSeen>>,
}

/// A trouble, as a failure names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Its code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// One broker, dialled at its advertised address.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerSeen {
    /// Its id.
    pub id: i32,
    /// Where.
    pub address: String,
    /// Why it could not be reached or logged in to.
    pub trouble: Option<Trouble>,
    /// One small question and its answer, in microseconds.
    pub round_trip_us: u64,
    /// When its certificate ends, in seconds since 1970.
    pub certificate_ends: Option<i64>,
    /// APIs we cannot do without that it does not speak in a version of ours.
    pub lacks: Vec<&'static str>,
    /// APIs we would like.
    pub misses: Vec<&'static str>,
}

/// A clock against ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ClockSeen {
    /// Milliseconds that it is ahead.
    pub ahead_ms: i64,
    /// How far off that may be.
    pub within_ms: u64,
}

/// One broker, as librdkafka meets it with the same login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientSeen {
    /// Where.
    pub address: String,
    /// Why it got no answer, if it got none.
    pub trouble: Option<String>,
}
