//! JoinGroup: who comes in as what, and whether that begins a rebalance.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    super::errors,
    Groups, NO_MEMBER,
    group::{Group, Phase},
    member::Member,
};

/// How long a new member, which cannot send heartbeats yet, may wait (`classicGroupNewMemberJoinTimeoutMs`).
const NEW_MEMBER_MS: i64 = 300_000;

/// Who wants to join.
#[derive(Debug, Clone, Default)]
pub struct Joining {
    /// The group.
    pub group: String,
    /// The id it was given, or nothing.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// Of the request's header.
    pub client_id: String,
    /// `/127.0.0.1`.
    pub client_host: String,
    /// `consumer`, for consumers.
    pub protocol_type: String,
    /// What it can do, the best first.
    pub protocols: Vec<(String, Bytes)>,
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// How long others wait for it; the session's time if negative, as before v1.
    pub rebalance_timeout_ms: i32,
    /// Version of the request.
    pub version: i16,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Zero, or why not.
    pub error: i16,
    /// The generation.
    pub generation: i32,
    /// `consumer`, for consumers.
    pub protocol_type: Option<String>,
    /// What the members agreed on.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: String,
    /// The leader need not assign (KIP-814).
    pub skip_assignment: bool,
    /// The id of who asked.
    pub member: String,
    /// For the leader: id, instance id and metadata of everyone.
    pub members: Vec<(String, Option<String>, Bytes)>,
}

impl Joined {
    /// Not let in.
    pub fn refused(error: i16, member: &str) -> Self {
        Self {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: NO_MEMBER.to_owned(),
            skip_assignment: false,
            member: member.to_owned(),
            members: Vec::new(),
        }
    }
}

impl Groups {
    /// A member joins, or joins again. The answer may be there already.
    pub fn join(&mut self, now: i64, joining: Joining) -> oneshot::Receiver<Joined> {
        self.tick(now);
        let (sender, answer) = oneshot::channel();
        if let Err((error, member)) = self.may_join(&joining) {
            let _ = sender.send(Joined::refused(error, &member));
            return answer;
        }
        if joining.member == NO_MEMBER {
            self.join_new(now, joining, sender);
        } else {
            self.join_known(now, joining, sender);
        }
        self.tick(now);
        answer
    }

    /// Checks that come before the question who it is.
    fn may_join(&mut self, joining: &Joining) -> Result<(), (i16, String)> {
        let refuse = |error| Err((error, joining.member.clone()));
        if joining.group.is_empty() {
            return refuse(errors::INVALID_GROUP_ID);
        }
        let session = i64::from(joining.session_timeout_ms);
        if session < self.settings.min_session_ms || session > self.settings.max_session_ms {
            return refuse(errors::INVALID_SESSION_TIMEOUT);
        }
        if joining.member != NO_MEMBER && !self.groups.contains_key(&joining.group) {
            return refuse(errors::UNKNOWN_MEMBER_ID);
        }
        let max_size = self.settings.max_size;
        let group = self
            .groups
            .entry(joining.group.clone())
            .or_insert_with(Group::new);
        let known = group.members.get(&joining.member);
        let room = match group.phase {
            Phase::Empty => true,
            Phase::PreparingRebalance => {
                let waiting = group
                    .members
                    .values()
                    .filter(|member| member.joins())
                    .count();
                known.is_some_and(Member::joins) || waiting < max_size
            }
            Phase::CompletingRebalance | Phase::Stable => {
                known.is_some() || group.members.len() < max_size
            }
        };
        if !room {
            group.remove(&joining.member);
            return Err((errors::GROUP_MAX_SIZE_REACHED, NO_MEMBER.to_owned()));
        }
        if group.supports(&joining.protocol_type, &joining.protocols) {
            Ok(())
        } else {
            refuse(errors::INCONSISTENT_GROUP_PROTOCOL)
        }
    }

    fn join_new(&mut self, now: i64, joining: Joining, answer: oneshot::Sender<Joined>) {
        let id = self.new_member_id(&joining.client_id, joining.instance.as_deref());
        let Some(group) = self.groups.get_mut(&joining.group) else {
            return;
        };
        if let Some(instance) = joining.instance.clone() {
            match group.fixed.get(&instance).cloned() {
                Some(old) => self.join_again(now, &instance, &old, &id, joining, answer),
                None => self.add(now, id, joining, answer),
            }
        } else if joining.version >= 4 {
            // KIP-394: a member that never hears its id must not stay as a ghost.
            let forgotten = now + i64::from(joining.session_timeout_ms);
            group.pending_joins.insert(id.clone(), forgotten);
            let _ = answer.send(Joined::refused(errors::MEMBER_ID_REQUIRED, &id));
        } else {
            self.add(now, id, joining, answer);
        }
    }

