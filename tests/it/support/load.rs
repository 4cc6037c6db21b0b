//! Fills topics and keeps writing to them: all codecs, keys, tombstones, duplicate and non-UTF-8 header names,
//! transactions. Each value carries (partition, counter).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{
        BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
    },
};

use super::{
    Dice,
    codecs::{self, Envelope, Record},
    kafka::Kafka,
};

/// Compression types as librdkafka names them; the load uses all of them in every partition.
pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// What to write.
#[derive(Debug, Clone)]
pub struct Load {
    topics: Vec<(String, i32)>,
    /// Bytes of filling in each value.
    filling: usize,
    /// How old the records' timestamps are.
    age: Duration,
    /// Header names that are not UTF-8 too; not for compacted topics, whose cleaner rewrites names through strings.
    raw_headers: bool,
    /// What every key begins with, or every value where there is no key.
    mark: &'static str,
    /// Bytes of a batch at most, before it is compressed.
    batch: usize,
}

impl Load {
    /// To these topics, each with its number of partitions.
    pub fn to(topics: &[(&str, i32)]) -> Self {
        let topics = topics
            .iter()
            .map(|(name, partitions)| ((*name).to_owned(), *partitions))
            .collect();
        Self {
            topics,
            filling: 100,
            age: Duration::ZERO,
            raw_headers: true,
            mark: "",
            batch: 1_000_000,
        }
    }

    /// Bytes of filling in each value; 100 if not said.
    #[must_use]
    pub fn filling(mut self, bytes: usize) -> Self {
        self.filling = bytes;
        self
    }

    /// Bytes of a batch at most, before it is compressed; a million if not said, as librdkafka has it.
    #[must_use]
    pub fn batches_of(mut self, bytes: usize) -> Self {
        self.batch = bytes;
        self
    }

    /// Timestamps this long ago; now if not said.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// What every key begins with, or every value where there is no key: who wrote it.
    #[must_use]
    pub fn marked(mut self, mark: &'static str) -> Self {
        self.mark = mark;
        self
    }

    /// Only header names that are UTF-8.
    #[must_use]
    pub fn utf8_headers(mut self) -> Self {
        self.raw_headers = false;
        self
    }

    /// Writes that many records, spread evenly, and returns when all are acknowledged.
    pub fn fill(&self, kafka: &Kafka, records: u64) {
        let mut writer = Writer::new(self, kafka);
        for _ in 0..records {
            writer.write_one();
        }
        writer.write_raw(kafka);
        writer.finish();
    }

    /// Writes until stopped, that many records a second.
    pub fn keep_writing(&self, kafka: &Kafka, per_second: u64) -> Loader {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let mut writer = Writer::new(self, kafka);
        let (should_stop, count) = (Arc::clone(&stop), Arc::clone(&written));
        let (addresses, load) = (kafka.bootstrap(), self.clone());
        let thread = thread::spawn(move || {
            let began = Instant::now();
            let mut raw_at = 0;
            while !should_stop.load(Ordering::Relaxed) {
                let due = began.elapsed().as_millis() as u64 * per_second / 1000;
                if count.load(Ordering::Relaxed) >= due {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                }
                writer.write_one();
                let now = count.fetch_add(1, Ordering::Relaxed);
                if load.raw_headers && now >= raw_at {
                    raw_at = now + per_second;
                    writer.write_raw_through(&addresses);
                }
            }
            writer.finish();
        });
        Loader {
            stop,
            written,
            thread: Some(thread),
        }
    }
}

/// A load that is being written.
pub struct Loader {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Records written so far, acknowledged or not.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Stops, waits until all is acknowledged, and answers the number of records.
    pub fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .take()
            .expect("stopped once")
            .join()
            .expect("the load is acknowledged");
        self.written()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
}

struct Counting(Arc<Deliveries>);

impl ClientContext for Counting {}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writer {
    load: Load,
    producers: Vec<ThreadedProducer<Counting>>,
    deliveries: Arc<Deliveries>,
    counter: u64,
    dice: Dice,
}

impl Writer {
    fn new(load: &Load, kafka: &Kafka) -> Self {
        let deliveries = Arc::new(Deliveries::default());
        let producers = CODECS
            .iter()
            .map(|codec| {
                ClientConfig::new()
                    .set("bootstrap.servers", kafka.bootstrap().join(","))
                    .set("enable.idempotence", "true")
                    .set("compression.type", *codec)
                    .set("linger.ms", "20")
                    .set("batch.size", load.batch.to_string())
                    .set("message.timeout.ms", "300000")
                    .create_with_context(Counting(Arc::clone(&deliveries)))
                    .expect("a producer can be made")
            })
            .collect();
        Self {
            load: load.clone(),
            producers,
            deliveries,
            counter: 0,
            dice: Dice::new(super::seed()),
        }
    }

    fn now(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is later than 1970");
        i64::try_from(since.saturating_sub(self.load.age).as_millis()).expect("times fit")
    }

