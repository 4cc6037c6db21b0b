//! A planned stop: what is in flight is answered, positions are written, and a clean identity is sealed for the next start.

use std::time::Duration;

use tokio::time::Instant;

use super::{Ended, Partition, Session};
use crate::{
    cluster::{End, ProducerIdentity},
    engine::{ledger::record::Entry, steps},
    events::Event,
};

/// A stop that takes longer leaves the rest to the next start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a stop waits for the markers of a fence, which come within milliseconds where the target is well.
const FENCE_PATIENCE: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn begin_draining(&mut self) {
        self.draining = Some(Instant::now());
        for partition in &mut self.partitions {
            partition.drop_unsent();
            if let Some(current) = partition.current.as_mut().filter(|_| partition.is_placed) {
                self.entries.extend(current.tell(partition.at, true));
            }
        }
        if self.shard == 0 {
            self.shared.events.send(Event::Draining {
                in_flight: self.shared.numbers.in_flight(),
            });
        }
    }

    /// Ends the session once everything is answered and written.
    pub(super) async fn finish_draining(&mut self) -> Option<Ended> {
        let late = self
            .draining
            .is_some_and(|since| since.elapsed() > PATIENCE);
        if late {
            return Some(Ended::Unsealed);
        }
        // A fence that is over by then lets the stop be sealed.
        let fencing = self.unfenced > 0
            && self
                .draining
                .is_some_and(|since| since.elapsed() < FENCE_PATIENCE);
        // A transaction that is left open holds back readers of committed records.
        if fencing
            || self.retirees.is_marking()
            || self.appending.is_some()
            || !self.partitions.iter().all(Partition::is_idle)
        {
            return None;
        }
        let moved = |partition: &Partition| partition.new_checkpoint(self.writer.number).is_some();
        if !self.entries.is_empty() || self.partitions.iter().any(moved) {
            self.last_heartbeat = None;
            self.flush();
            return None;
        }
        steps::reached("drained");
        Some(self.seal().await)
    }

    /// An empty commit at the same epoch in every partition written to: the broker remembers us from now on, whatever the age of the records.
    async fn seal(&mut self) -> Ended {
        let dirty = self.partitions.iter().any(|partition| partition.dirty);
        // The counts of a run that was shorter than a beat stand here alone.
        let last_beat = Entry::Heartbeat(self.heartbeat());
        let Some(ledger) = &mut self.ledger else {
            return Ended::Unsealed;
        };
        let number = self.writer.number;
        // A fence that is not over keeps its identity open. A partition that was not met yet holds nothing of ours.
        let others_open = ledger
            .state()
            .standing(crate::engine::ledger::state::Standing::Open)
            .iter()
            .any(|open| *open != number);
        if dirty || others_open {
            return match ledger.append(vec![last_beat, Entry::Ended]).await {
                Ok(()) => Ended::Unsealed,
                Err(lost) => Ended::Lost(lost),
            };
        }
        let written: Vec<_> = ledger
            .state()
            .partitions
            .iter()
            .filter(|(_, partition)| partition.has_run(number))
            .filter_map(|(&at, _)| ledger.state().name(at))
            .collect();
        let identity = ProducerIdentity {
            producer_id: self.writer.producer_id,
            producer_epoch: self.writer.producer_epoch,
        };
        let target = &self.shared.target;
        let marked = async {
            if !written.is_empty() {
                target
                    .add_partitions(&self.data_id, identity, &written)
                    .await?;
                target
                    .end_transaction(&self.data_id, identity, End::Commit)
                    .await?;
            }
            Ok::<_, crate::cluster::Error>(())
        };
        let entry = match tokio::time::timeout(PATIENCE, marked).await {
            Ok(Ok(())) => {
                steps::reached("seal-marked");
                Entry::Sealed { number }
            }
            Ok(Err(error)) => {
                self.shared.events.send(Event::Trouble {
                    text: format!(
                        "the stop could not be sealed, the next start shuts this run out: {error}"
                    ),
                });
                Entry::Ended
            }
            Err(_) => {
                // An open transaction holds back readers of committed records.
                let abort = target.end_transaction(&self.data_id, identity, End::Abort);
                drop(tokio::time::timeout(Duration::from_secs(2), abort).await);
                Entry::Ended
            }
        };
        let sealed = matches!(entry, Entry::Sealed { .. });
        match ledger.append(vec![last_beat, entry]).await {
            Ok(()) if sealed => {
                steps::reached("seal-recorded");
                Ended::Sealed
            }
            Ok(()) => Ended::Unsealed,
            Err(lost) => Ended::Lost(lost),
        }
    }
}
