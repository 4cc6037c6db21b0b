//! The life of a replicator: made, running or failed, changed, removed; and who is told of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_kafka::{
    Client,
    operation::describe_replicator::DescribeReplicatorOutput,
    types::{ConsumerGroupReplicationUpdate, ReplicatorState, TopicReplicationUpdate},
};
use serde_json::{Value, json};

use super::{code, create, forward, prepared};
use crate::support::aws::{
    Aws, Carries,
    replicator::{CreatedReplicator, End, Failure, Life, Span},
};

#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, line: String) {
        self.0
            .lock()
            .expect("nobody panics with this lock")
            .push(line);
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics with this lock").clone()
    }
}

impl Carries for Diary {
    fn begin(&self, replicator: &CreatedReplicator) {
        self.note(format!("begin {} {:?}", replicator.name, replicator.topics));
    }

    fn change(&self, replicator: &CreatedReplicator) {
        self.note(format!(
            "change {} {:?}",
            replicator.name, replicator.topics
        ));
    }

    fn end(&self, arn: &str) {
        self.note(format!("end {}", arn.split('/').nth(1).unwrap_or_default()));
    }
}

async fn describe(client: &Client, arn: &str) -> DescribeReplicatorOutput {
    let described = client
        .describe_replicator()
        .replicator_arn(arn)
        .send()
        .await;
    described.expect("it is there")
}

