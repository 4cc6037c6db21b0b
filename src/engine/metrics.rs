//! Counters of every shard, and the numbers that events, heartbeats and `--until caught-up` read.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::events::{PartitionProgress, Progress};

/// Rates are taken over so much of the past.
const WINDOW: Duration = Duration::from_secs(5);

/// The numbers of all shards. Clones share them.
#[derive(Debug, Clone)]
pub struct Numbers {
    shards: Arc<Mutex<Vec<Shard>>>,
    detailed: bool,
    /// How often partitions were handed to shards that are at work.
    handed: Arc<AtomicU64>,
    /// When the last look for more partitions began that came to its end.
    looked: Arc<Mutex<Option<Instant>>>,
}

/// The numbers of one shard.
#[derive(Debug, Clone, Default)]
pub struct Shard {
    /// Partitions assigned.
    pub partitions: u64,
    /// Partitions whose source holds nothing more.
    pub at_end: u64,
    /// Partitions that wait for a person.
    pub stopped: u64,
    /// Source offsets passed, counted from where copying began.
    pub done: u64,
    /// Source offsets in all, counted the same way.
    pub total: u64,
    /// Source offsets that the target does not hold yet.
    pub lag: u64,
    /// Milliseconds since the target held all that the source held, of the partition furthest behind among those that are copied.
    pub behind_ms: Option<u64>,
    /// Records acknowledged in this run.
    pub records: u64,
    /// Bytes acknowledged in this run.
    pub bytes: u64,
    /// Batches in flight.
    pub in_flight: u64,
    /// The partition furthest behind.
    pub slowest: Option<(String, u64)>,
    /// Everything that was wanted when the command began is durable, and no first contact waits to be written down.
    pub caught_up: bool,
    /// How often partitions that were handed over later were taken on.
    pub heard: u64,
    /// Fences of this run.
    pub fences: u32,
    /// Of each partition; empty unless somebody wants to know.
    pub each: Vec<PartitionProgress>,
}

impl Numbers {
    /// For so many shards; `detailed` ones tell of every partition too.
    pub fn new(shards: usize, detailed: bool) -> Self {
        Self {
            shards: Arc::new(Mutex::new(vec![Shard::default(); shards])),
            detailed,
            handed: Arc::default(),
            looked: Arc::default(),
        }
    }

    /// Is every partition to be told of?
    pub fn are_detailed(&self) -> bool {
        self.detailed
    }

    /// Of each partition, all shards together.
    pub fn each(&self) -> Vec<PartitionProgress> {
        let shards = self.lock();
        shards.iter().flat_map(|shard| shard.each.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Shard>> {
        self.shards.lock().expect("nothing panics while holding it")
    }

    /// Stores what a shard has counted.
    pub fn set(&self, shard: u32, numbers: Shard) {
        if let Some(slot) = self.lock().get_mut(shard as usize) {
            *slot = numbers;
        }
    }

    /// Partitions are being handed to a shard at work.
    pub fn hand(&self) {
        self.handed.fetch_add(1, Ordering::AcqRel);
    }

    /// A look for more partitions came to its end; what it found was handed over.
    pub fn looked(&self, began: Instant) {
        *self.looked.lock().expect("nothing panics while holding it") = Some(began);
    }

    /// Has a look for more partitions begun since then, and come to its end?
    pub fn has_looked_since(&self, then: Instant) -> bool {
        let looked = self.looked.lock().expect("nothing panics while holding it");
        looked.is_some_and(|began| began >= then)
    }

    /// Has every shard reached what it wanted, all that was handed to it included?
    pub fn caught_up(&self) -> bool {
        let handed = self.handed.load(Ordering::Acquire);
        let shards = self.lock();
        let heard: u64 = shards.iter().map(|shard| shard.heard).sum();
        heard >= handed && shards.iter().all(|shard| shard.caught_up)
    }

    /// All shards together; rates are left at zero.
    pub fn sum(&self) -> Progress {
        let mut sum = Progress::default();
        for shard in self.lock().iter() {
            sum.partitions += shard.partitions - shard.stopped;
            sum.caught_up += shard.at_end;
            sum.stopped += shard.stopped;
            sum.done += shard.done;
            sum.total += shard.total;
            sum.lag += shard.lag;
            sum.behind_ms = sum.behind_ms.max(shard.behind_ms);
            sum.records += shard.records;
            sum.bytes += shard.bytes;
            if shard.slowest.as_ref().map(|(_, lag)| *lag)
                > sum.slowest.as_ref().map(|(_, lag)| *lag)
            {
                sum.slowest.clone_from(&shard.slowest);
            }
        }
        sum
    }

    /// Batches in flight.
    pub fn in_flight(&self) -> u64 {
        self.lock().iter().map(|shard| shard.in_flight).sum()
    }
}

/// Rates over the last seconds.
#[derive(Debug, Default)]
pub struct Rates(VecDeque<(Instant, u64, u64)>);

impl Rates {
    /// Notes counts as they are now; answers records and bytes per second.
    pub fn note(&mut self, records: u64, bytes: u64) -> (f64, f64) {
        let now = Instant::now();
        while self.0.len() > 1 && self.0[1].0 + WINDOW < now {
            self.0.pop_front();
        }
        self.0.push_back((now, records, bytes));
        let (then, records_then, bytes_then) = self.0[0];
        let seconds = (now - then).as_secs_f64();
        if seconds < 0.2 {
            return (0.0, 0.0);
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        (rate(records, records_then), rate(bytes, bytes_then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_over_and_is_not_taken_on_yet_has_not_caught_up() {
        let numbers = Numbers::new(2, false);
        assert!(!numbers.caught_up(), "no shard has counted yet");
        let says = |heard| Shard {
            caught_up: true,
            heard,
            ..Shard::default()
        };
        numbers.set(0, says(0));
        numbers.set(1, says(0));
        assert!(numbers.caught_up());
        numbers.hand();
        assert!(!numbers.caught_up());
        numbers.set(1, says(1));
        assert!(numbers.caught_up());
    }

    #[test]
    fn a_look_that_began_before_does_not_count() {
        let numbers = Numbers::new(1, false);
        let then = Instant::now();
        assert!(!numbers.has_looked_since(then));
        numbers.looked(then);
        assert!(numbers.has_looked_since(then));
        assert!(!numbers.has_looked_since(then + Duration::from_millis(1)));
    }
}
