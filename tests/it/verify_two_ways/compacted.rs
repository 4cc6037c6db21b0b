//! Compacted topics with the same keys written on both sides: cleaners take what the other side's later value replaces, and the last values are
//! compared all the same.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use super::{
    rebuilt::{log, rebuild, write},
    two_way, verified,
};
use crate::support::{
    codecs::{Envelope, Record},
    kafka::Kafka,
    read::{self, View},
    shared_pair,
    tool::Migration,
    unique, wait,
};
use crate::two_way::identities;

const SETTINGS: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("segment.ms", "100"),
    ("min.cleanable.dirty.ratio", "0.001"),
];
/// The cleaner rests for fifteen seconds between two looks, and shares its thread with other tests.
const PATIENCE: Duration = Duration::from_secs(150);

/// Each later than the one before: a segment ends by the times of its records.
fn put(kafka: &Kafka, topic: &str, key: &str, value: &str) {
    static COUNT: AtomicI64 = AtomicI64::new(0);
    let record = Record {
        offset: 0,
        timestamp: 1_700_000_000_000 + 200 * COUNT.fetch_add(1, Ordering::Relaxed),
        key: Some(key.into()),
        value: Some(value.into()),
        headers: Vec::new(),
    };
    write(kafka, topic, 0, &record, Envelope::PLAIN);
}

/// Values that stand in a partition under a key, in order.
fn values(kafka: &Kafka, topic: &str, key: &str) -> Vec<String> {
    let records = read::partition(kafka, topic, 0, View::Uncommitted).into_iter();
    records
        .filter(|record| record.key.as_deref() == Some(key.as_bytes()))
        .map(|record| String::from_utf8(record.value.expect("a value")).expect("text"))
        .collect()
}

/// Writes to a side, and copies, until of these keys only the last values stand on both.
fn clean(migration: &Migration, sides: [&Kafka; 2], topic: &str, keys: &[&str]) {
    let mut number = 0;
    wait::until("only the last values stand there", PATIENCE, || {
        wait::elapse(Duration::from_millis(1000));
        number += 1;
        for kafka in sides {
            put(kafka, topic, "filling", &number.to_string());
        }
        migration.catch_up();
        let is_clean = |kafka| keys.iter().all(|key| values(kafka, topic, key).len() == 1);
        sides.iter().all(|kafka| is_clean(kafka))
    });
}

#[test]
fn a_later_value_of_the_other_side_excuses_and_the_last_values_are_compared() {
    let (source, target) = shared_pair();
    let topic = unique("compacted-both-ways");
    source.create_topic(&topic, 1, &SETTINGS);
    let migration = two_way(source, target, &topic, &[&topic]);
    migration.catch_up();
    for setting in SETTINGS {
        let mut wire = target.wire();
        let set = wire.set_topic(&topic, setting.0, setting.1);
        set.expect("an answer").expect("it is set");
    }
    for key in ["here", "there", "alone"] {
        put(source, &topic, key, "a:1");
    }
    migration.catch_up();
    put(target, &topic, "there", "b:2");
    put(source, &topic, "here", "a:2");
    migration.catch_up();
    put(source, &topic, "last", "a:1");
    migration.catch_up();
    // What was copied last is replaced over there.
    put(target, &topic, "last", "b:2");
    migration.catch_up();
    migration.verify();
    let keys = ["here", "there", "last"];
    clean(&migration, [source, target], &topic, &keys);
    for kafka in [source, target] {
        let left = keys.map(|key| values(kafka, &topic, key));
        assert_eq!(
            left,
            ["a:2", "b:2", "b:2"].map(|last| vec![last.to_owned()])
        );
    }
    let (verify, report) = verified(&migration);
    verify.assert_exit(0);
    let matching = |way: &serde_json::Value| way["totals"]["matching"].as_u64();
    assert!(matching(&report) >= Some(2), "{report:#}");
    assert!(matching(&report["way_back"]) >= Some(2), "{report:#}");

    // A copy that is another value than what it was copied from.
    let ours = identities(target, &format!("kafka-migrate.{topic}.forward"));
    let mut there = log(target, &topic, 0);
    let changed = there
        .iter_mut()
        .find(|one| one.record.key.as_deref() == Some(b"here") && ours.contains(&one.by));
    changed.expect("the copy").record.value = Some(b"a:3".to_vec());
    rebuild(target, &topic, &SETTINGS, &[there]);
    let (verify, report) = verified(&migration);
    verify.assert_exit(8);
    assert_eq!(report["totals"]["different"], 1, "{report:#}");
    assert_eq!(report["way_back"]["differs"], false, "{report:#}");
    let sample = &report["samples"][0];
    assert_eq!(sample["direction"], "forward", "{report:#}");
    assert_eq!(sample["parts"], serde_json::json!(["value"]), "{report:#}");
}
