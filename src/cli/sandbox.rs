//! Two simulated clusters to try things on, until Ctrl-C.

use std::{env, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::Global;
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    run::signals::Signals,
    sandbox::Sandbox,
    ui::{Screen, numbers},
};

/// Run two simulated clusters in this process, on loopback, until Ctrl-C
///
/// They speak Kafka's protocol, and any client can be pointed at them: this tool, too. Nothing is written to disk, and all of it is gone at the
/// end. What they leave out stands in docs/sandbox.md.
#[derive(Debug, Args)]
pub struct SandboxCommand {
    /// Make the topics of the story, and let its three applications work on the source
    #[arg(long)]
    with_story: bool,
    /// The source's port [default: one that is free]
    #[arg(long, value_name = "PORT")]
    source_port: Option<u16>,
    /// The target's port [default: one that is free]
    #[arg(long, value_name = "PORT")]
    target_port: Option<u16>,
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    /// It is of no migration.
    migration: Option<&'a str>,
    event: &'static str,
    simulated: bool,
    source: &'a str,
    target: &'a str,
    /// Where the hooks of the story's applications are.
    hooks: Option<PathBuf>,
}

/// This build has no applications to run.
#[cfg(not(feature = "rdkafka"))]
pub fn without_clients() -> Failure {
    Failure::new(
        Exit::Usage,
        "K038",
        "this build has no librdkafka, and the applications of the story are its clients",
    )
    .hint("build it with the feature `rdkafka`, which is on unless switched off")
}

impl SandboxCommand {
    /// Runs them until a signal.
    pub async fn run(&self, _: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let mut signals = Signals::listen()?;
        let started = Sandbox::pair([self.source_port, self.target_port]).await;
        let sandbox = started.map_err(|error| {
            Failure::new(
                Exit::Usage,
                "K034",
                "the simulated clusters cannot be started",
            )
            .because(&error)
            .hint("they listen on 127.0.0.1 only: are the ports free?")
        })?;
        let [source, target] = sandbox.servers();
        // The applications work for as long as it is held.
        let story = match self.with_story {
            true => Some(Self::story(&sandbox).await?),
            false => None,
        };
        let hooks = story
            .as_ref()
            .map(|(_, directory)| directory.join("applications"));
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: None,
                event: "sandbox",
                simulated: true,
                source: &source,
                target: &target,
                hooks,
            });
        } else {
            screen.text(&format!(
                "a simulation of two Kafka clusters, in memory and on loopback only, until Ctrl-C\n\nsource  {source}\ntarget  {target}\n"
            ));
            if let Some(hooks) = &hooks {
                screen.text(&format!(
                    "hooks   {}/stop.sh and start.sh\n\norders, order-status and customer-notification work on the source\n",
                    hooks.display()
                ));
            }
            screen.text(&format!(
                "\nnext: kafka-migrate init --source {source} --target {target}\n"
            ));
        }
        let _ = signals.next().await;
        Ok(Exit::Ok)
    }

    /// The applications at work, and the directory of their hooks.
    #[cfg(feature = "rdkafka")]
    async fn story(sandbox: &Sandbox) -> Result<(crate::demo::Applications, PathBuf), Failure> {
        let directory =
            env::temp_dir().join(format!("kafka-migrate-sandbox-{}", std::process::id()));
        let applications = crate::demo::begin(&directory, sandbox).await?;
        Ok((applications, directory))
    }

    #[cfg(not(feature = "rdkafka"))]
    async fn story(_: &Sandbox) -> Result<((), PathBuf), Failure> {
        Err(without_clients())
    }
}
