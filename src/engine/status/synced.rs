//! Settings and access rules that follow the source, and logins, as the engine last put them into the ledger.

use serde::Serialize;

use crate::{
    cluster::ScramUser,
    engine::ledger::{
        state::State,
        synced::{RuleStanding, Standing, Writes},
    },
};

/// What does not stand on the target as on the source, and why. Long lists are cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SyncStatus {
    /// When settings were last held against each other: milliseconds since 1970 by the engine's clock; 0 where they are not.
    pub settings_ms: i64,
    /// When access rules were; 0 where they are not.
    pub acls_ms: i64,
    /// Why something does not follow at the moment.
    pub troubles: Vec<String>,
    /// Settings that are not the same, and why.
    pub settings: Vec<Standing>,
    /// How many there are.
    pub settings_differ: u32,
    /// Access rules on the target that stand for those of the source.
    pub acls_there: u32,
    /// Access rules on the target that we made.
    pub acls_ours: u32,
    /// Access rules of the source that do not simply stand on the target, and why.
    pub acls: Vec<RuleStanding>,
    /// How many there are.
    pub acls_differ: u32,
    /// Access rules of the source about what is not in scope.
    pub acls_elsewhere: u32,
    /// Applications of which somebody has said where they write.
    pub writes: Vec<Writes>,
    /// Logins with SCRAM that the target lacks: their passwords cannot be read, and have to be set there by hand.
    pub scram_missing: Vec<ScramUser>,
    /// How many there are; `None` where it could not be asked.
    pub scram_lacking: Option<u32>,
}

/// What the ledger says; `None` where nothing ever followed.
pub(super) fn of(states: &[State]) -> Option<SyncStatus> {
    let synced = &states.first()?.synced;
    let report = synced.report.clone()?;
    let acls_ours = u32::try_from(synced.rules.len()).unwrap_or(u32::MAX);
    Some(SyncStatus {
        settings_ms: report.settings_ms,
        acls_ms: report.rules_ms,
        troubles: report.troubles,
        settings: report.settings,
        settings_differ: report.settings_differ,
        acls_there: report.rules_there,
        acls_ours,
        acls: report.rules,
        acls_differ: report.rules_differ,
        acls_elsewhere: report.rules_elsewhere,
        writes: synced.writes.values().cloned().collect(),
        scram_missing: report.users_missing,
        scram_lacking: report.users_lacking,
    })
}
