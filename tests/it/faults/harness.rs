//! The harness itself: what is written can be read back, and brokers come back from being killed.

use std::time::Duration;

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::{Kafka, MIGRATOR, Version},
    load::{self, Load},
    proxy::{Fault, Proxy, When},
    read::{self, View},
    shared_older, shared_pair, unique, wait,
};

#[test]
fn load_of_every_codec_reads_back_with_its_headers() {
    let (source, _) = shared_pair();
    for kafka in [source, shared_older()] {
        let topic = unique("mixed");
        kafka.create_topic(&topic, 2, &[]);
        Load::to(&[(&topic, 2)]).fill(kafka, 1000);
        let batches: Vec<_> = (0..2)
            .flat_map(|partition| read::batches(kafka, &topic, partition, View::Uncommitted).0)
            .collect();
        let records: Vec<&Record> = batches.iter().flat_map(|batch| &batch.records).collect();
        assert_eq!(
            records.len(),
            1000 + 2 * 3,
            "a thousand through librdkafka, and a raw batch of three to each partition"
        );
        for codec in 0..5 {
            assert!(
                batches.iter().any(|batch| batch.codec == codec),
                "no batch with codec {codec}"
            );
        }
        assert!(
            records.iter().any(|record| record.value.is_none()),
            "no tombstone"
        );
        assert!(records.iter().any(|record| {
            record
                .headers
                .iter()
                .any(|(name, _)| std::str::from_utf8(name).is_err())
        }));
        assert!(records.iter().any(|record| {
            record
                .headers
                .iter()
                .filter(|(name, _)| name == b"trace")
                .count()
                == 2
        }));
    }
}

#[test]
fn committed_view_leaves_out_aborted_transactions() {
    let (source, _) = shared_pair();
    let topic = unique("transactions");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 4, 5);
    assert_eq!(
        read::partition(source, &topic, 0, View::Committed).len(),
        10
    );
    assert_eq!(
        read::partition(source, &topic, 0, View::Uncommitted).len(),
        20
    );
}

#[test]
fn three_brokers_survive_a_kill_and_a_roll() {
    let kafka = Kafka::spec("three").brokers(3).start();
    let topic = unique("survivor");
    kafka.create_topic(&topic, 3, &[]);
    let loader = Load::to(&[(&topic, 3)]).keep_writing(&kafka, 500);
    wait::until("some load", Duration::from_secs(60), || {
        loader.written() > 500
    });
    kafka.kill(1);
    let before = loader.written();
    wait::until("load goes on", Duration::from_secs(60), || {
        loader.written() > before + 500
    });
    kafka.start_again(1);
    kafka.roll();
    let written = loader.stop();
    let held: usize = (0..3)
        .map(|partition| read::partition(&kafka, &topic, partition, View::Uncommitted).len())
        .sum();
    assert!(held as u64 >= written, "{written} written, {held} held");
}

#[test]
fn secure_listener_speaks_scram_over_tls_and_asks_the_authorizer() {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let kafka = Kafka::spec("secure")
        .version(Version::V3_9)
        .secure()
        .start();
    kafka.create_topic("allowed", 1, &[]);
    kafka.create_topic("hidden", 1, &[]);
    let principal = format!("User:{}", MIGRATOR.0);
    kafka
        .wire()
        .allow(&principal, (2, "allowed", 3), 8)
        .expect("the broker answers")
        .expect("the ACL is taken");
    for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", kafka.secure_bootstrap().join(","))
            .set("security.protocol", "SASL_SSL")
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", MIGRATOR.0)
            .set("sasl.password", MIGRATOR.1)
            .set("ssl.ca.location", kafka.ca().to_string_lossy())
            .create()
            .expect("a consumer can be made");
        wait::until("the ACL takes effect", Duration::from_secs(30), || {
            let metadata = consumer
                .fetch_metadata(None, Duration::from_secs(20))
                .expect("the login works");
            let names: Vec<&str> = metadata
                .topics()
                .iter()
                .map(rdkafka::metadata::MetadataTopic::name)
                .collect();
            assert!(!names.contains(&"hidden"));
            names.contains(&"allowed")
        });
    }
}

#[test]
fn proxy_loses_answers_of_appended_batches() {
    let kafka = Kafka::spec("proxied").proxied().start();
    kafka.create_topic("lossy", 1, &[]);
    let proxy = Proxy::start(&kafka, 1);
    let record = |index: i64| Record {
        offset: 0,
        timestamp: 1_700_000_000_000 + index,
        key: None,
        value: Some(b"v".to_vec()),
        headers: Vec::new(),
    };
    let mut wire = crate::support::raw::Wire::connect(&kafka.proxied_bootstrap()[0])
        .expect("the proxy listens");
    let leader = wire
        .metadata()
        .expect("the proxy passes metadata")
        .brokers
        .into_values()
        .next();
    assert_eq!(
        leader.as_deref(),
        Some(kafka.proxied_bootstrap()[0].as_str()),
        "brokers are advertised at the proxy"
    );
    assert_eq!(
        wire.produce("lossy", 0, &codecs::encode(Envelope::PLAIN, &[record(0)]))
            .expect("passes"),
        Ok(0)
    );
    for fault in [Fault::Cut, Fault::CutMidFrame] {
        proxy.lose(When::EveryNth(1), &[fault]);
        let mut wire = crate::support::raw::Wire::connect(&kafka.proxied_bootstrap()[0])
            .expect("the proxy listens");
        wire.produce("lossy", 0, &codecs::encode(Envelope::PLAIN, &[record(1)]))
            .expect_err("the answer is lost");
    }
    proxy.pass();
    assert_eq!(proxy.counts(), (3, 2));
    assert_eq!(
        read::partition(&kafka, "lossy", 0, View::Uncommitted).len(),
        3,
        "lost answers, not lost batches"
    );
}

#[test]
fn a_record_tampered_with_in_the_log_is_served_as_it_is_now() {
    let kafka = Kafka::spec("tampered").start();
    kafka.create_topic("orders", 1, &[]);
    Load::to(&[("orders", 1)]).fill(&kafka, 200);
    let before = read::partition(&kafka, "orders", 0, View::Uncommitted);
    let (batches, _) = read::batches(&kafka, "orders", 0, View::Uncommitted);
    let victim = batches
        .iter()
        .filter(|batch| batch.codec == 0)
        .flat_map(|batch| &batch.records)
        .find(|record| record.value.is_some());
    kafka.tamper(
        "orders",
        0,
        victim.expect("an uncompressed record with a value"),
    );
    let after = read::partition(&kafka, "orders", 0, View::Uncommitted);
    let different: Vec<i64> = before
        .iter()
        .zip(&after)
        .filter(|(one, other)| !one.is_same(other))
        .map(|(one, _)| one.offset)
        .collect();
    assert_eq!(
        (before.len(), different),
        (after.len(), vec![victim.expect("as above").offset])
    );
}
