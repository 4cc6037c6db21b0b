//! DeleteTopics: by name, or from version 6 on by id; offsets that groups committed for them go too (G7).

use kafka_protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
    delete_topics_response::DeletableTopicResult,
};
use uuid::Uuid;

use super::super::{
    acls::{
        operation::{DELETE, DESCRIBE},
        resource::TOPIC,
    },
    errors,
    state::{Call, State, text},
};

/// One answer per topic.
pub fn handle(
    state: &mut State,
    call: &Call,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request
        .topic_names
        .into_iter()
        .map(|name| (Some(name), Uuid::nil()));
    let by_either = request
        .topics
        .into_iter()
        .map(|topic| (topic.name, topic.topic_id));
    let asked: Vec<_> = by_name.chain(by_either).collect();
    // One named twice is answered once, and refused (`ControllerApis.deleteTopics`).
    let twice: Vec<_> = (1..asked.len())
        .filter(|at| asked[..*at].contains(&asked[*at]))
        .map(|at| asked[at].clone())
        .collect();
    let mut once: Vec<(Option<TopicName>, Uuid)> = Vec::new();
    for one in asked {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    let each = once.into_iter().map(|(name, id)| {
        if twice.contains(&(name.clone(), id)) {
            return DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(id)
                .with_error_code(errors::INVALID_REQUEST);
        }
        let known = match &name {
            Some(name) => Some(name.to_string()),
            None => state.topic_by_id(id).map(str::to_owned),
        };
        // An id must not tell the name of a topic that may not be seen.
        let shown = known
            .as_deref()
            .filter(|name| state.allows(call, DESCRIBE, TOPIC, name))
            .map(|name| TopicName(text(name)));
        let code = delete(state, call, known.as_deref(), name.is_some());
        let id = match code {
            Ok(id) => id,
            Err(_) => id,
        };
        DeletableTopicResult::default()
            .with_name(name.or(shown))
            .with_topic_id(id)
            .with_error_code(code.err().unwrap_or(errors::NONE))
    });
    let responses = each.collect();
    DeleteTopicsResponse::default().with_responses(responses)
}

fn delete(state: &mut State, call: &Call, name: Option<&str>, named: bool) -> Result<Uuid, i16> {
    let unknown = if named {
        errors::UNKNOWN_TOPIC_OR_PARTITION
    } else {
        errors::UNKNOWN_TOPIC_ID
    };
    let name = name.ok_or(unknown)?;
    // Who may describe a topic is told that there is none.
    if !state.topics.contains_key(name) && state.allows(call, DESCRIBE, TOPIC, name) {
        return Err(unknown);
    }
    if !state.allows(call, DELETE, TOPIC, name) {
        return Err(errors::TOPIC_AUTHORIZATION_FAILED);
    }
    let topic = state.topics.remove(name).ok_or(unknown)?;
    state.groups.delete_topic(name);
    state.touch();
    Ok(topic.id)
}
