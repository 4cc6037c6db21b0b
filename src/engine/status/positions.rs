//! Groups and how they stand, as the engine that carries their positions last put it into the ledger.

use serde::Serialize;

use crate::engine::ledger::{
    positions::{GroupStanding, Holder, Kept, Position},
    state::State,
};

/// All groups that are carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupsStatus {
    /// When all of them were last looked at: milliseconds since 1970 by the engine's clock.
    pub synced_ms: i64,
    /// How many are carried.
    pub consumer_group_count: u32,
    /// Positions that could not be read or written, since the engine last began.
    pub consumer_group_offset_sync_failures: u64,
    /// Offsets that they are behind on the source; `None` if it could not be asked.
    pub sum_offset_lag_source: Option<u64>,
    /// The same on the target.
    pub sum_offset_lag_target: Option<u64>,
    /// Each of them.
    pub each: Vec<GroupStatus>,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupStatus {
    /// Its name.
    pub group: String,
    /// Which cluster's commits count.
    pub authority: Holder,
    /// `exact`, `repeats`, `waiting` or `refused`.
    pub position: &'static str,
    /// Records that its consumers would see a second time on the other side.
    pub repeats: u64,
    /// Stable code, where it is refused.
    pub code: Option<String>,
    /// What it waits for, or why it is refused.
    pub reason: Option<String>,
    /// It has members on the source.
    pub active_source: bool,
    /// It has members on the target.
    pub active_target: bool,
}

/// What the ledger says; `None` where nobody ever carried anything.
pub(super) fn of(states: &[State]) -> Option<GroupsStatus> {
    let book = &states.first()?.book;
    let beat = book.beat.as_ref()?;
    Some(GroupsStatus {
        synced_ms: beat.synced_ms,
        consumer_group_count: beat.groups,
        consumer_group_offset_sync_failures: beat.failures,
        sum_offset_lag_source: beat.lag_here,
        sum_offset_lag_target: beat.lag_there,
        each: book
            .groups
            .iter()
            .filter_map(|(name, kept)| one(name, kept))
            .collect(),
    })
}

fn one(name: &str, kept: &Kept) -> Option<GroupStatus> {
    let none = GroupStanding {
        position: Position::Waiting(format!("the {} has authority over it", kept.holder())),
        active_here: false,
        active_there: false,
    };
    // A group over which authority was declared is not carried by this direction any more, or not yet.
    let declared = kept.authority.as_ref().map(|_| &none);
    let standing = kept.standing.as_ref().or(declared)?;
    let mut status = GroupStatus {
        group: name.to_owned(),
        authority: kept.holder(),
        position: "exact",
        repeats: 0,
        code: None,
        reason: None,
        active_source: standing.active_here,
        active_target: standing.active_there,
    };
    match &standing.position {
        Position::Exact => {}
        Position::Repeats(repeats) => (status.position, status.repeats) = ("repeats", *repeats),
        Position::Waiting(reason) => {
            (status.position, status.reason) = ("waiting", Some(reason.clone()));
        }
        Position::Refused { code, reason } => {
            status.position = "refused";
            status.code = Some(code.clone());
            status.reason = Some(reason.clone());
        }
    }
    Some(status)
}
