//! Where we are, to the ledger: runs before what rests on them is sent, target runs and checkpoints together, a heartbeat each second.

use std::time::Duration;

use tokio::time::Instant;

use super::{Appending, Ended, Phase, Session};
use crate::{
    clock,
    cluster::ProducerIdentity,
    engine::{
        ledger::{
            record::{Entry, Heartbeat},
            write::{Ledger, LedgerLost},
        },
        metrics, steps,
    },
    events::PartitionProgress,
};

/// Checkpoints of partitions that moved are at most so far apart.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Numbers are counted anew at most so often.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// Signs of life.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

impl Session {
    /// Appends to the ledger what is waiting to be told, if nothing is being appended.
    pub(super) fn flush(&mut self) {
        if self.appending.is_none() {
            let answers = self.answers();
            self.entries.extend(answers);
        }
        let beat = self
            .last_heartbeat
            .is_none_or(|last| last.elapsed() >= HEARTBEAT_EVERY);
        let checkpoint = self.last_checkpoint.elapsed() >= CHECKPOINT_EVERY || beat;
        if self.appending.is_some() || (self.entries.is_empty() && !beat && !checkpoint) {
            return;
        }
        let mut entries = std::mem::take(&mut self.entries);
        let has_runs = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Run { .. }));
        let mut checkpoints = Vec::new();
        // A fence that is recorded as over is not looked at again: what it found has to stand in the ledger before.
        let over: Vec<Entry> = entries
            .extract_if(.., |entry| matches!(entry, Entry::Fenced { .. }))
            .collect();
        if checkpoint || !over.is_empty() {
            self.last_checkpoint = Instant::now();
            checkpoints = self.checkpoints(&mut entries);
        }
        entries.extend(over);
        if beat {
            self.last_heartbeat = Some(Instant::now());
            entries.push(Entry::Heartbeat(self.heartbeat()));
        }
        if entries.is_empty() {
            return;
        }
        self.append(entries, has_runs, checkpoints);
    }

    fn checkpoints(&mut self, entries: &mut Vec<Entry>) -> Vec<(usize, i64)> {
        let mut told = Vec::new();
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            if partition.is_placed
                && let Some(current) = &mut partition.current
            {
                entries.extend(current.tell(partition.at, false));
            }
            let stands = partition.where_it_stands(self.writer.number);
            if let Some(Entry::Checkpoint { checkpoint, .. }) = stands.last() {
                told.push((index, checkpoint.source));
            }
            entries.extend(stands);
        }
        told
    }

    pub(super) fn append(
        &mut self,
        entries: Vec<Entry>,
        has_runs: bool,
        checkpoints: Vec<(usize, i64)>,
    ) {
        let Some(mut ledger) = self.ledger.take() else {
            return self.entries.splice(0..0, entries).for_each(drop);
        };
        if !checkpoints.is_empty() {
            steps::reached("checkpoint-appending");
        }
        let has_fences = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Fenced { .. }));
        let has_seams = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Seam { .. }));
        let has_trims = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Trimmed { .. }));
        if has_trims {
            steps::reached("trim-appending");
        }
        let data = ProducerIdentity {
            producer_id: self.writer.producer_id,
            producer_epoch: self.writer.producer_epoch,
        };
        let data_id = self.data_id.clone();
        let mark = self.next_mark;
        self.next_mark += 1;
        let task = tokio::spawn(async move {
            let mut result = ledger.append(entries).await;
            if result.is_ok() {
                result = ledger.keep_alive(&data_id, data).await;
            }
            (ledger, result)
        });
        self.appending = Some(Appending {
            task,
            mark,
            has_runs,
            has_fences,
            has_seams,
            has_trims,
            checkpoints,
        });
    }

    pub(super) fn appended(
        &mut self,
        ledger: Ledger,
        result: Result<(), LedgerLost>,
    ) -> Option<Ended> {
        let appending = self.appending.take();
        self.ledger = Some(ledger);
        if let Err(lost) = result {
            return Some(Ended::Lost(lost));
        }
        self.heed();
        let appending = appending?;
        self.recorded = appending.mark;
        for (_, done) in self
            .posted
            .extract_if(.., |(mark, _)| *mark <= appending.mark)
        {
            // Who does not wait any more need not know.
            let _ = done.send(());
        }
        for &(index, source) in &appending.checkpoints {
            self.partitions[index].durable = source;
        }
        if appending.has_seams {
            steps::reached("seam-recorded");
        }
        if appending.has_trims {
            steps::reached("trim-recorded");
        }
        if appending.has_runs {
            steps::reached("run-recorded");
        }
        if appending.has_fences {
            steps::reached("fenced-recorded");
        }
        if !appending.checkpoints.is_empty() {
            steps::reached("checkpoint-recorded");
        }
        None
    }

    /// Waits until the ledger is at hand again.
    pub(super) async fn reclaim_ledger(&mut self) {
        let Some(appending) = &mut self.appending else {
            return;
        };
        let ended = (&mut appending.task).await;
        self.appending = None;
        if let Ok((ledger, _)) = ended {
            // A ledger that is lost says so again at the next append.
            self.ledger = Some(ledger);
        }
    }

    pub(super) fn heartbeat(&mut self) -> Heartbeat {
        let (records_per_second, bytes_per_second) =
            self.rates.note(self.count.records, self.count.bytes);
        Heartbeat {
            at_ms: clock::unix_millis(),
            partitions: u32::try_from(self.partitions.len()).unwrap_or(u32::MAX),
            stopped: u32::try_from(self.count.stopped).unwrap_or(u32::MAX),
            in_flight: u32::try_from(self.count.in_flight).unwrap_or(u32::MAX),
            records: self.count.records,
            bytes: self.count.bytes,
            records_per_second,
            bytes_per_second,
            fences: self.count.fences,
            control: self.dropped.control,
            aborted: self.dropped.aborted,
            empty: self.dropped.empty,
            merged: self.dropped.merged,
            throttled_by: self.shared.steering.reason().or(self.shared.signs.reason()),
            echoes: self.dropped.echoes,
            jumps: self.dropped.jumps,
        }
    }

    /// Is a first contact on its way into the ledger? Until it stands there the other direction does not know of the partition.
    fn writes_seams(&self) -> bool {
        let mut entries = self.entries.iter();
        let waits = entries.any(|entry| matches!(entry, Entry::Seam { .. }));
        waits || self.appending.as_ref().is_some_and(|one| one.has_seams)
    }

    /// Puts this shard's numbers where the rest of the program reads them.
    pub(super) fn publish(&mut self) {
        let now = Instant::now();
        if self
            .last_published
            .is_some_and(|last| now - last < PUBLISH_EVERY)
        {
            return;
        }
        self.last_published = Some(now);
        let mut count = metrics::Shard {
            records: self.count.records,
            bytes: self.count.bytes,
            fences: self.count.fences,
            heard: self.count.heard,
            caught_up: !self.writes_seams(),
            ..metrics::Shard::default()
        };
        for partition in &mut self.partitions {
            if partition.phase == Phase::Left {
                continue;
            }
            count.partitions += 1;
            count.in_flight += partition.in_flight.len() as u64;
            let stopped = matches!(partition.phase, Phase::Stopped(_));
            count.stopped += u64::from(stopped);
            // Before a fence is over nothing can be sealed.
            let reached = partition.phase != Phase::Recovering
                && partition
                    .wanted_end
                    .is_none_or(|end| partition.durable >= end);
            count.caught_up &= stopped || reached;
            let end = partition.last_stable.or(partition.wanted_end);
            let lag = end.map(|end| u64::try_from(end - partition.source).unwrap_or(0));
            if self.shared.numbers.are_detailed() {
                let stopped = match &partition.phase {
                    Phase::Stopped(reason) | Phase::Stopping(reason) => {
                        Some(reason.code.to_owned())
                    }
                    _ => None,
                };
                count.each.push(PartitionProgress {
                    at: partition.name.clone(),
                    lag,
                    stopped,
                });
            }
            let (Some(end), Some(lag)) = (end, lag) else {
                continue;
            };
            count.done += u64::try_from(partition.source - partition.origin).unwrap_or(0);
            count.total += u64::try_from(end - partition.origin).unwrap_or(0);
            count.lag += lag;
            if !stopped {
                let behind = partition.behind.seen(partition.source, end, now);
                let behind = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
                count.behind_ms = count.behind_ms.max(Some(behind));
            }
            count.at_end += u64::from(lag == 0 && !stopped);
            if lag > 0 && count.slowest.as_ref().is_none_or(|(_, most)| lag > *most) {
                count.slowest = Some((partition.name.to_string(), lag));
            }
        }
        steps::in_flight_is(self.shard, count.in_flight);
        self.note_how_far();
        self.count = count.clone();
        self.shared.numbers.set(self.shard, count);
    }
}
