//! Will it fit: sizes, times, policies, replicas, partitions, and what is on the target already?

use super::{Asked, CannotLook, Finding, acls, fresh, quoted, reach::named};
use crate::{
    model::{limits::Limits, numbers},
    observe::{BatchSeen, Observation, TopicSeen},
};

const INVALID_REPLICATION_FACTOR: i16 = 38;

fn at(topic: &TopicSeen, batch: BatchSeen) -> String {
    format!(
        "{}-{} at offset {}",
        topic.name, batch.partition, batch.offset
    )
}

fn alter(seen: &Observation, topic: &str, setting: &str) -> String {
    format!(
        "kafka-configs --bootstrap-server {} --command-config admin.properties --alter --entity-type topics --entity-name {} --add-config {setting}",
        seen.target
            .bootstrap
            .first()
            .map_or("HOST:PORT", String::as_str),
        quoted(topic)
    )
}

fn count(lines: &[String]) -> String {
    numbers::of(lines.len() as u64, "topic")
}

/// G112.
pub(super) fn message_sizes_fit(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut too_large, mut split, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    let mut unknown = Vec::new();
    for topic in topics {
        let (Ok(source), Ok(target), Ok(sample)) = (
            fresh(&topic.source_settings),
            fresh(&topic.target_settings),
            fresh(&topic.sample),
        ) else {
            unknown.push(topic.name.clone());
            continue;
        };
        let (Some(theirs), Some(limit)) = (source.max_message_bytes, target.max_message_bytes)
        else {
            unknown.push(topic.name.clone());
            continue;
        };
        if let Some(single) = sample.largest_single.filter(|single| single.bytes > limit) {
            too_large.push(format!(
                "{} is a single record of {}; the target takes {}",
                at(topic, single),
                numbers::bytes(single.bytes),
                numbers::bytes(limit)
            ));
            commands.push(alter(
                seen,
                &topic.name,
                &format!("max.message.bytes={}", theirs.max(single.bytes)),
            ));
        } else if theirs > limit {
            split.push(format!(
                "{}: up to {} on the source, {} on the target",
                topic.name,
                numbers::bytes(theirs),
                numbers::bytes(limit)
            ));
            commands.push(alter(
                seen,
                &topic.name,
                &format!("max.message.bytes={theirs}"),
            ));
        }
    }
    if !too_large.is_empty() {
        too_large.extend(split);
        return Ok(Finding::block("records that the source holds are larger than the target takes")
            .of(too_large)
            .fix("raise max.message.bytes on the target (where a topic is yet to be made: message.max.bytes of its brokers)")
            .run(commands));
    }
    if !unknown.is_empty() {
        return Err(unreadable(seen, topics, &unknown));
    }
    if !split.is_empty() {
        return Ok(Finding::warn(format!("{} may hold larger batches than the target takes", count(&split)))
            .of(split)
            .fix("larger batches are cut; a single larger record would stop its partition. Raise max.message.bytes on the target")
            .run(commands));
    }
    Ok(Finding::pass(format!(
        "{}, limits and stored batches",
        numbers::of(topics.len() as u64, "topic")
    )))
}

