//! May we do what we must? And the commands that would let us.

use super::{Asked, CannotLook, Finding, acls, fresh, principal, quoted, reach::named};
use crate::{
    cluster::{Operation, Operations, Probe},
    model::{limits::Limits, numbers},
    observe::{Known, Observation, Refusal},
};

const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
const INVALID_REPLICATION_FACTOR: i16 = 38;
const INVALID_CONFIG: i16 = 40;
const POLICY_VIOLATION: i16 = 44;
const TOPIC_ALREADY_EXISTS: i16 = 36;

fn lacking(has: &Operations, wanted: &[Operation]) -> Vec<&'static str> {
    let missing = wanted.iter().filter(|operation| !has.contains(operation));
    missing.map(|operation| operation.name()).collect()
}

/// G106.
pub(super) fn can_read_source(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let wanted = [
        Operation::Read,
        Operation::Describe,
        Operation::DescribeConfigs,
    ];
    let (mut lines, mut commands, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for topic in topics {
        match fresh(&topic.source_rights) {
            Ok(has) => {
                let missing = lacking(has, &wanted);
                if !missing.is_empty() {
                    lines.push(format!("{}: no {}", topic.name, missing.join(", ")));
                    let resource = format!("--topic {}", quoted(&topic.name));
                    commands.push(acls(&seen.source, &missing, &resource));
                }
            }
            Err(_) => unknown.push(topic.name.clone()),
        }
    }
    if !lines.is_empty() {
        let evidence = format!(
            "the source denies {} what it takes to copy {}",
            principal(&seen.source),
            numbers::of(lines.len() as u64, "topic")
        );
        return Ok(Finding::block(evidence)
            .of(lines)
            .fix("let somebody with the right to Alter the cluster run these")
            .run(commands));
    }
    if !unknown.is_empty() {
        return Err(CannotLook::because(format!(
            "the source does not tell what this login may do to {}",
            named(&unknown)
        )));
    }
    Ok(Finding::pass(format!(
        "{}: Read, Describe, DescribeConfigs",
        numbers::of(topics.len() as u64, "topic")
    )))
}

fn is_denied(refusal: &Refusal) -> bool {
    matches!(
        refusal.code,
        TOPIC_AUTHORIZATION_FAILED | CLUSTER_AUTHORIZATION_FAILED
    )
}

/// G107.
pub(super) fn can_create_topics(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut refused, mut doubtful, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    let (mut there, mut made) = (0u64, 0u64);
    let mut unknown = None;
    for topic in topics {
        match fresh(&topic.target) {
            Ok(Some(_)) => there += 1,
            Ok(None) => match fresh(&topic.creation) {
                // Too few brokers: another gate says so, and what to do.
                Ok(Some(refusal)) if refusal.code == INVALID_REPLICATION_FACTOR => made += 1,
                Ok(Some(refusal)) => {
                    let line = format!("{}: {}", topic.name, refusal.message);
                    if is_denied(refusal) {
                        let resource = format!("--topic {}", quoted(&topic.name));
                        commands.push(acls(
                            &seen.target,
                            &["Create", "Describe", "DescribeConfigs"],
                            &resource,
                        ));
                    }
                    if matches!(refusal.code, INVALID_CONFIG | POLICY_VIOLATION) {
                        doubtful.push(line);
                    } else {
                        refused.push(line);
                    }
                }
                Ok(None) => made += 1,
                Err(cannot) => unknown = Some(cannot),
            },
            Err(cannot) => unknown = Some(cannot),
        }
    }
    if !refused.is_empty() {
        let evidence = format!(
            "the target would not make {}",
            numbers::of(refused.len() as u64, "topic")
        );
        let fix = match commands.is_empty() {
            true => {
                "make them by hand, with the source's partition counts, or change what the target objects to"
            }
            false => {
                "let somebody with the right to Alter the cluster run these, or make the topics by hand"
            }
        };
        return Ok(Finding::block(evidence).of(refused).fix(fix).run(commands));
    }
    if let Some(cannot) = unknown {
        return Err(cannot);
    }
    if !doubtful.is_empty() {
        return Ok(Finding::warn("the target objects to settings; topics are then made without them, where that is enough")
            .of(doubtful)
            .fix("make them by hand with settings that the target takes, if its own are not right"));
    }
    Ok(Finding::pass(format!(
        "{there} there, {made} to be made (validated only)"
    )))
}

/// G108.
pub(super) fn can_write_target(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut lines, mut commands, mut unknown) = (Vec::new(), Vec::new(), None);
    let (mut cannot_grow, mut growing) = (Vec::new(), Vec::new());
    for topic in topics {
        let mut missing = Vec::new();
        for (probe, name) in [
            (&topic.target_rights.write, "Write"),
            (&topic.target_rights.read, "Read"),
        ] {
            match fresh(probe) {
                Ok(Probe::Denied) => missing.push(name),
                Ok(Probe::Allowed) => {}
                Err(cannot) => unknown = Some(cannot),
            }
        }
        if matches!(fresh(&topic.target), Ok(None)) {
            match fresh(&topic.target_rights.describe_configs) {
                Ok(Probe::Denied) => missing.push("DescribeConfigs"),
                Ok(Probe::Allowed) => {}
                Err(cannot) => unknown = Some(cannot),
            }
            // Wanted only when the source grows.
            if matches!(fresh(&topic.target_rights.grow), Ok(Probe::Denied)) {
                cannot_grow.push(topic.name.clone());
                let resource = format!("--topic {}", quoted(&topic.name));
                growing.push(acls(&seen.target, &["Alter"], &resource));
            }
        }
        if let (Ok(Some(_)), Ok(has)) =
            (fresh(&topic.target), fresh(&topic.target_rights.operations))
        {
            let mut wanted = vec![Operation::Describe, Operation::DescribeConfigs];
            if matches!(fresh(&topic.target), Ok(Some(side)) if side.partitions < topic.source.partitions)
            {
                wanted.push(Operation::Alter);
            }
            missing.extend(lacking(has, &wanted));
        }
        if !missing.is_empty() {
            lines.push(format!("{}: no {}", topic.name, missing.join(", ")));
            let resource = format!("--topic {}", quoted(&topic.name));
            commands.push(acls(&seen.target, &missing, &resource));
        }
    }
    if !lines.is_empty() {
        let evidence = format!(
            "the target denies {} what it takes to fill {}",
            principal(&seen.target),
            numbers::of(lines.len() as u64, "topic")
        );
        return Ok(Finding::block(evidence)
            .of(lines)
            .fix("let somebody with the right to Alter the cluster run these")
            .run(commands));
    }
    if let Some(cannot) = unknown {
        return Err(cannot);
    }
    if !cannot_grow.is_empty() {
        return Ok(Finding::warn(format!(
            "the target would not let {} add partitions to {}",
            principal(&seen.target),
            named(&cannot_grow)
        ))
        .fix("partitions that the source adds later would stop until somebody runs these")
        .run(growing));
    }
    Ok(Finding::pass(format!(
        "{}: Write, Read",
        numbers::of(topics.len() as u64, "topic")
    )))
}

