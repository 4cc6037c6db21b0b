//! `preflight`, `ready` and `explain` between two real clusters with planted faults: each is found and named.

mod applications;
mod connections;
mod explain;
mod oldest;
mod planted;
mod ready;
mod rewriting;
mod rights;
mod trimmed;

use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{
    self,
    kafka::Kafka,
    tool::{Finished, Migration},
};

/// Two clusters of these tests' own: `preflight` looks at every ledger there is, and other tests leave broken ones behind.
fn pair() -> (&'static Kafka, &'static Kafka) {
    static PAIR: OnceLock<(Kafka, Kafka)> = OnceLock::new();
    let (source, target) = PAIR.get_or_init(support::pair);
    (source, target)
}

/// What a command said in JSON.
#[track_caller]
fn document(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

/// `preflight --json`, which must end with this exit code.
#[track_caller]
fn preflight(migration: &Migration, exit: i32) -> Value {
    let finished = migration.run(&["--json", "preflight"]);
    finished.assert_exit(exit);
    document(&finished)
}

/// One gate's verdict.
#[track_caller]
fn verdict<'a>(document: &'a Value, code: &str) -> &'a Value {
    let verdicts = document["verdicts"].as_array().expect("there are verdicts");
    let found = verdicts.iter().find(|verdict| verdict["code"] == code);
    found.unwrap_or_else(|| panic!("{code} was not asked: {document:#}"))
}

/// A gate must have answered so, and name all of this.
#[track_caller]
fn assert_says(document: &Value, code: &str, answer: &str, names: &[&str]) {
    let verdict = verdict(document, code);
    assert_eq!(verdict["verdict"], answer, "{verdict:#}");
    let text = verdict.to_string();
    for name in names {
        assert!(
            text.contains(name),
            "{code} does not say {name:?}: {verdict:#}"
        );
    }
}

/// No gate but these holds anything up.
#[track_caller]
fn assert_held_up_by(document: &Value, codes: &[&str]) {
    let verdicts = document["verdicts"].as_array().expect("there are verdicts");
    let held: Vec<&str> = verdicts
        .iter()
        .filter(|verdict| verdict["holds_up"] == true)
        .filter_map(|verdict| verdict["code"].as_str())
        .collect();
    assert_eq!(held, codes, "{document:#}");
}

/// Adds `scope.groups` to a migration file.
fn with_groups(migration: &Migration, groups: &[&str]) {
    migration.edit(
        "[replication]",
        &format!("groups = {groups:?}\n\n[replication]"),
    );
}
