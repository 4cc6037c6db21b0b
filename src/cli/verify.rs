//! Compares both sides, record by record.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use clap::Args;
use serde::Serialize;

use super::{Global, connect, differences, replicate::engine_settings};
use crate::{
    clock,
    engine::{
        self,
        status::{Decided, Said},
    },
    error::Failure,
    events::Events,
    exit::Exit,
    report::verified::{Found, Verified},
    run::signals::Signals,
    ui::{Follow, Screen, numbers},
    verify::{self, Counts, Report, Seams, Settings, Verdict, Written},
};

/// Compare source and target, record by record
///
/// Is every record in scope on the target, once, in order, with the same key, value, headers and timestamp, and nothing
/// else? Where records also come back: is every record that applications wrote on the target on the source, too? It looks up
/// to the ends seen when it begins, and may run beside the engine. It changes nothing.
///
/// Exit 0: the same. 8: they differ, and the first ten differences are shown. 3: what the target holds is right, but it
/// does not hold everything yet.
#[derive(Debug, Args)]
pub struct Verify {
    /// Show what the differing records hold, not only where they are and how long
    #[arg(long)]
    show_values: bool,
    /// Compare so many partitions at the same time, each in a few MiB of memory [default: 4]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    at_once: u16,
}

#[derive(Serialize)]
struct Document<'a, T> {
    #[serde(flatten)]
    report: T,
    decided: &'a [Decided],
    decided_back: &'a [Decided],
}

/// What persons decided, there and back.
#[derive(Default)]
struct Decisions {
    there: Vec<Decided>,
    back: Vec<Decided>,
}

impl Verify {
    /// Compares and prints the report.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&settings.name);
        let compared = tokio::select! {
            compared = self.compare(&settings, screen, &mut follow) => compared,
            _ = signals.next() => {
                follow.close();
                follow.say("stopped", "nothing was changed, and there is no report: it was not compared to the end");
                return Ok(Exit::Interrupted);
            }
        };
        follow.close();
        let (report, decided) = compared?;
        if let Err(error) = kept(&report).keep(&settings.state) {
            screen.note(&format!("what was found is not kept for `report`: {error}"));
        }
        if screen.is_json() {
            screen.document(&Document {
                report: differences::document(&report),
                decided: &decided.there,
                decided_back: &decided.back,
            });
        } else {
            screen.text(&differences::text(&report));
            let ways = [("", &decided.there), (" on the way back", &decided.back)];
            for (way, decided) in ways.iter().filter(|(_, decided)| !decided.is_empty()) {
                screen.text(&format!("\nwhat a person decided{way}\n"));
                screen.text(&super::status::decided(decided));
            }
            if let Some(failure) = verdict(&report, self.show_values) {
                screen.failure(None, &global.completed(failure));
            }
        }
        Ok(exit(&report))
    }

    async fn compare(
        &self,
        settings: &crate::config::Settings,
        screen: &Screen,
        follow: &mut Follow,
    ) -> Result<(Report, Decisions), Failure> {
        let (source, target) = connect::both(settings).await?;
        let migration = engine_settings(settings, engine::Until::Stopped);
        let mut decided = Decisions::default();
        let (ledger, ledger_back) = (target.clone(), source.clone());
        let seams = async {
            let said = engine::status::said(&migration, &ledger).await?;
            let back = match settings.msk {
                Some(_) => None,
                None => engine::status::said_back(&migration, &ledger_back, &ledger).await?,
            };
            // What looks like a copy and is none, whoever reads it there was told.
            let written = |writes: &Said, reads: Option<&Said>| Written {
                begins: writes.begins.clone(),
                identities: Arc::new(writes.identities.clone()),
                except: reads.map_or_else(HashMap::new, |said| said.not_copies.clone()),
            };
            let seams = Seams {
                ledger: said.ledger,
                there: written(&said, back.as_ref()),
                back: back.as_ref().map(|back| written(back, Some(&said))),
                keep: settings.keep.clone(),
                merge: settings.merge.clone(),
            };
            decided.there = said.decided;
            decided.back = back.map_or_else(Vec::new, |said| said.decided);
            Ok(seams)
        };
        let asked = Settings {
            migration: settings.name.clone(),
            scope: settings.scope.clone(),
            source: settings.source.clone(),
            target: settings.target.clone(),
            show_values: self.show_values,
            witness: true,
            at_once: usize::from(self.at_once),
        };
        let (events, mut feed) = Events::channel();
        let report = {
            let mut comparing = std::pin::pin!(verify::run(asked, source, target, seams, events));
            loop {
                tokio::select! {
                    report = &mut comparing => break report?,
                    // A program waits for one document; it is told nothing before.
                    Some(event) = feed.recv() => if !screen.is_json() { follow.event(&event) },
                }
            }
        };
        Ok((report, decided))
    }
}

/// What of it a report tells later.
fn kept(report: &Report) -> Verified {
    let found = |counts: &Counts| Found {
        matching: counts.matching,
        differences: counts.differences(),
        not_yet_copied: counts.not_yet_copied,
    };
    Verified {
        at_ms: clock::unix_millis(),
        verdict: match report.verdict {
            Verdict::Same => "same",
            Verdict::Behind => "behind",
            Verdict::Differs => "differs",
        }
        .to_owned(),
        source_cluster: report.source_cluster.clone(),
        target_cluster: report.target_cluster.clone(),
        partitions: report.partitions as u64,
        took_ms: report.took_ms,
        there: found(&report.totals),
        back: report.way_back.as_ref().map(|back| found(&back.totals)),
    }
}

