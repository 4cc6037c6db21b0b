//! Makes fetched batches acceptable to the target: without touching their records where they can travel as they are, else repacked.

use std::sync::Arc;

use super::{
    echo::{Judge, Whose},
    filter::{Transactions, Verdict},
    partition::{Item, Partition, Reason},
    repack::{Origin, Repacked, Unfit, Wanted, repack},
    strand,
};
use crate::{
    engine::{
        budget::Held,
        ledger::record::{Entry, Epoch, Run},
    },
    wire::{
        batch::{Batch, BatchError, BatchHeader, Stamp},
        codec::Codec,
        records::{Arrived, Records},
    },
};

/// Bytes of batches that are merged into one.
const MERGED: usize = 128 << 10;
/// So many tiny batches in a row are merged: fewer come at the end of a partition, and are sent as they are.
const WORTH_MERGING: usize = 4;

/// Under which identity batches go out, and which flush of the ledger carries what they rest on.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// The identity's number in the ledger.
    pub number: u32,
    /// Its producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The next flush of the ledger.
    pub mark: u64,
}

/// What was not copied as it was, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Control batches.
    pub control: u64,
    /// Batches of aborted transactions.
    pub aborted: u64,
    /// Batches without records.
    pub empty: u64,
    /// Batches that the other direction had copied.
    pub echoes: u64,
    /// Ranges that the other direction had copied, and that were not fetched.
    pub jumps: u64,
    /// Batches whose records went into the batch before: copied, though not as they were.
    pub merged: u64,
}

impl Dropped {
    /// Adds what another answer brought.
    pub fn add(&mut self, more: Self) {
        self.control += more.control;
        self.aborted += more.aborted;
        self.empty += more.empty;
        self.echoes += more.echoes;
        self.jumps += more.jumps;
        self.merged += more.merged;
    }
}

/// A batch that is copied, and where the partition stands once it, and what is left out behind it, is done.
struct Kept {
    batch: Arrived,
    next: i64,
    epoch: i32,
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// What was not copied as it was.
    pub dropped: Dropped,
    /// Batches that are copied.
    pub kept: usize,
    /// Of what comes next nobody knows yet whether this producer is the other direction. It was not taken in.
    pub unknown: Option<i64>,
}

/// Where what is taken in goes, besides the partition.
struct Sink<'a> {
    held: &'a Arc<Held>,
    writer: Writer,
    entries: &'a mut Vec<Entry>,
}

/// Takes the batches of a fetch answer into a partition: what the ledger has to be told before they are sent goes to `entries`.
///
/// `Err` stops the partition: batches before the one that cannot travel are taken in all the same.
pub fn take_in(
    partition: &mut Partition,
    records: Records,
    aborted: Vec<(i64, i64)>,
    held: &Arc<Held>,
    judge: &Judge,
    writer: Writer,
    entries: &mut Vec<Entry>,
) -> Result<Taken, Reason> {
    let mut dropped = Dropped::default();
    let mut kept = Vec::new();
    let sorted = sort(partition, records, aborted, judge, &mut kept, &mut dropped);
    let mut sink = Sink {
        held,
        writer,
        entries,
    };
    let pushed = push_all(partition, &kept, &mut sink, &mut dropped);
    // What was passed behind a batch that could not be taken in is passed again.
    partition.echoes.back_to(partition.fetch_offset);
    pushed?;
    sorted.map(|unknown| Taken {
        dropped,
        kept: kept.len(),
        unknown,
    })
}

/// Takes in what is copied, in order.
fn push_all(
    partition: &mut Partition,
    kept: &[Kept],
    sink: &mut Sink<'_>,
    dropped: &mut Dropped,
) -> Result<(), Reason> {
    let mut rest = kept;
    while !rest.is_empty() {
        let together = if rest[0].batch.header.base_offset < partition.apart_until {
            1
        } else {
            mergeable(rest, partition.largest)
        };
        let (group, behind) = rest.split_at(together);
        if group.len() == 1 || push(partition, group, sink).is_err() {
            // Whatever is wrong with one of them is that one's alone.
            for one in group {
                push(partition, std::slice::from_ref(one), sink)?;
            }
        } else {
            dropped.merged += group.len() as u64 - 1;
        }
        rest = behind;
    }
    Ok(())
}

/// How many batches at the front become one: a broker's work for a batch is the same whatever its size, and much more than ours to
/// merge it where it is tiny. A few of them are not worth it.
fn mergeable(kept: &[Kept], largest: usize) -> usize {
    let alike = |kept: &Kept| {
        let header = &kept.batch.header;
        (
            header.codec(),
            header.is_log_append_time(),
            header.leader_epoch,
        )
    };
    let mut bytes = 0;
    let count = kept
        .iter()
        .take_while(|next| {
            bytes += next.batch.len();
            next.batch.len() <= tiny(&next.batch.header)
                && alike(next) == alike(&kept[0])
                && bytes <= MERGED.min(largest)
        })
        .count();
    if count < WORTH_MERGING { 1 } else { count }
}

