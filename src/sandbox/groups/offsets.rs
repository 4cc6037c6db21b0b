//! Committed offsets: who may commit (G1, G2), what is not checked (G3), and offsets of transactions until their marker (G11).

use std::collections::BTreeMap;

use super::{
    super::errors,
    Groups, NO_MEMBER,
    group::{Group, Phase},
};

/// Who commits or beats.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The member, or nothing.
    pub member: &'a str,
    /// `group.instance.id`.
    pub instance: Option<&'a str>,
    /// The generation, or -1.
    pub generation: i32,
}

impl Who<'_> {
    /// No member: an operator, a tool, or a consumer that assigns itself.
    #[cfg(test)]
    pub const NOBODY: Who<'static> = Who {
        member: NO_MEMBER,
        instance: None,
        generation: -1,
    };
}

/// What is to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; no value is refused (probe 11).
    pub offset: i64,
    /// The epoch of the leader it was read from, or -1 (G4).
    pub leader_epoch: i32,
    /// Whatever the client likes.
    pub metadata: Option<String>,
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// The epoch of the leader it was read from, or -1.
    pub leader_epoch: i32,
    /// Empty if there was none.
    pub metadata: String,
    /// Its place among all commits, as the offset in `__consumer_offsets` would be.
    order: u64,
}

/// What OffsetFetch finds for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// -1 if nothing is committed.
    pub offset: i64,
    /// -1 if unknown.
    pub leader_epoch: i32,
    /// Empty if there is none.
    pub metadata: String,
    /// UNSTABLE_OFFSET_COMMIT, or zero.
    pub error: i16,
}

type OfGroup = BTreeMap<(String, i32), Committed>;
type ByGroup = BTreeMap<String, OfGroup>;

/// What all groups committed.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    settled: ByGroup,
    /// By producer id: waits for the transaction's marker.
    pending: BTreeMap<i64, ByGroup>,
    order: u64,
}

impl Offsets {
    fn unstable(&self, group: &str, at: &(String, i32)) -> bool {
        let mut each = self.pending.values();
        each.any(|groups| {
            groups
                .get(group)
                .is_some_and(|offsets| offsets.contains_key(at))
        })
    }

    fn remove(&mut self, group: &str, at: &(String, i32)) {
        for groups in self.pending.values_mut().chain([&mut self.settled]) {
            if let Some(offsets) = groups.get_mut(group) {
                offsets.remove(at);
            }
        }
    }
}

impl Groups {
    /// OffsetCommit: the error of each position, or of all. That topics and partitions exist is checked before (G3).
    pub fn commit(
        &mut self,
        now: i64,
        name: &str,
        who: &Who<'_>,
        version: i16,
        positions: Vec<Position>,
    ) -> Result<Vec<i16>, i16> {
        self.tick(now);
        // From v9 (KIP-848) a group that is not there has an error of its own.
        let absent = if version >= 9 {
            errors::GROUP_ID_NOT_FOUND
        } else {
            errors::ILLEGAL_GENERATION
        };
        let group = self.may_commit(name, who, absent, false)?;
        if matches!(group.phase, Phase::Stable | Phase::PreparingRebalance)
            && let Some(member) = group.members.get_mut(who.member)
        {
            member.expires = Some(now + member.session_timeout_ms);
        }
        Ok(self.keep(name, None, positions))
    }

    /// TxnOffsetCommit: the same for a transaction; nobody sees them before its marker.
    pub fn stage(
        &mut self,
        now: i64,
        producer_id: i64,
        name: &str,
        who: &Who<'_>,
        positions: Vec<Position>,
    ) -> Result<Vec<i16>, i16> {
        self.tick(now);
        self.may_commit(name, who, errors::ILLEGAL_GENERATION, true)?;
        Ok(self.keep(name, Some(producer_id), positions))
    }

    /// The transaction's marker is written: what it staged counts, or is forgotten.
    pub fn complete(&mut self, producer_id: i64, commit: bool) {
        let staged = self
            .offsets
            .pending
            .remove(&producer_id)
            .unwrap_or_default();
        if !commit {
            return;
        }
        for (group, offsets) in staged {
            let settled = self.offsets.settled.entry(group).or_default();
            for (at, committed) in offsets {
                // The later of the two commits counts, and not the later end of a transaction.
                if settled
                    .get(&at)
                    .is_none_or(|before| committed.order > before.order)
                {
                    settled.insert(at, committed);
                }
            }
        }
    }

