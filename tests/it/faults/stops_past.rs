//! The ways past a stop: what is given up or copied again is what was said, once, and stays on record.

use serde_json::Value;

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::Migration,
    unique,
};

pub use super::stops::status;
use super::stops::stops;

pub fn records(kafka: &Kafka, topic: &str) -> Vec<Record> {
    read::partition(kafka, topic, 0, View::Uncommitted)
}

/// The target holds these records, in this order, and no others.
#[track_caller]
pub fn assert_holds(target: &Kafka, topic: &str, wanted: &[&[Record]]) {
    let wanted: Vec<&Record> = wanted.iter().copied().flatten().collect();
    let found = records(target, topic);
    let different = wanted
        .iter()
        .zip(&found)
        .position(|(one, other)| !one.is_same(other));
    assert_eq!(
        (different, wanted.len()),
        (None, found.len()),
        "the first difference, and how many records there are"
    );
}

fn delete_records(kafka: &Kafka, topic: &str, before: i64) {
    kafka
        .wire_to_leader(topic, 0)
        .expect("it has a leader")
        .delete_records(topic, 0, before)
        .expect("the broker answers")
        .expect("the records are deleted");
}

/// `replicate --until caught-up` with flags.
pub fn replicate(migration: &Migration, flags: &[&str]) -> crate::support::tool::Finished {
    let mut line = vec!["replicate", "--until", "caught-up"];
    line.extend(flags);
    migration.run(&line)
}

/// A topic of which the first records were copied, then some were deleted before they were: what the target holds, and the
/// source offsets that are lost.
fn overtaken(stem: &str) -> (Migration, String, Vec<Record>, (i64, i64)) {
    let (source, target) = shared_pair();
    let topic = unique(stem);
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    let copied = records(source, &topic);
    let lost = overtake(source, &topic);
    (migration, topic, copied, lost)
}

/// Writes records and deletes them, and writes more.
fn overtake(source: &Kafka, topic: &str) -> (i64, i64) {
    let from = source.end_offset(topic, 0).expect("it has an end");
    Load::to(&[(topic, 1)]).fill(source, 100);
    let to = source.end_offset(topic, 0).expect("it has an end");
    delete_records(source, topic, to);
    Load::to(&[(topic, 1)]).fill(source, 100);
    (from, to)
}

