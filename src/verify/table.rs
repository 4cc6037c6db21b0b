//! Compacted partitions: the last record of each key on both sides, because log cleaners run when they like.
//!
//! A later record of a key excuses everything before it, and a tombstone counts as nothing. Where records go both ways, one that came from the
//! other side, or an application's there, does so too. The target is read first; the
//! source is cut where the target's last records stand in it, and what follows there is not yet copied. Memory is bounded by
//! looking at a share of the keys at a time: when a share is too large, it is divided and both sides are read again.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{
    print::Print,
    tally::{Finding, Tally},
};
use crate::model::names::Side;

/// Keys held at once; an entry takes about 600 bytes.
const KEYS: usize = 1 << 17;
/// So many of the target's last records are looked for on the source, whose cleaner may have removed some of them.
const ANCHORS: usize = 64;

/// Which keys are looked at in one reading: those whose digest is `index` modulo `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: u128,
    /// How many shares there are.
    pub of: u128,
}

/// The last records of a share of the keys.
#[derive(Debug)]
pub struct Table {
    share: Share,
    room: usize,
    keys: HashMap<u128, Last>,
    /// The last records read from the target, of any key.
    anchors: VecDeque<u128>,
    wanted: HashSet<u128>,
    /// Source records that a later one of their key replaces, and records without a key, which log cleaners remove.
    replaced: u64,
    thinned: bool,
}

/// The last records of one key.
#[derive(Debug, Default)]
struct Last {
    target: Option<Print>,
    /// On the source, up to where the target has come.
    source: Option<Print>,
    /// On the source, behind that.
    later: Option<Print>,
    /// Offset of the last record of the key on the source that does not count: it came from the target.
    other_source: Option<i64>,
    /// The same on the target.
    other_target: Option<i64>,
}

impl Last {
    /// On some side the key's last record is none of this direction's: a cleaner may remove those that are.
    fn is_replaced(&self) -> bool {
        let behind = |other: Option<i64>, counts: Option<Print>| {
            other.is_some_and(|other| counts.is_none_or(|print| print.offset < other))
        };
        behind(self.other_source, self.later.or(self.source))
            || behind(self.other_target, self.target)
    }
}

