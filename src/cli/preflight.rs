//! Can this migration work? Looks at everything; all it makes is a topic of its own, which it removes.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Global, refusal, sight, verdicts};
use crate::{
    config::Settings,
    error::Failure,
    exit::Exit,
    gates::{self, Guards},
    observe::{Depth, Eyes, Known, Vantage},
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
pub struct Preflight {
    /// Only look whether every broker can be reached from here, and write that to --out: for a machine in one of the replicators'
    /// subnets, where MSK Replicator copies
    #[arg(long, requires = "out")]
    from_here: bool,
    /// Where --from-here writes what it saw
    #[arg(long, value_name = "FILE", requires = "from_here")]
    out: Option<PathBuf>,
    /// What --from-here wrote in one of the subnets; it is believed for a day
    #[arg(long, value_name = "FILE", conflicts_with = "from_here")]
    vantage: Option<PathBuf>,
}

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
        let vantage = self.vantage(&settings)?;
        #[cfg(feature = "aws")]
        if let (Some(msk), true, Some(out)) = (&settings.msk, self.from_here, &self.out) {
            return from_here(&settings, msk, out, screen).await;
        }
        let mut signals = Signals::listen()?;
        let mut eyes = Eyes::new(verdicts::subject(&settings, None));
        let mut remembered = sight::Remembered::default();
        let looking = async {
            let mut seen = Box::pin(eyes.look(Depth::Preflight)).await;
            Box::pin(sight::add(
                &settings,
                &mut remembered,
                &mut seen,
                Depth::Preflight,
            ))
            .await;
            if let (Some(amazon), Some(vantage)) = (&mut seen.amazon, vantage) {
                amazon.from_subnets = vantage;
            }
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

    /// Evidence that was brought from elsewhere.
    fn vantage(&self, settings: &Settings) -> Result<Option<Known<Vantage>>, Failure> {
        let flags = [
            ("--from-here", self.from_here),
            ("--vantage", self.vantage.is_some()),
        ];
        let given = flags.iter().filter(|(_, is_given)| *is_given);
        let given: Vec<&str> = given.map(|(flag, _)| *flag).collect();
        if settings.msk.is_none() && !given.is_empty() {
            return Err(refusal::of_backend(
                &given,
                "our own engine runs where this command runs",
                "leave it out",
            ));
        }
        #[cfg(feature = "aws")]
        if let (Some(path), Some(msk)) = (&self.vantage, &settings.msk) {
            return crate::phases::msk::vantage::read(path, msk, &settings.name).map(Some);
        }
        Ok(None)
    }
}

/// Looks from here, and writes down what it saw.
#[cfg(feature = "aws")]
async fn from_here(
    settings: &Settings,
    msk: &crate::model::msk::Msk,
    out: &std::path::Path,
    screen: &Screen,
) -> Result<Exit, Failure> {
    use crate::phases::msk::vantage;
    let seen = Box::pin(vantage::look_from_here(
        msk,
        &settings.name,
        &settings.target,
    ))
    .await?;
    seen.save(out)?;
    for trouble in &seen.trouble {
        screen.note(trouble);
    }
    screen.note(&format!(
        "{} reached, {} not; written to {}",
        seen.reached.len(),
        seen.trouble.len(),
        out.display()
    ));
    Ok(match seen.trouble.is_empty() {
        true => Exit::Ok,
        false => Exit::NotReady,
    })
}
