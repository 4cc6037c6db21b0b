//! Batches that nobody can copy: each stops its partition under its own code, and what is given up is that batch and nothing else.

use std::{fs::OpenOptions, os::unix::fs::FileExt as _};

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    read::{self, View},
    shared_pair,
    tool::Migration,
    unique,
};

use super::{
    holes::{NAMES, record, write},
    stops::{status, stops},
    stops_past::replicate,
};

const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const COUNT: usize = 57;

/// What happens to a batch's bytes on the source's disk.
struct Fault {
    code: &'static str,
    says: &'static str,
    /// How many records the batch had.
    records: i64,
    spoil: fn(&mut Vec<u8>),
}

const FAULTS: [Fault; 5] = [
    Fault {
        code: "K513",
        says: "is damaged",
        records: 4,
        spoil: |batch| *batch.last_mut().expect("a batch") ^= 1,
    },
    Fault {
        code: "K514",
        says: "compressed with codec 6",
        records: 4,
        spoil: |batch| {
            batch[ATTRIBUTES + 1] |= 6;
            sign(batch);
        },
    },
    Fault {
        code: "K515",
        says: "message format 1",
        // Without a codec every message of that format has an offset of its own.
        records: 1,
        spoil: |batch| {
            batch[MAGIC] = 1;
            // Its attributes stand where the checksum is now.
            batch[CRC] = 0;
        },
    },
    Fault {
        code: "K516",
        says: "-4 records",
        records: 4,
        spoil: |batch| {
            batch[COUNT..COUNT + 4].copy_from_slice(&(-4i32).to_be_bytes());
            sign(batch);
        },
    },
    Fault {
        code: "K519",
        says: "cannot be taken apart",
        records: 4,
        // A hole, so that it has to be taken apart, and bytes that are no zstd.
        spoil: |batch| {
            batch[ATTRIBUTES + 1] |= 4;
            batch[COUNT..COUNT + 4].copy_from_slice(&3i32.to_be_bytes());
            sign(batch);
        },
    },
];

/// As if it had been written so.
fn sign(batch: &mut [u8]) {
    let crc = crc_fast::crc32_iscsi(&batch[ATTRIBUTES..]);
    batch[CRC..ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
}

/// Spoils the batch that begins at `offset`, in the log file itself.
fn spoil(kafka: &Kafka, topic: &str, partition: i32, offset: i64, spoil: fn(&mut Vec<u8>)) {
    let path = kafka.segment(topic, partition);
    let bytes = std::fs::read(&path).expect("the broker holds the partition");
    let mut start = 0;
    loop {
        let size = u32::from_be_bytes(bytes[start + 8..start + 12].try_into().expect("four bytes"));
        let end = start + 12 + size as usize;
        if bytes[start..start + 8] == offset.to_be_bytes() {
            let mut batch = bytes[start..end].to_vec();
            spoil(&mut batch);
            let file = OpenOptions::new().write(true).open(&path);
            let written = file.and_then(|file| file.write_all_at(&batch, start as u64));
            return written.expect("the scratch directory is writable");
        }
        start = end;
    }
}

#[track_caller]
fn assert_holds(target: &Kafka, topic: &str, partition: i32, wanted: &[Record]) {
    let found = read::partition(target, topic, partition, View::Uncommitted);
    let different = wanted
        .iter()
        .zip(&found)
        .position(|(one, other)| !one.is_same(other));
    assert_eq!(
        (different, wanted.len()),
        (None, found.len()),
        "{topic}-{partition}: the first difference, and how many records there are"
    );
}

#[test]
fn batches_that_cannot_be_copied_are_given_up_alone() {
    let (source, target) = shared_pair();
    let topic = unique("broken");
    let partitions = i32::try_from(FAULTS.len()).expect("few");
    source.create_topic(&topic, partitions, &[]);
    let mut all = Vec::new();
    for (partition, fault) in (0..).zip(&FAULTS) {
        let mut next = 0;
        let mut write = |count: i64| {
            let records: Vec<Record> = (next..next + count)
                .map(|number| record(number, None, NAMES, 60))
                .collect();
            next += count;
            write(source, &topic, partition, 0, &records);
            records
        };
        let (before, _, after) = (write(5), write(fault.records), write(3));
        spoil(source, &topic, partition, 5, fault.spoil);
        all.push((before, after));
    }
    let migration = Migration::of_topic(source, target, &topic);
    let words: Vec<String> = (0..partitions)
        .map(|partition| format!("{topic}:{partition}@5"))
        .collect();
    let finished = stops(&migration, &[]);
    for ((partition, fault), word) in (0..).zip(&FAULTS).zip(&words) {
        finished.assert_says(fault.code);
        finished.assert_says(fault.says);
        finished.assert_says(&format!(
            "give up source offsets 5 to {}, and go on at {}",
            4 + fault.records,
            5 + fault.records
        ));
        finished.assert_says(&format!("--accept-gap {word}"));
        assert_holds(target, &topic, partition, &all[partition as usize].0);
    }
    let stopped = status(&migration)["stopped"].clone();
    let codes: Vec<_> = (0..FAULTS.len())
        .map(|at| stopped[at]["code"].clone())
        .collect();
    assert_eq!(codes, FAULTS.map(|fault| fault.code), "by partition");

    let mut flags = Vec::new();
    for word in &words {
        flags.extend(["--accept-gap", word.as_str()]);
    }
    // The second time gives up nothing more.
    for _ in 0..2 {
        replicate(&migration, &flags).assert_exit(0);
        for (partition, (before, after)) in (0..).zip(&all) {
            assert_holds(
                target,
                &topic,
                partition,
                &[&before[..], &after[..]].concat(),
            );
        }
    }
    let decided = status(&migration)["decided"].clone();
    for (at, fault) in FAULTS.iter().enumerate() {
        let (from, to) = (&decided[at]["from"], &decided[at]["to"]);
        assert_eq!(
            (from, to),
            (&5.into(), &(5 + fault.records).into()),
            "{decided}"
        );
    }
}
