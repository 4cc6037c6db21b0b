//! What must be true in the end, looked at four ways: exit codes, `status`, `verify`, and a reader that shares no code with the program.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    read::{self, View},
    tool::{Finished, Migration, PATIENCE},
};

use super::{
    fill::COMPACTED,
    traps::{Clusters, Trap, Verdict},
};

/// What is wrong, in sentences.
pub type Faults = Vec<String>;

/// A trap that was sprung, and what the target held of it then.
pub struct Sprung<'a> {
    pub trap: &'a Trap,
    pub held: Vec<Vec<Record>>,
}

/// A partition that has stopped, as `status` lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
pub struct Stopped {
    pub topic: String,
    pub partition: i32,
    pub code: String,
    pub source_offset: i64,
    pub reason: String,
}

impl Stopped {
    /// Which partition has stopped where; the reason may name a broker, and another one the next time.
    pub fn place(&self) -> (String, i32, String, i64) {
        let (topic, code) = (self.topic.clone(), self.code.clone());
        (topic, self.partition, code, self.source_offset)
    }
}

/// A command that prints one document, with its exit code.
pub fn document(migration: &Migration, line: &[&str]) -> (Option<i32>, Value) {
    let finished = migration
        .command(&[&["--json"], line].concat())
        .start()
        .wait(PATIENCE);
    (finished.code(), parsed(&finished))
}

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

/// What has stopped.
pub fn stopped(migration: &Migration) -> Vec<Stopped> {
    let (code, status) = document(migration, &["status"]);
    assert_eq!(code, Some(0), "status: {status}");
    let mut stopped: Vec<Stopped> =
        serde_json::from_value(status["stopped"].clone()).expect("a list of what stopped");
    stopped.sort();
    stopped
}

/// Each trap has stopped its partition 0, under its code and where it should, and nothing else has stopped.
pub fn check_stops(sprung: &[Sprung<'_>], stopped: &[Stopped]) -> Faults {
    let mut faults = Faults::new();
    for Sprung { trap, .. } in sprung {
        let of = |one: &&Stopped| one.topic == trap.topic;
        match stopped.iter().filter(of).collect::<Vec<_>>()[..] {
            [one] if one.partition == 0 && one.code == trap.code => {
                if let Some(at) = trap.at.filter(|at| *at != one.source_offset) {
                    faults.push(format!(
                        "{} stopped at {} and not at {at}",
                        trap.topic, one.source_offset
                    ));
                }
            }
            ref others => faults.push(format!(
                "{}-0 should have stopped alone with {}, and `status` lists {others:?}",
                trap.topic, trap.code
            )),
        }
    }
    let others = stopped
        .iter()
        .filter(|one| !sprung.iter().any(|of| of.trap.topic == one.topic));
    faults.extend(others.map(|one| format!("nobody stopped {one:?}")));
    faults
}

/// What `verify` says of every topic, by name.
pub fn verdicts(report: &Value) -> BTreeMap<String, Verdict> {
    let topics = report["by_topic"].as_array().into_iter().flatten();
    topics
        .map(|topic| {
            let name = topic["topic"].as_str().unwrap_or_default().to_owned();
            let verdict = serde_json::from_value(topic.clone()).expect("counts of a topic");
            (name, verdict)
        })
        .collect()
}

/// `verify` says of each stopped topic what it must, and finds nothing in any other.
pub fn check_verdicts(sprung: &[Sprung<'_>], found: &BTreeMap<String, Verdict>) -> Faults {
    let expected: HashMap<&str, Option<Verdict>> = sprung
        .iter()
        .map(|of| (of.trap.topic, of.trap.verdict))
        .collect();
    let mut faults = Faults::new();
    for (topic, found) in found {
        let nothing = Verdict {
            matching: found.matching,
            excused: found.excused,
            ..Verdict::default()
        };
        let wanted = match expected.get(topic.as_str()) {
            Some(Some(verdict)) => *verdict,
            Some(None) => {
                faults.push(format!("{topic} is not on the source, and was compared"));
                continue;
            }
            None => nothing,
        };
        if *found != wanted {
            faults.push(format!(
                "verify says of {topic} {found:?} and not {wanted:?}"
            ));
        }
    }
    let compared = expected.iter().filter(|(_, verdict)| verdict.is_some());
    faults.extend(
        compared
            .filter(|(topic, _)| !found.contains_key(**topic))
            .map(|(topic, _)| format!("verify says nothing of {topic}")),
    );
    faults
}

/// A stopped partition holds on the target what it held when it stopped; others of its topic are copied.
pub fn check_held(sprung: &[Sprung<'_>], clusters: &Clusters) -> Faults {
    let mut faults = Faults::new();
    for Sprung { trap, held } in sprung {
        let now = trap.held(&clusters.target);
        for (number, (before, after)) in held.iter().zip(&now).enumerate() {
            let number = i32::try_from(number).expect("few partitions");
            let source = || read::partition(&clusters.source, trap.topic, number, View::Committed);
            let wanted = if number == 0 || clusters.source.partitions(trap.topic) <= number {
                before.clone()
            } else {
                source()
            };
            if let Some(difference) = difference(&wanted, after) {
                faults.push(format!(
                    "{}-{number} on the target: {difference}",
                    trap.topic
                ));
            }
        }
        if held.len() != now.len() {
            faults.push(format!("{} has {} partitions", trap.topic, now.len()));
        }
    }
    faults
}

/// Where two sequences of records part, if they do.
fn difference(wanted: &[Record], found: &[Record]) -> Option<String> {
    let unlike = wanted
        .iter()
        .zip(found)
        .position(|(one, other)| !one.is_same(other));
    let (lengths, index) = ((wanted.len(), found.len()), unlike);
    (index.is_some() || lengths.0 != lengths.1).then(|| {
        let first = index.map_or_else(String::new, |index| {
            format!(", the first difference at index {index}")
        });
        format!("{} records and not {}{first}", lengths.1, lengths.0)
    })
}

/// Every record of every topic that did not stop stands on the target once, in order. Answers partitions and records, by topic.
pub fn check_clean(clusters: &Clusters, faults: &mut Faults) -> BTreeMap<String, (usize, usize)> {
    let topics = clusters.source.metadata().topics;
    let clean = topics
        .into_iter()
        .filter(|(topic, _)| topic.starts_with("clean-"));
    let mut compared = BTreeMap::new();
    for (topic, leaders) in clean {
        let mut records = 0;
        for number in 0..i32::try_from(leaders.len()).expect("few partitions") {
            let read = |kafka: &Kafka, view| read::partition(kafka, &topic, number, view);
            let wanted = read(&clusters.source, View::Committed);
            let mut found = read(&clusters.target, View::Uncommitted);
            if topic == COMPACTED {
                // What the source's cleaner took after it was copied.
                let mut rest = wanted.iter();
                let mut next = rest.next();
                found.retain(|record| {
                    let is_next = next.is_some_and(|wanted| wanted.is_same(record));
                    if is_next {
                        next = rest.next();
                    }
                    is_next
                });
            }
            records += wanted.len();
            if let Some(difference) = difference(&wanted, &found) {
                faults.push(format!("{topic}-{number} on the target: {difference}"));
            }
        }
        compared.insert(topic, (leaders.len(), records));
    }
    compared
}
