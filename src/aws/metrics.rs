//! CloudWatch's numbers: the points of series that are asked for, and which series there are.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{
        Dimension, DimensionFilter, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy,
    },
};

use super::{Clients, failure::Asked};
use crate::{
    error::Failure,
    msk::numbers::{
        Numbers, OffsetLag, Patience, Point, Points, Question, SUM_OFFSET_LAG, WINDOW_MS, Wanted,
        calls, numbers, questions,
    },
};

/// Where MSK and its replicators report.
const NAMESPACE: &str = "AWS/Kafka";
/// Seconds that a point stands for.
const PERIOD: i32 = 60;
/// This machine's clock may be behind CloudWatch's.
const AHEAD_MS: i64 = 5 * 60_000;
/// Most pages of one answer: more is a service that does not come to an end.
const PAGES: usize = 100;

/// A replicator's numbers as they are now.
pub async fn read(
    clients: &Clients,
    wanted: &Wanted,
    now_ms: i64,
    patience: Patience,
) -> Result<Numbers, Failure> {
    let answers = points(clients, &questions(wanted), now_ms).await?;
    Ok(numbers(wanted, &answers, now_ms, patience))
}

/// The points of these series of late. A series of which nothing is said is not among them.
pub async fn points(
    clients: &Clients,
    questions: &[Question],
    now_ms: i64,
) -> Result<BTreeMap<Question, Points>, Failure> {
    let mut answers = BTreeMap::new();
    for call in calls(questions) {
        let by_id = results(clients, &call, now_ms).await?;
        for (id, question) in call {
            if let Some(points) = by_id.get(&id) {
                answers.insert(question.clone(), points.clone());
            }
        }
    }
    Ok(answers)
}

/// One call, to its last page: what is said of each id.
async fn results(
    clients: &Clients,
    call: &[(String, &Question)],
    now_ms: i64,
) -> Result<HashMap<String, Points>, Failure> {
    let queries: Vec<MetricDataQuery> = call.iter().map(|(id, one)| query(id, one)).collect();
    let mut by_id = HashMap::new();
    let mut pages = clients
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(DateTime::from_millis(now_ms - WINDOW_MS))
        .end_time(DateTime::from_millis(now_ms + AHEAD_MS))
        .scan_by(ScanBy::TimestampDescending)
        .into_paginator()
        .send();
    for _ in 0..PAGES {
        let page = match pages.next().await {
            None => break,
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                let asked = Asked::to("cloudwatch:GetMetricData");
                return Err(clients.failed(&asked, &error).await);
            }
        };
        for result in page.metric_data_results() {
            add(&mut by_id, result);
        }
    }
    Ok(by_id)
}

/// Adds what one page says of a series to what the pages before said.
fn add(by_id: &mut HashMap<String, Points>, result: &MetricDataResult) {
    let Some(id) = result.id() else { return };
    let word = result.status_code().map_or("", |status| status.as_str());
    let so_far = by_id
        .entry(id.to_owned())
        .or_insert_with(|| Points::Given(Vec::new()));
    // Partial is what has another page.
    if !matches!(word, "" | "Complete" | "PartialData") {
        *so_far = Points::Withheld(word.to_owned());
    }
    if let Points::Given(points) = so_far {
        let pairs = result.timestamps().iter().zip(result.values());
        points.extend(pairs.filter_map(|(at, value)| {
            let at_ms = at.to_millis().ok()?;
            Some(Point {
                at_ms,
                value: *value,
            })
        }));
    }
}

/// Without a unit: a wrong one would find nothing.
fn query(id: &str, question: &Question) -> MetricDataQuery {
    let dimensions = question.dimensions.iter().map(|(name, value)| {
        let dimension = Dimension::builder().name(name).value(value);
        dimension.build()
    });
    let metric = Metric::builder()
        .namespace(NAMESPACE)
        .metric_name(question.metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(PERIOD)
        .stat(question.statistic.name())
        .build();
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat)
        .return_data(true)
        .build()
}

/// Series of the lag of groups on this cluster of MSK. Only those are there whose groups have positions.
pub async fn offset_lags(clients: &Clients, cluster: &str) -> Result<Vec<OffsetLag>, Failure> {
    let found = series(clients, SUM_OFFSET_LAG, &[]).await?;
    let mut lags: Vec<OffsetLag> = found
        .into_iter()
        .filter_map(|dimensions| OffsetLag::of(dimensions, cluster))
        .collect();
    // Where the same lag is reported under two sets of dimensions, the one with the cluster's name is surely this cluster's.
    lags.sort_by_key(|lag| {
        let (group, topic) = (lag.group.clone(), lag.topic.clone());
        (group, topic, usize::MAX - lag.dimensions.len())
    });
    lags.dedup_by(|one, other| one.group == other.group && one.topic == other.topic);
    Ok(lags)
}

/// What the clusters of a replicator are called in its metrics, where DescribeReplicator does not say it.
pub async fn aliases(clients: &Clients, replicator: &str) -> Result<Vec<String>, Failure> {
    let ping = "KafkaClusterPingSuccessCount";
    let found = series(clients, ping, &[("ReplicatorName", replicator)]).await?;
    let mut aliases: Vec<String> = found
        .into_iter()
        .flatten()
        .filter(|(name, _)| name == "ClusterAlias")
        .map(|(_, alias)| alias)
        .collect();
    aliases.sort();
    aliases.dedup();
    Ok(aliases)
}

/// The dimensions of every series of a metric that has these among them.
async fn series(
    clients: &Clients,
    metric: &str,
    with: &[(&str, &str)],
) -> Result<Vec<Vec<(String, String)>>, Failure> {
    let filters = with.iter().map(|(name, value)| {
        let filter = DimensionFilter::builder().name(*name).value(*value);
        filter.build()
    });
    let mut pages = clients
        .cloudwatch
        .list_metrics()
        .namespace(NAMESPACE)
        .metric_name(metric)
        .set_dimensions((!with.is_empty()).then(|| filters.collect()))
        .into_paginator()
        .send();
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page = match pages.next().await {
            None => break,
            Some(Ok(page)) => page,
            Some(Err(error)) => {
                let asked = Asked::to("cloudwatch:ListMetrics");
                return Err(clients.failed(&asked, &error).await);
            }
        };
        for metric in page.metrics() {
            let pairs = metric.dimensions().iter();
            let pairs =
                pairs.filter_map(|one| Some((one.name()?.to_owned(), one.value()?.to_owned())));
            found.push(pairs.collect());
        }
    }
    Ok(found)
}
