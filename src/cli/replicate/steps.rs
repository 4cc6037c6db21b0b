//! The phase `replicate`: what was seen, the plan made from it, and what its steps do.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    task::JoinHandle,
};

use super::wishes::Wishes;
use crate::model::direction::Direction;
use crate::{
    cli::plan::settings_in_force,
    clock,
    cluster::{Source, Target, TopicInfo},
    config,
    engine::{self, StopSignal, Summary, ledger::record::Header, opening, topics},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    lock::Lock,
    model::names::TopicName,
    run::{
        plan::{CLUSTERS, JOURNAL, Plan, VERSION, counted},
        step::{Effects, Step, What},
    },
    ui::numbers,
};

/// The phase.
pub const PHASE: &str = "replicate";
const CREATE: &str = "create-topics";
const HOLD: &str = "hold-retention";
const START: &str = "start-engine";
/// Topics named in a step before they are counted.
const NAMED: usize = 3;

/// What the plan rests on, as it was a moment ago.
pub struct Seen {
    found: Vec<TopicInfo>,
    missing: Vec<(TopicName, usize)>,
    ledger: Option<Header>,
    source: String,
    target: String,
}

/// Looks at both clusters. Nothing is changed; a scope or a ledger that cannot be is refused here, before anything is made.
pub async fn see(
    told: &engine::Settings,
    source: &Source,
    target: &Target,
) -> Result<Seen, Failure> {
    let found = topics::found(source, &told.scope).await?;
    let ledger = opening::header(target, &told.migration, Direction::Forward).await?;
    match &ledger {
        Some(header) => opening::check_header(header, told, source.id(), target.id())?,
        None => topics::check_scope(&found, &told.scope, &HashSet::new())?,
    }
    let missing = missing(target, &found).await?;
    Ok(Seen {
        found,
        missing,
        ledger,
        source: source.id().to_owned(),
        target: target.id().to_owned(),
    })
}

impl Seen {
    /// No engine was here before, or what it left is gone.
    pub fn is_new(&self) -> bool {
        self.ledger.is_none()
    }

    /// An engine was here before, and nothing is to be made first.
    pub fn only_goes_on(&self) -> bool {
        self.ledger.is_some() && self.missing.is_empty()
    }
}

/// Topics that the target does not have, with their partitions.
async fn missing(target: &Target, found: &[TopicInfo]) -> Result<Vec<(TopicName, usize)>, Failure> {
    let names: Vec<TopicName> = found.iter().map(|topic| topic.name.clone()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let there = target.topics_each(&names).await;
    let there = there.map_err(|error| error.failure())?;
    let missing = found
        .iter()
        .filter(|topic| !there.contains_key(&topic.name));
    Ok(missing
        .map(|topic| (topic.name.clone(), topic.partitions.len()))
        .collect())
}

/// The plan of `replicate`. `journal` says how far the migration was.
pub fn plan(
    settings: &config::Settings,
    told: &engine::Settings,
    wishes: &Wishes,
    seen: &Seen,
    journal: String,
) -> Plan {
    let partitions: usize = seen.found.iter().map(|topic| topic.partitions.len()).sum();
    let topics = numbers::of(seen.found.len() as u64, "topic");
    let mut steps = Vec::new();
    if !seen.missing.is_empty() {
        steps.push(Step::new(CREATE, What::Effect, create_words(&seen.missing)));
    }
    steps.push(Step::new(
        HOLD,
        What::Engine,
        "keep the target from deleting what is copied before the backlog is through, then give its settings back".into(),
    ));
    let says = format!(
        "copy {topics} with {} in {}{}",
        numbers::of(partitions as u64, "partition"),
        numbers::of(u64::from(told.shards), "shard"),
        wishes.words()
    );
    steps.push(Step {
        with: wishes.written(),
        ..Step::new(START, What::Effect, says)
    });
    Plan {
        v: VERSION,
        migration: told.migration.clone(),
        phase: PHASE.to_owned(),
        subject: String::new(),
        made_at_ms: clock::unix_millis(),
        rests_on: facts(settings, told, seen, journal),
        steps,
        clients: "nobody notices: applications stay where they are".to_owned(),
        back: "Ctrl-C ends it; what was copied stays on the target, and the same command goes on"
            .to_owned(),
    }
}

fn create_words(missing: &[(TopicName, usize)]) -> String {
    let named = missing.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "make {} on the target: {}{more}",
        numbers::of(missing.len() as u64, "topic"),
        named.join(", ")
    )
}

