//! Batches that cannot travel as they are: holes, deleted fronts, a broker's times, too large. Their records arrive all the same.

use std::time::Duration;

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    read::{self, View},
    shared_older, shared_pair,
    tool::{Access, Migration},
    unique, wait,
};

/// Long ago, so that no broker's clock gives the same.
const THEN: i64 = 1_700_000_000_000;
pub const NAMES: [&[u8]; 2] = [b"\xff\xfe not utf-8", b"\xc3("];
pub const UTF8: [&[u8]; 2] = ["zwölf".as_bytes(), b"plain"];

/// A record with headers of one name twice, an empty and a null value.
pub fn record(number: i64, key: Option<String>, names: [&[u8]; 2], size: usize) -> Record {
    let text = format!("{number}/{}", (number * 7919) % 1_000_003);
    let value: Vec<u8> = text.bytes().cycle().take(size).collect();
    let header = |name: &[u8], value: Option<&[u8]>| (name.to_vec(), value.map(<[u8]>::to_vec));
    Record {
        offset: 0,
        timestamp: THEN + number * 20 - number % 3 * 7,
        key: key.map(String::into_bytes),
        value: (number % 9 != 4).then_some(value),
        headers: vec![
            header(names[0], Some(text.as_bytes())),
            header(names[1], None),
            header(names[0], Some(b"the second")),
            header(b"", Some(b"")),
        ],
    }
}

/// Writes records as one batch, compressed with the codec of this number.
#[track_caller]
pub fn write(kafka: &Kafka, topic: &str, partition: i32, codec: i16, records: &[Record]) -> i64 {
    kafka
        .wire_to_leader(topic, partition)
        .expect("it has a leader")
        .produce(
            topic,
            partition,
            &codecs::encode_as(codec, Envelope::PLAIN, records),
        )
        .expect("the broker answers")
        .unwrap_or_else(|code| panic!("the batch is taken: {code}"))
}

/// Batches of every codec, in a partition each, with whatever a header may hold.
pub fn fill(kafka: &Kafka, topic: &str, batches: i64, records: i64, size: usize) {
    for codec in 0..5 {
        for batch in 0..batches {
            let records: Vec<Record> = (0..records)
                .map(|index| record(batch * records + index, None, NAMES, size))
                .collect();
            write(kafka, topic, codec.into(), codec, &records);
        }
    }
}

pub fn copy(source: &Kafka, target: &Kafka, topic: &str) -> usize {
    let migration = Migration::new(
        &unique("holes"),
        Access::Plain(source),
        Access::Plain(target),
        &[topic],
    );
    migration.catch_up();
    let records = read::assert_same(source, target, topic);
    migration.verify();
    records
}

#[test]
fn a_compacted_topic_is_copied_as_its_cleaner_left_it() {
    let (source, _) = shared_pair();
    let topic = unique("compacted");
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    source.create_topic(&topic, 5, &settings);
    for codec in 0..5 {
        for batch in 0..6 {
            // Half of the keys come again in the next batch, so that the cleaner takes every second record, and tombstones stay.
            let records: Vec<Record> = (0..20)
                .map(|index| {
                    let key = if index % 2 == 0 {
                        index
                    } else {
                        batch * 20 + index
                    };
                    record(batch * 20 + index, Some(format!("key-{key}")), UTF8, 50)
                })
                .collect();
            // Each of another codec than the one before, so that they are not merged, which takes holes out by itself.
            write(
                source,
                &topic,
                codec.into(),
                (codec + batch as i16) % 5,
                &records,
            );
            // The next one begins another segment.
            wait::elapse(Duration::from_millis(120));
        }
    }
    let has_holes = |partition| {
        let (batches, _) = read::batches(source, &topic, partition, View::Uncommitted);
        let holed = batches.iter().filter(|batch| {
            let offsets = batch.last_offset - batch.base_offset + 1;
            (1..offsets).contains(&(batch.records.len() as i64))
        });
        holed.count() >= 4
    };
    for partition in 0..5 {
        wait::until("the cleaner makes holes", Duration::from_secs(90), || {
            has_holes(partition)
        });
    }
    for target in [shared_pair().1, shared_older()] {
        let records = copy(source, target, &topic);
        assert!(
            records <= 5 * (6 * 20 - 4 * 10),
            "{records} records are left"
        );
        let codecs = |kafka| -> Vec<i16> {
            let (batches, _) = read::batches(kafka, &topic, 3, View::Uncommitted);
            let data = batches.iter().filter(|batch| !batch.records.is_empty());
            data.filter(|batch| !batch.is_control)
                .map(|batch| batch.codec)
                .collect()
        };
        assert_eq!(codecs(target), codecs(source), "the codec is kept");
    }
}

