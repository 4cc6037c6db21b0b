//! docs/guides/first-look.md: two real clusters, thirty topics, planted faults; from nothing to open gates.

use std::{fs, thread, time::Duration};

use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::Value;

use super::{Shell, name};
use crate::support::{
    self,
    codecs::{self, Envelope, Record},
    kafka::{ADMIN, Kafka, MIGRATOR, Version},
    load::Load,
    read,
    tool::{Access, Migration},
    wait,
};

const PAGE: &str = "docs/guides/first-look.md";
const PATIENCE: Duration = Duration::from_secs(120);

/// Resource types and operations as the wire numbers them (KIP-140).
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const TRANSACTIONAL_ID: i8 = 5;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const READ: i8 = 3;
const WRITE: i8 = 4;
const CREATE: i8 = 5;
const ALTER: i8 = 7;
const DESCRIBE: i8 = 8;
const DESCRIBE_CONFIGS: i8 = 10;
const ALTER_CONFIGS: i8 = 11;

fn topics() -> Vec<(String, i32)> {
    let named = [
        ("orders", 3),
        ("order_status", 3),
        ("payments", 1),
        ("customers", 1),
        ("clicks", 1),
        ("archive", 1),
        ("events", 1),
        ("audit", 1),
    ];
    let named = named.map(|(name, partitions)| (name.to_owned(), partitions));
    let regions = (1..=22).map(|number| (format!("region-{number:02}"), 1));
    named.into_iter().chain(regions).collect()
}

fn write(kafka: &Kafka, topic: &str, key: Option<&[u8]>, bytes: usize, age: Duration) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later than 1970");
    let timestamp = i64::try_from((now - age).as_millis()).expect("it is not that late");
    let record = Record {
        offset: 0,
        timestamp,
        key: key.map(<[u8]>::to_vec),
        value: Some(vec![7; bytes]),
        headers: Vec::new(),
    };
    kafka
        .wire_to_leader(topic, 0)
        .expect("it has a leader")
        .produce(topic, 0, &codecs::encode(Envelope::PLAIN, &[record]))
        .expect("the broker answers")
        .expect("the batch is taken");
}

fn allow(kafka: &Kafka, resource: (i8, &str, i8), operations: &[i8]) {
    for operation in operations {
        kafka
            .wire()
            .allow(&format!("User:{}", MIGRATOR.0), resource, *operation)
            .expect("the broker answers")
            .expect("the ACL is taken");
    }
}

/// What the source is before the page begins: topics, records, applications, and a login that lacks one right.
fn source() -> Kafka {
    let kafka = Kafka::spec("first-look-source")
        .version(Version::V3_9)
        .secure()
        .start();
    let topics = topics();
    for (topic, partitions) in &topics {
        kafka.create_topic(topic, *partitions, &[]);
    }
    let load: Vec<(&str, i32)> = topics.iter().map(|(topic, of)| (&**topic, *of)).collect();
    Load::to(&load).fill(&kafka, 3000);
    write(&kafka, "clicks", Some(b"k"), 5000, Duration::ZERO);
    write(
        &kafka,
        "archive",
        Some(b"k"),
        10,
        Duration::from_secs(3 * 86_400),
    );
    write(&kafka, "events", None, 10, Duration::ZERO);
    allow(
        &kafka,
        (CLUSTER, "kafka-cluster", LITERAL),
        &[DESCRIBE, DESCRIBE_CONFIGS],
    );
    for (topic, _) in &topics {
        // The first planted fault.
        let all = if topic == "payments" {
            &[READ, DESCRIBE][..]
        } else {
            &[READ, DESCRIBE, DESCRIBE_CONFIGS]
        };
        allow(&kafka, (TOPIC, topic, LITERAL), all);
    }
    allow(
        &kafka,
        (TOPIC, "kafka-migrate.shop.", PREFIXED),
        &[READ, WRITE, CREATE, DESCRIBE],
    );
    allow(&kafka, (GROUP, "*", LITERAL), &[DESCRIBE, READ]);
    allow(&kafka, (TRANSACTIONAL_ID, "*", LITERAL), &[DESCRIBE]);
    kafka
}

/// What the target is: nearly empty, with topics that somebody made in other ways, and a login that lacks two rights.
fn target() -> Kafka {
    let kafka = Kafka::spec("first-look-target").secure().start();
    kafka.create_topic("clicks", 1, &[("max.message.bytes", "1000")]);
    kafka.create_topic(
        "archive",
        1,
        &[("message.timestamp.before.max.ms", "86400000")],
    );
    kafka.create_topic("events", 1, &[("cleanup.policy", "compact")]);
    kafka.create_topic("audit", 1, &[]);
    write(&kafka, "audit", Some(b"k"), 10, Duration::ZERO);
    allow(
        &kafka,
        (CLUSTER, "kafka-cluster", LITERAL),
        &[DESCRIBE, DESCRIBE_CONFIGS],
    );
    allow(
        &kafka,
        (TOPIC, "*", LITERAL),
        &[
            READ,
            WRITE,
            CREATE,
            DESCRIBE,
            DESCRIBE_CONFIGS,
            ALTER,
            ALTER_CONFIGS,
        ],
    );
    allow(&kafka, (GROUP, "*", LITERAL), &[DESCRIBE, READ]);
    kafka
}

