//! Settings of topics and brokers: Kafka's defaults, which topic setting follows which broker setting, and where a value came from.

use super::{
    plan::Release,
    state::{State, Topic},
};

/// `ConfigEntry.ConfigSource`.
pub const SET_ON_TOPIC: i8 = 1;
/// Changed while the brokers ran.
pub const SET_ON_BROKER: i8 = 2;
/// In the broker's file.
pub const SET_AT_START: i8 = 4;
/// Kafka's own.
pub const DEFAULT: i8 = 5;

/// `ConfigType`, as DescribeConfigs numbers it from version 3 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// true or false.
    Bool = 1,
    /// Text.
    Text = 2,
    /// 32 bits.
    Int = 3,
    /// 64 bits.
    Long = 5,
    /// A fraction.
    Double = 6,
    /// Words with commas.
    List = 7,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Kafka's name.
    pub name: &'static str,
    /// The broker's setting that it follows; empty if none.
    pub broker: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default.
    pub default: &'static str,
}

const MAX: &str = "9223372036854775807";

macro_rules! known {
    ($($kind:ident $name:literal $broker:literal $default:expr;)*) => {
        &[$(Known { name: $name, broker: $broker, kind: Kind::$kind, default: $default },)*]
    };
}

/// Settings of topics (`LogConfig` of 4.1).
const TOPICS: &[Known] = known! {
    List "cleanup.policy" "log.cleanup.policy" "delete";
    Int "compression.gzip.level" "compression.gzip.level" "-1";
    Int "compression.lz4.level" "compression.lz4.level" "9";
    Text "compression.type" "compression.type" "producer";
    Int "compression.zstd.level" "compression.zstd.level" "3";
    Long "delete.retention.ms" "log.cleaner.delete.retention.ms" "86400000";
    Long "file.delete.delay.ms" "log.segment.delete.delay.ms" "60000";
    Long "flush.messages" "log.flush.interval.messages" MAX;
    Long "flush.ms" "log.flush.interval.ms" MAX;
    List "follower.replication.throttled.replicas" "" "";
    Int "index.interval.bytes" "log.index.interval.bytes" "4096";
    List "leader.replication.throttled.replicas" "" "";
    Long "local.retention.bytes" "log.local.retention.bytes" "-2";
    Long "local.retention.ms" "log.local.retention.ms" "-2";
    Long "max.compaction.lag.ms" "log.cleaner.max.compaction.lag.ms" MAX;
    Int "max.message.bytes" "message.max.bytes" "1048588";
    Long "message.timestamp.after.max.ms" "log.message.timestamp.after.max.ms" "3600000";
    Long "message.timestamp.before.max.ms" "log.message.timestamp.before.max.ms" MAX;
    Text "message.timestamp.type" "log.message.timestamp.type" "CreateTime";
    Double "min.cleanable.dirty.ratio" "log.cleaner.min.cleanable.ratio" "0.5";
    Long "min.compaction.lag.ms" "log.cleaner.min.compaction.lag.ms" "0";
    Int "min.insync.replicas" "min.insync.replicas" "1";
    Bool "preallocate" "log.preallocate" "false";
    Bool "remote.log.copy.disable" "" "false";
    Bool "remote.log.delete.on.disable" "" "false";
    Bool "remote.storage.enable" "" "false";
    Long "retention.bytes" "log.retention.bytes" "-1";
    Long "retention.ms" "log.retention.ms" "604800000";
    Int "segment.bytes" "log.segment.bytes" "1073741824";
    Int "segment.index.bytes" "log.index.size.max.bytes" "10485760";
    Long "segment.jitter.ms" "log.roll.jitter.ms" "0";
    Long "segment.ms" "log.roll.ms" "604800000";
    Bool "unclean.leader.election.enable" "unclean.leader.election.enable" "false";
};

/// Settings of topics that 3.9 has besides, or has other defaults of (KIP-1030, KIP-724).
const OLDER_TOPICS: &[Known] = known! {
    Bool "message.downconversion.enable" "log.message.downconversion.enable" "true";
    Text "message.format.version" "log.message.format.version" "3.0-IV1";
    Long "message.timestamp.after.max.ms" "log.message.timestamp.after.max.ms" MAX;
    Long "message.timestamp.difference.max.ms" "log.message.timestamp.difference.max.ms" MAX;
};

/// Settings of brokers that no topic setting follows.
const BROKERS: &[Known] = known! {
    Text "authorizer.class.name" "" "";
    Bool "auto.create.topics.enable" "" "true";
    Int "background.threads" "" "10";
    Text "broker.rack" "" "";
    Int "default.replication.factor" "" "1";
    Bool "delete.topic.enable" "" "true";
    Int "group.initial.rebalance.delay.ms" "" "0";
    Int "group.max.session.timeout.ms" "" "1800000";
    Int "group.max.size" "" "2147483647";
    Int "group.min.session.timeout.ms" "" "6000";
    Text "inter.broker.protocol.version" "" "3.9-IV0";
    Long "log.retention.hours" "" "168";
    Int "max.connections.per.ip" "" "2147483647";
    Int "max.incremental.fetch.session.cache.slots" "" "1000";
    Int "num.io.threads" "" "8";
    Int "num.network.threads" "" "3";
    Int "num.partitions" "" "1";
    Int "offset.metadata.max.bytes" "" "4096";
    Int "offsets.retention.minutes" "" "10080";
    Long "offsets.retention.check.interval.ms" "" "600000";
    Int "producer.id.expiration.check.interval.ms" "" "600000";
    Int "producer.id.expiration.ms" "" "86400000";
    Int "replica.lag.time.max.ms" "" "30000";
    Int "socket.request.max.bytes" "" "104857600";
    Int "transaction.max.timeout.ms" "" "900000";
    Bool "transaction.partition.verification.enable" "" "true";
    Int "transactional.id.expiration.ms" "" "604800000";
};

