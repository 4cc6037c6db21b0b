//! How long our part of a move takes, with a hundred topics: from the moment at which nothing of the application is seen to the one at which it may
//! be started.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use serde_json::Value;

use super::QUICK;
use crate::{
    groups::commit,
    support::{
        load::Load,
        shared_pair,
        tool::{Access, Migration},
        unique, wait,
    },
};

const PATIENCE: Duration = Duration::from_secs(120);
/// Brokers that were just started have no coordinator of groups yet when they are first asked, and that stays counted.
const FRESH: &str = "G202=fresh brokers";
const TOPICS: usize = 100;
/// There and back so many times.
const ROUNDS: usize = 6;

/// Milliseconds since 1970 of a journal's words, by kind and step's number.
fn times(journal: &Path) -> Vec<(String, Option<u64>, i64)> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let word = |line: &str| {
        // The last line may be half written.
        let line: Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        let record = &line["record"];
        let kind = record["kind"].as_str()?.to_owned();
        Some((kind, record["step"].as_u64(), line["at_ms"].as_i64()?))
    };
    text.lines().map_while(word).collect()
}

#[test]
fn our_part_of_the_downtime_with_a_hundred_topics() {
    let (source, target) = shared_pair();
    let name = unique("downtime");
    let topics: Vec<String> = (0..TOPICS).map(|one| format!("{name}-{one:03}")).collect();
    let group = format!("{name}-readers");
    for topic in &topics {
        source.create_topic(topic, 1, &[]);
    }
    let migration = Migration::new(
        &name,
        Access::Plain(source),
        Access::Plain(target),
        &[&format!("{name}-*")],
    );
    let described = format!(
        "\n[[application]]\nname = \"readers\"\nreads = [\"{name}-*\"]\ngroups = [{group:?}]\n\
         hooks = {{ stop = \"nothing.sh\", start = \"nothing.sh\" }}\n"
    );
    let text = fs::read_to_string(migration.file()).expect("it was written");
    let text = text.replacen(
        "[replication]\n",
        "[ready]\nhold = \"1s\"\noffset_lag = 1000000\n\n[replication]\ntwo_way = true\n",
        1,
    );
    fs::write(migration.file(), text + &described).expect("it is written");
    let hook = migration.path("nothing.sh");
    fs::write(&hook, "#!/bin/sh\n").expect("it is written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let all: Vec<(&str, i32)> = topics.iter().map(|topic| (topic.as_str(), 1)).collect();
    Load::to(&all).fill(source, 2000);
    for topic in &topics {
        commit(source, &group, topic, 7, "");
    }
    let engine = migration.command(&["replicate"]).start();
    wait::until("all is there", PATIENCE, || {
        topics
            .iter()
            .all(|topic| target.end_offset(topic, 0) == source.end_offset(topic, 0))
    });
    migration
        .run(&[
            "ready", "--app", "readers", "--wait", "3m", "--waive", FRESH,
        ])
        .assert_exit(0);
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        for command in ["cutover", "rollback"] {
            let before = fs::read_to_string(migration.path("state/journal")).unwrap_or_default();
            let before = before.lines().count();
            let line = [command, "--app", "readers", "--confirm", &name];
            let mut tool = migration.command(&[&line[..], &QUICK].concat()).start();
            // Nobody reads there, so that it lives would be waited for in vain.
            let journal = migration.path("state/journal");
            let at = |kind: &str, name: &str| {
                let steps = steps(&journal, command, before)?;
                let step = steps.iter().position(|step| step == name)? as u64;
                let words = times(&journal);
                let mut since = words.iter().skip(before);
                let word = since.find(|(what, of, _)| what == kind && *of == Some(step));
                word.map(|word| word.2)
            };
            let mut may_start = None;
            wait::until("it may be started", PATIENCE, || {
                may_start = at("intent", "start");
                may_start.is_some() || tool.has_ended()
            });
            let said = tool.kill();
            let (Some(may_start), Some(quiet)) = (may_start, at("attested", "quiet")) else {
                panic!("it never may: {said}");
            };
            took.push((may_start - quiet, said.stderr));
        }
    }
    took.sort_unstable();
    let (median, _) = took[took.len() / 2];
    let (longest, slowest) = took.last().expect("there were some");
    eprintln!(
        "from quiet to may-start with {TOPICS} topics, {} moves: median {median} ms, longest {longest} ms:\n{slowest}",
        took.len(),
    );
    // The goal. Alone it is a tenth of a second; before requests were listened for it was 700 ms.
    assert!(median < 1_000, "{took:?}");
    drop(engine);
}

/// Names of the steps of a plan of this phase that was begun since so many lines.
fn steps(journal: &Path, phase: &str, since: usize) -> Option<Vec<String>> {
    let text = fs::read_to_string(journal).ok()?;
    let plans = text.lines().skip(since).filter_map(|line| {
        let line: Value = serde_json::from_str(line.split_once(' ')?.1).ok()?;
        let what = &line["record"]["what"];
        (what["phase"] == phase).then(|| what["steps"].clone())
    });
    let last = plans.last()?;
    let steps = last.as_array()?.iter();
    steps
        .map(|step| Some(step["name"].as_str()?.to_owned()))
        .collect()
}
