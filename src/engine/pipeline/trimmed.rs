//! Repartition topics of Kafka Streams: what their owner had read and deleted before it was copied is passed over, counted, and on record.
//!
//! 1. The partition first finishes what it took in, as before a stop: what is passed over begins exactly where the ledger says it stands.
//! 2. Where it stands and what is passed over go into one ledger record, before anything that lies behind. A start that finds it goes on behind
//!    it and asks nobody; one that does not find it stands before it, and asks again. Nothing is counted twice.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::{Done, Phase, Reason, Session};
use crate::{
    clock,
    engine::{
        ledger::record::{Entry, Trimmed},
        repartition::{self, Stands, Verdict},
        steps,
    },
    events::Event,
};

/// How long the owner may be out of reach before the partition stops.
const PATIENCE: Duration = Duration::from_secs(30);

/// Partitions whose owner is asked where it stands.
#[derive(Default)]
pub(super) struct Trims {
    asking: HashSet<usize>,
    /// Since when there was no answer.
    since: HashMap<usize, Instant>,
}

impl Trims {
    /// The source has what is asked for: an owner that is out of reach later was in reach until now.
    pub(super) fn served(&mut self, index: usize) {
        self.since.remove(&index);
    }

    /// Is the owner being asked?
    pub(super) fn is_asking(&self, index: usize) -> bool {
        self.asking.contains(&index)
    }
}

/// Where a partition goes on, and why it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trim {
    /// The source's log start.
    pub to: i64,
    /// The owner.
    pub group: String,
    /// What it had committed.
    pub committed: i64,
}

impl Session {
    /// The source begins behind what was copied: no gap, if that was read by its owner.
    pub(super) fn begins_behind(&mut self, index: usize, start: i64) {
        let name = self.partitions[index].name.clone();
        let owners = repartition::owners(&name.topic);
        if owners.is_empty() {
            return self.overtaken(index, start, "");
        }
        if !self.trims.asking.insert(index) {
            return;
        }
        let source = self.shared.source.clone();
        self.beside.push(Box::pin(async move {
            let seen = repartition::look(&source, &name, owners).await;
            Done::Owned { index, start, seen }
        }));
    }

    pub(super) fn owned(&mut self, index: usize, start: i64, seen: &[(String, Stands)]) {
        self.trims.asking.remove(&index);
        let partition = &self.partitions[index];
        // Something else may have moved or stopped it meanwhile.
        if partition.phase != Phase::Copying || partition.fetch_offset >= start {
            return;
        }
        let desk = &self.shared.desk;
        let holder = |group: &str| desk.holder(group);
        let verdict = repartition::judge(start, seen, self.shared.direction, holder);
        let since = *self.trims.since.entry(index).or_insert_with(Instant::now);
        match verdict {
            // Asked again with the next refusal.
            Verdict::Later(_) if since.elapsed() < PATIENCE => return,
            Verdict::Later(why) | Verdict::Missing(why) => {
                let why = format!("; this is a repartition topic, but {why}");
                self.overtaken(index, start, &why);
            }
            Verdict::Read { group, committed } => {
                let to = start;
                self.partitions[index].phase = Phase::Passing(Trim {
                    to,
                    group,
                    committed,
                });
            }
        }
        self.trims.since.remove(&index);
    }

    fn overtaken(&mut self, index: usize, start: i64, why: &str) {
        let wanted = self.partitions[index].fetch_offset;
        let text = format!(
            "source offsets {wanted} to {} were deleted before they were copied (retention, or DeleteRecords){why}",
            start - 1
        );
        self.goes_on_at(index, start);
        self.stop_partition(index, Reason { code: "K501", text });
    }

    /// Partitions that have nothing left to write go on behind what their owner had read.
    pub(super) fn pass_trimmed(&mut self) {
        for partition in &mut self.partitions {
            let Phase::Passing(trim) = &partition.phase else {
                continue;
            };
            if !partition.is_idle() {
                continue;
            }
            let (trim, from, at) = (trim.clone(), partition.source, partition.at);
            self.entries
                .extend(partition.where_it_stands(self.writer.number));
            let (offsets, times) = partition
                .trimmed
                .as_ref()
                .map_or((0, 0), |before| (before.offsets, before.times));
            let trimmed = Trimmed {
                group: trim.group,
                committed: trim.committed,
                from,
                to: trim.to,
                offsets: offsets + u64::try_from(trim.to - from).unwrap_or(0),
                times: times + 1,
                at_ms: clock::unix_millis(),
            };
            self.shared.events.send(Event::Trimmed {
                topic: partition.name.topic.to_string(),
                partition: partition.name.partition,
                group: trimmed.group.clone(),
                from,
                to: trimmed.to,
                reason: format!(
                    "its owner, group {}, has read source offsets {from} to {} and deleted them before they were copied; it goes on behind them",
                    trimmed.group,
                    trimmed.to - 1
                ),
            });
            partition.go_on_behind(trimmed.clone());
            self.entries.push(Entry::Trimmed { at, trimmed });
            steps::reached("trim-decided");
        }
    }
}
