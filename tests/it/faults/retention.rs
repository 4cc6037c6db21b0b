//! Old records and a target that would delete them: its retention is held open until all have arrived, and put back exactly, whatever happens.

use std::{sync::OnceLock, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    codecs::Record,
    kafka::{Kafka, MIGRATOR},
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{assert_all_same, event, stops::status};

const DAY: Duration = Duration::from_secs(86_400);
const WEEK_MS: &str = "604800000";

/// A cluster that deletes what is too old within a second.
fn hasty() -> &'static Kafka {
    static HASTY: OnceLock<Kafka> = OnceLock::new();
    HASTY.get_or_init(|| {
        Kafka::spec("hasty")
            .set("log.retention.ms", "86400000")
            .set("log.retention.check.interval.ms", "300")
            .set("log.initial.task.delay.ms", "300")
            .start()
    })
}

fn setting(kafka: &Kafka, topic: &str, name: &str) -> Option<String> {
    kafka
        .wire()
        .topic_setting(topic, name)
        .expect("the broker answers")
}

fn change(kafka: &Kafka, topic: &str, name: &str, value: &str) {
    let changed = kafka.wire().set_topic(topic, name, value);
    changed.expect("the broker answers").expect("it is taken");
}

/// What `status` says is held: topic, setting and what it was.
fn held(migration: &Migration) -> Vec<(String, String, Value)> {
    let status = status(migration);
    let all = status["held"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|one| {
        (
            text(&one["topic"]),
            text(&one["setting"]),
            one["before"].clone(),
        )
    })
    .collect()
}

/// Everything the topic ever held is there: nothing was deleted from its front.
#[track_caller]
fn assert_whole(kafka: &Kafka, topic: &str, partitions: i32) {
    for partition in 0..partitions {
        let mut wire = kafka
            .wire_to_leader(topic, partition)
            .expect("it has a leader");
        let start = wire
            .offset(topic, partition, -2)
            .expect("the broker answers");
        assert_eq!(start, Ok(0), "{topic}-{partition} begins there");
    }
}

/// Time for a hasty broker to look for what is too old, twice.
fn let_it_look() {
    wait::elapse(Duration::from_millis(900));
}

/// What the topic itself says of how long, and of how much, it keeps.
fn limits(kafka: &Kafka, topic: &str) -> [Option<String>; 2] {
    ["retention.ms", "retention.bytes"].map(|name| setting(kafka, topic, name))
}

#[test]
fn killed_at_every_step_what_was_set_on_a_topic_is_held_and_put_back_exactly() {
    let before = [Some(WEEK_MS.to_owned()), Some("123456789".to_owned())];
    let settings = [("retention.ms", WEEK_MS), ("retention.bytes", "123456789")];
    let held = [
        ("retention.bytes", json!("123456789")),
        ("retention.ms", json!(WEEK_MS)),
    ];
    killed_at_every_step("set", &settings, &before, &held);
}

#[test]
fn killed_at_every_step_what_only_the_broker_said_is_held_and_taken_off_again() {
    let held = [("retention.ms", Value::Null)];
    killed_at_every_step("unset", &[], &[None, None], &held);
}

fn killed_at_every_step(
    stem: &str,
    settings: &[(&str, &str)],
    before: &[Option<String>; 2],
    wanted: &[(&str, Value)],
) {
    let (source, _) = shared_pair();
    let target = hasty();
    let topic = unique(stem);
    source.create_topic(&topic, 6, &[]);
    Load::to(&[(&topic, 6)]).age(20 * DAY).fill(source, 600);
    target.create_topic(&topic, 6, settings);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let crash = |step: &str| {
        let crashed = migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    };
    let now = || limits(target, &topic);
    assert_eq!(&now(), before);

    // Nothing is changed before the ledger knows what it was, and nothing is sent before that.
    crash("hold-recorded:1");
    assert_eq!(&now(), before);
    assert_eq!(super::held(target, &topic), 0);
    let of_topic =
        |(setting, before): &(&str, Value)| (topic.clone(), (*setting).to_owned(), before.clone());
    let wanted: Vec<_> = wanted.iter().map(of_topic).collect();
    assert_eq!(held(&migration), wanted);
    for step in [
        "hold-set:1",
        "produce-answered:1",
        "produce-answered:3",
        "restore-recorded:1",
    ] {
        crash(step);
        let open = before.clone().map(|limit| limit.map(|_| "-1".to_owned()));
        let open = [Some("-1".to_owned()), open[1].clone()];
        assert_eq!(now(), open, "{step}");
        assert_eq!(held(&migration), wanted, "{step}");
        // What has arrived stays.
        let_it_look();
        assert_whole(target, &topic, 6);
    }
    assert_eq!(assert_all_same(source, target, &[&topic]), 600 + 6 * 3);
    crash("restore-set:1");
    assert_eq!(&now(), before);
    migration.catch_up();
    assert_eq!(&now(), before);
    assert_eq!(held(&migration), []);
}