async fn state(client: &Client, arn: &str) -> String {
    let described = describe(client, arn).await;
    let state = described.replicator_state().map(ReplicatorState::as_str);
    state.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_replicator_runs_is_changed_and_is_removed() {
    let (aws, request) = prepared().await;
    let diary = Arc::new(Diary::default());
    aws.carried_by(Arc::<Diary>::clone(&diary));
    let client = Client::new(&aws.sdk());
    let arn = create(&aws, &request).await.expect("it is complete");
    for wanted in ["CREATING", "CREATING", "RUNNING"] {
        assert_eq!(state(&client, &arn).await, wanted);
    }
    assert_eq!(diary.read(), ["begin external-to-msk [\"my-topic\"]"]);

    let before = describe(&client, &arn).await;
    let version = before.current_version().expect("it has one");
    let cluster = request["kafkaClusters"][1]["amazonMskCluster"]["mskClusterArn"].as_str();
    let update = client
        .update_replication_info()
        .replicator_arn(&arn)
        .current_version(version)
        .source_kafka_cluster_id("lkc-abc123")
        .set_target_kafka_cluster_arn(cluster.map(str::to_owned))
        .topic_replication(
            TopicReplicationUpdate::builder()
                .topics_to_replicate("my-topic")
                .topics_to_replicate("another")
                .set_topics_to_exclude(Some(Vec::new()))
                .copy_topic_configurations(true)
                .copy_access_control_lists_for_topics(true)
                .detect_and_copy_new_topics(true)
                .build(),
        );
    // An empty ARN instead of the id is refused, and so is half an update.
    let refused = update.clone().source_kafka_cluster_arn("").send().await;
    assert_eq!(
        code(&refused.expect_err("two sources")),
        "BadRequestException"
    );
    let refused = update
        .clone()
        .consumer_group_replication(
            ConsumerGroupReplicationUpdate::builder()
                .consumer_groups_to_replicate("my-group")
                .build(),
        )
        .send()
        .await;
    assert_eq!(
        code(&refused.expect_err("three are missing")),
        "BadRequestException"
    );
    update.clone().send().await.expect("it is complete");
    for wanted in ["UPDATING", "RUNNING"] {
        assert_eq!(state(&client, &arn).await, wanted);
    }
    assert_eq!(
        diary.read().last().map(String::as_str),
        Some("change external-to-msk [\"my-topic\", \"another\"]")
    );
    let refused = update.send().await;
    assert_eq!(
        code(&refused.expect_err("the version is old")),
        "BadRequestException"
    );
    let refused = client
        .delete_replicator()
        .replicator_arn(&arn)
        .current_version(version);
    let refused = refused.send().await;
    assert_eq!(
        code(&refused.expect_err("the version is old")),
        "BadRequestException"
    );

    let after = describe(&client, &arn).await;
    client
        .delete_replicator()
        .replicator_arn(&arn)
        .set_current_version(after.current_version().map(str::to_owned))
        .send()
        .await
        .expect("it may be removed");
    assert_eq!(
        diary.read().last().map(String::as_str),
        Some("end external-to-msk")
    );
    assert_eq!(state(&client, &arn).await, "DELETING");
    let gone = client
        .describe_replicator()
        .replicator_arn(&arn)
        .send()
        .await;
    assert_eq!(code(&gone.expect_err("it is gone")), "NotFoundException");
    let listed = client
        .list_replicators()
        .send()
        .await
        .expect("it is answered");
    assert!(listed.replicators().is_empty());
    create(&aws, &request)
        .await
        .expect("the name is free again");
}

#[tokio::test]
async fn describe_keeps_the_external_cluster_to_itself() {
    let (aws, request) = prepared().await;
    let client = Client::new(&aws.sdk());
    let arn = create(&aws, &request).await.expect("it is complete");
    let described = describe(&client, &arn).await;
    let [external, msk] = described.kafka_clusters() else {
        panic!("two clusters: {described:?}");
    };
    assert!(external.apache_kafka_cluster().is_none());
    assert!(external.client_authentication().is_none());
    assert!(external.encryption_in_transit().is_none());
    assert_eq!(external.vpc_config(), msk.vpc_config());
    let uuid = request["kafkaClusters"][1]["amazonMskCluster"]["mskClusterArn"].as_str();
    let parts: Vec<&str> = uuid.unwrap_or_default().split('-').collect();
    let alias = format!("my-cluster-{}", parts[parts.len() - 2]);
    assert_eq!(msk.kafka_cluster_alias(), Some(&*alias));
    let info = &described.replication_info_list()[0];
    assert_eq!(info.target_kafka_cluster_alias(), Some(&*alias));
    assert_eq!(
        info.source_kafka_cluster_alias(),
        external.kafka_cluster_alias()
    );
    assert!(described.creation_time().is_some());
    let replicator = aws.replicator("external-to-msk").expect("it is there");
    assert!(matches!(replicator.source, End::External { id, .. } if id == "lkc-abc123"));
    // The way it would be if AWS gave all of it back.
    aws.describes_all();
    let described = describe(&client, &arn).await;
    let external = &described.kafka_clusters()[0];
    let kafka = external.apache_kafka_cluster().expect("it is given back");
    assert_eq!(kafka.apache_kafka_cluster_id(), Some("lkc-abc123"));
    assert!(external.vpc_config().is_none());
}

async fn waits_for(aws: &Aws, client: &Client, arn: &str, minutes: u64) -> String {
    aws.advance(Duration::from_secs(60 * minutes));
    state(client, arn).await
}

#[tokio::test]
async fn a_replicator_fails_after_twenty_five_minutes() {
    let (aws, request) = prepared().await;
    let diary = Arc::new(Diary::default());
    aws.carried_by(Arc::<Diary>::clone(&diary));
    let client = Client::new(&aws.sdk());
    let minutes = |minutes: u64| Span::Time(Duration::from_secs(60 * minutes));
    aws.life(Life {
        creating: minutes(30),
        ..Life::default()
    });
    let failure = Failure {
        after: minutes(25),
        code: "CONNECTIVITY".to_owned(),
        message: "The brokers cannot be reached.".to_owned(),
    };
    aws.will_fail("external-to-msk", failure);
    let arn = create(&aws, &request).await.expect("it is complete");
    assert_eq!(waits_for(&aws, &client, &arn, 24).await, "CREATING");
    assert_eq!(waits_for(&aws, &client, &arn, 1).await, "FAILED");
    let described = describe(&client, &arn).await;
    let info = described.state_info().expect("it says why");
    assert_eq!(
        (info.code(), info.message()),
        (Some("CONNECTIVITY"), Some("The brokers cannot be reached."))
    );
    assert!(diary.read().is_empty());
    // It is not repaired: it is removed and made anew.
    let (refused, ..) = create(&aws, &request).await.expect_err("the name is taken");
    assert_eq!(refused, "ConflictException");
    client
        .delete_replicator()
        .replicator_arn(&arn)
        .send()
        .await
        .expect("it may be removed");
    assert_eq!(state(&client, &arn).await, "DELETING");
    client
        .list_replicators()
        .send()
        .await
        .expect("it is answered");
    let arn = create(&aws, &request)
        .await
        .expect("the name is free again");
    assert_eq!(waits_for(&aws, &client, &arn, 29).await, "CREATING");
    assert!(diary.read().is_empty());
    assert_eq!(waits_for(&aws, &client, &arn, 1).await, "RUNNING");
    aws.fail("external-to-msk", "LATER", "It broke.");
    assert_eq!(state(&client, &arn).await, "FAILED");
    assert_eq!(diary.read().len(), 2, "{:?}", diary.read());
}

#[tokio::test]
async fn what_a_replicator_cannot_read_makes_it_fail() {
    let (aws, complete) = prepared().await;
    let client = Client::new(&aws.sdk());
    let partial = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        Value::from(&text[..text.len() - 7])
    };
    let mut cases: Vec<(Value, &str)> = Vec::new();
    let login = "/kafkaClusters/0/clientAuthentication/saslScram/secretArn";
    let authority = "/kafkaClusters/0/encryptionInTransit/rootCaCertificate";
    let at = |pointer: &str| complete.pointer(pointer).expect("it is there").clone();
    for (pointer, value, part) in [
        (login, partial(&at(login)), "cannot be read"),
        (login, at(authority), "has no username"),
        (authority, at(login), "has no certificate"),
    ] {
        let mut request = complete.clone();
        *request.pointer_mut(pointer).expect("it is there") = value;
        cases.push((request, part));
    }
    for (at, (mut request, part)) in cases.into_iter().enumerate() {
        request["replicatorName"] = json!(format!("number-{at}"));
        let arn = create(&aws, &request).await.expect("it looks complete");
        while state(&client, &arn).await == "CREATING" {}
        assert_eq!(state(&client, &arn).await, "FAILED");
        let described = describe(&client, &arn).await;
        let message = described.state_info().and_then(|info| info.message());
        assert!(
            message.unwrap_or_default().contains(part),
            "{part}: {message:?}"
        );
    }
    // As is a cluster without IAM access control.
    let cluster = at("/kafkaClusters/1/amazonMskCluster/mskClusterArn");
    let cluster = cluster.as_str().expect("an ARN");
    aws.change_cluster(cluster, |cluster| cluster.iam = false);
    let arn = create(&aws, &complete).await.expect("it is complete");
    while state(&client, &arn).await == "CREATING" {}
    assert_eq!(state(&client, &arn).await, "FAILED");
}

