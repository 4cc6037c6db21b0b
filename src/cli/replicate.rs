//! Copies in the foreground until stopped, or until caught up.

use std::{io::IsTerminal as _, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Global, connect, signals::Signals};
use crate::{
    config::{self, Flag},
    engine::{
        self, StopSignal, Summary,
        ways::{Asked, Way},
    },
    error::Failure,
    events::{Choice, Event, Events},
    exit::Exit,
    ui::{Follow, Screen, numbers},
};

/// How long an engine that was told to stop at once may take before it is cut off, which is as safe.
const CUT_OFF: Duration = Duration::from_secs(2);

/// Copy the topics in scope to the target, each record once, in order, untouched
///
/// Runs in the foreground and goes on where it left off, however it ended. Ctrl-C stops it cleanly: what was sent is
/// answered, positions are written, and the next start goes on at once. A second Ctrl-C stops it at once, which is safe
/// too; the next start then takes some seconds longer.
#[derive(Debug, Args)]
pub struct Replicate {
    /// When to end by itself [default: stopped]
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "stopped",
        hide_default_value = true
    )]
    until: Until,
    /// Read at most so many bytes per second, such as 50MB, or `auto`, or `unlimited`; wins over replication.rate in the file
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// Give up what stopped this partition, for good, and go on behind it; what was given up stays on record. `status`
    /// names what that would be, and the word for exactly this stop (TOPIC:PARTITION@OFFSET). Can be given several
    /// times; the same command again gives up nothing more
    #[arg(long, value_name = "TOPIC:PARTITION")]
    accept_gap: Vec<String>,
    /// Copy a partition that has stopped again from the source's first record: what it holds on the target is deleted
    /// first. TOPIC alone is every partition of it that has stopped. Can be given several times; the same command again
    /// copies nothing twice
    #[arg(long, value_name = "TOPIC[:PARTITION]")]
    recopy: Vec<String>,
    /// The migration's name: the answer to what --recopy asks before it deletes
    #[arg(long, value_name = "NAME", requires = "recopy")]
    confirm: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// When all that was on the source at the start is on the target; exit 10 if a partition stopped on the way
    CaughtUp,
    /// Never: it runs until somebody stops it
    Stopped,
}

/// What programs are told beside the engine's events.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Told {
    /// A signal came.
    Stopping {
        signal: &'static str,
        how: &'static str,
    },
    /// The last line of a run that ended as it should.
    Ended {
        exit: u8,
        exit_name: &'static str,
        sealed: bool,
        stopped_partitions: usize,
        records: u64,
        bytes: u64,
        took_ms: u64,
    },
}

/// One partition that stopped in this run.
struct Stopped {
    name: String,
    code: String,
    line: String,
    choices: Vec<Choice>,
}

/// How the engine came to its end.
struct Ending {
    result: Result<Summary, Failure>,
    /// Signals that came.
    signals: usize,
    stopped: Vec<Stopped>,
}

