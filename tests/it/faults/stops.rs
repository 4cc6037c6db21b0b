//! What cannot be copied exactly stops its partition, says why with its offsets, and lets the others go on.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    load::Load,
    read, shared_pair,
    tool::{Access, Finished, Migration, PATIENCE},
    unique, wait,
};

use super::{event, wait_until_copying};

/// `replicate --until caught-up` ends where a person must decide, and names what stopped.
#[track_caller]
pub fn stops(migration: &Migration, says: &[&str]) -> Finished {
    let finished = migration.run(&["replicate", "--until", "caught-up"]);
    finished.assert_exit(10);
    for text in says {
        finished.assert_says(text);
    }
    finished
}

/// `status --json`.
#[track_caller]
pub fn status(migration: &Migration) -> Value {
    let status = migration.run(&["--json", "status"]);
    status.assert_exit(0);
    serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status}"))
}

/// What it lists as stopped: topic and code.
#[track_caller]
pub fn stopped(migration: &Migration) -> Vec<(String, String)> {
    let status = status(migration);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let stopped = status["stopped"].as_array();
    let stopped = stopped.unwrap_or_else(|| panic!("no list of what stopped: {status}"));
    stopped
        .iter()
        .map(|one| (text(&one["topic"]), text(&one["code"])))
        .collect()
}

pub fn delete_topic(kafka: &Kafka, topic: &str) {
    kafka
        .wire()
        .delete_topic(topic)
        .expect("the broker answers")
        .expect("the topic is deleted");
}

/// A start and a stop may each leave a transaction marker behind, and nothing else.
#[track_caller]
fn assert_only_markers_since(target: &Kafka, topic: &str, before: Option<i64>) {
    let since = before.expect("it had an end");
    let (batches, _) = read::batches(target, topic, 0, read::View::Uncommitted);
    let written: Vec<i64> = batches
        .iter()
        .filter(|batch| !batch.is_control)
        .flat_map(|batch| &batch.records)
        .map(|record| record.offset)
        .filter(|offset| *offset >= since)
        .collect();
    assert_eq!(written, [0; 0], "records at these offsets");
}

#[test]
fn a_record_that_is_too_large_and_a_topic_with_data_stop_and_the_others_are_copied() {
    let (source, target) = shared_pair();
    let stem = unique("stops");
    let [plain, large, held] = ["plain", "large", "held"].map(|name| format!("{stem}-{name}"));
    source.create_topic(&plain, 2, &[]);
    source.create_topic(&large, 1, &[]);
    target.create_topic(&large, 1, &[("max.message.bytes", "2000")]);
    source.create_topic(&held, 1, &[]);
    target.create_topic(&held, 1, &[]);
    Load::to(&[(&large, 1)]).fill(source, 100);
    Load::to(&[(&large, 1)]).filling(3000).fill(source, 1);
    Load::to(&[(&plain, 2), (&large, 1), (&held, 1)]).fill(source, 600);
    Load::to(&[(&held, 1)]).fill(target, 50);
    let wanted = read::partition(source, &large, 0, read::View::Committed);
    let is_large = |record: &&Record| {
        record
            .value
            .as_ref()
            .is_some_and(|value| value.len() > 2000)
    };
    let too_large = wanted.iter().find(is_large).expect("it was written").offset;
    let before = target.end_offset(&held, 0);
    let migration = Migration::new(
        &stem,
        Access::Plain(source),
        Access::Plain(target),
        &[&format!("{stem}-*")],
    );
    stops(
        &migration,
        &[
            &format!("{large}-0 from source offset {too_large}"),
            "MESSAGE_TOO_LARGE",
            "K509",
            &format!("{held}-0 from source offset 0"),
            "K520",
        ],
    );
    read::assert_same(source, target, &plain);
    assert_eq!(target.end_offset(&held, 0), before, "nothing was written");
    let copied = read::partition(target, &large, 0, read::View::Uncommitted);
    let wanted = wanted.iter().filter(|record| record.offset < too_large);
    assert!(
        wanted
            .clone()
            .zip(&copied)
            .all(|(one, other)| one.is_same(other))
    );
    assert_eq!(copied.len(), wanted.count(), "everything before it");
    let mut listed = stopped(&migration);
    listed.sort();
    assert_eq!(
        listed,
        [(held, "K520".to_owned()), (large, "K509".to_owned())]
    );
}

#[test]
fn records_deleted_before_they_were_copied_are_named_and_not_skipped() {
    let (source, target) = shared_pair();
    let topic = unique("overtaken");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    let copied = target.end_offset(&topic, 0);
    let from = source.end_offset(&topic, 0).expect("it has an end");
    Load::to(&[(&topic, 1)]).fill(source, 100);
    let until = source.end_offset(&topic, 0).expect("it has an end");
    source
        .wire_to_leader(&topic, 0)
        .expect("it has a leader")
        .delete_records(&topic, 0, until)
        .expect("the broker answers")
        .expect("the records are deleted");
    Load::to(&[(&topic, 1)]).fill(source, 100);
    for _ in 0..2 {
        let range = format!("source offsets {from} to {} were deleted", until - 1);
        stops(&migration, &["K501", &range]);
        assert_eq!(stopped(&migration), [(topic.clone(), "K501".to_owned())]);
    }
    assert_only_markers_since(target, &topic, copied);
}

#[test]
fn a_target_topic_made_anew_in_mid_run_is_not_written_on() {
    let (source, target) = shared_pair();
    let topic = unique("anew");
    source.create_topic(&topic, 1, &[]);
    let loader = Load::to(&[(&topic, 1)]).keep_writing(source, 200);
    let migration = Migration::of_topic(source, target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, target, &topic);
    delete_topic(target, &topic);
    wait::until("the topic is gone", Duration::from_secs(60), || {
        target.partitions(&topic) == 0
    });
    target.create_topic(&topic, 1, &[]);
    tool.wait_for(&event("partition-stopped"), Duration::from_secs(90));
    loader.stop();
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    // Nor by the next start, which knows the topic by its id.
    let held = target.end_offset(&topic, 0);
    stops(&migration, &[&format!("{topic}-0")]);
    assert_only_markers_since(target, &topic, held);
}
