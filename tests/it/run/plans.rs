//! `plan replicate`, `--dry-run`, `--out` and `--plan`: shown, saved, done exactly, refused when stale.

use std::fs;

use super::{kinds, lines};
use crate::support::{
    kafka::Kafka,
    load::Load,
    read, shared_older, shared_pair,
    tool::{Access, Migration},
    unique,
};

const APPLY: [&str; 5] = ["replicate", "--until", "caught-up", "--plan", "plan.json"];

fn scoped(source: &Kafka, target: &Kafka, topic: &str) -> Migration {
    source.create_topic(topic, 2, &[]);
    Load::to(&[(topic, 2)]).fill(source, 10);
    let glob = format!("{topic}*");
    Migration::new(
        &unique("planned"),
        Access::Plain(source),
        Access::Plain(target),
        &[&glob],
    )
}

#[test]
fn a_plan_shows_what_would_be_done_and_changes_nothing() {
    let (source, target) = shared_pair();
    let topic = unique("shown-plan");
    let migration = scoped(source, target, &topic);
    for command in [&["plan", "replicate"][..], &["replicate", "--dry-run"]] {
        let shown = migration.run(command);
        shown.assert_exit(0);
        for says in [
            "make 1 topic on the target",
            &topic,
            "start engine",
            "back:",
            "clients:",
        ] {
            assert!(shown.stdout.contains(says), "{says:?} in {shown}");
        }
    }
    assert_eq!(target.partitions(&topic), 0);
    assert!(lines(source, &migration.name).is_empty() && lines(target, &migration.name).is_empty());
    assert!(
        !migration.path("state").exists(),
        "not even a directory was made"
    );
    let document = migration.run(&["--json", "plan", "replicate"]);
    let plan: serde_json::Value = serde_json::from_str(&document.stdout).expect("one document");
    assert_eq!(
        (&plan["v"], &plan["phase"]),
        (&1.into(), &"replicate".into())
    );
    assert_eq!(plan["steps"][0]["name"], "create-topics");
}

#[test]
fn a_saved_plan_is_done_once_and_refused_when_anything_has_changed() {
    let (source, target) = shared_pair();
    let topic = unique("saved-plan");
    let migration = scoped(source, target, &topic);
    let save = || {
        migration
            .run(&["plan", "replicate", "--out", "plan.json"])
            .assert_exit(0)
    };
    let refused = |code: &str, says: &str| {
        let refused = migration.run(&APPLY);
        refused.assert_exit(7);
        refused.assert_says(code);
        refused.assert_says(says);
    };
    save();
    // Another topic came into scope meanwhile.
    let more = format!("{topic}-more");
    source.create_topic(&more, 1, &[]);
    refused("K436", "topics in scope");
    assert_eq!(target.partitions(&topic), 0, "nothing was made");
    assert!(lines(target, &migration.name).is_empty(), "nor journalled");
    save();
    migration.run(&APPLY).assert_exit(0);
    read::assert_same(source, target, &topic);
    // The same plan again, although nothing is to be made: it was made before anything had begun.
    refused("K436", "journal");
    // Changed by hand.
    save();
    let text = fs::read_to_string(migration.path("plan.json")).expect("it was saved");
    fs::write(
        migration.path("plan.json"),
        text.replace("2 shards", "9 shards"),
    )
    .expect("it can be written");
    refused("K438", "by hand");
    // How fast is no part of what is done; other settings are.
    save();
    migration.edit("[replication]\n", "[replication]\nrate = \"50MB\"\n");
    migration.run(&APPLY).assert_exit(0);
    save();
    migration.edit(
        "topics = [",
        "exclude_topics = [\"nothing-at-all\"]\ntopics = [",
    );
    refused("K436", "settings");
    let missing = migration.run(&["replicate", "--plan", "no-such-file"]);
    missing.assert_exit(2);
    missing.assert_says("K448");
}

#[test]
fn a_plan_for_other_clusters_is_refused() {
    let (source, target) = shared_pair();
    let topic = unique("moved-plan");
    let migration = scoped(source, target, &topic);
    migration
        .run(&["plan", "replicate", "--out", "plan.json"])
        .assert_exit(0);
    migration.edit(&source.bootstrap()[0], &shared_older().bootstrap()[0]);
    shared_older().create_topic(&topic, 2, &[]);
    let refused = migration.run(&APPLY);
    refused.assert_exit(7);
    refused.assert_says("K437");
    refused.assert_says("source cluster");
    assert_eq!(target.partitions(&topic), 0);
}

