//! MSK Replicator's seven, by their names, whoever replicates.

use std::time::Duration;

use super::{Asked, CannotLook, Finding, fresh, reach::named, recent};
use crate::{
    engine::status::EngineState,
    model::{backend::Backend, limits::Limits, numbers},
    observe::{Latency, Observation},
};

/// Observations without which nothing is said of how a number moves.
const OBSERVATIONS: usize = 3;
/// Soon is within so many times as long as gates have to hold.
const SOON: u64 = 10;

/// G201.
pub(super) fn no_failure(seen: &Observation, _: &Limits) -> Asked {
    let failures = *recent(seen, &seen.metrics.replicator_failure)?;
    if failures == 0 {
        return Ok(Finding::pass("ReplicatorFailure 0"));
    }
    let why = match fresh(&seen.engine).map(|engine| engine.state) {
        Ok(EngineState::NeverStarted) => "nothing was ever copied",
        Ok(EngineState::Stopped) => "the engine was stopped",
        Ok(EngineState::Silent) => {
            "the engine is silent: it does not run, or cannot reach the target"
        }
        Ok(EngineState::Running) | Err(_) => "the replicator reports failures",
    };
    Ok(
        Finding::block(format!("ReplicatorFailure {failures}: {why}"))
            .fix("start it: kafka-migrate replicate"),
    )
}

/// G202.
pub(super) fn no_sync_failure(seen: &Observation, _: &Limits) -> Asked {
    let failures = *recent(seen, &seen.metrics.offset_sync_failure)?;
    if failures == 0 {
        let what = match seen.asked.groups.is_empty() {
            true => "; no groups are in scope",
            false => "",
        };
        return Ok(Finding::pass(format!(
            "ConsumerGroupOffsetSyncFailure 0{what}"
        )));
    }
    Ok(
        Finding::block(format!("ConsumerGroupOffsetSyncFailure {failures}"))
            .fix("the replicator's messages say which group, and why"),
    )
}

/// G203.
pub(super) fn pings_succeed(seen: &Observation, _: &Limits) -> Asked {
    let source = *recent(seen, &seen.metrics.source_ping)?;
    let target = *recent(seen, &seen.metrics.target_ping)?;
    let evidence =
        format!("KafkaClusterPingSuccessCount {source} on the source, {target} on the target");
    // A ping that is counted twice in a period is none that failed.
    if source >= 1 && target >= 1 {
        return Ok(Finding::pass(evidence));
    }
    Ok(Finding::block(evidence).fix("see brokers-reachable (G101): every broker has to answer"))
}

/// Has it risen for as long as gates have to hold, at each of three looks or more, and fast enough to pass the limit soon? A number that
/// lives under traffic rises a little at any three looks.
fn is_growing(points: &[(u64, u64)], hold: Duration, limit: u64) -> Option<(u64, u64)> {
    let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
    // From the last point that is as old as that.
    let from = points.iter().rposition(|(age, _)| *age >= hold)?;
    let during = &points[from..];
    let (first, last) = (during.first()?.1, during.last()?.1);
    let rises = during.windows(2).all(|pair| pair[0].1 <= pair[1].1);
    let soon = last.saturating_add((last.saturating_sub(first)).saturating_mul(SOON));
    (during.len() >= OBSERVATIONS && rises && last > first && soon >= limit)
        .then_some((first, last))
}

/// G204.
pub(super) fn message_lag_low(seen: &Observation, limits: &Limits) -> Asked {
    let lag = *recent(seen, &seen.metrics.message_lag)?;
    let evidence = format!(
        "MessageLag {}, limit {}",
        numbers::exact(lag),
        numbers::exact(limits.message_lag)
    );
    if lag >= limits.message_lag.max(1) {
        return Ok(Finding::block(evidence).fix("wait, or raise `ready.message_lag`"));
    }
    if let Some((first, last)) =
        is_growing(&seen.trend.message_lag, limits.hold, limits.message_lag)
    {
        return Ok(Finding::block(format!("{evidence}; it grows, from {first} to {last} in {}", numbers::time(limits.hold)))
            .fix("the source is written to faster than it is copied: see `status` for what holds it back"));
    }
    Ok(Finding::pass(evidence))
}

