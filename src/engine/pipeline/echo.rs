//! Copies that the other direction made: told from what applications wrote by two proofs, passed over, and never copied back.
//!
//! 1. A batch is passed over only if its producer id and epoch stand in the other direction's ledger, and its first sequence is not below what
//!    was passed of that identity before. Gaps are allowed (compaction, jumps), going back is not.
//! 2. A producer id that the ledger does not name is an application's once the ledger was read to its end after the batch was fetched.
//! 3. The first proof without the second stops the partition: a client may have brought its producer id along from the other cluster.
//!    A person can say that it is: then it is copied, and so is what follows in that partition under an epoch that is not ours.
//! 4. What was passed goes to our own ledger with the checkpoint that lies behind it, and goes back with the position.

use std::collections::{HashSet, VecDeque};

use super::partition::Reason;
use crate::{
    engine::{lanes::Range, ledger::record::Echo, other::Other},
    model::names::TopicPartition,
    wire::batch::BatchHeader,
};

/// Producer ids of applications that are remembered; they are few, but for clients that make a new producer for every record.
const REMEMBERED: usize = 100_000;

/// Whose a batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// An application's.
    Native,
    /// The other direction's, up to here.
    Echo(Echo),
    /// Nobody knows before the other direction's ledger was read.
    Unknown,
    /// It says it is the other direction's, and cannot be.
    Neither {
        /// Why not.
        reason: Reason,
        /// The other direction writes under its epoch, too.
        is_our_epoch: bool,
    },
}

/// How a session tells whose batches are.
#[derive(Clone, Default)]
pub struct Judge {
    other: Option<Other>,
    natives: HashSet<i64>,
}

impl Judge {
    /// With the other direction's ledger, if it has one.
    pub fn new(other: Option<Other>) -> Self {
        Self {
            other,
            natives: HashSet::new(),
        }
    }

    /// The other direction.
    pub fn other(&self) -> Option<&Other> {
        self.other.as_ref()
    }

    /// The ledger was read to its end after batches under these ids were fetched.
    pub fn heard_of(&mut self, producer_ids: impl IntoIterator<Item = i64>) {
        let Some(other) = &self.other else {
            return;
        };
        if self.natives.len() > REMEMBERED {
            self.natives.clear();
        }
        let natives = producer_ids
            .into_iter()
            .filter(|id| other.epochs(*id).is_empty());
        self.natives.extend(natives);
    }

    /// Whose a data batch is. `before`: the last echo of its partition.
    pub fn whose(&self, at: &TopicPartition, header: &BatchHeader, before: Option<Echo>) -> Whose {
        let Some(other) = &self.other else {
            return Whose::Native;
        };
        // We write neither without an identity nor in transactions.
        if header.producer_id < 0 || header.is_transactional() {
            return Whose::Native;
        }
        if other
            .begins(at)
            .is_some_and(|begins| header.last_offset() < begins)
        {
            return Whose::Native;
        }
        let epochs = other.epochs(header.producer_id);
        if epochs.is_empty() {
            return if self.natives.contains(&header.producer_id) {
                Whose::Native
            } else {
                Whose::Unknown
            };
        }
        prove(header, &epochs, before)
    }
}

/// The second proof.
fn prove(header: &BatchHeader, epochs: &[i16], before: Option<Echo>) -> Whose {
    let is_our_epoch = epochs.contains(&header.producer_epoch);
    let neither = |what: String| {
        let reason = Reason {
            code: "K560",
            text: format!(
                "the batch at offset {} carries the producer id {} under which copies are written here, {what}: a client may have brought the id along from the other cluster",
                header.base_offset, header.producer_id
            ),
        };
        Whose::Neither {
            reason,
            is_our_epoch,
        }
    };
    if !is_our_epoch {
        return neither(format!(
            "but epoch {}, under which none were",
            header.producer_epoch
        ));
    }
    let expected = before
        .filter(|echo| {
            (echo.producer_id, echo.epoch) == (header.producer_id, header.producer_epoch)
        })
        .map_or(0, |echo| echo.next_sequence);
    if !is_not_below(header.base_sequence, expected) {
        return neither(format!(
            "and sequence {}, where {expected} or a later one was to come",
            header.base_sequence
        ));
    }
    // Compaction takes records out of a batch and leaves its sequences.
    let records = header.last_offset() - header.base_offset + 1;
    let next = i64::from(header.base_sequence) + records;
    Whose::Echo(Echo {
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        next_sequence: i32::try_from(next & i64::from(i32::MAX)).unwrap_or(0),
        end: header.next_offset(),
        copied_to: -1,
        copied_epoch: -1,
    })
}

