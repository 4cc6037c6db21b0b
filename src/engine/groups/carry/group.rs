//! One group: what it committed, what stands for it on the other side, and whether that is to be looked at.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    cluster::Commits,
    engine::{
        groups::{NoPlace, judge::Placed},
        ledger::positions::{GroupStanding, Position},
    },
    model::{names::TopicPartition, scope::Scope},
};

/// How long a group whose commit failed is left alone.
const BACK_OFF: Duration = Duration::from_secs(5);

/// What is known of one group beside the ledger.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) placed: BTreeMap<TopicPartition, Placed>,
    /// What stands there for certain, as far as we know.
    pub(super) stands: Commits,
    /// Somebody else committed there.
    pub(super) is_foreign: bool,
    pub(super) committed: Option<Instant>,
    pub(super) failed: Option<(Instant, Position)>,
    pub(super) waiting: Option<Instant>,
    pub(super) standing: Option<GroupStanding>,
}

impl Placed {
    /// Is there anything left to find out?
    pub(super) fn is_open(&self) -> bool {
        match &self.place {
            Ok(place) => place.repeats > 0,
            Err(_) => true,
        }
    }
}

impl Group {
    /// Takes in what was committed; a place stays where it is known and the offset did not move.
    pub(super) fn read(&mut self, commits: Commits, scope: &Scope) {
        self.placed.retain(|at, _| commits.contains_key(at));
        for (at, commit) in commits {
            if !scope.has_topic(&at.topic, false) {
                continue;
            }
            match self.placed.get_mut(&at) {
                Some(placed) if placed.commit.offset == commit.offset => {
                    placed.commit.metadata = commit.metadata;
                }
                _ => {
                    let place = Err(NoPlace {
                        reason: "not looked for yet".to_owned(),
                        is_passing: true,
                    });
                    self.placed.insert(at, Placed { commit, place });
                }
            }
        }
        if let Some((since, _)) = &self.failed
            && since.elapsed() >= BACK_OFF
        {
            self.failed = None;
        }
    }

    /// Was everything committed so long ago that the other side may forget it?
    pub(super) fn is_due(&self, again: Duration) -> bool {
        self.committed.is_none_or(|last| last.elapsed() >= again)
    }

    /// Is there anything to be written, or that somebody else wrote?
    pub(super) fn wants_a_look(&self, again: Duration) -> bool {
        let moved = || {
            self.placed.iter().any(|(at, placed)| {
                let Ok(place) = &placed.place else {
                    return false;
                };
                self.stands.get(at).is_none_or(|stands| {
                    stands.offset != place.offset || stands.metadata != placed.commit.metadata
                })
            })
        };
        self.failed.is_none() && (self.is_foreign || self.is_due(again) || moved())
    }
}
