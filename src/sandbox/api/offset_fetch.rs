//! OffsetFetch: what groups committed; one group up to version 7, several from 8 on.

use kafka_protocol::messages::{
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
    offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
        OffsetFetchResponseTopic, OffsetFetchResponseTopics,
    },
};

use super::{
    super::{
        acls::{
            operation::DESCRIBE,
            resource::{GROUP, TOPIC},
        },
        errors,
        groups::Found,
        state::{Call, State, text},
    },
    refuse::Refuse,
};

/// Needs DESCRIBE of the group and of each topic; asked for all, it shows the topics that may be described.
pub fn handle(state: &mut State, call: &Call, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if call.version < 8 {
        let wanted = wanted_of_one(&request);
        return match find(
            state,
            call,
            &request.group_id,
            wanted,
            request.require_stable,
        ) {
            Ok(found) => one(found, errors::NONE),
            Err(error) => request.refuse(call.version, error),
        };
    }
    let groups = request.groups.into_iter().map(|asked| {
        let wanted = asked.topics.map(|topics| {
            let each = topics.into_iter().flat_map(|topic| {
                let name = topic.name.to_string();
                topic
                    .partition_indexes
                    .into_iter()
                    .map(move |index| (name.clone(), index))
            });
            each.collect()
        });
        let found = find(state, call, &asked.group_id, wanted, request.require_stable);
        let answer = OffsetFetchResponseGroup::default().with_group_id(asked.group_id);
        match found {
            Ok(found) => answer.with_topics(many(found)),
            Err(error) => answer.with_error_code(error),
        }
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

fn wanted_of_one(request: &OffsetFetchRequest) -> Option<Vec<(String, i32)>> {
    let topics = request.topics.as_ref()?;
    let each = topics.iter().flat_map(|topic| {
        let indexes = topic.partition_indexes.iter();
        indexes.map(|index| (topic.name.to_string(), *index))
    });
    Some(each.collect())
}

fn find(
    state: &mut State,
    call: &Call,
    group: &str,
    wanted: Option<Vec<(String, i32)>>,
    stable: bool,
) -> Result<Vec<Found>, i16> {
    if !state.allows(call, DESCRIBE, GROUP, group) {
        return Err(errors::GROUP_AUTHORIZATION_FAILED);
    }
    if !state.coordinates(call, group) {
        return Err(errors::NOT_COORDINATOR);
    }
    let mut found = state.groups.fetch(group, wanted.as_deref(), stable);
    if wanted.is_none() {
        found.retain(|one| state.allows(call, DESCRIBE, TOPIC, &one.topic));
    }
    for one in &mut found {
        if !state.allows(call, DESCRIBE, TOPIC, &one.topic) {
            *one = nothing(
                &one.topic,
                one.partition,
                errors::TOPIC_AUTHORIZATION_FAILED,
            );
        }
    }
    Ok(found)
}

fn nothing(topic: &str, partition: i32, error: i16) -> Found {
    Found {
        topic: topic.to_owned(),
        partition,
        offset: -1,
        leader_epoch: -1,
        metadata: String::new(),
        error,
    }
}

/// Those of one topic together.
fn by_topic(found: Vec<Found>) -> Vec<(String, Vec<Found>)> {
    let mut topics: Vec<(String, Vec<Found>)> = Vec::new();
    for one in found {
        match topics.iter_mut().find(|(name, _)| *name == one.topic) {
            Some((_, same)) => same.push(one),
            None => topics.push((one.topic.clone(), vec![one])),
        }
    }
    topics
}

fn one(found: Vec<Found>, error: i16) -> OffsetFetchResponse {
    let topics = by_topic(found).into_iter().map(|(name, each)| {
        let partitions = each.into_iter().map(|one| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(one.partition)
                .with_committed_offset(one.offset)
                .with_committed_leader_epoch(one.leader_epoch)
                .with_metadata(Some(text(&one.metadata)))
                .with_error_code(one.error)
        });
        OffsetFetchResponseTopic::default()
            .with_name(TopicName(text(&name)))
            .with_partitions(partitions.collect())
    });
    OffsetFetchResponse::default()
        .with_error_code(error)
        .with_topics(topics.collect())
}

fn many(found: Vec<Found>) -> Vec<OffsetFetchResponseTopics> {
    let topics = by_topic(found).into_iter().map(|(name, each)| {
        let partitions = each.into_iter().map(|one| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(one.partition)
                .with_committed_offset(one.offset)
                .with_committed_leader_epoch(one.leader_epoch)
                .with_metadata(Some(text(&one.metadata)))
                .with_error_code(one.error)
        });
        OffsetFetchResponseTopics::default()
            .with_name(TopicName(text(&name)))
            .with_partitions(partitions.collect())
    });
    topics.collect()
}

impl Refuse for OffsetFetchRequest {
    fn refuse(&self, version: i16, code: i16) -> OffsetFetchResponse {
        if version >= 8 {
            let groups = self.groups.iter().map(|asked| {
                OffsetFetchResponseGroup::default()
                    .with_group_id(asked.group_id.clone())
                    .with_error_code(code)
            });
            return OffsetFetchResponse::default().with_groups(groups.collect());
        }
        if version >= 2 {
            return one(Vec::new(), code);
        }
        // Version 1 has no error but those of partitions.
        let each = wanted_of_one(self).unwrap_or_default();
        let each = each
            .iter()
            .map(|(topic, partition)| nothing(topic, *partition, code));
        one(each.collect(), errors::NONE)
    }
}
