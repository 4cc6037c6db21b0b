//! Positions judged from two real logs against what was written there: records that are alike, both sides written at once, markers of
//! transactions in between.

use std::{collections::BTreeMap, time::Duration};

use kafka_migrate::{
    cluster::{Cluster, Source, Target},
    model::names::{Side, TopicPartition},
    phases::{
        by_content::{ByContent, MSK_MARK},
        carrier::{Carrier as _, Ends, Place},
    },
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::story::connection;
use crate::support::{Dice, kafka::Kafka, seed, shared_pair, unique};

const PATIENCE: Duration = Duration::from_secs(30);
/// Partitions: each is a history of its own.
const HISTORIES: i32 = 12;

/// A record: written on which side as the how-manieth there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    of: usize,
    number: usize,
}

/// Both logs of a partition, and what the records of each side say.
#[derive(Debug, Default)]
struct History {
    logs: [Vec<Record>; 2],
    says: [Vec<u64>; 2],
    /// Where each record stands, by log.
    offsets: [Vec<i64>; 2],
}

impl History {
    /// Both sides are written, and copied both ways, in some order; `alike`: records say one of three things.
    fn random(dice: &mut Dice, alike: bool) -> Self {
        let mut history = Self::default();
        let mut copied = [0, 0];
        for _ in 0..120 {
            let side = usize::try_from(dice.between(0, 2)).unwrap();
            if dice.chance(0.5) {
                let number = history.says[side].len();
                let says = match alike {
                    true => dice.between(0, 3),
                    false => (number * 2 + side) as u64 + 100,
                };
                history.says[side].push(says);
                history.logs[side].push(Record { of: side, number });
            } else {
                history.copy(side, &mut copied, 1);
            }
        }
        // All of the source has arrived; of the target all but the last few.
        history.copy(0, &mut copied, usize::MAX);
        let left = history.says[1].len() - copied[1];
        history.copy(
            1,
            &mut copied,
            left.saturating_sub(usize::try_from(dice.between(0, 4)).unwrap()),
        );
        history
    }

    /// The next records written on a side are copied to the other.
    fn copy(&mut self, side: usize, copied: &mut [usize; 2], count: usize) {
        let until = copied[side]
            .saturating_add(count)
            .min(self.says[side].len());
        for number in copied[side]..until {
            self.logs[1 - side].push(Record { of: side, number });
        }
        copied[side] = until;
    }

    /// Writes a log as it is; offsets are learned from the transactions that stand in between.
    fn write(&mut self, kafka: &Kafka, side: usize, topic: &str, partition: i32, dice: &mut Dice) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", kafka.bootstrap().join(","))
            .set("transactional.id", unique("history"))
            .create()
            .expect("a producer can be made");
        producer.init_transactions(PATIENCE).expect("it begins");
        let mut offset = 0;
        let mut open = false;
        for record in self.logs[side].clone() {
            if !open {
                producer.begin_transaction().expect("it begins");
                open = true;
            }
            let value = self.says[record.of][record.number].to_string();
            let mut sent = BaseRecord::<(), String>::to(topic)
                .partition(partition)
                .timestamp(1_700_000_000_000)
                .payload(&value);
            if record.of != side {
                let mark = Header {
                    key: "__mskmr",
                    value: Some("elsewhere"),
                };
                sent = sent.headers(OwnedHeaders::new().insert(mark));
            }
            producer
                .send(sent)
                .map_err(|(error, _)| error)
                .expect("it is sent");
            self.offsets[side].push(offset);
            offset += 1;
            if dice.chance(0.2) {
                producer.commit_transaction(PATIENCE).expect("it ends");
                open = false;
                // Its marker.
                offset += 1;
            }
        }
        if open {
            producer.commit_transaction(PATIENCE).expect("it ends");
        }
    }

    /// Did a group that stands here on the source read it?
    fn was_read(&self, committed: i64, record: Record) -> bool {
        let mut log = self.logs[0].iter().zip(&self.offsets[0]);
        log.any(|(one, offset)| *one == record && *offset < committed)
    }

    /// The place on the target that skips nothing; `None`: its end.
    fn exact(&self, committed: i64) -> Option<i64> {
        let mut log = self.logs[1].iter().zip(&self.offsets[1]);
        log.find(|(record, _)| !self.was_read(committed, **record))
            .map(|(_, offset)| *offset)
    }

    fn again(&self, committed: i64, from: i64) -> u64 {
        let log = self.logs[1].iter().zip(&self.offsets[1]);
        let again =
            log.filter(|(record, offset)| **offset >= from && self.was_read(committed, **record));
        again.count() as u64
    }
}

