//! What a step is: an effect, which is remembered, or an attestation, which never is; what it says, and how it is undone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::placed::Placed;
use crate::{error::Failure, exit::Exit};

/// One step of a plan, as data. What it does is found by its name, so that a plan can be saved, shown and carried elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name; one plan has it once.
    pub name: String,
    /// What it does, in a few words.
    pub says: String,
    /// What kind of step it is.
    pub what: What,
    /// What takes it back.
    pub undo: Undo,
    /// What follows when it fails.
    #[serde(default)]
    pub fails: Fails,
    /// What it needs to know to be done, later or elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, String>,
}

/// The kinds of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Changes something, and a plain read tells whether it holds. Journalled before and after.
    Effect,
    /// Changes something that nobody can read back: idempotent by contract, and told which attempt it is.
    Hook,
    /// A fact about one moment. Never remembered, always asked again.
    Attestation,
    /// Done by the engine in its own time; it stands in the plan so that nobody is surprised.
    Engine,
}

impl What {
    /// Is it something that the executor does?
    pub fn is_done_here(self) -> bool {
        matches!(self, Self::Effect | Self::Hook)
    }
}

impl Step {
    /// A step that undoes nothing, and whose failure undoes what was done before it.
    pub fn new(name: &str, what: What, says: String) -> Self {
        Self {
            name: name.to_owned(),
            says,
            what,
            undo: Undo::NotNeeded,
            fails: Fails::Undo,
            with: BTreeMap::new(),
        }
    }

    /// A plan of another version may hold steps that this one does not know.
    pub fn is_unknown(&self) -> Failure {
        Failure::new(
            Exit::Refused,
            "K446",
            format!(
                "the plan has a step that this version does not know: {}",
                self.name
            ),
        )
        .hint("run the version of kafka-migrate that made the plan")
    }
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// What it leaves behind harms nobody.
    NotNeeded,
    /// There is a way back, in a few words.
    By(String),
    /// There is none: once it was begun, a failure further on waits for a person.
    Impossible,
}

/// What follows when a step fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fails {
    /// What was done is undone, the last first.
    #[default]
    Undo,
    /// Everything stays as it is, and a person decides.
    Attention,
}

/// What the steps of a plan do. A step that is asked for and not known is a failure, never a success.
///
/// A failure with the exit code `attention` leaves everything as it is; any other is followed by what the step says.
pub trait Effects: Send + Sync {
    /// Does the step; `attempt` counts from 1. Answers with what a person may want to know of it.
    fn perform(
        &self,
        step: &Step,
        attempt: u32,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// What a later run has to know of what is about to be done, where nobody can be asked for it then. It is kept before it is done; no
    /// secrets.
    fn keeps(
        &self,
        _step: &Step,
    ) -> impl Future<Output = Result<BTreeMap<String, String>, Failure>> + Send {
        std::future::ready(Ok(BTreeMap::new()))
    }

    /// Does the effect hold? A plain read, which changes nothing. Not asked of hooks.
    fn holds(&self, step: &Step) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Takes the step back, whether it was done, half done or not at all.
    fn undo(
        &self,
        step: &Step,
        attempt: u32,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Is it so, now? Answers with the evidence. What could not be looked at is a failure.
    fn attest(&self, step: &Step) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Where groups go on by the attestation that was just asked, once; it is kept beside its evidence.
    fn placed(&self) -> Vec<Placed> {
        Vec::new()
    }
}
