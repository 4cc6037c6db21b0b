//! ★12: batches under the producer id of a copy that no copy can be; topics that are gone where records would come back to.

use std::time::Duration;

use kafka_migrate::engine::ledger::record::{Entry, Record as Said};

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, two_way, written_on};
use crate::support::{
    codecs::{Envelope, Record, encode},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::PATIENCE,
    unique, wait,
};

/// Producer ids and epochs under which a direction writes, from its ledger.
fn identities(kafka: &Kafka, ledger: &str) -> Vec<(i64, i16)> {
    let mut found = Vec::new();
    for partition in 0..kafka.partitions(ledger) {
        for record in read::partition(kafka, ledger, partition, View::Uncommitted) {
            let said = Said::decode(record.value.as_deref().unwrap_or_default());
            for entry in said.expect("a ledger record").entries {
                if let Entry::Identity {
                    producer_id, epoch, ..
                } = entry
                {
                    found.push((producer_id, epoch));
                }
            }
        }
    }
    found
}

fn record(value: &str) -> Record {
    Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
    }
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
    // A client begins at epoch 0, whatever cluster it has its producer id from.
    for (producer_id, _) in ours {
        let envelope = Envelope {
            producer_id,
            producer_epoch: 0,
            base_sequence: 0,
        };
        let batch = encode(envelope, &[record("b:brought along")]);
        let mut wire = target.wire_to_leader(&topic, 1).expect("it has a leader");
        let produced = wire.produce(&topic, 1, &batch).expect("an answer");
        assert!(produced.is_ok(), "{produced:?}");
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

    // Once a person gives it up the partition goes on behind it.
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
    for _ in 0..4 {
        let gap = format!("{topic}:1");
        let run = migration.run(&["replicate", "--until", "caught-up", "--accept-gap", &gap]);
        if run.code() == Some(0) {
            break;
        }
    }
    Load::to(&[(&topic, 2)]).marked("b:2:").fill(target, 30);
    migration.catch_up();
    let copied = written_on(source, &topic, 1, "b:2:");
    assert!(!copied.is_empty());
    assert_eq!(
        copied.len(),
        written_on(target, &topic, 1, "b:2:").len(),
        "what came later"
    );
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
