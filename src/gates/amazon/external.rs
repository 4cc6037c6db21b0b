//! The external cluster as a replicator meets it, and what it is told in secrets.

use super::{amazon, told};
use crate::{
    cluster::{Operation, Operations},
    gates::{Asked, CannotLook, Finding, fresh, quoted, some_of},
    model::{limits::Limits, numbers},
    observe::{ListenerSeen, Observation},
};

/// Of every topic: the union of what AWS's own texts ask for.
const OF_TOPICS: [Operation; 7] = [
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::Alter,
    Operation::AlterConfigs,
];
/// Of the cluster.
const OF_CLUSTER: [Operation; 6] = [
    Operation::Create,
    Operation::ClusterAction,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::IdempotentWrite,
    Operation::Alter,
];

fn listener(seen: &Observation) -> Result<&ListenerSeen, CannotLook> {
    told(&amazon(seen)?.listener).map(|listener| &**listener)
}

/// G308.
pub fn replicator_logs_in(seen: &Observation, _: &Limits) -> Asked {
    let asked = &amazon(seen)?.asked;
    let listener = listener(seen)?;
    let trust = match asked.public_authority {
        true => "the system's authorities",
        false => "the authority of `msk.source_ca` alone",
    };
    if let Some(trouble) = &listener.cluster.trouble {
        return Ok(Finding::block(format!("{} at {}", trouble.message, asked.bootstrap.join(", ")))
            .of(trouble.hint.clone())
            .fix("MSK Replicator needs a listener with SASL_SSL and SCRAM on every broker, and the whole chain of its certificates")
            .run(listener_lines()));
    }
    let brokers = fresh(&listener.cluster.brokers)?;
    let bad: Vec<String> = brokers
        .iter()
        .filter_map(|one| {
            Some(format!(
                "{}: {}",
                one.address,
                one.trouble.as_ref()?.message
            ))
        })
        .collect();
    let evidence = format!(
        "{}/{} brokers as {} ({}), trusting {trust}",
        brokers.len() - bad.len(),
        brokers.len(),
        asked.user,
        listener.cluster.mechanism
    );
    match bad.is_empty() {
        true => Ok(Finding::pass(evidence)),
        false => Ok(Finding::block(evidence)
            .of(bad)
            .fix("every broker needs the listener, with a certificate of that authority")),
    }
}

/// What a broker's file needs for such a listener.
fn listener_lines() -> Vec<String> {
    [
        "listeners=…,REPLICATOR://:9096",
        "advertised.listeners=…,REPLICATOR://HOST:9096",
        "listener.security.protocol.map=…,REPLICATOR:SASL_SSL",
        "listener.name.replicator.sasl.enabled.mechanisms=SCRAM-SHA-512",
        "listener.name.replicator.ssl.keystore.location=…",
    ]
    .map(|line| format!("server.properties: {line}"))
    .into()
}

/// G309.
pub fn replicator_has_rights(seen: &Observation, _: &Limits) -> Asked {
    let asked = &amazon(seen)?.asked;
    let listener = listener(seen)?;
    let on_cluster = fresh(&listener.cluster.rights)?;
    let (mut lines, mut untold) = (Vec::new(), Vec::new());
    let lacks = |has: &Operations, wanted: &[Operation]| -> Vec<&'static str> {
        let missing = wanted.iter().filter(|one| !has.contains(one));
        missing.map(|one| one.name()).collect()
    };
    let lacking = lacks(on_cluster, &OF_CLUSTER);
    if !lacking.is_empty() {
        lines.push(format!("the cluster: {}", lacking.join(", ")));
    }
    let topics = fresh(&listener.topic_rights)?;
    for (topic, rights) in topics {
        match rights {
            None => untold.push(topic.as_str()),
            Some(has) => {
                let lacking = lacks(has, &OF_TOPICS);
                if !lacking.is_empty() {
                    lines.push(format!("topic {topic}: {}", lacking.join(", ")));
                }
            }
        }
    }
    if !untold.is_empty() {
        lines.push(format!(
            "{} not shown to it: {}",
            numbers::of(untold.len() as u64, "topic"),
            some_of(&untold)
        ));
    }
    let denied = fresh(&listener.groups_denied)?;
    if !denied.is_empty() {
        lines.push(format!("may not describe {}", some_of(denied)));
    }
    if lines.is_empty() {
        return Ok(Finding::pass(format!(
            "{} may do what it has to: the cluster and {}",
            asked.user,
            numbers::of(topics.len() as u64, "topic")
        )));
    }
    let allow = format!(
        "kafka-acls.sh --bootstrap-server {} --command-config admin.properties --add --allow-principal {}",
        asked.bootstrap.first().map_or("HOST:PORT", String::as_str),
        quoted(&format!("User:{}", asked.user))
    );
    let operations = |all: &[Operation]| {
        let all: Vec<String> = all
            .iter()
            .map(|one| format!("--operation {}", one.name()))
            .collect();
        all.join(" ")
    };
    Ok(Finding::block(format!("{} lacks rights", asked.user))
        .of(lines)
        .fix("give the replicators' user what both directions need")
        .run([
            format!("{allow} --cluster {}", operations(&OF_CLUSTER)),
            format!("{allow} --topic '*' {}", operations(&OF_TOPICS)),
            format!("{allow} --group '*' --operation Read --operation Describe"),
        ]))
}

/// G310.
pub fn ids_agree(seen: &Observation, _: &Limits) -> Asked {
    let there = listener(seen)?.cluster.id.as_ref();
    let (Some(there), Some(here)) = (there, &seen.source.id) else {
        return Err(CannotLook::because("one of the two did not tell its id"));
    };
    match there == here {
        true => Ok(Finding::pass(format!("{here} by both listeners"))),
        false => Ok(Finding::block(format!(
            "{there} by `msk.source_bootstrap`, {here} by `source.bootstrap`"
        ))
        .fix("both have to be of the source cluster: AWS compares the id, after half an hour")),
    }
}

/// G311.
pub fn secrets_can_be_kept(seen: &Observation, _: &Limits) -> Asked {
    let secrets = told(&amazon(seen)?.secrets)?;
    let wrong: Vec<String> = secrets
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.name, one.trouble.as_ref()?)))
        .collect();
    if !wrong.is_empty() {
        return Ok(Finding::block("a secret is in the way, or not complete").of(wrong).fix(
            "one flat JSON object with username, password and, for a private authority, certificate; names of ours are kafka-migrate/NAME/…",
        ));
    }
    let states: Vec<String> = secrets
        .iter()
        .map(|one| format!("{}: {}", one.name, one.state))
        .collect();
    Ok(Finding::pass(states.join("; ")))
}

/// G312.
pub fn log_group_is_there(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let there = told(&amazon.log_group)?;
    let group = amazon.asked.log_group.as_deref().unwrap_or_default();
    match there {
        None => Ok(Finding::warn("the replicators log nowhere")
            .fix("name a log group (`msk.logs.cloudwatch`): it is where a failure says why")),
        Some(true) => Ok(Finding::pass(group)),
        Some(false) => Ok(Finding::block(format!("there is no log group {group}"))
            .fix("make it")
            .run([format!(
                "aws logs create-log-group --region {} --log-group-name {group}",
                amazon.asked.region
            )])),
    }
}
