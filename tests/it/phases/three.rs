//! The three applications of the story with a migration of theirs: what the file says of them, how far they are, and whole sequences judged.

use std::{collections::BTreeMap, fs, path::Path, sync::atomic::Ordering, time::Duration};

use serde_json::Value;

use super::{
    applications::{Applications, PARTITIONS, Work, partition_of},
    judged::judge,
};
use crate::support::{kafka::Kafka, wait};

/// Who they are: each reads what the one before writes.
pub const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];
const PATIENCE: Duration = Duration::from_secs(120);
/// Said of positions that an earlier run has asked.
const ASKED_BEFORE: &str = "an earlier run";

/// The three of them, which begin on the source.
pub struct Three {
    pub applications: Applications,
    /// What `orders` writes, and what `order-status` does.
    pub topics: [String; 2],
    /// Groups of the two that read.
    pub groups: [String; 2],
}

impl Three {
    /// Makes their topics, which bear this name, and starts all three on the source; their hooks lie in the directory.
    pub fn start(
        directory: &Path,
        name: &str,
        source: &Kafka,
        target: &Kafka,
        per_second: u64,
    ) -> Self {
        let topics = ["orders", "status"].map(|topic| format!("{name}-{topic}"));
        for topic in &topics {
            source.create_topic(topic, PARTITIONS, &[]);
            source.wait_for_partitions(topic, PARTITIONS);
        }
        let groups = [NAMES[1], NAMES[2]].map(|group| format!("{name}-{group}"));
        let work = [
            Work::Writes {
                to: topics[0].clone(),
                per_second,
            },
            Work::Reads {
                from: topics[0].clone(),
                to: Some(topics[1].clone()),
                group: groups[0].clone(),
            },
            Work::Reads {
                from: topics[1].clone(),
                to: None,
                group: groups[1].clone(),
            },
        ];
        let named: Vec<(&str, Work)> = NAMES.into_iter().zip(work).collect();
        let applications = Applications::new(directory, source, target, &named);
        for name in NAMES {
            applications.start(name, "source");
        }
        Self {
            applications,
            topics,
            groups,
        }
    }

    /// What a migration file beside their hooks says of them.
    pub fn described(&self) -> String {
        let hooks =
            "hooks = { stop = \"applications/stop.sh\", start = \"applications/start.sh\" }";
        let [orders, status] = &self.topics;
        let [first, second] = &self.groups;
        format!(
            "\n[[application]]\nname = \"orders\"\nwrites = [{orders:?}]\n{hooks}\n\
             [[application]]\nname = \"order-status\"\nreads = [{orders:?}]\nwrites = [{status:?}]\ngroups = [{first:?}]\n{hooks}\n\
             [[application]]\nname = \"customer-notification\"\nreads = [{status:?}]\ngroups = [{second:?}]\n{hooks}\n"
        )
    }

    /// What one was given of a partition, in its order.
    pub fn given(&self, name: &str, partition: i32) -> Vec<u64> {
        let processed = self.applications.processed[name].lock();
        let processed = processed.expect("nobody panics with it");
        let of = processed.get(&partition).into_iter().flatten();
        of.map(|(number, _)| *number).collect()
    }

    /// Waits until the last of the three is given so many more.
    #[track_caller]
    pub fn wait_for_more(&self, count: usize) {
        let given = || -> usize {
            let all = (0..PARTITIONS).map(|one| self.given(NAMES[2], one).len());
            all.sum()
        };
        let before = given();
        wait::until("records go through all three", PATIENCE, || {
            given() >= before + count
        });
    }

    /// Stops the writer, which runs on this side, waits until all has gone through, and compares whole sequences of both that read. Nothing
    /// is lost. Answers with how much each read again.
    #[track_caller]
    pub fn judge(&self, writes_on: &str) -> BTreeMap<&'static str, u64> {
        self.applications.stop(NAMES[0], writes_on);
        let written = self.applications.written.load(Ordering::Relaxed);
        let mut again = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let all = (0..written).filter(|number| partition_of(*number) == partition);
            let mut expected: Vec<u64> = all.collect();
            for name in &NAMES[1..] {
                wait::until(&format!("{name} has read all"), PATIENCE, || {
                    let given = self.given(name, partition);
                    given.last() == expected.last() && given.len() >= expected.len()
                });
                let given = self.given(name, partition);
                let judged = judge(&given, &expected);
                let judged =
                    judged.unwrap_or_else(|why| panic!("{name}, partition {partition}: {why}"));
                assert_eq!(judged.lost, [0; 0], "{name}, partition {partition}");
                *again.entry(*name).or_default() += judged.again;
                // The next one is given what this one wrote: all that it was given, in that order.
                expected = given;
            }
        }
        again
    }
}

/// A word of a journal: its kind, the step that it is about, what was said.
pub struct Word {
    pub kind: String,
    pub step: Option<usize>,
    pub said: String,
}

/// The words of a journal on this machine.
pub fn words(journal: &Path) -> Vec<Word> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let word = |line: &str| {
        let (_, json) = line.split_once(' ').expect("a sum stands before it");
        let line: Value = serde_json::from_str(json).expect("it is JSON");
        let record = &line["record"];
        let step = record["step"].as_u64();
        Word {
            kind: record["kind"].as_str().unwrap_or_default().to_owned(),
            step: step.map(|step| usize::try_from(step).expect("few steps")),
            said: record["said"].as_str().unwrap_or_default().to_owned(),
        }
    };
    whole.lines().map(word).collect()
}

/// What was announced to be read again by these words, of which one plan may have said it more than once: the most counts.
pub fn announced(words: &[Word]) -> u64 {
    let counts = words
        .iter()
        .filter(|word| word.said.contains("to be read again"))
        .filter(|word| !word.said.starts_with(ASKED_BEFORE))
        .map(|word| {
            // `… 13 records in 3 partitions to be read again`
            let words: Vec<&str> = word.said.split([' ', ',']).collect();
            let at = words.iter().position(|word| word.starts_with("record"));
            let count = at.and_then(|at| words[at - 1].parse::<u64>().ok());
            count.unwrap_or_else(|| panic!("{:?} does not say how many", word.said))
        });
    counts.max().expect("positions were asked")
}
