//! A TCP proxy in front of every broker that understands frames well enough to lose the answers of Produce requests, or to keep such requests
//! and hand them on later.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{ApiKey, ProduceRequest, RequestHeader},
    protocol::Decodable as _,
};

use super::{Dice, kafka::Kafka};

const PRODUCE: i16 = 0;

/// What to do with the answer of a Produce request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Swallow it and cut the connection.
    Cut,
    /// Send half of it and cut the connection.
    CutMidFrame,
    /// Swallow it and keep the connection open: the client has to give up by itself.
    Swallow,
    /// Send it later; those behind it wait too.
    Delay(Duration),
}

/// When to do it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    Never,
    /// To this share of the answers (0 to 1).
    Share(f64),
    /// To every n-th answer, counted over all connections.
    EveryNth(u64),
}

struct Rules {
    when: When,
    faults: Vec<Fault>,
    /// How long every answer takes longer.
    slower: Duration,
    dice: Dice,
    seen: u64,
}

#[derive(Default)]
struct Counts {
    produce_answers: AtomicU64,
    faults: AtomicU64,
}

/// Requests that a network takes its time with, whose senders have long lost the connection.
#[derive(Default)]
struct Held {
    /// Produce requests that write to such a topic are kept.
    topics: HashSet<String>,
    requests: Vec<Late>,
}

struct Late {
    topic: String,
    broker: String,
    request: Vec<u8>,
}

/// Proxies for all brokers of a cluster. Passes everything on until told otherwise.
pub struct Proxy {
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
    addresses: Vec<String>,
}

