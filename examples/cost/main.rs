//! What a copy costs, beside the least it could cost (bare fetch, bare produce, a bare byte copier) and beside
//! MirrorMaker 2, on the same brokers in the same run; and how late records arrive.
//!
//! `scripts/cost` is the short form, `scripts/benchmark` everything. Both need Java 17 and Maven, and leave nothing behind
//! but what is kept in the build directory for the next time. `--check` makes a ratio above the limit a failure.

mod bench;
mod copier;
mod latency;
mod library;
mod machine;
mod measure;
mod mirror;
mod producer;
mod stored;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod table;
mod tools;
mod wire;
mod workload;

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Args, Parser, Subcommand};

use bench::{Bench, Copies};
use producer::Dated;
use table::{Row, Rows};
use tools::Tool;
use workload::Workload;

/// The most CPU-seconds per byte that kafka-migrate may take for one of the bare copier.
const LIMIT: f64 = 1.5;

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
    /// Every workload by every tool, and the latency
    #[arg(long)]
    all: bool,
    /// Only how late records arrive through kafka-migrate and MirrorMaker 2
    #[arg(long, conflicts_with_all = ["check", "workload", "megabytes"])]
    latency: bool,
    /// Millions of bytes stored in each workload's topic [default: 2000; with --all: 600]
    #[arg(long, value_name = "MB")]
    megabytes: Option<u64>,
    /// Copies of each workload by each tool, and runs of the latency; medians are shown [default: 5; with --all: 3 copies]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Only this workload, and no latency; may be given again [default: plain and lz4; with --all: all]
    #[arg(long, value_enum, value_name = "NAME")]
    workload: Vec<Workload>,
    /// Only this tool; may be given again [default: bare and kafka-migrate; with --all: all but mirror, which is compared
    /// in latency]
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "check")]
    tool: Vec<Tool>,
    /// Exit with 1 if kafka-migrate takes more than the limit
    #[arg(long)]
    check: bool,
}

impl Settings {
    fn copies(&self) -> Option<Copies> {
        let or = |given: &[Workload], otherwise: &[Workload]| {
            let chosen = if given.is_empty() { otherwise } else { given };
            chosen.to_vec()
        };
        let (workloads, tools, megabytes, rounds): (&[_], &[_], _, _) = if self.all {
            (
                &[
                    Workload::Plain,
                    Workload::Lz4,
                    Workload::Small,
                    Workload::Tiny,
                ],
                &[
                    Tool::Fetch,
                    Tool::Produce,
                    Tool::Bare,
                    Tool::Library,
                    Tool::KafkaMigrate,
                    Tool::MirrorTuned,
                ],
                600,
                3,
            )
        } else {
            (
                &[Workload::Plain, Workload::Lz4],
                &[Tool::Bare, Tool::KafkaMigrate],
                2000,
                5,
            )
        };
        let mut tools = if self.tool.is_empty() {
            tools.to_vec()
        } else {
            self.tool.clone()
        };
        tools.sort_unstable();
        (!self.latency).then(|| Copies {
            workloads: or(&self.workload, workloads),
            tools,
            megabytes: self.megabytes.unwrap_or(megabytes),
            rounds: self.rounds.unwrap_or(rounds),
        })
    }

    /// Through whom records are to be timed; `None` if they are not.
    ///
    /// MirrorMaker's settings for throughput make it wait for more, so its defaults are the ones that are fair here.
    fn latency(&self) -> Option<Vec<Tool>> {
        let is_asked = self.latency || (self.all && self.workload.is_empty());
        let tools = if self.tool.is_empty() {
            vec![Tool::KafkaMigrate, Tool::Mirror]
        } else {
            self.tool.clone()
        };
        let can_follow = tools.into_iter().filter(|tool| tool.can_follow());
        is_asked.then(|| can_follow.collect())
    }
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
    #[command(hide = true)]
    Library {
        source: String,
        target: String,
        topic: String,
        codec: String,
    },
    #[command(hide = true)]
    Fetch { source: String, topic: String },
    #[command(hide = true)]
    Produce {
        target: String,
        #[arg(value_parser = Workload::of_topic)]
        workload: Workload,
        megabytes: u64,
    },
}

impl Inner {
    fn run(&self) -> io::Result<()> {
        match self {
            Self::Copy {
                source,
                target,
                topic,
            } => copier::copy(source, Some(target), topic),
            Self::Library {
                source,
                target,
                topic,
                codec,
            } => library::copy(source, target, topic, codec),
            Self::Fetch { source, topic } => copier::copy(source, None, topic),
            Self::Produce {
                target,
                workload,
                megabytes,
            } => producer::produce(target, *workload, megabytes * 1_000_000, Dated::Once),
        }
    }
}

fn main() -> ExitCode {
    let line = Line::parse();
    if let Some(inner) = line.inner {
        return match inner.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let settings = line.settings;
    let (copies, latency) = (settings.copies(), settings.latency());
    build();
    eprintln!("starting two clusters of real Apache Kafka (the first time, Maven fetches them)");
    let bench = Bench::start();
    let rows = copies.as_ref().map(|copies| Rows(bench.run(copies)));
    let runs = settings.rounds.unwrap_or(5);
    let late = latency.map(|tools| bench.latencies(&tools, runs));
    println!("machine  {}", machine::machine());
    println!("date     {}", machine::moment());
    println!(
        "brokers  one of Apache Kafka {} a side, {}, on loopback and the same cores",
        bench.target.version().number(),
        machine::java()
    );
    println!(
        "profile  {}",
        profile().file_name().unwrap_or_default().display()
    );
    if let (Some(copies), Some(rows)) = (copies, &rows) {
        println!("copies   {}, taking turns; medians\n", copies.rounds);
        print!("{}", rows.render());
        print_ratios(rows);
    }
    if let Some(late) = late {
        println!(
            "\nlatency  5,000 records of 1 KB a second, {runs} runs of {} s; medians of the runs\n",
            latency::RUN.as_secs()
        );
        print!("{}", table::render_late(&late));
    }
    let mut all = rows
        .iter()
        .flat_map(|rows| rows.0.iter().map(move |row| (rows, row)));
    if settings.check && all.any(|(rows, row)| is_over(rows, row)) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn print_ratios(rows: &Rows) {
    println!();
    for row in &rows.0 {
        let Some(ratio) = rows.ratio(row) else {
            continue;
        };
        let least = rows.least_ratio(row).unwrap_or(ratio);
        let verdict = if is_over(rows, row) {
            "above"
        } else {
            "within"
        };
        println!(
            "{}: kafka-migrate takes {ratio:.2} times the CPU-seconds per byte of the bare copier, least against least {least:.2}: {verdict} the limit of {LIMIT}",
            row.workload.name()
        );
    }
}

/// Above the limit by the medians, or by the cheapest copies: whatever else the machine does must not hide a cost.
fn is_over(rows: &Rows, row: &Row) -> bool {
    let ratios = [rows.ratio(row), rows.least_ratio(row)];
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
