//! How long a committed position takes to the other side: two real Kafka clusters, many groups, one running engine.
//!
//! `cargo run --example positions -- --groups 1000` needs Java 17 and Maven. Groups commit one after the other, at moments of their own, and then
//! all at once; each is watched until the target has its position.

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::{
    collections::HashMap,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use kafka_migrate::{
    cluster::{Commit, Commits, Target},
    model::{
        connection::{Auth, Connection},
        names::{Side, TopicPartition},
    },
};

use support::{Dice, kafka::Kafka, load::Load, tool::Migration};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 8;
const RECORDS: u64 = 80_000;
const LIMIT: Duration = Duration::from_secs(300);

/// Measures how long positions of groups take from a commit on the source until they stand on the target
#[derive(Debug, Parser)]
#[command(name = "positions")]
struct Line {
    /// Groups, each with a position in every partition
    #[arg(long, default_value_t = 1000, value_name = "N")]
    groups: usize,
    /// Commits of single groups that are timed
    #[arg(long, default_value_t = 300, value_name = "N")]
    samples: usize,
}

fn main() {
    let line = Line::parse();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--bin", "kafka-migrate"])
        .status();
    assert!(built.is_ok_and(|status| status.success()), "it builds");
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| Kafka::spec("source").start());
        let target = Kafka::spec("target").start();
        (source.join().expect("the source starts"), target)
    });
    source.create_topic(TOPIC, PARTITIONS, &[]);
    Load::to(&[(TOPIC, PARTITIONS)]).fill(&source, RECORDS);
    let migration = Migration::of_topic(&source, &target, TOPIC);
    let topics = format!("topics = [{TOPIC:?}]");
    migration.edit(&topics, &format!("{topics}\ngroups = [\"group-*\"]"));
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    runtime.block_on(measure(&line, &source, &target, &migration));
}

async fn measure(line: &Line, source: &Kafka, target: &Kafka, migration: &Migration) {
    // Applications commit on the source, where this plays all of them.
    let source = Target::connect(&connection(Side::Source, source)).await;
    let target = Target::connect(&connection(Side::Target, target)).await;
    let (source, target) = (source.expect("it answers"), target.expect("it answers"));
    let names: Vec<String> = (0..line.groups).map(|one| format!("group-{one}")).collect();
    let all = |offset: i64| {
        names
            .iter()
            .map(|name| (name.clone(), commits(offset)))
            .collect()
    };
    let begun = Instant::now();
    drop(source.commit(all(1)).await);
    println!("{} groups committed in {:?}", line.groups, begun.elapsed());
    let begun = Instant::now();
    let mut engine = migration.command(&["replicate", "--json"]).start();
    engine.wait_for("\"event\":\"started\"", LIMIT);
    until_they_stand(&target, &names, 1).await;
    println!(
        "all carried {:?} after the engine was started",
        begun.elapsed()
    );

    // One after the other.
    let mut dice = Dice::new(7);
    let mut open: HashMap<String, (i64, Instant)> = HashMap::new();
    let mut took = Vec::new();
    let mut next = Instant::now();
    let mut offset = 100;
    while took.len() < line.samples {
        if Instant::now() >= next && took.len() + open.len() < line.samples {
            let pick = dice.between(0, names.len() as u64);
            let name = &names[usize::try_from(pick).expect("it fits")];
            if !open.contains_key(name) {
                offset += 1;
                drop(source.commit(vec![(name.clone(), commits(offset))]).await);
                open.insert(name.clone(), (offset, Instant::now()));
            }
            next = Instant::now() + Duration::from_millis(dice.between(5, 60));
        }
        let asked: Vec<String> = open.keys().cloned().collect();
        for (name, found) in target.positions(&asked).await {
            let wanted = open[&name];
            if found.is_ok_and(|found| stand(&found, wanted.0)) {
                took.push(wanted.1.elapsed());
                open.remove(&name);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took.sort();
    let share = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    println!(
        "{} groups, {} single commits: median {:?}, p90 {:?}, p99 {:?}, longest {:?}",
        line.groups,
        took.len(),
        share(50),
        share(90),
        share(99),
        took[took.len() - 1]
    );

    // All at once.
    let begun = Instant::now();
    drop(source.commit(all(5_000)).await);
    let committed = begun.elapsed();
    until_they_stand(&target, &names, 5_000).await;
    println!(
        "{} groups at once: committed in {committed:?}, the last one carried after {:?}",
        line.groups,
        begun.elapsed()
    );
    engine.interrupt();
    engine.wait(LIMIT).assert_exit(130);
}

fn commits(offset: i64) -> Commits {
    (0..PARTITIONS)
        .map(|partition| {
            let at = TopicPartition::new(TOPIC, partition);
            let metadata = String::new();
            (at, Commit { offset, metadata })
        })
        .collect()
}

fn stand(found: &Commits, offset: i64) -> bool {
    found.len() == PARTITIONS as usize && found.values().all(|commit| commit.offset == offset)
}

async fn until_they_stand(target: &Target, names: &[String], offset: i64) {
    let begun = Instant::now();
    let mut open = names.to_vec();
    while !open.is_empty() {
        assert!(begun.elapsed() < LIMIT, "{} do not stand", open.len());
        let found = target.positions(&open).await;
        open.retain(|name| !found[name].as_ref().is_ok_and(|found| stand(found, offset)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn connection(side: Side, kafka: &Kafka) -> Connection {
    Connection {
        side,
        bootstrap: kafka.bootstrap(),
        auth: Auth::None,
        tls: None,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(30),
    }
}