impl Replicate {
    /// Runs the engine to its end.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&self.flags())?;
        global.notes(&settings, screen);
        let asked = self.asked()?;
        self.confirmed(global, &settings.name, screen)?;
        let mut signals = Signals::listen()?;
        let mut follow = screen.follow(&settings.name);
        follow.say(
            "connecting",
            &format!(
                "to the source ({}) and the target ({})",
                settings.source.bootstrap.join(", "),
                settings.target.bootstrap.join(", ")
            ),
        );
        let (source, target) = tokio::select! {
            both = connect::both(&settings) => both?,
            _ = signals.next() => {
                follow.close();
                return Ok(Exit::Interrupted);
            }
        };
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let mut told = engine_settings(&settings, self.until.into());
        told.asked = asked;
        told.asked_by = user();
        let engine = tokio::spawn(engine::run(told, source, target, events, stop.clone()));
        let signals = async || signals.next().await;
        let feed = Feed {
            events: feed,
            complete: &|command| global.complete(command),
        };
        let ending = accompany(engine, feed, &stop, signals, CUT_OFF, &mut follow).await;
        follow.close();
        self.conclude(ending, &mut follow)
    }

    fn flags(&self) -> Vec<Flag> {
        let rate = self.rate.as_ref().map(|rate| Flag {
            flag: "--rate",
            path: "replication.rate",
            value: rate.clone(),
        });
        rate.into_iter().collect()
    }

    /// The ways past stops that were asked for, or everything that is wrong with their words.
    fn asked(&self) -> Result<Vec<Asked>, Failure> {
        let gaps = self.accept_gap.iter().map(|word| (Way::AcceptGap, word));
        let recopies = self.recopy.iter().map(|word| (Way::Recopy, word));
        let (mut asked, mut wrong) = (Vec::new(), Vec::new());
        for (way, word) in gaps.chain(recopies) {
            match Asked::parse(way, word) {
                Ok(one) => asked.push(one),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        let refused = |message| {
            Failure::new(Exit::Usage, "K005", message).next("kafka-migrate replicate --help")
        };
        match wrong.as_slice() {
            [] => Ok(asked),
            [one] => Err(refused(one.clone())),
            all => {
                let message = format!("{} partitions are not named as they must be", all.len());
                Err(all
                    .iter()
                    .fold(refused(message), |failure, one| failure.cause(one)))
            }
        }
    }

    /// Nothing is deleted before the migration's name was typed.
    fn confirmed(&self, global: &Global, name: &str, screen: &Screen) -> Result<(), Failure> {
        if self.recopy.is_empty() {
            return Ok(());
        }
        let warning = format!(
            "--recopy deletes what {} holds on the target before it is copied again; readers there start over",
            self.recopy.join(", ")
        );
        let typed = match &self.confirm {
            Some(confirm) => confirm.clone(),
            None if std::io::stdin().is_terminal() && !screen.is_json() => {
                screen.aside(&warning);
                screen.aside(&format!("type the migration's name, {name}, to go on:"));
                let mut line = String::new();
                let read = std::io::stdin().read_line(&mut line);
                if read.is_err() {
                    String::new()
                } else {
                    line.trim().to_owned()
                }
            }
            None => {
                return Err(Failure::new(
                    Exit::Attention,
                    "K006",
                    "--recopy asks for the migration's name, and nobody is there to type it",
                )
                .cause(warning)
                .next(format!("{} --confirm {name}", global.given.line)));
            }
        };
        if typed == name {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Usage,
            "K007",
            format!("the name given is not this migration's, which is {name}: nothing was changed"),
        )
        .cause(warning)
        .next("kafka-migrate status"))
    }

    /// The last line, and the exit code.
    fn conclude(&self, ending: Ending, follow: &mut Follow) -> Result<Exit, Failure> {
        // Cut off on request: nothing is known of the run but that the next one fences.
        let summary = match ending.result {
            Err(_) if ending.signals > 1 => Summary::default(),
            result => result?,
        };
        let until_caught_up = self.until == Until::CaughtUp;
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
}

impl From<Until> for engine::Until {
    fn from(until: Until) -> Self {
        match until {
            Until::CaughtUp => Self::CaughtUp,
            Until::Stopped => Self::Stopped,
        }
    }
}

/// What the engine is told of the settings.
pub fn engine_settings(settings: &config::Settings, until: engine::Until) -> engine::Settings {
    engine::Settings {
        migration: settings.name.clone(),
        scope: settings.scope.clone(),
        keep: settings.keep.clone(),
        shards: settings.shards,
        pace: settings.pace,
        memory: settings.memory,
        replication_factor: settings.replication_factor,
        state_dir: settings.state.clone(),
        until,
        request_timeout: settings.target.request_timeout,
        asked: Vec::new(),
        asked_by: String::new(),
    }
}

/// Who runs this, for the record of what a person decided.
fn user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// The engine's events, with commands that mean this migration.
struct Feed<'a> {
    events: UnboundedReceiver<Event>,
    complete: &'a dyn Fn(&str) -> String,
}

impl Feed<'_> {
    async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        Some(self.completed(event))
    }

    fn at_hand(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        Some(self.completed(event))
    }

    fn completed(&self, mut event: Event) -> Event {
        if let Event::PartitionStopped { choices, .. } = &mut event {
            for choice in choices {
                choice.command = choice.command.as_deref().map(self.complete);
            }
        }
        event
    }
}

/// Shows events and passes signals on until the engine has ended.
async fn accompany(
    mut engine: tokio::task::JoinHandle<Result<Summary, Failure>>,
    mut feed: Feed<'_>,
    stop: &StopSignal,
    mut signals: impl AsyncFnMut() -> &'static str,
    patience: Duration,
    follow: &mut Follow,
) -> Ending {
    let mut ending = Ending {
        result: Ok(Summary::default()),
        signals: 0,
        stopped: Vec::new(),
    };
    let mut cut_off = std::pin::pin!(tokio::time::sleep(Duration::MAX));
    let ended = loop {
        tokio::select! {
            // Signals first, however much happens; then events, so that the last ones are shown before the end.
            biased;
            signal = signals() => {
                ending.signals += 1;
                let how = if ending.signals == 1 {
                    stop.drain();
                    follow.say("stopping", "waits for answers to what was sent, writes positions, seals; again to stop at once");
                    "drain"
                } else {
                    stop.now();
                    cut_off.as_mut().reset(tokio::time::Instant::now() + patience);
                    follow.say("stopping", "at once: nothing is lost, the next start takes some seconds longer");
                    "now"
                };
                follow.tell(&Told::Stopping { signal, how });
            }
            Some(event) = feed.next() => {
                note(&event, &mut ending.stopped);
                follow.event(&event);
            }
            ended = &mut engine => break Some(ended),
            () = &mut cut_off => {
                engine.abort();
                break None;
            }
        }
    };
    while let Some(event) = feed.at_hand() {
        note(&event, &mut ending.stopped);
        follow.event(&event);
    }
    ending.result =
        match ended {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(Failure::new(
                Exit::Bug,
                "K000",
                "the engine ended unexpectedly",
            )
            .because(&error)
            .hint(
                "nothing is lost: the same command goes on; please report what was printed above",
            )),
            None => Ok(Summary::default()),
        };
    ending
}