struct Shared {
    rules: Mutex<Rules>,
    counts: Counts,
    held: Mutex<Held>,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens where a cluster made with `proxied` says its brokers are.
    pub fn start(kafka: &Kafka, seed: u64) -> Self {
        let rules = Rules {
            when: When::Never,
            faults: Vec::new(),
            slower: Duration::ZERO,
            dice: Dice::new(seed),
            seen: 0,
        };
        let shared = Arc::new(Shared {
            rules: Mutex::new(rules),
            counts: Counts::default(),
            held: Mutex::default(),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let addresses = kafka.proxied_bootstrap();
        let listeners = addresses
            .iter()
            .zip(kafka.behind_proxy())
            .map(|(address, broker)| {
                let listener = TcpListener::bind(address)
                    .unwrap_or_else(|error| panic!("cannot listen at {address}: {error}"));
                let shared = Arc::clone(&shared);
                thread::spawn(move || accept(&listener, &broker, &shared))
            })
            .collect();
        Self {
            shared,
            listeners,
            addresses,
        }
    }

    /// From now on does one of `faults`, chosen at random, to the answers that `when` picks.
    pub fn lose(&self, when: When, faults: &[Fault]) {
        let mut rules = self.shared.rules();
        rules.when = when;
        rules.faults = faults.to_vec();
    }

    /// From now on every answer of a Produce request takes so much longer; those behind it wait too.
    pub fn slow_down(&self, by: Duration) {
        let mut rules = self.shared.rules();
        rules.slower = by;
    }

    /// From now on loses nothing.
    pub fn pass(&self) {
        self.lose(When::Never, &[]);
    }

    /// From now on Produce requests that write to this topic are kept, and the connections on which they came are cut.
    pub fn hold_back(&self, topic: &str) {
        self.shared.held().topics.insert(topic.to_owned());
    }

    /// How many requests for this topic are kept.
    pub fn held_back(&self, topic: &str) -> usize {
        let held = self.shared.held();
        held.requests.iter().filter(|it| it.topic == topic).count()
    }

    /// From now on requests for this topic pass; those that were kept stay kept.
    pub fn let_through(&self, topic: &str) {
        self.shared.held().topics.remove(topic);
    }

    /// Hands on the oldest request kept for this topic, on a connection of its own. Answers the broker's error code.
    pub fn deliver(&self, topic: &str) -> i16 {
        let late = {
            let mut held = self.shared.held();
            let oldest = held.requests.iter().position(|it| it.topic == topic);
            held.requests.remove(oldest.expect("a request is kept"))
        };
        let mut broker = TcpStream::connect(&late.broker).expect("the broker is there");
        let patience = Some(Duration::from_secs(60));
        broker.set_read_timeout(patience).expect("it is not zero");
        broker.write_all(&late.request).expect("the broker reads");
        let answer = frame(&broker).expect("the broker answers");
        // Of its only topic the only partition: behind the name a count, the partition, the code.
        let version = i16::from_be_bytes([late.request[6], late.request[7]]);
        let count = if version >= 9 { 1 } else { 4 };
        let name = answer
            .windows(topic.len())
            .position(|bytes| bytes == topic.as_bytes())
            .expect("the answer names the topic");
        let code = name + topic.len() + count + 4;
        i16::from_be_bytes([answer[code], answer[code + 1]])
    }

    /// Answers of Produce requests seen so far, and how many of them met a fault.
    pub fn counts(&self) -> (u64, u64) {
        (
            self.shared.counts.produce_answers.load(Ordering::Relaxed),
            self.shared.counts.faults.load(Ordering::Relaxed),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for stream in self
            .shared
            .open
            .lock()
            .expect("nobody panics with this lock")
            .drain(..)
        {
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the listeners, which then see that they are to end.
        for address in &self.addresses {
            drop(TcpStream::connect(address));
        }
        for listener in self.listeners.drain(..) {
            drop(listener.join());
        }
    }
}

fn accept(listener: &TcpListener, broker: &str, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(client) = client else { continue };
        // The broker may be down; the client sees a closed connection then, as it would without us.
        let Ok(broker) = TcpStream::connect(broker) else {
            continue;
        };
        drop(start_pair(client, broker, shared));
    }
}

fn start_pair(client: TcpStream, broker: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    shared
        .open
        .lock()
        .expect("nobody panics with this lock")
        .extend([client.try_clone()?, broker.try_clone()?]);
    let produces = Arc::new(Mutex::new(HashMap::new()));
    let (from_client, to_broker, asked, keeper) = (
        client.try_clone()?,
        broker.try_clone()?,
        Arc::clone(&produces),
        Arc::clone(shared),
    );
    thread::spawn(move || {
        drop(pass_requests(&from_client, &to_broker, &asked, &keeper));
        close(&from_client, &to_broker);
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        drop(pass_answers(&broker, &client, &produces, &shared));
        close(&client, &broker);
    });
    Ok(())
}

fn close(one: &TcpStream, other: &TcpStream) {
    drop(one.shutdown(Shutdown::Both));
    drop(other.shutdown(Shutdown::Both));
}

/// The next frame, its length included.
fn frame(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length) as usize;
    if size > 200 << 20 {
        return Err(io::Error::other("a frame of more than 200 MiB"));
    }
    let mut bytes = vec![0; 4 + size];
    bytes[..4].copy_from_slice(&length);
    from.read_exact(&mut bytes[4..])?;
    Ok(bytes)
}

/// A request's or an answer's correlation id at `at`.
fn number(frame: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(frame.get(at..at + 4)?.try_into().ok()?))
}

/// The topics that a Produce request writes to. Their records may name others, as a ledger's do.
fn topics_written(request: &[u8]) -> Vec<String> {
    let mut bytes = Bytes::copy_from_slice(&request[4..]);
    let version = i16::from_be_bytes([request[6], request[7]]);
    let header = ApiKey::Produce.request_header_version(version);
    RequestHeader::decode(&mut bytes, header).expect("the header of a Produce request");
    let produce = ProduceRequest::decode(&mut bytes, version).expect("a Produce request");
    let names = produce.topic_data.iter().map(|it| it.name.to_string());
    names.collect()
}

fn pass_requests(
    client: &TcpStream,
    mut broker: &TcpStream,
    produces: &Mutex<HashMap<i32, ()>>,
    shared: &Shared,
) -> io::Result<()> {
    loop {
        let request = frame(client)?;
        let is_produce = request.get(4..6) == Some(&PRODUCE.to_be_bytes());
        if is_produce && shared.keeps(&request, broker)? {
            return Ok(());
        }
        if is_produce && let Some(correlation) = number(&request, 8) {
            produces
                .lock()
                .expect("nobody panics with this lock")
                .insert(correlation, ());
        }
        broker.write_all(&request)?;
    }
}

fn pass_answers(
    broker: &TcpStream,
    mut client: &TcpStream,
    produces: &Mutex<HashMap<i32, ()>>,
    shared: &Shared,
) -> io::Result<()> {
    loop {
        let answer = frame(broker)?;
        let is_produce = number(&answer, 4).is_some_and(|correlation| {
            produces
                .lock()
                .expect("nobody panics with this lock")
                .remove(&correlation)
                .is_some()
        });
        let (slower, fault) = if is_produce {
            shared.choose()
        } else {
            (Duration::ZERO, None)
        };
        thread::sleep(slower);
        match fault {
            None => client.write_all(&answer)?,
            Some(Fault::Cut) => return Ok(()),
            Some(Fault::CutMidFrame) => return client.write_all(&answer[..answer.len() / 2]),
            Some(Fault::Swallow) => {}
            Some(Fault::Delay(time)) => {
                thread::sleep(time);
                client.write_all(&answer)?;
            }
        }
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().expect("nobody panics with this lock")
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nobody panics with this lock")
    }

    /// Keeps a Produce request, if it writes to a topic whose requests are kept.
    fn keeps(&self, request: &[u8], broker: &TcpStream) -> io::Result<bool> {
        if self.held().topics.is_empty() {
            return Ok(false);
        }
        let topics = topics_written(request);
        let mut held = self.held();
        let Some(topic) = topics.into_iter().find(|it| held.topics.contains(it)) else {
            return Ok(false);
        };
        held.requests.push(Late {
            topic,
            broker: broker.peer_addr()?.to_string(),
            request: request.to_vec(),
        });
        Ok(true)
    }

    /// How much longer the next answer takes, and what happens to it.
    fn choose(&self) -> (Duration, Option<Fault>) {
        self.counts.produce_answers.fetch_add(1, Ordering::Relaxed);
        let mut guard = self.rules();
        let rules = &mut *guard;
        rules.seen += 1;
        let picked = match rules.when {
            When::Never => false,
            When::Share(share) => rules.dice.chance(share),
            When::EveryNth(n) => rules.seen.is_multiple_of(n),
        };
        if !picked || rules.faults.is_empty() {
            return (rules.slower, None);
        }
        self.counts.faults.fetch_add(1, Ordering::Relaxed);
        let index = rules.dice.between(0, rules.faults.len() as u64);
        let index = usize::try_from(index).expect("few faults");
        (rules.slower, rules.faults.get(index).copied())
    }
}
