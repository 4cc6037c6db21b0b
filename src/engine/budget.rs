//! Bytes of memory and bytes per second, shared by all partitions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Permits are counted in KiB, so that any budget fits a semaphore.
const UNIT: usize = 1024;
/// A fetch of one broker asks for at least and at most so much: enough for many batches of several partitions.
const SMALLEST_CHUNK: usize = 64 << 10;
const LARGEST_CHUNK: usize = 5 << 19;
/// How much of a second's bytes may come at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// Memory for fetched records: a fetch reserves before it asks, and what it brought is given back when the last of it was acknowledged.
///
/// A single batch that is larger than a reservation comes whole (KIP-74). One such answer at a time is let in, alone beyond the budget.
#[derive(Debug, Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    oversize: Arc<Mutex<()>>,
    chunk: usize,
}

/// Memory held by one fetch answer; dropped with its last batch.
#[derive(Debug)]
pub struct Held {
    _permit: OwnedSemaphorePermit,
    _oversize: Option<OwnedMutexGuard<()>>,
}

/// Memory set aside for an answer that has not come yet.
#[derive(Debug)]
pub struct Reserved {
    permit: OwnedSemaphorePermit,
    budget: Budget,
}

#[cfg(test)]
impl Held {
    /// For batches that came from no fetch.
    pub fn nothing() -> Self {
        let none = Arc::new(Semaphore::new(0)).try_acquire_many_owned(0);
        Self {
            _permit: none.expect("nothing is always there"),
            _oversize: None,
        }
    }
}

impl Budget {
    /// `bytes` in all, for so many fetches that may be waiting at once, under a limit of bytes per second.
    pub fn new(bytes: usize, fetches: usize, rate: Option<u64>) -> Self {
        // Half is for answers on their way, half for what is being written meanwhile; and what all may bring at once is a
        // quarter of a second's worth.
        let share = bytes / (2 * fetches.max(1));
        let paced = rate.map_or(usize::MAX, |rate| {
            usize::try_from(rate).unwrap_or(usize::MAX) / (4 * fetches.max(1))
        });
        let chunk = share.min(paced).clamp(SMALLEST_CHUNK, LARGEST_CHUNK);
        Self {
            permits: Arc::new(Semaphore::new(bytes.max(chunk) / UNIT)),
            oversize: Arc::default(),
            chunk,
        }
    }

    /// What a fetch may ask for, in bytes.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// Waits for room for one fetch.
    pub async fn reserve(&self) -> Reserved {
        let wanted = u32::try_from(self.chunk / UNIT).unwrap_or(u32::MAX);
        let permit = self
            .permits
            .clone()
            .acquire_many_owned(wanted)
            .await
            .expect("the semaphore is never closed");
        Reserved {
            permit,
            budget: self.clone(),
        }
    }
}

impl Reserved {
    /// Keeps what an answer of so many bytes takes, and gives the rest back.
    pub async fn keep(mut self, bytes: usize) -> Held {
        let oversize = if bytes > self.budget.chunk + self.budget.chunk / 2 {
            Some(self.budget.oversize.clone().lock_owned().await)
        } else {
            None
        };
        let spare = (self.budget.chunk / UNIT).saturating_sub(bytes.div_ceil(UNIT));
        drop(self.permit.split(spare));
        Held {
            _permit: self.permit,
            _oversize: oversize,
        }
    }
}

/// A limit of bytes per second. Clones share it.
#[derive(Debug, Clone)]
pub struct Rate {
    /// `u64::MAX` is no limit.
    per_second: Arc<AtomicU64>,
    /// When everything paid for so far is through at the limit.
    paid: Arc<Mutex<Option<Instant>>>,
}

impl Rate {
    /// `None` is no limit.
    pub fn new(per_second: Option<u64>) -> Self {
        Self {
            per_second: Arc::new(AtomicU64::new(per_second.unwrap_or(u64::MAX))),
            paid: Arc::default(),
        }
    }

    /// Another limit from now on.
    pub fn set(&self, per_second: Option<u64>) {
        self.per_second
            .store(per_second.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn limit(&self) -> Option<u64> {
        let limit = self.per_second.load(Ordering::Relaxed);
        (limit != u64::MAX).then_some(limit)
    }

    /// Waits until the next bytes may be asked for.
    pub async fn wait(&self) {
        if self.limit().is_none() {
            return;
        }
        let until = *self.paid.lock().await;
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    /// Counts bytes that came.
    pub async fn pay(&self, bytes: usize) {
        let Some(per_second) = self.limit() else {
            return;
        };
        let now = Instant::now();
        let cost = Duration::from_secs_f64(bytes as f64 / per_second.max(1) as f64);
        let mut paid = self.paid.lock().await;
        let from = paid.map_or(now, |paid| paid.max(now.checked_sub(BURST).unwrap_or(now)));
        *paid = Some(from + cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rate_is_kept() {
        let rate = Rate::new(Some(1_000_000));
        let begun = Instant::now();
        for _ in 0..31 {
            rate.wait().await;
            rate.pay(10_000).await;
        }
        // Thirty hundredths of a second are paid for before the last may be asked for.
        assert!(begun.elapsed() >= Duration::from_millis(290));
    }

    #[tokio::test]
    async fn what_was_reserved_and_not_used_is_given_back() {
        let budget = Budget::new(4 * LARGEST_CHUNK, 2, None);
        assert_eq!(budget.chunk(), LARGEST_CHUNK);
        let mut held = Vec::new();
        for _ in 0..7 {
            held.push(budget.reserve().await.keep(LARGEST_CHUNK / 2).await);
        }
        let waits = tokio::time::timeout(Duration::from_millis(20), budget.reserve()).await;
        assert!(waits.is_err(), "of eight halves seven are held");
        held.truncate(6);
        drop(budget.reserve().await);
    }

    #[tokio::test]
    async fn one_oversize_answer_at_a_time() {
        let budget = Budget::new(8 << 20, 2, None);
        let first = budget.reserve().await.keep(50 << 20).await;
        let second = budget.reserve().await;
        let second = tokio::spawn(second.keep(50 << 20));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!second.is_finished());
        drop(first);
        drop(second.await.expect("it does not panic"));
    }
}
