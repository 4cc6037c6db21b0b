//! `ready` where MSK Replicator copies: CloudWatch's numbers with their age, and the clusters as the second witness.

use std::time::Duration;

use serde_json::Value;

use super::{Scene, external, verdict};
use crate::support::{
    aws::faults::{Fault, Which},
    kafka::Kafka,
    load::Load,
    shared_pair,
    tool::{Access, Finished, Migration},
    unique,
};

#[track_caller]
fn assert_says(finished: &Finished, code: &str, answer: &str, words: &str) {
    let verdict = verdict(finished, code);
    assert_eq!(verdict["verdict"], answer, "{code}: {finished}");
    assert!(verdict.to_string().contains(words), "{words}: {verdict}");
}

/// Publishes every number of both replicators, minutes that are complete.
fn publish(scene: &Scene, message_lag: f64) {
    let at = scene.aws.now() - 125_000;
    for name in &scene.names {
        let replicator = scene.aws.replicator(name).expect("it is there");
        let own = [("ReplicatorName", &**name)];
        for (metric, value) in [
            ("MessageLag", message_lag),
            ("ReplicationLatency", 4000.0),
            ("ReplicatorFailure", 0.0),
            ("ConsumerGroupCount", 1.0),
            ("ConsumerGroupOffsetSyncFailure", 0.0),
        ] {
            scene.aws.publish_at(at, metric, &own, value);
        }
        for alias in [&replicator.source_alias, &replicator.target_alias] {
            let beside = [("ReplicatorName", &**name), ("ClusterAlias", &**alias)];
            scene
                .aws
                .publish_at(at, "KafkaClusterPingSuccessCount", &beside, 1.0);
            scene.aws.publish_at(at, "AuthError", &beside, 0.0);
        }
    }
}

/// Copies the topic as it is now, with our own engine, which keeps timestamps as a replicator does.
fn copy(source: &Kafka, topic: &str) {
    let access = (
        Access::Secure(source, "scram-sha-512"),
        Access::Plain(shared_pair().1),
    );
    Migration::new(&unique("msk-copy"), access.0, access.1, &[topic]).catch_up();
}

#[test]
fn what_cloudwatch_does_not_say_is_unknown_and_never_zero() {
    let scene = Scene::new("msk-silent");
    scene.run(&["replicate"]).assert_exit(0);
    let asked = scene.run(&["ready", "--json"]);
    asked.assert_exit(3);
    for code in ["G201", "G202", "G203", "G204", "G205", "G320"] {
        assert_says(&asked, code, "unknown", "within 15 minutes");
    }
    assert_says(&asked, "G317", "pass", "is running");
    // Numbers of an hour ago, and of minutes that are not complete, say as little.
    let own = [("ReplicatorName", &*scene.names[0])];
    scene.aws.publish("MessageLag", &own, 0.0);
    let asked = scene.run(&["ready", "--json"]);
    assert_says(&asked, "G204", "unknown", "nothing complete of MessageLag");
    scene.aws.fault(
        "GetMetricData",
        crate::support::aws::faults::Which::All,
        crate::support::aws::faults::Fault::Denied,
    );
    let asked = scene.run(&["ready", "--json"]);
    assert_says(&asked, "G201", "unknown", "cloudwatch:GetMetricData");
}

