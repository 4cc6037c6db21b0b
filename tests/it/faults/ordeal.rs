//! ★ Everything at once, in short: what `scripts/ordeal` does at length; and what it has taught.

#[path = "../../../examples/ordeal/course/mod.rs"]
mod course;

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration},
    unique,
};

use super::stops::stops;

#[test]
fn everything_is_copied_through_kills_and_restarts_and_every_stop_has_its_name() {
    let faults = course::run(course::Plan {
        brokers: 1,
        kills: 3,
        records: 3000,
        per_second: 200,
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Where the last thing known of a partition is what stands on the target, nothing there tells the source's epochs.
#[test]
fn a_source_that_was_cut_off_after_an_unclean_stop_is_noticed() {
    let source = Kafka::spec("cut-later").start();
    let (_, target) = shared_pair();
    let topic = unique("cut-later");
    source.create_topic(&topic, 1, &[]);
    let write = |value: &str| {
        let records: Vec<Record> = (0..10)
            .map(|number| Record {
                offset: 0,
                timestamp: 1_700_000_000_000 + number,
                key: None,
                value: Some(format!("{value}/{number}").into_bytes()),
                headers: Vec::new(),
            })
            .collect();
        let wire = source.wire_to_leader(&topic, 0);
        let batch = codecs::encode(Envelope::PLAIN, &records);
        let written = wire.expect("it has a leader").produce(&topic, 0, &batch);
        written.expect("the broker answers").expect("it is taken");
    };
    let migration = Migration::new(
        &topic,
        Access::Plain(&source),
        Access::Plain(target),
        &[&topic],
    );
    write("first");
    migration.catch_up();
    write("second");
    let crashed = migration
        .command(&["replicate", "--until", "caught-up"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:1")
        .finish();
    assert_eq!(crashed.code(), None, "{crashed}");
    migration.catch_up();
    let copied = read::partition(target, &topic, 0, View::Uncommitted);
    assert_eq!(copied.len(), 20);
    source.cut_off(&topic, 0, 10);
    // Past the end that was read, so that no offset tells.
    for value in ["another", "and another"] {
        write(value);
    }
    stops(&migration, &["K502", "go on at source offset 10"]);
    let held = read::partition(target, &topic, 0, View::Uncommitted);
    assert_eq!(held, copied);
}