/// G109.
pub(super) fn can_keep_ledger(seen: &Observation, _: &Limits) -> Asked {
    let rights = &seen.engine_rights;
    let (mut lines, mut missing) = (Vec::new(), Vec::new());
    let mut other = None;
    match fresh(&rights.creation)? {
        Some(refusal) if is_denied(refusal) => missing.push("Create"),
        Some(refusal) if refusal.code != TOPIC_ALREADY_EXISTS => {
            other = Some(refusal.message.clone())
        }
        _ => {}
    }
    for (probe, name) in [
        (&rights.write, "Write"),
        (&rights.read, "Read"),
        (&rights.delete, "Delete"),
    ] {
        if *fresh(probe)? == Probe::Denied {
            missing.push(name);
        }
    }
    if let Some(has) = fresh(&rights.operations)? {
        missing.extend(lacking(has, &[Operation::Describe]));
    }
    if !missing.is_empty() {
        lines.push(format!("{}: no {}", rights.ledger, missing.join(", ")));
        let resource = format!(
            "--resource-pattern-type prefixed --topic {}",
            quoted(&format!("kafka-migrate.{}.", seen.migration))
        );
        let mut all = vec!["Create", "Write", "Read", "Delete", "Describe"];
        all.retain(|one| missing.contains(one) || *one == "Describe");
        return Ok(Finding::block("the target denies what the ledger takes")
            .of(lines)
            .fix("let somebody with the right to Alter the cluster run this")
            .run([acls(&seen.target, &all, &resource)]));
    }
    if let Some(message) = other {
        return Ok(
            Finding::block(format!("the target would not make {}", rights.ledger))
                .of([message])
                .fix("change what the target objects to"),
        );
    }
    Ok(Finding::pass(format!(
        "{}: Create, Write, Read, Delete",
        rights.ledger
    )))
}

/// G110.
pub(super) fn can_use_transactional_ids(seen: &Observation, _: &Limits) -> Asked {
    let rights = &seen.engine_rights;
    let prefix = &rights.transactional_ids;
    if *fresh(&rights.transactions)? == Probe::Allowed {
        return Ok(Finding::pass(format!("{prefix}*")));
    }
    let resource = format!(
        "--resource-pattern-type prefixed --transactional-id {}",
        quoted(prefix)
    );
    Ok(Finding::block(format!(
        "the target denies {} the transactional ids {prefix}*",
        principal(&seen.target)
    ))
    .of(["without them an older engine cannot be shut out".to_owned()])
    .fix("let somebody with the right to Alter the cluster run this")
    .run([acls(&seen.target, &["Write", "Describe"], &resource)]))
}

/// For gates that ask of something whether it is known at all.
pub(super) fn is_known<T>(known: &Known<T>) -> bool {
    fresh(known).is_ok()
}
