//! DescribeConfigs: settings of topics and brokers, each with where it came from.

use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{
        DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
    },
};

use super::{
    super::{
        acls::{
            CLUSTER_NAME,
            operation::DESCRIBE_CONFIGS,
            resource::{CLUSTER, TOPIC},
        },
        configs::{self, DEFAULT, Kind},
        errors,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// `ConfigResource.Type`.
pub const OF_TOPIC: i8 = 2;
/// `ConfigResource.Type`.
pub const OF_BROKER: i8 = 4;

/// One answer per resource.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let each = request.resources.iter().map(|resource| {
        let answer = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match describe(state, call, resource, request.include_synonyms) {
            Ok(configs) => answer.with_configs(configs),
            Err((code, why)) => answer
                .with_error_code(code)
                .with_error_message(Some(text(why))),
        }
    });
    DescribeConfigsResponse::default().with_results(each.collect())
}

fn describe(
    state: &State,
    call: &Call,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, (i16, &'static str)> {
    let name: &str = &resource.resource_name;
    let keys = resource
        .configuration_keys
        .as_ref()
        .filter(|keys| !keys.is_empty());
    let asked = |own: &str| keys.is_none_or(|keys| keys.iter().any(|key| &**key == own));
    match resource.resource_type {
        OF_TOPIC => {
            if !state.allows(call, DESCRIBE_CONFIGS, TOPIC, name) {
                return Err((errors::TOPIC_AUTHORIZATION_FAILED, "Authorization failed."));
            }
            let Some(topic) = state.topics.get(name) else {
                return Err((
                    errors::UNKNOWN_TOPIC_OR_PARTITION,
                    "There is no such topic.",
                ));
            };
            let known = configs::topics(state.release).filter(|known| asked(known.name));
            Ok(known
                .map(|known| {
                    let (value, source) = configs::of_topic(state, Some(topic), known.name);
                    let mut one = entry(known.name, &value, source, known.kind, false);
                    if synonyms {
                        if let Some(own) = topic.settings.get(known.name) {
                            one.synonyms
                                .push(synonym(known.name, own, configs::SET_ON_TOPIC));
                        }
                        one.synonyms.extend(of_broker(state, known.broker));
                    }
                    one
                })
                .collect())
        }
        OF_BROKER => {
            if !state.allows(call, DESCRIBE_CONFIGS, CLUSTER, CLUSTER_NAME) {
                return Err((
                    errors::CLUSTER_AUTHORIZATION_FAILED,
                    "Authorization failed.",
                ));
            }
            // With an empty name only what was changed for all brokers.
            let all = !name.is_empty();
            if all && name != call.broker.to_string() {
                return Err((errors::INVALID_REQUEST, "A broker describes only itself."));
            }
            let known = configs::brokers(state.release)
                .filter(|(own, ..)| asked(own) && (all || state.changed.contains_key(*own)));
            // What is not Kafka's own but a plugin's (`allow.everyone.if.no.acl.found`) shows that it is set, and not to what.
            let is_known =
                |own: &str| configs::brokers(state.release).any(|(name, ..)| name == own);
            let plugins = state
                .settings
                .keys()
                .filter(|own| all && asked(own) && !is_known(own));
            let plugins = plugins.map(|own| {
                DescribeConfigsResourceResult::default()
                    .with_name(text(own))
                    .with_value(None)
                    .with_config_source(configs::SET_AT_START)
                    .with_read_only(true)
                    .with_is_sensitive(true)
            });
            Ok(known
                .map(|(own, kind, _)| {
                    let (value, source) = configs::of_broker(state, own);
                    let mut one = entry(own, &value, source, kind, !configs::is_dynamic(own));
                    if synonyms {
                        one.synonyms.extend(of_broker(state, own));
                    }
                    one
                })
                .chain(plugins)
                .collect())
        }
        _ => Err((
            errors::INVALID_REQUEST,
            "Only topics and brokers have settings here.",
        )),
    }
}

fn entry(
    name: &str,
    value: &str,
    source: i8,
    kind: Kind,
    read_only: bool,
) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_config_source(source)
        .with_config_type(kind as i8)
        .with_read_only(read_only)
}

fn synonym(name: &str, value: &str, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default()
        .with_name(text(name))
        .with_value(Some(text(value)))
        .with_source(source)
}

/// A broker's setting by all the sources that set it, the strongest first.
fn of_broker(state: &State, name: &str) -> Vec<DescribeConfigsSynonym> {
    if name.is_empty() {
        return Vec::new();
    }
    let changed = state
        .changed
        .get(name)
        .map(|value| synonym(name, value, configs::SET_ON_BROKER));
    let started = state
        .settings
        .get(name)
        .map(|value| synonym(name, value, configs::SET_AT_START));
    let default = synonym(name, configs::broker_default(state.release, name), DEFAULT);
    changed
        .into_iter()
        .chain(started)
        .chain([default])
        .collect()
}

impl Refuse for DescribeConfigsRequest {
    fn refuse(&self, _: i16, code: i16) -> DescribeConfigsResponse {
        let each = self.resources.iter().map(|resource| {
            DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_code(code)
        });
        DescribeConfigsResponse::default().with_results(each.collect())
    }
}
