//! How to reach and log in to one cluster, resolved: no references left, secrets wrapped.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use super::{names::Side, secret::Secret};
use crate::error::Failure;

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
    /// SASL/OAUTHBEARER (RFC 7628), with tokens that are made when they are needed.
    Bearer(Arc<dyn Tokens>),
}

/// Makes tokens for SASL/OAUTHBEARER, as often as it is asked.
pub trait Tokens: Send + Sync {
    /// Who logs in with them, as far as that is known without asking, or what they are.
    fn name(&self) -> &str;

    /// One that is valid for a while from now on.
    fn token(&self) -> Making<'_>;
}

/// A token that is being made.
pub type Making<'a> = Pin<Box<dyn Future<Output = Result<Token, NoToken>> + Send + 'a>>;

/// Why there is no token.
#[derive(Debug, Clone)]
pub struct NoToken {
    /// As a person reads it.
    pub failure: Failure,
    /// Whether there may be one in a moment, without anybody doing anything.
    pub passing: bool,
}

/// A token, which is as good as a password while it is valid.
#[derive(Debug, Clone)]
pub struct Token {
    /// What is sent.
    pub value: Secret,
    /// When it ends, in milliseconds since 1970.
    pub ends: i64,
}

impl fmt::Debug for dyn Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ***", self.name())
    }
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

impl Connection {
    /// What makes this login's tokens, where it takes tokens.
    pub fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        match &self.auth {
            Auth::Bearer(tokens) => Some(tokens.clone()),
            Auth::None | Auth::Plain { .. } | Auth::Scram { .. } => None,
        }
    }

    /// The same login as settings of librdkafka, handed out one by one: among them is the password.
    pub fn login(&self, set: &mut dyn FnMut(&'static str, &str)) {
        let protocol = match (&self.auth, &self.tls) {
            (Auth::None, None) => "plaintext",
            (Auth::None, Some(_)) => "ssl",
            (_, None) => "sasl_plaintext",
            (_, Some(_)) => "sasl_ssl",
        };
        set("security.protocol", protocol);
        let named = match &self.auth {
            Auth::None => None,
            // Its tokens are asked for through a callback of the client.
            Auth::Bearer(_) => {
                set("sasl.mechanism", "OAUTHBEARER");
                None
            }
            Auth::Plain { username, password } => Some(("PLAIN", username, password)),
            Auth::Scram {
                hash: ScramHash::Sha256,
                username,
                password,
            } => Some(("SCRAM-SHA-256", username, password)),
            Auth::Scram {
                hash: ScramHash::Sha512,
                username,
                password,
            } => Some(("SCRAM-SHA-512", username, password)),
        };
        if let Some((mechanism, username, password)) = named {
            set("sasl.mechanism", mechanism);
            set("sasl.username", username);
            set("sasl.password", password.reveal());
        }
        if let Some(tls) = &self.tls {
            let pem = tls.ca_pem.as_ref();
            match pem.and_then(|pem| std::str::from_utf8(pem).ok()) {
                Some(pem) => set("ssl.ca.pem", pem),
                // The vendored OpenSSL does not know where this system keeps its roots.
                None => set("ssl.ca.location", "probe"),
            }
        }
    }
}
