//! Groups of both protocols, with members and without, on either side.

use std::time::Duration;

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

use super::{
    PATIENCE, catch_up, commit, committed, migration, right, settings, wait_until_it_stands,
};
use crate::{
    faults::event,
    support::{kafka::Kafka, load, shared_pair, unique, wait},
};

/// A member of a group, under the protocol of today or of KIP-848.
fn member(kafka: &Kafka, group: &str, protocol: &str, topic: &str) -> BaseConsumer {
    let mut settings = settings(kafka, group);
    settings
        .set("group.protocol", protocol)
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = settings.create().expect("a consumer can be made");
    consumer.subscribe(&[topic]).expect("it subscribes");
    consumer
}

/// Reads on, and commits each record.
fn read(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    wait::until("records come", PATIENCE, || {
        if let Some(polled) = consumer.poll(Duration::from_millis(100)) {
            let message = polled.expect("a record");
            let value = message.payload().expect("it has a value");
            seen.push(String::from_utf8_lossy(value).into_owned());
            let committed = consumer.commit_message(&message, CommitMode::Sync);
            committed.expect("it is committed");
        }
        seen.len() == count
    });
    seen
}

#[test]
fn members_here_are_followed_and_go_on_there_in_both_protocols() {
    let (source, target) = shared_pair();
    for protocol in ["classic", "consumer"] {
        let topic = unique(protocol);
        source.create_topic(&topic, 1, &[]);
        load::write_transactions(source, &topic, 4, 4);
        let migration = migration(source, target, &topic, &topic);
        let here = member(source, &topic, protocol, &topic);
        let mut seen = read(&here, 3);
        // Followed while it has members, and once it has none.
        catch_up(&migration);
        let first = committed(target, &topic, &topic);
        let right = right(source, target, &topic);
        assert_eq!(first.map(|(offset, _)| offset), Some(right[&3]));
        seen.extend(read(&here, 2));
        drop(here);
        catch_up(&migration);
        let there = member(target, &topic, protocol, &topic);
        seen.extend(read(&there, 3));
        let wanted: Vec<String> = [0, 2]
            .iter()
            .flat_map(|transaction| {
                (0..4).map(move |one| format!("0/transaction-{transaction}-{one}"))
            })
            .collect();
        assert_eq!(seen, wanted, "{protocol}");
        // Left by its members, and not forgotten: the plain commit is taken by what is left of the group.
        drop(there);
        let stood = committed(target, &topic, &topic);
        assert_eq!(stood.map(|(offset, _)| offset), Some(8), "the end");
    }
}

#[test]
fn a_group_with_members_over_there_is_left_alone() {
    let (source, target) = shared_pair();
    for protocol in ["classic", "consumer"] {
        let topic = unique("active");
        source.create_topic(&topic, 1, &[]);
        load::write_transactions(source, &topic, 4, 4);
        let migration = migration(source, target, &topic, &topic);
        commit(source, &topic, &topic, 2, "");
        catch_up(&migration);
        let right = right(source, target, &topic);
        assert_eq!(
            committed(target, &topic, &topic).map(|(at, _)| at),
            Some(right[&2])
        );
        let there = member(target, &topic, protocol, &topic);
        wait::until("it has members", PATIENCE, || {
            let _ = there.poll(Duration::from_millis(100));
            there.assignment().is_ok_and(|all| all.count() == 1)
        });
        let mut engine = migration.command(&["replicate", "--json"]).start();
        engine.wait_for(&event("shard-claimed"), PATIENCE);
        commit(source, &topic, &topic, 7, "");
        engine.wait_for("K576", PATIENCE);
        assert_eq!(
            committed(target, &topic, &topic).map(|(at, _)| at),
            Some(right[&2])
        );
        // Members on both sides: nobody's position is moved.
        let here = member(source, &topic, protocol, &topic);
        wait::until("both have members", PATIENCE, || {
            let _ = (
                here.poll(Duration::from_millis(50)),
                there.poll(Duration::from_millis(50)),
            );
            engine.said().contains("K577")
        });
        assert_eq!(
            committed(target, &topic, &topic).map(|(at, _)| at),
            Some(right[&2])
        );
        // Once those over there have left, it is carried again.
        drop((here, there));
        wait_until_it_stands(target, &topic, &topic, right[&7]);
        engine.interrupt();
        engine.wait(PATIENCE).assert_exit(130);
    }
}
