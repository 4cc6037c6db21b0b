//! Targets that held records before: they stay in front of ours, and nothing that happens in between moves the seam.

use serde_json::{Value, json};

use crate::support::{
    codecs::{self, Envelope, Record},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration},
    unique,
};

use super::{
    stops::{delete_topic, status, stops},
    stops_past::{assert_holds, recopy, records, replicate},
};

const KEEP: &str = "[[topic]]\nmatch = \"*\"\nexisting = \"keep\"\n\n";

/// A topic of which source and target hold records of their own: the migration, and what the target holds.
fn both_hold(stem: &str, settings: &[(&str, &str)]) -> (Migration, String, Vec<Record>) {
    let (source, target) = shared_pair();
    let topic = unique(stem);
    source.create_topic(&topic, 1, &[]);
    target.create_topic(&topic, 1, settings);
    Load::to(&[(&topic, 1)]).fill(source, 100);
    Load::to(&[(&topic, 1)]).fill(target, 40);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let kept = records(target, &topic);
    (migration, topic, kept)
}

fn keep(migration: &Migration) {
    migration.edit("[scope]", &format!("{KEEP}[scope]"));
}

/// The target offset at which ours begins, as `status` has it.
fn seam(migration: &Migration) -> Option<Value> {
    let status = status(migration);
    let seams = status["seams"].as_array().expect("a list");
    assert!(seams.len() <= 1, "{status}");
    seams.first().map(|seam| seam["target_offset"].clone())
}

fn write(kafka: &Kafka, topic: &str, number: i32, batch: &[Record]) {
    let mut wire = kafka
        .wire_to_leader(topic, number)
        .expect("it has a leader");
    let produced = wire.produce(topic, number, &codecs::encode(Envelope::PLAIN, batch));
    produced.expect("the broker answers").expect("it is taken");
}

fn record(key: &str, value: Option<&str>) -> Record {
    Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: Some(key.into()),
        value: value.map(Into::into),
        headers: Vec::new(),
    }
}

#[test]
fn killed_anywhere_between_the_seam_and_the_first_batch_ours_goes_once_behind_what_was_there() {
    let (source, target) = shared_pair();
    let (migration, topic, kept) = both_hold("kept", &[]);
    stops(&migration, &["K520", "[[topic]]", "existing = \"keep\""]);
    assert_eq!(seam(&migration), None);
    assert_holds(target, &topic, &[&kept]);
    keep(&migration);
    let end = target.end_offset(&topic, 0);
    let steps = [
        ("seam-found:1", false),
        ("seam-recorded:1", true),
        ("run-recorded:1", true),
        ("produce-sent:1", true),
        ("produce-answered:1", true),
        ("checkpoint-recorded:1", true),
    ];
    for (step, is_recorded) in steps {
        let crashed = migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
        let wanted = is_recorded.then(|| json!(end));
        assert_eq!(seam(&migration), wanted, "killed at {step}");
    }
    // What was said once stays said, whatever the file says later.
    migration.edit(KEEP, "");
    migration.catch_up();
    Load::to(&[(&topic, 1)]).fill(source, 30);
    migration.catch_up();
    assert_holds(target, &topic, &[&kept, &records(source, &topic)]);
    assert_eq!(seam(&migration), Some(json!(end)));
    let shown = migration.run(&["status"]);
    let line = |text: &str| text.starts_with(&format!("{topic}-0 ")) && text.contains("0 to 42 ");
    assert!(shown.stdout.lines().any(line), "{shown}");
    let verified = migration.verify();
    let note = format!("at most {} records that the target held before", kept.len());
    assert!(verified.stdout.contains(&note), "{verified}");
}

#[test]
fn what_others_append_after_the_seam_does_not_move_it() {
    let (source, target) = shared_pair();
    let (migration, topic, kept) = both_hold("seam", &[]);
    keep(&migration);
    let end = target.end_offset(&topic, 0);
    let others: Vec<Record> = (0..5)
        .map(|number| record(&format!("other-{number}"), Some("of the target")))
        .collect();
    for step in ["seam-recorded:1", "run-recorded:1"] {
        let crashed = migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
        write(target, &topic, 0, &others);
        assert_eq!(seam(&migration), Some(json!(end)), "{step}");
    }
    migration.catch_up();
    assert_eq!(seam(&migration), Some(json!(end)));
    let copied = records(source, &topic);
    assert_holds(target, &topic, &[&kept, &others, &others, &copied]);
    // They are neither of before nor copies.
    let verified = migration.run(&["--json", "verify"]);
    verified.assert_exit(8);
    let report: Value = serde_json::from_str(&verified.stdout).expect("a document");
    assert_eq!(
        (&report["totals"]["extra"], &report["totals"]["kept"]),
        (&json!(10), &json!(end)),
        "{report}"
    );
    assert_eq!(report["totals"]["matching"], json!(copied.len()));
}

