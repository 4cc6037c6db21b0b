//! Logging in: what a connection has to say before it is heard, as `SaslServerAuthenticator` has it.

mod plain;
mod scram;
mod users;

use self::scram::{Challenge, Wrong};
pub use self::users::{Credential, Mechanism, Users};
use super::errors;
use kafka_protocol::messages::ApiKey;

/// A principal's type and name, for who logged in.
pub fn principal_of(user: &str) -> String {
    format!("User:{user}")
}

/// Who comes by a listener that asks for no login.
pub const ANONYMOUS: &str = "User:ANONYMOUS";

/// Where one connection is in its login.
#[derive(Debug, Default)]
pub struct Login {
    stage: Stage,
    /// After SaslHandshake v0 tokens come as frames of their own, without a request around them.
    raw: bool,
    /// ApiVersions is heard once before a login.
    versions_told: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It is answered.
    Heard,
    /// It is answered with ILLEGAL_SASL_STATE, and the connection is closed.
    Refused,
    /// The connection is closed.
    Cut,
}

#[derive(Debug, Default)]
enum Stage {
    /// No mechanism yet.
    #[default]
    Start,
    /// The client's first token is next.
    Agreed(Mechanism),
    /// The client has a challenge to answer.
    Challenged(Box<Challenge>),
    /// Logged in, or on a listener that needs no login.
    Done,
    /// Refused; the connection is about to be closed.
    Failed,
}

/// What a token leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// There is more to say.
    Challenge(Vec<u8>),
    /// It is this user.
    Done {
        /// The user's name.
        user: String,
        /// The last token.
        token: Vec<u8>,
    },
}

/// A login refused; the connection is closed after the answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// Is it closed without one?
    pub cut: bool,
    /// ILLEGAL_SASL_STATE or SASL_AUTHENTICATION_FAILED.
    pub code: i16,
    /// Kafka's text. Except for PLAIN it does not tell whether the user exists.
    pub text: String,
}

impl Login {
    /// Of a connection that needs none.
    pub fn needless() -> Self {
        Self {
            stage: Stage::Done,
            raw: false,
            versions_told: false,
        }
    }

    /// What becomes of a request of this API now.
    pub fn hears(&self, api: ApiKey) -> Hearing {
        match (&self.stage, api) {
            (Stage::Done, _)
            | (Stage::Start, ApiKey::SaslHandshake)
            | (Stage::Agreed(_) | Stage::Challenged(_), ApiKey::SaslAuthenticate) => Hearing::Heard,
            (Stage::Start, ApiKey::ApiVersions) if !self.versions_told => Hearing::Heard,
            (Stage::Agreed(_) | Stage::Challenged(_), _) => Hearing::Refused,
            (Stage::Start | Stage::Failed, _) => Hearing::Cut,
        }
    }

    /// ApiVersions was answered.
    pub fn versions_are_told(&mut self) {
        self.versions_told = true;
    }

    /// Is it over, one way or the other?
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Are the next frames bare tokens?
    pub fn takes_raw_tokens(&self) -> bool {
        self.raw && matches!(self.stage, Stage::Agreed(_) | Stage::Challenged(_))
    }

    /// SaslHandshake: zero, or the error. With UNSUPPORTED_SASL_MECHANISM, and out of turn, the connection is closed after the answer;
    /// one that is logged in stays.
    pub fn handshake(&mut self, version: i16, mechanism: &str) -> i16 {
        match (&self.stage, Mechanism::of(mechanism)) {
            (Stage::Start, Some(mechanism)) => {
                self.raw = version == 0;
                self.stage = Stage::Agreed(mechanism);
                errors::NONE
            }
            (Stage::Start, None) => {
                self.stage = Stage::Failed;
                errors::UNSUPPORTED_SASL_MECHANISM
            }
            (Stage::Done, _) => errors::ILLEGAL_SASL_STATE,
            (Stage::Agreed(_) | Stage::Challenged(_) | Stage::Failed, _) => {
                self.stage = Stage::Failed;
                errors::ILLEGAL_SASL_STATE
            }
        }
    }

