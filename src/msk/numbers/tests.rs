//! What is asked for, and what points mean: none is never 0, old is never fresh, and half a minute is never a whole one.

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn minutes_ago(minutes: i64, value: f64) -> Point {
    let at_ms = NOW - minutes * MINUTE_MS;
    Point { at_ms, value }
}

fn read(points: &[(i64, f64)], bad: Bad) -> Reading {
    let points = points.iter().map(|&(ago, value)| minutes_ago(ago, value));
    let points = Points::Given(points.collect());
    reading("MessageLag", &points, bad, NOW, Patience::default())
}

fn wanted() -> Wanted {
    Wanted {
        replicator: "r".to_owned(),
        aliases: vec!["msk-1".to_owned(), "external-2".to_owned()],
        topics: vec!["orders".to_owned()],
        offset_lags: vec![lag(&[
            ("Topic", "orders"),
            ("Cluster Name", "c"),
            ("Consumer Group", "g"),
        ])],
    }
}

fn pairs(dimensions: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    dimensions.iter().map(owned).collect()
}

fn lag(dimensions: &[(&str, &str)]) -> OffsetLag {
    OffsetLag::of(pairs(dimensions), "c").expect("it is one")
}

#[test]
fn the_newest_complete_minute_counts() {
    let fresh = |value, age_ms| Reading::Fresh { value, age_ms };
    assert_eq!(
        read(&[(2, 5.0), (3, 9.0), (4, 1.0)], Bad::High),
        fresh(5.0, 60_000)
    );
    // In whatever order they come.
    assert_eq!(
        read(&[(4, 1.0), (2, 5.0), (3, 9.0)], Bad::High),
        fresh(5.0, 60_000)
    );
    // A minute that is not complete can make it worse, not better.
    assert_eq!(
        read(&[(0, 2.0), (1, 7.0), (2, 5.0)], Bad::High),
        fresh(7.0, 60_000)
    );
    assert_eq!(
        read(&[(0, 0.0), (1, 7.0), (2, 5.0)], Bad::Low),
        fresh(5.0, 60_000)
    );
    assert_eq!(read(&[(6, 5.0)], Bad::High), fresh(5.0, 300_000));
}

#[test]
fn what_is_old_is_stale_and_what_is_not_there_is_unknown() {
    assert_eq!(
        read(&[(7, 0.0)], Bad::High),
        Reading::Stale {
            value: 0.0,
            age_ms: 360_000
        }
    );
    for (points, why) in [
        (&[][..], "nothing of MessageLag within 15 minutes"),
        (&[(0, 0.0), (1, 0.0)][..], "nothing complete of MessageLag"),
        (
            &[(3, f64::NAN), (4, -1.0), (5, f64::INFINITY)][..],
            "nothing of MessageLag",
        ),
    ] {
        let Reading::Unknown { reason } = read(points, Bad::High) else {
            panic!("{points:?}");
        };
        assert!(reason.contains(why), "{reason}");
    }
    let withheld = Points::Withheld("Forbidden".to_owned());
    let said = reading("AuthError", &withheld, Bad::High, NOW, Patience::default());
    assert_eq!(said.fresh(), None);
    assert!(matches!(said, Reading::Unknown { reason } if reason.contains("AuthError: Forbidden")));
}

#[test]
fn every_number_is_asked_for_under_its_dimensions() {
    let mut questions: Vec<String> = questions(&wanted())
        .iter()
        .map(|one| {
            let of: Vec<String> = one
                .dimensions
                .iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect();
            format!("{} {} {}", one.metric, one.statistic.name(), of.join(" "))
        })
        .collect();
    questions.sort();
    let mut expected = vec![
        "SumOffsetLag Maximum Cluster Name=c Consumer Group=g Topic=orders".to_owned(),
        "MessageLag Sum ReplicatorName=r Topic=orders".to_owned(),
        "ReplicationLatency Maximum ReplicatorName=r Topic=orders".to_owned(),
        "ReplicatorThroughput Sum ReplicatorName=r Topic=orders".to_owned(),
    ];
    for (metric, statistic) in [
        ("MessageLag", "Sum"),
        ("ReplicationLatency", "Maximum"),
        ("ReplicatorThroughput", "Sum"),
        ("ReplicatorBytesInPerSec", "Sum"),
        ("ReplicatorFailure", "Sum"),
        ("ReplicationFailures", "Sum"),
        ("ConsumerGroupCount", "Sum"),
        ("ConsumerGroupOffsetSyncFailure", "Sum"),
        ("TopicCount", "Maximum"),
    ] {
        expected.push(format!("{metric} {statistic} ReplicatorName=r"));
    }
    for alias in ["msk-1", "external-2"] {
        for (metric, statistic) in [
            ("KafkaClusterPingSuccessCount", "Sum"),
            ("AuthError", "Sum"),
            ("ThrottleTime", "Maximum"),
        ] {
            expected.push(format!(
                "{metric} {statistic} ClusterAlias={alias} ReplicatorName=r"
            ));
        }
    }
    expected.sort();
    assert_eq!(questions, expected);
}

#[test]
fn a_call_takes_five_hundred_and_ids_are_unique_in_it() {
    let wanted = Wanted {
        topics: (0..400).map(|at| format!("topic-{at}")).collect(),
        ..wanted()
    };
    let all = questions(&wanted);
    let calls = calls(&all);
    let sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
    assert_eq!(sizes, [500, 500, 216]);
    for call in &calls {
        let ids: std::collections::BTreeSet<&String> = call.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), call.len());
        assert!(
            ids.iter()
                .all(|id| id.starts_with(|c: char| c.is_ascii_lowercase()))
        );
    }
}

