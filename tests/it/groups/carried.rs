//! What is carried is right: at every offset, forwards and backwards, through kills, and for as long as it takes.

use std::time::Duration;

use rdkafka::{
    Message as _,
    consumer::{CommitMode, Consumer as _},
};

use super::{
    PATIENCE, catch_up, commit, committed, migration, right, settings, wait_until_it_stands,
};
use crate::{
    faults::event,
    support::{
        kafka::{Kafka, Version},
        load, read,
        read::View,
        shared_oldest, shared_pair, unique, wait,
    },
};

/// One group for every offset of the log, those of markers and aborted records too.
#[test]
fn every_offset_has_its_place_and_metadata_goes_with_it() {
    let (newest, _) = shared_pair();
    for source in [newest, shared_oldest()] {
        let (_, target) = shared_pair();
        let topic = unique("places");
        source.create_topic(&topic, 1, &[]);
        load::write_transactions(source, &topic, 6, 3);
        let end = source.end_offset(&topic, 0).expect("it has a leader");
        for offset in 0..=end {
            let metadata = format!("{topic} at {offset}");
            commit(
                source,
                &format!("{topic}-{offset}"),
                &topic,
                offset,
                &metadata,
            );
        }
        catch_up(&migration(source, target, &topic, &format!("{topic}-*")));
        let right = right(source, target, &topic);
        assert_ne!(right[&end], end, "offsets differ");
        for (offset, place) in right {
            let found = committed(target, &format!("{topic}-{offset}"), &topic);
            assert_eq!(
                found,
                Some((place, format!("{topic} at {offset}"))),
                "{offset}"
            );
        }
    }
}

/// An application reads a part here and the rest there: together every record once, in order.
#[test]
fn an_application_goes_on_with_the_next_record() {
    let (source, target) = shared_pair();
    let topic = unique("resumes");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 8, 5);
    let wanted: Vec<Option<Vec<u8>>> = read::partition(source, &topic, 0, View::Committed)
        .into_iter()
        .map(|record| record.value)
        .collect();
    let half = wanted.len() / 2 + 1;
    let mut seen = Vec::new();
    for (kafka, count) in [(source, half), (target, wanted.len() - half)] {
        let mut settings = settings(kafka, &topic);
        if seen.is_empty() {
            settings.set("auto.offset.reset", "earliest");
        }
        let consumer: rdkafka::consumer::BaseConsumer =
            settings.create().expect("a consumer can be made");
        consumer.subscribe(&[&topic]).expect("it subscribes");
        let before = seen.len();
        wait::until("the records come", PATIENCE, || {
            if let Some(polled) = consumer.poll(Duration::from_millis(100)) {
                let message = polled.expect("a record");
                seen.push(message.payload().map(<[u8]>::to_vec));
                let committed = consumer.commit_message(&message, CommitMode::Sync);
                committed.expect("it is committed");
            }
            seen.len() == before + count
        });
        drop(consumer);
        if before == 0 {
            catch_up(&migration(source, target, &topic, &topic));
        }
    }
    assert_eq!(seen, wanted);
}

#[test]
fn a_running_engine_follows_forwards_and_backwards() {
    let (source, target) = shared_pair();
    let topic = unique("follows");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 6, 4);
    let migration = migration(source, target, &topic, &topic);
    catch_up(&migration);
    let right = right(source, target, &topic);
    let mut engine = migration.command(&["replicate", "--json"]).start();
    engine.wait_for(&event("shard-claimed"), PATIENCE);
    for offset in [9, 14, 3, 22, 0] {
        commit(source, &topic, &topic, offset, "");
        wait_until_it_stands(target, &topic, &topic, right[&offset]);
    }
    // What somebody commits over there is theirs: it is not written over, and not copied.
    commit(target, &topic, &topic, 5, "by hand");
    commit(source, &topic, &topic, 14, "");
    engine.wait_for("K578", PATIENCE);
    assert_eq!(
        committed(target, &topic, &topic),
        Some((5, "by hand".into()))
    );
    assert_eq!(committed(source, &topic, &topic), Some((14, String::new())));
    // Until they take it back.
    commit(target, &topic, &topic, right[&0], "");
    wait_until_it_stands(target, &topic, &topic, right[&14]);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
}

/// Killed after a write was put on record, and after it was made: the next start takes neither for somebody else's.
#[test]
fn a_kill_around_a_commit_leaves_nothing_in_doubt() {
    let (source, target) = shared_pair();
    for label in ["positions-recorded", "positions-committed"] {
        let topic = unique("killed");
        source.create_topic(&topic, 1, &[]);
        load::write_transactions(source, &topic, 6, 4);
        let migration = migration(source, target, &topic, &topic);
        catch_up(&migration);
        let right = right(source, target, &topic);
        let mut last = None;
        for offset in [4, 11, 2] {
            commit(source, &topic, &topic, offset, "");
            let killed = migration
                .command(&["replicate", "--json"])
                .env("KAFKA_MIGRATE_CRASH_AT", format!("{label}:1"))
                .finish();
            assert_eq!(killed.code(), None, "it kills itself");
            let found = committed(target, &topic, &topic).map(|(found, _)| found);
            let wanted = (label == "positions-committed").then_some(right[&offset]);
            assert_eq!(found, wanted.or(last));
            last = found;
        }
        commit(source, &topic, &topic, 15, "");
        let finished = catch_up(&migration);
        assert!(!finished.stderr.contains("K578"), "{}", finished.stderr);
        wait_until_it_stands(target, &topic, &topic, right[&15]);
    }
}

/// The target forgets positions after a minute that nobody commits; nobody on the source does.
#[test]
fn an_idle_group_is_not_forgotten() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("forgetful")
        .version(Version::V4_1)
        .set("offsets.retention.minutes", "1")
        .set("offsets.retention.check.interval.ms", "1000")
        .set("offset.metadata.max.bytes", "8")
        .start();
    let topic = unique("idle");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 2, 4);
    commit(source, &topic, &topic, 2, "kept");
    let wordy = format!("{topic}-wordy");
    commit(source, &wordy, &topic, 3, "more than eight bytes");
    let migration = migration(source, &target, &topic, &format!("{topic}*"));
    let mut engine = migration.command(&["replicate", "--json"]).start();
    wait_until_it_stands(&target, &topic, &topic, 2);
    // A position that the target does not take is told, and not cut short.
    engine.wait_for("K581", PATIENCE);
    assert_eq!(committed(&target, &wordy, &topic), None);
    // A group of nobody's, beside it, shows that the target does forget.
    commit(&target, "nobody", &topic, 1, "");
    wait::until("the target forgets", Duration::from_secs(180), || {
        committed(&target, "nobody", &topic).is_none()
    });
    assert_eq!(committed(&target, &topic, &topic), Some((2, "kept".into())));
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
}
