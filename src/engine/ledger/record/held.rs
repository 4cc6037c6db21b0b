//! Settings of a topic on the target that are not as they were, while old records arrive.

use serde::{Deserialize, Serialize};

/// Settings of a topic on the target that are not as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The settings.
    pub settings: Vec<HeldSetting>,
    /// How far it is.
    pub stage: HeldStage,
    /// Milliseconds since 1970.
    pub since_ms: i64,
}

/// How far a change of settings is, and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeldStage {
    /// They are about to be changed.
    Intended,
    /// They are changed.
    Holding,
    /// They are about to be put back.
    Restoring,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSetting {
    /// Kafka's name for it.
    pub name: String,
    /// What was set on the topic itself, if anything.
    pub before: Option<String>,
    /// What is set meanwhile.
    pub held: String,
}
