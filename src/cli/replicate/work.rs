//! What `replicate` does from the connected clusters on: locks, plan, journal, steps, and then the engine to its end.

use tokio::sync::watch;

use super::{
    steps::{self, Deeds},
    wishes::Wishes,
};
use crate::{
    cli::{journal, refusal},
    cluster::{Source, Target},
    config,
    engine::{self, Stop, StopSignal, Summary},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    lock::Lock,
    run::{
        executor::{Ended, Executor},
        lock::RunnerLock,
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
        let opened = journal::open(
            &self.settings,
            &clusters.0,
            &clusters.1,
            &runner,
            self.command,
        );
        let (mut journal, notes) = opened.await?;
        for text in notes {
            self.events.send(Event::Trouble { text });
        }
        let beating = journal.store().beat();
        let listen = self.stop.listen();
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
            stop: &|| *listen.borrow() != Stop::No,
        };
        let ended = executor.run(&now).await?;
        journal.append(Record::Left).await?;
        drop((beating, journal, runner));
        match ended {
            Ended::Done => match deeds.engine().await {
                Some(engine) => engine.ended().await,
                None => Err(Failure::new(
                    Exit::Bug,
                    "K000",
                    "the plan is done and nothing was started",
                )),
            },
            Ended::Undone(failure) | Ended::Attention(failure) => Err(failure),
            Ended::Stopped(before) => Err(refusal::stopped_before(&before)),
        }
    }
}
