//! May applications move? Asks the gates, once or until they open.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use super::{Global, sight, verdicts, waived};
use crate::{
    clock::{self, BootInstant},
    config::Settings,
    error::Failure,
    exit::Exit,
    gates::{self, Answer, Guards, Hold, Standing, Verdict, Waiver},
    observe::{Depth, Eyes, Observation},
    run::{signals::Signals, state::Record, waiver::Waiver as Word},
    ui::{Screen, numbers},
};

/// Between two looks at most so long, and at least.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// Ask the gates whether applications may move
///
/// Every gate has to be open at three looks in a row, and for `ready.hold`; so it takes that long to say yes. It says no as
/// soon as one is closed, or goes on looking with --wait. It changes nothing but the journal, which remembers what is waived.
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
    /// Let a gate be as it is, and say why: G212="nobody goes back". It stands in the journal, and counts for later commands
    /// too; with --app for that application only. Can be given several times
    #[arg(long, value_name = "CODE=REASON", value_parser = waiver)]
    waive: Vec<Waiver>,
    /// Take back what was waived: the gate counts again. Can be given several times
    #[arg(long, value_name = "CODE", value_parser = gate)]
    withdraw: Vec<String>,
}

fn gate(code: &str) -> Result<String, String> {
    let gate = gates::find(code).ok_or_else(|| format!("there is no gate {code}"))?;
    Ok(gate.code.to_owned())
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
    waived: Vec<waived::Row>,
    /// Why the journal could not be read, or what was waived not be written there.
    journal_trouble: Option<String>,
}

/// How it ended.
struct Ending {
    seen: Observation,
    found: Vec<Verdict>,
    standing: Standing,
    hold: Hold,
    watched: Duration,
    words: Words,
}

/// What persons answer for, here and before.
#[derive(Default)]
struct Words {
    /// What counts here: the journal's, and what was given now.
    all: Vec<Word>,
    /// What was given now and does not stand in the journal.
    new: Vec<Word>,
    /// Why the journal could not be read, or not be written.
    trouble: Option<String>,
}

impl Words {
    /// `given` now, for `application`, beside what the journal says.
    fn of(
        journal: Result<Vec<Word>, Failure>,
        given: &[Waiver],
        application: Option<&str>,
    ) -> Self {
        let (mut all, trouble) = match journal {
            Ok(all) => (all, None),
            Err(failure) => (Vec::new(), Some(told(&failure))),
        };
        all.retain(|word| word.counts_for(application));
        let mut new = Vec::new();
        for waiver in given {
            let word = Word {
                gate: waiver.code.clone(),
                application: application.map(str::to_owned),
                reason: waiver.reason.clone(),
                by: waived::by(),
                at_ms: clock::unix_millis(),
            };
            // The same word once more is the word of before.
            if !all.iter().any(|before| before.says_the_same(&word)) {
                all.retain(|before| !before.is_of(&word.gate, application));
                all.push(word.clone());
                new.push(word);
            }
        }
        Self { all, new, trouble }
    }

    /// As the gates take them; what was said of the application itself comes first.
    fn waivers(&self) -> Vec<Waiver> {
        let mut words: Vec<&Word> = self.all.iter().collect();
        words.sort_by_key(|word| word.application.is_none());
        let waiver = |word: &Word| Waiver {
            code: word.gate.clone(),
            reason: word.reason.clone(),
        };
        words.into_iter().map(waiver).collect()
    }
}

impl Ready {
    /// Asks until the answer is certain, or the time to wait is over.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        let only = self
            .app
            .as_ref()
            .map(|name| place(&settings, name))
            .transpose()?;
        let mut signals = Signals::listen()?;
        let mut eyes = Eyes::new(verdicts::subject(&settings, only));
        let ending = tokio::select! {
            ending = self.asked(&settings, &mut eyes, screen) => ending?,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        let exit = match ending.standing {
            Standing::Open => Exit::Ok,
            Standing::Holding | Standing::Closed => Exit::NotReady,
        };
        if screen.is_json() {
            screen.document(&self.document(&settings, &ending));
        } else {
            self.show(global, screen, &settings, &ending, exit);
        }
        Ok(exit)
    }

