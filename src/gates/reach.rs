//! Can we reach both clusters, log in, and go on being let in?

use super::{Asked, CannotLook, Finding, fresh, some_of};
use crate::{
    model::{limits::Limits, numbers},
    observe::{ClusterSeen, Observation},
};

/// Clocks further apart than this deserve a look, and then hold things up.
const CLOCKS_WARN_MS: u64 = 5_000;
const CLOCKS_BLOCK_MS: u64 = 60_000;
/// A certificate that ends sooner holds things up; one that ends sooner than the second deserves a look.
const CERTIFICATE_BLOCK_DAYS: i64 = 7;
const CERTIFICATE_WARN_DAYS: i64 = 30;
const DAY: i64 = 86_400;

fn sides(seen: &Observation) -> [(&'static str, &ClusterSeen); 2] {
    [("source", &seen.source), ("target", &seen.target)]
}

/// G101.
pub(super) fn brokers_reachable(seen: &Observation, _: &Limits) -> Asked {
    let mut trouble = Vec::new();
    let mut counted = Vec::new();
    let mut slowest = 0;
    let mut hint = None;
    let mut no_login = false;
    for (side, cluster) in sides(seen) {
        if let Some(one) = &cluster.trouble {
            trouble.push(format!("{}: {}", one.code, one.message));
            hint = hint.or_else(|| one.hint.clone());
            // The last two digits name the trouble, whichever side it is on: no mechanism in common.
            no_login |= one.code.ends_with("05");
            continue;
        }
        let brokers = fresh(&cluster.brokers)?;
        let reached = brokers.iter().filter(|broker| broker.trouble.is_none());
        slowest = reached
            .clone()
            .map(|broker| broker.round_trip_us)
            .max()
            .unwrap_or(0)
            .max(slowest);
        counted.push(format!("{side} {}/{}", reached.count(), brokers.len()));
        for broker in brokers {
            if let Some(one) = &broker.trouble {
                trouble.push(format!(
                    "{side} broker {} at {}: {}: {}",
                    broker.id, broker.address, one.code, one.message
                ));
                hint = hint.or_else(|| one.hint.clone());
            }
        }
    }
    if trouble.is_empty() {
        let slowest = format!("{}.{} ms", slowest / 1000, slowest % 1000 / 100);
        return Ok(Finding::pass(format!(
            "{}, slowest {slowest}",
            counted.join(", ")
        )));
    }
    let evidence = match counted.is_empty() {
        true => "no broker could be logged in to".to_owned(),
        false => format!("reached: {}", counted.join(", ")),
    };
    let finding = Finding::block(evidence).of(trouble);
    let finding = match hint {
        Some(hint) => finding.fix(hint),
        None => finding.fix("every advertised address must be reachable from here"),
    };
    Ok(if no_login {
        finding.run(scram_listener())
    } else {
        finding
    })
}

/// What a cluster without SCRAM adds to each broker's server.properties, and a user for it.
fn scram_listener() -> Vec<String> {
    [
        "listeners=…,MIGRATION://0.0.0.0:9096",
        "advertised.listeners=…,MIGRATION://THIS-BROKER:9096",
        "listener.security.protocol.map=…,MIGRATION:SASL_SSL",
        "sasl.enabled.mechanisms=…,SCRAM-SHA-512",
        "listener.name.migration.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "kafka-configs --bootstrap-server HOST:PORT --command-config admin.properties --alter --entity-type users --entity-name migrator --add-config 'SCRAM-SHA-512=[password=…]'",
    ]
    .map(str::to_owned)
    .into()
}

/// G102.
pub(super) fn clusters_differ(seen: &Observation, _: &Limits) -> Asked {
    if let Some((side, _)) = sides(seen)
        .into_iter()
        .find(|(_, cluster)| cluster.trouble.is_some())
    {
        return Err(CannotLook::because(format!("no connection to the {side}")));
    }
    match (&seen.source.id, &seen.target.id) {
        (Some(source), Some(target)) if source == target => Ok(Finding::block(format!(
            "source and target are the same cluster, {source}: its topics would be copied into themselves"
        ))
        .fix("correct `source.bootstrap` or `target.bootstrap`")),
        (Some(source), Some(target)) => Ok(Finding::pass(format!("{source} and {target}"))),
        _ => Err(CannotLook::because("a cluster without an id can be told from no other")
            .fix("make sure that `source.bootstrap` and `target.bootstrap` are of two clusters")),
    }
}

/// G103.
pub(super) fn versions_suffice(seen: &Observation, _: &Limits) -> Asked {
    let (mut lacks, mut misses) = (Vec::new(), Vec::new());
    let mut count = 0;
    for (side, cluster) in sides(seen) {
        for broker in fresh(&cluster.brokers)?
            .iter()
            .filter(|broker| broker.trouble.is_none())
        {
            count += 1;
            let line = |apis: &[&str]| format!("{side} broker {}: {}", broker.id, apis.join(", "));
            if !broker.lacks.is_empty() {
                lacks.push(line(&broker.lacks));
            }
            if !broker.misses.is_empty() {
                misses.push(line(&broker.misses));
            }
        }
    }
    if count == 0 {
        return Err(CannotLook::because("no broker answered"));
    }
    if !lacks.is_empty() {
        return Ok(
            Finding::block("brokers do not speak what we cannot do without")
                .of(lacks)
                .fix("Apache Kafka 2.8 or later speaks all of it"),
        );
    }
    if !misses.is_empty() {
        return Ok(Finding::warn(
            "brokers do not offer what we would use: who holds a transaction open stays unknown",
        )
        .of(misses)
        .fix("nothing has to be done; Apache Kafka 2.8 or later offers it"));
    }
    Ok(Finding::pass(format!(
        "{} speak everything",
        numbers::of(count, "broker")
    )))
}

/// G104.
pub(super) fn clocks_agree(seen: &Observation, _: &Limits) -> Asked {
    let needs = "DescribeQuorum needs the right to Describe the cluster; compare the clocks by hand where it is not offered";
    let (source, target) = match (fresh(&seen.source.clock), fresh(&seen.target.clock)) {
        (Ok(source), Ok(target)) => (source, target),
        (Err(cannot), _) | (_, Err(cannot)) => return Err(cannot.fix(needs)),
    };
    let apart = source.ahead_ms.abs_diff(target.ahead_ms);
    let within = source.within_ms + target.within_ms;
    let at_least = apart.saturating_sub(within);
    let of = |ms: u64| match ms {
        0..10_000 => format!("{} ms", numbers::exact(ms)),
        _ => numbers::time(std::time::Duration::from_millis(ms)),
    };
    let evidence = format!("{} apart, to within {}", of(apart), of(within));
    let towards = |ahead: i64| match ahead {
        0.. => format!("{} ahead of", of(ahead.unsigned_abs())),
        _ => format!("{} behind", of(ahead.unsigned_abs())),
    };
    let lines = [
        format!("the source is {} this machine", towards(source.ahead_ms)),
        format!("the target is {} this machine", towards(target.ahead_ms)),
    ];
    let fix = "set the clock that is wrong right: limits on timestamps and retention go by it";
    Ok(match at_least {
        ms if ms >= CLOCKS_BLOCK_MS => Finding::block(evidence).of(lines).fix(fix),
        ms if ms >= CLOCKS_WARN_MS => Finding::warn(evidence).of(lines).fix(fix),
        _ => Finding::pass(evidence),
    })
}

/// G105.
pub(super) fn credentials_outlive(seen: &Observation, _: &Limits) -> Asked {
    let now = seen.at_ms / 1000;
    let (mut soon, mut later, mut first) = (Vec::new(), Vec::new(), None::<i64>);
    let mut passwords = Vec::new();
    for (side, cluster) in sides(seen) {
        let brokers = fresh(&cluster.brokers)?;
        if cluster.mechanism != "none" {
            passwords.push(format!("the {side}'s login is {}", cluster.mechanism));
        }
        if !cluster.tls {
            continue;
        }
        for broker in brokers.iter().filter(|broker| broker.trouble.is_none()) {
            let Some(ends) = broker.certificate_ends else {
                return Err(CannotLook::because(format!(
                    "the certificate of {side} broker {} does not tell when it ends",
                    broker.id
                )));
            };
            first = Some(first.map_or(ends, |first| first.min(ends)));
            let left = ends - now;
            let line = format!(
                "{side} broker {} at {}: until {}",
                broker.id,
                broker.address,
                numbers::stamp(ends.saturating_mul(1000))
            );
            if left < CERTIFICATE_BLOCK_DAYS * DAY {
                soon.push(line);
            } else if left < CERTIFICATE_WARN_DAYS * DAY {
                later.push(line);
            }
        }
    }
    let fix = "renew the certificates before the migration begins: a broker that cannot be reached any more stops it";
    if !soon.is_empty() {
        let evidence = format!(
            "{} in less than {CERTIFICATE_BLOCK_DAYS} days",
            ends(soon.len())
        );
        return Ok(Finding::block(evidence).of(soon).fix(fix));
    }
    if !later.is_empty() {
        let evidence = format!(
            "{} in less than {CERTIFICATE_WARN_DAYS} days",
            ends(later.len())
        );
        return Ok(Finding::warn(evidence).of(later).fix(fix));
    }
    let until = first.map_or_else(
        || "no certificates".to_owned(),
        |first| {
            format!(
                "certificates until {}",
                numbers::stamp(first.saturating_mul(1000))
            )
        },
    );
    if passwords.is_empty() {
        return Ok(Finding::pass(format!("{until}, no passwords")));
    }
    Ok(Finding::warn(format!("{until}; how long a password is good no broker tells"))
        .of(passwords)
        .fix("make sure that nobody changes these passwords before the migration has ended, or ends them"))
}

fn ends(count: usize) -> String {
    match count {
        1 => "a certificate ends".to_owned(),
        count => format!("{count} certificates end"),
    }
}

/// G125.
pub(super) fn clients_connect(seen: &Observation, _: &Limits) -> Asked {
    let (mut lines, mut counts) = (Vec::new(), Vec::new());
    for (side, cluster) in sides(seen) {
        let clients = fresh(&cluster.clients)?;
        if clients.is_empty() {
            return Err(CannotLook::because(format!("no {side} broker was reached")));
        }
        let (failed, fine): (Vec<_>, Vec<_>) =
            clients.iter().partition(|client| client.trouble.is_some());
        counts.push(format!("{side} {}/{}", fine.len(), clients.len()));
        lines.extend(failed.iter().map(|client| {
            format!(
                "{side} broker at {}: {}",
                client.address,
                client.trouble.as_deref().unwrap_or_default()
            )
        }));
    }
    let evidence = format!("{} with librdkafka", counts.join(", "));
    if lines.is_empty() {
        return Ok(Finding::pass(evidence));
    }
    Ok(Finding::block(evidence).of(lines).fix(
        "we get through and an ordinary client does not: look at the brokers' TLS versions and ciphers, and at the names in their certificates",
    ))
}

/// Names for a sentence, for other gates of this folder.
pub(super) fn named(names: &[String]) -> String {
    some_of(names)
}
