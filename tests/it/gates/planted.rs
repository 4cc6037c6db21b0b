//! Faults in what the clusters hold and how their topics are set.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{assert_held_up_by, assert_says, preflight};
use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    load::Load,
    tool::{Access, Migration},
    unique,
};

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is later than 1970");
    i64::try_from(since.as_millis()).expect("it is not that late")
}

fn write(kafka: &Kafka, topic: &str, key: Option<&[u8]>, bytes: usize, timestamp: i64) {
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

fn topics(kafka: &Kafka) -> Vec<String> {
    kafka.metadata().topics.into_keys().collect()
}

#[test]
fn where_all_is_well_preflight_says_so_and_has_changed_nothing() {
    let (source, target) = super::pair();
    let topic = unique("well");
    source.create_topic(&topic, 3, &[]);
    Load::to(&[(&topic, 3)]).fill(source, 500);
    let migration = Migration::new(
        &unique("well"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    super::with_groups(&migration, &["none-of-this-name-*"]);
    let ends = source.end_offsets(&topic);
    let said = preflight(&migration, 0);
    assert_held_up_by(&said, &[]);
    assert_says(&said, "G101", "pass", &["source 1/1, target 1/1"]);
    assert_says(&said, "G104", "pass", &["apart"]);
    assert_says(
        &said,
        "G107",
        "pass",
        &["0 there, 1 to be made (validated only)"],
    );
    assert_says(
        &said,
        "G122",
        "pass",
        &["5 batches, 1 broker, byte for byte as written"],
    );
    assert_says(&said, "G114", "pass", &["no quotas"]);
    assert_says(
        &said,
        "G125",
        "pass",
        &["source 1/1, target 1/1 with librdkafka"],
    );
    assert_says(&said, "G126", "pass", &["no authorizer"]);
    assert_says(&said, "G127", "pass", &["1 topic"]);
    assert_says(&said, "G128", "pass", &["Read on every group"]);
    assert_says(&said, "G124", "pass", &["to copy"]);
    assert_eq!(said["ready"], true);
    // Other tests make topics at the same time: none is of this migration.
    let of_ours = |name: &String| name.contains(&migration.name) || *name == topic;
    assert!(!topics(target).iter().any(of_ours));
    assert!(
        !topics(source)
            .iter()
            .any(|name| name.contains(&migration.name))
    );
    assert_eq!(source.end_offsets(&topic), ends);
    let text = migration.run(&["preflight"]);
    text.assert_exit(0);
    assert!(
        text.stdout.contains("    pass  brokers-reachable "),
        "{text}"
    );
    assert!(
        text.stdout
            .contains("0 block, 0 unknown.   exit 0 (ok)\nnext: kafka-migrate -c "),
        "{text}"
    );
}

/// Others find most of these in the middle of the copy, or never: one run of preflight names them all.
#[test]
fn every_planted_fault_is_found_in_one_run_and_named() {
    let (source, target) = super::pair();
    let stem = unique("planted");
    let name = |what: &str| format!("{stem}-{what}");
    let [large, old, keyless, fewer, held, stamped] =
        ["large", "old", "keyless", "fewer", "held", "stamped"].map(name);
    for topic in [&large, &old, &keyless, &held, &stamped] {
        source.create_topic(topic, 1, &[]);
    }
    source.create_topic(&fewer, 3, &[]);
    write(source, &large, Some(b"k"), 5000, now_ms());
    write(source, &old, Some(b"k"), 10, now_ms() - 2 * 86_400_000);
    write(source, &keyless, Some(b"k"), 10, now_ms());
    write(source, &keyless, None, 10, now_ms());
    target.create_topic(&large, 1, &[("max.message.bytes", "1000")]);
    target.create_topic(&old, 1, &[("message.timestamp.before.max.ms", "86400000")]);
    target.create_topic(&keyless, 1, &[("cleanup.policy", "compact")]);
    // As a broker makes it for a consumer that was started too early.
    target.create_topic(&fewer, 1, &[]);
    target.create_topic(&held, 1, &[]);
    write(target, &held, Some(b"k"), 10, now_ms());
    target.create_topic(&stamped, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let migration = Migration::new(
        &unique("planted"),
        Access::Plain(source),
        Access::Plain(target),
        &[&name("*")],
    );
    migration.edit("[replication]", "[replication]\nreplication_factor = 3");
    let said = preflight(&migration, 3);
    let single =
        format!("{large}-0 at offset 0 is a single record of 4.95 KiB; the target takes 0.98 KiB");
    assert_says(
        &said,
        "G112",
        "block",
        &[&single, "--add-config max.message.bytes="],
    );
    let too_old = format!("{old}-0 at offset 0 is 2d old; the target takes 1d");
    assert_says(
        &said,
        "G113",
        "block",
        &[
            &too_old,
            &format!("{stamped}: the target would give records its own time"),
        ],
    );
    assert_says(
        &said,
        "G115",
        "block",
        &[&format!(
            "{keyless}-0 at offset 1 has no key, and the target compacts"
        )],
    );
    assert_says(
        &said,
        "G116",
        "block",
        &["is 3, and the target has 1 broker"],
    );
    assert_says(
        &said,
        "G117",
        "block",
        &[&format!("{fewer}: 3 on the source, 1 on the target")],
    );
    assert_says(&said, "G118", "block", &[&format!("{held}: 1 offset")]);
    assert_held_up_by(&said, &["G112", "G113", "G115", "G116", "G117", "G118"]);

    let text = migration.run(&["preflight"]);
    text.assert_exit(3);
    for line in [
        "   block  message-sizes-fit ",
        "   G112\n",
        "            fix: raise max.message.bytes on the target",
        "              kafka-configs --bootstrap-server 127.0.0.1:",
        "6 block, 0 unknown.   exit 3 (not-ready)",
        "explain G112",
    ] {
        assert!(
            text.stdout.contains(line),
            "no {line:?} in\n{}",
            text.stdout
        );
    }
}

/// Each of the two settings is fine by itself; the target objects to what they are together.
#[test]
fn a_setting_of_the_source_that_the_target_refuses_is_named() {
    let (source, target) = super::pair();
    let topic = unique("refused");
    let compacted = ("cleanup.policy", "compact");
    source.create_topic(
        &topic,
        1,
        &[
            compacted,
            ("max.compaction.lag.ms", "60000"),
            ("retention.ms", "123456"),
        ],
    );
    target.create_topic(&topic, 1, &[compacted, ("min.compaction.lag.ms", "120000")]);
    let migration = Migration::new(
        &unique("refused"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let said = preflight(&migration, 0);
    assert_says(
        &said,
        "G127",
        "warn",
        &[
            "1 setting of the source not taken",
            &format!("{topic}: max.compaction.lag.ms=60000 ("),
        ],
    );
    // Validated only.
    let kept = target.wire().topic_setting(&topic, "retention.ms");
    assert_eq!(kept.expect("the broker answers"), None);
}

#[test]
fn a_second_migration_with_a_topic_of_the_first_is_found() {
    let (source, target) = super::pair();
    let topic = unique("shared");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 50);
    let first = Migration::new(
        &unique("first"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    first.catch_up();
    let green = preflight(&first, 0);
    assert_says(&green, "G118", "pass", &["1 of ours, 0 empty"]);
    assert_says(&green, "G119", "pass", &[]);
    let second = Migration::new(
        &unique("second"),
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let said = preflight(&second, 3);
    let ledger = format!("kafka-migrate.{}.forward", first.name);
    assert_says(&said, "G119", "block", &[&ledger, "on our target", &topic]);
    assert_says(&said, "G118", "block", &[&topic]);
    // A to B to C: what the first writes is what the third would read.
    let chained = Migration::new(
        &unique("third"),
        Access::Plain(target),
        Access::Plain(source),
        &[&topic],
    );
    let said = preflight(&chained, 3);
    assert_says(&said, "G119", "block", &[&ledger, "on our source"]);
}

#[test]
fn a_topic_that_nobody_has_is_named_and_so_is_an_empty_scope() {
    let (source, target) = super::pair();
    let there = unique("there");
    source.create_topic(&there, 1, &[]);
    let migration = Migration::new(
        &unique("missing"),
        Access::Plain(source),
        Access::Plain(target),
        &[&there, "thare"],
    );
    assert_says(&preflight(&migration, 3), "G120", "block", &["thare"]);
    let migration = Migration::new(
        &unique("empty"),
        Access::Plain(source),
        Access::Plain(target),
        &["no-such-*"],
    );
    assert_says(
        &preflight(&migration, 3),
        "G120",
        "block",
        &["nothing that the source shows"],
    );
}

#[test]
#[ignore = "a thousand topics take a minute to make; the figure is in the documents"]
fn a_thousand_topics_take_less_than_half_a_minute() {
    let (source, target) = super::pair();
    let stem = unique("thousand");
    for number in 0..1000 {
        let topic = format!("{stem}-{number}");
        source
            .wire()
            .create_topic(&topic, 1, 1, &[])
            .expect("the broker answers")
            .expect("the topic is made");
    }
    source.wait_for_partitions(&format!("{stem}-999"), 1);
    for number in (0..1000).step_by(10) {
        write(
            source,
            &format!("{stem}-{number}"),
            Some(b"k"),
            1000,
            now_ms(),
        );
    }
    let migration = Migration::new(
        &unique("thousand"),
        Access::Plain(source),
        Access::Plain(target),
        &[&format!("{stem}-*")],
    );
    let begun = std::time::Instant::now();
    let said = preflight(&migration, 0);
    let took = begun.elapsed();
    eprintln!("preflight of 1,000 topics took {took:?}");
    assert_says(&said, "G123", "pass", &["1,000 topics"]);
    assert!(took < Duration::from_secs(30), "{took:?}");
}
