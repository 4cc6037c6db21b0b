//! Copies in the foreground until stopped, or until caught up.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tokio::sync::watch;

use self::{
    accompany::{Feed, accompany},
    ending::Told,
    wishes::Wishes,
};
use super::{Global, ask, connect, plan, refusal};
use crate::{
    config,
    engine::{self, StopSignal, metrics::Numbers, ways::Asked},
    error::Failure,
    events::Events,
    exit::Exit,
    model::{connection::Auth, patterns::Patterns},
    report::numbers::Recorder,
    run::{
        confirm::{self, Question},
        signals::Signals,
    },
    ui::{
        Screen,
        scrape::{self, Scrape},
    },
};

pub mod accompany;
mod ending;
#[cfg(feature = "aws")]
pub mod replicators;
pub mod steps;
pub mod wishes;
mod work;

/// How long an engine that was told to stop at once may take before it is cut off, which is as safe.
const CUT_OFF: Duration = Duration::from_secs(2);

/// Copy the topics in scope to the target, each record once, in order, untouched
///
/// Runs in the foreground and goes on where it left off, however it ended. Ctrl-C stops it cleanly: what was sent is
/// answered, positions are written, and the next start goes on at once. A second Ctrl-C stops it at once, which is safe
/// too; the next start then takes some seconds longer.
///
/// With backend = "msk" it makes the secrets and both replicators, follows them until they run (half an hour is usual), and ends;
/// they copy by themselves from then on; with --until caught-up it waits until copies of all last records are found on MSK. The
/// same command changes what the file has otherwise by now.
#[derive(Debug, Args)]
pub struct Replicate {
    /// When to end by itself [default: stopped; where MSK Replicator copies: running]
    #[arg(long, value_enum, value_name = "WHEN")]
    until: Option<Until>,
    /// Only the replicator of this direction, where MSK Replicator copies [default: both]
    #[arg(long, value_enum, value_name = "DIRECTION")]
    direction: Option<Way>,
    #[command(flatten)]
    wishes: Wishes,
    /// The migration's name: the answer to what --recopy asks before it deletes
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Serve numbers for Prometheus at http://ADDR/metrics while it runs, such as 9464: a port alone is this machine's own
    #[arg(long, value_name = "ADDR", value_parser = scrape::address)]
    metrics: Option<SocketAddr>,
    /// Let --metrics listen where other machines reach it: names of topics are shown to whoever asks
    #[arg(long, requires = "metrics")]
    metrics_on_network: bool,
    /// Show the steps that this would take, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do exactly the plan that `plan replicate --out FILE` wrote, with the rate and the ways past stops that it was made
    /// with; refused when what it rests on has changed
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["dry_run", "rate", "accept_gap", "recopy", "not_ours"]
    )]
    plan: Option<PathBuf>,
}

/// Which way a replicator copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// From the external cluster to MSK
    Forward,
    /// From MSK to the external cluster
    Reverse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// When all that was on the source at the start is on the target; exit 10 if a partition stopped on the way
    CaughtUp,
    /// When both replicators run: MSK Replicator copies by itself from then on
    Running,
    /// Never: it runs until somebody stops it
    Stopped,
}

