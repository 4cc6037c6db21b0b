//! The whole story on two simulated clusters in this process, told by the tool's own commands.
//!
//! ```text
//! orders ──▶ [orders] ──▶ order-status ──▶ [order_status] ──▶ customer-notification
//! ```
//!
//! The clusters are a simulation, the applications are real clients (librdkafka), and every command is a process of its own, run as a person would run it:
//! nothing is shown that was not really done.

mod applications;
mod stage;
mod tally;
mod worker;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::time::Instant;

pub use self::{applications::Applications, tally::Tally};
use self::{
    applications::{NAMES, PARTITIONS, TOPICS},
    stage::Stage,
};
use crate::{error::Failure, exit::Exit, sandbox::Sandbox};

/// The migration's name.
const NAME: &str = "shop";
/// How long data flows before anything is done.
const BEFORE: Duration = Duration::from_secs(1);
/// How long the applications may take for what is under way, at the end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Records that *orders* wrote, and the brokers acknowledged.
    pub sent: u64,
    /// What each application that reads was given.
    pub readers: Vec<(&'static str, Tally)>,
    /// Records that moves announced to be read again, all groups.
    pub announced: u64,
    /// How many moves there were.
    pub moves: usize,
    /// Where the report is.
    pub report: PathBuf,
    /// How long it all took.
    pub took: Duration,
}

/// Makes the topics of the story on the source, and starts the applications there.
pub async fn begin(directory: &Path, sandbox: &Sandbox) -> Result<Applications, Failure> {
    let servers = sandbox.servers();
    applications::make_topics(&servers[0]).await?;
    let applications = Applications::new(directory, servers)?;
    for name in NAMES {
        applications.start(name, "source").await?;
    }
    Ok(applications)
}

/// Tells the story from its beginning to its end in an empty directory; `program` is the tool, `say` shows a line,
/// and `output` is where what commands print on stdout goes.
pub async fn tell(
    program: &Path,
    directory: &Path,
    output: &(dyn Fn() -> Stdio + Sync),
    say: &(dyn Fn(&str) + Sync),
) -> Result<Ended, Failure> {
    let began = Instant::now();
    let sandbox = Sandbox::pair([None, None]).await;
    let sandbox = sandbox
        .map_err(|error| failed("the simulated clusters cannot be started").because(&error))?;
    let [source, target] = sandbox.servers();
    say(
        "A simulation: two Kafka clusters in this process, on loopback. The applications are real clients; every command is really run.",
    );
    say("");
    say("  orders ──▶ [orders] ──▶ order-status ──▶ [order_status] ──▶ customer-notification");
    say("");
    say(&format!(
        "  source  {source}    topics {}, {PARTITIONS} partitions each; the three applications work here",
        TOPICS.join(" and ")
    ));
    say(&format!("  target  {target}    empty"));
    say(&format!("  files   {}", directory.display()));
    let applications = begin(directory, &sandbox).await?;
    tokio::time::sleep(BEFORE).await;
    let stage = Stage::new(program, directory, output, say);
    stage
        .run(&[
            "init", "--name", NAME, "--source", &source, "--target", &target,
        ])
        .await?;
    stage.edit()?;
    stage.run(&["preflight"]).await?;
    stage.run(&["plan", "replicate"]).await?;
    let engine = stage.run_on(&["replicate"], "claimed").await?;
    stage.run(&["ready", "--wait", "1m"]).await?;
    stage
        .run(&[
            "cutover",
            "--app",
            "order-status",
            "--confirm",
            NAME,
            "--quiet-for",
            "1s",
        ])
        .await?;
    stage
        .run(&[
            "rollback",
            "--app",
            "order-status",
            "--confirm",
            NAME,
            "--quiet-for",
            "1s",
        ])
        .await?;
    stage
        .run(&["cutover", "--all", "--confirm", NAME, "--quiet-for", "1s"])
        .await?;
    stage.run_until_ready(&["verify"]).await?;
    stage
        .run(&["report", "--format", "html", "--out", "report.html"])
        .await?;
    stage
        .run(&["report", "--format", "json", "--out", "report.json"])
        .await?;
    stage.run(&["cleanup", "--confirm", NAME]).await?;
    stage.ends(engine).await?;
    let (announced, moves) = stage.announced()?;
    applications.end("target", PATIENCE).await?;
    let readers = NAMES[1..]
        .iter()
        .map(|name| (*name, applications.tally(name)));
    Ok(Ended {
        sent: applications.sent(),
        readers: readers.collect(),
        announced,
        moves,
        report: directory.join("report.html"),
        took: began.elapsed(),
    })
}

/// An error of the story itself.
fn failed(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Bug, "K035", message)
        .hint("the simulation is not what a broker is in everything: what it leaves out stands in docs/sandbox.md")
}
