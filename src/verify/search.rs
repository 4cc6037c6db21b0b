//! Finds where two sides meet again when they are further apart than the look-ahead.
//!
//! That is behind records that retention removed from the front of one side, or behind a long loss. Reads both sides
//! forward, in turn, and remembers only a few records of where each began. No I/O.

use std::collections::{HashMap, VecDeque};

use super::print::Print;
use crate::model::names::Side;

/// So many records from where a side began are looked for on the other.
const ANCHORS: usize = 64;
/// So many of them must follow each other there, or all if there are fewer.
const CONFIRM: usize = 8;

/// One search.
#[derive(Debug)]
pub struct Search {
    source: Half,
    target: Half,
    limit: u64,
    found: Option<Meeting>,
}

/// Where the sides meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meeting {
    /// Offset on the source from which both sides go on alike, but for differences near it.
    pub source: i64,
    /// The same on the target.
    pub target: i64,
    /// Records of the source passed over.
    pub source_passed: u64,
    /// Records of the target passed over.
    pub target_passed: u64,
}

#[derive(Debug, Default)]
struct Half {
    /// May this side's records be passed over? If not it is read only for its anchors.
    may_pass: bool,
    ended: bool,
    read: u64,
    anchors: Vec<Print>,
    by_content: HashMap<u128, usize>,
    /// Offsets of the last records read.
    last: VecDeque<i64>,
    /// The next anchor of the other side that is expected here, and how many have come in a row.
    run: Option<(usize, usize)>,
}

impl Half {
    fn has_anchors(&self) -> bool {
        self.ended || self.anchors.len() == ANCHORS
    }

    fn wants(&self, limit: u64) -> bool {
        !self.ended && (!self.has_anchors() || (self.may_pass && self.read < limit))
    }
}

impl Search {
    /// Passes over at most `limit` records of each side that may be passed over.
    pub fn new(may_pass_source: bool, may_pass_target: bool, limit: u64) -> Self {
        let half = |may_pass| Half {
            may_pass,
            ..Half::default()
        };
        Self {
            source: half(may_pass_source),
            target: half(may_pass_target),
            limit,
            found: None,
        }
    }

    /// The side of which the next record is needed; `None` when the search is over.
    pub fn wants(&self) -> Option<Side> {
        if self.found.is_some() {
            return None;
        }
        // The anchors of one side have to be known before the other is looked through.
        match (self.source.has_anchors(), self.target.has_anchors()) {
            (false, _) => return Some(Side::Source),
            (true, false) => return Some(Side::Target),
            (true, true) => {}
        }
        let (s, t) = (self.source.wants(self.limit), self.target.wants(self.limit));
        match (s, t) {
            (true, true) if self.source.read <= self.target.read => Some(Side::Source),
            (_, true) => Some(Side::Target),
            (true, false) => Some(Side::Source),
            (false, false) => None,
        }
    }

    /// The next record of a side.
    pub fn offer(&mut self, side: Side, print: Print) {
        let half = self.half(side);
        half.read += 1;
        if half.anchors.len() < ANCHORS {
            let at = half.anchors.len();
            half.by_content.entry(print.whole).or_insert(at);
            half.anchors.push(print);
        }
        if half.last.len() == ANCHORS + CONFIRM {
            half.last.pop_front();
        }
        half.last.push_back(print.offset);
        let (index, anchored) = (half.read, half.anchors.len() == ANCHORS);
        match side {
            Side::Source if self.target.has_anchors() => self.step(side, index, print),
            Side::Source => {}
            Side::Target => {
                self.step(side, index, print);
                if anchored && index == ANCHORS as u64 {
                    self.replay();
                }
            }
        }
    }

    /// A side has no more records.
    pub fn end(&mut self, side: Side) {
        let anchored = self.half(side).has_anchors();
        self.half(side).ended = true;
        if side == Side::Target && !anchored {
            self.replay();
        }
    }

    /// The source's first records were read before the target's anchors were known: they are looked at now.
    fn replay(&mut self) {
        for (index, print) in self.source.anchors.clone().into_iter().enumerate() {
            if self.found.is_none() {
                self.step(Side::Source, index as u64 + 1, print);
            }
        }
    }