fn facts(
    settings: &config::Settings,
    told: &engine::Settings,
    seen: &Seen,
    journal: String,
) -> BTreeMap<String, String> {
    // How fast is no part of what is done.
    let listed = settings_in_force(settings).into_iter();
    let listed: Vec<String> = listed
        .filter(|line| !line.starts_with("replication.rate = "))
        .collect();
    let scope: Vec<String> = seen
        .found
        .iter()
        .map(|topic| format!("{} {}", topic.name, topic.partitions.len()))
        .collect();
    let missing: Vec<String> = seen
        .missing
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let asked: Vec<String> = told.asked.iter().map(|one| format!("{one:?}")).collect();
    [
        (CLUSTERS[0], seen.source.clone()),
        (CLUSTERS[1], seen.target.clone()),
        (JOURNAL, journal),
        (
            "ledger",
            seen.ledger
                .as_ref()
                .map_or("none".to_owned(), |header| header.migration_id.to_string()),
        ),
        ("settings", counted("setting", &listed)),
        ("topics in scope", counted("topic", &scope)),
        ("topics to make", counted("topic", &missing)),
        ("ways past stops", counted("way", &asked)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A running engine; dropped, it is cut off, which loses nothing.
pub struct Running(JoinHandle<Result<Summary, Failure>>);

impl Running {
    /// Waits for its end.
    pub async fn ended(mut self) -> Result<Summary, Failure> {
        joined((&mut self.0).await)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the steps of `replicate` do.
pub struct Deeds {
    told: engine::Settings,
    source: Source,
    target: Target,
    events: Events,
    stop: StopSignal,
    begun: watch::Receiver<bool>,
    lock: Mutex<Option<Lock>>,
    /// Topics that the target will not take: the engine stops their partitions, and copies the others.
    refused: Mutex<HashSet<TopicName>>,
    engine: AsyncMutex<Option<Running>>,
}

impl Deeds {
    /// `begun` turns true when the engine has said that it has begun; `lock` is the engine's.
    pub fn new(
        told: engine::Settings,
        (source, target): (Source, Target),
        events: Events,
        stop: StopSignal,
        begun: watch::Receiver<bool>,
        lock: Lock,
    ) -> Self {
        Self {
            told,
            source,
            target,
            events,
            stop,
            begun,
            lock: Mutex::new(Some(lock)),
            refused: Mutex::default(),
            engine: AsyncMutex::default(),
        }
    }

    /// The engine that was started.
    pub async fn engine(&self) -> Option<Running> {
        self.engine.lock().await.take()
    }

    async fn create(&self) -> Result<String, Failure> {
        let found = topics::found(&self.source, &self.told.scope).await?;
        let factor = self.told.replication_factor;
        let prepared = topics::prepare(&self.source, &self.target, &found, factor).await?;
        let mut refused = self
            .refused
            .lock()
            .expect("nothing panics while holding it");
        let (mut made, mut not) = (0, 0);
        for one in prepared {
            if let Some(text) = one.trouble {
                self.events.send(Event::Trouble { text });
            }
            made += u64::from(one.created);
            if one.created {
                self.told.made.note(&one.name, one.made_with);
            }
            if one.refused.is_some() {
                not += 1;
                refused.insert(one.name);
            }
        }
        let not = match not {
            0 => String::new(),
            not => format!(", {not} not as they have to be"),
        };
        Ok(format!("{made} made{not}"))
    }

    async fn start(&self) -> Result<String, Failure> {
        let lock = self
            .lock
            .lock()
            .expect("nothing panics while holding it")
            .take();
        let Some(lock) = lock else {
            return Err(Failure::new(
                Exit::Bug,
                "K000",
                "the engine was started twice",
            ));
        };
        let engine = engine::run(
            self.told.clone(),
            lock,
            self.source.clone(),
            self.target.clone(),
            self.events.clone(),
            self.stop.clone(),
        );
        let mut running = Running(tokio::spawn(engine));
        let mut begun = self.begun.clone();
        let has_begun = async { begun.wait_for(|begun| *begun).await.map(drop) };
        tokio::select! {
            ended = &mut running.0 => {
                // It ended before it had begun, or faster than it could be told: as by a stop.
                let summary = joined(ended)?;
                *self.engine.lock().await = Some(Running(tokio::spawn(async { Ok(summary) })));
                Ok("it was told to stop at once".to_owned())
            }
            _ = has_begun => {
                *self.engine.lock().await = Some(running);
                Ok(String::new())
            }
        }
    }
}

fn joined(
    ended: Result<Result<Summary, Failure>, tokio::task::JoinError>,
) -> Result<Summary, Failure> {
    ended.unwrap_or_else(|error| {
        Err(
            Failure::new(Exit::Bug, "K000", "the engine ended unexpectedly")
                .because(&error)
                .hint("nothing is lost: the same command goes on; please report what was printed above"),
        )
    })
}

impl Effects for Deeds {
    async fn perform(&self, step: &Step, _attempt: u32) -> Result<String, Failure> {
        match step.name.as_str() {
            CREATE => self.create().await,
            START => self.start().await,
            _ => Err(step.is_unknown()),
        }
    }

    async fn holds(&self, step: &Step) -> Result<bool, Failure> {
        match step.name.as_str() {
            CREATE => {
                let found = topics::found(&self.source, &self.told.scope).await?;
                let missing = missing(&self.target, &found).await?;
                let refused = self
                    .refused
                    .lock()
                    .expect("nothing panics while holding it");
                Ok(missing.iter().all(|(name, _)| refused.contains(name)))
            }
            // An engine lives in one process: what another started is not ours.
            START => Ok(self.engine.lock().await.is_some()),
            _ => Err(step.is_unknown()),
        }
    }

    async fn undo(&self, step: &Step, _attempt: u32) -> Result<String, Failure> {
        Err(step.is_unknown())
    }

    async fn attest(&self, step: &Step) -> Result<String, Failure> {
        Err(step.is_unknown())
    }
}
