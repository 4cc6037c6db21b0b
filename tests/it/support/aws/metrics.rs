//! Amazon CloudWatch's metrics: points that were published, and the two questions that are asked of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{
    desk::{Answer, Desk, number_or},
    refusal::Refusal,
    validate::matches_whole,
};

/// Where Amazon MSK publishes.
pub const NAMESPACE: &str = "AWS/Kafka";
/// In milliseconds.
const MINUTE: i64 = 60_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    metric: String,
    dimensions: BTreeMap<String, String>,
}

impl Series {
    fn of(metric: &str, dimensions: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            metric: metric.to_owned(),
            dimensions: dimensions.iter().map(owned).collect(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Metrics {
    /// (milliseconds, value), in the order of publishing.
    points: BTreeMap<Series, Vec<(i64, f64)>>,
    /// By metric: what is said of it instead of `Complete`, and without a point.
    pub statuses: HashMap<String, &'static str>,
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::of("InvalidParameterValue", message)
}

/// What Amazon MSK publishes a metric in; a question for another unit gets nothing.
fn unit(metric: &str) -> &'static str {
    match metric {
        "ReplicationLatency" | "ThrottleTime" => "Milliseconds",
        "ReplicatorThroughput" | "ReplicatorBytesInPerSec" => "Bytes/Second",
        _ => "Count",
    }
}

fn dimensions(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.as_array()
        .into_iter()
        .flatten()
        .map(|one| (text(&one["Name"]), text(&one["Value"])))
        .collect()
}

impl Metrics {
    pub fn publish(&mut self, metric: &str, dimensions: &[(&str, &str)], at: i64, value: f64) {
        let series = Series::of(metric, dimensions);
        self.points.entry(series).or_default().push((at, value));
    }

    /// The same, in the place of every other point of that minute.
    pub fn replace(&mut self, metric: &str, dimensions: &[(&str, &str)], at: i64, value: f64) {
        let series = Series::of(metric, dimensions);
        let points = self.points.entry(series).or_default();
        points.retain(|(other, _)| other.div_euclid(MINUTE) != at.div_euclid(MINUTE));
        points.push((at, value));
    }

    /// Forgets every point of a metric, under whatever dimensions.
    pub fn forget(&mut self, metric: &str) {
        self.points.retain(|series, _| series.metric != metric);
    }

    pub fn data(&self, desk: &Desk, input: &Value) -> Answer {
        let queries = input["MetricDataQueries"].as_array();
        let queries: Vec<&Value> = queries.into_iter().flatten().collect();
        if queries.is_empty() || queries.len() > 500 {
            return Err(refuse("MetricDataQueries takes 1 to 500 queries."));
        }
        // Starts are rounded down to the minute.
        let (start, end) = (
            (input["StartTime"].as_f64().unwrap_or_default() / 60.0).floor() as i64 * 60,
            input["EndTime"].as_f64().unwrap_or_default(),
        );
        if start as f64 >= end {
            return Err(refuse("StartTime has to be before EndTime."));
        }
        let mut ids = BTreeSet::new();
        // (query, period's start in seconds, value), as they are paged.
        let mut all = Vec::new();
        for (at, query) in queries.iter().enumerate() {
            let id = query["Id"].as_str().unwrap_or_default();
            if !matches_whole("[a-z][a-zA-Z0-9_]*", id) || !ids.insert(id) {
                return Err(refuse(format!("The id {id:?} is not valid or not unique.")));
            }
            for (time, value) in self.of(query, (start, end), input)? {
                all.push((at, time, value));
            }
        }
        let most = number_or(input, "MaxDatapoints", 100_800).min(100_800);
        let (page, next) = desk
            .page(all, input["NextToken"].as_str(), most)
            .ok_or_else(|| Refusal::of("InvalidNextToken", "The token is not valid."))?;
        let results: Vec<Value> = queries
            .iter()
            .enumerate()
            .filter(|(_, query)| query["ReturnData"] != false)
            .map(|(at, query)| {
                let metric = &query["MetricStat"]["Metric"]["MetricName"];
                let mine: Vec<_> = page.iter().filter(|point| point.0 == at).collect();
                let scripted = self.statuses.get(metric.as_str().unwrap_or_default());
                let usual = if next.is_some() {
                    "PartialData"
                } else {
                    "Complete"
                };
                json!({
                    "Id": query["Id"],
                    "Label": if query["Label"].is_null() { metric } else { &query["Label"] },
                    "Timestamps": mine.iter().map(|point| point.1).collect::<Vec<_>>(),
                    "Values": mine.iter().map(|point| point.2).collect::<Vec<_>>(),
                    "StatusCode": scripted.copied().unwrap_or(usual),
                })
            })
            .collect();
        Ok(json!({ "MetricDataResults": results, "NextToken": next, "Messages": [] }))
    }

    /// The points of one query: one a period, in the order asked for.
    fn of(
        &self,
        query: &Value,
        (start, end): (i64, f64),
        input: &Value,
    ) -> Result<Vec<(i64, f64)>, Refusal> {
        let stat = &query["MetricStat"];
        if stat.is_null() || !query["Expression"].is_null() {
            return Err(refuse("The fake knows queries with a MetricStat only."));
        }
        let metric = stat["Metric"]["MetricName"].as_str().unwrap_or_default();
        if metric.is_empty() || stat["Metric"]["Namespace"].as_str().is_none() {
            return Err(refuse("A metric has a namespace and a name."));
        }
        let period = stat["Period"].as_i64().unwrap_or_default();
        if period % 60 != 0 {
            return Err(refuse("Period has to be a multiple of 60."));
        }
        let name = stat["Stat"].as_str().unwrap_or_default();
        let known = ["Sum", "Maximum", "Minimum", "Average", "SampleCount"];
        if !known.contains(&name) {
            return Err(refuse(format!("There is no statistic {name:?}.")));
        }
        let series = Series {
            metric: metric.to_owned(),
            dimensions: dimensions(&stat["Metric"]["Dimensions"]),
        };
        let other_unit = stat["Unit"]
            .as_str()
            .is_some_and(|asked| asked != unit(metric));
        let elsewhere = stat["Metric"]["Namespace"] != NAMESPACE;
        if other_unit || elsewhere || self.statuses.contains_key(metric) {
            return Ok(Vec::new());
        }
        let mut periods: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (at, value) in self.points.get(&series).into_iter().flatten() {
            let begins = at.div_euclid(1000).div_euclid(period) * period;
            if begins >= start && (begins as f64) < end {
                periods.entry(begins).or_default().push(*value);
            }
        }
        let mut points: Vec<(i64, f64)> = periods
            .into_iter()
            .map(|(begins, values)| (begins, statistic(name, &values)))
            .collect();
        if input["ScanBy"] != "TimestampAscending" {
            points.reverse();
        }
        Ok(points)
    }

    pub fn list(&self, desk: &Desk, input: &Value) -> Answer {
        let wanted = input["Dimensions"].as_array();
        let elsewhere = input["Namespace"]
            .as_str()
            .is_some_and(|name| name != NAMESPACE);
        let found: Vec<Value> = self
            .points
            .keys()
            .filter(|series| !elsewhere && input["MetricName"].as_str().is_none_or(|name| name == series.metric))
            .filter(|series| {
                wanted.into_iter().flatten().all(|filter| {
                    let value = series.dimensions.get(filter["Name"].as_str().unwrap_or_default());
                    let asked = filter["Value"].as_str();
                    value.is_some_and(|value| asked.is_none_or(|asked| asked == value))
                })
            })
            .map(|series| {
                let dimensions: Vec<Value> = series
                    .dimensions
                    .iter()
                    .map(|(name, value)| json!({ "Name": name, "Value": value }))
                    .collect();
                json!({ "Namespace": NAMESPACE, "MetricName": series.metric, "Dimensions": dimensions })
            })
            .collect();
        let (page, next) = desk
            .page(found, input["NextToken"].as_str(), 500)
            .ok_or_else(|| refuse("The token is not valid."))?;
        Ok(json!({ "Metrics": page, "NextToken": next }))
    }
}

fn statistic(name: &str, values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    match name {
        "Maximum" => values.iter().copied().fold(f64::MIN, f64::max),
        "Minimum" => values.iter().copied().fold(f64::MAX, f64::min),
        "Average" => sum / values.len() as f64,
        "SampleCount" => values.len() as f64,
        _ => sum,
    }
}
