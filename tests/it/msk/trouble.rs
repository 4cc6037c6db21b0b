//! What AWS does to a migration on its way: refusals, failures of late, throttling, rights that are missing; each told with its cause and
//! its cure, and what was begun is gone on with once it is mended.

use std::time::Duration;

use serde_json::Value;

use super::{Scene, runtime, verdict};
use crate::support::{
    aws::{
        ACCOUNT, REGION,
        clusters::Cluster,
        faults::{Fault, Which},
        replicator::{Failure, Life, Span},
    },
    tool::Finished,
    wait,
};

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);
/// What AWS says of a role that it cannot assume; its words are not published.
const NOT_ASSUMABLE: Fault = Fault::Error(
    "BadRequestException",
    "The service execution role cannot be assumed by Amazon MSK Replicator",
);

/// Every line that a person needs: a code, a cause or a sentence that says so, and what to do.
#[track_caller]
fn assert_told(refused: &Finished, code: &str, words: &[&str]) {
    refused.assert_says(&format!("error[{code}]"));
    for word in words {
        refused.assert_says(word);
    }
}

#[test]
fn a_replicator_that_fails_after_25_minutes_is_followed_until_then() {
    let scene = Scene::new("msk-late-failure");
    scene.aws.life(Life {
        creating: Span::Time(30 * MINUTE),
        ..Life::default()
    });
    scene.aws.will_fail(
        &scene.names[0],
        Failure {
            after: Span::Time(25 * MINUTE),
            code: "AuthenticationFailure".into(),
            message: "SASL authentication to the Apache Kafka cluster failed".into(),
        },
    );
    let looks = || scene.aws.requests_of("DescribeReplicator").len();
    let mut tool = scene.command(&["replicate"]).start();
    tool.wait_for("is creating", PATIENCE);
    scene.aws.advance(24 * MINUTE);
    let before = looks();
    wait::until("it looks again", PATIENCE, || looks() > before + 2);
    assert!(!tool.has_ended(), "{}", tool.said());
    scene.aws.advance(2 * MINUTE);
    let failed = tool.wait(PATIENCE);
    failed.assert_exit(10);
    assert_told(
        &failed,
        "K322",
        &[
            "SASL authentication to the Apache Kafka cluster failed",
            "SCRAM",
            "removes it and makes it anew",
            "aws kafka delete-replicator --replicator-arn",
        ],
    );
    // What is there by then is told by `status`, and the same command mends it.
    let status = scene.run(&["status"]);
    assert!(status.stdout.contains("failed"), "{status}");
    scene.aws.life(Life::default());
    scene.aws.advance(30 * MINUTE);
    scene.run(&["replicate"]).assert_exit(0);
    scene.assert_both_run();
}

#[test]
fn a_role_that_was_made_a_moment_ago_is_waited_for_and_one_that_nobody_may_assume_is_not() {
    let scene = Scene::new("msk-role");
    scene
        .aws
        .fault("CreateReplicator", Which::Next(3), NOT_ASSUMABLE);
    let made = scene.run(&["replicate"]);
    made.assert_exit(0);
    made.assert_says("a role that was made just now to be assumable");
    scene.assert_both_run();
    let scene = Scene::new("msk-no-role");
    scene.migration.edit("ask = ", "patience = \"1s\"\nask = ");
    scene
        .aws
        .fault("CreateReplicator", Which::All, NOT_ASSUMABLE);
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(6);
    assert_told(
        &refused,
        "K307",
        &[
            "cannot be assumed",
            "trust kafka.amazonaws.com",
            "kafka-migrate plan replicate",
        ],
    );
    assert_eq!(scene.replicators(), []);
    scene.aws.heal();
    scene.migration.edit("patience = \"1s\"\n", "");
    scene.run(&["replicate"]).assert_exit(0);
    scene.assert_both_run();
}

#[test]
fn throttling_is_waited_out_and_where_it_has_no_end_the_same_command_goes_on() {
    let scene = Scene::new("msk-throttled");
    for operation in [
        "DescribeSecret",
        "CreateSecret",
        "ListReplicators",
        "CreateReplicator",
        "DescribeReplicator",
    ] {
        scene.aws.fault(operation, Which::All, Fault::Throttled);
        let refused = scene.run(&["replicate"]);
        refused.assert_exit(6);
        assert_told(
            &refused,
            "K304",
            &["asked us to slow down", "Rate exceeded", "hint"],
        );
        scene.aws.heal();
    }
    // As it is where nobody says otherwise, though not for so long.
    scene
        .aws
        .fault("DescribeReplicator", Which::Next(3), Fault::Throttled);
    let waited = scene
        .command(&["replicate"])
        .env("AWS_MAX_ATTEMPTS", "8")
        .finish();
    waited.assert_exit(0);
    waited.assert_says("asks us to slow down");
    scene.assert_both_run();
    assert_eq!(scene.aws.requests_of("CreateSecret").len(), 3);
}

