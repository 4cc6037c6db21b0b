//! `status --watch`: looks again and again until a signal comes, through brokers that go away and come back.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::{Document, Looked, look};
use crate::{
    cli::{Global, connect},
    clock,
    config::Settings,
    engine::status::EngineState,
    error::Failure,
    exit::Exit,
    run::signals::Signals,
    ui::{self, Screen, numbers, printable},
};

/// Between the end of one look and the next.
const PAUSE: Duration = Duration::from_secs(1);
/// A look that takes longer is said to be waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A look that failed, for programs.
#[derive(Serialize)]
struct CannotLook<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    code: &'a str,
    message: &'a str,
    causes: &'a [String],
}

/// Looks until a signal comes.
pub async fn run(settings: &Settings, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let (source, target) = tokio::select! {
        both = connect::both(settings) => both?,
        _ = signals.next() => return Ok(Exit::Interrupted),
    };
    let mut view = View {
        settings,
        global,
        screen,
        watch: screen.watch(),
        last: None,
    };
    loop {
        let mut looking = std::pin::pin!(look(settings, global, &source, &target));
        let looked = loop {
            tokio::select! {
                looked = &mut looking => break looked,
                () = sleep(PATIENCE) => view.wait(),
                _ = signals.next() => return Ok(Exit::Interrupted),
            }
        };
        match looked {
            Ok(looked) => view.look(looked),
            // A cluster that does not answer may answer again; anything else stays as it is.
            Err(failure) if matches!(failure.exit, Exit::Source | Exit::Target) => {
                view.fail(&failure);
            }
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            _ = signals.next() => return Ok(Exit::Interrupted),
        }
    }
}

struct View<'a> {
    settings: &'a Settings,
    global: &'a Global,
    screen: &'a Screen,
    watch: ui::Watch,
    /// What was seen last.
    last: Option<Looked>,
}

impl View<'_> {
    fn look(&mut self, looked: Looked) {
        if self.screen.is_json() {
            self.line_of(&Document::of(&looked));
        } else {
            let picture = super::picture(&looked, 0, self.global);
            self.show(&picture, &line(&looked), &state(&looked));
        }
        self.last = Some(looked);
    }

    fn fail(&mut self, failure: &Failure) {
        if self.screen.is_json() {
            return self.line_of(&CannotLook {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: &self.settings.name,
                event: "cannot-look",
                code: failure.code,
                message: &failure.message,
                causes: &failure.causes,
            });
        }
        let what = format!(
            "cannot look: {} ({}); it is tried again",
            printable(&failure.message),
            failure.code
        );
        self.trouble(&what);
    }

    fn wait(&mut self) {
        if !self.screen.is_json() {
            self.trouble("a cluster takes long to answer; it is waited for");
        }
    }

    fn trouble(&mut self, what: &str) {
        let before = self.last.as_ref().map_or_else(String::new, |last| {
            let seen = numbers::stamp(last.at_ms);
            let picture = super::picture(last, 0, self.global);
            format!("\nas of {seen}\n{picture}")
        });
        let now = numbers::stamp(clock::unix_millis());
        self.show(&format!("{now}  {what}\n{before}"), what, what);
    }

    fn show(&mut self, picture: &str, line: &str, state: &str) {
        let look = ui::Look {
            picture,
            line,
            state,
        };
        let stamp = numbers::clock(clock::unix_millis());
        self.watch.show(&stamp, &look);
    }

    fn line_of(&self, document: &impl Serialize) {
        let line = serde_json::to_string(document).expect("our documents have string keys");
        self.screen.text(&(line + "\n"));
    }
}

/// What is a change: everything but numbers that move by themselves.
fn state(looked: &Looked) -> String {
    let status = &looked.status;
    let stopped: Vec<_> = status
        .stopped
        .iter()
        .map(|one| (&one.topic, one.partition, &one.code))
        .collect();
    let held = status.held.len();
    let plans: Vec<_> = looked
        .journal
        .plans
        .iter()
        .map(|plan| (&plan.plan, plan.standing, plan.done))
        .collect();
    format!(
        "{:?}",
        (
            (status.engine, &status.owner, &status.pause, &status.limit),
            (status.topics.len(), stopped, held),
            (plans, &looked.journal.waived, &looked.journal.trouble),
        )
    )
}

/// It in a line, for logs.
fn line(looked: &Looked) -> String {
    let status = &looked.status;
    let word = match status.engine {
        EngineState::NeverStarted => "never started",
        EngineState::Running => "running",
        EngineState::Stopped => "stopped",
        EngineState::Silent => "silent",
    };
    let mut parts = vec![
        format!("{word:<13}"),
        numbers::of(status.topics.len() as u64, "topic"),
        status.message_lag.map_or("lag unknown".to_owned(), |lag| {
            format!("lag {}", numbers::exact(lag))
        }),
    ];
    if status.engine == EngineState::Running {
        parts.push(numbers::rate(status.bytes_per_second));
        parts.push(format!(
            "{} rec/s",
            numbers::count(status.records_per_second as u64)
        ));
    }
    if !status.stopped.is_empty() {
        let count = numbers::of(status.stopped.len() as u64, "partition");
        parts.push(format!("{count} stopped"));
    }
    let steered = status.pause.iter().chain(&status.limit);
    parts.extend(steered.map(|one| format!("{} by {}", one.what, printable(&one.by))));
    if let Some(plan) = looked
        .journal
        .plans
        .last()
        .filter(|plan| plan.standing != "done")
    {
        parts.push(format!("{} {}", plan.plan, plan.standing.replace('-', " ")));
    }
    if !looked.journal.waived.is_empty() {
        parts.push(numbers::of(looked.journal.waived.len() as u64, "gate") + " waived");
    }
    if looked.journal.trouble.is_some() {
        parts.push("the journal cannot be read".to_owned());
    }
    parts.join("  ")
}
