//! The numbers of MSK Replicator and of MSK's brokers: which to ask CloudWatch for, and what its points mean.

use std::collections::BTreeMap;

use serde::Serialize;

/// Most series of one call.
const MOST: usize = 500;
/// Of how long CloudWatch is asked.
pub const WINDOW_MS: i64 = 15 * MINUTE_MS;
/// The length of what a point stands for.
const MINUTE_MS: i64 = 60_000;

/// What is made of everything that was reported within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statistic {
    /// All of it together.
    Sum,
    /// The largest.
    Maximum,
}

impl Statistic {
    /// CloudWatch's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::Maximum => "Maximum",
        }
    }
}

/// One series: a metric with exactly these dimensions. CloudWatch adds nothing up over dimensions that are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The metric, in the namespace `AWS/Kafka`.
    pub metric: &'static str,
    /// Names and values, in the order of their names.
    pub dimensions: Vec<(String, String)>,
    /// What is asked of it.
    pub statistic: Statistic,
}

impl Question {
    fn of(metric: &'static str, statistic: Statistic, dimensions: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let mut dimensions: Vec<_> = dimensions.iter().map(owned).collect();
        dimensions.sort();
        Self {
            metric,
            dimensions,
            statistic,
        }
    }
}

/// One value of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When its minute began, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it says.
    pub value: f64,
}

/// What CloudWatch says of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Points {
    /// Its points; there may be none.
    Given(Vec<Point>),
    /// Nothing, and why, by CloudWatch's word.
    Withheld(String),
}

/// A number, or why there is none. What was not reported is unknown, and never 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Of late.
    Fresh {
        /// What it says.
        value: f64,
        /// How long ago its minute ended.
        age_ms: u64,
    },
    /// Too old to decide anything by.
    Stale {
        /// What it said.
        value: f64,
        /// How long ago its minute ended.
        age_ms: u64,
    },
    /// There is none.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Reading {
    /// The number, if it is of late.
    pub fn fresh(&self) -> Option<f64> {
        match self {
            Self::Fresh { value, .. } => Some(*value),
            Self::Stale { .. } | Self::Unknown { .. } => None,
        }
    }

    /// The one that says more: of two numbers the larger, of a number and none the number, the fresh one first.
    fn worse(self, other: Self) -> Self {
        let rank = |one: &Self| match one {
            Self::Fresh { value, .. } => (2, *value),
            Self::Stale { value, .. } => (1, *value),
            Self::Unknown { .. } => (0, 0.0),
        };
        match rank(&self).partial_cmp(&rank(&other)) {
            Some(std::cmp::Ordering::Less) => other,
            _ => self,
        }
    }
}

/// When points count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A minute is complete so long after it began: reports come in late.
    pub settling_ms: i64,
    /// What ended longer ago than this is stale.
    pub stale_ms: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            settling_ms: 2 * MINUTE_MS,
            stale_ms: 5 * MINUTE_MS,
        }
    }
}

/// Which direction of a number is the bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    High,
    Low,
}

/// What the points of a metric say now. Of a number that had better be low, what is reported of minutes that are not complete
/// yet counts where it is worse: it can only become more.
fn reading(metric: &str, points: &Points, bad: Bad, now_ms: i64, patience: Patience) -> Reading {
    let unknown = |reason: String| Reading::Unknown { reason };
    let points = match points {
        Points::Given(points) => points,
        Points::Withheld(word) => {
            return unknown(format!("CloudWatch does not give {metric}: {word}"));
        }
    };
    let sound = |point: &&Point| point.value.is_finite() && point.value >= 0.0;
    let complete = |point: &&Point| point.at_ms <= now_ms - patience.settling_ms;
    let newest = points
        .iter()
        .filter(sound)
        .filter(complete)
        .max_by_key(|point| point.at_ms);
    let Some(newest) = newest else {
        return unknown(match points.iter().any(|point| sound(&point)) {
            true => format!("CloudWatch has nothing complete of {metric} yet"),
            false => format!(
                "CloudWatch has nothing of {metric} within {} minutes",
                WINDOW_MS / MINUTE_MS
            ),
        });
    };
    let since = points
        .iter()
        .filter(sound)
        .filter(|point| bad == Bad::High && point.at_ms > newest.at_ms);
    let value = since.fold(newest.value, |worst, point| worst.max(point.value));
    let age = (now_ms - newest.at_ms - MINUTE_MS).max(0);
    let age_ms = u64::try_from(age).unwrap_or_default();
    match age > patience.stale_ms {
        true => Reading::Stale { value, age_ms },
        false => Reading::Fresh { value, age_ms },
    }
}

