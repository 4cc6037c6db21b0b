//! Transactions of all kinds: one after the other for ever, overlapping ones, and one that stays open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::support::kafka::Kafka;

const LIMIT: Duration = Duration::from_secs(60);
/// What a broker allows at most.
const LONGEST: &str = "900000";

fn producer(bootstrap: &str, id: &str) -> Result<BaseProducer, KafkaError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", LONGEST)
        .set("message.timeout.ms", "60000")
        .set("linger.ms", "2")
        .create()?;
    producer.init_transactions(LIMIT)?;
    Ok(producer)
}

fn send(
    producer: &BaseProducer,
    topic: &str,
    partition: i32,
    value: &str,
) -> Result<(), KafkaError> {
    let record = BaseRecord::to(topic)
        .partition(partition)
        .key("transaction")
        .payload(value);
    producer.send(record).map_err(|(error, _)| error)
}

/// Transactions of three producers that overlap in every partition and end in another order than they began; every third is aborted.
pub fn write_overlapping(kafka: &Kafka, topic: &str, partitions: i32) {
    let bootstrap = kafka.bootstrap().join(",");
    let producers = [0, 1, 2].map(|number| {
        producer(&bootstrap, &format!("{topic}-{number}")).expect("transactions can begin")
    });
    for round in 0..6 {
        for step in 0..3 {
            for (number, producer) in producers.iter().enumerate() {
                if step == 0 {
                    producer.begin_transaction().expect("a transaction begins");
                }
                for partition in 0..partitions {
                    let value = format!("{partition}/{round}-{step}-{number}");
                    send(producer, topic, partition, &value).expect("the queue has room");
                }
                producer.flush(LIMIT).expect("the source acknowledges it");
            }
        }
        for turn in 0..3 {
            let number = (round + 2 * turn) % 3;
            let ended = if (round + number) % 3 == 0 {
                producers[number].abort_transaction(LIMIT)
            } else {
                producers[number].commit_transaction(LIMIT)
            };
            ended.expect("the transaction ends");
        }
    }
}

/// A transaction that is open.
pub struct Open(BaseProducer);

impl Open {
    /// Begins one in partition 0, with so many records.
    pub fn begin(kafka: &Kafka, topic: &str, id: &str, records: usize) -> Self {
        let bootstrap = kafka.bootstrap().join(",");
        let producer = producer(&bootstrap, id).expect("transactions can begin");
        producer.begin_transaction().expect("a transaction begins");
        for number in 0..records {
            send(&producer, topic, 0, &format!("0/open-{number}")).expect("the queue has room");
        }
        producer.flush(LIMIT).expect("the source acknowledges it");
        Self(producer)
    }

    /// Commits it.
    pub fn commit(self) {
        self.0.commit_transaction(LIMIT).expect("it commits");
    }
}

/// A thread that writes small transactions to partition 0, every second one aborted, until it is stopped. What a broker that goes
/// away leaves undone is aborted by the next producer of the same name.
pub struct Writer {
    over: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub fn start(kafka: &Kafka, topic: &'static str) -> Self {
        let (over, ended) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let bootstrap = kafka.bootstrap().join(",");
        let (stops, count) = (Arc::clone(&over), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            while !stops.load(Relaxed) {
                let written = producer(&bootstrap, topic)
                    .and_then(|producer| write_until(&producer, topic, &stops, &count));
                if written.is_err() {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        Self {
            over,
            ended,
            thread: Some(thread),
        }
    }

    /// Stops; answers how many transactions it ended.
    pub fn stop(mut self) -> u64 {
        self.join();
        self.ended.load(Relaxed)
    }

    fn join(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.join();
    }
}

fn write_until(
    producer: &BaseProducer,
    topic: &str,
    stops: &AtomicBool,
    count: &AtomicU64,
) -> Result<(), KafkaError> {
    while !stops.load(Relaxed) {
        let number = count.load(Relaxed);
        producer.begin_transaction()?;
        for record in 0..3 {
            send(producer, topic, 0, &format!("0/{number}-{record}"))?;
        }
        producer.flush(LIMIT)?;
        if number.is_multiple_of(2) {
            producer.commit_transaction(LIMIT)?;
        } else {
            producer.abort_transaction(LIMIT)?;
        }
        count.fetch_add(1, Relaxed);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
