//! One instance of an application, on one side: a client of librdkafka in a thread of its own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use super::{applications::PARTITIONS, tally::Numbers};

const LIMIT: Duration = Duration::from_secs(30);
/// Records a second that *orders* writes.
const PACE: u64 = 100;
/// Between two commits, if there is anything to commit.
const COMMIT_EVERY: Duration = Duration::from_millis(200);

/// What an application does.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// Writes numbers to a topic, one after the other, round its partitions.
    Writes(&'static str),
    /// Reads numbers from a topic, and writes each on where a second one is named.
    Reads(&'static str, Option<&'static str>),
}

/// What all instances of an application share.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// The next number to write.
    pub next: Arc<AtomicU64>,
    /// What was acknowledged, or given.
    pub numbers: Arc<Mutex<Numbers>>,
}

impl Notes {
    fn note(&self, partition: i32, number: u64) {
        let mut numbers = self.numbers.lock().expect("nobody panics with it");
        numbers.entry(partition).or_default().push(number);
    }
}

/// One instance.
pub struct Worker {
    /// The application, which its group is named after.
    pub name: &'static str,
    /// What it does.
    pub work: Work,
    /// Where: a list of servers.
    pub servers: String,
    /// What it shares with the application's other instances.
    pub notes: Notes,
    /// It is to end.
    pub stop: Arc<AtomicBool>,
    /// All are.
    pub all: Arc<AtomicBool>,
}

/// Notes what brokers acknowledge.
struct Acknowledged(Notes);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        if let Ok(message) = result {
            self.0.note(message.partition(), number as u64);
        }
    }
}

impl Worker {
    /// Works until it is told to stop; then all that it was given is written on, acknowledged and committed.
    pub fn run(&self) -> Result<(), KafkaError> {
        match self.work {
            Work::Writes(to) => self.write(to),
            Work::Reads(from, to) => self.read(from, to),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.all.load(Ordering::Relaxed)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", self.name);
        config
    }

    fn write(&self, topic: &str) -> Result<(), KafkaError> {
        let producer: BaseProducer<Acknowledged> = self
            .config()
            .set("enable.idempotence", "true")
            .create_with_context(Acknowledged(self.notes.clone()))?;
        let began = Instant::now();
        let mut sent = 0;
        while self.goes_on() {
            producer.poll(Duration::from_millis(5));
            let due = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) * PACE / 1000;
            while sent < due {
                let number = self.notes.next.fetch_add(1, Ordering::Relaxed);
                let partition = i32::try_from(number % PARTITIONS as u64).unwrap_or(0);
                send(&producer, topic, partition, number)?;
                sent += 1;
            }
        }
        producer.flush(LIMIT)
    }

    fn read(&self, from: &'static str, to: Option<&str>) -> Result<(), KafkaError> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", self.name)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("fetch.wait.max.ms", "50")
            .create()?;
        consumer.subscribe(&[from])?;
        // What is written on is not noted: whoever reads it notes it.
        let producer: BaseProducer<Acknowledged> = self
            .config()
            .set("enable.idempotence", "true")
            .create_with_context(Acknowledged(Notes::default()))?;
        let mut open = BTreeMap::new();
        let mut committed = Instant::now();
        loop {
            let goes_on = self.goes_on();
            if goes_on && let Some(message) = consumer.poll(Duration::from_millis(20)) {
                let message = message?;
                let text = String::from_utf8_lossy(message.payload().unwrap_or_default());
                let number: u64 = text.parse().unwrap_or(u64::MAX);
                if let Some(to) = to {
                    send(&producer, to, message.partition(), number)?;
                }
                self.notes.note(message.partition(), number);
                open.insert(message.partition(), message.offset() + 1);
            }
            if !open.is_empty() && (!goes_on || committed.elapsed() > COMMIT_EVERY) {
                producer.flush(LIMIT)?;
                commit(&consumer, from, &open)?;
                open.clear();
                committed = Instant::now();
            }
            if !goes_on {
                return Ok(());
            }
        }
    }
}

fn commit(
    consumer: &BaseConsumer,
    topic: &str,
    open: &BTreeMap<i32, i64>,
) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in open {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}

fn send(
    producer: &BaseProducer<Acknowledged>,
    topic: &str,
    partition: i32,
    number: u64,
) -> Result<(), KafkaError> {
    let (key, value) = (format!("order-{number}"), number.to_string());
    let opaque = usize::try_from(number).unwrap_or(usize::MAX);
    let record = BaseRecord::with_opaque_to(topic, opaque)
        .partition(partition)
        .key(&key)
        .payload(&value);
    producer.send(record).map_err(|(error, _)| error)
}