#[test]
fn records_deleted_from_the_front_of_a_batch_do_not_come_back() {
    let (source, target) = shared_pair();
    let topic = unique("front");
    source.create_topic(&topic, 5, &[]);
    fill(source, &topic, 3, 10, 80);
    for partition in 0..5 {
        let before = 10 * (i64::from(partition) % 2) + 3 + i64::from(partition);
        source
            .wire_to_leader(&topic, partition)
            .expect("it has a leader")
            .delete_records(&topic, partition, before)
            .expect("the broker answers")
            .expect("the records are deleted");
        let served = read::batches(source, &topic, partition, View::Uncommitted).0;
        assert!(served[0].base_offset < before, "it begins inside a batch");
    }
    let deleted: usize = [3, 14, 5, 16, 7].iter().sum();
    assert_eq!(copy(source, target, &topic), 5 * 30 - deleted);
}

#[test]
fn records_keep_the_times_that_their_broker_gave_them() {
    let (source, target) = shared_pair();
    let topic = unique("stamped");
    source.create_topic(&topic, 5, &[("message.timestamp.type", "LogAppendTime")]);
    fill(source, &topic, 3, 10, 80);
    for partition in 0..5 {
        let records = read::partition(source, &topic, partition, View::Committed);
        let is_stamped = |record: &Record| record.timestamp > THEN + 1_000_000;
        assert!(
            records.iter().all(is_stamped),
            "readers see the broker's times"
        );
    }
    for target in [target, shared_older()] {
        assert_eq!(copy(source, target, &topic), 5 * 30);
    }
}

#[test]
fn batches_larger_than_the_target_takes_are_cut() {
    let (source, target) = shared_pair();
    let stem = unique("large");
    let (kept, forced) = (format!("{stem}-kept"), format!("{stem}-forced"));
    target.create_topic(&kept, 5, &[("max.message.bytes", "2000")]);
    // Small as they come and large as the broker writes them: it takes the codec off.
    let settings = [
        ("max.message.bytes", "9000"),
        ("compression.type", "uncompressed"),
    ];
    target.create_topic(&forced, 5, &settings);
    for topic in [&kept, &forced] {
        source.create_topic(topic, 5, &[]);
        fill(source, topic, 4, 200, 150);
        assert_eq!(copy(source, target, topic), 5 * 4 * 200);
        for partition in 0..5 {
            let of = |kafka| read::batches(kafka, topic, partition, View::Uncommitted).0;
            let (cut, whole) = (of(target), of(source));
            let written = cut.iter().filter(|batch| !batch.is_control);
            assert!(written.count() > whole.len(), "{topic}-{partition}");
            let codec = if topic == &forced { 0 } else { partition };
            let kept = cut
                .iter()
                .all(|batch| batch.is_control || i32::from(batch.codec) == codec);
            assert!(kept, "{topic}-{partition}: the codec");
        }
    }
}

#[test]
fn killed_between_the_pieces_of_a_batch_it_goes_on_with_the_next_record() {
    let (source, target) = shared_pair();
    let topic = unique("pieces");
    source.create_topic(&topic, 5, &[]);
    target.create_topic(&topic, 5, &[("max.message.bytes", "2000")]);
    fill(source, &topic, 40, 200, 150);
    let all = 5 * 40 * 200;
    let migration = Migration::new(
        &unique("pieces"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let mut amid = 0;
    for round in 0..5 {
        let tool = migration.command(&["--json", "replicate"]).start();
        super::wait_until_target_holds(target, &topic, round * 4000 + 500);
        tool.kill();
        amid += usize::from(super::held(target, &topic) < all);
    }
    assert!(amid >= 2, "{amid} kills came before the end");
    migration.catch_up();
    assert_eq!(read::assert_same(source, target, &topic) as i64, all);
}
