//! Moves as journals tell them: done, undone, killed in between, and with clocks that do not agree.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::{
    phases::moving::GATES,
    run::{
        placed::{Counted, Placed},
        state::{Head, Runner},
        step::{Fails, Step as PlanStep, Undo, What},
    },
};

/// 2026-01-31T14:00:00Z.
const BEGIN: i64 = 1_769_868_000_000;

/// A journal, line by line, each so many milliseconds after the first.
pub struct Story(pub Vec<Line>);

impl Story {
    /// Begun, with a command at work.
    pub fn begun() -> Self {
        let mut story = Self(Vec::new());
        story.says(
            0,
            Record::Begun(Head {
                migration: "orders".into(),
                id: Uuid::nil(),
                source: "Aaa".into(),
                target: "Bbb".into(),
            }),
        );
        story.runs(0);
        story
    }

    /// Adds a line.
    pub fn says(&mut self, after_ms: i64, record: Record) -> &mut Self {
        let mut line = Line::after(self.0.last(), record);
        line.at_ms = BEGIN + after_ms;
        self.0.push(line);
        self
    }

    /// A command begins to write.
    pub fn runs(&mut self, after_ms: i64) -> &mut Self {
        self.says(
            after_ms,
            Record::Runner(Runner {
                token: Uuid::nil(),
                host: "ferry".into(),
                machine: "m".into(),
                process: 7,
                lock: "l".into(),
                command: "cutover".into(),
                version: "0.1.0".into(),
            }),
        )
    }

    /// A plan of `order-status`.
    pub fn plans(&mut self, after_ms: i64, plan: u32, phase: &str) -> &mut Self {
        let step = |name: &str, what| PlanStep {
            undo: match name {
                STOP => Undo::By("start.sh on the source".into()),
                START => Undo::Impossible,
                _ => Undo::NotNeeded,
            },
            ..PlanStep::new(name, what, format!("does {name}"))
        };
        let what = Box::new(Plan {
            v: 1,
            migration: "orders".into(),
            phase: phase.into(),
            subject: "order-status".into(),
            made_at_ms: BEGIN + after_ms,
            rests_on: BTreeMap::new(),
            steps: vec![
                step(GATES, What::Attestation),
                step(STOP, What::Hook),
                step(QUIET, What::Attestation),
                step(DRAINED, What::Attestation),
                step(POSITIONS, What::Attestation),
                step(AUTHORITY, What::Effect),
                step(START, What::Hook),
                step(LIVES, What::Attestation),
            ],
            clients: String::new(),
            back: String::new(),
        });
        self.says(after_ms, Record::Planned { plan, what })
    }

    /// An effect or a hook, done.
    pub fn does(
        &mut self,
        plan: u32,
        step: u32,
        from_ms: i64,
        to_ms: i64,
        said: &str,
    ) -> &mut Self {
        self.begins(plan, step, 1, from_ms);
        let said = said.to_owned();
        self.says(to_ms, Record::Done { plan, step, said })
    }

    /// An effect or a hook begins.
    pub fn begins(&mut self, plan: u32, step: u32, attempt: u32, at_ms: i64) -> &mut Self {
        let with = BTreeMap::new();
        self.says(
            at_ms,
            Record::Intent {
                plan,
                step,
                attempt,
                with,
            },
        )
    }

    /// An attestation holds.
    pub fn holds(&mut self, plan: u32, step: u32, at_ms: i64, said: &str) -> &mut Self {
        self.places(plan, step, at_ms, said, Vec::new())
    }

    /// The same, with positions.
    pub fn places(
        &mut self,
        plan: u32,
        step: u32,
        at_ms: i64,
        said: &str,
        placed: Vec<Placed>,
    ) -> &mut Self {
        let said = said.to_owned();
        self.says(
            at_ms,
            Record::Attested {
                plan,
                step,
                said,
                placed,
            },
        )
    }

    /// A step fails, and what was done is undone.
    pub fn fails(&mut self, plan: u32, step: u32, at_ms: i64) -> &mut Self {
        let (code, why) = ("K474".into(), "3 of 12 partitions did not arrive".into());
        let then = Fails::Undo;
        self.says(
            at_ms,
            Record::Failed {
                plan,
                step,
                code,
                why,
                then,
            },
        )
    }

    /// It ends.
    pub fn ends(&mut self, plan: u32, at_ms: i64, how: End) -> &mut Self {
        self.says(at_ms, Record::Ended { plan, how })
    }

