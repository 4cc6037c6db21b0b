//! How a rebalance begins, when it ends, and what time does to it.

use super::{
    super::errors,
    Groups, Synced,
    group::{JoinEnd, Phase},
};

/// What may run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Timer {
    /// The wait for members.
    Join,
    /// The wait for their SyncGroup.
    Sync,
    /// A member's session.
    Session(String),
    /// An id given out that nobody came back with.
    Pending(String),
}

impl Groups {
    /// The next of all timers.
    pub(super) fn next_timer(&self) -> Option<(i64, String, Timer)> {
        let mut next: Option<(i64, &str, Timer)> = None;
        for (name, group) in &self.groups {
            let mut consider = |at: i64, timer: &dyn Fn() -> Timer| {
                if next.as_ref().is_none_or(|(earliest, ..)| at < *earliest) {
                    next = Some((at, name, timer()));
                }
            };
            if let Some(end) = group.join_end {
                consider(end.at(), &|| Timer::Join);
            }
            if let Some(at) = group.sync_end {
                consider(at, &|| Timer::Sync);
            }
            for member in group.members.values() {
                if let Some(at) = member.expires {
                    consider(at, &|| Timer::Session(member.id.clone()));
                }
            }
            for (id, at) in &group.pending_joins {
                consider(*at, &|| Timer::Pending(id.clone()));
            }
        }
        next.map(|(at, name, timer)| (at, name.to_owned(), timer))
    }

    /// A timer ran out at `now`.
    pub(super) fn fire(&mut self, now: i64, name: &str, timer: Timer) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        match timer {
            Timer::Join => {
                let end = group.join_end.take();
                if let Some(JoinEnd::First { waited, left, .. }) = end
                    && group.grew
                    && left != 0
                {
                    group.grew = false;
                    let wait = self.settings.initial_delay_ms.min(left);
                    group.join_end = Some(JoinEnd::First {
                        at: now + wait,
                        waited: wait,
                        left: (left - waited).max(0),
                    });
                } else {
                    self.complete_join(now, name);
                }
            }
            Timer::Sync => {
                group.sync_end = None;
                let silent = std::mem::take(&mut group.pending_syncs);
                if !silent.is_empty()
                    && matches!(group.phase, Phase::CompletingRebalance | Phase::Stable)
                {
                    for id in silent {
                        group.remove(&id);
                    }
                    self.prepare_rebalance(now, name);
                }
            }
            Timer::Session(id) => {
                let Some(member) = group.members.get_mut(&id) else {
                    return;
                };
                member.expires = None;
                if !member.is_excused() {
                    self.remove_member(now, name, &id);
                }
            }
            Timer::Pending(id) => {
                group.remove(&id);
                if group.phase == Phase::PreparingRebalance && group.all_joined() {
                    self.complete_join(now, name);
                }
            }
        }
    }

    /// A member whose session ended.
    fn remove_member(&mut self, now: i64, name: &str, id: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        if let Some(member) = group.members.get_mut(id) {
            member.answer_join(super::Joined::refused(
                errors::UNKNOWN_MEMBER_ID,
                super::NO_MEMBER,
            ));
        }
        group.remove(id);
        match group.phase {
            Phase::Stable | Phase::CompletingRebalance => self.prepare_rebalance(now, name),
            Phase::PreparingRebalance if group.all_joined() => self.complete_join(now, name),
            Phase::PreparingRebalance | Phase::Empty => {}
        }
    }

    /// Something changed in the membership.
    pub(super) fn rebalance_or_complete(&mut self, now: i64, name: &str) {
        match self.groups.get(name).map(|group| group.phase) {
            Some(Phase::Empty | Phase::CompletingRebalance | Phase::Stable) => {
                self.prepare_rebalance(now, name)
            }
            Some(Phase::PreparingRebalance) => self.complete_if_all_joined(now, name),
            None => {}
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: i64, name: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        if group.phase == Phase::CompletingRebalance {
            for member in group.members.values_mut() {
                member.assignment = bytes::Bytes::new();
                if member.answer_sync(Synced::refused(errors::REBALANCE_IN_PROGRESS)) {
                    member.expires = Some(now + member.session_timeout_ms);
                }
            }
        }
        group.pending_syncs.clear();
        group.sync_end = None;
        let first = group.phase == Phase::Empty;
        group.enter(Phase::PreparingRebalance);
        let patience = group.rebalance_timeout_ms();
        if first {
            let wait = self.settings.initial_delay_ms;
            group.join_end = Some(JoinEnd::First {
                at: now + wait,
                waited: wait,
                left: (patience - wait).max(0),
            });
        } else if group.all_joined() {
            self.complete_join(now, name);
        } else {
            group.join_end = Some(JoinEnd::Later { at: now + patience });
        }
    }

    /// Ends the wait for members if all are there; the first generation waits for its time all the same.
    pub(super) fn complete_if_all_joined(&mut self, now: i64, name: &str) {
        let ready = self.groups.get(name).is_some_and(|group| {
            group.phase == Phase::PreparingRebalance
                && group.previous != Some(Phase::Empty)
                && group.all_joined()
        });
        if ready {
            self.complete_join(now, name);
        }
    }

    /// The wait for members is over: who did not come is out, unless it is a static member, whose session decides.
    fn complete_join(&mut self, now: i64, name: &str) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        group.join_end = None;
        let late = group
            .members
            .values()
            .filter(|member| !member.joins() && member.instance.is_none());
        for id in late.map(|member| member.id.clone()).collect::<Vec<_>>() {
            group.remove(&id);
        }
        if !group.members.is_empty() && !group.elect_joined_leader() {
            // Only static members are left, and none of them came: wait until their sessions end.
            let at = now + group.rebalance_timeout_ms().max(1);
            group.join_end = Some(JoinEnd::Later { at });
            return;
        }
        group.next_generation();
        if group.phase == Phase::Empty {
            return;
        }
        group.sync_end = Some(now + group.rebalance_timeout_ms());
        for id in group.members.keys().cloned().collect::<Vec<_>>() {
            let joined = group.joined(&id);
            if let Some(member) = group.members.get_mut(&id) {
                member.answer_join(joined);
                member.expires = Some(now + member.session_timeout_ms);
                member.is_new = false;
            }
            group.pending_syncs.insert(id);
        }
    }
}
