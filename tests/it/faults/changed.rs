//! Settings of a topic on the target that change while it is copied to.

use std::time::Duration;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    read::{self, View},
    shared_pair,
    tool::{Migration, PATIENCE},
    unique, wait,
};

use super::{
    event, held,
    holes::{NAMES, UTF8, record, write},
    stops::status,
};

fn set(kafka: &Kafka, topic: &str, key: &str, value: &str) {
    let set = kafka.wire().set_topic(topic, key, value);
    set.expect("the broker answers").expect("it is set");
    // Every broker learns of it a little later.
    wait::elapse(Duration::from_millis(500));
}

#[test]
fn limits_of_the_target_that_change_in_mid_run_are_kept_and_cost_nothing() {
    let (source, target) = shared_pair();
    let topic = unique("limits");
    source.create_topic(&topic, 1, &[]);
    let mut next = 0;
    let mut write = |count: i64, size: usize| {
        let records: Vec<Record> = (next..next + count)
            .map(|number| record(number, None, NAMES, size))
            .collect();
        next += count;
        write(source, &topic, 0, 0, &records);
    };
    let migration = Migration::of_topic(source, target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
    let mut wait_for = |records: i64| {
        wait::until(
            &format!("{records} are copied\n{}", tool.said()),
            Duration::from_secs(30),
            || held(target, &topic) >= records,
        );
        assert!(!tool.has_ended(), "it ended: {}", tool.said());
    };
    write(100, 100);
    wait_for(100);
    set(target, &topic, "max.message.bytes", "3000");
    write(100, 100);
    wait_for(200);
    let largest = |from: i64| {
        let batches = read::batches(target, &topic, 0, View::Uncommitted).0;
        let of = batches.iter().filter(|batch| batch.base_offset >= from);
        of.map(|batch| batch.records.len()).max()
    };
    assert_eq!(largest(0), Some(100));
    assert!(largest(100) < Some(20), "{:?}", largest(100));
    // One record alone is larger, and is taken when it may be.
    set(target, &topic, "max.message.bytes", "1000000");
    write(1, 50_000);
    wait_for(201);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    read::assert_same(source, target, &topic);
    assert_eq!(status(&migration)["stopped"], serde_json::json!([]));
}

#[test]
fn a_codec_that_the_target_forces_in_mid_run_changes_no_record_that_it_can_write() {
    let (source, target) = shared_pair();
    let topic = unique("codec");
    source.create_topic(&topic, 1, &[]);
    let mut next = 0;
    let mut write = |names: [&[u8]; 2]| {
        let records: Vec<Record> = (next..next + 50)
            .map(|number| record(number, None, names, 100))
            .collect();
        next += 50;
        write(source, &topic, 0, 3, &records);
    };
    let migration = Migration::of_topic(source, target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
    write(NAMES);
    wait::until("the first are copied", Duration::from_secs(30), || {
        held(target, &topic) >= 50
    });
    set(target, &topic, "compression.type", "zstd");
    write(UTF8);
    wait::until("the others are copied", Duration::from_secs(30), || {
        held(target, &topic) >= 100
    });
    read::assert_same(source, target, &topic);
    let batches = read::batches(target, &topic, 0, View::Uncommitted).0;
    let codecs: Vec<i16> = batches.iter().map(|batch| batch.codec).collect();
    assert_eq!(codecs, [3, 4]);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    // From the next start on we write the codec ourselves, and names that are not UTF-8 stay as they are.
    write(NAMES);
    migration.catch_up();
    read::assert_same(source, target, &topic);
}
