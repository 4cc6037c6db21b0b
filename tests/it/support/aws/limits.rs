//! What AWS's models do not say and CreateReplicator and UpdateReplicationInfo refuse all the same: CloudFormation's limits of
//! `AWS::MSK::Replicator`, and which parameters go together. This list is ours, not AWS's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{desk::texts, refusal::Refusal, validate::matches_whole};

type Checked = Result<(), Refusal>;

fn refuse(parameter: &str, message: impl Into<String>) -> Checked {
    Err(Refusal::parameter(parameter, message))
}

/// Exactly one of `keys` is there; answers which.
fn one_of<'a>(object: &Value, keys: &[&'a str]) -> Result<&'a str, Refusal> {
    let there: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|key| !object[*key].is_null())
        .collect();
    match there[..] {
        [one] => Ok(one),
        _ => Err(Refusal::parameter(
            keys[0],
            format!("Exactly one of {} is needed.", keys.join(", ")),
        )),
    }
}

fn length(list: &Value, parameter: &str, min: usize, max: usize) -> Checked {
    let count = list.as_array().map_or(0, Vec::len);
    if (min..=max).contains(&count) {
        return Ok(());
    }
    refuse(
        parameter,
        format!("{parameter} takes {min} to {max} items; there are {count}."),
    )
}

fn arn(text: &Value, service: &str, parameter: &str) -> Checked {
    let text = text.as_str().unwrap_or_default();
    let pattern = format!("arn:(aws|aws-us-gov|aws-cn):{service}:.+");
    if matches_whole(&pattern, text) {
        return Ok(());
    }
    refuse(parameter, format!("{text:?} is no ARN of {service}."))
}

/// Everything about a request to create a replicator that does not rest on what there is.
pub fn create(input: &Value) -> Checked {
    arn(
        &input["serviceExecutionRoleArn"],
        "iam",
        "serviceExecutionRoleArn",
    )?;
    length(&input["kafkaClusters"], "kafkaClusters", 2, 2)?;
    length(&input["replicationInfoList"], "replicationInfoList", 1, 1)?;
    let clusters = input["kafkaClusters"].as_array().expect("two were counted");
    for one in clusters {
        cluster(one)?;
    }
    if clusters.iter().all(|one| one["amazonMskCluster"].is_null()) {
        return refuse("kafkaClusters", "One cluster has to be of Amazon MSK.");
    }
    let info = &input["replicationInfoList"][0];
    ends(info, clusters)?;
    topics(&info["topicReplication"], false)?;
    groups(&info["consumerGroupReplication"], false)?;
    enhanced(info)?;
    log_delivery(&input["logDelivery"])?;
    tags(&input["tags"])
}

fn cluster(cluster: &Value) -> Checked {
    match one_of(cluster, &["amazonMskCluster", "apacheKafkaCluster"])? {
        "amazonMskCluster" => {
            let msk = &cluster["amazonMskCluster"];
            arn(&msk["mskClusterArn"], "kafka", "mskClusterArn")?;
            if cluster["vpcConfig"].is_null() {
                return refuse("vpcConfig", "The MSK cluster's entry needs vpcConfig.");
            }
            for key in ["clientAuthentication", "encryptionInTransit"] {
                if !cluster[key].is_null() {
                    return refuse(key, format!("{key} is for external clusters only."));
                }
            }
        }
        _ => external(cluster)?,
    }
    let vpc = &cluster["vpcConfig"];
    if vpc.is_null() {
        return Ok(());
    }
    length(&vpc["subnetIds"], "subnetIds", 2, 3)?;
    if !vpc["securityGroupIds"].is_null() {
        length(&vpc["securityGroupIds"], "securityGroupIds", 1, 16)?;
    }
    for key in ["subnetIds", "securityGroupIds"] {
        let list = texts(&vpc[key]);
        if list.iter().collect::<BTreeSet<_>>().len() != list.len() {
            return refuse(key, format!("{key} names something twice."));
        }
    }
    Ok(())
}

fn external(cluster: &Value) -> Checked {
    let kafka = &cluster["apacheKafkaCluster"];
    let bootstrap = kafka["bootstrapBrokerString"].as_str().unwrap_or_default();
    if !matches_whole(r"[^\s:,/]+:[0-9]{1,5}(,[^\s:,/]+:[0-9]{1,5})*", bootstrap) {
        return refuse(
            "bootstrapBrokerString",
            format!("{bootstrap:?} is not host:port,host:port."),
        );
    }
    if kafka["apacheKafkaClusterId"] == "" {
        return refuse("apacheKafkaClusterId", "The cluster's id is empty.");
    }
    let login = &cluster["clientAuthentication"];
    if login.is_null() {
        return refuse(
            "clientAuthentication",
            "An external cluster's entry needs clientAuthentication.",
        );
    }
    let transit = &cluster["encryptionInTransit"];
    if transit.is_null() {
        return refuse(
            "encryptionInTransit",
            "An external cluster's entry needs encryptionInTransit.",
        );
    }
    let authority = &transit["rootCaCertificate"];
    if !authority.is_null() {
        arn(authority, "secretsmanager", "rootCaCertificate")?;
    }
    match one_of(login, &["saslScram", "mTLS", "saslOAuthBearer"])? {
        "saslOAuthBearer" => oauth(&login["saslOAuthBearer"]),
        kind => arn(&login[kind]["secretArn"], "secretsmanager", "secretArn"),
    }
}