#[test]
fn each_answer_ends_where_it_belongs() {
    let wanted = wanted();
    // Every series has a value of its own: its place.
    let asked = questions(&wanted);
    let answers = asked.iter().enumerate().map(|(at, question)| {
        let point = minutes_ago(2, at as f64 + 1.0);
        (question.clone(), Points::Given(vec![point]))
    });
    let read = numbers(&wanted, &answers.collect(), NOW, Patience::default());
    let at = |metric: &str, part: &str| {
        let found = asked.iter().position(|one| {
            let values: Vec<&str> = one.dimensions.iter().map(|(_, value)| &**value).collect();
            let is_own = part.is_empty() && values == ["r"];
            one.metric == metric && (is_own || values.contains(&part))
        });
        Some(found.expect(metric) as f64 + 1.0)
    };
    assert_eq!(read.message_lag.fresh(), at("MessageLag", ""));
    assert_eq!(
        read.replication_latency.fresh(),
        at("ReplicationLatency", "")
    );
    assert_eq!(read.throughput.fresh(), at("ReplicatorThroughput", ""));
    assert_eq!(read.bytes_in.fresh(), at("ReplicatorBytesInPerSec", ""));
    assert_eq!(read.groups.fresh(), at("ConsumerGroupCount", ""));
    assert_eq!(
        read.offset_sync_failures.fresh(),
        at("ConsumerGroupOffsetSyncFailure", "")
    );
    assert_eq!(read.topic_count.fresh(), at("TopicCount", ""));
    let failures = [at("ReplicatorFailure", ""), at("ReplicationFailures", "")];
    assert!(failures.contains(&read.failures.fresh()));
    for alias in ["msk-1", "external-2"] {
        let cluster = &read.clusters[alias];
        assert_eq!(
            cluster.ping.fresh(),
            at("KafkaClusterPingSuccessCount", alias)
        );
        assert_eq!(cluster.auth_errors.fresh(), at("AuthError", alias));
        assert_eq!(cluster.throttled.fresh(), at("ThrottleTime", alias));
    }
    let topic = &read.topics["orders"];
    assert_eq!(topic.message_lag.fresh(), at("MessageLag", "orders"));
    assert_eq!(topic.latency.fresh(), at("ReplicationLatency", "orders"));
    assert_eq!(
        topic.throughput.fresh(),
        at("ReplicatorThroughput", "orders")
    );
    let [(group, of, lag)] = &read.offset_lags[..] else {
        panic!("one: {:?}", read.offset_lags);
    };
    assert_eq!((&**group, &**of), ("g", "orders"));
    assert_eq!(lag.fresh(), at("SumOffsetLag", "orders"));
}

#[test]
fn a_failure_counts_under_either_name() {
    let wanted = wanted();
    let of = |metric| Question::of(metric, Statistic::Sum, &[("ReplicatorName", "r")]);
    let given = |ago, value| Points::Given(vec![minutes_ago(ago, value)]);
    let (one, other) = (of("ReplicatorFailure"), of("ReplicationFailures"));
    let failures = |answers: Vec<(&Question, Points)>| {
        let answers = answers.into_iter().map(|(q, p)| (q.clone(), p)).collect();
        numbers(&wanted, &answers, NOW, Patience::default()).failures
    };
    assert_eq!(
        failures(vec![(&one, given(2, 0.0)), (&other, given(2, 3.0))]).fresh(),
        Some(3.0)
    );
    assert_eq!(
        failures(vec![(&one, given(2, 2.0)), (&other, given(2, 0.0))]).fresh(),
        Some(2.0)
    );
    assert_eq!(failures(vec![(&one, given(2, 0.0))]).fresh(), Some(0.0));
    assert_eq!(failures(vec![(&other, given(2, 0.0))]).fresh(), Some(0.0));
    assert_eq!(
        failures(vec![(&one, given(2, 0.0)), (&other, given(9, 3.0))]).fresh(),
        Some(0.0)
    );
    assert_eq!(failures(Vec::new()).fresh(), None);
}

#[test]
fn a_topic_that_grows_and_is_not_copied_is_cut_off() {
    let fresh = |value| Reading::Fresh { value, age_ms: 0 };
    let unknown = || Reading::Unknown {
        reason: String::new(),
    };
    let topic = |latency, throughput| TopicNumbers {
        message_lag: fresh(0.0),
        latency,
        throughput,
    };
    assert!(topic(fresh(0.0), fresh(0.0)).is_cut_off(1));
    assert!(topic(fresh(0.0), unknown()).is_cut_off(1));
    assert!(!topic(fresh(0.0), fresh(0.0)).is_cut_off(0));
    assert!(!topic(fresh(12.0), fresh(0.0)).is_cut_off(1));
    assert!(!topic(fresh(0.0), fresh(9.0)).is_cut_off(1));
    // Of what is not known nothing is said.
    assert!(!topic(unknown(), unknown()).is_cut_off(1));
}

#[test]
fn a_lag_is_known_by_its_dimensions() {
    let three = [
        ("Topic", "t"),
        ("Cluster Name", "c"),
        ("Consumer Group", "g"),
    ];
    let found = OffsetLag::of(pairs(&three), "c").expect("it is one");
    assert_eq!((&*found.group, &*found.topic), ("g", "t"));
    assert_eq!(OffsetLag::of(pairs(&three), "other"), None);
    let two = [("Consumer Group", "g"), ("Topic", "t")];
    assert!(OffsetLag::of(pairs(&two), "c").is_some());
    let four = [two[0], two[1], ("Partition", "0")];
    assert_eq!(OffsetLag::of(pairs(&four), "c"), None);
    assert_eq!(OffsetLag::of(pairs(&two[..1]), "c"), None);
}
