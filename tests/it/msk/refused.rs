//! What is in the way: credentials, rights, regions, names that are taken: a sentence, a cause, a fix, the right exit code.

use std::time::Duration;

use serde_json::json;

use super::{Scene, external, runtime};
use crate::support::{
    aws::{
        EXPIRED,
        faults::{Fault, Which},
    },
    shared_pair, wait,
};

#[test]
fn credentials_that_are_missing_refused_or_expired_are_told_apart() {
    let scene = Scene::new("msk-login");
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 3] = [
        (
            &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
            "K300",
            "aws sso login",
        ),
        (
            &[("AWS_ACCESS_KEY_ID", "AKIAOTHER")],
            "K302",
            "sts get-caller-identity",
        ),
        (&[("AWS_SESSION_TOKEN", EXPIRED)], "K301", "expired"),
    ];
    for (variables, code, says) in cases {
        let mut call = scene.command(&["replicate"]);
        for (name, value) in variables {
            match value.is_empty() {
                true => drop(call.0.env_remove(name)),
                false => drop(call.0.env(name, value)),
            }
        }
        let refused = call.finish();
        refused.assert_exit(6);
        refused.assert_says(code);
        refused.assert_says(says);
    }
    assert_eq!(scene.replicators(), []);
}

#[test]
fn each_call_that_is_denied_names_the_right_that_is_missing() {
    let scene = Scene::new("msk-denied");
    for (operation, action) in [
        ("DescribeSecret", "secretsmanager:DescribeSecret"),
        ("CreateSecret", "secretsmanager:CreateSecret"),
        ("GetSecretValue", "secretsmanager:GetSecretValue"),
        ("ListReplicators", "kafka:ListReplicators"),
        ("CreateReplicator", "kafka:CreateReplicator"),
        ("DescribeReplicator", "kafka:DescribeReplicator"),
    ] {
        scene.aws.fault(operation, Which::All, Fault::Denied);
        let refused = scene.run(&["replicate"]);
        // What was begun waits for a person; before that it is AWS that said no.
        assert!(matches!(refused.code(), Some(6 | 10)), "{refused}");
        refused.assert_says("K303");
        refused.assert_says(action);
        scene.aws.heal();
    }
    scene.run(&["replicate"]).assert_exit(0);
    scene.assert_both_run();
}

#[test]
fn names_that_somebody_else_has_are_not_touched() {
    let scene = Scene::new("msk-taken");
    let client = aws_sdk_secretsmanager::Client::new(&scene.aws.sdk());
    let theirs = client
        .create_secret()
        .name(scene.secret())
        .secret_string("theirs")
        .send();
    let theirs = runtime().block_on(theirs).expect("it is made");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(7);
    refused.assert_says("K324");
    refused.assert_says("aws secretsmanager describe-secret");
    let remove = client
        .delete_secret()
        .secret_id(theirs.arn().expect("it has one"));
    let remove = remove.force_delete_without_recovery(true).send();
    runtime().block_on(remove).expect("it is removed");
    // A replicator of that name without our tags.
    scene
        .run(&["replicate", "--direction", "forward"])
        .assert_exit(0);
    let ours = scene.aws.replicator(&scene.names[0]).expect("it is there");
    let kafka = aws_sdk_kafka::Client::new(&scene.aws.sdk());
    let untag = kafka.untag_resource().resource_arn(&ours.arn);
    let untag = untag
        .tag_keys("kafka-migrate:migration")
        .tag_keys("kafka-migrate:id")
        .send();
    runtime().block_on(untag).expect("its tags go");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(7);
    refused.assert_says("K321");
    refused.assert_says("msk.names.forward");
    assert_eq!(scene.replicators(), [(scene.names[0].clone(), "RUNNING")]);
}

/// Another team may have a migration of that name in the same account: only the id in the journal tells whose a thing is.
#[test]
fn without_its_journal_cleanup_takes_nothing_for_its_own() {
    let scene = Scene::new("msk-stranger");
    scene.run(&["replicate"]).assert_exit(0);
    let journal = format!("kafka-migrate.{}.journal", scene.migration.name);
    for kafka in [external(), shared_pair().1] {
        let deleted = kafka.wire().delete_topic(&journal);
        deleted.expect("the broker answers").expect("it was there");
        wait::until("the journal is gone", Duration::from_secs(60), || {
            !kafka.metadata().topics.contains_key(&journal)
        });
    }
    let cleanup = ["cleanup", "--confirm", &scene.migration.name];
    let mut elsewhere = scene.migration.command_in("elsewhere", &cleanup);
    scene.aws.give_to(&mut elsewhere.0);
    let refused = elsewhere.finish();
    scene.assert_both_run();
    assert_eq!(scene.aws.requests_of("DeleteSecret").len(), 0);
    refused.assert_exit(7);
    refused.assert_says("K334");
}

#[test]
fn a_secret_of_ours_that_is_being_removed_is_taken_back() {
    let scene = Scene::new("msk-leaving");
    scene.run(&["replicate"]).assert_exit(0);
    let client = aws_sdk_secretsmanager::Client::new(&scene.aws.sdk());
    let remove = client
        .delete_secret()
        .secret_id(scene.secret())
        .recovery_window_in_days(7);
    runtime()
        .block_on(remove.send())
        .expect("it is going to be removed");
    let again = scene.run(&["replicate"]);
    again.assert_exit(0);
    again.assert_says("taken back from removal");
    let read = client.get_secret_value().secret_id(scene.secret()).send();
    runtime().block_on(read).expect("it is there");
}

#[test]
fn what_aws_would_refuse_after_half_an_hour_is_not_sent() {
    let scene = Scene::new("msk-rules");
    let templates = scene.migration.path("templates/msk");
    std::fs::create_dir_all(&templates).expect("it is made");
    let info = json!([{
        "SourceKafkaClusterId": "{{source_cluster_id}}",
        "TargetKafkaClusterArn": "{{msk_cluster_arn}}",
        "TargetCompressionType": "{{compression}}",
        "TopicReplication": {
            "TopicsToReplicate": "{{topics}}",
            "CopyTopicConfigurations": true,
            "CopyAccessControlListsForTopics": true,
            "DetectAndCopyNewTopics": true,
            "StartingPosition": { "Type": "{{start}}" },
            "TopicNameConfiguration": { "Type": "PREFIXED_WITH_SOURCE_CLUSTER_ALIAS" }
        },
        "ConsumerGroupReplication": {
            "ConsumerGroupsToReplicate": "{{groups}}",
            "SynchroniseConsumerGroupOffsets": true,
            "DetectAndCopyNewConsumerGroups": true,
            "ConsumerGroupOffsetSyncMode": "LEGACY"
        }
    }]);
    std::fs::write(
        templates.join("replication-info-forward.json"),
        info.to_string(),
    )
    .expect("it is written");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(2);
    refused.assert_says("K325");
    refused.assert_says("IDENTICAL");
    refused.assert_says("without ENHANCED");
    refused.assert_says("your own templates: replication-info-forward.json");
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 0);
    assert_eq!(scene.aws.requests_of("CreateSecret").len(), 0);
}