/// Sequences begin again at 0 behind the largest: of two, the nearer way around says which is the later.
fn is_not_below(sequence: i32, expected: i32) -> bool {
    let ahead = sequence.wrapping_sub(expected) & i32::MAX;
    sequence >= 0 && ahead < 1 << 30
}

/// A partition's echoes: how far they were passed, at each place to which its reader may have to go back.
#[derive(Debug, Clone, Default)]
pub struct Echoes {
    marks: VecDeque<Echo>,
    told: Option<Echo>,
}

impl Echoes {
    /// As the ledger knows them.
    pub fn new(told: Option<Echo>) -> Self {
        let told = told.map(|told| Echo {
            copied_to: -1,
            copied_epoch: -1,
            ..told
        });
        Self {
            marks: told.into_iter().collect(),
            told,
        }
    }

    /// The last that was passed.
    pub fn last(&self) -> Option<Echo> {
        self.marks.back().copied()
    }

    /// One is passed, which begins at this offset.
    pub fn passed(&mut self, echo: Echo, begins: i64) {
        match self.marks.back_mut() {
            // Nothing lies between them to which a reader could go back.
            Some(last) if last.end == begins && Some(*last) != self.told => *last = echo,
            _ => self.marks.push_back(echo),
        }
    }

    /// One is jumped over, from this offset on.
    pub fn jumped(&mut self, range: Range, from: i64) {
        let echo = Echo {
            producer_id: range.producer_id,
            epoch: range.epoch,
            next_sequence: range.next_sequence,
            end: range.to,
            copied_to: -1,
            copied_epoch: -1,
        };
        self.passed(echo, from);
    }

    /// The reader goes back to an offset.
    pub fn back_to(&mut self, offset: i64) {
        while self.marks.back().is_some_and(|last| last.end > offset) {
            self.marks.pop_back();
        }
        self.told.take_if(|told| told.end > offset);
    }

    /// What the ledger has to be told before a record at this offset is copied: else a start that finds the record on the other side would
    /// not know of the copies before it.
    pub fn tell_ahead(&mut self, offset: i64, copied: (i64, i32)) -> Option<Echo> {
        let before = self.marks.iter().rev().find(|mark| mark.end <= offset);
        let last = *before?;
        self.tell_once(last, copied)
    }

    /// What the ledger has to be told with a checkpoint at this offset, if it does not know. `copied`: the source offset behind the last record
    /// copied below, and its leader epoch.
    pub fn tell(&mut self, offset: i64, copied: (i64, i32)) -> Option<Echo> {
        while self.marks.get(1).is_some_and(|next| next.end <= offset) {
            self.marks.pop_front();
        }
        let first = *self.marks.front().filter(|first| first.end <= offset)?;
        self.tell_once(first, copied)
    }

