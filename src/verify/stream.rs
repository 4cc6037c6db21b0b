//! The records of one side of a partition that count, out of the raw bytes of fetch answers.
//!
//! On the source those a read_committed reader sees; on the target those a read_uncommitted reader sees. Control batches are
//! never records: on the target they are the engine's own fences.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet, VecDeque},
};

use bytes::Bytes;

use super::print::{Print, Printer};
use crate::wire::{
    batch::{self, Batch, Marker},
    record::Records,
};

/// Largest size of one decompressed batch, in bytes. Brokers take batches of up to 2 GiB only where `max.message.bytes` was
/// raised that far; what is beyond this is reported as unreadable.
const BATCH_LIMIT: usize = 256 << 20;

/// What a stream yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A record that counts.
    Record(Print),
    /// A batch that is broken: wrong checksum, or records that cannot be decoded.
    Corrupt {
        /// The first offset of the batch, or of the record in it, that is broken.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
}

/// Raw batches go in, records that count come out.
#[derive(Debug)]
pub struct Stream {
    printer: Printer,
    from: i64,
    until: i64,
    batches: VecDeque<Batch>,
    /// Transactions aborted in the present answer, by first offset; brokers promise no order, and ranges overlap.
    aborted: BinaryHeap<Reverse<(i64, i64)>>,
    /// Producers inside an aborted transaction.
    aborting: HashSet<i64>,
    current: Option<Records>,
    pending: Option<Item>,
    next_offset: i64,
}

impl Stream {
    /// Records with offsets in `from..until`.
    pub fn new(printer: Printer, from: i64, until: i64) -> Self {
        Self {
            printer,
            from,
            until,
            batches: VecDeque::new(),
            aborted: BinaryHeap::new(),
            aborting: HashSet::new(),
            current: None,
            pending: None,
            next_offset: from,
        }
    }

    /// From where to fetch next.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// Nothing is left to fetch, though what was pushed may still yield.
    pub fn is_complete(&self) -> bool {
        self.next_offset >= self.until
    }

    /// Hands over one fetch answer: whole batches, and its list of aborted transactions as (producer id, first offset), empty
    /// for a read_uncommitted view. The list covers transactions that were already open where the answer begins.
    pub fn push(&mut self, records: &Bytes, aborted: &[(i64, i64)]) {
        self.aborted = aborted
            .iter()
            .map(|(producer, first)| Reverse((*first, *producer)))
            .collect();
        self.aborting.clear();
        self.batches.clear();
        for batch in batch::split(records.clone()) {
            match batch {
                Ok(batch) => {
                    self.next_offset = self.next_offset.max(batch.header.next_offset());
                    self.batches.push_back(batch);
                }
                // Where a batch ends is not known, so nothing behind it can be read either.
                Err(error) => {
                    let reason = format!("{error}; the rest of the partition is not compared");
                    self.pending = Some(Item::Corrupt {
                        offset: self.next_offset,
                        reason,
                    });
                    self.next_offset = self.until;
                    break;
                }
            }
        }
    }

    /// The next record, or `None` when more has to be pushed.
    pub fn take(&mut self) -> Option<Item> {
        loop {
            while let Some(records) = &mut self.current {
                match records.next() {
                    Some(Ok(record))
                        if record.offset < self.from || record.offset >= self.until => {}
                    Some(Ok(record)) => {
                        self.from = record.offset.saturating_add(1);
                        return Some(Item::Record(self.printer.print(&record)));
                    }
                    Some(Err(error)) => {
                        self.current = None;
                        return Some(Item::Corrupt {
                            offset: self.from,
                            reason: error.to_string(),
                        });
                    }
                    None => self.current = None,
                }
            }
            let Some(batch) = self.batches.pop_front() else {
                return self.pending.take();
            };
            if let Some(corrupt) = self.open(&batch) {
                return Some(corrupt);
            }
        }
    }

