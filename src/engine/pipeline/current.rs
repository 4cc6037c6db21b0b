//! When a partition of a compacted topic last stood at the source's end: whoever is behind for too long may miss tombstones.
//!
//! A tombstone is removed by the source's log cleaner when `delete.retention.ms` has passed since the cleaner's first pass over it (KIP-534), and it matters if an
//! earlier value of its key was copied. That value was read when we last stood at the end, or later; the pass that would have removed it was later
//! still. So nothing is missed by a partition that is never behind for as long as that. It stops at half, which leaves room for the clocks
//! below, and for what passes between two notes of it. A first copy counts from its beginning: what was cleaned before has no earlier value on the target.
//!
//! Only this machine's clock is read, and only differences of it count, because the brokers' clocks are told nowhere. After a start on another machine
//! the difference between the two machines comes in, and a clock that is set back makes time look shorter: by more than half of
//! `delete.retention.ms` (half a day by default), it would hide what this is to find.

use std::time::Duration;

use super::{Reason, Session};
use crate::{
    clock,
    engine::ledger::record::{At, Beyond, Entry},
    model::numbers,
};

/// The ledger is told at most so often, or at an eighth of what the topic's tombstones are kept, if that is sooner.
const TELL_EVERY_MS: i64 = 10 * 60 * 1000;
const TELL_AT_LEAST_MS: i64 = 500;

/// What is known of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// How long the source keeps tombstones.
    kept_ms: i64,
    /// When it last stood at the end, in milliseconds since 1970.
    at_ms: i64,
    /// What of that the ledger knows.
    told_ms: i64,
    /// An end of the source that is not reached yet, and when it was asked for.
    ahead: Option<(i64, i64)>,
}

impl Current {
    /// It stood there at `at_ms`; `told`: the ledger says so.
    pub(super) fn new(kept_ms: i64, at_ms: i64, told: bool) -> Self {
        Self {
            kept_ms,
            at_ms,
            told_ms: if told { at_ms } else { i64::MIN },
            ahead: None,
        }
    }

    /// What was copied before is gone: it counts from now.
    pub(super) fn again(self) -> Self {
        Self::new(self.kept_ms, clock::unix_millis(), false)
    }

    /// The source was asked at `asked_ms` and ends at `end`; everything below `copied` is on the target.
    pub(super) fn seen(&mut self, copied: i64, end: i64, asked_ms: i64) {
        if let Some((goal, then)) = self.ahead
            && copied >= goal
        {
            self.at_ms = self.at_ms.max(then);
            self.ahead = None;
        }
        if copied >= end {
            self.at_ms = self.at_ms.max(asked_ms);
        } else if self.ahead.is_none() {
            self.ahead = Some((end, asked_ms));
        }
    }

    /// For how long it was not at the end, if that is too long.
    fn too_long(&self, now_ms: i64) -> Option<Duration> {
        let behind_ms = now_ms.saturating_sub(self.at_ms);
        let is_too_long = behind_ms > self.kept_ms / 2;
        is_too_long.then(|| Duration::from_millis(behind_ms.unsigned_abs()))
    }

    /// What the ledger does not know yet, if it is worth telling; `all`: whatever it is.
    pub(super) fn tell(&mut self, at: At, all: bool) -> Option<Entry> {
        let every = (self.kept_ms / 8).clamp(TELL_AT_LEAST_MS, TELL_EVERY_MS);
        let news = self.at_ms.saturating_sub(self.told_ms);
        (news >= every || all && news > 0).then(|| {
            self.told_ms = self.at_ms;
            let at_ms = self.at_ms;
            Entry::Current { at, at_ms }
        })
    }
}

impl Session {
    /// The source was asked about a partition, and what it said is known.
    pub(super) fn seen_end(&mut self, index: usize, asked_ms: i64) {
        let partition = &mut self.partitions[index];
        if let (Some(current), Some(end)) = (&mut partition.current, partition.last_stable) {
            current.seen(partition.source, end, asked_ms);
        }
    }

    /// Stops a partition that has more to copy and was behind for so long that tombstones among it may be gone. Answers whether it did.
    pub(super) fn stops_for_tombstones(&mut self, index: usize) -> bool {
        let partition = &mut self.partitions[index];
        // Where nothing was copied, nothing is left that a tombstone would have deleted.
        let has_copied = partition.source > partition.origin;
        let Some(current) = partition.current.as_ref().filter(|_| has_copied) else {
            return false;
        };
        let Some(behind) = current.too_long(clock::unix_millis()) else {
            return false;
        };
        let kept = Duration::from_millis(current.kept_ms.unsigned_abs());
        let text = format!(
            "it was behind for {}, longer than half of the topic's delete.retention.ms on the source ({}): tombstones may have been cleaned away before they were copied, and keys that were deleted there would live on on the target",
            numbers::time(behind),
            numbers::time(kept)
        );
        partition.beyond = Some(Beyond {
            source: partition.fetch_offset,
            epoch: partition.last_epoch,
        });
        self.stop_partition(index, Reason { code: "K527", text });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At {
        topic: 0,
        partition: 0,
    };

    #[test]
    fn behind_is_counted_from_the_last_end_that_was_reached() {
        let mut current = Current::new(1000, 5000, true);
        assert_eq!(current.too_long(5500), None);
        assert_eq!(current.too_long(5501), Some(Duration::from_millis(501)));
        // At the end: when it was asked, not when it answered.
        current.seen(40, 40, 5600);
        assert_eq!(current.too_long(6100), None);
        // Behind a source that goes on: the end of then counts once it is reached, not the end of now.
        current.seen(40, 50, 6000);
        current.seen(45, 60, 6100);
        assert_eq!(current.too_long(6101), Some(Duration::from_millis(501)));
        current.seen(50, 70, 6200);
        assert_eq!(current.too_long(6500), None);
        assert!(current.too_long(6501).is_some());
        current.seen(70, 90, 6300);
        assert_eq!(current.too_long(6700), None);
        // A clock that was set back proves nothing.
        assert_eq!(current.too_long(0), None);
        current.seen(90, 90, 100);
        assert_eq!(current.at_ms, 6300);
    }

    #[test]
    fn the_ledger_is_told_seldom_and_at_a_stop() {
        let told = |at_ms| Some(Entry::Current { at: AT, at_ms });
        let mut current = Current::new(80_000, 5000, false);
        assert_eq!(current.tell(AT, false), told(5000));
        assert_eq!(current.tell(AT, true), None);
        current.seen(1, 1, 14_999);
        assert_eq!(current.tell(AT, false), None);
        assert_eq!(current.tell(AT, true), told(14_999));
        current.seen(1, 1, 24_999);
        assert_eq!(current.tell(AT, false), told(24_999));
        // Tombstones that are kept for ever do not keep the ledger waiting for ever.
        let mut current = Current::new(i64::MAX, 0, true);
        current.seen(1, 1, TELL_EVERY_MS);
        assert_eq!(current.tell(AT, false), told(TELL_EVERY_MS));
        assert_eq!(current.too_long(i64::MAX / 2), None);
    }
}
