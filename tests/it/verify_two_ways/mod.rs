//! `verify` where both sides write to the same topics and records go both ways.

mod compacted;
mod planted;
mod rebuilt;
mod standing;

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    load::{Load, write_marked_transactions},
    read::{self, View},
    shared_pair,
    tool::{Access, Finished, Migration},
    unique,
};

/// What records begin with that were written on the source, and on the target.
const ON_SOURCE: &str = "a:";
const ON_TARGET: &str = "b:";

/// A migration of these topics, both ways.
fn two_way(source: &Kafka, target: &Kafka, name: &str, topics: &[&str]) -> Migration {
    let (source, target) = (Access::Plain(source), Access::Plain(target));
    let migration = Migration::new(name, source, target, topics);
    migration.edit("[replication]\n", "[replication]\ntwo_way = true\n");
    migration
}

/// `verify --json`, its exit code, and what it says.
#[track_caller]
fn verified(migration: &Migration) -> (Finished, Value) {
    let verify = migration.run(&["--json", "verify"]);
    let report = serde_json::from_str(&verify.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {verify}"));
    (verify, report)
}

/// Committed records of a topic on one side that were written there.
fn written_on(kafka: &Kafka, topic: &str, mark: &str) -> usize {
    let says = |record: &Record| {
        let says = record.key.as_ref().or(record.value.as_ref());
        says.is_some_and(|says| says.starts_with(mark.as_bytes()))
    };
    (0..kafka.partitions(topic))
        .map(|partition| {
            let records = read::partition(kafka, topic, partition, View::Committed);
            records.iter().filter(|record| says(record)).count()
        })
        .sum()
}

#[test]
fn what_both_sides_write_is_found_right_while_it_is_written_and_after() {
    let (source, target) = shared_pair();
    let name = unique("verify-both-ways");
    let (plain, transactional) = (format!("{name}-plain"), format!("{name}-tx"));
    source.create_topic(&plain, 3, &[]);
    source.create_topic(&transactional, 1, &[]);
    let topics = [plain.as_str(), transactional.as_str()];
    let load = |mark| Load::to(&[(plain.as_str(), 3), (transactional.as_str(), 1)]).marked(mark);
    load(ON_SOURCE).fill(source, 1000);
    let migration = two_way(source, target, &name, &topics);
    migration.catch_up();

    let on_source = load(ON_SOURCE).keep_writing(source, 200);
    let on_target = load(ON_TARGET).keep_writing(target, 200);
    for _ in 0..3 {
        let mut tool = migration.command(&["replicate", "--json"]).start();
        tool.wait_for("\"event\":\"shard-claimed\"", Duration::from_secs(60));
        write_marked_transactions(source, &transactional, ON_SOURCE, 4, 3);
        write_marked_transactions(target, &transactional, ON_TARGET, 4, 3);
        let (while_copying, _) = verified(&migration);
        tool.kill();
        let (while_dead, _) = verified(&migration);
        for verify in [while_copying, while_dead] {
            assert!(matches!(verify.code(), Some(0 | 3)), "{verify}");
        }
    }
    on_source.stop();
    on_target.stop();
    migration.catch_up();

    let (verify, report) = verified(&migration);
    verify.assert_exit(0);
    let written = |kafka, mark| -> u64 {
        let all = topics.iter().map(|topic| written_on(kafka, topic, mark));
        all.sum::<usize>() as u64
    };
    let (there, back) = (written(source, ON_SOURCE), written(target, ON_TARGET));
    assert!(there > 1000 && back > 100, "{there} and {back}");
    let way_back = &report["way_back"];
    assert_eq!(report["totals"]["matching"], there, "{report:#}");
    assert_eq!(way_back["totals"]["matching"], back, "{report:#}");
    // Every copy was seen by librdkafka, too.
    for (way, records) in [(&report, there), (way_back, back)] {
        assert_eq!(way["witness"]["state"], "agrees", "{report:#}");
        assert_eq!(way["witness"]["records"], records, "{report:#}");
    }
    let said = migration.verify();
    let (there, back) = (
        said.stdout.contains(" there, "),
        said.stdout.contains(" back "),
    );
    assert!(there && back, "{said}");
}
