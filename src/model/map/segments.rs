//! Runs of copied records, ascending on both sides: cheap to clone, to extend at the end and to shorten at the front.

use std::{collections::VecDeque, sync::Arc};

/// Segments that are cloned, and let go of, together.
const CHUNK: usize = 64;

/// So many records in a row that stand in a row on the other side too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Offset of the first, where it was read.
    pub source: i64,
    /// Its offset where it was written.
    pub target: i64,
    /// How many there are; at least one.
    pub length: i64,
}

impl Segment {
    /// The offset behind its last record, where it was read.
    pub fn source_end(self) -> i64 {
        self.source.saturating_add(self.length)
    }

    /// The offset behind its last record, where it was written.
    pub fn target_end(self) -> i64 {
        self.target.saturating_add(self.length)
    }
}

/// Disjoint segments, ascending on both sides; neighbours that follow each other on both are one.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    /// None is empty; all but the last are full, or were once.
    chunks: VecDeque<Arc<Vec<Segment>>>,
    length: usize,
}

impl Segments {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Segment> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().copied())
    }

    /// The last.
    pub fn last(&self) -> Option<Segment> {
        self.chunks.back()?.last().copied()
    }

    /// Puts one behind the others. One that does not lie behind them on both sides, or is empty, is left out: `false`.
    pub fn push(&mut self, next: Segment) -> bool {
        if next.length <= 0 || next.source < 0 || next.target < 0 {
            return false;
        }
        if let Some(last) = self.last() {
            if next.source < last.source_end() || next.target < last.target_end() {
                return false;
            }
            if (next.source, next.target) == (last.source_end(), last.target_end()) {
                let chunk = self.chunks.back_mut().map(Arc::make_mut);
                if let Some(last) = chunk.and_then(|chunk| chunk.last_mut()) {
                    last.length = last.length.saturating_add(next.length);
                }
                return true;
            }
        }
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(next),
            _ => self.chunks.push_back(Arc::new(vec![next])),
        }
        self.length += 1;
        true
    }

    /// Lets go of the oldest ones, some at a time and never all. Answers the last of them, and how many they were.
    pub fn drop_oldest(&mut self) -> Option<(Segment, usize)> {
        if self.chunks.len() < 2 {
            return None;
        }
        let chunk = self.chunks.pop_front()?;
        self.length -= chunk.len();
        chunk.last().map(|&last| (last, chunk.len()))
    }

    /// Forgets records that were read at an offset or behind.
    pub fn cut_off(&mut self, source: i64) {
        while let Some(last) = self.last()
            && last.source_end() > source
        {
            let Some(chunk) = self.chunks.back_mut().map(Arc::make_mut) else {
                return;
            };
            if last.source < source {
                if let Some(last) = chunk.last_mut() {
                    last.length = source - last.source;
                }
                return;
            }
            chunk.pop();
            self.length -= 1;
            if chunk.is_empty() {
                self.chunks.pop_back();
            }
        }
    }

    /// From the first on that does not answer `true`, which all before it do.
    pub fn from_first_not(
        &self,
        mut before: impl FnMut(Segment) -> bool,
    ) -> impl Iterator<Item = Segment> {
        let full = self
            .chunks
            .partition_point(|chunk| chunk.last().is_some_and(|&last| before(last)));
        let within = self
            .chunks
            .get(full)
            .map_or(0, |chunk| chunk.partition_point(|&one| before(one)));
        let rest = self.chunks.iter().skip(full);
        rest.flat_map(|chunk| chunk.iter().copied()).skip(within)
    }
}

impl PartialEq for Segments {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.iter().eq(other.iter())
    }
}

impl Eq for Segments {}

impl FromIterator<Segment> for Segments {
    fn from_iter<I: IntoIterator<Item = Segment>>(all: I) -> Self {
        let mut segments = Self::default();
        for segment in all {
            segments.push(segment);
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(source: i64, target: i64, length: i64) -> Segment {
        Segment {
            source,
            target,
            length,
        }
    }

    #[test]
    fn neighbours_are_one_and_what_does_not_ascend_is_left_out() {
        let mut segments = Segments::default();
        assert!(segments.push(segment(0, 10, 5)));
        assert!(segments.push(segment(5, 15, 5)));
        assert_eq!(segments.iter().collect::<Vec<_>>(), [segment(0, 10, 10)]);
        assert!(segments.push(segment(10, 21, 1)), "a hole over there");
        assert!(segments.push(segment(12, 22, 1)), "a hole here");
        assert_eq!(segments.len(), 3);
        for wrong in [
            segment(12, 30, 1),
            segment(20, 22, 1),
            segment(20, 30, 0),
            segment(20, 30, -4),
        ] {
            assert!(!segments.push(wrong), "{wrong:?}");
        }
        assert_eq!(segments.len(), 3);
    }

    #[test]
    fn a_clone_stays_as_it_was() {
        let mut segments: Segments = (0..1000).map(|at| segment(at * 2, at * 3, 1)).collect();
        let before = segments.clone();
        segments.push(segment(1999, 2998, 7));
        segments.cut_off(1001);
        let (last, count) = segments.drop_oldest().expect("many are left");
        assert_eq!((last, count), (segment(126, 189, 1), CHUNK));
        assert_eq!(segments.len(), 501 - CHUNK);
        assert_eq!(segments.iter().count(), segments.len());
        assert_eq!(segments.last(), Some(segment(1000, 1500, 1)));
        assert_eq!(before.len(), 1000);
        assert_eq!(before.last(), Some(segment(1998, 2997, 1)));
    }

    #[test]
    fn offsets_are_found_and_cut_inside_a_segment() {
        let mut segments: Segments = (0..200).map(|at| segment(at * 10, at * 20, 5)).collect();
        for offset in 0..2000 {
            let first = segments
                .from_first_not(|one| one.source_end() <= offset)
                .next();
            let wanted = segments.iter().find(|one| one.source_end() > offset);
            assert_eq!(first, wanted, "{offset}");
        }
        segments.cut_off(1993);
        assert_eq!(segments.last(), Some(segment(1990, 3980, 3)));
        segments.cut_off(1990);
        assert_eq!(segments.last(), Some(segment(1980, 3960, 5)));
        segments.cut_off(0);
        assert!(segments.is_empty());
        assert_eq!(segments.drop_oldest(), None);
    }
}
