//! ListGroups: the groups that this broker coordinates.

use kafka_protocol::messages::{
    GroupId, ListGroupsRequest, ListGroupsResponse, list_groups_response::ListedGroup,
};

use super::{
    super::{
        acls::{
            CLUSTER_NAME,
            operation::DESCRIBE,
            resource::{CLUSTER, GROUP},
        },
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Shows those groups that may be described; DESCRIBE of the cluster is enough for all.
pub fn handle(state: &mut State, call: &Call, request: ListGroupsRequest) -> ListGroupsResponse {
    let states: Vec<&str> = request
        .states_filter
        .iter()
        .map(|one| one.as_str())
        .collect();
    let types: Vec<&str> = request
        .types_filter
        .iter()
        .map(|one| one.as_str())
        .collect();
    let now = state.now_ms();
    let listed = state.groups.list(now, &states, &types);
    let all = state.allows(call, DESCRIBE, CLUSTER, CLUSTER_NAME);
    let listed = listed.into_iter().filter(|one| {
        state.coordinates(call, &one.group)
            && (all || state.allows(call, DESCRIBE, GROUP, &one.group))
    });
    let groups = listed.map(|one| {
        ListedGroup::default()
            .with_group_id(GroupId(text(&one.group)))
            .with_protocol_type(text(&one.protocol_type))
            .with_group_state(text(one.phase.name()))
            .with_group_type(text("classic"))
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

impl Refuse for ListGroupsRequest {
    fn refuse(&self, _: i16, code: i16) -> ListGroupsResponse {
        ListGroupsResponse::default().with_error_code(code)
    }
}
