//! What the brokers of the target do: producer state, expiry, restarts, markers, late requests; and the ledger's partition.

use super::{
    Batch, Entry, Harm, List, Logged, MARKER, Pending, Producer, Request, State,
    scope::{Safeguard, Scope},
    search::Found,
    words::Step,
};

/// How the broker answers a produce request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Appended,
    Duplicate,
    OutOfOrder,
    OldEpoch,
    /// A passing error; nothing was appended.
    Refused,
}

impl Entry {
    /// Whoever is unknown may start anywhere; else a duplicate, or the next sequence, or a higher epoch at 0.
    fn judge(&self, epoch: u8, batch: Batch) -> Answer {
        let range = (batch.first, batch.len);
        let next = self.window.last().map_or(0, |(first, len)| first + len);
        if self.epoch == 0 {
            Answer::Appended
        } else if epoch < self.epoch {
            Answer::OldEpoch
        } else if epoch == self.epoch && self.window.contains(&range) {
            Answer::Duplicate
        } else if batch.first == if epoch > self.epoch { 0 } else { next } {
            Answer::Appended
        } else {
            Answer::OutOfOrder
        }
    }

    fn note(&mut self, epoch: u8, batch: Batch, warm: bool) {
        if epoch != self.epoch {
            *self = Self {
                epoch,
                ..Self::default()
            };
        }
        if self.window.is_full() {
            let _ = self.window.remove(0);
        }
        self.window.push((batch.first, batch.len));
        self.warm = warm;
    }
}

impl State {
    /// Source offset behind the last record on the target.
    pub fn copied_to(&self) -> u8 {
        let sources = self.log.iter().map(|logged| logged.source);
        sources
            .filter(|&source| source != MARKER)
            .max()
            .map_or(0, |last| last + 1)
    }

    pub fn is_copied(&self, source: u8) -> bool {
        self.log.iter().any(|logged| logged.source == source)
    }

    /// Records at or behind a source offset, in order.
    pub fn records_from(&self, scope: &Scope, from: u8) -> impl Iterator<Item = u8> {
        let gone = self.gone;
        (from..)
            .zip(&scope.source[usize::from(from)..])
            .filter(move |(offset, record)| **record && gone & 1 << offset == 0)
            .map(|(offset, _)| offset)
    }

    /// The partition takes a batch or does not; what a reader would see is checked here.
    fn produce(&mut self, scope: &Scope, request: &Request) -> Result<Answer, Harm> {
        let Request {
            producer, batch, ..
        } = *request;
        let entry = &mut self.entries[usize::from(producer.id)];
        let answer = entry.judge(producer.epoch, batch);
        if answer == Answer::Appended {
            entry.note(producer.epoch, batch, scope.is_warm(batch));
            for (sequence, source) in batch.records() {
                if self.copied_to() > source {
                    return Err(Harm::TwiceOrOutOfOrder);
                }
                if self
                    .records_from(scope, 0)
                    .any(|other| other < source && !self.is_copied(other))
                {
                    return Err(Harm::Lost);
                }
                self.log.push(Logged {
                    producer,
                    sequence,
                    source,
                });
            }
        }
        Ok(answer)
    }

    /// Everything that happens by itself.
    pub fn by_itself(&self, scope: &Scope, found: &mut Found) {
        for offset in 0..scope.source.len() {
            if scope.compactible & !self.gone & 1 << offset != 0 {
                let mut next = *self;
                next.gone |= 1 << offset;
                found.add(Step::Compaction(offset as u8), Ok(next));
            }
        }
        for id in 0..self.entries.len() {
            let entry = &self.entries[id];
            if entry.epoch != 0 && self.may_expire(scope, entry) {
                found.add(Step::Expiry(id as u8), Ok(self.expire(scope, id)));
            }
            if scope.forgettable & !self.forgotten & 1 << id != 0 && self.epochs[id] != 0 {
                let mut next = *self;
                next.forgotten |= 1 << id;
                found.add(Step::CoordinatorForgets(id as u8), Ok(next));
            }
            if self.pending[id] != Pending::Nothing {
                found.add(Step::Marker(id as u8), Ok(self.mark(id)));
            }
        }
        if scope.restarts {
            self.restart(found);
        }
        if self.forgot < scope.forgets && self.ledger_epoch != 0 {
            let mut next = *self;
            next.forgot += 1;
            next.ledger_epoch = 0;
            found.add(Step::LedgerForgets, Ok(next));
        }
        if self.asked < scope.requests {
            let mut next = *self;
            next.asked += 1;
            for engine in next.engines.iter_mut().filter(|engine| engine.run != 0) {
                (engine.gap, engine.asked) = (true, true);
            }
            found.add(Step::Asked, Ok(next));
        }
        for index in 0..self.network.len() {
            let request = self.network[index];
            let line = (request.run, request.connection);
            // A connection keeps its order.
            if !self.network[..index]
                .iter()
                .any(|other| (other.run, other.connection) == line)
            {
                self.arrive(scope, index, found);
            }
        }
    }

