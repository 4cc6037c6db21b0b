//! `report` where nothing is left but this machine's files: both clusters dead, no state directory, files that are damaged.

use std::fs;

use serde_json::Value;

use super::{Place, file, nobody};

const STATE: &str = ".kafka-migrate/orders";

#[test]
fn with_both_clusters_dead_it_says_what_it_could_not_look_at() {
    let (_held, nowhere) = nobody();
    let place = Place::with(&file(&nowhere, &nowhere));
    let report = place.run(&["report"]);
    report.assert_exit(0);
    for wanted in [
        "# Migration `orders`",
        "## Not looked at\n\n- the source: cannot reach",
        "- the target: cannot reach",
        "Not known: there was no journal to read.",
        "- the journal: there is none on this machine",
        "Not verified",
        "Whether the way back is open: not looked at.",
    ] {
        assert!(report.stdout.contains(wanted), "{wanted}: {report}");
    }
    assert!(!place.path().join(STATE).exists(), "it only looks");
    // Damaged files are said to be that.
    let state = place.path().join(STATE);
    fs::create_dir_all(&state).expect("it can be made");
    for (name, text) in [
        ("journal", "damaged\nmore of it\n"),
        (
            "numbers.jsonl",
            "{\"since_ms\":1,\"at_ms\":2}\nnone\n{\"since",
        ),
        ("verified.json", "{"),
    ] {
        fs::write(state.join(name), text).expect("it is written");
    }
    let report = place.run(&["report", "--json", "--offline"]);
    report.assert_exit(0);
    let report: Value = serde_json::from_str(&report.stdout).expect("it is JSON");
    let not = report["not_looked_at"].to_string();
    for wanted in ["K430", "--offline", "what `verify` found last"] {
        assert!(not.contains(wanted), "{wanted}: {not}");
    }
    let over_time = &report["over_time"];
    assert_eq!(over_time["samples"].as_array().map(Vec::len), Some(1));
    assert!(
        over_time["notes"][0]
            .to_string()
            .contains("2 lines of numbers.jsonl")
    );
    let runbook = place.run(&["report", "--runbook", "--format", "html"]);
    runbook.assert_exit(0);
    assert!(
        runbook
            .stdout
            .contains("<h1>Runbook of <code>orders</code></h1>")
    );
    assert!(runbook.stdout.contains("No application is known"));
}

#[test]
fn json_and_another_format_do_not_share_stdout() {
    let (_held, nowhere) = nobody();
    let place = Place::with(&file(&nowhere, &nowhere));
    let both = ["--json", "report", "--offline", "--format", "html"];
    let refused = place.run(&both);
    refused.assert_exit(2);
    assert!(refused.stdout.contains("K620"), "{refused}");
    let written = place.run(&[&both[..], &["--out", "page.html"]].concat());
    written.assert_exit(0);
    let written: Value = serde_json::from_str(&written.stdout).expect("it is JSON");
    assert_eq!(written["event"], "written");
    let page = fs::read_to_string(place.path().join("page.html")).expect("it is there");
    assert!(page.starts_with("<!DOCTYPE html>"));
}