#[test]
fn both_witnesses_open_the_gates_and_either_of_them_closes_them() {
    let scene = Scene::new("msk-ready");
    Load::to(&[(&scene.topic, 2)]).fill(external(), 3000);
    copy(external(), &scene.topic);
    scene.run(&["replicate"]).assert_exit(0);
    publish(&scene, 12.0);
    let asked = scene.run(&["ready", "--json"]);
    for (code, words) in [
        ("G201", "ReplicatorFailure 0"),
        (
            "G203",
            "KafkaClusterPingSuccessCount 1 on the source, 1 on the target",
        ),
        ("G204", "MessageLag 24"),
        ("G205", "ReplicationLatency"),
        ("G317", "is running"),
        ("G318", "24 by CloudWatch, 0 by the clusters"),
        ("G319", "in no topic"),
        ("G320", "AuthError 0"),
    ] {
        assert_says(&asked, code, "pass", words);
    }
    // More than CloudWatch knows of waits on the source.
    Load::to(&[(&scene.topic, 2)]).fill(external(), 2500);
    let asked = scene.run(&["ready", "--json"]);
    assert_says(&asked, "G318", "block", "further apart than 1,000");
    // A replicator that does not run is no way back, whatever the numbers say.
    scene
        .aws
        .fail(&scene.names[1], "Gone", "somebody took the network away");
    let asked = scene.run(&["ready", "--json"]);
    assert_says(&asked, "G317", "block", "is failed");
    assert_says(&asked, "G304", "block", "security groups both ways");
}

#[test]
fn status_shows_both_with_the_age_of_each_number_and_what_the_log_says() {
    let scene = Scene::new("msk-status");
    let before = scene.run(&["status"]);
    before.assert_exit(0);
    assert!(before.stdout.contains("not there"), "{before}");
    scene.run(&["replicate"]).assert_exit(0);
    publish(&scene, 12.0);
    scene.aws.log(
        super::LOGS,
        "stream",
        "ERROR Timestamp 1700000000000 of message with offset 0 is out of range. Topic: orders, Partition: 1",
    );
    let shown = scene.run(&["status"]);
    shown.assert_exit(0);
    for wanted in [
        "running",
        "12 (",
        " ago)",
        "unknown",
        "is out of range",
        "raise message.timestamp.before.max.ms",
        "replicate",
    ] {
        assert!(shown.stdout.contains(wanted), "{wanted}: {shown}");
    }
    let document = scene.run(&["status", "--json"]);
    let document: Value = serde_json::from_str(&document.stdout).expect("it is JSON");
    assert_eq!(document["event"], "replicators");
    assert_eq!(document["replicators"][0]["state"], "running");
    let numbers = document["replicators"][0]["numbers"].as_array();
    let numbers = numbers.expect("a list").iter();
    let mut throughput = numbers.filter(|one| one["metric"] == "ReplicatorThroughput");
    let throughput = throughput
        .next()
        .expect("it is there, with why it has no value");
    assert!(
        throughput["value"].is_null() && throughput["reason"].is_string(),
        "{document}"
    );
    scene.aws.fail(
        &scene.names[0],
        "AccessDenied",
        "Cannot assume the execution role",
    );
    let shown = scene.run(&["status"]);
    assert!(
        shown.stdout.contains("failed") && shown.stdout.contains("trust policy"),
        "{shown}"
    );
}

#[test]
fn status_is_watched_until_somebody_leaves_and_tells_what_changes() {
    let scene = Scene::new("msk-watched");
    let limit = Duration::from_secs(60);
    scene.run(&["replicate"]).assert_exit(0);
    publish(&scene, 12.0);
    let mut watching = scene.command(&["status", "--watch"]).start();
    watching.wait_for("forward running  MessageLag 12", limit);
    // AWS that does not answer is asked again; what comes then is shown.
    scene
        .aws
        .fault("ListReplicators", Which::All, Fault::Broken);
    watching.wait_for("it is tried again", limit);
    scene.aws.heal();
    scene.aws.fail(
        &scene.names[0],
        "AccessDenied",
        "Cannot assume the execution role",
    );
    watching.wait_for("forward failed", limit);
    watching.interrupt();
    watching.wait(limit).assert_exit(130);

    let mut watching = scene.command(&["status", "--watch", "--json"]).start();
    watching.wait_for("\n", limit);
    watching.interrupt();
    let lines = watching.wait(limit);
    let line = lines.stdout.lines().next().expect("a look");
    let line: Value = serde_json::from_str(line).expect("each line is JSON");
    assert_eq!(line["event"], "replicators");
    assert_eq!(line["replicators"][0]["state"], "failed");
}
