//! One classic group: its state, its members, and which of them may do what.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, Bytes};

use super::{super::errors, NO_MEMBER, join::Joined, member::Member};

/// The `protocol_type` of consumers (`ConsumerProtocol.PROTOCOL_TYPE`).
pub(super) const CONSUMER: &str = "consumer";

/// Where a group is. `Dead` groups are not kept: a group that does not exist is described as dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No members.
    Empty,
    /// Members are to join again.
    PreparingRebalance,
    /// The leader is to assign.
    CompletingRebalance,
    /// Everyone has an assignment.
    Stable,
}

impl Phase {
    /// As ListGroups and DescribeGroups say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// When waiting for members ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum JoinEnd {
    /// The first generation of a group: as long as others keep coming, within limits.
    First { at: i64, waited: i64, left: i64 },
    /// Any other.
    Later { at: i64 },
}

impl JoinEnd {
    pub fn at(self) -> i64 {
        match self {
            Self::First { at, .. } | Self::Later { at } => at,
        }
    }
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    pub phase: Phase,
    pub previous: Option<Phase>,
    pub generation: i32,
    /// None for a simple group, which only holds offsets.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Member ids by `group.instance.id`.
    pub fixed: BTreeMap<String, String>,
    /// Ids that were given out with MEMBER_ID_REQUIRED, and when they are forgotten.
    pub pending_joins: BTreeMap<String, i64>,
    pub pending_syncs: BTreeSet<String>,
    /// Somebody joined during the first rebalance.
    pub grew: bool,
    pub join_end: Option<JoinEnd>,
    pub sync_end: Option<i64>,
}

impl Group {
    pub fn new() -> Self {
        Self {
            phase: Phase::Empty,
            previous: None,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            fixed: BTreeMap::new(),
            pending_joins: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            grew: false,
            join_end: None,
            sync_end: None,
        }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.previous = Some(self.phase);
        self.phase = phase;
    }

    pub fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// The longest time that a member asks others to wait for it.
    pub fn rebalance_timeout_ms(&self) -> i64 {
        let each = self
            .members
            .values()
            .map(|member| member.rebalance_timeout_ms);
        each.max().unwrap_or(0).max(0)
    }

    pub fn all_joined(&self) -> bool {
        self.pending_joins.is_empty() && self.members.values().all(Member::joins)
    }

    pub fn add(&mut self, protocol_type: &str, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance) = &member.instance {
            self.fixed.insert(instance.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.pending_joins.remove(&member.id);
        self.members.insert(member.id.clone(), member);
    }

    pub fn remove(&mut self, id: &str) {
        if let Some(instance) = self.members.remove(id).and_then(|member| member.instance) {
            self.fixed.remove(&instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_joins.remove(id);
        self.pending_syncs.remove(id);
    }

    /// A static member came again under a new id: the old one's waiting requests are fenced, and all it had is the new one's.
    pub fn replace(&mut self, instance: &str, old: &str, new: &str) {
        let Some(mut member) = self.members.remove(old) else {
            return;
        };
        member.answer_join(Joined::refused(errors::FENCED_INSTANCE_ID, old));
        member.answer_sync(super::Synced::refused(errors::FENCED_INSTANCE_ID));
        member.id = new.to_owned();
        member.is_new = false;
        if self.is_leader(old) {
            self.leader = Some(new.to_owned());
        }
        self.fixed.insert(instance.to_owned(), new.to_owned());
        self.members.insert(new.to_owned(), member);
    }

    /// Is this member the one that holds its id, and its instance id (`ClassicGroup.validateMember`)?
    pub fn check(&self, id: &str, instance: Option<&str>) -> Result<(), i16> {
        if let Some(instance) = instance {
            match self.fixed.get(instance) {
                None => return Err(errors::UNKNOWN_MEMBER_ID),
                Some(holder) if holder != id => return Err(errors::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) {
            Ok(())
        } else {
            Err(errors::UNKNOWN_MEMBER_ID)
        }
    }

    /// What every member can do.
    fn candidates(&self) -> BTreeSet<&str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            for name in member
                .protocols
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<BTreeSet<_>>()
            {
                *counts.entry(name).or_default() += 1;
            }
        }
        let everyone = self.members.len();
        let of_all = counts.into_iter().filter(|(_, count)| *count == everyone);
        of_all.map(|(name, _)| name).collect()
    }

    /// Could somebody who can do this join?
    pub fn supports(&self, protocol_type: &str, protocols: &[(String, Bytes)]) -> bool {
        if self.phase == Phase::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        if self.protocol_type.as_deref() != Some(protocol_type) {
            return false;
        }
        let candidates = self.candidates();
        // Where every member is gone, as when a rebalance began and none came, anything goes.
        self.members.is_empty()
            || protocols
                .iter()
                .any(|(name, _)| candidates.contains(name.as_str()))
    }

    /// The protocol with most votes among those that all can do; each member votes for its first.
    pub fn select_protocol(&self) -> Option<String> {
        let candidates = self.candidates();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for vote in self
            .members
            .values()
            .filter_map(|member| member.vote(&candidates))
        {
            *votes.entry(vote).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(name, _)| name.to_owned())
    }

    /// If the leader has not joined again, another who has takes its place; false if nobody has.
    pub fn elect_joined_leader(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref() else {
            return false;
        };
        if self.members.get(leader).is_some_and(Member::joins) {
            return true;
        }
        let joined = self.members.values().find(|member| member.joins());
        let Some(joined) = joined.map(|member| member.id.clone()) else {
            return false;
        };
        self.leader = Some(joined);
        true
    }

    pub fn next_generation(&mut self) {
        self.generation += 1;
        self.protocol = self.select_protocol();
        self.enter(if self.members.is_empty() {
            Phase::Empty
        } else {
            Phase::CompletingRebalance
        });
        self.pending_syncs.clear();
    }

    /// What a member hears of this generation; the leader hears of all members.
    pub fn joined(&self, id: &str) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = if self.is_leader(id) {
            let each = self.members.values();
            each.map(|one| {
                (
                    one.id.clone(),
                    one.instance.clone(),
                    one.metadata(&protocol),
                )
            })
            .collect()
        } else {
            Vec::new()
        };
        Joined {
            error: errors::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_else(|| NO_MEMBER.to_owned()),
            skip_assignment: false,
            member: id.to_owned(),
            members,
        }
    }

    /// Do its consumers read this topic? A group of another kind, or one whose members do not say, is taken to (`isSubscribedToTopic`).
    pub fn reads(&self, topic: &str) -> bool {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return false;
        }
        if self.members.is_empty() {
            return false;
        }
        let Some(protocol) = &self.protocol else {
            return true;
        };
        let mut unknown = false;
        let named =
            self.members
                .values()
                .any(|member| match topics_of(member.metadata(protocol)) {
                    Some(topics) => topics.iter().any(|name| name == topic),
                    None => {
                        unknown = true;
                        false
                    }
                });
        named || unknown
    }
}

/// The topics in a consumer's subscription: version, then an array of strings in all versions (`ConsumerProtocolSubscription`).
fn topics_of(mut metadata: Bytes) -> Option<Vec<String>> {
    if metadata.remaining() < 6 {
        return None;
    }
    metadata.advance(2);
    let count = usize::try_from(metadata.get_i32()).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        if metadata.remaining() < 2 {
            return None;
        }
        let length = usize::try_from(metadata.get_i16()).ok()?;
        if metadata.remaining() < length {
            return None;
        }
        topics.push(String::from_utf8(metadata.split_to(length).to_vec()).ok()?);
    }
    Some(topics)
}
