//! What is no difference: not copied yet, removed by retention, and batches whose writer nobody can tell.

use super::{ON_SOURCE, ON_TARGET, rebuilt::write, two_way, verified};
use crate::support::{
    codecs::{Envelope, Record},
    kafka::Kafka,
    load::Load,
    shared_pair,
    tool::PATIENCE,
    unique, wait,
};
use crate::two_way::identities;

fn load(topic: &str, partitions: i32, mark: &'static str) -> Load {
    Load::to(&[(topic, partitions)]).marked(mark).utf8_headers()
}

/// Moves the start of a partition's log, as retention does.
fn retire(kafka: &Kafka, topic: &str, before: i64) {
    let mut wire = kafka.wire_to_leader(topic, 0).expect("a leader");
    let deleted = wire.delete_records(topic, 0, before);
    deleted.expect("an answer").expect("they are deleted");
    wait::until("they are gone", PATIENCE, || {
        let mut wire = kafka.wire_to_leader(topic, 0).expect("a leader");
        wire.offset(topic, 0, -2).ok().and_then(Result::ok) == Some(before)
    });
}

#[test]
fn what_is_not_copied_yet_is_behind_and_what_retention_took_is_retired() {
    let (source, target) = shared_pair();
    let topic = unique("behind-both-ways");
    source.create_topic(&topic, 1, &[]);
    load(&topic, 1, ON_SOURCE).fill(source, 100);
    let migration = two_way(source, target, &topic, &[&topic]);
    migration.catch_up();
    load(&topic, 1, ON_SOURCE).fill(source, 100);
    load(&topic, 1, ON_TARGET).fill(target, 100);
    migration.catch_up();
    let (verify, report) = verified(&migration);
    verify.assert_exit(0);
    assert_eq!(report["totals"]["matching"], 200, "{report:#}");
    assert_eq!(report["way_back"]["totals"]["matching"], 100, "{report:#}");

    load(&topic, 1, ON_TARGET).fill(target, 7);
    let (verify, report) = verified(&migration);
    verify.assert_exit(3);
    let way_back = &report["way_back"];
    assert_eq!(report["verdict"], "behind");
    assert_eq!(report["totals"]["not_yet_copied"], 0, "{report:#}");
    assert_eq!(way_back["totals"]["not_yet_copied"], 7, "{report:#}");
    assert_eq!(way_back["by_topic"][0]["behind"], true, "{report:#}");
    let said = migration.run(&["verify"]);
    said.assert_exit(3);
    said.assert_says("the source does not hold everything yet: at most 7 records of the target");
    load(&topic, 1, ON_SOURCE).fill(source, 5);
    let said = migration.run(&["verify"]);
    said.assert_exit(3);
    said.assert_says("neither side holds everything yet");
    migration.catch_up();
    migration.verify();

    // The source's first hundred and fifty, of which it copied all; then the target's, copies and its own alike.
    retire(source, &topic, 150);
    let (verify, report) = verified(&migration);
    verify.assert_exit(0);
    assert!(
        report["totals"]["retired"].as_u64() > Some(100),
        "{report:#}"
    );
    retire(target, &topic, 250);
    let (verify, report) = verified(&migration);
    verify.assert_exit(0);
    let retired = |way: &serde_json::Value| way["totals"]["retired"].as_u64();
    assert!(retired(&report) > Some(0), "{report:#}");
    assert!(retired(&report["way_back"]) > Some(0), "{report:#}");
}

#[test]
fn a_batch_under_our_producer_id_and_no_epoch_of_ours_is_an_applications() {
    let (source, target) = shared_pair();
    let topic = unique("unclear");
    // Nothing is written to the second partition on the source, so that the target's broker does not know our identity there.
    source.create_topic(&topic, 2, &[]);
    load(&topic, 1, ON_SOURCE).fill(source, 50);
    let migration = two_way(source, target, &topic, &[&topic]);
    migration.catch_up();
    let record = Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(b"b:brought along".to_vec()),
        headers: Vec::new(),
    };
    let ours = identities(target, &format!("kafka-migrate.{topic}.forward"));
    let (producer_id, _) = ours[0];
    let brought_along = Envelope {
        producer_id,
        producer_epoch: 0,
        base_sequence: 0,
    };
    write(target, &topic, 1, &record, brought_along);
    let (verify, report) = verified(&migration);
    verify.assert_exit(3);
    assert_eq!(report["way_back"]["totals"]["unclear"], 1, "{report:#}");
    assert_eq!(
        report["way_back"]["totals"]["not_yet_copied"], 1,
        "{report:#}"
    );
    assert_eq!(report["totals"]["unclear"], 0, "{report:#}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("1 batch with a producer id"), "{report:#}");

    // A copy that nobody wrote: our identity where nothing was to be copied.
    let (producer_id, producer_epoch) = ours[0];
    let lied = Envelope {
        producer_id,
        producer_epoch,
        base_sequence: 0,
    };
    write(target, &topic, 1, &record, lied);
    let (verify, report) = verified(&migration);
    verify.assert_exit(8);
    assert_eq!(report["totals"]["extra"], 1, "{report:#}");
    let sample = &report["samples"][0];
    assert_eq!(sample["direction"], "forward", "{report:#}");
    assert_eq!(
        (&sample["kind"], &sample["partition"]),
        (&"extra".into(), &1.into())
    );
    assert_eq!(sample["target_offset"], 1, "{report:#}");
}
