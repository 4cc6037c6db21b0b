//! One partition between source and target: what was fetched, what is in flight, what the target holds.
//!
//! Sequences are given in order, once, when a batch is taken in; only unsent batches may be given up again.

mod sending;
mod settling;

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;
use uuid::Uuid;

pub use sending::{DEPTH, PATIENT_TRIES};
pub use settling::{CORRUPT, Fate, Settled};

use super::{behind::Behind, current::Current, echo::Echoes, repack::Origin, trimmed::Trim};
use crate::{
    clock,
    engine::{
        budget::Held,
        lanes::{Lane, Range},
        ledger::{
            epochs::Epochs,
            record::{At, Beyond, Checkpoint, Echo, Entry, Run, Stopped, Trimmed},
        },
        recover::Position,
        seam::Existing,
    },
    model::names::TopicPartition,
    wire::batch::BatchHeader,
    wire::{batch::Stamped, codec::Codec},
};

/// One batch on its way.
#[derive(Debug, Clone)]
pub struct Item {
    /// The batch as it is sent, every time.
    pub batch: Stamped,
    /// Count of records under this identity before it.
    pub sequence: u64,
    /// Its records.
    pub count: u32,
    /// They came in several batches.
    pub merged: bool,
    /// Their source offsets.
    pub origin: Origin,
    /// Everything below this source offset is on the target once this batch is.
    pub source_next: i64,
    /// Its largest timestamp.
    pub max_timestamp: i64,
    /// Leader epoch of the last source batch below `source_next`.
    pub leader_epoch: i32,
    /// Leader epoch of its last source batch.
    pub record_epoch: i32,
    /// It may be sent when the ledger has this flush.
    pub mark: u64,
    /// Leader epoch of the target's leader that it was sent to last, -1 if unknown.
    pub sent_epoch: i32,
    /// Keeps the memory of its fetch answer accounted for until it is dropped.
    pub _held: Arc<Held>,
}

impl Item {
    /// The source offset behind its last record.
    pub fn behind(&self) -> i64 {
        self.origin.offset(self.count.saturating_sub(1)) + 1
    }
}

/// Why a partition does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Stable code, `K5xx`.
    pub code: &'static str,
    /// What happened, with offsets.
    pub text: String,
}

/// What a partition is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Its position is being found.
    Recovering,
    /// It copies.
    Copying,
    /// What was taken in is still being written; then it goes on behind what the owner of the topic had read and deleted.
    Passing(Trim),
    /// What was taken in is still being written; then it stops.
    Stopping(Reason),
    /// It waits for a person.
    Stopped(Reason),
    /// It is not in scope any more; only its position is found and kept.
    Left,
}

/// A partition.
pub struct Partition {
    /// Its name.
    pub name: TopicPartition,
    /// Its number in the ledger.
    pub at: At,
    /// The topic's id on the source.
    pub topic_id: Uuid,
    /// What it is doing.
    pub phase: Phase,
    /// Its position was found under this identity: what an earlier identity wrote is accounted for.
    pub is_placed: bool,

