//! Clusters that cannot be reached, logged in to or used: one sentence with its cause, a hint, the right exit code.

use std::thread;

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::{Kafka, MIGRATOR},
    load::Load,
    ports::Port,
    read, shared_older, shared_pair,
    tool::{Access, Finished, Migration},
    unique,
};

/// An error as people get it: one sentence with a code, and something to do about it.
#[track_caller]
fn assert_refused(finished: &Finished, code: i32, says: &[&str]) {
    finished.assert_exit(code);
    finished.assert_says("error[K");
    let hint_or_next = finished.stderr.contains("hint: ") || finished.stderr.contains("next: ");
    assert!(
        hint_or_next,
        "neither a hint nor a next command: {finished}"
    );
    for text in says {
        assert!(
            finished
                .stderr
                .to_lowercase()
                .contains(&text.to_lowercase()),
            "stderr does not say {text:?}: {finished}"
        );
    }
    assert!(!finished.stderr.contains("panicked"), "{finished}");
}

#[test]
fn a_side_without_a_broker_is_named() {
    let (source, target) = shared_pair();
    let topic = unique("unreachable");
    source.create_topic(&topic, 1, &[]);
    let nobody = Port::take();
    let nobody = format!("127.0.0.1:{}", nobody.number());
    for (kafka, side, code) in [(source, "source", 4), (target, "target", 5)] {
        let migration = Migration::new(
            &unique("unreachable"),
            Access::Plain(source),
            Access::Plain(target),
            &[&topic],
        );
        migration.edit(&kafka.bootstrap()[0], &nobody);
        migration.edit(
            &format!("[{side}]\n"),
            &format!("[{side}]\nconnect_timeout = \"2s\"\n"),
        );
        for command in ["replicate", "status", "verify"] {
            assert_refused(&migration.run(&[command]), code, &[side, &nobody]);
        }
    }
}

