//! One partition, compared in one direction: where to begin, in step, lost and found again, the last records of keys, the witness.
//!
//! `Side::Source` is the side that is copied from, whichever cluster that is, and `Side::Target` the other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    align::Lockstep,
    print::{Print, Printer},
    reader::{Fetchers, Reader, Stop},
    report::{Counts, SAMPLES},
    search::{Meeting, Search},
    stream::{Item, Stream},
    table::{Share, Table},
    tally::{Finding, Tally},
    whose::Counting,
    witness::{Statement, Witness},
};
use crate::{
    cluster::{Cluster, Isolation, OffsetSpec},
    model::{
        direction::Direction,
        names::{Side, TopicPartition},
    },
};

/// Records passed over on each side in search of the place where they meet again, once they had been in step.
const SEARCH: u64 = 1 << 20;
/// So often a partition may be lost and found again before the rest of it is counted as different.
const SEARCHES: usize = 16;
/// So often a partition is begun again because retention went past what was being read.
const MOVES: usize = 5;
/// A share of keys is divided into so many when it is too large.
const DIVIDE: u128 = 4;

/// What to compare.
#[derive(Debug, Clone)]
pub struct Task {
    /// Which way records go.
    pub direction: Direction,
    /// The partition.
    pub at: TopicPartition,
    /// The topic's id on the source; `None` if the partition is not there.
    pub source: Option<Uuid>,
    /// The same on the target.
    pub target: Option<Uuid>,
    /// Which batches of the source are compared.
    pub of_source: Counting,
    /// Which of the target.
    pub of_target: Counting,
    /// The source's log cleaner may remove records of this topic.
    pub compacted: bool,
    /// The target's log cleaner may.
    pub target_compacted: bool,
    /// The source's first offset as the command began.
    pub start: i64,
    /// Source offset up to which the target must hold everything for the answer to be `same`.
    pub required: i64,
    /// Source offset up to which the target may hold something.
    pub source_end: i64,
    /// Target offset up to which it is read.
    pub target_end: i64,
    /// Source offsets below are not this direction's.
    pub begin: i64,
    /// Target offsets below were there before anything was copied, and are not compared.
    pub kept: i64,
}

/// What was found in one partition.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many of what.
    pub counts: Counts,
    /// The first findings.
    pub first: Vec<Finding>,
    /// Broken batches: side, offset, what is wrong; the first ten.
    pub corrupt: Vec<(Side, i64, String)>,
    /// The first source offset that the target does not hold yet, behind a part that is right.
    pub behind: Option<i64>,
    /// What the second reader said.
    pub witness: Option<Statement>,
}

/// Numbers and limits that all lanes of a direction share.
#[derive(Debug)]
pub struct Shared {
    /// Source records read.
    pub records: AtomicU64,
    /// Source bytes fetched.
    pub source_bytes: AtomicU64,
    /// Target bytes fetched.
    pub target_bytes: AtomicU64,
    /// Source offsets passed.
    pub done: AtomicU64,
    /// One table of keys at a time, because of its memory.
    pub tables: Semaphore,
    /// Seed of all fingerprints.
    pub seed: u64,
}

impl Shared {
    /// Nothing read yet.
    pub fn new(seed: u64) -> Self {
        Self {
            records: AtomicU64::new(0),
            source_bytes: AtomicU64::new(0),
            target_bytes: AtomicU64::new(0),
            done: AtomicU64::new(0),
            tables: Semaphore::new(1),
            seed,
        }
    }
}

/// What compares one partition after the other.
pub struct Lane {
    source: Fetchers,
    target: Fetchers,
    clusters: [Cluster; 2],
    witness: Option<Witness>,
    shared: Arc<Shared>,
}

/// Both sides of one partition being read.
struct Pair<'a> {
    source: Option<Reader<'a>>,
    target: Option<Reader<'a>>,
    witness: Option<&'a mut Witness>,
    shared: &'a Shared,
    seen: &'a mut Noted,
}

/// What must be noted once, however often a partition is read.
#[derive(Default)]
struct Noted {
    corrupt: BTreeMap<(bool, i64), String>,
    /// The highest source offset that was counted as progress, plus one.
    passed: i64,
    /// Batches that nobody can tell the origin of, and the offset up to which they were counted.
    unclear: u64,
    unclear_to: i64,
}

/// A record of a side.
enum Next {
    Counts(Print),
    Other(Print),
}