    /// The place, if one was found.
    pub fn found(&self) -> Option<Meeting> {
        self.found
    }

    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    /// Looks at one record, the `index`th of its side counted from 1.
    fn step(&mut self, side: Side, index: u64, print: Print) {
        let (here, there) = match side {
            Side::Source => (&mut self.source, &self.target),
            Side::Target => (&mut self.target, &self.source),
        };
        if !here.may_pass {
            return;
        }
        let needed = CONFIRM.min(there.anchors.len());
        let run = match here.run.take() {
            Some((next, run))
                if there
                    .anchors
                    .get(next)
                    .is_some_and(|a| a.whole == print.whole) =>
            {
                Some((next + 1, run + 1))
            }
            _ => there.by_content.get(&print.whole).map(|at| (at + 1, 1)),
        };
        here.run = run;
        let Some((next, _)) = run.filter(|(_, run)| *run >= needed) else {
            return;
        };
        // `next` anchors of the other side end here. Go back as many, so that a changed record among them is compared too.
        let remembered = here.last.len() as u64 - (here.read - index);
        let back = next.min(remembered as usize);
        let at = here.last[remembered as usize - back];
        let passed = index - back as u64;
        let first = there.anchors[next - back].offset;
        let other = (next - back) as u64;
        self.found = Some(match side {
            Side::Source => Meeting {
                source: at,
                target: first,
                source_passed: passed,
                target_passed: other,
            },
            Side::Target => Meeting {
                source: first,
                target: at,
                source_passed: other,
                target_passed: passed,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::align::tests::prints;

    fn search(source: &[i64], target: &[i64], may_pass: [bool; 2]) -> Option<Meeting> {
        let (source, target) = (prints(source), prints(target));
        let (mut search, mut s, mut t) = (
            Search::new(may_pass[0], may_pass[1], 1 << 20),
            source.iter(),
            target.iter(),
        );
        while let Some(side) = search.wants() {
            match if side == Side::Source {
                s.next()
            } else {
                t.next()
            } {
                Some(print) => search.offer(side, *print),
                None => search.end(side),
            }
        }
        search.found()
    }

    fn numbers(range: std::ops::Range<i64>) -> Vec<i64> {
        range.collect()
    }

    #[test]
    fn retention_on_either_side_is_passed_over() {
        let (whole, tail) = (numbers(0..9000), numbers(7000..9000));
        let wanted = Meeting {
            source: 0,
            target: 7000,
            source_passed: 0,
            target_passed: 7000,
        };
        assert_eq!(search(&tail, &whole, [false, true]), Some(wanted));
        assert_eq!(search(&tail, &whole, [true, true]), Some(wanted));
        let wanted = Meeting {
            source: 7000,
            target: 0,
            source_passed: 7000,
            target_passed: 0,
        };
        assert_eq!(search(&whole, &tail, [true, true]), Some(wanted));
        assert_eq!(search(&whole, &tail, [false, true]), None);
    }

    #[test]
    fn short_distances_are_found_from_either_side() {
        for distance in [0, 1, 3, 8, 55, 56, 57, 63, 64, 65, 72, 73, 200] {
            let (whole, tail) = (numbers(0..500), numbers(distance..500));
            let found = search(&tail, &whole, [true, true]).unwrap();
            assert_eq!(
                (found.source, found.target, found.target_passed),
                (0, distance, distance as u64),
                "{distance}"
            );
            let found = search(&whole, &tail, [true, true]).unwrap();
            assert_eq!(
                (found.source, found.target, found.source_passed),
                (distance, 0, distance as u64),
                "{distance}"
            );
        }
    }

    #[test]
    fn a_changed_first_record_does_not_hide_the_place() {
        let (whole, mut tail) = (numbers(0..9000), numbers(7000..9000));
        tail[0] = -1;
        tail[5] = -2;
        let found = search(&tail, &whole, [false, true]).unwrap();
        assert_eq!((found.source, found.target), (0, 7000));
    }

    #[test]
    fn a_few_records_are_found_too_and_strangers_are_not() {
        let found = search(&[500, 501], &numbers(0..502), [false, true]).unwrap();
        assert_eq!((found.source, found.target), (0, 500));
        assert_eq!(
            search(&numbers(-500..0), &numbers(0..500), [true, true]),
            None
        );
        assert_eq!(search(&[], &numbers(0..500), [true, true]), None);
    }
}
