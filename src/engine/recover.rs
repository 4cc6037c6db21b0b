//! From the ledger and the target's tail to the position to resume at.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    identity::Fence,
    ledger::record::{At, Checkpoint, Run},
    ledger::state::Partition,
};
use crate::{
    cluster::{self, OffsetSpec, Target},
    model::names::TopicPartition,
    wire::batch::Batch,
};

/// Bytes per request: a tail is short, unless others wrote much behind it.
const CHUNK: i32 = 256 << 10;
const PAUSE: Duration = Duration::from_millis(10);
/// After so long without anything new others get their turn to read.
const IDLE: Duration = Duration::from_millis(300);
/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;

/// Where a partition goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Every eligible source record below is on the target.
    pub source: i64,
    /// Nothing of ours stands at or behind this target offset.
    pub target: i64,
    /// Leader epoch of the last source batch below `source`, -1 if unknown.
    pub source_epoch: i32,
    /// Where records of ours were found that the ledger does not know to be on the target: sequence to target offset.
    pub target_runs: Vec<Run>,
    /// Where the identities stand that wrote them, and write no more: the ledger has to know before it hears of another.
    pub over: Vec<Checkpoint>,
}

/// Why nobody can say where a partition goes on.
#[derive(Debug, Clone)]
pub enum Unclear {
    /// The target could not be read.
    Unreadable(cluster::Error),
    /// The evidence is gone or contradicts the ledger.
    Ambiguous(String),
    /// The target's log ends at the first offset, and had been acknowledged up to the second.
    Lost(i64, i64),
    /// A marker is not there yet.
    NotYet,
}

/// The position that the ledger alone gives, if nothing was written since its last word. `None`: the partition was never met.
pub fn known(partition: &Partition) -> Option<Position> {
    match (partition.checkpoint, partition.seam) {
        (
            Some(Checkpoint {
                source,
                target,
                source_epoch,
                ..
            }),
            _,
        ) => Some(Position {
            source,
            target,
            source_epoch,
            target_runs: Vec::new(),
            over: Vec::new(),
        }),
        (None, Some(seam)) => Some(Position {
            source: seam.source_start,
            target: seam.target_end,
            source_epoch: -1,
            target_runs: Vec::new(),
            over: Vec::new(),
        }),
        (None, None) => None,
    }
}

/// What is being looked for in one partition's tail.
struct Tail<'a> {
    partition: &'a Partition,
    /// The predecessors that may have written here, and whether their marker was seen.
    fences: Vec<(&'a Fence, bool)>,
    /// The last record of ours under each identity: identity, sequence, the target offset behind it.
    last: Vec<(u32, u64, i64)>,
    /// Target runs of what is found.
    found: Vec<Run>,
    /// Offsets are missing behind the last record of ours (or the checkpoint).
    gap: Option<(i64, i64)>,
    next: i64,
}

/// Reads a partition's tail up to the markers of every fence that covers it. `fences` are all of the shard.
///
/// A batch of ours later in the log proves everything of ours before it, so missing offsets count only behind the last one found:
/// there, on a compacted target, a batch of ours may have stood.
pub async fn recover(
    target: &Target,
    name: &TopicPartition,
    at: At,
    partition: &Partition,
    fences: &[Fence],
) -> Result<Position, Unclear> {
    let Some(known) = known(partition) else {
        return Err(Unclear::Ambiguous(
            "the ledger has a run of it and no first contact".to_owned(),
        ));
    };
    let fences = fences.iter().filter(|fence| fence.partitions.contains(&at));
    let before = fences.clone().filter_map(|fence| fence.ends.get(&at)).min();
    let fences: Vec<_> = fences
        .map(|fence| (fence, fence.marker_epoch.is_none()))
        .collect();
    let mut tail = Tail {
        partition,
        fences,
        last: Vec::new(),
        found: Vec::new(),
        gap: None,
        next: known.target,
    };
    // Without a marker to wait for, the tail ends where the log ends now.
    let end = end_of(target, name).await?;
    // Not only now: what was lost may have been as long as the markers.
    let held = before.map_or(end, |&before| before.min(end));
    if held < known.target {
        return Err(Unclear::Lost(held, known.target));
    }
    let mut idle = Instant::now();
    while !(tail.fences.iter().all(|(_, seen)| *seen) && tail.next >= end) {
        match target.read(name, tail.next, CHUNK).await {
            Ok((batches, _)) => {
                let before = tail.next;
                for batch in &batches {
                    tail.pass(batch)?;
                }
                if tail.next != before {
                    idle = Instant::now();
                } else if idle.elapsed() > IDLE {
                    return Err(Unclear::NotYet);
                } else {
                    sleep(PAUSE).await;
                }
            }
            Err(error) if error.code() == Some(OUT_OF_RANGE) => {
                let start = start_of(target, name).await?;
                if start <= tail.next {
                    // A new leader whose high watermark is not known yet.
                    return Err(Unclear::NotYet);
                }
                tail.gap.get_or_insert((tail.next, start));
                tail.next = start;
            }
            Err(error) => return Err(Unclear::Unreadable(error)),
        }
    }
    tail.conclude(known)
}

