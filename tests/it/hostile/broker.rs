//! A broker in this process that answers as it is told.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_migrate::model::{
    connection::{Auth, Connection, Tls},
    names::Side,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::support::ports::Port;

/// Metadata.
pub const METADATA: i16 = 3;
/// SaslHandshake.
pub const HANDSHAKE: i16 = 17;
/// ApiVersions.
pub const VERSIONS: i16 = 18;
/// SaslAuthenticate.
pub const AUTHENTICATE: i16 = 36;

/// What to do with a request.
pub enum Reply {
    /// What an honest broker says.
    Honest,
    /// A frame with the right length and correlation id around these bytes.
    Body(Vec<u8>),
    /// These bytes as they are; then hang up.
    Raw(Vec<u8>),
    /// Hang up.
    Close,
    /// Say nothing.
    Silence,
}

/// A request as the script sees it.
pub struct Heard {
    /// The API key.
    pub key: i16,
    /// The API's version.
    pub version: i16,
    /// How many requests of this key came before it.
    pub before: usize,
    /// The correlation id.
    pub correlation: i32,
}

type Script = Arc<dyn Fn(&Heard) -> Reply + Send + Sync>;

/// A listening broker; it ends with the runtime.
pub struct Broker {
    /// Where it listens.
    pub port: u16,
    counts: Arc<Mutex<HashMap<i16, usize>>>,
    received: Arc<Mutex<usize>>,
    _taken: Port,
}

impl Broker {
    /// Starts a broker on loopback.
    pub async fn start(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (taken, listener) = Port::listen();
        let port = taken.number();
        listener.set_nonblocking(true).expect("it is a socket");
        let listener = TcpListener::from_std(listener).expect("it does not block");
        let broker = Self {
            port,
            counts: Arc::default(),
            received: Arc::default(),
            _taken: taken,
        };
        let script: Script = Arc::new(script);
        let (counts, received) = (broker.counts.clone(), broker.received.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, counts, received) = (script.clone(), counts.clone(), received.clone());
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, port, script, counts, received).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => serve(socket, port, script, counts, received).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        broker
    }

    /// How many requests of an API have come.
    pub fn count(&self, key: i16) -> usize {
        self.counts
            .lock()
            .expect("no panic")
            .get(&key)
            .copied()
            .unwrap_or(0)
    }

    /// How many bytes have come.
    pub fn received(&self) -> usize {
        *self.received.lock().expect("no panic")
    }

    /// Settings that lead here.
    pub fn settings(&self) -> Connection {
        settings(self.port)
    }

    /// Settings that lead here over TLS.
    pub fn tls_settings(&self, ca_pem: &str) -> Connection {
        Connection {
            tls: Some(Tls {
                ca_pem: Some(ca_pem.as_bytes().to_vec()),
                ca_path: None,
            }),
            ..self.settings()
        }
    }
}

/// Settings that lead to a port on loopback.
pub fn settings(port: u16) -> Connection {
    Connection {
        side: Side::Source,
        bootstrap: vec![format!("127.0.0.1:{port}")],
        auth: Auth::None,
        tls: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    port: u16,
    script: Script,
    counts: Arc<Mutex<HashMap<i16, usize>>>,
    received: Arc<Mutex<usize>>,
) -> Option<()> {
    loop {
        let length = socket.read_i32().await.ok()?;
        // What Kafka does with a TLS handshake on a plain port.
        if !(8..=100 * 1024 * 1024).contains(&length) {
            return None;
        }
        let mut frame = vec![0; length as usize];
        socket.read_exact(&mut frame).await.ok()?;
        *received.lock().expect("no panic") += frame.len() + 4;
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        let correlation = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
        let before = {
            let mut counts = counts.lock().expect("no panic");
            let count = counts.entry(key).or_default();
            *count += 1;
            *count - 1
        };
        let body = match script(&Heard {
            key,
            version,
            before,
            correlation,
        }) {
            Reply::Honest => honest(key, port)?,
            Reply::Body(body) => body,
            Reply::Raw(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                socket.shutdown().await.ok()?;
                return None;
            }
            Reply::Close => return None,
            Reply::Silence => continue,
        };
        let mut answer = ((body.len() + 4) as i32).to_be_bytes().to_vec();
        answer.extend(correlation.to_be_bytes());
        answer.extend(body);
        socket.write_all(&answer).await.ok()?;
        socket.flush().await.ok()?;
    }
}

fn honest(key: i16, port: u16) -> Option<Vec<u8>> {
    match key {
        VERSIONS => Some(versions()),
        METADATA => Some(metadata(port)),
        HANDSHAKE => Some(vec![0, 0, 0, 0, 0, 0]),
        AUTHENTICATE => Some(authenticated(0)),
        _ => None,
    }
}

/// An answer to ApiVersions v3: what 3.9 offers of the APIs we use.
pub fn versions() -> Vec<u8> {
    const OFFERED: [(i16, i16, i16); 8] = [
        (0, 0, 11),
        (1, 4, 16),
        (2, 1, 7),
        (3, 0, 12),
        (10, 0, 4),
        (17, 0, 1),
        (18, 0, 3),
        (36, 0, 2),
    ];
    let mut body = vec![0, 0, OFFERED.len() as u8 + 1];
    for (key, low, high) in OFFERED {
        body.extend(
            [key, low, high]
                .iter()
                .flat_map(|number| number.to_be_bytes()),
        );
        body.push(0);
    }
    body.extend([0, 0, 0, 0, 0]);
    body
}

/// An answer to Metadata v12: this broker, and topic `orders` with one partition.
pub fn metadata(port: u16) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(0i32.to_be_bytes());
    body.push(2);
    body.extend(1i32.to_be_bytes());
    body.push(10);
    body.extend(b"127.0.0.1");
    body.extend(i32::from(port).to_be_bytes());
    body.extend([0, 0]);
    body.push(8);
    body.extend(b"cluster");
    body.extend(1i32.to_be_bytes());
    body.push(2);
    body.extend([0, 0, 7]);
    body.extend(b"orders");
    body.extend([9; 16]);
    body.push(0);
    body.push(2);
    body.extend([0, 0]);
    for number in [0i32, 1, 3] {
        body.extend(number.to_be_bytes());
    }
    body.extend([2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0]);
    body.extend(i32::MIN.to_be_bytes());
    body.extend([0, 0]);
    body
}

/// An answer to SaslAuthenticate v2.
pub fn authenticated(lifetime_ms: i64) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 1];
    body.extend(lifetime_ms.to_be_bytes());
    body.push(0);
    body
}
