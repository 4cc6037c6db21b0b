//! How much there is to copy, how fast that may go, and whether it is fast enough.

use std::time::Duration;

use super::{Asked, CannotLook, Finding, acls, fresh};
use crate::{
    cluster::Quotas,
    model::{limits::Limits, numbers},
    observe::{ClusterSeen, Observation, TopicSeen},
};

/// Bytes that are not on the target yet, by the batches looked at.
fn to_copy(topics: &[TopicSeen]) -> Result<f64, CannotLook> {
    let mut bytes = 0f64;
    for topic in topics {
        let sample = fresh(&topic.sample)?;
        if sample.records > 0 {
            let offsets: u64 = topic.partitions.iter().filter_map(|one| one.lag()).sum();
            bytes += sample.bytes as f64 / sample.records as f64 * offsets as f64;
        } else if sample.offsets > 0 {
            return Err(CannotLook::because(format!(
                "no record of {} was seen",
                topic.name
            )));
        }
    }
    Ok(bytes)
}

fn time(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 1e10))
}

/// Topics whose source deletes records before so much time has passed.
fn overtaken(topics: &[TopicSeen], takes: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in topics {
        let Ok(settings) = fresh(&topic.source_settings) else {
            continue;
        };
        let kept = settings.retention_ms.filter(|_| settings.deletes);
        let kept = kept.map(Duration::from_millis);
        if let Some(kept) = kept.filter(|kept| takes > *kept) {
            lines.push(format!(
                "{} keeps its records for {}",
                topic.name,
                numbers::time(kept)
            ));
        }
    }
    lines
}

/// G124.
pub(super) fn copy_time(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let bytes = to_copy(topics)?;
    let size = format!(
        "about {} to copy, by the batches looked at",
        numbers::bytes(bytes as u64)
    );
    let Some(rate) = seen.asked.bytes_per_second.filter(|rate| *rate > 0) else {
        let each = numbers::time(time(bytes / 1e8));
        return Ok(Finding::pass(format!(
            "{size}; {each} for each 100 MB/s that the clusters have to spare"
        )));
    };
    let takes = time(bytes / rate as f64);
    let evidence = format!(
        "{size}; {} at {} (`replication.rate`)",
        numbers::time(takes),
        numbers::rate(rate as f64)
    );
    let overtaken = overtaken(topics, takes);
    if overtaken.is_empty() {
        return Ok(Finding::pass(evidence));
    }
    Ok(Finding::block(format!(
        "{evidence}; by then records are deleted that are not copied yet"
    ))
    .of(overtaken)
    .fix("raise `replication.rate`, or retention.ms on the source until the copy has caught up"))
}

/// G114.
pub(super) fn quotas_fit(seen: &Observation, _: &Limits) -> Asked {
    let mut lines = Vec::new();
    let mut slowest: Option<(f64, &ClusterSeen, &'static str)> = None;
    for (side, cluster, word, key, of) in [
        (
            "source",
            &seen.source,
            "read",
            "consumer_byte_rate",
            (|quotas: &Quotas| quotas.consume) as fn(&Quotas) -> Option<f64>,
        ),
        (
            "target",
            &seen.target,
            "write",
            "producer_byte_rate",
            |quotas| quotas.produce,
        ),
    ] {
        let quotas = fresh(&cluster.quotas).map_err(|cannot| {
            cannot
                .fix("let somebody with the right to Alter the cluster run this, or ask them for the quotas of this login")
                .run([acls(cluster, &["DescribeConfigs"], "--cluster")])
        })?;
        // Quotas are each broker's own, so a cluster of many is faster than one of few.
        let brokers = fresh(&cluster.brokers)?.len().max(1);
        if let Some(rate) = of(quotas) {
            let whole = rate * brokers as f64;
            lines.push(format!(
                "each {side} broker lets this login {word} {}, {} in all",
                numbers::rate(rate),
                numbers::rate(whole)
            ));
            if slowest.is_none_or(|(known, ..)| whole < known) {
                slowest = Some((whole, cluster, key));
            }
        }
        if let Some(share) = quotas.requests {
            lines.push(format!(
                "the {side} gives this login {share} % of a broker's request threads"
            ));
        }
    }
    let Some((rate, cluster, key)) = slowest else {
        return Ok(match lines.is_empty() {
            true => Finding::pass("no quotas for this login"),
            false => Finding::warn("quotas hold for this login").of(lines).fix(
                "raise them for the time of the copy, if it should go faster than they let it",
            ),
        });
    };
    let command = raise(cluster, key);
    let topics = fresh(&seen.topics)?;
    let takes = time(to_copy(topics)? / rate.max(1.0));
    let overtaken = overtaken(topics, takes);
    if !overtaken.is_empty() {
        lines.extend(overtaken);
        return Ok(Finding::block(format!(
            "at what quotas let through it takes {}; by then records are deleted that are not copied yet",
            numbers::time(takes)
        ))
        .of(lines)
        .fix("raise the quota for the time of the copy, or retention.ms on the source")
        .run([command]));
    }
    Ok(Finding::warn(format!(
        "quotas let through {}: what is there takes {}",
        numbers::rate(rate),
        numbers::time(takes)
    ))
    .of(lines)
    .fix("raise the quota for the time of the copy, if it should go faster")
    .run([command]))
}

fn raise(cluster: &ClusterSeen, key: &str) -> String {
    format!(
        "kafka-configs --bootstrap-server {} --command-config admin.properties --alter --entity-type users --entity-name {} --add-config {key}=BYTES_PER_SECOND",
        cluster
            .bootstrap
            .first()
            .map_or("HOST:PORT", String::as_str),
        super::quoted(cluster.user.as_deref().unwrap_or("ANONYMOUS"))
    )
}
