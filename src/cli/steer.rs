//! Pause, resume, throttle: requests to a running engine, from anywhere.

use clap::Args;
use serde::Serialize;

use super::{Global, replicate};
use crate::{
    clock,
    cluster::Target,
    config::{Flag, Given, Settings},
    engine::{
        ledger::record::{Limit, Steer},
        steer::{self, Answered},
    },
    error::Failure,
    exit::Exit,
    lock,
    model::pace::Pace,
    ui::{Screen, numbers},
};

/// Let a running engine stand still, from anywhere
///
/// It reads nothing more; what it has read is written. The request stands in the ledger until `resume`: an engine that is
/// started meanwhile begins paused. Exit 0: it stands still. 3: no engine has answered within ten seconds, so that is unknown.
#[derive(Debug, Args)]
pub struct Pause {}

/// Let an engine that was paused go on, from anywhere
///
/// Exit 0: it goes on. 3: no engine has answered within ten seconds; one that is started later finds the request.
#[derive(Debug, Args)]
pub struct Resume {}

/// Give a running engine another limit of bytes per second, from anywhere
///
/// The limit stands in the ledger until the next `throttle`, also when the engine is started again: it wins over the file and
/// over --rate. Exit 0: it is in force. 3: no engine has answered within ten seconds, so that is unknown.
#[derive(Debug, Args)]
pub struct Throttle {
    /// Bytes per second, such as 50MB, or `auto`, or `unlimited`; `default` is what the engine was started with
    #[arg(value_name = "RATE")]
    rate: String,
}

/// What programs are told.
#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    /// The command's name.
    event: &'static str,
    /// `yes`, always: no answer is a failure.
    answered: &'static str,
    shards: usize,
    shards_answered: usize,
    said: &'a [String],
}

impl Pause {
    /// Asks, and waits for the answer.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        ask(&settings, Steer::Pause, "pause", global, screen).await
    }
}

impl Resume {
    /// Asks, and waits for the answer.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        ask(&settings, Steer::Resume, "resume", global, screen).await
    }
}

impl Throttle {
    /// Asks, and waits for the answer.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let rate = (self.rate != "default").then(|| Flag {
            flag: "RATE",
            path: "replication.rate",
            value: Given::Text(self.rate.clone()),
        });
        // Read as the file's own key, so that it means the same.
        let settings = global.settings(rate.as_slice()).await?;
        let limit = match (&rate, settings.pace) {
            (None, _) => Limit::Settings,
            (_, Pace::Unlimited) => Limit::Unlimited,
            (_, Pace::Auto) => Limit::Auto,
            (_, Pace::Fixed(limit)) => Limit::Fixed(limit),
        };
        ask(
            &settings,
            Steer::Throttle(limit),
            "throttle",
            global,
            screen,
        )
        .await
    }
}

async fn ask(
    settings: &Settings,
    steer: Steer,
    request: &'static str,
    global: &Global,
    screen: &Screen,
) -> Result<Exit, Failure> {
    settings.embedded_only(request)?;
    global.notes(settings, screen);
    let target = Target::connect(&settings.target).await;
    let target = target.map_err(|error| error.failure())?;
    let by = format!("{} on {}", replicate::user(), lock::host());
    let answered = steer::ask(&target, &settings.name, steer, &by).await?;
    let all = answered.answered == answered.shards;
    if screen.is_json() && all {
        screen.document(&Document {
            v: 1,
            at: numbers::stamp(clock::unix_millis()),
            migration: &settings.name,
            event: request,
            answered: "yes",
            shards: answered.shards,
            shards_answered: answered.answered,
            said: &answered.said,
        });
    }
    if !all {
        return Err(unknown(request, &answered));
    }
    if !screen.is_json() {
        screen.text(&format!(
            "{}: {}\n",
            settings.name,
            answered.said.join("; ")
        ));
    }
    Ok(Exit::Ok)
}

/// Nobody answered in time: nothing is known, and that is said.
fn unknown(request: &str, answered: &Answered) -> Failure {
    let Answered {
        answered, shards, ..
    } = answered;
    let failure = Failure::new(
        Exit::NotReady,
        "K461",
        format!("unknown: no engine has answered `{request}` within 10 s"),
    );
    let failure = if *answered > 0 {
        failure.cause(format!("{answered} of {shards} shards have"))
    } else {
        failure
    };
    failure
        .hint("the request stands in the ledger: an engine that is started later heeds it")
        .next("kafka-migrate status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_is_unknown_and_says_so() {
        let answered = |answered| Answered {
            answered,
            shards: 8,
            said: Vec::new(),
        };
        let nobody = unknown("pause", &answered(0));
        assert_eq!((nobody.exit, nobody.code), (Exit::NotReady, "K461"));
        assert!(nobody.message.starts_with("unknown"), "{nobody}");
        assert!(nobody.causes.is_empty());
        assert_eq!(
            unknown("pause", &answered(3)).causes,
            ["3 of 8 shards have"]
        );
    }
}
