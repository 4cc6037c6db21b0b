//! Plain one-way copies: between releases, through TLS and ACLs, with growth while running, with clean stops.

use std::{thread, time::Duration};

use crate::support::{
    kafka::{Kafka, MIGRATOR, Version},
    load::{self, Load},
    read, shared_older, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique,
};

use super::{assert_all_same, held, wait_until_copying, wait_until_target_holds};

/// Fills a topic, copies it, compares it, and asks `verify` and `status`.
fn copy_once(source: &Kafka, target: &Kafka) {
    let topic = unique("first");
    source.create_topic(&topic, 3, &[]);
    Load::to(&[(&topic, 3)]).fill(source, 3000);
    let migration = Migration::new(
        &unique("first"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    migration.catch_up();
    assert_eq!(assert_all_same(source, target, &[&topic]), 3009);
    migration.verify();
    let status = migration.run(&["--json", "status"]);
    status.assert_exit(0);
    let status: serde_json::Value =
        serde_json::from_str(&status.stdout).unwrap_or_else(|error| panic!("{error}: {status}"));
    assert_eq!(status["message_lag"], 0, "{status}");
    assert_eq!(status["engine"], "stopped", "{status}");
}

#[test]
fn a_copy_between_equal_releases_is_the_same() {
    let (source, target) = shared_pair();
    copy_once(source, target);
}

#[test]
fn a_copy_from_an_older_release_is_the_same() {
    copy_once(shared_older(), shared_pair().1);
}

#[test]
fn a_copy_to_an_older_release_is_the_same() {
    copy_once(shared_pair().0, shared_older());
}

#[test]
fn before_anything_is_copied_verify_says_that_all_is_to_come() {
    let (source, target) = shared_pair();
    let topic = unique("to-come");
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)]).fill(source, 20);
    let migration = Migration::of_topic(source, target, &topic);
    let finished = migration.run(&["verify"]);
    finished.assert_exit(3);
    finished.assert_says("K491");
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(
        said.contains("1 topic of the scope not on the target yet"),
        "{finished}"
    );
}

