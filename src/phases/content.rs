//! Records found again on the other cluster by what they say: the rules, without reading anything.
//!
//! A copier keeps the order within a partition and marks its copies with a header. So a record's copy is known by key, value, time and all
//! other headers, and once the copy of the last record is there, those before it are too. Records that say the same at the same time are
//! told apart by counting them from an end that both sides share.

use std::collections::HashMap;

use crate::verify::Print;

/// Records compared in a row, so that one that says the same as another is not taken for it.
pub const RUN: usize = 32;

/// A record, as far as it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Where it stands.
    pub offset: i64,
    /// What it says, the copier's mark left out.
    pub what: u128,
    /// Its key; `None` is null.
    pub key: Option<u128>,
    /// Milliseconds since 1970.
    pub time: i64,
    /// It was copied here from the other side.
    pub is_copy: bool,
}

impl Seen {
    /// From its fingerprint.
    pub fn of(print: &Print) -> Self {
        Self {
            offset: print.offset,
            what: print.whole,
            key: (print.key.length >= 0).then_some(print.key.digest),
            time: print.timestamp,
            is_copy: print.marked,
        }
    }
}

/// The last records that were written on one side of a partition, in order: what has to be found on the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    records: Vec<Seen>,
}

impl Run {
    /// The last of these that were written here; `None` where nothing was.
    pub fn last_of(records: impl IntoIterator<Item = Seen>) -> Option<Self> {
        let mut records: Vec<Seen> = records.into_iter().filter(|one| !one.is_copy).collect();
        records.drain(..records.len().saturating_sub(RUN));
        (!records.is_empty()).then_some(Self { records })
    }

    /// The last of all.
    pub fn last(&self) -> Seen {
        *self.records.last().expect("a run has a record")
    }

    /// No record of it is older.
    pub fn since(&self) -> i64 {
        let times = self.records.iter().map(|record| record.time);
        times.min().expect("a run has a record")
    }
}

/// Looks for a run among the copies on the other side.
#[derive(Debug)]
pub struct Search {
    run: Vec<u128>,
    next: usize,
    last: Seen,
    /// How often the last record has to be seen: so many say the same on its own side.
    times: usize,
    compacts: bool,
    seen: usize,
    found: Option<i64>,
}

impl Search {
    /// `times`: how often the last record of the run stands on its own side. Where the log is compacted, the records before the last may be
    /// gone, and the last itself in favour of a later one of its key.
    pub fn new(run: &Run, times: usize, compacts: bool) -> Self {
        let mut whats: Vec<u128> = run.records.iter().map(|record| record.what).collect();
        if compacts {
            whats.drain(..whats.len() - 1);
        }
        Self {
            run: whats,
            next: 0,
            last: run.last(),
            times: times.max(1),
            compacts,
            seen: 0,
            found: None,
        }
    }

    /// Takes in the next record of the other side, in order.
    pub fn see(&mut self, record: &Seen) {
        if self.found.is_some() {
            return;
        }
        if record.is_copy {
            if self.run.get(self.next) == Some(&record.what) {
                self.next += 1;
            }
            self.seen += usize::from(record.what == self.last.what);
        }
        let all = self.next == self.run.len() && self.seen >= self.times;
        let overwritten = self.compacts
            && self.last.key.is_some()
            && record.key == self.last.key
            && record.time > self.last.time;
        if all || overwritten {
            self.found = Some(record.offset);
        }
    }

    /// Where the copy of the last record stands, once all of the run was seen.
    pub fn found(&self) -> Option<i64> {
        self.found
    }
}

/// Records of one side that a group has not read, in order, found among the copies on the other: the first that has one.
#[derive(Debug, Default)]
pub struct Unread {
    order: Vec<u128>,
    /// How often each stands among the unread.
    times: HashMap<u128, usize>,
    copies: HashMap<u128, Vec<i64>>,
    since: Option<i64>,
}

/// What came of looking for unread records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// There are none.
    None,
    /// The copy of the first of them stands here.
    At(i64),
    /// It has no copy.
    Gone,
}

impl Unread {
    /// Takes in the next unread record of its own side.
    pub fn add(&mut self, record: &Seen) {
        self.order.push(record.what);
        *self.times.entry(record.what).or_default() += 1;
        self.since = Some(
            self.since
                .map_or(record.time, |since| since.min(record.time)),
        );
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// None of them is older.
    pub fn since(&self) -> Option<i64> {
        self.since
    }

    /// Takes in the next record of the other side, up to the copy of the last record of this one.
    pub fn see(&mut self, record: &Seen) {
        if record.is_copy && self.times.contains_key(&record.what) {
            self.copies
                .entry(record.what)
                .or_default()
                .push(record.offset);
        }
    }

    /// The copy of the first unread record. Of several that say the same it is told by counting from the end, which is the same on both sides.
    pub fn first(&self, compacts: bool) -> First {
        if self.order.is_empty() {
            return First::None;
        }
        let mut passed: HashMap<u128, usize> = HashMap::new();
        for what in &self.order {
            let before = passed.entry(*what).or_default();
            let left = self.times[what] - *before;
            *before += 1;
            let copies = self.copies.get(what).map_or(&[][..], Vec::as_slice);
            if let Some(at) = copies.len().checked_sub(left) {
                return First::At(copies[at]);
            }
            if !compacts {
                return First::Gone;
            }
        }
        // Compaction left none of them: something newer of each key stands there, or nothing at all.
        First::None
    }
}

/// Which of the records there is the one that was copied here? `place`, from 0, among the `here` copies that say the same; `there` are the
/// originals that say the same, in order. Not all of them need have been copied yet, and a copier may have copied some twice: of what is
/// possible the earliest, which skips nothing.
pub fn original(place: usize, here: usize, there: &[i64]) -> Option<i64> {
    let last = there.len().checked_sub(1)?;
    let from_end = (there.len() + place).saturating_sub(here);
    there.get(place.min(from_end).min(last)).copied()
}

/// Where a group would skip nothing, and what it would read twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// The copy of the first record of the other side that it has not read.
    pub copies: Option<i64>,
    /// The first record written here that it has not read.
    pub natives: Option<i64>,
    /// Copies below are of records that it may have read.
    pub copies_below: i64,
    /// Records written here below that it may have read.
    pub natives_below: i64,
}

impl Exact {
    /// The largest offset that skips nothing; `end` where it has read everything.
    pub fn offset(&self, end: i64) -> i64 {
        let unread = [self.copies, self.natives];
        unread.into_iter().flatten().min().unwrap_or(end)
    }

    /// Did the group read this record already, on the other side?
    pub fn was_read(&self, record: &Seen) -> bool {
        let (first, below) = match record.is_copy {
            true => (self.copies, self.copies_below),
            false => (self.natives, self.natives_below),
        };
        record.offset < first.unwrap_or(below)
    }
}

#[cfg(test)]
mod tests;
