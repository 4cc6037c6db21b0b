//! Gates: each asks one question of an observation, and says what its answer holds up.
//!
//! A gate is a pure function of an observation and of limits. What it could not learn is `unknown`, never `pass`.

mod amazon;
mod back;
mod copied;
mod everyone;
mod finding;
mod fit;
mod follows;
mod groups;
mod hold;
mod iam;
mod kept;
mod pace;
mod reach;
mod replicator;
mod rights;
mod safe;
mod scope;
mod settings;
mod table;
#[cfg(test)]
mod tests;

pub use finding::{Asked, CannotLook, Finding, Verdict, Waiver};
pub use hold::{Held, Hold, Standing};
use serde::Serialize;
pub use table::GATES;

use crate::{
    model::{backend::Backend, limits::Limits},
    observe::{Asked as Seen, Known, Observation},
};

/// Older answers decide nothing.
const FRESH_MS: u64 = 30_000;
/// CloudWatch tells a number a minute, and late: older than this decides nothing.
const RECENT_MS: u64 = 180_000;
/// Things named before the rest is counted.
const NAMED: usize = 5;

/// What a gate answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As it should be.
    Pass,
    /// It holds nothing up, and deserves a look.
    Warn,
    /// No.
    Block,
    /// It could not look.
    Unknown,
}

impl Answer {
    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Unknown => "unknown",
        }
    }
}

/// What a gate guards, and so where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guards {
    /// The first copy: `preflight`.
    Replicate,
    /// The move of applications: `ready`.
    Cutover,
    /// Both.
    Both,
}

impl Guards {
    fn has(self, phase: Self) -> bool {
        self == Self::Both || self == phase
    }
}

/// One gate.
pub struct Gate {
    /// Its code; never reused.
    pub code: &'static str,
    /// A statement that can be true.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// What it guards.
    pub guards: Guards,
    /// Who has to copy for it to be asked at all; `None`: whoever does.
    pub of: Option<Backend>,
    /// Whether it is asked only where records also come back through our own engine.
    pub two_way: bool,
    /// Whether `unknown` holds up what it guards; one that only tells something does not.
    pub unknown_counts: bool,
    /// What it says takes several observations: a single one that says `unknown` decides nothing yet.
    pub takes_time: bool,
    /// The answer.
    pub ask: fn(&Observation, &Limits) -> Asked,
}

/// Asks every gate that guards this phase.
pub fn ask(phase: Guards, seen: &Observation, limits: &Limits, waivers: &[Waiver]) -> Vec<Verdict> {
    let asked = GATES
        .iter()
        .filter(|gate| gate.guards.has(phase) && gate.is_asked(&seen.asked));
    asked
        .map(|gate| gate.verdict(seen, limits, waivers))
        .collect()
}

/// The gate of that code.
pub fn find(code: &str) -> Option<&'static Gate> {
    GATES
        .iter()
        .find(|gate| gate.code.eq_ignore_ascii_case(code))
}

impl Gate {
    fn is_asked(&self, asked: &Seen) -> bool {
        self.of.is_none_or(|of| of == asked.backend) && (asked.two_way || !self.two_way)
    }

    /// Its answer, with what a person said about it.
    pub fn verdict(&self, seen: &Observation, limits: &Limits, waivers: &[Waiver]) -> Verdict {
        let finding = (self.ask)(seen, limits).unwrap_or_else(|cannot| Finding {
            answer: Answer::Unknown,
            evidence: cannot.reason,
            because: Vec::new(),
            fix: cannot.fix,
            commands: cannot.commands,
        });
        let in_the_way = match finding.answer {
            Answer::Pass | Answer::Warn => false,
            Answer::Block => true,
            Answer::Unknown => self.unknown_counts,
        };
        let waived = waivers
            .iter()
            .find(|waiver| waiver.code == self.code && in_the_way)
            .map(|waiver| waiver.reason.clone());
        Verdict {
            code: self.code,
            name: self.name,
            verdict: finding.answer,
            evidence: finding.evidence,
            because: finding.because,
            fix: finding.fix,
            commands: finding.commands,
            holds_up: in_the_way && waived.is_none(),
            waived,
            page: format!("docs/errors/{}.md", self.code),
            takes_time: self.takes_time && finding.answer == Answer::Unknown,
        }
    }
}

/// The answer, if it is fresh enough to decide by.
fn fresh<T>(known: &Known<T>) -> Result<&T, CannotLook> {
    match known {
        Known::Seen { value, age_ms } if *age_ms <= FRESH_MS => Ok(value),
        Known::Seen { age_ms, .. } => Err(CannotLook::because(format!(
            "what was seen is {}s old",
            age_ms / 1000
        ))),
        Known::Unknown { reason } => Err(CannotLook::because(reason.clone())),
    }
}

/// The same for numbers that the replicator tells, which may be older where CloudWatch hands them on.
fn recent<'a, T>(seen: &Observation, known: &'a Known<T>) -> Result<&'a T, CannotLook> {
    match (seen.asked.backend, known) {
        (Backend::Msk, Known::Seen { value, age_ms }) if *age_ms <= RECENT_MS => Ok(value),
        _ => fresh(known),
    }
}

/// Names, the first few of them.
fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(NAMED);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A command line of `kafka-acls` that gives these rights and no others; where a login is one of IAM, the statement of its policy.
fn acls(side: &crate::observe::ClusterSeen, operations: &[&str], resource: &str) -> String {
    if side.mechanism == "OAUTHBEARER" {
        return iam::statement(operations, resource);
    }
    let operations: Vec<String> = operations
        .iter()
        .map(|one| format!("--operation {one}"))
        .collect();
    format!(
        "kafka-acls --bootstrap-server {} --command-config admin.properties --add --allow-principal {} {} {resource}",
        side.bootstrap.first().map_or("HOST:PORT", String::as_str),
        principal(side),
        operations.join(" "),
    )
}

fn principal(side: &crate::observe::ClusterSeen) -> String {
    if side.mechanism == "OAUTHBEARER" {
        return "these credentials".to_owned();
    }
    side.user.as_ref().map_or_else(
        || "User:ANONYMOUS".to_owned(),
        |user| quoted(&format!("User:{user}")),
    )
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':' | '/' | '=')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
