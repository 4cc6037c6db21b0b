//! A partition's log: batches kept as stored, byte for byte, with leader epochs, transactions and what readers may see.

pub mod compaction;
mod times;
mod transactions;
pub mod validate;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::records;
use crate::wire::batch::BatchHeader;

pub use transactions::Aborted;

/// One batch as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its header, with the base offset and the leader epoch that it got.
    pub header: BatchHeader,
    /// All of it.
    pub bytes: Bytes,
}

/// The log of one partition.
#[derive(Debug, Default)]
pub struct Log {
    /// In order; offsets may have holes where a compaction removed whole batches.
    batches: Vec<Stored>,
    start: i64,
    end: i64,
    high_watermark: i64,
    /// Each epoch with the offset it began at, ascending.
    epochs: Vec<(i32, i64)>,
    /// Open transactions: producer id and first offset.
    open: BTreeMap<i64, i64>,
    aborted: Vec<Aborted>,
    /// Does the high watermark stand still?
    held: bool,
}

impl Log {
    /// The first offset that may be read.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The offset the next record gets.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Readers see what lies before it.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Readers of committed records see what lies before it: no transaction is open there.
    pub fn last_stable(&self) -> i64 {
        let first_open = self.open.values().copied().min();
        // Not below what was deleted (`UnifiedLog.maybeIncrementFirstUnstableOffset`).
        first_open.map_or(self.high_watermark, |open| {
            open.max(self.start).min(self.high_watermark)
        })
    }

    /// All batches.
    pub fn batches(&self) -> &[Stored] {
        &self.batches
    }

    /// Batches that begin at this offset or later.
    pub fn from(&self, offset: i64) -> &[Stored] {
        let at = self
            .batches
            .partition_point(|one| one.header.base_offset < offset);
        &self.batches[at..]
    }

    /// Batches from the one that holds this offset on (F1).
    fn containing(&self, offset: i64) -> &[Stored] {
        let at = self
            .batches
            .partition_point(|one| one.header.last_offset() < offset);
        &self.batches[at..]
    }

    /// Appends a batch as the leader of this epoch; answers with the offset it got.
    pub fn append(&mut self, mut header: BatchHeader, bytes: &[u8], epoch: i32) -> i64 {
        let base = self.end;
        self.begin_epoch(epoch);
        header.base_offset = base;
        header.leader_epoch = epoch;
        let bytes = records::place(bytes, base, epoch);
        self.note(&header);
        self.end = header.next_offset();
        self.batches.push(Stored { header, bytes });
        if !self.held {
            self.high_watermark = self.end;
        }
        base
    }

    /// Holds the high watermark where it is, as followers that do not fetch do; or lets it go on.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        if !held {
            self.high_watermark = self.end;
        }
    }

    /// A leader of this epoch begins where the log ends.
    pub fn begin_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            let end = self.end;
            // An epoch in which nothing was written leaves no trace.
            self.epochs.retain(|(_, start)| *start < end);
            self.epochs.push((epoch, end));
        }
    }

    /// Where this epoch ended, with the largest epoch not above it (`LeaderEpochFileCache.endOffsetFor`); (-1, -1) if nobody knows.
    pub fn end_of_epoch(&self, epoch: i32) -> (i32, i64) {
        // -1 is no epoch; 4.1.1 and 3.9.1 answer as to one nobody knows.
        let Some((latest, _)) = self.epochs.last().filter(|_| epoch >= 0) else {
            return (-1, -1);
        };
        if epoch == *latest {
            return (epoch, self.end);
        }
        let above = self.epochs.partition_point(|(own, _)| *own <= epoch);
        match (above.checked_sub(1), self.epochs.get(above)) {
            (_, None) => (-1, -1),
            (None, Some((_, start))) => (epoch, *start),
            (Some(floor), Some((_, start))) => (self.epochs[floor].0, *start),
        }
    }

    /// The epoch of the record at this offset, -1 if unknown.
    pub fn epoch_at(&self, offset: i64) -> i32 {
        let above = self.epochs.partition_point(|(_, start)| *start <= offset);
        above.checked_sub(1).map_or(-1, |at| self.epochs[at].0)
    }

    /// Batches from the one with this offset on, up to the bound, cut off after so many bytes (F1): the last one may be cut short.
    ///
    /// With `one` the first batch comes whole, however large (F6); without it a first batch that does not fit is left out.
    /// Answers also with the offset after what was read.
    pub fn read(&self, offset: i64, bound: i64, max: usize, one: bool) -> (Bytes, i64) {
        let mut out = BytesMut::new();
        let mut next = offset;
        for stored in self.containing(offset) {
            if stored.header.base_offset >= bound {
                break;
            }
            let first = out.is_empty();
            let left = max.saturating_sub(out.len());
            if first && !one && stored.bytes.len() > left {
                break;
            }
            let take = if first {
                stored.bytes.len()
            } else {
                left.min(stored.bytes.len())
            };
            out.extend_from_slice(&stored.bytes[..take]);
            next = stored.header.next_offset();
            if out.len() >= max {
                break;
            }
        }
        (out.freeze(), next)
    }

    /// Bytes in all.
    pub fn size(&self) -> i64 {
        self.batches.iter().map(|one| one.bytes.len() as i64).sum()
    }

    /// Records before this offset are gone for readers; batches that lie wholly before it, for good (DeleteRecords, retention).
    pub fn delete_before(&mut self, offset: i64) {
        if offset <= self.start {
            return;
        }
        self.start = offset.min(self.end);
        let start = self.start;
        self.batches.retain(|one| one.header.last_offset() >= start);
        self.aborted.retain(|one| one.last >= start);
        if let Some(at) = self.epochs.iter().rposition(|(_, begin)| *begin <= start) {
            self.epochs.drain(..at);
        }
    }

    /// Cuts the log off: what lies at this offset and after it never was. A batch that holds the offset goes as a whole.
    pub fn truncate(&mut self, to: i64) {
        let keep = self
            .batches
            .partition_point(|one| one.header.last_offset() < to);
        self.batches.truncate(keep);
        let end = self
            .batches
            .last()
            .map_or(self.start, |last| last.header.next_offset());
        // Holes at the end stay: compaction never moves the end.
        self.end = if to >= self.end {
            self.end
        } else {
            end.max(self.start)
        };
        self.high_watermark = self.high_watermark.min(self.end);
        let end = self.end;
        self.epochs.retain(|(_, start)| *start < end || *start == 0);
        self.replay();
    }
}
