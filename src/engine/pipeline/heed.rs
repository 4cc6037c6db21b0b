//! Heeds what somebody asked for through the ledger: pause, resume, another limit; and answers once it is so.

use super::{Session, partition::Partition};
use crate::{
    clock,
    engine::{
        groups::desk::KEEPER,
        ledger::record::{Answer, Entry, Limit, Request, Steer},
        steer::{CARRIES, CARRIES_NONE},
    },
    events::Event,
    model::direction::Direction,
};

/// The shard whose ledger decides what all shards of a process share, and that tells.
const SPOKESMAN: u32 = 0;

impl Session {
    /// Looks at what the ledger says is wanted. Nothing happens while the ledger is being written: it is looked at again afterwards.
    pub(super) fn heed(&mut self) {
        let Some(ledger) = &self.ledger else {
            return;
        };
        let state = ledger.state();
        let is_paused = state.is_paused();
        let by = state.pause.as_ref().map(|last| last.request.by.clone());
        let limit = match state.throttle.as_ref().map(|last| &last.request.steer) {
            Some(Steer::Throttle(limit)) => *limit,
            _ => Limit::Settings,
        };
        let throttled_by = state.throttle.as_ref().map(|last| last.request.by.clone());
        if let Some(by) = state.stopped_by() {
            self.shared.steering.stop(by.to_owned());
        }
        self.unanswered = state
            .unanswered
            .iter()
            .map(|one| one.request.clone())
            .collect();
        if self.shard == KEEPER {
            let asked = self.unanswered.iter();
            let asked = asked.filter(|request| {
                matches!(
                    request.steer,
                    Steer::Authority { .. } | Steer::Writes { .. }
                )
            });
            self.shared.desk.ask(asked.cloned().collect());
        }
        // Pace and pauses are asked of the way there; the way back goes along. Who has authority is asked of each.
        if self.shared.direction == Direction::Reverse {
            self.paused = self.shared.steering.reason().is_some();
            return;
        }
        if self.shard == SPOKESMAN {
            let steering = &self.shared.steering;
            steering.pause(by.clone().filter(|_| is_paused));
            steering.throttle(limit);
            if is_paused != self.paused {
                let by = by.as_deref().unwrap_or_default();
                self.steered(if is_paused {
                    format!("paused by {by}: nothing more is read until `kafka-migrate resume`")
                } else {
                    format!("resumed by {by}")
                });
            }
            if limit != self.limit {
                let by = throttled_by.as_deref().unwrap_or_default();
                self.steered(format!("{limit} by {by}"));
            }
        }
        (self.paused, self.limit) = (is_paused, limit);
    }

    fn steered(&self, text: String) {
        self.shared.events.send(Event::Steered { text });
    }

    /// Answers to what is so by now.
    pub(super) fn answers(&mut self) -> Vec<Entry> {
        if self.unanswered.is_empty() {
            return Vec::new();
        }
        let still = self.fetches.are_idle() && self.partitions.iter().all(Partition::is_idle);
        let paused = self.paused;
        let attended = self.shared.desk.is_attended();
        let stranding = &self.stranding;
        let answered = self.unanswered.extract_if(.., |request| {
            // Whoever carries positions answers what is asked of them.
            if attended && matches!(request.steer, Steer::Authority { .. }) {
                return false;
            }
            if self.shared.follows_rules && matches!(request.steer, Steer::Writes { .. }) {
                return false;
            }
            if matches!(request.steer, Steer::Strand { .. }) {
                return stranding.get(&request.id) == Some(&true);
            }
            // A pause that was overtaken by a resume is answered as it is.
            request.steer != Steer::Pause || !paused || still
        });
        answered
            .map(|request| Entry::Answer(answer(&request, attended)))
            .collect()
    }
}

fn answer(request: &Request, attended: bool) -> Answer {
    let said = match &request.steer {
        Steer::Pause => "paused: what was read is written, nothing is in flight".to_owned(),
        Steer::Resume => "resumed".to_owned(),
        Steer::Stop => "comes to its end".to_owned(),
        Steer::Throttle(limit) => limit.to_string(),
        Steer::Attend if attended => CARRIES.to_owned(),
        Steer::Authority { .. } | Steer::Attend => CARRIES_NONE.to_owned(),
        Steer::Writes { .. } => "this engine does not carry access rules".to_owned(),
        Steer::Strand { .. } => "what was written there waits for a person".to_owned(),
    };
    Answer {
        id: request.id,
        said,
        at_ms: clock::unix_millis(),
    }
}
