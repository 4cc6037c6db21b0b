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
    events::Events,
    exit::Exit,
    lock::Lock,
    run::{executor::Executor, lock::RunnerLock, plan::Plan, state::Record},
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
        let runner = RunnerLock::take(&self.told.state_dir)?;
        let seen = steps::see(&self.told, &self.source, &self.target).await?;
        let clusters = (self.source.clone(), self.target.clone());
        let state = journal::look(&self.settings, &clusters.0, &clusters.1).await?;
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
        let (mut journal, beating) = opened.await?;
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
}
