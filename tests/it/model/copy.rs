//! What an engine does once it has an identity: cuts batches, writes their runs, sends, checkpoints, seals.

use super::{
    Batch, Checkpoint, Harm, Logged, MARKER, Pending, Request, State,
    engine::{Engine, Phase, Queued},
    scope::{Safeguard, Scope},
    search::Found,
    words::{Said, Step},
};

impl State {
    /// Everything an engine that copies may do next.
    pub fn copy(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        if engine.in_flight() > 0 && self.lost < scope.lost {
            let mut next = *self;
            next.lost += 1;
            next.connection_lost(scope, slot);
            found.add(Step::Did(engine.run, Said::ConnectionLost), Ok(next));
        }
        if engine.phase == Phase::Tail {
            if engine.in_flight() == 0 {
                found.add(
                    Step::Did(engine.run, Said::ReadsTail),
                    Ok(self.read_tail(scope, slot)),
                );
            }
            return;
        }
        if engine.owed.len > 0 {
            self.append(
                scope,
                slot,
                found,
                Said::WritesRun(engine.owed),
                |ledger| {
                    ledger.declare(engine.identity, engine.owed);
                },
                |engine| engine.owed = Batch::default(),
            );
            return;
        }
        if engine.lease_over {
            self.append(scope, slot, found, Said::Beats, |_| {}, |_| {});
        }
        let early = !scope.has(Safeguard::CheckpointBeforeFenced);
        if engine.owes_fenced && (!engine.owes_checkpoint || early) {
            self.append(
                scope,
                slot,
                found,
                Said::Fenced,
                |ledger| ledger.close_others(engine.identity),
                |engine| engine.owes_fenced = false,
            );
        }
        if scope.snapshots {
            self.snapshot(scope, slot, found);
        }
        self.cut(scope, slot, found);
        self.send(scope, slot, found);
        if engine.queue.is_empty() || scope.checkpoints || engine.owes_checkpoint {
            self.settle(scope, slot, found);
        }
    }

    /// Fetches the next batch, and writes its runs where sequence and offset part.
    fn cut(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        if engine.queue.len() >= scope.depth || engine.hold {
            return;
        }
        let mut batch = Batch {
            first: engine.next,
            ..Batch::default()
        };
        for source in self.records_from(scope, engine.position).take(scope.batch) {
            batch.source[usize::from(batch.len)] = source;
            batch.len += 1;
            let queue = move |engine: &mut Engine| {
                engine.next = batch.next();
                engine.position = batch.last_source() + 1;
                engine.queue.push(Queued::new(batch));
            };
            if engine.view.knows(engine.identity, batch) || !scope.has(Safeguard::RunsAhead) {
                let mut next = *self;
                queue(&mut next.engines[slot]);
                if !engine.view.knows(engine.identity, batch) {
                    next.engines[slot].owed = batch;
                    // It is sent at once, and its run is written afterwards.
                    next.send(scope, slot, found);
                } else {
                    found.add(Step::Did(engine.run, Said::Fetches(batch)), Ok(next));
                }
            } else {
                self.append(
                    scope,
                    slot,
                    found,
                    Said::WritesRun(batch),
                    |ledger| {
                        ledger.declare(engine.identity, batch);
                    },
                    queue,
                );
            }
        }
    }

    /// Sends the first batch that is not in flight.
    fn send(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        let Some(index) = engine.queue.iter().position(Queued::waits) else {
            return;
        };
        let batch = engine.queue[index].batch;
        if !engine.depth_allows(scope, batch) || self.network.is_full() {
            return;
        }
        let mut next = *self;
        if engine.dirty && !scope.is_warm(batch) && scope.has(Safeguard::FenceColdWhileDirty) {
            if engine.in_flight() == 0 {
                next.engines[slot].fence();
                found.add(Step::Did(engine.run, Said::ColdWhileDirty), Ok(next));
            }
            return;
        }
        if engine.lease_over && scope.has(Safeguard::Lease) {
            return;
        }
        let request = Request {
            run: engine.run,
            connection: engine.connection,
            producer: engine.producer,
            batch,
        };
        next.engines[slot].queue[index].in_flight = true;
        next.network.push(request);
        let result = if scope.meanings && self.contradicts(&request) {
            Err(Harm::TwoMeanings)
        } else {
            Ok(next)
        };
        found.add(Step::Did(engine.run, Said::Sends(batch)), result);
    }

    /// Does anything that still exists give one of its sequences another meaning?
    fn contradicts(&self, request: &Request) -> bool {
        let logged = self.log.iter().filter(|logged| logged.source != MARKER);
        let logged = logged.map(|logged| (logged.producer, logged.sequence, logged.source));
        let sent = self.network.iter().flat_map(|other| {
            let producer = other.producer;
            let records = other.batch.records();
            records.map(move |(sequence, source)| (producer, sequence, source))
        });
        logged.chain(sent).any(|(producer, sequence, source)| {
            producer == request.producer
                && request
                    .batch
                    .records()
                    .any(|(mine, from)| mine == sequence && from != source)
        })
    }

    /// Checkpoints, and the seal at a planned stop.
    fn settle(&self, scope: &Scope, slot: usize, found: &mut Found) {
        let engine = &self.engines[slot];
        let checkpoint = Checkpoint {
            identity: engine.identity,
            next: engine.acked,
            source: engine.acked_position,
            target: self.behind(engine).unwrap_or(engine.origin),
        };
        if engine.owes_checkpoint || (scope.checkpoints && checkpoint != engine.view.checkpoint) {
            let mapped = if scope.has(Safeguard::CheckpointAfterMap) {
                engine.unmapped
            } else {
                0
            };
            self.append(
                scope,
                slot,
                found,
                Said::Checkpoints(checkpoint.source),
                |ledger| {
                    ledger.checkpoint = checkpoint;
                    ledger.mapped |= mapped;
                },
                |engine| {
                    engine.owes_checkpoint = false;
                    engine.unmapped &= !mapped;
                    if engine.unmapped != 0 {
                        engine.phase = Phase::Map
                    }
                },
            );
        }
        let clean = !engine.dirty || !scope.has(Safeguard::DirtyNotSealed);
        let used = engine.view.has_run(engine.identity);
        if scope.seals && clean && used && engine.queue.is_empty() && !engine.owes_fenced {
            self.append(
                scope,
                slot,
                found,
                Said::Commits(checkpoint.source),
                |ledger| {
                    ledger.checkpoint = checkpoint;
                    ledger.mapped |= engine.unmapped;
                },
                |engine| engine.phase = Phase::Seal,
            );
            if let Some((_, Ok(next))) = found.steps.last_mut()
                && next.engines[slot].phase == Phase::Seal
            {
                let id = usize::from(engine.producer.id);
                if next.epochs[id] == engine.producer.epoch && next.pending[id] == Pending::Nothing
                {
                    next.pending[id] = Pending::Commit(engine.producer.epoch);
                } else {
                    next.engines[slot] = Engine::default();
                }
            }
        }
    }

    /// Target offset behind the last record that was acknowledged to us.
    fn behind(&self, engine: &Engine) -> Option<u8> {
        let ours = |logged: &Logged| {
            logged.producer == engine.producer
                && logged.source != MARKER
                && logged.sequence < engine.acked
        };
        self.log.iter().rposition(ours).map(|last| last as u8 + 1)
    }
}
