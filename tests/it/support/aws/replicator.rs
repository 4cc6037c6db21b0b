//! One replicator: what was asked for, where it is in its life, and what AWS's API says of it.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::desk::{iso8601, texts};

/// How long a state lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Until it was seen this often, in DescribeReplicator or ListReplicators.
    Looks(u32),
    /// Until the fake's clock has gone on so far.
    Time(Duration),
}

impl Span {
    fn is_over(self, looks: u32, age: i64) -> bool {
        match self {
            Self::Looks(most) => looks >= most,
            Self::Time(time) => age >= i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// How long the states take that pass by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    pub creating: Span,
    pub updating: Span,
    pub deleting: Span,
}

impl Default for Life {
    fn default() -> Self {
        Self {
            creating: Span::Looks(2),
            updating: Span::Looks(1),
            deleting: Span::Looks(1),
        }
    }
}

/// Why a replicator fails, and when.
#[derive(Debug, Clone)]
pub struct Failure {
    /// In CREATING, instead of the usual time.
    pub after: Span,
    pub code: String,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Creating,
    Running,
    Updating,
    Deleting,
    Failed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Running => "RUNNING",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
        }
    }
}

/// One end of a replicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A cluster of Amazon MSK.
    Msk { arn: String },
    /// Another, by its own id.
    External { id: String, bootstrap: String },
}

/// What a replicator is to do, for whoever does it.
#[derive(Debug, Clone)]
pub struct CreatedReplicator {
    pub arn: String,
    pub name: String,
    pub source: End,
    pub target: End,
    pub source_alias: String,
    pub target_alias: String,
    /// Regular expressions.
    pub topics: Vec<String>,
    pub topics_excluded: Vec<String>,
    pub groups: Vec<String>,
    pub groups_excluded: Vec<String>,
    pub from_earliest: bool,
    pub new_topics: bool,
    pub synchronise_offsets: bool,
    pub enhanced: bool,
    /// The request, with what was updated since.
    pub request: Value,
}

#[derive(Debug)]
pub struct Replicator {
    pub arn: String,
    pub request: Value,
    pub state: State,
    pub version: String,
    pub tags: BTreeMap<String, String>,
    /// Of the entries of `kafkaClusters`, in their order.
    pub aliases: Vec<String>,
    /// While it is being created: what is to go wrong.
    pub to_fail: Option<Failure>,
    pub failed: Option<(String, String)>,
    pub created: i64,
    /// Since when it is in its state.
    pub since: i64,
    /// How often it was seen in its state.
    pub looks: u32,
}

impl Replicator {
    pub fn name(&self) -> &str {
        self.request["replicatorName"].as_str().unwrap_or_default()
    }

    pub fn info(&self) -> &Value {
        &self.request["replicationInfoList"][0]
    }

    pub fn enter(&mut self, state: State, now: i64) {
        self.state = state;
        self.since = now;
        self.looks = 0;
    }

    /// Is its state over?
    pub fn is_over(&self, life: &Life, now: i64) -> bool {
        let span = match (self.state, &self.to_fail) {
            (State::Creating, Some(failure)) => failure.after,
            (State::Creating, None) => life.creating,
            (State::Updating, _) => life.updating,
            (State::Deleting, _) => life.deleting,
            (State::Running | State::Failed, _) => return false,
        };
        span.is_over(self.looks, now - self.since)
    }

    /// Which entry of `kafkaClusters` is the `source` or the `target`.
    fn end(&self, side: &str) -> usize {
        let info = self.info();
        let clusters = self.request["kafkaClusters"].as_array();
        clusters
            .into_iter()
            .flatten()
            .position(|one| {
                let arn = &one["amazonMskCluster"]["mskClusterArn"];
                let id = &one["apacheKafkaCluster"]["apacheKafkaClusterId"];
                (!arn.is_null() && *arn == info[format!("{side}KafkaClusterArn")])
                    || (!id.is_null() && *id == info[format!("{side}KafkaClusterId")])
            })
            .expect("the request was checked")
    }

    fn alias(&self, side: &str) -> &str {
        &self.aliases[self.end(side)]
    }

