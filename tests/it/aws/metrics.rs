//! Metrics: the newest point first, dimensions that match exactly, pages, and nothing where nothing was published.

use aws_sdk_cloudwatch::{
    Client,
    operation::get_metric_data::builders::GetMetricDataFluentBuilder,
    primitives::DateTime,
    types::{
        Dimension, DimensionFilter, Metric, MetricDataQuery, MetricStat, StandardUnit, StatusCode,
    },
};

use super::code;
use crate::support::aws::Aws;

const MINUTE: i64 = 60_000;

fn query(id: &str, metric: &str, stat: &str, dimensions: &[(&str, &str)]) -> MetricDataQuery {
    let dimensions = dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
    let metric = Metric::builder()
        .namespace("AWS/Kafka")
        .metric_name(metric)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(60)
        .stat(stat)
        .build();
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat)
        .return_data(true)
        .build()
}

fn last_minutes(client: &Client, now: i64, minutes: i64) -> GetMetricDataFluentBuilder {
    client
        .get_metric_data()
        .start_time(DateTime::from_millis(now - minutes * MINUTE))
        .end_time(DateTime::from_millis(now + MINUTE))
}

#[tokio::test]
async fn the_newest_point_comes_first() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let now = aws.now();
    let minute = now - now.rem_euclid(MINUTE);
    let of = [("ReplicatorName", "r")];
    for (ago, value) in [(2, 30.0), (1, 20.0), (0, 10.5)] {
        aws.publish_at(minute - ago * MINUTE, "MessageLag", &of, value);
        aws.publish_at(minute - ago * MINUTE + 1, "MessageLag", &of, 1.0);
        aws.publish_at(minute - ago * MINUTE, "ReplicationLatency", &of, value);
    }
    aws.publish_at(
        minute,
        "MessageLag",
        &[("ReplicatorName", "r"), ("Topic", "t")],
        7.0,
    );
    let answer = last_minutes(&client, now, 15)
        .metric_data_queries(query("m0", "MessageLag", "Sum", &of))
        .metric_data_queries(query("m1", "ReplicationLatency", "Maximum", &of))
        .metric_data_queries(query("m2", "AuthError", "Sum", &of))
        .metric_data_queries(query("m3", "MessageLag", "Maximum", &of))
        .send()
        .await
        .expect("it is answered");
    let [lag, latency, none, most] = answer.metric_data_results() else {
        panic!("four results: {answer:?}");
    };
    assert_eq!(lag.values(), [11.5, 21.0, 31.0]);
    assert_eq!(lag.timestamps()[0].to_millis().expect("it is one"), minute);
    assert_eq!(latency.values(), [10.5, 20.0, 30.0]);
    assert_eq!(most.values(), [10.5, 20.0, 30.0]);
    assert_eq!(none.status_code(), Some(&StatusCode::Complete));
    assert!(none.values().is_empty() && none.timestamps().is_empty());
    // Another unit than the one it was published in finds nothing.
    let mut wrong = query("m0", "MessageLag", "Sum", &of);
    let stat = wrong.metric_stat.as_mut().expect("it has one");
    stat.unit = Some(StandardUnit::Bytes);
    let answer = last_minutes(&client, now, 15)
        .metric_data_queries(wrong)
        .send()
        .await;
    assert!(
        answer.expect("it is answered").metric_data_results()[0]
            .values()
            .is_empty()
    );
}

