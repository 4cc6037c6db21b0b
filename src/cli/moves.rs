//! What `cutover` and `rollback` have in common: which applications, in which order, from where, and the plan of each done to its end.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use clap::Args;

use super::{
    Global, ask, connect, journal, plan,
    replicate::accompany::{Feed, accompany},
};
use crate::{
    cluster::{Cluster, Source, Target},
    config::Settings,
    engine::{StopSignal, Summary},
    error::Failure,
    events::Events,
    exit::Exit,
    model::{application::Application, names::Side, patterns::Patterns},
    phases::{
        by_content::MSK_MARK,
        course::{self, Next},
        cutover,
        deeds::Waits,
        live,
        moving::{Move, counted},
        rollback,
        standing::phase_to,
        waves,
    },
    run::{
        confirm::{self, Question},
        hooks::Hook,
        plan::Plan,
        signals::Signals,
        state::State,
    },
    ui::Screen,
};

mod asks;
mod work;

/// A command that was told to stop at once is cut off after this; the journal knows how far it was.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Which applications.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// An application of the file; where the file has none, a consumer group. Can be given several times
    #[arg(long, value_name = "NAME")]
    pub app: Vec<String>,
    /// All of them, those first that read what others write
    #[arg(long)]
    pub all: bool,
}

/// How it is done.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// The migration's name: the answer to what is asked before anything is stopped
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show the steps that this would take, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do exactly the plan that `plan` wrote with --out; refused when what it rests on has changed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "all"])]
    pub plan: Option<PathBuf>,
    /// Say that nobody writes this topic while the application moves: it has other writers, so that it cannot be seen
    #[arg(long, value_name = "TOPIC")]
    pub attest_quiet: Vec<String>,
    /// Nothing may be seen of an application for so long before it counts as stopped [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub quiet_for: Option<Duration>,
    /// Wait so long for a person who stops or starts it [default: 10m on a terminal, else not at all]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub wait_for_me: Option<Duration>,
    /// Wait so long until everything has arrived on the other side [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub drain_within: Option<Duration>,
    /// Wait so long until positions have come over; what is there by then, and skips nothing, is taken [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub positions_within: Option<Duration>,
}

impl How {
    fn waits(&self) -> Waits {
        use std::io::IsTerminal as _;
        let usual = Waits::default();
        let person = match std::io::stdin().is_terminal() {
            true => usual.person,
            false => Duration::ZERO,
        };
        let quiet = self.quiet_for.unwrap_or(usual.quiet);
        Waits {
            quiet,
            // Without anybody there it is looked once, for as long as it has to be quiet.
            person: self.wait_for_me.unwrap_or(person).max(quiet * 2),
            drain: self.drain_within.unwrap_or(usual.drain),
            positions: self.positions_within.unwrap_or(usual.positions),
            still: usual
                .still
                .min(self.positions_within.unwrap_or(usual.still)),
            ..usual
        }
    }
}

/// What kind of move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Step by step.
    Moves,
    /// A person did it already.
    AlreadyMoved,
    /// The target is gone.
    WithoutTarget,
}

/// One `cutover` or `rollback`.
pub struct Moves<'a> {
    /// Where to.
    pub to: Side,
    /// Which applications.
    pub which: &'a Which,
    /// How.
    pub how: &'a How,
    /// What kind.
    pub kind: Kind,
}

/// The clusters as they are connected.
#[derive(Clone)]
struct Clusters {
    source: Source,
    target: Option<Target>,
}

/// What was seen before anything is done.
struct Looked {
    state: State,
    applications: Vec<Application>,
    topics: Vec<String>,
    ids: [String; 2],
}

