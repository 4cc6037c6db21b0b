//! The engine, started again and again and killed at random moments, while brokers are killed and restarted.

use std::{
    collections::BTreeMap,
    path::Path,
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use crate::support::{
    Dice,
    kafka::Kafka,
    tool::{Migration, PATIENCE, last_step},
    wait,
};

use super::{fill::MIXED, traps::Clusters};

/// The share of kills that come soon after the first batch was sent; the others come at any moment after the start.
const AMID: f64 = 0.7;

/// What was done to the engine, and how it ended where it was not killed.
#[derive(Debug, Default)]
pub struct Blows {
    pub kills: usize,
    pub with_in_flight: usize,
    /// Exit codes of runs that came to their end, and how many there were.
    pub exits: BTreeMap<i32, usize>,
}

impl Blows {
    /// Runs `replicate --until caught-up` again and again, and kills whichever runs at random moments.
    pub fn strike(&mut self, migration: &Migration, mut kills: usize, dice: &mut Dice) {
        let steps = migration.path("steps");
        while kills > 0 {
            drop(std::fs::remove_file(&steps));
            let mut tool = migration
                .command(&["--json", "replicate", "--until", "caught-up"])
                .env("KAFKA_MIGRATE_STEPS", &steps)
                .start();
            let life = if dice.chance(AMID) {
                wait::whether(PATIENCE, || tool.has_ended() || has_sent(&steps));
                Duration::from_micros(dice.between(0, 300_000))
            } else {
                Duration::from_millis(dice.between(0, 3000))
            };
            let ended = wait::whether(life, || tool.has_ended());
            let code = tool.kill().code();
            if ended || code.is_some() {
                self.note(code);
                if !matches!(code, Some(0 | 10)) {
                    // A broker that is away is away for a while.
                    wait::elapse(Duration::from_millis(300));
                }
                continue;
            }
            kills -= 1;
            self.kills += 1;
            let in_flight = last_step(&steps).is_some_and(|(_, in_flight)| in_flight > 0);
            self.with_in_flight += usize::from(in_flight);
        }
    }

    /// `replicate --until caught-up` to its end, with these flags.
    pub fn finish(&mut self, migration: &Migration, flags: &[String]) -> Option<i32> {
        let mut line = vec!["--json", "replicate", "--until", "caught-up"];
        line.extend(flags.iter().map(String::as_str));
        let ended = migration.command(&line).start().wait(PATIENCE);
        self.note(ended.code());
        ended.code()
    }

    fn note(&mut self, code: Option<i32>) {
        *self.exits.entry(code.unwrap_or(-1)).or_default() += 1;
    }
}

fn has_sent(steps: &Path) -> bool {
    last_step(steps).is_some_and(|(step, in_flight)| in_flight > 0 || step.starts_with("produce-"))
}

/// Moves the leader of a partition by killing it with `kill -9`; it comes back. Answers from where to where.
fn move_leader(kafka: &Kafka) -> (String, String) {
    let (topic, patience) = (MIXED.0, Duration::from_secs(60));
    let leader = || kafka.leader(topic, 0);
    let before = wait::until_some("it has a leader", patience, leader);
    let index = (0..kafka.size()).find(|index| kafka.address(*index) == before);
    let index = index.expect("the leader is one of the brokers");
    kafka.kill(index);
    // The only broker there is leads again once it is back.
    let moved = (kafka.size() > 1).then(|| {
        wait::until_some("another broker leads", patience, || {
            leader().filter(|now| *now != before)
        })
    });
    kafka.start_again(index);
    let after = moved.or_else(leader).unwrap_or_default();
    (before, after)
}

/// Kills the leaders of both clusters, in other threads.
pub fn move_leaders<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    clusters: &'scope Clusters,
) -> [ScopedJoinHandle<'scope, (String, String)>; 2] {
    [&clusters.source, &clusters.target].map(|kafka| scope.spawn(move || move_leader(kafka)))
}

/// Stops and starts every broker of both clusters, one of each at a time, in other threads.
pub fn roll<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    clusters: &'scope Clusters,
) -> [ScopedJoinHandle<'scope, ()>; 2] {
    [&clusters.source, &clusters.target].map(|kafka| scope.spawn(move || kafka.roll()))
}
