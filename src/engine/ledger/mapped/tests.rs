//! Histories of one partition as an engine tells them, against every record that was really written.

use proptest::prelude::*;

use super::*;
use crate::{
    engine::ledger::{
        record::{At, Beyond, Entry, Gap, Seam},
        state::State,
    },
    model::map::Way,
};

const AT: At = At {
    topic: 0,
    partition: 0,
};

#[derive(Debug, Clone)]
enum Step {
    /// Records, or something that is not copied.
    Source(bool, usize),
    /// Compaction removes one.
    Gone(usize),
    /// Runs of the next batches are told.
    Declare(usize),
    Send(usize),
    Acknowledge(usize),
    /// Somebody else writes to the target.
    Others(usize),
    /// What was not sent is given up, and fetched again.
    DropUnsent,
    Checkpoint,
    Crash,
    Snapshot,
}

/// An engine, and the two logs.
#[derive(Default)]
struct Engine {
    state: State,
    source: Vec<bool>,
    target_end: i64,
    identity: u32,
    sequence: u64,
    at: usize,
    run: Option<Run>,
    target_run: Option<Run>,
    target_runs: Vec<Run>,
    declared: VecDeque<(u64, usize)>,
    in_flight: VecDeque<(u64, usize, i64)>,
    acknowledged: u64,
    position: usize,
    /// Nothing of ours that is not acknowledged stands below.
    target: i64,
    told: u64,
    told_position: usize,
    /// Every record that stands on the target: source offset, target offset, and its identity and sequence.
    written: Vec<(i64, i64, u32, u64)>,
}

