//! Counts what was found in one partition, keeps the first findings, and recognises what only moved.

use std::collections::{HashMap, VecDeque};

use super::{
    print::Print,
    report::{Counts, SAMPLES},
};

/// How far apart the two halves of a moved record may be found, in findings.
const LOOSE: usize = 4096;

/// One finding about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The same place, another content.
    Different(Print, Print),
    /// Only on the source.
    Missing(Print),
    /// Only on the target.
    Extra(Print),
    /// Only on the target, and it had matched before.
    Repeated(Print),
    /// On both sides (source, target), in another order.
    Reordered(Print, Print),
}

/// The findings of one partition.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many of what.
    pub counts: Counts,
    /// The first of them.
    pub first: Vec<Finding>,
    missing: Loose,
    extra: Loose,
}

impl Tally {
    /// Something that needs no second thought: different or reordered.
    pub fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Different(..) => self.counts.different += 1,
            Finding::Reordered(..) => self.counts.reordered += 1,
            Finding::Missing(print) => return self.missing(print),
            Finding::Extra(print) => return self.extra(print, false),
            Finding::Repeated(print) => return self.extra(print, true),
        }
        self.keep(finding);
    }

    /// Only on the source, unless it was only on the target a while ago: then it moved.
    fn missing(&mut self, print: Print) {
        if let Some((other, repeated)) = self.extra.take(print.whole) {
            self.counts.extra -= 1;
            self.counts.repeated -= u64::from(repeated);
            self.counts.reordered += 1;
            let kept = |f: &Finding| matches!(f, Finding::Extra(p) | Finding::Repeated(p) if p.offset == other.offset);
            return self.replace(kept, Finding::Reordered(print, other));
        }
        self.counts.missing += 1;
        self.missing.put(print, false);
        self.keep(Finding::Missing(print));
    }

    /// Only on the target, unless it was only on the source a while ago: then it moved.
    fn extra(&mut self, print: Print, repeated: bool) {
        if let Some((other, _)) = self.missing.take(print.whole) {
            self.counts.missing -= 1;
            self.counts.reordered += 1;
            let kept = |f: &Finding| matches!(f, Finding::Missing(p) if p.offset == other.offset);
            return self.replace(kept, Finding::Reordered(other, print));
        }
        self.counts.extra += 1;
        self.counts.repeated += u64::from(repeated);
        self.extra.put(print, repeated);
        self.keep(if repeated {
            Finding::Repeated(print)
        } else {
            Finding::Extra(print)
        });
    }

    /// Many records on one side only, of which the first is known.
    pub fn pass(&mut self, source: (Print, u64), target: (Print, u64)) {
        self.counts.missing += source.1;
        self.counts.extra += target.1;
        if source.1 > 0 {
            self.keep(Finding::Missing(source.0));
        }
        if target.1 > 0 {
            self.keep(Finding::Extra(target.0));
        }
    }

    fn keep(&mut self, finding: Finding) {
        if self.first.len() < SAMPLES {
            self.first.push(finding);
        }
    }

    fn replace(&mut self, kept: impl Fn(&Finding) -> bool, by: Finding) {
        match self.first.iter_mut().find(|f| kept(f)) {
            Some(finding) => *finding = by,
            None => self.keep(by),
        }
    }
}

/// Findings that may still meet their other half; the oldest fall out.
#[derive(Debug, Default)]
struct Loose {
    queue: VecDeque<(Print, bool)>,
    known: HashMap<u128, u32>,
}

impl Loose {
    fn put(&mut self, print: Print, repeated: bool) {
        if self.queue.len() == LOOSE
            && let Some((oldest, _)) = self.queue.pop_front()
        {
            self.forget(oldest.whole);
        }
        *self.known.entry(print.whole).or_default() += 1;
        self.queue.push_back((print, repeated));
    }

    fn take(&mut self, whole: u128) -> Option<(Print, bool)> {
        if !self.known.contains_key(&whole) {
            return None;
        }
        let at = self
            .queue
            .iter()
            .position(|(print, _)| print.whole == whole)?;
        self.forget(whole);
        self.queue.remove(at)
    }

    fn forget(&mut self, whole: u128) {
        if let Some(n) = self.known.get_mut(&whole) {
            *n -= 1;
            if *n == 0 {
                self.known.remove(&whole);
            }
        }
    }
}
