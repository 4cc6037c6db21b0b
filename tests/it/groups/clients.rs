//! Clients of applications, Java's and librdkafka's: each goes on over there with exactly the record behind the last that it read here.

use std::{process::Stdio, time::Duration};

use rdkafka::{
    Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};

use super::{PATIENCE, migration, right, settings, wait_until_it_stands};
use crate::{
    faults::event,
    support::{
        kafka::Kafka,
        load,
        read::{self, View},
        shared_pair, unique, wait,
    },
};

/// A record as a client hands it to an application.
type Read = (i64, Vec<u8>);

/// Who reads.
#[derive(Debug, Clone, Copy)]
enum Client {
    /// Java's consumer in a group of the protocol that all brokers speak.
    Java,
    /// The same in a group of the protocol in which the broker assigns (KIP-848).
    JavaOfTheBroker,
    /// librdkafka.
    Librdkafka,
}

impl Client {
    const ALL: [Self; 3] = [Self::Java, Self::JavaOfTheBroker, Self::Librdkafka];

    /// Reads so many records as the only member of a group, from where it stands, and leaves it standing behind them. A group that stands
    /// nowhere fails unless it may `begin`.
    fn read(self, kafka: &Kafka, group: &str, topic: &str, count: usize, begin: bool) -> Vec<Read> {
        let reset = if begin { "earliest" } else { "none" };
        match self {
            Self::Java => java(kafka, group, topic, count, reset, "classic"),
            Self::JavaOfTheBroker => java(kafka, group, topic, count, reset, "consumer"),
            Self::Librdkafka => librdkafka(
                kafka,
                group,
                topic,
                count,
                if begin { reset } else { "error" },
            ),
        }
    }
}

/// With the console consumer that Apache Kafka comes with. It commits behind the last record that it printed.
fn java(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    count: usize,
    reset: &str,
    protocol: &str,
) -> Vec<Read> {
    let mut command = kafka.java("-Xmx128m");
    command
        .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .args(["--bootstrap-server", &kafka.bootstrap().join(",")])
        .args(["--topic", topic, "--group", group])
        .args(["--max-messages", &count.to_string()])
        .args([
            "--timeout-ms",
            "60000",
            "--isolation-level",
            "read_committed",
        ])
        .args(["--consumer-property", &format!("auto.offset.reset={reset}")])
        .args(["--consumer-property", &format!("group.protocol={protocol}")])
        .args(["--property", "print.offset=true"])
        .stdin(Stdio::null());
    let output = command.output().expect("java started before");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let record = |line: &str| {
        let (offset, value) = line.strip_prefix("Offset:")?.split_once('\t')?;
        Some((offset.parse().ok()?, value.as_bytes().to_vec()))
    };
    let read: Vec<Read> = printed.lines().filter_map(record).collect();
    assert_eq!(read.len(), count, "{printed}\n{said}");
    read
}

fn librdkafka(kafka: &Kafka, group: &str, topic: &str, count: usize, reset: &str) -> Vec<Read> {
    let mut settings = settings(kafka, group);
    settings.set("auto.offset.reset", reset);
    let consumer: BaseConsumer = settings.create().expect("a consumer can be made");
    consumer.subscribe(&[topic]).expect("it subscribes");
    let mut read = Vec::new();
    wait::until("the records come", PATIENCE, || {
        if let Some(polled) = consumer.poll(Duration::from_millis(100)) {
            let message = polled.expect("a record");
            let value = message.payload().expect("it has a value");
            read.push((message.offset(), value.to_vec()));
            let committed = consumer.commit_message(&message, CommitMode::Sync);
            committed.expect("it is committed");
        }
        read.len() == count
    });
    read
}

#[test]
fn a_client_of_either_kind_goes_on_with_exactly_the_next_record() {
    let (source, target) = shared_pair();
    let topic = unique("clients");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 8, 5);
    let wanted = |kafka: &Kafka| -> Vec<Read> {
        let records = read::partition(kafka, &topic, 0, View::Committed);
        let all = records.into_iter();
        all.map(|record| (record.offset, record.value.expect("it has a value")))
            .collect()
    };
    let here = wanted(source);
    let migration = migration(source, target, &topic, &format!("{topic}*"));
    let mut engine = migration.command(&["replicate", "--json"]).start();
    engine.wait_for(&event("shard-claimed"), PATIENCE);
    wait::until("all is copied", PATIENCE, || {
        target.partitions(&topic) > 0 && wanted(target).len() == here.len()
    });
    let (there, right) = (wanted(target), right(source, target, &topic));
    // Markers and aborted records stand between them on the source.
    assert_ne!(
        here.last().map(|last| last.0),
        there.last().map(|last| last.0)
    );
    for (index, client) in Client::ALL.into_iter().enumerate() {
        let group = format!("{topic}-{index}");
        let read = 6 + index;
        let seen = client.read(source, &group, &topic, read, true);
        assert_eq!(seen, here[..read], "{client:?}");
        let next = super::committed(source, &group, &topic)
            .expect("it stands somewhere")
            .0;
        wait_until_it_stands(target, &group, &topic, right[&next]);
        let seen = client.read(target, &group, &topic, there.len() - read, false);
        assert_eq!(seen, there[read..], "{client:?}");
    }
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
}