/// Remembers partitions that stopped.
fn note(event: &Event, stopped: &mut Vec<Stopped>) {
    if let Event::PartitionStopped {
        topic,
        partition,
        code,
        reason,
        source_offset,
        since_ms,
        choices,
        ..
    } = event
    {
        let name = format!("{topic}-{partition}");
        // A partition may stop again after the engine took another identity.
        stopped.retain(|before| before.name != name);
        stopped.push(Stopped {
            code: code.clone(),
            line: format!(
                "{name} from source offset {source_offset}, since {}: {reason} ({code})",
                numbers::stamp(*since_ms)
            ),
            choices: choices.clone(),
            name,
        });
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
    use crate::engine::Stop;

    /// Accompanies a made-up engine; `signals` come when asked for, one after the other.
    async fn accompanied<F>(
        engine: impl FnOnce(Events, tokio::sync::watch::Receiver<Stop>) -> F,
        signals: usize,
    ) -> Ending
    where
        F: Future<Output = Result<Summary, Failure>> + Send + 'static,
    {
        let mut follow = Screen::new(false, crate::ui::Color::Never, -1).follow("orders");
        let (events, feed) = Events::channel();
        let stop = StopSignal::default();
        let feed = Feed {
            events: feed,
            complete: &|command| format!("{command} here"),
        };
        let engine = tokio::spawn(engine(events, stop.listen()));
        let mut left = signals;
        let next = async || {
            if left == 0 {
                std::future::pending::<()>().await;
            }
            left -= 1;
            "SIGINT"
        };
        let patience = Duration::from_millis(20);
        accompany(engine, feed, &stop, next, patience, &mut follow).await
    }

    #[tokio::test]
    async fn the_last_events_of_an_engine_are_not_lost() {
        let ending = accompanied(
            async |events, _| {
                for partition in 0..3 {
                    events.send(Event::PartitionStopped {
                        topic: "orders".into(),
                        partition,
                        code: "K501".into(),
                        reason: String::new(),
                        source_offset: 0,
                        goes_on_at: None,
                        since_ms: 0,
                        choices: Vec::new(),
                    });
                }
                Ok(summary(3, true))
            },
            0,
        )
        .await;
        assert_eq!(ending.stopped.len(), 3);
        assert!(ending.result.unwrap().sealed);
    }

    #[tokio::test]
    async fn a_first_signal_drains_and_a_second_ends_it_at_once() {
        let wait_for = |wanted| {
            async move |_, mut stop: tokio::sync::watch::Receiver<Stop>| {
                stop.wait_for(|stop| *stop == wanted).await.unwrap();
                Ok(summary(0, wanted == Stop::Drain))
            }
        };
        let drained = accompanied(wait_for(Stop::Drain), 1).await;
        assert!(drained.signals == 1 && drained.result.unwrap().sealed);
        let now = accompanied(wait_for(Stop::Now), 2).await;
        assert!(now.signals == 2 && !now.result.unwrap().sealed);
    }

    #[tokio::test]
    async fn an_engine_that_does_not_end_is_cut_off_after_the_second_signal() {
        let stuck = async |_, _| std::future::pending().await;
        let ending = accompanied(stuck, 2).await;
        assert!(ending.signals == 2 && !ending.result.unwrap().sealed);
    }

    #[tokio::test]
    async fn an_engine_that_panics_is_a_bug() {
        let ending = accompanied(async |_, _| panic!("on purpose"), 0).await;
        assert_eq!(ending.result.unwrap_err().exit, Exit::Bug);
    }

    fn summary(stopped_partitions: usize, sealed: bool) -> Summary {
        Summary {
            sealed,
            stopped_partitions,
            records: 3009,
            bytes: 1_258_291,
        }
    }

    fn replicate(until: Until) -> Replicate {
        Replicate {
            until,
            rate: None,
            accept_gap: Vec::new(),
            recopy: Vec::new(),
            confirm: None,
        }
    }

    fn ended(
        until: Until,
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
        replicate(until).conclude(ending, &mut follow)
    }

    #[test]
    fn the_exit_code_says_how_it_ended() {
        let code = |until, signals| ended(until, Ok(summary(0, true)), signals).unwrap();
        assert_eq!(code(Until::CaughtUp, 0), Exit::Ok);
        assert_eq!(code(Until::CaughtUp, 1), Exit::Interrupted);
        assert_eq!(code(Until::Stopped, 1), Exit::Interrupted);
        assert_eq!(code(Until::Stopped, 2), Exit::Interrupted);
        assert_eq!(code(Until::Stopped, 0), Exit::Stopped);
        let stopped = ended(Until::Stopped, Ok(summary(1, true)), 1).unwrap();
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
            let failure = ended(Until::Stopped, failed(), signals).unwrap_err();
            assert_eq!(failure.exit, Exit::Refused);
        }
        assert_eq!(
            ended(Until::Stopped, failed(), 2).unwrap(),
            Exit::Interrupted
        );
    }

    #[test]
    fn stopped_partitions_are_named_with_where_why_and_what_now() {
        let failure = ended(Until::CaughtUp, Ok(summary(1, true)), 0).unwrap_err();
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