    fn may_expire(&self, scope: &Scope, entry: &Entry) -> bool {
        // A marker with nothing behind it: its own time counts, and without renewal that passes, too.
        !entry.warm || (!scope.has(Safeguard::RetiredKeptWarm) && entry.window.is_empty())
    }

    fn expire(&self, scope: &Scope, id: usize) -> Self {
        let mut next = *self;
        if next.entries[id].warm && scope.bounded {
            next.time_passes(scope);
        }
        next.entries[id] = Entry::default();
        next
    }

    /// So long that every request on its way has died, and every lease that was not renewed is over.
    pub fn time_passes(&mut self, scope: &Scope) {
        self.network = List::default();
        for slot in 0..self.engines.len() {
            let engine = &mut self.engines[slot];
            engine.lease_over = engine.run != 0;
            if engine.in_flight() > 0 {
                self.connection_lost(scope, slot);
            }
        }
    }

    /// The window shrinks to one batch, and what is cold is not loaded again.
    fn restart(&self, found: &mut Found) {
        let mut next = *self;
        for entry in &mut next.entries {
            if !entry.warm {
                *entry = Entry::default();
            } else if entry.window.len() == 2 {
                let _ = entry.window.remove(0);
            }
        }
        if next != *self {
            found.add(Step::Restart, Ok(next));
        }
    }

    /// The coordinator writes a marker that it decided on.
    fn mark(&self, id: usize) -> Self {
        let mut next = *self;
        let entry = &mut next.entries[id];
        let (epoch, commit) = match std::mem::take(&mut next.pending[id]) {
            Pending::Commit(epoch) => (epoch, true),
            Pending::Abort(epoch) => (epoch, false),
            Pending::Nothing => return next,
        };
        // At the same epoch the sequence stays, if it is still remembered.
        if entry.epoch != epoch {
            entry.window = List::default();
        }
        entry.epoch = epoch;
        entry.warm = true;
        next.log.push(Logged {
            producer: Producer {
                id: id as u8,
                epoch,
            },
            sequence: u8::from(commit),
            source: MARKER,
        });
        next
    }

    fn arrive(&self, scope: &Scope, index: usize, found: &mut Found) {
        let mut next = *self;
        let request = next.network.remove(index);
        let listener = self.engines.iter().position(|engine| {
            (engine.run, engine.connection) == (request.run, request.connection)
                && engine.in_flight() > 0
        });
        if let Some(slot) = listener
            && self.refused < scope.refusals
        {
            let mut next = next;
            next.refused += 1;
            next.answered(scope, slot, request.batch, Answer::Refused);
            found.add(Step::Arrives(request, Answer::Refused, true), Ok(next));
        }
        let answer = match next.produce(scope, &request) {
            Ok(answer) => answer,
            Err(harm) => {
                found.add(Step::Arrives(request, Answer::Appended, true), Err(harm));
                return;
            }
        };
        let Some(slot) = listener else {
            found.add(Step::Arrives(request, answer, true), Ok(next));
            return;
        };
        let mut heard = next;
        heard.answered(scope, slot, request.batch, answer);
        found.add(Step::Arrives(request, answer, true), Ok(heard));
        if self.lost < scope.lost {
            next.lost += 1;
            next.connection_lost(scope, slot);
            found.add(Step::Arrives(request, answer, false), Ok(next));
        }
    }

    /// Requests that a marker refuses for ever make no difference any more.
    pub fn forget_the_refused(&mut self, scope: &Scope) {
        if !scope.has(Safeguard::RetiredKeptWarm) || !scope.has(Safeguard::FreshProducer) {
            return;
        }
        for index in (0..self.network.len()).rev() {
            let request = self.network[index];
            let entry = &self.entries[usize::from(request.producer.id)];
            let awaited = self
                .engines
                .iter()
                .any(|engine| (engine.run, engine.connection) == (request.run, request.connection));
            let lasting = entry.warm && entry.window.is_empty();
            if lasting && entry.epoch > request.producer.epoch && !awaited {
                let _ = self.network.remove(index);
            }
        }
    }
}
