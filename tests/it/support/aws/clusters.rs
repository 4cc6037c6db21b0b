//! Amazon MSK clusters, as a test describes them, and what AWS's API says of them.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    desk::{Answer, Desk, iso8601, number_or},
    refusal::Refusal,
};

/// A cluster. Every field can be set before it is added.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: String,
    /// `None`: a serverless one.
    pub instance_type: Option<String>,
    pub kafka_version: String,
    pub brokers: usize,
    /// IAM access control.
    pub iam: bool,
    pub scram: bool,
    pub state: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub monitoring: String,
    /// Under the names of GetBootstrapBrokers, `bootstrapBrokerStringSaslIam` and so on.
    pub bootstrap: BTreeMap<String, String>,
    /// `server.properties` of its configuration.
    pub configuration: Option<String>,
    pub tags: BTreeMap<String, String>,
    arn: String,
    created: i64,
    version: String,
}

impl Cluster {
    /// A provisioned cluster of three Express brokers, with IAM.
    pub fn express(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            instance_type: Some("express.m7g.large".to_owned()),
            kafka_version: "3.9.x".to_owned(),
            brokers: 3,
            iam: true,
            scram: false,
            state: "ACTIVE".to_owned(),
            subnets: (1..=3).map(|at| format!("subnet-0{at}")).collect(),
            security_groups: vec!["sg-01".to_owned()],
            monitoring: "DEFAULT".to_owned(),
            bootstrap: BTreeMap::new(),
            configuration: None,
            tags: BTreeMap::new(),
            arn: String::new(),
            created: 0,
            version: String::new(),
        }
    }

    /// A provisioned cluster of three Standard brokers, with IAM.
    pub fn standard(name: &str) -> Self {
        Self {
            instance_type: Some("kafka.m7g.large".to_owned()),
            kafka_version: "3.8.x".to_owned(),
            ..Self::express(name)
        }
    }

    /// A serverless cluster.
    pub fn serverless(name: &str) -> Self {
        Self {
            instance_type: None,
            ..Self::express(name)
        }
    }

    /// With this bootstrap string for clients that log in by IAM.
    #[must_use]
    pub fn reached_at(mut self, bootstrap: &str) -> Self {
        let key = "bootstrapBrokerStringSaslIam".to_owned();
        self.bootstrap.insert(key, bootstrap.to_owned());
        self
    }

    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What Amazon MSK Replicator calls it: its name and the last part of its id.
    pub fn alias(&self) -> String {
        let id = self.arn.rsplit('/').next().unwrap_or_default();
        let parts: Vec<&str> = id.split('-').collect();
        let last = parts.get(parts.len().saturating_sub(2)).unwrap_or(&id);
        format!("{}-{last}", self.name)
    }

    fn configuration_arn(&self) -> Option<String> {
        self.configuration.as_ref()?;
        Some(self.arn.replacen(":cluster/", ":configuration/", 1))
    }

    fn output(&self) -> Value {
        let provisioned = self.instance_type.as_ref().map(|instance| {
            json!({
                "brokerNodeGroupInfo": {
                    "brokerAZDistribution": "DEFAULT",
                    "clientSubnets": self.subnets,
                    "securityGroups": self.security_groups,
                    "instanceType": instance,
                    "connectivityInfo": { "publicAccess": { "type": "DISABLED" } },
                },
                "clientAuthentication": { "sasl": {
                    "iam": { "enabled": self.iam },
                    "scram": { "enabled": self.scram },
                } },
                "currentBrokerSoftwareInfo": {
                    "kafkaVersion": self.kafka_version,
                    "configurationArn": self.configuration_arn(),
                    "configurationRevision": self.configuration.as_ref().map(|_| 1),
                },
                "encryptionInfo": { "encryptionInTransit": {
                    "clientBroker": "TLS",
                    "inCluster": true,
                } },
                "enhancedMonitoring": self.monitoring,
                "numberOfBrokerNodes": self.brokers,
                "storageMode": "LOCAL",
                "customerActionStatus": "NONE",
            })
        });
        let serverless = provisioned.is_none().then(|| {
            json!({
                "vpcConfigs": [{ "subnetIds": self.subnets, "securityGroupIds": self.security_groups }],
                "clientAuthentication": { "sasl": { "iam": { "enabled": true } } },
            })
        });
        json!({
            "clusterArn": self.arn,
            "clusterName": self.name,
            "clusterType": if provisioned.is_some() { "PROVISIONED" } else { "SERVERLESS" },
            "creationTime": iso8601(self.created),
            "currentVersion": self.version,
            "state": self.state,
            "tags": self.tags,
            "provisioned": provisioned,
            "serverless": serverless,
        })
    }
}

