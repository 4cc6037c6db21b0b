//! Compares both sides, record by record.

use clap::Args;
use serde::Serialize;

use super::{Global, connect, differences, replicate::engine_settings};
use crate::{
    engine::{
        self,
        status::{Decided, came_back},
    },
    error::Failure,
    events::Events,
    exit::Exit,
    run::signals::Signals,
    ui::{Follow, Screen, numbers},
    verify::{self, Report, Seams, Settings, Verdict},
};

/// Compare source and target, record by record
///
/// Is every record in scope on the target, once, in order, with the same key, value, headers and timestamp, and nothing
/// else? It looks up to the ends seen when it begins, and may run beside the engine. It changes nothing.
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
        if screen.is_json() {
            screen.document(&Document {
                report: differences::document(&report),
                decided: &decided,
            });
        } else {
            screen.text(&differences::text(&report));
            if !decided.is_empty() {
                screen.text("\nwhat a person decided\n");
                screen.text(&super::status::decided(&decided));
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
    ) -> Result<(Report, Vec<Decided>), Failure> {
        let (source, target) = connect::both(settings).await?;
        let migration = engine_settings(settings, engine::Until::Stopped);
        if settings.msk.is_none() && came_back(&settings.name, &source).await? {
            return Err(Failure::new(
                Exit::Refused,
                "K419",
                "records came back to the source, and `verify` cannot tell them from the source's own yet",
            )
            .hint("nothing was compared: what came back would be shown as differing, and may be right")
            .next("kafka-migrate status"));
        }
        let mut decided = Vec::new();
        let ledger = target.clone();
        let seams = async {
            let said = engine::status::said(&migration, &ledger).await?;
            decided = said.decided;
            Ok(Seams {
                ledger: said.ledger,
                begins: said.begins,
                keep: settings.keep.clone(),
            })
        };
        let asked = Settings {
            migration: settings.name.clone(),
            scope: settings.scope.clone(),
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

fn exit(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Same => Exit::Ok,
        Verdict::Behind => Exit::NotReady,
        Verdict::Differs => Exit::Differs,
    }
}

/// What a person is told beside the report, unless both sides are the same.
fn verdict(report: &Report, shown: bool) -> Option<Failure> {
    let totals = &report.totals;
    match report.verdict {
        Verdict::Same => None,
        Verdict::Behind => Some(
            Failure::new(
                Exit::NotReady,
                "K491",
                format!(
                    "the target does not hold everything yet: at most {} of the source are missing at the end",
                    numbers::of(totals.not_yet_copied, "record")
                ),
            )
            .hint("what it holds is right; compare again when it has caught up")
            .next("kafka-migrate replicate --until caught-up"),
        ),
        Verdict::Differs => {
            let topics = report
                .by_topic
                .iter()
                .filter(|topic| topic.counts.differences() > 0)
                .count();
            let failure = Failure::new(
                Exit::Differs,
                "K490",
                format!(
                    "source and target differ: {} in {}",
                    numbers::of(totals.differences(), "difference"),
                    numbers::of(topics as u64, "topic")
                ),
            );
            let failure = if totals.extra > 0 {
                failure.hint("records that only the target has: an application writes there already, or the source lost what had been copied (`kafka-migrate status` names partitions that stopped for it)")
            } else {
                failure.hint("nothing is repaired by itself: look at the offsets named, on both sides")
            };
            Some(failure.next(if shown {
                "kafka-migrate status"
            } else {
                "kafka-migrate verify --show-values"
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Counts, TopicReport};

    fn report(counts: Counts) -> Report {
        let topic = TopicReport {
            topic: "orders".into(),
            partitions: 1,
            counts,
            behind: counts.not_yet_copied > 0,
            absent: false,
        };
        let clusters = ["Aaa".to_owned(), "Bbb".to_owned()];
        Report::of("orders".into(), clusters, vec![topic], Vec::new())
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
