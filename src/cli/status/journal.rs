//! What the journal says, for `status`: plans and how far they are, who is at work, what is waived.

use serde::Serialize;

use crate::{
    cli::waived,
    error::Failure,
    model::application::Application,
    phases::standing,
    run::{
        state::{Course, End, Standing, State, Way},
        waiver::Waiver,
    },
    ui::{numbers, printable, tables},
};

/// Plans that are over and shown to a person, the last of them.
const OVER_SHOWN: usize = 3;

/// The journal, for programs.
#[derive(Debug, Clone, Serialize)]
pub struct Journal {
    /// Why it could not be read; then nothing is known of it.
    pub trouble: Option<String>,
    /// The command that writes it, unless it left.
    pub runner: Option<String>,
    /// Where each application stands.
    pub applications: Vec<ApplicationStatus>,
    /// Every plan, in order.
    pub plans: Vec<PlanStatus>,
    /// What persons answer for.
    pub waived: Vec<waived::Row>,
    #[serde(skip)]
    words: Vec<Waiver>,
}

/// Where one application stands.
#[derive(Debug, Clone, Serialize)]
pub struct ApplicationStatus {
    /// Its name.
    pub name: String,
    /// `source` or `target`: where it runs, or ran before it began to move.
    pub at: String,
    /// `source` or `target`, where it is on its way there.
    pub moving_to: Option<String>,
    #[serde(skip)]
    words: String,
}

impl ApplicationStatus {
    fn of(state: &State, name: &str) -> Self {
        let standing = standing::of(state, name);
        Self {
            name: name.to_owned(),
            at: standing.at.to_string(),
            moving_to: standing.moving.map(|moving| moving.to.to_string()),
            words: standing.words(),
        }
    }
}

/// One plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlanStatus {
    /// The phase, and what it is about where there are several.
    pub plan: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// When it was made.
    pub made_at: String,
    /// `under-way`, `going-back`, `attention`, `done`, `undone`, or `replaced` by a plan the other way.
    pub standing: &'static str,
    /// Steps done.
    pub done: usize,
    /// Of so many; what is left to the engine counts with what came behind it.
    pub steps: usize,
    /// The last step that was done.
    pub last_done: Option<String>,
    /// What stopped it, or turned it around.
    pub failure: Option<String>,
}

impl Journal {
    /// From what it says, or from why it does not; `applications` are those of the file.
    pub fn of(state: Result<State, Failure>, applications: &[Application]) -> Self {
        let is_known = state.is_ok();
        let (state, trouble) = match state {
            Ok(state) => (state, None),
            Err(failure) => (
                State::default(),
                Some(format!("{} ({})", failure.message, failure.code)),
            ),
        };
        Self {
            trouble,
            runner: state.runner.as_ref().map(|runner| {
                format!(
                    "`{}`, process {} on {}",
                    runner.command, runner.process, runner.host
                )
            }),
            // Without a journal nothing is known of where they are.
            applications: match is_known {
                true => named(&state, applications),
                false => Vec::new(),
            },
            plans: state.courses.iter().map(plan).collect(),
            waived: waived::rows(&state.waived, |_| None),
            words: state.waived,
        }
    }

    /// For people; empty where there is nothing to say.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if let Some(trouble) = &self.trouble {
            text += &format!("\nthe journal cannot be read: {}\n", printable(trouble));
        }
        let over = |one: &&PlanStatus| matches!(one.standing, "done" | "undone" | "replaced");
        let count = self.plans.iter().filter(over).count();
        let mut older = count.saturating_sub(OVER_SHOWN);
        let shown = self.plans.iter().filter(|one| {
            let is_old = over(one) && older > 0;
            older -= usize::from(is_old);
            !is_old
        });
        let lines: Vec<String> = shown.map(line).collect();
        if !lines.is_empty() {
            text += &format!("\nthe journal says\n  {}\n", lines.join("\n  "));
        }
        if !self.applications.is_empty() {
            let rows: Vec<[String; 2]> = self
                .applications
                .iter()
                .map(|one| [printable(&one.name), one.words.clone()])
                .collect();
            text += &format!("\n{}", tables::grid(&["application", "stands"], &rows));
        }
        if let Some(runner) = &self.runner {
            text += &format!(
                "  {} is at work, or ended without a word\n",
                printable(runner)
            );
        }
        if !self.words.is_empty() {
            text += &format!("\n{}", waived::table(&self.words));
        }
        text
    }
}

/// Those of the file, and those that the journal knows besides.
fn named(state: &State, applications: &[Application]) -> Vec<ApplicationStatus> {
    let mut names: Vec<String> = applications.iter().map(|one| one.name.clone()).collect();
    for known in standing::known(state) {
        if !names.contains(&known) {
            names.push(known);
        }
    }
    names
        .iter()
        .map(|name| ApplicationStatus::of(state, name))
        .collect()
}

fn line(plan: &PlanStatus) -> String {
    let last = match &plan.last_done {
        Some(step) => format!("; last done: {}", step.replace('-', " ")),
        None => String::new(),
    };
    let failure = match &plan.failure {
        Some(failure) if plan.standing != "done" => format!("; {failure}"),
        _ => String::new(),
    };
    printable(&format!(
        "{}, planned {}: {}, {} of {}{last}{failure}",
        plan.plan,
        plan.made_at,
        plan.standing.replace('-', " "),
        plan.done,
        numbers::of(plan.steps as u64, "step"),
    ))
}

