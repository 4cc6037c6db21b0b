//! AlterConfigs: all settings of a topic or of the brokers are replaced by those that are named.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, alter_configs_request::AlterConfigsResource,
    alter_configs_response::AlterConfigsResourceResponse,
};

use super::{
    super::{
        errors,
        state::{Call, State, text},
    },
    incremental_alter_configs::{check, keep, may},
    refuse::Refuse,
};

/// One answer per resource.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let each = request.resources.iter().map(|resource| {
        let done = replace(state, call, resource, request.validate_only);
        let answer = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match done {
            Ok(()) => answer,
            Err((code, why)) => answer
                .with_error_code(code)
                .with_error_message(Some(text(&why))),
        }
    });
    let responses = each.collect();
    AlterConfigsResponse::default().with_responses(responses)
}

fn replace(
    state: &mut State,
    call: &Call,
    resource: &AlterConfigsResource,
    only_check: bool,
) -> Result<(), (i16, String)> {
    let (kind, name): (i8, &str) = (resource.resource_type, &resource.resource_name);
    may(state, call, kind, name)?;
    let mut settings = BTreeMap::new();
    for config in &resource.configs {
        let Some(value) = &config.value else {
            return Err((
                errors::INVALID_REQUEST,
                "Null value not supported.".to_owned(),
            ));
        };
        check(state, kind, &config.name, value)?;
        settings.insert(config.name.to_string(), value.to_string());
    }
    if !only_check {
        keep(state, kind, name, settings);
    }
    Ok(())
}

impl Refuse for AlterConfigsRequest {
    fn refuse(&self, _: i16, code: i16) -> AlterConfigsResponse {
        let each = self.resources.iter().map(|resource| {
            AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(code)
        });
        AlterConfigsResponse::default().with_responses(each.collect())
    }
}
