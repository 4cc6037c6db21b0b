//! What can go wrong between us and one broker.

use std::{io, sync::Arc, time::Duration};

use super::retry;
use crate::model::{connection::NoToken, numbers};

/// An error of one connection or one request. Cloned to everyone who waits on the connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A server's address is not `host:port`.
    #[error("`{address}` is not HOST:PORT")]
    Address {
        /// As configured or advertised.
        address: String,
    },
    /// The name has no address.
    #[error("the name {host} does not resolve")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// No TCP connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system said: refused, unreachable and so on.
        source: Arc<io::Error>,
    },
    /// TCP, TLS and login together took too long.
    #[error("{address} did not finish {stage} within {after:?}")]
    ConnectTimeout {
        /// `host:port`.
        address: String,
        /// What was being waited for.
        stage: Stage,
        /// The limit.
        after: Duration,
    },
    /// We speak TLS, the server does not.
    #[error(
        "{address} does not speak TLS: it answered the TLS handshake with something else or hung up"
    )]
    NotTls {
        /// `host:port`.
        address: String,
        /// What was seen.
        source: Arc<io::Error>,
    },
    /// We speak plain text, the server speaks TLS.
    #[error("{address} speaks TLS, and the settings say plain text")]
    SpeaksTls {
        /// `host:port`.
        address: String,
    },
    /// The server's certificate is signed by nobody we trust.
    #[error("the certificate of {address} is not signed by a trusted authority")]
    UnknownIssuer {
        /// `host:port`.
        address: String,
        /// What the TLS library said.
        source: Arc<io::Error>,
    },
    /// The server's certificate is for another name.
    #[error("the certificate of {address} is not valid for the name {host}")]
    CertificateName {
        /// `host:port`.
        address: String,
        /// The name we connected to.
        host: String,
        /// What the TLS library said.
        source: Arc<io::Error>,
    },
    /// Any other failure of the TLS handshake.
    #[error("the TLS handshake with {address} failed")]
    Tls {
        /// `host:port`.
        address: String,
        /// What the TLS library said.
        source: Arc<io::Error>,
    },
    /// The trusted certificates cannot be used.
    #[error("the trusted certificates cannot be used: {reason}")]
    Roots {
        /// Why.
        reason: String,
    },
    /// The broker does not offer the login mechanism.
    #[error("{address} does not offer {mechanism}; it offers {}", or_nothing(.offered))]
    Mechanism {
        /// `host:port`.
        address: String,
        /// What we asked for.
        mechanism: &'static str,
        /// What the broker offers.
        offered: Vec<String>,
    },
    /// This listener takes no login.
    #[error("{address} takes no login on this port, and the settings ask for {mechanism}")]
    NoLoginHere {
        /// `host:port`.
        address: String,
        /// What we asked for.
        mechanism: &'static str,
    },
    /// The broker hung up on the first request of somebody who has not logged in.
    #[error(
        "{address} hung up on our first question: it may want a login, and the settings name none"
    )]
    LoginWanted {
        /// `host:port`.
        address: String,
    },
    /// Wrong user name or password.
    #[error("{address} refused the login of {username} with {mechanism}: {reason}")]
    Login {
        /// `host:port`.
        address: String,
        /// The mechanism.
        mechanism: &'static str,
        /// The user name.
        username: String,
        /// The broker's words.
        reason: String,
    },
    /// There is no token to log in with.
    #[error("there is no token to log in to {address} with: {}", .why.failure)]
    Token {
        /// `host:port`.
        address: String,
        /// Why there is none.
        why: Box<NoToken>,
    },
    /// The server could not prove that it knows the password, or spoke SCRAM wrongly.
    #[error("{address} failed its part of the {mechanism} login: {reason}")]
    Imposter {
        /// `host:port`.
        address: String,
        /// The mechanism.
        mechanism: &'static str,
        /// What was wrong.
        reason: &'static str,
    },
    /// The other side hung up.
    #[error("{address} closed the connection{}", .during.map(|stage| format!(" during {stage}")).unwrap_or_default())]
    Closed {
        /// `host:port`.
        address: String,
        /// Set while the connection was not ready yet.
        during: Option<Stage>,
    },
    /// The other side hung up in the middle of an answer.
    #[error("{address} hung up in the middle of an answer")]
    CutOff {
        /// `host:port`.
        address: String,
    },
    /// Reading or writing failed.
    #[error("the connection to {address} broke")]
    Io {
        /// `host:port`.
        address: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// No answer in time. The order of answers is lost with it, so the connection is given up.
    #[error("{address} did not answer {api} within {after:?}")]
    TimedOut {
        /// `host:port`.
        address: String,
        /// The API.
        api: &'static str,
        /// The limit.
        after: Duration,
    },
    /// A length that no answer to what is in flight can have.
    #[error("{address} announced an answer of {} bytes where at most {} can come", numbers::exact(.length.unsigned_abs()), numbers::exact(*.limit as u64))]
    FrameLength {
        /// `host:port`.
        address: String,
        /// As read.
        length: i64,
        /// The limit for what is in flight.
        limit: usize,
    },
    /// An answer to nothing that is in flight.
    #[error("{address} answered request {correlation}, which is not in flight")]
    Correlation {
        /// `host:port`.
        address: String,
        /// As read.
        correlation: i32,
    },
    /// An answer that is not what the protocol says.
    #[error("the answer of {address} to {api} cannot be read: {reason}")]
    Malformed {
        /// `host:port`.
        address: String,
        /// The API.
        api: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// A request that we could not write down.
    #[error("a {api} request cannot be encoded: {reason}")]
    Unencodable {
        /// The API.
        api: &'static str,
        /// Why.
        reason: String,
    },
    /// The broker is too old, too new, or another product.
    #[error("{address} does not offer {api} in a version we speak: we speak {} to {}, it offers {}", .ours.0, .ours.1, span(*.theirs))]
    Version {
        /// `host:port`.
        address: String,
        /// The API.
        api: &'static str,
        /// Lowest and highest version we speak.
        ours: (i16, i16),
        /// Lowest and highest version the broker offers, if any.
        theirs: Option<(i16, i16)>,
    },
    /// The broker refused before any request of ours: ApiVersions or the SASL handshake carried a code.
    #[error("{address} refused {api}: {}", retry::describe(*.code))]
    Refused {
        /// `host:port`.
        address: String,
        /// The API.
        api: &'static str,
        /// Kafka's error code.
        code: i16,
    },
    /// Writing was forbidden by the caller's own check; nothing was written after it.
    #[error("nothing more may be sent to {address}: the right to write was lost")]
    MayNotSend {
        /// `host:port`.
        address: String,
    },
    /// We closed the connection.
    #[error("the connection to {address} was closed by us")]
    Dropped {
        /// `host:port`.
        address: String,
    },
}

/// Steps until a connection is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// TCP.
    Connecting,
    /// TLS.
    Handshake,
    /// ApiVersions.
    Greeting,
    /// SASL.
    Login,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "the TCP connect",
            Self::Handshake => "the TLS handshake",
            Self::Greeting => "its first answer",
            Self::Login => "the login",
        })
    }
}

