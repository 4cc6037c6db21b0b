//! Settings of topics and brokers.

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
};

use super::{
    Cluster, Error, Result, Target,
    pool::{Lane, text},
};
use crate::{
    model::names::TopicName,
    wire::{conn::Conn, versions::Ask},
};

/// `ConfigResource.Type`.
pub(super) const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// `ConfigEntry.ConfigSource`: set on the topic itself. A topic also lists what it has from its broker.
const SET_ON_TOPIC: [i8; 1] = [1];
/// `ConfigEntry.ConfigSource`: set on this broker while it ran, set in its file.
const SET_ON_BROKER: [i8; 2] = [2, 4];
/// Topics per request: a topic has about 30 entries of about 50 bytes.
const TOPICS_AT_ONCE: usize = 500;

/// One setting.
#[derive(Debug, Clone)]
pub struct ConfigEntry {
    /// Kafka's name for it.
    pub name: String,
    /// `None` where the broker keeps it to itself.
    pub value: Option<String>,
    /// set on the topic (or broker) itself, not inherited
    pub set_here: bool,
    /// Cannot be changed.
    pub read_only: bool,
    /// A secret.
    pub sensitive: bool,
}

impl ConfigEntry {
    fn read(entry: DescribeConfigsResourceResult, set_here: &[i8]) -> Self {
        Self {
            name: entry.name.to_string(),
            value: entry.value.map(|value| value.to_string()),
            set_here: set_here.contains(&entry.config_source),
            read_only: entry.read_only,
            sensitive: entry.is_sensitive,
        }
    }
}

impl Cluster {
    /// All configs of topics.
    pub async fn topic_configs(
        &self,
        topics: &[TopicName],
    ) -> Result<HashMap<TopicName, Vec<ConfigEntry>>> {
        let each = self.topic_configs_each(topics).await?;
        each.into_iter()
            .map(|(name, entries)| Ok((name, entries?)))
            .collect()
    }

    /// All configs of topics; one that could not be described carries its own error.
    pub async fn topic_configs_each(
        &self,
        topics: &[TopicName],
    ) -> Result<HashMap<TopicName, Result<Vec<ConfigEntry>>>> {
        let mut found = HashMap::with_capacity(topics.len());
        for some in topics.chunks(TOPICS_AT_ONCE) {
            let mut patience = self.patience(DescribeConfigsRequest::API.name);
            let mut open: Vec<TopicName> = some.to_vec();
            loop {
                let resource = |name: &TopicName| {
                    DescribeConfigsResource::default()
                        .with_resource_type(TOPIC)
                        .with_resource_name(text(name))
                };
                let resources = open.iter().map(resource).collect();
                let tried = async {
                    let conn = self.any().await?;
                    self.configs(&conn, resources).await
                };
                let error = match tried.await {
                    Err(error) => error,
                    Ok(results) => {
                        found.extend(
                            results
                                .into_iter()
                                .map(|(name, entries)| (TopicName::from(name), entries)),
                        );
                        // What passes by itself is asked again; a topic left out of the answer stays out.
                        open.retain(|name| passing(found.get(name)).is_some());
                        match open.first().and_then(|name| passing(found.get(name))) {
                            Some(error) => error.clone(),
                            None => break,
                        }
                    }
                };
                if let Err(error) = patience.after(error).await {
                    if open.iter().all(|name| found.contains_key(name)) {
                        break;
                    }
                    return Err(error);
                }
            }
        }
        Ok(found)
    }

    /// Configs of one live broker (any).
    pub async fn broker_configs(&self) -> Result<Vec<ConfigEntry>> {
        let api = DescribeConfigsRequest::API.name;
        let mut patience = self.patience(api);
        loop {
            let mut last = Error::NoBroker {
                side: self.side(),
                broker: -1,
            };
            for (broker, _) in self.inner.leaders.brokers() {
                let resource = DescribeConfigsResource::default()
                    .with_resource_type(BROKER)
                    .with_resource_name(text(&broker.to_string()));
                let tried = async {
                    let conn = self.conn(broker, Lane::Ask, api).await?;
                    self.configs(&conn, vec![resource]).await
                };
                match tried.await {
                    Ok(results) => {
                        let entries: Result<Vec<_>> =
                            results.into_iter().map(|(_, entries)| entries).collect();
                        match entries {
                            Ok(entries) => return Ok(entries.into_iter().flatten().collect()),
                            Err(error) => last = error,
                        }
                    }
                    Err(error) => last = error,
                }
            }
            if patience.after(last).await? {
                self.refresh_leaders().await?;
            }
        }
    }

