//! Heartbeat: a member is alive, and hears whether it has to join again.

use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{
    super::{
        acls::{operation::READ, resource::GROUP},
        errors,
        groups::Who,
        state::{Call, State},
    },
    refuse::Refuse,
};

/// Needs READ of the group.
pub fn handle(state: &mut State, call: &Call, request: HeartbeatRequest) -> HeartbeatResponse {
    let error = if !state.allows(call, READ, GROUP, &request.group_id) {
        errors::GROUP_AUTHORIZATION_FAILED
    } else if !state.coordinates(call, &request.group_id) {
        errors::NOT_COORDINATOR
    } else {
        let who = Who {
            member: &request.member_id,
            instance: request.group_instance_id.as_deref(),
            generation: request.generation_id,
        };
        let now = state.now_ms();
        state.groups.heartbeat(now, &request.group_id, &who)
    };
    HeartbeatResponse::default().with_error_code(error)
}

impl Refuse for HeartbeatRequest {
    fn refuse(&self, _: i16, code: i16) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(code)
    }
}
