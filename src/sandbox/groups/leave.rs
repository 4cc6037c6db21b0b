//! LeaveGroup: members that go, or are sent away by their instance id.

use super::{super::errors, Groups, Joined, NO_MEMBER, group::Phase};

/// Who leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    /// Its id, or nothing if an operator names a static member.
    pub member: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
}

impl Groups {
    /// Members leave. The error of each.
    pub fn leave(&mut self, now: i64, name: &str, leaving: &[Leaving]) -> Result<Vec<i16>, i16> {
        self.tick(now);
        if name.is_empty() {
            return Err(errors::INVALID_GROUP_ID);
        }
        if !self.groups.contains_key(name) {
            return Ok(vec![errors::UNKNOWN_MEMBER_ID; leaving.len()]);
        }
        let each: Vec<i16> = leaving
            .iter()
            .map(|one| self.leave_one(name, one))
            .collect();
        if each.contains(&errors::NONE) {
            match self.groups.get(name).map(|group| group.phase) {
                Some(Phase::Stable | Phase::CompletingRebalance) => {
                    self.prepare_rebalance(now, name)
                }
                Some(Phase::PreparingRebalance) => self.complete_if_all_joined(now, name),
                Some(Phase::Empty) | None => {}
            }
        }
        self.tick(now);
        Ok(each)
    }

    fn leave_one(&mut self, name: &str, leaving: &Leaving) -> i16 {
        let Some(group) = self.groups.get_mut(name) else {
            return errors::UNKNOWN_MEMBER_ID;
        };
        let id = if leaving.member == NO_MEMBER {
            let holder = leaving
                .instance
                .as_ref()
                .and_then(|instance| group.fixed.get(instance));
            match holder {
                Some(holder) => holder.clone(),
                None => return errors::UNKNOWN_MEMBER_ID,
            }
        } else if group.pending_joins.contains_key(&leaving.member) {
            leaving.member.clone()
        } else {
            match group.check(&leaving.member, leaving.instance.as_deref()) {
                Ok(()) => leaving.member.clone(),
                Err(error) => return error,
            }
        };
        if let Some(member) = group.members.get_mut(&id) {
            member.answer_join(Joined::refused(errors::UNKNOWN_MEMBER_ID, NO_MEMBER));
        }
        group.remove(&id);
        errors::NONE
    }
}