    /// SaslAuthenticate: one token of the client. `nonce` is the server's share of a challenge.
    pub fn token(&mut self, users: &Users, token: &[u8], nonce: &str) -> Result<Step, Refused> {
        let step = match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Agreed(Mechanism::Plain) => plain::check(users, token).map(|user| Step::Done {
                user,
                token: Vec::new(),
            }),
            Stage::Agreed(mechanism) => match Challenge::begin(users, mechanism, token, nonce) {
                Ok((challenge, answer)) => {
                    self.stage = Stage::Challenged(Box::new(challenge));
                    return Ok(Step::Challenge(answer));
                }
                Err(text) => Err(text.unwrap_or_else(|| invalid(mechanism))),
            },
            Stage::Challenged(challenge) => {
                let mechanism = challenge.mechanism();
                let end = challenge.end(token);
                if end.as_ref().is_err_and(|wrong| *wrong == Wrong::Cut) {
                    return Err(Refused {
                        cut: true,
                        code: errors::NONE,
                        text: String::new(),
                    });
                }
                end.map(|(user, token)| Step::Done { user, token })
                    .map_err(|_| invalid(mechanism))
            }
            Stage::Done => {
                self.stage = Stage::Done;
                return Err(Refused {
                    cut: false,
                    code: errors::ILLEGAL_SASL_STATE,
                    text: "SaslAuthenticate request received after successful authentication"
                        .to_owned(),
                });
            }
            Stage::Start | Stage::Failed => {
                return Err(Refused {
                    cut: false,
                    code: errors::ILLEGAL_SASL_STATE,
                    text:
                        "Unexpected Kafka request of type SASL_AUTHENTICATE during SASL handshake."
                            .to_owned(),
                });
            }
        };
        match step {
            Ok(step) => {
                self.stage = Stage::Done;
                Ok(step)
            }
            Err(text) => Err(Refused {
                cut: false,
                code: errors::SASL_AUTHENTICATION_FAILED,
                text,
            }),
        }
    }
}