#[tokio::test]
async fn points_come_in_pages() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let now = aws.now();
    for ago in 0..5 {
        for name in ["a", "b"] {
            let of = [("ReplicatorName", name)];
            aws.publish_at(now - ago * MINUTE, "MessageLag", &of, ago as f64);
        }
    }
    aws.pages_of(3);
    let asked = last_minutes(&client, now, 15)
        .metric_data_queries(query("a", "MessageLag", "Sum", &[("ReplicatorName", "a")]))
        .metric_data_queries(query("b", "MessageLag", "Sum", &[("ReplicatorName", "b")]));
    let mut pages = asked.into_paginator().send();
    let (mut points, mut statuses) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.expect("it is answered");
        for result in page.metric_data_results() {
            points.extend(
                result
                    .values()
                    .iter()
                    .map(|v| (result.id().unwrap_or_default().to_owned(), *v)),
            );
            statuses.extend(
                result
                    .status_code()
                    .map(|status| status.as_str().to_owned()),
            );
        }
    }
    let wanted: Vec<(String, f64)> = ["a", "b"]
        .iter()
        .flat_map(|id| (0..5).map(|value| ((*id).to_owned(), f64::from(value))))
        .collect();
    assert_eq!(points, wanted);
    assert_eq!(statuses.first().map(String::as_str), Some("PartialData"));
    assert_eq!(statuses.last().map(String::as_str), Some("Complete"));
    let refused = last_minutes(&client, now, 15)
        .metric_data_queries(query("a", "MessageLag", "Sum", &[("ReplicatorName", "a")]))
        .next_token("bogus")
        .send()
        .await;
    assert_eq!(
        code(&refused.expect_err("no token of ours")),
        "InvalidNextToken"
    );
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let now = aws.now();
    let good = query("m0", "MessageLag", "Sum", &[("ReplicatorName", "r")]);
    for id in ["M0", "0m", "m-0", ""] {
        let mut bad = good.clone();
        bad.id = Some(id.to_owned());
        let refused = last_minutes(&client, now, 15)
            .metric_data_queries(bad)
            .send()
            .await;
        let code = code(&refused.expect_err(id));
        assert!(
            ["InvalidParameterValue", "ValidationError"].contains(&&*code),
            "{code}"
        );
    }
    let twice = last_minutes(&client, now, 15)
        .metric_data_queries(good.clone())
        .metric_data_queries(good.clone());
    assert_eq!(
        code(&twice.send().await.expect_err("twice")),
        "InvalidParameterValue"
    );
    let many = (0..501).map(|at| {
        let mut one = good.clone();
        one.id = Some(format!("m{at}"));
        one
    });
    let many = last_minutes(&client, now, 15).set_metric_data_queries(Some(many.collect()));
    assert_eq!(
        code(&many.send().await.expect_err("501")),
        "InvalidParameterValue"
    );
    let backwards = client
        .get_metric_data()
        .start_time(DateTime::from_millis(now))
        .end_time(DateTime::from_millis(now - MINUTE))
        .metric_data_queries(good.clone());
    assert_eq!(
        code(&backwards.send().await.expect_err("backwards")),
        "InvalidParameterValue"
    );
    aws.metric_status("MessageLag", "Forbidden");
    let answer = last_minutes(&client, now, 15)
        .metric_data_queries(good)
        .send()
        .await;
    let answer = answer.expect("it is answered");
    assert_eq!(
        answer.metric_data_results()[0].status_code(),
        Some(&StatusCode::Forbidden)
    );
}

#[tokio::test]
async fn metrics_are_found_by_their_dimensions() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    for (metric, alias) in [
        ("AuthError", "a"),
        ("AuthError", "b"),
        ("ThrottleTime", "a"),
    ] {
        aws.publish(
            metric,
            &[("ReplicatorName", "r"), ("ClusterAlias", alias)],
            0.0,
        );
    }
    aws.publish("MessageLag", &[("ReplicatorName", "r")], 1.0);
    let filter = DimensionFilter::builder()
        .name("ClusterAlias")
        .value("a")
        .build();
    let listed = client
        .list_metrics()
        .namespace("AWS/Kafka")
        .dimensions(filter)
        .send()
        .await;
    let listed = listed.expect("it is answered");
    let names: Vec<_> = listed
        .metrics()
        .iter()
        .filter_map(|one| one.metric_name())
        .collect();
    assert_eq!(names, ["AuthError", "ThrottleTime"]);
    aws.pages_of(1);
    let mut pages = client
        .list_metrics()
        .metric_name("AuthError")
        .into_paginator()
        .send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        assert_eq!(page.expect("it is answered").metrics().len(), 1);
        count += 1;
    }
    assert_eq!(count, 2);
}
