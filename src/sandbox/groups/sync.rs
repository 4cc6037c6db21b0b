//! SyncGroup and Heartbeat: how an assignment reaches its member, and how a member stays one.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{super::errors, Groups, Who, group::Phase};

/// Who asks for its assignment; the leader brings everyone's.
#[derive(Debug, Clone, Default)]
pub struct Syncing {
    /// The group.
    pub group: String,
    /// The member.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// The generation it joined.
    pub generation: i32,
    /// From v5, and if it says: must be the group's.
    pub protocol_type: Option<String>,
    /// From v5, and if it says: must be the group's.
    pub protocol: Option<String>,
    /// Assignments by member.
    pub assignments: BTreeMap<String, Bytes>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// Zero, or why not.
    pub error: i16,
    /// `consumer`, for consumers.
    pub protocol_type: Option<String>,
    /// What the members agreed on.
    pub protocol: Option<String>,
    /// What the leader gave it.
    pub assignment: Bytes,
}

impl Synced {
    /// No assignment.
    pub fn refused(error: i16) -> Self {
        Self {
            error,
            protocol_type: None,
            protocol: None,
            assignment: Bytes::new(),
        }
    }
}

impl Groups {
    /// A member asks for its assignment. The answer comes when the leader has assigned.
    pub fn sync(&mut self, now: i64, syncing: Syncing) -> oneshot::Receiver<Synced> {
        self.tick(now);
        let (sender, answer) = oneshot::channel();
        if let Err(error) = self.may_sync(&syncing) {
            let _ = sender.send(Synced::refused(error));
            return answer;
        }
        let Some(group) = self.groups.get_mut(&syncing.group) else {
            return answer;
        };
        group.pending_syncs.remove(&syncing.member);
        if group.pending_syncs.is_empty() {
            group.sync_end = None;
        }
        let (protocol_type, protocol) = (group.protocol_type.clone(), group.protocol.clone());
        let answer_for = |assignment: &Bytes| Synced {
            error: errors::NONE,
            protocol_type: protocol_type.clone(),
            protocol: protocol.clone(),
            assignment: assignment.clone(),
        };
        let leads = group.is_leader(&syncing.member);
        let Some(member) = group.members.get_mut(&syncing.member) else {
            return answer;
        };
        if group.phase == Phase::Stable {
            let _ = sender.send(answer_for(&member.assignment));
            return answer;
        }
        member.sync = Some(sender);
        if leads {
            for member in group.members.values_mut() {
                // Whom the leader forgot gets nothing.
                member.assignment = syncing
                    .assignments
                    .get(&member.id)
                    .cloned()
                    .unwrap_or_default();
                let synced = answer_for(&member.assignment);
                if member.answer_sync(synced) {
                    member.expires = Some(now + member.session_timeout_ms);
                }
            }
            group.enter(Phase::Stable);
        }
        answer
    }

    fn may_sync(&self, syncing: &Syncing) -> Result<(), i16> {
        if syncing.group.is_empty() {
            return Err(errors::INVALID_GROUP_ID);
        }
        let group = self
            .groups
            .get(&syncing.group)
            .ok_or(errors::UNKNOWN_MEMBER_ID)?;
        group.check(&syncing.member, syncing.instance.as_deref())?;
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        if syncing.generation != group.generation {
            Err(errors::ILLEGAL_GENERATION)
        } else if differs(&syncing.protocol_type, &group.protocol_type)
            || differs(&syncing.protocol, &group.protocol)
        {
            Err(errors::INCONSISTENT_GROUP_PROTOCOL)
        } else if group.phase == Phase::PreparingRebalance {
            Err(errors::REBALANCE_IN_PROGRESS)
        } else {
            Ok(())
        }
    }

    /// A member is alive. The error to answer: it learns of a rebalance by it.
    pub fn heartbeat(&mut self, now: i64, name: &str, who: &Who<'_>) -> i16 {
        self.tick(now);
        if name.is_empty() {
            return errors::INVALID_GROUP_ID;
        }
        let Some(group) = self.groups.get_mut(name) else {
            return errors::UNKNOWN_MEMBER_ID;
        };
        if let Err(error) = group.check(who.member, who.instance) {
            return error;
        }
        if who.generation != group.generation {
            return errors::ILLEGAL_GENERATION;
        }
        if let Some(member) = group.members.get_mut(who.member) {
            member.expires = Some(now + member.session_timeout_ms);
        }
        if group.phase == Phase::PreparingRebalance {
            errors::REBALANCE_IN_PROGRESS
        } else {
            errors::NONE
        }
    }
}
