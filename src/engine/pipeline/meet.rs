//! First contact with partitions that the ledger does not know: their seam goes to the ledger before anything is sent.

use tokio::time::{Duration, sleep};

use super::{Done, Reason, Session};
use crate::{
    cluster,
    engine::{
        ledger::record::{Entry, Seam},
        recover::Position,
        seam, steps,
    },
};

/// Pause before a partition that could not be asked is asked again.
const PAUSE: Duration = Duration::from_millis(500);

impl Session {
    /// Asks both clusters about partitions that the ledger does not know.
    pub(super) fn meet(&mut self, strangers: Vec<usize>) {
        self.meet_after(Duration::ZERO, strangers);
    }

    fn meet_after(&mut self, pause: Duration, strangers: Vec<usize>) {
        if strangers.is_empty() {
            return;
        }
        let names: Vec<_> = strangers
            .iter()
            .map(|&index| self.partitions[index].name.clone())
            .collect();
        let (source, target) = (self.shared.source.clone(), self.shared.target.clone());
        self.beside.push(Box::pin(async move {
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let seams = seam::look(&source, &target, &names).await;
            Done::Met {
                met: strangers.into_iter().zip(seams).collect(),
            }
        }));
    }

    pub(super) fn met(&mut self, met: Vec<(usize, Result<Seam, cluster::Error>)>) {
        let mut again = Vec::new();
        for (index, found) in met {
            let found = match found {
                Ok(found) => found,
                Err(error) if error.is_passing() => {
                    again.push(index);
                    continue;
                }
                Err(error) => {
                    let text = error.to_string();
                    self.stop_partition(index, Reason { code: "K521", text });
                    continue;
                }
            };
            let partition = &self.partitions[index];
            let found = Seam {
                source_start: partition
                    .begin_at
                    .map_or(found.source_start, |at| at.max(found.source_start)),
                ..found
            };
            match seam::begin(found, partition.existing) {
                Ok(seam) => self.begin_at_seam(index, seam),
                Err(text) => self.stop_partition(index, Reason { code: "K520", text }),
            }
        }
        self.meet_after(PAUSE, again);
    }

    fn begin_at_seam(&mut self, index: usize, seam: Seam) {
        let partition = &mut self.partitions[index];
        let position = Position {
            source: seam.source_start,
            target: seam.target_end,
            source_epoch: -1,
            target_runs: Vec::new(),
            over: Vec::new(),
        };
        partition.origin = seam.source_start;
        partition.kept = seam.kept();
        partition.last_stable = Some(seam.source_end);
        partition.begin(position, 0);
        self.entries.push(Entry::Seam {
            at: partition.at,
            seam,
        });
        steps::reached("seam-found");
    }
}
