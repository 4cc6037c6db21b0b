//! Leader epochs of the source under which records were read: from them follows where the log of another leader parts from what was read.

use std::collections::VecDeque;

use super::record::{Beyond, Epoch};

/// Epochs kept of one partition. A leader that parts from us before all of them sends us back to the first.
const KEPT: usize = 64;

/// A partition's epochs, ascending by number and by offset: what `leader-epoch-checkpoint` is to a broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Epochs(VecDeque<Epoch>);

impl Epochs {
    /// Takes in where an epoch begins. What was said of offsets from there on was given up.
    pub fn push(&mut self, epoch: Epoch) {
        self.cut_off(epoch.source);
        if self.last() != Some(epoch.number) {
            self.0.push_back(epoch);
        }
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// Forgets what begins at an offset or behind; answers whether there was any.
    pub fn cut_off(&mut self, at: i64) -> bool {
        let before = self.0.len();
        while self.0.back().is_some_and(|last| last.source >= at) {
            self.0.pop_back();
        }
        self.0.len() < before
    }

    /// The number of the last one.
    pub fn last(&self) -> Option<i32> {
        self.0.back().map(|last| last.number)
    }

    /// The epoch of the record before an offset.
    pub fn below(&self, offset: i64) -> Option<i32> {
        let below = self.0.iter().rfind(|epoch| epoch.source < offset);
        below.map(|epoch| epoch.number)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Epoch> {
        self.0.iter()
    }

    /// Where copying goes on behind a leader's answer that its log is another than the one read up to `read`: of the epochs up to ours the
    /// last that it has is number `epoch`, and ends at `end` there.
    ///
    /// Where that is one of ours both logs are the same up to where it ends first. Where it is not, it is of the leader alone: ours agree
    /// with its log at most up to where our next begins, and the epoch before is asked about then.
    pub fn parting(&self, epoch: i32, end: i64, read: i64) -> Beyond {
        let next = self.0.iter().find(|own| own.number > epoch);
        let ours = next.map_or(read, |next| next.source.min(read));
        match self.0.iter().rfind(|own| own.number <= epoch) {
            Some(own) if own.number < epoch => Beyond {
                source: ours,
                epoch: own.number,
            },
            // Nothing older is known of what we read: nothing older was read, or too long ago.
            None if next.is_some() => Beyond {
                source: ours.min(end),
                epoch: -1,
            },
            _ => Beyond {
                source: ours.min(end),
                epoch,
            },
        }
    }
}

impl FromIterator<(i32, i64)> for Epochs {
    fn from_iter<I: IntoIterator<Item = (i32, i64)>>(all: I) -> Self {
        let mut epochs = Self::default();
        for (number, source) in all {
            epochs.push(Epoch { number, source });
        }
        epochs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(all: &[(i32, i64)]) -> Epochs {
        all.iter().copied().collect()
    }

    #[test]
    fn what_is_said_anew_replaces_what_was_given_up() {
        let mut epochs = of(&[(0, 0), (2, 80), (5, 200)]);
        assert_eq!([0, 1, 80, 81, 500].map(|at| epochs.below(at)), {
            [None, Some(0), Some(0), Some(2), Some(5)]
        });
        epochs.push(Epoch {
            number: 2,
            source: 150,
        });
        assert_eq!(epochs, of(&[(0, 0), (2, 80)]), "it begins where it began");
        assert!(epochs.cut_off(80) && !epochs.cut_off(80));
        assert_eq!(epochs.last(), Some(0));
        let many: Epochs = (0..100).map(|at| (at, i64::from(at))).collect();
        assert_eq!((many.0.len(), many.below(10)), (KEPT, None));
    }

    #[test]
    fn a_leader_without_our_last_records_is_followed_from_where_its_log_parts() {
        let ours = of(&[(0, 0), (2, 80)]);
        let beyond = |source, epoch| Beyond { source, epoch };
        // Cut off within an epoch of ours.
        assert_eq!(ours.parting(2, 90, 100), beyond(90, 2));
        assert_eq!(ours.parting(0, 60, 100), beyond(60, 0));
        // It led on under an epoch of ours, and we read under another.
        assert_eq!(ours.parting(0, 95, 100), beyond(80, 0));
        // It led under an epoch that we never read.
        assert_eq!(ours.parting(1, 130, 100), beyond(80, 0));
        // Before all that we read.
        assert_eq!(of(&[(4, 50)]).parting(1, 70, 100), beyond(50, -1));
        // What an older ledger knows: nothing.
        assert_eq!(of(&[]).parting(1, 70, 100), beyond(70, 1));
    }

    /// Logs as leaders leave them: each takes over some log at some place, and writes under the next epoch.
    fn logs() -> impl Strategy<Value = Vec<Vec<i32>>> {
        let step = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            0usize..6,
        );
        proptest::collection::vec(step, 1..12).prop_map(|steps| {
            let mut logs: Vec<Vec<i32>> = vec![vec![]];
            for (epoch, (from, at, count)) in (0..).zip(steps) {
                let mut log = from.get(&logs).clone();
                log.truncate(at.index(log.len() + 1));
                log.extend(std::iter::repeat_n(epoch, count));
                logs.push(log);
            }
            logs
        })
    }

    fn epochs_of(log: &[i32]) -> Epochs {
        (0..).zip(log).map(|(at, number)| (*number, at)).collect()
    }

    /// `LeaderEpochFileCache.endOffsetFor`, and what a leader makes of it.
    fn diverging(leader: &[i32], last: i32, read: i64) -> Option<(i32, i64)> {
        let epoch = leader.iter().copied().filter(|own| *own <= last).max();
        let epoch = epoch.unwrap_or(-1);
        let end = leader.iter().filter(|own| **own <= last).count() as i64;
        (epoch < last || end < read).then_some((epoch, end))
    }

    proptest! {
        /// Asked again and again, as a person accepts one stop after the other: it ends exactly where both logs part.
        #[test]
        fn no_record_of_the_leader_is_left_out(logs in logs(), ours: prop::sample::Index, leader: prop::sample::Index) {
            let (ours, leader) = (ours.get(&logs), leader.get(&logs));
            let common = ours.iter().zip(leader).take_while(|(one, other)| one == other).count() as i64;
            let mut epochs = epochs_of(ours);
            let mut read = ours.len() as i64;
            let mut last = epochs.last();
            while let Some((epoch, end)) = last.and_then(|last| diverging(leader, last, read)) {
                let beyond = epochs.parting(epoch, end, read);
                prop_assert!(beyond.source < read || beyond.epoch < last.unwrap_or(-1));
                epochs.cut_off(beyond.source);
                read = beyond.source;
                last = (beyond.epoch >= 0).then_some(beyond.epoch);
            }
            prop_assert_eq!(read, common);
        }
    }
}
