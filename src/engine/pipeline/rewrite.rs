//! Makes fetched batches acceptable to the target without touching their records, or says why that cannot be.

use std::sync::Arc;

use super::{
    filter::{Transactions, Verdict},
    partition::{Item, Partition, Reason},
};
use crate::{
    engine::{
        budget::Held,
        ledger::record::{Entry, Run},
    },
    wire::batch::{self, Batch, BatchError, BatchHeader, Stamp, restamp},
};

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

/// What was not copied, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Control batches.
    pub control: u64,
    /// Batches of aborted transactions.
    pub aborted: u64,
    /// Batches without records.
    pub empty: u64,
}

impl Dropped {
    /// Adds what another answer brought.
    pub fn add(&mut self, more: Self) {
        self.control += more.control;
        self.aborted += more.aborted;
        self.empty += more.empty;
    }
}

/// Takes the batches of a fetch answer into a partition: what the ledger has to be told before they are sent goes to `entries`.
///
/// `Err` stops the partition: batches before the one that cannot travel are taken in all the same.
pub fn take_in(
    partition: &mut Partition,
    records: bytes::Bytes,
    aborted: Vec<(i64, i64)>,
    held: &Arc<Held>,
    writer: Writer,
    entries: &mut Vec<Entry>,
) -> Result<Dropped, Reason> {
    let mut transactions = Transactions::new(aborted);
    let mut dropped = Dropped::default();
    for batch in batch::split(records) {
        let batch = batch.map_err(|error| unreadable(partition, &error))?;
        let header = &batch.header;
        let verdict = transactions
            .judge(&batch)
            .map_err(|error| unreadable(partition, &error))?;
        if header.next_offset() <= partition.fetch_offset {
            continue;
        }
        match verdict {
            Verdict::Keep => {}
            Verdict::Control => dropped.control += 1,
            Verdict::Aborted => dropped.aborted += 1,
            Verdict::Empty => dropped.empty += 1,
        }
        partition.last_epoch = header.leader_epoch;
        if verdict != Verdict::Keep {
            // What goes on is checked by the target; what ends here, here.
            batch
                .verify()
                .map_err(|error| damaged(&error.to_string()))?;
            partition.skip_to(header.next_offset());
            continue;
        }
        can_travel(header, partition.fetch_offset)?;
        push(partition, &batch, held, writer, entries);
    }
    Ok(dropped)
}

fn push(
    partition: &mut Partition,
    batch: &Batch,
    held: &Arc<Held>,
    writer: Writer,
    entries: &mut Vec<Entry>,
) {
    let header = &batch.header;
    let sequence = partition.next_sequence;
    let stamp = Stamp {
        producer_id: writer.producer_id,
        producer_epoch: writer.producer_epoch,
        base_sequence: wire_sequence(sequence),
    };
    let continues = partition.run.is_some_and(|run| {
        run.identity == writer.number
            && run.offset + (sequence - run.sequence) as i64 == header.base_offset
    });
    // A batch waits for the flush that carries its run; one that continues the run of a batch before it, for the same.
    let mark = if continues {
        partition.queue.back().map_or(0, |before| before.mark)
    } else {
        let run = Run {
            identity: writer.number,
            sequence,
            offset: header.base_offset,
        };
        partition.run = Some(run);
        entries.push(Entry::Run {
            at: partition.at,
            run,
        });
        writer.mark
    };
    partition.push(Item {
        batch: restamp(batch, stamp),
        sequence,
        count: header.record_count.cast_unsigned(),
        source_next: header.next_offset(),
        max_timestamp: header.max_timestamp,
        leader_epoch: header.leader_epoch,
        mark,
        _held: held.clone(),
    });
}

/// A count of records as the wire's sequence, which wraps to 0 after 2^31-1.
pub fn wire_sequence(count: u64) -> i32 {
    (count & 0x7fff_ffff) as i32
}

/// Is the batch one that a broker takes with nothing but its header changed?
fn can_travel(header: &BatchHeader, wanted: i64) -> Result<(), Reason> {
    let stop = |code, text: String| Err(Reason { code, text });
    let at = header.base_offset;
    if at < wanted {
        return stop(
            "K510",
            format!(
                "copying would begin inside the batch at offset {at}: this version copies whole batches only"
            ),
        );
    }
    if i64::from(header.record_count) != i64::from(header.last_offset_delta) + 1 {
        return stop(
            "K511",
            format!(
                "the batch at offset {at} holds {} records over {} offsets (compaction removed some): this version copies only batches without holes",
                header.record_count,
                i64::from(header.last_offset_delta) + 1
            ),
        );
    }
    if header.is_log_append_time() {
        return stop(
            "K512",
            format!(
                "the batch at offset {at} carries its broker's append time (message.timestamp.type=LogAppendTime): this version copies only batches with the producer's times"
            ),
        );
    }
    if header.codec() > 4 {
        return stop(
            "K514",
            format!(
                "the batch at offset {at} is compressed with codec {}, which Kafka does not define",
                header.codec()
            ),
        );
    }
    Ok(())
}

/// A batch whose bytes are not those its checksum was computed over.
pub fn damaged(text: &str) -> Reason {
    Reason {
        code: "K513",
        text: text.to_owned(),
    }
}

fn unreadable(partition: &Partition, error: &BatchError) -> Reason {
    let code = match error {
        BatchError::Magic { .. } => "K515",
        _ => "K516",
    };
    Reason {
        code,
        text: format!("at offset {}: {error}", partition.fetch_offset),
    }
}
