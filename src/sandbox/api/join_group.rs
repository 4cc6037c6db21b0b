//! JoinGroup: into a group, or back into it; the answer waits for the others.

use bytes::Bytes;
use kafka_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, join_group_response::JoinGroupResponseMember,
};

use super::{
    super::{
        acls::{operation::READ, resource::GROUP},
        cluster::Cluster,
        errors,
        groups::{Joined, Joining},
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Where all connections come from, as Java writes an address.
const HOST: &str = "/127.0.0.1";

/// Needs READ of the group.
pub async fn handle(
    cluster: &Cluster,
    call: &Call,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let member = request.member_id.clone();
    let joined = match cluster.with(|state| begin(state, call, request)) {
        // Who joins again while it waits leaves the earlier request without an answer of its own.
        Ok(answer) => answer
            .await
            .unwrap_or_else(|_| Joined::refused(errors::UNKNOWN_MEMBER_ID, &member)),
        Err(error) => Joined::refused(error, &member),
    };
    answer(call.version, joined)
}

fn begin(
    state: &mut State,
    call: &Call,
    request: JoinGroupRequest,
) -> Result<tokio::sync::oneshot::Receiver<Joined>, i16> {
    if !state.allows(call, READ, GROUP, &request.group_id) {
        return Err(errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, &request.group_id) {
        return Err(errors::NOT_COORDINATOR);
    }
    let protocols = request.protocols.into_iter();
    let protocols = protocols.map(|one| (one.name.to_string(), one.metadata));
    let joining = Joining {
        group: request.group_id.to_string(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.map(|id| id.to_string()),
        client_id: call.client_id.clone(),
        client_host: HOST.to_owned(),
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.collect(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        version: call.version,
    };
    let now = state.now_ms();
    Ok(state.groups.join(now, joining))
}

fn answer(version: i16, joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(
        |(id, instance, metadata): (String, Option<String>, Bytes)| {
            JoinGroupResponseMember::default()
                .with_member_id(text(&id))
                // Only known to answers from v5 on.
                .with_group_instance_id(
                    instance
                        .filter(|_| version >= 5)
                        .map(|instance| text(&instance)),
                )
                .with_metadata(metadata)
        },
    );
    // Before v7 there is no way to say that there is no protocol.
    let protocol = joined.protocol.or_else(|| (version < 7).then(String::new));
    JoinGroupResponse::default()
        .with_error_code(joined.error)
        .with_generation_id(joined.generation)
        .with_protocol_type(
            joined
                .protocol_type
                .filter(|_| version >= 7)
                .map(|kind| text(&kind)),
        )
        .with_protocol_name(protocol.map(|name| text(&name)))
        .with_leader(text(&joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(members.collect())
}

impl Refuse for JoinGroupRequest {
    fn refuse(&self, version: i16, code: i16) -> JoinGroupResponse {
        answer(version, Joined::refused(code, &self.member_id))
    }
}
