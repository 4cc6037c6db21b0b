//! What the other direction wrote to what is read: its ledger tells who a stranger is, and what it acknowledged is jumped over.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Done, Phase, Session};
use crate::engine::{
    lanes::{Lane, Range},
    ledger::read::LedgerError,
    steps,
};

/// Pause before a ledger that could not be read is read again.
const PAUSE: Duration = Duration::from_millis(500);
/// While the other direction writes to a partition, and nobody else does, it is looked at so often.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How much is asked for at such a look, in bytes: what is there is most likely a copy whose acknowledgement is on its way.
pub(super) const LOOK_BYTES: i32 = 4 << 10;

/// Strangers that are asked about.
#[derive(Default)]
pub(super) struct Hearing {
    waiting: Vec<(usize, i64)>,
    is_reading: bool,
    /// That it cannot be read was told.
    is_told: bool,
}

impl Session {
    /// Asks who wrote what comes next in a partition. It waits until the ledger was read from now on.
    pub(super) fn ask_about(&mut self, index: usize, producer_id: i64) {
        self.partitions[index].waits_to_hear = true;
        self.hearing.waiting.push((index, producer_id));
        self.read_other(Duration::ZERO);
    }

    /// One reading answers everything that was asked before it began.
    fn read_other(&mut self, pause: Duration) {
        let Some(other) = self.judge.other().cloned() else {
            return;
        };
        if self.hearing.is_reading || self.hearing.waiting.is_empty() {
            return;
        }
        self.hearing.is_reading = true;
        let of = std::mem::take(&mut self.hearing.waiting);
        self.beside.push(Box::pin(async move {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let read = other.catch_up().await;
            Done::Heard { of, read }
        }));
    }

    pub(super) fn heard(&mut self, of: Vec<(usize, i64)>, read: Result<(), LedgerError>) {
        self.hearing.is_reading = false;
        match read {
            Ok(()) => {
                steps::reached("other-ledger-read");
                self.hearing.is_told = false;
                self.judge.heard_of(of.iter().map(|(_, id)| *id));
                for (index, _) in of {
                    self.partitions[index].waits_to_hear = false;
                }
                self.read_other(Duration::ZERO);
            }
            Err(error) => {
                if !std::mem::replace(&mut self.hearing.is_told, true) {
                    self.trouble(format!(
                        "whether new records are applications' or copies cannot be learnt for the moment, and they wait: {error}"
                    ));
                }
                self.hearing.waiting.extend(of);
                self.read_other(PAUSE);
            }
        }
    }

    /// Jumps over what the other direction was told stands next, where the leader is still the one that told.
    pub(super) fn jump(&mut self) {
        if self.shared.their_lanes.is_none() || self.draining.is_some() || self.paused {
            return;
        }
        for partition in &mut self.partitions {
            if partition.phase != Phase::Copying {
                continue;
            }
            let Some(lane) = partition.their_lane.clone() else {
                continue;
            };
            while let Some(range) = lane.at(partition.fetch_offset) {
                let leader = self.shared.source.cached_leader(&partition.name);
                let leads = leader.map(|(_, epoch)| epoch);
                if !still_stands(&range, leads, partition.last_epoch) {
                    break;
                }
                partition.jump(range);
                self.dropped.jumps += 1;
                steps::reached("jumped");
            }
        }
    }
}

/// Does what was acknowledged under a leader epoch still stand, as far as is known here? Another leader may never have had it, and who wrote
/// where it stood is found out by reading. `leads`: the epoch of who leads now; `read`: that of the last batch that was read.
fn still_stands(range: &Range, leads: Option<i32>, read: i32) -> bool {
    leads == Some(range.leader_epoch) && range.leader_epoch >= read
}

/// May a partition be asked for records now, and how many bytes? `None`: the other direction writes to it, and it was looked at a moment ago.
pub(super) fn asks_for(
    lane: Option<&Lane>,
    looked: Option<(Instant, i64)>,
    offset: i64,
    now: Instant,
    each: i32,
) -> Option<i32> {
    let (Some(lane), Some((since, at))) = (lane, looked) else {
        return Some(each);
    };
    if !lane.is_at_work() {
        return Some(each);
    }
    if now < since + LOOK_EVERY {
        return None;
    }
    // What was not seen in a little is looked at in full.
    Some(if at == offset {
        each
    } else {
        each.min(LOOK_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_jumped_over_that_another_leader_may_never_have_had() {
        let range = Range {
            from: 40,
            to: 60,
            leader_epoch: 3,
            producer_id: 7,
            epoch: 0,
            next_sequence: 20,
        };
        assert!(still_stands(&range, Some(3), 3));
        assert!(still_stands(&range, Some(3), 2), "nothing of it was read");
        assert!(!still_stands(&range, Some(4), 3), "there is another leader");
        assert!(
            !still_stands(&range, Some(2), 2),
            "here it is not known yet"
        );
        assert!(!still_stands(&range, None, 3), "nobody leads");
        assert!(
            !still_stands(&range, Some(3), 4),
            "another leader's was read already"
        );
    }
}