#[test]
fn dead_bootstrap_servers_are_passed_over() {
    let (source, target) = shared_pair();
    let topic = unique("dead-server");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let nobody = Port::take();
    let migration = Migration::new(
        &unique("dead-server"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    for kafka in [source, target] {
        let alive = format!("{:?}", kafka.bootstrap()[0]);
        migration.edit(
            &alive,
            &format!("\"127.0.0.1:{}\", {alive}", nobody.number()),
        );
    }
    migration.catch_up();
    read::assert_same(source, target, &topic);
}

#[test]
fn logins_and_certificates_that_do_not_fit_are_named() {
    let (secure, other) = thread::scope(|scope| {
        let other = scope.spawn(|| Kafka::spec("other-authority").secure().start());
        let secure = Kafka::spec("secure").secure().start();
        (secure, other.join().expect("the other cluster starts"))
    });
    let (_, target) = shared_pair();
    let fresh = |mechanism| {
        Migration::new(
            &unique("login"),
            Access::Secure(&secure, mechanism),
            Access::Plain(target),
            &["orders"],
        )
    };

    for mechanism in ["scram-sha-256", "scram-sha-512", "plain"] {
        let migration = fresh(mechanism);
        std::fs::write(migration.path("source.password"), "not the password")
            .expect("the scratch directory is writable");
        assert_refused(&migration.run(&["replicate"]), 4, &["source", MIGRATOR.0]);
    }

    let migration = fresh("scram-sha-512");
    migration.edit(&format!("{:?}", secure.ca()), &format!("{:?}", other.ca()));
    assert_refused(
        &migration.run(&["replicate"]),
        4,
        &["source", "certificate"],
    );

    // TLS spoken to the plain listener.
    let migration = fresh("scram-sha-512");
    migration.edit(&secure.secure_bootstrap()[0], &secure.bootstrap()[0]);
    assert_refused(&migration.run(&["replicate"]), 4, &["source", "TLS"]);

    // Plain text spoken to the TLS listener.
    let migration = Migration::new(
        &unique("login"),
        Access::Plain(&secure),
        Access::Plain(target),
        &["orders"],
    );
    migration.edit(&secure.bootstrap()[0], &secure.secure_bootstrap()[0]);
    assert_refused(&migration.run(&["replicate"]), 4, &["source", "TLS"]);

    // A login without a right: nothing may be seen.
    assert_refused(&fresh("scram-sha-512").run(&["replicate"]), 4, &["orders"]);
}

#[test]
fn a_named_topic_that_is_missing_is_named() {
    let (source, target) = shared_pair();
    let topic = unique("present");
    source.create_topic(&topic, 1, &[]);
    let missing = unique("missing");
    let migration = Migration::new(
        &unique("missing-topic"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic, &missing],
    );
    assert_refused(
        &migration.run(&["replicate", "--until", "caught-up"]),
        4,
        &[&missing],
    );
    assert_eq!(
        target.partitions(&topic),
        0,
        "nothing was created before the scope was known to be right"
    );
}

#[test]
fn an_empty_scope_is_an_error() {
    let (source, target) = shared_pair();
    let migration = Migration::new(
        &unique("empty-scope"),
        Access::Plain(source),
        Access::Plain(target),
        &["no-such-topic-anywhere-*"],
    );
    assert_refused(
        &migration.run(&["replicate", "--until", "caught-up"]),
        4,
        &["scope"],
    );
}

#[test]
fn a_target_that_is_the_source_is_refused() {
    let (source, _) = shared_pair();
    let topic = unique("itself");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let before = source.end_offset(&topic, 0);
    let migration = Migration::new(
        &unique("itself"),
        Access::Plain(source),
        Access::Plain(source),
        &[&topic],
    );
    assert_refused(
        &migration.run(&["replicate", "--until", "caught-up"]),
        2,
        &["same cluster"],
    );
    assert_eq!(source.end_offset(&topic, 0), before);
}

#[test]
fn a_ledger_of_another_migration_is_refused() {
    let (source, target) = shared_pair();
    let older = shared_older();
    let topic = unique("other-ledger");
    for kafka in [source, older] {
        kafka.create_topic(&topic, 1, &[]);
        Load::to(&[(&topic, 1)]).fill(kafka, 10);
    }
    let name = unique("other-ledger");
    Migration::new(
        &name,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    )
    .catch_up();
    // Records and not the end: the marker that seals the first run comes behind the answer to it.
    let held = || read::partition(target, &topic, 0, read::View::Uncommitted);
    let before = held().len();
    // The same name, from another source.
    let other = Migration::new(
        &name,
        Access::Plain(older),
        Access::Plain(target),
        &[&topic],
    );
    for command in ["replicate", "status"] {
        assert_refused(&other.run(&[command]), 7, &["ledger"]);
    }
    assert_eq!(held().len(), before);
}

#[test]
fn a_ledger_that_is_none_of_ours_is_refused() {
    let (source, target) = shared_pair();
    let topic = unique("strange-ledger");
    source.create_topic(&topic, 1, &[]);
    let name = unique("strange-ledger");
    let ledger = format!("kafka-migrate.{name}.forward");
    target.create_topic(&ledger, 2, &[]);
    // As a newer version might begin it, or anybody.
    for (partition, value) in [(0, vec![0xff; 40]), (1, b"hello".to_vec())] {
        let record = Record {
            offset: 0,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(value),
            headers: Vec::new(),
        };
        let mut wire = target
            .wire_to_leader(&ledger, partition)
            .expect("the ledger has a leader");
        wire.produce(
            &ledger,
            partition,
            &codecs::encode(Envelope::PLAIN, &[record]),
        )
        .expect("the broker answers")
        .expect("the batch is taken");
    }
    let migration = Migration::new(
        &name,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    assert_refused(
        &migration.run(&["replicate", "--until", "caught-up"]),
        7,
        &["ledger"],
    );
}
