//! Clusters that cannot be reached, logged in to or trusted: preflight ends with a verdict, not with an error.

use std::fs;

use super::{assert_says, document, preflight, verdict};
use crate::{
    hostile::{
        broker::{
            AUTHENTICATE, Broker, HANDSHAKE, Heard, METADATA, Reply, VERSIONS, metadata, versions,
        },
        tls::{broker_for, broker_until},
    },
    support::{kafka::Kafka, tool::Migration, unique},
};

async fn broker(key: i16, reply: fn(&Heard) -> Reply) -> (Broker, String) {
    let broker = Broker::start(None, move |heard| {
        if heard.key == key {
            reply(heard)
        } else {
            Reply::Honest
        }
    })
    .await;
    let address = format!("127.0.0.1:{}", broker.port);
    (broker, address)
}

/// A broker of another cluster; its advertised port leads to nobody.
async fn other() -> (Broker, String) {
    broker(METADATA, |_| {
        let mut answer = metadata(1);
        let at = answer.windows(7).position(|word| word == b"cluster");
        answer[at.expect("it is there")..][..7].copy_from_slice(b"another");
        Reply::Body(answer)
    })
    .await
}

fn migration(source: &str, target: &str, lines: &str) -> Migration {
    let name = unique("connections");
    let limits = "connect_timeout = \"2s\"\nrequest_timeout = \"2s\"\n";
    let text = format!(
        "version = 1\nname = {name:?}\n[source]\nbootstrap = [{source:?}]\n{limits}{lines}[target]\nbootstrap = [{target:?}]\n{limits}[scope]\ntopics = [\"orders\"]\n"
    );
    Migration::from_text(&name, &text)
}

const LOGIN: &str = "[source.auth]\nmechanism = \"scram-sha-512\"\nusername = \"app\"\npassword = { file = \"source.password\" }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_kerberos_only_listener_are_named_with_what_to_add() {
    let (_target, there) = other().await;
    let (_source, here) = broker(AUTHENTICATE, |_| {
        Reply::Body(b"\0\0\x3a\x19invalid user or password\x01\0\0\0\0\0\0\0\0\0".to_vec())
    })
    .await;
    let said = preflight(&migration(&here, &there, LOGIN), 3);
    assert_says(
        &said,
        "G101",
        "block",
        &["K104", "refused the login of app", "source.auth.password"],
    );
    // What could not be looked at is not well.
    for code in ["G102", "G106", "G120"] {
        assert_eq!(
            verdict(&said, code)["verdict"],
            "unknown",
            "{code}: {said:#}"
        );
    }
    let (_source, here) = broker(HANDSHAKE, |_| {
        Reply::Body(b"\0\x21\0\0\0\x01\0\x06GSSAPI".to_vec())
    })
    .await;
    let said = preflight(&migration(&here, &there, LOGIN), 3);
    assert_says(
        &said,
        "G101",
        "block",
        &[
            "K105",
            "GSSAPI",
            "listener.security.protocol.map=…,MIGRATION:SASL_SSL",
            "SCRAM-SHA-512=[password=…]",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_authority_and_a_certificate_that_ends_soon_are_named() {
    let (_target, there) = other().await;
    let (secure, ca) = broker_until("127.0.0.1", 3).await;
    let (_elsewhere, other_ca) = broker_for("127.0.0.1").await;
    let at = format!("127.0.0.1:{}", secure.port);
    let with = |ca: &str| {
        let migration = migration(&at, &there, "[source.tls]\nca = \"ca.pem\"\n");
        fs::write(migration.path("ca.pem"), ca).expect("the scratch directory is writable");
        migration
    };
    assert_says(
        &preflight(&with(&other_ca), 3),
        "G101",
        "block",
        &["K110", "source.tls.ca"],
    );
    assert_says(
        &preflight(&with(&ca), 3),
        "G105",
        "block",
        &["a certificate ends in less than 7 days", "source broker"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_the_source_is_named() {
    let (_source, here) = broker(METADATA, |_| Reply::Honest).await;
    let said = preflight(&migration(&here, &here, ""), 3);
    assert_says(
        &said,
        "G102",
        "block",
        &["source and target are the same cluster, cluster"],
    );
}

#[test]
fn a_broker_that_is_advertised_where_nobody_listens_is_found_behind_a_live_bootstrap() {
    let source = Kafka::spec("advertised").proxied().start();
    let (_, target) = super::pair();
    source.create_topic("orders", 1, &[]);
    let live = source.behind_proxy();
    let migration = migration(&live[0], &target.bootstrap()[0], "");
    let said = preflight(&migration, 3);
    let dead = source.proxied_bootstrap();
    assert_says(
        &said,
        "G101",
        "block",
        &[
            "source 0/1, target 1/1",
            &format!("source broker 1 at {}: K101", dead[0]),
        ],
    );
    let text = migration.run(&["preflight"]);
    text.assert_exit(3);
    assert!(text.stdout.contains("explain G101"), "{text}");
    let ready = migration.run(&["--json", "ready"]);
    ready.assert_exit(3);
    assert_says(
        &document(&ready),
        "G203",
        "block",
        &["KafkaClusterPingSuccessCount 0 on the source, 1 on the target"],
    );
}

const QUORUM: i16 = 55;

/// A broker of a KRaft cluster whose clock is so far ahead.
async fn ahead(minutes: i64, cluster: [u8; 7]) -> (Broker, String) {
    let broker = Broker::start(None, move |heard| match heard.key {
        // DescribeQuorum besides.
        VERSIONS => {
            let mut answer = versions();
            answer[2] += 1;
            answer.splice(3..3, [0, 55, 0, 0, 0, 1, 0]);
            Reply::Body(answer)
        }
        METADATA => {
            let mut answer = metadata(1);
            let at = answer.windows(7).position(|word| word == b"cluster");
            answer[at.expect("it is there")..][..7].copy_from_slice(&cluster);
            Reply::Body(answer)
        }
        QUORUM => {
            let since = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .expect("it is later than 1970");
            let now = i64::try_from(since.as_millis()).expect("it is not that late");
            let mut body = vec![0, 0, 0, 2, 19];
            body.extend(b"__cluster_metadata");
            body.extend([2, 0, 0, 0, 0, 0, 0]);
            body.extend([0, 0, 0, 1, 0, 0, 0, 1]);
            body.extend(7i64.to_be_bytes());
            // One voter, the leader itself.
            body.extend([2, 0, 0, 0, 1]);
            body.extend(7i64.to_be_bytes());
            body.extend((-1i64).to_be_bytes());
            body.extend((now + minutes * 60_000).to_be_bytes());
            body.extend([0, 1, 0, 0, 0]);
            Reply::Body(body)
        }
        _ => Reply::Honest,
    })
    .await;
    let address = format!("127.0.0.1:{}", broker.port);
    (broker, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_ten_minutes_apart_are_named() {
    let (_source, here) = ahead(0, *b"cluster").await;
    let (_target, there) = ahead(10, *b"another").await;
    let said = preflight(&migration(&here, &there, ""), 3);
    assert_says(
        &said,
        "G104",
        "block",
        &["10m", "apart", "the target is", "ahead of this machine"],
    );
}
