//! Three applications of a company, stopped and started by hook scripts through files: *orders* writes, *order-status* reads and writes,
//! *customer-notification* reads.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::RDKafkaErrorCode,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::support::{kafka::Kafka, wait};

/// Partitions of each topic.
pub const PARTITIONS: i32 = 3;

/// What an application was given, by partition, in its order: contents, and on which side.
pub type Processed = Arc<Mutex<BTreeMap<i32, Vec<(u64, &'static str)>>>>;

/// What an application does.
#[derive(Clone)]
pub enum Work {
    /// Writes numbers, one after the other.
    Writes {
        /// To this topic.
        to: String,
        /// So many a second.
        per_second: u64,
    },
    /// Reads numbers, and writes each on where it says so.
    Reads {
        /// From this topic.
        from: String,
        /// To this one.
        to: Option<String>,
        /// Its group.
        group: String,
    },
}

/// The applications, and a supervisor that runs each where a file says so.
pub struct Applications {
    directory: PathBuf,
    stop: Arc<AtomicBool>,
    supervisor: Option<JoinHandle<()>>,
    /// What each was given.
    pub processed: BTreeMap<String, Processed>,
    /// How many numbers were written.
    pub written: Arc<AtomicU64>,
    /// How many records each was given again for a reason of its own: its commit was refused, or never answered.
    pub own: BTreeMap<String, Arc<AtomicU64>>,
}

struct One {
    name: String,
    work: Work,
    processed: Processed,
    own: Arc<AtomicU64>,
    running: BTreeMap<&'static str, (Arc<AtomicBool>, JoinHandle<()>)>,
}

const SIDES: [&str; 2] = ["source", "target"];

impl Applications {
    /// Supervises these in a directory of its own; none of them runs yet.
    pub fn new(directory: &Path, source: &Kafka, target: &Kafka, all: &[(&str, Work)]) -> Self {
        let directory = directory.join("applications");
        fs::create_dir_all(&directory).expect("it can be made");
        write_hooks(&directory);
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let mut ones: Vec<One> = all
            .iter()
            .map(|(name, work)| One {
                name: (*name).to_owned(),
                work: work.clone(),
                processed: Processed::default(),
                own: Arc::default(),
                running: BTreeMap::new(),
            })
            .collect();
        let processed = ones
            .iter()
            .map(|one| (one.name.clone(), one.processed.clone()))
            .collect();
        let own = ones
            .iter()
            .map(|one| (one.name.clone(), one.own.clone()))
            .collect();
        let servers = BTreeMap::from([
            ("source", source.bootstrap().join(",")),
            ("target", target.bootstrap().join(",")),
        ]);
        let supervisor = {
            let (directory, stop, written) = (directory.clone(), stop.clone(), written.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for one in &mut ones {
                        one.supervise(&directory, &servers, &written);
                    }
                    thread::sleep(Duration::from_millis(10));
                }
                for one in &mut ones {
                    one.running
                        .values()
                        .for_each(|(stop, _)| stop.store(true, Ordering::Relaxed));
                }
            })
        };
        Self {
            directory,
            stop,
            supervisor: Some(supervisor),
            processed,
            written,
            own,
        }
    }

    /// The hook that stops or starts.
    pub fn hook(&self, which: &str) -> PathBuf {
        self.directory.join(format!("{which}.sh"))
    }

    /// Starts one by hand, as a person would.
    pub fn start(&self, name: &str, side: &str) {
        fs::write(self.directory.join(format!("want-{name}-{side}")), "").expect("it is written");
        let runs = self.directory.join(format!("runs-{name}-{side}"));
        wait::until("the application runs", Duration::from_secs(60), || {
            runs.exists()
        });
    }

    /// Stops one by hand.
    pub fn stop(&self, name: &str, side: &str) {
        fs::remove_file(self.directory.join(format!("want-{name}-{side}"))).ok();
        let runs = self.directory.join(format!("runs-{name}-{side}"));
        wait::until("the application has ended", Duration::from_secs(60), || {
            !runs.exists()
        });
    }

    /// Where it runs.
    pub fn runs(&self, name: &str) -> Vec<&'static str> {
        let runs = |side: &&str| self.directory.join(format!("runs-{name}-{side}")).exists();
        SIDES.into_iter().filter(runs).collect()
    }

    /// From now on hooks stop `before` or `after` they have done what they are for, until [`Self::let_go`] or until their caller dies.
    pub fn hold(&self, when: &str) {
        fs::write(self.directory.join(format!("hold-{when}")), "").expect("it is written");
    }

    /// Is a hook held?
    pub fn is_held(&self) -> bool {
        self.directory.join("held").exists()
    }

    /// Once whoever called it has died, the held hook ends; no other is held.
    pub fn let_go(&self, when: &str) {
        wait::until("the held hook ends", Duration::from_secs(60), || {
            !self.is_held()
        });
        fs::remove_file(self.directory.join(format!("hold-{when}"))).expect("it is held");
    }

    /// Which hooks were called: application, hook, side, attempt.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Applications {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(supervisor) = self.supervisor.take() {
            drop(supervisor.join());
        }
    }
}

