//! The engine killed with `kill -9` before cleanup asks it to end, at every point of its stop, and behind every word of cleanup, or only mute for a
//! while: the same end as without.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use kafka_migrate::{
    engine::steps::AT_STOP,
    sandbox::{Action, Rule, When},
};
use kafka_protocol::messages::ApiKey;
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};

use super::simulated::{NAME, PATIENCE, Simulated};
use crate::{
    phases::three::words,
    support::{tool::Finished, wait},
};

const CLEANUP: [&str; 3] = ["cleanup", "--confirm", NAME];
/// Two ledgers of so many shards each; every session of an engine comes to a stop of its own.
const SHARDS: usize = 2;
/// Most of the time such a cleanup waits for an engine that says nothing more.
const AT_ONCE: usize = 12;
/// A ledger that is not there is looked for for a minute: its cluster may have lost it for a moment.
const GONE: Duration = Duration::from_secs(120);
const STOPPED: i32 = 9;
/// More than an engine copies while it is looked at.
const OLD: i32 = 300;

/// Where the engine dies.
#[derive(Debug, Clone, PartialEq)]
enum Dies {
    /// Not at all.
    Never,
    /// Before anybody asks it to end.
    Before,
    /// Where it reaches this label for this time.
    At(String),
    /// When cleanup has said this word of this step. Until then it is held up: it has heard of nothing, and lives.
    Behind(String, Option<usize>),
    /// While it ends the transaction that seals its run, which stays open.
    Sealing,
    /// Not by anybody: it was held up for so long that it was taken for dead, goes on behind that word, and has to find out by itself.
    Wakes(String, Option<usize>),
}

/// A migration at work, cleaned up while its engine dies, to the one end. Answers whether the command stopped, and was run again.
fn cleaned(runtime: &Handle, two_way: bool, dies: &Dies) -> bool {
    let why = format!("two ways: {two_way}, {dies:?}");
    let simulated = Simulated::new(runtime, two_way, OLD);
    let migration = &simulated.migration;
    let wanted = simulated.said().cleaned();
    let mut call = migration.command(&["replicate"]);
    if let Dies::At(step) = dies {
        call = call.env("KAFKA_MIGRATE_CRASH_AT", step);
    }
    let engine = call.start();
    simulated.wait_until_at_work();
    let amid = simulated.said();
    let cleanup = || migration.command(&CLEANUP).start().wait(PATIENCE);
    let finished = match dies {
        Dies::Never => {
            let finished = cleanup();
            engine.wait(PATIENCE).assert_exit(STOPPED);
            finished
        }
        Dies::Before => {
            engine.kill();
            cleanup()
        }
        Dies::At(_) => {
            let finished = cleanup();
            let killed = engine.wait(PATIENCE);
            assert_eq!(killed.code(), None, "{why}: {killed}");
            finished
        }
        Dies::Sealing => {
            let faults = simulated.cluster("target").faults();
            let lost = Rule::new(ApiKey::EndTxn, When::Nth(1), Action::SilentBefore);
            let rule = faults.add(lost);
            let tool = migration.command(&CLEANUP).start();
            wait::until(&format!("{why} comes"), PATIENCE, || {
                faults.count(rule) == 1
            });
            engine.kill();
            tool.wait(PATIENCE)
        }
        Dies::Behind(kind, step) | Dies::Wakes(kind, step) => {
            engine.pause();
            let journal = migration.path("state/journal");
            let base = words(&journal).len();
            let mut tool = migration.command(&CLEANUP).start();
            wait::until(&format!("{why} comes"), PATIENCE, || {
                let ended = tool.has_ended();
                let words = words(&journal);
                let mut since = words.iter().skip(base);
                let comes = since.any(|word| word.kind == *kind && word.step == *step);
                assert!(comes || !ended, "{why} does not come: {}", tool.said());
                comes
            });
            if matches!(dies, Dies::Wakes(..)) {
                engine.resume();
                let finished = tool.wait(PATIENCE);
                let ended = engine.wait(GONE);
                // Asked to end; or what it rests on went under its hands, or was gone for so long.
                let is_lost = ended.code() == Some(7) && ended.stderr.contains("K417");
                let is_over = matches!(ended.code(), Some(STOPPED | 4));
                assert!(is_lost || is_over, "{why}: {ended}");
                finished
            } else {
                let killed = engine.kill();
                assert_eq!(killed.code(), None, "{why}: {killed}");
                tool.wait(PATIENCE)
            }
        }
    };
    let again = finished.code() != Some(0);
    if again {
        // It says that it is not sure, and what was done stays done.
        finished.assert_exit(STOPPED);
        cleanup().assert_exit(0);
    }
    assert_ne!(wanted, amid, "{why}: something was to be removed");
    assert_eq!(simulated.said(), wanted, "{why}");
    simulated.assert_copied(&why);
    assert!(simulated.is_all_committed(), "{why}: readers are held back");
    // Twice is harmless, and nothing begins anew by itself.
    cleanup().assert_exit(0);
    let refused: Finished = migration.run(&["replicate"]);
    refused.assert_exit(7);
    refused.assert_says("K354");
    assert_eq!(simulated.said(), wanted, "{why}, twice");
    again
}

