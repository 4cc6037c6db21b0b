//! The records of one side of a partition that count, out of the raw bytes of fetch answers.
//!
//! On the side that is copied from those a read_committed reader sees; on the other those a read_uncommitted reader sees. Control
//! batches are never records: where copies are written they are the engine's own fences.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet, VecDeque},
};

use bytes::Bytes;

use super::{
    print::{Print, Printer},
    whose::Counting,
};
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
    /// A batch that does not count was passed over.
    Passed {
        /// Its first offset.
        from: i64,
        /// The one behind its last.
        to: i64,
    },
    /// A record that does not count, where these were asked for.
    Other(Print),
    /// The batch at this offset counts as an application's, and nobody can tell.
    Unclear(i64),
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
    counting: Counting,
    with_others: bool,
    current: Option<Records>,
    /// The records of the present batch count.
    counts: bool,
    pending: Option<Item>,
    next_offset: i64,
    counted_to: i64,
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
            counting: Counting::All,
            with_others: false,
            current: None,
            counts: true,
            pending: None,
            next_offset: from,
            counted_to: from,
        }
    }

    /// Only batches that count; records of others are yielded as such, or passed over.
    #[must_use]
    pub fn counting(mut self, counting: Counting, with_others: bool) -> Self {
        (self.counting, self.with_others) = (counting, with_others);
        self
    }

    /// From where to fetch next.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The offset behind the last batch that counts, whether it still holds records or not.
    pub fn counted_to(&self) -> i64 {
        self.counted_to
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
                        let print = self.printer.print(&record);
                        return Some(if self.counts {
                            Item::Record(print)
                        } else {
                            Item::Other(print)
                        });
                    }
                    // What is broken and does not count is shown where it does.
                    Some(Err(_)) if !self.counts => self.current = None,
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
            if let Some(item) = self.open(&batch) {
                return Some(item);
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
        let (counts, unclear) = self.counting.counts(header);
        self.counts = counts;
        if counts {
            self.counted_to = self.counted_to.max(header.next_offset());
        }
        if !counts && !self.with_others {
            return Some(Item::Passed {
                from: offset,
                to: header.next_offset(),
            });
        }
        match Records::of(batch, BATCH_LIMIT) {
            Ok(records) => self.current = Some(records),
            Err(_) if !counts => return None,
            Err(error) => {
                return Some(Item::Corrupt {
                    offset,
                    reason: error.to_string(),
                });
            }
        }
        match batch.verify() {
            Err(error) if counts => Some(Item::Corrupt {
                offset,
                reason: error.to_string(),
            }),
            _ => unclear.then_some(Item::Unclear(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::verify::whose::Copies;
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

        /// Applications' batches and copies, as they come: each offset is a record or passed over, and the other way in the other direction.
        #[test]
        fn natives_and_copies_share_a_log_and_each_counts_once(
            batches in proptest::collection::vec((1i64..5, 0u8..4), 0..40), with_others: bool,
        ) {
            let (mut bytes, mut end, mut wanted) = (Vec::new(), 0, [Vec::new(), Vec::new()]);
            for (count, by) in batches {
                let offsets = end..end + count;
                end += count;
                let (id, epoch, attributes) = [(-1, -1, 0), (7, 3, 0), (7, 3, 0x10), (7, 4, 0)][usize::from(by)];
                let is_copy = by == 1 && offsets.end > 9;
                wanted[usize::from(is_copy)].extend(offsets.clone());
                let records: Vec<_> = offsets.map(record_at).collect();
                let batch = encode(&records, Codec::None, |h| {
                    (h.producer_id, h.producer_epoch, h.attributes) = (id, epoch, attributes);
                });
                bytes.extend(batch.bytes);
            }
            let copies = Copies { identities: Arc::new(HashMap::from([(7, vec![3])])), begins: 9, except: Vec::new() };
            let ways = [Counting::Natives(copies.clone()), Counting::Copies(copies)];
            for (index, counting) in ways.into_iter().enumerate() {
                let mut stream = Stream::new(Printer::new(0, false), 0, end).counting(counting, with_others);
                stream.push(&bytes.clone().into(), &[]);
                let (mut counts, mut others) = (Vec::new(), Vec::new());
                while let Some(item) = stream.take() {
                    match item {
                        Item::Record(print) => counts.push(print.offset),
                        Item::Other(print) => others.push(print.offset),
                        Item::Passed { from, to } => others.extend(from..to),
                        Item::Unclear(offset) => prop_assert!(index == 0 && offset + 5 > 9),
                        Item::Corrupt { .. } => prop_assert!(false, "{item:?}"),
                    }
                }
                prop_assert_eq!(stream.counted_to(), counts.last().map_or(0, |last| last + 1));
                prop_assert_eq!(&counts, &wanted[index]);
                prop_assert_eq!(&others, &wanted[1 - index]);
            }
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
