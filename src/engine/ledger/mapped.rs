//! Which source offset became which target offset, folded from runs as checkpoints pass them.
//!
//! 1. A record is in the map once a checkpoint says that it is on the target, and never before: runs are declared ahead of what is sent.
//! 2. Where an identity is over, a checkpoint under it says how many of its records are there, before any under the next. What it had
//!    declared beyond that was never written.
//! 3. What no run explains is let go of together with everything before it, never guessed.
//! 4. The oldest are let go of beyond a bound; the map then says where it begins.

use std::collections::VecDeque;

use super::record::{self, Checkpoint, Run};
use crate::model::map::{Segment, Segments};

/// Segments kept of one partition.
const KEPT: usize = 4096;

/// What is on record as copied, of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Records and their copies.
    pub segments: Segments,
    /// Where it begins, on both sides, if anything was let go of.
    pub begin: Option<(i64, i64)>,
    /// The identity that the last of them was written under, and how many of its records are in it.
    mark: (u32, u64),
}

impl Mapped {
    /// An empty map, of a partition that begins at a checkpoint.
    pub fn starting(checkpoint: &Checkpoint) -> Self {
        Self {
            mark: (checkpoint.identity, checkpoint.next_sequence),
            ..Self::default()
        }
    }

    /// Takes in what a checkpoint says to be on the target.
    pub fn extend(&mut self, runs: [&VecDeque<Run>; 2], checkpoint: &Checkpoint) {
        let (identity, next) = (checkpoint.identity, checkpoint.next_sequence);
        let (before, mapped) = self.mark;
        if (identity, next) <= self.mark {
            return;
        }
        self.mark = (identity, next);
        let mut at = if identity == before { mapped } else { 0 };
        while at < next {
            let [source, target] = runs.map(|runs| stretch(runs, identity, at));
            let (Some((source, source_until)), Some((target, target_until))) = (source, target)
            else {
                return self.let_go(checkpoint);
            };
            let until = source_until.min(target_until).min(next);
            let length = i64::try_from(until - at).unwrap_or(i64::MAX);
            at = until;
            // Compaction removed it before anybody saw where it was.
            if target < 0 {
                continue;
            }
            let pushed = self.segments.push(Segment {
                source,
                target,
                length,
            });
            if !pushed {
                return self.let_go(checkpoint);
            }
        }
        while self.segments.len() > KEPT && self.drop_oldest() > 0 {}
    }

    /// The source was cut off: what was read from an offset on is not what stands there now.
    pub fn cut_off(&mut self, source: i64) {
        self.segments.cut_off(source);
        if let Some((begin, _)) = &mut self.begin {
            *begin = source.min(*begin);
        }
    }

    /// Lets go of some of the oldest. Answers how many.
    pub fn drop_oldest(&mut self) -> usize {
        let Some((last, count)) = self.segments.drop_oldest() else {
            return 0;
        };
        self.begin = Some((last.source_end(), last.target_end()));
        count
    }

    fn let_go(&mut self, checkpoint: &Checkpoint) {
        self.segments = Segments::default();
        self.begin = Some((checkpoint.source, checkpoint.target));
    }

    /// All of it, for a snapshot.
    pub fn entry(&self) -> record::Mapped {
        let (mut source, mut target) = (0, 0);
        let step = |one: Segment| {
            // They ascend.
            let step = [one.source - source, one.target - target, one.length];
            (source, target) = (one.source_end(), one.target_end());
            step.map(|number| u64::try_from(number).unwrap_or(0))
        };
        record::Mapped {
            identity: self.mark.0,
            sequence: self.mark.1,
            begin: self.begin,
            steps: self.segments.iter().map(step).collect(),
        }
    }
}

impl From<record::Mapped> for Mapped {
    fn from(entry: record::Mapped) -> Self {
        let (mut source, mut target) = (0i64, 0i64);
        let mut segments = Segments::default();
        for step in entry.steps {
            let [ahead_source, ahead_target, length] =
                step.map(|number| i64::try_from(number).unwrap_or(i64::MAX));
            let segment = Segment {
                source: source.saturating_add(ahead_source),
                target: target.saturating_add(ahead_target),
                length,
            };
            segments.push(segment);
            (source, target) = (segment.source_end(), segment.target_end());
        }
        Self {
            segments,
            begin: entry.begin,
            mark: (entry.identity, entry.sequence),
        }
    }
}

/// The offset of a sequence, and up to which sequence the two advance together.
fn stretch(runs: &VecDeque<Run>, identity: u32, sequence: u64) -> Option<(i64, u64)> {
    let behind = runs.partition_point(|run| (run.identity, run.sequence) <= (identity, sequence));
    let run = runs.get(behind.checked_sub(1)?)?;
    if run.identity != identity {
        return None;
    }
    let next = runs.get(behind).filter(|next| next.identity == identity);
    let until = next.map_or(u64::MAX, |next| next.sequence);
    if run.offset < 0 {
        return Some((run.offset, until));
    }
    let ahead = i64::try_from(sequence - run.sequence).ok()?;
    Some((run.offset.checked_add(ahead)?, until))
}

#[cfg(test)]
mod tests;
