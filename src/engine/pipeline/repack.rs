//! Puts records into new batches where theirs cannot travel: holes, deleted records, a broker's times, too large, too small.
//!
//! 1. A record's key, value and headers are copied as bytes; its time is the one that readers of the source see.
//! 2. Records are numbered without holes. Where their source offsets have some, `Origin` says so.
//! 3. No I/O: the same batches give the same bytes.

use crate::wire::{
    batch::{Batch, CrcMismatch, Stamp, Stamped},
    codec::{Codec, CodecError},
    encode::Builder,
    record::RecordError,
    slices::Slices,
};

/// The most that batches may decompress to.
const PLAIN_LIMIT: usize = 256 << 20;

/// What the new batches must be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Under which identity, and the sequence of the first record.
    pub stamp: Stamp,
    /// No batch of several records is larger.
    pub largest: usize,
    /// The codec, where it must not be the first batch's.
    pub codec: Option<Codec>,
}

/// A new batch.
#[derive(Debug, Clone)]
pub struct Repacked {
    /// As it is sent.
    pub batch: Stamped,
    /// Its records.
    pub count: u32,
    /// Where they come from.
    pub origin: Origin,
    /// Its largest timestamp.
    pub max_timestamp: i64,
}

impl Repacked {
    /// The source offset behind its last record.
    pub fn next_offset(&self) -> i64 {
        self.origin.offset(self.count - 1) + 1
    }
}

/// Why batches cannot be repacked.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Their bytes are not those that were written.
    #[error(transparent)]
    Damaged(#[from] CrcMismatch),
    /// Their records cannot be told apart.
    #[error("the batch at offset {at} cannot be taken apart: {error}")]
    Unreadable {
        /// Where the batch begins.
        at: i64,
        /// What is wrong.
        error: RecordError,
    },
    /// A codec failed on bytes that were fine.
    #[error("records cannot be compressed: {0}")]
    Compress(#[source] CodecError),
}

/// Source offsets of a batch's records: a first one, and where the next is not one more than the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    first: i64,
    /// Index within the batch, and its offset; empty for most, which then costs no memory.
    jumps: Vec<(u32, i64)>,
}

impl Origin {
    /// Offsets without holes.
    pub fn from(first: i64) -> Self {
        Self {
            first,
            jumps: Vec::new(),
        }
    }

    /// The source offset of the record at this index.
    pub fn offset(&self, index: u32) -> i64 {
        let behind = self.jumps.partition_point(|(at, _)| *at <= index);
        let (at, offset) = behind
            .checked_sub(1)
            .map_or((0, self.first), |before| self.jumps[before]);
        offset + i64::from(index - at)
    }

    /// Every stretch without a hole: the index it begins at, and the offset there.
    pub fn stretches(&self) -> impl Iterator<Item = (u32, i64)> {
        std::iter::once((0, self.first)).chain(self.jumps.iter().copied())
    }

    /// Of so many of the records, from an index on.
    pub fn part(&self, from: u32, count: u32) -> Self {
        let jumps = self.jumps.iter();
        Self {
            first: self.offset(from),
            jumps: jumps
                .filter(|(at, _)| *at > from && at - from < count)
                .map(|(at, offset)| (at - from, *offset))
                .collect(),
        }
    }

    /// The next record's.
    fn push(&mut self, index: u32, offset: i64) {
        if index == 0 {
            self.first = offset;
        } else if self.offset(index) != offset {
            self.jumps.push((index, offset));
        }
    }
}

/// The records of neighbouring batches from source offset `from` on, in as few new batches as the limit allows: none if no record is
/// left. A single record that is larger than the limit comes alone: whether the target takes it is the target's to say.
pub fn repack(batches: &[Batch], from: i64, wanted: Wanted) -> Result<Vec<Repacked>, Unfit> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let mut builder = Builder::new(if first.header.is_log_append_time() {
        first.header.max_timestamp
    } else {
        first.header.base_timestamp
    });
    let mut origin = Origin::from(first.header.base_offset);
    let mut left = PLAIN_LIMIT;
    for batch in batches {
        batch.verify()?;
        let header = &batch.header;
        let unreadable = |error| Unfit::Unreadable {
            at: header.base_offset,
            error,
        };
        let plain = Codec::of(header.attributes)
            .and_then(|codec| codec.decompress_once(&batch.body(), left))
            .map_err(|error| unreadable(error.into()))?;
        left -= plain.len();
        // Readers see the broker's time, where it is the broker's that counts.
        let appended = header.is_log_append_time().then_some(header.max_timestamp);
        for slice in Slices::of(header.record_count, header.last_offset_delta, &plain) {
            let slice = slice.map_err(unreadable)?;
            let offset = header.base_offset + i64::from(slice.offset_delta);
            if offset >= from {
                origin.push(builder.count(), offset);
                // Wraps as the addition of Java's readers does.
                let created = header.base_timestamp.wrapping_add(slice.timestamp_delta);
                builder.push(&slice, appended.unwrap_or(created));
            }
        }
    }
    let codec = match wanted.codec {
        Some(codec) => codec,
        None => Codec::of(first.header.attributes).map_err(Unfit::Compress)?,
    };
    let mut out = Vec::new();
    pack(
        builder,
        origin,
        Wanted {
            codec: Some(codec),
            ..wanted
        },
        &mut out,
    )?;
    Ok(out)
}

