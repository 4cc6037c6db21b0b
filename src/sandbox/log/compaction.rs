//! What the log cleaner does: the latest record of each key stays, batches keep their headers (rules C1 to C5, probe 22).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    super::records::{self, DELETE_HORIZON, Rec},
    Log, Stored,
    validate::rebuild,
};
use crate::wire::{batch::BatchHeader, codec::Codec};

impl Log {
    /// Cleans everything before the last stable offset but the last batch, which stands for the active segment (C3).
    ///
    /// `stays` says whether this is the last sequence of a producer that is not forgotten: such a batch keeps its header without
    /// records (C2). Markers stay, aborted data goes (C4). A tombstone gets a horizon at first and goes once it has passed (C5).
    pub fn compact(
        &mut self,
        now: i64,
        delete_retention_ms: i64,
        stays: impl Fn(i64, i32) -> bool,
    ) {
        let bound = self.last_stable();
        let last = self
            .batches
            .last()
            .map_or(0, |last| last.header.base_offset);
        let bound = bound.min(last);
        let latest = self.latest_offsets(bound);
        let mut cleaned = Vec::with_capacity(self.batches.len());
        for stored in std::mem::take(&mut self.batches) {
            let header = stored.header;
            if header.base_offset >= bound || header.is_control() {
                cleaned.push(stored);
                continue;
            }
            let Some(inside) = records::read(&header, &stored.bytes) else {
                cleaned.push(stored);
                continue;
            };
            let dropped = self.aborted.iter().any(|one| {
                one.producer_id == header.producer_id
                    && header.is_transactional()
                    && (one.first..one.last).contains(&header.base_offset)
            });
            let horizon =
                (header.attributes & DELETE_HORIZON != 0).then_some(header.base_timestamp);
            let count = inside.len();
            let kept: Vec<Rec> = inside
                .into_iter()
                .filter(|record| {
                    let offset = header.base_offset + record.offset_delta;
                    let newest = record
                        .key
                        .as_ref()
                        .is_none_or(|key| latest.get(key) == Some(&offset));
                    let expired =
                        record.value.is_none() && horizon.is_some_and(|horizon| horizon < now);
                    newest && !expired && !dropped
                })
                .collect();
            let tombstones = kept.iter().any(|record| record.value.is_none());
            if kept.is_empty() {
                if header.producer_id >= 0 && stays(header.producer_id, header.last_sequence()) {
                    cleaned.push(sealed(header, Vec::new(), stored.bytes.clone()));
                }
            } else if kept.len() < count || tombstones && horizon.is_none() {
                let mut header = header;
                let mut kept = kept;
                if tombstones && horizon.is_none() {
                    set_horizon(
                        &mut header,
                        &mut kept,
                        now.saturating_add(delete_retention_ms),
                    );
                }
                cleaned.push(sealed(header, kept, stored.bytes.clone()));
            } else {
                cleaned.push(stored);
            }
        }
        self.batches = cleaned;
    }

    /// The last offset of each key before the bound: what is not cleaned yet does not count (`LogCleaner.buildOffsetMap`).
    fn latest_offsets(&self, bound: i64) -> BTreeMap<Bytes, i64> {
        let mut latest = BTreeMap::new();
        for stored in &self.batches {
            if stored.header.is_control() || stored.header.base_offset >= bound {
                continue;
            }
            let header = &stored.header;
            let aborted = self.aborted.iter().any(|one| {
                one.producer_id == header.producer_id
                    && header.is_transactional()
                    && (one.first..one.last).contains(&header.base_offset)
            });
            if aborted {
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
fn sealed(mut header: BatchHeader, kept: Vec<Rec>, before: Bytes) -> Stored {
    header.record_count = kept.len() as i32;
    let stamps = kept
        .iter()
        .map(|record| header.base_timestamp.wrapping_add(record.timestamp_delta));
    if !header.is_log_append_time() {
        header.max_timestamp = stamps.max().unwrap_or(-1);
    }
    // An empty batch keeps no codec's frame, only its header (`DefaultRecordBatch.writeEmptyHeader`).
    let codec = if kept.is_empty() {
        Codec::None
    } else {
        Codec::of(header.attributes).unwrap_or(Codec::None)
    };
    let codec_bits = if kept.is_empty() {
        0
    } else {
        header.attributes & 0x07
    };
    header.attributes = header.attributes & !0x07 | codec_bits;
    match rebuild(header, &kept, codec) {
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
