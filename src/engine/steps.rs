//! Labelled points at which a test may kill the engine; in release builds they do nothing.
//!
//! `KAFKA_MIGRATE_STEPS=path` makes every labelled point overwrite that small file with `label in_flight`, so that whoever
//! kills the process learns where it was. `KAFKA_MIGRATE_CRASH_AT=label:n` makes the process kill itself, as by `kill -9`,
//! when that label is reached the n-th time.

use std::sync::atomic::{AtomicU64, Ordering};

/// The points reached in a normal run, from start to clean stop.
pub const LABELS: &[&str] = &[
    "claim-appended",
    "ledger-read",
    "predecessor-bumped",
    "identity-obtained",
    "identity-recorded",
    "fence-ended",
    "markers-seen",
    "fenced-recorded",
    "run-recorded",
    "produce-sent",
    "produce-answered",
    "checkpoint-appending",
    "checkpoint-recorded",
    "drained",
    "seal-marked",
    "seal-recorded",
];

/// Labels reached only by a clean stop.
pub const AT_STOP: &[&str] = &["drained", "seal-marked", "seal-recorded"];

/// Labels reached only by a start that fences a predecessor.
pub const AT_FENCE: &[&str] = &[
    "predecessor-bumped",
    "fence-ended",
    "markers-seen",
    "fenced-recorded",
];

/// Labels around each append of a line to one of the journal's topics; the line is on disk before.
pub const AT_JOURNAL: &[&str] = &["journal-appending", "journal-appended"];

/// Batches sent and not answered, over all shards.
pub static IN_FLIGHT: AtomicU64 = AtomicU64::new(0);

/// Marks a point.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reached(_label: &'static str) {}

/// Marks a point.
#[cfg(debug_assertions)]
pub fn reached(label: &'static str) {
    traced::reached(label);
}

#[cfg(debug_assertions)]
mod traced {
    use std::{
        fs::File,
        os::unix::fs::FileExt as _,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    struct Trace {
        file: Option<File>,
        crash_at: Option<(String, u64)>,
        seen: AtomicU64,
    }

    static TRACE: OnceLock<Trace> = OnceLock::new();

    fn trace() -> &'static Trace {
        TRACE.get_or_init(|| Trace {
            file: std::env::var_os("KAFKA_MIGRATE_STEPS").and_then(|path| File::create(path).ok()),
            crash_at: std::env::var("KAFKA_MIGRATE_CRASH_AT").ok().and_then(|at| {
                let (label, n) = at.split_once(':')?;
                Some((label.to_owned(), n.parse().ok()?))
            }),
            seen: AtomicU64::new(0),
        })
    }

    pub fn reached(label: &'static str) {
        let trace = trace();
        if let Some(file) = &trace.file {
            let line = format!("{label:<24}{:>8}\n", super::in_flight());
            drop(file.write_all_at(line.as_bytes(), 0));
        }
        if let Some((at, n)) = &trace.crash_at
            && at == label
            && trace.seen.fetch_add(1, Ordering::SeqCst) + 1 == *n
        {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .ok();
        }
    }
}

/// Batches sent and not answered.
pub fn in_flight() -> u64 {
    IN_FLIGHT.load(Ordering::Relaxed)
}

/// One shard's batches sent and not answered, for the sum over all shards.
pub fn in_flight_is(shard: u32, batches: u64) {
    static OF_SHARD: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
    if let Some(slot) = OF_SHARD.get(shard as usize) {
        let before = slot.swap(batches, Ordering::Relaxed);
        // Wrapping, because another shard may be between its two steps: the sum is right once all are through.
        IN_FLIGHT.fetch_add(batches.wrapping_sub(before), Ordering::Relaxed);
    }
}