impl Moves<'_> {
    /// Shows or does it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        can_move(&settings)?;
        let given = self.how.plan.as_deref().map(plan::read).transpose()?;
        self.check_names(&settings)?;
        if self.how.dry_run {
            let clusters = self.connect(&settings).await?;
            let looked = self.look(&settings, &clusters).await?;
            for plan in self.plans(&settings, &clusters, &looked).await? {
                plan::print(&plan, None, global, screen);
            }
            return Ok(Exit::Ok);
        }
        self.confirmed(global, &settings, screen)?;
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&settings.name);
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let (started, _begun) = tokio::sync::watch::channel(false);
        let feed = Feed {
            events: feed,
            complete: &|command| global.complete(command),
            started,
            told: &|_| (),
        };
        let moved = Arc::new(Mutex::new(Vec::new()));
        let work = work::Work {
            moved: moved.clone(),
            to: self.to,
            which: self.which.clone(),
            how: self.how.clone(),
            kind: self.kind,
            settings,
            given,
            events,
            stop: stop.clone(),
            command: global.given.line.clone(),
        };
        let work = tokio::spawn(async move { work.run().await.map(|()| Summary::default()) });
        let next = async || signals.next().await;
        let ending = accompany(work, feed, &stop, next, CUT_OFF, &mut follow).await;
        follow.close();
        let moved = moved.lock().map(|mut all| std::mem::take(&mut *all));
        for one in moved.unwrap_or_default() {
            match screen.is_json() {
                true => follow.tell(&one),
                false => screen.text(&format!("{}\n", one.said)),
            }
        }
        match ending.result {
            Ok(_) if ending.signals > 1 => Ok(Exit::Interrupted),
            Ok(_) => Ok(Exit::Ok),
            Err(failure) => Err(failure),
        }
    }

    /// The plans that would be done, in order.
    async fn plans(
        &self,
        settings: &Settings,
        clusters: &Clusters,
        looked: &Looked,
    ) -> Result<Vec<Plan>, Failure> {
        let mut plans = Vec::new();
        for application in self.order(&looked.applications, &looked.topics)? {
            let next = course::next(&looked.state, &application.name, self.to);
            if next == Next::Nothing {
                continue;
            }
            let of = made_of(self.to, settings, clusters, looked, application).await?;
            plans.push(course::plan_of(&looked.state, next, || self.new_plan(&of)));
        }
        Ok(plans)
    }

    fn new_plan(&self, of: &Move) -> Plan {
        match (self.kind, self.to) {
            (Kind::AlreadyMoved, _) => cutover::declared(of),
            (Kind::WithoutTarget, _) => rollback::without_target(of),
            (Kind::Moves, Side::Target) => cutover::plan(of),
            (Kind::Moves, Side::Source) => rollback::plan(of),
        }
    }

    /// Names of the file are known before anything is connected, and hooks can be run.
    fn check_names(&self, settings: &Settings) -> Result<(), Failure> {
        let known = &settings.applications;
        if known.is_empty() {
            return Ok(());
        }
        for name in &self.which.app {
            super::ready::place(settings, name)?;
        }
        let is_meant = |one: &&Application| self.which.all || self.which.app.contains(&one.name);
        for application in known.iter().filter(is_meant) {
            let hooks = &application.hooks;
            for path in [&hooks.stop, &hooks.start].into_iter().flatten() {
                let hook = Hook {
                    path: path.clone(),
                    within: hooks.within,
                };
                hook.check()?;
            }
        }
        Ok(())
    }

    /// Those that are meant, in the order in which they move.
    fn order<'b>(
        &self,
        applications: &'b [Application],
        topics: &[String],
    ) -> Result<Vec<&'b Application>, Failure> {
        if self.which.all {
            let waves = waves::waves(applications, topics);
            return Ok(waves
                .into_iter()
                .flatten()
                .map(|at| &applications[at])
                .collect());
        }
        let found = self.which.app.iter().map(|name| {
            let mut all = applications.iter();
            all.find(|one| one.name == *name).ok_or_else(|| {
                super::ready::no_application(&format!("there is no application or group {name:?}"))
                .hint("the file describes applications in [[application]]; where it has none, each group in scope is one")
            })
        });
        found.collect()
    }

    async fn connect(&self, settings: &Settings) -> Result<Clusters, Failure> {
        if self.kind == Kind::WithoutTarget {
            let source = Source::connect(&settings.source).await;
            return Ok(Clusters {
                source: source.map_err(|error| error.failure())?,
                target: None,
            });
        }
        let (source, target) = connect::both(settings).await.map_err(|failure| {
            match (self.to, failure.exit) {
                (Side::Source, Exit::Target) => failure
                    .hint("if the target is gone for good, applications go back without it: rollback --without-target"),
                _ => failure,
            }
        })?;
        Ok(Clusters {
            source,
            target: Some(target),
        })
    }

    async fn look(&self, settings: &Settings, clusters: &Clusters) -> Result<Looked, Failure> {
        let (source, target) = (&clusters.source, clusters.target.as_ref());
        let state = journal::look_at(settings, source, target).await?;
        let topics = live::topics(source, &settings.scope).await?;
        let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
        let applications = match settings.applications.is_empty() {
            false => settings.applications.clone(),
            true => groups(settings, source, &topics).await?,
        };
        let ids = [source.id().to_owned(), target_id(target, &state)];
        Ok(Looked {
            state,
            applications,
            topics,
            ids,
        })
    }

    fn confirmed(
        &self,
        global: &Global,
        settings: &Settings,
        screen: &Screen,
    ) -> Result<(), Failure> {
        let what = match self.which.all {
            true => "all applications".to_owned(),
            false => self.which.app.join(", "),
        };
        let warning = match self.kind {
            Kind::Moves => format!(
                "{what}: stopped on the {}, started on the {}",
                other(self.to),
                self.to
            ),
            Kind::AlreadyMoved => format!("{what}: from now on the {}'s", self.to),
            Kind::WithoutTarget => format!(
                "{what}: started on the source as of what came back last; what was written on the target since is not there, and nothing of it may run on the target any more"
            ),
        };
        let asker = phase_to(self.to);
        let question = Question {
            name: &settings.name,
            warning: &warning,
            asker,
            line: &global.given.line,
        };
        confirm::typed_name(&question, self.how.confirm.as_deref(), |question| {
            ask::name(question, screen)
        })
    }
}