    /// A whole move in nine seconds, begun then; 13 records are read again, and 12 were.
    pub fn moves(&mut self, plan: u32, phase: &str, at: i64) -> &mut Self {
        let placed = |partition, again| Placed {
            group: "order-status".into(),
            topic: "orders".into(),
            partition,
            committed: 40,
            exact: 57,
            stands: 57 - i64::try_from(again).unwrap(),
            again,
            end: Some(57),
        };
        let counted = |partition, again, why: Option<&str>| Counted {
            group: "order-status".into(),
            topic: "orders".into(),
            partition,
            again,
            why: why.map(str::to_owned),
        };
        self.plans(at, plan, phase)
            .holds(plan, 0, at + 1000, "20 gates open")
            .does(plan, 1, at + 1010, at + 2010, "exit 0")
            .holds(plan, 2, at + 7010, "nothing of it was seen for 5.0s")
            .holds(plan, 3, at + 7110, "2 partitions")
            .places(
                plan,
                4,
                at + 7200,
                "2 positions",
                vec![placed(0, 0), placed(1, 13)],
            )
            .does(plan, 5, at + 7210, at + 7300, "moved")
            .does(plan, 6, at + 7320, at + 8000, "exit 0")
            .holds(plan, 7, at + 9000, "1 member")
            .ends(plan, at + 9010, End::Done)
            .says(
                at + 9400,
                Record::Counted {
                    plan,
                    counted: vec![counted(0, Some(0), None), counted(1, Some(12), None)],
                },
            )
    }
}

#[test]
fn a_move_tells_what_took_how_long_and_what_of_it_is_ours() {
    let mut story = Story::begun();
    story.moves(0, "cutover", 500);
    let all = of(&story.0);
    let [one] = &all[..] else { panic!("{all:?}") };
    assert_eq!((one.outcome, one.to.as_str()), ("done", "target"));
    assert_eq!((one.down_ms, one.ours_ms), (Some(7990), Some(310)));
    assert!(!one.interrupted);
    let took: Vec<_> = one
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.took_ms))
        .collect();
    assert_eq!(
        took,
        [
            ("gates", Some(1000)),
            ("stop", Some(1000)),
            ("quiet", Some(5000)),
            ("drained", Some(100)),
            ("positions", Some(90)),
            ("authority", Some(90)),
            ("start", Some(680)),
            ("lives", Some(1000)),
        ]
    );
    let group = &one.groups[0];
    assert_eq!((group.announced, group.measured), (13, Some(12)));
    assert_eq!(group.partitions[1].went_on_at, 44);
}

#[test]
fn what_failed_and_was_undone_is_told_with_how_long_it_was_down() {
    let mut story = Story::begun();
    let plan = 0;
    story
        .plans(0, plan, "cutover")
        .holds(plan, 0, 1000, "open")
        .does(plan, 1, 1000, 2000, "exit 0")
        .holds(plan, 2, 7000, "nothing")
        .fails(plan, 3, 97_000)
        .says(
            97_010,
            Record::Undoing {
                plan,
                step: 1,
                attempt: 1,
            },
        )
        .says(
            99_000,
            Record::Undone {
                plan,
                step: 1,
                said: "exit 0".into(),
            },
        );
    let going = of(&story.0);
    assert_eq!((going[0].outcome, going[0].down_ms), ("going-back", None));
    story.ends(plan, 99_010, End::Undone);
    let one = &of(&story.0)[0];
    assert_eq!(
        (one.outcome, one.down_ms, one.ours_ms),
        ("undone", Some(98_000), None)
    );
    assert_eq!(
        one.failure.as_deref(),
        Some("3 of 12 partitions did not arrive (K474)")
    );
    let states: Vec<_> = one.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, ["held", "done", "held", "failed", "undone"]);
}

#[test]
fn a_command_that_was_killed_is_in_our_share_and_says_so() {
    let mut story = Story::begun();
    let plan = 0;
    story
        .plans(0, plan, "cutover")
        .holds(plan, 0, 1000, "open")
        .does(plan, 1, 1000, 2000, "exit 0")
        .holds(plan, 2, 7000, "nothing")
        .begins(plan, 5, 1, 7100)
        // Killed here; an hour later somebody runs it again.
        .runs(3_607_000)
        .holds(plan, 2, 3_612_000, "nothing")
        .holds(plan, 3, 3_612_100, "2 partitions");
    let open = &of(&story.0)[0];
    assert_eq!(
        (open.outcome, open.down_ms, open.ours_ms),
        ("under-way", None, None)
    );
    assert_eq!(
        open.steps
            .iter()
            .filter(|step| step.state == "begun")
            .count(),
        1
    );
    story
        .begins(plan, 5, 2, 3_612_200)
        .says(
            3_612_300,
            Record::Done {
                plan,
                step: 5,
                said: String::new(),
            },
        )
        .does(plan, 6, 3_612_310, 3_613_000, "exit 0")
        .holds(plan, 7, 3_614_000, "1 member")
        .ends(plan, 3_614_000, End::Done);
    let one = &of(&story.0)[0];
    assert!(one.interrupted);
    assert_eq!(
        (one.down_ms, one.ours_ms),
        (Some(3_613_000), Some(3_605_310))
    );
    // Positions were placed and nobody counted: that is said.
    assert!(one.groups.is_empty());
}

#[test]
fn times_that_go_backwards_are_not_known() {
    let mut story = Story::begun();
    story
        .plans(0, 0, "rollback")
        .does(0, 1, 5000, 1000, "exit 0");
    let one = &of(&story.0)[0];
    assert_eq!((one.to.as_str(), one.steps[0].took_ms), ("source", None));
}