/// Whose numbers are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The replicator, by name.
    pub replicator: String,
    /// What its clusters are called in metrics; DescribeReplicator says it.
    pub aliases: Vec<String>,
    /// Topics whose own numbers are wanted; each costs three metrics a call.
    pub topics: Vec<String>,
    /// Series of `SumOffsetLag`, on the cluster of MSK; see [`OffsetLag::of`].
    pub offset_lags: Vec<OffsetLag>,
}

/// The lag of a group on a topic: a series that ListMetrics shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetLag {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// All dimensions, as they are.
    pub dimensions: Vec<(String, String)>,
}

/// The metric of an [`OffsetLag`].
pub const SUM_OFFSET_LAG: &str = "SumOffsetLag";

impl OffsetLag {
    /// From the dimensions of a series; `None`: it is another cluster's, or of another kind. Some texts name a dimension for the
    /// cluster and some do not.
    pub fn of(mut dimensions: Vec<(String, String)>, cluster: &str) -> Option<Self> {
        dimensions.sort();
        let named = |wanted: &str| {
            let found = dimensions.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let known = ["Cluster Name", "Consumer Group", "Topic"];
        let is_other = dimensions
            .iter()
            .any(|(name, _)| !known.contains(&name.as_str()));
        if is_other || named("Cluster Name").is_some_and(|name| name != cluster) {
            return None;
        }
        Some(Self {
            group: named("Consumer Group")?,
            topic: named("Topic")?,
            dimensions,
        })
    }
}

/// Numbers of a replicator, with the kind of each.
const OF_REPLICATOR: &[(&str, Statistic)] = &[
    ("MessageLag", Statistic::Sum),
    ("ReplicationLatency", Statistic::Maximum),
    ("ReplicatorThroughput", Statistic::Sum),
    ("ReplicatorBytesInPerSec", Statistic::Sum),
    ("ReplicatorFailure", Statistic::Sum),
    ("ReplicationFailures", Statistic::Sum),
    ("ConsumerGroupCount", Statistic::Sum),
    ("ConsumerGroupOffsetSyncFailure", Statistic::Sum),
    ("TopicCount", Statistic::Maximum),
];
/// Numbers of a replicator beside each of its clusters.
const OF_CLUSTER: &[(&str, Statistic)] = &[
    ("KafkaClusterPingSuccessCount", Statistic::Sum),
    ("AuthError", Statistic::Sum),
    ("ThrottleTime", Statistic::Maximum),
];
/// Numbers of one of its topics.
const OF_TOPIC: &[(&str, Statistic)] = &[
    ("MessageLag", Statistic::Sum),
    ("ReplicationLatency", Statistic::Maximum),
    ("ReplicatorThroughput", Statistic::Sum),
];

/// Every series that is asked for, once each.
pub fn questions(wanted: &Wanted) -> Vec<Question> {
    let replicator = ("ReplicatorName", &*wanted.replicator);
    let mut questions = Vec::new();
    for &(metric, statistic) in OF_REPLICATOR {
        questions.push(Question::of(metric, statistic, &[replicator]));
    }
    for alias in &wanted.aliases {
        for &(metric, statistic) in OF_CLUSTER {
            let dimensions = [replicator, ("ClusterAlias", &**alias)];
            questions.push(Question::of(metric, statistic, &dimensions));
        }
    }
    for topic in &wanted.topics {
        for &(metric, statistic) in OF_TOPIC {
            let dimensions = [replicator, ("Topic", &**topic)];
            questions.push(Question::of(metric, statistic, &dimensions));
        }
    }
    for lag in &wanted.offset_lags {
        questions.push(Question {
            metric: SUM_OFFSET_LAG,
            dimensions: lag.dimensions.clone(),
            statistic: Statistic::Maximum,
        });
    }
    questions.sort();
    questions.dedup();
    questions
}

/// The same as calls: as many as one takes, each series with an id that is unique in its call.
pub fn calls(questions: &[Question]) -> Vec<Vec<(String, &Question)>> {
    questions
        .chunks(MOST)
        .map(|some| {
            let numbered = some.iter().enumerate();
            numbered.map(|(at, one)| (format!("m{at}"), one)).collect()
        })
        .collect()
}

/// What a replicator says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    /// Records of the source that it has not read yet.
    pub message_lag: Reading,
    /// Milliseconds from a record's time to its being on the target, the slowest.
    pub replication_latency: Reading,
    /// Bytes a second that it writes.
    pub throughput: Reading,
    /// Bytes a second that it reads, those that would go back to where they came from among them: what is paid for.
    pub bytes_in: Reading,
    /// ReplicatorFailure or ReplicationFailures, whichever is more: not every replicator has both.
    pub failures: Reading,
    /// Groups that it carries.
    pub groups: Reading,
    /// Positions that it could not carry.
    pub offset_sync_failures: Reading,
    /// Topics that it carries; not every replicator tells.
    pub topic_count: Reading,
    /// By alias.
    pub clusters: BTreeMap<String, ClusterNumbers>,
    /// By topic.
    pub topics: BTreeMap<String, TopicNumbers>,
    /// Lag by group and topic, on the cluster of MSK.
    pub offset_lags: Vec<(String, String, Reading)>,
}

