//! Compacted sources and copies that are behind: a tombstone that was cleaned away is missed by nobody without being told.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{
    event,
    stops::{status, stops},
    stops_past::{assert_holds, recopy, records, replicate},
};

/// A cluster whose log cleaner does not rest.
fn cleaning() -> &'static Kafka {
    static CLEANING: OnceLock<Kafka> = OnceLock::new();
    CLEANING.get_or_init(|| {
        Kafka::spec("cleaning")
            .set("log.cleaner.backoff.ms", "200")
            .start()
    })
}

/// Each later than the one before: a segment ends by the times of its records.
fn record(key: &str, value: Option<&str>) -> Record {
    static COUNT: AtomicI64 = AtomicI64::new(0);
    Record {
        offset: 0,
        timestamp: 1_700_000_000_000 + 200 * COUNT.fetch_add(1, Ordering::Relaxed),
        key: Some(key.into()),
        value: value.map(Into::into),
        headers: Vec::new(),
    }
}

/// Writes records, each a batch of its own.
fn write(kafka: &Kafka, topic: &str, batch: &[Record]) {
    let mut wire = kafka.wire_to_leader(topic, 0).expect("it has a leader");
    for record in batch {
        let bytes = codecs::encode(Envelope::PLAIN, std::slice::from_ref(record));
        let produced = wire.produce(topic, 0, &bytes);
        produced.expect("the broker answers").expect("it is taken");
    }
}

/// A compacted topic whose tombstones are kept for so long, and a migration of it.
fn compacted(source: &Kafka, stem: &str, kept_ms: &str) -> (Migration, String) {
    let topic = unique(stem);
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("delete.retention.ms", kept_ms),
    ];
    source.create_topic(&topic, 1, &settings);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(shared_pair().1),
        &[&topic],
    );
    (migration, topic)
}

/// A topic of which a key was deleted while nobody copied, and of which the tombstone is gone: what the target holds.
fn missed(stem: &str, kept_ms: &str) -> (Migration, String, Vec<Record>) {
    let source = cleaning();
    let (migration, topic) = compacted(source, stem, kept_ms);
    let first = [record("gone", Some("1")), record("there", Some("1"))];
    write(source, &topic, &first);
    migration.catch_up();
    write(
        source,
        &topic,
        &[record("gone", None), record("there", Some("2"))],
    );
    // Segments end by their age when something is written.
    let mut number = 0;
    wait::until(
        "the tombstone is cleaned away",
        Duration::from_secs(90),
        || {
            wait::elapse(Duration::from_millis(250));
            number += 1;
            write(
                source,
                &topic,
                &[record("other", Some(&number.to_string()))],
            );
            let left = records(source, &topic);
            !left.iter().any(|one| one.key.as_deref() == Some(b"gone"))
        },
    );
    (migration, topic, first.to_vec())
}

#[test]
fn a_partition_that_may_have_missed_a_tombstone_stops_and_is_copied_again() {
    let target = shared_pair().1;
    let (migration, topic, copied) = missed("missed", "10000");
    for _ in 0..2 {
        let found = stops(&migration, &["K527", "delete.retention.ms", "live on"]);
        found.assert_says(&format!("--accept-gap {topic}:0@2"));
        found.assert_says(&format!("--recopy {topic}:0@2"));
        assert_holds(target, &topic, &[&copied]);
    }
    // A compacted topic lets go of its records only where its policy names deletion.
    let refused = recopy(&migration, &format!("{topic}:0"));
    refused.assert_exit(10);
    refused.assert_says("K524");
    let changed = target
        .wire()
        .set_topic(&topic, "cleanup.policy", "compact,delete");
    changed.expect("the broker answers").expect("it is taken");
    migration.catch_up();
    // The source is cleaned on all the while: the last records of keys are compared.
    migration.verify();
    let held = records(target, &topic);
    assert!(held.iter().all(|one| one.key.as_deref() != Some(b"gone")));
    assert!(!held.is_empty());
    assert_eq!(status(&migration)["decided"][0]["code"], "K527");
}

