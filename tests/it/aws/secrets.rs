//! Secrets: versions and stages, names that are taken, deletion that is scheduled, taken back, or carried out.

use std::time::Duration;

use aws_sdk_secretsmanager::{
    Client,
    types::{Filter, FilterNameStringType, Tag},
};

use super::code;
use crate::support::aws::Aws;

const DAY: Duration = Duration::from_secs(86_400);

async fn made(client: &Client, name: &str, value: &str) -> String {
    let created = client
        .create_secret()
        .name(name)
        .secret_string(value)
        .send()
        .await;
    created
        .expect("the name is free")
        .arn()
        .expect("it has one")
        .to_owned()
}

async fn value(client: &Client, id: &str) -> String {
    let value = client.get_secret_value().secret_id(id).send().await;
    value
        .expect("it is there")
        .secret_string()
        .expect("it is text")
        .to_owned()
}

#[tokio::test]
async fn a_secret_has_versions_and_stages() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let tag = Tag::builder().key("k").value("v").build();
    let created = client
        .create_secret()
        .name("app/login")
        .description("of the replicator")
        .kms_key_id("alias/mine")
        .secret_string("first")
        .tags(tag)
        .send()
        .await
        .expect("the name is free");
    let arn = created.arn().expect("it has one");
    let (short, suffix) = arn.rsplit_once('-').expect("AWS adds to the name");
    assert!(
        short.ends_with(":secret:app/login") && suffix.len() == 6,
        "{arn}"
    );
    for id in ["app/login", arn, short] {
        assert_eq!(value(&client, id).await, "first");
    }
    let put = client
        .put_secret_value()
        .secret_id(arn)
        .secret_string("second");
    let second = put.send().await.expect("it is there");
    assert_eq!(second.version_stages(), ["AWSCURRENT"]);
    let update = client.update_secret().secret_id(arn).secret_string("third");
    update.send().await.expect("it is there");
    assert_eq!(value(&client, arn).await, "third");
    let previous = client
        .get_secret_value()
        .secret_id(arn)
        .version_stage("AWSPREVIOUS");
    let previous = previous.send().await.expect("there is one");
    assert_eq!(previous.secret_string(), Some("second"));
    assert_eq!(previous.version_id(), second.version_id());
    let first = client.get_secret_value().secret_id(arn);
    let first = first
        .set_version_id(created.version_id().map(str::to_owned))
        .send()
        .await;
    assert_eq!(first.expect("it is kept").secret_string(), Some("first"));
    let described = client
        .describe_secret()
        .secret_id(arn)
        .send()
        .await
        .expect("it is there");
    assert_eq!(described.kms_key_id(), Some("alias/mine"));
    assert_eq!(described.description(), Some("of the replicator"));
    assert_eq!(described.tags()[0].key(), Some("k"));
    let stages = described.version_ids_to_stages().expect("it has versions");
    // The first has no stage any more.
    assert_eq!(stages.len(), 2);
    assert!(described.created_date().is_some() && described.deleted_date().is_none());
}

#[tokio::test]
async fn a_put_may_be_repeated_and_not_changed() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    made(&client, "one", "first").await;
    let token = "0123456789abcdef0123456789abcdef";
    let put = client
        .put_secret_value()
        .secret_id("one")
        .client_request_token(token);
    for _ in 0..2 {
        put.clone()
            .secret_string("second")
            .send()
            .await
            .expect("it is the same");
    }
    let refused = put
        .secret_string("third")
        .send()
        .await
        .expect_err("it is another");
    assert_eq!(code(&refused), "ResourceExistsException");
    let described = client.describe_secret().secret_id("one").send().await;
    let described = described.expect("it is there");
    assert_eq!(
        described
            .version_ids_to_stages()
            .expect("it has versions")
            .len(),
        2
    );
}

#[tokio::test]
async fn a_name_may_be_taken_scheduled_restored_and_free_again() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let create = || client.create_secret().name("one").secret_string("value");
    made(&client, "one", "first").await;
    let refused = create().send().await.expect_err("it is taken");
    assert_eq!(code(&refused), "ResourceExistsException");

    let delete = |days| {
        client
            .delete_secret()
            .secret_id("one")
            .recovery_window_in_days(days)
    };
    for days in [6, 31] {
        let refused = delete(days).send().await.expect_err("7 to 30");
        assert_eq!(code(&refused), "InvalidParameterException");
    }
    delete(7).send().await.expect("it may be removed");
    let refused = create()
        .send()
        .await
        .expect_err("it is scheduled for deletion");
    assert_eq!(code(&refused), "InvalidRequestException");
    let read = client.get_secret_value().secret_id("one").send().await;
    assert_eq!(
        code(&read.expect_err("it is marked")),
        "InvalidRequestException"
    );
    let put = client
        .put_secret_value()
        .secret_id("one")
        .secret_string("second");
    let refused = put.send().await.expect_err("it is marked");
    assert_eq!(code(&refused), "InvalidRequestException");
    let described = client.describe_secret().secret_id("one").send().await;
    assert!(
        described
            .expect("it may still be seen")
            .deleted_date()
            .is_some()
    );

    client
        .restore_secret()
        .secret_id("one")
        .send()
        .await
        .expect("it can be taken back");
    assert_eq!(value(&client, "one").await, "first");
    delete(7).send().await.expect("it may be removed");
    aws.advance(6 * DAY);
    client
        .describe_secret()
        .secret_id("one")
        .send()
        .await
        .expect("it is still there");
    aws.advance(DAY);
    let gone = client.describe_secret().secret_id("one").send().await;
    assert_eq!(
        code(&gone.expect_err("it is gone")),
        "ResourceNotFoundException"
    );
    create().send().await.expect("the name is free again");
}

#[tokio::test]
async fn what_is_not_there_or_not_right_is_refused() {
    let aws = Aws::start();
    let client = Client::new(&aws.sdk());
    let unknown = client.get_secret_value().secret_id("nobody").send().await;
    assert_eq!(
        code(&unknown.expect_err("not there")),
        "ResourceNotFoundException"
    );
    let refused = client
        .create_secret()
        .name("no space")
        .secret_string("x")
        .send()
        .await;
    assert_eq!(
        code(&refused.expect_err("a blank")),
        "InvalidParameterException"
    );
    let refused = client
        .create_secret()
        .name("x".repeat(513))
        .secret_string("x");
    let refused = refused.send().await.expect_err("too long");
    assert_eq!(code(&refused), "ValidationException");
    let refused = client
        .create_secret()
        .name("big")
        .secret_string("x".repeat(65_537));
    let refused = refused.send().await.expect_err("too large");
    assert_eq!(code(&refused), "ValidationException");
    let refused = client.put_secret_value().secret_string("x").send().await;
    assert_eq!(code(&refused.expect_err("whose?")), "ValidationException");
}

#[tokio::test]
async fn secrets_are_listed_in_pages() {
    let aws = Aws::start();
    aws.pages_of(1);
    let client = Client::new(&aws.sdk());
    for name in ["app/a", "app/b", "other"] {
        made(&client, name, "value").await;
    }
    let filter = Filter::builder()
        .key(FilterNameStringType::Name)
        .values("app/")
        .build();
    let mut pages = client
        .list_secrets()
        .filters(filter)
        .into_paginator()
        .send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("it is answered");
        for one in page.secret_list() {
            names.push(one.name().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(names, ["app/a", "app/b"]);
}