#[test]
fn a_plan_that_was_begun_is_gone_on_with_by_the_same_command() {
    let (source, target) = shared_pair();
    let topic = unique("begun-plan");
    let migration = scoped(source, target, &topic);
    migration
        .run(&["plan", "replicate", "--out", "plan.json"])
        .assert_exit(0);
    // Killed with the topics made and not written down.
    let killed = migration
        .command(&APPLY)
        .env("KAFKA_MIGRATE_CRASH_AT", "journal-appending:9")
        .finish();
    assert_eq!(killed.code(), None, "{killed}");
    assert_eq!(target.partitions(&topic), 2, "the step was done");
    assert_eq!(
        kinds(&lines(target, &migration.name))
            .last()
            .map(String::as_str),
        Some("intent")
    );
    let resumed = migration.run(&APPLY);
    resumed.assert_exit(0);
    resumed.assert_says("done before");
    read::assert_same(source, target, &topic);
    let all = kinds(&lines(target, &migration.name));
    assert_eq!(all.iter().filter(|kind| *kind == "planned").count(), 1);
}

#[test]
fn a_plan_carries_the_rate_and_the_ways_past_stops_that_it_was_made_with() {
    let (source, target) = shared_pair();
    let topic = unique("wished-plan");
    let migration = scoped(source, target, &topic);
    migration.catch_up();
    // Records that go away on the source before they are copied: the partition stops.
    let mut wire = source.wire_to_leader(&topic, 0).expect("it has a leader");
    Load::to(&[(&topic, 2)]).fill(source, 20);
    let end = source.end_offset(&topic, 0).expect("it has an end");
    wire.delete_records(&topic, 0, end)
        .expect("the broker answers")
        .expect("the records go");
    let stopped = migration.run(&["replicate", "--until", "caught-up"]);
    stopped.assert_exit(10);
    stopped.assert_says("--accept-gap");
    let word = format!("{topic}:0");
    let wrong = migration.run(&["plan", "replicate", "--accept-gap", "nothing"]);
    wrong.assert_exit(2);
    wrong.assert_says("K005");
    // A plan that deletes is not done unasked.
    migration
        .run(&["plan", "replicate", "--recopy", &word, "--out", "plan.json"])
        .assert_exit(0);
    let unasked = migration.run(&APPLY);
    unasked.assert_exit(10);
    unasked.assert_says("K006");
    let planned = migration.run(&[
        "plan",
        "replicate",
        "--rate",
        "50MB",
        "--accept-gap",
        &word,
        "--out",
        "plan.json",
    ]);
    planned.assert_exit(0);
    for says in ["rate 50MB", &format!("give up what stopped {word}")] {
        assert!(planned.stdout.contains(says), "{says:?} in {planned}");
    }
    let twice = [&APPLY[..], &["--accept-gap", &word]].concat();
    migration.run(&twice).assert_exit(2);
    migration.run(&APPLY).assert_exit(0);
    let said = migration.run(&["--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(&said.stdout).expect("one document");
    assert_eq!(status["decided"][0]["topic"], topic, "{status:#}");
    assert_eq!(status["stopped"], serde_json::json!([]));
}

#[test]
fn a_failure_whose_undoing_was_cut_short_is_ended_and_told_by_the_same_command() {
    let (source, target) = shared_pair();
    let topic = unique("undone-plan");
    let migration = scoped(source, target, &topic);
    let until = ["replicate", "--until", "caught-up"];
    let gap = format!("{topic}:0");
    // Nothing has stopped, so the engine refuses to start; killed as the failure stands in the journal.
    let killed = migration
        .command(&[&until[..], &["--accept-gap", &gap]].concat())
        .env("KAFKA_MIGRATE_CRASH_AT", "journal-appended:14")
        .finish();
    assert_eq!(killed.code(), None, "{killed}");
    let said = kinds(&lines(target, &migration.name));
    assert_eq!(said.last().map(String::as_str), Some("failed"), "{said:?}");
    let told = migration.run(&until);
    told.assert_exit(9);
    told.assert_says("K441");
    told.assert_says("K416");
    migration.run(&until).assert_exit(0);
    read::assert_same(source, target, &topic);
}
