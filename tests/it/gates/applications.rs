//! Groups that read more than is in scope, and applications that need more than positions.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

use super::{assert_says, document, preflight, with_groups};
use crate::support::{
    kafka::Kafka,
    load::Load,
    raw::{Body, Wire},
    tool::{Access, Migration},
    unique, wait,
};

/// A consumer that has joined its group and read something.
pub(super) fn member(kafka: &Kafka, group: &str, topics: &[&str]) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer can be made");
    consumer.subscribe(topics).expect("it can subscribe");
    wait::until("it reads", Duration::from_secs(60), || {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => message.offset() >= 0,
            _ => false,
        }
    });
    consumer
}

pub(super) fn commit(consumer: &BaseConsumer, topic: &str, offset: i64) {
    let mut at = TopicPartitionList::new();
    at.add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("an offset");
    consumer
        .commit(&at, CommitMode::Sync)
        .expect("it is committed");
}

#[test]
fn a_group_that_reads_out_of_scope_and_a_streams_application_are_found() {
    let (source, target) = super::pair();
    let stem = unique("applications");
    let name = |what: &str| format!("{stem}-{what}");
    let (inside, outside, group) = (name("inside"), name("outside"), name("group"));
    let changelog = format!("{group}-store-changelog");
    for topic in [&inside, &outside, &changelog] {
        source.create_topic(topic, 1, &[]);
    }
    Load::to(&[(&inside, 1), (&outside, 1)]).fill(source, 100);
    let consumer = member(source, &group, &[&inside, &outside]);
    commit(&consumer, &inside, 10);
    let migration = Migration::new(
        &unique("applications"),
        Access::Plain(source),
        Access::Plain(target),
        &[&inside],
    );
    with_groups(&migration, &[&group]);
    let said = preflight(&migration, 3);
    assert_says(
        &said,
        "G215",
        "block",
        &[
            &format!("group {group} reads {outside}"),
            &format!("group {group} keeps its state in {changelog}"),
        ],
    );
    assert_says(
        &said,
        "G121",
        "warn",
        &[&format!(
            "topic {changelog} is named like an internal topic of Kafka Streams"
        )],
    );
    assert_says(&said, "G111", "pass", &["1 group"]);
    // The same with the members gone: what was committed tells as well.
    commit(&consumer, &outside, 5);
    drop(consumer);
    assert_says(&preflight(&migration, 3), "G215", "block", &[&outside]);
    // With all of it in scope nothing is left behind.
    migration.edit(
        &format!("topics = [{inside:?}]"),
        &format!("topics = [{:?}]", name("*")),
    );
    assert_says(&preflight(&migration, 0), "G215", "pass", &[]);
}

