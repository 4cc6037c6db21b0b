//! SASL: who we are, told once per connection and again before the broker's limit runs out.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};

use super::{
    Error,
    conn::Conn,
    scram::{self, Scram},
    versions::Ask,
};
use crate::model::connection::{Auth, Connection, ScramHash};

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;
/// Part of the time the broker allows after which we log in again; the Java client takes 85 to 95 %.
const RENEW_AT: f64 = 0.85;

/// Logs in as the settings say, and keeps the login fresh (KIP-368).
pub(super) async fn login(conn: &Conn, settings: &Connection) -> Result<(), Error> {
    let lifetime = match &settings.auth {
        Auth::None => return Ok(()),
        auth => authenticate(conn, auth, settings.connect_timeout).await?,
    };
    if let Some(lifetime) = lifetime {
        tokio::spawn(renew(conn.downgrade(), settings.clone(), lifetime));
    }
    Ok(())
}

/// Logs in again on the same connection before each limit, while someone holds the connection.
async fn renew(conn: super::conn::WeakConn, settings: Connection, mut lifetime: Duration) {
    loop {
        tokio::time::sleep(lifetime.mul_f64(RENEW_AT)).await;
        let Some(conn) = conn.upgrade().filter(Conn::is_alive) else {
            return;
        };
        // The broker takes nothing between the steps of a login, so other requests wait; those in flight are answered first.
        let _alone = conn.alone().await;
        match authenticate(&conn, &settings.auth, settings.request_timeout).await {
            Ok(Some(again)) => lifetime = again,
            Ok(None) => return,
            Err(error) => return conn.poison(error),
        }
    }
}

/// One login; the time until the broker wants another.
async fn authenticate(
    conn: &Conn,
    auth: &Auth,
    patience: Duration,
) -> Result<Option<Duration>, Error> {
    let (mechanism, username) = match auth {
        Auth::None => return Ok(None),
        Auth::Plain { username, .. } => ("PLAIN", username),
        Auth::Scram {
            hash: ScramHash::Sha256,
            username,
            ..
        } => ("SCRAM-SHA-256", username),
        Auth::Scram {
            hash: ScramHash::Sha512,
            username,
            ..
        } => ("SCRAM-SHA-512", username),
    };
    let login = Login {
        conn,
        mechanism,
        username,
        patience,
    };
    login.handshake().await?;
    let lifetime = match auth {
        Auth::None => return Ok(None),
        // RFC 4616: no authorisation identity, user name, password.
        Auth::Plain { password, .. } => {
            login
                .step(format!("\0{username}\0{}", password.reveal()).into())
                .await?
                .1
        }
        Auth::Scram { hash, password, .. } => {
            let (scram, first) = Scram::start(*hash, username, password.reveal(), &scram::nonce());
            let (challenge, _) = login.step(first.into()).await?;
            let (scram, last) = scram
                .answer(&challenge)
                .map_err(|reason| login.imposter(reason))?;
            let (proof, lifetime) = login.step(last.into()).await?;
            scram
                .check(&proof)
                .map_err(|reason| login.imposter(reason))?;
            lifetime
        }
    };
    Ok(u64::try_from(lifetime)
        .ok()
        .filter(|&lifetime| lifetime > 0)
        .map(Duration::from_millis))
}

struct Login<'a> {
    conn: &'a Conn,
    mechanism: &'static str,
    username: &'a str,
    patience: Duration,
}

impl Login<'_> {
    /// Names the mechanism.
    async fn handshake(&self) -> Result<(), Error> {
        let request = SaslHandshakeRequest::default()
            .with_mechanism(StrBytes::from_static_str(self.mechanism));
        let answer = self.conn.ask_in_login(&request, self.patience).await?;
        let (address, mechanism) = (self.address(), self.mechanism);
        match answer.error_code {
            0 => Ok(()),
            UNSUPPORTED_SASL_MECHANISM => {
                let offered = answer.mechanisms.iter().map(ToString::to_string).collect();
                Err(Error::Mechanism {
                    address,
                    mechanism,
                    offered,
                })
            }
            ILLEGAL_SASL_STATE => Err(Error::NoLoginHere { address, mechanism }),
            code => Err(Error::Refused {
                address,
                api: SaslHandshakeRequest::API.name,
                code,
            }),
        }
    }

    /// Sends one message of the mechanism; the broker's message, and the lifetime of the login in milliseconds.
    async fn step(&self, message: Bytes) -> Result<(Bytes, i64), Error> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(message);
        let answer = self.conn.ask_in_login(&request, self.patience).await?;
        let address = self.address();
        match answer.error_code {
            0 => Ok((answer.auth_bytes, answer.session_lifetime_ms)),
            SASL_AUTHENTICATION_FAILED => {
                let reason = answer.error_message.map_or_else(
                    || "wrong user name or password".to_owned(),
                    |message| message.to_string(),
                );
                Err(Error::Login {
                    address,
                    mechanism: self.mechanism,
                    username: self.username.to_owned(),
                    reason,
                })
            }
            code => Err(Error::Refused {
                address,
                api: SaslAuthenticateRequest::API.name,
                code,
            }),
        }
    }

    fn imposter(&self, reason: &'static str) -> Error {
        Error::Imposter {
            address: self.address(),
            mechanism: self.mechanism,
            reason,
        }
    }

    fn address(&self) -> String {
        self.conn.address().to_string()
    }
}