#[test]
fn what_may_have_been_missed_can_be_accepted_once() {
    let (source, target) = (cleaning(), shared_pair().1);
    let (migration, topic, copied) = missed("accepted", "30000");
    stops(&migration, &["K527"]);
    let word = format!("{topic}:0@2");
    let passed = replicate(&migration, &["--accept-gap", &word]);
    passed.assert_exit(0);
    passed.assert_says("keys that were deleted there may live on");
    // It goes on where it stood.
    let rest: Vec<Record> = records(source, &topic)
        .into_iter()
        .filter(|one| one.offset >= 2)
        .collect();
    let held = records(target, &topic);
    assert!(held.len() > copied.len(), "something was copied");
    let keys = |of: &[Record]| -> std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        of.iter()
            .map(|one| (one.key.clone().unwrap_or_default(), one.value.clone()))
            .collect()
    };
    let mut wanted = keys(&copied);
    wanted.extend(keys(&rest));
    assert_eq!(keys(&held), wanted);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    let decided = status(&migration)["decided"].clone();
    assert_eq!(decided.as_array().map(Vec::len), Some(1), "{decided}");
    // The next time is another one.
    wait::elapse(Duration::from_millis(15_500));
    write(source, &topic, &[record("late", Some("1"))]);
    let again = replicate(&migration, &["--accept-gap", &word]);
    again.assert_exit(10);
    again.assert_says("K527");
}

#[test]
fn time_alone_stops_nothing_that_is_at_the_end() {
    let (source, target) = (shared_pair().0, shared_pair().1);
    let (migration, topic) = compacted(source, "current", "30000");
    let half = Duration::from_millis(15_500);
    let all = [
        record("a", Some("1")),
        record("a", None),
        record("b", Some("1")),
    ];
    write(source, &topic, &all[..1]);
    let tool = migration.command(&["--json", "replicate"]).start();
    let arrives = |count: usize| {
        wait::until("it is copied", Duration::from_secs(60), || {
            records(target, &topic).len() == count
        });
    };
    arrives(1);
    // It stands at the end all the while.
    wait::elapse(half);
    write(source, &topic, &all[1..2]);
    arrives(2);
    wait::elapse(half);
    tool.interrupt();
    assert!(!tool.said().contains(&event("partition-stopped")));
    tool.wait(PATIENCE).assert_exit(130);
    // What the clean stop knew counts: half a life of tombstones has passed since the last record, not since the stop.
    write(source, &topic, &all[2..]);
    migration.catch_up();
    // Nothing was written while it was down: nothing can be missed.
    wait::elapse(half);
    migration.catch_up();
    // Both sides may have been cleaned meanwhile: the last records of keys are compared.
    migration.verify();
    wait::elapse(half);
    write(source, &topic, &[record("c", Some("1"))]);
    stops(&migration, &["K527"]);
}

#[test]
fn a_first_copy_counts_from_its_beginning() {
    let (source, target) = (shared_pair().0, shared_pair().1);
    // Old records stop nothing, whatever was cleaned before anybody copied.
    let (migration, topic) = compacted(source, "first", "3000");
    let batch: Vec<Record> = (0..60)
        .map(|number| record(&format!("key-{number}"), Some(&"v".repeat(4000))))
        .collect();
    write(source, &topic, &batch[..1]);
    wait::elapse(Duration::from_millis(1700));
    migration.catch_up();
    assert_holds(target, &topic, &[&batch[..1]]);
    // One that takes longer than tombstones live cannot be trusted either.
    let (slow, slow_topic) = compacted(source, "slow", "3000");
    write(source, &slow_topic, &batch);
    let mut tool = slow
        .command(&[
            "--json",
            "replicate",
            "--until",
            "caught-up",
            "--rate",
            "20KB",
        ])
        .start();
    tool.wait_for("K527", Duration::from_secs(60));
    let ended = tool.wait(PATIENCE);
    ended.assert_exit(10);
    let held = records(target, &slow_topic).len();
    assert!((1..60).contains(&held), "{held} records were copied before");
}