#[tokio::test]
async fn lists_come_in_pages_and_by_the_beginning_of_a_name() {
    let (aws, request) = prepared().await;
    let client = Client::new(&aws.sdk());
    aws.pages_of(2);
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str);
    for name in ["mine", "mine-too", "other", "mine-3"] {
        let request = forward(
            name,
            text("/kafkaClusters/1/amazonMskCluster/mskClusterArn").expect("an ARN"),
            text("/kafkaClusters/0/clientAuthentication/saslScram/secretArn").expect("an ARN"),
            text("/kafkaClusters/0/encryptionInTransit/rootCaCertificate").expect("an ARN"),
        );
        create(&aws, &request).await.expect("it is complete");
    }
    let mut pages = client
        .list_replicators()
        .replicator_name_filter("mine")
        .into_paginator()
        .send();
    let (mut names, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.expect("it is answered");
        count += 1;
        for one in page.replicators() {
            names.push(one.replicator_name().unwrap_or_default().to_owned());
        }
    }
    names.sort();
    assert_eq!(
        (names, count),
        (
            ["mine", "mine-3", "mine-too"].map(str::to_owned).to_vec(),
            2
        )
    );
    let refused = client.list_replicators().next_token("bogus").send().await;
    assert_eq!(
        code(&refused.expect_err("no token of ours")),
        "BadRequestException"
    );
}

#[tokio::test]
async fn tags_are_put_on_and_taken_off() {
    let (aws, request) = prepared().await;
    let client = Client::new(&aws.sdk());
    let arn = create(&aws, &request).await.expect("it is complete");
    let put = client
        .tag_resource()
        .resource_arn(&arn)
        .tags("a", "1")
        .tags("b", "2");
    put.send().await.expect("it is there");
    let off = client
        .untag_resource()
        .resource_arn(&arn)
        .tag_keys("k")
        .tag_keys("b");
    off.send().await.expect("it is there");
    let tags = client
        .list_tags_for_resource()
        .resource_arn(&arn)
        .send()
        .await;
    let tags = tags
        .expect("it is there")
        .tags()
        .expect("it has some")
        .clone();
    assert_eq!(json!(tags), json!({ "a": "1" }));
    let other = client
        .list_tags_for_resource()
        .resource_arn(format!("{arn}0"));
    let refused = other.send().await.expect_err("it is not there");
    assert_eq!(code(&refused), "NotFoundException");
}
