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

/// Where a secret lies in AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Its ARN.
    pub arn: String,
    /// What it is called in the secret, where that is a JSON object; the whole secret when left out.
    pub key: Option<String>,
}

impl Stored {
    /// Takes an ARN as one of a secret; `Err` says in words what is wrong with it.
    pub fn new(arn: &str, key: Option<String>) -> Result<Self, String> {
        let wanted =
            "an ARN such as arn:aws:secretsmanager:us-east-1:123456789012:secret:NAME-AbCdEf";
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        let [scheme, partition, service, region, account, kind, name] = parts[..] else {
            return Err(format!("{arn:?} is no ARN of a secret; it takes {wanted}"));
        };
        if scheme != "arn" || !partition.starts_with("aws") {
            return Err(format!("{arn:?} is no ARN; it takes {wanted}"));
        }
        if service != "secretsmanager" || kind != "secret" {
            return Err(format!(
                "{arn:?} is an ARN of `{service}`; it takes that of a secret, {wanted}"
            ));
        }
        let is_account = account.len() == 12 && account.bytes().all(|one| one.is_ascii_digit());
        if !is_account || region.is_empty() || name.is_empty() {
            return Err(format!("{arn:?} is not complete; it takes {wanted}"));
        }
        Ok(Self {
            arn: arn.to_owned(),
            key,
        })
    }

    /// The region that the secret lies in.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    /// Whether the ARN ends as Secrets Manager ended it: with a hyphen and six characters.
    pub fn is_complete(&self) -> bool {
        self.arn.rsplit_once('-').is_some_and(|(_, added)| {
            added.len() == 6 && added.bytes().all(|one| one.is_ascii_alphanumeric())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::model::{
        connection::{Auth, Connection, Making, ScramHash, Token, Tokens},
        names::Side,
    };

    struct Planted;

    impl Tokens for Planted {
        fn name(&self) -> &str {
            "app"
        }

        fn token(&self) -> Making<'_> {
            Box::pin(async {
                Ok(Token {
                    value: Secret::new("Pl4nted"),
                    ends: 0,
                })
            })
        }
    }

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
        for auth in [plain, scram, Auth::Bearer(Arc::new(Planted))] {
            let connection = connection(auth);
            for text in [format!("{connection:?}"), format!("{connection:#?}")] {
                assert!(text.contains("***") && !text.contains("Pl4nted"), "{text}");
            }
        }
        assert_eq!(format!("{} {:?}", password(), password()), "*** ***");
    }

    #[test]
    fn an_arn_of_a_secret_is_told_from_others() {
        let arn = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b-AbCdEf";
        let stored = Stored::new(arn, None).expect("it is one");
        assert_eq!(
            (stored.region(), stored.is_complete()),
            ("cn-north-1", true)
        );
        let short = arn.trim_end_matches("-AbCdEf");
        assert!(!Stored::new(short, None).expect("it is one").is_complete());
        for (arn, why) in [
            ("password", "is no ARN"),
            (
                "arn:aws:kafka:us-east-1:123456789012:cluster/a/b",
                "is no ARN",
            ),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter:x",
                "an ARN of `ssm`",
            ),
            (
                "arn:aws:secretsmanager:us-east-1:1:secret:x-AbCdEf",
                "is not complete",
            ),
        ] {
            let said = Stored::new(arn, None).expect_err(arn);
            assert!(said.contains(why), "{arn}: {said}");
        }
    }
}