/// Finishes a batch, or, where it is too large, several: cut at records into parts of about one size.
fn pack(
    builder: Builder,
    origin: Origin,
    wanted: Wanted,
    out: &mut Vec<Repacked>,
) -> Result<(), Unfit> {
    let (count, max_timestamp) = (builder.count(), builder.max_timestamp());
    if count == 0 {
        return Ok(());
    }
    let base_timestamp = builder.base_timestamp();
    let codec = wanted.codec.unwrap_or(Codec::None);
    let (batch, plain) = builder
        .finish(codec, wanted.stamp)
        .map_err(Unfit::Compress)?;
    if batch.len() <= wanted.largest || count == 1 {
        out.push(Repacked {
            batch,
            count,
            origin,
            max_timestamp,
        });
        return Ok(());
    }
    let parts = batch.len().div_ceil(wanted.largest.max(1)).max(2);
    drop(batch);
    let share = plain.len().div_ceil(parts);
    let mut part = Builder::new(base_timestamp);
    let mut begun = 0;
    let mut finish = |part: Builder, begun: u32| {
        let base_sequence = wanted.stamp.base_sequence.wrapping_add_unsigned(begun) & i32::MAX;
        let stamp = Stamp {
            base_sequence,
            ..wanted.stamp
        };
        let origin = origin.part(begun, part.count());
        pack(part, origin, Wanted { stamp, ..wanted }, out)
    };
    let (records, last) = (count.cast_signed(), count.cast_signed() - 1);
    for slice in Slices::of(records, last, &plain) {
        let slice = slice.map_err(|error| Unfit::Unreadable {
            at: origin.first,
            error,
        })?;
        // Of two or more records together larger than a share, no part gets all: it comes to an end.
        if part.count() > 0 && part.len() + slice.whole.len() > share {
            let full = std::mem::replace(&mut part, Builder::new(base_timestamp));
            let next = begun + full.count();
            finish(full, std::mem::replace(&mut begun, next))?;
        }
        part.push(&slice, base_timestamp.wrapping_add(slice.timestamp_delta));
    }
    finish(part, begun)
}

#[cfg(test)]
mod checks;

#[cfg(test)]
mod tests {
    use super::{
        checks::{plain_record, wanted},
        *,
    };
    use crate::wire::{
        codec::tests::ALL,
        record::{Record, tests::encode_from},
    };

    /// Not a test of speed; run with `--release --ignored --nocapture` to see the rate.
    #[test]
    #[ignore = "prints a rate"]
    #[expect(clippy::disallowed_macros, reason = "what it prints is all it does")]
    fn repack_rate() {
        let mut number = 1u64;
        let mut word = || {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{:08x} orders of customers ", number >> 40)
        };
        for (size, count) in [(100, 600), (1000, 64), (1000, 1000)] {
            let records: Vec<Record> = (0..count)
                .map(|index| {
                    let text: String = std::iter::repeat_with(&mut word)
                        .take(size / 27 + 1)
                        .collect();
                    let value = Some(text.into_bytes()[..size].to_vec().into());
                    Record {
                        value,
                        ..plain_record(index * 2, 0)
                    }
                })
                .collect();
            let plain = encode_from((0, 0), &records, Codec::None, |_| ())
                .bytes
                .len();
            for codec in ALL {
                let batch = encode_from((0, 0), &records, codec, |_| ());
                let packed = batch.bytes.len();
                let batch = [batch];
                let rounds = (200 << 20) / plain / if codec == Codec::Gzip { 10 } else { 1 };
                let begun = std::time::Instant::now();
                for _ in 0..rounds {
                    let new = repack(std::hint::black_box(&batch), 0, wanted(0, 1 << 30, None));
                    std::hint::black_box(new.expect("fit"));
                }
                let taken = begun.elapsed();
                println!(
                    "{count:>5} x {size:>5} B {codec:?}: {plain} B from {packed} B, {:.0} MB/s",
                    (rounds * plain) as f64 / taken.as_secs_f64() / 1e6
                );
            }
        }
    }
}
