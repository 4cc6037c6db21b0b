//! Log groups and their events, and who the caller is.

use aws_sdk_cloudwatchlogs::Client;

use super::code;
use crate::support::aws::{ACCOUNT, Aws};

async fn found(client: &Client, pattern: &str) -> Vec<String> {
    let asked = client
        .filter_log_events()
        .log_group_name("/msk/one")
        .filter_pattern(pattern);
    let mut pages = asked.into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        for event in page.expect("it is answered").events() {
            assert!(event.timestamp().is_some());
            lines.push(event.message().unwrap_or_default().to_owned());
        }
    }
    lines
}

#[tokio::test]
async fn events_are_searched_in_pages_that_may_be_empty() {
    let aws = Aws::start();
    aws.add_log_group("/msk/one");
    let client = Client::new(&aws.sdk());
    let lines = [
        "INFO all is well",
        "INFO still",
        "ERROR Timestamp 5 is out of range",
        "WARN not authorized to access topics",
        "ERROR larger than 10485760",
    ];
    for line in lines {
        aws.log("/msk/one", "stream", line);
    }
    aws.pages_of(1);
    assert_eq!(found(&client, "").await, lines);
    assert_eq!(found(&client, "ERROR").await, [lines[2], lines[4]]);
    assert_eq!(found(&client, "ERROR -larger").await, [lines[2]]);
    assert_eq!(found(&client, "?ERROR ?WARN").await, lines[2..]);
    assert_eq!(found(&client, "\"out of range\"").await, [lines[2]]);
    let first = client
        .filter_log_events()
        .log_group_name("/msk/one")
        .filter_pattern("ERROR");
    let first = first.send().await.expect("it is answered");
    assert!(first.events().is_empty() && first.next_token().is_some());
    let newest = client
        .filter_log_events()
        .log_group_name("/msk/one")
        .start_from_head(false);
    let newest = newest.send().await.expect("it is answered");
    assert_eq!(newest.events()[0].message(), Some(lines[4]));
}

#[tokio::test]
async fn groups_are_found_by_the_beginning_of_their_names() {
    let aws = Aws::start();
    for name in ["/msk/one", "/msk/two", "/other"] {
        aws.add_log_group(name);
    }
    let client = Client::new(&aws.sdk());
    let listed = client
        .describe_log_groups()
        .log_group_name_prefix("/msk")
        .send()
        .await;
    let listed = listed.expect("it is answered");
    let names: Vec<_> = listed
        .log_groups()
        .iter()
        .filter_map(|one| one.log_group_name())
        .collect();
    assert_eq!(names, ["/msk/one", "/msk/two"]);
    let both = client.describe_log_groups().log_group_name_prefix("/a");
    let both = both.log_group_name_pattern("b").send().await;
    assert_eq!(
        code(&both.expect_err("one of both")),
        "InvalidParameterException"
    );
    let gone = client
        .filter_log_events()
        .log_group_name("/none")
        .send()
        .await;
    assert_eq!(
        code(&gone.expect_err("there is none")),
        "ResourceNotFoundException"
    );
    let unnamed = client.filter_log_events().send().await;
    assert_eq!(
        code(&unnamed.expect_err("which?")),
        "InvalidParameterException"
    );
    let many = client.describe_log_groups().limit(51).send().await;
    assert_eq!(
        code(&many.expect_err("50 at most")),
        "InvalidParameterException"
    );
}

#[tokio::test]
async fn the_caller_is_told_who_it_is() {
    let aws = Aws::start();
    let client = aws_sdk_sts::Client::new(&aws.sdk());
    let identity = client
        .get_caller_identity()
        .send()
        .await
        .expect("it is answered");
    assert_eq!(identity.account(), Some(ACCOUNT));
    assert_eq!(
        identity.arn(),
        Some("arn:aws:iam::123456789012:user/migrator")
    );
}
