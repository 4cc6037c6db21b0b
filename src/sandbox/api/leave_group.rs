//! LeaveGroup: members go, or an operator removes static ones (KIP-345).

use kafka_protocol::messages::{
    LeaveGroupRequest, LeaveGroupResponse, leave_group_response::MemberResponse,
};

use super::{
    super::{
        acls::{operation::READ, resource::GROUP},
        errors,
        groups::Leaving,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs READ of the group.
pub fn handle(state: &mut State, call: &Call, request: LeaveGroupRequest) -> LeaveGroupResponse {
    if !state.allows(call, READ, GROUP, &request.group_id) {
        return request.refuse(call.version, errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, &request.group_id) {
        return request.refuse(call.version, errors::NOT_COORDINATOR);
    }
    // Before v3 one leaves, and the answer is its error.
    let leaving: Vec<Leaving> = if call.version < 3 {
        vec![Leaving {
            member: request.member_id.to_string(),
            instance: None,
        }]
    } else {
        let members = request.members.iter().map(|one| Leaving {
            member: one.member_id.to_string(),
            instance: one.group_instance_id.as_ref().map(|id| id.to_string()),
        });
        members.collect()
    };
    let now = state.now_ms();
    let each = match state.groups.leave(now, &request.group_id, &leaving) {
        Ok(each) => each,
        Err(error) => return request.refuse(call.version, error),
    };
    let answer = LeaveGroupResponse::default();
    if call.version < 3 {
        return answer.with_error_code(each.first().copied().unwrap_or(errors::NONE));
    }
    let members = leaving.into_iter().zip(each).map(|(one, error)| {
        MemberResponse::default()
            .with_member_id(text(&one.member))
            .with_group_instance_id(one.instance.map(|id| text(&id)))
            .with_error_code(error)
    });
    answer.with_members(members.collect())
}

impl Refuse for LeaveGroupRequest {
    fn refuse(&self, _: i16, code: i16) -> LeaveGroupResponse {
        LeaveGroupResponse::default().with_error_code(code)
    }
}
