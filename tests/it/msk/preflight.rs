//! `preflight` where MSK Replicator copies: everything is asked before the half hour begins, and each thing that is wrong is named.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use super::{ALTER_CONFIGS, LITERAL, Scene, TOPIC, external, verdict};
use crate::support::kafka::MIGRATOR;

#[test]
fn where_all_is_well_only_what_nobody_can_ask_is_unknown() {
    let scene = Scene::new("msk-preflight");
    let asked = scene.run(&["preflight", "--json"]);
    for code in [
        "G301", "G302", "G303", "G304", "G305", "G306", "G307", "G308", "G309", "G310", "G311",
        "G312", "G316",
    ] {
        assert_eq!(verdict(&asked, code)["verdict"], "pass", "{code}: {asked}");
    }
    for (code, command) in [
        ("G314", "aws ec2 describe-security-groups"),
        ("G315", "aws iam get-role"),
    ] {
        let verdict = verdict(&asked, code);
        assert_eq!(verdict["verdict"], "unknown", "{verdict}");
        assert_eq!(verdict["holds_up"], false);
        assert!(
            verdict["commands"].to_string().contains(command),
            "{verdict}"
        );
    }
    // What only our own engine needs is not asked.
    assert!(!asked.stdout.contains("\"G109\""), "{asked}");
    assert_eq!(scene.aws.requests_of("CreateReplicator").len(), 0);
}

#[test]
fn each_thing_that_is_wrong_is_named_before_anything_is_made() {
    let scene = Scene::new("msk-wrong");
    let arn = scene.aws.replicator("none").map_or_else(
        || {
            let text = std::fs::read_to_string(scene.migration.file()).expect("it was written");
            let line = text
                .lines()
                .find(|line| line.starts_with("cluster_arn"))
                .expect("it has one");
            line.split('"').nth(1).expect("it is quoted").to_owned()
        },
        |one| one.arn,
    );
    scene.aws.change_cluster(&arn, |cluster| {
        cluster.iam = false;
        cluster.brokers = 2;
        cluster.kafka_version = "2.6.2".into();
    });
    scene
        .migration
        .edit("/msk/replicator/orders", "/msk/replicator/none");
    std::fs::write(scene.migration.path("wrong.password"), "wrong").expect("it is written");
    scene.migration.edit(
        "ask = ",
        &format!("source_auth = {{ mechanism = \"scram-sha-256\", username = {:?}, password = {{ file = \"wrong.password\" }} }}\nask = ", MIGRATOR.0),
    );
    let asked = scene.run(&["preflight", "--json"]);
    asked.assert_exit(3);
    let cluster = verdict(&asked, "G302");
    assert_eq!(cluster["verdict"], "block");
    for why in ["IAM access control is off", "2 brokers", "2.6.2"] {
        assert!(cluster["because"].to_string().contains(why), "{cluster}");
    }
    for code in ["G308", "G312"] {
        assert_eq!(verdict(&asked, code)["verdict"], "block", "{code}: {asked}");
    }
    assert!(
        !asked.stdout.contains("wrong\""),
        "the password is shown: {asked}"
    );
}

#[test]
fn a_right_that_the_replicators_user_lacks_is_found_as_that_user() {
    let scene = Scene::new("msk-rights");
    let principal = format!("User:{}", MIGRATOR.0);
    let denied = external()
        .wire()
        .deny(&principal, (TOPIC, &scene.topic, LITERAL), ALTER_CONFIGS);
    denied
        .expect("the broker answers")
        .expect("the ACL is taken");
    let asked = scene.run(&["preflight", "--json"]);
    asked.assert_exit(3);
    let rights = verdict(&asked, "G309");
    assert_eq!(rights["verdict"], "block", "{rights}");
    let lacks = format!("topic {}: AlterConfigs", scene.topic);
    assert!(rights["because"].to_string().contains(&lacks), "{rights}");
    assert!(
        rights["commands"].to_string().contains("kafka-acls.sh"),
        "{rights}"
    );
}

/// Tells whoever asks which subnet it is in, as the metadata of an EC2 instance does; its address.
fn metadata(subnet: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = BufReader::new(&stream);
            let mut line = String::new();
            if request.read_line(&mut line).is_err() {
                continue;
            }
            let mut header = String::from("-");
            while !header.trim().is_empty() {
                header.clear();
                if request.read_line(&mut header).is_err() {
                    break;
                }
            }
            let (body, more) = match &*line {
                line if line.contains("/api/token") => {
                    ("token", "x-aws-ec2-metadata-token-ttl-seconds: 600\r\n")
                }
                line if line.contains("subnet-id") => (subnet, ""),
                _ => ("0a:1b/", ""),
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"
            );
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}")
}

#[test]
fn what_was_seen_in_a_subnet_is_evidence_elsewhere() {
    let scene = Scene::new("msk-vantage");
    let look = |subnet| {
        let call = scene.command(&["preflight", "--from-here", "--out", "vantage.json"]);
        let call = call.env("AWS_EC2_METADATA_DISABLED", "false");
        call.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata(subnet))
            .finish()
    };
    let elsewhere = look("subnet-99");
    elsewhere.assert_exit(3);
    elsewhere.assert_says("none of the replicators'");
    assert!(!scene.migration.path("vantage.json").exists());
    look("subnet-02").assert_exit(0);
    let asked = scene.run(&["preflight", "--json", "--vantage", "vantage.json"]);
    let verdict = verdict(&asked, "G314");
    assert_eq!(verdict["verdict"], "pass", "{verdict}");
    assert!(verdict.to_string().contains("subnet-02"), "{verdict}");
    std::fs::write(scene.migration.path("vantage.json"), "{}").expect("it is written");
    scene
        .run(&["preflight", "--vantage", "vantage.json"])
        .assert_exit(2);
}