impl Replicate {
    /// Runs the engine to its end.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let given = self.plan.as_deref().map(plan::read).transpose()?;
        let wishes = match &given {
            Some(plan) => Wishes::of_plan(plan),
            None => self.wishes.clone(),
        };
        let settings = global.settings(&wishes.flags()).await?;
        global.notes(&settings, screen);
        #[cfg(feature = "aws")]
        if let Some(msk) = &settings.msk {
            self.fits_msk(msk.start)?;
            let replicators = replicators::Replicators {
                settings: &settings,
                msk,
                directions: directions(self.direction),
                until_caught_up: self.until == Some(Until::CaughtUp),
            };
            return match self.dry_run {
                true => replicators.show((None, None), global, screen).await,
                false => Box::pin(replicators.run(given, global, screen)).await,
            };
        }
        self.fits_our_engine()?;
        let until = self.until.unwrap_or(Until::Stopped);
        let mut told = told(&settings, until.into(), wishes.asked()?);
        if self.dry_run {
            return plan::show(&settings, &told, &wishes, global, screen).await;
        }
        self.confirmed(&wishes, global, &settings.name, screen)?;
        let scrape = match self.metrics {
            Some(address) => {
                let exposed = self.metrics_on_network;
                Some(Scrape::listen(address, exposed, &settings.name).await?)
            }
            None => None,
        };
        told.numbers = Numbers::new(settings.shards as usize, scrape.is_some());
        let numbers = told.numbers.clone();
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&settings.name);
        if let Some(scrape) = &scrape {
            follow.say("metrics", &scrape.url());
            follow.tell(&Told::Metrics { url: scrape.url() });
        }
        follow.say(
            "connecting",
            &format!(
                "to the source ({}) and the target ({})",
                settings.source.bootstrap.join(", "),
                settings.target.bootstrap.join(", ")
            ),
        );
        let (source, target) = tokio::select! {
            both = connect::both(&settings) => both?,
            _ = signals.next() => {
                follow.close();
                return Ok(Exit::Interrupted);
            }
        };
        let recorder = Recorder::new(&settings.state);
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let (started, begun) = watch::channel(false);
        let work = work::Work {
            told,
            wishes,
            settings,
            source,
            target,
            events,
            stop: stop.clone(),
            begun,
            given,
            command: "replicate",
        };
        let signals = async || signals.next().await;
        let feed = Feed {
            events: feed,
            complete: &|command| global.complete(command),
            started,
            told: &|event| {
                recorder.note(event);
                if let Some(scrape) = &scrape {
                    scrape.note(event, || numbers.each());
                }
            },
        };
        let work = tokio::spawn(work.run());
        let ending = accompany(work, feed, &stop, signals, CUT_OFF, &mut follow).await;
        follow.close();
        if let Some(why) = recorder.finish() {
            screen.note(&format!(
                "numbers over time are not kept for `report`: {why}"
            ));
        }
        ending::conclude(until == Until::CaughtUp, ending, &mut follow)
    }

    /// What MSK Replicator does by itself cannot be asked of it.
    #[cfg(feature = "aws")]
    fn fits_msk(&self, start: crate::model::msk::Start) -> Result<(), Failure> {
        let wishes = &self.wishes;
        let given = [
            ("--rate", wishes.rate.is_some()),
            ("--accept-gap", !wishes.accept_gap.is_empty()),
            ("--recopy", !wishes.recopy.is_empty()),
            ("--not-ours", !wishes.not_ours.is_empty()),
            ("--metrics", self.metrics.is_some()),
            ("--until stopped", self.until == Some(Until::Stopped)),
        ];
        let copies_all =
            start == crate::model::msk::Start::Earliest && self.direction != Some(Way::Reverse);
        let never_ends = self.until == Some(Until::CaughtUp) && !copies_all;
        let (flag, why) = (
            "--until caught-up",
            "what was there when it began is never copied",
        );
        let hint = "`ready` says how far it is";
        refused(
            &given,
            "MSK Replicator copies by itself, as long as it is there",
            hint,
        )
        .map_err(|failure| match never_ends {
            true => failure.cause(format!("{flag} neither: {why}")),
            false => failure,
        })?;
        refused(&[(flag, never_ends)], why, hint)
    }

    /// And the other way round.
    fn fits_our_engine(&self) -> Result<(), Failure> {
        let given = [
            ("--direction", self.direction.is_some()),
            ("--until running", self.until == Some(Until::Running)),
        ];
        refused(
            &given,
            "our own engine copies as long as this command runs",
            "leave it out",
        )
    }

    /// Nothing is deleted before the migration's name was typed.
    fn confirmed(
        &self,
        wishes: &Wishes,
        global: &Global,
        name: &str,
        screen: &Screen,
    ) -> Result<(), Failure> {
        if wishes.recopy.is_empty() {
            return Ok(());
        }
        let warning = format!(
            "--recopy deletes what {} holds on the target before it is copied again; readers there start over",
            wishes.recopy.join(", ")
        );
        let question = Question {
            name,
            warning: &warning,
            asker: "--recopy",
            line: &global.given.line,
        };
        confirm::typed_name(&question, self.confirm.as_deref(), |question| {
            ask::name(question, screen)
        })
    }
}

