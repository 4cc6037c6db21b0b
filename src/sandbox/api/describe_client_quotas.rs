//! DescribeClientQuotas: there are none here.

use kafka_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::super::{
    acls::{CLUSTER_NAME, operation::DESCRIBE_CONFIGS, resource::CLUSTER},
    errors,
    state::{Call, State},
};

/// Nothing, or the right to know even that is missing.
pub fn handle(
    state: &mut State,
    call: &Call,
    _: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    if !state.allows(call, DESCRIBE_CONFIGS, CLUSTER, CLUSTER_NAME) {
        return DescribeClientQuotasResponse::default()
            .with_error_code(errors::CLUSTER_AUTHORIZATION_FAILED)
            .with_entries(None);
    }
    DescribeClientQuotasResponse::default().with_entries(Some(Vec::new()))
}
