//! From an address to a connection that is ready for requests: TCP, TLS, versions, login.

use std::{future::Future, sync::Arc, time::Duration};

use kafka_protocol::{
    messages::{ApiVersionsRequest, ApiVersionsResponse},
    protocol::StrBytes,
};
use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::{
    Error, auth, certificate,
    conn::{Conn, MaySend},
    error::Stage,
    socket::{Gated, Socket},
    tls,
    versions::{API_VERSIONS, Versions},
};
use crate::model::connection::Connection;

/// UNSUPPORTED_VERSION: a broker answers an ApiVersions it does not know with this, in version 0 (KIP-511).
const UNSUPPORTED_VERSION: i16 = 35;

/// Opens connections to the brokers of one cluster.
#[derive(Debug, Clone)]
pub struct Dialer {
    settings: Connection,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// Reads the trusted certificates; connects to nothing.
    pub fn new(settings: &Connection) -> Result<Self, Error> {
        let tls = settings.tls.as_ref().map(tls::config).transpose()?;
        Ok(Self {
            settings: settings.clone(),
            tls,
        })
    }

    /// What was asked for.
    pub fn settings(&self) -> &Connection {
        &self.settings
    }

    /// Connects, does the TLS handshake, learns versions and logs in. `may_send` is asked before every write, handshakes included.
    pub async fn dial(&self, address: &str, may_send: Option<MaySend>) -> Result<Conn, Error> {
        let (host, _) = host_and_port(address)?;
        let deadline = Instant::now() + self.settings.connect_timeout;
        let within = |stage| Within {
            deadline,
            address,
            stage,
            after: self.settings.connect_timeout,
        };
        let socket = within(Stage::Connecting)
            .of(connect(address, deadline))
            .await?;
        let _ = socket.set_nodelay(true);
        let (read, write) = socket.into_split();
        let write = Gated::new(write, may_send);
        let shared_address: Arc<str> = address.into();
        let conn = match &self.tls {
            None => Conn::start(shared_address, read, write),
            Some(config) => {
                let handshake =
                    tls::handshake(config.clone(), host, address, Socket { read, write });
                let stream = within(Stage::Handshake).of(handshake).await?;
                let ends = stream
                    .get_ref()
                    .1
                    .peer_certificates()
                    .and_then(certificate::first_end);
                let (read, write) = tokio::io::split(stream);
                let conn = Conn::start(shared_address, read, write);
                if let Some(ends) = ends {
                    conn.set_certificate_ends(ends);
                }
                conn
            }
        };
        within(Stage::Greeting)
            .of(greet(&conn, self.settings.connect_timeout))
            .await?;
        within(Stage::Login)
            .of(auth::login(&conn, &self.settings))
            .await?;
        Ok(conn)
    }
}

/// One stage of getting ready, under the common deadline.
struct Within<'a> {
    deadline: Instant,
    address: &'a str,
    stage: Stage,
    after: Duration,
}

impl Within<'_> {
    async fn of<T>(self, step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let timed_out = || Error::ConnectTimeout {
            address: self.address.to_owned(),
            stage: self.stage,
            after: self.after,
        };
        match timeout_at(self.deadline, step).await {
            Err(_) | Ok(Err(Error::TimedOut { .. })) => Err(timed_out()),
            // Say where the broker hung up: to hang up on the first request is what a TLS or SASL listener does.
            Ok(Err(Error::Closed { address, .. })) => Err(Error::Closed {
                address,
                during: Some(self.stage),
            }),
            Ok(done) => done,
        }
    }
}

/// Splits `host:port`; IPv6 addresses stand in brackets.
pub fn host_and_port(address: &str) -> Result<(&str, u16), Error> {
    let refused = || Error::Address {
        address: address.to_owned(),
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(refused)?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port
        .parse()
        .ok()
        .filter(|&port| port != 0)
        .ok_or_else(refused)?;
    if host.is_empty() {
        Err(refused())
    } else {
        Ok((host, port))
    }
}

/// Tries the name's addresses in turn; each gets its share of the time left.
async fn connect(address: &str, deadline: Instant) -> Result<TcpStream, Error> {
    let host_port = host_and_port(address)?;
    let resolve = |source: std::io::Error| Error::Resolve {
        host: host_port.0.to_owned(),
        source: Arc::new(source),
    };
    let found: Vec<_> = lookup_host(host_port).await.map_err(resolve)?.collect();
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for (index, candidate) in found.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / (found.len() - index) as u32;
        match tokio::time::timeout(share, TcpStream::connect(candidate)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::Connect {
        address: address.to_owned(),
        source: Arc::new(last),
    })
}

/// Asks which versions the broker offers.
async fn greet(conn: &Conn, patience: Duration) -> Result<(), Error> {
    let mut version = API_VERSIONS.speak.1;
    loop {
        let answer = ask_versions(conn, version, patience).await?;
        match answer.error_code {
            0 => {
                let offered = answer
                    .api_keys
                    .iter()
                    .map(|api| (api.api_key, (api.min_version, api.max_version)));
                conn.set_versions(offered.collect::<Versions>());
                return Ok(());
            }
            UNSUPPORTED_VERSION if version > 0 => version = 0,
            code => {
                return Err(Error::Refused {
                    address: conn.address().to_string(),
                    api: API_VERSIONS.name,
                    code,
                });
            }
        }
    }
}

async fn ask_versions(
    conn: &Conn,
    version: i16,
    patience: Duration,
) -> Result<ApiVersionsResponse, Error> {
    let request = ApiVersionsRequest::default();
    let request = if version >= 3 {
        request
            .with_client_software_name(StrBytes::from_static_str(env!("CARGO_PKG_NAME")))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")))
    } else {
        request
    };
    let frame = conn
        .submit(API_VERSIONS, API_VERSIONS.limit, patience, |correlation| {
            super::conn::encode(&request, API_VERSIONS, version, correlation)
        })
        .await?
        .wait()
        .await?;
    // The answer to a version the broker does not know is in version 0: its code says so in either.
    let refused = frame.get(4..6) == Some(&UNSUPPORTED_VERSION.to_be_bytes()[..]);
    conn.decode(API_VERSIONS, if refused { 0 } else { version }, frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_host_and_port() {
        assert_eq!(
            host_and_port("kafka1:9092").expect("an address"),
            ("kafka1", 9092)
        );
        assert_eq!(
            host_and_port("[::1]:9092").expect("an address"),
            ("::1", 9092)
        );
        for wrong in [
            "",
            "kafka1",
            "kafka1:",
            ":9092",
            "kafka1:0",
            "kafka1:70000",
            "kafka1:9092x",
        ] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
