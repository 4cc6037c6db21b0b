//! ApiVersions: what the simulated release offers.

use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion,
};

use super::super::{
    errors,
    state::{Call, State},
};

/// Every API with its versions.
pub fn handle(state: &mut State, _: &Call, _: ApiVersionsRequest) -> ApiVersionsResponse {
    let offered = super::versions(state.release).map(|(key, low, high)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(low)
            .with_max_version(high)
    });
    ApiVersionsResponse::default().with_api_keys(offered.collect())
}

/// The answer to a version nobody knows: in version 0, with the versions of ApiVersions alone (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    let own = ApiVersion::default().with_api_key(18).with_max_version(4);
    ApiVersionsResponse::default()
        .with_error_code(errors::UNSUPPORTED_VERSION)
        .with_api_keys(vec![own])
}
