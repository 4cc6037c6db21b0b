//! The user's executables at the joints of a plan: idempotent by contract, under a time limit, without our secrets.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    error::Failure,
    exit::Exit,
    model::{numbers, secret::Secret},
};

/// What all our variables begin with.
const PREFIX: &str = "KAFKA_MIGRATE_";
/// Lines of a hook's output that are kept, the last ones, and how long one may be.
const LINES: usize = 20;
const LONGEST: usize = 400;
/// What a hook that has ended may still have in its pipes is waited for so long: a process that it left behind may hold them for ever.
const REST: Duration = Duration::from_millis(200);

/// An executable of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where it lies.
    pub path: PathBuf,
    /// The longest that it may take; then it is killed, with every process that it started.
    pub within: Duration,
}

/// What a hook is told, as variables `KAFKA_MIGRATE_…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The migration's name.
    pub migration: String,
    /// The phase.
    pub phase: String,
    /// The step.
    pub step: String,
    /// The application, where it is about one.
    pub application: String,
    /// `source` or `target`: where the application is stopped or started.
    pub side: String,
    /// Bootstrap servers of that side.
    pub bootstrap: String,
    /// Counts from 1: a second attempt finds what the first left.
    pub attempt: u32,
}

/// What must not reach a hook.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Variables that hold secrets, by name.
    pub variables: Vec<String>,
    /// Secrets themselves: a variable that holds one is kept back, whatever it is called.
    pub secrets: Vec<Secret>,
}

impl Told {
    fn variables(&self) -> Vec<(String, String)> {
        let Self {
            migration,
            phase,
            step,
            application,
            side,
            bootstrap,
            attempt,
        } = self;
        let attempt = attempt.to_string();
        [
            ("MIGRATION", migration),
            ("PHASE", phase),
            ("STEP", step),
            ("APPLICATION", application),
            ("SIDE", side),
            ("BOOTSTRAP", bootstrap),
            ("ATTEMPT", &attempt),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (format!("{PREFIX}{name}"), value.clone()))
        .collect()
    }
}

impl Kept {
    /// Which variables of this environment a hook does not get: ours, which are settings of this command, and whatever holds a secret.
    fn back<'a>(&self, environment: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
        let is_kept = |name: &str, value: &str| {
            name.starts_with(PREFIX)
                || self.variables.iter().any(|kept| kept == name)
                || self
                    .secrets
                    .iter()
                    .any(|secret| !secret.reveal().is_empty() && value.contains(secret.reveal()))
        };
        environment
            .filter(|(name, value)| is_kept(name, value))
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

impl Hook {
    /// Can it be run? Asked before a plan begins, and again right before it is run.
    pub fn check(&self) -> Result<(), Failure> {
        let refused = |code, what: &str| {
            Failure::new(
                Exit::Usage,
                code,
                format!("the hook {} {what}", self.path.display()),
            )
        };
        match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(refused("K450", "is not there")
                    .hint("paths of hooks count from the directory of the migration file"))
            }
            Err(error) => Err(refused("K450", "cannot be looked at").because(&error)),
            Ok(there) if !there.is_file() => Err(refused("K451", "is no file")),
            Ok(there) if there.permissions().mode() & 0o111 == 0 => {
                Err(refused("K451", "is not executable")
                    .hint(format!("chmod +x {}", self.path.display())))
            }
            Ok(_) => Ok(()),
        }
    }

    /// Runs it to its end. Answers with what it said last.
    pub async fn run(&self, told: &Told, kept: &Kept) -> Result<String, Failure> {
        self.check()?;
        let mut command = Command::new(absolute(&self.path));
        // What is not text holds no secret of ours, which are.
        let environment: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| {
                let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
                (text(name), text(value))
            })
            .collect();
        let back = kept.back(environment.iter().map(|(name, value)| (&**name, &**value)));
        for name in back {
            command.env_remove(name);
        }
        command
            .envs(told.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C is for us, and what it starts can be killed with it.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| {
            self.failed("K451", "cannot be run", &[])
                .because(&error)
                .hint("a script needs a first line such as #!/bin/sh")
        })?;
        let group = Group(child.id());
        let said = Said::default();
        let readers = [
            child.stdout.take().map(|pipe| said.collect(pipe)),
            child.stderr.take().map(|pipe| said.collect(pipe)),
        ];
        let ended = timeout(self.within, child.wait()).await;
        let failure = match ended {
            Ok(Ok(status)) => {
                for reader in readers.into_iter().flatten() {
                    drop(timeout(REST, reader).await);
                }
                // What it left running was meant to.
                group.spare();
                if status.success() {
                    return Ok(said.last());
                }
                self.failed("K452", &how(status), &said.lines())
            }
            Ok(Err(error)) => self
                .failed("K452", "could not be waited for", &said.lines())
                .because(&error),
            Err(_) => {
                reap(&mut child, &group).await;
                let limit = format!(
                    "did not end within {} and was killed",
                    numbers::time(self.within)
                );
                self.failed("K453", &limit, &said.lines()).hint(
                    "what it started was killed too; it is called again when the command goes on",
                )
            }
        };
        Err(failure)
    }

    fn failed(&self, code: &'static str, what: &str, said: &[String]) -> Failure {
        let message = format!("the hook {} {what}", self.path.display());
        let failure = Failure::new(Exit::Stopped, code, message);
        let last = said.iter().rev().take(5).rev();
        last.fold(failure, |failure, line| {
            failure.cause(format!("it said: {line}"))
        })
    }
}

/// A bare name is a file here, not something to look for in PATH.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

async fn reap(child: &mut Child, group: &Group) {
    group.kill();
    // Nothing outlives SIGKILL for long.
    drop(timeout(Duration::from_secs(5), child.wait()).await);
}

/// The processes of a hook; killed when this is dropped before the hook has ended, as by a second Ctrl-C.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        let group = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(Pid::from_raw) {
            kill_process_group(group, Signal::KILL).ok();
        }
    }

    fn spare(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a hook says: its last lines.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn collect(
        &self,
        pipe: impl AsyncRead + Send + Unpin + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let said = self.clone();
        tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            loop {
                let Ok(bytes) = pipe.fill_buf().await else {
                    return;
                };
                if bytes.is_empty() {
                    said.push(&line);
                    return;
                }
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let taken = end.unwrap_or(bytes.len());
                // A line without an end must not fill memory.
                let room = LONGEST.saturating_sub(line.len()).min(taken);
                line.extend_from_slice(&bytes[..room]);
                pipe.consume(end.map_or(taken, |end| end + 1));
                if end.is_some() {
                    said.push(&line);
                    line.clear();
                }
            }
        })
    }

    fn push(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        let mut lines = self.0.lock().expect("nothing panics while holding it");
        if lines.len() == LINES {
            lines.remove(0);
        }
        lines.push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .expect("nothing panics while holding it")
            .clone()
    }

    fn last(&self) -> String {
        self.lines().pop().unwrap_or_else(|| "exit 0".to_owned())
    }
}

#[cfg(test)]
mod tests;
