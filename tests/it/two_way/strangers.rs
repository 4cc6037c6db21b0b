//! ★12: batches under the producer id of a copy that no copy can be; topics that are gone where records would come back to.

use std::time::Duration;

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, identities, two_way, written_on};
use crate::support::{
    codecs::{Envelope, Record, encode},
    kafka::Kafka,
    load::Load,
    shared_pair,
    tool::PATIENCE,
    unique, wait,
};

fn record(value: &str) -> Record {
    Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
    }
}

/// A client begins at epoch 0, whatever cluster it has its producer id from.
fn bring_along(to: &Kafka, topic: &str, partition: i32, producer_id: i64) {
    let envelope = Envelope {
        producer_id,
        producer_epoch: 0,
        base_sequence: 0,
    };
    let batch = encode(envelope, &[record("b:brought along")]);
    let mut wire = to
        .wire_to_leader(topic, partition)
        .expect("it has a leader");
    let produced = wire.produce(topic, partition, &batch).expect("an answer");
    assert!(produced.is_ok(), "{produced:?}");
}

#[test]
fn a_batch_under_our_producer_id_that_is_not_ours_stops_the_partition() {
    let (source, target) = shared_pair();
    let topic = unique("stranger");
    // Nothing is written to the second partition on the source, so that the target's broker does not know our identity there.
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 1)]).marked(ON_SOURCE).fill(source, 50);
    let migration = two_way(source, target, &topic, &[&topic]);
    migration.catch_up();
    let ours = identities(target, &format!("kafka-migrate.{topic}.forward"));
    assert!(!ours.is_empty());
    for (producer_id, _) in ours {
        bring_along(target, &topic, 1, producer_id);
    }
    Load::to(&[(&topic, 1)]).marked(ON_TARGET).fill(target, 30);

    let mut tool = migration.command(&["replicate", "--json"]).start();
    tool.wait_for("K560", Duration::from_secs(60));
    // The other partition goes on, in both directions.
    wait::until("the other partition goes on", PATIENCE, || {
        written_on(source, &topic, 0, ON_TARGET).len()
            == written_on(target, &topic, 0, ON_TARGET).len()
    });
    tool.interrupt();
    let ended = tool.wait(PATIENCE);
    assert!(ended.stdout.contains("on the way back"), "{ended:?}");
    assert_eq!(written_on(source, &topic, 1, ON_TARGET), Vec::new());

    let ways = migration.run(&[
        "replicate",
        "--until",
        "caught-up",
        "--recopy",
        &topic,
        "--confirm",
        &topic,
    ]);
    ways.assert_exit(7);
    ways.assert_says("K418");
    // It is an application's, says a person, and so is what follows of the same writers.
    let word = format!("{topic}:1");
    let said = migration.run(&["replicate", "--until", "caught-up", "--not-ours", &word]);
    said.assert_exit(0);
    said.assert_says("an application's, and are copied");
    Load::to(&[(&topic, 2)]).marked("b:2:").fill(target, 30);
    migration.catch_up();
    for mark in ["b:brought along", "b:2:"] {
        let copied = written_on(source, &topic, 1, mark);
        let written = written_on(target, &topic, 1, mark);
        assert!(!copied.is_empty(), "{mark}");
        let same = copied
            .iter()
            .zip(&written)
            .all(|(one, other)| one.is_same(other));
        assert!(same && copied.len() == written.len(), "{mark}: {copied:?}");
    }
    assert_both_have_all(source, target, &topic);
}

#[test]
fn such_a_batch_can_be_given_up() {
    let (source, target) = shared_pair();
    let topic = unique("stranger-given-up");
    source.create_topic(&topic, 1, &[]);
    let migration = two_way(source, target, &topic, &[&topic]);
    migration.catch_up();
    let ours = identities(target, &format!("kafka-migrate.{topic}.forward"));
    bring_along(target, &topic, 0, ours[0].0);
    Load::to(&[(&topic, 1)]).marked(ON_TARGET).fill(target, 30);
    let stopped = migration.run(&["replicate", "--until", "caught-up"]);
    stopped.assert_exit(10);
    for way in ["--not-ours", "--accept-gap"] {
        stopped.assert_says(&format!("{way} {topic}:0@0"));
    }
    let gap = format!("{topic}:0");
    let passed = migration.run(&["replicate", "--until", "caught-up", "--accept-gap", &gap]);
    passed.assert_exit(0);
    let (copied, written) = (
        written_on(source, &topic, 0, ON_TARGET),
        written_on(target, &topic, 0, ON_TARGET),
    );
    assert_eq!(copied.len() + 1, written.len(), "all but that one");
}

#[test]
fn a_topic_that_is_gone_on_the_source_takes_nothing_back() {
    let (source, target) = shared_pair();
    let (topic, other) = (unique("gone-back"), unique("stays"));
    for topic in [&topic, &other] {
        source.create_topic(topic, 1, &[]);
        Load::to(&[(topic, 1)]).marked(ON_SOURCE).fill(source, 20);
    }
    let migration = two_way(source, target, &topic, &[&topic, &other]);
    migration.catch_up();
    let deleted = source.wire().delete_topic(&topic);
    deleted.expect("an answer").expect("it is deleted");
    wait::until("the topic is gone", PATIENCE, || {
        source.partitions(&topic) == 0
    });
    for topic in [&topic, &other] {
        Load::to(&[(topic, 1)]).marked(ON_TARGET).fill(target, 20);
    }
    let run = migration.run(&["replicate", "--until", "caught-up", "--json"]);
    run.assert_exit(10);
    assert!(run.stdout.contains("K561"), "{run:?}");
    assert_both_have_all(source, target, &other);
    assert_eq!(source.partitions(&topic), 0, "it is not made again");
}
