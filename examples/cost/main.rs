//! What a copy costs in processor time, beside the least it could cost: a bare byte copier on the same brokers, in the
//! same run.
//!
//! `cargo run --release --example cost` needs Java 17 and Maven, takes a few minutes, and leaves nothing behind but what it
//! keeps in the build directory for the next time. `--check` makes a ratio above the limit a failure.

mod copier;
mod machine;
mod measure;
mod preload;
mod stored;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod table;
mod wire;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

use measure::Cost;
use preload::{PARTITIONS, Workload};
use support::{kafka::Kafka, raw::Code, tool::Migration, wait};
use table::Row;

/// The most CPU-seconds per byte that kafka-migrate may take for one of the bare copier.
const LIMIT: f64 = 1.5;
/// Part of the stored bytes by which a copy may be larger or smaller: batches may be cut differently.
const TOLERANCE: f64 = 0.01;
/// Holds nothing: what a copy costs before its first byte.
const EMPTY: &str = "empty";

/// Measures what a copy costs, beside a bare byte copier
#[derive(Debug, Parser)]
#[command(name = "cost")]
struct Line {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Args)]
struct Settings {
    /// Millions of bytes stored in each workload's topic
    #[arg(long, value_name = "MB", default_value_t = 2000)]
    megabytes: u64,
    /// Copies of each workload by each tool; the median is shown
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only this workload; twice: both
    #[arg(long, value_enum, value_name = "NAME", default_values_t = [Workload::Plain, Workload::Lz4])]
    workload: Vec<Workload>,
    /// Only the bare copier
    #[arg(long, conflicts_with = "check")]
    bare: bool,
    /// Exit with 1 if kafka-migrate takes more than the limit
    #[arg(long)]
    check: bool,
}

/// What this program runs of itself, to be measured as a process.
#[derive(Debug, Subcommand)]
enum Inner {
    #[command(hide = true)]
    Copy {
        source: String,
        target: String,
        topic: String,
    },
}

/// Who copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Bare,
    Migrate,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare copier",
            Self::Migrate => "kafka-migrate",
        }
    }
}

