//! Cleanup at every state of a migration, twice, from another machine too, and gone on with where a removal was refused: only what the migration made
//! is gone, and what it held open is as it was.

use std::{thread, time::Duration};

use crate::support::{
    kafka::{Kafka, MIGRATOR},
    load::Load,
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

const DAY: Duration = Duration::from_secs(86_400);
const OLD: Duration = DAY.saturating_mul(20);
const SETTINGS: [&str; 4] = [
    "retention.ms",
    "retention.bytes",
    "cleanup.policy",
    "max.message.bytes",
];
/// What was set before anybody copied, and is held open meanwhile.
const LIMITS: [(&str, &str); 2] = [
    ("retention.ms", "604800000"),
    ("retention.bytes", "123456789"),
];
/// Where an engine dies before its migration is cleaned up: from the first word of it to a copy in mid-run.
const STATES: [&str; 7] = [
    "claim-appended:1",
    "identity-recorded:1",
    "hold-recorded:1",
    "hold-set:1",
    "run-recorded:1",
    "produce-answered:1",
    "checkpoint-recorded:1",
];
const DELETE: i8 = 6;
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;

/// What a cluster says of everything whose name has this in it, but for records: topics with partitions and settings, and rules.
fn told(kafka: &Kafka, stem: &str) -> Vec<String> {
    let topics = kafka.metadata().topics.into_iter();
    let ours = topics.filter(|(topic, _)| topic.contains(stem));
    let described = ours.map(|(topic, leaders)| {
        let settings = SETTINGS.map(|name| kafka.wire().topic_setting(&topic, name));
        let settings = settings.map(|value| value.expect("the broker answers"));
        format!("{topic}, {} partitions, {settings:?}", leaders.len())
    });
    let mut all: Vec<String> = described.collect();
    if kafka.is_secure() {
        let rules = kafka.wire().access_rules("").expect("the broker answers");
        all.extend(rules.into_iter().filter(|rule| rule.contains(stem)));
    }
    all
}

/// A topic with old records, which the target has already, empty and with limits of its own; and its migration, two ways.
fn migration(source: &Kafka, target: &Kafka, stem: &str) -> Migration {
    let topic = unique(stem);
    source.create_topic(&topic, 3, &[]);
    Load::to(&[(&topic, 3)]).age(OLD).fill(source, 300);
    target.create_topic(&topic, 3, &LIMITS);
    let secure = Access::Secure(target, "scram-sha-512");
    let migration = Migration::new(&topic, Access::Plain(source), secure, &[&topic]);
    migration.edit("[replication]\n", "[replication]\ntwo_way = true\n");
    migration
}

/// Both clusters say what they said. A topic that was deleted may be told for a moment.
#[track_caller]
fn assert_as(before: &[Vec<String>; 2], clusters: [&Kafka; 2], stem: &str, why: &str) {
    let now = || clusters.map(|kafka| told(kafka, stem));
    wait::whether(Duration::from_secs(15), || now() == *before);
    assert_eq!(now(), *before, "{why}");
}

fn cleanup(migration: &Migration) -> [&str; 3] {
    ["cleanup", "--confirm", &migration.name]
}

/// Killed at this step, and cleaned up: everything is as if it had never been, but for what was copied.
fn killed_and_cleaned(source: &Kafka, target: &Kafka, step: &str) {
    let migration = migration(source, target, "clean");
    let before = [source, target].map(|kafka| told(kafka, &migration.name));
    let killed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", step)
        .finish();
    assert_eq!(killed.code(), None, "{step}: {killed}");
    let amid = [source, target].map(|kafka| told(kafka, &migration.name));
    assert_ne!(amid, before, "{step}: something was made");
    migration.run(&cleanup(&migration)).assert_exit(0);
    assert_as(
        &before,
        [source, target],
        &migration.name,
        &format!("killed at {step}"),
    );
    migration.run(&cleanup(&migration)).assert_exit(0);
    let elsewhere = migration.command_in("elsewhere", &cleanup(&migration));
    elsewhere.finish().assert_exit(0);
    assert_as(
        &before,
        [source, target],
        &migration.name,
        &format!("twice, {step}"),
    );
}

/// A ledger that may not be deleted: all the rest goes, it is named, and once it may be the same command ends.
fn half_cleaned(source: &Kafka, target: &Kafka, principal: &str) {
    let migration = migration(source, target, "half-clean");
    let before = [source, target].map(|kafka| told(kafka, &migration.name));
    let killed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:1")
        .finish();
    assert_eq!(killed.code(), None, "{killed}");
    let ledger = format!("kafka-migrate.{}.forward", migration.name);
    let resource = (TOPIC, ledger.as_str(), LITERAL);
    let denied = target.wire().deny(principal, resource, DELETE);
    denied.expect("the broker answers").expect("it is taken");
    for _twice in 0..2 {
        let refused = migration.run(&cleanup(&migration));
        assert!(!matches!(refused.code(), Some(0) | None), "{refused}");
        refused.assert_says(&ledger);
        let held = SETTINGS.map(|name| target.wire().topic_setting(&migration.name, name));
        let held = held.map(|value| value.expect("the broker answers"));
        assert_eq!(held[0].as_deref(), Some(LIMITS[0].1), "put back: {refused}");
        assert_eq!(held[1].as_deref(), Some(LIMITS[1].1), "put back: {refused}");
    }
    let undenied = target.wire().undeny(principal, resource, DELETE);
    undenied.expect("the broker answers").expect("it is taken");
    migration.run(&cleanup(&migration)).assert_exit(0);
    assert_as(&before, [source, target], &migration.name, "gone on with");
}

/// While it runs: the engine ends by itself.
fn cleaned_while_it_runs(source: &Kafka, target: &Kafka) {
    let migration = migration(source, target, "clean-running");
    let before = [source, target].map(|kafka| told(kafka, &migration.name));
    let mut engine = migration.command(&["replicate"]).start();
    engine.wait_for("claimed", PATIENCE);
    migration.run(&cleanup(&migration)).assert_exit(0);
    engine.wait(PATIENCE).assert_exit(9);
    assert_as(
        &before,
        [source, target],
        &migration.name,
        "cleaned up while it ran",
    );
}

#[test]
fn cleaned_up_at_any_state_nothing_of_ours_is_left_and_what_was_held_is_as_it_was() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("clean-target").secure().start();
    let principal = format!("User:{}", MIGRATOR.0);
    // Everything (2) on topics, transactional ids and groups; of the cluster all that does not let it delete every topic.
    let cluster = [5, 7, 8, 9, 10, 11, 12].map(|operation| ((4, "kafka-cluster"), operation));
    let all = [(TOPIC, "*"), (5, "*"), (3, "*")].map(|resource| (resource, 2));
    for ((kind, name), operation) in all.into_iter().chain(cluster) {
        let allowed = target
            .wire()
            .allow(&principal, (kind, name, LITERAL), operation);
        allowed.expect("the broker answers").expect("it is taken");
    }
    // Nothing was made: there is nothing to remove, and nothing is.
    let unused = migration(source, &target, "unused");
    let before = [source, &target].map(|kafka| told(kafka, &unused.name));
    unused.run(&cleanup(&unused)).assert_exit(0);
    assert_as(&before, [source, &target], &unused.name, "nothing was made");
    let target = &target;
    thread::scope(|scope| {
        let half = scope.spawn(|| half_cleaned(source, target, &principal));
        let runs = scope.spawn(|| cleaned_while_it_runs(source, target));
        for two in STATES.chunks(2) {
            let all: Vec<_> = two
                .iter()
                .map(|step| scope.spawn(move || killed_and_cleaned(source, target, step)))
                .collect();
            for one in all {
                one.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            }
        }
        for one in [half, runs] {
            one.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}
