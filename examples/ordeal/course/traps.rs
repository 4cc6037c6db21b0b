//! Topics that must stop, one for each way to make a partition stop from outside, and how each is brought about.

use std::time::Duration;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    read::{self, View},
    tool::Migration,
    wait,
};

use super::{
    disk::{change_batch, create_on_first},
    fill::{delete_before, now, record, write},
};

/// The two clusters.
pub struct Clusters {
    pub source: Kafka,
    pub target: Kafka,
}

/// What `verify` has to say of a stopped topic, in numbers of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Verdict {
    pub matching: u64,
    pub different: u64,
    pub missing: u64,
    pub extra: u64,
    pub corrupt: u64,
    pub retired: u64,
    pub excused: u64,
    /// Offsets behind the last record that the target holds.
    pub not_yet_copied: u64,
    pub absent: bool,
}

/// A topic whose partition 0 must stop; others it has must not.
pub struct Trap {
    pub topic: &'static str,
    pub code: &'static str,
    /// What is done, for the table.
    pub what: &'static str,
    /// At which source offset it stops, where that is certain.
    pub at: Option<i64>,
    /// Makes and fills the topic, before anything is copied.
    lay: fn(&Clusters, &str),
    /// What happens to it when it has been copied, while no engine runs.
    spring: Option<fn(&Clusters, &str)>,
    /// What `verify` says in the end; `None`: the topic is not on the source, so nothing is compared.
    pub verdict: Option<Verdict>,
}

/// The topic that is deleted on the source.
pub const GONE: &str = "stop-gone";

/// Records in a batch of the traps.
const BATCH: i64 = 10;

fn batch(kafka: &Kafka, topic: &str, partition: i32, codec: i16, size: usize) -> i64 {
    let from = kafka.end_offset(topic, partition).unwrap_or(0);
    let records: Vec<Record> = (from..from + BATCH)
        .map(|number| record(number, Some(format!("key-{number}")), size))
        .collect();
    write(kafka, topic, partition, codec, &records)
}

fn batches(kafka: &Kafka, topic: &str, partition: i32, count: usize) {
    for _ in 0..count {
        batch(kafka, topic, partition, 0, 80);
    }
}

/// On the source with three batches in each of so many partitions.
fn plain(clusters: &Clusters, topic: &str, partitions: i32) {
    clusters.source.create_topic(topic, partitions, &[]);
    for partition in 0..partitions {
        batches(&clusters.source, topic, partition, 3);
    }
}

/// The same, on broker 0 alone.
fn on_first(clusters: &Clusters, topic: &str, partitions: i32) {
    create_on_first(&clusters.source, topic, partitions, &[]);
    for partition in 0..partitions {
        batches(&clusters.source, topic, partition, 3);
    }
}

/// The same, with the target's topic there before, with a setting of its own.
fn set_on_target(clusters: &Clusters, topic: &str, setting: (&str, &str)) {
    plain(clusters, topic, 1);
    clusters.target.create_topic(topic, 1, &[setting]);
}

/// Two more batches, of which the first is changed on the disk.
fn spoil(
    clusters: &Clusters,
    topic: &str,
    codec: i16,
    sealed: bool,
    change: impl FnOnce(&mut [u8]),
) {
    let source = &clusters.source;
    let spoilt = batch(source, topic, 0, codec, 80);
    batches(source, topic, 0, 1);
    change_batch(source, topic, 0, spoilt, sealed, change);
}

fn delete(kafka: &Kafka, topic: &str) {
    let deleted = kafka.wire().delete_topic(topic);
    deleted
        .expect("the broker answers")
        .expect("the topic is deleted");
    wait::until("the topic is gone", Duration::from_secs(60), || {
        kafka.partitions(topic) == 0
    });
}

