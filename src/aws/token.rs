//! Tokens to log in to MSK with IAM: a signed request for the right to connect, made of AWS's credentials and sent to nobody but the broker.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, SharedCredentialsProvider},
};
use aws_sigv4::{
    http_request::{
        SignableBody, SignableRequest, SignatureLocation, SigningError, SigningSettings, sign,
    },
    sign::v4,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::{Mutex, OnceCell};

use super::{clients, failure};
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    model::{
        connection::{Making, NoToken, Token, Tokens},
        secret::Secret,
    },
};

/// What brokers are asked for the right to.
const ACTION: &str = "Action=kafka-cluster%3AConnect";
/// The service that the request is signed for.
const SERVICE: &str = "kafka-cluster";
/// How long a token is good for; brokers take none that is good for longer.
const LIFETIME: Duration = Duration::from_secs(900);
/// Credentials are had anew when they are good for no longer than this.
const MARGIN: Duration = Duration::from_secs(600);
/// Credentials without an end are looked for again after this: somebody may have changed them.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// What makes tokens for the clusters of a region, of the credentials that AWS's own tools would find.
pub fn of_region(region: &str) -> Arc<dyn Tokens> {
    Arc::new(MskTokens {
        name: format!("AWS credentials in {region}"),
        region: region.to_owned(),
        provider: OnceCell::new(),
        had: Mutex::default(),
    })
}

struct MskTokens {
    name: String,
    region: String,
    provider: OnceCell<Option<SharedCredentialsProvider>>,
    had: Mutex<Option<Had>>,
}

/// Credentials that were had before.
struct Had {
    credentials: Credentials,
    at: SystemTime,
}

impl Had {
    /// Good for the lifetime of a token, and not so old that others may be there.
    fn is_fresh(&self, now: SystemTime) -> bool {
        let begun = now.duration_since(self.at).unwrap_or_default();
        match self.credentials.expiry() {
            Some(ends) => ends > now + MARGIN.max(LIFETIME),
            None => begun < LOOK_AGAIN,
        }
    }

    /// Good for a login now.
    fn is_good(&self, now: SystemTime) -> bool {
        self.credentials
            .expiry()
            .is_none_or(|ends| ends > now + Duration::from_secs(60))
    }
}

impl Tokens for MskTokens {
    fn name(&self) -> &str {
        &self.name
    }

    fn token(&self) -> Making<'_> {
        Box::pin(async {
            let now = UNIX_EPOCH
                + Duration::from_millis(u64::try_from(clock::unix_millis()).unwrap_or(0));
            let credentials = self.credentials(now).await?;
            let value = signed(&credentials, &self.region, now).map_err(|error| NoToken {
                failure: Failure::new(Exit::Aws, "K317", "no token for MSK can be signed")
                    .because(&error),
                passing: false,
            })?;
            let ends = credentials
                .expiry()
                .map_or(now + LIFETIME, |ends| ends.min(now + LIFETIME));
            let ends = ends
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis();
            Ok(Token {
                value: Secret::new(value),
                ends: i64::try_from(ends).unwrap_or(i64::MAX),
            })
        })
    }
}

impl MskTokens {
    /// Those that were had before, while they are good for long enough: to have others may take calls that are counted.
    async fn credentials(&self, now: SystemTime) -> Result<Credentials, NoToken> {
        let mut had = self.had.lock().await;
        if let Some(had) = had.as_ref().filter(|had| had.is_fresh(now)) {
            return Ok(had.credentials.clone());
        }
        let provider = self
            .provider
            .get_or_init(|| async { clients::config(&self.region).await.credentials_provider() })
            .await;
        let found = match provider {
            Some(provider) => provider.provide_credentials().await,
            None => {
                Err(aws_credential_types::provider::error::CredentialsError::not_loaded_no_source())
            }
        };
        match (found, had.as_ref()) {
            (Ok(credentials), _) => {
                let others = Had {
                    credentials: credentials.clone(),
                    at: now,
                };
                *had = Some(others);
                Ok(credentials)
            }
            // Better short than none.
            (Err(_), Some(had)) if had.is_good(now) => Ok(had.credentials.clone()),
            (Err(error), _) => Err(failure::no_credentials(&error)),
        }
    }
}

/// The token: the address of a request for the right to connect, signed in its query, in base64.
fn signed(
    credentials: &Credentials,
    region: &str,
    now: SystemTime,
) -> Result<String, SigningError> {
    let suffix = match region.starts_with("cn-") {
        true => "amazonaws.com.cn",
        false => "amazonaws.com",
    };
    let mut address = format!("https://kafka.{region}.{suffix}/?{ACTION}");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFETIME);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings)
        .build()
        .expect("everything that it takes is given")
        .into();
    let nothing = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", address.clone(), std::iter::empty(), nothing)?;
    let (said, _) = sign(request, &params)?.into_parts();
    for (name, value) in said.params() {
        write!(address, "&{name}={}", in_query(value)).expect("writing to a string");
    }
    let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
    // Behind the signature: it is none of what is signed.
    write!(address, "&User-Agent={}", in_query(agent)).expect("writing to a string");
    Ok(URL_SAFE_NO_PAD.encode(address))
}