impl Error {
    /// May the same thing work in a moment, on this or another broker? False where a person has to change something.
    pub fn is_passing(&self) -> bool {
        if let Self::Token { why, .. } = self {
            return why.passing;
        }
        matches!(
            self,
            Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::Closed { .. }
                | Self::CutOff { .. }
                | Self::Io { .. }
                | Self::TimedOut { .. }
                | Self::Dropped { .. }
                | Self::Resolve { .. }
                | Self::FrameLength { .. }
                | Self::Correlation { .. }
                | Self::Malformed { .. }
        )
    }

    /// How much this error tells a person when several servers failed in different ways: higher is more.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::Login { .. }
            | Self::LoginWanted { .. }
            | Self::Mechanism { .. }
            | Self::NoLoginHere { .. }
            | Self::Token { .. }
            | Self::Imposter { .. }
            | Self::Roots { .. } => 4,
            Self::NotTls { .. }
            | Self::SpeaksTls { .. }
            | Self::UnknownIssuer { .. }
            | Self::CertificateName { .. }
            | Self::Tls { .. } => 3,
            Self::Version { .. }
            | Self::Refused { .. }
            | Self::Malformed { .. }
            | Self::FrameLength { .. } => 2,
            Self::Closed { .. } | Self::CutOff { .. } | Self::Io { .. } | Self::TimedOut { .. } => {
                1
            }
            _ => 0,
        }
    }
}

fn or_nothing(offered: &[String]) -> String {
    if offered.is_empty() {
        "no mechanism".into()
    } else {
        offered.join(", ")
    }
}

fn span(theirs: Option<(i16, i16)>) -> String {
    theirs.map_or_else(|| "none".into(), |(low, high)| format!("{low} to {high}"))
}
