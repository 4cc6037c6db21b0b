//! Every move as the journal tells it: its steps with how long each took, when the application stopped, and what of that is ours.

use serde::Serialize;

use super::{
    again::{self, Group},
    bars::Kind,
};
use crate::{
    phases::{
        moving::{AUTHORITY, DRAINED, LIVES, POSITIONS, QUIET, START, STOP},
        standing,
    },
    run::{
        journal::Line,
        plan::Plan,
        state::{End, Record},
    },
};

/// One `cutover` or `rollback` of one application.
#[derive(Debug, Clone, Serialize)]
pub struct Move {
    /// The plan's number in the journal, from 0.
    pub plan: u32,
    /// `cutover` or `rollback`.
    pub phase: String,
    /// What moved.
    pub application: String,
    /// `source` or `target`: where to.
    pub to: String,
    /// When the plan was made, in milliseconds since 1970.
    pub planned_at_ms: i64,
    /// When it ended.
    pub ended_at_ms: Option<i64>,
    /// `done`, `undone`, `attention`, `replaced`, `under-way` or `going-back`.
    pub outcome: &'static str,
    /// What turned it around, or stopped it last.
    pub failure: Option<String>,
    /// Every step each time that it was done, asked or undone, in order.
    pub steps: Vec<Step>,
    /// When what happened to the application.
    pub moments: Moments,
    /// Milliseconds from when its stop began to when it was seen at work, or was started again where it had been; `None`: it is not over, or
    /// nobody but a person knows when it was stopped.
    pub down_ms: Option<u64>,
    /// Our own share of it: milliseconds from when nothing of it was seen to when it may be started.
    pub ours_ms: Option<u64>,
    /// The command ended in our own share, and began again: time in which nothing ran is in it.
    pub interrupted: bool,
    /// What its groups were to read again, and what they did; empty where the journal says nothing of it.
    pub groups: Vec<Group>,
}

/// A step, once.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// What it does.
    pub says: String,
    /// `done`, `held`, `failed`, `undone`, `not-undone`, or `begun` where the journal says no more.
    pub state: &'static str,
    /// When it began, in milliseconds since 1970; `None` where nothing tells.
    pub since_ms: Option<i64>,
    /// When it ended.
    pub at_ms: i64,
    /// Milliseconds; `None` where nothing tells, or clocks of two machines do not agree.
    pub took_ms: Option<u64>,
    /// What came of it.
    pub said: String,
}

impl Step {
    /// What its bar tells.
    pub fn kind(&self) -> Kind {
        match self.state {
            "failed" | "not-undone" => Kind::Bad,
            "undone" => Kind::Undo,
            _ => Kind::Good,
        }
    }
}

/// When what happened, each in milliseconds since 1970 by the clock of the machine that did it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Moments {
    /// Its stop began.
    pub stop_began: Option<i64>,
    /// Its stop hook had ended.
    pub stopped: Option<i64>,
    /// Nothing of it had been seen for long enough.
    pub quiet: Option<i64>,
    /// All that it read and wrote was on the other side.
    pub drained: Option<i64>,
    /// Where its groups go on was known.
    pub placed: Option<i64>,
    /// Its positions were the other side's.
    pub carried: Option<i64>,
    /// It could be started: its start hook was called, or a person could start it.
    pub may_start: Option<i64>,
    /// Its start hook had ended.
    pub started: Option<i64>,
    /// It was seen at work.
    pub lives: Option<i64>,
    /// It was started again where it had been.
    pub started_again: Option<i64>,
}

/// All moves, in the order in which they were begun.
pub fn of(lines: &[Line]) -> Vec<Move> {
    let mut all: Vec<Telling> = Vec::new();
    let mut before: Option<i64> = None;
    for line in lines {
        if let Record::Planned { plan, what } = &line.record
            && let Some(to) = standing::goal(&what.phase)
        {
            all.push(Telling::new(*plan, what, &to.to_string()));
        }
        let of = plan_of(&line.record);
        for telling in &mut all {
            match of {
                Some(of) if of == telling.told.plan => telling.hear(line, before),
                None => telling.hear_of_others(&line.record),
                Some(_) => {}
            }
        }
        before = Some(line.at_ms);
    }
    all.into_iter().map(Telling::end).collect()
}

fn plan_of(record: &Record) -> Option<u32> {
    match record {
        Record::Planned { plan, .. }
        | Record::Intent { plan, .. }
        | Record::Done { plan, .. }
        | Record::Failed { plan, .. }
        | Record::Attested { plan, .. }
        | Record::Counted { plan, .. }
        | Record::Undoing { plan, .. }
        | Record::Undone { plan, .. }
        | Record::UndoFailed { plan, .. }
        | Record::Ended { plan, .. } => Some(*plan),
        Record::Begun(_)
        | Record::Runner(_)
        | Record::Left
        | Record::Waived(_)
        | Record::Withdrawn { .. } => None,
    }
}

/// A move while its lines are read.
struct Telling {
    told: Move,
    plan: Plan,
    /// The step that was begun last and has not ended, and when.
    open: Option<(u32, i64)>,
    is_back: bool,
}

impl Telling {
    fn new(plan: u32, what: &Plan, to: &str) -> Self {
        Self {
            told: Move {
                plan,
                phase: what.phase.clone(),
                application: what.subject.clone(),
                to: to.to_owned(),
                planned_at_ms: what.made_at_ms,
                ended_at_ms: None,
                outcome: "under-way",
                failure: None,
                steps: Vec::new(),
                moments: Moments::default(),
                down_ms: None,
                ours_ms: None,
                interrupted: false,
                groups: Vec::new(),
            },
            plan: what.clone(),
            open: None,
            is_back: false,
        }
    }

