//! DeleteGroups: groups without members, and all that they committed.

use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, delete_groups_response::DeletableGroupResult,
};

use super::{
    super::{
        acls::{operation::DELETE, resource::GROUP},
        errors,
        state::{Call, State},
    },
    refuse::Refuse,
};

/// Needs DELETE of each group.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let now = state.now_ms();
    let results = request.groups_names.iter().map(|name| {
        let error = if !state.allows(call, DELETE, GROUP, name) {
            errors::GROUP_AUTHORIZATION_FAILED
        } else if !state.coordinates(call, name) {
            errors::NOT_COORDINATOR
        } else {
            state.groups.delete(now, name)
        };
        DeletableGroupResult::default()
            .with_group_id(name.clone())
            .with_error_code(error)
    });
    DeleteGroupsResponse::default().with_results(results.collect())
}

impl Refuse for DeleteGroupsRequest {
    fn refuse(&self, _: i16, code: i16) -> DeleteGroupsResponse {
        let results = self.groups_names.iter().map(|name| {
            DeletableGroupResult::default()
                .with_group_id(name.clone())
                .with_error_code(code)
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }
}
