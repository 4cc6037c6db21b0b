//! What MSK Replicator needs before it is made, since it takes half an hour to say no: account, cluster, limits, costs.

mod external;
mod replicators;

pub(super) use external::{
    ids_agree, log_group_is_there, replicator_has_rights, replicator_logs_in, secrets_can_be_kept,
};
pub(super) use replicators::{
    both_run, no_refused_logins, nothing_waits, quota_suffices, replicators_are_ours,
    requests_keep_rules, witnesses_agree,
};

use super::{Asked, CannotLook, Finding, fresh, some_of};
use crate::{
    model::{limits::Limits, numbers},
    observe::{AmazonSeen, Known, Observation},
};

/// Topics that one replicator takes, in the order of their names.
const MOST_TOPICS: usize = 750;
/// What one partition carries (MSK's sizing: 50 MB/s take 167 partitions).
const BYTES_PER_PARTITION: u64 = 300_000;
/// What Express brokers take where nobody says otherwise: a day.
const EXPRESS_BEFORE_MAX_MS: u64 = 86_400_000;
/// Over a shorter time an average says nothing.
const SHORTEST_MS: i64 = 3_600_000;
/// The oldest Apache Kafka that a replicator with IDENTICAL names takes.
const OLDEST: (u32, u32, u32) = (2, 8, 1);

fn amazon(seen: &Observation) -> Result<&AmazonSeen, CannotLook> {
    seen.amazon
        .as_deref()
        .ok_or_else(|| CannotLook::because("AWS was not asked"))
}

/// What AWS says changes slowly: any answer of this look is fresh enough.
fn told<T>(known: &Known<T>) -> Result<&T, CannotLook> {
    known.value().map_err(CannotLook::because)
}

/// G301.
pub(super) fn login_works(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let caller = told(&amazon.caller).map_err(|why| {
        why.fix("`aws sts get-caller-identity` says whether the command line can log in")
    })?;
    if caller.account == amazon.asked.account {
        return Ok(Finding::pass(format!(
            "{} in {}",
            caller.arn, amazon.asked.region
        )));
    }
    Ok(Finding::block(format!(
        "{} is of account {}; the cluster is of {}",
        caller.arn, caller.account, amazon.asked.account
    ))
    .fix("use credentials of the cluster's account: a replicator is made where its cluster is"))
}

/// G302.
pub(super) fn cluster_fits(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let cluster = told(&amazon.cluster)?;
    let mut wrong = Vec::new();
    if cluster.kind != "PROVISIONED" {
        wrong.push(format!(
            "it is {}; external clusters replicate to PROVISIONED ones alone",
            cluster.kind
        ));
    }
    if cluster.state != "ACTIVE" {
        wrong.push(format!("it is {}, not ACTIVE", cluster.state));
    }
    if version(&cluster.version).is_some_and(|version| version < OLDEST) {
        wrong.push(format!(
            "Apache Kafka {}; 2.8.1 is the oldest",
            cluster.version
        ));
    }
    if cluster.instance == "kafka.t3.small" {
        wrong.push("its brokers are kafka.t3.small; m5.large is the smallest".to_owned());
    }
    let zones = cluster.subnets.len();
    let least = if zones == 2 { 4 } else { 3 };
    if cluster.brokers < least {
        wrong.push(format!(
            "{}; {least} are the fewest in {zones} zones",
            numbers::of(u64::from(cluster.brokers), "broker")
        ));
    }
    if !cluster.iam {
        wrong.push("IAM access control is off; replicators log in with it".to_owned());
    }
    if wrong.is_empty() {
        return Ok(Finding::pass(format!(
            "{}, Apache Kafka {}, {} ({})",
            cluster.name,
            cluster.version,
            numbers::of(u64::from(cluster.brokers), "broker"),
            cluster.instance
        )));
    }
    Ok(Finding::block(format!("{} cannot take part", cluster.name))
        .of(wrong)
        .fix("change the cluster, or take another one"))
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text
        .split(['.', '-'])
        .map(|part| part.trim_end_matches('x').parse());
    let major = parts.next()?.ok()?;
    let minor = parts.next()?.ok()?;
    // `3.8.x` is whatever the service has newest.
    let patch = parts.next().and_then(Result::ok).unwrap_or(u32::MAX);
    Some((major, minor, patch))
}

