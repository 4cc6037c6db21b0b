//! The documents that a replicator is made from, rendered from templates: compiled in, or the user's own in their place.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    lists::Lists,
    request::{Direction, KafkaCluster, LogDelivery, ReplicationInfo, Request},
    template::{Values, fill},
};
use crate::{
    error::Failure,
    exit::Exit,
    model::{
        connection::ScramHash,
        msk::{Authority, Msk, Secrets},
    },
};

const CLUSTERS: &str = "kafka-clusters.json";
const FORWARD: &str = "replication-info-forward.json";
const REVERSE: &str = "replication-info-reverse.json";
const LOGS: &str = "log-delivery.json";
const TRUST: &str = "trust-policy.json";
const REPLICATOR: &str = "replicator-policy.json";
const OPERATOR: &str = "operator-policy.json";
/// What is compiled in.
const TEMPLATES: [(&str, &str); 7] = [
    (
        CLUSTERS,
        include_str!("../../templates/msk/kafka-clusters.json"),
    ),
    (
        FORWARD,
        include_str!("../../templates/msk/replication-info-forward.json"),
    ),
    (
        REVERSE,
        include_str!("../../templates/msk/replication-info-reverse.json"),
    ),
    (LOGS, include_str!("../../templates/msk/log-delivery.json")),
    (TRUST, include_str!("../../templates/msk/trust-policy.json")),
    (
        REPLICATOR,
        include_str!("../../templates/msk/replicator-policy.json"),
    ),
    (
        OPERATOR,
        include_str!("../../templates/msk/operator-policy.json"),
    ),
];
/// The largest template that is read.
const LARGEST: u64 = 1 << 20;
/// Tags by which we know what is ours.
const TAG_MIGRATION: &str = "kafka-migrate:migration";
const TAG_ID: &str = "kafka-migrate:id";

/// What the documents need besides the migration file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The migration's name.
    pub migration: String,
    /// The migration's id, by its journal; empty before there is one.
    pub id: String,
    /// The external cluster's own id.
    pub source_cluster_id: String,
    /// From the first record there is, or from now.
    pub from_earliest: bool,
    /// Settings of topics go along.
    pub copy_configs: bool,
    /// Access rules of topics go along.
    pub copy_acls: bool,
    /// Topics and groups, as expressions.
    pub lists: Lists,
    /// The secrets.
    pub secrets: Standing,
}

/// ARNs of the secrets, complete or with `??????` for the six letters that the service adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The one with the login.
    pub login: String,
    /// The one with the certificates, where there is one.
    pub certificates: Option<String>,
}

/// Names of the secrets that we make for this migration: the one with the login, and the one with the certificates, if it has one of its own.
pub fn secret_names(migration: &str, msk: &Msk) -> (Option<String>, Option<String>) {
    let name = |what: &str| Some(format!("kafka-migrate/{migration}/{what}"));
    let has_own = matches!(msk.source_ca, Authority::Private { .. });
    match msk.secrets {
        Secrets::One => (name("login"), None),
        Secrets::Two if has_own => (name("login"), name("certificates")),
        Secrets::Two => (name("login"), None),
        Secrets::Existing { .. } => (None, None),
    }
}

impl Standing {
    /// Before anything is made: the end of a name that we give is not known.
    pub fn expected(migration: &str, msk: &Msk) -> Self {
        let arn = |name: String| {
            let cluster = &msk.cluster;
            format!(
                "arn:{}:secretsmanager:{}:{}:secret:{name}-??????",
                cluster.partition, msk.region, cluster.account
            )
        };
        let (login, certificates) = secret_names(migration, msk);
        Self::of(msk, login.map(arn), certificates.map(arn))
    }

    /// With the ARNs that the service gave to what we made.
    pub fn of(msk: &Msk, login: Option<String>, certificates: Option<String>) -> Self {
        let is_private = matches!(msk.source_ca, Authority::Private { .. });
        match &msk.secrets {
            Secrets::Existing {
                login,
                certificates,
            } => Self {
                login: login.clone(),
                certificates: certificates.clone(),
            },
            Secrets::One | Secrets::Two => {
                let login = login.unwrap_or_default();
                let own = certificates.or_else(|| is_private.then(|| login.clone()));
                Self {
                    login,
                    certificates: own,
                }
            }
        }
    }

    /// Each ARN once.
    fn arns(&self) -> Vec<&String> {
        let mut arns = vec![&self.login];
        arns.extend(self.certificates.iter().filter(|arn| **arn != self.login));
        arns
    }
}

