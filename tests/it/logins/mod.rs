//! Logging in with tokens to real brokers that end every session after seconds: nothing breaks, nothing is lost, a refusal says why.

mod copy;
mod lines;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kafka_migrate::{
    config::{self, Amazon, Settings},
    error::Failure,
    exit::Exit,
    model::{
        connection::{Making, NoToken, Token, Tokens},
        secret::Secret,
    },
};

use crate::support::{
    kafka::{ADMIN, Kafka},
    tool::Migration,
};

/// How long a session lasts, in milliseconds; brokers take a login at most once a second.
const SESSION: u64 = 3000;

fn cluster(name: &str) -> Kafka {
    let jaas = format!(
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"{}\";",
        ADMIN.0
    );
    let package = "org.apache.kafka.common.security.oauthbearer.internals.unsecured";
    Kafka::spec(name)
        .secure()
        .set(
            "sasl.enabled.mechanisms",
            "OAUTHBEARER,SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
        )
        .set("listener.name.secure.oauthbearer.sasl.jaas.config", &jaas)
        .set(
            "listener.name.secure.oauthbearer.sasl.server.callback.handler.class",
            &format!("{package}.OAuthBearerUnsecuredValidatorCallbackHandler"),
        )
        .set(
            "listener.name.secure.oauthbearer.connections.max.reauth.ms",
            &SESSION.to_string(),
        )
        .start()
}

/// Two clusters that take tokens, started once for these tests.
fn pair() -> (&'static Kafka, &'static Kafka) {
    static PAIR: OnceLock<(Kafka, Kafka)> = OnceLock::new();
    let (source, target) = PAIR.get_or_init(|| {
        std::thread::scope(|scope| {
            let source = scope.spawn(|| cluster("tokens-source"));
            let target = cluster("tokens-target");
            (source.join().expect("the source starts"), target)
        })
    });
    (source, target)
}

/// Makes tokens that nobody signed, as these brokers take them.
#[derive(Default)]
struct Unsigned {
    made: AtomicUsize,
    /// From now on they have ended long ago.
    stale: AtomicBool,
    /// From now on there are none, as where nobody can be asked for credentials.
    missing: AtomicBool,
}

impl Unsigned {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Tokens for Unsigned {
    fn name(&self) -> &str {
        "tokens of a test"
    }

    fn token(&self) -> Making<'_> {
        Box::pin(async {
            self.made.fetch_add(1, Ordering::SeqCst);
            if self.missing.load(Ordering::SeqCst) {
                return Err(NoToken {
                    failure: Failure::new(Exit::Aws, "K300", "there are no credentials"),
                    passing: false,
                });
            }
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("it is later than 1970")
                .as_secs();
            let ends = match self.stale.load(Ordering::SeqCst) {
                true => now - 600,
                false => now + 3600,
            };
            let claims =
                serde_json::json!({ "sub": ADMIN.0, "iat": now - 1200, "exp": ends }).to_string();
            let coded = |text: &str| URL_SAFE_NO_PAD.encode(text);
            Ok(Token {
                value: Secret::new(format!(
                    "{}.{}.",
                    coded(r#"{"alg":"none"}"#),
                    coded(&claims)
                )),
                // What librdkafka is told must lie ahead.
                ends: i64::try_from((now + 3600) * 1000).expect("a time of this age"),
            })
        })
    }
}

/// Tokens of the two sides; "regions" name the test they are of.
fn tokens(region: &str) -> Arc<Unsigned> {
    static ALL: OnceLock<std::sync::Mutex<BTreeMap<String, Arc<Unsigned>>>> = OnceLock::new();
    let mut all = ALL
        .get_or_init(Default::default)
        .lock()
        .expect("nobody panics with this lock");
    all.entry(region.to_owned()).or_default().clone()
}

/// The settings of a migration whose logins are tokens: as `msk-iam` does it, of a region that is the migration's name.
fn settings(source: &Kafka, target: &Kafka, name: &str, topic: &str) -> (Settings, Migration) {
    let side = |side: &str, kafka: &Kafka| {
        format!(
            "[{side}]\nbootstrap = {:?}\n[{side}.auth]\nmechanism = \"msk-iam\"\n[{side}.tls]\nca = {:?}\n",
            kafka.secure_bootstrap(),
            kafka.ca()
        )
    };
    let text = format!(
        "version = 1\nname = {name:?}\n{}{}[msk]\nregion = {name:?}\n[scope]\ntopics = [{topic:?}]\n[replication]\nshards = 2\n",
        side("source", source),
        side("target", target)
    );
    let migration = Migration::from_text(name, &text);
    let amazon = Amazon {
        tokens: Some(|region| tokens(region)),
        secrets: BTreeMap::new(),
    };
    let state = migration.path("state");
    let settings = config::resolve(
        Path::new(&migration.file()),
        &[],
        Some(&state),
        &BTreeMap::new(),
        &amazon,
    )
    .expect("the settings are sound");
    (settings, migration)
}
