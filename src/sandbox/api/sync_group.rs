//! SyncGroup: the leader brings the assignments, everyone gets its own.

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{
    super::{
        acls::{operation::READ, resource::GROUP},
        cluster::Cluster,
        errors,
        groups::{Synced, Syncing},
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs READ of the group.
pub async fn handle(
    cluster: &Cluster,
    call: &Call,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let synced = match cluster.with(|state| begin(state, call, request)) {
        // A member that is removed while it waits.
        Ok(answer) => answer
            .await
            .unwrap_or_else(|_| Synced::refused(errors::UNKNOWN_MEMBER_ID)),
        Err(error) => Synced::refused(error),
    };
    answer(synced)
}

fn begin(
    state: &mut State,
    call: &Call,
    request: SyncGroupRequest,
) -> Result<tokio::sync::oneshot::Receiver<Synced>, i16> {
    if !state.allows(call, READ, GROUP, &request.group_id) {
        return Err(errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, &request.group_id) {
        return Err(errors::NOT_COORDINATOR);
    }
    // From v5 on both have to be said.
    if call.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return Err(errors::INCONSISTENT_GROUP_PROTOCOL);
    }
    let assignments = request.assignments.into_iter();
    let assignments = assignments.map(|one| (one.member_id.to_string(), one.assignment));
    let syncing = Syncing {
        group: request.group_id.to_string(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.map(|kind| kind.to_string()),
        protocol: request.protocol_name.map(|name| name.to_string()),
        assignments: assignments.collect(),
    };
    let now = state.now_ms();
    Ok(state.groups.sync(now, syncing))
}

fn answer(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(synced.error)
        .with_protocol_type(synced.protocol_type.map(|kind| text(&kind)))
        .with_protocol_name(synced.protocol.map(|name| text(&name)))
        .with_assignment(synced.assignment)
}

impl Refuse for SyncGroupRequest {
    fn refuse(&self, _: i16, code: i16) -> SyncGroupResponse {
        answer(Synced::refused(code))
    }
}
