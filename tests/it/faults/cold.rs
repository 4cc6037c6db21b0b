//! ★ A target that forgets producers within seconds, as every target forgets those of old records: nothing is lost, repeated or let in late.

use std::{sync::OnceLock, time::Duration};

use crate::support::{
    codecs::{Batch, Envelope, Record, encode},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{assert_all_same, event, held, wait_until_copying};

/// How long the target remembers a producer after the timestamp of its last batch.
pub const EXPIRY: Duration = Duration::from_secs(6);
/// INVALID_PRODUCER_EPOCH.
const FENCED: i16 = 47;

/// The target, started once.
pub fn forgetful() -> &'static Kafka {
    static TARGET: OnceLock<Kafka> = OnceLock::new();
    TARGET.get_or_init(|| {
        let expiry = EXPIRY.as_millis().to_string();
        Kafka::spec("cold-target")
            .set("producer.id.expiration.ms", &expiry)
            .set("producer.id.expiration.check.interval.ms", "500")
            .set("log.cleaner.backoff.ms", "500")
            .start()
    })
}

fn migration(topic: &str) -> Migration {
    let (source, _) = shared_pair();
    Migration::new(
        topic,
        Access::Plain(source),
        Access::Plain(forgetful()),
        &[topic],
    )
}

fn batches(topic: &str) -> Vec<Batch> {
    read::batches(forgetful(), topic, 0, View::Uncommitted).0
}

#[test]
fn kills_among_records_that_the_target_forgets_at_once() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("cold-kills");
    source.create_topic(&topic, 3, &[]);
    let loader = Load::to(&[(&topic, 3)])
        .age(Duration::from_hours(100))
        .keep_writing(source, 1500);
    let migration = migration(&topic);
    for _ in 0..6 {
        let mut tool = migration.command(&["--json", "replicate"]).start();
        wait_until_copying(&mut tool, target, &topic);
        tool.kill();
    }
    loader.stop();
    migration.catch_up();
    let records = assert_all_same(source, target, &[&topic]);
    assert!(records > 300, "only {records} records");
    migration.verify();
}

#[test]
fn a_seal_that_came_after_the_producer_was_forgotten_leads_to_a_fence() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("cold-seal");
    source.create_topic(&topic, 1, &[]);
    let load = Load::to(&[(&topic, 1)]).age(Duration::from_hours(100));
    load.fill(source, 200);
    let migration = migration(&topic);
    let tool = migration.command(&["--json", "replicate"]).start();
    let end = held(source, &topic);
    wait::until(
        &format!("all is copied\n{}", tool.said()),
        Duration::from_secs(30),
        || held(target, &topic) >= end,
    );
    // Several looks of the broker for producers that are to be forgotten.
    wait::elapse(Duration::from_secs(2));
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);

    // The seal is remembered, and of the batches before it nothing: the broker expects sequence 0.
    load.fill(source, 200);
    let finished = migration
        .command(&["--json", "replicate", "--until", "caught-up"])
        .finish();
    finished.assert_exit(0);
    for said in ["\"identity\":\"continued\"", &event("shard-restarted")] {
        assert!(finished.stdout.contains(said), "no {said}: {finished}");
    }
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}

#[test]
fn a_request_of_a_killed_run_is_refused_long_after_its_producer_expired() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("cold-retired");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 300);
    let migration = migration(&topic);
    let tool = migration.command(&["--json", "replicate"]).start();
    let end = held(source, &topic);
    wait::until("all is copied", Duration::from_secs(30), || {
        held(target, &topic) >= end
    });
    tool.kill();
    let last = batches(&topic)
        .into_iter()
        .rfind(|batch| !batch.is_control)
        .expect("records were copied");

    let mut tool = migration.command(&["--json", "replicate"]).start();
    let markers = || {
        let all = batches(&topic).into_iter();
        all.filter(|batch| batch.is_control && batch.producer_id == last.producer_id)
            .count()
    };
    wait::until(
        &format!("the killed run is shut out\n{}", tool.said()),
        Duration::from_secs(30),
        || markers() > 0,
    );
    wait::elapse(EXPIRY + EXPIRY);
    assert!(!tool.has_ended(), "it ended: {}", tool.said());

    // What the network held back arrives: its record would be appended if the broker had forgotten whose it is.
    let late = Envelope {
        producer_id: last.producer_id,
        producer_epoch: last.producer_epoch,
        base_sequence: last.base_sequence + i32::try_from(last.records.len()).expect("few"),
    };
    let record = Record {
        value: Some(b"late".to_vec()),
        ..last.records[0].clone()
    };
    let batch = encode(late, &[record]);
    let mut wire = target.wire_to_leader(&topic, 0).expect("it has a leader");
    let answer = wire.produce(&topic, 0, &batch).expect("the broker answers");
    assert_eq!(answer.map_err(|code| code.0), Err(FENCED));

    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}
