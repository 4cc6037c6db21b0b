//! What resolving comes to: every setting a command needs, and where each value came from.

use std::{path::PathBuf, time::Duration};

use globset::GlobSet;

use super::value::{Kind, Reference, Refusal, Value};
use crate::model::{
    application::Application, connection::Connection, limits::Limits, msk::Msk, pace::Pace,
    patterns::Patterns, scope::Scope, secret::Stored,
};

/// Everything a command needs to know, secrets wrapped, references followed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The migration's name.
    pub name: String,
    /// The migration file.
    pub file: PathBuf,
    /// How to reach the source.
    pub source: Connection,
    /// How to reach the target.
    pub target: Connection,
    /// Which topics.
    pub scope: Scope,
    /// Topics whose records on the target stay there, and are copied behind.
    pub keep: GlobSet,
    /// Topics whose records on the target stay there, are copied behind, and are copied back, too.
    pub merge: GlobSet,
    /// Ledger partitions.
    pub shards: u32,
    /// Bytes per second.
    pub pace: Pace,
    /// Bytes of records held in memory at once.
    pub memory: usize,
    /// Of topics we create; `None` is the broker's default.
    pub replication_factor: Option<i16>,
    /// Whether what is written on the target is copied back.
    pub two_way: bool,
    /// Topics to take, as they are written.
    pub topics: Patterns,
    /// Topics to leave out all the same, as they are written.
    pub exclude_topics: Patterns,
    /// Groups to carry.
    pub groups: Patterns,
    /// Groups to leave out all the same.
    pub exclude_groups: Patterns,
    /// Whether our own engine carries positions of groups.
    pub carries_groups: bool,
    /// How long it rests in between; `None` leaves it to how long it takes.
    pub groups_every: Option<Duration>,
    /// How often settings of topics are brought over; `None`: they are not.
    pub settings_every: Option<Duration>,
    /// How often access rules are; `None`: they are not.
    pub acls_every: Option<Duration>,
    /// Limits of the gates.
    pub ready: Limits,
    /// Applications that move as one.
    pub applications: Vec<Application>,
    /// What MSK Replicator has to know, where it copies; otherwise our own engine does.
    pub msk: Option<Msk>,
    /// Secrets that still have to be fetched: until then they are empty.
    pub wanted: Vec<Stored>,
    /// Where local state lives.
    pub state: PathBuf,
    /// The settings in force, in the order of the format.
    pub listing: Vec<Listed>,
    /// What is worth saying although nothing is wrong.
    pub notes: Vec<String>,
}

/// One setting in force.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// Its key.
    pub path: String,
    /// Its value as text; a secret is `***` and where it is.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether this version uses it.
    pub used: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// A flag of this command.
    Flag {
        /// Its name.
        flag: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The migration file.
    File {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nobody said.
    Default,
}

/// A value given by a flag.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as typed.
    pub flag: &'static str,
    /// The key it overrides.
    pub path: &'static str,
    /// What was given.
    pub value: Given,
}

/// What a flag was given. A secret itself never is: only where it is.
#[derive(Debug, Clone)]
pub enum Given {
    /// A value as text.
    Text(String),
    /// The file that holds a secret.
    SecretFile(PathBuf),
    /// The variable that holds a secret.
    SecretVariable(String),
}

impl Given {
    pub(super) fn read(&self, kind: Kind) -> Result<Value, Refusal> {
        match self {
            Self::Text(text) => kind.read(&kind.parse(text)),
            Self::SecretFile(path) => Ok(Value::Secret(Reference::File(path.clone()))),
            Self::SecretVariable(name) => Ok(Value::Secret(Reference::Environment(name.clone()))),
        }
    }
}

/// The variable that overrides a key: `KAFKA_MIGRATE_`, then the path in capitals with `_` for `.`.
pub fn variable(path: &str) -> String {
    format!("KAFKA_MIGRATE_{}", path.to_uppercase().replace('.', "_"))
}