    fn join_known(&mut self, now: i64, joining: Joining, answer: oneshot::Sender<Joined>) {
        let Some(group) = self.groups.get_mut(&joining.group) else {
            return;
        };
        let id = joining.member.clone();
        if group.pending_joins.contains_key(&id) && joining.instance.is_none() {
            return self.add(now, id, joining, answer);
        }
        if let Err(error) = group.check(&id, joining.instance.as_deref()) {
            let _ = answer.send(Joined::refused(error, &id));
            return;
        }
        let same = group
            .members
            .get(&id)
            .is_some_and(|member| member.protocols == joining.protocols);
        let rebalance = match group.phase {
            Phase::PreparingRebalance => true,
            Phase::CompletingRebalance => !same,
            // The leader asks for a new assignment by joining again, say for a new topic.
            Phase::Stable => !same || group.is_leader(&id),
            Phase::Empty => {
                let _ = answer.send(Joined::refused(errors::UNKNOWN_MEMBER_ID, &id));
                return;
            }
        };
        if !rebalance {
            // It may have missed the first answer: it hears of this generation again. Who is stable gets no list.
            let mut joined = group.joined(&id);
            if group.phase == Phase::Stable {
                joined.members.clear();
            }
            let _ = answer.send(joined);
            return;
        }
        update(group, &id, &joining, answer);
        self.rebalance_or_complete(now, &joining.group);
    }

    fn add(&mut self, now: i64, id: String, joining: Joining, answer: oneshot::Sender<Joined>) {
        let Some(group) = self.groups.get_mut(&joining.group) else {
            return;
        };
        if group.phase == Phase::PreparingRebalance && group.previous == Some(Phase::Empty) {
            group.grew = true;
        }
        let member = Member {
            id,
            instance: joining.instance.clone(),
            client_id: joining.client_id.clone(),
            client_host: joining.client_host.clone(),
            rebalance_timeout_ms: patience(&joining),
            session_timeout_ms: i64::from(joining.session_timeout_ms),
            protocols: joining.protocols,
            assignment: Bytes::new(),
            join: Some(answer),
            sync: None,
            is_new: true,
            expires: Some(now + NEW_MEMBER_MS),
        };
        group.add(&joining.protocol_type, member);
        self.rebalance_or_complete(now, &joining.group);
    }

    /// A static member that came again without its id, as after a restart: it takes over from itself, without a rebalance if it can.
    fn join_again(
        &mut self,
        now: i64,
        instance: &str,
        old: &str,
        new: &str,
        joining: Joining,
        answer: oneshot::Sender<Joined>,
    ) {
        let Some(group) = self.groups.get_mut(&joining.group) else {
            return;
        };
        let leader_before = group.leader.clone();
        group.replace(instance, old, new);
        if let Some(member) = group.members.get_mut(new) {
            member.expires = Some(now + member.session_timeout_ms);
        }
        update(group, new, &joining, answer);
        match group.phase {
            Phase::Stable if group.protocol == group.select_protocol() => {
                let mut joined = group.joined(new);
                if joining.version >= 9 {
                    joined.skip_assignment = group.is_leader(new);
                } else {
                    // It is not to believe that it leads: it would assign, and nobody would take it (KAFKA-12759).
                    joined.members.clear();
                    joined.leader = leader_before.unwrap_or_default();
                }
                if let Some(member) = group.members.get_mut(new) {
                    member.answer_join(joined);
                }
            }
            Phase::Stable => self.rebalance_or_complete(now, &joining.group),
            // The leader may be assigning to the old id just now.
            Phase::CompletingRebalance => self.prepare_rebalance(now, &joining.group),
            Phase::PreparingRebalance | Phase::Empty => {
                self.complete_if_all_joined(now, &joining.group)
            }
        }
    }
}

/// What is known of a member is now what it says; its earlier JoinGroup, if one waits, is forgotten.
fn update(group: &mut Group, id: &str, joining: &Joining, answer: oneshot::Sender<Joined>) {
    if let Some(member) = group.members.get_mut(id) {
        member.protocols = joining.protocols.clone();
        member.rebalance_timeout_ms = patience(joining);
        member.session_timeout_ms = i64::from(joining.session_timeout_ms);
        member.join = Some(answer);
    }
}

fn patience(joining: &Joining) -> i64 {
    let asked = if joining.rebalance_timeout_ms < 0 {
        joining.session_timeout_ms
    } else {
        joining.rebalance_timeout_ms
    };
    i64::from(asked)
}