#[test]
fn ready_counts_groups_and_their_lag_by_name() {
    let (source, target) = super::pair();
    let topic = unique("counted");
    let group = unique("reader");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    let consumer = member(source, &group, &[&topic]);
    let end = source.end_offset(&topic, 0).expect("it has an end");
    commit(&consumer, &topic, end - 30);
    let migration = Migration::new(
        &unique("counted"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    with_groups(&migration, &[&group]);
    migration.edit(
        "[replication]",
        &format!("[ready]\nhold = \"1s\"\noffset_lag = 30\n\n[[application]]\nname = \"reader\"\nreads = [{topic:?}]\ngroups = [{group:?}]\n\n[replication]"),
    );
    migration.catch_up();
    let finished = migration.run(&["--json", "ready", "--app", "reader"]);
    finished.assert_exit(3);
    let said = document(&finished);
    assert_eq!(said["application"], "reader");
    // Its position was carried.
    assert_says(&said, "G207", "pass", &["ConsumerGroupCount 1, expected 1"]);
    assert_says(
        &said,
        // The end of a clean stop is an offset on the target.
        "G206",
        "block",
        &["SumOffsetLag 30 on the source, 31 on the target, limit 30"],
    );
    assert_says(&said, "G202", "pass", &[]);
    assert_says(&said, "G214", "pass", &["1 position"]);
    assert_says(&said, "G215", "pass", &[]);
    // The same group on the target, as if its position had been carried.
    let there = member(target, &group, &[&topic]);
    commit(
        &there,
        &topic,
        target.end_offset(&topic, 0).expect("it has an end"),
    );
    let finished = migration.run(&["--json", "ready", "--app", "reader"]);
    let said = document(&finished);
    assert_says(&said, "G207", "pass", &["ConsumerGroupCount 1, expected 1"]);
    assert_says(
        &said,
        "G206",
        "block",
        &["SumOffsetLag 30 on the source, 0 on the target, limit 30"],
    );
}

/// Joins a group as its only member, as clients of any kind do; the member stays for minutes without a word.
fn join(kafka: &Kafka, group: &str, kind: &str, protocol: &str, metadata: &[u8]) -> Wire {
    wait::until_some("the group takes a member", Duration::from_secs(60), || {
        let mut wire = kafka.wire();
        // FindCoordinator makes the topic of positions, if nobody was here before.
        drop(wire.call(10, 0, Body::default().text(group)).ok()?);
        let body = Body::default()
            .text(group)
            .i32(300_000)
            .i32(60_000)
            .text("");
        let body = body.text(kind).i32(1).text(protocol).bytes(metadata);
        let mut joined = wire.call(11, 2, body).ok()?;
        joined.i32();
        if joined.i16() != 0 {
            return None;
        }
        let generation = joined.i32();
        let (_, _, member) = (joined.text(), joined.text(), joined.text()?);
        let body = Body::default().text(group).i32(generation).text(&member);
        let body = body.i32(1).text(&member).bytes(b"");
        let mut synced = wire.call(14, 1, body).ok()?;
        synced.i32();
        (synced.i16() == 0).then_some(wire)
    })
}

/// What Kafka Streams sends: its topics, and user data of its own behind them.
fn subscription(topics: &[&str]) -> Vec<u8> {
    let mut body = Body::default()
        .i16(1)
        .i32(i32::try_from(topics.len()).expect("few"));
    for topic in topics {
        body = body.text(topic);
    }
    body.bytes(b"\0\0\0\x0bstreams").0
}

#[test]
fn a_connect_cluster_and_a_streams_application_are_told_by_what_their_members_say() {
    let (source, target) = super::pair();
    let stem = unique("kinds");
    let name = |what: &str| format!("{stem}-{what}");
    let (topic, connect, streams) = (name("topic"), name("connect"), name("streams"));
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let _worker = join(source, &connect, "connect", "sessioned", b"\0\x02");
    let _instance = join(
        source,
        &streams,
        "consumer",
        "stream",
        &subscription(&[&topic]),
    );
    let migration = Migration::new(
        &unique("kinds"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    with_groups(&migration, &[&connect, &streams]);
    let said = preflight(&migration, 3);
    assert_says(
        &said,
        "G121",
        "warn",
        &[
            &format!("group {connect} is a Kafka Connect cluster"),
            &format!("group {streams} is a Kafka Streams application"),
        ],
    );
    assert_says(
        &said,
        "G215",
        "block",
        &[&format!(
            "group {connect} is a Kafka Connect cluster, which cannot be moved by its positions"
        )],
    );
    assert_says(&said, "G128", "pass", &[]);
}

/// KIP-848: brokers answer for such a group in another API, and not in the one that all other groups are in.
#[test]
fn a_group_of_the_new_protocol_is_seen_with_what_it_reads() {
    let (source, target) = super::pair();
    let stem = unique("broker-side");
    let name = |what: &str| format!("{stem}-{what}");
    let (inside, outside, group) = (name("inside"), name("outside"), name("group"));
    for topic in [&inside, &outside] {
        source.create_topic(topic, 1, &[]);
    }
    Load::to(&[(&inside, 1), (&outside, 1)]).fill(source, 10);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", source.bootstrap().join(","))
        .set("group.id", &group)
        .set("group.protocol", "consumer")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer can be made");
    consumer
        .subscribe(&[&inside, &outside])
        .expect("it can subscribe");
    wait::until("it reads", Duration::from_secs(60), || {
        matches!(consumer.poll(Duration::from_millis(200)), Some(Ok(_)))
    });
    // Nobody is in it for the API of old.
    let body = Body::default().i32(1).text(&group).i8(0);
    let mut told = source.wire().call(15, 3, body).expect("the broker answers");
    told.i32();
    let states = told.array(|one| (one.i16(), one.text(), one.text()));
    assert_ne!(states[0].2.as_deref(), Some("Stable"), "{states:?}");
    let migration = Migration::new(
        &unique("broker-side"),
        Access::Plain(source),
        Access::Plain(target),
        &[&inside],
    );
    with_groups(&migration, &[&group]);
    let said = preflight(&migration, 3);
    assert_says(&said, "G111", "pass", &["1 group"]);
    assert_says(
        &said,
        "G215",
        "block",
        &[&format!("group {group} reads {outside}")],
    );
}
