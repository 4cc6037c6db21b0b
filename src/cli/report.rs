//! The report of a migration, or its runbook, as Markdown, HTML or JSON; it works with both clusters dead.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Global, plan};
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    ui::{Screen, numbers},
};

mod look;
mod now;
mod runbook;

/// Write the report of the run so far, or the runbook for what is to come
///
/// The report: what the migration is and what stands now, each move step by step with how long the application was down, what
/// its groups were to read again and what they did, lag, latency and throughput over time, what `verify` found last. The
/// runbook: what to do before the day, on it, and when something stops, with this migration's own names and commands.
///
/// It changes nothing. What cannot be looked at is named; with both clusters dead it is made from this machine's files.
#[derive(Debug, Args)]
pub struct Report {
    /// As what [default: md, and json with --json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write it to this file; else it goes to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The runbook, not the report
    #[arg(long)]
    runbook: bool,
    /// Ask no cluster: from this machine's files alone
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown
    Md,
    /// One HTML file with plots, which fetches nothing
    Html,
    /// One JSON document
    Json,
}

#[derive(Serialize)]
struct RunbookDocument<'a> {
    v: u32,
    at: &'a str,
    migration: &'a str,
    event: &'static str,
    markdown: String,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    out: String,
}

impl Report {
    /// Makes it, and prints or writes it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let format = self.format(screen)?;
        let settings = global.settings_here(&[])?;
        global.notes(&settings, screen);
        let looked = Box::pin(look::look(global, &settings, self.offline, screen)).await;
        let text = match self.runbook {
            true => {
                let runbook = runbook::of(&settings, &looked, global);
                match format {
                    Format::Md => runbook.markdown(),
                    Format::Html => runbook.html(),
                    Format::Json => json(&RunbookDocument {
                        v: 1,
                        at: &runbook.at,
                        migration: &runbook.migration,
                        event: "runbook",
                        markdown: runbook.markdown(),
                    }),
                }
            }
            false => {
                let report = look::report(&settings, looked);
                match format {
                    Format::Md => report.markdown(),
                    Format::Html => report.html(),
                    Format::Json => json(&report),
                }
            }
        };
        let Some(out) = &self.out else {
            screen.text(&text);
            return Ok(Exit::Ok);
        };
        fs::write(out, text).map_err(|error| plan::unwritable(out, &error))?;
        match screen.is_json() {
            true => screen.document(&Written {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: &settings.name,
                event: "written",
                out: out.display().to_string(),
            }),
            false => screen.progress(&format!("written to {}", out.display())),
        }
        Ok(Exit::Ok)
    }

    /// On stdout --json prints JSON and nothing else.
    fn format(&self, screen: &Screen) -> Result<Format, Failure> {
        match (self.format, screen.is_json()) {
            (Some(format), false) => Ok(format),
            (None, false) => Ok(Format::Md),
            (None | Some(Format::Json), true) => Ok(Format::Json),
            (Some(format), true) if self.out.is_some() => Ok(format),
            (Some(_), true) => Err(Failure::new(
                Exit::Usage,
                "K620",
                "--json prints JSON, and --format asks for something else on the same stdout",
            )
            .hint("leave one of them out, or write the report to a file with --out")
            .next("kafka-migrate report --help")),
        }
    }
}

fn json(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document);
    text.expect("our documents have string keys and finite numbers") + "\n"
}