impl Engine {
    fn new(target_end: i64) -> Self {
        let mut engine = Self {
            target_end,
            target: target_end,
            ..Self::default()
        };
        let seam = Seam {
            source_start: 0,
            source_end: 0,
            target_start: 0,
            target_end,
        };
        engine.state.take(Entry::Seam { at: AT, seam });
        engine
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Source(eligible, count) => {
                self.source.extend(std::iter::repeat_n(eligible, count));
            }
            Step::Gone(at) => {
                let count = self.source.len().max(1);
                if let Some(slot) = self.source.get_mut(at % count) {
                    *slot = false;
                }
            }
            Step::Declare(count) => (0..count).for_each(|_| self.declare()),
            Step::Send(count) => {
                for _ in 0..count {
                    let Some((sequence, source)) = self.declared.pop_front() else {
                        return;
                    };
                    let target = self.target_end;
                    self.target_end += 1;
                    self.in_flight.push_back((sequence, source, target));
                    let written = (source as i64, target, self.identity, sequence);
                    self.written.push(written);
                }
            }
            Step::Acknowledge(count) => (0..count).for_each(|_| self.acknowledge()),
            Step::Others(count) => self.target_end += count as i64,
            Step::DropUnsent => {
                if let Some((sequence, _)) = self.declared.front() {
                    self.sequence = *sequence;
                    self.declared.clear();
                    let last = self.in_flight.back().map(|(_, source, _)| source + 1);
                    self.at = last.unwrap_or(self.position);
                    self.run = None;
                }
            }
            Step::Checkpoint => {
                for run in std::mem::take(&mut self.target_runs) {
                    self.state.take(Entry::TargetRun { at: AT, run });
                }
                self.tell(self.acknowledged, self.position);
            }
            Step::Crash => self.crash(),
            Step::Snapshot => {
                let mut again = State::default();
                for entry in self.state.entries() {
                    again.take(entry);
                }
                self.state = again;
            }
        }
    }

    fn declare(&mut self) {
        let next = self.source.iter().skip(self.at).position(|one| *one);
        let Some(next) = next.map(|ahead| self.at + ahead) else {
            return;
        };
        let run = Run {
            identity: self.identity,
            sequence: self.sequence,
            offset: next as i64,
        };
        let continues = self
            .run
            .is_some_and(|last| last.offset + (run.sequence - last.sequence) as i64 == run.offset);
        if !continues {
            self.run = Some(run);
            self.state.take(Entry::Run { at: AT, run });
        }
        self.declared.push_back((self.sequence, next));
        self.sequence += 1;
        self.at = next + 1;
    }

    fn acknowledge(&mut self) {
        let Some((sequence, source, target)) = self.in_flight.pop_front() else {
            return;
        };
        let continues = self
            .target_run
            .is_some_and(|last| last.offset + (sequence - last.sequence) as i64 == target);
        if !continues {
            let run = Run {
                identity: self.identity,
                sequence,
                offset: target,
            };
            self.target_run = Some(run);
            self.target_runs.push(run);
        }
        self.acknowledged = sequence + 1;
        self.position = source + 1;
        self.target = target + 1;
    }

    fn tell(&mut self, next_sequence: u64, position: usize) {
        (self.told, self.told_position) = (next_sequence, position);
        let checkpoint = Checkpoint {
            identity: self.identity,
            next_sequence,
            source: position as i64,
            target: self.target,
            source_epoch: -1,
        };
        self.state.take(Entry::Checkpoint { at: AT, checkpoint });
    }

    /// The next engine shuts this one out, reads what it left on the target, and goes on under another identity.
    fn crash(&mut self) {
        self.target_end += 1;
        self.target = self.target_end;
        let found: Vec<_> = self
            .written
            .iter()
            .filter(|one| one.2 == self.identity && one.3 >= self.told)
            .copied()
            .collect();
        let mut position = self.told_position;
        for &(_, offset, identity, sequence) in &found {
            let run = Run {
                identity,
                sequence,
                offset,
            };
            self.state.take(Entry::TargetRun { at: AT, run });
        }
        if let Some(last) = found.last() {
            position = position.max(last.0 as usize + 1);
            self.tell(last.3 + 1, position);
        }
        *self = Self {
            state: std::mem::take(&mut self.state),
            source: std::mem::take(&mut self.source),
            written: std::mem::take(&mut self.written),
            target_end: self.target_end,
            target: self.target,
            identity: self.identity + 1,
            at: position,
            position,
            told_position: position,
            ..Self::default()
        };
    }

    fn way(&self) -> Way {
        self.state.partitions[&AT].way().expect("it was met")
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let way = self.way();
        let mapped = way.segments.iter().flat_map(|one| {
            (0..one.length).map(move |ahead| (one.source + ahead, one.target + ahead))
        });
        let told = self.written.iter().map(|one| (one.0, one.1));
        let told = told.filter(|(source, _)| *source < self.told_position as i64);
        prop_assert_eq!(mapped.collect::<Vec<_>>(), told.collect::<Vec<_>>());
        prop_assert_eq!((way.begin, way.mapped_begin), (0, 0));
        prop_assert_eq!(way.passed, self.told_position as i64);
        let last = way.segments.last().map_or(0, Segment::target_end);
        prop_assert!(way.mapped_end >= last);
        let rest = self.written.iter().filter(|one| one.0 >= way.passed);
        for (_, target, ..) in rest {
            prop_assert!(*target >= way.mapped_end);
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), 1..6usize).prop_map(|(some, count)| Step::Source(some, count)),
        1 => any::<usize>().prop_map(Step::Gone),
        8 => (1..9usize).prop_map(Step::Declare),
        8 => (1..9usize).prop_map(Step::Send),
        8 => (1..9usize).prop_map(Step::Acknowledge),
        2 => (1..4usize).prop_map(Step::Others),
        2 => Just(Step::DropUnsent),
        4 => Just(Step::Checkpoint),
        2 => Just(Step::Crash),
        1 => Just(Step::Snapshot),
    ]
}

proptest! {
    #[test]
    fn the_map_holds_what_was_written_and_nothing_else(
        target_end in 0..3i64,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut engine = Engine::new(target_end);
        for step in &steps {
            engine.step(step);
            engine.check()?;
        }
    }

    #[test]
    fn any_entry_makes_some_map(
        begin in any::<Option<(i64, i64)>>(),
        steps in proptest::collection::vec(any::<[u64; 3]>(), 0..9),
    ) {
        let entry = record::Mapped { identity: 0, sequence: 0, begin, steps };
        let map = Mapped::from(entry);
        let again = Mapped::from(map.entry());
        prop_assert_eq!(map, again);
    }
}

