//! `status --watch`: looks again and again until a signal comes, through brokers that go away and come back.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::{Document, Looked, look};
use crate::{
    cli::{Global, connect},
    clock,
    cluster::{Source, Target},
    config::Settings,
    engine::status::EngineState,
    error::Failure,
    exit::Exit,
    run::signals::Signals,
    ui::{self, Screen, numbers, printable},
};

/// Between the end of one look and the next, where our own engine copies.
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

/// What one look found, in every form that it is shown in.
pub struct Shown {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// All of it, for people.
    pub picture: String,
    /// It in a line, for logs.
    pub line: String,
    /// What of it is a change: everything but numbers that move by themselves.
    pub state: String,
    /// All of it, for programs.
    pub document: String,
}

/// A document on one line.
pub fn on_a_line(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("our documents have string keys")
}

/// Watches our own engine until a signal comes.
pub async fn run(settings: &Settings, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
    let looking = async |source: &Source, target: &Target| {
        let looked = Box::pin(look(settings, global, source, target)).await?;
        Ok(Shown {
            at_ms: looked.at_ms,
            picture: super::picture(&looked, 0, global),
            line: line(&looked),
            state: state(&looked),
            document: on_a_line(&Document::of(&looked)),
        })
    };
    Box::pin(again_and_again(settings, PAUSE, looking, screen)).await
}

/// Looks until a signal comes, with a pause between the end of one look and the next.
pub async fn again_and_again(
    settings: &Settings,
    pause: Duration,
    look: impl AsyncFn(&Source, &Target) -> Result<Shown, Failure>,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let (source, target) = tokio::select! {
        both = connect::both(settings) => both?,
        _ = signals.next() => return Ok(Exit::Interrupted),
    };
    let mut view = View {
        settings,
        screen,
        watch: screen.watch(),
        last: None,
    };
    loop {
        let mut looking = std::pin::pin!(look(&source, &target));
        let looked = loop {
            tokio::select! {
                looked = &mut looking => break looked,
                () = sleep(PATIENCE) => view.wait(),
                _ = signals.next() => return Ok(Exit::Interrupted),
            }
        };
        match looked {
            Ok(looked) => view.look(looked),
            // What does not answer may answer again; anything else stays as it is.
            Err(failure) if matches!(failure.exit, Exit::Source | Exit::Target | Exit::Aws) => {
                view.fail(&failure);
            }
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            () = sleep(pause) => {}
            _ = signals.next() => return Ok(Exit::Interrupted),
        }
    }
}

struct View<'a> {
    settings: &'a Settings,
    screen: &'a Screen,
    watch: ui::Watch,
    /// What was seen last.
    last: Option<Shown>,
}

impl View<'_> {
    fn look(&mut self, looked: Shown) {
        if self.screen.is_json() {
            self.line_of(looked.document.clone());
        } else {
            self.show(&looked.picture, &looked.line, &looked.state);
        }
        self.last = Some(looked);
    }

    fn fail(&mut self, failure: &Failure) {
        if self.screen.is_json() {
            return self.line_of(on_a_line(&CannotLook {
                v: 1,
                at: numbers::stamp(clock::unix_millis()),
                migration: &self.settings.name,
                event: "cannot-look",
                code: failure.code,
                message: &failure.message,
                causes: &failure.causes,
            }));
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
            self.trouble("an answer takes long; it is waited for");
        }
    }

    fn trouble(&mut self, what: &str) {
        let before = self.last.as_ref().map_or_else(String::new, |last| {
            let seen = numbers::stamp(last.at_ms);
            format!("\nas of {seen}\n{}", last.picture)
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

    fn line_of(&self, line: String) {
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
