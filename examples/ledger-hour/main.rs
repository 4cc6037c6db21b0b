//! What the ledger costs where it is hardest: a thousand partitions with ten small committed transactions a second each.
//!
//! `scripts/ledger-hour --minutes N` writes them for so long while kafka-migrate copies one way, and shows the ledger's
//! bytes, the engine's memory and the runs in it as time goes on; then kills the engine and takes the time to the first
//! record copied after it. It needs Java 17 and Maven, and leaves nothing behind but what is kept in the build directory.

mod ledger;
#[path = "../cost/machine.rs"]
mod machine;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod writer;

use std::{
    fs,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use ledger::{Follower, Seen};
use support::{
    codecs,
    kafka::Kafka,
    tool::{Access, Migration, Tool},
    wait,
};
use writer::{Load, Writers};

const TOPIC: &str = "transactions";
/// What happens in this time after the start does not count: connections, classes and pools grow in it.
const WARM_UP: Duration = Duration::from_secs(30);
/// Rows of the table.
const ROWS: u32 = 20;
/// Every so manieth partition is looked at for the first record after the restart.
const LOOKED_AT: usize = 20;

/// Measures what an hour of small transactions costs the ledger
#[derive(Debug, Parser)]
#[command(name = "ledger-hour")]
struct Line {
    /// Write for so long; what is said of an hour is extrapolated from it
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    minutes: f64,
    /// Partitions of the one topic
    #[arg(long, default_value_t = 1000, value_name = "N")]
    partitions: i32,
    /// Transactional producers; each of their transactions writes one record to each of an equal part of the partitions
    #[arg(long, default_value_t = 10, value_name = "N")]
    producers: i32,
    /// Transactions a second in each partition
    #[arg(long, default_value_t = 10, value_name = "N")]
    per_second: u32,
    /// Shards of the ledger; a shard writes a snapshot after 16 MiB or ten minutes, and with one of them a short run sees several
    #[arg(long, default_value_t = 1, value_name = "N")]
    shards: u32,
    /// Compare both sides at the end, record by record
    #[arg(long)]
    verify: bool,
}

/// What is known at one moment.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: Duration,
    written: u64,
    copied: u64,
    memory: u64,
    seen: Seen,
    on_disk: u64,
}

