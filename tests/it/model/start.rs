//! How an engine starts: claims the ledger, reads it, and continues a sealed identity, or fences the open ones, or begins.

use super::{
    Standing, State,
    engine::{Engine, Phase},
    fence::Fences,
    scope::{Safeguard, Scope},
    search::Found,
    words::{Said, Step},
};

impl State {
    /// A start, in a free place or in that of an engine that is killed.
    pub fn start(&self, scope: &Scope, found: &mut Found) {
        if self.starts == scope.starts {
            return;
        }
        let free = self.engines.iter().position(|engine| engine.run == 0);
        let places = free.map_or(0..self.engines.len(), |free| free..free + 1);
        for slot in places {
            let mut next = *self;
            next.starts += 1;
            let run = next.starts;
            next.engines[slot] = Engine {
                run,
                phase: Phase::Started,
                ..Engine::default()
            };
            found.add(Step::Starts(run, self.engines[slot].run), Ok(next));
        }
    }

    /// Everything an engine may do next.
    pub fn step(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        match engine.phase {
            Phase::Dead => {}
            Phase::Started if !scope.has(Safeguard::ClaimBeforeRead) => {
                let mut next = *self;
                next.engines[slot].view = self.ledger;
                next.engines[slot].phase = Phase::Read;
                next.engines[slot].ledger_next = self.ledger_end;
                found.add(Step::Did(engine.run, Said::ReadsLedger), Ok(next));
            }
            Phase::Started | Phase::Read => self.claim(scope, slot, found),
            Phase::Continue => self.append(
                scope,
                slot,
                found,
                Said::Continues(engine.identity),
                |ledger| ledger.stands(engine.identity, Standing::Open),
                |engine| engine.phase = Phase::Copy,
            ),
            Phase::Intent => self.append(
                scope,
                slot,
                found,
                Said::Intends,
                |_| {},
                |engine| {
                    engine.phase = if scope.barrier {
                        Phase::Bump
                    } else {
                        Phase::Wait
                    };
                },
            ),
            Phase::Wait => self.wait_out(scope, slot, found),
            Phase::Bump => self.bump(scope, slot, found),
            Phase::Name => self.name(scope, slot, found),
            Phase::Abort => self.abort(slot, found),
            Phase::Recover => self.recover(scope, slot, found),
            Phase::Copy | Phase::Tail => self.copy(scope, slot, found),
            Phase::Map => self.append(
                scope,
                slot,
                found,
                Said::Maps,
                |ledger| {
                    ledger.mapped |= engine.unmapped;
                },
                |engine| {
                    engine.unmapped = 0;
                    engine.phase = Phase::Copy;
                },
            ),
            Phase::Seal => self.append(
                scope,
                slot,
                found,
                Said::Seals(engine.identity),
                |ledger| {
                    ledger.stands(engine.identity, Standing::Sealed);
                },
                |engine| *engine = Engine::default(),
            ),
        }
    }

    fn claim(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let run = self.engines[slot].run;
        let mut before = *self;
        if self.engines[slot].phase == Phase::Started {
            before.engines[slot].ledger_next = self.ledger_end;
            // What stands before the claim is read with it.
            before.engines[slot].view = self.ledger;
        }
        before.append(
            scope,
            slot,
            found,
            Said::Claims,
            |ledger| ledger.claim = run,
            |engine| {
                engine.decide(scope);
            },
        );
    }
}

impl Engine {
    /// What to do after the claim: continue a sealed identity, or fence, or begin.
    fn decide(&mut self, scope: &Scope) {
        let checkpoint = self.view.checkpoint;
        let standing = |wanted| {
            self.view
                .identities
                .iter()
                .position(move |identity| identity.standing == wanted)
        };
        match (standing(Standing::Open), standing(Standing::Sealed)) {
            (None, Some(sealed)) => {
                self.identity = sealed as u8;
                self.producer = self.view.identities[sealed].producer;
                self.begin(checkpoint.next, checkpoint.source);
                if scope.has(Safeguard::ContinuedAhead) {
                    self.phase = Phase::Continue;
                }
            }
            (Some(_), _) if !scope.barrier && scope.has(Safeguard::WaitOut) => {
                self.phase = Phase::Wait
            }
            _ => self.phase = Phase::Bump,
        }
    }

    /// The fresh identity stands in the ledger.
    pub fn named(&mut self) {
        self.named = true;
        let mut others = self
            .view
            .identities
            .iter()
            .filter(|other| other.producer != self.producer);
        if self.fences.iter().any(|epoch| *epoch != 0) {
            self.phase = Phase::Abort;
        } else if others.any(|other| other.standing != Standing::Unused) {
            self.phase = Phase::Recover;
        } else {
            // Nothing was ever written.
            self.begin(0, self.view.checkpoint.source);
        }
    }

    /// Copies from here, under the identity it has.
    pub fn begin(&mut self, next: u8, position: u8) {
        self.phase = Phase::Copy;
        (self.next, self.acked) = (next, next);
        (self.position, self.acked_position) = (position, position);
        self.unmapped = 0;
        self.origin = self.view.checkpoint.target;
        self.owes_checkpoint = false;
        self.owes_fenced = false;
        self.dirty = false;
        self.remembered = false;
        self.last_cold = false;
        self.tail_read = false;
        self.named = false;
        self.fences = Fences::default();
    }
}