/// All documents, rendered.
#[derive(Debug, Clone)]
pub struct Documents {
    /// What the forward replicator is asked for.
    pub forward: Request,
    /// What the reverse replicator is asked for.
    pub reverse: Request,
    /// Who may assume the role.
    pub trust: Value,
    /// What the role may do.
    pub replicator: Value,
    /// What the person who runs the tool may do.
    pub operator: Value,
    /// Templates of the user's own that were used.
    pub own: Vec<String>,
}

impl Documents {
    /// Renders all of them; a file in `directory` takes the place of the template of its name.
    pub fn render(msk: &Msk, place: &Place, directory: Option<&Path>) -> Result<Self, Failure> {
        let values = values(msk, place);
        let mut own = Vec::new();
        let mut rendered: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, compiled) in TEMPLATES {
            let text = match directory.map(|directory| read(&directory.join(name))) {
                Some(read) => read?,
                None => None,
            };
            if text.is_some() {
                own.push(name.to_owned());
            }
            let filled = fill(text.as_deref().unwrap_or(compiled), &values)
                .map_err(|why| unusable(name, &why))?;
            rendered.insert(name, filled);
        }
        let mut take = |name: &str| rendered.remove(name).unwrap_or_default();
        let clusters: Vec<KafkaCluster> = typed(CLUSTERS, take(CLUSTERS))?;
        let logs: Option<LogDelivery> = typed(LOGS, take(LOGS))?;
        let request = |direction, info: Vec<ReplicationInfo>| Request {
            replicator_name: match direction {
                Direction::Forward => msk.forward.clone(),
                Direction::Reverse => msk.reverse.clone(),
            },
            description: Some(format!("kafka-migrate: {}, {direction}", place.migration)),
            service_execution_role_arn: msk.role_arn.clone(),
            kafka_clusters: clusters.clone(),
            replication_info_list: info,
            log_delivery: logs.clone(),
            tags: tags(msk, place),
        };
        Ok(Self {
            forward: request(Direction::Forward, typed(FORWARD, take(FORWARD))?),
            reverse: request(Direction::Reverse, typed(REVERSE, take(REVERSE))?),
            trust: take(TRUST),
            replicator: with_statements(take(REPLICATOR)),
            operator: with_statements(take(OPERATOR)),
            own,
        })
    }

    /// What the replicator of that direction is asked for.
    pub fn request(&self, direction: Direction) -> &Request {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Reverse => &self.reverse,
        }
    }

    /// The files that a person may use with the AWS command line, by name.
    pub fn files(&self) -> Vec<(&'static str, Value)> {
        let json = |value: &dyn Fn() -> serde_json::Result<Value>| {
            value().expect("requests have string keys")
        };
        let mut files = vec![
            (
                CLUSTERS,
                json(&|| serde_json::to_value(&self.forward.kafka_clusters)),
            ),
            (
                FORWARD,
                json(&|| serde_json::to_value(&self.forward.replication_info_list)),
            ),
            (
                REVERSE,
                json(&|| serde_json::to_value(&self.reverse.replication_info_list)),
            ),
        ];
        if let Some(logs) = &self.forward.log_delivery {
            files.push((LOGS, json(&|| serde_json::to_value(logs))));
        }
        files.extend([
            (TRUST, self.trust.clone()),
            (REPLICATOR, self.replicator.clone()),
            (OPERATOR, self.operator.clone()),
        ]);
        files
    }
}

/// Tags of everything that this migration makes.
pub fn tags(msk: &Msk, place: &Place) -> BTreeMap<String, String> {
    let mut tags = msk.tags.clone();
    tags.insert(TAG_MIGRATION.to_owned(), place.migration.clone());
    if !place.id.is_empty() {
        tags.insert(TAG_ID.to_owned(), place.id.clone());
    }
    tags
}

/// Do these tags say that it belongs to this migration? `None`: they say nothing of any migration. `id` is that of its journal: before
/// there is one it has made nothing, and whatever bears its name is another's.
pub fn is_ours(tags: &BTreeMap<String, String>, migration: &str, id: &str) -> Option<bool> {
    let named = tags.get(TAG_MIGRATION)?;
    let same_id = !id.is_empty() && tags.get(TAG_ID).is_some_and(|tag| tag == id);
    Some(named == migration && same_id)
}

/// Do these tags name this migration, whoever made it?
pub fn names(tags: &BTreeMap<String, String>, migration: &str) -> bool {
    tags.get(TAG_MIGRATION).is_some_and(|tag| tag == migration)
}

