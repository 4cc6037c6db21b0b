//! Parse, start the runtime, run one command, turn the result into an exit code.
#![warn(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::unwrap_used
)]

use std::{process::ExitCode, time::Duration};

use kafka_migrate::{
    cli::{self, Start},
    exit::Exit,
};

fn main() -> ExitCode {
    let start = match cli::parse(std::env::args_os()) {
        Ok(start) => start,
        Err(exit) => return ExitCode::from(exit.code()),
    };
    ExitCode::from(run(start).code())
}

fn run(start: Start) -> Exit {
    // Where no more files can be opened it panics; that has said what it is about.
    let built = std::panic::catch_unwind(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(worker_threads())
            .enable_all()
            .build()
    });
    let runtime = match built {
        Ok(Ok(runtime)) => runtime,
        Ok(Err(error)) => return start.no_runtime(&error),
        Err(_) => return Exit::Bug,
    };
    // A panic has said what it is about; what is left to tell is that it is a bug.
    let exit = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(start.run())
    }))
    .unwrap_or(Exit::Bug);
    // Whatever is left was told to stop or was given up on purpose; nobody waits for it.
    runtime.shutdown_timeout(Duration::from_millis(50));
    exit
}

/// Half of the cores: brokers or other clients have use for the rest, and more threads than there is work for hand it to and fro.
fn worker_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, 8)
}