impl Pair<'_> {
    /// The next record that counts.
    async fn next(&mut self, side: Side) -> Result<Option<Print>, Stop> {
        loop {
            match self.next_of_any(side).await? {
                Some(Next::Counts(print)) => return Ok(Some(print)),
                Some(Next::Other(_)) => {}
                None => return Ok(None),
            }
        }
    }

    async fn next_of_any(&mut self, side: Side) -> Result<Option<Next>, Stop> {
        loop {
            let reader = if side == Side::Source {
                &mut self.source
            } else {
                &mut self.target
            };
            let Some(reader) = reader else {
                return Ok(None);
            };
            match reader.next().await? {
                None => return Ok(None),
                Some(Item::Corrupt { offset, reason }) => {
                    self.seen
                        .corrupt
                        .insert((side == Side::Target, offset), reason);
                }
                Some(Item::Record(print)) => {
                    match (side, &mut self.witness) {
                        (Side::Source, _) if print.offset >= self.seen.passed => {
                            self.shared.records.fetch_add(1, Relaxed);
                            self.shared
                                .done
                                .fetch_add((print.offset + 1 - self.seen.passed) as u64, Relaxed);
                            self.seen.passed = print.offset + 1;
                        }
                        (Side::Target, Some(witness)) => {
                            witness.saw((print.offset, print.core)).await
                        }
                        _ => {}
                    }
                    return Ok(Some(Next::Counts(print)));
                }
                Some(Item::Other(print)) => {
                    if let (Side::Target, Some(witness)) = (side, &mut self.witness) {
                        witness.passed(print.offset, print.offset + 1).await;
                    }
                    return Ok(Some(Next::Other(print)));
                }
                Some(Item::Passed { from, to }) => {
                    if let (Side::Target, Some(witness)) = (side, &mut self.witness) {
                        witness.passed(from, to).await;
                    }
                }
                Some(Item::Unclear(offset)) => {
                    self.seen.unclear += u64::from(offset >= self.seen.unclear_to);
                    self.seen.unclear_to = self.seen.unclear_to.max(offset + 1);
                }
            }
        }
    }

    /// Does the target hold, behind its last record that counts, batches that its cleaner has emptied?
    fn target_is_thinned_behind(&self, last: Option<i64>) -> bool {
        let reader = self.target.as_ref();
        reader.is_some_and(|reader| reader.counted_to() > last.map_or(0, |last| last + 1))
    }
}

impl Lane {
    /// A lane without connections yet.
    pub fn new(
        source: &Cluster,
        target: &Cluster,
        witness: Option<Witness>,
        shared: Arc<Shared>,
    ) -> Self {
        let clusters = [source.clone(), target.clone()];
        Self {
            source: Fetchers::new(source),
            target: Fetchers::new(target),
            clusters,
            witness,
            shared,
        }
    }

    /// Compares one partition.
    pub async fn compare(&mut self, task: &Task) -> Result<Outcome, Stop> {
        let mut noted = Noted::default();
        let mut moves = 0;
        let (tally, behind, starts) = loop {
            let starts = self.starts(task).await?;
            if moves == 0 {
                noted.passed = starts[0].max(task.begin);
            }
            // Of what is not there librdkafka would wait for a while.
            if let Some(witness) = &mut self.witness
                && task.target.is_some()
            {
                let from = starts[1].max(task.kept);
                witness
                    .begin(&task.at, from, task.target_end, task.target_compacted)
                    .await;
            }
            match self.attempt(task, starts, &mut noted).await {
                Ok((tally, behind)) => break (tally, behind, starts),
                Err(Stop::Moved) if moves < MOVES => moves += 1,
                Err(Stop::Moved) => {
                    return Err(Stop::Stalled(format!(
                        "{} loses records faster than they can be compared",
                        task.at
                    )));
                }
                Err(stop) => return Err(stop),
            }
        };
        let left = (task.source_end - noted.passed.max(starts[0])).max(0);
        let kept = match task.direction {
            Direction::Forward => task.kept.min(task.target_end) - starts[1],
            // What stands there is compared the other way.
            Direction::Reverse => 0,
        };
        self.shared.done.fetch_add(left as u64, Relaxed);
        let behind = behind.filter(|offset| *offset < task.required);
        let mut outcome = Outcome {
            counts: tally.counts,
            first: tally.first,
            behind,
            ..Outcome::default()
        };
        outcome.counts.not_yet_copied = behind.map_or(0, |offset| (task.required - offset) as u64);
        outcome.counts.kept = kept.max(0) as u64;
        outcome.counts.unclear = noted.unclear;
        outcome.counts.corrupt = noted.corrupt.len() as u64;
        let side = |target| if target { Side::Target } else { Side::Source };
        outcome.corrupt = noted
            .corrupt
            .into_iter()
            .map(|((t, o), reason)| (side(t), o, reason))
            .take(SAMPLES)
            .collect();
        if let Some(witness) = &mut self.witness {
            let statement = witness.end().await;
            outcome.counts.witness = u64::from(matches!(statement, Statement::Disagrees { .. }));
            outcome.witness = Some(statement);
        }
        Ok(outcome)
    }

