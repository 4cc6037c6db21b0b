//! The whole story on two simulated clusters, in about a minute.

use std::{env, fs, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::Global;
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    ui::{Screen, numbers},
};

/// Show the whole story on two simulated clusters in this process, in about a minute
///
/// Three applications, real clients, work on a simulated source. They are moved to a simulated target, one goes back and goes again, and all is
/// compared, by this tool's own commands, each shown with what it prints. At the end it is counted what was sent and what each application was
/// given. Nothing has to be installed, and nothing leaves this machine.
///
/// Exit 0: nothing was lost, nothing was out of order, and nothing was given again that had not been announced.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where its files go: a directory that is empty, or is not there yet [default: one of its own for temporary files]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    v: u32,
    at: String,
    migration: &'static str,
    event: &'static str,
    /// It is no real cluster.
    simulated: bool,
    sent: u64,
    applications: Vec<Application>,
    announced: u64,
    again: u64,
    lost: u64,
    moves: usize,
    report: PathBuf,
    took_ms: u64,
}

#[derive(Serialize)]
struct Application {
    application: &'static str,
    given: u64,
    lost: u64,
    again: u64,
    out_of_order: u64,
}

impl Demo {
    fn directory(&self) -> Result<PathBuf, Failure> {
        let own = || env::temp_dir().join(format!("kafka-migrate-demo-{}", std::process::id()));
        let directory = self.directory.clone().unwrap_or_else(own);
        let cannot = |error: std::io::Error| {
            Failure::new(
                Exit::Usage,
                "K036",
                format!("the demo cannot use {}", directory.display()),
            )
            .because(&error)
            .next("kafka-migrate demo --directory DIR")
        };
        fs::create_dir_all(&directory).map_err(cannot)?;
        let directory = directory.canonicalize().map_err(cannot)?;
        if fs::read_dir(&directory).map_err(cannot)?.next().is_some() {
            return Err(cannot(std::io::ErrorKind::DirectoryNotEmpty.into()));
        }
        Ok(directory)
    }

    /// Tells it to its end.
    #[cfg(feature = "rdkafka")]
    pub async fn run(&self, _: &Global, screen: &Screen) -> Result<Exit, Failure> {
        use std::{io, process::Stdio};

        use crate::{demo, run::signals::Signals};

        let directory = self.directory()?;
        let program = env::current_exe().map_err(|error| {
            Failure::new(Exit::Bug, "K000", "this program does not find itself").because(&error)
        })?;
        let mut signals = Signals::listen()?;
        // With --json stdout is for the document alone.
        let say = |line: &str| match screen.is_json() {
            true => screen.aside(line),
            false => screen.text(&format!("{line}\n")),
        };
        let output = || match screen.is_json() {
            true => Stdio::from(io::stderr()),
            false => Stdio::inherit(),
        };
        let ended = tokio::select! {
            ended = demo::tell(&program, &directory, &output, &say) => ended?,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        let readers = ended.readers.iter().map(|(name, tally)| Application {
            application: name,
            given: tally.given,
            lost: tally.lost,
            again: tally.again,
            out_of_order: tally.out_of_order,
        });
        let applications: Vec<Application> = readers.collect();
        let sum = |of: fn(&Application) -> u64| applications.iter().map(of).sum::<u64>();
        let (lost, again) = (sum(|one| one.lost), sum(|one| one.again));
        let is_right = lost == 0 && sum(|one| one.out_of_order) == 0 && again <= ended.announced;
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: "shop",
                event: "demo",
                simulated: true,
                sent: ended.sent,
                announced: ended.announced,
                again,
                lost,
                moves: ended.moves,
                report: ended.report,
                took_ms: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
                applications,
            });
        } else {
            say("");
            say(&format!(
                "orders sent {} records, and was moved with the others: {} moves",
                ended.sent, ended.moves
            ));
            for one in &applications {
                say(&format!(
                    "{:<22} processed {}, lost {}, again {}, out of order {}",
                    one.application, one.given, one.lost, one.again, one.out_of_order
                ));
            }
            say(&format!(
                "repeats announced by all moves: {}, seen: {again}",
                ended.announced
            ));
            say(&format!("report: {}", ended.report.display()));
            say(&format!(
                "{:.0} seconds, on a simulation of Kafka: README says how to run it between real clusters",
                ended.took.as_secs_f64()
            ));
        }
        match is_right {
            true => Ok(Exit::Ok),
            false => Err(Failure::new(
                Exit::Differs,
                "K037",
                "what the applications were given is not what was written",
            )
            .hint("the table above says of which application, and the report when it moved")),
        }
    }

    /// Without librdkafka there are no applications.
    #[cfg(not(feature = "rdkafka"))]
    pub async fn run(&self, _: &Global, _: &Screen) -> Result<Exit, Failure> {
        let _ = self.directory()?;
        Err(super::sandbox::without_clients())
    }
}