/// G113.
pub(super) fn timestamps_fit(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let now = seen.at_ms;
    let (mut lines, mut commands, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for topic in topics {
        let (Ok(target), Ok(sample)) = (fresh(&topic.target_settings), fresh(&topic.sample)) else {
            unknown.push(topic.name.clone());
            continue;
        };
        if target.stamps {
            lines.push(format!("{}: the target would give records its own time (message.timestamp.type=LogAppendTime)", topic.name));
            commands.push(alter(
                seen,
                &topic.name,
                "message.timestamp.type=CreateTime",
            ));
        }
        let of = |ms: u64| numbers::time(std::time::Duration::from_millis(ms));
        if let (Some(most), Some((batch, time))) = (target.before_max_ms, sample.oldest) {
            let age = u64::try_from(now - time).unwrap_or(0);
            if age > most {
                lines.push(format!(
                    "{} is {} old; the target takes {}",
                    at(topic, batch),
                    of(age),
                    of(most)
                ));
                commands.push(alter(
                    seen,
                    &topic.name,
                    &format!("message.timestamp.before.max.ms={}", i64::MAX),
                ));
            }
        }
        if let (Some(most), Some((batch, time))) = (target.after_max_ms, sample.latest) {
            let ahead = u64::try_from(time - now).unwrap_or(0);
            if ahead > most {
                lines.push(format!(
                    "{} is {} in the future; the target takes {}",
                    at(topic, batch),
                    of(ahead),
                    of(most)
                ));
                commands.push(alter(
                    seen,
                    &topic.name,
                    &format!("message.timestamp.after.max.ms={}", i64::MAX),
                ));
            }
        }
    }
    if !lines.is_empty() {
        return Ok(Finding::block("the target would refuse or change times that records have")
            .of(lines)
            .fix("change the setting on the target (where a topic is yet to be made: log.message.timestamp.… of its brokers)")
            .run(commands));
    }
    if !unknown.is_empty() {
        return Err(unreadable(seen, topics, &unknown));
    }
    Ok(Finding::pass(format!(
        "{}, the oldest and the latest records seen",
        numbers::of(topics.len() as u64, "topic")
    )))
}

/// G115.
pub(super) fn cleanup_policies_fit(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut lost, mut differ, mut unknown, mut commands) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for topic in topics {
        let (Ok(source), Ok(target)) =
            (fresh(&topic.source_settings), fresh(&topic.target_settings))
        else {
            unknown.push(topic.name.clone());
            continue;
        };
        if target.compacts && !source.compacts {
            match fresh(&topic.sample) {
                Ok(sample) => match sample.unkeyed {
                    Some(batch) => lost.push(format!(
                        "{} has no key, and the target compacts",
                        at(topic, batch)
                    )),
                    None => lost.push(format!(
                        "{}: the target would drop older records of a key, the source keeps them",
                        topic.name
                    )),
                },
                Err(_) => unknown.push(topic.name.clone()),
            }
            commands.push(alter(seen, &topic.name, "cleanup.policy=delete"));
        } else if source.compacts && !target.compacts {
            differ.push(format!(
                "{}: compacted on the source, not on the target",
                topic.name
            ));
        } else if target.deletes && shorter(target.retention_ms, source.retention_ms) {
            differ.push(format!(
                "{}: the target keeps records for a shorter time than the source",
                topic.name
            ));
        } else if target.deletes && shorter(target.retention_bytes, source.retention_bytes) {
            differ.push(format!(
                "{}: the target keeps fewer bytes than the source",
                topic.name
            ));
        }
    }
    if !lost.is_empty() {
        return Ok(
            Finding::block("the target would not keep what the source keeps")
                .of(lost)
                .fix("give the topics the source's cleanup.policy")
                .run(commands),
        );
    }
    if !unknown.is_empty() {
        return Err(unreadable(seen, topics, &unknown));
    }
    if !differ.is_empty() {
        return Ok(Finding::warn(format!(
            "{} is kept in another way on the target",
            count(&differ)
        ))
        .of(differ)
        .fix("give the topics the source's settings, unless it is meant to be so"));
    }
    Ok(Finding::pass(numbers::of(topics.len() as u64, "topic")))
}

/// Settings or records of these topics are not known. Those of a topic that is yet to be made are its brokers'.
fn unreadable(seen: &Observation, topics: &[TopicSeen], unknown: &[String]) -> CannotLook {
    let cannot = CannotLook::because(format!(
        "settings or records of {} could not be read",
        named(unknown)
    ));
    let is_inherited = |topic: &TopicSeen| {
        matches!(topic.target.value(), Ok(None)) && topic.target_settings.value().is_err()
    };
    if topics.iter().any(is_inherited) {
        return cannot
            .fix("a topic that is yet to be made takes what its brokers say; let somebody with the right to Alter the cluster run this")
            .run([acls(&seen.target, &["DescribeConfigs"], "--cluster")]);
    }
    cannot
}

