//! ConsumerGroupDescribe (KIP-848): there are no such groups here, so none is found.

use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
    consumer_group_describe_response::DescribedGroup,
};

use super::{
    super::{
        acls::{operation::DESCRIBE, resource::GROUP},
        errors,
        plan::Release,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs DESCRIBE of each group.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    // Unless its settings say otherwise, 3.9 offers the request and does nothing with it.
    if state.release < Release::V4_1 {
        return request.refuse(call.version, errors::UNSUPPORTED_VERSION);
    }
    let now = state.now_ms();
    let groups = request.group_ids.iter().map(|name| {
        let answer = DescribedGroup::default().with_group_id(name.clone());
        if !state.allows(call, DESCRIBE, GROUP, name) {
            return answer.with_error_code(errors::GROUP_AUTHORIZATION_FAILED);
        }
        if !state.coordinates(call, name) {
            return answer.with_error_code(errors::NOT_COORDINATOR);
        }
        // As `GroupMetadataManager.consumerGroup` says it.
        let why = match state.groups.describe(now, name) {
            Some(_) => format!("Group {} is not a consumer group.", name.as_str()),
            None => format!("Group {} not found.", name.as_str()),
        };
        answer
            .with_error_code(errors::GROUP_ID_NOT_FOUND)
            .with_error_message(Some(text(&why)))
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

impl Refuse for ConsumerGroupDescribeRequest {
    fn refuse(&self, _: i16, code: i16) -> ConsumerGroupDescribeResponse {
        let groups = self.group_ids.iter().map(|name| {
            DescribedGroup::default()
                .with_group_id(name.clone())
                .with_error_code(code)
        });
        ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
    }
}
