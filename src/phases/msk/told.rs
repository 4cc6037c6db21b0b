//! What CloudWatch says of both replicators, as the numbers that gates ask: of both together, each with its age.

use crate::{
    msk::{
        Direction,
        numbers::{ClusterNumbers, Numbers, Reading},
    },
    observe::{Known, Latency, Metrics, ReplicatorsSeen},
};

/// What one replicator says, or why it says nothing.
pub type Says<'a> = Result<&'a Numbers, String>;

/// Fills in what CloudWatch says. What is said of one replicator alone is not said of both.
pub fn fill(metrics: &mut Metrics, forward: Says<'_>, reverse: Says<'_>, seen: &ReplicatorsSeen) {
    let both = |of: fn(&Numbers) -> &Reading| {
        sum(&[
            forward.as_ref().map(|one| of(one)).map_err(String::as_str),
            reverse.as_ref().map(|one| of(one)).map_err(String::as_str),
        ])
    };
    metrics.replicator_failure = both(|one| &one.failures);
    metrics.offset_sync_failure = both(|one| &one.offset_sync_failures);
    metrics.message_lag = both(|one| &one.message_lag);
    metrics.groups_carried = match &forward {
        Ok(one) => whole(&one.groups),
        Err(reason) => Known::unknown(reason),
    };
    metrics.replication_latency = match &forward {
        Ok(one) => whole(&one.replication_latency).map(Latency::AtMost),
        Err(reason) => Known::unknown(reason),
    };
    let alias = |direction, is_msk: bool| {
        let described = seen.of(direction).map(|one| &one.described)?;
        match is_msk {
            true => described.msk_alias.as_deref(),
            false => described.external_alias.as_deref(),
        }
    };
    let ping = |is_msk| {
        let of = |says: &Says<'_>, direction| {
            let one = says.as_ref().map_err(String::clone)?;
            let alias: &str = alias(direction, is_msk).ok_or_else(|| {
                format!("AWS does not say what the {direction} replicator calls it")
            })?;
            let found: Option<&ClusterNumbers> = one.clusters.get(alias);
            found
                .map(|numbers| numbers.ping.clone())
                .ok_or_else(|| format!("CloudWatch has nothing of {alias}"))
        };
        let (there, back) = (
            of(&forward, Direction::Forward),
            of(&reverse, Direction::Reverse),
        );
        fewest(&[
            there.as_ref().map_err(String::as_str),
            back.as_ref().map_err(String::as_str),
        ])
    };
    metrics.auth_errors = {
        let errors = |says: &Says<'_>| -> Vec<Result<Reading, String>> {
            match says {
                Ok(one) if one.clusters.is_empty() => {
                    vec![Err("AWS does not name its clusters".into())]
                }
                Ok(one) => one
                    .clusters
                    .values()
                    .map(|one| Ok(one.auth_errors.clone()))
                    .collect(),
                Err(reason) => vec![Err(reason.clone())],
            }
        };
        let all = [errors(&forward), errors(&reverse)].concat();
        let all: Vec<Result<&Reading, &str>> = all
            .iter()
            .map(|one| one.as_ref().map_err(String::as_str))
            .collect();
        sum(&all)
    };
    metrics.source_ping = ping(false);
    metrics.target_ping = ping(true);
}

/// All together; unknown as soon as one is.
fn sum(readings: &[Result<&Reading, &str>]) -> Known<u64> {
    fold(readings, |sum, one| sum.saturating_add(one))
}

/// The smallest; unknown as soon as one is.
fn fewest(readings: &[Result<&Reading, &str>]) -> Known<u64> {
    fold(readings, std::cmp::min)
}

fn fold(readings: &[Result<&Reading, &str>], with: fn(u64, u64) -> u64) -> Known<u64> {
    let mut all: Option<(u64, u64)> = None;
    for reading in readings {
        let known = match reading {
            Ok(reading) => whole(reading),
            Err(reason) => Known::unknown(*reason),
        };
        match known {
            Known::Seen { value, age_ms } => {
                all = Some(match all {
                    Some((so_far, age)) => (with(so_far, value), age.max(age_ms)),
                    None => (value, age_ms),
                });
            }
            unknown @ Known::Unknown { .. } => return unknown,
        }
    }
    match all {
        Some((value, age_ms)) => Known::Seen { value, age_ms },
        None => Known::unknown("nobody was asked"),
    }
}

fn whole(reading: &Reading) -> Known<u64> {
    match reading {
        // What is stale keeps its age: the gate says how old it is.
        Reading::Fresh { value, age_ms } | Reading::Stale { value, age_ms } => Known::Seen {
            value: value.ceil() as u64,
            age_ms: *age_ms,
        },
        Reading::Unknown { reason } => Known::unknown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(value: f64, age_ms: u64) -> Reading {
        Reading::Fresh { value, age_ms }
    }

    #[test]
    fn both_together_are_as_old_as_the_older_and_as_unknown_as_the_one() {
        let (a, b) = (fresh(3.0, 10), fresh(4.2, 70));
        let gone = Reading::Unknown {
            reason: "nothing of it".into(),
        };
        assert_eq!(
            sum(&[Ok(&a), Ok(&b)]),
            Known::Seen {
                value: 8,
                age_ms: 70
            }
        );
        assert_eq!(
            fewest(&[Ok(&a), Ok(&b)]),
            Known::Seen {
                value: 3,
                age_ms: 70
            }
        );
        assert_eq!(sum(&[Ok(&a), Ok(&gone)]), Known::unknown("nothing of it"));
        assert_eq!(
            sum(&[Ok(&a), Err("it is not there")]),
            Known::unknown("it is not there")
        );
        // Nothing that was not said is ever 0.
        assert_eq!(sum(&[]), Known::unknown("nobody was asked"));
    }
}
