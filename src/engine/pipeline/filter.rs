//! Keep or drop a batch, and why: control batches, aborted data, batches that compaction emptied.

use std::collections::HashSet;

use crate::wire::{
    batch::{BatchError, Marker},
    records::Arrived,
};

/// What is done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is copied.
    Keep,
    /// A commit or abort marker: the broker's, not an application's.
    Control,
    /// Its transaction was aborted: no read_committed reader sees it.
    Aborted,
    /// Compaction removed its last record and left the header.
    Empty,
}

/// Follows transactions through the batches of one fetch answer.
///
/// A broker lists every aborted transaction that touches the answer's range, those that began before it included, in no order
/// (`UnifiedLog.collectAbortedTransactions`): no memory from one answer to the next is needed.
#[derive(Debug)]
pub struct Transactions {
    /// Producer id and first offset, last first.
    to_come: Vec<(i64, i64)>,
    aborting: HashSet<i64>,
}

impl Transactions {
    /// From the list of an answer: producer id and first offset.
    pub fn new(mut aborted: Vec<(i64, i64)>) -> Self {
        aborted.sort_unstable_by_key(|&(_, first)| std::cmp::Reverse(first));
        Self {
            to_come: aborted,
            aborting: HashSet::new(),
        }
    }

    /// Judges the next batch; batches must come in order.
    pub fn judge(&mut self, batch: &Arrived) -> Result<Verdict, BatchError> {
        let header = &batch.header;
        while let Some(&(producer, first)) = self.to_come.last()
            && first <= header.last_offset()
        {
            self.aborting.insert(producer);
            self.to_come.pop();
        }
        if header.is_control() {
            // A marker whose record compaction removed ends nothing: an aborted transaction with data left still has its marker.
            if batch.whole().marker()? == Some(Marker::Abort) {
                self.aborting.remove(&header.producer_id);
            }
            return Ok(Verdict::Control);
        }
        if header.is_transactional() && self.aborting.contains(&header.producer_id) {
            return Ok(Verdict::Aborted);
        }
        if header.record_count == 0 {
            return Ok(Verdict::Empty);
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        batch::{self, Batch, Stamp},
        encode::batch_of_one,
    };

    fn batch(offset: i64, producer: i64, attributes: i16, value: &[u8]) -> Batch {
        let stamp = Stamp {
            producer_id: producer,
            producer_epoch: 0,
            base_sequence: 0,
        };
        let stamped = batch_of_one(value, 1, stamp);
        let mut bytes = stamped.bytes().to_vec();
        bytes[0..8].copy_from_slice(&offset.to_be_bytes());
        bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
        batch::split(bytes.into())
            .next()
            .expect("a batch")
            .expect("well formed")
    }

    /// A marker: its record's key is a version and a type. Built by hand, as records with keys are.
    fn marker(offset: i64, producer: i64, kind: u8) -> Batch {
        let mut batch = batch(offset, producer, 0x30, b"");
        let mut bytes = batch.bytes[..61].to_vec();
        bytes.extend([20, 0, 0, 0, 8, 0, 0, 0, kind, 0, 0]);
        batch.bytes = bytes.into();
        batch
    }

    #[test]
    fn aborted_data_goes_whatever_the_order_of_the_list() {
        let mut transactions = Transactions::new(vec![(7, 20), (5, 3), (7, 1)]);
        let mut judge =
            |batch: &Batch| transactions.judge(&batch.clone().into()).expect("readable");
        assert_eq!(judge(&batch(0, -1, 0, b"a")), Verdict::Keep);
        assert_eq!(judge(&batch(1, 7, 0x10, b"a")), Verdict::Aborted);
        assert_eq!(judge(&batch(2, 6, 0x10, b"a")), Verdict::Keep, "another's");
        assert_eq!(judge(&batch(3, 5, 0x10, b"a")), Verdict::Aborted);
        assert_eq!(judge(&marker(4, 7, 0)), Verdict::Control);
        assert_eq!(judge(&batch(5, 7, 0x10, b"a")), Verdict::Keep, "its next");
        assert_eq!(judge(&marker(6, 7, 1)), Verdict::Control);
        assert_eq!(judge(&batch(7, 5, 0x10, b"a")), Verdict::Aborted);
        assert_eq!(
            judge(&batch(8, 5, 0, b"a")),
            Verdict::Keep,
            "no transaction"
        );
        assert_eq!(judge(&marker(9, 5, 0)), Verdict::Control);
        assert_eq!(judge(&batch(20, 7, 0x10, b"a")), Verdict::Aborted);
    }

    #[test]
    fn a_header_without_records_is_empty() {
        let mut empty = batch(4, 3, 0, b"");
        empty.header.record_count = 0;
        let verdict = Transactions::new(Vec::new()).judge(&empty.into());
        assert_eq!(verdict, Ok(Verdict::Empty));
    }
}
