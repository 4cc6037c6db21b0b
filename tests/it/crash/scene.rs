//! Two simulated clusters of two brokers each, writers, and an engine that is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use kafka_migrate::{
    engine::steps::LABELS,
    sandbox::{Cluster, ClusterPlan, Plan, Sandbox},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use tokio::runtime::Runtime;

use super::trouble::{self, Trouble};
use crate::support::{
    Dice,
    tool::{Finished, Migration},
    wait,
};

pub const TOPICS: [(&str, i32); 2] = [("plain", 3), ("transactions", 2)];
pub const GROUP: &str = "readers";
const LIMIT: Duration = Duration::from_secs(60);
/// An engine that does not die by itself is killed after this.
const LABEL_PATIENCE: Duration = Duration::from_millis(1200);
/// So old that a broker forgets who wrote it as soon as it looks.
const DAYS: i64 = 9 * 24 * 3_600_000;

/// The stage of one seed. Dropped, everything ends.
pub struct Scene {
    pub seed: u64,
    pub sandbox: Sandbox,
    pub migration: Migration,
    trouble: Option<Trouble>,
    stop: Arc<AtomicBool>,
    runtime: Runtime,
}

impl Scene {
    pub fn new(seed: u64, dice: &mut Dice) -> Self {
        let runtime = Runtime::new().expect("threads can be had");
        let cluster = |name: &str| ClusterPlan::new(name).with_brokers(2);
        let plan = Plan {
            clusters: vec![cluster("source"), cluster("target")],
            seed,
        };
        let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
        let side = |name: &str| sandbox.cluster(name).expect("it is in the plan").clone();
        for (topic, partitions) in TOPICS {
            let partitions = usize::try_from(partitions).expect("few");
            assert!(side("source").create_topic(topic, partitions, 2, &[]));
        }
        let section = |name: &str| {
            let servers: Vec<String> = side(name)
                .bootstrap()
                .split(',')
                .map(str::to_owned)
                .collect();
            format!(
                "[{name}]\nbootstrap = {servers:?}\nconnect_timeout = \"2s\"\nrequest_timeout = \"3s\"\n"
            )
        };
        let text = format!(
            "version = 1\nname = \"crash\"\n\n{}\n{}\n[scope]\ntopics = [\"*\"]\ngroups = [\"*\"]\n\n[replication]\nshards = 2\n",
            section("source"),
            section("target")
        );
        let migration = Migration::from_text("crash", &text);
        let trouble = Trouble::begin(&runtime, &side("source"), &side("target"), dice);
        Self {
            seed,
            sandbox,
            migration,
            trouble: Some(trouble),
            stop: Arc::default(),
            runtime,
        }
    }

    pub fn cluster(&self, name: &str) -> &Cluster {
        self.sandbox.cluster(name).expect("it is in the plan")
    }

