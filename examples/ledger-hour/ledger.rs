//! Follows a migration's ledger on the target, and folds it as the engine itself does: what its engine holds in memory of it, too.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use kafka_migrate::engine::ledger::{
    record::{Entry, Record},
    state::State,
};

use super::support::{
    codecs,
    raw::{Code, Wire},
};

/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: Code = Code(1);

/// What was seen so far of all shards.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Bytes appended, as batches in the log.
    pub appended: u64,
    /// Of these, those between the log start and the end.
    pub retained: u64,
    /// Records appended.
    pub records: u64,
    /// Runs told in them, snapshots included.
    pub runs_told: u64,
    /// Runs that an engine holds in memory: what the ledger folds to.
    pub runs: u64,
    /// Snapshots: records that repeat the claim under which they stand.
    pub snapshots: u64,
    /// Records that a snapshot let go of before they were read along; they are in none of the other numbers.
    pub missed: u64,
}

/// A thread that reads along.
pub struct Follower {
    over: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Follows all shards, from their first record on.
    pub fn start(address: &str, topic: &str, shards: i32) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut readers: Vec<Shard> = (0..shards)
            .map(|number| Shard::new(address, topic, number))
            .collect();
        let (ends, shared) = (Arc::clone(&over), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            while !ends.load(Relaxed) {
                let mut sum = Seen::default();
                for shard in &mut readers {
                    shard.read_on();
                    shard.add_to(&mut sum);
                }
                *shared.lock().expect("nobody panics with this lock") = sum;
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self {
            over,
            seen,
            thread: Some(thread),
        }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().expect("nobody panics with this lock")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Shard {
    wire: Wire,
    topic: String,
    number: i32,
    next: i64,
    state: State,
    claim: Option<(u64, u64)>,
    /// Base offset and length of every batch that is still retained.
    batches: VecDeque<(i64, u64)>,
    seen: Seen,
}

impl Shard {
    fn new(address: &str, topic: &str, number: i32) -> Self {
        Self {
            wire: Wire::connect(address).expect("the broker runs"),
            topic: topic.to_owned(),
            number,
            next: 0,
            state: State::default(),
            claim: None,
            batches: VecDeque::new(),
            seen: Seen::default(),
        }
    }

    fn read_on(&mut self) {
        loop {
            let fetched = self
                .wire
                .fetch(&self.topic, self.number, self.next, false, 4 << 20)
                .expect("the broker answers");
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(OUT_OF_RANGE) => {
                    // What the log begins with now is a snapshot, and says everything.
                    let start = self.start();
                    self.seen.missed += (start - self.next).unsigned_abs();
                    (self.next, self.state) = (start, State::default());
                    continue;
                }
                Err(code) => panic!("the ledger cannot be read: {code}"),
            };
            let before = self.next;
            self.note_lengths(&fetched.records);
            for batch in codecs::decode(&fetched.records) {
                self.next = batch.last_offset + 1;
                for record in batch.records.iter().filter(|_| !batch.is_control) {
                    self.take(record.value.as_deref().unwrap_or_default(), record.offset);
                }
            }
            if self.next == before {
                break;
            }
        }
        let start = self.start();
        while self.batches.front().is_some_and(|(at, _)| *at < start) {
            self.batches.pop_front();
        }
    }

    fn start(&mut self) -> i64 {
        let start = self.wire.offset(&self.topic, self.number, -2);
        start
            .expect("the broker answers")
            .expect("the ledger has a start")
    }

    /// Whole batches only; one that is cut comes again.
    fn note_lengths(&mut self, mut bytes: &[u8]) {
        while let Some((head, _)) = bytes.split_first_chunk::<12>() {
            let base = i64::from_be_bytes(*head.first_chunk().expect("8 of 12 bytes"));
            let rest = u32::from_be_bytes(*head.last_chunk().expect("4 of 12 bytes"));
            let length = 12 + rest as usize;
            if bytes.len() < length {
                return;
            }
            if base >= self.next {
                self.seen.appended += length as u64;
                self.batches.push_back((base, length as u64));
            }
            bytes = &bytes[length..];
        }
    }

    fn take(&mut self, value: &[u8], offset: i64) {
        let record = Record::decode(value).expect("the ledger is ours");
        let is_run = |entry: &&Entry| matches!(entry, Entry::Run { .. } | Entry::TargetRun { .. });
        self.seen.records += 1;
        self.seen.runs_told += record.entries.iter().filter(is_run).count() as u64;
        if record.entries.iter().any(|e| matches!(e, Entry::Claim(_))) {
            let claim = Some((record.generation, record.run));
            self.seen.snapshots += u64::from(self.claim == claim);
            self.claim = claim;
        }
        self.state.apply(record, offset);
    }

    fn add_to(&self, sum: &mut Seen) {
        let of = &self.seen;
        sum.appended += of.appended;
        sum.records += of.records;
        sum.runs_told += of.runs_told;
        sum.snapshots += of.snapshots;
        sum.missed += of.missed;
        sum.retained += self.batches.iter().map(|(_, length)| length).sum::<u64>();
        let partitions = self.state.partitions.values();
        sum.runs += partitions
            .map(|one| (one.runs.len() + one.target_runs.len()) as u64)
            .sum::<u64>();
    }
}
