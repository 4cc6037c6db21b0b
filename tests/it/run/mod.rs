//! Plans, the journal in its three places, and the ledger as channel, between two real clusters.

mod channel;
mod journal;
mod metrics;
mod plans;
mod status;
mod transcripts;

use crate::support::{kafka::Kafka, read};

/// The topic of a migration's journal.
fn journal_topic(migration: &str) -> String {
    format!("kafka-migrate.{migration}.journal")
}

/// The lines of a journal as they lie on a cluster, signs of life left out; each once, though it may stand there twice.
pub fn lines(kafka: &Kafka, migration: &str) -> Vec<String> {
    let topic = journal_topic(migration);
    if kafka.partitions(&topic) == 0 {
        return Vec::new();
    }
    let mut lines: Vec<String> = Vec::new();
    for record in read::partition(kafka, &topic, 0, read::View::Uncommitted) {
        let line = String::from_utf8(record.value.unwrap_or_default()).expect("it is text");
        if !line.starts_with("beat ") && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// What the lines say, one word each.
pub fn kinds(lines: &[String]) -> Vec<String> {
    let kind = |line: &String| {
        let (_, json) = line.split_once(' ').expect("a checksum stands before it");
        let value: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
        value["record"]["kind"]
            .as_str()
            .expect("it has a kind")
            .to_owned()
    };
    lines.iter().map(kind).collect()
}
