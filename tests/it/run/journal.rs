//! The journal on a disk and on two clusters: lost directories, clusters that are down, foreign and damaged journals, two runners.

use std::fs;

use super::{journal_topic, kinds, lines};
use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::{Kafka, MIGRATOR},
    load::Load,
    read, secret, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

const UNTIL: [&str; 3] = ["replicate", "--until", "caught-up"];

fn migration(source: &Kafka, target: &Kafka, stem: &str) -> Migration {
    let topic = unique(stem);
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 20);
    Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    )
}

/// All three copies say the same.
#[track_caller]
fn assert_copies(source: &Kafka, target: &Kafka, migration: &Migration, state: &str) {
    let here = fs::read_to_string(migration.path(state).join("journal")).expect("it is there");
    let here: Vec<&str> = here.lines().collect();
    assert_eq!(lines(target, &migration.name), here);
    assert_eq!(lines(source, &migration.name), here);
}

/// Puts a value into a journal's topic, as somebody else might.
fn plant(kafka: &Kafka, migration: &str, value: &[u8]) {
    let record = Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value.to_vec()),
        headers: Vec::new(),
    };
    let topic = journal_topic(migration);
    let mut wire = kafka.wire_to_leader(&topic, 0).expect("it has a leader");
    wire.produce(&topic, 0, &codecs::encode(Envelope::PLAIN, &[record]))
        .expect("the broker answers")
        .expect("the batch is taken");
}

#[test]
fn a_copy_is_journalled_on_the_disk_and_on_both_clusters() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "journalled");
    migration.catch_up();
    assert_copies(source, target, &migration, "state");
    let first = kinds(&lines(target, &migration.name));
    let plan = [
        "runner", "planned", "intent", "done", "intent", "done", "ended", "left",
    ];
    assert_eq!(first[0], "begun");
    assert_eq!(first[1..], plan);
    // Nothing is to be made any more.
    migration.catch_up();
    let second = kinds(&lines(source, &migration.name));
    assert_eq!(
        second[9..],
        ["runner", "planned", "intent", "done", "ended", "left"]
    );
    assert_copies(source, target, &migration, "state");
}

#[test]
fn killed_at_any_line_of_the_journal_another_machine_goes_on() {
    let (source, target) = shared_pair();
    for (at, label) in (1..=13).map(|at| (at, ["journal-appending", "journal-appended"][at % 2])) {
        let migration = migration(source, target, "killed-at-line");
        let killed = migration
            .command(&UNTIL)
            .env("KAFKA_MIGRATE_CRASH_AT", format!("{label}:{at}"))
            .finish();
        assert_eq!(killed.code(), None, "{label}:{at} is reached: {killed}");
        let before = lines(target, &migration.name);
        fs::remove_dir_all(migration.path("state")).expect("the state is there");
        migration
            .command_in("elsewhere", &UNTIL)
            .finish()
            .assert_exit(0);
        read::assert_same(source, target, &migration.name);
        assert_copies(source, target, &migration, "elsewhere");
        let after = lines(target, &migration.name);
        assert!(
            after.starts_with(&before),
            "{label}:{at}: what was kept is kept"
        );
        assert_eq!(kinds(&after)[after.len() - 2..], ["ended", "left"]);
    }
}

#[test]
fn with_a_cluster_down_nothing_is_done_and_the_journal_goes_on_when_it_is_back() {
    let source = Kafka::spec("journal-source").start();
    let target = Kafka::spec("journal-target").start();
    let migration = migration(&source, &target, "journal-down");
    for side in ["[source]\n", "[target]\n"] {
        let patience = "connect_timeout = \"2s\"\nrequest_timeout = \"3s\"\n";
        migration.edit(side, &format!("{side}{patience}"));
    }
    migration.catch_up();
    let before = lines(&source, &migration.name);
    let file = || fs::read(migration.path("state").join("journal")).expect("it is there");
    let here = file();
    target.kill(0);
    migration.run(&UNTIL).assert_exit(5);
    assert_eq!(lines(&source, &migration.name), before, "nothing was done");
    source.kill(0);
    let both = migration.run(&UNTIL);
    both.assert_exit(4);
    both.assert_says("and K2");
    target.start_again(0);
    migration.run(&UNTIL).assert_exit(4);
    assert_eq!(lines(&target, &migration.name), before, "nothing was done");
    assert_eq!(file(), here);
    source.start_again(0);
    migration.catch_up();
    assert_copies(&source, &target, &migration, "state");
}

/// Many a source gives no login the right to make topics, and ours asks for none on its records' account.
#[test]
fn a_source_that_takes_no_journal_is_named_and_the_target_s_copy_is_enough() {
    let (_, target) = shared_pair();
    let source = Kafka::spec("rightless-source").secure().start();
    let topic = unique("rightless");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(&source, 20);
    let allow = |resource: (i8, &str, i8), operations: &[i8]| {
        for operation in operations {
            let principal = format!("User:{}", MIGRATOR.0);
            let allowed = source.wire().allow(&principal, resource, *operation);
            allowed
                .expect("the broker answers")
                .expect("the ACL is taken");
        }
    };
    let a_topic = 2;
    let [literal, prefixed] = [3, 4];
    let [read, write, create, describe, describe_configs] = [3, 4, 5, 8, 10];
    allow(
        (a_topic, &topic, literal),
        &[read, describe, describe_configs],
    );
    let migration = Migration::new(
        &topic,
        Access::Secure(&source, "scram-sha-512"),
        Access::Plain(target),
        &[&topic],
    );
    // A fresh broker may be slow to take its first login, and its first rights.
    wait::until("the login may read", PATIENCE, || {
        migration.run(&["status"]).code() == Some(0)
    });
    let copied = migration.catch_up();
    copied.assert_says("is not kept up for now");
    copied.assert_says("on the source");
    assert_eq!(source.partitions(&journal_topic(&topic)), 0);
    let here = fs::read_to_string(migration.path("state").join("journal")).expect("it is there");
    assert_eq!(lines(target, &topic), here.lines().collect::<Vec<_>>());
    fs::remove_dir_all(migration.path("state")).expect("the state is there");
    let rebuilt = migration.catch_up();
    rebuilt.assert_says("rebuilt");
    // Given the right, it is brought up to the others.
    allow(
        (a_topic, "kafka-migrate.", prefixed),
        &[read, write, create, describe, describe_configs],
    );
    wait::until("the source has a copy", PATIENCE, || {
        migration.catch_up();
        source.partitions(&journal_topic(&topic)) == 1
    });
    migration.catch_up();
    assert_copies(&source, target, &migration, "state");
    assert_no_secret(&source, target, &migration);
}

