//! What of a partition may be sent, and when: at most five batches are in flight while the broker surely remembers us; one otherwise.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fate, Item, Partition, Phase};
use crate::{engine::pipeline::warmth::Warmth, wire::batch::Stamped};

/// In flight at most, while the broker remembers us (`ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const DEPTH: usize = 5;
/// A partition that was refused so often in a row gives back the memory of what it has not sent.
pub const PATIENT_TRIES: u32 = 3;
/// So does one of which nothing could be sent for so long.
const BLOCKED: Duration = Duration::from_secs(2);

impl Partition {
    /// Gives up what was not sent; it is fetched again.
    pub fn drop_unsent(&mut self) {
        // Batches that were sent before and wait to be sent again are at the front: their bytes are kept, whatever happens.
        let sent = self.sent_before();
        let dropped: Vec<Item> = self.queue.drain(sent..).collect();
        if let Some(first) = dropped.first() {
            self.next_sequence = first.sequence;
            self.buffered -= dropped.iter().map(|item| item.batch.len()).sum::<usize>();
            self.fetch_offset = self
                .queue
                .back()
                .or(self.in_flight.back().map(|(item, _)| item))
                .map_or(self.source, |item| item.source_next);
            self.run = None;
            self.last_epoch = self
                .queue
                .back()
                .or(self.in_flight.back().map(|(item, _)| item))
                .map_or(self.source_epoch, |item| item.leader_epoch);
            self.epochs_differ |= self.epochs.cut_off(self.fetch_offset);
            self.echoes.back_to(self.fetch_offset);
        }
    }

    /// Batches at the front of the queue that were sent before.
    fn sent_before(&self) -> usize {
        self.queue
            .iter()
            .take_while(|item| item.sequence < self.highest_sent)
            .count()
    }

    /// May the next batch be sent now?
    pub fn may_send(&self, now: Instant, now_ms: i64, warmth: Warmth, recorded: u64) -> bool {
        let Some(next) = self.queue.front() else {
            return false;
        };
        if self.settling
            || !matches!(
                self.phase,
                Phase::Copying | Phase::Passing(_) | Phase::Stopping(_)
            )
            || next.mark > recorded
            || self.hold_until.is_some_and(|until| now < until)
        {
            return false;
        }
        if self.in_flight.is_empty() {
            return true;
        }
        self.in_flight.len() < DEPTH
            && self.remembered
            && warmth.is_warm(self.last_acknowledged, now_ms)
            && warmth.is_warm(next.max_timestamp, now_ms)
            && self
                .in_flight
                .iter()
                .all(|(item, _)| warmth.is_warm(item.max_timestamp, now_ms))
    }

    /// Is what is sent next too young for the target's own retention to delete it soon?
    pub fn is_next_young(&self, now_ms: i64) -> bool {
        self.queue.front().is_some_and(|next| {
            let oldest = self.too_old_ms.map(|age| now_ms.saturating_sub(age));
            // Without a time a broker goes by that of the file.
            next.max_timestamp < 0 || oldest.is_none_or(|oldest| next.max_timestamp >= oldest)
        })
    }

    /// Has the target's topic to be held open before the next batch is sent?
    pub fn waits_to_be_held(&self, now_ms: i64) -> bool {
        !self.takes_old && !self.queue.is_empty() && !self.is_next_young(now_ms)
    }

    /// Does sending the next batch, or waiting any longer, need another identity first? An old copy of ours may still be under way, and the
    /// broker may forget us.
    pub fn needs_fence(&self, now_ms: i64, warmth: Warmth) -> bool {
        self.dirty
            && (!warmth.is_warm(self.last_acknowledged, now_ms) && self.remembered
                || self
                    .queue
                    .front()
                    .is_some_and(|next| !warmth.is_warm(next.max_timestamp, now_ms)))
    }

    /// Hands out the next batch for sending, to the leader of this epoch.
    pub fn take_next(&mut self, leader_epoch: i32) -> Option<Stamped> {
        let mut item = self.queue.pop_front()?;
        item.sent_epoch = leader_epoch;
        if let Some(lane) = &self.our_lane {
            lane.sent();
        }
        self.blocked_since = None;
        self.highest_sent = self.highest_sent.max(item.sequence + u64::from(item.count));
        let batch = item.batch.clone();
        self.in_flight.push_back((item, Fate::Sent));
        Some(batch)
    }

    /// Has nothing of it been taken for so long that it must not hold memory that others need?
    pub fn is_blocked(&self, now: Instant) -> bool {
        self.tries > PATIENT_TRIES
            || self
                .blocked_since
                .is_some_and(|since| now - since > BLOCKED)
    }
}