    pub fn created(&self) -> CreatedReplicator {
        let end = |side| {
            let one = &self.request["kafkaClusters"][self.end(side)];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let kafka = &one["apacheKafkaCluster"];
            if kafka.is_null() {
                let arn = text(&one["amazonMskCluster"]["mskClusterArn"]);
                return End::Msk { arn };
            }
            End::External {
                id: text(&kafka["apacheKafkaClusterId"]),
                bootstrap: text(&kafka["bootstrapBrokerString"]),
            }
        };
        let list = |value: &Value| texts(value).into_iter().map(str::to_owned).collect();
        let (topics, groups) = (
            &self.info()["topicReplication"],
            &self.info()["consumerGroupReplication"],
        );
        CreatedReplicator {
            arn: self.arn.clone(),
            name: self.name().to_owned(),
            source: end("source"),
            target: end("target"),
            source_alias: self.alias("source").to_owned(),
            target_alias: self.alias("target").to_owned(),
            topics: list(&topics["topicsToReplicate"]),
            topics_excluded: list(&topics["topicsToExclude"]),
            groups: list(&groups["consumerGroupsToReplicate"]),
            groups_excluded: list(&groups["consumerGroupsToExclude"]),
            from_earliest: topics["startingPosition"]["type"] == "EARLIEST",
            new_topics: topics["detectAndCopyNewTopics"] != false,
            synchronise_offsets: groups["synchroniseConsumerGroupOffsets"] != false,
            enhanced: groups["consumerGroupOffsetSyncMode"] == "ENHANCED",
            request: self.request.clone(),
        }
    }

    /// What DescribeReplicator says. AWS's own does not give an external cluster back as it was sent; `all`: it does.
    pub fn description(&self, all: bool) -> Value {
        let clusters: Vec<Value> = self.request["kafkaClusters"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(&self.aliases)
            .map(|(one, alias)| {
                let mut one = one.clone();
                if !all {
                    for key in [
                        "apacheKafkaCluster",
                        "clientAuthentication",
                        "encryptionInTransit",
                    ] {
                        one[key] = Value::Null;
                    }
                    one["vpcConfig"] = self.vpc().clone();
                }
                one["kafkaClusterAlias"] = Value::from(alias.as_str());
                one
            })
            .collect();
        let info = self.info();
        json!({
            "replicatorArn": self.arn,
            "replicatorResourceArn": self.arn,
            "replicatorName": self.name(),
            "replicatorDescription": self.request["description"],
            "replicatorState": self.state.name(),
            "stateInfo": self.failed.as_ref().map(|(code, message)| json!({ "code": code, "message": message })),
            "currentVersion": self.version,
            "creationTime": iso8601(self.created),
            "isReplicatorReference": false,
            "serviceExecutionRoleArn": self.request["serviceExecutionRoleArn"],
            "kafkaClusters": clusters,
            "replicationInfoList": [{
                "sourceKafkaClusterAlias": self.alias("source"),
                "targetKafkaClusterAlias": self.alias("target"),
                "targetCompressionType": info["targetCompressionType"],
                "topicReplication": info["topicReplication"],
                "consumerGroupReplication": info["consumerGroupReplication"],
            }],
            "logDelivery": self.request["logDelivery"],
            "tags": self.tags,
        })
    }

    fn vpc(&self) -> &Value {
        let clusters = self.request["kafkaClusters"].as_array();
        clusters
            .into_iter()
            .flatten()
            .map(|one| &one["vpcConfig"])
            .find(|vpc| !vpc.is_null())
            .unwrap_or(&Value::Null)
    }

    /// What ListReplicators says.
    pub fn summary(&self) -> Value {
        let clusters: Vec<Value> = self.request["kafkaClusters"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(&self.aliases)
            .map(|(one, alias)| json!({ "amazonMskCluster": one["amazonMskCluster"], "kafkaClusterAlias": alias }))
            .collect();
        json!({
            "replicatorArn": self.arn,
            "replicatorResourceArn": self.arn,
            "replicatorName": self.name(),
            "replicatorState": self.state.name(),
            "currentVersion": self.version,
            "creationTime": iso8601(self.created),
            "isReplicatorReference": false,
            "kafkaClustersSummary": clusters,
            "replicationInfoSummaryList": [{
                "sourceKafkaClusterAlias": self.alias("source"),
                "targetKafkaClusterAlias": self.alias("target"),
            }],
        })
    }
}