/// A consumer of an application, with a position at the end of what it reads. It stays a member while it lives.
fn reader(kafka: &Kafka, group: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("group.id", group)
        .set("client.id", format!("{group}-0"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_uncommitted")
        .set("max.poll.interval.ms", "3600000")
        .create()
        .expect("a consumer can be made");
    consumer.subscribe(&[topic]).expect("it can subscribe");
    wait::until("it reads", PATIENCE, || {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => message.offset() >= 0,
            _ => false,
        }
    });
    consumer
        .commit_consumer_state(CommitMode::Sync)
        .expect("its positions are committed");
    consumer
}

/// A producer of an application, which has written one transaction.
fn writer(kafka: &Kafka, transactional_id: &str, topic: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap().join(","))
        .set("transactional.id", transactional_id)
        .create()
        .expect("a producer can be made");
    producer
        .init_transactions(PATIENCE)
        .expect("transactions can begin");
    producer.begin_transaction().expect("a transaction begins");
    producer
        .send(BaseRecord::to(topic).partition(0).key("k").payload("v"))
        .map_err(|(error, _)| error)
        .expect("the queue has room");
    producer
        .commit_transaction(PATIENCE)
        .expect("the transaction commits");
    producer
}

/// The login works, and its rights have reached the brokers.
fn wait_for_logins(source: &Kafka, target: &Kafka) {
    let probe = Migration::new(
        "shop",
        Access::Secure(source, "scram-sha-512"),
        Access::Secure(target, "scram-sha-512"),
        &["orders", "region-22"],
    );
    wait::until("both take the login", PATIENCE, || {
        let finished = probe.run(&["--json", "preflight"]);
        let said: Value = serde_json::from_str(&finished.stdout).unwrap_or_default();
        ["G101", "G106", "G107", "G120"].iter().all(|code| {
            let verdicts = said["verdicts"].as_array().map_or(&[][..], Vec::as_slice);
            verdicts
                .iter()
                .any(|verdict| verdict["code"] == *code && verdict["verdict"] == "pass")
        })
    });
}

#[test]
fn the_guide_from_a_first_look_to_open_gates() {
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(source);
        let target = target();
        (source.join().expect("the source starts"), target)
    });
    let _applications = [
        reader(&source, "order-status", "orders"),
        reader(&source, "customer-notification", "order_status"),
    ];
    let _writers = [
        writer(&source, "order-status-1", "order_status"),
        writer(&source, "checkout-1", "orders"),
    ];
    wait_for_logins(&source, &target);
    let place = support::scratch("first-look");
    let file = |name: &str, text: &str| {
        fs::write(place.path().join(name), text).expect("the scratch directory is writable");
    };
    let [here, there] = [&source, &target]
        .map(|kafka| fs::read_to_string(kafka.ca()).expect("a secure cluster has an authority"));
    file("source.pem", &here);
    file("target.pem", &there);
    file("source.password", MIGRATOR.1);
    file("target.password", MIGRATOR.1);
    file("both.pem", &format!("{here}\n{there}"));
    file(
        "admin.properties",
        &format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{}\" password=\"{}\";\n\
             ssl.truststore.type=PEM\nssl.truststore.location=both.pem\n",
            ADMIN.0, ADMIN.1
        ),
    );
    let names = vec![
        name("old.example.com:9096", &source),
        name("new.example.com:9096", &target),
    ];
    let mut shell = Shell::start(place.path());
    super::run(PAGE, &mut shell, &names);
    // The same for programs, from the same flags; and the file means what the first one does.
    let page = super::Page::read(PAGE);
    let first = &page.commands()[0].script;
    let again = first.replace(
        "kafka-migrate init",
        "kafka-migrate --json -c again.toml init",
    );
    let again = names
        .iter()
        .fold(again, |script, (shown, real)| script.replace(shown, real));
    let ended = shell.run(&again);
    let said: Value =
        serde_json::from_str(&ended.said).unwrap_or_else(|error| panic!("{error}: {}", ended.said));
    assert_eq!(
        (&said["v"], &said["event"], &said["file"]),
        (&1.into(), &"init".into(), &"again.toml".into())
    );
    assert_eq!(
        said["topics"].as_array().map(Vec::len),
        Some(30),
        "{said:#}"
    );
    // By now the journal lies on the source.
    assert_eq!(
        said["topics_left_out"],
        serde_json::json!(["kafka-migrate.shop.journal"])
    );
    assert_eq!(said["next"], "kafka-migrate -c again.toml preflight");
    let order_status = &said["applications"][2];
    assert_eq!(order_status["name"], "order-status", "{said:#}");
    assert_eq!(
        (&order_status["reads"], &order_status["writes"]),
        (
            &serde_json::json!(["orders"]),
            &serde_json::json!(["order_status"])
        )
    );
    assert_eq!(said["unknown"], serde_json::json!([]));
    let ended = shell.run("kafka-migrate -c again.toml config");
    assert_eq!(ended.code, 0, "{}", ended.said);
    let file = fs::read_to_string(place.path().join("again.toml")).expect("it was written");
    assert!(!file.contains(MIGRATOR.1), "{file}");
    // What the page says was copied is there.
    for topic in [
        "orders",
        "order_status",
        "clicks",
        "archive",
        "events",
        "region-22",
    ] {
        read::assert_same(&source, &target, topic);
    }
}
