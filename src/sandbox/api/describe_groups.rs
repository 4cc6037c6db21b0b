//! DescribeGroups: state and members of classic groups; one that is not there is dead.

use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    describe_groups_response::{DescribedGroup, DescribedGroupMember},
};

use super::{
    super::{
        acls::{operation::DESCRIBE, resource::GROUP},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs DESCRIBE of each group.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.iter().map(|name| {
        if !state.allows(call, DESCRIBE, GROUP, name) {
            return failed(name, errors::GROUP_AUTHORIZATION_FAILED);
        }
        if !state.coordinates(call, name) {
            return failed(name, errors::NOT_COORDINATOR);
        }
        let group = describe(state, call.version, name);
        if request.include_authorized_operations && group.error_code == errors::NONE {
            group.with_authorized_operations(state.operations(call, GROUP, name))
        } else {
            group
        }
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

fn describe(state: &mut State, version: i16, name: &GroupId) -> DescribedGroup {
    let now = state.now_ms();
    let answer = DescribedGroup::default().with_group_id(name.clone());
    let Some(group) = state.groups.describe(now, name) else {
        let dead = answer.with_group_state(text("Dead"));
        // From v6 on the answer tells a group that is gone from one that never was (KIP-1043).
        return if version >= 6 {
            dead.with_error_code(errors::GROUP_ID_NOT_FOUND)
                .with_error_message(Some(text(&format!("Group {} not found.", name.as_str()))))
        } else {
            dead
        };
    };
    let members = group.members.into_iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance.filter(|_| version >= 4).map(|id| text(&id)))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    });
    answer
        .with_group_state(text(group.phase.name()))
        .with_protocol_type(text(&group.protocol_type))
        .with_protocol_data(text(&group.protocol))
        .with_members(members.collect())
}

fn failed(name: &GroupId, error: i16) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(name.clone())
        .with_error_code(error)
}

impl Refuse for DescribeGroupsRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeGroupsResponse {
        let groups = self.groups.iter().map(|name| failed(name, code));
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }
}
