//! How a copy came to its end: the last line, the exit code, and what waits for a person.

use std::time::Duration;

use serde::Serialize;

use super::accompany::{Ending, Stopped};
use crate::{
    engine::Summary,
    error::Failure,
    exit::Exit,
    ui::{Follow, numbers},
};

/// What programs are told beside the engine's events.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Told {
    /// Numbers are served.
    Metrics {
        /// Where.
        url: String,
    },
    /// A signal came.
    Stopping {
        /// Which.
        signal: &'static str,
        /// What follows.
        how: &'static str,
        /// The step of the plan that is being done; with `now` it is left half done.
        step: Option<String>,
    },
    /// The last line of a run that ended as it should.
    Ended {
        /// The exit code.
        exit: u8,
        /// Its name.
        exit_name: &'static str,
        /// Whether the next start goes on at once.
        sealed: bool,
        /// Partitions that wait for a person.
        stopped_partitions: usize,
        /// Records copied.
        records: u64,
        /// Bytes copied.
        bytes: u64,
        /// How long it took.
        took_ms: u64,
    },
}

/// The last line, and the exit code.
pub fn conclude(
    until_caught_up: bool,
    ending: Ending,
    follow: &mut Follow,
) -> Result<Exit, Failure> {
    // Cut off on request: nothing is known of the run but that the next one fences.
    let summary = match ending.result {
        Err(_) if ending.signals > 1 => Summary::default(),
        result => result?,
    };
    let exit = match ending.signals {
        0 if !until_caught_up => Exit::Stopped,
        0 if summary.stopped_partitions > 0 => Exit::Attention,
        0 => Exit::Ok,
        _ => Exit::Interrupted,
    };
    follow.say("ended", &last_line(&summary, follow.elapsed()));
    follow.tell(&Told::Ended {
        exit: exit.code(),
        exit_name: exit.name(),
        sealed: summary.sealed,
        stopped_partitions: summary.stopped_partitions,
        records: summary.records,
        bytes: summary.bytes,
        took_ms: u64::try_from(follow.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    match exit {
        Exit::Attention => Err(attention(&summary, &ending.stopped)),
        Exit::Ok => {
            follow.say("next", "kafka-migrate verify");
            Ok(exit)
        }
        exit => Ok(exit),
    }
}

fn last_line(summary: &Summary, took: Duration) -> String {
    let stopped = match summary.stopped_partitions {
        0 => String::new(),
        count => format!("; {} stopped", numbers::of(count as u64, "partition")),
    };
    let sealed = if summary.sealed {
        "sealed: the next start goes on at once"
    } else {
        "not sealed: the next start fences first, which takes some seconds"
    };
    format!(
        "{} copied, {}, in {}{stopped}; {sealed}",
        numbers::of(summary.records, "record"),
        numbers::bytes(summary.bytes),
        numbers::time(took)
    )
}

/// Everything that could be copied is copied, and some partitions wait for a person.
fn attention(summary: &Summary, stopped: &[Stopped]) -> Failure {
    let count = numbers::of(summary.stopped_partitions as u64, "partition");
    let waits = if summary.stopped_partitions == 1 {
        "has stopped and waits"
    } else {
        "have stopped and wait"
    };
    let failure = Failure::new(
        Exit::Attention,
        "K590",
        format!("{count} {waits} for a person; all others are caught up"),
    );
    let failure = stopped
        .iter()
        .fold(failure, |failure, stopped| failure.cause(&stopped.line));
    let mut choices: Vec<String> = Vec::new();
    for one in stopped {
        for choice in &one.choices {
            let command = choice.command.as_deref().unwrap_or("kafka-migrate status");
            let text = format!("{}: {}: {command}", one.name, choice.does);
            // A topic that is copied again as a whole is said once.
            let is_told = |told: &String| told.ends_with(&text[one.name.len()..]);
            if !choices.iter().any(is_told) {
                choices.push(text);
            }
        }
    }
    let failure = choices.into_iter().fold(failure, Failure::cause);
    let mut codes: Vec<&str> = stopped
        .iter()
        .map(|stopped| stopped.code.as_str())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    failure
        .hint(format!(
            "nothing was skipped: each goes on from the offset named once its cause is gone{}",
            match codes.as_slice() {
                [] => String::new(),
                codes => format!(" ({})", codes.join(", ")),
            }
        ))
        .hint("or leave its topic out with `scope.exclude_topics`")
        .next("kafka-migrate status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::replicate::accompany::note,
        events::{Choice, Event},
        ui::Screen,
    };

    fn summary(stopped_partitions: usize, sealed: bool) -> Summary {
        Summary {
            sealed,
            stopped_partitions,
            records: 3009,
            bytes: 1_258_291,
        }
    }

    fn ended(
        until_caught_up: bool,
        result: Result<Summary, Failure>,
        signals: usize,
    ) -> Result<Exit, Failure> {
        let mut follow = Screen::new(false, crate::ui::Color::Never, -1).follow("orders");
        let mut stopped = Vec::new();
        let event = Event::PartitionStopped {
            topic: "orders".into(),
            partition: 7,
            code: "K501".into(),
            reason: "the source begins at 40".into(),
            source_offset: 12,
            goes_on_at: Some(40),
            since_ms: 0,
            choices: vec![Choice {
                does: "give up source offsets 12 to 39".into(),
                command: Some("kafka-migrate replicate --accept-gap orders:7@12".into()),
            }],
        };
        note(&event, &mut stopped);
        let ending = Ending {
            result,
            signals,
            stopped,
        };
        conclude(until_caught_up, ending, &mut follow)
    }

    #[test]
    fn the_exit_code_says_how_it_ended() {
        let code = |until, signals| ended(until, Ok(summary(0, true)), signals).unwrap();
        assert_eq!(code(true, 0), Exit::Ok);
        assert_eq!(code(true, 1), Exit::Interrupted);
        assert_eq!(code(false, 1), Exit::Interrupted);
        assert_eq!(code(false, 2), Exit::Interrupted);
        assert_eq!(code(false, 0), Exit::Stopped);
        let stopped = ended(false, Ok(summary(1, true)), 1).unwrap();
        assert_eq!(stopped, Exit::Interrupted);
    }

    #[test]
    fn a_failure_stays_one_unless_it_was_cut_off_on_request() {
        let failed = || {
            Err(Failure::new(
                Exit::Refused,
                "K410",
                "another engine took over",
            ))
        };
        for signals in [0, 1] {
            let failure = ended(false, failed(), signals).unwrap_err();
            assert_eq!(failure.exit, Exit::Refused);
        }
        assert_eq!(ended(false, failed(), 2).unwrap(), Exit::Interrupted);
    }

    #[test]
    fn stopped_partitions_are_named_with_where_why_and_what_now() {
        let failure = ended(true, Ok(summary(1, true)), 0).unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Attention, "K590"));
        assert_eq!(
            failure.message,
            "1 partition has stopped and waits for a person; all others are caught up"
        );
        assert_eq!(
            failure.causes,
            [
                "orders-7 from source offset 12, since 1970-01-01T00:00:00.000Z: the source begins at 40 (K501)",
                "orders-7: give up source offsets 12 to 39: kafka-migrate replicate --accept-gap orders:7@12",
            ]
        );
        assert_eq!(failure.next.as_deref(), Some("kafka-migrate status"));
        assert_eq!(failure.hints.len(), 2);
    }

    #[test]
    fn the_last_line_reads_well() {
        let took = Duration::from_millis(4100);
        assert_eq!(
            last_line(&summary(0, true), took),
            "3,009 records copied, 1.20 MiB, in 4.1s; sealed: the next start goes on at once"
        );
        assert_eq!(
            last_line(&summary(2, false), took),
            "3,009 records copied, 1.20 MiB, in 4.1s; 2 partitions stopped; not sealed: the next start fences first, which takes some seconds"
        );
    }
}
