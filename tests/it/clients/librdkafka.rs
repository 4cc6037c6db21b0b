//! The clients of librdkafka: the same as Java's, one thread each.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};

use super::{cast::login, noticed::Noticed};

/// Records of a transaction.
const EACH: u64 = 5;
const LIMIT: Duration = Duration::from_secs(20);

/// Where and as whom a client runs.
#[derive(Clone)]
pub struct Place {
    pub who: String,
    /// `producer`, `transactions`, `consumer`.
    pub kind: &'static str,
    pub side: String,
    pub stem: String,
    pub servers: String,
    pub authority: PathBuf,
    pub noticed: Noticed,
    pub next: Arc<AtomicU64>,
    pub stop: Arc<AtomicBool>,
}

impl Place {
    /// Runs it until it is told to stop.
    pub fn start(self) -> JoinHandle<()> {
        thread::spawn(move || {
            match self.kind {
                "producer" => self.produce(),
                "transactions" => self.transact(),
                "consumer" => self.consume(),
                kind => unreachable!("{kind}"),
            }
            self.say("down", "");
        })
    }

    fn say(&self, what: &str, more: &str) {
        let client = format!("librdkafka {}", self.kind);
        self.noticed
            .push(&self.who, &client, &self.side, what, more);
    }

    fn runs(&self, pause: u64) -> bool {
        thread::sleep(Duration::from_millis(pause));
        !self.stop.load(Ordering::Relaxed)
    }

    /// How it connects.
    fn settings(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", &self.servers)
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", "PLAIN")
            // A topic that was refused once is refused by librdkafka itself until it asks again, 5 minutes later if not said.
            .set("topic.metadata.refresh.interval.ms", "2000")
            .set("sasl.username", login(&self.who))
            .set("sasl.password", login(&self.who))
            .set("ssl.ca.location", self.authority.to_string_lossy());
        settings
    }

    fn produce(&self) {
        let mut settings = self.settings();
        settings.set("enable.idempotence", "true");
        let made = settings.create_with_context(Told(self.clone()));
        let producer: ThreadedProducer<Told> = made.expect("a producer can be made");
        let topic = format!("{}-rdk", self.stem);
        while self.runs(20) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = send(&producer, &topic, number) {
                self.say("fail", &name(&error));
            }
            if let Some((code, _)) = producer.client().fatal_error() {
                return self.say("dead", &format!("{code:?}"));
            }
        }
        producer.flush(LIMIT).ok();
    }

    fn transact(&self) {
        let topic = format!("{}-rdk-tx", self.stem);
        let mut settings = self.settings();
        settings.set("transactional.id", &topic);
        let made = settings.create_with_context(Told(self.clone()));
        let producer: ThreadedProducer<Told> = made.expect("a producer can be made");
        if let Err(error) = producer.init_transactions(LIMIT) {
            return self.say("dead", &name(&error));
        }
        while self.runs(100) {
            let number = self.next.load(Ordering::Relaxed);
            let done = (|| {
                producer.begin_transaction()?;
                for one in number..number + EACH {
                    send(&producer, &topic, one)?;
                }
                // Open for a while, as those of applications are.
                self.runs(20);
                producer.commit_transaction(LIMIT)
            })();
            match done {
                Ok(()) => {
                    self.next.fetch_add(EACH, Ordering::Relaxed);
                    (number..number + EACH).for_each(|one| self.say("ack", &one.to_string()));
                }
                Err(error) => {
                    self.say("fail", &name(&error));
                    if let Err(error) = producer.abort_transaction(LIMIT) {
                        return self.say("dead", &name(&error));
                    }
                    self.say("aborted", "");
                    self.runs(200);
                }
            }
        }
    }

    fn consume(&self) {
        let reset = match &*self.side {
            "source" => "earliest",
            _ => "error",
        };
        let mut settings = self.settings();
        settings
            .set("group.id", format!("{}-{}-rdk", self.stem, self.who))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", reset);
        let made = settings.create_with_context(Told(self.clone()));
        let consumer: BaseConsumer<Told> = made.expect("a consumer can be made");
        let topics = ["rdk", "rdk-tx"].map(|topic| format!("{}-{topic}", self.stem));
        consumer
            .subscribe(&topics.each_ref().map(String::as_str))
            .expect("it subscribes");
        let mut committed = Instant::now();
        let mut open = false;
        while self.runs(0) {
            if open && committed.elapsed() > Duration::from_millis(100) {
                if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
                    self.say("fail", &name(&error));
                }
                (open, committed) = (false, Instant::now());
            }
            match consumer.poll(Duration::from_millis(50)) {
                None => {}
                Some(Err(error)) => self.say("fail", &name(&error)),
                Some(Ok(message)) => {
                    let value = message.payload().expect("it has a value");
                    let value = String::from_utf8_lossy(value);
                    let partition = message.partition();
                    self.say("read", &format!("{} {partition} {value}", message.topic()));
                    open = true;
                }
            }
        }
        if open && let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
            self.say("fail", &name(&error));
        }
    }
}

