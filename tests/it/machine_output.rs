//! What `docs/machine-output.md` says of `--json`, against what the program prints: every document, line and field, in both directions.
//!
//! What is printed comes from the transcripts, and where a run shows too little from the program's own types, filled in
//! `samples`. What the page says of a field is checked too: its type, whether it may be null, whether it may be absent.

mod page;
mod samples;

use std::collections::BTreeSet;

use serde_json::Value;

use self::page::{Page, Seen};
use crate::documents::{files, read};

/// Both of these print documents of the same shape as `pause`.
const LIKE_PAUSE: [&str; 2] = ["resume", "throttle"];

/// The JSON of the transcripts: the part for programs of each, a document or lines.
fn printed() -> Vec<Value> {
    let mut all = Vec::new();
    for file in files("tests/it/run/snapshots", "snap") {
        let text = read(&file);
        // Before the text stand two lines of dashes, with what the snapshot is of.
        let text = text.splitn(3, "---\n").nth(2).unwrap_or_default();
        let json = match text.split_once("── json, exit ") {
            Some((_, rest)) => {
                let rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                rest.split("── terminal").next().unwrap_or_default()
            }
            None => text,
        };
        // Completions and the manual page are for shells and readers.
        if json.trim_end() != "(no JSON)" {
            let values = serde_json::Deserializer::from_str(json).into_iter();
            all.extend(values.map(|value: Result<Value, _>| {
                value.unwrap_or_else(|error| panic!("{file}: {error}"))
            }));
        }
    }
    all
}

/// The section of a document or a line, by its `event`.
fn name_of(value: &Value) -> &str {
    match value["event"].as_str().expect("everything says what it is") {
        name if LIKE_PAUSE.contains(&name) => "pause",
        name => name,
    }
}

#[test]
fn the_page_tells_of_every_document_line_and_field_and_of_none_besides() {
    let page = Page::read(&read("docs/machine-output.md"));
    let mut seen = Seen::default();
    let printed = printed();
    assert!(printed.len() > 30, "only {} were found", printed.len());
    for value in &printed {
        page.check(name_of(value), value, &mut seen);
    }
    for (value, is_line) in samples::all() {
        let name = value["event"].as_str().expect("a sample says what it is");
        // Samples hold what is inside, not what every line has around it.
        page.check_inside(name, &value, is_line, &mut seen);
    }
    let faults = page.faults(&seen);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_event_of_the_program_was_looked_at() {
    let page = Page::read(&read("docs/machine-output.md"));
    let told: BTreeSet<&str> = page.names().collect();
    let mut known: BTreeSet<String> = samples::all()
        .iter()
        .map(|(value, _)| value["event"].as_str().unwrap_or_default().to_owned())
        .collect();
    known.extend(printed().iter().map(|value| name_of(value).to_owned()));
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(
        told, known,
        "left: the headings of the page, right: what the program prints"
    );
}

/// Names of events stand as text in the source too; what no transcript and no sample shows is found there.
#[test]
fn every_event_that_the_source_names_has_its_section() {
    let page = Page::read(&read("docs/machine-output.md"));
    let names: BTreeSet<&str> = page.names().collect();
    let mut found = 0;
    for file in files("src/cli", "rs").iter().chain(&files("src/ui", "rs")) {
        let text = read(file);
        let code = text.split("mod tests {").next().unwrap_or_default();
        for part in code.split("event: \"").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(names.contains(name), "{file}: no section for {name}");
            found += 1;
        }
    }
    assert!(found > 8, "only {found} were found");
}

#[test]
fn the_examples_of_the_page_are_from_the_transcripts() {
    let snapshots: Vec<String> = files("tests/it/run/snapshots", "snap")
        .iter()
        .map(|file| read(file))
        .collect();
    let page = read("docs/machine-output.md");
    let examples: Vec<&str> = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(examples.len() > 2, "the page shows too little");
    for example in examples {
        assert!(
            snapshots.iter().any(|text| text.contains(example)),
            "no transcript has\n{example}"
        );
    }
}
