//! What the ledger knows of one partition, and how decisions move it.

use std::collections::VecDeque;

use crate::{
    engine::ledger::{
        epochs::Epochs,
        mapped::Mapped,
        record::{Beyond, Checkpoint, Echo, Gap, Recopy, Run, Seam, Stopped, Stranded, Trimmed},
    },
    model::map::Way,
};

/// Runs kept of one partition beside those that recovery needs.
pub(super) const RUNS_KEPT: usize = 64;

/// What the ledger knows of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// First contact.
    pub seam: Option<Seam>,
    /// Sequence to source offset, ascending within an identity, identities in order.
    pub runs: VecDeque<Run>,
    /// Sequence to target offset.
    pub target_runs: VecDeque<Run>,
    /// What is on record as copied.
    pub map: Mapped,
    /// Under which leader epochs of the source it was read.
    pub epochs: Epochs,
    /// Where it stands.
    pub checkpoint: Option<Checkpoint>,
    /// Why it waits.
    pub stopped: Option<Stopped>,
    /// What a person gave up, in order.
    pub gaps: Vec<Gap>,
    /// Batches that a person took for an application's, in order.
    pub not_ours: Vec<Gap>,
    /// What applications wrote below this waits for a person.
    pub stranded: Option<Stranded>,
    /// How often a person wanted it copied again, in order.
    pub recopies: Vec<Recopy>,
    /// The last of these is not begun yet.
    pub recopying: bool,
    /// When it last stood at the source's end, in milliseconds since the epoch, where that matters.
    pub current: Option<i64>,
    /// The other direction's last copy that was passed over.
    pub echo: Option<Echo>,
    /// What the owner of a repartition topic had read and deleted, last and in all.
    pub trimmed: Option<Trimmed>,
}

impl Partition {
    /// The source offset of a record, by its identity and sequence.
    pub fn source_of(&self, identity: u32, sequence: u64) -> Option<i64> {
        find(&self.runs, identity, sequence)
    }

    /// Does any run stand under this identity? Then batches may have been sent under it.
    pub fn has_run(&self, identity: u32) -> bool {
        self.runs.iter().any(|run| run.identity == identity)
    }

    /// What is on record of it, for positions; `None` before first contact, and where it is about to be copied anew.
    pub fn way(&self) -> Option<Way> {
        let seam = self.seam.filter(|_| !self.recopying)?;
        let (begin, mapped_begin) = self.map.begin.unwrap_or((seam.source_start, 0));
        let told = self.checkpoint.as_ref();
        Some(Way {
            seam: seam.source_start,
            begin,
            mapped_begin,
            segments: self.map.segments.clone(),
            passed: told.map_or(seam.source_start, |checkpoint| checkpoint.source),
            echo_end: self.echo.map_or(0, |echo| echo.end),
            mapped_end: told.map_or(seam.target_end, |checkpoint| checkpoint.target),
        })
    }

    /// How often a person has decided how it goes on from this source offset.
    pub fn decisions(&self, offset: i64) -> usize {
        let gaps = self.gaps.iter().filter(|gap| gap.from == offset);
        let recopies = self.recopies.iter().filter(|one| one.from == offset);
        let not_ours = self.not_ours.iter().filter(|one| one.from == offset);
        gaps.count() + recopies.count() + not_ours.count()
    }

    pub(super) fn take_for_an_applications(&mut self, batch: Gap) {
        if !self.not_ours.contains(&batch) {
            self.stopped = None;
            self.not_ours.push(batch);
        }
    }

    pub(super) fn give_up(&mut self, gap: Gap) {
        if self.gaps.contains(&gap) {
            return;
        }
        self.go_on(gap.from, gap.to);
        self.stopped = None;
        self.gaps.push(gap);
    }

    pub(super) fn pass_trimmed(&mut self, trimmed: Trimmed) {
        if self.trimmed.as_ref() == Some(&trimmed) {
            return;
        }
        // The records below are gone, and with them the leader epoch under which they stood.
        let to = Beyond {
            source: trimmed.to,
            epoch: -1,
        };
        self.go_on(trimmed.from, to);
        self.trimmed = Some(trimmed);
    }

    /// Moves the checkpoint, if it stands there.
    pub(super) fn go_on(&mut self, from: i64, to: Beyond) {
        if let Some(checkpoint) = &mut self.checkpoint
            && checkpoint.source == from
        {
            checkpoint.source = to.source;
            checkpoint.source_epoch = to.epoch;
            self.epochs.cut_off(to.source);
            self.map.cut_off(to.source);
        }
    }

    pub(super) fn copy_again(&mut self, recopy: Recopy) {
        if self.recopies.contains(&recopy) {
            return;
        }
        self.stopped = None;
        self.recopying = true;
        self.recopies.push(recopy);
    }

    pub(super) fn trim(&mut self) {
        let Some(checkpoint) = self.checkpoint else {
            return;
        };
        let needed = |runs: &VecDeque<Run>| {
            // Identities before the checkpoint's are over; within it, the run that holds the next sequence is needed, and the one before
            // for the last record written.
            runs.partition_point(|run| {
                (run.identity, run.sequence)
                    < (
                        checkpoint.identity,
                        checkpoint.next_sequence.saturating_sub(1),
                    )
            })
            .saturating_sub(1)
        };
        for runs in [&mut self.runs, &mut self.target_runs] {
            let spare = needed(runs).min(runs.len().saturating_sub(RUNS_KEPT));
            runs.drain(..spare);
        }
    }
}

fn find(runs: &VecDeque<Run>, identity: u32, sequence: u64) -> Option<i64> {
    let behind = runs.partition_point(|run| (run.identity, run.sequence) <= (identity, sequence));
    let run = runs.get(behind.checked_sub(1)?)?;
    let ahead = i64::try_from(sequence.checked_sub(run.sequence)?).ok()?;
    (run.identity == identity).then(|| run.offset + ahead)
}

pub(super) fn push(runs: &mut VecDeque<Run>, run: Run) {
    // A snapshot repeats what is known.
    if runs
        .binary_search_by_key(&(run.identity, run.sequence), |run| {
            (run.identity, run.sequence)
        })
        .is_ok_and(|at| runs[at] == run)
    {
        return;
    }
    // A run that was declared and never sent across may be declared again from the same sequence on.
    while runs
        .back()
        .is_some_and(|last| (last.identity, last.sequence) >= (run.identity, run.sequence))
    {
        runs.pop_back();
    }
    runs.push_back(run);
}
