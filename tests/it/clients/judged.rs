//! The whole way of all records, judged at its end: whatever was acknowledged was read once, in order, on whichever side.

use std::{collections::BTreeMap, time::Duration};

use super::Scene;
use crate::support::{
    read::{self, View},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(90);
/// Applications that write count from different numbers.
const APART: u64 = 1_000_000;

/// Numbers by the application that wrote them.
type Numbers = BTreeMap<u64, Vec<u64>>;

impl Scene<'_> {
    /// Numbers that a client of any application was told to be written, of a partition.
    fn acknowledged(&self, client: &str, partition: u64) -> Numbers {
        let acks = self
            .cast
            .noticed
            .all(|event| event.client == client && event.what == "ack");
        let numbers = acks.iter().filter_map(|ack| ack.more.parse().ok());
        let mut by_writer = Numbers::new();
        for number in numbers.filter(|number| number % 2 == partition) {
            by_writer.entry(number / APART).or_default().push(number);
        }
        by_writer.values_mut().for_each(|all| all.sort_unstable());
        by_writer
    }

    /// Numbers that the readers were given of a partition, in their order.
    fn given(&self, client: &str, topic: &str, partition: u64) -> Numbers {
        let of = format!("{} {partition} ", self.topic(topic));
        let reads = self.cast.noticed.all(|event| {
            event.who == "readers" && event.client == client && event.more.starts_with(&of)
        });
        let mut by_writer = Numbers::new();
        for read in reads {
            let number = read.more[of.len()..].parse().expect("it is a number");
            by_writer.entry(number / APART).or_default().push(number);
        }
        by_writer
    }

    /// Compares whole sequences, once nobody writes any more.
    #[track_caller]
    pub fn judge(&self) {
        let mut all = 0;
        for (library, stem) in [("java", "java"), ("librdkafka", "rdk")] {
            for (kind, topic) in [
                ("producer", stem.to_owned()),
                ("transactions", format!("{stem}-tx")),
            ] {
                for partition in 0..2 {
                    let written = self.acknowledged(&format!("{library} {kind}"), partition);
                    let given = || self.given(&format!("{library} consumer"), &topic, partition);
                    wait::whether(PATIENCE, || given() == written);
                    assert_eq!(
                        given(),
                        written,
                        "not the same records: {library}, {topic}-{partition}"
                    );
                    all += written.values().map(Vec::len).sum::<usize>();
                }
            }
        }
        // What Streams counted goes up by one each time, for every key, as often as the key was written.
        let counted = || -> BTreeMap<Vec<u8>, Vec<String>> {
            let mut counted: BTreeMap<_, Vec<String>> = BTreeMap::new();
            for partition in 0..2 {
                for record in read::partition(
                    self.source,
                    &self.topic("counts"),
                    partition,
                    View::Committed,
                ) {
                    let value = record.value.expect("it has a value");
                    let of = counted
                        .entry(record.key.expect("it has a key"))
                        .or_default();
                    of.push(String::from_utf8(value).expect("it is text"));
                }
            }
            counted
        };
        let mut wanted: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
        for partition in 0..2 {
            for number in self
                .acknowledged("java producer", partition)
                .values()
                .flatten()
            {
                let key = format!("digit-{}", number % 10).into_bytes();
                let of = wanted.entry(key).or_default();
                of.push((of.len() + 1).to_string());
            }
        }
        wait::whether(PATIENCE, || counted() == wanted);
        let counted = counted();
        for (key, wanted) in &wanted {
            let different = counted.get(key).is_none_or(|counted| counted != wanted);
            assert!(
                !different,
                "not the same records: {}: {:?}, and {} were written",
                String::from_utf8_lossy(key),
                counted.get(key),
                wanted.len()
            );
        }
        assert_eq!(counted.len(), wanted.len());
        eprintln!("{all} records, read once and in order");
    }
}