fn main() -> ExitCode {
    let line = Line::parse();
    if let Some(Inner::Copy {
        source,
        target,
        topic,
    }) = &line.inner
    {
        return match copier::copy(source, target, topic) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let settings = line.settings;
    if !settings.bare {
        build();
    }
    eprintln!("starting two clusters of real Apache Kafka (the first time, Maven fetches them)");
    let bench = Bench::start();
    let rows = bench.run(&settings);
    print(&bench, &settings, &rows);
    let is_over = rows.iter().any(|row| is_over(&rows, row));
    if settings.check && is_over {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Above the limit by the medians, or by the cheapest copies: whatever else the machine does must not hide a cost.
fn is_over(rows: &[Row], row: &Row) -> bool {
    let ratios = [table::ratio(rows, row), table::least_ratio(rows, row)];
    ratios.into_iter().flatten().any(|ratio| ratio > LIMIT)
}

/// Cargo builds the binary for tests, not for examples.
fn build() {
    eprintln!("building kafka-migrate in the profile of this program");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--bin", "kafka-migrate"]);
    if profile().ends_with("release") {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cargo cannot build kafka-migrate"
    );
}

/// The directory of this program's profile: `target/release`, or `target/debug` while it is worked on.
fn profile() -> PathBuf {
    let program = std::env::current_exe().expect("the running binary has a path");
    let examples = program.parent().and_then(Path::parent);
    examples
        .expect("Cargo puts examples two levels below the build directory")
        .to_path_buf()
}

/// The two clusters.
struct Bench {
    source: Kafka,
    target: Kafka,
}

impl Bench {
    fn start() -> Self {
        // A topic that was copied to is to be gone before the next copy begins.
        let spec = |name| Kafka::spec(name).set("log.segment.delete.delay.ms", "0");
        std::thread::scope(|scope| {
            let source = scope.spawn(|| spec("source").start());
            let target = spec("target").start();
            let source = source.join().expect("the source starts");
            Self { source, target }
        })
    }

    /// Fills the source and copies everything by both tools, again and again.
    fn run(&self, settings: &Settings) -> Vec<Row> {
        let tools: &[Tool] = if settings.bare {
            &[Tool::Bare]
        } else {
            &[Tool::Bare, Tool::Migrate]
        };
        self.source.create_topic(EMPTY, PARTITIONS, &[]);
        let mut topics = vec![("nothing", EMPTY)];
        for workload in &settings.workload {
            eprintln!("{}: filling the source", workload.name());
            let smaller = preload::fill(&self.source, *workload, settings.megabytes * 1_000_000);
            eprintln!(
                "{}: compressed {smaller:.2} to 1; a copy to warm up",
                workload.name()
            );
            self.copy(Tool::Bare, workload.topic());
            topics.push((workload.name(), workload.topic()));
        }
        let mut rows = Vec::new();
        for (workload, topic) in &topics {
            rows.extend(tools.iter().map(|tool| Row {
                workload,
                tool: *tool,
                bytes: self.source.log_bytes(topic),
                costs: Vec::new(),
            }));
        }
        for round in 0..settings.rounds {
            for (rows, (workload, topic)) in rows.chunks_mut(tools.len()).zip(&topics) {
                // Who comes first finds the brokers in another state: take turns.
                if round > 0 {
                    rows.reverse();
                }
                for row in rows {
                    let cost = self.copy(row.tool, topic);
                    eprintln!(
                        "round {}: {workload} by {}: {:.2} s, {:.2} CPU-s",
                        round + 1,
                        row.tool.name(),
                        cost.wall.as_secs_f64(),
                        cost.cpu.as_secs_f64()
                    );
                    row.costs.push(cost);
                }
            }
        }
        rows.sort_by_key(|row| {
            let topic = topics
                .iter()
                .position(|(workload, _)| *workload == row.workload);
            (topic, row.tool == Tool::Migrate)
        });
        rows
    }

    /// One copy of one topic, measured; panics unless the target then holds what the source holds.
    fn copy(&self, tool: Tool, topic: &str) -> Cost {
        self.clear(topic);
        let scratch = support::scratch("cost");
        let migration;
        let mut command = match tool {
            Tool::Bare => {
                self.target.create_topic(topic, PARTITIONS, &[]);
                let program = std::env::current_exe().expect("the running binary has a path");
                let mut command = Command::new(program);
                command
                    .arg("copy")
                    .args([self.source.address(0), self.target.address(0)])
                    .arg(topic);
                command
            }
            Tool::Migrate => {
                migration = self.migration(topic);
                let mut command = Command::new(profile().join("kafka-migrate"));
                command
                    .args(["replicate", "--until", "caught-up"])
                    .current_dir(migration.directory());
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("KAFKA_MIGRATE_") {
                        command.env_remove(name);
                    }
                }
                command
            }
        };
        command.stdin(Stdio::null());
        let cost = measure::run(command, &scratch.path().join("output"));
        let cost = cost.unwrap_or_else(|error| panic!("{error}"));
        self.assert_copied(tool, topic);
        cost
    }

    /// A migration of its own for every copy, with nothing set that need not be.
    fn migration(&self, topic: &str) -> Migration {
        let name = support::unique(&format!("cost-{topic}"));
        let [source, target] = [&self.source, &self.target].map(Kafka::bootstrap);
        let text = format!(
            "version = 1\nname = {name:?}\n\n[source]\nbootstrap = {source:?}\n\n[target]\nbootstrap = {target:?}\n\n[scope]\ntopics = [{topic:?}]\n"
        );
        Migration::from_text(&name, &text)
    }

    /// Leaves nothing of earlier copies on the target.
    fn clear(&self, topic: &str) {
        let ours = |name: &str| name == topic || name.starts_with("kafka-migrate.");
        for name in self.target.metadata().topics.keys() {
            if ours(name) {
                let deleted = self.target.wire().delete_topic(name);
                let deleted: Result<(), Code> = deleted.expect("the broker answers");
                deleted.unwrap_or_else(|code| panic!("cannot delete topic {name}: {code}"));
            }
        }
        let logs = self.target.home().join("broker-0").join("data");
        wait::until(
            "the target has removed the logs",
            Duration::from_secs(60),
            || {
                let logs = fs::read_dir(&logs).expect("the broker has data");
                let mut names = logs.flatten().map(|log| log.file_name());
                let is_left = |name: &str| {
                    let stem = name.rsplit_once('-').map_or(name, |(stem, _)| stem);
                    name.ends_with("-delete") || ours(stem)
                };
                !names.any(|name| name.to_str().is_some_and(is_left))
            },
        );
    }

    fn assert_copied(&self, tool: Tool, topic: &str) {
        let [source, target] =
            [&self.source, &self.target].map(|kafka| stored::partitions(kafka, topic, PARTITIONS));
        let allowed = match tool {
            Tool::Bare => 0.0,
            Tool::Migrate => TOLERANCE,
        };
        for (partition, (source, target)) in source.iter().zip(&target).enumerate() {
            assert!(
                source.records == target.records
                    && source.bytes.abs_diff(target.bytes) as f64 <= source.bytes as f64 * allowed,
                "{topic}-{partition}: the source has {source:?}, the copy by {} has {target:?}",
                tool.name()
            );
        }
    }
}

fn print(bench: &Bench, settings: &Settings, rows: &[Row]) {
    println!("machine  {}", machine::machine());
    println!("date     {}", machine::moment());
    println!(
        "brokers  one of Apache Kafka {} a side, {}, on loopback and the same cores",
        bench.target.version().number(),
        machine::java()
    );
    println!(
        "copies   {} of each workload by each tool, taking turns; medians; {PARTITIONS} partitions; profile {}\n",
        settings.rounds,
        profile().file_name().unwrap_or_default().display()
    );
    print!("{}", table::render(rows));
    println!();
    for row in rows {
        let Some(ratio) = table::ratio(rows, row) else {
            continue;
        };
        let net = table::net_ratio(rows, row);
        let net = net.map_or_else(String::new, |net| format!(", {net:.2} without start-up"));
        let least = table::least_ratio(rows, row).unwrap_or(ratio);
        let verdict = if is_over(rows, row) {
            "above"
        } else {
            "within"
        };
        println!(
            "{}: kafka-migrate takes {ratio:.2} times the CPU-seconds per byte of the bare copier, least against least {least:.2}{net}: {verdict} the limit of {LIMIT}",
            row.workload
        );
    }
}
