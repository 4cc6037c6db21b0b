//! Groups and how they stand, as the engine that carries their positions last put it into the ledger.

use serde::Serialize;

use crate::{
    engine::ledger::{
        positions::{GroupStanding, Holder, Kept, Position},
        state::State,
    },
    model::direction::Direction,
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
    /// The last of them was a moment ago.
    #[serde(skip)]
    pub is_failing: bool,
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

/// What the ledger of one direction says; `None` where it never carried anything.
pub(super) fn of(states: &[State], direction: Direction) -> Option<GroupsStatus> {
    let book = &states.first()?.book;
    let beat = book.beat.as_ref()?;
    let mut status = GroupsStatus {
        synced_ms: beat.synced_ms,
        consumer_group_count: beat.groups,
        consumer_group_offset_sync_failures: beat.failures,
        is_failing: beat.is_failing(),
        sum_offset_lag_source: beat.lag_here,
        sum_offset_lag_target: beat.lag_there,
        each: book
            .groups
            .iter()
            .filter_map(|(name, kept)| one(name, kept))
            .collect(),
    };
    if direction == Direction::Reverse {
        // What it follows is the migration's target.
        std::mem::swap(
            &mut status.sum_offset_lag_source,
            &mut status.sum_offset_lag_target,
        );
        for group in &mut status.each {
            std::mem::swap(&mut group.active_source, &mut group.active_target);
        }
    }
    Some(status)
}

/// Both directions as one: each group as the direction tells it that follows the side which has authority over it.
pub(super) fn both(
    there: Option<GroupsStatus>,
    back: Option<GroupsStatus>,
) -> Option<GroupsStatus> {
    let (mut all, back) = match (there, back) {
        (Some(there), Some(back)) => (there, back),
        (there, back) => return there.or(back),
    };
    let sum = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
    all.synced_ms = all.synced_ms.min(back.synced_ms);
    all.consumer_group_count += back.consumer_group_count;
    all.consumer_group_offset_sync_failures += back.consumer_group_offset_sync_failures;
    all.is_failing |= back.is_failing;
    all.sum_offset_lag_source = sum(all.sum_offset_lag_source, back.sum_offset_lag_source);
    all.sum_offset_lag_target = sum(all.sum_offset_lag_target, back.sum_offset_lag_target);
    for group in back.each {
        match all.each.iter_mut().find(|one| one.group == group.group) {
            Some(one) if group.authority == Holder::Target => *one = group,
            Some(_) => {}
            None => all.each.push(group),
        }
    }
    all.each
        .sort_unstable_by(|one, other| one.group.cmp(&other.group));
    Some(all)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(groups: &[(&str, Holder, &'static str)], lag: Option<u64>) -> GroupsStatus {
        let group = |&(group, authority, position): &(&str, Holder, &'static str)| GroupStatus {
            group: group.into(),
            authority,
            position,
            repeats: 0,
            code: None,
            reason: None,
            active_source: false,
            active_target: false,
        };
        GroupsStatus {
            synced_ms: 5,
            consumer_group_count: 1,
            consumer_group_offset_sync_failures: 1,
            is_failing: false,
            sum_offset_lag_source: lag,
            sum_offset_lag_target: Some(3),
            each: groups.iter().map(group).collect(),
        }
    }

    #[test]
    fn a_group_is_told_by_the_direction_that_follows_it() {
        let there = status(
            &[
                ("a", Holder::Source, "exact"),
                ("b", Holder::Target, "waiting"),
            ],
            Some(2),
        );
        let back = status(
            &[
                ("a", Holder::Source, "waiting"),
                ("b", Holder::Target, "repeats"),
                ("c", Holder::Target, "exact"),
            ],
            None,
        );
        let all = both(Some(there.clone()), Some(back)).unwrap();
        let told: Vec<_> = all
            .each
            .iter()
            .map(|one| (&*one.group, one.position))
            .collect();
        assert_eq!(told, [("a", "exact"), ("b", "repeats"), ("c", "exact")]);
        assert_eq!(
            (
                all.consumer_group_count,
                all.sum_offset_lag_source,
                all.sum_offset_lag_target
            ),
            (2, None, Some(6))
        );
        assert_eq!(both(Some(there.clone()), None), Some(there));
    }
}