    /// Whether somebody may commit. A group that is not there becomes a simple one (`ClassicGroup.validateOffsetCommit`).
    fn may_commit(
        &mut self,
        name: &str,
        who: &Who<'_>,
        absent: i16,
        transactional: bool,
    ) -> Result<&mut Group, i16> {
        if who.generation >= 0 && !self.groups.contains_key(name) {
            return Err(absent);
        }
        let group = self
            .groups
            .entry(name.to_owned())
            .or_insert_with(Group::new);
        if who.generation < 0 && group.phase == Phase::Empty {
            return Ok(group);
        }
        if who.generation >= 0 || who.member != NO_MEMBER || who.instance.is_some() {
            group.check(who.member, who.instance)?;
            if who.generation != group.generation {
                return Err(errors::ILLEGAL_GENERATION);
            }
        } else if !transactional {
            // G1. A transaction without a member gets past this (G2).
            return Err(errors::UNKNOWN_MEMBER_ID);
        }
        if !transactional && group.phase == Phase::CompletingRebalance {
            return Err(errors::REBALANCE_IN_PROGRESS);
        }
        Ok(group)
    }

    fn keep(&mut self, name: &str, producer_id: Option<i64>, positions: Vec<Position>) -> Vec<i16> {
        let limit = self.settings.max_metadata;
        let offsets = &mut self.offsets;
        let mut errors_of_each = Vec::with_capacity(positions.len());
        for position in positions {
            let metadata = position.metadata.unwrap_or_default();
            // G5. Kafka counts UTF-16 units, whatever the setting is called.
            if metadata.encode_utf16().count() > limit {
                errors_of_each.push(errors::OFFSET_METADATA_TOO_LARGE);
                continue;
            }
            offsets.order += 1;
            let committed = Committed {
                offset: position.offset,
                leader_epoch: position.leader_epoch,
                metadata,
                order: offsets.order,
            };
            let groups = match producer_id {
                None => &mut offsets.settled,
                Some(id) => offsets.pending.entry(id).or_default(),
            };
            let group = groups.entry(name.to_owned()).or_default();
            group.insert((position.topic, position.partition), committed);
            errors_of_each.push(errors::NONE);
        }
        errors_of_each
    }

    /// OffsetFetch of named partitions, or of all that something is committed for. A group that is not there committed nothing.
    pub fn fetch(
        &self,
        name: &str,
        wanted: Option<&[(String, i32)]>,
        require_stable: bool,
    ) -> Vec<Found> {
        let none = OfGroup::new();
        let settled = self.offsets.settled.get(name).unwrap_or(&none);
        let found = |at: &(String, i32)| {
            let unstable = require_stable && self.offsets.unstable(name, at);
            let committed = settled.get(at).filter(|_| !unstable);
            Found {
                topic: at.0.clone(),
                partition: at.1,
                offset: committed.map_or(-1, |one| one.offset),
                leader_epoch: committed.map_or(-1, |one| one.leader_epoch),
                metadata: committed.map_or_else(String::new, |one| one.metadata.clone()),
                error: if unstable {
                    errors::UNSTABLE_OFFSET_COMMIT
                } else {
                    errors::NONE
                },
            }
        };
        match wanted {
            Some(wanted) => wanted.iter().map(found).collect(),
            None => settled.keys().map(found).collect(),
        }
    }

    /// OffsetDelete: the error of each partition, or of all.
    pub fn delete_offsets(
        &mut self,
        now: i64,
        name: &str,
        partitions: &[(String, i32)],
    ) -> Result<Vec<i16>, i16> {
        self.tick(now);
        let group = self.groups.get(name).ok_or(errors::GROUP_ID_NOT_FOUND)?;
        let consumers = group.protocol_type.as_deref() == Some(super::group::CONSUMER);
        if group.phase != Phase::Empty && !consumers {
            return Err(errors::NON_EMPTY_GROUP);
        }
        let offsets = &mut self.offsets;
        let each = partitions.iter().map(|at| {
            if group.reads(&at.0) {
                return errors::GROUP_SUBSCRIBED_TO_TOPIC;
            }
            offsets.remove(name, at);
            errors::NONE
        });
        Ok(each.collect())
    }

    /// Deletes a group with all that it committed, if nobody is in it.
    pub fn delete(&mut self, now: i64, name: &str) -> i16 {
        self.tick(now);
        match self.groups.get(name).map(|group| group.phase) {
            None => errors::GROUP_ID_NOT_FOUND,
            Some(Phase::Empty) => {
                self.groups.remove(name);
                let offsets = &mut self.offsets;
                for groups in offsets.pending.values_mut().chain([&mut offsets.settled]) {
                    groups.remove(name);
                }
                errors::NONE
            }
            Some(Phase::PreparingRebalance | Phase::CompletingRebalance | Phase::Stable) => {
                errors::NON_EMPTY_GROUP
            }
        }
    }

    /// A topic is deleted, and with it every group's offsets (G7).
    pub fn delete_topic(&mut self, topic: &str) {
        let offsets = &mut self.offsets;
        for groups in offsets.pending.values_mut().chain([&mut offsets.settled]) {
            for offsets in groups.values_mut() {
                offsets.retain(|(name, _), _| name != topic);
            }
        }
    }
}
