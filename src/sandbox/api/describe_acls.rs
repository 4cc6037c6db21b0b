//! DescribeAcls: the access rules that a filter matches.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    DescribeAclsRequest, DescribeAclsResponse,
    describe_acls_response::{AclDescription, DescribeAclsResource},
};

use super::{
    super::{
        acls::{CLUSTER_NAME, Filter, operation::DESCRIBE, resource::CLUSTER},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs DESCRIBE of the cluster.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    if !state.allows(call, DESCRIBE, CLUSTER, CLUSTER_NAME) {
        return request.refuse(call.version, errors::CLUSTER_AUTHORIZATION_FAILED);
    }
    if !state.acls.enforced {
        return DescribeAclsResponse::default()
            .with_error_code(errors::SECURITY_DISABLED)
            .with_error_message(Some(text("No Authorizer is configured on the broker")));
    }
    let word = |from: Option<kafka_protocol::protocol::StrBytes>| from.map(|text| text.to_string());
    let filter = Filter {
        resource: request.resource_type_filter,
        name: word(request.resource_name_filter),
        pattern: request.pattern_type_filter,
        principal: word(request.principal_filter),
        host: word(request.host_filter),
        operation: request.operation,
        permission: request.permission_type,
    };
    let mut resources: BTreeMap<(i8, i8, String), Vec<AclDescription>> = BTreeMap::new();
    for acl in state.acls.matching(&filter) {
        let description = AclDescription::default()
            .with_principal(text(&acl.principal))
            .with_host(text(&acl.host))
            .with_operation(acl.operation)
            .with_permission_type(acl.permission);
        resources
            .entry((acl.resource, acl.pattern, acl.name))
            .or_default()
            .push(description);
    }
    let resources = resources
        .into_iter()
        .map(|((resource, pattern, name), acls)| {
            DescribeAclsResource::default()
                .with_resource_type(resource)
                .with_resource_name(text(&name))
                .with_pattern_type(pattern)
                .with_acls(acls)
        });
    DescribeAclsResponse::default().with_resources(resources.collect())
}

impl Refuse for DescribeAclsRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeAclsResponse {
        DescribeAclsResponse::default().with_error_code(code)
    }
}
