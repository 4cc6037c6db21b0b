//! The three applications of the guides, at work between two clusters with TLS and SCRAM, and what every page about them has in common.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use crate::{
    phases::{
        applications::{Applications, PARTITIONS, Work, partition_of},
        judged::judge,
    },
    support::{
        kafka::{Kafka, MIGRATOR, Version},
        wait,
    },
};

/// How long what is copied may take to be seen.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who they are.
pub const NAMES: [&str; 3] = ["orders", "order-status", "customer-notification"];
/// What they write.
pub const TOPICS: [&str; 2] = ["orders", "order_status"];

/// A cluster with TLS, SCRAM and the rights that the page speaks of.
pub fn cluster(name: &str, version: Version) -> Kafka {
    let kafka = Kafka::spec(name).version(version).secure().start();
    let principal = format!("User:{}", MIGRATOR.0);
    // Topics, the cluster, groups, transactional ids: all operations (KIP-140).
    for (kind, name) in [(2, "*"), (4, "kafka-cluster"), (3, "*"), (5, "*")] {
        let taken = kafka.wire().allow(&principal, (kind, name, 3), 2);
        taken
            .expect("the broker answers")
            .expect("the ACL is taken");
    }
    kafka
}

/// What the three are given, and what they have to be given.
pub struct Company {
    pub applications: Applications,
}

impl Company {
    /// Starts all three on the source.
    pub fn start(directory: &std::path::Path, external: &Kafka, msk: &Kafka) -> Self {
        let [orders, status] = TOPICS.map(str::to_owned);
        let work = [
            Work::Writes {
                to: orders.clone(),
                per_second: 50,
            },
            Work::Reads {
                from: orders,
                to: Some(status.clone()),
                group: NAMES[1].to_owned(),
            },
            Work::Reads {
                from: status,
                to: None,
                group: NAMES[2].to_owned(),
            },
        ];
        let named: Vec<(&str, Work)> = NAMES.into_iter().zip(work).collect();
        let applications = Applications::new(directory, external, msk, &named);
        for name in NAMES {
            applications.start(name, "source");
        }
        let company = Self { applications };
        // A group that forms says nothing of what it reads.
        wait::until("all three work", PATIENCE, || {
            (0..PARTITIONS).all(|partition| company.given(NAMES[2], partition).len() > 50)
        });
        company
    }

    fn given(&self, name: &str, partition: i32) -> Vec<u64> {
        let processed = self.applications.processed[name].lock();
        let processed = processed.expect("nobody panics with it");
        let of = processed.get(&partition).into_iter().flatten();
        of.map(|(number, _)| *number).collect()
    }

    /// Stops the writer, lets everything run through, and compares whole sequences: how many were given again, by application.
    pub fn judge(&self) -> BTreeMap<&'static str, u64> {
        self.applications.stop(NAMES[0], "target");
        let written = self.applications.written.load(Ordering::Relaxed);
        assert!(written > 500, "only {written} were written");
        let mut again = BTreeMap::new();
        for partition in 0..PARTITIONS {
            let all = (0..written).filter(|number| partition_of(*number) == partition);
            let mut expected: Vec<u64> = all.collect();
            for name in &NAMES[1..] {
                wait::until("all is read", PATIENCE, || {
                    let given = self.given(name, partition);
                    given.last() == expected.last() && given.len() >= expected.len()
                });
                let given = self.given(name, partition);
                let judged = judge(&given, &expected);
                let judged = judged.unwrap_or_else(|why| panic!("{name}, {partition}: {why}"));
                assert_eq!(judged.lost, [0; 0], "{name}, partition {partition}");
                *again.entry(*name).or_insert(0) += judged.again;
                expected = given;
            }
        }
        again
    }
}

/// What differs from run to run: how much there is of anything, what is waited for, and single positions.
pub fn loosely(said: &str) -> String {
    let is_fleeting = |line: &&str| line.contains(" waits  ") || line.contains(": shows (");
    let is_id = |bare: &str| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let is_hex = bare
            .chars()
            .all(|letter| letter.is_ascii_hexdigit() || letter == '-');
        // Clusters have 22 letters, journals 36; fingerprints are digits up to f.
        bare.chars().all(is_part) && (bare.len() == 22 || is_hex && bare.len() >= 8)
    };
    let word = |word: &str| {
        let bare = word.trim_matches(['(', ')', ',', ';']);
        match () {
            () if is_id(bare) => "N".to_owned(),
            () if bare.contains("arn:aws") => "ARN".to_owned(),
            () if bare.starts_with(|letter: char| letter.is_ascii_digit()) => "N".to_owned(),
            // One of them is written otherwise than several.
            () => word
                .trim_end_matches([',', ')', ';'])
                .trim_end_matches('s')
                .to_owned(),
        }
    };
    let line = |line: &str| {
        let mut words: Vec<String> = line.split_whitespace().map(word).collect();
        words.dedup();
        words.join(" ")
    };
    let lines = said.lines().filter(|line| !is_fleeting(line));
    lines.map(line).collect::<Vec<_>>().join("\n")
}

/// How many records were announced to be read again, by application.
pub fn announced(said: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    let mut moving = "";
    for line in said.lines().filter(|line| line.contains(" step  ")) {
        if let Some((_, rest)) = line.split_once(", stop ") {
            moving = rest.split(' ').next().unwrap_or_default();
        }
        if let Some((before, _)) = line.split_once(" to be read again") {
            // `… 13 records in 3 partitions`
            let words: Vec<&str> = before
                .split([' ', ','])
                .filter(|one| !one.is_empty())
                .collect();
            let at = words.iter().position(|word| word.starts_with("record"));
            let count = at.and_then(|at| words[at - 1].parse::<u64>().ok());
            *all.entry(moving.to_owned()).or_insert(0) += count.expect("it says how many");
        }
    }
    all
}
