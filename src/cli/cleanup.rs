//! Removes what the migration made, once nobody depends on it.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use serde::Serialize;

use super::{Global, ask, connect, drive, journal, plan, waived};
use crate::{
    clock,
    cluster::{Cluster, Source, Target},
    config::Settings,
    engine::StopSignal,
    error::Failure,
    events::Events,
    exit::Exit,
    model::names::Side,
    phases::{
        cleanup::{self, Interlock, Left, Removal, Removes, Seen, embedded::Removing},
        live,
        standing::{self, CLEANUP, Standing},
    },
    run::{
        confirm::{self, Question},
        executor::Executor,
        lock::RunnerLock,
        plan::{Plan, counted},
        state::{Record, State},
    },
    ui::{Screen, numbers, tables},
};

/// MSK Replicator may take as long to go as it takes to come.
const WITHIN: Duration = Duration::from_secs(45 * 60);
const PAUSE: Duration = Duration::from_secs(5);
/// Our own engine seals within half a minute, or never.
const OURS_WITHIN: Duration = Duration::from_secs(120);
const OUR_PAUSE: Duration = Duration::from_millis(200);

/// Remove what the migration made, once no application depends on it
///
/// The replicators, and the secrets that were made for them; or, with our own engine, settings that it holds, its ledgers and the journals,
/// once it was asked to end. Refused while applications are on both sides, or between them, or still
/// read on the side that was left. Topics and groups stay, on both sides; what else stays is named, with what removes it. After it there
/// is no way back. The same command goes on, however it ended.
#[derive(Debug, Args)]
pub struct Cleanup {
    /// The migration's name: the answer to what is asked before anything is removed
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Show the steps that this would take, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The target is gone for good: close the migration from the source alone
    #[arg(long)]
    abandon_target: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    left: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    what: &'a str,
    how: Option<&'a str>,
}

/// The clusters, the second of them unless it is gone.
#[derive(Clone)]
struct Clusters {
    source: Source,
    target: Option<Target>,
}

impl Cleanup {
    /// Shows or does it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        let clusters = self.connect(&settings).await?;
        let state = journal::look_at(&settings, &clusters.source, clusters.target.as_ref()).await?;
        if settings.msk.is_some() {
            let removes = removes(&settings, &clusters, &state).await?;
            let removed = self.removed(settings, clusters, &state, removes, global, screen);
            return Box::pin(removed).await;
        }
        let by = waived::by();
        let (source, target) = (clusters.source.clone(), clusters.target.clone());
        let removes = Removing::new(settings.name.clone(), by, source, target);
        let was_done = standing::is_cleaned_up(&state);
        // A plan that was begun is gone on with to its end, whatever is left to remove.
        let is_open = state.open(CLEANUP, "").is_some();
        // What a journal tells is not removed without asking, though nothing else is left: an application may still depend on a side.
        let knows_nothing = !is_open && state.head.is_none();
        let nothing = was_done || (knows_nothing && removes.made().await?.is_empty());
        if nothing && !self.dry_run {
            // Ended between the last step and the journals; or there is nothing.
            journal::remove(&settings, &clusters.source, clusters.target.as_ref()).await?;
            let mut left = removes.left();
            left.extend(ours(&settings));
            show(&left, &settings.name, screen);
            return Ok(Exit::Ok);
        }
        let removed = self.removed(settings, clusters, &state, removes, global, screen);
        Box::pin(removed).await
    }

    async fn removed<R: Removes + 'static>(
        &self,
        settings: Settings,
        clusters: Clusters,
        state: &State,
        removes: R,
        global: &Global,
        screen: &Screen,
    ) -> Result<Exit, Failure> {
        if self.dry_run {
            let plan = self.plan(&settings, &clusters, state, &removes).await?;
            plan::print(&plan, None, global, screen);
            return Ok(Exit::Ok);
        }
        let question = Question {
            name: &settings.name,
            warning: "what the migration made is removed; after it there is no way back",
            asker: CLEANUP,
            line: &global.given.line,
        };
        confirm::typed_name(&question, self.confirm.as_deref(), |question| {
            ask::name(question, screen)
        })?;
        let mut left = removes.left();
        left.extend(ours(&settings));
        let name = settings.name.clone();
        let abandons_target = self.abandon_target;
        let work = |events, stop| {
            let work = Work {
                settings,
                clusters,
                removes,
                events,
                stop,
                abandons_target,
            };
            work.run()
        };
        let (ended, _) = drive::foreground(&name, global, screen, work).await?;
        match ended? {
            Exit::Ok => {}
            exit => return Ok(exit),
        }
        show(&left, &name, screen);
        Ok(Exit::Ok)
    }

    async fn connect(&self, settings: &Settings) -> Result<Clusters, Failure> {
        if self.abandon_target {
            let source = Source::connect(&settings.source).await;
            return Ok(Clusters {
                source: source.map_err(|error| error.failure())?,
                target: None,
            });
        }
        let (source, target) = connect::both(settings).await.map_err(|failure| {
            match failure.exit {
                Exit::Target => failure.hint(
                    "if the target is gone for good, the migration is closed without it: cleanup --abandon-target",
                ),
                _ => failure,
            }
        })?;
        Ok(Clusters {
            source,
            target: Some(target),
        })
    }

    async fn plan<R: Removes>(
        &self,
        settings: &Settings,
        clusters: &Clusters,
        state: &State,
        removes: &R,
    ) -> Result<Plan, Failure> {
        planned(settings, clusters, state, removes, self.abandon_target).await
    }
}

