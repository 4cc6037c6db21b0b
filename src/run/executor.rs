//! Does a plan: journals the intent, does, checks, journals the outcome; on failure undoes or stops; goes on where another ended.
//!
//! A process may end between any two writes. What the next one finds, and does:
//!
//! | ended | the journal's last word | the next run |
//! |---|---|---|
//! | before the intent was kept | the step before | does the step |
//! | after the intent, before, during or after the effect | intent | reads whether it holds: then it was done; else does it again |
//! | after the outcome | done | reads whether it still holds; else does it again |
//! | after a failure, before what follows | failed | what follows: undo, or the step again |
//! | in an undo | undoing | undoes it again |
//! | before the end was kept | the last step | ends it |
//!
//! A hook cannot be read back: after an intent without outcome it is called again, after an outcome it is not.

use std::time::{Duration, Instant};

use super::{
    journal::{Journal, Store},
    placed,
    plan::Plan,
    state::{Course, End, Record, Standing, Way},
    step::{Effects, Fails, Step, Undo, What},
};
use crate::{
    error::Failure,
    events::{Event, Events},
    exit::Exit,
};

/// How a plan ended, or why it has not.
#[derive(Debug)]
pub enum Ended {
    /// Every step is done.
    Done,
    /// It failed, and everything that was done is undone.
    Undone(Failure),
    /// A person decides; nothing more was changed.
    Attention(Failure),
    /// It was asked to stop before this step; the same command goes on.
    Stopped(String),
}

/// Does plans, one at a time.
pub struct Executor<'a, S, E> {
    /// Where everything is remembered.
    pub journal: &'a mut Journal<S>,
    /// What the steps do.
    pub effects: &'a E,
    /// Where to say what happens.
    pub events: &'a Events,
    /// Is it to stop before the next step?
    pub stop: &'a (dyn Fn() -> bool + Send + Sync),
}

