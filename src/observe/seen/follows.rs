//! What an observation holds of what follows the source beside records and positions: settings, access rules, logins.

use serde::Serialize;

use super::super::Known;
use crate::{
    cluster::ScramUser,
    engine::{ledger::synced::Standing, sync::look::RulesSeen},
};

/// What would follow, and what not.
#[derive(Debug, Clone, Serialize)]
pub struct FollowsSeen {
    /// Settings that are not the same on both sides; `None` where the file leaves them alone.
    pub settings: Option<Known<Vec<Standing>>>,
    /// What becomes of access rules; `None` where the file leaves them alone.
    pub acls: Option<Known<AclsSeen>>,
    /// Logins with SCRAM that the target lacks.
    pub users_missing: Known<Vec<ScramUser>>,
}

/// What becomes of access rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AclsSeen {
    /// Nothing guards the source: it has none.
    Unguarded,
    /// They would mean something else on the target, in words.
    Differ(String),
    /// Each of them.
    Planned(RulesSeen),
}