/// What a replicator says of one of its clusters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterNumbers {
    /// 1 or more where all is well.
    pub ping: Reading,
    /// Logins that were refused.
    pub auth_errors: Reading,
    /// Milliseconds that quotas held it up.
    pub throttled: Reading,
}

/// What a replicator says of one topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TopicNumbers {
    /// Records that it has not read yet.
    pub message_lag: Reading,
    /// Milliseconds, the slowest.
    pub latency: Reading,
    /// Bytes a second.
    pub throughput: Reading,
}

impl TopicNumbers {
    /// Has it lost its rights to this topic? Nothing of it is copied, while `grown` records were added on the source. Its count of
    /// refused logins does not show that.
    pub fn is_cut_off(&self, grown: u64) -> bool {
        let moves = self.throughput.fresh().unwrap_or_default() > 0.0;
        grown > 0 && self.latency.fresh() == Some(0.0) && !moves
    }
}

/// Reads the answers; a series that was not answered is unknown.
pub fn numbers(
    wanted: &Wanted,
    answers: &BTreeMap<Question, Points>,
    now_ms: i64,
    patience: Patience,
) -> Numbers {
    let none = Points::Given(Vec::new());
    let read = |question: &Question, bad| {
        let points = answers.get(question).unwrap_or(&none);
        reading(question.metric, points, bad, now_ms, patience)
    };
    let statistic = |metric: &str| {
        let known = [OF_REPLICATOR, OF_CLUSTER].concat();
        let row = known.iter().find(|(name, _)| *name == metric);
        row.map_or(Statistic::Maximum, |(_, statistic)| *statistic)
    };
    let replicator = ("ReplicatorName", &*wanted.replicator);
    let of = |metric, more: Option<(&str, &str)>, bad| {
        let dimensions: Vec<_> = [replicator].into_iter().chain(more).collect();
        read(&Question::of(metric, statistic(metric), &dimensions), bad)
    };
    let own = |metric, bad| of(metric, None, bad);
    let clusters = wanted.aliases.iter().map(|alias| {
        let beside = Some(("ClusterAlias", &**alias));
        let numbers = ClusterNumbers {
            ping: of("KafkaClusterPingSuccessCount", beside, Bad::Low),
            auth_errors: of("AuthError", beside, Bad::High),
            throttled: of("ThrottleTime", beside, Bad::High),
        };
        (alias.clone(), numbers)
    });
    let topics = wanted.topics.iter().map(|topic| {
        let beside = Some(("Topic", &**topic));
        let numbers = TopicNumbers {
            message_lag: of("MessageLag", beside, Bad::High),
            latency: of("ReplicationLatency", beside, Bad::High),
            throughput: of("ReplicatorThroughput", beside, Bad::Low),
        };
        (topic.clone(), numbers)
    });
    let lags = wanted.offset_lags.iter().map(|lag| {
        let question = Question {
            metric: SUM_OFFSET_LAG,
            dimensions: lag.dimensions.clone(),
            statistic: Statistic::Maximum,
        };
        let reading = read(&question, Bad::High);
        (lag.group.clone(), lag.topic.clone(), reading)
    });
    Numbers {
        message_lag: own("MessageLag", Bad::High),
        replication_latency: own("ReplicationLatency", Bad::High),
        throughput: own("ReplicatorThroughput", Bad::Low),
        bytes_in: own("ReplicatorBytesInPerSec", Bad::Low),
        failures: own("ReplicatorFailure", Bad::High).worse(own("ReplicationFailures", Bad::High)),
        groups: own("ConsumerGroupCount", Bad::Low),
        offset_sync_failures: own("ConsumerGroupOffsetSyncFailure", Bad::High),
        topic_count: own("TopicCount", Bad::High),
        clusters: clusters.collect(),
        topics: topics.collect(),
        offset_lags: lags.collect(),
    }
}

#[cfg(test)]
mod tests;
