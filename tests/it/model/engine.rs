//! An engine's state, and what it makes of answers and of their absence.

use super::{
    Batch, Ledger, List, MARKER, Producer, State,
    broker::Answer,
    fence::Fences,
    scope::{Safeguard, Scope},
};

/// Where an engine is between two of its steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    #[default]
    Dead,
    /// The ledger's epoch is bumped, nothing is claimed.
    Started,
    /// Without `ClaimBeforeRead`: read, not claimed.
    Read,
    /// A sealed identity is to be named again.
    Continue,
    /// In mid-run: the ledger has to take a word before the coordinator is touched.
    Intent,
    /// Without a barrier: old requests are waited out.
    Wait,
    /// Predecessors and a fresh transactional id are to be bumped.
    Bump,
    /// The fresh identity is to be named.
    Name,
    /// Predecessors' transactions are to be aborted.
    Abort,
    /// Markers are waited for, then the tail is read.
    Recover,
    Copy,
    /// After OUT_OF_ORDER: drained, then the tail is read.
    Tail,
    /// Without `CheckpointAfterMap`: the checkpoint stands, its target runs do not.
    Map,
    /// The coordinator is asked for a commit, `Sealed` is to be written.
    Seal,
}

/// A batch between fetch and acknowledgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Queued {
    pub batch: Batch,
    pub in_flight: bool,
    /// Acknowledged, and an earlier one is not.
    pub acknowledged: bool,
}

impl Queued {
    /// Ready to be sent.
    pub fn new(batch: Batch) -> Self {
        Self {
            batch,
            ..Self::default()
        }
    }

