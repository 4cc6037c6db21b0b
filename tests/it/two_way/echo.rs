//! ★10, ★11: both sides write to the same partitions, the tool is killed, and nothing comes back to where it was written.

use std::{fs, time::Duration};

use kafka_migrate::engine::ledger::record::{Entry, Record as Said};

use super::{ON_SOURCE, ON_TARGET, assert_both_have_all, two_way, wait_until_even};
use crate::support::{
    Dice,
    kafka::Kafka,
    load::{Load, write_marked_transactions},
    read::{self, View},
    seed, shared_pair,
    tool::Tool,
    unique, wait,
};

/// How long nothing may happen once nobody writes.
const SILENCE: Duration = Duration::from_secs(15);
/// `kill -9`s of the engine while both sides write.
const KILLS: usize = 6;

fn wait_until_at_work(tool: &mut Tool) {
    tool.wait_for("\"event\":\"shard-claimed\"", Duration::from_secs(60));
}

/// What a ledger says of records: everything but signs of life.
fn said_of_data(kafka: &Kafka, ledger: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for partition in 0..kafka.partitions(ledger) {
        for record in read::partition(kafka, ledger, partition, View::Uncommitted) {
            let said = Said::decode(record.value.as_deref().unwrap_or_default());
            entries.extend(said.expect("a ledger record").entries);
        }
    }
    entries.retain(|entry| {
        matches!(
            entry,
            Entry::Run { .. }
                | Entry::TargetRun { .. }
                | Entry::Checkpoint { .. }
                | Entry::Echo { .. }
        )
    });
    entries
}

#[test]
fn both_sides_write_and_every_record_is_on_both_once_whatever_is_killed() {
    let seed = seed();
    println!("KAFKA_MIGRATE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let (source, target) = shared_pair();
    let name = unique("both-ways");
    let (plain, transactional) = (format!("{name}-plain"), format!("{name}-tx"));
    source.create_topic(&plain, 3, &[]);
    source.create_topic(&transactional, 1, &[]);
    let topics = [plain.as_str(), transactional.as_str()];
    let load = |mark| Load::to(&[(plain.as_str(), 3), (transactional.as_str(), 1)]).marked(mark);
    load(ON_SOURCE).fill(source, 2000);
    let migration = two_way(source, target, &name, &topics);
    migration.catch_up();

    let on_source = load(ON_SOURCE).keep_writing(source, 300);
    let on_target = load(ON_TARGET).keep_writing(target, 300);
    for kill in 0..KILLS {
        let mut tool = migration.command(&["replicate", "--json"]).start();
        wait_until_at_work(&mut tool);
        wait::elapse(Duration::from_millis(dice.between(200, 2500)));
        if kill % 2 == 0 {
            write_marked_transactions(source, &transactional, ON_SOURCE, 4, 3);
            write_marked_transactions(target, &transactional, ON_TARGET, 4, 3);
        }
        tool.kill();
        if kill % 3 == 1 {
            // Whatever an engine needs stands on the clusters.
            fs::remove_dir_all(migration.path("state")).expect("it is there");
        }
    }
    let mut tool = migration.command(&["replicate", "--json"]).start();
    wait_until_at_work(&mut tool);
    let written = (on_source.stop(), on_target.stop());
    wait_until_even(source, target, &topics, &|| tool.said());

    // Nobody writes any more: nothing moves, on either side, and nothing is said of it.
    let ends = || {
        let of = |kafka: &Kafka| topics.map(|topic| kafka.end_offsets(topic));
        (of(source), of(target))
    };
    let ledgers = || {
        (
            said_of_data(target, &format!("kafka-migrate.{name}.forward")).len(),
            said_of_data(source, &format!("kafka-migrate.{name}.reverse")).len(),
        )
    };
    // The last positions go to the ledgers.
    wait::until("both sides are still", Duration::from_secs(30), || {
        let before = (ends(), ledgers());
        wait::elapse(Duration::from_secs(2));
        before == (ends(), ledgers())
    });
    let still = (ends(), ledgers());
    wait::elapse(SILENCE);
    assert_eq!((ends(), ledgers()), still, "in {SILENCE:?} of silence");
    tool.interrupt();
    tool.wait(Duration::from_secs(60)).assert_exit(130);

    let counts = topics.map(|topic| assert_both_have_all(source, target, topic));
    migration.verify();
    println!("written {written:?}, on both sides {counts:?}");
    assert!(counts[0].0 > 1000 && counts[0].1 > 100);
}