fn main() -> ExitCode {
    let line = Line::parse();
    build();
    eprintln!("starting two clusters of real Apache Kafka (the first time, Maven fetches them)");
    let (source, target) = thread::scope(|scope| {
        // Old segments are looked for every five minutes otherwise, and stay a minute longer.
        let spec = |name| {
            Kafka::spec(name)
                .set("log.retention.check.interval.ms", "10000")
                .set("log.segment.delete.delay.ms", "1000")
        };
        let source = scope.spawn(move || spec("source").start());
        let target = spec("target").start();
        (source.join().expect("the source starts"), target)
    });
    source.create_topic(TOPIC, line.partitions, &[]);
    let migration = Migration::new(
        "ledger-hour",
        Access::Plain(&source),
        Access::Plain(&target),
        &[TOPIC],
    );
    migration.edit("shards = 2", &format!("shards = {}", line.shards));
    println!("machine  {}", machine::machine());
    println!("date     {}", machine::moment());
    println!(
        "brokers  one of Apache Kafka {} a side, {}, on loopback and the same cores",
        target.version().number(),
        machine::java()
    );
    println!("profile  debug (dev), shards: {}", line.shards);
    println!(
        "load     {} transactional producers with {} partitions each; each commits {} transactions a second with one record of 100 bytes in each of them",
        line.producers,
        line.partitions / line.producers,
        line.per_second
    );

    let mut engine = start(&migration);
    engine.wait_for("\"event\":\"shard-claimed\"", Duration::from_secs(120));
    let load = Load {
        partitions: line.partitions,
        producers: line.producers,
        per_second: line.per_second,
    };
    let writers = Writers::start(&source.address(0), TOPIC, load);
    let ledger = kafka_migrate::engine::ledger::topic(
        &migration.name,
        kafka_migrate::model::direction::Direction::Forward,
    );
    let shards = i32::try_from(line.shards).expect("few shards");
    let follower = Follower::start(&target.address(0), &ledger, shards);
    let began = Instant::now();
    let row = |engine: &Tool| Row {
        at: began.elapsed(),
        written: writers.in_partitions(),
        copied: target
            .end_offsets(TOPIC)
            .map_or(0, |ends| ends.iter().sum::<i64>().unsigned_abs()),
        memory: memory(engine.id()),
        seen: follower.seen(),
        on_disk: target.log_bytes(&ledger),
    };
    let whole = Duration::from_secs_f64(line.minutes * 60.0).max(WARM_UP * 2);
    let interval = (whole - WARM_UP) / ROWS;
    println!("\n{HEAD}");
    let mut rows = Vec::new();
    for number in 0..=ROWS {
        let due = WARM_UP + interval * number;
        wait::elapse(due.saturating_sub(began.elapsed()));
        assert!(!engine.has_ended(), "the engine ended: {}", engine.said());
        rows.push(row(&engine));
        print_row(
            rows.len().checked_sub(2).map(|i| &rows[i]),
            &rows[rows.len() - 1],
        );
    }
    let peak = engine.peak_memory();
    conclude(&rows, peak);

    let restart = restart(&migration, &target, engine);
    println!(
        "restart after kill -9, under the same load: {:.2} s to the first record copied",
        restart.0.as_secs_f64()
    );
    let written = writers.stop();
    restart.1.interrupt();
    let ended = restart.1.wait(Duration::from_secs(60));
    println!("stopped: exit {}", ended.code().unwrap_or(-1));
    let began = Instant::now();
    let mut exit = migration
        .command(&["replicate", "--until", "caught-up"])
        .start()
        .wait(Duration::from_secs(500))
        .code();
    println!(
        "{written} records written; caught up after {:.0} s more",
        began.elapsed().as_secs_f64()
    );
    if line.verify && exit == Some(0) {
        let verify = migration
            .command(&["verify"])
            .start()
            .wait(Duration::from_secs(500));
        print!("verify: {}", verify.stdout);
        exit = verify.code();
    }
    if exit == Some(0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn start(migration: &Migration) -> Tool {
    migration.command(&["--json", "replicate"]).start()
}

const HEAD: &str = "  time s  txn/s in partitions  behind s  engine MiB  runs in memory  appended MB  KB/s  retained MB  on disk MB  snapshots";

fn print_row(before: Option<&Row>, row: &Row) {
    let since = before.copied().unwrap_or(Row {
        at: Duration::ZERO,
        written: 0,
        copied: 0,
        memory: 0,
        seen: Seen::default(),
        on_disk: 0,
    });
    let seconds = (row.at - since.at).as_secs_f64();
    let rate = (row.written - since.written) as f64 / seconds;
    println!(
        "{:>8.0}  {:>19.0}  {:>8.1}  {:>10.1}  {:>14}  {:>11.1}  {:>4.0}  {:>11.1}  {:>10.1}  {:>9}",
        row.at.as_secs_f64(),
        rate,
        row.written.saturating_sub(row.copied) as f64 / rate.max(1.0),
        mib(row.memory),
        row.seen.runs,
        mb(row.seen.appended),
        (row.seen.appended - since.seen.appended) as f64 / seconds / 1e3,
        mb(row.seen.retained),
        mb(row.on_disk),
        row.seen.snapshots,
    );
}

/// What the rows say together. An hour is the measured time, made longer in a straight line.
fn conclude(rows: &[Row], peak: u64) {
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    let seconds = (last.at - first.at).as_secs_f64();
    let per_second = |of: fn(&Row) -> u64| (of(&last) - of(&first)) as f64 / seconds;
    let bytes = per_second(|row| row.seen.appended);
    let most = |of: fn(&Row) -> u64| rows.iter().map(of).max().unwrap_or(0);
    println!(
        "\nmeasured from {:.0} s to {:.0} s after the load began: {seconds:.0} s",
        first.at.as_secs_f64(),
        last.at.as_secs_f64()
    );
    println!(
        "transactions in partitions: {:.0} a second",
        per_second(|row| row.written)
    );
    println!(
        "ledger appended: {:.1} KB/s, {:.0} records/s, {:.0} runs/s; {:.0} MB an hour = bytes appended in the measured time / {seconds:.0} s * 3600 s",
        bytes / 1e3,
        per_second(|row| row.seen.records),
        per_second(|row| row.seen.runs_told),
        bytes * 3600.0 / 1e6
    );
    if last.seen.missed > 0 {
        println!(
            "not counted: {} records that were deleted, behind a snapshot, before they could be read along",
            last.seen.missed
        );
    }
    println!(
        "ledger retained: at most {:.1} MB between log start and end; at most {:.1} MB on disk",
        mb(most(|row| row.seen.retained)),
        mb(most(|row| row.on_disk))
    );
    println!(
        "runs in memory: first {}, last {}, most {}",
        first.seen.runs,
        last.seen.runs,
        most(|row| row.seen.runs)
    );
    println!(
        "engine resident: first {:.1} MiB, last {:.1} MiB, most {:.1} MiB",
        mib(first.memory),
        mib(last.memory),
        mib(peak)
    );
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Kills the engine and starts it again; answers how long it took until a record was copied, and the new engine.
fn restart(migration: &Migration, target: &Kafka, engine: Tool) -> (Duration, Tool) {
    drop(engine.kill());
    // What was under way is appended, or never will be.
    let mut ends = Vec::new();
    wait::until("the target stands still", Duration::from_secs(30), || {
        let now = target.end_offsets(TOPIC).unwrap_or_default();
        let same = !now.is_empty() && now == ends;
        ends = now;
        wait::elapse(Duration::from_millis(300));
        same
    });
    let began = Instant::now();
    let tool = start(migration);
    let mut wire = target.wire();
    let mut is_copied = |(partition, end): (i32, i64)| {
        let fetched = wire.fetch(TOPIC, partition, end, false, 64 << 10);
        let fetched = fetched.expect("the broker answers");
        fetched.is_ok_and(|fetched| {
            let mut batches = codecs::decode(&fetched.records).into_iter();
            batches.any(|batch| !batch.is_control)
        })
    };
    wait::until("a record is copied", Duration::from_secs(120), || {
        let looked_at = (0..).zip(ends.iter().copied()).step_by(LOOKED_AT);
        looked_at.into_iter().any(&mut is_copied)
    });
    (began.elapsed(), tool)
}

/// Resident now, in bytes (Linux: `VmRSS`).
fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("it runs");
    let kib: u64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of KiB");
    kib << 10
}

/// Cargo builds the binary for tests, not for examples.
fn build() {
    eprintln!("building kafka-migrate");
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
