//! Settings of topics follow the source, and what somebody set on the target stays.

use serde_json::Value;

use super::{PATIENCE, eager, engine, events, wait_until_it_says};
use crate::support::{kafka::Kafka, shared_pair, tool::Migration, unique, wait};

fn setting(kafka: &Kafka, topic: &str, name: &str) -> Option<String> {
    let found = kafka.wire().topic_setting(topic, name);
    found.expect("the broker answers")
}

fn change(kafka: &Kafka, topic: &str, name: &str, value: Option<&str>) {
    let mut wire = kafka.wire();
    let changed = match value {
        Some(value) => wire.set_topic(topic, name, value),
        None => wire.unset_topic(topic, name),
    };
    changed.expect("the broker answers").expect("it is taken");
}

#[track_caller]
fn wait_until_it_is(kafka: &Kafka, topic: &str, name: &str, value: Option<&str>) {
    wait::until(&format!("{name} of {topic} is {value:?}"), PATIENCE, || {
        setting(kafka, topic, name).as_deref() == value
    });
}

/// What `status` says of one setting.
fn standing(status: &Value, setting: &str) -> Option<(String, String)> {
    let all = status["settings"].as_array()?.iter();
    let mut found = all.filter(|one| one["setting"] == setting);
    let found = found.next()?;
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Some((text("what"), text("reason")))
}

#[test]
fn a_setting_that_changes_on_the_source_changes_on_the_target_and_back() {
    let (source, target) = shared_pair();
    let topic = unique("drift");
    source.create_topic(&topic, 1, &[("retention.ms", "700000000")]);
    let migration = Migration::of_topic(source, target, &topic);
    eager(&migration);
    let tool = engine(&migration);
    wait_until_it_is(target, &topic, "retention.ms", Some("700000000"));

    change(source, &topic, "retention.ms", Some("800000000"));
    change(source, &topic, "compression.type", Some("lz4"));
    wait_until_it_is(target, &topic, "retention.ms", Some("800000000"));
    wait_until_it_is(target, &topic, "compression.type", Some("lz4"));
    // Back to what brokers say.
    change(source, &topic, "retention.ms", None);
    change(source, &topic, "compression.type", None);
    wait_until_it_is(target, &topic, "retention.ms", None);
    wait_until_it_is(target, &topic, "compression.type", None);

    // Grown meanwhile: nothing is missed, and nothing is in the way.
    source.grow_topic(&topic, 3);
    target.wait_for_partitions(&topic, 3);
    tool.interrupt();
    let finished = tool.wait(PATIENCE);
    finished.assert_exit(130);
    let told = events(&finished.stdout, "settings-followed");
    assert!(told.len() >= 2, "{told:?}");
}

#[test]
fn what_somebody_set_on_the_target_stays_and_what_it_refuses_is_told() {
    let (source, target) = shared_pair();
    let topic = unique("by-hand");
    let set = [("compression.type", "lz4"), ("retention.ms", "600000000")];
    source.create_topic(&topic, 1, &set);
    // Somebody made it before: one setting is the same by chance, one is another, one is its own.
    let there = [
        ("compression.type", "lz4"),
        ("retention.ms", "500000000"),
        ("max.compaction.lag.ms", "1000"),
    ];
    target.create_topic(&topic, 1, &there);
    let migration = Migration::of_topic(source, target, &topic);
    eager(&migration);
    let tool = engine(&migration);
    let said = wait_until_it_says(&migration, "what is another", |said| {
        standing(said, "retention.ms").is_some()
            && standing(said, "max.compaction.lag.ms").is_some()
    });
    for name in ["retention.ms", "max.compaction.lag.ms"] {
        assert_eq!(standing(&said, name).unwrap().0, "left", "{said:#}");
    }
    // What was the same follows.
    change(source, &topic, "compression.type", Some("gzip"));
    wait_until_it_is(target, &topic, "compression.type", Some("gzip"));
    // Changed by hand, it does not any more.
    change(target, &topic, "compression.type", Some("zstd"));
    change(source, &topic, "compression.type", Some("snappy"));
    // The target objects, by what somebody set there.
    change(source, &topic, "min.compaction.lag.ms", Some("5000"));
    // What comes last is looked at last.
    change(source, &topic, "delete.retention.ms", Some("1234567"));
    wait_until_it_is(target, &topic, "delete.retention.ms", Some("1234567"));
    let said = wait_until_it_says(&migration, "what is refused", |said| {
        standing(said, "min.compaction.lag.ms").is_some_and(|(what, _)| what == "refused")
            && standing(said, "compression.type").is_some()
    });
    let (what, reason) = standing(&said, "compression.type").unwrap();
    assert_eq!(
        (&*what, &*reason),
        ("left", "somebody has changed it on the target")
    );
    let (_, reason) = standing(&said, "min.compaction.lag.ms").unwrap();
    assert!(
        reason.contains("max.compaction.lag.ms"),
        "the broker's words: {reason}"
    );
    assert_eq!(
        setting(target, &topic, "compression.type").as_deref(),
        Some("zstd")
    );
    assert_eq!(
        setting(target, &topic, "retention.ms").as_deref(),
        Some("500000000")
    );
    assert_eq!(setting(target, &topic, "min.compaction.lag.ms"), None);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);

    // Nothing is new to another run, which knows what this one knew.
    let again = migration.command(&["--json", "replicate", "--until", "caught-up"]);
    let again = again.finish();
    again.assert_exit(0);
    assert!(events(&again.stdout, "settings-followed").is_empty());
    assert_eq!(
        setting(target, &topic, "compression.type").as_deref(),
        Some("zstd")
    );
    // Set by hand as it is on the source, it follows again.
    let tool = engine(&migration);
    change(target, &topic, "compression.type", Some("snappy"));
    wait_until_it_says(&migration, "it is the same", |said| {
        standing(said, "compression.type").is_none()
    });
    change(source, &topic, "compression.type", Some("lz4"));
    wait_until_it_is(target, &topic, "compression.type", Some("lz4"));
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
}

#[test]
fn killed_around_a_change_it_knows_what_it_did() {
    let (source, target) = shared_pair();
    let topic = unique("killed");
    source.create_topic(&topic, 1, &[("retention.ms", "700000000")]);
    target.create_topic(&topic, 1, &[]);
    let migration = Migration::of_topic(source, target, &topic);
    let crash = |step: &str| {
        let crashed = migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    };
    let now = || setting(target, &topic, "retention.ms");
    crash("settings-recorded:1");
    assert_eq!(now(), None, "nothing is set before it is on record");
    crash("settings-set:1");
    assert_eq!(now().as_deref(), Some("700000000"));
    // What it was about to set, and what it set, is its own: it goes on from either.
    change(source, &topic, "retention.ms", Some("800000000"));
    crash("settings-recorded:1");
    change(source, &topic, "retention.ms", Some("900000000"));
    migration.catch_up();
    assert_eq!(now().as_deref(), Some("900000000"));
    change(source, &topic, "retention.ms", None);
    crash("settings-set:1");
    assert_eq!(now(), None);
    migration.catch_up();
    assert_eq!(now(), None);
}
