//! Positions of groups between two real clusters: applications are librdkafka's consumers, and a position is right if the next record is.

mod apart;
mod carried;
mod clients;
mod kinds;
mod later;

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    types::RDKafkaErrorCode,
};

use crate::support::{
    kafka::Kafka,
    read::{self, View},
    tool::{Finished, Migration},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A migration of a topic and of groups.
fn migration(source: &Kafka, target: &Kafka, topic: &str, groups: &str) -> Migration {
    let migration = Migration::of_topic(source, target, topic);
    let topics = format!("topics = [{topic:?}]");
    migration.edit(&topics, &format!("{topics}\ngroups = [{groups:?}]"));
    migration
}

/// Copies, and carries what there is.
fn catch_up(migration: &Migration) -> Finished {
    let finished = migration.catch_up();
    finished.assert_exit(0);
    finished
}

fn settings(kafka: &Kafka, group: &str) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed");
    settings
}

fn consumer(kafka: &Kafka, group: &str) -> BaseConsumer {
    let made = settings(kafka, group).create();
    made.expect("a consumer can be made")
}

/// Commits without being a member, as tools do.
pub fn commit(kafka: &Kafka, group: &str, topic: &str, offset: i64, metadata: &str) {
    let consumer = consumer(kafka, group);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .expect("it is an offset");
    let mut elements = list.elements_for_topic(topic);
    elements[0].set_metadata(metadata);
    // The first commit on a broker makes the coordinator, which is not there for a moment.
    let mut last = None;
    wait::until(&format!("{group} is committed"), PATIENCE, || {
        last = consumer.commit(&list, CommitMode::Sync).err();
        let passes = last.as_ref().is_none_or(|error| {
            matches!(
                error.rdkafka_error_code(),
                Some(
                    RDKafkaErrorCode::CoordinatorLoadInProgress
                        | RDKafkaErrorCode::CoordinatorNotAvailable
                        | RDKafkaErrorCode::NotCoordinator
                )
            )
        });
        assert!(passes, "{group} cannot commit: {last:?}");
        last.is_none()
    });
}

/// Where a group stands, and what it keeps beside that.
pub fn committed(kafka: &Kafka, group: &str, topic: &str) -> Option<(i64, String)> {
    let consumer = consumer(kafka, group);
    // It may be on its way to another broker, or just have been made: then nobody is it for a moment.
    let mut answer = None;
    wait::until("the coordinator answers", PATIENCE, || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, 0);
        answer = consumer.committed_offsets(asked, PATIENCE).ok();
        answer.is_some()
    });
    let list = answer.expect("it was waited for");
    let found = list.elements_for_topic(topic);
    match found[0].offset() {
        Offset::Offset(offset) => Some((offset, found[0].metadata().to_owned())),
        _ => None,
    }
}

/// Waits until a group stands somewhere.
#[track_caller]
fn wait_until_it_stands(kafka: &Kafka, group: &str, topic: &str, offset: i64) {
    wait::until(&format!("{group} stands at {offset}"), PATIENCE, || {
        committed(kafka, group, topic).is_some_and(|(found, _)| found == offset)
    });
}

/// By source offset, the right one on the target: of the first record that is not below, or behind the last.
fn right(source: &Kafka, target: &Kafka, topic: &str) -> BTreeMap<i64, i64> {
    let here = read::partition(source, topic, 0, View::Committed);
    let there = read::partition(target, topic, 0, View::Uncommitted);
    assert_eq!(here.len(), there.len(), "all of it is copied");
    let end = source.end_offset(topic, 0).expect("it has a leader");
    let behind = there.last().map_or(0, |last| last.offset + 1);
    (0..=end)
        .map(|offset| {
            let read = here.iter().filter(|record| record.offset < offset).count();
            (offset, there.get(read).map_or(behind, |next| next.offset))
        })
        .collect()
}