    /// Next source offset to fetch.
    pub fetch_offset: i64,
    /// Leader epoch of the last batch fetched, -1 if none.
    pub last_epoch: i32,
    /// Leader epochs under which it was read.
    pub epochs: Epochs,
    /// What was passed of the other direction's copies.
    pub echoes: Echoes,
    /// What the ledger knew of that.
    pub told_echo: Option<Echo>,
    /// What the other direction writes to the partition that is read.
    pub their_lane: Option<Lane>,
    /// What we write.
    pub our_lane: Option<Lane>,
    /// Somebody unknown wrote what comes next: it waits until the other direction's ledger was read.
    pub waits_to_hear: bool,
    /// The last answer had nothing to copy, while the other direction was at work: since when, and what was asked for then.
    pub looked: Option<(Instant, i64)>,
    /// The ledger may know later ones, of what was given up.
    pub epochs_differ: bool,
    /// The source's last stable offset, as last seen.
    pub last_stable: Option<i64>,
    /// For how long the target has not held all that the source held.
    pub behind: Behind,
    /// Where copying began or will begin.
    pub origin: i64,
    /// Bytes taken in and not acknowledged.
    pub buffered: usize,
    /// Bytes of the source's batches on average, as they came last; 0 if none came.
    pub usual_batch: usize,
    /// Most of what came last stayed in the kernel.
    pub is_kept: bool,
    /// The largest batch that the target takes, as far as it is known.
    pub largest: usize,
    /// The only codec that the target takes, if there is one.
    pub codec: Option<Codec>,
    /// Batches that begin below this source offset are not merged: together they were refused.
    pub apart_until: i64,
    /// Records from this age in milliseconds on wait until the target's topic is held open for them; `None`: it keeps them anyway.
    pub too_old_ms: Option<i64>,
    /// Old ones need not wait any more.
    pub takes_old: bool,
    /// The source's end up to which it has a backlog.
    pub backlog_end: Option<i64>,
    /// When it last stood at the source's end, where tombstones may be missed.
    pub(super) current: Option<Current>,
    /// The source offset to begin at at first contact, where it is not the first.
    pub begin_at: Option<i64>,
    /// What is to become of records that the target holds at first contact.
    pub existing: Existing,
    /// Target offsets in front of ours that were there before, from and to.
    pub kept: Option<(i64, i64)>,

    /// The sequence of the next batch taken in.
    pub next_sequence: u64,
    /// The last run declared.
    pub run: Option<Run>,

    /// Not sent, or to be sent again.
    pub queue: VecDeque<Item>,
    /// Sent, in order.
    pub in_flight: VecDeque<(Item, Fate)>,
    /// Sequences below were sent at least once under this identity.
    pub highest_sent: u64,
    /// Something in flight was not a success.
    pub settling: bool,
    /// The broker surely knows this identity here.
    pub remembered: bool,
    /// An outcome under this identity is, or once was, unknown.
    pub dirty: bool,
    /// Largest timestamp of the last batch acknowledged.
    pub last_acknowledged: i64,
    /// Nothing is sent before.
    pub hold_until: Option<Instant>,
    /// Tries in a row that brought nothing.
    pub tries: u32,
    /// Since when something waits to be sent and nothing was.
    pub blocked_since: Option<Instant>,
    /// Since when the target says that it does not know the partition.
    pub unknown_since: Option<Instant>,

    /// Records acknowledged under this identity.
    pub acknowledged: u64,
    /// Every eligible source record below is on the target.
    pub source: i64,
    /// Leader epoch of the last source batch below.
    pub source_epoch: i32,
    /// The source offset behind the last record that the target holds, and the leader epoch there.
    pub copied: (i64, i32),
    /// The target offset behind our last record.
    pub target: i64,
    /// The last target run, told or to be told.
    pub target_run: Option<Run>,
    /// Target runs not yet told.
    pub new_target_runs: Vec<Run>,
    /// What the ledger has been told.
    pub checkpoint: Option<Checkpoint>,
    /// What the ledger surely has.
    pub durable: i64,
    /// The end offset to reach for `--until caught-up`.
    pub wanted_end: Option<i64>,
    /// The stop that the ledger knows, until the partition has got past it.
    pub stopped_before: Option<Stopped>,
    /// What the owner of the topic had read and deleted, last and in all.
    pub trimmed: Option<Trimmed>,
    /// Source offsets at which a person has decided how it goes on.
    pub decided: Vec<i64>,
    /// Source offsets, from and to, of batches that a person took for an application's.
    pub not_ours: Vec<(i64, i64)>,
    /// What applications wrote below this source offset waits for a person.
    pub stranded: Option<i64>,
    /// Source offsets, from and to, that a person wants copied though they were stranded.
    pub brought: Vec<(i64, i64)>,
    /// How many requests wait to know up to where it is stranded: nothing is taken in meanwhile.
    pub strands: usize,
    /// How often a person wanted it copied again.
    pub recopies: usize,
    /// Where it would go on if what stops it were given up.
    pub beyond: Option<Beyond>,
}