/// All of them, in the order of their codes.
pub fn all() -> Vec<Trap> {
    vec![
        Trap {
            topic: "stop-overtaken",
            code: "K501",
            what: "deleted on the source before it was copied",
            at: Some(30),
            lay: |clusters, topic| plain(clusters, topic, 2),
            spring: Some(|clusters, topic| {
                let source = &clusters.source;
                batches(source, topic, 0, 2);
                delete_before(source, topic, 0, 50);
                batches(source, topic, 0, 1);
                batches(source, topic, 1, 2);
            }),
            verdict: Some(Verdict {
                matching: 50,
                extra: 30,
                not_yet_copied: 10,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-cut-off",
            code: "K502",
            what: "the source's log lost its end, and grew past it again",
            at: Some(30),
            lay: |clusters, topic| on_first(clusters, topic, 1),
            spring: Some(|clusters, topic| {
                clusters.source.cut_off(topic, 0, 20);
                for _ in 0..3 {
                    batch(&clusters.source, topic, 0, 0, 90);
                }
            }),
            verdict: Some(Verdict {
                matching: 20,
                extra: 10,
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-remade-here",
            code: "K503",
            what: "made anew on the source",
            at: None,
            lay: |clusters, topic| plain(clusters, topic, 1),
            spring: Some(|clusters, topic| {
                delete(&clusters.source, topic);
                clusters.source.create_topic(topic, 1, &[]);
                batch(&clusters.source, topic, 0, 0, 90);
            }),
            verdict: Some(Verdict {
                extra: 30,
                not_yet_copied: 10,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-remade-there",
            code: "K503",
            what: "made anew on the target",
            at: None,
            lay: |clusters, topic| plain(clusters, topic, 1),
            spring: Some(|clusters, topic| {
                delete(&clusters.target, topic);
                clusters.target.create_topic(topic, 1, &[]);
            }),
            verdict: Some(Verdict {
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-too-large",
            code: "K509",
            what: "one record is larger than the target takes",
            at: Some(30),
            lay: |clusters, topic| {
                set_on_target(clusters, topic, ("max.message.bytes", "2000"));
                let large = record(30, None, 5000);
                write(&clusters.source, topic, 0, 0, &[large]);
                batches(&clusters.source, topic, 0, 1);
            },
            spring: None,
            verdict: Some(Verdict {
                matching: 30,
                not_yet_copied: 11,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-no-key",
            code: "K509",
            what: "records without a key, to a target that compacts",
            at: Some(30),
            lay: |clusters, topic| {
                set_on_target(clusters, topic, ("cleanup.policy", "compact"));
                let bare: Vec<Record> = (30..40).map(|n| record(n, None, 80)).collect();
                write(&clusters.source, topic, 0, 0, &bare);
                batches(&clusters.source, topic, 0, 1);
            },
            spring: None,
            verdict: Some(Verdict {
                matching: 30,
                not_yet_copied: 20,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-too-old",
            code: "K509",
            what: "times that the target does not take",
            at: Some(30),
            lay: |clusters, topic| {
                let limit = ("message.timestamp.before.max.ms", "86400000");
                set_on_target(clusters, topic, limit);
                let old = (30..40).map(|number| Record {
                    timestamp: now() - 90_000_000 + number,
                    ..record(number, None, 80)
                });
                write(&clusters.source, topic, 0, 0, &old.collect::<Vec<_>>());
                batches(&clusters.source, topic, 0, 1);
            },
            spring: None,
            verdict: Some(Verdict {
                matching: 30,
                not_yet_copied: 20,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-rotten",
            code: "K513",
            what: "a bit of a batch flipped on the source's disk",
            at: Some(30),
            lay: |clusters, topic| on_first(clusters, topic, 2),
            spring: Some(|clusters, topic| {
                spoil(clusters, topic, 0, false, |batch| {
                    *batch.last_mut().expect("a batch is not empty") ^= 1;
                });
                batches(&clusters.source, topic, 1, 2);
            }),
            verdict: Some(Verdict {
                matching: 80,
                corrupt: 1,
                not_yet_copied: 20,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-codec",
            code: "K514",
            what: "a batch of a codec that Kafka does not define",
            at: Some(30),
            lay: |clusters, topic| on_first(clusters, topic, 1),
            spring: Some(|clusters, topic| {
                spoil(clusters, topic, 0, true, |batch| batch[22] |= 5);
            }),
            verdict: Some(Verdict {
                matching: 30,
                corrupt: 1,
                not_yet_copied: 10,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-garbled",
            code: "K519",
            what: "to be recompressed, and does not decompress",
            at: Some(30),
            lay: |clusters, topic| {
                on_first(clusters, topic, 1);
                let forced = [("compression.type", "zstd")];
                clusters.target.create_topic(topic, 1, &forced);
            },
            spring: Some(|clusters, topic| {
                spoil(clusters, topic, 3, true, |batch| batch[61..].fill(0x55));
            }),
            verdict: Some(Verdict {
                matching: 30,
                corrupt: 1,
                not_yet_copied: 10,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-foreign",
            code: "K520",
            what: "the target held records of others",
            at: Some(0),
            lay: |clusters, topic| {
                plain(clusters, topic, 1);
                clusters.target.create_topic(topic, 1, &[]);
                batch(&clusters.target, topic, 0, 0, 90);
            },
            spring: None,
            verdict: Some(Verdict {
                extra: 10,
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-lost",
            code: "K523",
            what: "the target's log lost its end",
            at: Some(30),
            lay: |clusters, topic| {
                plain(clusters, topic, 1);
                create_on_first(&clusters.target, topic, 1, &[]);
            },
            spring: Some(|clusters, topic| {
                let (batches, _) = read::batches(&clusters.target, topic, 0, View::Uncommitted);
                let mut data = batches.iter().filter(|batch| !batch.is_control);
                let last = data.next_back().expect("it was copied").base_offset;
                clusters.target.cut_off(topic, 0, last);
            }),
            verdict: Some(Verdict {
                matching: 20,
                not_yet_copied: 10,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-undeletable",
            code: "K524",
            what: "to be copied again, and the target does not delete",
            at: None,
            lay: |clusters, topic| {
                set_on_target(clusters, topic, ("cleanup.policy", "compact"));
                batch(&clusters.target, topic, 0, 0, 90);
            },
            spring: None,
            verdict: Some(Verdict {
                extra: 10,
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: GONE,
            code: "K525",
            what: "deleted on the source",
            at: None,
            lay: |clusters, topic| plain(clusters, topic, 1),
            spring: Some(|clusters, topic| delete(&clusters.source, topic)),
            verdict: None,
        },
        Trap {
            topic: "stop-more-there",
            code: "K550",
            what: "more partitions on the target",
            at: Some(0),
            lay: |clusters, topic| {
                plain(clusters, topic, 1);
                clusters.target.create_topic(topic, 2, &[]);
            },
            spring: None,
            verdict: Some(Verdict {
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-name.clash",
            code: "K551",
            what: "the target holds a topic whose name clashes",
            at: Some(0),
            lay: |clusters, topic| {
                plain(clusters, topic, 1);
                clusters.target.create_topic("stop-name_clash", 1, &[]);
            },
            spring: None,
            verdict: Some(Verdict {
                not_yet_copied: 30,
                absent: true,
                ..Verdict::default()
            }),
        },
        Trap {
            topic: "stop-stamping",
            code: "K555",
            what: "the target stamps records itself",
            at: Some(0),
            lay: |clusters, topic| {
                set_on_target(clusters, topic, ("message.timestamp.type", "LogAppendTime"));
            },
            spring: None,
            verdict: Some(Verdict {
                not_yet_copied: 30,
                ..Verdict::default()
            }),
        },
    ]
}

impl Trap {
    /// Makes and fills the topic.
    pub fn lay(&self, clusters: &Clusters) {
        (self.lay)(clusters, self.topic);
    }

    /// Lets happen what stops it, if it does not from the start.
    pub fn spring(&self, clusters: &Clusters) {
        if let Some(spring) = self.spring {
            spring(clusters, self.topic);
        }
    }

    /// What a person has to say for it to stop so.
    pub fn ask(&self, migration: &Migration) -> Option<Vec<String>> {
        let word = format!("{}:0", self.topic);
        let name = migration.name.clone();
        let words = ["--recopy", &word, "--confirm", &name].map(str::to_owned);
        (self.code == "K524").then(|| words.to_vec())
    }

    /// What the target holds of each partition, as a reader of everything is given it.
    pub fn held(&self, target: &Kafka) -> Vec<Vec<Record>> {
        (0..target.partitions(self.topic))
            .map(|number| read::partition(target, self.topic, number, View::Uncommitted))
            .collect()
    }
}
