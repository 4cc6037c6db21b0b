//! Both sides in lockstep; where they part, the nearest place where they meet again.
//!
//! No I/O: whoever drives this asks which side it wants, and hands over the next record or the end of that side.

use std::collections::{HashMap, VecDeque};

use super::{
    print::Print,
    region,
    tally::{Finding, Tally},
};
use crate::model::names::Side;

/// How far ahead each side is looked at, in records, at first and at most.
const LOOK_AHEAD: [usize; 4] = [64, 256, 1024, 4096];
/// So many records in a row must match before the sides are taken to have met again, unless a side ends before.
const CONFIRM: usize = 16;
/// How many matched records are remembered to tell a repeat from a stranger.
const RECENT: usize = 4096;

/// The comparison of one partition.
#[derive(Debug, Default)]
pub struct Lockstep {
    /// What was found so far.
    pub tally: Tally,
    source: Queue,
    target: Queue,
    /// Which look-ahead is in use; `None` while the sides are in step.
    looking: Option<usize>,
    lost: bool,
    recent: VecDeque<u128>,
}

#[derive(Debug, Default)]
struct Queue {
    prints: VecDeque<Print>,
    ended: bool,
}

impl Queue {
    fn has(&self, wanted: usize) -> bool {
        self.ended || self.prints.len() >= wanted
    }

    fn is_over(&self) -> bool {
        self.ended && self.prints.is_empty()
    }
}

impl Lockstep {
    /// The side of which the next record is needed; `None` at the end, or when lost.
    pub fn wants(&self) -> Option<Side> {
        // Behind the target's end one source record is enough to know that there are more.
        let done = self.target.is_over() && !self.source.prints.is_empty();
        if self.lost || done {
            return None;
        }
        let wanted = self.looking.map_or(1, |step| LOOK_AHEAD[step]);
        if !self.source.has(wanted) {
            Some(Side::Source)
        } else {
            (!self.target.has(wanted)).then_some(Side::Target)
        }
    }

    /// The next record of a side.
    pub fn offer(&mut self, side: Side, print: Print) {
        self.queue(side).prints.push_back(print);
        self.advance();
    }

    /// A side has no more records.
    pub fn end(&mut self, side: Side) {
        self.queue(side).ended = true;
        self.advance();
    }

    /// The sides do not meet again within the look-ahead: the first record of each from which they part.
    pub fn lost(&self) -> Option<(Print, Print)> {
        let fronts = self.source.prints.front().zip(self.target.prints.front());
        fronts.filter(|_| self.lost).map(|(s, t)| (*s, *t))
    }

    /// At the end: the first source record behind everything that the target holds.
    pub fn tail(&self) -> Option<Print> {
        self.source
            .prints
            .front()
            .copied()
            .filter(|_| self.target.is_over())
    }

    /// Begins again elsewhere, with what was found so far.
    pub fn resume(self) -> Self {
        Self {
            tally: self.tally,
            recent: self.recent,
            ..Self::default()
        }
    }

