//! A value that cannot be printed.

use std::fmt;

/// A password or key. `Debug` and `Display` show `***`; the value leaves only through [`Secret::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value read from a file or the environment.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the handshake that needs it and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        connection::{Auth, Connection, ScramHash},
        names::Side,
    };

    #[test]
    fn whatever_holds_a_secret_prints_stars() {
        let password = || Secret::new("Pl4nted");
        let connection = |auth| Connection {
            side: Side::Source,
            bootstrap: vec!["kafka1:9092".into()],
            auth,
            tls: None,
            connect_timeout: Duration::ZERO,
            request_timeout: Duration::ZERO,
        };
        let plain = Auth::Plain {
            username: "app".into(),
            password: password(),
        };
        let scram = Auth::Scram {
            hash: ScramHash::Sha512,
            username: "app".into(),
            password: password(),
        };
        for auth in [plain, scram] {
            let connection = connection(auth);
            for text in [format!("{connection:?}"), format!("{connection:#?}")] {
                assert!(text.contains("***") && !text.contains("Pl4nted"), "{text}");
            }
        }
        assert_eq!(format!("{} {:?}", password(), password()), "*** ***");
    }
}