async fn planned<R: Removes>(
    settings: &Settings,
    clusters: &Clusters,
    state: &State,
    removes: &R,
    abandons_target: bool,
) -> Result<Plan, Failure> {
    if let Some(open) = state.open(CLEANUP, "") {
        return Ok(state.courses[open as usize].plan.clone());
    }
    let target = match (&clusters.target, &state.head) {
        (Some(target), _) => target.id().to_owned(),
        (None, Some(head)) => head.target.clone(),
        (None, None) => String::new(),
    };
    Ok(cleanup::plan(&Seen {
        migration: settings.name.clone(),
        clusters: [clusters.source.id().to_owned(), target],
        journal: state.summary(),
        settings: counted("setting", &plan::settings_in_force(settings)),
        made: removes.made().await?,
        abandons_target,
    }))
}

/// Whoever made something for this migration.
#[cfg(feature = "aws")]
async fn removes(
    settings: &Settings,
    clusters: &Clusters,
    state: &State,
) -> Result<crate::phases::msk::Removing, Failure> {
    let Some(msk) = &settings.msk else {
        return Err(without_aws());
    };
    if state.head.is_none() {
        return Err(no_journal(&settings.name));
    }
    let clients = Box::pin(crate::aws::Clients::open(&msk.region, None)).await;
    let target = clusters.target.as_ref().map_or("", |target| target.id());
    let wanted = super::replicate::replicators::wanted(
        settings,
        msk,
        crate::msk::Direction::BOTH.into(),
        (clusters.source.id(), target),
        state,
    );
    Ok(crate::phases::msk::Removing::new(
        clients,
        msk.clone(),
        wanted,
    ))
}

/// Another migration of that name may have made what bears it: only the journal's id tells.
#[cfg(feature = "aws")]
fn no_journal(migration: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K334",
        format!("there is no journal of {migration}, so nothing is known to be its own"),
    )
    .hint("nothing was ever made, or the journal is lost on both clusters and on this machine")
    .hint(format!(
        "what bears the tag kafka-migrate:migration={migration} may be another team's: look whose it is, and remove it by hand"
    ))
    .next("aws kafka list-replicators")
}

/// Without AWS nothing can have been made there.
#[cfg(not(feature = "aws"))]
async fn removes(
    _settings: &Settings,
    _clusters: &Clusters,
    _state: &State,
) -> Result<Nobody, Failure> {
    Err(without_aws())
}

fn without_aws() -> Failure {
    Failure::new(
        Exit::Bug,
        "K000",
        "MSK's side was asked for, and there is none",
    )
}

/// Stands for whoever made something, where nobody can have.
#[cfg(not(feature = "aws"))]
struct Nobody;

#[cfg(not(feature = "aws"))]
impl Removes for Nobody {
    async fn made(&self) -> Result<Vec<cleanup::Made>, Failure> {
        Err(without_aws())
    }

    async fn remove(&self, _one: &cleanup::Made) -> Result<String, Failure> {
        Err(without_aws())
    }

    async fn is_gone(&self, _one: &cleanup::Made) -> Result<bool, Failure> {
        Err(without_aws())
    }

    fn left(&self) -> Vec<Left> {
        Vec::new()
    }
}

/// What of ours stays.
fn ours(settings: &Settings) -> Vec<Left> {
    let journal = match settings.msk.is_some() {
        true => {
            let topic = format!("kafka-migrate.{}.journal", settings.name);
            let how = format!(
                "kafka-topics --delete --topic {topic}, once nobody wants to know any more"
            );
            (format!("the journal, {topic}, on both clusters"), how)
        }
        // It went with the ledgers.
        false => {
            let place = settings.state.display();
            (
                format!("the journal of this machine, in {place}"),
                "delete the directory, once nobody wants to know any more".to_owned(),
            )
        }
    };
    vec![
        Left {
            what: journal.0,
            how: journal.1,
        },
        Left {
            what: "topics and groups of applications, on both clusters".to_owned(),
            how: String::new(),
        },
    ]
}