    fn config(&self, side: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.cluster(side).bootstrap())
            .set("socket.timeout.ms", "3000")
            .set("message.timeout.ms", "60000")
            .set("transaction.timeout.ms", "60000");
        config
    }

    /// Writers at work on the source, until they are told to stop.
    pub fn write(&self) -> Vec<JoinHandle<()>> {
        let mut config = self.config("source");
        config
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4");
        let stop = Arc::clone(&self.stop);
        let seed = self.seed;
        let plain = move || {
            let producer: BaseProducer = config.create().expect("a producer can be made");
            let mut dice = Dice::new(seed ^ 1);
            let now = std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .expect("it is later");
            let now = i64::try_from(now.as_millis()).expect("it fits");
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let (key, value) = (format!("key-{}", number % 17), format!("plain-{number}"));
                let old = if dice.chance(0.3) { DAYS } else { 0 };
                let partition = i32::try_from(dice.between(0, 3)).expect("few");
                let record = BaseRecord::to("plain")
                    .partition(partition)
                    .key(&key)
                    .payload(&value)
                    .timestamp(now - old);
                producer.send(record).ok();
                producer.poll(Duration::from_millis(dice.between(0, 4)));
            }
            producer.flush(LIMIT).expect("everything is acknowledged");
        };
        let mut config = self.config("source");
        config.set("transactional.id", "writer");
        let stop = Arc::clone(&self.stop);
        let transactions = move || {
            let producer: ThreadedProducer<DefaultProducerContext> =
                config.create().expect("a producer can be made");
            let mut dice = Dice::new(seed ^ 2);
            wait::until("a transaction can be begun", LIMIT, || {
                producer.init_transactions(LIMIT).is_ok()
            });
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                producer.begin_transaction().expect("none is open");
                for _ in 0..dice.between(1, 6) {
                    let value = format!("transaction-{number}");
                    number += 1;
                    let partition = i32::try_from(dice.between(0, 2)).expect("few");
                    let record: BaseRecord<'_, str, str> = BaseRecord::to("transactions")
                        .partition(partition)
                        .payload(&value);
                    producer.send(record).ok();
                }
                wait::elapse(Duration::from_millis(5));
                let commits = dice.chance(0.7);
                let committed = commits && producer.commit_transaction(LIMIT).is_ok();
                if !committed && producer.abort_transaction(LIMIT).is_err() {
                    // Fatal for this producer; its transaction ends by its time, or at the next one's beginning.
                    break;
                }
            }
        };
        vec![thread::spawn(plain), thread::spawn(transactions)]
    }

    /// Starts the engine, and lets it die at a step or at a moment.
    pub fn run_and_kill(&self, dice: &mut Dice) {
        let call = self.migration.command(&["replicate"]);
        let pick = usize::try_from(dice.between(0, LABELS.len() as u64)).expect("few");
        if dice.chance(0.6) {
            let label = LABELS[pick];
            let most = if label.starts_with("produce") { 60 } else { 3 };
            let at = format!("{label}:{}", dice.between(1, most));
            let mut engine = call.env("KAFKA_MIGRATE_CRASH_AT", &at).start();
            wait::whether(LABEL_PATIENCE, || engine.has_ended());
            self.has_not_given_up(&engine.kill());
        } else {
            let mut engine = call.start();
            wait::elapse(Duration::from_millis(dice.between(30, 1500)));
            if dice.chance(0.4) {
                // A clean end, if it comes to one.
                engine.interrupt();
                wait::whether(LABEL_PATIENCE, || engine.has_ended());
            }
            self.has_not_given_up(&engine.kill());
        }
    }

    /// It may die, and it may stop because a side is away for long; it may not find anything to be wrong.
    #[track_caller]
    fn has_not_given_up(&self, finished: &Finished) {
        // Codes of stops are K5 and two digits.
        let stopped = finished.stderr.match_indices("K5").any(|(at, _)| {
            let digits = finished.stderr.as_bytes().get(at + 2..at + 4);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
        });
        assert!(
            !stopped && matches!(finished.code(), None | Some(0 | 4 | 5 | 9 | 130)),
            "seed {}: {finished}\n{}",
            self.seed,
            self.told()
        );
    }

    /// Nothing goes wrong any more, and the writers end.
    pub fn settle(&self, writers: Vec<JoinHandle<()>>) {
        if let Some(trouble) = &self.trouble {
            trouble.end(&self.runtime);
        }
        self.stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("writers end well");
        }
    }

    /// A group's positions, anywhere.
    pub fn commit_somewhere(&self, dice: &mut Dice) {
        let consumer = self.consumer("source");
        let mut list = TopicPartitionList::new();
        for partition in 0..TOPICS[0].1 {
            let (first, end) = consumer
                .fetch_watermarks(TOPICS[0].0, partition, LIMIT)
                .expect("it can be asked");
            let offset = i64::try_from(dice.between(first.unsigned_abs(), end.unsigned_abs() + 1));
            let offset = Offset::Offset(offset.expect("few records"));
            list.add_partition_offset(TOPICS[0].0, partition, offset)
                .expect("it is an offset");
        }
        wait::until("positions are taken", LIMIT, || {
            consumer.commit(&list, CommitMode::Sync).is_ok()
        });
    }

    fn consumer(&self, side: &str) -> BaseConsumer {
        let mut config = self.config(side);
        config
            .set("group.id", GROUP)
            .set("enable.auto.commit", "false");
        config.create().expect("a consumer can be made")
    }

    /// What a side holds as the group's position.
    pub fn position(&self, side: &str, partition: i32) -> i64 {
        let mut list = TopicPartitionList::new();
        list.add_partition(TOPICS[0].0, partition);
        let found = self.consumer(side).committed_offsets(list, LIMIT);
        let found = found.expect("it can be asked");
        match found.elements()[0].offset() {
            Offset::Offset(offset) => offset,
            other => panic!(
                "seed {}: {side}, partition {partition}: {other:?}\n{}",
                self.seed,
                self.told()
            ),
        }
    }

    /// Left alone it ends well.
    #[track_caller]
    pub fn catch_up(&self) {
        let finished = self.migration.run(&["replicate", "--until", "caught-up"]);
        assert_eq!(
            finished.code(),
            Some(0),
            "seed {}: {finished}\n{}",
            self.seed,
            self.told()
        );
    }

    /// What went wrong, for whoever reads a failure.
    pub fn told(&self) -> String {
        trouble::told(self.cluster("source")) + &trouble::told(self.cluster("target"))
    }

    /// How many things went wrong.
    pub fn fired(&self) -> usize {
        ["source", "target"]
            .iter()
            .map(|side| self.cluster(side).faults().fired().len())
            .sum()
    }
}
