//! The replicators: asked for as AWS takes them, ours, few enough, and running.

use super::{amazon, told};
use crate::{
    gates::{Asked, Finding, fresh, recent},
    model::{limits::Limits, numbers},
    msk::{self, Direction, Lifecycle},
    observe::Observation,
};

/// Replicators of one account in one region.
const MOST: usize = 15;

/// G303.
pub fn requests_keep_rules(seen: &Observation, _: &Limits) -> Asked {
    let broken = told(&amazon(seen)?.broken)?;
    match broken.is_empty() {
        true => Ok(Finding::pass(
            "both ways, IDENTICAL names, ENHANCED positions",
        )),
        false => Ok(Finding::block(format!(
            "AWS would refuse them: {}",
            numbers::of(broken.len() as u64, "rule")
        ))
        .of(broken.iter().cloned())
        .fix("correct [msk] and [scope] in the file, or your own templates")),
    }
}

/// G304.
pub fn replicators_are_ours(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let replicators = told(&amazon.replicators)?;
    let (mut lines, mut warnings, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for (direction, name) in Direction::BOTH.into_iter().zip(&amazon.asked.names) {
        let Some(one) = replicators.of(direction) else {
            states.push(format!("{name} is free"));
            continue;
        };
        if !one.is_ours {
            lines.push(format!(
                "{name} is there, and its tags do not say that this migration made it"
            ));
            continue;
        }
        lines.extend(
            one.cannot_change
                .iter()
                .map(|what| format!("{name} was made otherwise, for good: {what}")),
        );
        warnings.extend(
            one.to_change
                .iter()
                .map(|what| format!("{name} is going to be changed: {what}")),
        );
        states.push(format!("{name} is {}", one.described.lifecycle));
        if one.described.lifecycle == Lifecycle::Failed {
            let (code, message) = one.described.state_info.clone().unwrap_or_default();
            let advice = msk::of_state(&code, &message);
            lines.push(format!("{name} failed: {message} {code}; {}", advice.cause));
            lines.push(advice.cure.to_owned());
        }
    }
    if !lines.is_empty() {
        return Ok(Finding::block(states.join(", "))
            .of(lines)
            .fix("other names (`msk.names`), the file as it was, or without the replicator that is in the way"));
    }
    match warnings.is_empty() {
        true => Ok(Finding::pass(states.join(", "))),
        false => Ok(Finding::warn(states.join(", ")).of(warnings)),
    }
}

/// G305.
pub fn quota_suffices(seen: &Observation, _: &Limits) -> Asked {
    let replicators = told(&amazon(seen)?.replicators)?;
    let there = [&replicators.forward, &replicators.reverse];
    let missing = there.iter().filter(|one| one.is_none()).count();
    let evidence = format!(
        "{} in the region, {missing} to be made; an account has {MOST} where nobody asked for more",
        numbers::of(replicators.all as u64, "replicator")
    );
    match replicators.all + missing > MOST {
        true => Ok(Finding::warn(evidence).fix(
            "ask for a higher quota (Service Quotas, Amazon MSK), or remove one that nobody needs",
        )),
        false => Ok(Finding::pass(evidence)),
    }
}

/// G317.
pub fn both_run(seen: &Observation, _: &Limits) -> Asked {
    let amazon = amazon(seen)?;
    let replicators = told(&amazon.replicators)?;
    let (mut lines, mut states) = (Vec::new(), Vec::new());
    for (direction, name) in Direction::BOTH.into_iter().zip(&amazon.asked.names) {
        match replicators.of(direction) {
            None => lines.push(format!("{name} ({direction}) is not there")),
            Some(one) => {
                states.push(format!("{name} is {}", one.described.lifecycle));
                if !matches!(
                    one.described.lifecycle,
                    Lifecycle::Running | Lifecycle::Updating
                ) {
                    lines.push(format!(
                        "{name} ({direction}) is {}",
                        one.described.lifecycle
                    ));
                }
                if one.described.sync_mode != "ENHANCED" || !one.described.sync_offsets {
                    lines.push(format!(
                        "{name} ({direction}) carries no positions both ways ({})",
                        one.described.sync_mode
                    ));
                }
            }
        }
    }
    match lines.is_empty() {
        true => Ok(Finding::pass(states.join(", "))),
        // The one that copies back begins where the target's log ends when it is made: before that nobody may write there.
        false => Ok(Finding::block(
            "an application that moved now could not come back with all it wrote",
        )
        .of(lines)
        .fix("kafka-migrate replicate makes what is missing, and waits until it runs")),
    }
}

/// G318.
pub fn witnesses_agree(seen: &Observation, limits: &Limits) -> Asked {
    amazon(seen)?;
    let told = *recent(seen, &seen.metrics.message_lag)?;
    let waiting: u64 = fresh(&seen.metrics.waiting)?
        .iter()
        .map(|one| one.records)
        .sum();
    let evidence = format!(
        "MessageLag {} by CloudWatch, {} by the clusters",
        numbers::exact(told),
        numbers::exact(waiting)
    );
    // One looks at a minute, the other at this moment; and the replicator counts what it has read, not what has arrived.
    let tolerance = limits.message_lag.max(told.max(waiting) / 10);
    match told.abs_diff(waiting) > tolerance {
        false => Ok(Finding::pass(evidence)),
        true => Ok(Finding::block(format!("{evidence}: further apart than {}", numbers::exact(tolerance)))
            .fix("believe the larger one: look at the replicator's log, and at its rights on both clusters")),
    }
}

/// G319.
pub fn nothing_waits(seen: &Observation, limits: &Limits) -> Asked {
    amazon(seen)?;
    let waiting = fresh(&seen.metrics.waiting)?;
    let longest = u64::try_from(limits.replication_latency.as_millis()).unwrap_or(u64::MAX);
    let age = |since: i64| u64::try_from(seen.at_ms - since).unwrap_or(0);
    let time = |ms| numbers::time(std::time::Duration::from_millis(ms));
    let late: Vec<String> = waiting
        .iter()
        .filter(|one| age(one.since_ms) > longest)
        .map(|one| {
            format!(
                "{}: {} on the source, the first of {} ago",
                one.topic,
                numbers::of(one.records, "offset"),
                time(age(one.since_ms))
            )
        })
        .collect();
    match late.is_empty() {
        true => Ok(Finding::pass(format!(
            "in no topic a record waits for longer than {}",
            time(longest)
        ))),
        // ReplicationLatency falls to 0 where a replicator may not read or write a topic.
        false => Ok(Finding::block(format!("{} wait", numbers::of(late.len() as u64, "topic")))
            .of(late)
            .fix("a backlog, or a topic that the replicator has no right to: its latency falls to 0 while the topic grows; see its log and the rights of G309")),
    }
}

/// G320.
pub fn no_refused_logins(seen: &Observation, _: &Limits) -> Asked {
    amazon(seen)?;
    let errors = *recent(seen, &seen.metrics.auth_errors)?;
    match errors {
        0 => Ok(Finding::pass("AuthError 0 on both clusters")),
        errors => Ok(Finding::block(format!("AuthError {errors}"))
            .fix("compare the secret with the cluster's SCRAM user; `kafka-migrate replicate` writes a new version of it")),
    }
}
