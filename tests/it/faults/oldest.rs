//! Apache Kafka 2.8, the oldest that is spoken to, copied from and copied to.

use super::{holes, wait_until_copying};
use crate::support::{
    kafka::Kafka,
    load::{self, Load},
    read, shared_oldest, shared_pair,
    tool::{Access, Migration},
    unique,
};

/// Idempotent and transactional records, aborted ones among them, while it is killed again and again.
fn copy_with_kills(source: &Kafka, target: &Kafka) {
    let (topic, transactions) = (unique("oldest"), unique("oldest-transactions"));
    source.create_topic(&topic, 4, &[]);
    source.create_topic(&transactions, 1, &[]);
    load::write_transactions(source, &transactions, 10, 7);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic, &transactions],
    );
    let loader = Load::to(&[(&topic, 4)]).keep_writing(source, 1000);
    for _ in 0..4 {
        let mut tool = migration.command(&["--json", "replicate"]).start();
        wait_until_copying(&mut tool, target, &topic);
        tool.kill();
    }
    load::write_transactions(source, &transactions, 10, 7);
    loader.stop();
    migration.catch_up();
    assert!(read::assert_same(source, target, &topic) > 0);
    // Five of ten transactions are committed, each time.
    let committed = read::assert_same(source, target, &transactions);
    assert_eq!(committed, 2 * 5 * 7);
    migration.verify();
}

#[test]
fn from_2_8_to_the_newest_with_kills_every_record_arrives_once() {
    copy_with_kills(shared_oldest(), shared_pair().1);
}

#[test]
fn from_the_newest_to_2_8_with_kills_every_record_arrives_once() {
    copy_with_kills(shared_pair().0, shared_oldest());
}

/// 2.8 refuses the flag of a broker's time where later brokers clear it (D3).
#[test]
fn a_broker_s_times_and_every_codec_reach_2_8() {
    let (source, target) = (shared_pair().0, shared_oldest());
    for stamped in ["LogAppendTime", "CreateTime"] {
        let topic = unique("oldest-times");
        source.create_topic(&topic, 5, &[("message.timestamp.type", stamped)]);
        holes::fill(source, &topic, 3, 10, 80);
        assert_eq!(holes::copy(source, target, &topic), 5 * 30);
    }
}
