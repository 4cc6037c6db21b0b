//! Tiny batches that wait become larger ones, with every record as it was, also where the engine is killed among them.

use crate::support::{
    codecs::{self, Envelope, Record},
    read::{self, View},
    shared_pair,
    tool::Migration,
    unique,
};

use super::{
    holes::{NAMES, record},
    stops::status,
};

const PARTITIONS: i32 = 12;
/// Of each partition. Codecs change after every fifty.
const BATCHES: i64 = 200;

#[test]
fn tiny_batches_are_merged_and_their_records_are_the_same() {
    let (source, target) = shared_pair();
    let topic = unique("tiny");
    source.create_topic(&topic, PARTITIONS, &[]);
    let mut wires: Vec<_> = (0..PARTITIONS)
        .map(|partition| source.wire_to_leader(&topic, partition))
        .collect();
    for (partition, wire) in (0..).zip(&mut wires) {
        let wire = wire.as_mut().expect("it has a leader");
        let mut next = 0;
        for batch in 0..BATCHES {
            let count = 1 + (batch + i64::from(partition)) % 10;
            let records: Vec<Record> = (next..next + count)
                .map(|number| record(number, Some(format!("key {number}")), NAMES, 30))
                .collect();
            next += count;
            let codec = i16::try_from((batch / 50 + i64::from(partition)) % 5).expect("small");
            let batch = codecs::encode_as(codec, Envelope::PLAIN, &records);
            let produced = wire.produce(&topic, partition, &batch);
            produced.expect("the broker answers").expect("it is taken");
        }
    }
    let migration = Migration::of_topic(source, target, &topic);
    // Merged ones are sent, and merged ones are answered and not on record yet.
    for step in ["produce-sent:2", "produce-answered:1", "produce-sent:4"] {
        let crashed = migration
            .command(&["replicate"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
    }
    assert!(super::held(target, &topic) > 0, "killed before anything");
    let before = super::held(target, &topic);
    migration.catch_up();
    assert!(super::held(target, &topic) > before, "nothing was left");
    read::assert_same(source, target, &topic);

    let written: usize = (0..PARTITIONS)
        .map(|partition| read::batches(target, &topic, partition, View::Uncommitted).0)
        .map(|batches| batches.iter().filter(|batch| !batch.is_control).count())
        .sum();
    let came = BATCHES * i64::from(PARTITIONS);
    assert!(
        written as i64 <= came / 5,
        "{written} batches were written, {came} came"
    );
    let status = status(&migration);
    let merged = status["batches"]["merged"].as_i64();
    assert!(merged.is_some_and(|merged| merged > 0), "{status}");
    migration.verify();
}