fn show(left: &[Left], migration: &str, screen: &Screen) {
    if screen.is_json() {
        let row = |one: &'_ Left| -> (String, String) { (one.what.clone(), one.how.clone()) };
        let rows: Vec<(String, String)> = left.iter().map(row).collect();
        let left = rows.iter().map(|(what, how)| Row {
            what,
            how: (!how.is_empty()).then_some(how),
        });
        return screen.document(&Document {
            v: 1,
            at: numbers::stamp(clock::unix_millis()),
            migration,
            event: "cleaned-up",
            left: left.collect(),
        });
    }
    let rows: Vec<[String; 2]> = left
        .iter()
        .map(|one| {
            let how = match one.how.is_empty() {
                true => "it is meant to stay".to_owned(),
                false => one.how.clone(),
            };
            [one.what.clone(), how]
        })
        .collect();
    screen.text(&tables::grid(&["what stays", "what removes it"], &rows));
}

/// A cleanup that is done, apart from what shows it.
struct Work<R> {
    settings: Settings,
    clusters: Clusters,
    removes: R,
    events: Events,
    stop: StopSignal,
    abandons_target: bool,
}

impl<R: Removes> Work<R> {
    async fn run(self) -> Result<(), Failure> {
        let lock = RunnerLock::take(&self.settings.state)?;
        let (source, target) = (&self.clusters.source, self.clusters.target.as_ref());
        let clusters = (source, target);
        let opened = drive::open_journal(&self.settings, clusters, &lock, CLEANUP, &self.events);
        let (mut journal, beating) = opened.await?;
        let state = journal.state().clone();
        let plan = planned(
            &self.settings,
            &self.clusters,
            &state,
            &self.removes,
            self.abandons_target,
        )
        .await?;
        let interlock = Depends {
            settings: &self.settings,
            clusters: &self.clusters,
            state: &state,
            abandons_target: self.abandons_target,
        };
        let is_ours = self.settings.msk.is_none();
        let removal = Removal {
            removes: &self.removes,
            interlock: &interlock,
            events: &self.events,
            within: match is_ours {
                true => OURS_WITHIN,
                false => WITHIN,
            },
            pause: match is_ours {
                true => OUR_PAUSE,
                false => PAUSE,
            },
        };
        let mut executor = Executor {
            journal: &mut journal,
            effects: &removal,
            events: &self.events,
            stop: &drive::asked_to_stop(&self.stop),
        };
        let ended = executor.run(&plan).await?;
        journal.append(Record::Left).await?;
        drop(beating);
        drive::conclude(ended)?;
        if is_ours {
            // Last of all: until then they say what is left to be done.
            drop(journal);
            journal::remove(&self.settings, source, target).await?;
        }
        Ok(())
    }
}

/// Whether somebody depends on what is removed, by the journal and by both clusters.
struct Depends<'a> {
    settings: &'a Settings,
    clusters: &'a Clusters,
    state: &'a State,
    abandons_target: bool,
}

impl Interlock for Depends<'_> {
    async fn nobody(&self) -> Result<String, Failure> {
        let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
        let names = self
            .settings
            .applications
            .iter()
            .map(|one| one.name.clone());
        for name in names.chain(standing::known(self.state)) {
            let standing = standing::of(self.state, &name);
            standings.insert(name, standing);
        }
        let mut groups = Vec::new();
        let source: &Cluster = &self.clusters.source;
        let target = self.clusters.target.as_ref().map(|target| {
            let cluster: &Cluster = target;
            (Side::Target, cluster)
        });
        let applications = self.settings.applications.iter();
        let mut wanted: Vec<&crate::model::patterns::Patterns> =
            applications.map(|one| &one.groups).collect();
        wanted.push(&self.settings.groups);
        for (side, cluster) in std::iter::once((Side::Source, source)).chain(target) {
            for patterns in &wanted {
                let found = live::groups(cluster, patterns).await?;
                let ours = found.into_iter().filter(|group| {
                    group.members > 0
                        && !self.settings.exclude_groups.matches(&group.name)
                        && self.reads_in_scope(group)
                });
                groups.extend(ours.map(|group| (side, group)));
            }
        }
        cleanup::depends(&standings, &groups, self.abandons_target)
    }
}

impl Depends<'_> {
    /// A group of nothing that is copied depends on nothing.
    fn reads_in_scope(&self, group: &crate::phases::world::GroupNow) -> bool {
        let mut read = group.committed.keys();
        group.committed.is_empty() || read.any(|at| self.settings.scope.has_topic(&at.topic, false))
    }
}
