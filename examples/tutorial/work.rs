//! The applications, on librdkafka: *orders* writes numbers, *order-status* reads them and writes them on, *customer-notification* reads those.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use kafka_migrate::model::names::Side;
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clusters,
    notes::{self, Notes},
};

/// Who they are: each reads what the one before writes.
pub const APPLICATIONS: [&str; 3] = ["orders", "order-status", "customer-notification"];
/// What the first two write.
pub const TOPICS: [&str; 2] = ["orders", "order_status"];
/// Partitions of each topic.
pub const PARTITIONS: i32 = 3;
/// Numbers a second.
const RATE: u64 = 50;
/// Between two commits.
const COMMIT_EVERY: Duration = Duration::from_millis(200);
/// Who is asked to stop tries for so long to commit what it has done: less than a hook may take, more than a group takes to find a new
/// coordinator.
const LAST_WORDS: Duration = Duration::from_secs(45);

/// Which one, and where
#[derive(Debug, Args)]
pub struct Line {
    /// orders, order-status or customer-notification
    name: String,
    /// source or target, for what it notes down
    #[arg(long, value_name = "SIDE", value_parser = crate::side)]
    on: Side,
    /// Bootstrap servers of that side
    #[arg(long, value_name = "ADDRESSES")]
    servers: String,
}

/// Works until SIGTERM, or until the clusters are gone.
pub fn run(line: &Line) -> ExitCode {
    let one = format!("{}-{}", line.name, line.on);
    let lock = File::create(format!("{one}.lock")).expect("the directory is writable");
    if lock.try_lock().is_err() {
        eprintln!("{one} runs already");
        return ExitCode::SUCCESS;
    }
    let stop = asked_to_stop();
    fs::write(format!("{one}.pid"), std::process::id().to_string())
        .expect("the directory is writable");
    // Notes and clusters lie one up.
    std::env::set_current_dir("..").expect("it is started in its own directory");
    let worker = Worker {
        servers: line.servers.clone(),
        notes: Arc::new(
            Notes::begin(&line.name, &line.on.to_string()).expect("the directory is writable"),
        ),
        stop,
    };
    let [orders, status] = TOPICS;
    let done = match APPLICATIONS.iter().position(|name| *name == line.name) {
        Some(0) => worker.writes(orders),
        Some(1) => worker.reads(orders, Some(status), &line.name),
        Some(2) => worker.reads(status, None, &line.name),
        _ => Err(format!("nobody is called {}", line.name)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Becomes true with SIGTERM or SIGINT, and when the clusters have gone: nothing stays behind.
fn asked_to_stop() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("it starts");
        runtime.block_on(async {
            let mut term = signal(SignalKind::terminate()).expect("signals can be listened to");
            let mut int = signal(SignalKind::interrupt()).expect("signals can be listened to");
            ready.send(()).expect("somebody waits for it");
            loop {
                tokio::select! {
                    _ = term.recv() => asked.store(true, Ordering::Relaxed),
                    _ = int.recv() => asked.store(true, Ordering::Relaxed),
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                if !clusters::are_there() {
                    std::process::exit(1);
                }
            }
        });
    });
    is_ready.recv().expect("the thread lives");
    stop
}

/// Notes down what was acknowledged, in that order.
struct Acknowledged(Option<Arc<Notes>>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let message = match result {
            Ok(message) => message,
            // A number that is left out would be a loss of our own.
            Err((error, _)) => panic!("a record was not taken: {error}"),
        };
        if let Some(notes) = &self.0 {
            let (partition, number) = (message.partition(), number(message));
            notes.write(partition, number).expect("the disk takes it");
        }
    }
}

fn number(message: &impl rdkafka::Message) -> u64 {
    let text = message.payload().and_then(|text| str::from_utf8(text).ok());
    let number = text.and_then(|text| text.parse().ok());
    number.expect("nobody but these three writes these topics")
}

struct Worker {
    servers: String,
    notes: Arc<Notes>,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn producer(&self, notes: Option<Arc<Notes>>) -> Result<BaseProducer<Acknowledged>, String> {
        ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .create_with_context(Acknowledged(notes))
            .map_err(|error| error.to_string())
    }

    /// Numbers go round the partitions, from behind the last one that was acknowledged before.
    fn writes(&self, topic: &str) -> Result<(), String> {
        let producer = self.producer(Some(self.notes.clone()))?;
        let before = notes::of(APPLICATIONS[0]).map_err(|error| error.to_string())?;
        let last = before.values().flatten().max();
        let first = last.map_or(0, |last| last + 1);
        let begun = Instant::now();
        let mut next = first;
        while !self.stop.load(Ordering::Relaxed) {
            let due = begun.elapsed().as_millis() as u64 * RATE / 1000;
            if next - first >= due {
                producer.poll(Duration::from_millis(5));
                continue;
            }
            let partition = (next % PARTITIONS as u64) as i32;
            send(&producer, topic, partition, next)?;
            next += 1;
        }
        flush(&producer)
    }

    /// At least once: what it is given is written on, and acknowledged, before its position is committed.
    fn reads(&self, from: &str, to: Option<&str>, group: &str) -> Result<(), String> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            // A member outlives the change of its coordinator, and one that was killed is forgotten soon.
            .set("session.timeout.ms", "20000")
            .set("fetch.wait.max.ms", "50")
            .create()
            .map_err(|error| error.to_string())?;
        consumer
            .subscribe(&[from])
            .map_err(|error| error.to_string())?;
        let producer = self.producer(None)?;
        let mut open: BTreeMap<i32, i64> = BTreeMap::new();
        let mut committed = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                let (partition, number) = (message.partition(), number(&message));
                let noted = self.notes.write(partition, number);
                noted.map_err(|error| error.to_string())?;
                if let Some(to) = to {
                    send(&producer, to, partition, number)?;
                }
                open.insert(partition, message.offset() + 1);
            }
            if committed.elapsed() > COMMIT_EVERY {
                flush(&producer)?;
                // What does not succeed now is tried again with the next.
                commit(&consumer, from, &mut open).unwrap_or_else(|why| eprintln!("{why}"));
                committed = Instant::now();
            }
        }
        flush(&producer)?;
        let asked = Instant::now();
        loop {
            match commit(&consumer, from, &mut open) {
                Ok(()) => return Ok(()),
                Err(why) if asked.elapsed() > LAST_WORDS => return Err(why),
                Err(_) => drop(consumer.poll(Duration::from_millis(100))),
            }
        }
    }
}

fn commit(
    consumer: &BaseConsumer,
    topic: &str,
    open: &mut BTreeMap<i32, i64>,
) -> Result<(), String> {
    if open.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in open.iter() {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .map_err(|error| error.to_string())?;
    }
    consumer
        .commit(&list, CommitMode::Sync)
        .map_err(|error| format!("positions are not committed: {error}"))?;
    open.clear();
    Ok(())
}

fn send(
    producer: &BaseProducer<Acknowledged>,
    topic: &str,
    partition: i32,
    number: u64,
) -> Result<(), String> {
    let (key, value) = (format!("order-{number}"), number.to_string());
    let mut record = BaseRecord::to(topic)
        .partition(partition)
        .key(&key)
        .payload(&value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, back)) if is_full(&error) => {
                record = back;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.to_string()),
        }
    }
}

fn is_full(error: &rdkafka::error::KafkaError) -> bool {
    error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull)
}

/// Waits until everything is acknowledged, for as long as librdkafka tries: five minutes.
fn flush(producer: &BaseProducer<Acknowledged>) -> Result<(), String> {
    producer
        .flush(Duration::from_secs(301))
        .map_err(|error| error.to_string())
}