impl Partition {
    /// A partition whose position is not known yet.
    pub fn new(name: TopicPartition, at: At, topic_id: Uuid) -> Self {
        Self {
            name,
            at,
            topic_id,
            phase: Phase::Recovering,
            is_placed: false,
            fetch_offset: 0,
            last_epoch: -1,
            epochs: Epochs::default(),
            echoes: Echoes::default(),
            told_echo: None,
            their_lane: None,
            our_lane: None,
            waits_to_hear: false,
            looked: None,
            epochs_differ: false,
            last_stable: None,
            behind: Behind::default(),
            origin: 0,
            buffered: 0,
            usual_batch: 0,
            is_kept: false,
            largest: usize::MAX,
            codec: None,
            apart_until: 0,
            too_old_ms: None,
            takes_old: false,
            backlog_end: None,
            current: None,
            begin_at: None,
            existing: Existing::Undecided,
            kept: None,
            next_sequence: 0,
            run: None,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            highest_sent: 0,
            settling: false,
            remembered: false,
            dirty: false,
            last_acknowledged: -1,
            hold_until: None,
            tries: 0,
            blocked_since: None,
            unknown_since: None,
            acknowledged: 0,
            source: 0,
            source_epoch: -1,
            copied: (0, -1),
            target: 0,
            target_run: None,
            new_target_runs: Vec::new(),
            checkpoint: None,
            durable: -1,
            wanted_end: None,
            stopped_before: None,
            trimmed: None,
            decided: Vec::new(),
            not_ours: Vec::new(),
            stranded: None,
            brought: Vec::new(),
            strands: 0,
            recopies: 0,
            beyond: None,
        }
    }

    /// Begins copying at a position, with so many records already written under the identity.
    pub fn begin(&mut self, position: Position, sequence: u64) {
        self.fetch_offset = position.source;
        self.source = position.source;
        self.source_epoch = position.source_epoch;
        self.last_epoch = position.source_epoch;
        self.epochs_differ |= self.epochs.cut_off(position.source);
        self.echoes.back_to(position.source);
        // What was passed behind the last record that was copied need not be there any more.
        self.copied = self
            .told_echo
            .filter(|echo| echo.end == position.source)
            .map_or((position.source, position.source_epoch), |echo| {
                (echo.copied_to, echo.copied_epoch)
            });
        self.target = position.target;
        self.next_sequence = sequence;
        self.acknowledged = sequence;
        self.highest_sent = sequence;
        self.phase = Phase::Copying;
        self.is_placed = true;
    }

    /// Moves past source offsets that hold nothing to copy.
    pub fn skip_to(&mut self, offset: i64) {
        self.fetch_offset = offset;
        let waiting = self
            .queue
            .back_mut()
            .or(self.in_flight.back_mut().map(|(item, _)| item));
        if let Some(last) = waiting {
            last.source_next = offset;
            // With the offset goes the epoch under which it was read: an older one would look like a source that was cut off.
            last.leader_epoch = self.last_epoch;
        } else {
            self.source = offset;
            self.source_epoch = self.last_epoch;
        }
    }

    /// Takes in a batch.
    pub fn push(&mut self, item: Item) {
        self.fetch_offset = item.source_next;
        self.next_sequence = item.sequence + u64::from(item.count);
        self.buffered += item.batch.len();
        self.queue.push_back(item);
    }

    /// Is everything that was taken in on the target?
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Jumps over what the other direction was told stands there.
    pub fn jump(&mut self, range: Range) {
        self.echoes.jumped(range, self.fetch_offset);
        self.last_epoch = range.leader_epoch;
        self.skip_to(range.to);
    }

