//! What the tests stand on: real clusters, load, readers, our binary as a child process, a proxy that loses answers,
//! a fake AWS.
//!
//! Everything here panics on trouble with what was being done; nothing waits a fixed time; every child process is
//! killed by its id on drop, and by a watchdog when this process dies first.
#![allow(
    dead_code,
    reason = "shared by the test binary and the examples; each uses a part"
)]

pub mod aws;
pub mod certificates;
pub mod codecs;
pub mod copier;
pub mod kafka;
pub mod leash;
pub mod ledger;
pub mod load;
pub mod maven;
pub mod ports;
pub mod prepared;
pub mod proxy;
pub mod raw;
pub mod read;
pub mod secret;
pub mod simulated;
pub mod terminal;
pub mod tool;
pub mod wait;
pub mod zookeeper;

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use kafka::{Kafka, Version};

/// Two running clusters of one broker each, started once for this process: the usual source and target.
///
/// Tests that share them use topic and migration names of their own (see [`unique`]) and leave the brokers alone.
pub fn shared_pair() -> (&'static Kafka, &'static Kafka) {
    static PAIR: OnceLock<(Kafka, Kafka)> = OnceLock::new();
    let (source, target) = PAIR.get_or_init(pair);
    (source, target)
}

/// Two running clusters of one broker each.
pub fn pair() -> (Kafka, Kafka) {
    std::thread::scope(|scope| {
        let source = scope.spawn(|| Kafka::spec("source").version(Version::V4_1).start());
        let target = Kafka::spec("target").version(Version::V4_1).start();
        (source.join().expect("the source starts"), target)
    })
}

/// Two running clusters of one broker each that ask who is there and decide by access rules.
pub fn secure_pair(stem: &str) -> (Kafka, Kafka) {
    let start = |side| Kafka::spec(&format!("{stem}-{side}")).secure().start();
    std::thread::scope(|scope| {
        let source = scope.spawn(|| start("source"));
        let target = start("target");
        (source.join().expect("the source starts"), target)
    })
}

/// One running cluster of one broker of Apache Kafka 3.9, started once for this process.
pub fn shared_older() -> &'static Kafka {
    static OLDER: OnceLock<Kafka> = OnceLock::new();
    OLDER.get_or_init(|| Kafka::spec("older").version(Version::V3_9).start())
}

/// One running cluster of one broker of Apache Kafka 2.8 with its ZooKeeper, started once for this process.
pub fn shared_oldest() -> &'static Kafka {
    static OLDEST: OnceLock<Kafka> = OnceLock::new();
    OLDEST.get_or_init(|| Kafka::spec("oldest").version(Version::V2_8).start())
}

/// A name no other test of this process uses, fit for topics and for migrations.
pub fn unique(stem: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The build directory (`target/` unless Cargo was told otherwise): the one place tests write to.
pub fn build_directory() -> PathBuf {
    let binary = std::env::current_exe().expect("the running binary has a path");
    // target/<profile>/deps/it-<hash> and target/<profile>/examples/<name>
    binary
        .ancestors()
        .nth(3)
        .expect("Cargo puts test binaries three levels below the build directory")
        .to_path_buf()
}

/// A fresh directory under the build directory.
pub fn scratch(stem: &str) -> tempfile::TempDir {
    let parent = build_directory().join("tmp");
    std::fs::create_dir_all(&parent).expect("the build directory is writable");
    tempfile::Builder::new()
        .prefix(&format!("{stem}-"))
        .tempdir_in(parent)
        .expect("the build directory is writable")
}

/// A seed for this process's random choices: `KAFKA_MIGRATE_SEED`, or a fresh one. Print it beside what it decides.
pub fn seed() -> u64 {
    std::env::var("KAFKA_MIGRATE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).expect("the system gives random bytes");
            u64::from_le_bytes(bytes) >> 16
        })
}

/// A small random number generator (SplitMix64): the same seed gives the same choices.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low)
    }

    /// True with probability `share` (0 to 1).
    pub fn chance(&mut self, share: f64) -> bool {
        ((self.bits() >> 11) as f64) / ((1u64 << 53) as f64) < share
    }
}
