//! Does the target still hold what it acknowledged? Asked at each start, of partitions whose tail nobody has to read.

use super::{Done, Reason, Session};
use crate::{cluster::OffsetSpec, engine::recover};

impl Session {
    /// Asks where partitions end that go on where the ledger says. They begin meanwhile: what is appended to a shorter log shows too.
    pub(super) fn look_whether_still_there(&mut self, resumed: &[usize]) {
        let of: Vec<_> = resumed
            .iter()
            .map(|&index| &self.partitions[index])
            .filter(|partition| partition.is_placed)
            .map(|partition| (partition.name.clone(), partition.target))
            .collect();
        if of.is_empty() {
            return;
        }
        let target = self.shared.target.clone();
        self.beside.push(Box::pin(async move {
            let names: Vec<_> = of.iter().map(|(name, _)| name.clone()).collect();
            let ends = target.offsets(&names, OffsetSpec::End).await;
            let lost = of.into_iter().filter_map(|(name, wanted)| {
                // One that cannot be asked shows it when it is written.
                let end = *ends.get(&name)?.as_ref().ok()?;
                (end < wanted).then_some((name, end, wanted))
            });
            Done::Lost {
                lost: lost.collect(),
            }
        }));
    }

    pub(super) fn lost(&mut self, lost: Vec<(crate::model::names::TopicPartition, i64, i64)>) {
        for (name, end, wanted) in lost {
            let Some(&index) = self.index.get(&name) else {
                continue;
            };
            self.partitions[index].drop_unsent();
            self.stop_partition(index, lost_data(end, wanted));
        }
    }
}

/// The target does not hold any more what it had acknowledged.
pub(super) const LOST: &str = "K523";

/// The target's log is shorter than it was.
pub(super) fn lost_data(end: i64, wanted: i64) -> Reason {
    Reason {
        code: LOST,
        text: recover::lost_data(end, wanted),
    }
}
