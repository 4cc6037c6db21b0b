//! SASL: who we are, told once per connection and again before the broker's limit runs out.

use std::time::Duration;

use bytes::Bytes;

use kafka_protocol::{
    messages::{SaslAuthenticateRequest, SaslHandshakeRequest},
    protocol::StrBytes,
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Error,
    conn::Conn,
    scram::{self, Scram},
    versions::Ask,
};
use crate::{
    error::Failure,
    exit::Exit,
    model::connection::{Auth, Connection, NoToken, ScramHash, Token, Tokens},
};

const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;
/// Part of the time the broker allows after which we log in again; the Java client takes 85 to 95 %.
const RENEW_AT: f64 = 0.85;
/// Pause before a token is asked for again, where there was none in time for the next login; of a short session a part of it.
const TOKEN_PAUSE: Duration = Duration::from_secs(2);
const PAUSE_PART: f64 = 0.05;
/// What is left of a session when there is no more time to ask for a token: the login itself needs some.
const TOKEN_UNTIL: f64 = 0.97;
/// What a client sends when the broker has said why it refuses a token (RFC 7628, section 3.2.3).
const UNDERSTOOD: &[u8] = b"\x01";

/// Logs in as the settings say, and keeps the login fresh (KIP-368).
pub(super) async fn login(conn: &Conn, settings: &Connection) -> Result<(), Error> {
    let patience = settings.connect_timeout;
    let lifetime = match &settings.auth {
        Auth::None => return Ok(()),
        auth => {
            let token = token(conn, auth, patience).await?;
            authenticate(conn, auth, token, patience).await?
        }
    };
    if let Some(lifetime) = lifetime {
        tokio::spawn(renew(conn.downgrade(), settings.clone(), lifetime));
    }
    Ok(())
}

/// Logs in again on the same connection before each limit, while someone holds the connection.
async fn renew(weak: super::conn::WeakConn, settings: Connection, mut lifetime: Duration) {
    loop {
        let begun = Instant::now();
        let pause = TOKEN_PAUSE.min(lifetime.mul_f64(PAUSE_PART));
        sleep(lifetime.mul_f64(RENEW_AT)).await;
        // Had before others have to wait: to make a token can take longer than to send it.
        let token = loop {
            let Some(conn) = weak.upgrade().filter(Conn::is_alive) else {
                return;
            };
            match token(&conn, &settings.auth, settings.request_timeout).await {
                Ok(token) => break token,
                // The login is still good for a while.
                Err(_) if begun.elapsed() + pause < lifetime.mul_f64(TOKEN_UNTIL) => {}
                Err(error) => return conn.poison(error),
            }
            drop(conn);
            sleep(pause).await;
        };
        let Some(conn) = weak.upgrade().filter(Conn::is_alive) else {
            return;
        };
        // The broker takes nothing between the steps of a login, so other requests wait; those in flight are answered first.
        let _alone = conn.alone().await;
        match authenticate(&conn, &settings.auth, token, settings.request_timeout).await {
            Ok(Some(again)) => lifetime = again,
            Ok(None) => return,
            Err(error) => return conn.poison(error),
        }
    }
}

/// A token, where the login takes one.
async fn token(conn: &Conn, auth: &Auth, patience: Duration) -> Result<Option<Token>, Error> {
    let Auth::Bearer(tokens) = auth else {
        return Ok(None);
    };
    let why = match timeout(patience, tokens.token()).await {
        Ok(Ok(token)) => return Ok(Some(token)),
        Ok(Err(why)) => why,
        Err(_) => too_slow(&**tokens, patience),
    };
    Err(Error::Token {
        address: conn.address().to_string(),
        why: Box::new(why),
    })
}

fn too_slow(tokens: &dyn Tokens, patience: Duration) -> NoToken {
    NoToken {
        failure: Failure::new(
            Exit::Aws,
            "K316",
            format!(
                "no token for {} was made within {patience:?}",
                tokens.name()
            ),
        )
        .hint("is what hands out the credentials reachable from here?")
        .next("aws sts get-caller-identity"),
        passing: true,
    }
}

/// One login; the time until the broker wants another.
async fn authenticate(
    conn: &Conn,
    auth: &Auth,
    token: Option<Token>,
    patience: Duration,
) -> Result<Option<Duration>, Error> {
    let (mechanism, username) = match auth {
        Auth::None => return Ok(None),
        Auth::Plain { username, .. } => ("PLAIN", username.as_str()),
        Auth::Scram {
            hash: ScramHash::Sha256,
            username,
            ..
        } => ("SCRAM-SHA-256", username.as_str()),
        Auth::Scram {
            hash: ScramHash::Sha512,
            username,
            ..
        } => ("SCRAM-SHA-512", username.as_str()),
        Auth::Bearer(tokens) => ("OAUTHBEARER", tokens.name()),
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
        Auth::Bearer(_) => login.bearer(token).await?,
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
        match answer.error_code {
            0 => Ok((answer.auth_bytes, answer.session_lifetime_ms)),
            SASL_AUTHENTICATION_FAILED => {
                let reason = answer.error_message.map_or_else(
                    || "wrong user name or password".to_owned(),
                    |message| message.to_string(),
                );
                Err(self.refused(reason))
            }
            code => Err(Error::Refused {
                address: self.address(),
                api: SaslAuthenticateRequest::API.name,
                code,
            }),
        }
    }

    /// Shows a token (RFC 7628); the lifetime of the login in milliseconds.
    async fn bearer(&self, token: Option<Token>) -> Result<i64, Error> {
        let token = token.map(|token| token.value);
        let token = token.as_ref().map_or("", |token| token.reveal());
        let first = format!("n,,\x01auth=Bearer {token}\x01\x01");
        let (said, lifetime) = self.step(first.into()).await?;
        if said.is_empty() {
            return Ok(lifetime);
        }
        // It says why, and refuses only when it is told that this was understood.
        let why = refusal(&said);
        match self.step(Bytes::from_static(UNDERSTOOD)).await {
            Ok(_) => Err(self.refused(why)),
            Err(Error::Login { reason, .. }) if reason.contains(&why) => Err(self.refused(why)),
            Err(Error::Login { reason, .. }) => Err(self.refused(format!("{why} ({reason})"))),
            Err(error) => Err(error),
        }
    }

    fn refused(&self, reason: String) -> Error {
        Error::Login {
            address: self.address(),
            mechanism: self.mechanism,
            username: self.username.to_owned(),
            reason,
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

/// The status in what a broker says of a token that it refuses, a JSON object (RFC 7628, section 3.2.2); otherwise its first words.
fn refusal(said: &[u8]) -> String {
    let object: Option<serde_json::Value> = serde_json::from_slice(said).ok();
    let status = object
        .as_ref()
        .and_then(|object| object.get("status"))
        .and_then(serde_json::Value::as_str);
    match status {
        Some(status) => status.chars().take(100).collect(),
        None => String::from_utf8_lossy(said).chars().take(100).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_status() {
        for (said, told) in [
            (
                &br#"{"status":"invalid_token","scope":"x"}"#[..],
                "invalid_token",
            ),
            (br#"{"status":7}"#, r#"{"status":7}"#),
            (b"no", "no"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(refusal(said), told);
        }
        assert_eq!(refusal(&vec![b'x'; 10_000]).len(), 100);
    }
}