fn other(side: Side) -> Side {
    crate::phases::carrier::other(side)
}

/// The target's id: of the target, or of what the journal says of it.
fn target_id(target: Option<&Target>, state: &State) -> String {
    match (target, &state.head) {
        (Some(target), _) => target.id().to_owned(),
        (None, Some(head)) => head.target.clone(),
        (None, None) => String::new(),
    }
}

/// Can applications move with who copies?
pub fn can_move(settings: &Settings) -> Result<(), Failure> {
    match carrier_of(settings) {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            Exit::Usage,
            "K470",
            "applications cannot be moved with backend = \"embedded\" yet: this version does not copy back",
        )
        .hint("with backend = \"msk\" they can")),
    }
}

/// The header by which whoever copies marks its copies, where that is how copies are told.
fn carrier_of(settings: &Settings) -> Option<&'static [u8]> {
    settings.msk.as_ref().map(|_| MSK_MARK)
}

/// Where the file has no applications each group in scope is one: it moves, and whoever writes stays.
async fn groups(
    settings: &Settings,
    source: &Source,
    topics: &[String],
) -> Result<Vec<Application>, Failure> {
    let found = live::groups(source, &settings.groups).await?;
    let all = found.into_iter().filter(|group| {
        let reads = group
            .committed
            .keys()
            .any(|at| topics.iter().any(|topic| **topic == *at.topic));
        reads && !settings.exclude_groups.matches(&group.name)
    });
    Ok(all
        .map(|group| {
            let mut reads: Vec<String> = group
                .committed
                .keys()
                .map(|at| globset::escape(&at.topic))
                .collect();
            reads.dedup();
            Application {
                reads: Patterns::of(&reads).unwrap_or_default(),
                groups: Patterns::of(&[globset::escape(&group.name)]).unwrap_or_default(),
                name: group.name,
                ..Application::default()
            }
        })
        .collect())
}

/// What a plan is made from.
async fn made_of(
    to: Side,
    settings: &Settings,
    clusters: &Clusters,
    looked: &Looked,
    application: &Application,
) -> Result<Move, Failure> {
    let side = looked.topics.iter();
    let topics = side.filter(|topic| application.has_topic(topic)).cloned();
    let here: &Cluster = match (other(to), &clusters.target) {
        (Side::Target, Some(target)) => target,
        _ => &clusters.source,
    };
    let groups = match (other(to), &clusters.target) {
        (Side::Target, None) => Vec::new(),
        _ => live::groups(here, &application.groups).await?,
    };
    let groups = groups.into_iter().filter(|group| group.members > 0);
    let used = settings.listing.iter().filter(|one| one.used);
    let used: Vec<String> = used
        .map(|one| format!("{} = {}", one.path, one.value))
        .collect();
    let waived = looked.state.waived.iter();
    let waived = waived.filter(|waiver| waiver.counts_for(Some(&application.name)));
    Ok(Move {
        migration: settings.name.clone(),
        application: application.clone(),
        to,
        clusters: looked.ids.clone(),
        journal: looked.state.summary(),
        settings: counted("setting", &used),
        topics: topics.collect(),
        shared: waves::shared(application, &looked.applications, &looked.topics),
        groups: groups.map(|group| group.name).collect(),
        waived: waived.map(|waiver| waiver.gate.clone()).collect(),
    })
}

/// The plan of one application, for `plan cutover` and `plan rollback`.
pub async fn planned(settings: &Settings, to: Side, name: &str) -> Result<Plan, Failure> {
    can_move(settings)?;
    let which = Which {
        app: vec![name.to_owned()],
        all: false,
    };
    let how = How {
        confirm: None,
        dry_run: true,
        plan: None,
        attest_quiet: Vec::new(),
        quiet_for: None,
        wait_for_me: None,
        drain_within: None,
        positions_within: None,
    };
    let moves = Moves {
        to,
        which: &which,
        how: &how,
        kind: Kind::Moves,
    };
    moves.check_names(settings)?;
    let clusters = moves.connect(settings).await?;
    let looked = moves.look(settings, &clusters).await?;
    let mut plans = moves.plans(settings, &clusters, &looked).await?;
    plans.pop().ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "K471",
            format!("{name} is on the {to} already"),
        )
        .next("kafka-migrate status")
    })
}