    /// Log starts of both sides, now.
    async fn starts(&self, task: &Task) -> Result<[i64; 2], Stop> {
        let mut starts = [0; 2];
        for (side, present) in [task.source, task.target].into_iter().enumerate() {
            if present.is_some() {
                let answers = self.clusters[side]
                    .offsets(std::slice::from_ref(&task.at), OffsetSpec::Earliest)
                    .await;
                if let Some(answer) = answers.into_values().next() {
                    starts[side] = answer?;
                }
            }
        }
        Ok(starts)
    }

    /// Reads both sides from these offsets.
    fn open<'a>(&'a mut self, task: &Task, from: [i64; 2], seen: &'a mut Noted) -> Pair<'a> {
        self.open_with(task, from, seen, false)
    }

    /// The same, and yields what does not count too.
    fn open_with<'a>(
        &'a mut self,
        task: &Task,
        from: [i64; 2],
        seen: &'a mut Noted,
        others: bool,
    ) -> Pair<'a> {
        let printer = Printer::new(self.shared.seed, task.compacted);
        let stream = |from, until, of: &Counting| {
            Stream::new(printer.clone(), from, until).counting(of.clone(), others)
        };
        let shared = &*self.shared;
        Pair {
            source: task.source.map(|id| {
                let stream = stream(from[0], task.source_end, &task.of_source);
                Reader::new(
                    &mut self.source,
                    task.at.clone(),
                    id,
                    Isolation::ReadCommitted,
                    stream,
                    &shared.source_bytes,
                )
            }),
            target: task.target.map(|id| {
                let stream = stream(from[1], task.target_end, &task.of_target);
                Reader::new(
                    &mut self.target,
                    task.at.clone(),
                    id,
                    Isolation::ReadUncommitted,
                    stream,
                    &shared.target_bytes,
                )
            }),
            witness: self.witness.as_mut(),
            shared,
            seen,
        }
    }

    /// The findings, and the first source offset behind everything that the target holds.
    async fn attempt(
        &mut self,
        task: &Task,
        starts: [i64; 2],
        noted: &mut Noted,
    ) -> Result<(Tally, Option<i64>), Stop> {
        // Retention took something where a side begins behind the place at which it should.
        let (begin, kept) = (starts[0].max(task.begin), starts[1].max(task.kept));
        let (mut from, mut lockstep) = ([begin, kept], Lockstep::default());
        let retired = [starts[0] > task.begin, starts[1] > task.kept];
        if retired.contains(&true) {
            match self.front(task, from, retired, noted).await? {
                Front::Meets(meeting) => {
                    from = [meeting.source, meeting.target];
                    lockstep.tally.counts.retired = meeting.source_passed + meeting.target_passed;
                }
                Front::Apart => {}
                Front::SourceGone(retired) => {
                    lockstep.tally.counts.retired = retired;
                    return Ok((lockstep.tally, None));
                }
            }
        }
        let (begin, retired) = (from, lockstep.tally.counts.retired);
        for searches in 0.. {
            let mut pair = self.open(task, from, noted);
            while let Some(side) = lockstep.wants() {
                match pair.next(side).await? {
                    Some(print) => lockstep.offer(side, print),
                    None => lockstep.end(side),
                }
            }
            // Behind a copy's last place a later value of an application may have taken the place of copies.
            let is_open = lockstep.tail().is_some() && task.of_target.is_choosy();
            if task.compacted
                && (lockstep.lost().is_some() || lockstep.tally.counts.differences() > 0 || is_open)
            {
                let (mut tally, behind) = self.last_of_keys(task, begin, noted).await?;
                tally.counts.retired = retired;
                return Ok((tally, behind));
            }
            let Some((s, t)) = lockstep.lost() else {
                let tail = lockstep.tail().map(|print| print.offset);
                return Ok((lockstep.tally, tail));
            };
            let meeting = if searches < SEARCHES {
                self.meet(task, s, t, noted).await?
            } else {
                None
            };
            let Some(meeting) = meeting else {
                let mut tally = lockstep.tally;
                self.apart(task, s, t, noted, &mut tally).await?;
                return Ok((tally, None));
            };
            lockstep = lockstep.resume();
            lockstep
                .tally
                .pass((s, meeting.source_passed), (t, meeting.target_passed));
            from = [meeting.source, meeting.target];
        }
        unreachable!("the loop ends with a return")
    }

    /// Where the sides begin alike, if the front of one was removed by retention.
    async fn front(
        &mut self,
        task: &Task,
        starts: [i64; 2],
        retired: [bool; 2],
        noted: &mut Noted,
    ) -> Result<Front, Stop> {
        // What one side's retention removed, the other may still hold.
        let [may_pass_target, may_pass_source] = retired;
        let mut search = Search::new(may_pass_source, may_pass_target, u64::MAX);
        let mut read = [0u64; 2];
        let mut pair = self.open(task, starts, noted);
        while let Some(side) = search.wants() {
            match pair.next(side).await? {
                Some(print) => {
                    read[side as usize] += 1;
                    search.offer(side, print);
                }
                None => search.end(side),
            }
        }
        if let Some(meeting) = search.found() {
            let fair = (may_pass_source || meeting.source_passed == 0)
                && (may_pass_target || meeting.target_passed == 0);
            return Ok(if fair {
                Front::Meets(meeting)
            } else {
                Front::Apart
            });
        }
        if read[0] == 0 && may_pass_target {
            while pair.next(Side::Target).await?.is_some() {
                read[1] += 1;
            }
            return Ok(Front::SourceGone(read[1]));
        }
        Ok(Front::Apart)
    }

    /// Where the sides meet again from two records on that are not the same.
    async fn meet(
        &mut self,
        task: &Task,
        s: Print,
        t: Print,
        noted: &mut Noted,
    ) -> Result<Option<Meeting>, Stop> {
        let mut search = Search::new(true, true, SEARCH);
        let mut pair = self.open(task, [s.offset, t.offset], noted);
        while let Some(side) = search.wants() {
            match pair.next(side).await? {
                Some(print) => search.offer(side, print),
                None => search.end(side),
            }
        }
        // To stand still would be to search for ever.
        Ok(search
            .found()
            .filter(|meeting| meeting.source_passed + meeting.target_passed > 0))
    }

    /// The sides do not meet again: everything left is on one side only.
    async fn apart(
        &mut self,
        task: &Task,
        s: Print,
        t: Print,
        noted: &mut Noted,
        tally: &mut Tally,
    ) -> Result<(), Stop> {
        let mut pair = self.open(task, [s.offset, t.offset], noted);
        let mut left = [0u64; 2];
        for side in [Side::Source, Side::Target] {
            while let Some(print) = pair.next(side).await? {
                left[side as usize] +=
                    u64::from(side == Side::Target || print.offset < task.required);
            }
        }
        tally.pass((s, left[0]), (t, left[1]));
        Ok(())
    }

    /// Compares the last records of all keys, a share of them at a time.
    async fn last_of_keys(
        &mut self,
        task: &Task,
        from: [i64; 2],
        noted: &mut Noted,
    ) -> Result<(Tally, Option<i64>), Stop> {
        let shared = self.shared.clone();
        let _one = shared.tables.acquire().await;
        let mut shares = 1;
        'divide: loop {
            let of = shares;
            let (mut tally, mut behind) = (Tally::default(), None);
            for index in 0..of {
                let mut table = Table::new(Share { index, of });
                let others = task.of_target.is_choosy();
                let mut pair = self.open_with(task, from, noted, others);
                for side in [Side::Target, Side::Source] {
                    let mut last = None;
                    while let Some(next) = pair.next_of_any(side).await? {
                        let offered = match next {
                            Next::Counts(print) => {
                                last = Some(print.offset);
                                table.offer(side, print)
                            }
                            Next::Other(print) => table.other(side, print),
                        };
                        if offered.is_err() {
                            shares *= DIVIDE;
                            continue 'divide;
                        }
                    }
                    if side == Side::Target && pair.target_is_thinned_behind(last) {
                        table.target_is_thinned();
                    }
                }
                behind = table.settle(&mut tally).into_iter().chain(behind).min();
            }
            return Ok((tally, behind));
        }
    }
}

/// What was found about the front of both sides.
enum Front {
    /// They begin alike here.
    Meets(Meeting),
    /// They do not, or nothing is known to be gone.
    Apart,
    /// Everything that the source had was removed by retention; the target still holds so many records.
    SourceGone(u64),
}
