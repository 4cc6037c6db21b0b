//! The main job, seen: starts two real Kafka clusters, fills one, copies it to the other, and proves the copy.
//!
//! `cargo run --example first-copy` needs Java 17 and Maven, takes about a minute, and leaves nothing behind but what
//! it keeps in the build directory for the next time.

#[path = "../tests/it/support/mod.rs"]
mod support;

use std::{
    process::{Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use support::{
    kafka::Kafka,
    load::Load,
    read,
    tool::{Access, Migration},
};

const TOPICS: [(&str, i32); 3] = [("orders", 6), ("order_status", 3), ("payments", 1)];
const RECORDS: u64 = 100_000;

fn main() -> ExitCode {
    say("building kafka-migrate");
    build();

    say("starting two clusters of real Apache Kafka (the first time, Maven fetches them)");
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| Kafka::spec("source").start());
        let target = Kafka::spec("target").start();
        (source.join().expect("the source starts"), target)
    });
    println!(
        "source  {}  Apache Kafka {}",
        source.bootstrap().join(","),
        source.version().number()
    );
    println!(
        "target  {}  Apache Kafka {}",
        target.bootstrap().join(","),
        target.version().number()
    );

    say(
        "filling the source: every codec, tombstones, headers with double and with non-UTF-8 names",
    );
    for (topic, partitions) in TOPICS {
        source.create_topic(topic, partitions, &[]);
    }
    Load::to(&TOPICS).fill(&source, RECORDS);
    for (topic, partitions) in TOPICS {
        let records: i64 = (0..partitions)
            .filter_map(|partition| source.end_offset(topic, partition))
            .sum();
        println!("{topic:<12}  {partitions} partitions  {records:>6} records");
    }

    let topics: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    let migration = Migration::new(
        "first-copy",
        Access::Plain(&source),
        Access::Plain(&target),
        &topics,
    );
    say("the migration file");
    print!(
        "{}",
        std::fs::read_to_string(migration.file()).expect("it was just written")
    );

    let began = Instant::now();
    let commands: [&[&str]; 3] = [
        &["replicate", "--until", "caught-up"],
        &["status"],
        &["verify"],
    ];
    for command in commands {
        if !run(&migration, command) {
            println!("\n`{}` did not succeed", command.join(" "));
            return ExitCode::FAILURE;
        }
    }
    let took = began.elapsed();

    say("and once more without any code of kafka-migrate: both sides read, record by record");
    let records: usize = topics
        .iter()
        .map(|topic| read::assert_same(&source, &target, topic))
        .sum();
    println!(
        "{records} records in {} topics: the same, once each, in order ({:.1} s for the three commands)",
        topics.len(),
        took.as_secs_f32()
    );
    ExitCode::SUCCESS
}

/// A headline between the parts.
fn say(what: &str) {
    println!("\n── {what}");
}

/// Cargo builds the binary for tests, not for examples.
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "kafka-migrate"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cargo cannot build kafka-migrate"
    );
}

/// Runs one command, its output going where ours goes.
fn run(migration: &Migration, arguments: &[&str]) -> bool {
    println!("\n$ kafka-migrate {}", arguments.join(" "));
    let mut command = support::tool::program();
    command
        .args(arguments)
        .current_dir(migration.directory())
        .stdin(Stdio::inherit());
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    println!(
        "exit {}",
        status
            .code()
            .map_or_else(|| "by a signal".to_owned(), |code| code.to_string())
    );
    status.success()
}
