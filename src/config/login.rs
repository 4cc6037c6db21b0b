//! How each cluster is reached and logged in to: certificates and secrets are read.

use super::{
    credentials::{self, Refused},
    fault,
    overlay::Resolving,
    settings::variable,
    value::{Reference, Value},
};
use crate::model::{
    connection::{Auth, Connection, ScramHash, Tls},
    names::Side,
    secret::Secret,
};

impl Resolving<'_> {
    pub(super) fn connection(&mut self, side: Side) -> Option<Connection> {
        let tls = self.tls(side);
        let auth = self.auth(side);
        Some(Connection {
            side,
            bootstrap: self.texts(&format!("{side}.bootstrap"))?,
            auth: auth?,
            tls: tls?,
            connect_timeout: self.duration(&format!("{side}.connect_timeout"))?,
            request_timeout: self.duration(&format!("{side}.request_timeout"))?,
        })
    }

    /// The outer `None` is a fault, the inner one plain text.
    #[expect(
        clippy::option_option,
        reason = "a fault and `no TLS` are different answers"
    )]
    fn tls(&mut self, side: Side) -> Option<Option<Tls>> {
        let ca = format!("{side}.tls.ca");
        if self.document.refused.contains(&ca) {
            return None;
        }
        let Some(file) = self.text(&ca) else {
            // MSK lets nobody log in with IAM but over TLS, and no token of ours goes out without.
            let is_iam = self.text(&format!("{side}.auth.mechanism")).as_deref() == Some("msk-iam");
            let is_on = is_iam || self.value(&format!("{side}.tls")).is_some();
            return Some(is_on.then(Tls::default));
        };
        let file = self.start_of(&ca).join(file);
        match credentials::certificates(&file) {
            Ok(pem) => Some(Some(Tls {
                ca_pem: Some(pem),
                ca_path: Some(file),
            })),
            Err(refused) => {
                self.unreadable(&ca, refused);
                None
            }
        }
    }

    fn auth(&mut self, side: Side) -> Option<Auth> {
        let at = |key: &str| format!("{side}.auth.{key}");
        let mechanism = self.text(&at("mechanism"))?;
        if mechanism == "none" {
            for key in ["username", "password"] {
                if self.value(&at(key)).is_some() {
                    let hint = format!(
                        "set {} to scram-sha-512, scram-sha-256 or plain",
                        at("mechanism")
                    );
                    self.fault_of(
                        &at(key),
                        fault::BAD_VALUE,
                        "is set, but the mechanism is none".into(),
                        Some(hint),
                    );
                }
            }
            return Some(Auth::None);
        }
        if mechanism == "msk-iam" {
            return self.msk_iam(side);
        }
        for key in ["username", "password"] {
            if self.value(&at(key)).is_none() && !self.document.refused.contains(&at(key)) {
                let message = format!("{mechanism} needs `{}`", at(key));
                self.fault_of(
                    &at("mechanism"),
                    fault::MISSING,
                    message,
                    Some(format!("or set {}", variable(&at(key)))),
                );
            }
        }
        let password = self.secret(&at("password"));
        let (username, password) = (self.text(&at("username"))?, password?);
        Some(match mechanism.as_str() {
            "scram-sha-256" => Auth::Scram {
                hash: ScramHash::Sha256,
                username,
                password,
            },
            "scram-sha-512" => Auth::Scram {
                hash: ScramHash::Sha512,
                username,
                password,
            },
            _ => Auth::Plain { username, password },
        })
    }

    pub(super) fn secret(&mut self, path: &str) -> Option<Secret> {
        let Value::Secret(reference) = self.value(path)?.clone() else {
            return None;
        };
        let environment = |name: &str| self.environment.get(name).cloned();
        let start = self.start_of(path);
        match credentials::fetch(&reference, &start, &environment, self.amazon) {
            Ok(Some(secret)) => Some(secret),
            Ok(None) => {
                if let Reference::SecretsManager(stored) = reference
                    && !self.wanted.contains(&stored)
                {
                    self.wanted.push(stored);
                }
                Some(Secret::new(""))
            }
            Err(refused) => {
                self.unreadable(path, refused);
                None
            }
        }
    }

    pub(super) fn unreadable(&mut self, path: &str, refused: Refused) {
        let code = if refused.unavailable {
            fault::UNAVAILABLE
        } else {
            fault::UNREADABLE
        };
        self.fault_of(path, code, refused.message, Some(refused.hint));
    }
}
