//! May applications move? Asks the gates, once or until they open.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use super::{Global, verdicts};
use crate::{
    clock::{self, BootInstant},
    config::Settings,
    error::Failure,
    exit::Exit,
    gates::{self, Answer, Guards, Hold, Standing, Verdict, Waiver},
    observe::{Depth, Eyes, Observation},
    run::signals::Signals,
    ui::{Screen, numbers},
};

/// Between two looks at most so long, and at least.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// Ask the gates whether applications may move
///
/// Every gate has to be open at three looks in a row, and for `ready.hold`; so it takes that long to say yes. It says no as
/// soon as one is closed, or goes on looking with --wait. It changes nothing.
///
/// Exit 0: all gates are open. 3: one is closed, or could not be looked at.
#[derive(Debug, Args)]
pub struct Ready {
    /// Look on for up to so long until the gates open, such as 30m; only changes are shown meanwhile
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    /// Ask about one application of the file only: its topics and its groups
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Let a gate be as it is, and say why: G212="nobody goes back". Can be given several times
    #[arg(long, value_name = "CODE=REASON", value_parser = waiver)]
    waive: Vec<Waiver>,
}

fn waiver(text: &str) -> Result<Waiver, String> {
    let (code, reason) = text
        .split_once('=')
        .ok_or("a gate and a reason are wanted, such as G212=\"nobody goes back\"")?;
    let gate = gates::find(code).ok_or_else(|| format!("there is no gate {code}"))?;
    if gate.guards == Guards::Replicate {
        return Err(format!(
            "{} ({}) is asked by preflight, not by ready",
            gate.code, gate.name
        ));
    }
    match reason.trim() {
        "" => Err(format!("it takes a reason to waive {}", gate.code)),
        reason => Ok(Waiver {
            code: gate.code.to_owned(),
            reason: reason.to_owned(),
        }),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    application: Option<&'a str>,
    open: bool,
    standing: Standing,
    watched_ms: u64,
    hold_ms: u64,
    verdicts: Vec<verdicts::Row<'a>>,
    waived: Vec<Waiver>,
}

/// How it ended.
struct Ending {
    seen: Observation,
    found: Vec<Verdict>,
    standing: Standing,
    hold: Hold,
    watched: Duration,
}

impl Ready {
    /// Asks until the answer is certain, or the time to wait is over.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[])?;
        global.notes(&settings, screen);
        let only = self
            .app
            .as_ref()
            .map(|name| place(&settings, name))
            .transpose()?;
        let mut signals = Signals::listen()?;
        let mut eyes = Eyes::new(verdicts::subject(&settings, only));
        let ending = tokio::select! {
            ending = self.watch(&settings, &mut eyes, screen) => ending,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        // What was let through, and why: the one place where all of it is known, for whoever keeps a record of it.
        let waived: Vec<Waiver> = ending
            .found
            .iter()
            .filter_map(|verdict| {
                Some(Waiver {
                    code: verdict.code.to_owned(),
                    reason: verdict.waived.clone()?,
                })
            })
            .collect();
        let exit = match ending.standing {
            Standing::Open => Exit::Ok,
            Standing::Holding | Standing::Closed => Exit::NotReady,
        };
        if screen.is_json() {
            screen.document(&self.document(&settings, &ending, waived));
        } else {
            self.show(global, screen, &settings, &ending, exit);
        }
        Ok(exit)
    }

    async fn watch(&self, settings: &Settings, eyes: &mut Eyes, screen: &Screen) -> Ending {
        let hold_for = settings.ready.hold;
        let pause = (hold_for / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let begun = BootInstant::now();
        let mut hold = Hold::new(hold_for);
        let mut told = Changes::default();
        loop {
            let seen = Box::pin(eyes.look(Depth::Ready)).await;
            let watched = begun.elapsed();
            let found = gates::ask(Guards::Cutover, &seen, &settings.ready, &self.waive);
            let standing = hold.note(watched, &found);
            if !screen.is_json() {
                told.tell(&found, screen);
            }
            let is_over = self.wait.is_none_or(|wait| watched >= wait);
            let ends = match standing {
                Standing::Open => true,
                Standing::Closed => is_over,
                // Without a time to wait it is waited for as long as a gate has to hold.
                Standing::Holding => self.wait.is_some() && is_over,
            };
            if ends {
                return Ending {
                    seen,
                    found,
                    standing,
                    hold,
                    watched,
                };
            }
            sleep(pause).await;
        }
    }

    fn document<'a>(
        &self,
        settings: &Settings,
        ending: &'a Ending,
        waived: Vec<Waiver>,
    ) -> Document<'a> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Document {
            v: 1,
            at: numbers::stamp(ending.seen.at_ms),
            migration: &ending.seen.migration,
            event: "ready",
            application: ending.seen.asked.application.as_deref(),
            open: ending.standing == Standing::Open,
            standing: ending.standing,
            watched_ms: millis(ending.watched),
            hold_ms: millis(settings.ready.hold),
            verdicts: verdicts::rows(&ending.found, |code| ending.hold.held(code, ending.watched)),
            waived,
        }
    }

    fn show(
        &self,
        global: &Global,
        screen: &Screen,
        settings: &Settings,
        ending: &Ending,
        exit: Exit,
    ) {
        let Ending { seen, found, .. } = ending;
        screen.text(&verdicts::header(seen));
        screen.text(&verdicts::text(found, screen.data_theme()));
        let next = match (verdicts::worst(found), ending.standing) {
            (Some(worst), _) => format!("kafka-migrate explain {}", worst.code),
            (None, Standing::Open) => "kafka-migrate status".to_owned(),
            (None, _) => "kafka-migrate ready --wait 30m".to_owned(),
        };
        screen.text(&verdicts::footer(found, exit, &global.complete(&next)));
        let held = numbers::time(settings.ready.hold);
        match ending.standing {
            Standing::Open => {
                let shortest = found
                    .iter()
                    .filter_map(|one| ending.hold.held(one.code, ending.watched));
                let for_ms = shortest.map(|held| held.for_ms).min().unwrap_or(0);
                let since = seen.at_ms - i64::try_from(for_ms).unwrap_or(0);
                let count = numbers::of(found.len() as u64, "gate");
                screen.text(&format!(
                    "open: {count} since {} (held {held})\n",
                    numbers::clock(since)
                ));
            }
            Standing::Holding => {
                screen.text(&format!(
                    "not yet: a gate has to be open for {held}, at three looks or more\n"
                ));
            }
            Standing::Closed => {}
        }
    }
}