fn values(msk: &Msk, place: &Place) -> Values {
    let cluster = &msk.cluster;
    let arn = |service: &str, what: &str| {
        format!(
            "arn:{}:{service}:{}:{}:{what}",
            cluster.partition, msk.region, cluster.account
        )
    };
    let replicator = |name: &str| arn("kafka", &format!("replicator/{name}/*"));
    let journal = cluster.inside(
        "topic",
        &format!("kafka-migrate.{}.journal", place.migration),
    );
    let mechanism = match msk.source_login.hash {
        ScramHash::Sha256 => "SHA256",
        ScramHash::Sha512 => "SHA512",
    };
    let start = if place.from_earliest {
        "EARLIEST"
    } else {
        "LATEST"
    };
    let (bucket, prefix) = match msk.logs.s3.as_deref().map(|s3| s3.split_once('/')) {
        Some(Some((bucket, prefix))) => (Some(bucket), Some(prefix)),
        Some(None) => (msk.logs.s3.as_deref(), None),
        None => (None, None),
    };
    let enabled = |is: bool| if is { json!(true) } else { Value::Null };
    let log_group = msk.logs.cloudwatch.as_deref();
    let log_group_arn = log_group.map(|group| arn("logs", &format!("log-group:{group}:*")));
    let has_logs = msk.logs != crate::model::msk::Logs::default();
    let lists = &place.lists;
    let role = format!(
        "arn:{}:iam::{}:role/aws-service-role/kafka.amazonaws.com/AWSServiceRoleForKafka*",
        cluster.partition, cluster.account
    );
    [
        ("account", json!(cluster.account)),
        ("region", json!(msk.region)),
        ("migration", json!(place.migration)),
        ("source_cluster_id", json!(place.source_cluster_id)),
        ("source_bootstrap", json!(msk.source_bootstrap.join(","))),
        ("scram_mechanism", json!(mechanism)),
        ("login_secret_arn", json!(place.secrets.login)),
        ("certificates_secret_arn", json!(place.secrets.certificates)),
        ("secret_arns", json!(place.secrets.arns())),
        ("kms_key", json!(msk.kms_key)),
        ("msk_cluster_arn", json!(cluster.to_string())),
        ("subnets", json!(msk.subnets)),
        ("security_groups", json!(msk.security_groups)),
        ("compression", json!(msk.compression.name())),
        ("start", json!(start)),
        ("copy_configs", json!(place.copy_configs)),
        ("copy_acls", json!(place.copy_acls)),
        ("topics", json!(lists.topics)),
        ("topics_to_exclude", json!(lists.topics_to_exclude)),
        // An empty list is AWS's way to say that no group is carried: it has to stand there.
        ("groups", json!(lists.groups)),
        ("groups_to_exclude", json!(lists.groups_to_exclude)),
        ("logs_to_cloudwatch", enabled(log_group.is_some())),
        ("log_group", json!(log_group)),
        ("log_group_arn", json!(log_group_arn)),
        (
            "log_delivery",
            enabled(has_logs)
                .as_bool()
                .map_or(Value::Null, |_| json!("*")),
        ),
        ("logs_to_firehose", enabled(msk.logs.firehose.is_some())),
        ("log_stream", json!(msk.logs.firehose)),
        ("logs_to_s3", enabled(bucket.is_some())),
        ("log_bucket", json!(bucket)),
        ("log_prefix", json!(prefix)),
        ("role_arn", json!(msk.role_arn)),
        ("service_role_arn", json!(role)),
        (
            "replicator_arns",
            json!([replicator(&msk.forward), replicator(&msk.reverse)]),
        ),
        ("topic_arns", json!([cluster.inside("topic", "*")])),
        ("group_arns", json!([cluster.inside("group", "*")])),
        (
            "topic_and_group_arns",
            json!([cluster.inside("topic", "*"), cluster.inside("group", "*")]),
        ),
        ("journal_arn", json!(journal)),
    ]
    .into()
}

/// A policy without the statements that were left with nothing to be about.
fn with_statements(mut policy: Value) -> Value {
    if let Some(Value::Array(statements)) = policy.get_mut("Statement") {
        statements.retain(|one| one.get("Resource").is_some());
    }
    policy
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    let name = path.display().to_string();
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(&name, &error.to_string())),
        Ok(found) if found.len() > LARGEST => {
            return Err(unusable(&name, "it is larger than 1 MiB"));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|error| unusable(&name, &error.to_string()))
}

fn typed<T: serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| unusable(name, &error.to_string()))
}

fn unusable(name: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "K320",
        format!("the template {name} cannot be used"),
    )
    .cause(why.to_owned())
    .hint("the keys are those that the AWS command line reads, such as SourceKafkaClusterId")
    .hint("without a file of your own the one that is compiled in is used")
}

#[cfg(test)]
pub(crate) mod tests;
