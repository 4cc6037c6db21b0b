//! What the target's answers mean for a partition: what is acknowledged, sent again, cut or given up.
//!
//! After anything but success nothing new is sent until everything in flight is answered; then the first unanswered goes first, as the same
//! bytes.

use std::time::Duration;

use tokio::time::Instant;

use super::Partition;
use crate::engine::{
    lanes::Range,
    ledger::record::Run,
    pipeline::{
        rewrite::{self, Writer},
        warmth::Warmth,
    },
};

/// CORRUPT_MESSAGE: the bytes are not those that the checksum was computed over.
pub const CORRUPT: i16 = 2;
/// MESSAGE_TOO_LARGE: larger than the topic's `max.message.bytes`, as it came or once the broker had compressed it its own way.
const TOO_LARGE: i16 = 10;
/// RECORD_LIST_TOO_LARGE: larger than a log segment.
const LIST_TOO_LARGE: i16 = 18;
/// OUT_OF_ORDER_SEQUENCE_NUMBER.
pub(super) const OUT_OF_ORDER: i16 = 45;

/// What is known of a batch that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// No answer yet.
    Sent,
    /// Appended, at this target offset.
    Appended(i64),
    /// Not appended; may be sent again.
    Refused(i16),
    /// Nobody knows.
    Unknown,
    /// The broker's idea of our sequence or epoch is not ours.
    Identity(i16),
    /// Appended below what the target had acknowledged before.
    Behind(i64),
    /// Never.
    Forbidden(i16, Option<String>),
}

/// What to do with a partition whose batches in flight are all answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// Still waiting, or nothing to decide.
    Wait,
    /// Send again from the front of the queue, not before the given pause.
    Again,
    /// The identity has to be given up.
    Fence(String),
    /// A batch can never be written.
    Forbidden(i16, Option<String>),
    /// It was too large, and waits in smaller pieces.
    Smaller,
    /// Several batches in one were refused; they are fetched again, to go one by one.
    Apart,
    /// A later batch was appended though an earlier one was not: the target broke Kafka's rules.
    Broken(String),
}

impl Partition {
    /// Takes in the answer to the batch with this sequence.
    pub fn answered(&mut self, sequence: u64, fate: Fate) {
        let Some(entry) = self
            .in_flight
            .iter_mut()
            .find(|(item, _)| item.sequence == sequence)
        else {
            return;
        };
        let fate = match fate {
            // Ours stand in order: an offset below what was acknowledged before is another log than the one we wrote.
            Fate::Appended(offset) if offset < self.target => Fate::Behind(offset),
            // Damaged between us and the target: what we hold is whole, and may be sent again. It was not appended.
            Fate::Forbidden(CORRUPT, _) if entry.0.batch.is_intact() => Fate::Refused(CORRUPT),
            other => other,
        };
        match fate {
            Fate::Appended(_) => {}
            // UNKNOWN_SERVER_ERROR may have come after the append: the stop then is not sealed, and the tail decides.
            Fate::Unknown | Fate::Forbidden(-1, _) => {
                self.dirty = true;
                self.settling = true;
            }
            Fate::Refused(3 | 100) => {
                self.unknown_since.get_or_insert_with(Instant::now);
                self.settling = true;
            }
            _ => self.settling = true,
        }
        entry.1 = fate;
    }

    /// Moves acknowledged batches out, in order. Answers records and bytes.
    pub fn acknowledge(&mut self, writer: Writer) -> (u64, u64) {
        let identity = writer.number;
        let (mut records, mut bytes) = (0, 0);
        while let Some((item, Fate::Appended(offset))) = self.in_flight.front() {
            let offset = *offset;
            let run = Run {
                identity,
                sequence: item.sequence,
                offset,
            };
            let continues = self.target_run.is_some_and(|last| {
                last.identity == identity
                    && last.offset + (item.sequence - last.sequence) as i64 == offset
            });
            if !continues {
                self.target_run = Some(run);
                self.new_target_runs.push(run);
            }
            self.acknowledged = item.sequence + u64::from(item.count);
            self.source = item.source_next;
            self.source_epoch = item.leader_epoch;
            self.target = offset + i64::from(item.count);
            self.copied = (item.behind(), item.record_epoch);
            if let Some(lane) = &self.our_lane
                && item.sent_epoch >= 0
            {
                lane.acknowledged(Range {
                    from: offset,
                    to: self.target,
                    leader_epoch: item.sent_epoch,
                    producer_id: writer.producer_id,
                    epoch: writer.producer_epoch,
                    next_sequence: rewrite::wire_sequence(self.acknowledged),
                });
            }
            self.last_acknowledged = item.max_timestamp;
            self.remembered = true;
            self.tries = 0;
            self.unknown_since = None;
            records += u64::from(item.count);
            bytes += item.batch.len() as u64;
            self.buffered -= item.batch.len();
            self.in_flight.pop_front();
        }
        (records, bytes)
    }