#[test]
fn in_another_region_there_is_no_such_cluster() {
    let scene = Scene::new("msk-region");
    scene
        .migration
        .edit(&format!("region = {REGION:?}"), "region = \"eu-central-1\"");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(2);
    refused.assert_says("the cluster is in us-east-1, and `msk.region` is eu-central-1");
    scene
        .migration
        .edit("arn:aws:kafka:us-east-1:", "arn:aws:kafka:eu-central-1:");
    let asked = scene.run(&["preflight", "--json"]);
    asked.assert_exit(3);
    let row = verdict(&asked, "G302").to_string();
    assert!(row.contains("in eu-central-1"), "{row}");
    let refused = scene.run(&["replicate"]);
    refused.assert_exit(6);
    assert_told(
        &refused,
        "K305",
        &[
            "cluster/my-cluster/",
            "in eu-central-1",
            "in another region",
        ],
    );
    assert_eq!(scene.aws.requests_of("CreateSecret").len(), 0);
    assert_eq!(scene.replicators(), []);
}

#[test]
fn arns_of_another_kind_are_refused_before_anything_is_asked() {
    let scene = Scene::new("msk-kinds");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/MSKReplicatorRole");
    for (is, other, says) in [
        (
            &*role,
            "arn:aws:iam::123456789012:user/Replicator",
            "is no ARN of a role",
        ),
        (&*role, "MSKReplicatorRole", "is no ARN of a role"),
        (
            ":cluster/",
            ":replicator/",
            "names a `replicator`; it takes that of a cluster",
        ),
        (
            "ask = ",
            "secrets = \"arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc-2\"\nask = ",
            "msk.secrets",
        ),
    ] {
        scene.migration.edit(is, other);
        let refused = scene.run(&["replicate"]);
        refused.assert_exit(2);
        refused.assert_says(says);
        refused.assert_says("next: kafka-migrate");
        scene.migration.edit(other, is);
    }
    assert_eq!(scene.aws.requests().len(), 0);
    // The right kind, and still none that a replicator takes.
    let arn = scene.aws.add_cluster(Cluster::serverless("serverless"));
    let text = std::fs::read_to_string(scene.migration.file()).expect("it was written");
    let line = text.lines().find(|line| line.starts_with("cluster_arn"));
    let line = line.expect("it has one");
    scene
        .migration
        .edit(line, &format!("cluster_arn = {arn:?}"));
    let asked = scene.run(&["preflight"]);
    asked.assert_exit(3);
    assert!(asked.stdout.contains("it is SERVERLESS"), "{asked}");
}

/// Every call that a command makes, in its turn, may not be made: the right that is missing is named, and with it all goes on.
#[test]
fn each_right_that_is_missing_later_is_named_too() {
    let scene = Scene::new("msk-rights");
    scene.run(&["replicate"]).assert_exit(0);
    let denied = |command: &[&str], operation: &str, action: &str| {
        scene.aws.fault(operation, Which::All, Fault::Denied);
        let refused = scene.run(command);
        scene.aws.heal();
        refused.assert_exit(6);
        assert_told(&refused, "K303", &[action, "\"Effect\":\"Allow\""]);
    };
    for (operation, action) in [
        ("ListReplicators", "kafka:ListReplicators"),
        ("DescribeReplicator", "kafka:DescribeReplicator"),
    ] {
        denied(&["status"], operation, action);
    }
    // Gates cannot look, and say why.
    for (operation, action) in [
        ("GetCallerIdentity", "sts:GetCallerIdentity"),
        ("DescribeClusterV2", "kafka:DescribeClusterV2"),
        ("ListReplicators", "kafka:ListReplicators"),
        ("DescribeReplicator", "kafka:DescribeReplicator"),
        ("DescribeSecret", "secretsmanager:DescribeSecret"),
        ("GetSecretValue", "secretsmanager:GetSecretValue"),
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
    ] {
        scene.aws.fault(operation, Which::All, Fault::Denied);
        let asked = scene.run(&["preflight", "--json"]);
        scene.aws.heal();
        asked.assert_exit(3);
        let asked: Value = serde_json::from_str(&asked.stdout).expect("it is JSON");
        let rows = asked["verdicts"].as_array().expect("a list").iter();
        let mut unknown = rows.filter(|row| row["verdict"] == "unknown");
        assert!(
            unknown.any(|row| row.to_string().contains(action)),
            "{operation}: {asked}"
        );
    }
    // Numbers and the log are not all that `status` has to say.
    for (operation, action) in [
        ("GetMetricData", "cloudwatch:GetMetricData"),
        ("FilterLogEvents", "logs:FilterLogEvents"),
    ] {
        scene.aws.fault(operation, Which::All, Fault::Denied);
        let status = scene.run(&["status"]);
        scene.aws.heal();
        status.assert_exit(0);
        assert!(status.stdout.contains("running"), "{status}");
        assert!(status.stdout.contains(action), "{operation}: {status}");
    }
    // What is changed.
    scene.migration.edit(
        &format!("topics = [{:?}]", scene.topic),
        &format!("topics = [{:?}, \"payments-*\"]", scene.topic),
    );
    denied(
        &["replicate"],
        "UpdateReplicationInfo",
        "kafka:UpdateReplicationInfo",
    );
    scene.run(&["replicate"]).assert_exit(0);
    std::fs::write(scene.migration.path("other.password"), "an0ther").expect("it is written");
    scene.migration.edit("ask = ", "source_auth = { mechanism = \"scram-sha-512\", username = \"migrator\", password = { file = \"other.password\" } }\nask = ");
    denied(
        &["replicate"],
        "PutSecretValue",
        "secretsmanager:PutSecretValue",
    );
    scene.run(&["replicate"]).assert_exit(0);
    let client = aws_sdk_secretsmanager::Client::new(&scene.aws.sdk());
    let remove = client
        .delete_secret()
        .secret_id(scene.secret())
        .recovery_window_in_days(7);
    runtime()
        .block_on(remove.send())
        .expect("it is going to be removed");
    denied(
        &["replicate"],
        "RestoreSecret",
        "secretsmanager:RestoreSecret",
    );
    scene.run(&["replicate"]).assert_exit(0);
    // And what is removed.
    let cleanup = ["cleanup", "--confirm", &scene.migration.name];
    for (operation, action) in [
        ("ListReplicators", "kafka:ListReplicators"),
        ("DescribeReplicator", "kafka:DescribeReplicator"),
        ("DescribeSecret", "secretsmanager:DescribeSecret"),
        ("DeleteReplicator", "kafka:DeleteReplicator"),
        ("DeleteSecret", "secretsmanager:DeleteSecret"),
    ] {
        denied(&cleanup, operation, action);
    }
    scene.run(&cleanup).assert_exit(0);
    assert_eq!(scene.replicators(), []);
}

