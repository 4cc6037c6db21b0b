//! What the log cleaner does: the latest record of each key stays, batches keep their headers (rules C1 to C5, probe 22).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{
    super::records::{self, DELETE_HORIZON, Rec},
    Log, Stored,
    validate::rebuild,
};
use crate::wire::{
    batch::{Batch, BatchHeader, Marker},
    codec::Codec,
};

/// What a round has seen of transactions so far (`CleanedTransactionMetadata`): whose data lies before the marker that is to come.
#[derive(Debug, Default)]
struct Seen {
    committed: BTreeSet<i64>,
    aborted: BTreeSet<i64>,
    /// Abort markers with data before them.
    needed: BTreeSet<i64>,
}

impl Seen {
    /// May what this batch holds go, as far as transactions are concerned: aborted data, and markers without data?
    fn may_go(&mut self, header: &BatchHeader, stored: &Stored, is_aborted: bool) -> bool {
        let id = header.producer_id;
        if header.is_control() {
            let batch = Batch {
                header: *header,
                bytes: stored.bytes.clone(),
            };
            return match batch.marker() {
                Ok(Some(Marker::Commit)) => !self.committed.remove(&id),
                Ok(Some(Marker::Abort)) => {
                    let needed = self.aborted.remove(&id);
                    if needed {
                        self.needed.insert(header.base_offset);
                    }
                    !needed
                }
                // Nothing but its header is left.
                _ => true,
            };
        }
        if header.is_transactional() && header.producer_id >= 0 {
            let seen = if is_aborted {
                &mut self.aborted
            } else {
                &mut self.committed
            };
            seen.insert(id);
        }
        is_aborted
    }
}

impl Log {
    /// Cleans everything before the last stable offset but the last batch, which stands for the active segment (C3).
    ///
    /// `is_last` says whether this is the last that is known of a producer that is not forgotten: such a batch keeps its header without
    /// records (C2), as does the last one of a round. Aborted data goes; a marker goes once no data of its transaction is left (C4).
    /// A tombstone and a marker get a horizon at first and go once it has passed (C5). `Cleaner.cleanInto`, `MemoryRecords.filterTo`.
    pub fn compact(
        &mut self,
        now: i64,
        delete_retention_ms: i64,
        is_last: impl Fn(&BatchHeader) -> bool,
    ) {
        let last = self.batches.last().map(|last| last.header.base_offset);
        let bound = self.last_stable().min(last.unwrap_or(0));
        let latest = self.latest_offsets(bound);
        let before = self.batches.iter().map(|one| one.header);
        let before = before.filter(|header| header.base_offset < bound);
        let round_end = before.last().map_or(-1, |header| header.next_offset());
        let mut seen = Seen::default();
        let mut cleaned = Vec::with_capacity(self.batches.len());
        for stored in std::mem::take(&mut self.batches) {
            let header = stored.header;
            if header.base_offset >= bound {
                cleaned.push(stored);
                continue;
            }
            let may_go = seen.may_go(&header, &stored, self.is_aborted(&header));
            let horizon =
                (header.attributes & DELETE_HORIZON != 0).then_some(header.base_timestamp);
            let has_passed = horizon.is_some_and(|horizon| horizon <= now);
            let Some(inside) = records::read(&header, &stored.bytes) else {
                cleaned.push(stored);
                continue;
            };
            let all_go = may_go && (has_passed || !header.is_control());
            let count = inside.len();
            let is_kept = |record: &Rec| {
                let offset = header.base_offset + record.offset_delta;
                let newest = record
                    .key
                    .as_ref()
                    .is_some_and(|key| latest.get(key) == Some(&offset));
                let expired = record.value.is_none() && has_passed;
                header.is_control() || newest && !expired
            };
            let mut kept: Vec<Rec> = inside
                .into_iter()
                .filter(|record| !all_go && is_kept(record))
                .collect();
            if kept.is_empty() {
                if header.producer_id >= 0 && is_last(&header) || header.next_offset() == round_end
                {
                    cleaned.push(emptied(header, stored.bytes));
                }
                continue;
            }
            let goes_later = if header.is_control() {
                may_go
            } else {
                kept.iter().any(|record| record.value.is_none())
            };
            let first_time = goes_later && horizon.is_none();
            if kept.len() == count && !first_time {
                cleaned.push(stored);
                continue;
            }
            let mut header = header;
            if first_time {
                let horizon = now.saturating_add(delete_retention_ms);
                set_horizon(&mut header, &mut kept, horizon);
            }
            cleaned.push(sealed(header, &kept, stored.bytes));
        }
        self.batches = cleaned;
        self.aborted
            .retain(|one| one.last >= bound || seen.needed.contains(&one.last));
    }

    /// Is this a batch of a transaction that was aborted?
    fn is_aborted(&self, header: &BatchHeader) -> bool {
        header.is_transactional()
            && !header.is_control()
            && self.aborted.iter().any(|one| {
                one.producer_id == header.producer_id
                    && (one.first..one.last).contains(&header.base_offset)
            })
    }

    /// The last offset of each key before the bound: what is not cleaned yet does not count (`LogCleaner.buildOffsetMap`).
    fn latest_offsets(&self, bound: i64) -> BTreeMap<Bytes, i64> {
        let mut latest = BTreeMap::new();
        for stored in &self.batches {
            if stored.header.is_control() || stored.header.base_offset >= bound {
                continue;
            }
            let header = &stored.header;
            if self.is_aborted(header) {
                continue;
            }
            for record in records::read(header, &stored.bytes).unwrap_or_default() {
                if let Some(key) = record.key {
                    latest.insert(key, header.base_offset + record.offset_delta);
                }
            }
        }
        latest
    }
}

/// `baseTimestamp` says from then on when tombstones may go (P14); the records' own times stay, by their deltas.
fn set_horizon(header: &mut BatchHeader, kept: &mut [Rec], horizon: i64) {
    let shift = header.base_timestamp.wrapping_sub(horizon);
    for record in kept {
        record.timestamp_delta = record.timestamp_delta.wrapping_add(shift);
    }
    header.base_timestamp = horizon;
    header.attributes |= DELETE_HORIZON;
}

/// The batch with these records only: producer, sequences, first and last offset stay (C1).
fn sealed(mut header: BatchHeader, kept: &[Rec], before: Bytes) -> Stored {
    header.record_count = kept.len() as i32;
    let stamps = kept
        .iter()
        .map(|record| header.base_timestamp.wrapping_add(record.timestamp_delta));
    if !header.is_log_append_time() {
        header.max_timestamp = stamps.max().unwrap_or(-1);
    }
    let codec = Codec::of(header.attributes).unwrap_or(Codec::None);
    stored(header, kept, codec, before)
}

/// The batch without records: a header that tells of its producer and keeps its largest time (`DefaultRecordBatch.writeEmptyHeader`).
fn emptied(mut header: BatchHeader, before: Bytes) -> Stored {
    header.record_count = 0;
    header.base_timestamp = -1;
    header.attributes &= !(0x07 | DELETE_HORIZON);
    stored(header, &[], Codec::None, before)
}

fn stored(header: BatchHeader, kept: &[Rec], codec: Codec, before: Bytes) -> Stored {
    match rebuild(header, kept, codec) {
        Ok(done) => Stored {
            header: done.header,
            bytes: done.bytes,
        },
        Err(_) => Stored {
            header,
            bytes: before,
        },
    }
}
