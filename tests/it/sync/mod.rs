//! What follows the source beside records and positions, between real clusters: settings of topics, access rules, logins.

pub mod rules;
mod settings;

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    tool::{Migration, Tool},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Looks as often as the file can say.
pub fn eager(migration: &Migration) {
    migration.edit(
        "[replication]\n",
        "[replication]\nsync.configs = \"100ms\"\nsync.acls = \"100ms\"\n",
    );
}

/// An engine that runs until it is stopped.
pub fn engine(migration: &Migration) -> Tool {
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for("\"event\":\"started\"", PATIENCE);
    tool
}

/// What `status` says of it.
fn status(migration: &Migration) -> Value {
    let finished = migration.run(&["--json", "status"]);
    finished.assert_exit(0);
    let document: Value = serde_json::from_str(&finished.stdout).expect("it is JSON");
    document["sync"].clone()
}

/// Waits until `status` says so.
#[track_caller]
fn wait_until_it_says(migration: &Migration, what: &str, says: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let said = wait::whether(PATIENCE, || {
        last = status(migration);
        says(&last)
    });
    assert!(said, "{what}: {last:#}");
    last
}

/// Events of a kind in what the program said.
fn events(said: &str, kind: &str) -> Vec<Value> {
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &Value| line["event"] == kind).collect()
}