/// The largest batch that is merged with others: the dearer its codec, the smaller.
fn tiny(header: &BatchHeader) -> usize {
    match Codec::of(header.attributes) {
        Ok(Codec::None) => 16 << 10,
        Ok(Codec::Gzip) => 1 << 10,
        _ => 4 << 10,
    }
}

/// What of an answer is copied, in order.
fn sort(
    partition: &mut Partition,
    records: Records,
    aborted: Vec<(i64, i64)>,
    judge: &Judge,
    kept: &mut Vec<Kept>,
    dropped: &mut Dropped,
) -> Result<Option<i64>, Reason> {
    let mut transactions = Transactions::new(aborted);
    if let Some(usual) = records.usual_batch() {
        partition.usual_batch = usual;
        partition.is_kept = records.are_kept();
    }
    let wanted = partition.fetch_offset;
    let mut at = wanted;
    for batch in records.split() {
        let batch = batch.map_err(|error| unreadable(at, &error))?;
        let header = &batch.header;
        let verdict = transactions
            .judge(&batch)
            .map_err(|error| unreadable(at, &error))?;
        if header.next_offset() <= wanted {
            continue;
        }
        let (next, epoch) = (header.next_offset(), header.leader_epoch);
        match verdict {
            Verdict::Keep => {
                let before = partition.echoes.last();
                let whose = match judge.whose(&partition.name, header, before) {
                    Whose::Neither { is_our_epoch, .. }
                        if partition.is_said_not_to_be_ours(header, is_our_epoch) =>
                    {
                        Whose::Native
                    }
                    whose => whose,
                };
                match whose {
                    Whose::Native if partition.is_stranded(header.base_offset) => {
                        return Err(strand::reason(header.base_offset));
                    }
                    Whose::Native => {
                        at = next;
                        has_known_codec(header)?;
                        kept.push(Kept { batch, next, epoch });
                        continue;
                    }
                    Whose::Echo(echo) => {
                        partition.echoes.passed(echo, header.base_offset);
                        dropped.echoes += 1;
                    }
                    Whose::Unknown => return Ok(Some(header.producer_id)),
                    Whose::Neither { reason, .. } => return Err(reason),
                }
            }
            Verdict::Control => dropped.control += 1,
            Verdict::Aborted => dropped.aborted += 1,
            Verdict::Empty => dropped.empty += 1,
        }
        at = next;
        // What goes on is checked by the target, or where it is repacked; what ends here, here.
        batch
            .whole()
            .verify()
            .map_err(|error| damaged(&error.to_string()))?;
        if let Some(before) = kept.last_mut() {
            (before.next, before.epoch) = (next, epoch);
        } else {
            partition.last_epoch = epoch;
            partition.skip_to(next);
        }
    }
    Ok(None)
}

/// Takes in neighbouring batches: one as it is, where it can travel so.
fn push(partition: &mut Partition, kept: &[Kept], sink: &mut Sink<'_>) -> Result<(), Reason> {
    let Some(last) = kept.last() else {
        return Ok(());
    };
    partition.last_epoch = last.epoch;
    let (from, largest, codec) = (partition.fetch_offset, partition.largest, partition.codec);
    let stamp = Stamp {
        producer_id: sink.writer.producer_id,
        producer_epoch: sink.writer.producer_epoch,
        base_sequence: wire_sequence(partition.next_sequence),
    };
    let new = match kept {
        [one] if can_travel(&one.batch, from, largest, codec) => {
            let header = &one.batch.header;
            vec![Repacked {
                batch: one.batch.stamped(stamp),
                count: header.record_count.cast_unsigned(),
                origin: Origin::from(header.base_offset),
                max_timestamp: header.max_timestamp,
            }]
        }
        _ => {
            let batches: Vec<Batch> = kept.iter().map(|kept| kept.batch.whole()).collect();
            let wanted = Wanted {
                stamp,
                largest,
                codec,
            };
            repack(&batches, from, wanted).map_err(unfit)?
        }
    };
    let Some(behind) = new.len().checked_sub(1) else {
        // Nothing of it is left at or behind where copying begins.
        partition.skip_to(last.next);
        return Ok(());
    };
    for (index, new) in new.into_iter().enumerate() {
        let next = if index == behind {
            last.next
        } else {
            new.next_offset()
        };
        let merged = kept.len() > 1;
        let record_epoch = last.batch.header.leader_epoch;
        enqueue(
            partition,
            new,
            merged,
            (next, last.epoch, record_epoch),
            sink,
        );
    }
    Ok(())
}

