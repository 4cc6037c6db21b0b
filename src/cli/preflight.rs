//! Can this migration work? Looks at everything; all it makes is a topic of its own, which it removes.

use clap::Args;
use serde::Serialize;

use super::{Global, sight, verdicts};
use crate::{
    error::Failure,
    exit::Exit,
    gates::{self, Guards},
    observe::{Depth, Eyes},
    run::signals::Signals,
    ui::{Screen, numbers},
};

/// Ask whether this migration can work, before anything is copied
///
/// Looks at both clusters: every broker, every right, what is stored and what the other side would take. What has to be tried
/// is tried in ways that can have no effect, but for one: where it may, it makes the topic kafka-migrate.NAME.probe on the
/// target, writes to it, reads it back and removes it. Commands that would put something right are printed, never run.
///
/// Exit 0: it can work. 3: something is in the way, or could not be looked at.
#[derive(Debug, Args)]
pub struct Preflight {}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    ready: bool,
    source_cluster: Option<&'a str>,
    target_cluster: Option<&'a str>,
    verdicts: Vec<verdicts::Row<'a>>,
}

impl Preflight {
    /// Looks once and prints what was found.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        let mut signals = Signals::listen()?;
        let mut eyes = Eyes::new(verdicts::subject(&settings, None));
        let looking = async {
            let mut seen = Box::pin(eyes.look(Depth::Preflight)).await;
            Box::pin(sight::add(&settings, &mut seen, Depth::Preflight)).await;
            seen
        };
        let seen = tokio::select! {
            seen = looking => seen,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        let found = gates::ask(Guards::Replicate, &seen, &settings.ready, &[]);
        let worst = verdicts::worst(&found);
        let exit = match worst {
            None => Exit::Ok,
            Some(_) => Exit::NotReady,
        };
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: numbers::stamp(seen.at_ms),
                migration: &seen.migration,
                event: "preflight",
                ready: worst.is_none(),
                source_cluster: seen.source.id.as_deref(),
                target_cluster: seen.target.id.as_deref(),
                verdicts: verdicts::rows(&found, |_| None),
            });
            return Ok(exit);
        }
        let next = match worst {
            Some(worst) => format!("kafka-migrate explain {}", worst.code),
            None => "kafka-migrate replicate".to_owned(),
        };
        screen.text(&verdicts::header(&seen));
        screen.text(&verdicts::text(&found, screen.data_theme()));
        screen.text(&verdicts::footer(&found, exit, &global.complete(&next)));
        Ok(exit)
    }
}
