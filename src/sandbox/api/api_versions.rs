//! ApiVersions: what the simulated release offers.

use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion,
};

use super::super::{
    broker::Connection,
    errors,
    state::{Call, State},
};

/// Every API with its versions; from version 3 on for clients that give their name.
pub fn handle(
    state: &mut State,
    connection: &mut Connection,
    call: &Call,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    let (name, version) = (
        &request.client_software_name,
        &request.client_software_version,
    );
    if call.version >= 3 && !(is_plain(name) && is_plain(version)) {
        return ApiVersionsResponse::default().with_error_code(errors::INVALID_REQUEST);
    }
    connection.login.versions_are_told();
    let offered = super::versions(state.release).map(|(key, low, high)| {
        ApiVersion::default()
            .with_api_key(key)
            .with_min_version(low)
            .with_max_version(high)
    });
    ApiVersionsResponse::default().with_api_keys(offered.collect())
}

/// `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`: letters and digits, dots and dashes between them.
fn is_plain(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    end(name.bytes().next()) && end(name.bytes().last()) && name.bytes().all(inner)
}

/// The answer to a version nobody knows: in version 0, with the versions of ApiVersions alone (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    let own = ApiVersion::default().with_api_key(18).with_max_version(4);
    ApiVersionsResponse::default()
        .with_error_code(errors::UNSUPPORTED_VERSION)
        .with_api_keys(vec![own])
}