    async fn configs(
        &self,
        conn: &Conn,
        resources: Vec<DescribeConfigsResource>,
    ) -> Result<Vec<(String, Result<Vec<ConfigEntry>>)>> {
        let answer = self
            .ask(
                conn,
                &DescribeConfigsRequest::default().with_resources(resources),
            )
            .await?;
        let results = answer.results.into_iter();
        Ok(results.map(|result| self.config(conn, result)).collect())
    }

    fn config(
        &self,
        conn: &Conn,
        result: DescribeConfigsResult,
    ) -> (String, Result<Vec<ConfigEntry>>) {
        let name = result.resource_name.to_string();
        if result.error_code != 0 {
            let error = Error::Kafka {
                side: self.side(),
                broker: Some(conn.address().clone()),
                api: DescribeConfigsRequest::API.name,
                topic: (result.resource_type == TOPIC).then(|| name.as_str().into()),
                partition: None,
                code: result.error_code,
                message: result.error_message.map(|message| message.to_string()),
            };
            return (name, Err(error));
        }
        let set_here: &[i8] = match result.resource_type {
            TOPIC => &SET_ON_TOPIC,
            _ => &SET_ON_BROKER,
        };
        let entries = result.configs.into_iter();
        let entries = entries.map(|entry| ConfigEntry::read(entry, set_here));
        (name, Ok(entries.collect()))
    }
}

/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// Settings and what they become; `None` gives one back to the broker.
pub type Changes = Vec<(String, Option<String>)>;

impl Target {
    /// Changes some settings of topics and leaves their others (KIP-339); `None` gives a setting back to the broker. A topic's changes are made
    /// together or not at all. One result per topic, in order.
    pub async fn alter_topics(&self, topics: &[(TopicName, Changes)]) -> Result<Vec<Result<()>>> {
        let api = IncrementalAlterConfigsRequest::API.name;
        let change = |(name, value): &(String, Option<String>)| {
            AlterableConfig::default()
                .with_name(text(name))
                .with_config_operation(if value.is_some() { SET } else { DELETE })
                .with_value(value.as_deref().map(text))
        };
        let mut done: HashMap<TopicName, Result<()>> = HashMap::with_capacity(topics.len());
        let mut patience = self.patience(api);
        loop {
            let open = topics.iter().filter(|(name, _)| {
                done.get(name)
                    .is_none_or(|answer| passing(Some(answer)).is_some())
            });
            let resource = |(name, changes): &(TopicName, Changes)| {
                AlterConfigsResource::default()
                    .with_resource_type(TOPIC)
                    .with_resource_name(text(name))
                    .with_configs(changes.iter().map(change).collect())
            };
            let request = IncrementalAlterConfigsRequest::default()
                .with_resources(open.map(resource).collect());
            let tried = async {
                let conn = self.any().await?;
                Ok((self.ask(&conn, &request).await?, conn))
            };
            let error = match tried.await {
                Err(error) => error,
                Ok((answer, conn)) => {
                    for one in answer.responses {
                        let name = TopicName::from(&*one.resource_name);
                        let result = match one.error_code {
                            0 => Ok(()),
                            code => Err(Error::Kafka {
                                side: self.side(),
                                broker: Some(conn.address().clone()),
                                api,
                                topic: Some(name.clone()),
                                partition: None,
                                code,
                                message: one.error_message.map(|message| message.to_string()),
                            }),
                        };
                        done.insert(name, result);
                    }
                    let left_out = || Error::Incomplete {
                        side: self.side(),
                        broker: conn.address().clone(),
                        api,
                        what: "a topic".to_owned(),
                    };
                    let open = topics.iter().find_map(|(name, _)| match done.get(name) {
                        None => Some(left_out()),
                        answer => passing(answer).cloned(),
                    });
                    match open {
                        Some(error) => error,
                        None => break,
                    }
                }
            };
            if let Err(error) = patience.after(error).await {
                if topics.iter().all(|(name, _)| done.contains_key(name)) {
                    break;
                }
                return Err(error);
            }
        }
        Ok(topics
            .iter()
            .map(|(name, _)| done.get(name).cloned().unwrap_or(Ok(())))
            .collect())
    }
}

/// The error of an answer that may be another one in a moment.
fn passing<T>(answer: Option<&Result<T>>) -> Option<&Error> {
    answer?
        .as_ref()
        .err()
        .filter(|error| error.passes().is_some())
}