/// Coded for a query as signatures are made of it: everything but what RFC 3986 never reserves.
fn in_query(text: &str) -> String {
    let mut coded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                coded.push(char::from(byte));
            }
            other => write!(coded, "%{other:02X}").expect("writing to a string"),
        }
    }
    coded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-31T12:34:56Z
    const AT: u64 = 1_769_862_896;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn credentials(session: Option<&str>, ends: Option<SystemTime>) -> Credentials {
        Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session.map(str::to_owned),
            ends,
            "test",
        )
    }

    /// The address in a token, without whom it says it is of; its query by name.
    fn taken_apart(token: &str) -> (String, Vec<(String, String)>) {
        let bytes = URL_SAFE_NO_PAD.decode(token).expect("it is base64");
        let address = String::from_utf8(bytes).expect("it is text");
        let (base, query) = address.split_once('?').expect("it has a query");
        let pairs = query.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').expect("a name and a value");
            (name.to_owned(), value.to_owned())
        });
        (base.to_owned(), pairs.collect())
    }

    /// The signatures were computed apart from this, step by step with HMAC, and agree with those of AWS's library for Python.
    #[test]
    fn tokens_are_those_that_others_sign() {
        let (base, query) =
            taken_apart(&signed(&credentials(None, None), "us-east-1", at(AT)).unwrap());
        assert_eq!(base, "https://kafka.us-east-1.amazonaws.com/");
        let expected = [
            ("Action", "kafka-cluster%3AConnect"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            (
                "X-Amz-Credential",
                "AKIDEXAMPLE%2F20260131%2Fus-east-1%2Fkafka-cluster%2Faws4_request",
            ),
            ("X-Amz-Date", "20260131T123456Z"),
            ("X-Amz-Expires", "900"),
            ("X-Amz-SignedHeaders", "host"),
            (
                "X-Amz-Signature",
                "752f79780323d727e9c7202fbb99c6fd18faef12dfe53a821eebf87ad455cbe8",
            ),
            (
                "User-Agent",
                concat!("kafka-migrate%2F", env!("CARGO_PKG_VERSION")),
            ),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query, expected);

        let with_session = credentials(Some("to+k/en=="), None);
        let (base, query) = taken_apart(&signed(&with_session, "cn-north-1", at(AT)).unwrap());
        assert_eq!(base, "https://kafka.cn-north-1.amazonaws.com.cn/");
        let of = |name: &str| {
            query
                .iter()
                .find(|pair| pair.0 == name)
                .map(|pair| &*pair.1)
        };
        assert_eq!(of("X-Amz-Security-Token"), Some("to%2Bk%2Fen%3D%3D"));
        assert_eq!(
            of("X-Amz-Signature"),
            Some("0be6a43bca73543426712230a2bba1256b6f31f65bc685834a7c082c7df595c8")
        );
    }

    #[test]
    fn credentials_are_had_again_before_they_end() {
        let had = |ends: Option<u64>| Had {
            credentials: credentials(None, ends.map(at)),
            at: at(AT),
        };
        assert!(had(Some(AT + 901)).is_fresh(at(AT)) && !had(Some(AT + 900)).is_fresh(at(AT)));
        assert!(had(Some(AT + 61)).is_good(at(AT)) && !had(Some(AT + 60)).is_good(at(AT)));
        assert!(had(None).is_fresh(at(AT + 299)) && !had(None).is_fresh(at(AT + 300)));
        assert!(had(None).is_good(at(AT + 10_000)));
    }

    #[tokio::test]
    async fn a_token_ends_with_the_credentials_it_is_made_of() {
        let now = u64::try_from(clock::unix_millis()).unwrap() / 1000;
        for (ends, least, most) in [(None, 890, 910), (Some(300), 290, 310)] {
            let credentials = credentials(None, ends.map(|ends| at(now + ends)));
            let tokens = MskTokens {
                name: String::new(),
                region: "us-east-1".into(),
                provider: OnceCell::new_with(Some(Some(SharedCredentialsProvider::new(
                    credentials,
                )))),
                had: Mutex::default(),
            };
            let token = tokens.token().await.unwrap();
            let left = token.ends / 1000 - i64::try_from(now).unwrap();
            assert!((least..most).contains(&left), "{left}");
            assert!(!format!("{token:?}").contains(token.value.reveal()));
        }
    }
}