/// For every mechanism but PLAIN: no word on what was wrong.
fn invalid(mechanism: Mechanism) -> String {
    format!(
        "Authentication failed during authentication due to invalid credentials with SASL mechanism {}",
        mechanism.name()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let mut users = Users::default();
        users.add("alice", "secret", b"salt");
        users
    }

    fn plain(login: &mut Login, token: &[u8]) -> Result<Step, Refused> {
        assert_eq!(login.handshake(1, "PLAIN"), errors::NONE);
        login.token(&users(), token, "")
    }

    #[test]
    fn plain_logs_in_and_only_then_is_it_done() {
        let mut login = Login::default();
        assert!(!login.is_done());
        let step = plain(&mut login, b"\0alice\0secret");
        assert_eq!(
            step,
            Ok(Step::Done {
                user: "alice".to_owned(),
                token: Vec::new()
            })
        );
        assert!(login.is_done());
        assert_eq!(principal_of("alice"), "User:alice");
    }

    #[test]
    fn plain_refuses_with_kafkas_texts() {
        for (token, text) in [
            (
                &b"\0alice\0wrong"[..],
                "Authentication failed: Invalid username or password",
            ),
            (
                b"\0bob\0secret",
                "Authentication failed: Invalid username or password",
            ),
            (
                b"\0\0secret",
                "Authentication failed: username not specified",
            ),
            (
                b"\0alice\0",
                "Authentication failed: password not specified",
            ),
            (
                b"bob\0alice\0secret",
                "Authentication failed: Client requested an authorization id that is different from username",
            ),
            (
                b"alice\0secret",
                "Invalid SASL/PLAIN response: expected 3 tokens, got 2",
            ),
            (
                b"\0alice\0secret\0",
                "Invalid SASL/PLAIN response: expected 3 tokens, got 4",
            ),
        ] {
            let mut login = Login::default();
            let refused = plain(&mut login, token).expect_err(text);
            assert_eq!(
                (refused.code, refused.text.as_str()),
                (errors::SASL_AUTHENTICATION_FAILED, text)
            );
            assert!(!login.is_done());
            assert_eq!(
                login
                    .token(&users(), b"\0alice\0secret", "")
                    .map_err(|refused| refused.code),
                Err(errors::ILLEGAL_SASL_STATE),
                "no second try"
            );
        }
        assert!(
            plain(&mut Login::default(), b"alice\0alice\0secret").is_ok(),
            "the own name may be named"
        );
    }

    #[test]
    fn unknown_mechanisms_are_refused() {
        let mut login = Login::default();
        assert_eq!(
            login.handshake(1, "GSSAPI"),
            errors::UNSUPPORTED_SASL_MECHANISM
        );
        assert_eq!(
            login.handshake(1, "PLAIN"),
            errors::ILLEGAL_SASL_STATE,
            "too late"
        );
    }

    #[test]
    fn requests_out_of_turn_are_refused() {
        let mut login = Login::default();
        assert_eq!(
            login
                .token(&users(), b"", "")
                .map_err(|refused| refused.code),
            Err(errors::ILLEGAL_SASL_STATE)
        );
        let mut login = Login::default();
        assert_eq!(login.handshake(1, "PLAIN"), errors::NONE);
        assert_eq!(login.handshake(1, "PLAIN"), errors::ILLEGAL_SASL_STATE);
        let mut login = Login::needless();
        assert_eq!(login.handshake(1, "PLAIN"), errors::ILLEGAL_SASL_STATE);
        let refused = login
            .token(&users(), b"\0alice\0secret", "")
            .expect_err("already in");
        assert_eq!(
            refused.text,
            "SaslAuthenticate request received after successful authentication"
        );
        assert!(login.is_done(), "and stays so");
    }

    #[test]
    fn bare_tokens_come_after_version_0_only() {
        let mut login = Login::default();
        assert!(!login.takes_raw_tokens());
        assert_eq!(login.handshake(0, "PLAIN"), errors::NONE);
        assert!(login.takes_raw_tokens());
        assert!(login.token(&users(), b"\0alice\0secret", "").is_ok());
        assert!(!login.takes_raw_tokens());
        let mut login = Login::default();
        assert_eq!(login.handshake(1, "PLAIN"), errors::NONE);
        assert!(!login.takes_raw_tokens());
    }

    #[test]
    fn scram_tells_nothing_of_what_was_wrong() {
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let text = format!(
                "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
            );
            for first in [
                "n,,n=bob,r=x",
                "y,,n=alice,r=x",
                "n,,n=alice",
                "",
                "n,,n=al=3ice,r=x",
            ] {
                let mut login = Login::default();
                assert_eq!(login.handshake(1, mechanism), errors::NONE);
                let refused = login
                    .token(&users(), first.as_bytes(), "y")
                    .expect_err(first);
                assert_eq!(
                    (refused.code, &refused.text),
                    (errors::SASL_AUTHENTICATION_FAILED, &text),
                    "{first}"
                );
            }
            let mut login = Login::default();
            assert_eq!(login.handshake(1, mechanism), errors::NONE);
            assert!(matches!(
                login.token(&users(), b"n,,n=alice,r=x", "y"),
                Ok(Step::Challenge(_))
            ));
            let refused = login
                .token(&users(), b"c=biws,r=xz,p=AAAA", "")
                .expect_err("a wrong nonce");
            assert_eq!((refused.text, refused.cut), (text, false));
            let mut login = Login::default();
            assert_eq!(login.handshake(1, mechanism), errors::NONE);
            assert!(login.token(&users(), b"n,,n=alice,r=x", "y").is_ok());
            let refused = login
                .token(&users(), b"c=biws,r=xy,p=AAAA", "")
                .expect_err("a short proof");
            assert!(refused.cut);
        }
    }
}
