//! CreateTopics: new topics, replicas spread or as asked.

use std::collections::BTreeMap;

use kafka_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse,
    create_topics_request::CreatableTopic,
    create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
};

use super::super::{
    acls::{
        CLUSTER_NAME,
        operation::{CREATE, DESCRIBE_CONFIGS},
        resource::{CLUSTER, TOPIC},
    },
    configs, errors,
    state::{Call, State, legal_topic, text},
};

/// One answer per topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let names: Vec<_> = request
        .topics
        .iter()
        .map(|topic| topic.name.clone())
        .collect();
    // One named twice is answered once.
    let once = request.topics.iter().enumerate();
    let once = once.filter(|(at, topic)| !names[..*at].contains(&topic.name));
    let each = once.map(|(_, topic)| {
        let answer = CreatableTopicResult::default()
            .with_name(topic.name.clone())
            .with_topic_config_error_code(errors::NONE)
            .with_num_partitions(-1)
            .with_replication_factor(-1);
        let twice = names.iter().filter(|name| **name == topic.name).count() > 1;
        let made = if twice {
            Err((
                errors::INVALID_REQUEST,
                "the topic is named twice".to_owned(),
            ))
        } else {
            create(state, call, topic, request.validate_only)
        };
        match made {
            Ok((partitions, factor)) => described(state, call, answer, topic, (partitions, factor)),
            Err((code, message)) => answer
                .with_error_code(code)
                .with_error_message(Some(text(&message))),
        }
    });
    let topics = each.collect();
    CreateTopicsResponse::default().with_topics(topics)
}

type Refused = (i16, String);

fn create(
    state: &mut State,
    call: &Call,
    topic: &CreatableTopic,
    only_check: bool,
) -> Result<(i32, i16), Refused> {
    let name: &str = &topic.name;
    if !state.allows(call, CREATE, CLUSTER, CLUSTER_NAME)
        && !state.allows(call, CREATE, TOPIC, name)
    {
        return Err((
            errors::TOPIC_AUTHORIZATION_FAILED,
            "Authorization failed.".to_owned(),
        ));
    }
    if !legal_topic(name) {
        return Err((
            errors::INVALID_TOPIC_EXCEPTION,
            format!("Topic name is invalid: {name}"),
        ));
    }
    if state.topics.contains_key(name) {
        return Err((
            errors::TOPIC_ALREADY_EXISTS,
            format!("Topic '{name}' already exists."),
        ));
    }
    let mut settings = BTreeMap::new();
    for config in &topic.configs {
        let Some(value) = &config.value else {
            return Err((
                errors::INVALID_CONFIG,
                format!("Null value not supported for {}", &*config.name),
            ));
        };
        configs::check_topic(state.release, &config.name, value)
            .map_err(|why| (errors::INVALID_CONFIG, why))?;
        settings.insert(config.name.to_string(), value.to_string());
    }
    let replicas = replicas(state, topic)?;
    let factor = replicas.first().map_or(0, Vec::len);
    if !only_check {
        state.create_topic(name, &replicas, settings);
    }
    Ok((replicas.len() as i32, factor as i16))
}

/// The replicas of each partition.
fn replicas(state: &State, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refused> {
    if topic.assignments.is_empty() {
        let partitions = match topic.num_partitions {
            -1 => state.number("num.partitions"),
            asked => i64::from(asked),
        };
        let factor = match topic.replication_factor {
            -1 => state.number("default.replication.factor"),
            asked => i64::from(asked),
        };
        if !(1..=10_000).contains(&partitions) {
            let why = "Number of partitions must be larger than 0.".to_owned();
            return Err((errors::INVALID_PARTITIONS, why));
        }
        let alive = state.alive().count() as i64;
        if factor <= 0 || factor > alive {
            let why = format!(
                "Unable to replicate the partition {factor} time(s): only {alive} broker(s) are registered."
            );
            return Err((errors::INVALID_REPLICATION_FACTOR, why));
        }
        return Ok(state.spread(0, partitions as usize, factor as usize));
    }
    let invalid = |why: &str| Err((errors::INVALID_REPLICA_ASSIGNMENT, why.to_owned()));
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let why =
            "A manual assignment was given with a number of partitions or replicas.".to_owned();
        return Err((errors::INVALID_REQUEST, why));
    }
    let mut by_index = BTreeMap::new();
    for one in &topic.assignments {
        let ids: Vec<i32> = one.broker_ids.iter().map(|id| **id).collect();
        if ids.is_empty() || ids.iter().any(|id| !state.brokers.contains_key(id)) {
            return invalid("An assignment names no broker, or one that does not exist.");
        }
        by_index.insert(one.partition_index, ids);
    }
    if by_index.keys().copied().ne(0..by_index.len() as i32) {
        return invalid("Partitions of an assignment must be numbered from 0, one by one.");
    }
    Ok(by_index.into_values().collect())
}

/// From version 5 on the answer says what was made (KIP-525), to those who may see a topic's settings.
fn described(
    state: &State,
    call: &Call,
    answer: CreatableTopicResult,
    topic: &CreatableTopic,
    (partitions, factor): (i32, i16),
) -> CreatableTopicResult {
    let made = state.topics.get(&*topic.name as &str);
    if !state.allows(call, DESCRIBE_CONFIGS, TOPIC, &topic.name) {
        return answer
            .with_topic_id(made.map(|made| made.id).unwrap_or_default())
            .with_topic_config_error_code(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let each = configs::topics(state.release).map(|known| {
        let (value, source) = configs::of_topic(state, made, known.name);
        CreatableTopicConfigs::default()
            .with_name(text(known.name))
            .with_value(Some(text(&value)))
            .with_config_source(source)
    });
    answer
        .with_topic_id(made.map(|made| made.id).unwrap_or_default())
        .with_num_partitions(partitions)
        .with_replication_factor(factor)
        .with_configs(Some(each.collect()))
}