/// G306.
pub(super) fn topics_within_cut(seen: &Observation, _: &Limits) -> Asked {
    amazon(seen)?;
    let topics = fresh(&seen.topics)?;
    let mut names: Vec<&str> = topics.iter().map(|topic| &*topic.name).collect();
    names.sort_unstable();
    let evidence = format!(
        "{}; a replicator takes {MOST_TOPICS}",
        numbers::of(names.len() as u64, "topic")
    );
    match names.get(MOST_TOPICS..) {
        Some(left @ [_, ..]) => Ok(Finding::block(format!("{evidence}, by name, and leaves the others out without a word"))
            .of([format!("left out: {}", some_of(left))])
            .of(left.iter().skip(super::NAMED).map(|name| format!("left out: {name}")))
            .fix("take fewer topics into `scope.topics`, and make a second migration of the others; or ask AWS support")),
        _ => Ok(Finding::pass(evidence)),
    }
}

/// G307.
pub(super) fn history_within_limits(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    if !amazon.asked.from_earliest {
        return Ok(Finding::pass(
            "history is not copied (`replication.start = \"latest\"`)",
        ));
    }
    let cluster = told(&amazon.cluster)?;
    if !cluster.is_express() {
        return Ok(Finding::pass(format!(
            "{} brokers take records of any age by themselves (G113 asks the topics)",
            cluster.instance
        )));
    }
    let (mut old, mut unknown) = (Vec::new(), Vec::new());
    for topic in fresh(&seen.topics)? {
        let Ok(sample) = fresh(&topic.sample) else {
            unknown.push(topic.name.clone());
            continue;
        };
        let Some((batch, oldest)) = sample.oldest else {
            continue;
        };
        let settings = topic.target_settings.value().ok();
        let takes = match settings {
            Some(settings) => settings.before_max_ms,
            None => Some(EXPRESS_BEFORE_MAX_MS),
        };
        let age = u64::try_from(seen.at_ms - oldest).unwrap_or(0);
        let time = |ms| numbers::time(std::time::Duration::from_millis(ms));
        if let Some(takes) = takes.filter(|takes| age > *takes) {
            old.push(format!(
                "{}-{} offset {} is {} old; MSK takes {}",
                topic.name,
                batch.partition,
                batch.offset,
                time(age),
                time(takes)
            ));
        }
    }
    if old.is_empty() {
        return match unknown.is_empty() {
            true => Ok(Finding::pass("nothing is older than Express brokers take")),
            false => Err(CannotLook::because(format!(
                "no batches were read of {}",
                some_of(&unknown)
            ))),
        };
    }
    let arn = &amazon.asked.cluster_arn;
    Ok(Finding::block("Express brokers would refuse old records, and the replicator would fail")
        .of(old)
        .fix("let the brokers take records of any age before the replicator is made: a revision of the cluster's configuration with log.message.timestamp.before.max.ms=9223372036854775807")
        .run([
            format!("aws kafka describe-cluster-v2 --cluster-arn {arn} --query ClusterInfo.Provisioned.CurrentBrokerSoftwareInfo"),
            "aws kafka update-configuration --arn CONFIGURATION_ARN --server-properties fileb://server.properties".to_owned(),
            format!("aws kafka update-cluster-configuration --cluster-arn {arn} --configuration-info Arn=CONFIGURATION_ARN,Revision=N --current-version VERSION"),
        ]))
}

/// G313.
pub(super) fn partitions_carry_load(seen: &Observation, _: &Limits) -> Asked {
    amazon(seen)?;
    let topics = fresh(&seen.topics)?;
    let (mut slow, mut unknown, mut written) = (Vec::new(), 0, 0.0);
    for topic in topics {
        let Ok(sample) = fresh(&topic.sample) else {
            unknown += 1;
            continue;
        };
        let Some(rate) = average(sample) else {
            continue;
        };
        written += rate;
        let carries = BYTES_PER_PARTITION * topic.source.partitions as u64;
        if rate > carries as f64 {
            slow.push(format!(
                "{}: {} on average, {} carry {}",
                topic.name,
                numbers::rate(rate),
                numbers::of(topic.source.partitions as u64, "partition"),
                numbers::rate(carries as f64)
            ));
        }
    }
    if !slow.is_empty() {
        return Ok(
            Finding::block("a replicator would fall behind, and never catch up")
                .of(slow)
                .fix("give these topics more partitions on the source, where their keys allow it"),
        );
    }
    if unknown > 0 {
        return Err(CannotLook::because(format!(
            "no batches were read of {}",
            numbers::of(unknown, "topic")
        )));
    }
    let partitions: usize = topics.iter().map(|topic| topic.source.partitions).sum();
    Ok(Finding::pass(format!(
        "{} on average over what is stored; {} carry {} by MSK's sizing",
        numbers::rate(written),
        numbers::of(partitions as u64, "partition"),
        numbers::rate((BYTES_PER_PARTITION * partitions as u64) as f64)
    )))
}

