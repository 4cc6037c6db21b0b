//! What `replicate` does from the connected clusters on: locks, plan, journal, steps, and then the engine to its end.

use tokio::sync::watch;

use super::{
    steps::{self, Deeds},
    wishes::Wishes,
};
use crate::{
    cli::{drive, journal},
    cluster::{Source, Target},
    config,
    engine::{self, StopSignal, Summary},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    lock::Lock,
    phases::standing,
    run::{
        executor::Executor,
        lock::{RunnerLock, is_other_runner},
        plan::Plan,
        state::Record,
    },
};

/// One `replicate`.
pub struct Work {
    /// What the engine is told.
    pub told: engine::Settings,
    /// What a person asked for.
    pub wishes: Wishes,
    /// The settings in force.
    pub settings: config::Settings,
    /// The source.
    pub source: Source,
    /// The target.
    pub target: Target,
    /// Where to say what happens.
    pub events: Events,
    /// How it is asked to stop.
    pub stop: StopSignal,
    /// Whether the engine has begun.
    pub begun: watch::Receiver<bool>,
    /// The plan that was given.
    pub given: Option<Plan>,
    /// The command, for those who meet it.
    pub command: &'static str,
}

impl Work {
    /// Does it.
    pub async fn run(self) -> Result<Summary, Failure> {
        // The engine's lock first: who copies here already is named before anything else.
        let lock = Lock::take(&self.told.state_dir)?;
        let runner = RunnerLock::take(&self.told.state_dir);
        let seen = steps::see(&self.told, &self.source, &self.target).await?;
        let clusters = (self.source.clone(), self.target.clone());
        let state = journal::look(&self.settings, &clusters.0, &clusters.1).await?;
        if seen.is_new() && standing::is_cleaned_up(&state) {
            return Err(cleaned_up(&self.settings.name));
        }
        // A move may be at work, which needs the engine that has died.
        let goes_on = self.given.is_none() && self.told.asked.is_empty() && seen.only_goes_on();
        let runner = match runner {
            Err(failure) if goes_on && failure.exit == Exit::Refused => {
                return Box::pin(self.go_on(lock, &failure)).await;
            }
            runner => runner?,
        };
        let now = steps::plan(
            &self.settings,
            &self.told,
            &self.wishes,
            &seen,
            state.summary(),
        );
        let open = state.open(&now.phase, &now.subject);
        if let Some(given) = &self.given {
            // What was begun by this very plan is gone on with, whatever it has changed by now.
            let begun = open.map(|open| &state.courses[open as usize].plan);
            if begun.is_none_or(|begun| begun.fingerprint() != given.fingerprint()) {
                given.still_holds(&now)?;
            }
        }
        let both = (&clusters.0, Some(&clusters.1));
        let opened = drive::open_journal(&self.settings, both, &runner, self.command, &self.events);
        let (mut journal, beating) = match opened.await {
            Err(failure) if goes_on && is_other_runner(&failure) => {
                drop(runner);
                return Box::pin(self.go_on(lock, &failure)).await;
            }
            opened => opened?,
        };
        let stop = drive::asked_to_stop(&self.stop);
        let deeds = Deeds::new(
            self.told,
            clusters,
            self.events.clone(),
            self.stop.clone(),
            self.begun,
            lock,
        );
        let mut executor = Executor {
            journal: &mut journal,
            effects: &deeds,
            events: &self.events,
            stop: &stop,
        };
        let ended = executor.run(&now).await?;
        journal.append(Record::Left).await?;
        drop((beating, journal, runner));
        drive::conclude(ended)?;
        match deeds.engine().await {
            Some(engine) => engine.ended().await,
            None => Err(Failure::new(
                Exit::Bug,
                "K000",
                "the plan is done and nothing was started",
            )),
        }
    }

    /// Goes on with what an earlier engine did, without a plan of its own: another command is at work, and may need it.
    async fn go_on(self, lock: Lock, why: &Failure) -> Result<Summary, Failure> {
        let text = format!(
            "{}: the engine goes on with what it did before",
            why.message
        );
        self.events.send(Event::Trouble { text });
        engine::run(
            self.told,
            lock,
            self.source,
            self.target,
            self.events,
            self.stop,
        )
        .await
    }
}

/// What it had made is gone: a copy would begin anew, onto what the target holds.
fn cleaned_up(migration: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K354",
        format!("{migration} was cleaned up: there is nothing to go on with"),
    )
    .hint("what comes after it is another migration, of another name")
}
