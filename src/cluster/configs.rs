//! Settings of topics and brokers.

use std::collections::HashMap;

use kafka_protocol::messages::{
    DescribeConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
};

use super::{
    Cluster, Error, Result,
    pool::{Lane, text},
};
use crate::{
    model::names::TopicName,
    wire::{conn::Conn, versions::Ask},
};

/// `ConfigResource.Type`.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// `ConfigEntry.ConfigSource`: set on the topic, set on this broker while it ran, set in its file.
const SET_HERE: [i8; 3] = [1, 2, 4];
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

impl From<DescribeConfigsResourceResult> for ConfigEntry {
    fn from(entry: DescribeConfigsResourceResult) -> Self {
        Self {
            name: entry.name.to_string(),
            value: entry.value.map(|value| value.to_string()),
            set_here: SET_HERE.contains(&entry.config_source),
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
        let mut found = HashMap::with_capacity(topics.len());
        for some in topics.chunks(TOPICS_AT_ONCE) {
            let mut patience = self.patience(DescribeConfigsRequest::API.name);
            let resources: Vec<_> = some
                .iter()
                .map(|name| {
                    DescribeConfigsResource::default()
                        .with_resource_type(TOPIC)
                        .with_resource_name(text(name))
                })
                .collect();
            loop {
                let tried = async {
                    let conn = self.any().await?;
                    self.configs(&conn, resources.clone()).await
                };
                match tried.await {
                    Ok(results) => {
                        found.extend(
                            results
                                .into_iter()
                                .map(|(name, entries)| (TopicName::from(name), entries)),
                        );
                        break;
                    }
                    Err(error) => patience.after(error).await?,
                };
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
                        return Ok(results
                            .into_iter()
                            .flat_map(|(_, entries)| entries)
                            .collect());
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
    ) -> Result<Vec<(String, Vec<ConfigEntry>)>> {
        let answer = self
            .ask(
                conn,
                &DescribeConfigsRequest::default().with_resources(resources),
            )
            .await?;
        answer
            .results
            .into_iter()
            .map(|result| self.config(conn, result))
            .collect()
    }

    fn config(
        &self,
        conn: &Conn,
        result: DescribeConfigsResult,
    ) -> Result<(String, Vec<ConfigEntry>)> {
        let name = result.resource_name.to_string();
        if result.error_code != 0 {
            return Err(Error::Kafka {
                side: self.side(),
                broker: Some(conn.address().clone()),
                api: DescribeConfigsRequest::API.name,
                topic: (result.resource_type == TOPIC).then(|| name.into()),
                partition: None,
                code: result.error_code,
                message: result.error_message.map(|message| message.to_string()),
            });
        }
        Ok((
            name,
            result.configs.into_iter().map(ConfigEntry::from).collect(),
        ))
    }
}
