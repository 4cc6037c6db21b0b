//! Rights that no broker tells of what is not there yet: tried, in ways that can change nothing.

use std::collections::HashMap;

use kafka_protocol::messages::{
    CreatePartitionsRequest, DescribeConfigsRequest, GroupId, HeartbeatRequest,
    IncrementalAlterConfigsRequest,
    create_partitions_request::CreatePartitionsTopic,
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};

use super::{
    Error, Probe, Result, Target,
    configs::{Changes, TOPIC},
    pool::{kafka_name, text},
    rights::{AT_ONCE, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, probe},
};
use crate::{
    model::names::TopicName,
    wire::{conn::Conn, versions::Ask},
};

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// More partitions than any topic has that is not there.
const PARTITIONS: i32 = 1;

/// What the target says to settings, one by one.
pub type Objections = Vec<(String, Error)>;

/// A topic, and what to set on it.
type Asked<'a> = (&'a TopicName, &'a [(String, Option<String>)]);

impl Target {
    /// May settings of these topics be read, whether they are there or not?
    pub async fn may_describe_configs(
        &self,
        names: &[TopicName],
    ) -> Result<HashMap<TopicName, Probe>> {
        let mut found = HashMap::with_capacity(names.len());
        let conn = self.any().await?;
        for some in names.chunks(AT_ONCE) {
            let resource = |name: &TopicName| {
                DescribeConfigsResource::default()
                    .with_resource_type(TOPIC)
                    .with_resource_name(text(name))
                    .with_configuration_keys(Some(vec![text("retention.ms")]))
            };
            let request = DescribeConfigsRequest::default()
                .with_resources(some.iter().map(resource).collect());
            for one in self.ask(&conn, &request).await?.results {
                let probe = probe(one.error_code, TOPIC_AUTHORIZATION_FAILED);
                found.insert(TopicName::from(&*one.resource_name), probe);
            }
        }
        Ok(found)
    }

    /// May partitions be added to these topics, none of which is there?
    pub async fn may_grow(&self, absent: &[TopicName]) -> Result<HashMap<TopicName, Probe>> {
        let mut found = HashMap::with_capacity(absent.len());
        for some in absent.chunks(AT_ONCE) {
            let conn = self.controller(CreatePartitionsRequest::API.name).await?;
            let grown = |name: &TopicName| {
                CreatePartitionsTopic::default()
                    .with_name(kafka_name(name))
                    .with_count(PARTITIONS)
                    .with_assignments(None)
            };
            let request = CreatePartitionsRequest::default()
                .with_topics(some.iter().map(grown).collect())
                .with_timeout_ms(10_000)
                .with_validate_only(true);
            for one in self.ask(&conn, &request).await?.results {
                let probe = probe(one.error_code, TOPIC_AUTHORIZATION_FAILED);
                found.insert(TopicName::from(&*one.name.0), probe);
            }
        }
        Ok(found)
    }

    /// May positions of these groups be committed? A sign of life of a member that no group has: the broker looks at the right first, which
    /// is the one that a commit takes, and then knows no such member.
    pub async fn may_commit(&self, groups: &[String]) -> Result<HashMap<String, Probe>> {
        let mut found = HashMap::with_capacity(groups.len());
        let conn = self.any().await?;
        let member = uuid::Uuid::new_v4().to_string();
        for group in groups {
            let request = HeartbeatRequest::default()
                .with_group_id(GroupId(text(group)))
                .with_generation_id(0)
                .with_member_id(text(&member));
            let code = self.ask(&conn, &request).await?.error_code;
            found.insert(group.clone(), probe(code, GROUP_AUTHORIZATION_FAILED));
        }
        Ok(found)
    }

    /// What the target objects to in these settings of topics, by setting; validated only. Missing topics object to nothing; a missing
    /// right is an objection to the first setting.
    pub async fn objections(
        &self,
        topics: &[(TopicName, Changes)],
    ) -> Result<HashMap<TopicName, Objections>> {
        let mut found = HashMap::with_capacity(topics.len());
        let conn = self.any().await?;
        for some in topics.chunks(AT_ONCE) {
            let whole: Vec<Asked<'_>> = some
                .iter()
                .map(|(name, changes)| (name, &changes[..]))
                .collect();
            let mut refused = Vec::new();
            let answers = self.validated(&conn, &whole).await?;
            for (name, changes) in &whole {
                match answers.get(*name) {
                    None => {}
                    Some(None) => drop(found.insert((*name).clone(), Vec::new())),
                    Some(Some(error))
                        if changes.len() == 1
                            || error.code() == Some(TOPIC_AUTHORIZATION_FAILED) =>
                    {
                        let first = changes.first().map_or("", |(name, _)| name);
                        found.insert((*name).clone(), vec![(first.to_owned(), error.clone())]);
                    }
                    Some(Some(_)) => refused.push((*name, *changes)),
                }
            }
            // A topic's settings are refused together: which of them it is shows when each is asked about alone.
            let most = refused.iter().map(|(_, changes)| changes.len()).max();
            for index in 0..most.unwrap_or(0) {
                let alone: Vec<_> = refused
                    .iter()
                    .filter_map(|(name, changes)| Some((*name, changes.get(index..=index)?)))
                    .collect();
                let answers = self.validated(&conn, &alone).await?;
                for (name, change) in alone {
                    let objections: &mut Objections = found.entry(name.clone()).or_default();
                    if let Some(Some(error)) = answers.get(name) {
                        objections.push((change[0].0.clone(), error.clone()));
                    }
                }
            }
        }
        Ok(found)
    }

    /// One request. What is left out of its answer is not in ours.
    async fn validated(
        &self,
        conn: &Conn,
        topics: &[Asked<'_>],
    ) -> Result<HashMap<TopicName, Option<Error>>> {
        let api = IncrementalAlterConfigsRequest::API.name;
        let change = |(name, value): &(String, Option<String>)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(i8::from(value.is_none()))
                .with_value(value.as_deref().map(text))
        };
        let resource = |(name, changes): &(&TopicName, &[(String, Option<String>)])| {
            AlterConfigsResource::default()
                .with_resource_type(TOPIC)
                .with_resource_name(text(name))
                .with_configs(changes.iter().map(change).collect())
        };
        let request = IncrementalAlterConfigsRequest::default()
            .with_validate_only(true)
            .with_resources(topics.iter().map(resource).collect());
        let answer = self.ask(conn, &request).await?;
        let answers = answer.responses.into_iter().map(|one| {
            let name = TopicName::from(&*one.resource_name);
            let message = one.error_message.map(|message| message.to_string());
            let error = match one.error_code {
                0 | UNKNOWN_TOPIC_OR_PARTITION => None,
                code => Some(self.refused(conn, api, &name, None, code, message)),
            };
            (name, error)
        });
        Ok(answers.collect())
    }
}
