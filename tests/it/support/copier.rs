//! What MSK Replicator does, between two real clusters: one direction of it, names kept, copies marked by a header, positions of groups
//! carried approximately, and never too far.
//!
//! Both directions of one migration share an [`Exchange`]: what each has copied where, and which positions were committed by a copier and by no
//! consumer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};

use super::raw::Wire;

/// The header that copies bear; its value is the id of the cluster that they come from.
pub const MARK: &str = "__mskmr";
/// How often topics, groups and numbers are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// A position in one of so many records is remembered exactly.
const SAMPLE: i64 = 10;
const PATIENCE: Duration = Duration::from_secs(10);

type Place = (String, i32);

/// Where a direction begins in a partition that it meets for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// At its first record.
    Earliest,
    /// Behind its last one.
    Latest,
}

/// One direction.
#[derive(Clone)]
pub struct Direction {
    /// Servers of the cluster that is read.
    pub from: Vec<String>,
    /// Servers of the one that is written.
    pub to: Vec<String>,
    /// The id of the one that is read: the value of the mark.
    pub from_id: String,
    /// The id of the one that is written: what bears it as its mark is not sent back.
    pub to_id: String,
    /// Which topics.
    pub topics: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Which groups.
    pub groups: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Where it begins.
    pub begin: Begin,
    /// Forward or reverse: which half of the exchange is its own.
    pub half: usize,
}

/// What both directions know of each other, and what outlives one that is killed.
#[derive(Default)]
pub struct Exchange {
    halves: [Half; 2],
    /// By cluster that was written, group and partition: what a copier committed there.
    committed: [Mutex<HashMap<(String, Place), i64>>; 2],
}

#[derive(Default)]
struct Half {
    /// From an offset of the cluster that is read to one of the other, in order, one of so many.
    samples: Mutex<HashMap<Place, Vec<(i64, i64)>>>,
    /// Where a new start goes on: behind what was acknowledged a while ago.
    checkpoint: Mutex<HashMap<Place, i64>>,
}

/// Numbers by MSK Replicator's names, as CloudWatch would have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// `MessageLag`: offsets between what is read and what is there.
    pub message_lag: u64,
    /// `ReplicationLatency` in milliseconds: the longest of the last moment; `None` where nothing was copied.
    pub latency_ms: Option<u64>,
    /// `ConsumerGroupCount`.
    pub groups: u64,
    /// `ConsumerGroupOffsetSyncFailure`.
    pub sync_failures: u64,
    /// `KafkaClusterPingSuccessCount` of both.
    pub pings: [u64; 2],
    /// Records that were copied since it began.
    pub copied: u64,
    /// Records that were not sent back since it began.
    pub dropped: u64,
}

/// A direction that runs; dropped, it is killed.
pub struct Copier {
    stop: Arc<AtomicBool>,
    pause: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What a running direction counts.
#[derive(Default)]
struct Counts {
    lag: AtomicU64,
    latency_ms: AtomicI64,
    groups: AtomicU64,
    sync_failures: AtomicU64,
    copied: AtomicU64,
    dropped: AtomicU64,
}

impl Copier {
    /// Starts a direction; `told` is handed its numbers about twice a second.
    pub fn start(
        direction: Direction,
        exchange: Arc<Exchange>,
        told: impl Fn(Numbers) + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let pause = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let copies = {
            let (direction, exchange) = (direction.clone(), exchange.clone());
            let (stop, pause, counts) = (stop.clone(), pause.clone(), counts.clone());
            thread::spawn(move || Copying::new(direction, exchange, counts).run(&stop, &pause))
        };
        let carries = {
            let (stop, pause) = (stop.clone(), pause.clone());
            thread::spawn(move || {
                let mut carrying = Carrying::new(direction, exchange);
                while !stop.load(Ordering::Relaxed) {
                    if !pause.load(Ordering::Relaxed) {
                        carrying.carry(&counts);
                    }
                    told(counts.numbers());
                    nap(&stop);
                }
            })
        };
        Self {
            stop,
            pause,
            threads: vec![copies, carries],
        }
    }

    /// Copies nothing until it is resumed.
    pub fn pause(&self) {
        self.pause.store(true, Ordering::Relaxed);
    }

    /// Goes on.
    pub fn resume(&self) {
        self.pause.store(false, Ordering::Relaxed);
    }

    /// Ends it. What was sent and is not in the checkpoint is sent once more by the next start, as AWS promises no better.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.end();
    }
}

fn nap(stop: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < EVERY && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
}

