//! How to reach and log in to one cluster, resolved: no references left, secrets wrapped.

use std::time::Duration;

use super::{names::Side, secret::Secret};

/// Everything a connection needs to know.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Source or target, for error messages and exit codes.
    pub side: Side,
    /// `host:port` of the servers to try, in order.
    pub bootstrap: Vec<String>,
    /// How to log in.
    pub auth: Auth,
    /// TLS settings; `None` speaks plain text.
    pub tls: Option<Tls>,
    /// For one TCP connect, TLS handshake and login together.
    pub connect_timeout: Duration,
    /// For one request and its answer, long polls excluded.
    pub request_timeout: Duration,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// SASL/PLAIN.
    Plain {
        /// Who.
        username: String,
        /// The password, sent as it is.
        password: Secret,
    },
    /// SASL/SCRAM-SHA-256 or SASL/SCRAM-SHA-512 (RFC 5802).
    Scram {
        /// Which of the two.
        hash: ScramHash,
        /// Who.
        username: String,
        /// The password, proven but never sent.
        password: Secret,
    },
}

/// The hash of a SCRAM login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// TLS settings.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM text of the certificates to trust; the system's roots when left out.
    pub ca_pem: Option<Vec<u8>>,
    /// Where `ca_pem` came from, for error messages.
    pub ca_path: Option<std::path::PathBuf>,
}