    /// Did a person say that this batch is an application's? Said of one batch, it holds for all behind it under an epoch that is not ours: they
    /// are the same client's.
    pub fn is_said_not_to_be_ours(&self, header: &BatchHeader, is_our_epoch: bool) -> bool {
        let end = header.next_offset();
        let (mut of_this, mut of_one_before) = (false, false);
        for (from, to) in &self.not_ours {
            of_this |= end > *from && end <= *to;
            of_one_before |= end > *from;
        }
        of_this || (of_one_before && !is_our_epoch)
    }

    /// Does what an application wrote at this offset wait for a person?
    pub fn is_stranded(&self, offset: i64) -> bool {
        let mut brought = self.brought.iter();
        self.stranded.is_some_and(|until| offset < until)
            && !brought.any(|(from, to)| (*from..*to).contains(&offset))
    }

    /// The source offset behind the last record that was taken in to be copied, and its leader epoch.
    pub fn copied_to(&self) -> (i64, i32) {
        let last = self
            .queue
            .back()
            .or(self.in_flight.back().map(|(item, _)| item));
        last.map_or(self.copied, |item| (item.behind(), item.record_epoch))
    }

    /// The source lost something of what was read: what lies behind the last record taken in is read again, whatever it is now; whether that one
    /// is still there, the next fetch says. `false` if this was tried, or nothing lies behind it.
    pub fn read_again(&mut self) -> bool {
        let (offset, epoch) = self.copied_to();
        if offset >= self.fetch_offset {
            return false;
        }
        let waiting = self
            .queue
            .back_mut()
            .or(self.in_flight.back_mut().map(|(item, _)| item));
        if let Some(last) = waiting {
            last.source_next = offset;
            last.leader_epoch = epoch;
        } else {
            self.source = offset;
            self.source_epoch = epoch;
        }
        self.fetch_offset = offset;
        self.last_epoch = epoch;
        self.echoes.back_to(offset);
        true
    }

    /// That it stopped, for the ledger.
    pub fn stopped(&self, reason: &Reason) -> Stopped {
        // The same stop met again at a later start is as old as it is.
        let before = self
            .stopped_before
            .as_ref()
            .filter(|before| (&*before.code, before.source) == (reason.code, self.source));
        Stopped {
            code: reason.code.to_owned(),
            reason: reason.text.clone(),
            source: self.source,
            since_ms: before.map_or_else(clock::unix_millis, |before| before.since_ms),
            beyond: self.beyond,
        }
    }

    /// Goes on behind what the owner of the topic had read and deleted. Everything that was taken in is on the target.
    pub fn go_on_behind(&mut self, trimmed: Trimmed) {
        // What stood below is gone, and with it the epoch under which it was read: there is nothing to go back to.
        self.last_epoch = -1;
        self.skip_to(trimmed.to);
        self.copied = (trimmed.to, -1);
        self.trimmed = Some(trimmed);
        self.phase = Phase::Copying;
    }

    /// Where exactly it stands, for the ledger; nothing if that is on record.
    pub fn where_it_stands(&mut self, identity: u32) -> Vec<Entry> {
        let Some(checkpoint) = self.new_checkpoint(identity) else {
            return Vec::new();
        };
        let at = self.at;
        let runs = self.new_target_runs.drain(..);
        let mut entries: Vec<Entry> = runs.map(|run| Entry::TargetRun { at, run }).collect();
        let echo = self.echoes.tell(checkpoint.source, self.copied);
        entries.extend(echo.map(|echo| Entry::Echo { at, echo }));
        entries.push(Entry::Checkpoint { at, checkpoint });
        self.checkpoint = Some(checkpoint);
        entries
    }

    /// What to tell the ledger, if it does not know yet.
    pub fn new_checkpoint(&self, identity: u32) -> Option<Checkpoint> {
        // A position from before a fence says nothing of what the fenced identity wrote behind it.
        if !self.is_placed {
            return None;
        }
        let checkpoint = Checkpoint {
            identity,
            next_sequence: self.acknowledged,
            source: self.source,
            target: self.target,
            source_epoch: self.source_epoch,
        };
        (self.checkpoint != Some(checkpoint)).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests;
