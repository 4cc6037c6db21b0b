//! Both directions at once between real clusters, with the same names on both sides.

mod clients;
mod echo;
mod groups;
mod lossy;
mod merge;
mod places;
mod strangers;
mod wildcard;

use std::time::Duration;

use kafka_migrate::engine::ledger::record::{Entry, Record as Said};

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    read::{self, View},
    tool::Migration,
    wait,
};

/// What records begin with that were written on the source, and on the target.
const ON_SOURCE: &str = "a:";
const ON_TARGET: &str = "b:";

/// Producer ids and epochs under which a direction writes, from its ledger.
pub fn identities(kafka: &Kafka, ledger: &str) -> Vec<(i64, i16)> {
    let mut found = Vec::new();
    for partition in 0..kafka.partitions(ledger) {
        for record in read::partition(kafka, ledger, partition, View::Uncommitted) {
            let said = Said::decode(record.value.as_deref().unwrap_or_default());
            for entry in said.expect("a ledger record").entries {
                if let Entry::Identity {
                    producer_id, epoch, ..
                } = entry
                {
                    found.push((producer_id, epoch));
                }
            }
        }
    }
    found
}

/// A migration of these topics, both ways.
fn two_way(source: &Kafka, target: &Kafka, name: &str, topics: &[&str]) -> Migration {
    use crate::support::tool::Access::Plain;
    let migration = Migration::new(name, Plain(source), Plain(target), topics);
    migration.edit("[replication]\n", "[replication]\ntwo_way = true\n");
    migration
}

/// Those of a partition's records that were written on one side, in order.
fn written_on(kafka: &Kafka, topic: &str, partition: i32, mark: &str) -> Vec<Record> {
    let mut records = read::partition(kafka, topic, partition, View::Committed);
    records.retain(|record| {
        let says = record.key.as_ref().or(record.value.as_ref());
        says.is_some_and(|says| says.starts_with(mark.as_bytes()))
    });
    records
}

/// Every record of either side stands on both, once, and in the order in which it was written. Answers how many of the source's and the
/// target's there are.
#[track_caller]
fn assert_both_have_all(source: &Kafka, target: &Kafka, topic: &str) -> (usize, usize) {
    let mut counts = [0, 0];
    for partition in 0..source.partitions(topic) {
        let all = |kafka| read::partition(kafka, topic, partition, View::Committed).len();
        let mut known = 0;
        for (index, (mark, written, copied)) in
            [(ON_SOURCE, source, target), (ON_TARGET, target, source)]
                .into_iter()
                .enumerate()
        {
            let written = written_on(written, topic, partition, mark);
            let copied = written_on(copied, topic, partition, mark);
            let pairs = written.iter().zip(&copied);
            for (at, (wanted, got)) in pairs.enumerate() {
                assert!(
                    wanted.is_same(got),
                    "{topic}-{partition}: record {at} of {mark} differs: written at {} {:?}, copied at {} {:?}",
                    wanted.offset,
                    wanted.key,
                    got.offset,
                    got.key,
                );
            }
            assert_eq!(
                written.len(),
                copied.len(),
                "{topic}-{partition}: records of {mark} written, and copied"
            );
            counts[index] += written.len();
            known += written.len();
        }
        assert_eq!(all(source), known, "{topic}-{partition}: on the source");
        assert_eq!(all(target), known, "{topic}-{partition}: on the target");
    }
    (counts[0], counts[1])
}

/// Committed records of a topic on one side.
/// How many records there are of each side's, and in all.
fn count(kafka: &Kafka, topic: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for partition in 0..kafka.partitions(topic) {
        for record in read::partition(kafka, topic, partition, View::Committed) {
            let says = record.key.as_ref().or(record.value.as_ref());
            for (count, mark) in counts.iter_mut().zip([ON_SOURCE, ON_TARGET, ""]) {
                let is_of = says.is_none_or(|says| says.starts_with(mark.as_bytes()));
                *count += usize::from(is_of);
            }
        }
    }
    counts
}

/// Waits until both sides hold as many records of either side's: as many in all they also hold while as many are missing here as there.
#[track_caller]
fn wait_until_even(source: &Kafka, target: &Kafka, topics: &[&str], said: &dyn Fn() -> String) {
    let even = || {
        topics.iter().all(|topic| {
            target.partitions(topic) > 0 && count(source, topic) == count(target, topic)
        })
    };
    assert!(
        wait::whether(Duration::from_secs(90), even),
        "both sides never held as much: {:?}\n{}",
        topics
            .iter()
            .map(|topic| (count(source, topic), count(target, topic)))
            .collect::<Vec<_>>(),
        said()
    );
}
