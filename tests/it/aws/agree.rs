//! A second client and a second fake, neither of them ours: boto3 understands the fake, and moto's Secrets Manager says the same.
//!
//! Both need boto3 for `python3`; the comparison needs moto's server at the address in `KAFKA_MIGRATE_MOTO`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::prepared;
use crate::support::aws::Aws;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/aws/agree.py");

fn says(aws: &Aws, endpoint: &str, arguments: &[&str], input: &Value) -> Value {
    let mut command = Command::new("python3");
    aws.give_to(&mut command);
    let mut child = command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .arg(SCRIPT)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 can be run");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin
        .write_all(input.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "see its words above");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[tokio::test]
#[ignore = "needs boto3"]
async fn the_client_for_python_understands_the_fake() {
    let (aws, request) = prepared().await;
    aws.publish("MessageLag", &[("ReplicatorName", "r")], 7.5);
    assert_eq!(
        says(&aws, &aws.endpoint(), &["kafka"], &request),
        json!({
            "create": "CREATING",
            "create again": "ConflictException",
            "describe": "RUNNING",
            "list": ["external-to-msk"],
            "stale": "BadRequestException",
            "delete": "DELETING",
            "gone": "NotFoundException",
            "metric": ["Complete", [7.5], 1],
            "groups": ["/msk/replicator/my-replicator"],
            "caller": "123456789012",
        })
    );
}

#[test]
#[ignore = "needs boto3 and moto"]
fn another_fake_says_the_same_of_secrets() {
    let aws = Aws::start();
    let moto = std::env::var("KAFKA_MIGRATE_MOTO").expect("where moto's server is");
    let ours = says(&aws, &aws.endpoint(), &[], &Value::Null);
    let mut theirs = says(&aws, &moto, &[], &Value::Null);
    // Of a secret that is scheduled for deletion AWS says that this is no time for it; moto forgets it here.
    for (what, said) in [
        ("create, scheduled for deletion", "ResourceExistsException"),
        ("put to a deleted one", "fine"),
        ("tag a deleted one", "fine"),
    ] {
        assert_eq!(theirs[what], said, "moto has learnt something: {what}");
        theirs[what] = json!("InvalidRequestException");
    }
    assert_eq!(ours, theirs);
}