#[test]
fn once_all_have_arrived_the_target_goes_by_its_own_rules_again() {
    let (source, _) = shared_pair();
    let target = hasty();
    let topic = unique("rules");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).age(20 * DAY).fill(source, 300);
    target.create_topic(&topic, 1, &[("retention.ms", WEEK_MS)]);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("retention-restored"), Duration::from_secs(60));
    let start = || {
        let mut wire = target.wire_to_leader(&topic, 0).expect("it has a leader");
        wire.offset(&topic, 0, -2).expect("the broker answers")
    };
    // All of it, to the very last record: without a hold it would have gone so while it arrived.
    let end = source.end_offset(&topic, 0).expect("it has an end");
    wait::until("what is too old goes", Duration::from_secs(30), || {
        start() == Ok(end)
    });
    tool.kill();
    Load::to(&[(&topic, 1)]).fill(source, 20);
    migration.catch_up();
    let young = |kafka: &Kafka| -> Vec<Record> {
        let all = read::partition(kafka, &topic, 0, View::Uncommitted);
        all.into_iter().filter(|one| one.offset >= end).collect()
    };
    let (here, there) = (young(source), young(target));
    assert_eq!((here.len(), there.len()), (23, 23));
    assert!(
        here.iter()
            .zip(&there)
            .all(|(one, other)| one.is_same(other))
    );
}

#[test]
fn what_a_person_changes_meanwhile_is_left_as_it_is() {
    let (source, _) = shared_pair();
    let target = hasty();
    let topic = unique("changed");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).age(20 * DAY).fill(source, 2000);
    target.create_topic(&topic, 1, &[("retention.ms", WEEK_MS)]);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let mut tool = migration
        .command(&[
            "--json",
            "replicate",
            "--until",
            "caught-up",
            "--rate",
            "20KB",
        ])
        .start();
    tool.wait_for(&event("retention-held"), Duration::from_secs(60));
    assert_eq!(
        setting(target, &topic, "retention.ms").as_deref(),
        Some("-1")
    );
    // Long enough for all that arrives in this test.
    change(target, &topic, "retention.ms", "9999999999");
    tool.wait_for(&event("retention-restored"), PATIENCE);
    let finished = tool.wait(PATIENCE);
    finished.assert_exit(0);
    let told = finished
        .stdout
        .lines()
        .find(|line| line.contains(&event("retention-restored")))
        .expect("it was said");
    assert!(told.contains("retention.ms is 9999999999"), "{told}");
    assert_eq!(
        setting(target, &topic, "retention.ms").as_deref(),
        Some("9999999999")
    );
    assert_eq!(held(&migration), []);
    assert_all_same(source, target, &[&topic]);
}

#[test]
fn what_is_young_enough_needs_nothing_held() {
    let (source, _) = shared_pair();
    let target = hasty();
    let topic = unique("young");
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)]).age(DAY).fill(source, 100);
    target.create_topic(&topic, 2, &[("retention.ms", WEEK_MS)]);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let finished = migration.run(&["--json", "replicate", "--until", "caught-up"]);
    finished.assert_exit(0);
    assert!(
        !finished.stdout.contains(&event("retention-held")),
        "{finished}"
    );
    assert_eq!(
        setting(target, &topic, "retention.ms").as_deref(),
        Some(WEEK_MS)
    );
    assert_all_same(source, target, &[&topic]);
}

#[test]
fn without_the_right_to_hold_it_records_are_copied_all_the_same_and_it_is_said() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("no-alter").secure().start();
    let topic = unique("no-alter");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).age(20 * DAY).fill(source, 100);
    target.create_topic(&topic, 1, &[("retention.ms", WEEK_MS)]);
    let principal = format!("User:{}", MIGRATOR.0);
    let mut wire = target.wire();
    let mut rule = |resource: (i8, &str, i8), operation: i8, denies: bool| {
        let ruled = if denies {
            wire.deny(&principal, resource, operation)
        } else {
            wire.allow(&principal, resource, operation)
        };
        ruled.expect("the broker answers").expect("it is taken");
    };
    // Everything (2) on topics and transactional ids, but for AlterConfigs (11) of this one; IdempotentWrite (12) on the cluster.
    rule((2, "*", 3), 2, false);
    rule((2, &topic, 3), 11, true);
    rule((5, "*", 3), 2, false);
    rule((4, "kafka-cluster", 3), 12, false);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Secure(&target, "scram-sha-512"),
        &[&topic],
    );
    let finished = migration.run(&["replicate", "--until", "caught-up"]);
    finished.assert_exit(0);
    finished.assert_says("may delete old records as soon as they arrive");
    assert_eq!(
        setting(&target, &topic, "retention.ms").as_deref(),
        Some(WEEK_MS)
    );
    assert_eq!(held(&migration), []);
    assert_all_same(source, &target, &[&topic]);
}
