//! The ledger: what its partition does with an append, what the engine concludes, and what its records say in all.

use super::{
    Batch, Ledger, Run, Standing, State,
    engine::Engine,
    scope::{Safeguard, Scope},
    search::Found,
    words::{Said, Step},
};

/// What the ledger's partition does with an append.
enum Taken {
    Appended,
    /// Answered as if it were appended: somebody used this sequence before.
    Duplicate,
    Refused,
}

impl State {
    /// One record to the ledger, in one step: `change` is what it says, `then` what the engine does once it is acknowledged.
    pub fn append(
        &self,
        scope: &Scope,
        slot: usize,
        found: &mut Found,
        said: Said,
        change: impl Fn(&mut Ledger),
        then: impl FnOnce(&mut Engine),
    ) {
        let mut next = *self;
        let claims = said == Said::Claims;
        let counts = claims || (said == Said::Snapshots && !scope.has(Safeguard::SnapshotNoClaim));
        let run = next.engines[slot].run;
        let taken = next.ledger_takes(scope, slot, claims);
        if let Taken::Appended = taken {
            if counts || next.ledger.claim == run || !scope.has(Safeguard::GenerationFilter) {
                change(&mut next.ledger);
            }
            for (other, engine) in next.engines.iter_mut().enumerate() {
                engine.gap |= other != slot && engine.run != 0;
            }
        }
        let overtaken = next.ledger.claim != run;
        let engine = &mut next.engines[slot];
        let gap = std::mem::take(&mut engine.gap) && scope.has(Safeguard::Contiguity);
        let asked = std::mem::take(&mut engine.asked) && !scope.has(Safeguard::RequestIsNobodys);
        if asked && matches!(taken, Taken::Refused) && !overtaken {
            // Looks what became of its record, finds one that is new, and takes it for its own.
            change(&mut engine.view);
            engine.lease_over = false;
            then(engine);
            found.add(Step::Did(run, said), Ok(next));
            return;
        }
        if matches!(taken, Taken::Refused) || (matches!(taken, Taken::Appended) && gap && overtaken)
        {
            *engine = Engine::default();
            found.add(
                Step::TakenOver(run, said, !matches!(taken, Taken::Refused)),
                Ok(next),
            );
            return;
        }
        change(&mut engine.view);
        if gap && !claims {
            // The gap was read.
            engine.view = next.ledger;
        }
        engine.lease_over = false;
        then(engine);
        found.add(Step::Did(run, said), Ok(next));
    }

    fn ledger_takes(&mut self, scope: &Scope, slot: usize, claims: bool) -> Taken {
        let engine = &mut self.engines[slot];
        if !scope.has(Safeguard::LedgerEpochBump) {
            let sequence = engine.ledger_next;
            engine.ledger_next += 1;
            return match self.ledger_end.checked_sub(sequence) {
                Some(0) => {
                    self.ledger_end += 1;
                    Taken::Appended
                }
                // A claim is looked for in what was read, by its random number.
                Some(1..=5) if !claims => Taken::Duplicate,
                _ => Taken::Refused,
            };
        }
        // Runs are numbered by their epochs. A higher epoch has to begin at 0, which only its claim does.
        if self.ledger_epoch == 0
            || self.ledger_epoch == engine.run
            || (claims && self.ledger_epoch < engine.run)
        {
            self.ledger_epoch = engine.run;
            Taken::Appended
        } else {
            Taken::Refused
        }
    }

    /// What the ledger says is written once more, so that what stands before can be deleted.
    pub fn snapshot(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let known = self.engines[slot].view;
        self.append(
            scope,
            slot,
            found,
            Said::Snapshots,
            |ledger| ledger.restate(&known),
            |_| {},
        );
        // Nobody can tell it from the state before, if nothing went wrong.
    }
}

impl Ledger {
    pub fn source_of(&self, identity: u8, sequence: u8) -> Option<u8> {
        let mut runs = self
            .runs
            .iter()
            .filter(|run| run.identity == identity && run.sequence <= sequence);
        runs.next_back()
            .map(|run| run.source + sequence - run.sequence)
    }

    pub fn has_run(&self, identity: u8) -> bool {
        self.runs.iter().any(|run| run.identity == identity)
    }

    pub fn knows(&self, identity: u8, batch: Batch) -> bool {
        batch
            .records()
            .all(|(sequence, source)| self.source_of(identity, sequence) == Some(source))
    }

    /// Writes the runs that a batch needs.
    pub fn declare(&mut self, identity: u8, batch: Batch) {
        for (sequence, source) in batch.records() {
            if self.source_of(identity, sequence) == Some(source) {
                continue;
            }
            while self
                .runs
                .last()
                .is_some_and(|last| (last.identity, last.sequence) >= (identity, sequence))
            {
                let _ = self.runs.remove(self.runs.len() - 1);
            }
            self.runs.push(Run {
                identity,
                sequence,
                source,
            });
        }
    }

    pub fn stands(&mut self, identity: u8, standing: Standing) {
        self.identities[usize::from(identity)].standing = standing;
    }

    /// Every identity but this one is fenced; their runs are needed for the map alone.
    pub fn close_others(&mut self, identity: u8) {
        for (number, other) in (0..).zip(&mut self.identities) {
            if number != identity && other.standing != Standing::Unused {
                other.standing = Standing::Fenced;
            }
        }
        while self
            .runs
            .first()
            .is_some_and(|run| run.identity != identity)
        {
            let _ = self.runs.remove(0);
        }
    }

    /// What the writer of a snapshot knows, said once more.
    fn restate(&mut self, known: &Self) {
        self.claim = known.claim;
        self.checkpoint = known.checkpoint;
        for run in known.runs.iter() {
            let source = [run.source, 0];
            self.declare(
                run.identity,
                Batch {
                    first: run.sequence,
                    len: 1,
                    source,
                },
            );
        }
        for (mine, theirs) in self.identities.iter_mut().zip(&known.identities) {
            if theirs.standing != Standing::Unused {
                *mine = *theirs;
            }
        }
    }
}