fn run(sequence: u64, offset: i64) -> Run {
    Run {
        identity: 0,
        sequence,
        offset,
    }
}

fn checkpoint(next_sequence: u64, source: i64, target: i64) -> Checkpoint {
    Checkpoint {
        identity: 0,
        next_sequence,
        source,
        target,
        source_epoch: -1,
    }
}

fn segments(map: &Mapped) -> Vec<(i64, i64, i64)> {
    let all = map.segments.iter();
    all.map(|one| (one.source, one.target, one.length))
        .collect()
}

#[test]
fn what_nobody_saw_on_the_target_is_not_in_the_map() {
    let runs = VecDeque::from([run(0, 100)]);
    let targets = VecDeque::from([run(0, 7), run(10, -1), run(15, 30)]);
    let mut map = Mapped::default();
    map.extend([&runs, &targets], &checkpoint(20, 120, 35));
    assert_eq!(segments(&map), [(100, 7, 10), (115, 30, 5)]);
    assert_eq!(map.begin, None);
}

#[test]
fn what_no_run_explains_is_let_go_of() {
    let runs = VecDeque::from([run(5, 100)]);
    let targets = VecDeque::from([run(0, 7)]);
    let mut map = Mapped::default();
    map.extend([&runs, &targets], &checkpoint(20, 120, 27));
    assert_eq!(segments(&map), []);
    assert_eq!(map.begin, Some((120, 27)));
    map.extend([&runs, &targets], &checkpoint(30, 130, 37));
    assert_eq!(segments(&map), [(115, 27, 10)], "from there on it is whole");
}

#[test]
fn the_oldest_are_let_go_of_and_the_map_says_where_it_begins() {
    let count = 3 * KEPT as u64;
    let runs: VecDeque<Run> = (0..count).map(|at| run(at, at as i64 * 2)).collect();
    let targets = VecDeque::from([run(0, 5)]);
    let mut map = Mapped::default();
    let end = checkpoint(count, count as i64 * 2, count as i64 + 5);
    map.extend([&runs, &targets], &end);
    assert!(map.segments.len() <= KEPT && map.segments.len() > KEPT / 2);
    let first = map.segments.iter().next().expect("most are kept");
    assert_eq!(map.begin, Some((first.source - 1, first.target)));
}

#[test]
fn a_source_that_was_cut_off_takes_its_part_of_the_map_along() {
    let mut state = State::default();
    let seam = Seam {
        source_start: 0,
        source_end: 0,
        target_start: 0,
        target_end: 0,
    };
    let gap = Gap {
        code: "K512".to_owned(),
        from: 20,
        to: Beyond {
            source: 12,
            epoch: 3,
        },
        by: "ann".to_owned(),
        at_ms: 1,
    };
    let runs = [run(0, 0), run(20, 12)];
    let targets = [run(0, 0), run(20, 20)];
    for entry in [
        Entry::Seam { at: AT, seam },
        Entry::Run {
            at: AT,
            run: runs[0],
        },
        Entry::TargetRun {
            at: AT,
            run: targets[0],
        },
        Entry::Checkpoint {
            at: AT,
            checkpoint: checkpoint(20, 20, 20),
        },
        Entry::Gap { at: AT, gap },
    ] {
        state.take(entry);
    }
    let way = state.partitions[&AT].way().expect("it was met");
    assert_eq!((way.passed, way.mapped_end), (12, 20));
    assert_eq!(way.segments.last().map(Segment::source_end), Some(12));
    for (run, target_run) in runs.into_iter().zip(targets).skip(1) {
        state.take(Entry::Run { at: AT, run });
        state.take(Entry::TargetRun {
            at: AT,
            run: target_run,
        });
    }
    state.take(Entry::Checkpoint {
        at: AT,
        checkpoint: checkpoint(25, 17, 25),
    });
    let map = &state.partitions[&AT].map;
    assert_eq!(segments(map), [(0, 0, 12), (12, 20, 5)]);
}