    /// Decides what follows once everything in flight is answered. Call `acknowledge` before.
    pub fn settle(&mut self, now_ms: i64, warmth: Warmth) -> Settled {
        if !self.settling || self.in_flight.iter().any(|(_, fate)| *fate == Fate::Sent) {
            return Settled::Wait;
        }
        let Some((item, first)) = self.in_flight.front() else {
            self.settling = false;
            return Settled::Wait;
        };
        let any = |wanted: fn(&Fate) -> bool| self.in_flight.iter().any(|(_, fate)| wanted(fate));
        // An epoch that is not ours says more than anything before it.
        let epoch = self.in_flight.iter().find_map(|(_, fate)| match fate {
            Fate::Identity(code) if *code != OUT_OF_ORDER => Some(*code),
            _ => None,
        });
        if let Some(code) = epoch {
            return Settled::Fence(format!("the target refused our identity with code {code}"));
        }
        let settled = match first {
            Fate::Identity(code) => Settled::Fence(format!(
                "the target does not expect our sequence (code {code})"
            )),
            Fate::Behind(offset) => Settled::Broken(format!(
                "the target appended at offset {offset}, and had acknowledged everything below {}: it lost data, or the topic was made anew",
                self.target
            )),
            _ if any(|fate| *fate == Fate::Unknown) => {
                let all_warm = (!self.remembered || warmth.is_warm(self.last_acknowledged, now_ms))
                    && self
                        .in_flight
                        .iter()
                        .all(|(item, _)| warmth.is_warm(item.max_timestamp, now_ms));
                if all_warm {
                    Settled::Again
                } else {
                    Settled::Fence("an outcome is unknown, and the target may forget us".to_owned())
                }
            }
            // Legal where a first copy may have been appended: its refused repetition then is no gap.
            Fate::Refused(_) | Fate::Forbidden(TOO_LARGE | LIST_TOO_LARGE, _)
                if !self.dirty && any(|fate| matches!(fate, Fate::Appended(_))) =>
            {
                Settled::Broken(
                    "the target appended a batch although it had refused the one before".to_owned(),
                )
            }
            Fate::Forbidden(TOO_LARGE | LIST_TOO_LARGE, _) if item.count > 1 && self.dirty => {
                Settled::Fence(
                    "a batch has to be cut, and a copy of it may be under way".to_owned(),
                )
            }
            // Whatever is wrong with one of them is that one's alone.
            Fate::Forbidden(code, _)
                if item.merged
                    && !self.dirty
                    && !matches!(*code, TOO_LARGE | LIST_TOO_LARGE)
                    && !any(|fate| matches!(fate, Fate::Appended(_))) =>
            {
                Settled::Apart
            }
            Fate::Forbidden(code, message) => Settled::Forbidden(*code, message.clone()),
            _ => Settled::Again,
        };
        let refused_until = item.source_next;
        let is_too_large = matches!(settled, Settled::Forbidden(TOO_LARGE | LIST_TOO_LARGE, _));
        if is_too_large && self.shrink() {
            self.settling = false;
            return Settled::Smaller;
        }
        match settled {
            Settled::Again => {
                self.settling = false;
                self.tries += 1;
                while let Some((item, _)) = self.in_flight.pop_back() {
                    self.queue.push_front(item);
                }
            }
            Settled::Apart => self.take_apart(refused_until),
            Settled::Forbidden(..) => {
                self.settling = false;
                for (item, _) in self
                    .in_flight
                    .drain(..)
                    .chain(self.queue.drain(..).map(|item| (item, Fate::Sent)))
                {
                    self.buffered -= item.batch.len();
                }
            }
            _ => {}
        }
        settled
    }

    /// Cuts what waits into batches of half the size of the first in flight; `false` if that one cannot be cut.
    ///
    /// Every sequence keeps its record, only the boundaries move. Still no copy of the larger batch may be under way, which a clean identity
    /// knows, because all of its requests were answered: should the target's limit grow meanwhile, that copy would be appended
    /// between two pieces, and where the broker has forgotten us even beside them. A batch that was refused left nothing behind.
    fn shrink(&mut self) -> bool {
        let Some((first, _)) = self.in_flight.front() else {
            return false;
        };
        let largest = self.largest.min(first.batch.len() / 2);
        let Some(pieces) = rewrite::cut(first, largest) else {
            return false;
        };
        self.largest = largest;
        drop(self.in_flight.pop_front());
        let rest = std::mem::take(&mut self.queue);
        let rest = self.in_flight.drain(..).map(|(item, _)| item).chain(rest);
        self.queue = pieces.into();
        for item in rest {
            match (item.batch.len() > largest).then(|| rewrite::cut(&item, largest)) {
                Some(Some(pieces)) => self.queue.extend(pieces),
                _ => self.queue.push_back(item),
            }
        }
        self.buffered = self.queue.iter().map(|item| item.batch.len()).sum();
        true
    }

    /// Gives back everything that is not on the target, to be fetched again: a batch of several was refused, and only one of them can be
    /// the reason.
    ///
    /// As when a batch is cut, every sequence keeps its record, and no copy of the larger batch may be under way.
    fn take_apart(&mut self, until: i64) {
        self.settling = false;
        self.apart_until = until;
        self.in_flight.clear();
        self.queue.clear();
        self.buffered = 0;
        self.next_sequence = self.acknowledged;
        self.fetch_offset = self.source;
        self.last_epoch = self.source_epoch;
        self.epochs_differ |= self.epochs.cut_off(self.source);
        self.echoes.back_to(self.source);
        self.run = None;
    }

    /// How long to wait before trying again.
    pub fn pause(&self) -> Duration {
        Duration::from_millis(20 << self.tries.min(6)).min(Duration::from_secs(1))
    }
}