/// More keys than there is room for: divide the shares.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Table {
    /// An empty table for a share.
    pub fn new(share: Share) -> Self {
        let (keys, anchors, wanted) = (HashMap::new(), VecDeque::new(), HashSet::new());
        Self {
            share,
            room: KEYS,
            keys,
            anchors,
            wanted,
            replaced: 0,
            thinned: false,
        }
    }

    /// The next record of a side that does not count, in its place between those that do.
    pub fn other(&mut self, side: Side, print: Print) -> Result<(), Full> {
        if !self.takes(&print)? {
            return Ok(());
        }
        let last = self.keys.entry(print.key.digest).or_default();
        *match side {
            Side::Source => &mut last.other_source,
            Side::Target => &mut last.other_target,
        } = Some(print.offset);
        Ok(())
    }

    /// The target's cleaner has removed what stood last of what was copied: the source is cut no longer where its end is known.
    pub fn target_is_thinned(&mut self) {
        self.thinned = true;
    }

    fn takes(&self, print: &Print) -> Result<bool, Full> {
        let mine = print.key.length >= 0 && print.key.digest % self.share.of == self.share.index;
        if mine && self.keys.len() == self.room && !self.keys.contains_key(&print.key.digest) {
            return Err(Full);
        }
        Ok(mine)
    }

    /// The next record of a side, in order: the whole target first, then the whole source.
    pub fn offer(&mut self, side: Side, print: Print) -> Result<(), Full> {
        let mine = self.takes(&print)?;
        match side {
            Side::Target => {
                if self.anchors.len() == ANCHORS {
                    self.anchors.pop_front();
                }
                self.anchors.push_back(print.core);
                if mine {
                    self.keys.entry(print.key.digest).or_default().target = Some(print);
                }
            }
            Side::Source => {
                self.wanted.extend(self.anchors.drain(..));
                if mine {
                    let later = &mut self.keys.entry(print.key.digest).or_default().later;
                    self.replaced += u64::from(later.replace(print).is_some());
                } else if print.key.length < 0 && self.share.index == 0 {
                    self.replaced += 1;
                }
                // The target has come at least so far: all that was later is not later any more.
                if self.wanted.remove(&print.core) {
                    for last in self.keys.values_mut() {
                        self.replaced += u64::from(last.later.is_some() && last.source.is_some());
                        last.source = last.later.take().or(last.source.take());
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares, once both sides were read. Returns the first source offset of this share, if any, that is not copied yet.
    pub fn settle(self, tally: &mut Tally) -> Option<i64> {
        tally.counts.excused += self.replaced;
        let mut keys: Vec<Last> = self.keys.into_values().collect();
        keys.sort_unstable_by_key(|last| {
            last.source.or(last.target).or(last.later).map(|p| p.offset)
        });
        let lives = |print: &Option<Print>| print.is_some_and(|p| p.value.length >= 0);
        for last in &keys {
            let Last {
                source,
                target,
                later,
                ..
            } = last;
            match (source, target, later) {
                (Some(s), Some(t), _) | (_, Some(t), Some(s)) if s.whole == t.whole => {
                    tally.counts.matching += 1
                }
                (Some(s), Some(t), _) if same_but_cleaned(s, t) => tally.counts.excused += 1,
                (s, t, _) if (!lives(s) && !lives(t)) || last.is_replaced() => {
                    tally.counts.excused += u64::from(s.is_some() || t.is_some())
                }
                // What the target holds may be a value that the source's cleaner removed since, unless it claims the time of
                // the later one.
                (_, Some(t), Some(l)) if t.timestamp == l.timestamp => {
                    tally.add(Finding::Different(*l, *t))
                }
                (_, Some(_), Some(_)) => tally.counts.excused += 1,
                (Some(s), Some(t), None) => tally.add(Finding::Different(*s, *t)),
                // The target's cleaner may have removed it for a tombstone that it removed as well.
                (Some(_), None, Some(_)) => tally.counts.excused += 1,
                (Some(s), None, None) => tally.add(Finding::Missing(*s)),
                (None, Some(t), None) => tally.add(Finding::Extra(*t)),
                (None, None, _) => {}
            }
        }
        // Was more copied than stands on the target, then that is what its cleaner may remove: what is replaced, and tombstones.
        let may_be_gone =
            |last: &Last| last.is_replaced() || (!lives(&last.later) && last.target.is_none());
        keys.iter()
            .filter(|last| !self.thinned || !may_be_gone(last))
            .filter_map(|last| last.later)
            .map(|print| print.offset)
            .min()
    }
}

/// Log cleaners read header names into strings, so what is not UTF-8 in them is replaced when a batch is rewritten.
pub fn same_but_cleaned(source: &Print, target: &Print) -> bool {
    source.core == target.core
        && source.headers.length == target.headers.length
        && source.lossy_headers == target.lossy_headers
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::verify::{print::Printer, report::Counts};
    use crate::wire::record::{Header, Record};

    const ALL: Share = Share { index: 0, of: 1 };

    /// (key, value), value 0 is a tombstone.
    fn prints(records: &[(u8, u8)]) -> Vec<Print> {
        let mut printer = Printer::new(0, true);
        let print = |(offset, (key, value)): (usize, &(u8, u8))| {
            let value = (*value > 0).then(|| Bytes::from(vec![*value]));
            let (offset, key) = (offset as i64, Some(vec![*key].into()));
            printer.print(&Record {
                offset,
                timestamp: offset,
                key,
                value,
                headers: vec![],
            })
        };
        records.iter().enumerate().map(print).collect()
    }

    fn compare(source: &[Print], target: &[Print], of: u128) -> (Counts, Option<i64>) {
        let (mut tally, mut behind) = (Tally::default(), None);
        for index in 0..of {
            let mut table = Table::new(Share { index, of });
            target
                .iter()
                .for_each(|p| table.offer(Side::Target, *p).unwrap());
            source
                .iter()
                .for_each(|p| table.offer(Side::Source, *p).unwrap());
            behind = behind.into_iter().chain(table.settle(&mut tally)).min();
        }
        (tally.counts, behind)
    }

    proptest! {
        #[test]
        fn cleaners_never_make_a_difference(
            records in proptest::collection::vec((0u8..6, 0u8..3), 0..80), s_clean in 0usize..80, t_clean in 0usize..80,
            copied in 0usize..80, of in 1u128..4,
        ) {
            // A cleaner keeps, up to some place, only the last record of each key, and drops tombstones that are old.
            let all = prints(&records);
            let clean = |all: &[Print], upto: usize| -> Vec<Print> {
                let upto = upto.min(all.len());
                let keep = |(at, p): &(usize, &Print)| {
                    *at >= upto || (p.value.length >= 0 && all[at + 1..upto].iter().all(|later| later.key != p.key))
                };
                all.iter().enumerate().filter(keep).map(|(_, p)| *p).collect()
            };
            prop_assert_eq!(compare(&clean(&all, s_clean), &clean(&all, t_clean), of).0.differences(), 0);
            let prefix = &all[..copied.min(all.len())];
            let (counts, behind) = compare(&clean(&all, s_clean.min(copied)), &clean(prefix, t_clean), of);
            prop_assert_eq!(counts.differences(), 0);
            prop_assert!(copied >= all.len() || behind.is_some());
        }
    }

    /// What happens where both sides write: a record is written on one of them, or the next one of a side is copied to the other.
    #[derive(Debug, Clone, Copy)]
    enum Act {
        Write(Side, u8, u8),
        Copy(Side),
    }

    /// Both logs, each record with where it was written; and how many of each side's records were copied.
    fn play(acts: &[Act]) -> ([Vec<(Print, Side)>; 2], [usize; 2]) {
        let (mut logs, mut copied): ([Vec<(Print, Side)>; 2], [usize; 2]) = Default::default();
        let mut written: [Vec<Print>; 2] = Default::default();
        for (time, act) in acts.iter().enumerate() {
            let (print, on, from) = match *act {
                Act::Write(side, key, value) => {
                    let mut print = prints(&vec![(key, value); time + 1]).remove(time);
                    print.offset = logs[side as usize].len() as i64;
                    written[side as usize].push(print);
                    (print, side, side)
                }
                Act::Copy(from) => {
                    let next = &mut copied[from as usize];
                    let Some(print) = written[from as usize].get(*next) else {
                        continue;
                    };
                    *next += 1;
                    let on = match from {
                        Side::Source => Side::Target,
                        Side::Target => Side::Source,
                    };
                    (*print, on, from)
                }
            };
            let log = &mut logs[on as usize];
            let offset = log.len() as i64;
            log.push((Print { offset, ..print }, from));
        }
        (logs, copied)
    }

    /// One direction, from the records of `from` on both logs. `ends`: the last copy on the target, cleaned or not.
    fn one_way(logs: [&[(Print, Side)]; 2], from: Side, end: Option<i64>) -> (Counts, Option<i64>) {
        let (mut tally, mut table) = (Tally::default(), Table::new(ALL));
        let [here, there] = match from {
            Side::Source => logs,
            Side::Target => [logs[1], logs[0]],
        };
        let mut last = None;
        for (side, log) in [(Side::Target, there), (Side::Source, here)] {
            for (print, by) in log {
                if *by == from {
                    last = last.max((side == Side::Target).then_some(print.offset));
                    table.offer(side, *print).unwrap();
                } else {
                    table.other(side, *print).unwrap();
                }
            }
        }
        if end > last {
            table.target_is_thinned();
        }
        let behind = table.settle(&mut tally);
        (tally.counts, behind)
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let side = || prop_oneof![Just(Side::Source), Just(Side::Target)];
        let act = prop_oneof![
            (side(), 0u8..6, 0u8..4).prop_map(|(side, key, value)| Act::Write(side, key, value)),
            side().prop_map(Act::Copy),
        ];
        proptest::collection::vec(act, 0..80)
    }

    proptest! {
        /// Both sides write the same keys, each side's cleaner runs when it likes: no difference is ever seen, in either direction.
        #[test]
        fn cleaners_of_both_sides_never_make_a_difference(acts in acts(), all: bool, cleaned: [u8; 2]) {
            let mut acts = acts;
            if all {
                let rest = [Act::Copy(Side::Source), Act::Copy(Side::Target)];
                acts.extend(rest.repeat(acts.len()));
            }
            let (logs, copied) = play(&acts);
            // Tombstones go only once they are on both sides: a partition that may lose one stops. Where both sides wrote a key and a tombstone
            // came last on one of them, what is left of it on the other is a difference.
            let clean = |log: &[(Print, Side)], upto: u8| -> Vec<(Print, Side)> {
                let upto = usize::from(upto).min(log.len());
                let goes = |print: &Print, by: Side| {
                    let mut of_key = log.iter().filter(|(one, _)| one.key == print.key);
                    all && print.value.length < 0 && of_key.all(|(_, side)| *side == by)
                };
                let keep = |(at, (print, by)): &(usize, &(Print, Side))| {
                    let mut later = log[(*at + 1).min(upto)..upto].iter();
                    *at >= upto || (!goes(print, *by) && later.all(|(one, _)| one.key != print.key))
                };
                log.iter().enumerate().filter(keep).map(|(_, one)| *one).collect()
            };
            let seen = [clean(&logs[0], cleaned[0] % 100), clean(&logs[1], cleaned[1] % 100)];
            for (from, on) in [(Side::Source, 1), (Side::Target, 0)] {
                let copies = logs[on].iter().filter(|(_, by)| *by == from);
                let end = copies.map(|(print, _)| print.offset).max();
                let (counts, _) = one_way([&seen[0], &seen[1]], from, end);
                prop_assert_eq!(counts.differences(), 0, "{:?} {:?}", from, counts);
            }
            prop_assert!(copied[0] + copied[1] <= acts.len());
        }
    }

    #[test]
    fn what_came_from_the_other_side_excuses_and_the_last_value_is_compared() {
        let all = prints(&[(1, 1), (2, 1), (1, 2)]);
        let mine = |print: Print| (print, Side::Source);
        let theirs = |print: Print| (print, Side::Target);
        // The target's cleaner removed the first for the third, which an application wrote there.
        let source = [mine(all[0]), mine(all[1]), theirs(all[2])];
        let target = [mine(all[1]), theirs(all[2])];
        let (counts, behind) = one_way([&source, &target], Side::Source, Some(1));
        assert_eq!((counts.matching, counts.excused), (1, 1));
        assert_eq!((counts.differences(), behind), (0, None));
        // That one is compared the other way.
        let (counts, _) = one_way([&source, &target], Side::Target, Some(2));
        assert_eq!((counts.matching, counts.differences()), (1, 0));
        let (counts, _) = one_way([&source[..2], &target], Side::Target, Some(2));
        assert_eq!(counts.differences(), 0, "not copied yet");
        // Without it nothing excuses.
        let (counts, _) = one_way([&source[..2], &target[..1]], Side::Source, Some(1));
        assert_eq!(counts.missing, 1);
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let source = prints(&[(1, 1), (2, 1), (3, 1), (4, 0), (6, 1)]);
        let mut target = prints(&[(1, 2), (2, 1), (4, 1), (5, 1)]);
        target.push(source[4]);
        let (counts, behind) = compare(&source, &target, 1);
        assert_eq!(
            (
                counts.matching,
                counts.different,
                counts.missing,
                counts.extra
            ),
            (2, 2, 1, 1)
        );
        assert_eq!(behind, None);
    }

    #[test]
    fn a_changed_last_record_is_a_difference() {
        let source = prints(&[(1, 1), (2, 1)]);
        let (counts, _) = compare(&source, &prints(&[(1, 1), (2, 2)]), 1);
        assert_eq!((counts.matching, counts.different), (1, 1));
    }

    #[test]
    fn header_names_that_a_cleaner_rewrote_are_excused() {
        let print = |name: &'static [u8]| {
            let headers = vec![Header {
                name: Bytes::from_static(name),
                value: None,
            }];
            Printer::new(0, true).print(&Record {
                offset: 0,
                timestamp: 0,
                key: Some("k".into()),
                value: Some("v".into()),
                headers,
            })
        };
        let (counts, _) = compare(&[print("a\u{fffd}".as_bytes())], &[print(b"a\xff")], 1);
        assert_eq!((counts.excused, counts.differences()), (1, 0));
        assert_eq!(
            compare(&[print(b"b")], &[print(b"a\xff")], 1).0.different,
            1
        );
    }

    #[test]
    fn too_many_keys_ask_for_smaller_shares() {
        let mut table = Table {
            room: 2,
            ..Table::new(ALL)
        };
        let all = prints(&[(1, 1), (2, 1), (1, 2), (3, 1)]);
        let offered: Vec<_> = all.iter().map(|p| table.offer(Side::Source, *p)).collect();
        assert_eq!(offered, [Ok(()), Ok(()), Ok(()), Err(Full)]);
    }
}
