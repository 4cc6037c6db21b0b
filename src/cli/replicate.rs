//! Copies in the foreground until stopped, or until caught up.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tokio::sync::watch;

use self::accompany::{Feed, accompany};
use super::{Global, ask, connect, plan};
use crate::{
    config::{self, Flag, Given},
    engine::{
        self, StopSignal,
        ways::{Asked, Way},
    },
    error::Failure,
    events::Events,
    exit::Exit,
    run::{
        confirm::{self, Question},
        signals::Signals,
    },
    ui::Screen,
};

mod accompany;
mod ending;
pub mod steps;
mod work;

/// How long an engine that was told to stop at once may take before it is cut off, which is as safe.
const CUT_OFF: Duration = Duration::from_secs(2);

/// Copy the topics in scope to the target, each record once, in order, untouched
///
/// Runs in the foreground and goes on where it left off, however it ended. Ctrl-C stops it cleanly: what was sent is
/// answered, positions are written, and the next start goes on at once. A second Ctrl-C stops it at once, which is safe
/// too; the next start then takes some seconds longer.
#[derive(Debug, Args)]
pub struct Replicate {
    /// When to end by itself [default: stopped]
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "stopped",
        hide_default_value = true
    )]
    until: Until,
    /// Read at most so many bytes per second, such as 50MB, or `auto`, or `unlimited`; wins over replication.rate in the file
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// Give up what stopped this partition, for good, and go on behind it; what was given up stays on record. `status`
    /// names what that would be, and the word for exactly this stop (TOPIC:PARTITION@OFFSET). Can be given several
    /// times; the same command again gives up nothing more
    #[arg(long, value_name = "TOPIC:PARTITION")]
    accept_gap: Vec<String>,
    /// Copy a partition that has stopped again from the source's first record: what it holds on the target is deleted
    /// first. TOPIC alone is every partition of it that has stopped. Can be given several times; the same command again
    /// copies nothing twice
    #[arg(long, value_name = "TOPIC[:PARTITION]")]
    recopy: Vec<String>,
    /// The migration's name: the answer to what --recopy asks before it deletes
    #[arg(long, value_name = "NAME", requires = "recopy")]
    confirm: Option<String>,
    /// Show the steps that this would take, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do exactly the plan that `plan replicate --out FILE` wrote; refused when what it rests on has changed
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    plan: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// When all that was on the source at the start is on the target; exit 10 if a partition stopped on the way
    CaughtUp,
    /// Never: it runs until somebody stops it
    Stopped,
}

impl Replicate {
    /// Runs the engine to its end.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&self.flags())?;
        global.notes(&settings, screen);
        let asked = self.asked()?;
        let given = self.plan.as_deref().map(plan::read).transpose()?;
        if self.dry_run {
            return plan::show(&settings, self.told(&settings, asked), global, screen).await;
        }
        self.confirmed(global, &settings.name, screen)?;
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&settings.name);
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
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let (started, begun) = watch::channel(false);
        let work = work::Work {
            told: self.told(&settings, asked),
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
        };
        let work = tokio::spawn(work.run());
        let ending = accompany(work, feed, &stop, signals, CUT_OFF, &mut follow).await;
        follow.close();
        ending::conclude(self.until == Until::CaughtUp, ending, &mut follow)
    }

    /// What the engine is told.
    fn told(&self, settings: &config::Settings, asked: Vec<Asked>) -> engine::Settings {
        let mut told = engine_settings(settings, self.until.into());
        told.asked = asked;
        told.asked_by = user();
        told
    }

    fn flags(&self) -> Vec<Flag> {
        let rate = self.rate.as_ref().map(|rate| Flag {
            flag: "--rate",
            path: "replication.rate",
            value: Given::Text(rate.clone()),
        });
        rate.into_iter().collect()
    }

    /// The ways past stops that were asked for, or everything that is wrong with their words.
    fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let gaps = self.accept_gap.iter().map(|word| (Way::AcceptGap, word));
        let recopies = self.recopy.iter().map(|word| (Way::Recopy, word));
        let (mut asked, mut wrong) = (Vec::new(), Vec::new());
        for (way, word) in gaps.chain(recopies) {
            match Asked::parse(way, word) {
                Ok(one) => asked.push(one),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let refused = |message| {
            Failure::new(Exit::Usage, "K005", message).next("kafka-migrate replicate --help")
        };
        match wrong.as_slice() {
            [] => Ok(asked),
            [one] => Err(refused(one.clone())),
            all => {
                let message = format!("{} partitions are not named as they must be", all.len());
                Err(all
                    .iter()
                    .fold(refused(message), |failure, one| failure.cause(one)))
            }
        }
    }

    /// Nothing is deleted before the migration's name was typed.
    fn confirmed(&self, global: &Global, name: &str, screen: &Screen) -> Result<(), Failure> {
        if self.recopy.is_empty() {
            return Ok(());
        }
        let warning = format!(
            "--recopy deletes what {} holds on the target before it is copied again; readers there start over",
            self.recopy.join(", ")
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
            Until::Stopped => Self::Stopped,
        }
    }
}

/// What the engine is told of the settings.
pub fn engine_settings(settings: &config::Settings, until: engine::Until) -> engine::Settings {
    engine::Settings {
        migration: settings.name.clone(),
        scope: settings.scope.clone(),
        keep: settings.keep.clone(),
        shards: settings.shards,
        pace: settings.pace,
        memory: settings.memory,
        replication_factor: settings.replication_factor,
        state_dir: settings.state.clone(),
        until,
        request_timeout: settings.target.request_timeout,
        asked: Vec::new(),
        asked_by: String::new(),
    }
}

/// Who runs this, for the record of what a person decided.
pub fn user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}
