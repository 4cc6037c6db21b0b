//! A batch whose bytes rotted on the source's disk stops its partition there, and never reaches the target.

use std::{fs::OpenOptions, os::unix::fs::FileExt};

use crate::support::{
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration},
    unique,
};

/// Flips a bit of the last record of a partition's n-th batch, in the log file itself; answers the batch's first offset.
fn damage(kafka: &Kafka, topic: &str, partition: i32, nth: usize) -> i64 {
    let log = kafka.home().join(format!(
        "broker-0/data/{topic}-{partition}/00000000000000000000.log"
    ));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&log)
        .expect("the partition has a log");
    let mut start = 0;
    let mut head = [0; 12];
    for _ in 0..nth {
        file.read_exact_at(&mut head, start).expect("a batch");
        start += 12 + length(head);
    }
    file.read_exact_at(&mut head, start).expect("a batch");
    let (last, mut byte) = (start + 12 + length(head) - 1, [0]);
    file.read_exact_at(&mut byte, last).expect("a byte");
    file.write_all_at(&[byte[0] ^ 1], last)
        .expect("it is written");
    i64::from_be_bytes(*head.first_chunk().expect("8 of 12 bytes"))
}

fn length(head: [u8; 12]) -> u64 {
    u32::from_be_bytes(*head.last_chunk().expect("4 of 12 bytes")).into()
}

#[test]
fn a_damaged_batch_stops_its_partition_and_the_others_are_copied() {
    let (source, target) = shared_pair();
    let topic = unique("damaged");
    source.create_topic(&topic, 2, &[]);
    for _ in 0..6 {
        Load::to(&[(&topic, 2)]).fill(source, 40);
    }
    let whole = [0, 1].map(|partition| read::partition(source, &topic, partition, View::Committed));
    let (batches, _) = read::batches(source, &topic, 0, View::Uncommitted);
    assert!(batches.len() > 3, "{} batches", batches.len());
    let offset = damage(source, &topic, 0, batches.len() / 2);

    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let finished = migration.run(&["replicate", "--until", "caught-up"]);
    finished.assert_exit(10);
    finished.assert_says("K513");
    finished.assert_says(&format!("the batch at source offset {offset} is damaged"));

    for (partition, whole) in (0..).zip(&whole) {
        let copied = read::partition(target, &topic, partition, View::Uncommitted);
        let wanted: Vec<_> = whole
            .iter()
            .filter(|record| partition == 1 || record.offset < offset)
            .collect();
        assert!(!wanted.is_empty());
        assert_eq!(
            copied.len(),
            wanted.len(),
            "records of partition {partition}"
        );
        for (wanted, copied) in wanted.iter().zip(&copied) {
            assert!(wanted.is_same(copied), "{wanted:?} became {copied:?}");
        }
    }
    // It stays so: nothing is tried again behind a person's back.
    migration
        .run(&["replicate", "--until", "caught-up"])
        .assert_exit(10);
    let copied = read::partition(target, &topic, 0, View::Uncommitted);
    assert_eq!(
        copied.last().map(|record| record.offset < offset),
        Some(true)
    );
}
