//! `status`, once and again and again: what the ledger and the journal say whether an engine runs or not.

use std::{fs, time::Duration};

use serde_json::Value;

use crate::support::{
    kafka::Kafka,
    load::Load,
    shared_pair,
    terminal::OnTerminal,
    tool::{Access, Finished, Migration, PATIENCE},
    unique,
};

const LIMIT: Duration = Duration::from_secs(60);

fn migration(source: &Kafka, target: &Kafka, stem: &str) -> Migration {
    let topic = unique(stem);
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)]).fill(source, 30);
    Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    )
}

#[track_caller]
fn document(finished: &Finished) -> Value {
    finished.assert_exit(0);
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

#[test]
fn what_was_asked_of_the_engine_and_done_is_told_without_an_engine_and_without_a_state_directory() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "told");
    migration.catch_up();
    fs::remove_dir_all(migration.path("state")).expect("the state is there");
    // Nobody answers; the requests stand all the same.
    migration.run(&["pause"]).assert_exit(3);
    migration.run(&["throttle", "20kB"]).assert_exit(3);
    let status = migration.command_in("elsewhere", &["status"]).finish();
    status.assert_exit(0);
    for says in [
        "engine: stopped cleanly",
        "request    paused by ",
        "request    at most 20.0 kB/s by ",
        "until `kafka-migrate resume`",
        "the journal says\n  replicate, planned ",
        ": done, 3 of 3 steps; last done: start engine",
    ] {
        assert!(status.stdout.contains(says), "{says:?} in {status}");
    }
    let said = document(&migration.run(&["--json", "status"]));
    assert_eq!(said["event"], "status");
    assert_eq!(said["pause"]["what"], "paused");
    assert_eq!(said["limit"]["what"], "at most 20.0 kB/s");
    let plan = &said["journal"]["plans"][0];
    assert_eq!(
        (&plan["plan"], &plan["standing"]),
        (&"replicate".into(), &"done".into())
    );
    assert_eq!(
        (&plan["done"], &plan["last_done"]),
        (&3.into(), &"start-engine".into())
    );
    assert!(!migration.path("elsewhere").exists(), "nothing was made");
    migration.run(&["resume"]).assert_exit(3);
    migration.run(&["throttle", "default"]).assert_exit(3);
    let said = document(&migration.run(&["--json", "status"]));
    assert_eq!(
        (&said["pause"], &said["limit"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_plan_that_was_cut_short_is_under_way_and_a_damaged_journal_hides_nothing_else() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "cut-short");
    let killed = migration
        .command(&["replicate", "--until", "caught-up"])
        .env("KAFKA_MIGRATE_CRASH_AT", "journal-appended:12")
        .finish();
    assert_eq!(killed.code(), None, "{killed}");
    let status = migration.run(&["status"]);
    status.assert_exit(0);
    for says in [
        ": under way, 1 of 3 steps; last done: create topics\n",
        "  `replicate`, process ",
    ] {
        assert!(status.stdout.contains(says), "{says:?} in {status}");
    }
    let path = migration.path("state").join("journal");
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[40] ^= 1;
    fs::write(&path, &bytes).expect("it can be written");
    let status = migration.run(&["status"]);
    status.assert_exit(0);
    assert!(
        status.stdout.contains("the journal cannot be read: "),
        "{status}"
    );
    assert!(status.stdout.contains("(K430)"), "{status}");
    assert!(status.stdout.contains("copied to"), "{status}");
}

#[test]
fn watched_in_lines_every_change_is_one_and_a_broker_may_go_away_meanwhile() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("watched-target").start();
    let migration = migration(source, &target, "watched");
    migration.edit(
        "[target]\n",
        "[target]\nconnect_timeout = \"2s\"\nrequest_timeout = \"3s\"\n",
    );
    let mut watching = migration.command_in("elsewhere", &["status", "-w"]).start();
    watching.wait_for(" never started ", LIMIT);
    let engine = migration.command(&["replicate"]).start();
    watching.wait_for(" running ", LIMIT);
    watching.wait_for("lag 0", LIMIT);
    engine.interrupt();
    engine.wait(PATIENCE).assert_exit(130);
    watching.wait_for(" stopped ", LIMIT);
    // Of a journal's news only lines like these tell.
    migration
        .run(&["ready", "--waive", "G212=nobody goes back"])
        .assert_exit(3);
    watching.wait_for("  1 gate waived", LIMIT);
    target.kill(0);
    watching.wait_for("cannot look: ", PATIENCE);
    let before = watching.said();
    target.start_again(0);
    // Seen again as it was before it went away.
    crate::support::wait::until("it looks again", PATIENCE, || {
        let said = watching.said();
        said.len() > before.len()
            && said
                .trim_end()
                .lines()
                .last()
                .is_some_and(|line| line.contains(" stopped "))
    });
    watching.interrupt();
    let ended = watching.wait(PATIENCE);
    ended.assert_exit(130);
    let lines = ended.stdout.lines();
    assert!(
        lines
            .clone()
            .all(|line| line.as_bytes().get(2) == Some(&b':')),
        "a stamp begins every line: {ended}"
    );
    let said: Vec<&str> = lines.filter_map(|line| line.get(8..)).collect();
    assert!(
        said.windows(2).all(|two| two[0] != two[1]),
        "what does not change is no news: {ended}"
    );
}

#[test]
fn watched_by_a_program_each_look_is_a_line_and_on_a_terminal_it_is_redrawn() {
    let (source, target) = shared_pair();
    let migration = migration(source, target, "rewatched");
    migration.catch_up();
    let mut watching = migration.command(&["--json", "status", "--watch"]).start();
    crate::support::wait::until("three looks", LIMIT, || {
        watching.said().lines().count() >= 3 || watching.has_ended()
    });
    watching.interrupt();
    let ended = watching.wait(PATIENCE);
    ended.assert_exit(130);
    for line in ended.stdout.lines() {
        let said: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(
            (&said["event"], &said["engine"]),
            (&"status".into(), &"stopped".into())
        );
        assert_eq!((&said["v"], &said["message_lag"]), (&1.into(), &0.into()));
    }
    let watching = OnTerminal::start(migration.command(&["status", "-w"]));
    watching.wait_for("engine: stopped cleanly", LIMIT);
    migration.run(&["pause"]).assert_exit(3);
    watching.wait_for("paused by", LIMIT);
    watching.interrupt();
    let said = watching.said();
    let (code, _) = watching.wait(PATIENCE);
    assert_eq!(code, Some(130));
    assert!(said.contains("\u{1b}["), "it is redrawn: {said:?}");
}