    /// A line of this plan; `before` is when the line before it was written, whatever it said.
    fn hear(&mut self, line: &Line, before: Option<i64>) {
        let at_ms = line.at_ms;
        match &line.record {
            Record::Intent { step, .. } => {
                self.begin(*step, at_ms);
                self.moment(*step, at_ms, "begun");
            }
            Record::Undoing { step, .. } => {
                self.is_back = true;
                self.begin(*step, at_ms);
            }
            Record::Done { step, said, .. } => self.step(*step, "done", None, at_ms, said),
            Record::Attested {
                step, said, placed, ..
            } => {
                self.step(*step, "held", before, at_ms, said);
                if !placed.is_empty() {
                    self.told.groups = again::announced(placed);
                }
            }
            Record::Failed {
                step, code, why, ..
            } => {
                let said = format!("{why} ({code})");
                self.step(*step, "failed", before, at_ms, &said);
                self.told.failure = Some(said);
            }
            Record::Undone { step, said, .. } => self.step(*step, "undone", None, at_ms, said),
            Record::UndoFailed {
                step, code, why, ..
            } => {
                let said = format!("{why} ({code})");
                self.step(*step, "not-undone", None, at_ms, &said);
                self.told.failure = Some(said);
            }
            Record::Counted { counted, .. } => again::count(&mut self.told.groups, counted),
            Record::Ended { how, .. } => {
                self.told.ended_at_ms = Some(at_ms);
                self.told.outcome = match how {
                    End::Done => "done",
                    End::Undone => "undone",
                    End::Attention => "attention",
                    End::Replaced => "replaced",
                };
            }
            _ => {}
        }
        if !matches!(line.record, Record::Ended { .. } | Record::Counted { .. }) {
            self.told.ended_at_ms = None;
            self.told.outcome = if self.is_back {
                "going-back"
            } else {
                "under-way"
            };
        }
    }

    /// Another command took the journal over, perhaps while this plan was under way.
    fn hear_of_others(&mut self, record: &Record) {
        let moments = &self.told.moments;
        if matches!(record, Record::Runner(_))
            && moments.quiet.is_some()
            && moments.may_start.is_none()
        {
            self.told.interrupted = true;
        }
    }

    fn begin(&mut self, step: u32, at_ms: i64) {
        self.close();
        self.open = Some((step, at_ms));
    }

    /// What was begun and never ended is told as that.
    fn close(&mut self) {
        if let Some((step, since_ms)) = self.open.take() {
            self.push(step, "begun", Some(since_ms), since_ms, "");
        }
    }

    fn step(
        &mut self,
        step: u32,
        state: &'static str,
        before: Option<i64>,
        at_ms: i64,
        said: &str,
    ) {
        let begun = self.open.take_if(|(open, _)| *open == step);
        let since_ms = begun.map(|(_, since_ms)| since_ms).or(before);
        self.close();
        self.push(step, state, since_ms, at_ms, said);
        self.moment(step, at_ms, state);
    }

    fn push(
        &mut self,
        step: u32,
        state: &'static str,
        since_ms: Option<i64>,
        at_ms: i64,
        said: &str,
    ) {
        let Some(of) = self.plan.steps.get(step as usize) else {
            return;
        };
        let took_ms = match state {
            "begun" => None,
            _ => since_ms.and_then(|since_ms| u64::try_from(at_ms - since_ms).ok()),
        };
        self.told.steps.push(Step {
            name: of.name.clone(),
            says: of.says.clone(),
            state,
            since_ms,
            at_ms,
            took_ms,
            said: said.to_owned(),
        });
    }

    fn moment(&mut self, step: u32, at_ms: i64, state: &'static str) {
        let Some(of) = self.plan.steps.get(step as usize) else {
            return;
        };
        let moments = &mut self.told.moments;
        let has_hook = |name: &str| self.plan.steps.iter().any(|step| step.name == name);
        let first = |moment: &mut Option<i64>| *moment = moment.or(Some(at_ms));
        match (of.name.as_str(), state) {
            (STOP, "begun") => first(&mut moments.stop_began),
            (STOP, "done") => moments.stopped = Some(at_ms),
            (STOP, "undone") => moments.started_again = Some(at_ms),
            // Asked again it was quiet all the while: from the first time on it is we who are waited for.
            (QUIET, "held") => first(&mut moments.quiet),
            (DRAINED, "held") => moments.drained = Some(at_ms),
            (POSITIONS, "held") => moments.placed = Some(at_ms),
            (AUTHORITY, "done") => {
                moments.carried = Some(at_ms);
                if !has_hook(START) {
                    moments.may_start = Some(at_ms);
                }
            }
            (START, "begun") => moments.may_start = Some(at_ms),
            (START, "done") => moments.started = Some(at_ms),
            (LIVES, "held") => moments.lives = Some(at_ms),
            _ => {}
        }
    }

    fn end(mut self) -> Move {
        self.close();
        let moments = &self.told.moments;
        let between = |from: Option<i64>, to: Option<i64>| u64::try_from(to? - from?).ok();
        let up = match self.told.outcome {
            "done" => moments.lives,
            "undone" => moments.started_again,
            _ => None,
        };
        self.told.down_ms = between(moments.stop_began, up);
        self.told.ours_ms = between(moments.quiet, moments.may_start);
        self.told.interrupted &= self.told.ours_ms.is_some();
        self.told
    }
}

#[cfg(test)]
pub mod tests;
