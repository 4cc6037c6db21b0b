//! DeleteAcls: all access rules that a filter matches, for several filters.

use kafka_protocol::messages::{
    DeleteAclsRequest, DeleteAclsResponse,
    delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl},
};

use super::{
    super::{
        acls::{Acl, CLUSTER_NAME, Filter, operation::ALTER, resource::CLUSTER},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs ALTER of the cluster.
pub fn handle(state: &mut State, call: &Call, request: DeleteAclsRequest) -> DeleteAclsResponse {
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
    let results = request.filters.into_iter().map(|asked| {
        let word =
            |from: Option<kafka_protocol::protocol::StrBytes>| from.map(|text| text.to_string());
        let filter = Filter {
            resource: asked.resource_type_filter,
            name: word(asked.resource_name_filter),
            pattern: asked.pattern_type_filter,
            principal: word(asked.principal_filter),
            host: word(asked.host_filter),
            operation: asked.operation,
            permission: asked.permission_type,
        };
        if filter.is_unknown() {
            return DeleteAclsFilterResult::default()
                .with_error_code(errors::INVALID_REQUEST)
                .with_error_message(Some(text("Unknown patternFilter.")));
        }
        let gone = state.acls.delete(&filter);
        DeleteAclsFilterResult::default()
            .with_matching_acls(gone.into_iter().map(matching).collect())
    });
    DeleteAclsResponse::default().with_filter_results(results.collect())
}

fn matching(acl: Acl) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_resource_type(acl.resource)
        .with_resource_name(text(&acl.name))
        .with_pattern_type(acl.pattern)
        .with_principal(text(&acl.principal))
        .with_host(text(&acl.host))
        .with_operation(acl.operation)
        .with_permission_type(acl.permission)
}

fn refused(request: &DeleteAclsRequest, code: i16, why: Option<&str>) -> DeleteAclsResponse {
    let results = request.filters.iter().map(|_| {
        DeleteAclsFilterResult::default()
            .with_error_code(code)
            .with_error_message(why.map(text))
    });
    DeleteAclsResponse::default().with_filter_results(results.collect())
}

impl Refuse for DeleteAclsRequest {
    fn refuse(&self, _: i16, code: i16) -> DeleteAclsResponse {
        refused(self, code, None)
    }
}
