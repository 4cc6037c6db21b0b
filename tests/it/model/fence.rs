//! How an engine comes by a fresh identity: shuts out every predecessor that may have written, waits for the markers, reads the tail.

use super::{
    IDS, Identity, MARKER, Pending, Producer, Standing, State,
    engine::Phase,
    scope::{Safeguard, Scope},
    search::Found,
    words::{Said, Step},
};

/// The epochs that the markers of the identities being fenced will carry; 0: not being fenced.
pub type Fences = [u8; IDS];

impl State {
    /// Old requests arrive now or never, and nobody whose last append is older may send.
    pub fn wait_out(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let mut next = *self;
        next.time_passes(scope);
        next.engines[slot].phase = Phase::Bump;
        found.add(Step::Did(self.engines[slot].run, Said::WaitsOut), Ok(next));
    }

    /// InitProducerId on each predecessor that may have written, and on a fresh transactional id.
    pub fn bump(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let mut next = *self;
        let mut waits = false;
        let engine = &mut next.engines[slot];
        for number in 0..IDS {
            let Identity { producer, standing } = engine.view.identities[number];
            let fresh = engine.named && number == usize::from(engine.identity);
            engine.fences[number] = 0;
            if standing != Standing::Open || fresh || !engine.view.has_run(number as u8) {
                continue;
            }
            if !scope.barrier || !scope.has(Safeguard::FenceFirst) {
                continue;
            }
            let id = usize::from(producer.id);
            if next.pending[id] != Pending::Nothing {
                return;
            }
            if self.forgotten & 1 << id != 0 {
                // It gives another producer id, whose marker would fence nobody.
                waits |= scope.has(Safeguard::WaitOut);
                continue;
            }
            next.epochs[id] += 1;
            engine.fences[number] = next.epochs[id];
        }
        if !engine.named {
            let used = engine.view.identities.iter();
            engine.identity = used
                .filter(|identity| identity.standing != Standing::Unused)
                .count() as u8;
            let same = engine.fences.iter().rposition(|&epoch| epoch != 0);
            match same {
                Some(number) if !scope.has(Safeguard::FreshProducer) => {
                    engine.producer = engine.view.identities[number].producer;
                    engine.producer.epoch = engine.fences[number];
                }
                _ => {
                    let id = usize::from(engine.identity);
                    if id == IDS {
                        found.capped += 1;
                        return;
                    }
                    next.epochs[id] += 1;
                    engine.producer = Producer {
                        id: id as u8,
                        epoch: next.epochs[id],
                    };
                }
            }
        }
        if usize::from(engine.identity) == IDS {
            found.capped += 1;
            return;
        }
        engine.phase = if engine.named {
            Phase::Abort
        } else {
            Phase::Name
        };
        let said = Said::Bumps(engine.fences, engine.producer);
        let run = engine.run;
        if waits {
            next.time_passes(scope);
        }
        if next.engines[slot].phase == Phase::Name && !scope.has(Safeguard::IdentityAhead) {
            next.engines[slot].named();
        }
        found.add(Step::Did(run, said), Ok(next));
    }

    pub fn name(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        self.append(
            scope,
            slot,
            found,
            Said::Names(engine.identity, engine.producer),
            |ledger| {
                if !scope.has(Safeguard::FenceRedo) {
                    let fenced = engine
                        .fences
                        .iter()
                        .zip(&mut ledger.identities)
                        .filter(|(epoch, _)| **epoch != 0);
                    fenced.for_each(|(_, identity)| identity.standing = Standing::Claimed);
                }
                let standing = Standing::Open;
                ledger.identities[usize::from(engine.identity)] = Identity {
                    producer: engine.producer,
                    standing,
                };
            },
            |engine| engine.named(),
        );
    }

    /// AddPartitionsToTxn and EndTxn abort on every predecessor: the markers come later.
    pub fn abort(&self, slot: usize, found: &mut Found) {
        let mut next = *self;
        let engine = &mut next.engines[slot];
        let run = engine.run;
        for (number, &epoch) in engine
            .fences
            .iter()
            .enumerate()
            .filter(|(_, epoch)| **epoch != 0)
        {
            let id = usize::from(engine.view.identities[number].producer.id);
            if next.epochs[id] != epoch {
                // Somebody bumped in between: first a word to the ledger, then again.
                engine.phase = Phase::Intent;
                found.add(Step::Did(run, Said::AbortRefused), Ok(next));
                return;
            }
            next.pending[id] = Pending::Abort(epoch);
        }
        engine.phase = Phase::Recover;
        found.add(Step::Did(run, Said::Aborts(engine.fences)), Ok(next));
    }

    /// Reads the tail, once every marker is in it: where the partition goes on.
    pub fn recover(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        let fences = engine.fences.iter().zip(&engine.view.identities);
        let seen = fences
            .filter(|(epoch, _)| **epoch != 0)
            .all(|(&epoch, identity)| {
                let marker = Producer {
                    id: identity.producer.id,
                    epoch,
                };
                self.log
                    .iter()
                    .any(|logged| logged.producer == marker && logged.source == MARKER)
            });
        if !seen && scope.has(Safeguard::MarkerWait) {
            return;
        }
        let from = engine.view.checkpoint;
        let mut position = from.source;
        let mut tail = 0;
        for logged in self
            .log
            .iter()
            .skip(usize::from(from.target))
            .filter(|logged| logged.source != MARKER)
        {
            let ours = engine.view.identities.iter().position(|identity| {
                identity.producer == logged.producer
                    && matches!(identity.standing, Standing::Open | Standing::Claimed)
            });
            let Some(number) = ours else { continue };
            let Some(source) = engine.view.source_of(number as u8, logged.sequence) else {
                // No run explains it: a real engine stops here for a person.
                return;
            };
            tail |= 1 << source;
            position = source + 1;
        }
        let mut next = *self;
        let engine = &mut next.engines[slot];
        engine.begin(0, position);
        engine.origin = self.log.len() as u8;
        engine.owes_checkpoint = true;
        engine.owes_fenced = true;
        if scope.has(Safeguard::MapTheTail) {
            engine.unmapped = tail;
        }
        found.add(Step::Did(engine.run, Said::Recovers(position)), Ok(next));
    }
}
