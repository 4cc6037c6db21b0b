//! Metadata: brokers, topics and their leaders; creates topics where that is switched on.

use kafka_protocol::messages::{
    BrokerId, MetadataRequest, MetadataResponse, TopicName,
    metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
};
use uuid::Uuid;

use super::super::{
    acls::{
        CLUSTER_NAME,
        operation::{CREATE, DESCRIBE},
        resource::{CLUSTER, TOPIC},
    },
    errors,
    state::{Call, State, text},
};

/// No list means all topics; an empty one none from version 1 on, all in 0.
pub fn handle(state: &mut State, call: &Call, request: MetadataRequest) -> MetadataResponse {
    let all = match &request.topics {
        None => true,
        Some(topics) => topics.is_empty() && call.version == 0,
    };
    let wants_rights = request.include_topic_authorized_operations;
    let mut topics = Vec::new();
    if all {
        for name in state.topics.keys() {
            if state.allows(call, DESCRIBE, TOPIC, name) {
                topics.push(describe(state, call, name));
            }
        }
    } else {
        let create = request.allow_auto_topic_creation || call.version < 4;
        for asked in request.topics.into_iter().flatten() {
            topics.push(match asked.name {
                Some(name) => by_name(state, call, &name, create),
                None => by_id(state, call, asked.topic_id),
            });
        }
    }
    let brokers = state.brokers.iter().filter(|(_, broker)| broker.alive);
    let brokers = brokers.map(|(id, broker)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(*id))
            .with_host(text("127.0.0.1"))
            .with_port(i32::from(broker.port))
    });
    // Rights are told to those who ask, from version 8 on (KIP-430).
    if !wants_rights {
        for topic in &mut topics {
            topic.topic_authorized_operations = i32::MIN;
        }
    }
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(text(&state.cluster_id)))
        .with_controller_id(BrokerId(state.controller()))
        .with_topics(topics)
}

fn failed(name: Option<&str>, id: Uuid, error: i16) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_name(name.map(|name| TopicName(text(name))))
        .with_topic_id(id)
        .with_error_code(error)
}

fn by_name(state: &mut State, call: &Call, name: &str, create: bool) -> MetadataResponseTopic {
    if !state.allows(call, DESCRIBE, TOPIC, name) {
        return failed(Some(name), Uuid::nil(), errors::TOPIC_AUTHORIZATION_FAILED);
    }
    if !state.topics.contains_key(name) {
        if !super::super::state::legal_topic(name) {
            return failed(Some(name), Uuid::nil(), errors::INVALID_TOPIC_EXCEPTION);
        }
        let may = state.allows(call, CREATE, TOPIC, name)
            || state.allows(call, CREATE, CLUSTER, CLUSTER_NAME);
        let create = create && may && state.setting("auto.create.topics.enable") == "true";
        if create {
            let partitions = state.number("num.partitions").clamp(1, 10_000);
            let factor = state.number("default.replication.factor").clamp(1, 1_000);
            let replicas = state.spread(0, partitions as usize, factor as usize);
            state.create_topic(name, &replicas, Default::default());
        }
        // Brokers answer the one that creates a topic as if it were not there yet.
        return failed(Some(name), Uuid::nil(), errors::UNKNOWN_TOPIC_OR_PARTITION);
    }
    describe(state, call, name)
}

fn by_id(state: &State, call: &Call, id: Uuid) -> MetadataResponseTopic {
    match state.topic_by_id(id) {
        Some(name) if state.allows(call, DESCRIBE, TOPIC, name) => describe(state, call, name),
        // An id must not tell the name of a topic that may not be seen.
        Some(_) => failed(None, id, errors::TOPIC_AUTHORIZATION_FAILED),
        None => failed(None, id, errors::UNKNOWN_TOPIC_ID),
    }
}

fn describe(state: &State, call: &Call, name: &str) -> MetadataResponseTopic {
    let Some(topic) = state.topics.get(name) else {
        return failed(Some(name), Uuid::nil(), errors::UNKNOWN_TOPIC_OR_PARTITION);
    };
    let ids = |from: &[i32]| from.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
    let partitions = topic.partitions.iter().zip(0..).map(|(one, index)| {
        let offline = one.replicas.iter().filter(|id| !state.is_alive(**id));
        let error = if one.leader < 0 {
            errors::LEADER_NOT_AVAILABLE
        } else {
            errors::NONE
        };
        MetadataResponsePartition::default()
            .with_error_code(error)
            .with_partition_index(index)
            .with_leader_id(BrokerId(one.leader))
            .with_leader_epoch(one.leader_epoch)
            .with_replica_nodes(ids(&one.replicas))
            .with_isr_nodes(ids(&one.isr))
            .with_offline_replicas(offline.map(|id| BrokerId(*id)).collect())
    });
    let operations = state.operations(call, TOPIC, name);
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(topic.id)
        .with_is_internal(topic.internal)
        .with_partitions(partitions.collect())
        .with_topic_authorized_operations(operations)
}
