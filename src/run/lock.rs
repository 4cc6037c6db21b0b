//! One runner per migration: the lock on this machine, and the journal's word for all others.

use std::path::Path;

use uuid::Uuid;

use super::state::Runner;
use crate::{
    error::Failure,
    exit::Exit,
    lock::{Lock, Place},
};

/// The lock's file. The engine's own is another: an engine runs for weeks, and commands run beside it.
const FILE: &str = "runner";

/// Held by the one command that may write the journal.
#[derive(Debug)]
pub struct RunnerLock {
    lock: Lock,
}

impl RunnerLock {
    /// Takes it, or refuses, naming who holds it.
    pub fn take(state_dir: &Path) -> Result<Self, Failure> {
        let lock = Lock::take_named(state_dir, FILE)?;
        Ok(Self { lock })
    }

    /// This process, as the journal names it.
    pub fn runner(&self, command: &str) -> Runner {
        let Place {
            host,
            machine,
            process,
            lock,
        } = Place::of(&self.lock);
        Runner {
            token: Uuid::new_v4(),
            host,
            machine,
            process,
            lock,
            command: command.to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// Did this runner end, because we hold the lock that it held?
pub fn has_ended(before: &Runner, us: &Runner) -> bool {
    let place = |runner: &Runner| Place {
        host: runner.host.clone(),
        machine: runner.machine.clone(),
        process: runner.process,
        lock: runner.lock.clone(),
    };
    place(before).is_same(&place(us))
}

/// Another command is at work.
const AT_WORK: &str = "K434";

/// Does it say that another command is at work?
pub fn is_other_runner(failure: &Failure) -> bool {
    failure.code == AT_WORK
}

/// Another command is at work.
pub fn other_runner(runner: &Runner) -> Failure {
    Failure::new(
        Exit::Refused,
        AT_WORK,
        format!(
            "another command runs this migration: `{}`, process {} on {}",
            runner.command, runner.process, runner.host
        ),
    )
    .hint("wait until it has ended, or stop it; then the same command goes on")
    .next("kafka-migrate status")
}

/// Another command took the journal over.
pub fn overtaken(by: Option<&Runner>) -> Failure {
    let who = by.map_or_else(
        || "another command".to_owned(),
        |runner| {
            format!(
                "`{}`, process {} on {}",
                runner.command, runner.process, runner.host
            )
        },
    );
    Failure::new(
        Exit::Refused,
        "K435",
        format!("{who} took over the journal of this migration"),
    )
    .hint("two commands never work at once; what was begun here is gone on with there")
    .next("kafka-migrate status")
}
