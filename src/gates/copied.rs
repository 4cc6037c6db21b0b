//! Is everything there, and will the rest still come?

use super::{Asked, CannotLook, Finding, fresh};
use crate::{
    engine::status::EngineState,
    model::{limits::Limits, numbers},
    observe::{Observation, PartitionSeen, TopicSeen},
};

/// What is not copied has to be safe from retention for at least this long, or for a tenth of the retention.
const MARGIN_MS: u64 = 60 * 60 * 1000;
/// With a limit in bytes: so much of the log has to lie before what is not copied.
const MARGIN_SHARE: u64 = 10;

/// G211.
pub(super) fn no_partition_stopped(seen: &Observation, _: &Limits) -> Asked {
    let engine = fresh(&seen.engine)?;
    if engine.state == EngineState::NeverStarted {
        return Ok(
            Finding::block("nothing was ever copied").fix("start it: kafka-migrate replicate")
        );
    }
    if engine.stopped.is_empty() {
        return Ok(Finding::pass("none"));
    }
    let lines = engine.stopped.iter().map(|one| {
        format!(
            "{}-{}: {}: {}",
            one.topic, one.partition, one.code, one.reason
        )
    });
    Ok(Finding::block(format!(
        "{} stopped",
        numbers::of(engine.stopped.len() as u64, "partition")
    ))
    .of(lines)
    .fix("`kafka-migrate status` names the ways on for each of them"))
}

/// G214.
pub(super) fn backlog_copied(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let groups = fresh(&seen.source_groups)?;
    let mut lines = Vec::new();
    let mut stands = 0u64;
    for group in &groups.groups {
        for (at, committed) in &group.committed {
            let Some(topic) = topics.iter().find(|topic| *topic.name == *at.topic) else {
                continue;
            };
            let Some(partition) = topic
                .partitions
                .iter()
                .find(|one| one.partition == at.partition)
            else {
                continue;
            };
            stands += 1;
            let (Some(first), Some(start)) = (partition.first, partition.source_start) else {
                return Err(CannotLook::because(format!(
                    "where the copy of {at} begins is not known yet"
                )));
            };
            // What the source does not hold itself is nobody's backlog.
            let unread = first - (*committed).max(start);
            if unread > 0 {
                lines.push(format!("group {} has {} of {at} to read that lie before offset {first}, where the copy begins", group.name, numbers::of(unread.unsigned_abs(), "offset")));
            }
        }
    }
    if !lines.is_empty() {
        return Ok(Finding::block("groups have yet to read what was never copied")
            .of(lines)
            .fix("let them read on before they move, or begin the migration anew from the earliest record"));
    }
    Ok(Finding::pass(format!(
        "{}, all behind the beginning of the copy",
        numbers::of(stands, "position")
    )))
}

fn behind(topics: &[TopicSeen]) -> impl Iterator<Item = (&TopicSeen, &PartitionSeen, u64)> {
    topics.iter().flat_map(|topic| {
        let of = move |partition| Some((topic, partition, PartitionSeen::lag(partition)?));
        topic
            .partitions
            .iter()
            .filter_map(of)
            .filter(|(_, _, lag)| *lag > 0)
    })
}

fn lag_is_known(topics: &[TopicSeen]) -> Result<(), CannotLook> {
    for topic in topics {
        if let Some(partition) = topic.partitions.iter().find(|one| one.lag().is_none()) {
            return Err(CannotLook::because(format!(
                "where {}-{} begins and ends on the source is not known",
                topic.name, partition.partition
            )));
        }
    }
    Ok(())
}