/// Hooks that stop and start through files. Held, a hook ends when whoever called it has died: before or after it did what it is for. That is told by the caller's
/// name: one that died before the shell began leaves it to process 1, which lives for ever.
pub fn write_hooks(directory: &Path) {
    let shown = directory.display();
    let told = "$KAFKA_MIGRATE_APPLICATION-$KAFKA_MIGRATE_SIDE";
    for (name, act, until) in [("stop", "rm -f", "-e"), ("start", "touch", "! -e")] {
        let text = format!(
            "#!/bin/sh\n\
             lives() {{ read -r caller < /proc/$PPID/comm && [ \"$caller\" = kafka-migrate ]; }} 2>/dev/null\n\
             hold() {{\n\
             [ -e \"{shown}/hold-$1\" ] || return 0\n\
             touch '{shown}/held'\n\
             while [ -e \"{shown}/hold-$1\" ]; do\n\
             lives || {{ rm -f '{shown}/held'; exit 1; }}\n\
             sleep 0.05\n\
             done\n\
             rm -f '{shown}/held'\n\
             }}\n\
             echo \"$KAFKA_MIGRATE_APPLICATION {name} $KAFKA_MIGRATE_SIDE $KAFKA_MIGRATE_ATTEMPT\" >> '{shown}/calls'\n\
             hold before\n\
             {act} \"{shown}/want-{told}\"\n\
             while [ {until} \"{shown}/runs-{told}\" ]; do [ -d '{shown}' ] || exit 1; sleep 0.05; done\n\
             hold after\n"
        );
        let path = directory.join(format!("{name}.sh"));
        fs::write(&path, text).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
}

impl One {
    fn supervise(
        &mut self,
        directory: &Path,
        servers: &BTreeMap<&'static str, String>,
        written: &Arc<AtomicU64>,
    ) {
        for side in SIDES {
            let name = &self.name;
            let wanted = directory.join(format!("want-{name}-{side}")).exists();
            let runs = directory.join(format!("runs-{name}-{side}"));
            if wanted && !self.running.contains_key(side) {
                let stop = Arc::new(AtomicBool::new(false));
                let worker = Worker {
                    servers: servers[side].clone(),
                    side,
                    processed: self.processed.clone(),
                    own: self.own.clone(),
                    written: written.clone(),
                    stop: stop.clone(),
                };
                let work = self.work.clone();
                let thread = thread::spawn(move || worker.work(&work));
                self.running.insert(side, (stop, thread));
                fs::write(&runs, "").expect("it is written");
            } else if !wanted && let Some((stop, thread)) = self.running.remove(side) {
                stop.store(true, Ordering::Relaxed);
                thread.join().expect("the application ends well");
                fs::remove_file(&runs).expect("it is there");
            }
        }
    }
}

/// One instance of an application, on one side.
struct Worker {
    servers: String,
    side: &'static str,
    processed: Processed,
    own: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// What a reader has been given.
#[derive(Default)]
struct Given {
    /// Where each partition goes on.
    next: BTreeMap<i32, i64>,
    /// What is not committed yet of it, and how many records that is.
    open: BTreeMap<i32, i64>,
    records: u64,
}

impl Worker {
    fn work(&self, work: &Work) {
        match work {
            Work::Writes { to, per_second } => self.writes(to, *per_second),
            Work::Reads { from, to, group } => self.reads(from, to.as_deref(), group),
        }
    }

    fn producer(&self) -> BaseProducer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "300000")
            .create()
            .expect("a producer can be made")
    }

    /// Numbers go round the partitions, so that each partition's follow one another.
    fn writes(&self, topic: &str, per_second: u64) {
        let producer = self.producer();
        let begun = Instant::now();
        let mut sent = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let due =
                u64::try_from(begun.elapsed().as_millis()).expect("it fits") * per_second / 1000;
            if sent >= due {
                producer.poll(Duration::from_millis(5));
                continue;
            }
            let number = self.written.load(Ordering::Relaxed);
            send(&producer, topic, partition_of(number), number);
            self.written.store(number + 1, Ordering::Relaxed);
            sent += 1;
        }
        flush(&producer);
    }

    /// At least once: a record is written on, and acknowledged, before its position is committed.
    fn reads(&self, from: &str, to: Option<&str>, group: &str) {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.servers)
            .set("group.id", group)
            .set("client.id", format!("{group}-on-the-{}", self.side))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("fetch.wait.max.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "500")
            .create()
            .expect("a consumer can be made");
        consumer
            .subscribe(&[from])
            .expect("it can be subscribed to");
        let producer = self.producer();
        let mut given = Given::default();
        let mut committed = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
                let payload = message.payload().expect("no tombstones");
                let text = std::str::from_utf8(payload).expect("numbers");
                let number: u64 = text.parse().expect("numbers");
                if let Some(to) = to {
                    send(&producer, to, message.partition(), number);
                }
                let mut processed = self.processed.lock().expect("nobody panics with it");
                let of = processed.entry(message.partition()).or_default();
                of.push((number, self.side));
                let next = given.next.entry(message.partition()).or_default();
                if message.offset() < *next {
                    self.own.fetch_add(1, Ordering::Relaxed);
                }
                *next = (*next).max(message.offset() + 1);
                given.open.insert(message.partition(), message.offset() + 1);
                given.records += 1;
            }
            if committed.elapsed() > Duration::from_millis(200) {
                flush(&producer);
                // What is not taken now is committed with the next, or given again.
                let _taken = commit(&consumer, from, &mut given);
                committed = Instant::now();
            }
        }
        flush(&producer);
        wait::whether(Duration::from_secs(60), || {
            use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
            match commit(&consumer, from, &mut given) {
                Err(IllegalGeneration | RebalanceInProgress | UnknownMemberId) | Ok(()) => true,
                Err(_) => false,
            }
        });
        self.own.fetch_add(given.records, Ordering::Relaxed);
    }
}

/// Commits what was given since the last time.
fn commit(consumer: &BaseConsumer, topic: &str, given: &mut Given) -> Result<(), RDKafkaErrorCode> {
    if given.open.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in &given.open {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .expect("it is an offset");
    }
    consumer
        .commit(&list, CommitMode::Sync)
        .map_err(|error| error.rdkafka_error_code().expect("it has a code"))?;
    given.open.clear();
    given.records = 0;
    Ok(())
}

/// Where a number goes.
pub fn partition_of(number: u64) -> i32 {
    i32::try_from(number % PARTITIONS.unsigned_abs() as u64).expect("few partitions")
}

fn send(producer: &BaseProducer, topic: &str, partition: i32, number: u64) {
    let (key, value) = (format!("order-{number}"), number.to_string());
    let mut record = BaseRecord::to(topic)
        .partition(partition)
        .key(&key)
        .payload(&value);
    while let Err((_, back)) = producer.send(record) {
        record = back;
        producer.poll(Duration::from_millis(10));
    }
}

fn flush(producer: &BaseProducer) {
    producer
        .flush(Duration::from_secs(60))
        .expect("everything is acknowledged");
}
