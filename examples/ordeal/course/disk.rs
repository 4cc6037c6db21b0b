//! What no client can do: topics placed on one broker, and batches changed in its files while it runs.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crate::support::{kafka::Kafka, raw::Body};

/// Makes a topic of one replica, all of it on broker 0.
pub fn create_on_first(kafka: &Kafka, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    // CreateTopics v2, with the brokers named; `node.id` is the index and one.
    let mut body = Body::default().i32(1).text(topic).i32(-1).i16(-1);
    body = body.i32(partitions);
    for partition in 0..partitions {
        body = body.i32(partition).i32(1).i32(1);
    }
    body = body.i32(i32::try_from(configs.len()).expect("few configs"));
    for (key, value) in configs {
        body = body.text(key).text(value);
    }
    let mut wire = kafka.wire();
    let answer = wire.call(19, 2, body.i32(30_000).i8(0));
    let mut answer = answer.expect("the broker answers");
    answer.i32();
    let codes = answer.array(|a| {
        a.text();
        let code = a.i16();
        (code, a.text())
    });
    assert_eq!(codes[0].0, 0, "{topic} cannot be created: {codes:?}");
    kafka.wait_for_partitions(topic, partitions);
}

fn log_of(home: &Path, topic: &str, partition: i32) -> PathBuf {
    home.join(format!(
        "broker-0/data/{topic}-{partition}/00000000000000000000.log"
    ))
}

/// Changes the batch that begins at `offset` in the log of broker 0. The length stays; the checksum is made right if `sealed`.
pub fn change_batch(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    offset: i64,
    sealed: bool,
    change: impl FnOnce(&mut [u8]),
) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(log_of(kafka.home(), topic, partition))
        .expect("broker 0 holds the partition");
    let mut start = 0;
    loop {
        let mut head = [0; 12];
        file.read_exact_at(&mut head, start)
            .unwrap_or_else(|error| {
                panic!("{topic}-{partition} has no batch at {offset}: {error}")
            });
        let base = i64::from_be_bytes(*head.first_chunk().expect("8 of 12 bytes"));
        let rest = u32::from_be_bytes(*head.last_chunk().expect("4 of 12 bytes"));
        let length = 12 + rest as usize;
        if base == offset {
            let mut batch = vec![0; length];
            file.read_exact_at(&mut batch, start)
                .expect("a whole batch");
            change(&mut batch);
            if sealed {
                let crc = crc_fast::crc32_iscsi(&batch[21..]);
                batch[17..21].copy_from_slice(&crc.to_be_bytes());
            }
            file.write_all_at(&batch, start).expect("it is written");
            return;
        }
        start += length as u64;
    }
}
