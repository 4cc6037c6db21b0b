//! The ledger as channel: an engine paused, resumed and throttled from another machine, and what a request is not.

use std::time::Duration;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    load::{Load, Loader},
    read::{self, View},
    shared_pair,
    tool::{Access, Finished, Migration, PATIENCE, Tool},
    unique, wait,
};

const LIMIT: Duration = Duration::from_secs(60);

fn held(kafka: &Kafka, topic: &str) -> i64 {
    kafka.end_offsets(topic).unwrap_or_default().iter().sum()
}

fn migration(source: &Kafka, target: &Kafka, stem: &str) -> Migration {
    let topic = unique(stem);
    source.create_topic(&topic, 4, &[]);
    Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    )
}

/// An engine at work, and somebody who writes on the source.
fn copying(source: &Kafka, target: &Kafka, migration: &Migration) -> (Tool, Loader) {
    let loader = Load::to(&[(&migration.name, 4)]).keep_writing(source, 500);
    let mut engine = migration.command(&["--json", "replicate"]).start();
    engine.wait_for("\"event\":\"shard-claimed\"", LIMIT);
    wait_until_more(target, migration);
    (engine, loader)
}

#[track_caller]
fn wait_until_more(target: &Kafka, migration: &Migration) {
    let before = held(target, &migration.name);
    wait::until("more is on the target", LIMIT, || {
        held(target, &migration.name) > before
    });
}

/// A command as on another machine.
fn elsewhere(migration: &Migration, command: &[&str]) -> Finished {
    migration.command_in("elsewhere", command).finish()
}

/// All records, by partition. End offsets would not do: a fence's marker moves them, and an engine that is paused may still fence.
fn records(kafka: &Kafka, topic: &str) -> Vec<Vec<Record>> {
    (0..4)
        .map(|partition| read::partition(kafka, topic, partition, View::Uncommitted))
        .collect()
}

#[track_caller]
fn assert_still(target: &Kafka, migration: &Migration) {
    let before = records(target, &migration.name);
    let moved = wait::whether(Duration::from_secs(2), || {
        records(target, &migration.name) != before
    });
    assert!(!moved, "it is paused and copies all the same");
}

#[test]
fn an_engine_is_paused_and_resumed_from_another_machine_and_a_pause_outlives_it() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "paused");
    let (mut engine, loader) = copying(source, target, &migration);
    let paused = elsewhere(&migration, &["pause"]);
    paused.assert_exit(0);
    assert!(
        paused.stdout.contains("paused: what was read is written"),
        "{paused}"
    );
    engine.wait_for("\"event\":\"steered\"", LIMIT);
    assert_still(target, &migration);
    let status = elsewhere(&migration, &["status"]);
    assert!(status.stdout.contains("paused by"), "{status}");

    // Killed, and started on another machine: it stands still until somebody says otherwise.
    drop(engine.kill());
    let mut engine = migration
        .command_in("third", &["--json", "replicate"])
        .start();
    engine.wait_for("paused by", LIMIT);
    engine.wait_for("\"event\":\"shard-claimed\"", LIMIT);
    assert_still(target, &migration);
    let resumed = elsewhere(&migration, &["--json", "resume"]);
    resumed.assert_exit(0);
    let told: serde_json::Value = serde_json::from_str(&resumed.stdout).expect("one document");
    assert_eq!((&told["v"], &told["answered"]), (&1.into(), &"yes".into()));
    wait_until_more(target, &migration);
    loader.stop();
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    read::assert_same(source, target, &migration.name);
}

#[test]
fn requests_under_load_are_taken_for_no_second_engine() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "steered-much");
    let (engine, loader) = copying(source, target, &migration);
    for round in 0..3 {
        for command in [
            &["throttle", "50MB"][..],
            &["pause"],
            &["resume"],
            &["throttle", "auto"],
        ] {
            let answered = elsewhere(&migration, command);
            assert_eq!(
                answered.code(),
                Some(0),
                "round {round}: {answered}\n{}",
                engine.said()
            );
        }
    }
    wait_until_more(target, &migration);
    loader.stop();
    engine.interrupt();
    let ended = engine.wait(PATIENCE);
    ended.assert_exit(130);
    for word in ["shard-restarted", "partition-stopped"] {
        assert!(!ended.stdout.contains(word), "{ended}");
    }
    assert!(ended.stdout.contains("\"sealed\":true"), "{ended}");
    migration.catch_up();
    read::assert_same(source, target, &migration.name);
}

#[test]
fn a_limit_holds_until_the_next_and_outlives_the_engine() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "throttled");
    let (engine, loader) = copying(source, target, &migration);
    loader.stop();
    let throttled = elsewhere(&migration, &["throttle", "20kB"]);
    throttled.assert_exit(0);
    assert!(
        throttled.stdout.contains("at most 20.0 kB/s"),
        "{throttled}"
    );
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    // Two megabytes would take a hundred seconds.
    Load::to(&[(&migration.name, 4)])
        .filling(512)
        .fill(source, 4000);
    let wanted = held(source, &migration.name);
    let mut engine = migration.command(&["--json", "replicate"]).start();
    engine.wait_for("at most 20.0 kB/s by", LIMIT);
    let done = |limit| wait::whether(limit, || held(target, &migration.name) >= wanted);
    assert!(!done(Duration::from_secs(4)), "the limit does not hold");
    elsewhere(&migration, &["throttle", "default"]).assert_exit(0);
    assert!(
        done(LIMIT),
        "without the limit it is soon through: {}",
        engine.said()
    );
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    read::assert_same(source, target, &migration.name);
}

#[test]
fn where_no_engine_answers_that_is_unknown_and_no_engine_is_made_of_the_request() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "unanswered");
    let refused = migration.run(&["pause"]);
    refused.assert_exit(7);
    refused.assert_says("K460");
    Load::to(&[(&migration.name, 4)]).fill(source, 50);
    let mut engine = migration.command(&["replicate"]).start();
    wait_until_more(target, &migration);
    assert!(!engine.has_ended());
    drop(engine.kill());
    let unknown = elsewhere(&migration, &["pause"]);
    unknown.assert_exit(3);
    unknown.assert_says("unknown");
    unknown.assert_says("K461");
    // A start elsewhere watches the ledger of the dead engine: what grows there meanwhile is nobody's life.
    let mut engine = migration
        .command_in("third", &["--json", "replicate"])
        .start();
    while !engine.said().contains("shard-claimed") && !engine.has_ended() {
        // Each of these is one more record of somebody who is no engine.
        let asking = migration.command_in("fourth", &["pause"]).start();
        wait::elapse(Duration::from_millis(700));
        drop(asking.kill());
    }
    assert!(!engine.has_ended(), "{}", engine.said());
    elsewhere(&migration, &["resume"]).assert_exit(0);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    read::assert_same(source, target, &migration.name);
}