    fn write_one(&mut self) {
        let counter = self.counter;
        self.counter += 1;
        // Some in a row to the same partition with the same codec, so that batches hold several records.
        let run = usize::try_from(counter / 10).expect("counts fit");
        let (topic, partitions) = self.load.topics[run % self.load.topics.len()].clone();
        let partition = i32::try_from(self.dice.bits() % partitions.unsigned_abs() as u64)
            .expect("few partitions");
        let key = format!("{}key-{}", self.load.mark, counter % 1000);
        // The filling is random hexadecimal digits, so that codecs have something to do and cannot do too much.
        let filling: String = (0..self.load.filling.div_ceil(16))
            .map(|_| format!("{:016x}", self.dice.bits()))
            .collect();
        let value = format!(
            "{}{partition}/{counter}/{}",
            self.load.mark,
            &filling[..self.load.filling]
        );
        let headers = OwnedHeaders::new()
            .insert(Header {
                key: "trace",
                value: Some(&counter.to_be_bytes()[..]),
            })
            .insert(Header {
                key: "trace",
                value: Some(&b"the second of the same name"[..]),
            })
            .insert(Header {
                key: "empty",
                value: None::<&[u8]>,
            });
        let timestamp = self.now();
        let mut record = BaseRecord::to(&topic)
            .partition(partition)
            .timestamp(timestamp);
        if counter % 7 != 3 {
            record = record.key(key.as_bytes());
        }
        if counter % 11 == 5 {
            // A tombstone; a record without key as well would say nothing of where it belongs.
            record = record.key(key.as_bytes());
        } else {
            record = record.payload(value.as_bytes());
        }
        if counter.is_multiple_of(3) {
            record = record.headers(headers);
        }
        let producer = &self.producers[run / self.load.topics.len() % self.producers.len()];
        while let Err((error, back)) = producer.send(record) {
            assert!(
                matches!(
                    error,
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
                ),
                "the load could not be written to {topic}-{partition}: {error}"
            );
            thread::sleep(Duration::from_millis(10));
            record = back;
        }
    }

    fn write_raw(&mut self, kafka: &Kafka) {
        if self.load.raw_headers {
            self.write_raw_through(&kafka.bootstrap());
        }
    }

    /// One batch with header names librdkafka cannot write to every partition. One that a broker refuses or does not
    /// answer is left out: what the source holds is the measure, not what was written.
    fn write_raw_through(&mut self, addresses: &[String]) {
        let Some(mut wire) = addresses
            .iter()
            .find_map(|address| super::raw::Wire::connect(address).ok())
        else {
            return;
        };
        let Ok(metadata) = wire.metadata() else {
            return;
        };
        for (topic, partitions) in self.load.topics.clone() {
            for partition in 0..partitions {
                let batch = self.raw_batch(partition);
                let leader = metadata
                    .topics
                    .get(&topic)
                    .and_then(|leaders| leaders.get(usize::try_from(partition).ok()?));
                let leader = leader.and_then(|leader| metadata.brokers.get(leader));
                if let Some(mut wire) =
                    leader.and_then(|leader| super::raw::Wire::connect(leader).ok())
                {
                    drop(wire.produce(&topic, partition, &batch));
                }
            }
        }
    }

    fn raw_batch(&mut self, partition: i32) -> Vec<u8> {
        let counter = self.counter;
        let timestamp = self.now();
        let records: Vec<Record> = (0..3u8)
            .map(|index| Record {
                offset: 0,
                timestamp: timestamp + i64::from(index),
                key: Some(format!("{}raw-{counter}-{index}", self.load.mark).into_bytes()),
                value: Some(format!("{partition}/raw-{counter}-{index}").into_bytes()),
                headers: vec![
                    (b"\xff\xfe not utf-8".to_vec(), Some(vec![index, 0, 0xff])),
                    (b"twice".to_vec(), Some(b"first".to_vec())),
                    (b"twice".to_vec(), Some(b"second".to_vec())),
                    (b"\xff\xfe not utf-8".to_vec(), None),
                    (Vec::new(), Some(Vec::new())),
                ],
            })
            .collect();
        codecs::encode(Envelope::PLAIN, &records)
    }

    fn finish(self) {
        for producer in &self.producers {
            producer
                .flush(Duration::from_secs(120))
                .expect("the source acknowledges the load");
        }
        assert_eq!(
            self.deliveries.failed.load(Ordering::Relaxed),
            0,
            "records of the load that were not acknowledged"
        );
    }
}

/// Writes transactions to partition 0 of a topic, every second one aborted, of that many records each.
pub fn write_transactions(kafka: &Kafka, topic: &str, transactions: usize, records_each: usize) {
    write_marked_transactions(kafka, topic, "", transactions, records_each);
}

/// The same, with keys that begin with a mark.
pub fn write_marked_transactions(
    kafka: &Kafka,
    topic: &str,
    mark: &str,
    transactions: usize,
    records_each: usize,
) {
    let key = format!("{mark}transaction");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("transactional.id", format!("load-{topic}"))
        .set("linger.ms", "5")
        .create()
        .expect("a producer can be made");
    let limit = Duration::from_secs(60);
    producer
        .init_transactions(limit)
        .expect("transactions can begin");
    for transaction in 0..transactions {
        producer.begin_transaction().expect("a transaction begins");
        for record in 0..records_each {
            let value = format!("0/transaction-{transaction}-{record}");
            let record = BaseRecord::to(topic).partition(0).key(&key).payload(&value);
            producer
                .send(record)
                .map_err(|(error, _)| error)
                .expect("the queue has room");
        }
        producer
            .flush(limit)
            .expect("the source acknowledges the load");
        if transaction % 2 == 0 {
            producer
                .commit_transaction(limit)
                .expect("the transaction commits");
        } else {
            producer
                .abort_transaction(limit)
                .expect("the transaction aborts");
        }
    }
}