    /// Decides whether a batch counts and begins it. A batch with a wrong checksum is reported and read all the same, so that
    /// one flipped bit does not look like many lost records.
    fn open(&mut self, batch: &Batch) -> Option<Item> {
        let header = &batch.header;
        let (first, last) = (header.base_offset, header.last_offset());
        if last < self.from || first >= self.until {
            return None;
        }
        while self
            .aborted
            .peek()
            .is_some_and(|Reverse((first, _))| *first <= last)
        {
            if let Some(Reverse((_, producer))) = self.aborted.pop() {
                self.aborting.insert(producer);
            }
        }
        if header.is_control() {
            // Compaction leaves markers without a record; one that cannot be read ends nothing.
            if let Ok(Some(Marker::Abort)) = batch.marker() {
                self.aborting.remove(&header.producer_id);
            }
            return None;
        }
        if header.is_transactional() && self.aborting.contains(&header.producer_id) {
            return None;
        }
        let offset = first.max(self.from);
        match Records::of(batch, BATCH_LIMIT) {
            Ok(records) => self.current = Some(records),
            Err(error) => {
                return Some(Item::Corrupt {
                    offset,
                    reason: error.to_string(),
                });
            }
        }
        batch.verify().err().map(|error| Item::Corrupt {
            offset,
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        codec::Codec,
        record::{
            Record,
            tests::{encode, record_at},
        },
    };

    /// What happens in a log: a producer writes a batch in its transaction or outside of one, or ends its transaction.
    #[derive(Debug, Clone)]
    enum Act {
        Plain(u8),
        Write { producer: i64, records: u8 },
        End { producer: i64, abort: bool },
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            (1u8..4).prop_map(Act::Plain),
            (0i64..3, 1u8..4).prop_map(|(producer, records)| Act::Write { producer, records }),
            (0i64..3, any::<bool>()).prop_map(|(producer, abort)| Act::End { producer, abort }),
        ];
        proptest::collection::vec(act, 0..60)
    }

    #[derive(Default)]
    struct Log {
        batches: Vec<Batch>,
        /// (producer id, first offset, offset of the abort marker)
        aborted: Vec<(i64, i64, i64)>,
        visible: Vec<i64>,
        end: i64,
    }

    /// Plays acts, and notes what a naive reader that knows every outcome would see.
    fn play(acts: &[Act]) -> Log {
        let (mut log, mut open) = (
            Log::default(),
            std::collections::HashMap::<i64, Vec<i64>>::new(),
        );
        let all_ends = (0..3).map(|producer| Act::End {
            producer,
            abort: false,
        }); // so that the last stable offset is the end
        for act in acts.iter().cloned().chain(all_ends) {
            let (count, producer, attributes) = match act {
                Act::Plain(records) => (records, -1, 0),
                Act::Write { producer, records } => (records, producer, 0x10),
                Act::End { producer, .. } => (1, producer, 0x30),
            };
            let offsets = log.end..log.end + i64::from(count);
            let mut records: Vec<_> = offsets.clone().map(record_at).collect();
            match act {
                Act::Plain(_) => log.visible.extend(offsets.clone()),
                Act::Write { producer, .. } => {
                    open.entry(producer).or_default().extend(offsets.clone())
                }
                Act::End { producer, abort } => {
                    records[0].key = Some(Bytes::from_static(if abort {
                        &[0, 0, 0, 0]
                    } else {
                        &[0, 0, 0, 1]
                    }));
                    let written = open.remove(&producer).unwrap_or_default();
                    match written.first() {
                        Some(first) if abort => log.aborted.push((producer, *first, log.end)),
                        _ => log.visible.extend(written),
                    }
                }
            }
            log.end = offsets.end;
            log.batches.push(encode(&records, Codec::None, |h| {
                (h.producer_id, h.attributes) = (producer, attributes)
            }));
        }
        log.visible.sort_unstable();
        log
    }

    proptest! {
        #[test]
        fn aborted_lists_unordered_and_overlapping_read_like_a_naive_reader(
            acts in acts(), slices in proptest::collection::vec(1usize..6, 60), turn in any::<prop::sample::Index>(), from in 0i64..40,
        ) {
            let log = play(&acts);
            let mut stream = Stream::new(Printer::new(0, false), from, log.end);
            let mut seen = Vec::new();
            let mut slices = slices.into_iter().cycle();
            while !stream.is_complete() {
                let at = stream.next_offset();
                let batches: Vec<_> = log.batches.iter().filter(|b| b.header.last_offset() >= at).take(slices.next().unwrap()).collect();
                let end = batches.last().unwrap().header.next_offset();
                // A broker lists the transactions that overlap the slice, twice here, in no order.
                let mut aborted: Vec<_> =
                    log.aborted.iter().filter(|(_, first, marker)| *first < end && *marker >= at).map(|(p, f, _)| (*p, *f)).collect();
                aborted.extend(aborted.clone());
                let middle = if aborted.is_empty() { 0 } else { turn.index(aborted.len()) };
                aborted.rotate_left(middle);
                let bytes: Vec<u8> = batches.iter().flat_map(|b| b.bytes.iter().copied()).collect();
                stream.push(&bytes.into(), &aborted);
                while let Some(item) = stream.take() {
                    let Item::Record(print) = item else { panic!("{item:?}") };
                    seen.push(print.offset);
                }
            }
            prop_assert_eq!(seen, log.visible.into_iter().filter(|o| *o >= from).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut stream = Stream::new(Printer::new(0, true), 0, 100);
            let mut all = encode(&[record_at(0), record_at(1)], Codec::Lz4, |_| ()).bytes.to_vec();
            all.extend(bytes);
            stream.push(&all.into(), &[(1, 1)]);
            while stream.take().is_some() {}
        }
    }

    #[test]
    fn a_wrong_checksum_is_reported_and_the_records_are_read_all_the_same() {
        let mut batch = encode(&[record_at(5), record_at(6)], Codec::None, |_| ());
        let mut bytes = batch.bytes.to_vec();
        *bytes.last_mut().unwrap() ^= 1; // in the last record's header count: it cannot be decoded
        bytes[30] ^= 1; // in the base timestamp
        batch.bytes = bytes.into();
        let mut stream = Stream::new(Printer::new(0, false), 0, 10);
        stream.push(&batch.bytes, &[]);
        let seen: Vec<_> = std::iter::from_fn(|| stream.take()).collect();
        assert!(
            matches!(
                &seen[..],
                [
                    Item::Corrupt { offset: 5, .. },
                    Item::Record(_),
                    Item::Corrupt { offset: 6, .. }
                ]
            ),
            "{seen:?}"
        );
    }

    #[test]
    fn records_before_the_start_and_behind_the_end_of_a_batch_are_left_out() {
        let records: Vec<Record> = (0..10).map(record_at).collect();
        let mut stream = Stream::new(Printer::new(0, false), 3, 7);
        stream.push(&encode(&records, Codec::Zstd, |_| ()).bytes, &[]);
        let seen: Vec<_> = std::iter::from_fn(|| stream.take())
            .map(|i| {
                if let Item::Record(p) = i {
                    p.offset
                } else {
                    -1
                }
            })
            .collect();
        assert_eq!(seen, [3, 4, 5, 6]);
        assert!(stream.is_complete());
    }
}
