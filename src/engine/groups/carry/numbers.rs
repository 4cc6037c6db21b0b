//! How far groups are behind on both sides, told and recorded.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::Carrying;
use crate::{
    clock,
    cluster::{Cluster, Commits, OffsetSpec},
    engine::ledger::record::Entry,
    model::names::TopicPartition,
};

/// Numbers are recorded so often.
const BEAT: Duration = Duration::from_secs(1);

impl Carrying {
    /// How far groups are behind on both sides.
    pub(super) async fn measure(&mut self, theirs: &HashMap<String, Commits>) {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for (name, group) in &self.groups {
            let placed = group.placed.iter();
            here.extend(placed.map(|(at, placed)| (at.clone(), placed.commit.offset)));
            for (at, commit) in theirs.get(name).into_iter().flatten() {
                let now = group.stands.get(at).unwrap_or(commit);
                if group.placed.contains_key(at) {
                    there.push((at.clone(), now.offset));
                }
            }
        }
        (self.beat.lag_here, self.beat.lag_there) = tokio::join!(
            behind(&self.carrier.from, here, OffsetSpec::Stable),
            behind(&self.carrier.to, there, OffsetSpec::Stable),
        );
    }

    pub(super) fn tell_numbers(&mut self) {
        self.beat.at_ms = clock::unix_millis();
        self.carrier.desk.count(self.beat.clone());
        if self.last_beat.is_none_or(|last| last.elapsed() >= BEAT) {
            self.last_beat = Some(Instant::now());
            let beat = Entry::GroupBeat(self.beat.clone());
            self.carrier.desk.note(vec![beat]);
        }
    }
}

/// Offsets behind the ends, summed.
async fn behind(
    cluster: &Cluster,
    stands: Vec<(TopicPartition, i64)>,
    spec: OffsetSpec,
) -> Option<u64> {
    let asked: HashSet<&TopicPartition> = stands.iter().map(|(at, _)| at).collect();
    let asked: Vec<TopicPartition> = asked.into_iter().cloned().collect();
    let ends = cluster.offsets(&asked, spec).await;
    stands.iter().try_fold(0, |sum, (at, offset)| {
        let end = *ends.get(at)?.as_ref().ok()?;
        Some(sum + u64::try_from(end - offset).unwrap_or(0))
    })
}
