//! A topic made anew with the records it had, each still under the producer that wrote it, but for what a test changes.

use std::collections::HashMap;

use crate::support::{
    codecs::{Envelope, Record, encode},
    kafka::Kafka,
    read::{self, View},
    tool::PATIENCE,
    wait,
};

/// A record, and under which producer id and epoch it stands.
#[derive(Debug, Clone)]
pub struct Written {
    pub by: (i64, i16),
    pub record: Record,
}

/// A partition's records, in order.
pub fn log(kafka: &Kafka, topic: &str, partition: i32) -> Vec<Written> {
    let (batches, _) = read::batches(kafka, topic, partition, View::Uncommitted);
    let data = batches.into_iter().filter(|batch| !batch.is_control);
    let records = data.flat_map(|batch| {
        let by = (batch.producer_id, batch.producer_epoch);
        let written = move |record| Written { by, record };
        batch.records.into_iter().map(written)
    });
    records.collect()
}

/// Writes one record as a batch of its own; answers its offset.
pub fn write(
    kafka: &Kafka,
    topic: &str,
    partition: i32,
    record: &Record,
    envelope: Envelope,
) -> i64 {
    let batch = encode(envelope, std::slice::from_ref(record));
    let mut wire = kafka.wire_to_leader(topic, partition).expect("a leader");
    let produced = wire.produce(topic, partition, &batch);
    produced.expect("an answer").expect("it is written")
}

/// Deletes the topic and makes it again with these records, one batch each.
pub fn rebuild(kafka: &Kafka, topic: &str, configs: &[(&str, &str)], partitions: &[Vec<Written>]) {
    let deleted = kafka.wire().delete_topic(topic);
    deleted.expect("an answer").expect("it is deleted");
    wait::until("the topic is gone", PATIENCE, || {
        kafka.partitions(topic) == 0
    });
    let count = i32::try_from(partitions.len()).expect("few partitions");
    kafka.create_topic(topic, count, configs);
    for (partition, records) in (0..).zip(partitions) {
        let mut sequences: HashMap<(i64, i16), i32> = HashMap::new();
        let mut wire = kafka.wire_to_leader(topic, partition).expect("a leader");
        for Written { by, record } in records {
            let next = sequences.entry(*by).or_default();
            let envelope = match by.0 {
                ..0 => Envelope::PLAIN,
                _ => Envelope {
                    producer_id: by.0,
                    producer_epoch: by.1,
                    base_sequence: *next,
                },
            };
            *next += 1;
            let batch = encode(envelope, std::slice::from_ref(record));
            let produced = wire.produce(topic, partition, &batch);
            produced.expect("an answer").expect("it is written");
        }
    }
}
