//! Which offset is which: for every source offset the map names the very record on the target, whatever became of the engine meanwhile.

use std::time::Duration;

use kafka_migrate::model::{direction::Direction, map::translate};

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    ledger, load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration},
    unique, wait,
};

use super::holes::{NAMES, UTF8, record, write};

/// Each of another codec than the one before, so that they stay apart.
fn write_plain(kafka: &Kafka, topic: &str, first: i64, batches: i64) -> i64 {
    for batch in 0..batches {
        let numbers = first + batch * 5..first + batch * 5 + 5;
        let records: Vec<Record> = numbers.map(|one| record(one, None, NAMES, 60)).collect();
        write(kafka, topic, 0, (batch % 5) as i16, &records);
    }
    first + batches * 5
}

/// A compacted partition with holes, which stays as it is from then on.
fn write_compacted(kafka: &Kafka, topic: &str) {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    kafka.create_topic(topic, 1, &settings);
    for batch in 0..6 {
        let records: Vec<Record> = (0..20)
            .map(|index| {
                let key = index + if index % 2 == 0 { 0 } else { batch * 20 };
                record(batch * 20 + index, Some(format!("key-{key}")), UTF8, 50)
            })
            .collect();
        write(kafka, topic, 0, batch as i16 % 5, &records);
        wait::elapse(Duration::from_millis(120));
    }
    wait::until("the cleaner makes holes", Duration::from_secs(90), || {
        let records = read::partition(kafka, topic, 0, View::Uncommitted);
        let last = records.last().map_or(0, |last| last.offset);
        (records.len() as i64) < last - 20
    });
    let mut wire = kafka.wire().for_admin();
    let lag = wire.set_topic(topic, "min.compaction.lag.ms", "600000000000");
    lag.expect("the broker answers").expect("it is taken");
}

/// Every offset of a source partition and its place, by content. Answers how many runs the map has.
#[track_caller]
fn assert_places(source: &Kafka, target: &Kafka, migration: &str, topic: &str) -> usize {
    let way = ledger::way(target, migration, Direction::Forward, topic).expect("it knows it");
    let wanted = read::partition(source, topic, 0, View::Committed);
    let found = read::partition(target, topic, 0, View::Uncommitted);
    let end = |kafka: &Kafka| kafka.end_offset(topic, 0).expect("it is led");
    for committed in 0..=end(source) {
        let place = translate(committed, &way, None, end(target))
            .unwrap_or_else(|why| panic!("{topic}: {committed} has no place: {why}"));
        let next = wanted.iter().find(|one| one.offset >= committed);
        let there = found.iter().find(|one| one.offset >= place.offset);
        match (next, there) {
            (Some(next), Some(there)) => assert!(
                next.is_same(there),
                "{topic}: {committed} became {place:?}: {next:?} is not {there:?}"
            ),
            (None, None) => {}
            other => panic!("{topic}: {committed} became {place:?}: {other:?}"),
        }
        assert_eq!(place.repeats, 0, "{topic}: {committed}");
    }
    way.segments.len()
}

#[test]
fn every_source_offset_has_its_place_after_a_kill() {
    let (source, target) = shared_pair();
    let (plain, compacted) = (unique("places"), unique("places-compacted"));
    source.create_topic(&plain, 1, &[]);
    let mut next = 0;
    for _ in 0..3 {
        next = write_plain(source, &plain, next, 7);
        load::write_transactions(source, &plain, 4, 3);
    }
    write_compacted(source, &compacted);
    let name = unique("places");
    let topics = [&*plain, &*compacted];
    let (from, to) = (Access::Plain(source), Access::Plain(target));
    let migration = Migration::new(&name, from, to, &topics);

    let killed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:4")
        .finish();
    assert_eq!(killed.code(), None, "it kills itself");
    let held = |topic| target.end_offset(topic, 0).unwrap_or(0);
    assert!(held(&plain) + held(&compacted) > 0, "some was written");
    // Somebody else's record between ours moves the rest along.
    let others = [record(1_000_000, None, NAMES, 60)];
    write(target, &plain, 0, 0, &others);
    next = write_plain(source, &plain, next, 3);
    load::write_transactions(source, &plain, 4, 3);
    migration.catch_up();
    write_plain(source, &plain, next, 3);
    migration.catch_up();

    let runs = assert_places(source, target, &name, &plain);
    assert!(runs > 8, "{runs} runs: transactions break them");
    let runs = assert_places(source, target, &name, &compacted);
    assert!(runs > 15, "{runs} runs: every second record is missing");

    let committed = source.end_offset(&plain, 0).expect("it is led") - 9;
    let way = ledger::way(target, &name, Direction::Forward, &plain).expect("it knows it");
    let end = target.end_offset(&plain, 0).expect("it is led");
    let place = translate(committed, &way, None, end).expect("it has one");
    let ask = |what: &str, json: bool| {
        let arguments = ["--json", "status", "--map", what];
        let said = migration.run(&arguments[usize::from(!json)..]);
        said.assert_exit(0);
        said.stdout
    };
    let asked = format!("{plain}:0:{committed}");
    let place_is = format!(
        "{plain}-0: offset {committed} on the source is {} on the target",
        place.offset
    );
    let said = ask(&asked, false);
    assert!(said.contains(&place_is), "{said}");
    let said: serde_json::Value = serde_json::from_str(&ask(&asked, true)).expect("it is JSON");
    assert_eq!(said["places"][0]["offset"], place.offset);
    assert_eq!(said["maps"][0]["segments"], way.segments.len());
    let said = ask(&format!("{plain}:0:{}", committed + 100), false);
    assert!(
        said.contains("has no place on the target: not copied yet"),
        "{said}"
    );
    let said = ask("nowhere", false);
    assert!(said.contains("no ledger knows of it"), "{said}");
}