/// G217.
pub(super) fn retention_not_overtaking(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    lag_is_known(topics)?;
    let now = seen.at_ms;
    let mut lines = Vec::new();
    let mut unknown = None;
    let of = |ms: u64| numbers::time(std::time::Duration::from_millis(ms));
    for (topic, partition, lag) in behind(topics) {
        let at = format!("{}-{}", topic.name, partition.partition);
        let Ok(settings) = fresh(&topic.source_settings) else {
            unknown = Some(format!("how long the source keeps {at} is not known"));
            continue;
        };
        let start = partition.source_start.unwrap_or(0);
        let copied = partition.copied.unwrap_or(start);
        if copied < start {
            lines.push(format!(
                "{at}: offsets {copied} to {} were deleted before they were copied",
                start - 1
            ));
            continue;
        }
        if !settings.deletes {
            continue;
        }
        if let Some(kept) = settings.retention_ms {
            match partition.next_ms {
                Some(time) => {
                    let age = u64::try_from(now - time).unwrap_or(0);
                    let left = kept.saturating_sub(age);
                    if left < MARGIN_MS.min(kept / MARGIN_SHARE) {
                        lines.push(format!(
                            "{at}: what is next to copy is {} old, and kept for {}",
                            of(age),
                            of(kept)
                        ));
                    }
                }
                None => {
                    unknown = Some(format!(
                        "how old the next record of {at} is could not be read"
                    ))
                }
            }
        }
        if settings.retention_bytes.is_some() {
            let before = u64::try_from(copied - start).unwrap_or(0);
            let held = before + lag;
            // A partition of which nothing is copied begins where the log begins: every deletion would overtake it.
            if before < held / MARGIN_SHARE {
                lines.push(format!("{at}: {} lie before what is next to copy, and the source keeps a number of bytes", numbers::of(before, "offset")));
            }
        }
    }
    if !lines.is_empty() {
        return Ok(Finding::block(format!(
            "{} could be overtaken by retention",
            numbers::of(lines.len() as u64, "partition")
        ))
        .of(lines)
        .fix("raise retention.ms and retention.bytes on the source until the copy has caught up"));
    }
    match unknown {
        Some(reason) => Err(CannotLook::because(reason)),
        None => Ok(Finding::pass(
            "nothing that is not copied is about to be deleted",
        )),
    }
}

/// G218.
pub(super) fn tombstones_in_time(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    lag_is_known(topics)?;
    let mut compacted = 0u64;
    for topic in topics {
        compacted += u64::from(fresh(&topic.source_settings)?.compacts);
    }
    let mut lines = Vec::new();
    for (topic, partition, _) in behind(topics) {
        let settings = fresh(&topic.source_settings)?;
        if !settings.compacts {
            continue;
        }
        let at = format!("{}-{}", topic.name, partition.partition);
        let (Some(time), Some(kept)) = (partition.next_ms, settings.delete_retention_ms) else {
            return Err(CannotLook::because(format!(
                "how far {at} is behind in time is not known"
            )));
        };
        let age = u64::try_from(seen.at_ms - time).unwrap_or(0);
        if age > kept / 2 {
            let of = |ms: u64| numbers::time(std::time::Duration::from_millis(ms));
            lines.push(format!(
                "{at}: what is next to copy is {} old, and tombstones are kept for {}",
                of(age),
                of(kept)
            ));
        }
    }
    if lines.is_empty() {
        return Ok(Finding::pass(format!(
            "{} compacted",
            numbers::of(compacted, "topic")
        )));
    }
    Ok(Finding::block(
        "tombstones may be cleaned away before they are copied: deleted keys would live on",
    )
    .of(lines)
    .fix("wait until it has caught up; raise delete.retention.ms on the source while it has not"))
}

/// G219.
pub(super) fn replicas_in_sync(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut bad, mut thin) = (Vec::new(), Vec::new());
    for topic in topics {
        let target = fresh(&topic.target)?;
        let sides = [
            ("source", Some(topic.source), &topic.source_settings),
            ("target", *target, &topic.target_settings),
        ];
        for (side, of, settings) in sides {
            let Some(of) = of else { continue };
            let least = fresh(settings)?.min_in_sync.unwrap_or(1);
            if of.offline > 0 {
                bad.push(format!(
                    "{}: {} without a leader on the {side}",
                    topic.name,
                    numbers::of(of.offline as u64, "partition")
                ));
            } else if of.least_in_sync < least {
                bad.push(format!(
                    "{}: {} in sync on the {side}, of the {least} that writing takes",
                    topic.name, of.least_in_sync
                ));
            } else if of.under_replicated > 0 {
                thin.push(format!(
                    "{}: {} of the {side} with a replica out of sync",
                    topic.name,
                    numbers::of(of.under_replicated as u64, "partition")
                ));
            }
        }
    }
    let fix = "bring the brokers back that hold these replicas, and wait until they are in sync";
    if !bad.is_empty() {
        return Ok(Finding::block("partitions cannot be written to")
            .of(bad)
            .fix(fix));
    }
    if !thin.is_empty() {
        return Ok(Finding::warn("replicas are out of sync").of(thin).fix(fix));
    }
    Ok(Finding::pass(format!(
        "{}, both sides",
        numbers::of(topics.len() as u64, "topic")
    )))
}
