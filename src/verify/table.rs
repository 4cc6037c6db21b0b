//! Compacted partitions: the last record of each key on both sides, because log cleaners run when they like.
//!
//! A later record of a key excuses everything before it, and a tombstone counts as nothing. The target is read first; the
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
}

/// The last records of one key.
#[derive(Debug, Default)]
struct Last {
    target: Option<Print>,
    /// On the source, up to where the target has come.
    source: Option<Print>,
    /// On the source, behind that.
    later: Option<Print>,
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
        }
    }

    /// The next record of a side, in order: the whole target first, then the whole source.
    pub fn offer(&mut self, side: Side, print: Print) -> Result<(), Full> {
        let mine = print.key.length >= 0 && print.key.digest % self.share.of == self.share.index;
        if mine && self.keys.len() == self.room && !self.keys.contains_key(&print.key.digest) {
            return Err(Full);
        }
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
        for Last {
            source,
            target,
            later,
        } in &keys
        {
            match (source, target, later) {
                (Some(s), Some(t), _) | (_, Some(t), Some(s)) if s.whole == t.whole => {
                    tally.counts.matching += 1
                }
                (Some(s), Some(t), _) if same_but_cleaned(s, t) => tally.counts.excused += 1,
                (s, t, _) if !lives(s) && !lives(t) => {
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
        keys.iter()
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