/// Logged in with a password, all the way: it is in nothing that was said, written here, or written there.
fn assert_no_secret(source: &Kafka, target: &Kafka, migration: &Migration) {
    for command in [
        &["-vv", "replicate", "--until", "caught-up"][..],
        &["--json", "-vv", "replicate", "--until", "caught-up"],
        &["-vv", "status"],
        &["-vv", "preflight"],
        &["-vv", "verify"],
    ] {
        let said = migration.run(command);
        secret::assert_nowhere(MIGRATOR.1, &said.line, said.stdout.as_bytes());
        secret::assert_nowhere(MIGRATOR.1, &said.line, said.stderr.as_bytes());
    }
    let mut files = 0;
    let state = fs::read_dir(migration.path("state")).expect("the state is there");
    for file in state {
        let path = file.expect("it can be listed").path();
        let bytes = fs::read(&path).expect("it can be read");
        secret::assert_nowhere(MIGRATOR.1, &path.display().to_string(), &bytes);
        files += 1;
    }
    assert!(files > 0);
    let ledger = format!("kafka-migrate.{}.forward", migration.name);
    let journal = journal_topic(&migration.name);
    for (kafka, topic) in [(target, &ledger), (target, &journal), (source, &journal)] {
        let partitions = kafka.partitions(topic);
        assert!(partitions > 0, "{topic} is there");
        for partition in 0..partitions {
            for record in read::partition(kafka, topic, partition, read::View::Uncommitted) {
                let value = record.value.unwrap_or_default();
                secret::assert_nowhere(MIGRATOR.1, topic, &value);
            }
        }
    }
}

#[test]
fn foreign_damaged_and_newer_journals_are_refused_and_nothing_is_copied() {
    let (source, target) = shared_pair();
    let damaged = |stem: &str, side: &Kafka, value: &[u8], code: &str| {
        let migration = migration(source, target, stem);
        migration.catch_up();
        plant(side, &migration.name, value);
        let held = lines(target, &migration.name);
        Load::to(&[(&migration.name, 1)]).fill(source, 5);
        let copied = || read::partition(target, &migration.name, 0, read::View::Uncommitted).len();
        let before = copied();
        for state in ["state", "elsewhere"] {
            let refused = migration.command_in(state, &UNTIL).finish();
            refused.assert_exit(7);
            refused.assert_says(code);
            refused.assert_says("journal");
        }
        assert_eq!(lines(target, &migration.name), held);
        assert_eq!(copied(), before);
    };
    damaged("strange-journal", source, b"hello", "K429");
    damaged("strange-journal", target, b"0123456789abcdef {}", "K429");
    // A line of format 2, with its checksum.
    damaged("newer-journal", target, NEWER.as_bytes(), "K431");

    // Damage in the midst of the file.
    let migration = migration(source, target, "damaged-file");
    migration.catch_up();
    let path = migration.path("state").join("journal");
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[40] ^= 1;
    fs::write(&path, &bytes).expect("it can be written");
    let refused = migration.run(&UNTIL);
    refused.assert_exit(7);
    refused.assert_says("K430");
    assert_eq!(fs::read(&path).expect("it is there"), bytes);
    // As the hint says.
    fs::rename(&path, migration.path("journal-of-before")).expect("it can be moved");
    let rebuilt = migration.run(&UNTIL);
    rebuilt.assert_exit(0);
    rebuilt.assert_says("rebuilt");
    assert_copies(source, target, &migration, "state");

    // A torn last line is none.
    let text = fs::read(&path).expect("it is there");
    fs::write(&path, &text[..text.len() - 9]).expect("it can be written");
    migration.catch_up();
    assert_copies(source, target, &migration, "state");
}

/// SHA-256 of the text behind the space, its first eight bytes.
const NEWER: &str = "ed4a9f42dc9c8270 {\"v\":3,\"n\":9}";

#[test]
fn another_migration_s_state_directory_is_refused() {
    let (source, target) = shared_pair();
    let one = migration(source, target, "one-of-two");
    let other = migration(source, target, "other-of-two");
    one.catch_up();
    fs::create_dir_all(other.path("state")).expect("the directory is writable");
    fs::copy(
        one.path("state").join("journal"),
        other.path("state").join("journal"),
    )
    .expect("it can be copied");
    let refused = other.run(&UNTIL);
    refused.assert_exit(7);
    refused.assert_says("K432");
    refused.assert_says(&one.name);
    assert_eq!(target.partitions(&other.name), 0, "nothing was made");
}
