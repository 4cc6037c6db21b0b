//! Shows what a running engine says, and passes signals on to it, until it has ended.

use std::time::Duration;

use tokio::sync::{mpsc::UnboundedReceiver, watch};

use super::ending::Told;
use crate::{
    engine::{StopSignal, Summary},
    error::Failure,
    events::{Choice, Event},
    exit::Exit,
    ui::{Follow, numbers},
};

/// One partition that stopped in this run.
pub struct Stopped {
    /// Topic and partition.
    pub name: String,
    /// Why, as a code.
    pub code: String,
    /// Why, in words.
    pub line: String,
    /// What a person can do.
    pub choices: Vec<Choice>,
}

/// How the engine came to its end.
pub struct Ending {
    /// What it answered.
    pub result: Result<Summary, Failure>,
    /// Signals that came.
    pub signals: usize,
    /// What stopped.
    pub stopped: Vec<Stopped>,
}

/// The engine's events, with commands that mean this migration.
pub struct Feed<'a> {
    /// What it says.
    pub events: UnboundedReceiver<Event>,
    /// Makes a command mean this migration.
    pub complete: &'a dyn Fn(&str) -> String,
    /// Told when the engine has begun.
    pub started: watch::Sender<bool>,
    /// Told of everything that the engine says.
    pub told: &'a (dyn Fn(&Event) + Sync),
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
        (self.told)(&event);
        if matches!(event, Event::Started { .. }) {
            self.started.send_replace(true);
        }
        if let Event::PartitionStopped { choices, .. } = &mut event {
            for choice in choices {
                choice.command = choice.command.as_deref().map(self.complete);
            }
        }
        event
    }
}

/// Shows events and passes signals on until the engine has ended.
pub async fn accompany(
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
    // The step of the plan that is being done.
    let mut step: Option<String> = None;
    let ended = loop {
        tokio::select! {
            // Signals first, however much happens; then events, so that the last ones are shown before the end.
            biased;
            signal = signals() => {
                ending.signals += 1;
                let how = if ending.signals == 1 {
                    stop.drain();
                    "drain"
                } else {
                    stop.now();
                    cut_off.as_mut().reset(tokio::time::Instant::now() + patience);
                    "now"
                };
                follow.say("stopping", &stopping(ending.signals == 1, step.as_deref()));
                follow.tell(&Told::Stopping { signal, how, step: step.clone() });
            }
            Some(event) = feed.next() => {
                match &event {
                    Event::Step { step: name, state, .. } if state == "begins" => {
                        step = Some(name.replace('-', " "));
                    }
                    // From here on it is the engine that ends.
                    Event::Step { .. } | Event::Started { .. } => step = None,
                    _ => {}
                }
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

/// What a signal leads to, and what it leaves.
fn stopping(is_first: bool, step: Option<&str>) -> String {
    match (is_first, step) {
        (true, Some(step)) => {
            format!("after this step ({step}); again to stop now, with the step half done")
        }
        (false, Some(step)) => format!(
            "now: the step \"{step}\" is left half done, which the journal knows; the same command looks how far it is, and goes on"
        ),
        (true, None) => {
            "waits for answers to what was sent, writes positions, seals; again to stop at once"
                .to_owned()
        }
        (false, None) => {
            "at once: nothing is lost, the next start takes some seconds longer".to_owned()
        }
    }
}

/// Remembers partitions that stopped.
pub fn note(event: &Event, stopped: &mut Vec<Stopped>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Stop, events::Events, ui::Screen};

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
            started: watch::Sender::new(false),
            told: &|_| (),
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

    #[test]
    fn a_signal_says_what_it_leaves_of_a_step() {
        let said = |is_first| stopping(is_first, Some("create topics"));
        assert!(said(true).starts_with("after this step (create topics)"));
        assert!(said(true).contains("again to stop now, with the step half done"));
        assert!(said(false).contains("\"create topics\" is left half done"));
        assert!(said(false).contains("the same command"));
        for is_first in [true, false] {
            assert!(!stopping(is_first, None).contains("step"));
        }
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
}
