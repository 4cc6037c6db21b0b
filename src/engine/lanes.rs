//! What one direction has written and where, for the other one in the same process, which need not fetch it.
//!
//! A range stands here once the broker has acknowledged it with all replicas in sync, with the leader epoch under which it was sent. Whoever
//! jumps over it says that epoch with its next fetch, so that a log which was cut off meanwhile says so (KIP-595).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

use crate::model::names::TopicPartition;

/// Ranges of one partition that are remembered. Older ones are fetched, and passed by what they say of themselves.
const KEPT: usize = 1024;
/// For so long after its last word a writer is taken to be at work.
const AT_WORK: Duration = Duration::from_millis(400);

/// Lanes of all partitions of one direction. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Lanes(Arc<Mutex<HashMap<TopicPartition, Lane>>>);

/// One partition's. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Lane(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    ranges: VecDeque<Range>,
    last_word: Option<Instant>,
}

/// Neighbouring offsets that were written under one identity and one leader epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub from: i64,
    /// The one behind the last.
    pub to: i64,
    /// Of the leader that was written to.
    pub leader_epoch: i32,
    /// Who wrote.
    pub producer_id: i64,
    /// Under which producer epoch.
    pub epoch: i16,
    /// The sequence behind the last, as on the wire.
    pub next_sequence: i32,
}

impl Lanes {
    /// A partition's lane.
    pub fn lane(&self, of: &TopicPartition) -> Lane {
        let mut lanes = self.0.lock().expect("nothing panics while holding it");
        lanes.entry(of.clone()).or_default().clone()
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().expect("nothing panics while holding it")
    }

    /// Something is on its way.
    pub fn sent(&self) {
        self.lock().last_word = Some(Instant::now());
    }

    /// A batch was acknowledged. Ranges come in the order of their offsets.
    pub fn acknowledged(&self, range: Range) {
        let mut written = self.lock();
        written.last_word = Some(Instant::now());
        if let Some(last) = written.ranges.back_mut() {
            let alike = |range: &Range| (range.leader_epoch, range.producer_id, range.epoch);
            if range.from < last.to {
                // Another log than the one we wrote.
                written.ranges.clear();
            } else if range.from == last.to && alike(last) == alike(&range) {
                (last.to, last.next_sequence) = (range.to, range.next_sequence);
                return;
            }
        }
        if written.ranges.len() == KEPT {
            written.ranges.pop_front();
        }
        written.ranges.push_back(range);
    }

    /// Is somebody writing at the moment?
    pub fn is_at_work(&self) -> bool {
        let last = self.lock().last_word;
        last.is_some_and(|last| last.elapsed() < AT_WORK)
    }

    /// The range that an offset is in, from there to its end; what lies before is forgotten.
    pub fn at(&self, offset: i64) -> Option<Range> {
        let mut written = self.lock();
        while written
            .ranges
            .front()
            .is_some_and(|first| first.to <= offset)
        {
            written.ranges.pop_front();
        }
        let first = *written.ranges.front()?;
        (first.from <= offset).then_some(first)
    }

    /// Nothing of it is to be trusted any more.
    pub fn forget(&self) {
        self.lock().ranges.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64, leader_epoch: i32) -> Range {
        Range {
            from,
            to,
            leader_epoch,
            producer_id: 7,
            epoch: 3,
            next_sequence: to as i32,
        }
    }

    #[test]
    fn neighbours_become_one_and_what_is_passed_is_forgotten() {
        let lanes = Lanes::default();
        let at = TopicPartition::new("orders", 0);
        let lane = lanes.lane(&at);
        assert!(!lane.is_at_work());
        lane.acknowledged(range(10, 20, 1));
        lane.acknowledged(range(20, 30, 1));
        // Somebody else wrote 30 and 31.
        lane.acknowledged(range(32, 40, 1));
        // Another leader.
        lane.acknowledged(range(40, 50, 2));
        assert!(lane.is_at_work());
        let lane = lanes.lane(&at);
        assert_eq!(lane.at(9), None);
        assert_eq!(lane.at(10), Some(range(10, 30, 1)));
        assert_eq!(lane.at(30), None);
        assert_eq!(lane.at(32), Some(range(32, 40, 1)));
        assert_eq!(lane.at(40), Some(range(40, 50, 2)));
        assert_eq!(lane.at(50), None);
    }

    #[test]
    fn a_log_that_went_back_makes_all_doubtful() {
        let lane = Lane::default();
        lane.acknowledged(range(10, 20, 1));
        lane.acknowledged(range(15, 25, 2));
        assert_eq!(lane.at(10), None);
        assert_eq!(lane.at(15), Some(range(15, 25, 2)));
        lane.forget();
        assert_eq!(lane.at(15), None);
    }
}
