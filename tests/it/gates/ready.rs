//! The gates before applications move: closed without an engine, open while one copies, closed again with a stopped partition.

use std::time::Duration;

use super::{assert_held_up_by, assert_says, document};
use crate::support::{
    load::Load,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

const WAIVED: [&str; 2] = ["--waive", "G212=nobody goes back in this test"];

fn migration(topics: &[&str]) -> Migration {
    let (source, target) = super::pair();
    let migration = Migration::new(
        &unique("ready"),
        Access::Plain(source),
        Access::Plain(target),
        topics,
    );
    migration.edit("[replication]", "[ready]\nhold = \"2s\"\n\n[replication]");
    migration
}

#[test]
fn ready_waits_until_an_engine_has_caught_up_and_needs_no_state_of_its_own() {
    let (source, _) = super::pair();
    let topic = unique("awaited");
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)]).fill(source, 2000);
    let migration = migration(&[&topic]);
    let closed = migration.run(&["--json", "ready"]);
    closed.assert_exit(3);
    let said = document(&closed);
    assert_eq!(
        (&said["open"], &said["standing"]),
        (&false.into(), &"closed".into())
    );
    assert_says(&said, "G201", "block", &["nothing was ever copied"]);
    assert_says(&said, "G204", "block", &["limit 1,000"]);
    assert_says(&said, "G212", "block", &["two_way"]);

    let mut waiting = migration
        .command(&["ready", "--wait", "2m", WAIVED[0], WAIVED[1]])
        .start();
    waiting.wait_for("replicator-failure-zero", Duration::from_secs(60));
    let loader = Load::to(&[(&topic, 2)]).keep_writing(source, 50);
    let engine = migration.command(&["replicate"]).start();
    let opened = waiting.wait(PATIENCE);
    opened.assert_exit(0);
    assert!(opened.stdout.contains("\nopen: "), "{opened}");
    assert!(opened.stdout.contains("(held 2.0s)"), "{opened}");
    assert!(
        opened
            .stdout
            .contains("            waived: nobody goes back in this test"),
        "{opened}"
    );
    // Only what changed was told meanwhile: closed, then open.
    let told = opened.stderr.matches("replicator-failure-zero").count();
    assert_eq!(told, 2, "{opened}");
    assert!(
        opened.stderr.contains("    pass  replicator-failure-zero"),
        "{opened}"
    );

    // On another machine, with nothing on disk.
    let elsewhere = migration
        .command_in(
            "another-state",
            &[
                &["--json", "ready"][..],
                &WAIVED,
                // It lets nothing through, so nobody needs to remember it.
                &["--waive", "G205=it is not even slow"],
            ]
            .concat(),
        )
        .finish();
    elsewhere.assert_exit(0);
    let said = document(&elsewhere);
    assert_held_up_by(&said, &[]);
    assert_says(&said, "G205", "pass", &["ReplicationLatency at most"]);
    assert_eq!(said["waived"][0]["code"], "G212");
    let held = &super::verdict(&said, "G204")["held"];
    assert!(
        held["for_ms"].as_u64() >= Some(2000) && held["observations"].as_u64() >= Some(3),
        "{held}"
    );

    // Somebody's word outlives the directory, on both clusters, and is written down once.
    std::fs::remove_dir_all(migration.path("state")).expect("the state is there");
    let waived = |kafka| {
        let lines = crate::run::lines(kafka, &migration.name);
        let kinds = crate::run::kinds(&lines);
        kinds.iter().filter(|kind| *kind == "waived").count()
    };
    assert_eq!((waived(super::pair().0), waived(super::pair().1)), (1, 1));
    let remembered = migration.run(&["--json", "ready"]);
    remembered.assert_exit(0);
    let said = document(&remembered);
    let word = &said["waived"][0];
    assert_eq!(
        (&word["code"], &word["reason"], &word["lets_through"]),
        (
            &"G212".into(),
            &"nobody goes back in this test".into(),
            &true.into()
        )
    );
    assert!(word["by"].as_str().is_some_and(|by| by.contains(" on ")));
    assert_eq!(super::verdict(&said, "G212")["verdict"], "block");
    // A word that nobody would remember opens nothing: no state directory can be where a file is.
    let unwritten = ["ready", "--waive", "G212=another reason"];
    let unwritten = migration.command_in("migration.toml", &unwritten).finish();
    assert!(!matches!(unwritten.code(), Some(0 | 3)), "{unwritten}");
    let status = migration.run(&["status"]);
    status.assert_exit(0);
    assert!(
        status.stdout.contains("  nobody goes back in this test"),
        "{status}"
    );

    loader.stop();
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    // Taken back, the gate counts again.
    let withdrawn = migration.run(&["--json", "ready", "--withdraw", "g212"]);
    withdrawn.assert_exit(3);
    let said = document(&withdrawn);
    assert_eq!(said["waived"], serde_json::json!([]));
    assert_eq!(super::verdict(&said, "G212")["holds_up"], true);
    let stopped = migration.run(&["--json", "ready", WAIVED[0], WAIVED[1]]);
    stopped.assert_exit(3);
    assert_says(
        &document(&stopped),
        "G201",
        "block",
        &["the engine was stopped"],
    );
}

