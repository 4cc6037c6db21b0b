//! CreateAcls: access rules, each for itself.

use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, create_acls_response::AclCreationResult,
};

use super::{
    super::{
        acls::{Acl, CLUSTER_NAME, operation::ALTER, resource::CLUSTER},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs ALTER of the cluster.
pub fn handle(state: &mut State, call: &Call, request: CreateAclsRequest) -> CreateAclsResponse {
    if !state.allows(call, ALTER, CLUSTER, CLUSTER_NAME) {
        return request.refuse(call.version, errors::CLUSTER_AUTHORIZATION_FAILED);
    }
    if !state.acls.enforced {
        return refused(
            &request,
            errors::SECURITY_DISABLED,
            Some("No Authorizer is configured."),
        );
    }
    let creations = request.creations.iter().map(|creation| Acl {
        resource: creation.resource_type,
        name: creation.resource_name.to_string(),
        pattern: creation.resource_pattern_type,
        principal: creation.principal.to_string(),
        host: creation.host.to_string(),
        operation: creation.operation,
        permission: creation.permission_type,
    });
    let creations: Vec<Acl> = creations.collect();
    if creations.iter().any(Acl::is_any) {
        return request.refuse(call.version, errors::UNKNOWN_SERVER_ERROR);
    }
    let results = creations
        .into_iter()
        .map(|acl| match state.acls.create(acl) {
            Ok(()) => AclCreationResult::default(),
            Err((error, why)) => AclCreationResult::default()
                .with_error_code(error)
                .with_error_message(Some(text(&why))),
        });
    CreateAclsResponse::default().with_results(results.collect())
}

fn refused(request: &CreateAclsRequest, code: i16, why: Option<&str>) -> CreateAclsResponse {
    let results = request.creations.iter().map(|_| {
        AclCreationResult::default()
            .with_error_code(code)
            .with_error_message(why.map(text))
    });
    CreateAclsResponse::default().with_results(results.collect())
}

impl Refuse for CreateAclsRequest {
    fn refuse(&self, _: i16, code: i16) -> CreateAclsResponse {
        refused(self, code, None)
    }
}