/// The place of the application of that name.
fn place(settings: &Settings, name: &str) -> Result<usize, Failure> {
    let known = &settings.applications;
    known
        .iter()
        .position(|one| one.name == name)
        .ok_or_else(|| {
            let failure = Failure::new(
                Exit::Usage,
                "K030",
                format!("the file has no application {name:?}"),
            );
            let names: Vec<&str> = known.iter().map(|one| &*one.name).collect();
            match names.is_empty() {
                true => {
                    failure.hint("describe it in an [[application]]: its topics and its groups")
                }
                false => failure.hint(format!("it has {}", names.join(", "))),
            }
        })
}

/// Tells what changed since it was told last.
#[derive(Default)]
struct Changes {
    told: HashMap<&'static str, (Answer, bool)>,
}

impl Changes {
    fn tell(&mut self, found: &[Verdict], screen: &Screen) {
        for verdict in found {
            let now = (verdict.verdict, verdict.holds_up);
            let before = self.told.insert(verdict.code, now);
            // At first only what is in the way.
            let is_news = match before {
                None => verdict.holds_up,
                Some(before) => before != now,
            };
            if is_news {
                let at = numbers::clock(clock::unix_millis());
                screen.progress(&format!("{at}{}", verdicts::line(verdict, screen.theme())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_names_a_gate_of_this_command_and_a_reason() {
        let good = waiver("g212= nobody goes back ").expect("it is understood");
        assert_eq!((&*good.code, &*good.reason), ("G212", "nobody goes back"));
        for (bad, why) in [
            ("G212", "a gate and a reason"),
            ("G999=x", "there is no gate G999"),
            ("G112=x", "is asked by preflight"),
            ("G212= ", "it takes a reason"),
        ] {
            let said = waiver(bad).expect_err(bad);
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