/// Bytes per second over all that is stored; `None` where that is too short a time to say.
fn average(sample: &crate::observe::Sample) -> Option<f64> {
    let (from, to) = (sample.oldest?.1, sample.latest?.1);
    if sample.records == 0 || to - from < SHORTEST_MS {
        return None;
    }
    Some(stored(sample) / ((to - from) as f64 / 1000.0))
}

/// Bytes of the whole topic, from those of the batches looked at.
fn stored(sample: &crate::observe::Sample) -> f64 {
    sample.bytes as f64 / sample.records.max(1) as f64 * sample.offsets as f64
}

/// G314.
pub(super) fn subnets_reach(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let asked = &amazon.asked;
    let commands = [
        format!(
            "aws ec2 describe-subnets --region {} --subnet-ids {}",
            asked.region,
            asked.subnets.join(" ")
        ),
        format!(
            "aws ec2 describe-security-groups --region {} --group-ids {}",
            asked.region,
            asked.security_groups.join(" ")
        ),
        "kafka-migrate preflight --from-here --out vantage.json   (in one of the subnets)"
            .to_owned(),
    ];
    let vantage = told(&amazon.from_subnets).map_err(|why| {
        why.fix("the way from the subnets to the external listener, MSK's port 9098, Secrets Manager and KMS is to be looked at from there")
            .run(commands.iter().filter(|command| !command.ends_with("--group-ids ")).cloned())
    })?;
    let age = numbers::time(std::time::Duration::from_millis(vantage.age_ms));
    match vantage.trouble.is_empty() {
        true => Ok(Finding::pass(format!(
            "every broker answered in {}, {age} ago",
            vantage.subnet
        ))),
        false => Ok(Finding::block(format!(
            "not every broker answers in {}, {age} ago",
            vantage.subnet
        ))
        .of(vantage.trouble.iter().cloned())
        .fix(
            "routes, security groups both ways, network ACLs, and names that the subnets resolve",
        )),
    }
}

/// G315.
pub(super) fn role_is_right(seen: &Observation, _: &Limits) -> Asked {
    let asked = &amazon(seen)?.asked;
    let role = asked.role_arn.rsplit('/').next().unwrap_or_default();
    let mut commands = vec![
        format!("aws iam get-role --role-name {role} --query Role.AssumeRolePolicyDocument"),
        format!("aws iam list-attached-role-policies --role-name {role}"),
        format!("aws iam list-role-policies --role-name {role}"),
    ];
    if let Some(key) = &asked.kms_key {
        commands.push(format!(
            "aws kms get-key-policy --key-id {key} --policy-name default"
        ));
    }
    Err(CannotLook::because("this program has no client of IAM and KMS: look yourself")
        .fix("compare them with trust-policy.json and replicator-policy.json of `kafka-migrate plan replicate`")
        .run(commands))
}

/// G316.
pub(super) fn cost_is_known(seen: &Observation, _: &Limits) -> Asked {
    amazon(seen)?;
    let topics = fresh(&seen.topics)?;
    let (mut bytes, mut unknown) = (0_u64, 0);
    for topic in topics {
        match topic.sample.value() {
            Ok(sample) => bytes = bytes.saturating_add(stored(sample) as u64),
            Err(_) => unknown += 1,
        }
    }
    if unknown > 0 {
        return Err(CannotLook::because(format!(
            "no batches were read of {}",
            numbers::of(unknown, "topic")
        )));
    }
    Ok(Finding::pass(format!(
        "two replicators by the hour, about {} of history once, and every byte written from now on twice: the way back reads it again and drops it",
        numbers::bytes(bytes)
    )))
}
