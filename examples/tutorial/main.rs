//! What docs/tutorial.md is done with: two real clusters on this machine, three applications between them, and a count of what they were given.
//!
//! `clusters` needs Java 17 and Maven. Everything is written into the directory that it is started in; when it ends, so do the brokers and the
//! applications.

mod clusters;
mod count;
mod notes;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kafka_migrate::model::names::Side;

/// Two clusters and three applications, to rehearse a migration with
#[derive(Debug, Parser)]
#[command(name = "tutorial")]
struct Line {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Start a source with one broker and a target with three, write `migration.toml` and `applications/`, start the three applications
    /// on the source, and stay
    Clusters,
    /// kill -9 a broker, or all of a side
    Kill(clusters::Which),
    /// Start a broker that was killed, or all of a side
    Start(clusters::Which),
    /// Be one of the applications until SIGTERM
    Work(work::Line),
    /// Compare what each application was given with what was written
    Count {
        /// Until nothing is to come any more: *orders* has to be stopped before
        #[arg(long)]
        wait: bool,
    },
}

fn main() -> ExitCode {
    match Line::parse().what {
        What::Clusters => clusters::run(),
        What::Kill(which) => clusters::ask("kill", &which),
        What::Start(which) => clusters::ask("start", &which),
        What::Work(line) => work::run(&line),
        What::Count { wait } => count::run(wait),
    }
}

/// A side, as it is written on a command line.
fn side(text: &str) -> Result<Side, String> {
    match text {
        "source" => Ok(Side::Source),
        "target" => Ok(Side::Target),
        _ => Err("source or target".to_owned()),
    }
}