#[test]
fn a_gap_that_retention_left_is_passed_once_it_is_accepted_and_stays_on_record() {
    let (source, target) = shared_pair();
    let (migration, topic, copied, (from, to)) = overtaken("gap");
    let word = format!("{topic}:0@{from}");
    let does = format!(
        "give up source offsets {from} to {}, and go on at {to}",
        to - 1
    );
    stops(&migration, &[&does, &format!("--accept-gap {word}")]);
    let before = status(&migration);
    let stopped = &before["stopped"][0];
    assert_eq!(
        (&stopped["source_offset"], &stopped["goes_on_at"]),
        (&from.into(), &to.into())
    );
    let since = stopped["since_ms"].clone();
    let command = stopped["choices"][0]["command"]
        .as_str()
        .unwrap_or_default();
    assert!(
        command.ends_with(&format!("replicate --accept-gap {word}")),
        "{before}"
    );

    // A plain start gives up nothing, and the stop is as old as it is.
    let again = migration.run(&["--json", "replicate", "--until", "caught-up"]);
    again.assert_exit(10);
    let told = again
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "partition-stopped")
        .unwrap_or_else(|| panic!("nothing is said of the stop: {again}"));
    for (name, value) in [
        ("since_ms", &since),
        ("goes_on_at", &to.into()),
        ("source_offset", &from.into()),
        ("choices", &stopped["choices"]),
    ] {
        assert_eq!(&told[name], value, "{name} of {told}");
    }
    assert_eq!(status(&migration)["stopped"][0]["since_ms"], since);

    // What is wrong is refused at once, all of it, and nothing begins.
    let wrong = replicate(
        &migration,
        &[
            "--accept-gap",
            &format!("{topic}:1"),
            "--accept-gap",
            "nobody:0",
            "--accept-gap",
            &format!("{topic}:0@{}", from + 1),
            "--recopy",
            "nobody",
            "--confirm",
            &migration.name,
        ],
    );
    wrong.assert_exit(7);
    for text in [
        "K416",
        ":1",
        "nobody:0",
        "stopped elsewhere",
        "--recopy nobody",
    ] {
        wrong.assert_says(text);
    }
    let malformed = replicate(
        &migration,
        &[
            "--accept-gap",
            &topic,
            "--accept-gap",
            "a b:0",
            "--recopy",
            "a:b",
            "--confirm",
            "x",
        ],
    );
    malformed.assert_exit(2);
    for text in ["K005", &topic, "a b:0", "a:b"] {
        malformed.assert_says(text);
    }
    assert_holds(target, &topic, &[&copied]);

    let passed = replicate(&migration, &["--accept-gap", &word]);
    passed.assert_exit(0);
    passed.assert_says(&format!(
        "source offsets {from} to {} were given up",
        to - 1
    ));
    let rest = records(source, &topic);
    assert_holds(target, &topic, &[&copied, &rest]);
    let after = status(&migration);
    assert_eq!(after["stopped"], serde_json::json!([]));
    assert_eq!(after["message_lag"], 0);
    let decided = &after["decided"][0];
    assert_eq!(
        (&decided["from"], &decided["to"], &decided["code"]),
        (&from.into(), &to.into(), &"K501".into())
    );
    assert!(
        decided["by"].as_str().is_some_and(|by| by.contains(" on ")),
        "{after}"
    );

    // Overtaken again: the same command gives up nothing more, whether it names the stop or not.
    let second = overtake(source, &topic);
    for word in [&word, &format!("{topic}:0")] {
        let again = replicate(&migration, &["--accept-gap", word]);
        again.assert_exit(10);
        again.assert_says(&format!("source offsets {} to {}", second.0, second.1 - 1));
        assert_holds(target, &topic, &[&copied, &rest]);
    }
    let word = format!("{topic}:0@{}", second.0);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    assert_holds(target, &topic, &[&copied, &rest, &records(source, &topic)]);
    assert_eq!(
        status(&migration)["decided"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_gap_that_was_accepted_before_a_crash_is_accepted_once() {
    let (source, target) = shared_pair();
    let (migration, topic, copied, (from, _)) = overtaken("gap-crash");
    stops(&migration, &["K501"]);
    let flags = [
        "replicate",
        "--until",
        "caught-up",
        "--accept-gap",
        &format!("{topic}:0"),
    ];
    for step in [
        "claim-appended:1",
        "decision-recorded:1",
        "run-recorded:1",
        "produce-answered:1",
    ] {
        let crashed = migration
            .command(&flags)
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    }
    migration.run(&flags).assert_exit(0);
    assert_holds(target, &topic, &[&copied, &records(source, &topic)]);
    let decided = status(&migration)["decided"].clone();
    assert_eq!(
        (decided.as_array().map(Vec::len), &decided[0]["from"]),
        (Some(1), &from.into())
    );
}

/// `replicate --until caught-up --recopy`, with the answer to what it asks.
pub fn recopy(migration: &Migration, word: &str) -> crate::support::tool::Finished {
    replicate(migration, &["--recopy", word, "--confirm", &migration.name])
}

#[test]
fn a_topic_made_anew_on_either_side_is_copied_again_as_a_whole() {
    let (source, target) = shared_pair();
    let topic = unique("made-anew");
    source.create_topic(&topic, 3, &[]);
    Load::to(&[(&topic, 3)]).fill(source, 150);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    for (kafka, side) in [(source, "source"), (target, "target")] {
        super::remake(kafka, &topic, 3);
        if side == "source" {
            Load::to(&[(&topic, 3)]).fill(source, 90);
        }
        let first = side == "source";
        let word = if first {
            topic.clone()
        } else {
            format!("{topic}@2")
        };
        let found = stops(&migration, &["K503", side]);
        found.assert_says(&format!("--recopy {word}\n"));
        // Neither a part of it, nor unasked.
        let offset = &status(&migration)["stopped"][1]["source_offset"];
        let part = recopy(&migration, &format!("{topic}:1@{offset}"));
        part.assert_exit(7);
        part.assert_says(&format!("`--recopy {word}`"));
        let unasked = replicate(&migration, &["--recopy", &word]);
        unasked.assert_exit(10);
        unasked.assert_says(&format!("--confirm {}", migration.name));
        replicate(&migration, &["--recopy", &word, "--confirm", "another"]).assert_exit(2);
        if !first {
            // The bare word was used up.
            recopy(&migration, &topic).assert_exit(10);
        }
        assert_eq!(
            status(&migration)["stopped"].as_array().map(Vec::len),
            Some(3)
        );
        recopy(&migration, &word).assert_exit(0);
        read::assert_same(source, target, &topic);
        // The same again copies nothing twice, and more is copied behind it.
        Load::to(&[(&topic, 3)]).fill(source, 30);
        recopy(&migration, &word).assert_exit(0);
        read::assert_same(source, target, &topic);
    }
    migration.verify();
    assert_eq!(
        status(&migration)["decided"].as_array().map(Vec::len),
        Some(6)
    );
}

#[test]
fn copying_again_goes_on_wherever_it_was_cut_off() {
    let (source, target) = shared_pair();
    let (migration, topic, _, _) = overtaken("recopy-crash");
    stops(&migration, &["K501", &format!("--recopy {topic}:0")]);
    let word = format!("{topic}:0");
    let flags = [
        "replicate",
        "--until",
        "caught-up",
        "--recopy",
        &word,
        "--confirm",
        &migration.name,
    ];
    let steps = [
        "decision-recorded:1",
        "recopy-emptied:1",
        "run-recorded:1",
        "produce-sent:1",
        "produce-answered:1",
    ];
    for step in steps {
        let crashed = migration
            .command(&flags)
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    }
    // What was decided goes on by itself too.
    migration.catch_up();
    read::assert_same(source, target, &topic);
    assert_eq!(
        status(&migration)["decided"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn copied_again_with_nothing_left_to_copy_it_is_at_the_end() {
    let (source, target) = shared_pair();
    let (migration, topic, _, _) = overtaken("recopy-nothing");
    stops(&migration, &["K501"]);
    delete_records(source, &topic, -1);
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    assert_holds(target, &topic, &[]);
}

#[test]
fn what_others_wrote_to_the_target_goes_when_it_is_copied_again() {
    let (source, target) = shared_pair();
    let topic = unique("foreign");
    source.create_topic(&topic, 1, &[]);
    target.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    Load::to(&[(&topic, 1)]).fill(target, 40);
    let migration = Migration::of_topic(source, target, &topic);
    stops(&migration, &["K520"]);
    let wrong = replicate(&migration, &["--accept-gap", &format!("{topic}:0")]);
    wrong.assert_exit(7);
    wrong.assert_says("with --recopy");
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    read::assert_same(source, target, &topic);
}

#[test]
fn a_target_that_does_not_delete_keeps_its_records_until_it_does() {
    let (source, target) = shared_pair();
    let topic = unique("compacted");
    source.create_topic(&topic, 1, &[]);
    target.create_topic(&topic, 1, &[("cleanup.policy", "compact")]);
    let record = |index: i64| Record {
        offset: 0,
        timestamp: 1_700_000_000_000 + index,
        key: Some(b"k".to_vec()),
        value: Some(vec![b'v'; 10]),
        headers: Vec::new(),
    };
    let batch: Vec<Record> = (0..5).map(record).collect();
    for kafka in [source, target] {
        let mut wire = kafka.wire_to_leader(&topic, 0).expect("it has a leader");
        let produced = wire.produce(&topic, 0, &codecs::encode(Envelope::PLAIN, &batch));
        produced.expect("the broker answers").expect("it is taken");
    }
    let migration = Migration::of_topic(source, target, &topic);
    stops(&migration, &["K520"]);
    let refused = recopy(&migration, &format!("{topic}:0"));
    refused.assert_exit(10);
    refused.assert_says("K524");
    assert_holds(target, &topic, &[&batch]);
    super::remake(target, &topic, 1);
    // The topic is another one now; what was decided stands.
    migration.catch_up();
    read::assert_same(source, target, &topic);
}

#[test]
fn a_batch_that_the_target_refuses_is_passed_over_alone() {
    let (source, target) = shared_pair();
    let topic = unique("refused");
    source.create_topic(&topic, 1, &[]);
    target.create_topic(&topic, 1, &[("max.message.bytes", "2000")]);
    let migration = Migration::of_topic(source, target, &topic);
    let mut wire = source.wire_to_leader(&topic, 0).expect("it has a leader");
    let mut write = |count: i64, bytes: usize| -> Vec<Record> {
        let records: Vec<Record> = (0..count)
            .map(|index| Record {
                offset: 0,
                timestamp: 1_700_000_000_000 + index,
                key: None,
                value: Some(vec![b'v'; bytes]),
                headers: Vec::new(),
            })
            .collect();
        let produced = wire.produce(&topic, 0, &codecs::encode(Envelope::PLAIN, &records));
        produced.expect("the broker answers").expect("it is taken");
        records
    };
    let (before, _, after) = (write(3, 20), write(1, 5000), write(4, 30));
    stops(
        &migration,
        &[
            "K509",
            "give up source offsets 3 to 3, and go on at 4",
            "loses nothing",
        ],
    );
    let wrong = recopy(&migration, &format!("{topic}:0"));
    wrong.assert_exit(7);
    wrong.assert_says("with --accept-gap");
    assert_holds(target, &topic, &[&before]);
    let word = format!("{topic}:0@3");
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    assert_holds(target, &topic, &[&before, &after]);
    let (_, last) = (write(1, 6000), write(2, 10));
    let again = replicate(&migration, &["--accept-gap", &word]);
    again.assert_exit(10);
    again.assert_says(
        "--accept-gap {topic}:0@8"
            .replace("{topic}", &topic)
            .as_str(),
    );
    assert_holds(target, &topic, &[&before, &after]);
    replicate(&migration, &["--accept-gap", &format!("{topic}:0@8")]).assert_exit(0);
    assert_holds(target, &topic, &[&before, &after, &last]);
}