/// G205.
pub(super) fn latency_low(seen: &Observation, limits: &Limits) -> Asked {
    let limit = limits.replication_latency;
    let of = |ms: u64| numbers::time(Duration::from_millis(ms));
    match *recent(seen, &seen.metrics.replication_latency)? {
        Latency::AtMost(ms) if Duration::from_millis(ms) < limit => Ok(Finding::pass(format!(
            "ReplicationLatency at most {}, limit {}",
            of(ms),
            numbers::time(limit)
        ))),
        Latency::AtMost(ms) => Ok(Finding::block(format!(
            "ReplicationLatency up to {}, limit {}",
            of(ms),
            numbers::time(limit)
        ))
        .fix("wait, or raise `ready.replication_latency`")),
        Latency::Behind(ms) if Duration::from_millis(ms) >= limit => Ok(Finding::block(format!(
            "ReplicationLatency: behind; what the source held {} ago is not all on the target",
            of(ms)
        ))
        .fix("wait until it has caught up")),
        Latency::Behind(ms) => Err(CannotLook::because(format!(
            "what the source held {} ago is not all on the target yet; it was not watched for longer",
            of(ms)
        ))),
    }
}

/// G206.
pub(super) fn offset_lag_low(seen: &Observation, limits: &Limits) -> Asked {
    if seen.asked.groups.is_empty() {
        return Ok(Finding::pass("SumOffsetLag: no groups are in scope"));
    }
    let source = *recent(seen, &seen.metrics.source_offset_lag)?;
    let groups = recent(seen, &seen.metrics.groups)?;
    if groups.present.is_empty() && !groups.expected.is_empty() {
        return Err(CannotLook::because(format!(
            "SumOffsetLag {} on the source; no group in scope has a position on the target yet",
            numbers::exact(source)
        )));
    }
    let target = *recent(seen, &seen.metrics.target_offset_lag)?;
    let evidence = format!(
        "SumOffsetLag {} on the source, {} on the target, limit {}",
        numbers::exact(source),
        numbers::exact(target),
        numbers::exact(limits.offset_lag)
    );
    if source.max(target) >= limits.offset_lag.max(1) {
        return Ok(
            Finding::block(evidence).fix("let the groups read on, or raise `ready.offset_lag`")
        );
    }
    for (points, side) in [
        (&seen.trend.source_offset_lag, "source"),
        (&seen.trend.target_offset_lag, "target"),
    ] {
        if let Some((first, last)) = is_growing(points, limits.hold, limits.offset_lag) {
            return Ok(Finding::block(format!(
                "{evidence}; on the {side} it grows, from {first} to {last} in {}",
                numbers::time(limits.hold)
            ))
            .fix("the groups read slower than the topics are written"));
        }
    }
    Ok(Finding::pass(evidence))
}

/// G207.
pub(super) fn groups_as_expected(seen: &Observation, _: &Limits) -> Asked {
    if seen.asked.groups.is_empty() {
        return Ok(Finding::pass("ConsumerGroupCount: no groups are in scope"));
    }
    let groups = recent(seen, &seen.metrics.groups)?;
    let complete = |groups: &crate::observe::Known<crate::observe::GroupsSeen>| {
        fresh(groups).map(|groups| groups.complete)
    };
    let literal = seen.asked.groups.literals().count() == seen.asked.groups.texts().len();
    let is_whole = literal || (complete(&seen.source_groups)? && complete(&seen.target_groups)?);
    if !is_whole {
        return Err(
            CannotLook::because("a cluster shows this login only some of its groups")
                .fix("let this login Describe both clusters, or name each group in `scope.groups`"),
        );
    }
    let lacking: Vec<String> = groups
        .expected
        .iter()
        .filter(|name| !groups.present.contains(name))
        .cloned()
        .collect();
    let known = |name: &&String| !groups.expected.contains(name) && !groups.idle.contains(name);
    let strange: Vec<String> = groups.present.iter().filter(known).cloned().collect();
    let evidence = format!(
        "ConsumerGroupCount {}, expected {}",
        groups.present.len(),
        groups.expected.len()
    );
    // What the replicator says of itself is not believed alone, and not left out either.
    if seen.asked.backend == Backend::Msk && seen.asked.application.is_none() {
        let carried = *recent(seen, &seen.metrics.groups_carried)?;
        if carried < groups.expected.len() as u64 {
            return Ok(Finding::block(format!("{evidence}; CloudWatch says {carried}"))
                .fix("wait for the replicator to find them (half a minute), or see its log: it says which group, and why"));
        }
    }
    let idle = match groups.idle.is_empty() {
        true => None,
        false => Some(format!(
            "not active in the last 24 hours, so not expected: {}",
            named(&groups.idle)
        )),
    };
    if !lacking.is_empty() {
        return Ok(Finding::block(evidence)
            .of(std::iter::once(format!("not on the target: {}", named(&lacking))).chain(idle))
            .fix("they come with their first carried position; take groups that are not to move out of `scope.groups`"));
    }
    if !strange.is_empty() {
        return Ok(Finding::warn(evidence)
            .of(std::iter::once(format!("only on the target: {}", named(&strange))).chain(idle))
            .fix("somebody reads there already, under a name in scope"));
    }
    Ok(Finding::pass(evidence).of(idle))
}
