//! Positions in partitions without records and in topics that come later, while nothing of ours appears on the source.

use std::time::Duration;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _},
};

use super::{PATIENCE, catch_up, consumer, migration};
use crate::{
    faults::event,
    support::{
        codecs::{self, Envelope, Record},
        kafka::Kafka,
        load,
        read::{self, View},
        shared_pair,
        tool::{Access, Migration},
        unique, wait,
    },
};

/// Commits several partitions of a topic at once.
fn commit_all(kafka: &Kafka, group: &str, topic: &str, offsets: &[i64]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in (0..).zip(offsets) {
        list.add_partition_offset(topic, partition, Offset::Offset(*offset))
            .expect("it is an offset");
    }
    let committed = consumer(kafka, group).commit(&list, CommitMode::Sync);
    committed.expect("it is committed");
}

/// Where a group stands in each of so many partitions.
fn stands(kafka: &Kafka, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range(topic, 0, partitions - 1);
    let found = consumer(kafka, group).committed_offsets(list, PATIENCE);
    let found = found.expect("the coordinator answers");
    let offset =
        |one: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match one.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
    found.elements_for_topic(topic).iter().map(offset).collect()
}

fn write(kafka: &Kafka, topic: &str, partition: i32, values: &[&str]) {
    let record = |value: &&str| Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(value.as_bytes().to_vec()),
        headers: Vec::new(),
    };
    let records: Vec<Record> = values.iter().map(record).collect();
    let batch = codecs::encode(Envelope::PLAIN, &records);
    let mut wire = kafka.wire_to_leader(topic, partition).expect("a leader");
    let produced = wire.produce(topic, partition, &batch);
    produced.expect("an answer").expect("it is written");
}

#[test]
fn a_position_in_an_empty_partition_is_carried_and_goes_on_with_its_first_records() {
    let (source, target) = shared_pair();
    let topic = unique("empty-partition");
    source.create_topic(&topic, 2, &[]);
    load::write_transactions(source, &topic, 4, 3);
    let end = source.end_offset(&topic, 0).expect("it has a leader");
    commit_all(source, &topic, &topic, &[end, 0]);
    let migration = migration(source, target, &topic, &topic);
    catch_up(&migration);
    let copied = read::partition(target, &topic, 0, View::Uncommitted).len() as i64;
    assert!(
        copied > 0 && copied < end,
        "markers and aborted records stay"
    );
    assert_eq!(stands(target, &topic, &topic, 2), [Some(copied), Some(0)]);
    write(source, &topic, 1, &["one", "two", "three"]);
    commit_all(source, &topic, &topic, &[end, 2]);
    catch_up(&migration);
    assert_eq!(stands(target, &topic, &topic, 2), [Some(copied), Some(2)]);
}

#[test]
fn a_topic_that_comes_later_brings_its_positions_and_nothing_appears_on_the_source() {
    let (source, target) = shared_pair();
    let name = unique("comes-later");
    let (first, later) = (format!("{name}-first"), format!("{name}-later"));
    source.create_topic(&first, 1, &[]);
    load::write_transactions(source, &first, 2, 3);
    let (from, to) = (Access::Plain(source), Access::Plain(target));
    let migration = Migration::new(&name, from, to, &[&format!("{name}-*")]);
    migration.edit(
        "\n[replication]",
        "groups = [\"comes-later-*\"]\n\n[replication]",
    );
    let end = source.end_offset(&first, 0).expect("it has a leader");
    commit_all(source, &name, &first, &[end]);
    let mut engine = migration.command(&["replicate", "--json"]).start();
    engine.wait_for(&event("shard-claimed"), PATIENCE);
    // Behind the three committed records.
    wait::until("the first position is there", PATIENCE, || {
        target.partitions(&first) > 0 && stands(target, &name, &first, 1) == [Some(3)]
    });

    // Only one of its partitions holds anything.
    source.create_topic(&later, 3, &[]);
    write(source, &later, 1, &["one", "two", "three"]);
    commit_all(source, &name, &later, &[0, 3, 0]);
    wait::until(
        "the later topic's positions are there",
        Duration::from_secs(120),
        || {
            target.partitions(&later) == 3
                && stands(target, &name, &later, 3) == [Some(0), Some(3), Some(0)]
        },
    );
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    for topic in [&first, &later] {
        read::assert_same(source, target, topic);
    }

    let on = |kafka: &Kafka| -> Vec<String> {
        let all = kafka.metadata().topics.into_keys();
        all.filter(|topic| topic.contains(&name)).collect()
    };
    let journal = format!("kafka-migrate.{name}.journal");
    let ledger = format!("kafka-migrate.{name}.forward");
    // The topics themselves, and what commands have done.
    assert_eq!(on(source), [first.clone(), later.clone(), journal.clone()]);
    assert_eq!(on(target), [first, later, ledger, journal]);
}
