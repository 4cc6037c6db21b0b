//! Partitions that a person wants copied again: emptied on the target, then begun as at first contact.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    time::{Duration, sleep},
};

use super::{Done, Reason, Session, current::Current};
use crate::engine::{
    ledger::{
        epochs::Epochs,
        record::{Checkpoint, Entry, Seam},
        state,
    },
    recopy::{self, NotEmptied},
    recover::Position,
    steps,
};

/// Pause before a partition that could not be emptied yet is tried again.
const PAUSE: Duration = Duration::from_millis(500);

impl Session {
    /// Empties a partition of the target, once every fence that covers it is seen to be done.
    pub(super) fn copy_again(
        &mut self,
        index: usize,
        known: state::Partition,
        reading: &Arc<Semaphore>,
    ) {
        if let Some(reason) = self.cannot_be_fenced(index) {
            return self.stop_partition(index, reason);
        }
        let (source, target) = (self.shared.source.clone(), self.shared.target.clone());
        let (name, at) = (
            self.partitions[index].name.clone(),
            self.partitions[index].at,
        );
        let fences = self.fences.clone();
        let reading = reading.clone();
        self.beside.push(Box::pin(async move {
            loop {
                let turn = reading.acquire().await;
                let tried = recopy::empty(&source, &target, &name, at, &known, &fences).await;
                drop(turn);
                match tried {
                    Err(NotEmptied::NotYet) => sleep(PAUSE).await,
                    seam => return Done::Emptied { index, seam },
                }
            }
        }));
    }

    pub(super) fn emptied(&mut self, index: usize, seam: Result<Seam, NotEmptied>) {
        match seam {
            Ok(seam) => {
                steps::reached("recopy-emptied");
                let partition = &mut self.partitions[index];
                partition.epochs = Epochs::default();
                let checkpoint = Checkpoint {
                    identity: self.writer.number,
                    next_sequence: 0,
                    source: seam.source_start,
                    target: seam.target_end,
                    source_epoch: -1,
                };
                partition.origin = seam.source_start;
                partition.kept = seam.kept();
                partition.current = partition.current.take().map(Current::again);
                // How far the old copy was is no measure of this one; where nothing is left to copy, the next flush says that it is at the end.
                partition.durable = -1;
                partition.checkpoint = None;
                partition.last_stable = Some(seam.source_end);
                let position = Position {
                    source: seam.source_start,
                    target: seam.target_end,
                    source_epoch: -1,
                    target_runs: Vec::new(),
                    over: Vec::new(),
                };
                partition.begin(position, 0);
                self.entries.push(Entry::Recopied {
                    at: partition.at,
                    seam,
                    checkpoint,
                });
            }
            // Tried again where it came from.
            Err(NotEmptied::NotYet) => {}
            Err(NotEmptied::Refused(what, error)) => {
                let text = format!("it cannot be copied again: {what}: {error}");
                self.stop_partition(index, Reason { code: "K524", text });
            }
        }
        self.end_fences();
    }
}