    /// Takes back what is to be taken back, asks, and writes down what was let through.
    async fn asked(
        &self,
        settings: &Settings,
        eyes: &mut Eyes,
        screen: &Screen,
    ) -> Result<Ending, Failure> {
        if !self.withdraw.is_empty() {
            let withdrawn = |gate: &String| Record::Withdrawn {
                gate: gate.clone(),
                application: self.app.clone(),
                by: waived::by(),
            };
            let records = self.withdraw.iter().map(withdrawn).collect();
            waived::record(settings, "ready", records).await?;
        }
        let mut ending = Box::pin(self.watch(settings, eyes, screen)).await;
        // A word that was not needed is not kept: it would let through what nobody has seen.
        let used = |word: &&Word| lets_through(&ending.found, &word.gate);
        let new: Vec<Record> = ending
            .words
            .new
            .iter()
            .filter(used)
            .cloned()
            .map(Record::Waived)
            .collect();
        if !new.is_empty() {
            match waived::record(settings, "ready", new).await {
                // Where the answer is no anyhow it is told, with why.
                Err(failure) if ending.standing != Standing::Open => {
                    ending.words.trouble = Some(told(&failure));
                }
                recorded => recorded?,
            }
        }
        if let Some(trouble) = &ending.words.trouble {
            screen.note(&format!(
                "the journal cannot be read or written, so nothing stands in it of what is waived: {trouble}"
            ));
        }
        Ok(ending)
    }

    async fn watch(&self, settings: &Settings, eyes: &mut Eyes, screen: &Screen) -> Ending {
        let hold_for = settings.ready.hold;
        let pause = (hold_for / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let begun = BootInstant::now();
        let mut hold = Hold::new(hold_for);
        let mut told = Changes::default();
        let known = Box::pin(waived::known(settings)).await;
        let words = Words::of(known, &self.waive, self.app.as_deref());
        let waivers = words.waivers();
        let mut remembered = sight::Remembered::default();
        loop {
            let mut seen = Box::pin(eyes.look(Depth::Ready)).await;
            Box::pin(sight::add(
                settings,
                &mut remembered,
                &mut seen,
                Depth::Ready,
            ))
            .await;
            let watched = begun.elapsed();
            let found = gates::ask(Guards::Cutover, &seen, &settings.ready, &waivers);
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
                    words,
                };
            }
            sleep(pause).await;
        }
    }

    fn document<'a>(&self, settings: &Settings, ending: &'a Ending) -> Document<'a> {
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
            waived: waived::rows(&ending.words.all, |gate| {
                Some(lets_through(&ending.found, gate))
            }),
            journal_trouble: ending.words.trouble.clone(),
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
        if !ending.words.all.is_empty() {
            screen.text(&format!("\n{}", waived::table(&ending.words.all)));
        }
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

/// There is no application of a name that was given.
pub fn no_application(what: &str) -> Failure {
    Failure::new(Exit::Usage, "K030", what)
}

/// The place of the application of that name.
pub(super) fn place(settings: &Settings, name: &str) -> Result<usize, Failure> {
    let known = &settings.applications;
    known
        .iter()
        .position(|one| one.name == name)
        .ok_or_else(|| {
            let failure = no_application(&format!("the file has no application {name:?}"));
            let names: Vec<&str> = known.iter().map(|one| &*one.name).collect();
            match names.is_empty() {
                true => {
                    failure.hint("describe it in an [[application]]: its topics and its groups")
                }
                false => failure.hint(format!("it has {}", names.join(", "))),
            }
        })
}

fn told(failure: &Failure) -> String {
    format!("{} ({})", failure.message, failure.code)
}

/// Is this gate let through on somebody's word?
fn lets_through(found: &[Verdict], gate: &str) -> bool {
    let mut found = found.iter();
    found.any(|verdict| verdict.code == gate && verdict.waived.is_some())
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
    fn a_word_of_before_counts_and_a_new_one_takes_its_place() {
        let before = |reason: &str, application: Option<&str>| Word {
            gate: "G212".into(),
            application: application.map(Into::into),
            reason: reason.into(),
            by: "ann on ferry".into(),
            at_ms: 7,
        };
        let given = |reason: &str| {
            vec![Waiver {
                code: "G212".into(),
                reason: reason.into(),
            }]
        };
        let journal = || Ok(vec![before("night shift", None), before("mine", Some("a"))]);
        let words = Words::of(journal(), &[], None);
        assert_eq!(words.waivers(), given("night shift"));
        assert!(words.new.is_empty());
        // What was said of the application itself comes first.
        let words = Words::of(journal(), &[], Some("a"));
        assert_eq!(words.waivers()[0].reason, "mine");
        assert_eq!(Words::of(journal(), &[], Some("b")).all.len(), 1);
        // The same again is nothing new; another reason is, and the old one goes.
        let words = Words::of(journal(), &given("night shift"), None);
        assert!(words.new.is_empty());
        assert_eq!(words.all[0].at_ms, 7);
        let words = Words::of(journal(), &given("day shift"), None);
        assert_eq!((words.new.len(), words.all.len()), (1, 1));
        assert_eq!(words.waivers(), given("day shift"));
        // Without a journal only what is given counts, and that is said.
        let lost = Failure::new(Exit::Target, "K201", "gone");
        let words = Words::of(Err(lost), &given("day shift"), None);
        assert_eq!(words.trouble.as_deref(), Some("gone (K201)"));
        assert_eq!(words.waivers(), given("day shift"));
    }

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
