//! Every kind of difference, in both directions at once, is named with its direction, its partition and its offsets.

use serde_json::{Value, json};

use super::{
    ON_SOURCE, ON_TARGET,
    rebuilt::{Written, log, rebuild},
    two_way, verified,
};
use crate::support::{codecs::Record, kafka::Kafka, load::Load, shared_pair, unique};
use crate::two_way::identities;

/// In which partition differences are planted.
const PLANTED: i32 = 1;
/// Which of a direction's copies are what; far enough apart to be told one from the other.
const MISSING: usize = 20;
const DIFFERENT: usize = 45;
const REPEATED: usize = 70;
const EXTRA: usize = 95;
const REORDERED: usize = 120;
/// Which of a side's own records an application has written twice.
const TWICE: usize = 145;

/// Where something stands on the side that it was written on, and where its copy does.
#[derive(Debug, Default)]
struct Places {
    natives: Vec<i64>,
    copies: Vec<i64>,
}

/// Places of what the applications of a side wrote, and of the copies there.
fn places(log: &[Written], ours: &[(i64, i16)]) -> (Vec<i64>, Vec<i64>) {
    let (copies, natives): (Vec<&Written>, Vec<&Written>) =
        log.iter().partition(|one| ours.contains(&one.by));
    let offsets = |of: Vec<&Written>| of.iter().map(|one| one.record.offset).collect();
    (offsets(natives), offsets(copies))
}

/// Changes a side's log: its copies, and one of what its applications wrote.
fn plant(log: &mut Vec<Written>, ours: &[(i64, i16)]) {
    let index = |log: &[Written], ours_too: bool, which: usize| {
        let mut found = (0..log.len()).filter(|at| ours.contains(&log[*at].by) == ours_too);
        found.nth(which).expect("there are enough records")
    };
    // From the back, so that what comes before keeps its place.
    let at = index(log, false, TWICE);
    log.insert(at, log[at].clone());
    let (one, next) = (index(log, true, REORDERED), index(log, true, REORDERED + 1));
    let record = log[one].record.clone();
    log[one].record = std::mem::replace(&mut log[next].record, record);
    let at = index(log, true, EXTRA);
    let stranger = Record {
        value: Some(b"nobody wrote it".to_vec()),
        ..log[at].record.clone()
    };
    let by = log[at].by;
    log.insert(
        at,
        Written {
            by,
            record: stranger,
        },
    );
    let at = index(log, true, REPEATED);
    log.insert(at, log[at].clone());
    let at = index(log, true, DIFFERENT);
    log[at].record.value = Some(b"it was something else".to_vec());
    let at = index(log, true, MISSING);
    log.remove(at);
}

/// Samples of a direction and a kind: the offsets on the side that was written, and on the one that was copied to.
fn found(report: &Value, direction: &str, kind: &str) -> Vec<(Option<i64>, Option<i64>)> {
    let all = report["samples"].as_array().expect("samples");
    let wanted = all
        .iter()
        .filter(|one| one["direction"] == direction && one["kind"] == kind);
    wanted
        .map(|one| {
            assert_eq!(one["partition"], PLANTED, "{report:#}");
            let [source, target] =
                ["source_offset", "target_offset"].map(|side| one[side].as_i64());
            match direction {
                "forward" => (source, target),
                _ => (target, source),
            }
        })
        .collect()
}

fn assert_named(report: &Value, direction: &str, way: &Value, places: &Places) {
    let counts = &way["totals"];
    for (kind, count) in [
        ("missing", 2),
        ("different", 1),
        ("extra", 2),
        ("repeated", 1),
        ("reordered", 1),
        ("corrupt", 0),
        ("witness", 0),
        ("not_yet_copied", 0),
    ] {
        assert_eq!(counts[kind], count, "{kind} {direction}: {report:#}");
    }
    let (natives, copies) = (&places.natives, &places.copies);
    let missing = found(report, direction, "missing");
    assert_eq!(missing[0], (Some(natives[MISSING]), None), "{report:#}");
    let twice = [natives[TWICE], natives[TWICE + 1]].map(|at| (Some(at), None));
    assert!(twice.contains(&missing[1]), "{missing:?} {report:#}");
    // One copy less is before it.
    let different = (Some(natives[DIFFERENT]), Some(copies[DIFFERENT - 1]));
    assert_eq!(found(report, direction, "different"), [different]);
    let repeated = [copies[REPEATED - 1], copies[REPEATED]].map(|at| (None, Some(at)));
    let named = found(report, direction, "repeated");
    assert!(
        named.len() == 1 && repeated.contains(&named[0]),
        "{report:#}"
    );
    let extra = (None, Some(copies[EXTRA]));
    assert_eq!(found(report, direction, "extra"), [extra]);
    let reordered = found(report, direction, "reordered");
    let moved = [natives[REORDERED], natives[REORDERED + 1]].map(Some);
    assert!(
        reordered.len() == 1 && moved.contains(&reordered[0].0),
        "{report:#}"
    );
}

/// What stands in a partition, once planted.
fn standing(kafka: &Kafka, topic: &str, ours: &[(i64, i16)]) -> (Vec<i64>, Vec<i64>) {
    places(&log(kafka, topic, PLANTED), ours)
}

#[test]
fn each_kind_of_difference_is_named_in_each_direction() {
    let (source, target) = shared_pair();
    let topic = unique("planted-both-ways");
    source.create_topic(&topic, 2, &[]);
    let migration = two_way(source, target, &topic, &[&topic]);
    // Both are met while they are empty.
    migration.catch_up();
    Load::to(&[(&topic, 2)]).marked(ON_SOURCE).fill(source, 500);
    Load::to(&[(&topic, 2)]).marked(ON_TARGET).fill(target, 500);
    migration.catch_up();
    migration.verify();

    let there = identities(target, &format!("kafka-migrate.{topic}.forward"));
    let back = identities(source, &format!("kafka-migrate.{topic}.reverse"));
    assert!(!there.is_empty() && !back.is_empty());
    for (kafka, ours) in [(source, &back), (target, &there)] {
        let mut logs = [0, 1].map(|partition| log(kafka, &topic, partition));
        plant(&mut logs[PLANTED as usize], ours);
        rebuild(kafka, &topic, &[], &logs);
    }

    let (verify, report) = verified(&migration);
    verify.assert_exit(8);
    assert_eq!(report["verdict"], json!("differs"), "{report:#}");
    let (on_source, copies_there) = standing(source, &topic, &back);
    let (on_target, copies) = standing(target, &topic, &there);
    let forward = Places {
        natives: on_source,
        copies,
    };
    let reverse = Places {
        natives: on_target,
        copies: copies_there,
    };
    assert_named(&report, "forward", &report, &forward);
    assert_named(&report, "reverse", &report["way_back"], &reverse);
    assert_eq!(report["way_back"]["differs"], true);

    let said = migration.run(&["verify"]);
    said.assert_exit(8);
    said.assert_says("source and target differ: 12 differences in 1 topic");
    for text in [
        "from the source to the target",
        "from the target back to the source",
        "repeated on the source",
        "repeated on the target",
    ] {
        assert!(said.stdout.contains(text), "{text}: {said}");
    }
}
