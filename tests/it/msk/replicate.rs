//! `replicate`: secrets and both replicators made once, whatever happens on the way, and followed until they run.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{Scene, runtime};
use crate::support::{
    aws::{
        faults::{Fault, Which},
        replicator::{Failure, Life, Span},
    },
    kafka::MIGRATOR,
    wait,
};

/// What the secret of that name says.
fn secret(scene: &Scene, name: &str) -> Value {
    let client = aws_sdk_secretsmanager::Client::new(&scene.aws.sdk());
    let read = client.get_secret_value().secret_id(name).send();
    let read = runtime().block_on(read).expect("the secret is there");
    serde_json::from_str(read.secret_string().expect("it has a text")).expect("it is JSON")
}

#[test]
fn the_plan_shows_what_is_sent_and_changes_nothing() {
    let scene = Scene::new("msk-plan");
    let planned = scene.run(&[
        "plan",
        "replicate",
        "--files",
        "documents",
        "--out",
        "plan.json",
    ]);
    planned.assert_exit(0);
    for wanted in [
        "make the secret kafka-migrate/",
        "from the external cluster to MSK",
        "from MSK back to the external cluster",
        "wait until",
        "aws iam create-role --role-name MSKReplicatorRole",
        "kafka-acls.sh --bootstrap-server",
        "\"ConsumerGroupOffsetSyncMode\": \"ENHANCED\"",
    ] {
        assert!(planned.stdout.contains(wanted), "{wanted}: {planned}");
    }
    let changing = ["Create", "Put", "Update", "Delete", "Restore", "Tag"];
    let changes = scene.aws.requests();
    let changes = changes
        .iter()
        .filter(|one| changing.iter().any(|word| one.operation.starts_with(word)));
    assert_eq!(changes.count(), 0);
    // What is sent later is what was shown, but for the ends of ARNs.
    let shown = |name: &str| -> Value {
        let path = scene.migration.path("documents").join(name);
        let text = fs::read_to_string(path).expect("it was written");
        serde_json::from_str(&text).expect("it is JSON")
    };
    scene
        .run(&["replicate", "--plan", "plan.json"])
        .assert_exit(0);
    let sent = scene.aws.requests_of("CreateReplicator");
    assert_eq!(sent.len(), 2);
    for (request, info) in sent.iter().zip([
        "replication-info-forward.json",
        "replication-info-reverse.json",
    ]) {
        assert_eq!(
            request.input["replicationInfoList"],
            kafka_migrate::msk::wire(shown(info))
        );
        let mut clusters = kafka_migrate::msk::wire(shown("kafka-clusters.json"));
        let arn =
            &request.input["kafkaClusters"][0]["clientAuthentication"]["saslScram"]["secretArn"];
        clusters[0]["clientAuthentication"]["saslScram"]["secretArn"] = arn.clone();
        clusters[0]["encryptionInTransit"]["rootCaCertificate"] = arn.clone();
        assert_eq!(request.input["kafkaClusters"], clusters);
    }
}

#[test]
fn both_are_made_once_followed_and_found_again() {
    let scene = Scene::new("msk-made");
    scene.aws.life(Life {
        creating: Span::Looks(8),
        ..Life::default()
    });
    let made = scene.run(&["replicate"]);
    made.assert_exit(0);
    scene.assert_both_run();
    made.assert_says("is creating, about half an hour in all");
    let says = secret(&scene, &scene.secret());
    assert_eq!(says["username"], "migrator");
    assert_eq!(says["password"], MIGRATOR.1);
    assert!(
        says["certificate"]
            .as_str()
            .expect("a text")
            .contains("BEGIN CERTIFICATE")
    );
    assert!(!made.stderr.contains(MIGRATOR.1), "{made}");
    let replicator = scene.aws.replicator(&scene.names[0]).expect("it is there");
    assert_eq!(
        replicator.request["tags"]["kafka-migrate:migration"],
        json!(scene.migration.name)
    );
    // Again: nothing is made, changed or written.
    scene.aws.forget_requests();
    scene.run(&["replicate"]).assert_exit(0);
    for operation in [
        "CreateReplicator",
        "UpdateReplicationInfo",
        "CreateSecret",
        "PutSecretValue",
    ] {
        assert_eq!(scene.aws.requests_of(operation).len(), 0, "{operation}");
    }
    // Another password is a new version, and no new replicator.
    fs::write(scene.migration.path("other.password"), "an0ther").expect("it is written");
    scene.migration.edit("ask = ", "source_auth = { mechanism = \"scram-sha-512\", username = \"migrator\", password = { file = \"other.password\" } }\nask = ");
    let rotated = scene.run(&["replicate"]);
    rotated.assert_exit(0);
    rotated.assert_says("given a new version");
    assert_eq!(secret(&scene, &scene.secret())["password"], "an0ther");
    scene.assert_both_run();
}

#[test]
fn a_change_of_the_scope_is_an_update_and_a_change_of_the_start_is_refused() {
    let scene = Scene::new("msk-change");
    scene.run(&["replicate"]).assert_exit(0);
    scene.migration.edit(
        &format!("topics = [{:?}]", scene.topic),
        &format!("topics = [{:?}, \"payments-*\"]", scene.topic),
    );
    let changed = scene.run(&["replicate"]);
    changed.assert_exit(0);
    changed.assert_says("changed: topics, topics left out");
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 2);
    assert_eq!(scene.aws.requests_of("UpdateReplicationInfo").len(), 2);
    let replicator = scene.aws.replicator(&scene.names[1]).expect("it is there");
    let topics =
        &replicator.request["replicationInfoList"][0]["topicReplication"]["topicsToReplicate"];
    assert_eq!(topics, &json!([scene.topic, "payments-.*"]));
    scene
        .migration
        .edit("[msk]", "[replication]\nstart = \"latest\"\n\n[msk]");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(10);
    refused.assert_says("K323");
    refused.assert_says("start: it has EARLIEST, asked for is LATEST");
    refused.assert_says("aws kafka delete-replicator --replicator-arn");
    scene.assert_both_run();
}

