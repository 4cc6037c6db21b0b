//! What a replica remembers of producers: epochs, sequences, the last five batches (rules S1 to S9).

use std::collections::{BTreeMap, VecDeque};

use super::errors;
use crate::wire::batch::BatchHeader;

/// `ProducerStateEntry.NUM_BATCHES_TO_RETAIN` (S1).
const BATCHES: usize = 5;

/// Producers by id.
#[derive(Debug, Clone, Default)]
pub struct Producers {
    entries: BTreeMap<i64, Entry>,
    /// Lowest sequence and epoch seen since a transaction's first batch was to be verified (`VerificationStateEntry`; D7).
    verifying: BTreeMap<i64, (i32, i16)>,
}

/// One producer.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its epoch.
    pub epoch: i16,
    /// The largest timestamp of its last batch, or its marker's own time: what expiry goes by (S6).
    pub last_timestamp: i64,
    /// Its coordinator's epoch, -1 without a marker.
    pub coordinator_epoch: i32,
    batches: VecDeque<Kept>,
}

/// One batch that a retry may be a duplicate of.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    first_sequence: i32,
    last_sequence: i32,
    /// Where it lies.
    pub base_offset: i64,
    /// Its largest timestamp.
    pub timestamp: i64,
}

impl Entry {
    /// Is this the last that the log tells of it: its last data, or without any a marker of its epoch (`LastRecord`)?
    pub fn is_told_by(&self, header: &BatchHeader) -> bool {
        match self.batches.back() {
            Some(last) => last.base_offset == header.base_offset,
            None => header.is_control() && header.producer_epoch == self.epoch,
        }
    }

    /// Sequence of the last record, -1 without one.
    pub fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |last| last.last_sequence)
    }
}

impl Producers {
    /// Every producer that is remembered.
    pub fn all(&self) -> impl Iterator<Item = (i64, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// Its epoch, if it is remembered.
    pub fn epoch(&self, producer_id: i64) -> Option<i16> {
        self.entries.get(&producer_id).map(|entry| entry.epoch)
    }

    /// The retained batch that has exactly these sequences under this epoch (S2). Its payload is not compared (N4).
    pub fn duplicate(&self, header: &BatchHeader) -> Option<Kept> {
        let entry = self.entries.get(&header.producer_id)?;
        if entry.epoch != header.producer_epoch {
            return None;
        }
        let same = |kept: &&Kept| {
            kept.first_sequence == header.base_sequence
                && kept.last_sequence == header.last_sequence()
        };
        entry.batches.iter().find(same).copied()
    }

    /// May this batch be appended, as far as its producer goes (S3, S4, S5)? `ProducerAppendInfo.maybeValidateDataBatch`.
    pub fn check(&self, header: &BatchHeader) -> Result<(), i16> {
        let entry = self.entries.get(&header.producer_id);
        if entry.is_some_and(|entry| header.producer_epoch < entry.epoch) {
            return Err(errors::INVALID_PRODUCER_EPOCH);
        }
        let lowest = self.verifying.get(&header.producer_id);
        if lowest.is_some_and(|(lowest, _)| header.base_sequence > *lowest) {
            return Err(errors::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        // Of a producer nobody remembers any sequence of any epoch is taken.
        let Some(entry) = entry else { return Ok(()) };
        let expected = if entry.epoch == header.producer_epoch {
            entry.last_sequence().wrapping_add(1) & i32::MAX
        } else {
            0
        };
        if header.base_sequence == expected {
            Ok(())
        } else {
            Err(errors::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Takes note that a transactional batch is to be verified, whatever becomes of it (D7).
    pub fn verify(&mut self, header: &BatchHeader) {
        let (sequence, epoch) = (header.base_sequence, header.producer_epoch);
        let entry = self
            .verifying
            .entry(header.producer_id)
            .or_insert((sequence, epoch));
        if epoch > entry.1 {
            *entry = (sequence, epoch);
        } else if epoch == entry.1 {
            entry.0 = entry.0.min(sequence);
        }
    }

    /// Takes over a data batch that was appended. Nothing is checked (S8).
    pub fn learn(&mut self, header: &BatchHeader) {
        if header.producer_id < 0 {
            return;
        }
        if header.is_control() {
            return self.learn_marker(header);
        }
        if header.is_transactional() {
            self.verifying.remove(&header.producer_id);
        }
        let entry = self.entry(header);
        entry.last_timestamp = header.max_timestamp;
        if entry.batches.len() == BATCHES {
            entry.batches.pop_front();
        }
        entry.batches.push_back(Kept {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            timestamp: header.max_timestamp,
        });
    }

    /// A marker leaves the sequences alone unless its epoch is new (S4, N9).
    fn learn_marker(&mut self, header: &BatchHeader) {
        self.verifying.remove(&header.producer_id);
        let entry = self.entry(header);
        entry.last_timestamp = header.max_timestamp;
        entry.coordinator_epoch = 0;
    }

    fn entry(&mut self, header: &BatchHeader) -> &mut Entry {
        let epoch = header.producer_epoch;
        let entry = self.entries.entry(header.producer_id);
        let entry = entry.or_insert_with(|| Entry {
            epoch,
            last_timestamp: -1,
            coordinator_epoch: -1,
            batches: VecDeque::new(),
        });
        if entry.epoch != epoch {
            entry.epoch = epoch;
            entry.batches.clear();
        }
        entry
    }

    /// Forgets who wrote nothing for too long by the timestamps of the batches, unless a transaction is open (S6).
    pub fn expire(&mut self, now: i64, expiry: i64, open: impl Fn(i64) -> bool) {
        self.entries
            .retain(|id, entry| now.saturating_sub(entry.last_timestamp) < expiry || open(*id));
    }

    /// What is left after a restart: one batch of each producer (D5), and nobody who expired (S6).
    pub fn reload(&mut self, now: i64, expiry: i64, open: impl Fn(i64) -> bool) {
        self.expire(now, expiry, open);
        self.verifying.clear();
        for entry in self.entries.values_mut() {
            let older = entry.batches.len().saturating_sub(1);
            entry.batches.drain(..older);
        }
    }
}