fn oauth(login: &Value) -> Checked {
    let kind = one_of(
        login,
        &[
            "clientCredentials",
            "iamJwtBearer",
            "clientCredentialsAssertion",
        ],
    )?;
    let none = login["tokenEndpointAuthenticationMethod"] == "NONE";
    match kind {
        "clientCredentials" if none => refuse(
            "tokenEndpointAuthenticationMethod",
            "clientCredentials takes POST or BASIC.",
        ),
        "clientCredentialsAssertion" if !none => refuse(
            "tokenEndpointAuthenticationMethod",
            "clientCredentialsAssertion takes NONE.",
        ),
        _ => Ok(()),
    }
}

/// Which cluster is the source and which the target, each named as its entry names it.
fn ends(info: &Value, clusters: &[Value]) -> Checked {
    for (arn, id) in [
        ("sourceKafkaClusterArn", "sourceKafkaClusterId"),
        ("targetKafkaClusterArn", "targetKafkaClusterId"),
    ] {
        let key = one_of(info, &[arn, id])?;
        let known = clusters.iter().any(|one| {
            info[key]
                == if key == arn {
                    &one["amazonMskCluster"]["mskClusterArn"]
                } else {
                    &one["apacheKafkaCluster"]["apacheKafkaClusterId"]
                }
                .clone()
        });
        if !known {
            return refuse(key, format!("{key} is none of kafkaClusters."));
        }
    }
    let same = |one: &str, other: &str| !info[one].is_null() && info[one] == info[other];
    if same("sourceKafkaClusterArn", "targetKafkaClusterArn")
        || same("sourceKafkaClusterId", "targetKafkaClusterId")
    {
        return refuse("targetKafkaClusterArn", "Source and target are the same.");
    }
    Ok(())
}

fn patterns(list: &Value, parameter: &str) -> Checked {
    for text in texts(list) {
        if text.is_empty() || regex_lite::Regex::new(text).is_err() {
            return refuse(parameter, format!("{text:?} is no regular expression."));
        }
    }
    Ok(())
}

fn lists(object: &Value, wanted: (&str, usize), unwanted: &str, empty_is_fine: bool) -> Checked {
    length(&object[wanted.0], wanted.0, wanted.1, 100)?;
    patterns(&object[wanted.0], wanted.0)?;
    if !object[unwanted].is_null() {
        length(
            &object[unwanted],
            unwanted,
            usize::from(!empty_is_fine),
            100,
        )?;
        patterns(&object[unwanted], unwanted)?;
    }
    Ok(())
}

fn topics(topics: &Value, update: bool) -> Checked {
    lists(topics, ("topicsToReplicate", 1), "topicsToExclude", update)
}

fn groups(groups: &Value, update: bool) -> Checked {
    lists(
        groups,
        ("consumerGroupsToReplicate", 0),
        "consumerGroupsToExclude",
        update,
    )
}

fn enhanced(info: &Value) -> Checked {
    let groups = &info["consumerGroupReplication"];
    if groups["consumerGroupOffsetSyncMode"] != "ENHANCED" {
        return Ok(());
    }
    if info["topicReplication"]["topicNameConfiguration"]["type"] != "IDENTICAL" {
        return refuse(
            "topicNameConfiguration",
            "ENHANCED needs topicNameConfiguration of type IDENTICAL.",
        );
    }
    if groups["synchroniseConsumerGroupOffsets"] == false {
        return refuse(
            "synchroniseConsumerGroupOffsets",
            "ENHANCED needs synchroniseConsumerGroupOffsets.",
        );
    }
    Ok(())
}

fn log_delivery(logs: &Value) -> Checked {
    for (kind, name) in [
        ("cloudWatchLogs", "logGroup"),
        ("firehose", "deliveryStream"),
        ("s3", "bucket"),
    ] {
        let one = &logs["replicatorLogDelivery"][kind];
        let enabled = one["enabled"] == true;
        let there = one[name].as_str().is_some_and(|name| !name.is_empty());
        if enabled && !there {
            return refuse(name, format!("{kind} is enabled and has no {name}."));
        }
        if !enabled && !one[name].is_null() {
            return refuse(name, format!("{kind} is not enabled and has a {name}."));
        }
    }
    let group = &logs["replicatorLogDelivery"]["cloudWatchLogs"]["logGroup"];
    if group.as_str().is_some_and(|name| name.starts_with("arn:")) {
        return refuse("logGroup", "logGroup is a name, not an ARN.");
    }
    Ok(())
}

/// Tags of a replicator, or those that are added.
pub fn tags(tags: &Value) -> Checked {
    let tags = tags.as_object();
    if tags.is_some_and(|tags| tags.len() > 50) {
        return refuse("tags", "There are more than 50 tags.");
    }
    for (key, value) in tags.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let fits = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if !fits || key.to_lowercase().starts_with("aws:") {
            return refuse("tags", format!("The tag {key:?} is not valid."));
        }
    }
    Ok(())
}

/// Everything about a request to change a replicator that does not rest on what there is.
pub fn update(input: &Value) -> Checked {
    one_of(input, &["sourceKafkaClusterArn", "sourceKafkaClusterId"])?;
    one_of(input, &["targetKafkaClusterArn", "targetKafkaClusterId"])?;
    let parts = [
        "topicReplication",
        "consumerGroupReplication",
        "logDelivery",
    ];
    if parts.iter().all(|part| input[*part].is_null()) {
        return refuse("topicReplication", "There is nothing to update.");
    }
    if !input["topicReplication"].is_null() {
        topics(&input["topicReplication"], true)?;
    }
    if !input["consumerGroupReplication"].is_null() {
        groups(&input["consumerGroupReplication"], true)?;
    }
    log_delivery(&input["logDelivery"])
}