    fn queue(&mut self, side: Side) -> &mut Queue {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    fn advance(&mut self) {
        loop {
            match (self.source.prints.front(), self.target.prints.front()) {
                (Some(s), Some(t)) if self.looking.is_none() && s.whole == t.whole => {
                    self.matched(s.whole);
                    self.source.prints.pop_front();
                    self.target.prints.pop_front();
                }
                (Some(_), Some(_)) => {
                    if !self.look() {
                        return;
                    }
                }
                (None, Some(_)) if self.source.ended => {
                    let extra = self.target.prints.pop_front();
                    extra
                        .into_iter()
                        .for_each(|print| self.note(Finding::Extra(print)));
                }
                _ => return,
            }
        }
    }

    /// Looks for the place where the sides meet again. False if more is needed, or nothing can be done.
    fn look(&mut self) -> bool {
        let step = *self.looking.get_or_insert(0);
        if self.lost || !self.source.has(LOOK_AHEAD[step]) || !self.target.has(LOOK_AHEAD[step]) {
            return false;
        }
        if let Some((s, t)) = self.meet() {
            self.settle(s, t, false);
        } else if self.source.ended && self.target.ended {
            self.settle(self.source.prints.len(), self.target.prints.len(), true);
        } else if step + 1 < LOOK_AHEAD.len() {
            self.looking = Some(step + 1);
        } else {
            self.lost = true;
        }
        !self.lost
    }

    /// The nearest pair of places from which both sides go on alike.
    fn meet(&mut self) -> Option<(usize, usize)> {
        let (source, target) = (
            self.source.prints.make_contiguous(),
            self.target.prints.make_contiguous(),
        );
        let (s_ended, t_ended) = (self.source.ended, self.target.ended);
        let mut there: HashMap<u128, Vec<usize>> = HashMap::new();
        target
            .iter()
            .enumerate()
            .for_each(|(j, print)| there.entry(print.whole).or_default().push(j));
        let mut best: Option<(usize, usize)> = None;
        let near = |best: Option<(usize, usize)>, distance: usize| {
            best.is_none_or(|(i, j)| distance < i + j)
        };
        let mut tries = 0;
        for (i, print) in source
            .iter()
            .enumerate()
            .take_while(|(i, _)| near(best, *i))
            .collect::<Vec<_>>()
        {
            for &j in there.get(&print.whole).into_iter().flatten() {
                tries += 1;
                // Long stretches of equal records make many candidates: the nearest so far will do.
                if !near(best, i + j) || tries > 1 << 18 {
                    break;
                }
                let run = source[i..]
                    .iter()
                    .zip(&target[j..])
                    .take(CONFIRM)
                    .take_while(|(a, b)| a.whole == b.whole)
                    .count();
                let ends =
                    (s_ended && i + run == source.len()) || (t_ended && j + run == target.len());
                if run == CONFIRM || ends {
                    best = Some((i, j));
                }
            }
        }
        best
    }

    /// Counts everything before two places, and is in step again.
    fn settle(&mut self, s: usize, t: usize, tail: bool) {
        let (source, target) = (
            self.source.prints.make_contiguous(),
            self.target.prints.make_contiguous(),
        );
        let region = region::compare(&source[..s], &target[..t], tail);
        self.tally.counts.matching += region.matching;
        region
            .findings
            .into_iter()
            .for_each(|finding| self.note(finding));
        self.source.prints.drain(..s - region.tail);
        self.target.prints.drain(..t);
        self.looking = None;
    }

    fn note(&mut self, finding: Finding) {
        self.tally.add(match finding {
            Finding::Extra(print) if self.recent.contains(&print.whole) => Finding::Repeated(print),
            other => other,
        });
    }

    fn matched(&mut self, whole: u128) {
        self.tally.counts.matching += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(whole);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verify::{print::Printer, report::Counts};
    use crate::wire::record::tests::record_at;

    /// A record whose content is a number.
    pub(crate) fn prints(contents: &[i64]) -> Vec<Print> {
        let mut printer = Printer::new(0, false);
        let print = |(offset, content): (usize, &i64)| Print {
            offset: offset as i64,
            ..printer.print(&record_at(*content))
        };
        contents.iter().enumerate().map(print).collect()
    }

    pub(crate) fn play(source: &[Print], target: &[Print]) -> Lockstep {
        let (mut lockstep, mut s, mut t) = (Lockstep::default(), source.iter(), target.iter());
        while let Some(side) = lockstep.wants() {
            match if side == Side::Source {
                s.next()
            } else {
                t.next()
            } {
                Some(print) => lockstep.offer(side, *print),
                None => lockstep.end(side),
            }
        }
        lockstep
    }

    fn counts(source: &[i64], target: &[i64]) -> Counts {
        play(&prints(source), &prints(target)).tally.counts
    }

    proptest! {
        #[test]
        fn the_same_is_the_same(contents in proptest::collection::vec(0i64..50, 0..3000)) {
            let lockstep = play(&prints(&contents), &prints(&contents));
            prop_assert_eq!(lockstep.tally.counts, Counts { matching: contents.len() as u64, ..Counts::default() });
            prop_assert!(lockstep.tail().is_none() && lockstep.lost().is_none());
        }

        #[test]
        fn a_prefix_is_a_prefix(length in 0usize..300, cut in 0usize..300) {
            let all: Vec<i64> = (0..length as i64).collect();
            let lockstep = play(&prints(&all), &prints(&all[..cut.min(length)]));
            prop_assert_eq!(lockstep.tally.counts, Counts { matching: cut.min(length) as u64, ..Counts::default() });
            prop_assert_eq!(lockstep.tail().map(|p| p.offset), (cut < length).then_some(cut as i64));
        }

        /// Edits at least 20 apart, each of one kind, with content that does not repeat: every count is exact.
        #[test]
        fn small_edits_are_counted_by_kind(edits in proptest::collection::vec((20usize..200, 0u8..5, 1usize..6), 1..20)) {
            let (mut target, mut wanted, mut source) = (Vec::new(), Counts::default(), Vec::new());
            let mut next = 0i64;
            let mut strange = -1i64;
            for (distance, kind, size) in edits {
                let same: Vec<i64> = (next..next + distance as i64).collect();
                next += distance as i64;
                source.extend(&same);
                target.extend(&same);
                let some: Vec<i64> = (next..next + size as i64).collect();
                next += size as i64;
                let count = size as u64;
                match kind {
                    0 => { source.extend(&some); wanted.missing += count; }
                    1 => { some.iter().for_each(|_| { target.push(strange); strange -= 1; }); wanted.extra += count; }
                    2 => {
                        source.extend(&some);
                        some.iter().for_each(|_| { target.push(strange); strange -= 1; });
                        wanted.different += count;
                    }
                    3 => { // repeated, straight after the first time
                        target.extend(&same[distance - size..]);
                        wanted.extra += count;
                        wanted.repeated += count;
                    }
                    _ => { // the first of them moves behind the others
                        source.extend(&some);
                        source.push(next);
                        target.extend(&some[1..]);
                        target.push(next);
                        target.push(some[0]);
                        next += 1;
                        wanted.reordered += 1;
                        if size == 1 { wanted.matching += 0; }
                    }
                }
            }
            let end: Vec<i64> = (next..next + 50).collect();
            source.extend(&end);
            target.extend(&end);
            wanted.matching = source.len() as u64 - wanted.missing - wanted.different - wanted.reordered;
            prop_assert_eq!(counts(&source, &target), wanted);
        }

        #[test]
        fn anything_else_ends_and_adds_up(
            source in proptest::collection::vec(0i64..6, 0..400), target in proptest::collection::vec(0i64..6, 0..400),
        ) {
            let lockstep = play(&prints(&source), &prints(&target));
            prop_assert!(lockstep.lost().is_none());
            let c = lockstep.tally.counts;
            let tail = lockstep.tail().map_or(0, |p| source.len() as u64 - p.offset as u64);
            prop_assert_eq!(c.matching + c.different + c.missing + c.reordered + tail, source.len() as u64);
            prop_assert_eq!(c.matching + c.different + c.extra + c.reordered, target.len() as u64);
            prop_assert_eq!(c.differences() == 0 && tail == 0, source == target);
            prop_assert!(c.differences() > 0 || source.starts_with(&target));
        }
    }

    #[test]
    fn a_change_at_the_end_of_a_target_that_is_behind_is_a_difference_and_the_rest_a_tail() {
        let source = prints(&[1, 2, 3, 4, 5]);
        let mut target = prints(&[1, 2]);
        target[1].value.digest += 1;
        target[1].whole += 1;
        let lockstep = play(&source, &target);
        assert_eq!(
            lockstep.tally.counts,
            Counts {
                matching: 1,
                different: 1,
                ..Counts::default()
            }
        );
        assert_eq!(lockstep.tail().map(|p| p.offset), Some(2));
    }

    #[test]
    fn a_record_lost_near_the_end_is_missing_and_not_a_tail() {
        let lockstep = play(&prints(&[1, 2, 3, 4]), &prints(&[1, 3]));
        assert_eq!(
            lockstep.tally.counts,
            Counts {
                matching: 2,
                missing: 1,
                ..Counts::default()
            }
        );
        assert_eq!(lockstep.tail().map(|p| p.offset), Some(3));
    }

    #[test]
    fn a_record_that_moved_far_is_reordered_and_not_lost_and_repeated() {
        let source: Vec<i64> = (0..1000).collect();
        let target: Vec<i64> = (0..100)
            .chain(101..600)
            .chain([100])
            .chain(600..1000)
            .collect();
        assert_eq!(
            counts(&source, &target),
            Counts {
                matching: 999,
                reordered: 1,
                ..Counts::default()
            }
        );
    }

    #[test]
    fn a_gap_longer_than_the_look_ahead_is_handed_to_the_search() {
        let source: Vec<i64> = (0..20_000).collect();
        let target: Vec<i64> = (0..1000).chain(9000..20_000).collect();
        let lockstep = play(&prints(&source), &prints(&target));
        let (s, t) = lockstep.lost().unwrap();
        assert_eq!((s.offset, t.offset), (1000, 1000));
    }
}
