//! Partitions that stand still: what the ledger and the user are told of it, and when it is over.

use super::{Phase, Reason, Session, start};
use crate::{
    engine::{ledger::record::Entry, ways},
    events::Event,
};

impl Session {
    /// Lets a partition finish what it took in, then stops it.
    pub(super) fn stop_partition(&mut self, index: usize, reason: Reason) {
        let partition = &mut self.partitions[index];
        match partition.phase {
            Phase::Stopped(_) | Phase::Stopping(_) => {}
            // Nobody waits for it.
            _ if self.left.contains(&index) => partition.phase = Phase::Left,
            _ => partition.phase = Phase::Stopping(reason),
        }
    }

    /// Partitions that were to stop and have nothing left to write.
    pub(super) fn stop_what_is_done(&mut self) {
        for partition in &mut self.partitions {
            let Phase::Stopping(reason) = &partition.phase else {
                continue;
            };
            if !partition.is_idle() {
                continue;
            }
            let reason = reason.clone();
            // A person who gives something up does so from exactly here.
            self.entries
                .extend(partition.where_it_stands(self.writer.number));
            let stopped = partition.stopped(&reason);
            let here = |from: &&i64| **from == stopped.source;
            let before = ways::Before {
                here: partition.decided.iter().filter(here).count(),
                recopies: partition.recopies,
                kept: partition.kept,
            };
            let mut choices = ways::choices(&partition.name, &stopped, before);
            if self.shared.other.is_some() {
                ways::without_recopy(&mut choices);
            }
            self.shared.events.send(Event::PartitionStopped {
                topic: partition.name.topic.to_string(),
                partition: partition.name.partition,
                code: stopped.code.clone(),
                reason: stopped.reason.clone(),
                source_offset: stopped.source,
                goes_on_at: stopped.beyond.map(|beyond| beyond.source),
                since_ms: stopped.since_ms,
                choices,
            });
            self.entries.push(Entry::Stopped {
                at: partition.at,
                stopped,
            });
            partition.stopped_before = None;
            partition.phase = Phase::Stopped(reason);
        }
    }

    /// A partition that had stopped in an earlier run goes on once it got past that place, or has nothing to copy there.
    pub(super) fn resume_what_goes_on(&mut self) {
        for partition in &mut self.partitions {
            let Some(before) = &partition.stopped_before else {
                continue;
            };
            let is_past = partition.phase == Phase::Copying
                && (partition.source > before.source
                    || partition.is_idle()
                        && partition
                            .last_stable
                            .is_some_and(|end| partition.source >= end));
            if is_past {
                partition.stopped_before = None;
                self.entries.push(Entry::Resumed { at: partition.at });
            }
        }
    }

    /// Partitions that stopped over what the target's tail does not show again: so the ledger must.
    pub(super) fn broken(&self) -> Vec<Entry> {
        let broken = self.partitions.iter().filter_map(|partition| {
            let (Phase::Stopping(reason) | Phase::Stopped(reason)) = &partition.phase else {
                return None;
            };
            start::NOT_SEEN_AGAIN
                .contains(&reason.code)
                .then(|| Entry::Stopped {
                    at: partition.at,
                    stopped: partition.stopped(reason),
                })
        });
        broken.collect()
    }
}
