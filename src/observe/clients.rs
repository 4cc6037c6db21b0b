//! What a client like those of applications meets: librdkafka, with the same login, at every broker by itself.

use super::{BrokerSeen, ClientSeen, Known};
use crate::model::connection::Connection;

/// Asks every broker that our own connections reached; the others are another gate's.
#[cfg_attr(not(feature = "rdkafka"), allow(unused_variables))]
pub(super) async fn seen(settings: &Connection, brokers: &[BrokerSeen]) -> Known<Vec<ClientSeen>> {
    #[cfg(not(feature = "rdkafka"))]
    return Known::unknown("this build has no librdkafka to try it with");
    #[cfg(feature = "rdkafka")]
    consumer::all(settings, brokers).await
}

#[cfg(feature = "rdkafka")]
mod consumer {
    //! One consumer for each broker, which reads nothing but metadata.

    use std::{
        sync::Mutex,
        time::{Duration, Instant},
    };

    use rdkafka::{
        ClientConfig, ClientContext,
        client::OAuthToken,
        config::RDKafkaLogLevel,
        consumer::{BaseConsumer, Consumer as _, ConsumerContext},
        error::{KafkaError, RDKafkaErrorCode},
    };
    use tokio::task::JoinSet;

    use super::{BrokerSeen, ClientSeen, Connection, Known};
    use crate::cluster::token::Lent;

    /// Consumers at the same time: each has threads of its own.
    const AT_ONCE: usize = 8;
    /// One question, after which is seen what went wrong meanwhile.
    const STEP: Duration = Duration::from_secs(2);
    /// A name that no topic has: what is asked for is the brokers.
    const NO_TOPIC: &str = "kafka-migrate.probe";

    /// How long the first token is waited for, before which nothing else can be asked.
    const FIRST_TOKEN: Duration = Duration::from_millis(200);

    /// Keeps the last thing that librdkafka complained about, and hands it tokens.
    struct Listener(Mutex<Option<String>>, Option<Lent>);

    impl ClientContext for Listener {
        const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

        fn generate_oauth_token(
            &self,
            _: Option<&str>,
        ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
            let lent = self.1.as_ref().ok_or("this login takes no token")?;
            let (principal_name, token) = lent.token()?;
            Ok(OAuthToken {
                token: token.value.reveal().to_owned(),
                principal_name,
                lifetime_ms: token.ends,
            })
        }

        fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
            tracing::debug!(facility, message, "librdkafka");
        }

        fn error(&self, error: KafkaError, reason: &str) {
            tracing::debug!(%error, reason, "librdkafka");
            // That all are down says nothing of why: what was said before does.
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
                return;
            }
            *self.0.lock().expect("nothing panics while holding it") = Some(reason.to_owned());
        }
    }

    impl ConsumerContext for Listener {}

    pub(super) async fn all(
        settings: &Connection,
        brokers: &[BrokerSeen],
    ) -> Known<Vec<ClientSeen>> {
        let reached = brokers.iter().filter(|broker| broker.trouble.is_none());
        let mut waiting = reached.map(|broker| broker.address.clone());
        let tokens = Lent::of(settings);
        let mut asking = JoinSet::new();
        let mut seen = Vec::new();
        loop {
            while asking.len() < AT_ONCE
                && let Some(address) = waiting.next()
            {
                let (settings, tokens) = (settings.clone(), tokens.clone());
                asking.spawn_blocking(move || ClientSeen {
                    trouble: ask(&settings, tokens, &address).err(),
                    address,
                });
            }
            match asking.join_next().await {
                Some(Ok(one)) => seen.push(one),
                Some(Err(error)) => return Known::unknown(error.to_string()),
                None => break,
            }
        }
        seen.sort_by(|a, b| a.address.cmp(&b.address));
        Known::seen(seen)
    }

    /// Connects, logs in, and asks who the brokers are.
    fn ask(settings: &Connection, tokens: Option<Lent>, address: &str) -> Result<(), String> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", address)
            .set("client.id", "kafka-migrate-preflight")
            // Never subscribed: the group is never joined.
            .set("group.id", "kafka-migrate-preflight")
            .set("allow.auto.create.topics", "false")
            .set("enable.auto.commit", "false");
        settings.login(&mut |name, value| {
            config.set(name, value);
        });
        let takes_tokens = tokens.is_some();
        let consumer: BaseConsumer<Listener> = config
            .create_with_context(Listener(Mutex::default(), tokens))
            .map_err(|error| error.to_string())?;
        if takes_tokens {
            drop(consumer.poll(FIRST_TOKEN));
        }
        let begun = Instant::now();
        loop {
            let answer = consumer.client().fetch_metadata(Some(NO_TOPIC), STEP);
            let error = match answer {
                Ok(metadata) if !metadata.brokers().is_empty() => return Ok(()),
                Ok(_) => "it names no brokers".to_owned(),
                Err(error) => error.to_string(),
            };
            // What librdkafka complains about is told only while it is polled.
            drop(consumer.poll(Duration::ZERO));
            if begun.elapsed() >= settings.connect_timeout {
                let told = &consumer.context().0;
                let told = told.lock().expect("nothing panics while holding it").take();
                return Err(told.unwrap_or(error));
            }
        }
    }
}