fn commit(kafka: &Kafka, group: &str, topic: &str, positions: &BTreeMap<i32, i64>) {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("group.id", group)
        .create()
        .expect("a client can be made");
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .expect("it is an offset");
    }
    client
        .commit(&list, CommitMode::Sync)
        .expect("it is committed");
}

fn judged(alike: bool) {
    let (source, target) = shared_pair();
    let seed = seed();
    let mut dice = Dice::new(seed);
    let topic = unique(if alike { "alike" } else { "apart" });
    for kafka in [source, target] {
        kafka.create_topic(&topic, HISTORIES, &[]);
        kafka.wait_for_partitions(&topic, HISTORIES);
    }
    let mut histories: Vec<History> = (0..HISTORIES)
        .map(|_| History::random(&mut dice, alike))
        .collect();
    for (partition, history) in (0..).zip(&mut histories) {
        history.write(source, 0, &topic, partition, &mut dice);
        history.write(target, 1, &topic, partition, &mut dice);
    }
    let ends = |kafka: &Kafka| kafka.end_offsets(&topic).expect("it is there");
    let (here, there) = (ends(source), ends(target));
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    let at = |partition: i32| TopicPartition::new(topic.as_str(), partition);
    let below: Ends = (0..)
        .zip(&here)
        .map(|(partition, end)| (at(partition), *end))
        .collect();
    let carrier = runtime.block_on(async {
        let source = Source::connect(&connection(Side::Source, source)).await;
        let target = Target::connect(&connection(Side::Target, target)).await;
        let source: Cluster = (*source.expect("it answers")).clone();
        let target: Cluster = (*target.expect("it answers")).clone();
        ByContent::new(source, target, MSK_MARK)
    });
    let behind = runtime.block_on(carrier.behind(Side::Source, &below));
    assert_eq!(behind.expect("it can be told"), [], "all has arrived");
    let (mut skips, mut repeats) = (0, 0);
    for _ in 0..3 {
        let group = unique("reader");
        let some = |ends: &[i64], dice: &mut Dice| -> BTreeMap<i32, i64> {
            let one = |end: &i64| i64::try_from(dice.between(0, end.unsigned_abs() + 1)).unwrap();
            (0..).zip(ends.iter().map(one)).collect()
        };
        let (committed, stands) = (some(&here, &mut dice), some(&there, &mut dice));
        commit(source, &group, &topic, &committed);
        commit(target, &group, &topic, &stands);
        let told = runtime.block_on(carrier.positions(Side::Source, &group, &below));
        let told = told.expect("it can be told");
        assert_eq!(told.len(), histories.len());
        for one in told {
            let partition = one.at.partition;
            let history = &histories[usize::try_from(partition).unwrap()];
            let (committed, stands) = (committed[&partition], stands[&partition]);
            let end = there[usize::try_from(partition).unwrap()];
            let wanted = history.exact(committed).unwrap_or(end);
            let when = format!(
                "seed {seed}, partition {partition}, committed {committed}, stands {stands}: {one:?}, wanted {wanted}\n{history:?}"
            );
            let Place::Known {
                exact,
                stands: Some(_),
                again,
                skips: does_skip,
            } = one.place
            else {
                panic!("{when}");
            };
            // Where records are alike it may err, but only to the safe side.
            assert!(exact <= wanted, "{when}");
            assert!(does_skip || stands <= wanted, "{when}");
            if !alike {
                assert_eq!(exact, wanted, "{when}");
                assert_eq!(does_skip, stands > wanted, "{when}");
                if !does_skip {
                    assert_eq!(again, history.again(committed, stands), "{when}");
                }
            }
            skips += usize::from(does_skip);
            repeats += again;
        }
    }
    assert!(skips > 0 && repeats > 0, "seed {seed}: {skips} {repeats}");
}

#[test]
fn positions_of_records_that_differ_are_exact_and_what_is_read_again_is_counted() {
    judged(false);
}

#[test]
fn positions_of_records_that_are_alike_never_skip() {
    judged(true);
}
