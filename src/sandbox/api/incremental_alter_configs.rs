//! IncrementalAlterConfigs: single settings of topics and brokers are set, deleted, or have words added and taken (KIP-339).

use kafka_protocol::messages::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    incremental_alter_configs_request::AlterConfigsResource,
    incremental_alter_configs_response::AlterConfigsResourceResponse,
};

use super::{
    super::{
        acls::{
            CLUSTER_NAME,
            operation::ALTER_CONFIGS,
            resource::{CLUSTER, TOPIC},
        },
        configs::{self, Kind},
        errors,
        state::{Call, State, text},
    },
    describe_configs::{OF_BROKER, OF_TOPIC},
    refuse::Refuse,
};

/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// One answer per resource: all of its changes are made, or none.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let each = request.resources.iter().map(|resource| {
        let done = alter(state, call, resource, request.validate_only);
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
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

/// May this login change settings of the resource, and does it exist?
pub fn may(state: &State, call: &Call, kind: i8, name: &str) -> Result<(), (i16, String)> {
    let (allowed, denied) = match kind {
        OF_TOPIC => (
            state.allows(call, ALTER_CONFIGS, TOPIC, name),
            errors::TOPIC_AUTHORIZATION_FAILED,
        ),
        OF_BROKER => (
            state.allows(call, ALTER_CONFIGS, CLUSTER, CLUSTER_NAME),
            errors::CLUSTER_AUTHORIZATION_FAILED,
        ),
        _ => {
            return Err((
                errors::INVALID_REQUEST,
                "Only topics and brokers have settings here.".to_owned(),
            ));
        }
    };
    if !allowed {
        return Err((denied, "Authorization failed.".to_owned()));
    }
    if kind == OF_TOPIC && !state.topics.contains_key(name) {
        return Err((
            errors::UNKNOWN_TOPIC_OR_PARTITION,
            format!("The topic '{name}' does not exist."),
        ));
    }
    Ok(())
}

fn alter(
    state: &mut State,
    call: &Call,
    resource: &AlterConfigsResource,
    only_check: bool,
) -> Result<(), (i16, String)> {
    let (kind, name): (i8, &str) = (resource.resource_type, &resource.resource_name);
    may(state, call, kind, name)?;
    let mut names: Vec<&str> = resource.configs.iter().map(|one| &*one.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        let why = "Error due to duplicate config keys".to_owned();
        return Err((errors::INVALID_REQUEST, why));
    }
    let mut settings = match state.topics.get(name) {
        Some(topic) if kind == OF_TOPIC => topic.settings.clone(),
        _ => state.changed.clone(),
    };
    let invalid = |why| (errors::INVALID_CONFIG, why);
    for config in &resource.configs {
        let key: &str = &config.name;
        let now = || match kind {
            OF_TOPIC => configs::of_topic(state, state.topics.get(name), key).0,
            _ => state.setting(key).to_owned(),
        };
        let given = config.value.as_deref().unwrap_or_default();
        if config.config_operation != DELETE && config.value.is_none() {
            return Err((
                errors::INVALID_REQUEST,
                format!("Null value not supported for {key}"),
            ));
        }
        let value = match config.config_operation {
            SET => given.to_owned(),
            DELETE => {
                settings.remove(key);
                continue;
            }
            APPEND | SUBTRACT if !is_list(state, kind, key) => {
                return Err(invalid(format!(
                    "Can't append or subtract: {key} is no list."
                )));
            }
            APPEND => {
                let mut words = words(&now());
                words.extend(given.split(',').map(str::to_owned));
                words.dedup();
                words.join(",")
            }
            SUBTRACT => {
                let mut words = words(&now());
                words.retain(|word| given.split(',').all(|gone| gone != word));
                words.join(",")
            }
            // 4.1.1 and 3.9.1 find no better words.
            _ => {
                return Err((
                    errors::UNKNOWN_SERVER_ERROR,
                    "Unknown operation.".to_owned(),
                ));
            }
        };
        check(state, kind, key, &value)?;
        settings.insert(key.to_owned(), value);
    }
    if !only_check {
        keep(state, kind, name, settings);
    }
    Ok(())
}

/// May this setting of a topic or broker have this value?
pub fn check(state: &State, kind: i8, key: &str, value: &str) -> Result<(), (i16, String)> {
    if kind == OF_TOPIC {
        configs::check_topic(state.release, key, value).map_err(|why| (errors::INVALID_CONFIG, why))
    } else if configs::is_dynamic(key) {
        // Of brokers a wrong value is a wrong request (`ConfigAdminManager`).
        configs::check_broker(state.release, key, value)
            .map_err(|why| (errors::INVALID_REQUEST, why))
    } else {
        let why = format!("Cannot update these configs dynamically: {key}");
        Err((errors::INVALID_REQUEST, why))
    }
}

/// Puts the settings of a topic or of all brokers in force.
pub fn keep(
    state: &mut State,
    kind: i8,
    name: &str,
    settings: std::collections::BTreeMap<String, String>,
) {
    if kind != OF_TOPIC {
        state.changed = settings;
        state.settings_changed();
    } else if let Some(topic) = state.topics.get_mut(name) {
        topic.settings = settings;
    }
    state.touch();
}

fn is_list(state: &State, kind: i8, key: &str) -> bool {
    if kind == OF_TOPIC {
        configs::topic(state.release, key).is_some_and(|known| known.kind == Kind::List)
    } else {
        configs::brokers(state.release).any(|(own, kind, _)| own == key && kind == Kind::List)
    }
}

fn words(list: &str) -> Vec<String> {
    let words = list.split(',').filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

impl Refuse for IncrementalAlterConfigsRequest {
    fn refuse(&self, _: i16, code: i16) -> IncrementalAlterConfigsResponse {
        let each = self.resources.iter().map(|resource| {
            AlterConfigsResourceResponse::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(code)
        });
        IncrementalAlterConfigsResponse::default().with_responses(each.collect())
    }
}