fn plan(course: &Course) -> PlanStatus {
    let steps = &course.plan.steps;
    let done = |at: &usize| matches!(course.standing[*at], Standing::Done(_));
    let last = (0..steps.len()).rev().find(done);
    // What is left to the engine is over with what came behind it, as `replicate` counts the steps.
    let over = |at: &usize| {
        done(at) || !steps[*at].what.is_done_here() && last.is_some_and(|last| *at < last)
    };
    PlanStatus {
        plan: format!("{} {}", course.plan.phase, course.plan.subject)
            .trim_end()
            .to_owned(),
        fingerprint: course.plan.fingerprint(),
        made_at: numbers::stamp(course.plan.made_at_ms),
        standing: match (course.end, course.way()) {
            (Some(End::Done), _) => "done",
            (Some(End::Undone), _) => "undone",
            (Some(End::Attention), _) => "attention",
            (Some(End::Replaced), _) => "replaced",
            (None, Way::Forward) => "under-way",
            (None, Way::Back) => "going-back",
        },
        done: (0..steps.len()).filter(over).count(),
        steps: steps.len(),
        last_done: last.map(|at| steps[at].name.clone()),
        failure: course
            .failure
            .as_ref()
            .map(|(code, why)| format!("{why} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        exit::Exit,
        run::{
            plan::Plan,
            state::{Head, Record, Runner},
            step::{Fails, Step, Undo, What},
        },
    };

    fn step(name: &str, what: What) -> Step {
        Step {
            name: name.into(),
            says: String::new(),
            what,
            undo: Undo::NotNeeded,
            fails: Fails::Undo,
            with: BTreeMap::new(),
        }
    }

    fn records() -> Vec<Record> {
        let what = Box::new(Plan {
            v: 1,
            migration: "orders".into(),
            phase: "replicate".into(),
            subject: String::new(),
            made_at_ms: 1_769_868_000_000,
            rests_on: BTreeMap::new(),
            steps: vec![
                step("create-topics", What::Effect),
                step("hold-retention", What::Engine),
                step("start-engine", What::Effect),
            ],
            clients: String::new(),
            back: String::new(),
        });
        let (plan, attempt) = (0, 1);
        let done = |step| {
            let said = String::new();
            [
                Record::Intent {
                    plan,
                    step,
                    attempt,
                    with: BTreeMap::new(),
                },
                Record::Done { plan, step, said },
            ]
        };
        let mut records = vec![
            Record::Begun(Head {
                migration: "orders".into(),
                id: uuid::Uuid::nil(),
                source: "Aaa".into(),
                target: "Bbb".into(),
            }),
            Record::Runner(Runner {
                token: uuid::Uuid::nil(),
                host: "ferry".into(),
                machine: "m".into(),
                process: 4711,
                lock: "l".into(),
                command: "replicate".into(),
                version: "0.1.0".into(),
            }),
            Record::Waived(Waiver {
                gate: "G212".into(),
                application: None,
                reason: "nobody goes back".into(),
                by: "ann on ferry".into(),
                at_ms: 1_769_868_000_000,
            }),
            Record::Planned { plan, what },
        ];
        records.extend(done(0));
        records.extend(done(2));
        let how = End::Done;
        records.extend([Record::Ended { plan, how }, Record::Left]);
        records
    }

    fn after(records: &[Record]) -> Journal {
        let mut state = State::default();
        for record in records {
            state.apply(record).expect("it can come here");
        }
        Journal::of(Ok(state), &[])
    }

    #[test]
    fn a_plan_under_way_says_how_far_it_is_and_who_is_at_work() {
        let records = records();
        insta::assert_snapshot!(after(&records[..6]).text(), @r"

        the journal says
          replicate, planned 2026-01-31T14:00:00.000Z: under way, 1 of 3 steps; last done: create topics
          `replicate`, process 4711 on ferry is at work, or ended without a word

        waived  for  since                     who           why
        G212    all  2026-01-31T14:00:00.000Z  ann on ferry  nobody goes back
        ");
        insta::assert_snapshot!(after(&records).text(), @r"

        the journal says
          replicate, planned 2026-01-31T14:00:00.000Z: done, 3 of 3 steps; last done: start engine

        waived  for  since                     who           why
        G212    all  2026-01-31T14:00:00.000Z  ann on ferry  nobody goes back
        ");
        let value = serde_json::to_value(after(&records)).expect("it is JSON");
        assert_eq!(value["plans"][0]["standing"], "done");
        assert_eq!(value["plans"][0]["last_done"], "start-engine");
        assert_eq!(value["waived"][0]["by"], "ann on ferry");
        assert_eq!(value["trouble"], serde_json::Value::Null);
    }

    #[test]
    fn what_is_withdrawn_is_gone_and_a_journal_that_cannot_be_read_says_so() {
        let mut records = records();
        records.push(Record::Withdrawn {
            gate: "G212".into(),
            application: None,
            by: "ann on ferry".into(),
        });
        assert!(after(&records).waived.is_empty());
        let lost = Journal::of(
            Err(Failure::new(Exit::Refused, "K429", "it is damaged")),
            &[],
        );
        assert_eq!(
            lost.text(),
            "\nthe journal cannot be read: it is damaged (K429)\n"
        );
        assert_eq!(after(&[]).text(), "");
    }
}
