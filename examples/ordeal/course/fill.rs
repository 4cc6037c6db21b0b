//! Topics that must arrive whole: every codec, every kind of batch, and whatever compaction, deletion and transactions leave behind.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    wait,
};

use super::transactions;

/// Written to all the time.
pub const MIXED: (&str, i32) = ("clean-mixed", 4);
/// Grows from one partition to this many on the way.
pub const GROWN: (&str, i32) = ("clean-grown", 3);
/// Small transactions all the time, every second one aborted.
pub const TRANSACTIONS: &str = "clean-transactions";
/// An open transaction holds it back until the end.
pub const HELD_BACK: &str = "clean-held-back";
/// The cleaner makes holes in it.
pub const COMPACTED: &str = "clean-compacted";

const TEN_YEARS: Duration = Duration::from_hours(10 * 365 * 24);
const RAW_NAMES: [&[u8]; 2] = [b"\xff\xfe not utf-8", b"\xc3("];
const TEXT_NAMES: [&[u8]; 2] = ["zwölf".as_bytes(), b"plain"];

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("it is later than 1970").as_millis()).expect("times fit")
}

/// A record with headers of one name twice, an empty and a null value; every ninth is a tombstone.
pub fn record(number: i64, key: Option<String>, size: usize) -> Record {
    named(number, key, size, RAW_NAMES)
}

fn named(number: i64, key: Option<String>, size: usize, names: [&[u8]; 2]) -> Record {
    let text = format!("{number}/{}", (number * 7919) % 1_000_003);
    let value: Vec<u8> = text.bytes().cycle().take(size).collect();
    let header = |name: &[u8], value: Option<&[u8]>| (name.to_vec(), value.map(<[u8]>::to_vec));
    Record {
        offset: 0,
        timestamp: now() - number % 3 * 7,
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

/// Writes records as one batch, compressed with the codec of this number; answers its first offset.
#[track_caller]
pub fn write(kafka: &Kafka, topic: &str, partition: i32, codec: i16, records: &[Record]) -> i64 {
    let batch = codecs::encode_as(codec, Envelope::PLAIN, records);
    let mut wire = kafka
        .wire_to_leader(topic, partition)
        .expect("it has a leader");
    let answer = wire.produce(topic, partition, &batch);
    answer
        .expect("the broker answers")
        .unwrap_or_else(|code| panic!("{topic}-{partition} takes the batch: {code}"))
}

/// Batches of every codec, one codec to a partition.
fn write_all_codecs(kafka: &Kafka, topic: &str, batches: i64, records: i64, size: usize) {
    for codec in 0..5 {
        for batch in 0..batches {
            let records: Vec<Record> = (0..records)
                .map(|index| record(batch * records + index, None, size))
                .collect();
            write(kafka, topic, codec.into(), codec, &records);
        }
    }
}

/// Deletes a partition's records below an offset.
pub fn delete_before(kafka: &Kafka, topic: &str, partition: i32, offset: i64) {
    let wire = kafka.wire_to_leader(topic, partition);
    wire.expect("it has a leader")
        .delete_records(topic, partition, offset)
        .expect("the broker answers")
        .expect("the records are deleted");
}

/// Makes and fills all topics; on the target only those that it has to have with other settings than the source.
pub fn fill(source: &Kafka, target: &Kafka, records: u64) {
    source.create_topic(MIXED.0, MIXED.1, &[]);
    Load::to(&[MIXED]).fill(source, records);
    source.create_topic(GROWN.0, 1, &[]);
    Load::to(&[(GROWN.0, 1)]).fill(source, records / 20);
    for topic in [TRANSACTIONS, HELD_BACK] {
        source.create_topic(topic, 1, &[]);
    }

    source.create_topic("clean-overlapping", 2, &[]);
    transactions::write_overlapping(source, "clean-overlapping", 2);

    source.create_topic("clean-old", 2, &[]);
    Load::to(&[("clean-old", 2)])
        .age(TEN_YEARS)
        .fill(source, records / 20);

    source.create_topic("clean-tiny", 2, &[]);
    for number in 0..i64::try_from(records / 50).expect("few records") {
        let partition = i32::try_from(number % 2).expect("0 or 1");
        write(
            source,
            "clean-tiny",
            partition,
            0,
            &[record(number, None, 80)],
        );
    }

    source.create_topic("clean-front", 5, &[]);
    write_all_codecs(source, "clean-front", 3, 10, 80);
    for partition in 0..5 {
        // Inside a batch.
        delete_before(source, "clean-front", partition, 13 + i64::from(partition));
    }

    source.create_topic(
        "clean-stamped",
        5,
        &[("message.timestamp.type", "LogAppendTime")],
    );
    write_all_codecs(source, "clean-stamped", 3, 10, 80);

    source.create_topic("clean-large", 5, &[]);
    target.create_topic("clean-large", 5, &[("max.message.bytes", "2000")]);
    write_all_codecs(source, "clean-large", 3, 100, 150);

    source.create_topic("clean-forced", 5, &[]);
    target.create_topic("clean-forced", 5, &[("compression.type", "zstd")]);
    write_all_codecs(source, "clean-forced", 3, 20, 150);

    fill_compacted(source);
}

/// Half of the keys come again in the next batch, each of which begins a segment, so that the cleaner takes every second record.
fn fill_compacted(source: &Kafka) {
    const BATCHES: i64 = 6;
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    source.create_topic(COMPACTED, 2, &settings);
    for batch in 0..BATCHES {
        for partition in 0..2 {
            let records: Vec<Record> = (0..20)
                .map(|index| {
                    let number = batch * 20 + index;
                    let key = if index % 2 == 0 { index } else { number };
                    named(number, Some(format!("key-{key}")), 50, TEXT_NAMES)
                })
                .collect();
            write(source, COMPACTED, partition, 3, &records);
        }
        // The next one begins another segment.
        wait::elapse(Duration::from_millis(120));
    }
    // The last batch is in the active segment, which is never cleaned, and the one before is the last of those that are.
    let left = usize::try_from(BATCHES * 10 + 2 * 10).expect("few records");
    for partition in 0..2 {
        wait::until("the cleaner is done", Duration::from_secs(90), || {
            read::partition(source, COMPACTED, partition, View::Committed).len() <= left
        });
    }
}
