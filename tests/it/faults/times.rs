//! ★ Times of records: none, ancient and to come arrive as they are, a question by time leads to the same record, and one that the target
//! does not take is named.

use crate::support::{
    codecs::Record,
    read::{self, View},
    shared_older, shared_pair,
    tool::Migration,
    unique,
};

use super::{
    holes::{NAMES, record, write},
    stops::stops,
    stops_past::{assert_holds, replicate},
};

const HOUR: i64 = 3_600_000;

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("it is later than 1970").as_millis()).expect("times fit")
}

fn at(number: i64, timestamp: i64) -> Record {
    Record {
        timestamp,
        ..record(number, None, NAMES, 40)
    }
}

#[test]
fn times_that_are_missing_ancient_or_to_come_arrive_as_they_are() {
    let (source, target) = (shared_older(), shared_pair().1);
    let topic = unique("times");
    source.create_topic(&topic, 4, &[]);
    let now = now();
    let times: [fn(i64, i64) -> i64; 4] = [
        // None at all; the first milliseconds there were, with one record without; within the hour that brokers allow; all of it in one batch.
        |_, _| -1,
        |_, index| index - 1,
        |now, index| now + HOUR / 2 - index * 1000,
        |now, index| [-1, 0, now, now - 20 * 365 * 24 * HOUR][index as usize % 4],
    ];
    for (partition, time) in (0..).zip(times) {
        for batch in 0..3 {
            let records: Vec<Record> = (batch * 8..batch * 8 + 8)
                .map(|index| at(index, time(now, index)))
                .collect();
            write(source, &topic, partition, 0, &records);
        }
    }
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    assert_eq!(read::assert_same(source, target, &topic), 4 * 24);
    // Nothing was left out, so the same record stands at the same offset.
    for asked in [0, 5, 1000, now - 30 * HOUR, now, now + HOUR / 3] {
        let partitions: Vec<i32> = (0..4).collect();
        let by_time = |kafka: &crate::support::kafka::Kafka| {
            let mut found = kafka
                .wire()
                .offsets(&topic, &partitions, asked)
                .expect("the broker answers");
            found.sort_unstable_by_key(|(partition, _)| *partition);
            found
        };
        for ((partition, wanted), (_, found)) in by_time(source).into_iter().zip(by_time(target)) {
            // A marker of ours behind all records has a time too, where no record is as late as that.
            let is_behind = wanted == Ok(-1) && matches!(found, Ok(24..));
            assert!(
                wanted == found || is_behind,
                "asked for {asked} in {partition}: {wanted:?}, {found:?}"
            );
        }
    }
    migration.verify();
}

#[test]
fn a_time_that_the_target_does_not_take_stops_the_partition_and_names_it() {
    let (source, target) = (shared_older(), shared_pair().1);
    let topic = unique("to-come");
    source.create_topic(&topic, 1, &[]);
    let (now, before) = (now(), at(0, 5));
    write(source, &topic, 0, 0, std::slice::from_ref(&before));
    // Apache Kafka 4 takes an hour, 3 took any.
    write(source, &topic, 0, 0, &[at(1, now), at(2, now + 48 * HOUR)]);
    let after = at(3, now);
    write(source, &topic, 0, 0, std::slice::from_ref(&after));
    let migration = Migration::of_topic(source, target, &topic);
    let word = format!("{topic}:0@1");
    stops(
        &migration,
        &[
            "K509",
            "INVALID_TIMESTAMP",
            "give up source offsets 1 to 2, and go on at 3",
            &word,
        ],
    );
    assert_holds(target, &topic, &[std::slice::from_ref(&before)]);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    assert_holds(target, &topic, &[&[before, after]]);
    assert_eq!(read::partition(source, &topic, 0, View::Committed).len(), 4);
}
