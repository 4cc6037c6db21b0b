//! What the steps of a move do: stop, wait until it is quiet, drained and placed, start, and see that it lives.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::{
    carrier::{Carrier, other},
    moving::{
        ATTENDS, AUTHORITY, DRAINED, FOLLOWS, FREEZE, GATES, LAST_POSITIONS, LIFT, LIVES,
        POSITIONS, QUIET, SHARED, START, STOP, STRAND,
    },
    world::{Call, Hook, World},
};
use crate::{
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::{application::Application, names::Side},
    run::{
        placed::Placed,
        plan::Plan,
        state::Course,
        step::{Effects, Step},
    },
};

mod arrive;
mod frost;
mod live;
mod quiet;

/// How far a plan was when this run began, as its steps have to know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// It was stopped by an earlier run: gates do not have to hold once more while it is down.
    pub stopped: bool,
    /// An earlier run began to move authority over its positions.
    pub moved: bool,
    /// An earlier run began to start it there: it may be there by now, and have read on.
    pub started: bool,
}

/// How far it was, by the journal.
pub fn begun(course: Option<&Course>) -> Begun {
    let is_begun = |name: &str| {
        let Some(course) = course else { return false };
        let steps = course.plan.steps.iter().zip(&course.standing);
        steps
            .filter(|(step, _)| step.name == name)
            .any(|(_, standing)| standing.may_hold())
    };
    Begun {
        stopped: is_begun(STOP),
        moved: is_begun(AUTHORITY),
        started: is_begun(START),
    }
}

/// How long things are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Nothing may be seen of an application for so long.
    pub quiet: Duration,
    /// A hook has ended: so long until what it stopped is not seen any more, or what it started is.
    pub hook: Duration,
    /// A person stops or starts it: so long.
    pub person: Duration,
    /// Until everything has arrived.
    pub drain: Duration,
    /// Until positions have come over.
    pub positions: Duration,
    /// Positions that have not moved for so long, and skip nothing, are taken as they are.
    pub still: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(5),
            hook: Duration::from_secs(60),
            person: Duration::from_secs(600),
            drain: Duration::from_secs(300),
            positions: Duration::from_secs(60),
            still: Duration::from_secs(20),
            pause: Duration::from_millis(500),
        }
    }
}

/// What is said of what was asked before it was started there.
const STARTED: &str = "an earlier run asked, and began to start it there";
/// What is said of what was asked before authority moved.
const MOVED: &str = "an earlier run asked, and authority has moved since";

/// What a person has said.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Nobody writes these topics while the application moves.
    pub quiet: Vec<String>,
    /// Who.
    pub by: String,
}

/// What the steps of one plan do.
pub struct Deeds<'a, W> {
    /// Both clusters, hooks, gates, and whoever copies.
    pub world: &'a W,
    /// Where to say what is waited for.
    pub events: &'a Events,
    /// What moves.
    pub application: &'a Application,
    /// Where to.
    pub to: Side,
    /// The plan whose steps these are.
    pub plan: &'a Plan,
    /// How long things are waited for.
    pub waits: Waits,
    /// What a person has said.
    pub said: &'a Said,
    /// How far it was when this run began.
    pub begun: Begun,
    /// Where its groups go on, from when that is known until the journal has it.
    pub placed: Mutex<Vec<Placed>>,
    /// The command that goes on.
    pub command: &'a str,
}