/// Every place at which an engine can die, by the steps that a cleanup would take.
fn places(runtime: &Handle, two_way: bool) -> Vec<Dies> {
    let simulated = Simulated::new(runtime, two_way, OLD);
    let engine = simulated.migration.command(&["replicate"]).start();
    simulated.wait_until_at_work();
    let shown = simulated.migration.run(&["cleanup", "--dry-run", "--json"]);
    shown.assert_exit(0);
    drop(engine.kill());
    let plan: Value = serde_json::from_str(&shown.stdout).expect("it is JSON");
    let steps = plan["steps"].as_array().expect("a plan has steps");
    let sessions = SHARDS * if two_way { 2 } else { 1 };
    // These take longest, and begin first.
    let wakes = |kind: &str, step| Dies::Wakes(kind.to_owned(), step);
    let mut all = vec![
        wakes("intent", Some(1)),
        wakes("done", Some(1)),
        wakes("ended", None),
        Dies::Before,
        Dies::Sealing,
    ];
    let labels = AT_STOP.iter();
    all.extend(labels.flat_map(|label| {
        (1..=sessions).map(move |session| Dies::At(format!("{label}:{session}")))
    }));
    let behind = |kind: &str, step| Dies::Behind(kind.to_owned(), step);
    all.extend([behind("runner", None), behind("planned", None)]);
    for (number, step) in steps.iter().enumerate() {
        let kinds = match step["what"].as_str().expect("a step has a kind") {
            "attestation" => &["attested"][..],
            "effect" => &["intent", "done"],
            other => panic!("{other} is no kind of step of a cleanup"),
        };
        all.extend(kinds.iter().map(|kind| behind(kind, Some(number))));
    }
    all.push(behind("ended", None));
    // The engine, settings that are held, a freeze, and each ledger.
    assert_eq!(steps.len(), 4 + sessions / SHARDS, "{steps:?}");
    all
}

/// All of them, and what an undisturbed cleanup leaves.
fn dies_anywhere(two_way: bool) {
    let runtime = Runtime::new().expect("threads can be had");
    let again = cleaned(runtime.handle(), two_way, &Dies::Never);
    assert!(!again, "nothing is in its way");
    let places = places(runtime.handle(), two_way);
    let (next, again) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(dies) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if cleaned(runtime.handle(), two_way, dies) {
                        let mut again = again.lock().expect("nobody panics with it");
                        again.push(dies);
                    }
                }
            });
        }
    });
    let again = again.into_inner().expect("nobody panicked with it");
    eprintln!(
        "two ways: {two_way}, killed at {} places, run again for {again:?}",
        places.len()
    );
}

#[test]
fn cleaned_up_one_way_while_the_engine_is_killed_it_ends_as_without() {
    dies_anywhere(false);
}

#[test]
fn cleaned_up_two_ways_while_the_engine_is_killed_it_ends_as_without() {
    dies_anywhere(true);
}
