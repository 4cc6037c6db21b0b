//! Fetch: batches as stored, up to what readers may see; a long poll where there is too little (rules F1 to F7).

mod read;
mod sessions;

use std::{collections::BTreeMap, time::Duration};

use kafka_protocol::messages::{
    FetchRequest, FetchResponse, TopicName,
    fetch_response::{FetchableTopicResponse, PartitionData},
};
use tokio::time::Instant;
use uuid::Uuid;

pub use self::sessions::Sessions;
use self::sessions::{Asked, Wanted};
use super::super::{
    cluster::Cluster,
    errors,
    state::{Call, State, text},
};

/// Waits until there are `min_bytes`, an error, or `max_wait_ms` have passed.
pub async fn handle(cluster: &Cluster, call: &Call, request: FetchRequest) -> FetchResponse {
    let patience = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(patience);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let limits = read::Limits {
        bytes: usize::try_from(request.max_bytes).unwrap_or(0),
        committed: request.isolation_level == 1,
    };
    let mut changes = cluster.changes();
    let opened = cluster.with(|state| {
        let slots = state.number("max.incremental.fetch.session.cache.slots");
        let fresh = (state.random.next() & 0x7fff_ffff) as i32;
        let names = request.topics.iter().filter_map(|topic| {
            let name = state.topic_by_id(topic.topic_id)?;
            Some((topic.topic_id, TopicName(text(name))))
        });
        let names: BTreeMap<Uuid, TopicName> = names.collect();
        match state.brokers.get_mut(&call.broker) {
            Some(broker) => {
                let sessions = &mut broker.sessions;
                sessions.open(call.version, &request, &names, fresh, slots)
            }
            None => Err(errors::UNKNOWN_SERVER_ERROR),
        }
    });
    let asked = match opened {
        Ok(asked) => asked,
        Err(code) => return FetchResponse::default().with_error_code(code),
    };
    loop {
        changes.mark_unchanged();
        let answers = cluster.with(|state| read::all(state, call, &asked.wanted, &limits));
        let bytes: usize = answers
            .iter()
            .map(|one| one.records.as_ref().map_or(0, |records| records.len()))
            .sum();
        let urgent = answers
            .iter()
            .any(|one| one.error_code != errors::NONE || one.diverging_epoch.end_offset >= 0);
        let done = bytes >= min_bytes || urgent || asked.wanted.is_empty();
        if done
            || tokio::time::timeout_at(deadline, changes.changed())
                .await
                .is_err()
        {
            return cluster.with(|state| answer(state, call, asked, answers));
        }
    }
}

/// All partitions of a full answer; of an incremental one those that have something to say (F7).
fn answer(
    state: &mut State,
    call: &Call,
    asked: Asked,
    answers: Vec<PartitionData>,
) -> FetchResponse {
    let mut said: Vec<(Wanted, PartitionData)> = asked.wanted.into_iter().zip(answers).collect();
    if asked.session_id != 0
        && let Some(broker) = state.brokers.get_mut(&call.broker)
    {
        broker
            .sessions
            .close(asked.session_id, asked.full, &mut said);
    }
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for (wanted, data) in said {
        let same = topics
            .last_mut()
            .filter(|last| last.topic == wanted.topic && last.topic_id == wanted.topic_id);
        match same {
            Some(same) => same.partitions.push(data),
            None => topics.push(
                FetchableTopicResponse::default()
                    .with_topic(wanted.topic)
                    .with_topic_id(wanted.topic_id)
                    .with_partitions(vec![data]),
            ),
        }
    }
    FetchResponse::default()
        .with_session_id(asked.session_id)
        .with_responses(topics)
}