impl<S: Store, E: Effects> Executor<'_, S, E> {
    /// Begins a plan, or goes on with the one of the same phase and subject that is not over. `Err`: the journal or a look at what holds
    /// failed; nothing is lost, and the same call goes on.
    pub async fn run(&mut self, plan: &Plan) -> Result<Ended, Failure> {
        let open = self.journal.state().open(&plan.phase, &plan.subject);
        let number = match open {
            Some(number) => number,
            None => {
                plan.check()?;
                let number = u32::try_from(self.journal.state().courses.len()).unwrap_or(u32::MAX);
                let what = Box::new(plan.clone());
                self.journal
                    .append(Record::Planned { plan: number, what })
                    .await?;
                number
            }
        };
        self.go_on(number).await
    }

    /// Goes on with a plan, whichever way it goes.
    pub async fn go_on(&mut self, number: u32) -> Result<Ended, Failure> {
        match self.course(number)?.way() {
            Way::Back => self.undo(number, None).await,
            Way::Forward => self.forward(number).await,
        }
    }

    fn course(&self, number: u32) -> Result<&Course, Failure> {
        let course = self.journal.state().courses.get(number as usize);
        course.ok_or_else(|| Failure::new(Exit::Bug, "K000", "the journal has no such plan"))
    }

    async fn forward(&mut self, number: u32) -> Result<Ended, Failure> {
        let plan = self.course(number)?.plan.clone();
        let mut to_do = self.left(number, &plan).await?;
        for (at, step) in plan.steps.iter().enumerate() {
            let asked = step.what == What::Attestation && is_needed(&plan, &to_do, at);
            if !to_do[at] && !asked {
                let state = match step.what {
                    What::Engine => "left to the engine",
                    What::Attestation => "not asked again",
                    What::Effect | What::Hook => "done before",
                };
                self.tell(&plan, at, state, "", Duration::ZERO);
                continue;
            }
            if (self.stop)() {
                return Ok(Ended::Stopped(step.says.clone()));
            }
            self.tell(&plan, at, "begins", "", Duration::ZERO);
            let begun = Instant::now();
            let outcome = if asked {
                self.ask(number, at, step).await?
            } else {
                self.perform(number, at, step).await?
            };
            to_do[at] = false;
            match outcome {
                Ok(said) => self.tell(&plan, at, "done", &said, begun.elapsed()),
                Err(failure) => {
                    self.tell(&plan, at, "failed", &failure.message, begun.elapsed());
                    return self.failed(number, at, step, failure).await;
                }
            }
        }
        self.end(number, End::Done).await?;
        Ok(Ended::Done)
    }

    /// Which effects have to be done: those that were not, and those that hold no longer.
    async fn left(&mut self, number: u32, plan: &Plan) -> Result<Vec<bool>, Failure> {
        let mut to_do = Vec::with_capacity(plan.steps.len());
        for (at, step) in plan.steps.iter().enumerate() {
            let standing = self.course(number)?.standing[at];
            to_do.push(match (step.what, standing) {
                (What::Attestation | What::Engine, _) | (What::Hook, Standing::Done(_)) => false,
                (What::Effect, Standing::Done(_)) => !self.effects.holds(step).await?,
                (What::Effect, Standing::Begun(_)) => {
                    let holds = self.effects.holds(step).await?;
                    if holds {
                        let said = "found in effect".to_owned();
                        self.journal.append(done(number, at, said)).await?;
                    }
                    !holds
                }
                _ => true,
            });
        }
        Ok(to_do)
    }

    async fn ask(
        &mut self,
        number: u32,
        at: usize,
        step: &Step,
    ) -> Result<Result<String, Failure>, Failure> {
        match self.effects.attest(step).await {
            Ok(said) => {
                let (plan, step) = (number, index(at));
                let attested = Record::Attested {
                    plan,
                    step,
                    said: said.clone(),
                    placed: placed::that_fit(self.effects.placed()),
                };
                self.journal.append(attested).await?;
                Ok(Ok(said))
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    async fn perform(
        &mut self,
        number: u32,
        at: usize,
        step: &Step,
    ) -> Result<Result<String, Failure>, Failure> {
        let attempt = self.course(number)?.standing[at].attempts() + 1;
        let intent = Record::Intent {
            plan: number,
            step: index(at),
            attempt,
            with: self.effects.keeps(step).await?,
        };
        self.journal.append(intent).await?;
        let said = match self.effects.perform(step, attempt).await {
            Ok(said) => said,
            Err(failure) => return Ok(Err(failure)),
        };
        if step.what == What::Effect {
            match self.effects.holds(step).await {
                Ok(true) => {}
                Ok(false) => return Ok(Err(does_not_hold(step, "was done and does not hold"))),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        self.journal.append(done(number, at, said.clone())).await?;
        Ok(Ok(said))
    }

    /// The one place that decides between undo and attention.
    async fn failed(
        &mut self,
        number: u32,
        at: usize,
        step: &Step,
        failure: Failure,
    ) -> Result<Ended, Failure> {
        let decides = failure.exit == Exit::Attention
            || step.fails == Fails::Attention
            || !self.course(number)?.may_be_undone();
        let then = if decides {
            Fails::Attention
        } else {
            Fails::Undo
        };
        let failed = Record::Failed {
            plan: number,
            step: index(at),
            code: failure.code.to_owned(),
            why: failure.message.clone(),
            then,
        };
        self.journal.append(failed).await?;
        match then {
            Fails::Undo => self.undo(number, Some(failure)).await,
            Fails::Attention => {
                self.end(number, End::Attention).await?;
                Ok(Ended::Attention(failure))
            }
        }
    }

    /// Undoes what was done, the last first. A stop does not end it: half undone is worse than either end.
    pub async fn undo(&mut self, number: u32, cause: Option<Failure>) -> Result<Ended, Failure> {
        let course = self.course(number)?;
        let plan = course.plan.clone();
        let cause = cause.unwrap_or_else(|| remembered(course));
        if !course.may_be_undone() {
            self.end(number, End::Attention).await?;
            return Ok(Ended::Attention(
                cause.cause("a step that was begun cannot be undone"),
            ));
        }
        for (at, step) in plan.steps.iter().enumerate().rev() {
            let standing = self.course(number)?.standing[at];
            let way_back = step.what.is_done_here() && matches!(step.undo, Undo::By(_));
            if !way_back || !standing.may_hold() {
                continue;
            }
            let attempt = match standing {
                Standing::Undoing(before) | Standing::UndoFailed(before) => before + 1,
                _ => 1,
            };
            let (plan_number, step_number) = (number, index(at));
            self.journal
                .append(Record::Undoing {
                    plan: plan_number,
                    step: step_number,
                    attempt,
                })
                .await?;
            let begun = Instant::now();
            match self.take_back(step, attempt).await {
                Ok(said) => {
                    self.tell(&plan, at, "undone", &said, begun.elapsed());
                    let (plan, step) = (plan_number, step_number);
                    self.journal
                        .append(Record::Undone { plan, step, said })
                        .await?;
                }
                Err(failure) => {
                    self.tell(&plan, at, "not undone", &failure.message, begun.elapsed());
                    let record = Record::UndoFailed {
                        plan: plan_number,
                        step: step_number,
                        code: failure.code.to_owned(),
                        why: failure.message.clone(),
                    };
                    self.journal.append(record).await?;
                    self.end(number, End::Attention).await?;
                    return Ok(Ended::Attention(both(step, &failure, &cause)));
                }
            }
        }
        self.end(number, End::Undone).await?;
        Ok(Ended::Undone(cause))
    }

    async fn take_back(&self, step: &Step, attempt: u32) -> Result<String, Failure> {
        let said = self.effects.undo(step, attempt).await?;
        if step.what == What::Effect && self.effects.holds(step).await? {
            return Err(does_not_hold(step, "was undone and holds all the same"));
        }
        Ok(said)
    }

    async fn end(&mut self, plan: u32, how: End) -> Result<(), Failure> {
        self.journal.append(Record::Ended { plan, how }).await
    }

    fn tell(&self, plan: &Plan, at: usize, state: &'static str, said: &str, took: Duration) {
        let step = &plan.steps[at];
        self.events.send(Event::Step {
            phase: plan.phase.clone(),
            number: at + 1,
            of: plan.steps.len(),
            step: step.name.clone(),
            says: step.says.clone(),
            state: state.to_owned(),
            said: said.to_owned(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// Is anything about to be done on the strength of this attestation? One behind all effects is always asked.
fn is_needed(plan: &Plan, to_do: &[bool], at: usize) -> bool {
    let mut after = plan.steps.iter().zip(to_do).skip(at + 1);
    let none = !after.clone().any(|(step, _)| step.what.is_done_here());
    none || after.any(|(_, to_do)| *to_do)
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn done(plan: u32, at: usize, said: String) -> Record {
    Record::Done {
        plan,
        step: index(at),
        said,
    }
}

fn does_not_hold(step: &Step, what: &str) -> Failure {
    Failure::new(Exit::Attention, "K443", format!("{}: it {what}", step.says))
        .hint("somebody else may be changing the same thing")
}

/// What turned a plan around, as the journal remembers it.
fn remembered(course: &Course) -> Failure {
    let failure = Failure::new(
        Exit::Stopped,
        "K441",
        format!("{} failed before, and was undone", course.plan.phase),
    );
    match &course.failure {
        Some((code, why)) => failure.cause(format!("{why} ({code})")),
        None => failure,
    }
}

/// A failed undo, told with the failure that caused it.
fn both(step: &Step, failure: &Failure, cause: &Failure) -> Failure {
    let way = match &step.undo {
        Undo::By(way) => way.as_str(),
        Undo::NotNeeded | Undo::Impossible => "",
    };
    let mut both = Failure::new(
        Exit::Attention,
        "K442",
        format!("{} could not be undone ({way})", step.says),
    )
    .cause(format!("{} ({})", failure.message, failure.code));
    both.causes.extend(failure.causes.iter().cloned());
    both.causes.push(format!(
        "it was undone because: {} ({})",
        cause.message, cause.code
    ));
    both.hint("once the cause is gone the same command undoes the rest")
}

#[cfg(test)]
mod tests;
