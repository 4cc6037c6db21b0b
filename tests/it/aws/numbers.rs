//! The program's own questions to CloudWatch and its logs, asked of the fake.

use std::collections::BTreeMap;

use kafka_migrate::{
    aws::{Clients, logs, metrics},
    msk::numbers::{Patience, Reading, Wanted},
};

use crate::support::aws::{
    Aws, REGION,
    faults::{Fault, Which},
};

const MINUTE: i64 = 60_000;

fn clients(aws: &Aws) -> Clients {
    Clients::of(&aws.sdk(), REGION, None)
}

fn wanted(aliases: &[String]) -> Wanted {
    Wanted {
        replicator: "r".to_owned(),
        aliases: aliases.to_vec(),
        topics: vec!["orders".to_owned()],
        offset_lags: Vec::new(),
    }
}

#[tokio::test]
async fn numbers_are_those_of_the_newest_complete_minute() {
    let aws = Aws::start();
    let clients = clients(&aws);
    let now = aws.now() / MINUTE * MINUTE + 30_000;
    let r = ("ReplicatorName", "r");
    let at = |minutes: i64, metric: &str, more: &[(&str, &str)], value: f64| {
        let dimensions = [&[r], more].concat();
        aws.publish_at(now - minutes * MINUTE, metric, &dimensions, value);
    };
    for (minutes, lag) in [(9, 900.0), (3, 40.0), (1, 5.0)] {
        at(minutes, "MessageLag", &[], lag);
        at(minutes, "MessageLag", &[("Topic", "orders")], lag + 1.0);
    }
    at(3, "ReplicationLatency", &[], 1200.0);
    at(10, "ConsumerGroupCount", &[], 3.0);
    at(3, "ReplicatorFailure", &[], 0.0);
    for alias in ["a", "b"] {
        at(
            3,
            "KafkaClusterPingSuccessCount",
            &[("ClusterAlias", alias)],
            1.0,
        );
    }
    // Of somebody else's replicator.
    aws.publish_at(
        now,
        "KafkaClusterPingSuccessCount",
        &[("ReplicatorName", "s"), ("ClusterAlias", "c")],
        1.0,
    );
    let aliases = metrics::aliases(&clients, "r")
        .await
        .expect("it is answered");
    assert_eq!(aliases, ["a", "b"]);
    let numbers = metrics::read(&clients, &wanted(&aliases), now, Patience::default()).await;
    let numbers = numbers.expect("it is answered");
    // The minute that began three before the half of this one is the newest complete one.
    let age_ms = u64::try_from(2 * MINUTE + 30_000).expect("it is positive");
    let fresh = |value| Reading::Fresh { value, age_ms };
    assert_eq!(numbers.message_lag, fresh(40.0));
    assert_eq!(numbers.topics["orders"].message_lag, fresh(41.0));
    assert_eq!(numbers.replication_latency, fresh(1200.0));
    assert_eq!(numbers.failures, fresh(0.0));
    assert_eq!(numbers.clusters["a"].ping, fresh(1.0));
    assert!(matches!(numbers.groups, Reading::Stale { value: 3.0, .. }));
    for none in [
        &numbers.offset_sync_failures,
        &numbers.throughput,
        &numbers.clusters["b"].auth_errors,
    ] {
        assert!(matches!(none, Reading::Unknown { .. }), "{none:?}");
    }
}

#[tokio::test]
async fn pages_are_put_together_and_what_is_withheld_is_unknown() {
    let aws = Aws::start();
    let clients = clients(&aws);
    let now = aws.now();
    for minutes in 0..10 {
        for metric in ["MessageLag", "ReplicationLatency", "AuthError"] {
            let mut dimensions = vec![("ReplicatorName", "r")];
            if metric == "AuthError" {
                dimensions.push(("ClusterAlias", "a"));
            }
            aws.publish_at(now - minutes * MINUTE, metric, &dimensions, minutes as f64);
        }
    }
    aws.pages_of(4);
    aws.metric_status("ReplicationLatency", "Forbidden");
    let wanted = wanted(&["a".to_owned()]);
    let questions = kafka_migrate::msk::numbers::questions(&wanted);
    let points = metrics::points(&clients, &questions, now)
        .await
        .expect("it is answered");
    let by_metric: BTreeMap<&str, usize> = points
        .iter()
        .filter(|(question, _)| !question.dimensions.iter().any(|(name, _)| name == "Topic"))
        .map(|(question, points)| match points {
            kafka_migrate::msk::numbers::Points::Given(points) => (question.metric, points.len()),
            kafka_migrate::msk::numbers::Points::Withheld(word) => {
                assert_eq!(
                    (question.metric, &**word),
                    ("ReplicationLatency", "Forbidden")
                );
                (question.metric, 99)
            }
        })
        .collect();
    assert_eq!(by_metric["MessageLag"], 10);
    assert_eq!(by_metric["AuthError"], 10);
    assert_eq!(by_metric["ReplicationLatency"], 99);
    assert!(aws.requests_of("GetMetricData").len() >= 5);
    let numbers = metrics::read(&clients, &wanted, now, Patience::default()).await;
    let numbers = numbers.expect("it is answered");
    assert!(
        matches!(&numbers.replication_latency, Reading::Unknown { reason } if reason.contains("Forbidden"))
    );
}