impl From<Until> for engine::Until {
    fn from(until: Until) -> Self {
        match until {
            Until::CaughtUp => Self::CaughtUp,
            Until::Running | Until::Stopped => Self::Stopped,
        }
    }
}

/// What the engine is told by whoever runs this.
pub fn told(
    settings: &config::Settings,
    until: engine::Until,
    asked: Vec<Asked>,
) -> engine::Settings {
    engine::Settings {
        asked,
        asked_by: user(),
        ..engine_settings(settings, until)
    }
}

/// What the engine is told of the settings.
pub fn engine_settings(settings: &config::Settings, until: engine::Until) -> engine::Settings {
    engine::Settings {
        migration: settings.name.clone(),
        scope: settings.scope.clone(),
        keep: settings.keep.clone(),
        merge: settings.merge.clone(),
        two_way: settings.two_way,
        shards: settings.shards,
        groups: groups(settings),
        sync: follows(settings),
        made: engine::sync::Made::default(),
        pace: settings.pace,
        memory: settings.memory,
        replication_factor: settings.replication_factor,
        state_dir: settings.state.clone(),
        until,
        request_timeout: settings.target.request_timeout,
        asked: Vec::new(),
        asked_by: String::new(),
        numbers: Numbers::new(settings.shards as usize, false),
    }
}

/// Groups that our own engine carries. Those of applications belong to the migration whether `scope.groups` names them or not.
pub fn groups(settings: &config::Settings) -> engine::groups::Wanted {
    if !settings.carries_groups {
        return engine::groups::Wanted::default();
    }
    engine::groups::Wanted {
        groups: all_groups(settings),
        exclude: settings.exclude_groups.clone(),
        every: settings.groups_every,
    }
}

/// Those of applications belong to the migration whether `scope.groups` names them or not.
fn all_groups(settings: &config::Settings) -> Patterns {
    let applications = settings.applications.iter();
    let theirs = applications.flat_map(|application| application.groups.texts());
    let named = settings.groups.texts().iter();
    let all: Vec<String> = named.chain(theirs).cloned().collect();
    Patterns::of(&all).unwrap_or_default()
}

/// What follows the source beside records and positions.
fn follows(settings: &config::Settings) -> engine::sync::Wanted {
    let writer =
        |one: &crate::model::application::Application| (one.name.clone(), one.principals.clone());
    engine::sync::Wanted {
        settings: settings.settings_every,
        acls: settings.acls_every,
        topics: settings.topics.clone(),
        exclude_topics: settings.exclude_topics.clone(),
        groups: all_groups(settings),
        exclude_groups: settings.exclude_groups.clone(),
        us: principal(&settings.target.auth),
        writers: settings.applications.iter().map(writer).collect(),
    }
}

/// As whom a cluster knows who logs in so, where it does not map names.
pub fn principal(auth: &Auth) -> String {
    let user = match auth {
        Auth::None => "ANONYMOUS",
        Auth::Bearer(tokens) => tokens.name(),
        Auth::Plain { username, .. } | Auth::Scram { username, .. } => username,
    };
    format!("User:{user}")
}

/// Who runs this, for the record of what a person decided.
pub fn user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// Flags that do not fit who copies, all of them at once.
fn refused(given: &[(&str, bool)], why: &str, hint: &str) -> Result<(), Failure> {
    let flags = given.iter().filter(|(_, is_given)| *is_given);
    let flags: Vec<&str> = flags.map(|(flag, _)| *flag).collect();
    if flags.is_empty() {
        return Ok(());
    }
    Err(refusal::of_backend(&flags, why, hint))
}

/// Both directions, or the one that is asked for.
#[cfg(feature = "aws")]
pub fn directions(only: Option<Way>) -> Vec<crate::msk::Direction> {
    use crate::msk::Direction;
    match only {
        None => Direction::BOTH.into(),
        Some(Way::Forward) => vec![Direction::Forward],
        Some(Way::Reverse) => vec![Direction::Reverse],
    }
}