#[test]
fn a_metric_that_never_comes_is_waited_for_and_named() {
    let scene = Scene::new("msk-no-metric");
    scene.run(&["replicate"]).assert_exit(0);
    let waited = scene.run(&["ready", "--wait", "2s"]);
    waited.assert_exit(3);
    assert!(
        waited.stdout.contains("MessageLag") && waited.stdout.contains("unknown"),
        "{waited}"
    );
}

/// Another team may have a migration of that name in the same account, and this one has not begun.
#[test]
fn names_that_another_migration_of_this_name_has_are_told_before_anything_is_made() {
    let scene = Scene::new("msk-namesake");
    let theirs = [
        ("kafka-migrate:migration", &*scene.migration.name),
        ("kafka-migrate:id", "another"),
    ];
    let client = aws_sdk_secretsmanager::Client::new(&scene.aws.sdk());
    let tag = |key: &str, value: &str| {
        aws_sdk_secretsmanager::types::Tag::builder()
            .key(key)
            .value(value)
            .build()
    };
    let secret = client
        .create_secret()
        .name(scene.secret())
        .secret_string("theirs");
    let secret = theirs
        .iter()
        .fold(secret, |secret, (key, value)| secret.tags(tag(key, value)));
    let secret = runtime().block_on(secret.send()).expect("it is made");
    for command in [
        &["plan", "replicate"][..],
        &["replicate", "--dry-run"],
        &["replicate"],
    ] {
        let refused = scene.run(command);
        refused.assert_exit(7);
        assert_told(&refused, "K324", &["with another journal"]);
    }
    let journal = format!("kafka-migrate.{}.journal", scene.migration.name);
    let there = super::external().metadata().topics;
    assert!(!there.contains_key(&journal), "nothing was begun");
    let asked = scene.run(&["preflight", "--json"]);
    asked.assert_exit(3);
    let says = |asked: &Finished, code: &str, words: &str| {
        let row = verdict(asked, code);
        assert_eq!(row["verdict"], "block", "{row}");
        assert!(row.to_string().contains(words), "{row}");
    };
    says(&asked, "G311", "with another journal");
    let remove = client
        .delete_secret()
        .secret_id(secret.arn().expect("it has one"))
        .force_delete_without_recovery(true);
    runtime().block_on(remove.send()).expect("it is removed");
    // Replicators as another of that name would have made them.
    scene.run(&["replicate"]).assert_exit(0);
    let kafka = aws_sdk_kafka::Client::new(&scene.aws.sdk());
    for name in &scene.names {
        let one = scene.aws.replicator(name).expect("it is there");
        let tag = kafka.tag_resource().resource_arn(&one.arn);
        let tag = theirs
            .iter()
            .fold(tag, |tag, (key, value)| tag.tags(*key, *value));
        runtime().block_on(tag.send()).expect("it is tagged");
    }
    let asked = scene.run(&["preflight", "--json"]);
    says(&asked, "G304", "its tags do not say that this migration");
    let refused = scene.run(&["plan", "replicate"]);
    refused.assert_exit(7);
    assert_told(&refused, "K321", &["with another journal", "msk.names"]);
}