#[test]
fn only_committed_records_are_copied() {
    let (source, target) = shared_pair();
    let topic = unique("transactions");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 50);
    load::write_transactions(source, &topic, 10, 7);
    Load::to(&[(&topic, 1)]).fill(source, 50);
    let migration = Migration::new(
        &unique("transactions"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    migration.catch_up();
    assert_eq!(
        assert_all_same(source, target, &[&topic]),
        50 + 3 + 5 * 7 + 50 + 3
    );
    migration.verify();
}

#[test]
fn records_older_than_any_producer_expiry_are_copied_once() {
    let (source, target) = shared_pair();
    let topic = unique("cold");
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)])
        .age(Duration::from_hours(72))
        .fill(source, 2000);
    let migration = Migration::new(
        &unique("cold"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    migration.catch_up();
    Load::to(&[(&topic, 2)]).fill(source, 500);
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}

#[test]
fn a_topic_and_partitions_that_appear_are_copied_from_their_first_record() {
    let (source, target) = shared_pair();
    let stem = unique("grows");
    let (old, new) = (format!("{stem}-old"), format!("{stem}-new"));
    source.create_topic(&old, 1, &[]);
    let migration = Migration::new(
        &unique("grows"),
        Access::Plain(source),
        Access::Plain(target),
        &[&format!("{stem}-*")],
    );
    let mut tool = migration.command(&["--json", "replicate"]).start();
    let loader = Load::to(&[(&old, 1)]).keep_writing(source, 200);
    wait_until_copying(&mut tool, target, &old);
    loader.stop();

    source.create_topic(&new, 2, &[]);
    Load::to(&[(&new, 2)]).fill(source, 500);
    wait_until_target_holds(target, &new, 499);
    source.grow_topic(&old, 3);
    Load::to(&[(&old, 3)]).fill(source, 500);
    let wanted = held(source, &old);
    wait_until_target_holds(target, &old, wanted - 1);

    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    assert_all_same(source, target, &[&old, &new]);
}

#[test]
fn a_clean_stop_seals_and_the_next_start_continues() {
    let (source, target) = shared_pair();
    let topic = unique("sealed");
    source.create_topic(&topic, 4, &[]);
    let loader = Load::to(&[(&topic, 4)]).keep_writing(source, 1000);
    let migration = Migration::new(
        &unique("sealed"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    for round in 0..4 {
        let mut tool = migration.command(&["--json", "replicate"]).start();
        wait_until_copying(&mut tool, target, &topic);
        if round > 0 {
            assert!(
                tool.said().contains("\"identity\":\"continued\""),
                "a sealed ledger is continued: {}",
                tool.said()
            );
            assert!(
                !tool.said().contains("\"identity\":\"fenced\""),
                "a sealed ledger needs no fence: {}",
                tool.said()
            );
        }
        tool.interrupt();
        let finished = tool.wait(PATIENCE);
        finished.assert_exit(130);
        assert!(finished.stdout.contains("\"sealed\":true"), "{finished}");
    }
    loader.stop();
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}

#[test]
fn a_second_interrupt_stops_at_once_and_is_safe() {
    let (source, target) = shared_pair();
    let topic = unique("twice");
    source.create_topic(&topic, 4, &[]);
    let loader = Load::to(&[(&topic, 4)]).keep_writing(source, 1000);
    let migration = Migration::new(
        &unique("twice"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    for _ in 0..3 {
        let mut tool = migration.command(&["--json", "replicate"]).start();
        wait_until_copying(&mut tool, target, &topic);
        tool.interrupt();
        tool.interrupt();
        tool.wait(Duration::from_secs(30));
    }
    loader.stop();
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}

/// Types and operations as in `Wire::allow`.
mod rights {
    pub const READ: i8 = 3;
    pub const WRITE: i8 = 4;
    pub const CREATE: i8 = 5;
    pub const DELETE: i8 = 6;
    pub const DESCRIBE: i8 = 8;
    pub const DESCRIBE_CONFIGS: i8 = 10;
    pub const TOPIC: i8 = 2;
    pub const CLUSTER: i8 = 4;
    pub const TRANSACTIONAL_ID: i8 = 5;
    pub const LITERAL: i8 = 3;
    pub const PREFIXED: i8 = 4;
}

fn allow(kafka: &Kafka, resource: (i8, &str, i8), operations: &[i8]) {
    let principal = format!("User:{}", MIGRATOR.0);
    for operation in operations {
        kafka
            .wire()
            .allow(&principal, resource, *operation)
            .expect("the broker answers")
            .expect("the ACL is taken");
    }
}

/// What the program needs to be allowed on each side.
pub fn allow_migrator(source: &Kafka, target: &Kafka, migration: &str) {
    use rights::{CLUSTER, DESCRIBE, DESCRIBE_CONFIGS, LITERAL, READ, TOPIC};
    let configs = [DESCRIBE, DESCRIBE_CONFIGS];
    allow(
        source,
        (TOPIC, "*", LITERAL),
        &[READ, DESCRIBE, DESCRIBE_CONFIGS],
    );
    allow(source, (CLUSTER, "kafka-cluster", LITERAL), &configs);
    allow_on_target(target, migration);
}

/// What it needs to be allowed on the target.
pub fn allow_on_target(target: &Kafka, migration: &str) {
    use rights::{
        CLUSTER, CREATE, DELETE, DESCRIBE, DESCRIBE_CONFIGS, LITERAL, PREFIXED, READ, TOPIC,
        TRANSACTIONAL_ID, WRITE,
    };
    let ledger = format!("kafka-migrate.{migration}.");
    let configs = [DESCRIBE, DESCRIBE_CONFIGS];
    allow(
        target,
        (TOPIC, "*", LITERAL),
        &[READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS],
    );
    allow(target, (TOPIC, &ledger, PREFIXED), &[DELETE]);
    allow(
        target,
        (TRANSACTIONAL_ID, &ledger, PREFIXED),
        &[WRITE, DESCRIBE],
    );
    allow(target, (CLUSTER, "kafka-cluster", LITERAL), &configs);
}

#[test]
fn scram_over_tls_with_few_rights_is_enough() {
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| {
            Kafka::spec("secure-source")
                .version(Version::V3_9)
                .secure()
                .start()
        });
        let target = Kafka::spec("secure-target").secure().start();
        (source.join().expect("the source starts"), target)
    });
    source.create_topic("orders", 2, &[]);
    Load::to(&[("orders", 2)]).fill(&source, 1000);
    let name = unique("secure");
    allow_migrator(&source, &target, &name);
    let mechanisms = [
        ("scram-sha-256", "scram-sha-512"),
        ("plain", "scram-sha-256"),
        ("scram-sha-512", "plain"),
    ];
    for (of_source, of_target) in mechanisms {
        let migration = Migration::new(
            &name,
            Access::Secure(&source, of_source),
            Access::Secure(&target, of_target),
            &["orders"],
        );
        Load::to(&[("orders", 2)]).fill(&source, 200);
        migration.catch_up();
        read::assert_same(&source, &target, "orders");
        migration.verify();
    }
}

#[test]
fn three_brokers_lose_one_and_roll_while_we_copy() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("three-target")
        .brokers(3)
        .set("broker.session.timeout.ms", "4000")
        .start();
    let topic = unique("turbulent");
    source.create_topic(&topic, 6, &[]);
    // Takes nothing while one of its three replicas is missing.
    let strict = format!("{topic}-strict");
    source.create_topic(&strict, 2, &[]);
    target.create_topic(&strict, 2, &[("min.insync.replicas", "3")]);
    let loader = Load::to(&[(&topic, 6), (&strict, 2)]).keep_writing(source, 1500);
    let migration = Migration::new(
        &unique("turbulent"),
        Access::Plain(source),
        Access::Plain(&target),
        &[&format!("{topic}*")],
    );
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, &target, &topic);
    for index in 0..3 {
        target.kill(index);
        let before = held(&target, &topic);
        wait_until_target_holds(&target, &topic, before + 1000);
        target.start_again(index);
    }
    target.roll();
    loader.stop();
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    assert_all_same(source, &target, &[&topic, &strict]);
    migration.verify();
}