/// The clusters of a region, by ARN.
#[derive(Debug, Default)]
pub struct Clusters(BTreeMap<String, Cluster>);

impl Clusters {
    /// Adds one; answers its ARN.
    pub fn add(&mut self, mut cluster: Cluster, desk: &mut Desk) -> String {
        let digit = desk.id("23456789", 1);
        cluster.arn = format!(
            "arn:aws:kafka:{}:{}:cluster/{}/{}-{digit}",
            desk.region,
            super::ACCOUNT,
            cluster.name,
            uuid::Uuid::new_v4(),
        );
        cluster.created = desk.now();
        cluster.version = desk.version();
        let arn = cluster.arn.clone();
        self.0.insert(arn.clone(), cluster);
        arn
    }

    pub fn get_mut(&mut self, arn: &str) -> Option<&mut Cluster> {
        self.0.get_mut(arn)
    }

    pub fn find(&self, arn: &Value) -> Result<&Cluster, Refusal> {
        let arn = arn.as_str().unwrap_or_default();
        if !arn.contains(":cluster/") {
            return Err(Refusal::parameter(
                "clusterArn",
                "One or more of the parameters are not valid: this is no ARN of a cluster.",
            ));
        }
        self.0.get(arn).ok_or_else(|| Refusal {
            parameter: Some("clusterArn".to_owned()),
            ..Refusal::of(
                "NotFoundException",
                format!("The cluster {arn} is not found."),
            )
        })
    }

    pub fn tags_of(&mut self, arn: &str) -> Option<&mut BTreeMap<String, String>> {
        self.0.get_mut(arn).map(|cluster| &mut cluster.tags)
    }

    pub fn describe(&self, input: &Value) -> Answer {
        Ok(json!({ "clusterInfo": self.find(&input["clusterArn"])?.output() }))
    }

    pub fn list(&self, desk: &Desk, input: &Value) -> Answer {
        let prefix = input["clusterNameFilter"].as_str().unwrap_or_default();
        let all: Vec<Value> = self
            .0
            .values()
            .filter(|cluster| cluster.name.starts_with(prefix))
            .map(Cluster::output)
            .filter(|output| {
                let wanted = &input["clusterTypeFilter"];
                wanted.is_null() || *wanted == output["clusterType"]
            })
            .collect();
        let most = number_or(input, "maxResults", 100);
        let (page, next) = desk
            .page(all, input["nextToken"].as_str(), most)
            .ok_or_else(|| Refusal::parameter("nextToken", "The token is not valid."))?;
        Ok(json!({ "clusterInfoList": page, "nextToken": next }))
    }

    pub fn bootstrap(&self, input: &Value) -> Answer {
        Ok(json!(self.find(&input["clusterArn"])?.bootstrap))
    }

    fn configured(&self, input: &Value) -> Result<(&Cluster, &str), Refusal> {
        self.0
            .values()
            .filter(|cluster| cluster.configuration_arn().as_deref() == input["arn"].as_str())
            .find_map(|cluster| Some((cluster, cluster.configuration.as_deref()?)))
            .ok_or_else(|| Refusal::of("NotFoundException", "The configuration is not found."))
    }

    pub fn configuration(&self, input: &Value) -> Answer {
        let (cluster, _) = self.configured(input)?;
        let created = iso8601(cluster.created);
        Ok(json!({
            "arn": input["arn"],
            "name": cluster.name,
            "creationTime": created,
            "kafkaVersions": [cluster.kafka_version],
            "latestRevision": { "revision": 1, "creationTime": created },
            "state": "ACTIVE",
        }))
    }

    pub fn revision(&self, input: &Value) -> Answer {
        let (cluster, properties) = self.configured(input)?;
        if input["revision"] != 1 {
            let message = "The revision is not found.";
            return Err(Refusal::of("NotFoundException", message));
        }
        Ok(json!({
            "arn": input["arn"],
            "revision": 1,
            "creationTime": iso8601(cluster.created),
            "serverProperties": STANDARD.encode(properties),
        }))
    }
}