impl<W: World> Deeds<'_, W> {
    fn from(&self) -> Side {
        other(self.to)
    }

    fn name(&self) -> &str {
        &self.application.name
    }

    async fn call(
        &self,
        hook: Hook,
        side: Side,
        step: &Step,
        attempt: u32,
    ) -> Result<String, Failure> {
        let call = Call {
            hook,
            application: self.name().to_owned(),
            side,
            step: step.name.clone(),
            attempt,
        };
        self.world.call(&call).await
    }

    /// Says what a step waits for.
    fn waits(&self, step: &Step, since: Instant, said: &str) {
        let waited = since.elapsed().as_millis();
        self.events.send(Event::StepWaits {
            step: step.name.clone(),
            said: said.to_owned(),
            waited_ms: u64::try_from(waited).unwrap_or(u64::MAX),
        });
    }

    /// Says what a step has found, line by line.
    fn shows(&self, step: &Step, said: &str) {
        let at = self.plan.steps.iter().position(|one| one.name == step.name);
        self.events.send(Event::Step {
            phase: self.plan.phase.clone(),
            number: at.map_or(0, |at| at + 1),
            of: self.plan.steps.len(),
            step: step.name.clone(),
            says: step.says.clone(),
            state: "shows".to_owned(),
            said: said.to_owned(),
            took_ms: 0,
        });
    }

    /// Did an earlier run start it there, so that it reads there by now? Where its groups stand is then its own doing.
    async fn is_there(&self) -> Result<bool, Failure> {
        if !self.begun.started {
            return Ok(false);
        }
        let groups = self.world.groups(self.to, &self.application.groups).await?;
        Ok(groups.iter().any(|group| group.members > 0))
    }

    /// Did an earlier run begin to move authority, so that nobody has moved its positions there since they were asked?
    async fn has_moved(&self) -> Result<bool, Failure> {
        Ok(self.begun.moved && self.world.carrier().has_left(self.from()).await?)
    }

    fn shared(&self, step: &Step) -> Result<String, Failure> {
        let topics = list(step, super::moving::WITH_TOPICS);
        let topics = self.left_to_say(topics);
        if topics.is_empty() {
            return Ok("it may not write them any more".to_owned());
        }
        let open: Vec<&String> = topics
            .iter()
            .filter(|topic| !self.said.quiet.contains(topic))
            .collect();
        if open.is_empty() {
            return Ok(format!("{} says so of {}", self.said.by, topics.join(", ")));
        }
        let flags: String = open
            .iter()
            .map(|topic| format!(" --attest-quiet {topic}"))
            .collect();
        let names: Vec<&str> = open.iter().map(|topic| topic.as_str()).collect();
        Err(Failure::new(
            Exit::Attention,
            "K473",
            format!(
                "{} also have other writers: whether {} has stopped writing them cannot be seen",
                names.join(", "),
                self.name()
            ),
        )
        .hint("make sure that nothing of it writes there any more, and say so")
        .next(format!("{}{flags}", self.command)))
    }
}

/// Names in what a step has to know.
fn list(step: &Step, key: &str) -> Vec<String> {
    let text = step.with.get(key).map_or("", String::as_str);
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The first few, and how many more.
fn some(all: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

impl<W: World> Effects for Deeds<'_, W> {
    async fn perform(&self, step: &Step, attempt: u32) -> Result<String, Failure> {
        match step.name.as_str() {
            STOP => self.call(Hook::Stop, self.from(), step, attempt).await,
            FREEZE => self.freeze(step).await,
            STRAND => {
                let topics = list(step, super::moving::WITH_TOPICS);
                self.world.carrier().strand(&topics).await
            }
            LIFT => self.lift(step, self.to).await,
            FOLLOWS => self.world.carrier().declare(self.name(), self.from()).await,
            AUTHORITY => self.world.carrier().declare(self.name(), self.to).await,
            START => self.call(Hook::Start, self.to, step, attempt).await,
            _ => Err(step.is_unknown()),
        }
    }

    async fn holds(&self, step: &Step) -> Result<bool, Failure> {
        let carrier = self.world.carrier();
        match step.name.as_str() {
            AUTHORITY => carrier.is_declared(self.name(), self.to).await,
            FREEZE | LIFT => self.is_as_it_was_left(step).await,
            STRAND => {
                let topics = list(step, super::moving::WITH_TOPICS);
                carrier.is_stranded(&topics).await
            }
            // It held until authority moved on.
            FOLLOWS => Ok(self.begun.moved || carrier.is_declared(self.name(), self.from()).await?),
            _ => Err(step.is_unknown()),
        }
    }

    async fn undo(&self, step: &Step, attempt: u32) -> Result<String, Failure> {
        match step.name.as_str() {
            // What was stopped there is started there again: nothing has been started elsewhere.
            STOP => self.call(Hook::Start, self.from(), step, attempt).await,
            FREEZE => self.lift(step, self.from()).await,
            AUTHORITY => self.world.carrier().declare(self.name(), self.from()).await,
            _ => Err(step.is_unknown()),
        }
    }

    async fn attest(&self, step: &Step) -> Result<String, Failure> {
        match step.name.as_str() {
            GATES if self.begun.started => Ok(STARTED.to_owned()),
            GATES => self.world.gates(self.name(), !self.begun.stopped).await,
            ATTENDS => self.world.carrier().attends(self.from()).await,
            QUIET => self.quiet(step).await,
            SHARED => self.shared(step),
            DRAINED | POSITIONS if self.is_there().await? => Ok(STARTED.to_owned()),
            POSITIONS if self.has_moved().await? => Ok(MOVED.to_owned()),
            DRAINED => self.drained(step).await,
            POSITIONS => self.positions(step).await,
            LAST_POSITIONS => self.last_positions(step).await,
            LIVES => self.lives(step).await,
            _ => Err(step.is_unknown()),
        }
    }

    fn placed(&self) -> Vec<Placed> {
        let placed = self.placed.lock().map(|mut all| std::mem::take(&mut *all));
        placed.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