/// A transaction whose records are all written, and which nobody has ended yet.
pub struct Open {
    place: Place,
    producer: ThreadedProducer<Told>,
    numbers: Range<u64>,
}

impl Open {
    /// Begins it, under a transactional id of its own.
    pub fn begin(place: Place) -> Self {
        let topic = format!("{}-rdk-tx", place.stem);
        let mut settings = place.settings();
        settings.set("transactional.id", format!("{}-open", place.stem));
        let made = settings.create_with_context(Told(place.clone()));
        let producer: ThreadedProducer<Told> = made.expect("a producer can be made");
        producer.init_transactions(LIMIT).expect("it begins");
        producer.begin_transaction().expect("it begins");
        let first = place.next.load(Ordering::Relaxed);
        let numbers = first..first + EACH;
        for number in numbers.clone() {
            send(&producer, &topic, number).expect("it is taken");
        }
        producer.flush(LIMIT).expect("they are written");
        Self {
            place,
            producer,
            numbers,
        }
    }

    /// Commits it, and answers what that was told.
    pub fn end(self) -> Result<(), String> {
        let done = self.producer.commit_transaction(LIMIT);
        done.map_err(|error| name(&error))?;
        for number in self.numbers {
            self.place.say("ack", &number.to_string());
        }
        Ok(())
    }
}

/// Sends a number to the partition that is its.
fn send(producer: &ThreadedProducer<Told>, topic: &str, number: u64) -> Result<(), KafkaError> {
    let text = number.to_string();
    let opaque = usize::try_from(number).expect("it is small");
    let record = BaseRecord::with_opaque_to(topic, opaque)
        .partition(i32::from(number % 2 == 1))
        .key(&text)
        .payload(&text);
    producer.send(record).map_err(|(error, _)| error)
}

/// As librdkafka names it.
fn name(error: &KafkaError) -> String {
    match error {
        KafkaError::Transaction(error) => format!("{:?}", error.code()),
        other => match other.rdkafka_error_code() {
            Some(code) => format!("{code:?}"),
            None => other.to_string(),
        },
    }
}

/// Whom librdkafka tells.
struct Told(Place);

impl ClientContext for Told {
    fn error(&self, error: KafkaError, reason: &str) {
        let fatal = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Fatal) => format!(" {reason}"),
            _ => String::new(),
        };
        self.0.say("told", &format!("{}{fatal}", name(&error)));
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        // A transaction is done when it is committed.
        if self.0.kind == "producer" {
            match result {
                Ok(_) => self.0.say("ack", &number.to_string()),
                Err((error, _)) => self.0.say("fail", &name(error)),
            }
        }
    }
}

impl ConsumerContext for Told {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(_) => self.0.say("assigned", ""),
            Rebalance::Revoke(_) if self.0.stop.load(Ordering::Relaxed) => {}
            Rebalance::Revoke(_) => self.0.say("revoked", ""),
            Rebalance::Error(error) => self.0.say("fail", &name(error)),
        }
    }
}