    pub fn waits(&self) -> bool {
        !self.in_flight && !self.acknowledged
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Engine {
    pub phase: Phase,
    /// Starts are numbered by the ledger's epoch; 0 is nobody.
    pub run: u8,
    pub connection: u8,
    /// What the ledger says, as far as this engine knows.
    pub view: Ledger,
    /// Somebody else's record landed behind our last.
    pub gap: bool,
    /// So did a request of somebody who is no engine.
    pub asked: bool,
    /// Without `LedgerEpochBump`: sequence of our next record.
    pub ledger_next: u8,
    /// The last append is too old to send data upon.
    pub lease_over: bool,
    pub fences: Fences,
    /// A fresh identity stands in the ledger since the last `Intent`.
    pub named: bool,
    /// Number of the identity.
    pub identity: u8,
    pub producer: Producer,
    pub queue: List<Queued, 2>,
    /// Without `RunsAhead`: sent, and its run is not written.
    pub owed: Batch,
    /// Next sequence and source offset to fetch.
    pub next: u8,
    pub position: u8,
    /// The same, as far as acknowledged.
    pub acked: u8,
    pub acked_position: u8,
    /// Acknowledged source offsets, as bits, without target runs.
    pub unmapped: u8,
    pub dirty: bool,
    /// A batch of this identity was acknowledged in this run.
    pub remembered: bool,
    /// The last acknowledged batch was cold.
    pub last_cold: bool,
    /// Something was refused: nothing new until all in flight are answered.
    pub hold: bool,
    /// The tail was read for OUT_OF_ORDER, and no progress since.
    pub tail_read: bool,
    /// Target offset from which our records may stand.
    pub origin: u8,
    /// The tail was read, and where it ends is not written yet.
    pub owes_checkpoint: bool,
    /// Every marker was seen, and `Fenced` is not written yet.
    pub owes_fenced: bool,
}

impl Engine {
    pub fn in_flight(&self) -> usize {
        self.queue.iter().filter(|queued| queued.in_flight).count()
    }

    /// Takes a batch for written. What is acknowledged is counted without gaps, or it would be checkpointed and in no target run.
    fn acknowledge(&mut self, scope: &Scope, index: usize) {
        self.queue[index].in_flight = false;
        self.queue[index].acknowledged = true;
        self.remembered = true;
        self.last_cold = !scope.is_warm(self.queue[index].batch);
        self.tail_read = false;
        if !scope.has(Safeguard::CountedWithoutGaps) {
            self.queue[..=index].rotate_right(1);
        }
        while self.queue.first().is_some_and(|first| first.acknowledged) {
            let batch = self.queue.remove(0).batch;
            self.acked = batch.next();
            self.acked_position = batch.last_source() + 1;
            self.unmapped |= batch.sources().fold(0, |bits, source| bits | 1 << source);
        }
        if !scope.has(Safeguard::DirtyForLife) && self.in_flight() == 0 {
            self.dirty = false;
        }
    }

    /// Begins a fence in mid-run. Whatever is queued is dropped: the tail will say what was written.
    pub fn fence(&mut self) {
        self.phase = Phase::Intent;
        self.queue = List::default();
        self.connection += 1;
        self.named = false;
        self.fences = Fences::default();
        self.hold = false;
        self.owes_checkpoint = false;
        self.owes_fenced = false;
    }

    /// May this batch go out now, behind what is in flight?
    pub fn depth_allows(&self, scope: &Scope, batch: Batch) -> bool {
        let in_flight = self.in_flight();
        let remembered = self.remembered || !scope.has(Safeguard::DepthUntilRemembered);
        let mut all = self.queue.iter().filter(|queued| queued.in_flight);
        let warm = !self.last_cold
            && scope.is_warm(batch)
            && all.all(|queued| scope.is_warm(queued.batch));
        in_flight == 0
            || (in_flight < scope.depth
                && !self.hold
                && remembered
                && (warm || !scope.has(Safeguard::DepthWhileCold)))
    }
}

impl State {
    pub fn answered(&mut self, scope: &Scope, slot: usize, batch: Batch, answer: Answer) {
        let taken_over = self.ledger.claim != self.engines[slot].run;
        let engine = &mut self.engines[slot];
        let Some(index) = engine.queue.iter().position(|queued| queued.batch == batch) else {
            return;
        };
        match answer {
            Answer::Appended | Answer::Duplicate => engine.acknowledge(scope, index),
            Answer::Refused => {
                engine.queue[index].in_flight = false;
                engine.hold = true;
            }
            // Merely behind a refused one, or to be looked into.
            Answer::OutOfOrder => {
                engine.queue[index].in_flight = false;
                if !engine.hold {
                    engine.phase = Phase::Tail;
                }
            }
            Answer::OldEpoch if taken_over => *engine = Engine::default(),
            Answer::OldEpoch => engine.fence(),
        }
        if engine.in_flight() == 0 {
            engine.hold = false;
        }
    }

    /// Nobody knows what became of the requests in flight.
    pub fn connection_lost(&mut self, scope: &Scope, slot: usize) {
        let engine = &mut self.engines[slot];
        engine.dirty = true;
        engine.connection += 1;
        engine.hold = false;
        let mut unknown = engine.queue.iter().filter(|queued| queued.in_flight);
        let warm = !engine.last_cold && unknown.all(|queued| scope.is_warm(queued.batch));
        engine
            .queue
            .iter_mut()
            .for_each(|queued| queued.in_flight = false);
        if !warm && scope.has(Safeguard::FenceUnknownCold) {
            engine.fence();
        } else if !scope.has(Safeguard::NotFetchedAgain) {
            engine.queue = List::default();
            engine.phase = Phase::Tail;
        } else if !scope.has(Safeguard::SameBoundaries)
            && engine.queue.len() == 1
            && engine.queue[0].batch.len == 2
        {
            let whole = engine.queue.remove(0).batch;
            for (first, source) in whole.records() {
                let source = [source, 0];
                let batch = Batch {
                    first,
                    len: 1,
                    source,
                };
                engine.queue.push(Queued::new(batch));
            }
        }
    }

    /// Does the tail explain an OUT_OF_ORDER? Once; then the identity is fenced.
    pub fn read_tail(&self, scope: &Scope, slot: usize) -> Self {
        let mut next = *self;
        let engine = &mut next.engines[slot];
        let mut ours = self
            .log
            .iter()
            .filter(|logged| logged.producer == engine.producer && logged.source != MARKER);
        let behind = ours.next_back().map_or(0, |last| last.sequence + 1);
        let explains = engine
            .queue
            .first()
            .is_some_and(|first| first.batch.next() <= behind);
        while engine
            .queue
            .first()
            .is_some_and(|first| first.batch.next() <= behind)
        {
            engine.acknowledge(scope, 0);
        }
        if !scope.has(Safeguard::NotFetchedAgain) && engine.queue.is_empty() {
            // As a start would: whatever the tail does not show is fetched anew.
            while engine.acked < behind {
                let source = engine.view.source_of(engine.identity, engine.acked);
                let source = source.unwrap_or(engine.acked_position);
                engine.unmapped |= 1 << source;
                engine.acked += 1;
                engine.acked_position = source + 1;
            }
            (engine.next, engine.position) = (engine.acked, engine.acked_position);
            engine.phase = Phase::Copy;
            return next;
        }
        let twice = engine.tail_read || !explains;
        engine.phase = Phase::Copy;
        engine.tail_read = true;
        if twice && scope.has(Safeguard::FenceWhenOutOfOrder) {
            if self.ledger.claim == engine.run {
                engine.fence()
            } else {
                *engine = Engine::default()
            }
        }
        next
    }
}
