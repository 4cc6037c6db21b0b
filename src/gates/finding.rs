//! What a gate found, or why it could not look; and the complete answer that is made of it.

use serde::Serialize;

use super::Answer;

/// What a gate found, or why it could not look.
pub type Asked = Result<Finding, CannotLook>;

/// Why a gate could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotLook {
    pub(super) reason: String,
    pub(super) fix: Option<String>,
    pub(super) commands: Vec<String>,
}

impl CannotLook {
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fix: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub(super) fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub(super) answer: Answer,
    pub(super) evidence: String,
    pub(super) because: Vec<String>,
    pub(super) fix: Option<String>,
    pub(super) commands: Vec<String>,
}

impl Finding {
    pub(super) fn new(answer: Answer, evidence: impl Into<String>) -> Self {
        Self {
            answer,
            evidence: evidence.into(),
            because: Vec::new(),
            fix: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn pass(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Pass, evidence)
    }

    pub(super) fn warn(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Warn, evidence)
    }

    pub(super) fn block(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Block, evidence)
    }

    /// Adds what it is about, one line each.
    pub(super) fn of(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.because.extend(lines);
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Commands of Kafka's own tools that put it right. Printed, never run.
    pub(super) fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

/// A gate's answer, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The gate's code.
    pub code: &'static str,
    /// The gate's name.
    pub name: &'static str,
    /// The answer.
    pub verdict: Answer,
    /// What it rests on.
    pub evidence: String,
    /// What it is about, one line each.
    pub because: Vec<String>,
    /// What to do.
    pub fix: Option<String>,
    /// Commands of Kafka's own tools that put it right.
    pub commands: Vec<String>,
    /// The reason for which a person lets this pass.
    pub waived: Option<String>,
    /// Where the page about it stands.
    pub page: String,
    /// Whether it holds up what the gate guards.
    pub holds_up: bool,
    /// Whether only more observations can tell.
    #[serde(skip)]
    pub takes_time: bool,
}

/// A person's word that something may be as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// The gate.
    pub code: String,
    /// Why.
    pub reason: String,
}