#[tokio::test]
async fn lags_of_groups_are_found_before_they_are_asked_for() {
    let aws = Aws::start();
    let clients = clients(&aws);
    let now = aws.now();
    let (group, topic) = (("Consumer Group", "g"), ("Topic", "orders"));
    let ours = [("Cluster Name", "mine"), group, topic];
    let other = [("Cluster Name", "other"), group, topic];
    let without = [("Consumer Group", "h"), topic];
    let partition = [ours[0], ours[1], ours[2], ("Partition", "0")];
    for (dimensions, value) in [
        (&ours[..], 7.0),
        (&other[..], 8.0),
        (&without[..], 9.0),
        (&partition[..], 1.0),
    ] {
        aws.publish_at(now - 2 * MINUTE, "SumOffsetLag", dimensions, value);
    }
    aws.publish_at(now - 2 * MINUTE, "SumOffsetLag", &[group, topic], 99.0);
    aws.pages_of(1);
    let lags = metrics::offset_lags(&clients, "mine")
        .await
        .expect("it is answered");
    let wanted = Wanted {
        offset_lags: lags,
        ..wanted(&[])
    };
    let numbers = metrics::read(&clients, &wanted, now, Patience::default()).await;
    let numbers = numbers.expect("it is answered");
    let read: Vec<(&str, &str, Option<f64>)> = numbers
        .offset_lags
        .iter()
        .map(|(group, topic, lag)| (&**group, &**topic, lag.fresh()))
        .collect();
    assert_eq!(
        read,
        [("g", "orders", Some(7.0)), ("h", "orders", Some(9.0))]
    );
}

#[tokio::test]
async fn troubles_are_found_behind_empty_pages_and_told_with_a_cure() {
    let aws = Aws::start();
    aws.add_log_group("/msk/r");
    let clients = clients(&aws);
    let before = aws.now();
    let authorization = "WARN not authorized to access topics: [orders]";
    for line in [
        "ERROR Timestamp 5 of message is out of range",
        authorization,
        authorization,
        "INFO all is well",
        "INFO all is well again",
    ] {
        aws.log("/msk/r", "stream", line);
    }
    aws.pages_of(1);
    let lines = logs::troubles(&clients, "/msk/r", before - MINUTE, 10).await;
    let lines = lines.expect("it is answered");
    let texts: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
    assert_eq!(
        texts,
        [
            authorization,
            "ERROR Timestamp 5 of message is out of range"
        ]
    );
    let advice = lines[1].advice.expect("it is known");
    assert!(advice.cure.contains("message.timestamp.before.max.ms"));
    let one = logs::troubles(&clients, "/msk/r", before - MINUTE, 1).await;
    assert_eq!(one.expect("it is answered").len(), 1);
    let none = logs::troubles(&clients, "/msk/r", aws.now() + MINUTE, 10).await;
    assert!(none.expect("it is answered").is_empty());
    let gone = logs::troubles(&clients, "/none", before, 10)
        .await
        .expect_err("there is none");
    assert!(format!("{gone:?}").contains("K305"), "{gone:?}");
}

#[tokio::test]
async fn a_question_that_is_denied_names_the_action() {
    let aws = Aws::start();
    let clients = clients(&aws);
    aws.fault("cloudwatch.*", Which::All, Fault::Denied);
    let read = metrics::read(&clients, &wanted(&[]), aws.now(), Patience::default()).await;
    let denied = format!("{:?}", read.expect_err("it is denied"));
    assert!(
        denied.contains("K303") && denied.contains("cloudwatch:GetMetricData"),
        "{denied}"
    );
    let lags = metrics::offset_lags(&clients, "c")
        .await
        .expect_err("it is denied");
    assert!(
        format!("{lags:?}").contains("cloudwatch:ListMetrics"),
        "{lags:?}"
    );
}