/// Others call a link fine while its tasks have failed: one stopped partition closes the gates although the engine runs.
#[test]
fn one_stopped_partition_closes_the_gates_of_its_application_and_of_no_other() {
    let (source, target) = super::pair();
    let stem = unique("halting");
    let [good, bad] = ["good", "bad"].map(|name| format!("{stem}-{name}"));
    for topic in [&good, &bad] {
        source.create_topic(topic, 1, &[]);
    }
    target.create_topic(&bad, 1, &[("max.message.bytes", "1000")]);
    Load::to(&[(&good, 1)]).fill(source, 100);
    Load::to(&[(&bad, 1)]).filling(5000).fill(source, 10);
    let migration = migration(&[&good, &bad]);
    migration.edit(
        "[replication]",
        &format!("[[application]]\nname = \"good\"\nreads = [{good:?}]\n\n[[application]]\nname = \"bad\"\nreads = [{bad:?}]\n\n[replication]"),
    );
    let mut engine = migration.command(&["--json", "replicate"]).start();
    engine.wait_for("\"event\":\"partition-stopped\"", Duration::from_secs(60));
    let all = migration.run(&["--json", "ready", WAIVED[0], WAIVED[1]]);
    all.assert_exit(3);
    let said = document(&all);
    assert_says(&said, "G211", "block", &[&format!("{bad}-0: K509")]);
    assert_says(&said, "G201", "pass", &["ReplicatorFailure 0"]);
    assert_says(
        &said,
        "G220",
        "block",
        &[&format!(
            "{bad}: the target takes less: max.message.bytes 1000"
        )],
    );
    let good_one = migration.run(&[
        "ready", "--app", "good", "--wait", "1m", WAIVED[0], WAIVED[1],
    ]);
    good_one.assert_exit(0);
    assert!(good_one.stdout.contains("application: good"), "{good_one}");
    migration
        .run(&["ready", "--app", "bad", WAIVED[0], WAIVED[1]])
        .assert_exit(3);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_looked_at() {
    let migration = migration(&["orders"]);
    let unknown = migration.run(&["ready", "--app", "nobody"]);
    unknown.assert_exit(2);
    unknown.assert_says("error[K030]: the file has no application \"nobody\"");
    for (waiver, says) in [
        ("G999=x", "there is no gate G999"),
        ("G212", "a gate and a reason are wanted"),
        ("G112=it fits", "is asked by preflight, not by ready"),
    ] {
        let refused = migration.run(&["ready", "--waive", waiver]);
        refused.assert_exit(2);
        refused.assert_says(says);
    }
    let refused = migration.run(&["ready", "--withdraw", "G999"]);
    refused.assert_exit(2);
    refused.assert_says("there is no gate G999");
}

#[test]
fn a_signal_ends_the_waiting() {
    let (source, _) = super::pair();
    let topic = unique("endless");
    source.create_topic(&topic, 1, &[]);
    let migration = migration(&[&topic]);
    let mut waiting = migration.command(&["ready", "--wait", "1h"]).start();
    waiting.wait_for("replicator-failure-zero", Duration::from_secs(60));
    waiting.interrupt();
    wait::until("it ends", Duration::from_secs(30), || waiting.has_ended());
    waiting.wait(PATIENCE).assert_exit(130);
}
