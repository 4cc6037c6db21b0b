//! Everything at once: every kind of batch, kills, moving leaders, rolling restarts, and every stop that can be made from outside.
//!
//! `scripts/ordeal` needs Java 17 and Maven, takes some minutes, and leaves nothing behind but what is kept in the build directory for
//! the next time. It ends with `ok`, or with what is wrong and exit code 1.

mod course;
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};

use clap::Parser;

use course::Plan;

/// Copies everything a topic can hold while everything goes wrong
#[derive(Debug, Parser)]
#[command(name = "ordeal")]
struct Line {
    /// How often the engine is killed with `kill -9`
    #[arg(long, default_value_t = 10, value_name = "N")]
    kills: usize,
    /// Brokers of each cluster
    #[arg(long, default_value_t = 3, value_name = "N")]
    brokers: usize,
    /// Records of the largest topic before anything is copied
    #[arg(long, default_value_t = 50_000, value_name = "N")]
    records: u64,
    /// Records a second that are written all the time
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rate: u64,
}

fn main() -> ExitCode {
    let line = Line::parse();
    build();
    let faults = course::run(Plan {
        brokers: line.brokers,
        kills: line.kills,
        records: line.records,
        per_second: line.rate,
    });
    if faults.is_empty() {
        println!("ok");
        return ExitCode::SUCCESS;
    }
    for fault in &faults {
        println!("FAULT  {fault}");
    }
    ExitCode::FAILURE
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
