//! The replicators of a region: made, described, listed, changed, removed; and what becomes of them as time goes by.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{
    clusters::Clusters,
    desk::{Answer, Desk, number_or},
    limits,
    logs::Logs,
    refusal::Refusal,
    replicator::{CreatedReplicator, Failure, Life, Replicator, State},
    secrets::Secrets,
};

/// What becomes of a replicator, for whoever does its work.
#[derive(Debug)]
pub enum Turn {
    Begins(CreatedReplicator),
    Changes(CreatedReplicator),
    Ends(String),
}

/// Most replicators of an account in a region.
const MOST: usize = 15;

#[derive(Debug, Default)]
pub struct Replicators {
    all: BTreeMap<String, Replicator>,
    /// External clusters have names of their own, which nothing tells beforehand.
    external: HashMap<String, String>,
    pub life: Life,
    /// By the name of the replicator that is to fail.
    pub failures: HashMap<String, Failure>,
    /// Does Describe say all of external clusters?
    pub describes_all: bool,
    /// Turns that nobody was told of yet.
    pub turns: Vec<Turn>,
}

/// What else a region holds that replicators rest on.
pub struct Around<'a> {
    pub clusters: &'a Clusters,
    pub secrets: &'a Secrets,
    pub logs: &'a Logs,
}

impl Around<'_> {
    /// Why a replicator cannot start, as AWS finds out only while it creates it.
    fn obstacle(&self, request: &Value) -> Option<String> {
        for one in request["kafkaClusters"].as_array()? {
            let msk = &one["amazonMskCluster"]["mskClusterArn"];
            if let Ok(cluster) = self.clusters.find(msk) {
                if cluster.instance_type.is_none() {
                    return Some(format!("The cluster {msk} is not provisioned."));
                }
                if !cluster.iam {
                    return Some(format!("The cluster {msk} has no IAM access control."));
                }
                continue;
            }
            let scram = &one["clientAuthentication"]["saslScram"]["secretArn"];
            let authority = &one["encryptionInTransit"]["rootCaCertificate"];
            let wanted: [(&Value, &[&str]); 2] = [
                (scram, &["username", "password"]),
                (authority, &["certificate"]),
            ];
            for (arn, keys) in wanted {
                let Some(arn) = arn.as_str() else { continue };
                let value = self.secrets.current(arn);
                let Some(value) = value.and_then(|text| serde_json::from_str::<Value>(text).ok())
                else {
                    return Some(format!("The secret {arn} cannot be read."));
                };
                if let Some(key) = keys.iter().find(|key| !value[**key].is_string()) {
                    return Some(format!("The secret {arn} has no {key}."));
                }
            }
        }
        None
    }
}

impl Replicators {
    pub fn create(&mut self, around: &Around<'_>, desk: &mut Desk, input: &Value) -> Answer {
        limits::create(input)?;
        let mut aliases = Vec::new();
        for one in input["kafkaClusters"].as_array().into_iter().flatten() {
            let msk = &one["amazonMskCluster"]["mskClusterArn"];
            if msk.is_null() {
                let id = one["apacheKafkaCluster"]["apacheKafkaClusterId"].as_str();
                let id = id.unwrap_or_default().to_owned();
                let alias = self
                    .external
                    .entry(id)
                    .or_insert_with(|| format!("external-{}", desk.id("0123456789abcdef", 8)));
                aliases.push(alias.clone());
            } else {
                aliases.push(around.clusters.find(msk)?.alias());
            }
        }
        let logs = &input["logDelivery"]["replicatorLogDelivery"]["cloudWatchLogs"]["logGroup"];
        if let Some(group) = logs.as_str()
            && !around.logs.has(group)
        {
            let message = format!("The log group {group} does not exist.");
            return Err(Refusal::parameter("logGroup", message));
        }
        let name = input["replicatorName"].as_str().unwrap_or_default();
        if self.all.values().any(|other| other.name() == name) {
            return Err(Refusal {
                parameter: Some("replicatorName".to_owned()),
                ..Refusal::of(
                    "ConflictException",
                    format!("There is a replicator of the name {name}."),
                )
            });
        }
        if self.all.len() >= MOST {
            let message = format!("There are {MOST} replicators.");
            return Err(Refusal::of("TooManyRequestsException", message));
        }
        let digit = desk.id("23456789", 1);
        let arn = format!(
            "arn:aws:kafka:{}:{}:replicator/{name}/{}-{digit}",
            desk.region,
            super::ACCOUNT,
            uuid::Uuid::new_v4(),
        );
        let tags = input["tags"].as_object().into_iter().flatten();
        let replicator = Replicator {
            arn: arn.clone(),
            request: input.clone(),
            state: State::Creating,
            version: desk.version(),
            tags: tags
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            aliases,
            to_fail: self.failures.remove(name),
            failed: None,
            created: desk.now(),
            since: desk.now(),
            looks: 0,
        };
        self.all.insert(arn.clone(), replicator);
        Ok(json!({
            "replicatorArn": arn,
            "replicatorName": name,
            "replicatorState": "CREATING",
        }))
    }

    /// Lets every replicator go on whose state is over.
    pub fn settle(&mut self, around: &Around<'_>, desk: &mut Desk) {
        let now = desk.now();
        let mut gone = Vec::new();
        for replicator in self.all.values_mut() {
            if !replicator.is_over(&self.life, now) {
                continue;
            }
            match replicator.state {
                State::Creating => {
                    let scripted = replicator.to_fail.take();
                    let failed = scripted.map(|failure| (failure.code, failure.message));
                    replicator.failed = failed.or_else(|| {
                        let why = around.obstacle(&replicator.request)?;
                        Some(("REPLICATOR_CREATION_FAILED".to_owned(), why))
                    });
                    if replicator.failed.is_some() {
                        replicator.enter(State::Failed, now);
                    } else {
                        replicator.enter(State::Running, now);
                        self.turns.push(Turn::Begins(replicator.created()));
                    }
                    replicator.version = desk.version();
                }
                State::Updating => {
                    replicator.enter(State::Running, now);
                    replicator.version = desk.version();
                    self.turns.push(Turn::Changes(replicator.created()));
                }
                State::Deleting => gone.push(replicator.arn.clone()),
                State::Running | State::Failed => {}
            }
        }
        for arn in gone {
            self.all.remove(&arn);
        }
    }

