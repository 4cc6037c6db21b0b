//! How the replicators are: each with its state, its numbers and their age, and what their log says of trouble.

use serde::Serialize;

use super::{look::Wanted, sight::replicators_of};
use crate::{
    aws::{Clients, logs, metrics},
    clock,
    error::Failure,
    model::msk::Msk,
    msk::{
        self, Direction,
        numbers::{self, Numbers, Reading},
    },
    observe::ReplicatorSeen,
};

/// How far back the log is read.
const LOG_MS: i64 = 24 * 60 * 60 * 1000;
/// Lines of it.
const LINES: usize = 10;

/// Both replicators and their log.
#[derive(Debug, Serialize)]
pub struct Replicators {
    /// Forward, then reverse.
    pub replicators: Vec<One>,
    /// Lines of the log that tell of trouble, the newest first; none where there is no log group.
    pub log: Vec<LogLine>,
    /// Why the log could not be read.
    pub log_trouble: Option<String>,
}

/// One replicator.
#[derive(Debug, Serialize)]
pub struct One {
    /// `forward` or `reverse`.
    pub direction: Direction,
    /// Its name.
    pub name: String,
    /// `creating`, `running` and so on; none: it is not there.
    pub state: Option<String>,
    /// What AWS says of its state.
    pub says: Option<String>,
    /// What is usually behind that, and what to do.
    pub advice: Option<String>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// Its numbers; none where it is not there.
    pub numbers: Vec<Number>,
    /// Why there are no numbers of one that is there.
    pub numbers_trouble: Option<String>,
}

/// A number of CloudWatch. What was not reported has no value, and is never 0.
#[derive(Debug, Serialize)]
pub struct Number {
    /// By CloudWatch's name.
    pub metric: &'static str,
    /// Of which cluster, by its alias; none: of the replicator.
    pub cluster: Option<String>,
    /// What it says.
    pub value: Option<f64>,
    /// How long ago its minute ended.
    pub age_ms: Option<u64>,
    /// It is too old to decide anything by.
    pub stale: bool,
    /// Why there is none.
    pub reason: Option<String>,
}

fn number(metric: &'static str, cluster: Option<&str>, reading: &Reading) -> Number {
    let (value, age_ms, reason) = match reading {
        Reading::Fresh { value, age_ms } | Reading::Stale { value, age_ms } => {
            (Some(*value), Some(*age_ms), None)
        }
        Reading::Unknown { reason } => (None, None, Some(reason.clone())),
    };
    Number {
        metric,
        cluster: cluster.map(str::to_owned),
        value,
        age_ms,
        stale: matches!(reading, Reading::Stale { .. }),
        reason,
    }
}

fn all(numbers: &Numbers) -> Vec<Number> {
    let own = [
        ("MessageLag", &numbers.message_lag),
        ("ReplicationLatency", &numbers.replication_latency),
        ("ReplicatorThroughput", &numbers.throughput),
        ("ReplicatorBytesInPerSec", &numbers.bytes_in),
        ("ReplicatorFailure", &numbers.failures),
        ("ConsumerGroupCount", &numbers.groups),
        (
            "ConsumerGroupOffsetSyncFailure",
            &numbers.offset_sync_failures,
        ),
        ("TopicCount", &numbers.topic_count),
    ];
    let own = own.into_iter();
    let own = own.map(|(metric, reading)| number(metric, None, reading));
    let beside = numbers.clusters.iter().flat_map(|(alias, one)| {
        [
            ("KafkaClusterPingSuccessCount", &one.ping),
            ("AuthError", &one.auth_errors),
            ("ThrottleTime", &one.throttled),
        ]
        .map(|(metric, reading)| number(metric, Some(alias), reading))
    });
    own.chain(beside).collect()
}

/// A line of the log.
#[derive(Debug, Serialize)]
pub struct LogLine {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it says.
    pub text: String,
    /// What is behind it, where that is known.
    pub cause: Option<&'static str>,
    /// What to do.
    pub cure: Option<&'static str>,
}

/// Asks AWS.
pub async fn state(clients: &Clients, msk: &Msk, wanted: &Wanted) -> Result<Replicators, Failure> {
    let documents = super::sight::documents(msk, wanted).ok();
    let seen = Box::pin(replicators_of(clients, documents.as_ref(), wanted)).await?;
    let now = clock::unix_millis();
    let mut replicators = Vec::new();
    for direction in Direction::BOTH {
        let name = match direction {
            Direction::Forward => &msk.forward,
            Direction::Reverse => &msk.reverse,
        };
        replicators.push(one(clients, (direction, name), seen.of(direction), now).await);
    }
    let (log, log_trouble) = match &msk.logs.cloudwatch {
        None => (Vec::new(), None),
        Some(group) => match logs::troubles(clients, group, now - LOG_MS, LINES).await {
            Ok(lines) => (lines.into_iter().map(line).collect(), None),
            Err(failure) => (
                Vec::new(),
                Some(format!("{} ({})", failure.message, failure.code)),
            ),
        },
    };
    Ok(Replicators {
        replicators,
        log,
        log_trouble,
    })
}

async fn one(
    clients: &Clients,
    (direction, name): (Direction, &str),
    seen: Option<&ReplicatorSeen>,
    now: i64,
) -> One {
    let Some(described) = seen.map(|seen| &seen.described) else {
        return One {
            direction,
            name: name.to_owned(),
            state: None,
            says: None,
            advice: None,
            created_ms: None,
            numbers: Vec::new(),
            numbers_trouble: None,
        };
    };
    let aliases = [&described.msk_alias, &described.external_alias];
    let asked = numbers::Wanted {
        replicator: name.to_owned(),
        aliases: aliases.into_iter().flatten().cloned().collect(),
        ..numbers::Wanted::default()
    };
    let read = metrics::read(clients, &asked, now, numbers::Patience::default()).await;
    let (numbers, numbers_trouble) = match read {
        Ok(numbers) => (all(&numbers), None),
        Err(failure) => (
            Vec::new(),
            Some(format!("{} ({})", failure.message, failure.code)),
        ),
    };
    let state_info = described.state_info.clone();
    let has_failed = described.lifecycle == msk::Lifecycle::Failed;
    let advice = state_info
        .as_ref()
        .filter(|_| has_failed)
        .map(|(code, message)| {
            let advice = msk::of_state(code, message);
            format!("{}; {}", advice.cause, advice.cure)
        });
    One {
        direction,
        name: name.to_owned(),
        state: Some(described.lifecycle.to_string()),
        says: state_info.map(|(code, message)| format!("{message} ({code})")),
        advice,
        created_ms: described.created_ms,
        numbers,
        numbers_trouble,
    }
}

fn line(line: logs::Line) -> LogLine {
    LogLine {
        at_ms: line.at_ms,
        text: line.text,
        cause: line.advice.map(|advice| advice.cause),
        cure: line.advice.map(|advice| advice.cure),
    }
}