/// Is this limit below that one, where `None` is no limit?
fn shorter(this: Option<u64>, than: Option<u64>) -> bool {
    match (this, than) {
        (Some(this), Some(than)) => this < than,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// G116.
pub(super) fn replication_fits(seen: &Observation, _: &Limits) -> Asked {
    let brokers = fresh(&seen.target.brokers)?.len();
    let topics = fresh(&seen.topics)?;
    let set = seen.asked.replication_factor;
    if let Some(factor) = set.filter(|factor| usize::try_from(*factor).unwrap_or(0) > brokers) {
        return Ok(Finding::block(format!(
            "`replication.replication_factor` is {factor}, and the target has {}",
            numbers::of(brokers as u64, "broker")
        ))
        .fix("lower it, or leave it out: the brokers' default is then taken"));
    }
    let (mut refused, mut unwritable) = (Vec::new(), Vec::new());
    for topic in topics {
        if let Some(refusal) = fresh(&topic.creation)?
            .as_ref()
            .filter(|one| one.code == INVALID_REPLICATION_FACTOR)
        {
            refused.push(format!("{}: {}", topic.name, refusal.message));
        }
        if let (Ok(settings), Ok(Some(side))) =
            (fresh(&topic.target_settings), fresh(&topic.target))
            && settings
                .min_in_sync
                .is_some_and(|least| least > side.replicas)
        {
            unwritable.push(format!(
                "{}: {} of min.insync.replicas {}",
                topic.name,
                numbers::of(side.replicas as u64, "replica"),
                settings.min_in_sync.unwrap_or(0)
            ));
        }
    }
    if !refused.is_empty() {
        return Ok(Finding::block("the target has fewer brokers than its topics are to have replicas")
            .of(refused)
            .fix("set `replication.replication_factor`, or default.replication.factor of the target's brokers"));
    }
    if !unwritable.is_empty() {
        return Ok(Finding::block(
            "topics of the target need more replicas in sync than they have",
        )
        .of(unwritable)
        .fix("lower min.insync.replicas, or add replicas"));
    }
    let factor = set.map_or_else(
        || "the brokers' default".to_owned(),
        |factor| factor.to_string(),
    );
    Ok(Finding::pass(format!(
        "{factor} on {}",
        numbers::of(brokers as u64, "broker")
    )))
}

/// G117.
pub(super) fn same_partitions(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut more, mut fewer, mut absent) = (Vec::new(), Vec::new(), 0u64);
    for topic in topics {
        let here = topic.source.partitions;
        match fresh(&topic.target)? {
            None => absent += 1,
            Some(side) => {
                let line = format!(
                    "{}: {here} on the source, {} on the target",
                    topic.name, side.partitions
                );
                if side.partitions > here {
                    more.push(line);
                } else if side.partitions < here {
                    fewer.push(line);
                }
            }
        }
    }
    if more.is_empty() && fewer.is_empty() {
        let there = topics.len() as u64 - absent;
        return Ok(Finding::pass(format!(
            "{} on both sides, {absent} yet to be made",
            numbers::of(there, "topic")
        )));
    }
    let fix = if more.is_empty() {
        "`replicate` grows them, if it may; what was written there by key stands in other partitions than on the source, so better delete what was made by accident"
    } else {
        "delete the topic on the target if it was made by accident, or grow the source's: the tool never does that by itself"
    };
    let lines: Vec<String> = more.into_iter().chain(fewer).collect();
    Ok(Finding::block(format!(
        "{} with another number of partitions",
        count(&lines)
    ))
    .of(lines)
    .fix(fix))
}

/// G118.
pub(super) fn target_topics_are_ours(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut foreign, mut kept) = (Vec::new(), Vec::new());
    let (mut ours, mut empty) = (0u64, 0u64);
    for topic in topics {
        if fresh(&topic.target)?.is_none() {
            continue;
        }
        let mut held = 0;
        for partition in &topic.partitions {
            match (partition.target_start, partition.target_end) {
                (Some(start), Some(end)) => held += u64::try_from(end - start).unwrap_or(0),
                // The target has fewer partitions: another gate says so.
                _ if fresh(&topic.target)?
                    .is_some_and(|side| side.partitions < topic.source.partitions) => {}
                _ => {
                    return Err(CannotLook::because(format!(
                        "where {}-{} begins and ends on the target is not known",
                        topic.name, partition.partition
                    )));
                }
            }
        }
        if held == 0 {
            empty += 1;
        } else if *fresh(&topic.met)? {
            ours += 1;
        } else if topic.keeps_existing {
            kept.push(format!("{}: {}", topic.name, numbers::of(held, "offset")));
        } else {
            foreign.push(format!("{}: {}", topic.name, numbers::of(held, "offset")));
        }
    }
    if foreign.is_empty() && kept.is_empty() {
        return Ok(Finding::pass(format!("{ours} of ours, {empty} empty")));
    }
    if foreign.is_empty() {
        return Ok(Finding::pass(format!(
            "{ours} of ours, {empty} empty, {} whose data stays before ours (`existing`)",
            kept.len()
        )));
    }
    Ok(Finding::block(format!("{} with data that this migration did not write", count(&foreign)))
        .of(foreign)
        .fix("say what becomes of it (`existing` of a [[topic]] in the file), or delete the topics on the target if nobody needs it"))
}

/// G123.
pub(super) fn topic_count_fits(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let partitions: usize = topics.iter().map(|topic| topic.source.partitions).sum();
    let evidence = format!(
        "{}, {}",
        numbers::of(topics.len() as u64, "topic"),
        numbers::of(partitions as u64, "partition")
    );
    match seen.asked.most_topics {
        Some(most) if topics.len() > most => Ok(Finding::block(format!(
            "{evidence}; the backend takes {most}"
        ))
        .fix("take fewer topics into `scope.topics`, and make a second migration of the others")),
        _ => Ok(Finding::pass(evidence)),
    }
}
