//! Can we go back, and does nobody break it meanwhile?

use super::{Asked, CannotLook, Finding, fresh, rights::is_known};
use crate::{
    engine::status::EngineState,
    model::{limits::Limits, numbers},
    observe::{Observation, TopicSeen, TopicSettings},
};

/// G212.
pub(super) fn way_back(seen: &Observation, _: &Limits) -> Asked {
    if !seen.asked.two_way {
        return Ok(Finding::block("`replication.two_way` is off: what applications write on the target does not come back")
            .fix("set it and start `replicate` anew, before anything moves; whoever can do without says so with `cutover --no-way-back`, or --waive G212=REASON"));
    }
    let reverse = fresh(&seen.reverse)?;
    if reverse.state != EngineState::Running {
        return Ok(
            Finding::block("nothing is copied back: its engine does not run")
                .fix("start it: kafka-migrate replicate"),
        );
    }
    if !reverse.stopped.is_empty() {
        let lines = reverse.stopped.iter().map(|one| {
            format!(
                "{}-{}: {}: {}",
                one.topic, one.partition, one.code, one.reason
            )
        });
        let count = numbers::of(reverse.stopped.len() as u64, "partition");
        return Ok(Finding::block(format!("{count} not copied back"))
            .of(lines)
            .fix("`kafka-migrate status` names the ways on for each of them"));
    }
    Ok(Finding::pass(
        "the reverse direction runs, with no partition stopped",
    ))
}

/// G213.
pub(super) fn one_writer(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let mut lines = Vec::new();
    let mut compacted = 0u64;
    for topic in topics {
        let settings = [
            fresh(&topic.source_settings)?,
            fresh(&topic.target_settings)?,
        ];
        if !settings.iter().any(|settings| settings.compacts) {
            continue;
        }
        compacted += 1;
        let foreign = fresh(&topic.foreign_writes)?;
        if !foreign.is_empty() {
            let partitions: Vec<String> = foreign
                .iter()
                .map(|partition| format!("{}-{partition}", topic.name))
                .collect();
            lines.push(format!(
                "somebody else writes to it on the target: {}",
                super::some_of(&partitions)
            ));
        }
        lines.extend(other_writers(seen, topic));
    }
    if lines.is_empty() {
        return Ok(Finding::pass(format!(
            "{} compacted",
            numbers::of(compacted, "topic")
        )));
    }
    Ok(Finding::block(
        "a compacted topic would be written on both sides: each would keep another value",
    )
    .of(lines)
    .fix("move all that write it together, or stop what writes it on the wrong side"))
}

/// Applications of the file that would go on writing this topic on the source when one of them has moved.
fn other_writers(seen: &Observation, topic: &TopicSeen) -> Option<String> {
    let moving = seen.asked.application.as_ref()?;
    let writes = |name: &str| {
        let mut all = seen
            .applications
            .iter()
            .filter(|one| one.writes.matches(&topic.name));
        all.any(|one| one.name == name)
    };
    if !writes(moving) {
        return None;
    }
    let others: Vec<String> = seen
        .applications
        .iter()
        .filter(|one| one.name != *moving && one.writes.matches(&topic.name))
        .map(|one| one.name.clone())
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "{} is also written by {}",
            topic.name,
            super::some_of(&others)
        )
    })
}

/// G220.
pub(super) fn limits_fit_both_ways(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let (mut lines, mut times) = (Vec::new(), Vec::new());
    for topic in topics {
        if fresh(&topic.target)?.is_none() {
            lines.push(format!("{} is not on the target", topic.name));
            continue;
        }
        if !is_known(&topic.source_settings) || !is_known(&topic.target_settings) {
            return Err(CannotLook::because(format!(
                "the settings of {} are not known",
                topic.name
            )));
        }
        let (source, target) = (
            fresh(&topic.source_settings)?,
            fresh(&topic.target_settings)?,
        );
        let mut compare = |from, to, side: &str| {
            let say = |what: String| format!("{}: the {side} takes less: {what}", topic.name);
            lines.extend(narrower(from, to).map(say));
            times.extend(stricter(from, to).map(say));
        };
        compare(source, target, "target");
        if seen.asked.two_way {
            compare(target, source, "source");
        }
    }
    if !lines.is_empty() {
        return Ok(
            Finding::block("one side would refuse what applications write on the other")
                .of(lines)
                .fix("give the topics the same limits on both sides"),
        );
    }
    if !times.is_empty() {
        return Ok(Finding::warn("one side takes records of fewer times than the other")
            .of(times)
            .fix("give the topics the same limits, if applications write records of the past or of the future"));
    }
    let ways = match seen.asked.two_way {
        true => "both ways",
        false => "forward; nothing is copied back",
    };
    Ok(Finding::pass(format!(
        "{}, {ways}",
        numbers::of(topics.len() as u64, "topic")
    )))
}

/// Batches that this side lets through and the other refuses or changes.
fn narrower(from: &TopicSettings, to: &TopicSettings) -> impl Iterator<Item = String> + use<> {
    let codec = match &to.codec {
        Some(codec) if from.codec.as_ref() != Some(codec) => {
            Some(format!("compression.type {codec}"))
        }
        _ => None,
    };
    let stamps =
        (to.stamps && !from.stamps).then(|| "message.timestamp.type LogAppendTime".to_owned());
    let size = less(
        "max.message.bytes",
        from.max_message_bytes,
        to.max_message_bytes,
    );
    [size, codec, stamps].into_iter().flatten()
}

/// Times that this side lets through and the other refuses.
fn stricter(from: &TopicSettings, to: &TopicSettings) -> impl Iterator<Item = String> + use<> {
    [
        less(
            "message.timestamp.before.max.ms",
            from.before_max_ms,
            to.before_max_ms,
        ),
        less(
            "message.timestamp.after.max.ms",
            from.after_max_ms,
            to.after_max_ms,
        ),
    ]
    .into_iter()
    .flatten()
}

fn less(name: &str, here: Option<u64>, there: Option<u64>) -> Option<String> {
    let is_less = match (here, there) {
        (Some(here), Some(there)) => there < here,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let word =
        |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
    is_less.then(|| format!("{name} {} against {}", word(there), word(here)))
}