/// Settings of topics that this release knows, by name.
pub fn topics(release: Release) -> impl Iterator<Item = &'static Known> {
    let older: &[Known] = if release < Release::V4_1 {
        OLDER_TOPICS
    } else {
        &[]
    };
    let newer = TOPICS
        .iter()
        .filter(|one| older.iter().all(|old| old.name != one.name));
    older.iter().chain(newer)
}

/// Settings of brokers that this release knows: name, type and default.
pub fn brokers(release: Release) -> impl Iterator<Item = (&'static str, Kind, &'static str)> {
    let followed = topics(release).filter(|one| !one.broker.is_empty());
    let followed = followed.map(|one| (one.broker, one.kind, one.default));
    followed.chain(BROKERS.iter().map(|one| (one.name, one.kind, one.default)))
}

/// A broker's default; empty if there is no such setting.
pub fn broker_default(release: Release, name: &str) -> &'static str {
    brokers(release)
        .find(|(own, ..)| *own == name)
        .map_or("", |(.., value)| value)
}

/// A topic's setting of this name.
pub fn topic(release: Release, name: &str) -> Option<&'static Known> {
    topics(release).find(|one| one.name == name)
}

/// A topic's setting and where it came from.
pub fn of_topic(state: &State, topic: Option<&Topic>, name: &str) -> (String, i8) {
    if let Some(own) = topic.and_then(|topic| topic.settings.get(name)) {
        return (own.clone(), SET_ON_TOPIC);
    }
    let Some(known) = self::topic(state.release, name) else {
        return (String::new(), DEFAULT);
    };
    if known.broker.is_empty() {
        return (known.default.to_owned(), DEFAULT);
    }
    of_broker(state, known.broker)
}

/// A broker's setting and where it came from.
pub fn of_broker(state: &State, name: &str) -> (String, i8) {
    let source = if state.changed.contains_key(name) {
        SET_ON_BROKER
    } else if state.settings.contains_key(name) {
        SET_AT_START
    } else {
        DEFAULT
    };
    (state.setting(name).to_owned(), source)
}

/// May this setting of brokers be changed while they run (`DynamicBrokerConfig`)? Of those that are known here.
pub fn is_dynamic(name: &str) -> bool {
    let others = [
        "message.max.bytes",
        "min.insync.replicas",
        "compression.type",
        "unclean.leader.election.enable",
        "max.connections.per.ip",
        "background.threads",
        "num.io.threads",
        "num.network.threads",
        "producer.id.expiration.ms",
        "transaction.partition.verification.enable",
        "max.incremental.fetch.session.cache.slots",
    ];
    name.starts_with("log.") && name != "log.retention.hours" || others.contains(&name)
}

/// Is this a value that a topic's setting may have? The reason if not.
pub fn check_topic(release: Release, name: &str, value: &str) -> Result<(), String> {
    let Some(known) = topic(release, name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    check(known.kind, name, value)?;
    let number: Option<f64> = value.parse().ok();
    if let (Some(least), Some(number)) = (least(release, name), number)
        && (number < least || (name == "min.cleanable.dirty.ratio" && number > 1.0))
    {
        return Err(format!("Invalid value {value} for configuration {name}"));
    }
    let words: &[&str] = match name {
        "cleanup.policy" => &["compact", "delete"],
        "compression.type" => &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        "message.timestamp.type" => &["CreateTime", "LogAppendTime"],
        _ => return Ok(()),
    };
    if value.split(',').all(|word| words.contains(&word.trim())) {
        Ok(())
    } else {
        Err(format!("Invalid value {value} for configuration {name}"))
    }
}

/// The smallest value of a topic's setting, where it has one (`LogConfig`; KIP-1030 for 4.0's segments).
fn least(release: Release, name: &str) -> Option<f64> {
    Some(match name {
        "segment.bytes" if release < Release::V4_1 => 14.0,
        "segment.bytes" => 1_048_576.0,
        "segment.index.bytes" => 4.0,
        "flush.messages" | "max.compaction.lag.ms" | "min.insync.replicas" | "segment.ms" => 1.0,
        "delete.retention.ms"
        | "file.delete.delay.ms"
        | "flush.ms"
        | "index.interval.bytes"
        | "max.message.bytes"
        | "message.timestamp.after.max.ms"
        | "message.timestamp.before.max.ms"
        | "min.cleanable.dirty.ratio"
        | "min.compaction.lag.ms"
        | "segment.jitter.ms" => 0.0,
        "retention.ms" => -1.0,
        "local.retention.bytes" | "local.retention.ms" => -2.0,
        _ => return None,
    })
}

/// Is this a value of a broker's setting? The reason if not.
pub fn check_broker(release: Release, name: &str, value: &str) -> Result<(), String> {
    match brokers(release).find(|(own, ..)| *own == name) {
        Some((_, kind, _)) => check(kind, name, value),
        None => Ok(()), // Brokers keep what they do not know.
    }
}

fn check(kind: Kind, name: &str, value: &str) -> Result<(), String> {
    let fine = match kind {
        Kind::Bool => value.parse::<bool>().is_ok(),
        Kind::Int => value.parse::<i32>().is_ok(),
        Kind::Long => value.parse::<i64>().is_ok(),
        Kind::Double => value.parse::<f64>().is_ok(),
        Kind::Text | Kind::List => true,
    };
    if fine {
        Ok(())
    } else {
        Err(format!("Invalid value {value} for configuration {name}"))
    }
}