    /// What was told ahead is not taken back by a checkpoint that lies before it.
    fn tell_once(&mut self, echo: Echo, copied: (i64, i32)) -> Option<Echo> {
        if self.told.is_some_and(|told| told.end >= echo.end) {
            return None;
        }
        self.told = Some(echo);
        Some(Echo {
            copied_to: copied.0,
            copied_epoch: copied.1,
            ..echo
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        batch::{self, Stamp},
        encode::batch_of_one,
    };

    fn header(offset: i64, producer_id: i64, epoch: i16, sequence: i32) -> BatchHeader {
        let stamp = Stamp {
            producer_id,
            producer_epoch: epoch,
            base_sequence: sequence,
        };
        let stamped = batch_of_one(b"a", 1, stamp);
        let mut bytes = stamped.bytes().to_vec();
        bytes[0..8].copy_from_slice(&offset.to_be_bytes());
        let batch = batch::split(bytes.into())
            .next()
            .expect("a batch")
            .expect("well formed");
        batch.header
    }

    fn echo(end: i64, next_sequence: i32) -> Echo {
        Echo {
            producer_id: 7,
            epoch: 3,
            next_sequence,
            end,
            copied_to: -1,
            copied_epoch: -1,
        }
    }

    #[test]
    fn a_copy_is_proved_by_epoch_and_sequence() {
        let proved = |epoch, sequence, before| {
            let whose = prove(&header(5, 7, epoch, sequence), &[3], before);
            match whose {
                Whose::Echo(echo) => Ok(echo.next_sequence),
                Whose::Neither { reason, .. } => Err(reason.text),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(proved(3, 0, None), Ok(1));
        assert_eq!(proved(3, 8, Some(echo(5, 8))), Ok(9));
        assert_eq!(proved(3, 20, Some(echo(5, 8))), Ok(21), "a gap");
        assert!(proved(3, 7, Some(echo(5, 8))).is_err(), "going back");
        assert!(proved(2, 8, Some(echo(5, 8))).is_err(), "a client's epoch");
        // Behind the largest sequence comes 0.
        assert_eq!(proved(3, i32::MAX, Some(echo(5, i32::MAX))), Ok(0));
        assert_eq!(proved(3, 0, Some(echo(5, 0))), Ok(1));
        assert_eq!(proved(3, 2, Some(echo(5, i32::MAX - 1))), Ok(3));
        assert!(proved(3, i32::MAX - 1, Some(echo(5, 2))).is_err());
        // Another identity of the same producer id begins anew.
        let earlier = Echo {
            epoch: 2,
            ..echo(5, 8)
        };
        assert_eq!(proved(3, 0, Some(earlier)), Ok(1));
    }

    #[test]
    fn what_was_passed_goes_back_with_the_reader_and_is_told_with_the_checkpoint() {
        let mut echoes = Echoes::default();
        assert_eq!(echoes.tell(100, (-1, -1)), None);
        echoes.passed(echo(5, 5), 0);
        echoes.passed(echo(8, 8), 5);
        assert_eq!(echoes.marks.len(), 1, "nothing lies between them");
        // A batch of an application is at 8 and 9, and not acknowledged yet.
        echoes.passed(echo(12, 10), 10);
        assert_eq!(echoes.last(), Some(echo(12, 10)));
        assert_eq!(echoes.tell(8, (-1, -1)), Some(echo(8, 8)));
        assert_eq!(echoes.tell(8, (-1, -1)), None, "told");
        echoes.back_to(8);
        assert_eq!(echoes.last(), Some(echo(8, 8)));
        echoes.passed(echo(12, 10), 10);
        assert_eq!(echoes.tell(12, (-1, -1)), Some(echo(12, 10)));
        // Told ahead of a record behind it, it is not taken back by a checkpoint before that record.
        echoes.passed(echo(16, 12), 14);
        assert_eq!(
            echoes.tell_ahead(16, (14, 0)).map(|told| told.end),
            Some(16)
        );
        assert_eq!(echoes.tell(14, (-1, -1)), None);
        echoes.back_to(12);
        assert_eq!(echoes.last(), Some(echo(12, 10)));
        assert_eq!(echoes.tell(12, (-1, -1)), Some(echo(12, 10)), "gone back");
        // What the ledger knows stays where it is, whatever comes right behind it.
        echoes.passed(echo(13, 11), 12);
        assert_eq!(echoes.marks.len(), 2);
        echoes.back_to(12);
        assert_eq!(echoes.last(), Some(echo(12, 10)));
    }
}
