//! Which transactions of a log are open, and which were aborted where.

use super::{super::records::TRANSACTIONAL, Log};
use crate::wire::batch::{Batch, BatchHeader, Marker};

/// One aborted transaction (`AbortedTxn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    /// Whose it was.
    pub producer_id: i64,
    /// Its first offset.
    pub first: i64,
    /// Its marker's offset.
    pub last: i64,
}

impl Log {
    /// Where the open transaction of this producer began, if it has written anything here.
    pub fn open_since(&self, producer_id: i64) -> Option<i64> {
        self.open.get(&producer_id).copied()
    }

    /// Takes note of a data batch about to be appended. Without a producer id the transactional bit means nothing (D4).
    pub(super) fn note(&mut self, header: &BatchHeader) {
        if header.producer_id >= 0 && header.attributes & TRANSACTIONAL != 0 && !header.is_control()
        {
            self.open
                .entry(header.producer_id)
                .or_insert(header.base_offset);
        }
    }

    /// Takes note of a marker at this offset. Without data there is nothing to abort (X2).
    pub fn ended(&mut self, producer_id: i64, offset: i64, commit: bool) {
        if let Some(first) = self.open.remove(&producer_id)
            && !commit
        {
            self.aborted.push(Aborted {
                producer_id,
                first,
                last: offset,
            });
        }
    }

    /// Finds out again from the batches which transactions are open and which were aborted.
    pub(super) fn replay(&mut self) {
        self.open.clear();
        self.aborted.clear();
        for stored in self.batches.clone() {
            self.note(&stored.header);
            if stored.header.is_control() {
                let batch = Batch {
                    header: stored.header,
                    bytes: stored.bytes,
                };
                let commit = matches!(batch.marker(), Ok(Some(Marker::Commit)));
                self.ended(stored.header.producer_id, stored.header.base_offset, commit);
            }
        }
    }

    /// Aborted transactions that lie at least partly in this range (F2).
    pub fn aborted(&self, from: i64, to: i64) -> impl Iterator<Item = Aborted> {
        self.aborted
            .iter()
            .filter(move |one| one.last >= from && one.first < to)
            .copied()
    }
}