impl Tail<'_> {
    fn pass(&mut self, batch: &Batch) -> Result<(), Unclear> {
        let header = &batch.header;
        if header.next_offset() <= self.next {
            return Ok(());
        }
        if header.base_offset > self.next {
            self.gap.get_or_insert((self.next, header.base_offset));
        }
        self.next = header.next_offset();
        let ours = self
            .fences
            .iter_mut()
            .find(|(fence, _)| fence.identity.producer_id == header.producer_id);
        let Some((fence, seen)) = ours else {
            return Ok(());
        };
        if header.is_control() {
            if fence
                .marker_epoch
                .is_some_and(|epoch| header.producer_epoch >= epoch)
            {
                *seen = true;
            }
            return Ok(());
        }
        if header.producer_epoch != fence.identity.epoch {
            return Err(Unclear::Ambiguous(format!(
                "the target's batch at offset {} carries our producer id {} with epoch {}, under which nothing was written",
                header.base_offset, header.producer_id, header.producer_epoch
            )));
        }
        let base = match self.partition.checkpoint {
            Some(checkpoint) if checkpoint.identity == fence.number => checkpoint.next_sequence,
            _ => 0,
        };
        let identity = fence.number;
        let sequence = count_of(base, header.last_sequence());
        // Counted from the end: the first sequence of a batch tells the same, but for one that wraps.
        let first = sequence.saturating_sub(header.last_offset_delta.unsigned_abs().into());
        let before = self.last.last().filter(|(known, ..)| *known == identity);
        let expected = before.map_or(base, |(_, last, _)| last + 1);
        if first > expected {
            // Compaction left nothing of them.
            self.found.push(Run {
                identity,
                sequence: expected,
                offset: -1,
            });
        }
        let continues = self.found.last().is_some_and(|run| {
            run.identity == identity
                && run.offset >= 0
                && first >= run.sequence
                && run.offset + (first - run.sequence) as i64 == header.base_offset
        });
        if !continues {
            self.found.push(Run {
                identity,
                sequence: first,
                offset: header.base_offset,
            });
        }
        if before.is_some() {
            self.last.pop();
        }
        self.last.push((identity, sequence, self.next));
        self.gap = None;
        Ok(())
    }

    fn conclude(self, known: Position) -> Result<Position, Unclear> {
        if let Some((from, to)) = self.gap {
            return Err(Unclear::Ambiguous(format!(
                "target offsets {from} to {} are gone, and a batch of ours may have been among them",
                to - 1
            )));
        }
        let mut over = Vec::with_capacity(self.last.len());
        for &(identity, sequence, target) in &self.last {
            let last = self.partition.source_of(identity, sequence).ok_or_else(|| {
                Unclear::Ambiguous(format!(
                    "the target holds sequence {sequence} of identity {identity}, for which the ledger has no run"
                ))
            })?;
            let source_epoch = if last >= known.source {
                self.partition.epochs.below(last + 1).unwrap_or(-1)
            } else {
                known.source_epoch
            };
            over.push(Checkpoint {
                identity,
                next_sequence: sequence + 1,
                source: (last + 1).max(known.source),
                target,
                source_epoch,
            });
        }
        let Some(last) = over.last_mut() else {
            return Ok(Position {
                target: self.next,
                target_runs: self.found,
                ..known
            });
        };
        last.target = self.next;
        Ok(Position {
            source: last.source,
            target: self.next,
            source_epoch: last.source_epoch,
            target_runs: self.found,
            over,
        })
    }
}

/// What a target lost, in words.
pub fn lost_data(end: i64, wanted: i64) -> String {
    format!(
        "the target ends at offset {end}, and had acknowledged everything below {wanted}: it lost target offsets {end} to {}",
        wanted - 1
    )
}

/// The count behind a sequence as the wire has it (modulo 2^31), at or after `base`.
fn count_of(base: u64, sequence: i32) -> u64 {
    let ahead = sequence.wrapping_sub((base & 0x7fff_ffff) as i32) & i32::MAX;
    base + u64::from(ahead.cast_unsigned())
}

async fn end_of(target: &Target, at: &TopicPartition) -> Result<i64, Unclear> {
    offset(target, at, OffsetSpec::End).await
}

async fn start_of(target: &Target, at: &TopicPartition) -> Result<i64, Unclear> {
    offset(target, at, OffsetSpec::Earliest).await
}

async fn offset(target: &Target, at: &TopicPartition, spec: OffsetSpec) -> Result<i64, Unclear> {
    match target
        .offsets(std::slice::from_ref(at), spec)
        .await
        .remove(at)
    {
        Some(Ok(offset)) => Ok(offset),
        Some(Err(error)) => Err(Unclear::Unreadable(error)),
        None => Err(Unclear::Ambiguous("no offset was answered".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_counted_past_their_wrap() {
        assert_eq!(count_of(0, 0), 0);
        assert_eq!(count_of(0, 7), 7);
        assert_eq!(count_of(0x7fff_fffe, 1), 0x8000_0001);
        assert_eq!(count_of(0x8000_0005, 5), 0x8000_0005);
    }
}