fn exit(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Same => Exit::Ok,
        Verdict::Behind => Exit::NotReady,
        Verdict::Differs => Exit::Differs,
    }
}

/// What a person is told beside the report, unless both sides are the same.
fn verdict(report: &Report, shown: bool) -> Option<Failure> {
    match report.verdict {
        Verdict::Same => None,
        Verdict::Behind => Some(behind(report)),
        Verdict::Differs => {
            let failure = differ(report);
            Some(failure.next(if shown {
                "kafka-migrate status"
            } else {
                "kafka-migrate verify --show-values"
            }))
        }
    }
}

fn behind(report: &Report) -> Failure {
    let back = report.way_back.as_ref().filter(|back| back.behind);
    let there = report.by_topic.iter().any(|topic| topic.behind);
    let at_most = |records| format!("at most {}", numbers::of(records, "record"));
    let (totals, came_back) = (
        at_most(report.totals.not_yet_copied),
        at_most(back.map_or(0, |back| back.totals.not_yet_copied)),
    );
    let message = match (there, back) {
        (_, None) => format!(
            "the target does not hold everything yet: {totals} of the source are missing at the end"
        ),
        (false, Some(_)) => format!(
            "the source does not hold everything yet: {came_back} of the target are missing at the end"
        ),
        (true, Some(_)) => format!(
            "neither side holds everything yet: {totals} of the source and {came_back} of the target are missing at the end of the other"
        ),
    };
    Failure::new(Exit::NotReady, "K491", message)
        .hint("what it holds is right; compare again when it has caught up")
        .next("kafka-migrate replicate --until caught-up")
}

fn differ(report: &Report) -> Failure {
    let back = report.way_back.as_ref();
    let by_topic = report.by_topic.iter();
    let topics = by_topic.chain(back.iter().flat_map(|back| &back.by_topic));
    let topics: BTreeSet<&str> = topics
        .filter(|topic| topic.counts.differences() > 0)
        .map(|topic| &*topic.topic)
        .collect();
    let mut totals = report.totals;
    if let Some(back) = back {
        totals.add(&back.totals);
    }
    let failure = Failure::new(
        Exit::Differs,
        "K490",
        format!(
            "source and target differ: {} in {}",
            numbers::of(totals.differences(), "difference"),
            numbers::of(topics.len() as u64, "topic")
        ),
    );
    let status = "`kafka-migrate status` names partitions that stopped for it";
    match (totals.extra > 0, back) {
        (true, None) => failure.hint(format!("records that only the target has: an application writes there already, or the source lost what had been copied ({status})")),
        (true, Some(_)) => failure.hint(format!("copies of what is not there any more: the side that it came from lost it, or somebody else wrote under our identity ({status})")),
        (false, _) => failure.hint("nothing is repaired by itself: look at the offsets named, on both sides"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::TopicReport;

    fn topic(counts: Counts) -> TopicReport {
        TopicReport {
            topic: "orders".into(),
            partitions: 1,
            counts,
            behind: counts.not_yet_copied > 0,
            absent: false,
        }
    }

    fn report(counts: Counts) -> Report {
        let clusters = ["Aaa".to_owned(), "Bbb".to_owned()];
        Report::of("orders".into(), clusters, vec![topic(counts)], Vec::new())
    }

    #[test]
    fn the_verdict_is_over_both_ways() {
        let both = |there, back| report(there).and_back(vec![topic(back)], Vec::new());
        let same = Counts::default();
        let behind = Counts {
            not_yet_copied: 7,
            ..same
        };
        let differs = Counts { extra: 2, ..same };
        let told = |report: &Report| {
            let failure = verdict(report, false).expect("something is to be told");
            assert_eq!(failure.exit, exit(report));
            (failure.exit, failure.message)
        };
        assert!(verdict(&both(same, same), false).is_none());
        let (exit, message) = told(&both(same, behind));
        assert_eq!(exit, Exit::NotReady);
        assert!(message.starts_with("the source does not hold"), "{message}");
        let (_, message) = told(&both(behind, behind));
        assert!(message.starts_with("neither side"), "{message}");
        let (_, message) = told(&both(behind, same));
        assert!(message.starts_with("the target does not hold"), "{message}");
        let (exit, message) = told(&both(behind, differs));
        assert_eq!(exit, Exit::Differs);
        assert_eq!(
            message,
            "source and target differ: 2 differences in 1 topic"
        );
    }

    #[test]
    fn the_exit_code_is_the_verdict() {
        let same = report(Counts::default());
        assert_eq!(exit(&same), Exit::Ok);
        assert!(verdict(&same, false).is_none());
        let behind = report(Counts {
            not_yet_copied: 1,
            ..Counts::default()
        });
        let failure = verdict(&behind, false).unwrap();
        assert_eq!(
            (exit(&behind), failure.exit),
            (Exit::NotReady, Exit::NotReady)
        );
        assert!(failure.message.contains("at most 1 record of"), "{failure}");
        // Different and behind is different.
        let differs = report(Counts {
            extra: 2,
            different: 1,
            not_yet_copied: 1,
            ..Counts::default()
        });
        let failure = verdict(&differs, false).unwrap();
        assert_eq!(
            (exit(&differs), failure.exit),
            (Exit::Differs, Exit::Differs)
        );
        assert_eq!(
            failure.message,
            "source and target differ: 3 differences in 1 topic"
        );
    }
}
