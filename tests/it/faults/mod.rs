//! The program between two real clusters while things go wrong.

mod backlog;
mod bad_input;
mod changed;
mod cold;
mod cut;
mod damaged;
mod disk;
mod evidence;
mod first_copy;
mod gaps;
mod gone;
mod harness;
mod held_back;
pub mod holes;
mod identities;
mod kills;
mod limits;
mod lossy;
mod lost_answers;
mod oldest;
mod ordeal;
mod positions;
mod retention;
mod seam;
mod shut_out;
mod stops;
mod stops_lost;
mod stops_past;
mod times;
mod tiny;
mod tombstones;
mod trimmed;
mod two_engines;
mod typed;
mod unmet;

use std::time::Duration;

use crate::support::{kafka::Kafka, read, tool::Tool, wait};

/// How an event of that name begins in the lines of `--json`.
pub(crate) fn event(name: &str) -> String {
    format!("\"event\":\"{name}\"")
}

/// Waits until the target holds more than `records` records of a topic, counted by end offsets.
#[track_caller]
fn wait_until_target_holds(target: &Kafka, topic: &str, records: i64) {
    wait::until(
        &format!("the target holds more than {records} of {topic}"),
        Duration::from_secs(60),
        || held(target, topic) > records,
    );
}

/// Deletes a topic and makes it anew under its name.
fn remake(kafka: &Kafka, topic: &str, partitions: i32) {
    stops::delete_topic(kafka, topic);
    wait::until("the topic is gone", Duration::from_secs(60), || {
        kafka.partitions(topic) == 0
    });
    kafka.create_topic(topic, partitions, &[]);
}

/// End offsets of a topic, summed; 0 while it is not there or a partition has no leader.
fn held(kafka: &Kafka, topic: &str) -> i64 {
    kafka.end_offsets(topic).unwrap_or_default().iter().sum()
}

/// Waits until a running `replicate --json` copies `topic`: its own words, not only the target's offsets.
#[track_caller]
fn wait_until_copying(tool: &mut Tool, target: &Kafka, topic: &str) {
    tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
    let before = held(target, topic);
    wait::until(
        &format!("{topic} grows on the target\n{}", tool.said()),
        Duration::from_secs(60),
        || held(target, topic) > before,
    );
}

/// Every topic's whole sequence is the same on both sides.
#[track_caller]
fn assert_all_same(source: &Kafka, target: &Kafka, topics: &[&str]) -> usize {
    topics
        .iter()
        .map(|topic| read::assert_same(source, target, topic))
        .sum()
}