/// Declares the runs that a batch rests on, and puts it behind the others.
fn enqueue(
    partition: &mut Partition,
    new: Repacked,
    merged: bool,
    (source_next, leader_epoch, record_epoch): (i64, i32, i32),
    sink: &mut Sink<'_>,
) {
    let identity = sink.writer.number;
    let sequence = partition.next_sequence;
    let mut declares = declare_epoch(partition, new.origin.offset(0), leader_epoch, sink);
    for (index, offset) in new.origin.stretches() {
        let run = Run {
            identity,
            sequence: sequence + u64::from(index),
            offset,
        };
        let continues = partition.run.is_some_and(|last| {
            last.identity == identity
                && last.offset + (run.sequence - last.sequence) as i64 == offset
        });
        if !continues {
            declares = true;
            partition.run = Some(run);
            let (at, copied) = (partition.at, partition.copied_to());
            let echo = partition.echoes.tell_ahead(offset, copied);
            sink.entries
                .extend(echo.map(|echo| Entry::Echo { at, echo }));
            sink.entries.push(Entry::Run {
                at: partition.at,
                run,
            });
        }
    }
    // A batch waits for the flush that carries its runs; one that continues the run of a batch before it, for the same.
    let mark = if declares {
        sink.writer.mark
    } else {
        partition.queue.back().map_or(0, |before| before.mark)
    };
    partition.push(Item {
        batch: new.batch,
        sequence,
        count: new.count,
        merged,
        origin: new.origin,
        source_next,
        max_timestamp: new.max_timestamp,
        leader_epoch,
        mark,
        record_epoch,
        sent_epoch: -1,
        _held: sink.held.clone(),
    });
}

/// Says under which leader epoch of the source a batch was read, where that is news.
fn declare_epoch(partition: &mut Partition, first: i64, number: i32, sink: &mut Sink<'_>) -> bool {
    let is_known = partition.epochs.last() == Some(number) && !partition.epochs_differ;
    if number < 0 || is_known {
        return false;
    }
    let at = partition.at;
    if let Some(&last) = partition.epochs.iter().last()
        && partition.epochs_differ
    {
        // Said once more, it takes back what the ledger knows behind it.
        sink.entries.push(Entry::Epoch { at, epoch: last });
    }
    partition.epochs_differ = false;
    if partition.epochs.last() != Some(number) {
        let epoch = Epoch {
            number,
            source: first,
        };
        partition.epochs.push(epoch);
        sink.entries.push(Entry::Epoch { at, epoch });
    }
    true
}

/// Cuts a batch that was taken in into smaller ones of the same records under the same sequences; `None` if it cannot be.
pub fn cut(item: &Item, largest: usize) -> Option<Vec<Item>> {
    let header = BatchHeader::decode(&item.batch.head).ok()?;
    let batch = Batch {
        bytes: item.batch.bytes(),
        header,
    };
    let stamp = Stamp {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
    };
    let wanted = Wanted {
        stamp,
        largest,
        codec: None,
    };
    let new = repack(&[batch], 0, wanted).ok()?;
    let mut done = 0;
    let items = new.into_iter().map(|new| {
        let (begun, count) = (done, new.count);
        done += count;
        let origin = item.origin.part(begun, count);
        Item {
            sequence: item.sequence + u64::from(begun),
            count,
            source_next: if done == item.count {
                item.source_next
            } else {
                origin.offset(count - 1) + 1
            },
            max_timestamp: new.max_timestamp,
            batch: new.batch,
            origin,
            ..item.clone()
        }
    });
    let items: Vec<Item> = items.collect();
    (items.len() > 1).then_some(items)
}

/// A count of records as the wire's sequence, which wraps to 0 after 2^31-1.
pub fn wire_sequence(count: u64) -> i32 {
    (count & 0x7fff_ffff) as i32
}

/// Is the batch one that a broker takes with nothing but its header changed, and are all of its records wanted?
///
/// Brokers count a batch's records by its offsets, so one with holes is refused, or worse. The time that a broker gave to its records
/// stands in none of them. A broker that compresses anew what came in another codec also writes header names anew, and those that are
/// not UTF-8 wrong.
fn can_travel(batch: &Arrived, from: i64, largest: usize, codec: Option<Codec>) -> bool {
    let header = &batch.header;
    let is_dense = i64::from(header.record_count) == i64::from(header.last_offset_delta) + 1;
    is_dense
        && header.base_offset >= from
        && !header.is_log_append_time()
        && codec.is_none_or(|codec| Codec::of(header.attributes) == Ok(codec))
        && (batch.len() <= largest || header.record_count == 1)
}

fn has_known_codec(header: &BatchHeader) -> Result<(), Reason> {
    if header.codec() <= 4 {
        return Ok(());
    }
    Err(Reason {
        code: "K514",
        text: format!(
            "the batch at offset {} is compressed with codec {}, which Kafka does not define",
            header.base_offset,
            header.codec()
        ),
    })
}

fn unfit(unfit: Unfit) -> Reason {
    match unfit {
        Unfit::Damaged(error) => damaged(&error.to_string()),
        unfit => Reason {
            code: "K519",
            text: unfit.to_string(),
        },
    }
}

/// A batch whose bytes are not those its checksum was computed over.
pub fn damaged(text: &str) -> Reason {
    Reason {
        code: "K513",
        text: text.to_owned(),
    }
}

fn unreadable(at: i64, error: &BatchError) -> Reason {
    let code = match error {
        BatchError::Magic { .. } => "K515",
        _ => "K516",
    };
    Reason {
        code,
        text: format!("at offset {at}: {error}"),
    }
}

#[cfg(test)]
mod tests;