impl Counts {
    fn numbers(&self) -> Numbers {
        let latency = self.latency_ms.swap(-1, Ordering::Relaxed);
        Numbers {
            message_lag: self.lag.load(Ordering::Relaxed),
            latency_ms: u64::try_from(latency).ok(),
            groups: self.groups.load(Ordering::Relaxed),
            sync_failures: self.sync_failures.load(Ordering::Relaxed),
            pings: [1, 1],
            copied: self.copied.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("it is later than 1970").as_millis()).expect("times fit")
}

/// What became of a record that was sent.
struct Sent {
    place: Place,
    offset: i64,
    time: i64,
}

/// Notes acknowledgements.
struct Acknowledged {
    exchange: Arc<Exchange>,
    half: usize,
    counts: Arc<Counts>,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let Ok(message) = result else { return };
        let Sent {
            place,
            offset,
            time,
        } = *sent;
        let half = &self.exchange.halves[self.half];
        let mut samples = half.samples.lock().expect("nobody panics with it");
        let samples = samples.entry(place.clone()).or_default();
        let is_next = samples
            .last()
            .is_none_or(|(last, _)| *last + SAMPLE <= offset);
        if is_next {
            samples.push((offset, message.offset()));
        }
        let mut checkpoint = half.checkpoint.lock().expect("nobody panics with it");
        // A restart sends the last records again: the checkpoint is behind.
        if offset % (SAMPLE * 2) == 0 {
            checkpoint.insert(place, offset + 1);
        }
        self.counts.copied.fetch_add(1, Ordering::Relaxed);
        self.counts
            .latency_ms
            .fetch_max((now_ms() - time).max(0), Ordering::Relaxed);
    }
}

/// The copying half of a direction.
struct Copying {
    direction: Direction,
    exchange: Arc<Exchange>,
    counts: Arc<Counts>,
    consumer: BaseConsumer,
    producer: ThreadedProducer<Acknowledged>,
    next: BTreeMap<Place, i64>,
}