#[test]
fn a_partition_that_comes_later_begins_at_the_beginning() {
    let (source, target) = shared_pair();
    let (migration, topic, kept) = both_hold("grown", &[]);
    keep(&migration);
    migration.catch_up();
    source.grow_topic(&topic, 2);
    write(
        source,
        &topic,
        1,
        &[record("a", Some("first")), record("b", None)],
    );
    Load::to(&[(&topic, 1)]).fill(source, 20);
    migration.catch_up();
    let all = status(&migration)["seams"].clone();
    assert_eq!(
        all,
        json!([{
            "topic": topic, "partition": 0, "kept_from": 0, "target_offset": kept.len(), "source_offset": 0,
        }])
    );
    assert_holds(target, &topic, &[&kept, &records(source, &topic)]);
    let of = |kafka| read::partition(kafka, &topic, 1, View::Uncommitted);
    let (here, there) = (of(source), of(target));
    assert_eq!((here.len(), there.len()), (2, 2));
    assert!(
        here.iter()
            .zip(&there)
            .all(|(one, other)| one.is_same(other))
    );
    migration.verify();
}

#[test]
fn copying_again_never_deletes_what_is_to_stay() {
    let (source, target) = shared_pair();
    let (migration, topic, kept) = both_hold("recopied", &[]);
    keep(&migration);
    migration.catch_up();
    let copied = records(source, &topic);
    // Records are lost before they are copied.
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let end = source.end_offset(&topic, 0).expect("it has an end");
    source
        .wire_to_leader(&topic, 0)
        .expect("it has a leader")
        .delete_records(&topic, 0, end)
        .expect("the broker answers")
        .expect("the records are deleted");
    Load::to(&[(&topic, 1)]).fill(source, 10);
    let names = format!("target offsets 0 to {}", kept.len() - 1);
    stops(
        &migration,
        &["K501", &names, "taken out of the migration file"],
    );
    for word in [format!("{topic}:0"), topic.clone()] {
        let refused = recopy(&migration, &word);
        refused.assert_exit(7);
        for text in ["K416", &names, "which were there before"] {
            refused.assert_says(text);
        }
    }
    assert_holds(target, &topic, &[&kept, &copied]);
    migration.edit(KEEP, "");
    let unasked = replicate(&migration, &["--recopy", &topic]);
    unasked.assert_exit(10);
    assert_holds(target, &topic, &[&kept, &copied]);
    recopy(&migration, &topic).assert_exit(0);
    assert_holds(target, &topic, &[&records(source, &topic)]);
    assert_eq!(seam(&migration), None);
    migration.verify();
}

#[test]
fn on_a_compacted_target_only_what_lies_behind_the_seam_is_compared() {
    let (source, target) = shared_pair();
    let topic = unique("compacted");
    let settings = [("cleanup.policy", "compact")];
    for kafka in [source, target] {
        kafka.create_topic(&topic, 1, &settings);
    }
    let of_before = [
        record("a", Some("of before")),
        record("b", Some("of before")),
        record("nowhere else", Some("of before")),
    ];
    write(target, &topic, 0, &of_before);
    let ours = [
        record("a", Some("1")),
        record("b", None),
        record("a", Some("2")),
    ];
    write(source, &topic, 0, &ours);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    keep(&migration);
    migration.catch_up();
    assert_holds(target, &topic, &[&of_before, &ours]);
    let verified = migration.verify();
    assert!(verified.stdout.contains("at most 3 records"), "{verified}");
    // A difference behind the seam is one.
    write(
        target,
        &topic,
        0,
        &[record("a", Some("not from the source"))],
    );
    migration.run(&["verify"]).assert_exit(8);
}

#[test]
fn without_its_ledger_a_migration_keeps_nothing_for_it_may_be_its_own() {
    let (_, target) = shared_pair();
    let (migration, topic, _) = both_hold("orphaned", &[]);
    keep(&migration);
    migration.catch_up();
    let held = records(target, &topic);
    delete_topic(target, &format!("kafka-migrate.{}.forward", migration.name));
    let verified = migration.run(&["verify"]);
    verified.assert_exit(8);
    assert!(
        verified
            .stdout
            .contains("there is no ledger of this migration"),
        "{verified}"
    );
    // Not by the next start, which finds the ledger that this one makes.
    for _ in 0..2 {
        stops(&migration, &["K520", "had a ledger before, which is gone"]);
        assert_holds(target, &topic, &[&held]);
    }
}

#[test]
fn what_the_file_says_of_topics_is_checked() {
    let (migration, topic, _) = both_hold("checked", &[]);
    let refuses = |text: &str, says: &[&str]| {
        migration.edit("[scope]", &format!("{text}[scope]"));
        let refused = migration.run(&["config"]);
        refused.assert_exit(2);
        for said in says {
            refused.assert_says(said);
        }
        migration.edit(text, "");
    };
    refuses(
        &KEEP.replace("keep", "merge"),
        &["K012", "nothing is copied back", "two_way = true"],
    );
    refuses(
        &KEEP.replace("keep", "kept"),
        &["K012", "\"keep\", \"merge\""],
    );
    refuses(
        &KEEP.replace("existing", "exsting"),
        &["K010", "`existing`"],
    );
    refuses("[[topic]]\nexisting = \"keep\"\n", &["K013", "`match`"]);
    refuses(
        "[[topic]]\nmatch = \"ordres\"\nexisting = \"keep\"\n",
        &["K012", "no topic of scope.topics"],
    );
    refuses("[[topic]]\nmatch = \"a[\"\n", &["K012", "no glob"]);
    migration.edit(
        "[scope]",
        &format!("[[topic]]\nmatch = {topic:?}\nexisting = \"keep\"\n[scope]"),
    );
    let shown = migration.run(&["config"]);
    shown.assert_exit(0);
    assert!(shown.stdout.contains("topic[0].existing"), "{shown}");
}