    fn find(&mut self, arn: &Value) -> Result<&mut Replicator, Refusal> {
        let arn = arn.as_str().unwrap_or_default();
        if !arn.contains(":replicator/") {
            return Err(Refusal::parameter(
                "replicatorArn",
                "One or more of the parameters are not valid: this is no ARN of a replicator.",
            ));
        }
        self.all.get_mut(arn).ok_or_else(|| Refusal {
            parameter: Some("replicatorArn".to_owned()),
            ..Refusal::of(
                "NotFoundException",
                format!("The replicator {arn} is not found."),
            )
        })
    }

    pub fn describe(&mut self, input: &Value) -> Answer {
        let all = self.describes_all;
        let replicator = self.find(&input["replicatorArn"])?;
        replicator.looks += 1;
        Ok(replicator.description(all))
    }

    pub fn list(&mut self, desk: &Desk, input: &Value) -> Answer {
        let prefix = input["replicatorNameFilter"].as_str().unwrap_or_default();
        let mut items = Vec::new();
        for replicator in self.all.values_mut() {
            if replicator.name().starts_with(prefix) {
                replicator.looks += 1;
                items.push(replicator.summary());
            }
        }
        let most = number_or(input, "maxResults", 100);
        let (page, next) = desk
            .page(items, input["nextToken"].as_str(), most)
            .ok_or_else(|| Refusal::parameter("nextToken", "The token is not valid."))?;
        Ok(json!({ "replicators": page, "nextToken": next }))
    }

    pub fn update(&mut self, around: &Around<'_>, desk: &Desk, input: &Value) -> Answer {
        limits::update(input)?;
        let logs = &input["logDelivery"]["replicatorLogDelivery"]["cloudWatchLogs"]["logGroup"];
        if logs.as_str().is_some_and(|group| !around.logs.has(group)) {
            return Err(Refusal::parameter(
                "logGroup",
                "There is no such log group.",
            ));
        }
        let replicator = self.find(&input["replicatorArn"])?;
        for key in [
            "sourceKafkaClusterArn",
            "sourceKafkaClusterId",
            "targetKafkaClusterArn",
            "targetKafkaClusterId",
        ] {
            if input[key] != replicator.info()[key] {
                let message = format!("{key} is not the replicator's.");
                return Err(Refusal::parameter(key, message));
            }
        }
        current(replicator, &input["currentVersion"])?;
        if replicator.state != State::Running {
            return Err(busy(replicator));
        }
        for part in ["topicReplication", "consumerGroupReplication"] {
            for (key, value) in input[part].as_object().into_iter().flatten() {
                replicator.request["replicationInfoList"][0][part][key] = value.clone();
            }
        }
        if !input["logDelivery"].is_null() {
            replicator.request["logDelivery"] = input["logDelivery"].clone();
        }
        replicator.enter(State::Updating, desk.now());
        Ok(json!({ "replicatorArn": replicator.arn, "replicatorState": "UPDATING" }))
    }

    pub fn delete(&mut self, desk: &Desk, input: &Value) -> Answer {
        let replicator = self.find(&input["replicatorArn"])?;
        if !input["currentVersion"].is_null() {
            current(replicator, &input["currentVersion"])?;
        }
        if !matches!(replicator.state, State::Running | State::Failed) {
            return Err(busy(replicator));
        }
        let ran = replicator.state == State::Running;
        replicator.enter(State::Deleting, desk.now());
        let arn = replicator.arn.clone();
        if ran {
            self.turns.push(Turn::Ends(arn.clone()));
        }
        Ok(json!({ "replicatorArn": arn, "replicatorState": "DELETING" }))
    }

    /// A running replicator fails now.
    pub fn fail(&mut self, name: &str, code: &str, message: &str, now: i64) {
        let replicator = self.all.values_mut().find(|one| one.name() == name);
        let replicator = replicator.unwrap_or_else(|| panic!("there is no replicator {name}"));
        replicator.failed = Some((code.to_owned(), message.to_owned()));
        replicator.enter(State::Failed, now);
        self.turns.push(Turn::Ends(replicator.arn.clone()));
    }

    pub fn tags_of(&mut self, arn: &str) -> Option<&mut BTreeMap<String, String>> {
        self.all.get_mut(arn).map(|replicator| &mut replicator.tags)
    }

    /// Name, ARN and state of each.
    pub fn states(&self) -> Vec<(String, String, &'static str)> {
        self.all
            .values()
            .map(|one| (one.name().to_owned(), one.arn.clone(), one.state.name()))
            .collect()
    }

    pub fn created(&self, name: &str) -> Option<CreatedReplicator> {
        let mut all = self.all.values();
        all.find(|one| one.name() == name).map(Replicator::created)
    }
}

fn current(replicator: &Replicator, version: &Value) -> Result<(), Refusal> {
    if *version == replicator.version.as_str() {
        return Ok(());
    }
    Err(Refusal::parameter(
        "currentVersion",
        "The replicator has another version now.",
    ))
}

fn busy(replicator: &Replicator) -> Refusal {
    Refusal::of(
        "BadRequestException",
        format!(
            "The replicator is in state {}; this cannot be done now.",
            replicator.state.name()
        ),
    )
}