impl Copying {
    fn new(direction: Direction, exchange: Arc<Exchange>, counts: Arc<Counts>) -> Self {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", direction.from.join(","))
            .set("group.id", "__amazon_msk_replicator_reader")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .create()
            .expect("a consumer can be made");
        let context = Acknowledged {
            exchange: exchange.clone(),
            half: direction.half,
            counts: counts.clone(),
        };
        let producer = ClientConfig::new()
            .set("bootstrap.servers", direction.to.join(","))
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "300000")
            .create_with_context(context)
            .expect("a producer can be made");
        Self {
            direction,
            exchange,
            counts,
            consumer,
            producer,
            next: BTreeMap::new(),
        }
    }

    fn run(mut self, stop: &AtomicBool, pause: &AtomicBool) {
        let mut looked: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            if pause.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            if looked.is_none_or(|at| at.elapsed() >= EVERY) {
                // A cluster that does not answer is asked again.
                self.look().ok();
                looked = Some(Instant::now());
            }
            self.copy_some(stop);
        }
        self.producer.flush(Duration::from_secs(5)).ok();
    }

    /// Finds topics, makes those that are missing, and counts what is behind.
    fn look(&mut self) -> Result<(), KafkaError> {
        let metadata = self.consumer.fetch_metadata(None, PATIENCE)?;
        let mut is_new = false;
        let mut lag = 0;
        for topic in metadata.topics() {
            let name = topic.name();
            if !(self.direction.topics)(name) || topic.partitions().is_empty() {
                continue;
            }
            for partition in topic.partitions() {
                let place = (name.to_owned(), partition.id());
                let (first, end) =
                    self.consumer
                        .fetch_watermarks(name, partition.id(), PATIENCE)?;
                if let Some(next) = self.next.get(&place) {
                    lag += u64::try_from(end - next).unwrap_or(0);
                    continue;
                }
                self.make(name, topic.partitions().len());
                let checkpoint = &self.exchange.halves[self.direction.half].checkpoint;
                let mut checkpoint = checkpoint.lock().expect("nobody panics with it");
                let begin = checkpoint
                    .entry(place.clone())
                    .or_insert(match self.direction.begin {
                        Begin::Earliest => first,
                        Begin::Latest => end,
                    });
                self.next.insert(place, *begin);
                is_new = true;
            }
        }
        if is_new {
            let mut list = TopicPartitionList::new();
            for ((topic, partition), next) in &self.next {
                list.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
            }
            self.consumer.assign(&list)?;
        }
        self.counts.lag.store(lag, Ordering::Relaxed);
        Ok(())
    }

    fn make(&self, topic: &str, partitions: usize) {
        let mut wire = self
            .direction
            .to
            .iter()
            .find_map(|at| Wire::connect(at).ok());
        if let Some(wire) = &mut wire {
            let partitions = i32::try_from(partitions).expect("few partitions");
            // One that is there already is as good.
            wire.create_topic(topic, partitions, 1, &[]).ok();
        }
    }

    fn copy_some(&mut self, stop: &AtomicBool) {
        for _ in 0..500 {
            let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(20)) else {
                return;
            };
            let place = (message.topic().to_owned(), message.partition());
            self.next.insert(place.clone(), message.offset() + 1);
            let mark = message.headers().and_then(|headers| {
                let mut headers = headers.iter();
                headers.find(|header| header.key == MARK)
            });
            if mark.is_some_and(|mark| mark.value == Some(self.direction.to_id.as_bytes())) {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let headers = match message.headers() {
                Some(headers) => headers.detach(),
                None => OwnedHeaders::new(),
            };
            let headers = headers.insert(Header {
                key: MARK,
                value: Some(&self.direction.from_id),
            });
            let time = message.timestamp().to_millis().unwrap_or_default();
            let sent = Box::new(Sent {
                place,
                offset: message.offset(),
                time,
            });
            let mut record = BaseRecord::with_opaque_to(message.topic(), sent)
                .partition(message.partition())
                .timestamp(time)
                .headers(headers);
            if let Some(key) = message.key() {
                record = record.key(key);
            }
            if let Some(payload) = message.payload() {
                record = record.payload(payload);
            }
            while let Err((error, back)) = self.producer.send(record) {
                assert_eq!(
                    error.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::QueueFull),
                    "the copier's record was refused"
                );
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                record = back;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The half of a direction that carries positions.
struct Carrying {
    direction: Direction,
    exchange: Arc<Exchange>,
    /// By group: one that asks on the cluster that is read, one that commits on the other.
    clients: HashMap<String, [BaseConsumer; 2]>,
    lists: [BaseConsumer; 2],
}

impl Carrying {
    fn new(direction: Direction, exchange: Arc<Exchange>) -> Self {
        let lists = [&direction.from, &direction.to].map(|servers| client(servers, "unused"));
        Self {
            direction,
            exchange,
            clients: HashMap::new(),
            lists,
        }
    }

    fn carry(&mut self, counts: &Counts) {
        let Ok(groups) = self.lists[0].fetch_group_list(None, PATIENCE) else {
            counts.sync_failures.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let names: Vec<String> = groups
            .groups()
            .iter()
            .map(|group| group.name().to_owned())
            .filter(|name| (self.direction.groups)(name))
            .collect();
        let mut carried = 0;
        for name in names {
            match self.carry_one(&name) {
                Ok(true) => carried += 1,
                Ok(false) => {}
                Err(_) => {
                    counts.sync_failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        counts.groups.store(carried, Ordering::Relaxed);
    }

    fn carry_one(&mut self, group: &str) -> Result<bool, KafkaError> {
        let there = self.lists[1].fetch_group_list(Some(group), PATIENCE)?;
        // A group that somebody is in is left alone.
        let is_active = there
            .groups()
            .iter()
            .any(|group| !group.members().is_empty());
        let direction = &self.direction;
        let [here, there] = self.clients.entry(group.to_owned()).or_insert_with(|| {
            [&direction.from, &direction.to].map(|servers| client(servers, group))
        });
        let places = self.exchange.places();
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in &places {
            asked.add_partition(topic, *partition);
        }
        let stands = here.committed_offsets(asked, PATIENCE)?;
        let mut commits = TopicPartitionList::new();
        let mut carried = false;
        for element in stands.elements() {
            let Offset::Offset(offset) = element.offset() else {
                continue;
            };
            let place = (element.topic().to_owned(), element.partition());
            carried = true;
            let key = (group.to_owned(), place.clone());
            // What a copier committed here is nobody's reading.
            let ours = self.exchange.committed[1 - direction.half].lock();
            if ours.expect("nobody panics with it").get(&key) == Some(&offset) {
                continue;
            }
            if let Some(translated) = self.exchange.translate(direction.half, &place, offset) {
                let ours = self.exchange.committed[direction.half].lock();
                if ours.expect("nobody panics with it").get(&key) != Some(&translated) {
                    commits.add_partition_offset(&place.0, place.1, Offset::Offset(translated))?;
                }
            }
        }
        if is_active || commits.count() == 0 {
            return Ok(carried);
        }
        there.commit(&commits, CommitMode::Sync)?;
        let ours = self.exchange.committed[direction.half].lock();
        let mut ours = ours.expect("nobody panics with it");
        for element in commits.elements() {
            if let Offset::Offset(offset) = element.offset() {
                let place = (element.topic().to_owned(), element.partition());
                ours.insert((group.to_owned(), place), offset);
            }
        }
        Ok(carried)
    }
}

impl Exchange {
    /// Partitions of which anything was copied, either way.
    fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for half in &self.halves {
            let samples = half.samples.lock().expect("nobody panics with it");
            places.extend(samples.keys().cloned());
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Where a position goes on on the other side: at the nearest sample at or below, of both directions.
    fn translate(&self, half: usize, place: &Place, offset: i64) -> Option<i64> {
        // One lock at a time: both directions do this.
        let nearest = |half: usize, turned: bool| {
            let samples = self.halves[half].samples.lock();
            let samples = samples.expect("nobody panics with it");
            let samples = samples.get(place)?;
            let here = |(from, to): (i64, i64)| if turned { (to, from) } else { (from, to) };
            let at = samples.partition_point(|sample| here(*sample).0 <= offset);
            Some(here(samples[at.checked_sub(1)?]))
        };
        let both = [nearest(half, false), nearest(1 - half, true)];
        both.into_iter().flatten().max().map(|(_, there)| there)
    }
}

fn client(servers: &[String], group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", servers.join(","))
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer can be made")
}