/// The service does not show how an external cluster was given to it: the journal does.
#[test]
fn what_was_sent_of_the_clusters_is_remembered_and_a_change_of_it_is_refused() {
    let scene = Scene::new("msk-sent");
    // The command that made it did not live to see that.
    scene
        .aws
        .fault("CreateReplicator", Which::Next(1), Fault::SilentAfter);
    let mut tool = scene.command(&["replicate"]).start();
    wait::until("it is made", Duration::from_secs(60), || {
        tool.has_ended() || !scene.aws.requests_of("CreateReplicator").is_empty()
    });
    tool.kill();
    let change = (
        "security_groups = [\"sg-01\"]",
        "security_groups = [\"sg-02\"]",
    );
    let refused = || {
        let refused = scene.run(&["replicate"]);
        refused.assert_exit(10);
        refused.assert_says("K323");
        refused.assert_says("security groups: it has sg-01, asked for is sg-02");
        refused.assert_says("aws kafka delete-replicator --replicator-arn");
    };
    scene.migration.edit(change.0, change.1);
    refused();
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 1);
    scene.migration.edit(change.1, change.0);
    scene.run(&["replicate"]).assert_exit(0);
    scene.assert_both_run();
    // Once more with nothing to do, so that it is not the last plan that tells.
    scene.run(&["replicate"]).assert_exit(0);
    scene.migration.edit(change.0, change.1);
    refused();
    let asked = scene.run(&["preflight", "--json"]);
    assert!(
        asked
            .stdout
            .contains("security groups: sg-01, asked for sg-02"),
        "{asked}"
    );
    scene.migration.edit(change.1, change.0);
    let kept = fs::read_to_string(scene.migration.path("state/journal")).expect("it is there");
    assert!(kept.contains("BootstrapBrokerString") && !kept.contains(MIGRATOR.1));
    scene.run(&["replicate"]).assert_exit(0);
}

#[test]
fn one_that_fails_says_why_and_the_same_command_makes_it_anew() {
    let scene = Scene::new("msk-failed");
    scene.aws.will_fail(
        &scene.names[1],
        Failure {
            after: Span::Looks(3),
            code: "ClusterUnreachable".into(),
            message: "Failed to connect to the brokers of the Apache Kafka cluster".into(),
        },
    );
    let failed = scene.run(&["replicate"]);
    failed.assert_exit(10);
    failed.assert_says("K322");
    failed.assert_says("ClusterUnreachable");
    failed.assert_says("security groups both ways (MSK 9098");
    let again = scene.run(&["replicate"]);
    again.assert_exit(0);
    again.assert_says("the one that failed was removed");
    scene.assert_both_run();
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 3);
}

#[test]
fn answers_that_are_lost_and_throttling_make_nothing_twice() {
    let scene = Scene::new("msk-lost");
    for operation in ["CreateSecret", "CreateReplicator"] {
        scene.aws.fault(operation, Which::Next(1), Fault::CutAfter);
    }
    scene
        .aws
        .fault("DescribeReplicator", Which::Next(1), Fault::Throttled);
    scene
        .aws
        .fault("ListReplicators", Which::Next(1), Fault::Broken);
    scene.run(&["replicate"]).assert_exit(0);
    scene.assert_both_run();
}

#[test]
fn killed_before_during_and_after_each_step_the_same_command_ends_the_same() {
    let scene = Scene::new("msk-killed");
    scene.aws.life(Life {
        creating: Span::Looks(40),
        ..Life::default()
    });
    let mut made = 0;
    // The call that it is killed in, before or after it took effect.
    for (call, fault) in [
        ("DescribeSecret", Fault::SilentBefore),
        ("CreateSecret", Fault::SilentBefore),
        ("CreateSecret", Fault::SilentAfter),
        ("GetSecretValue", Fault::SilentAfter),
        ("ListReplicators", Fault::SilentAfter),
        ("CreateReplicator", Fault::SilentBefore),
        ("CreateReplicator", Fault::SilentAfter),
        ("DescribeReplicator", Fault::SilentAfter),
        ("CreateReplicator", Fault::SilentBefore),
        ("CreateReplicator", Fault::SilentAfter),
        ("DescribeReplicator", Fault::SilentBefore),
    ] {
        scene.aws.forget_requests();
        scene.aws.fault(call, Which::Next(1), fault.clone());
        let mut tool = scene.command(&["replicate"]).start();
        wait::until(call, Duration::from_secs(60), || {
            tool.has_ended() || !scene.aws.requests_of(call).is_empty()
        });
        assert!(!tool.has_ended(), "{call}: {}", tool.said());
        tool.kill();
        let taken = scene.aws.requests_of("CreateReplicator").into_iter();
        made += taken.filter(|one| one.answer.is_ok()).count();
    }
    scene.aws.heal();
    assert_eq!(made, 2, "each was made by one of those that were killed");
    scene.aws.forget_requests();
    let ended = scene.run(&["replicate"]);
    ended.assert_exit(0);
    scene.assert_both_run();
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 0);
    assert_eq!(secret(&scene, &scene.secret())["username"], "migrator");
}
