//! ★ The engine, killed anywhere between two simulated clusters on which anything may go wrong at any moment; what follows from a seed can be run again.
//!
//! `KAFKA_MIGRATE_CRASH_SECONDS=3600` runs on for so long (CI: 45, at least twelve seeds); `KAFKA_MIGRATE_SEED` begins with that seed.

mod judged;
mod scene;
mod trouble;

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use self::scene::Scene;
use crate::support::{Dice, seed};

const SECONDS: u64 = 45;
/// Even on a slow machine.
const LEAST: usize = 12;
const AT_ONCE: usize = 6;

/// What happened, all seeds together.
#[derive(Debug, Default)]
struct Tally {
    seeds: AtomicUsize,
    kills: AtomicUsize,
    faults: AtomicUsize,
    records: AtomicUsize,
}

/// One seed: writers at work, the engine killed again and again, then left alone until it has caught up.
fn run(seed: u64, tally: &Tally) {
    let mut dice = Dice::new(seed);
    let scene = Scene::new(seed, &mut dice);
    let writers = scene.write();
    for _ in 0..dice.between(1, 5) {
        scene.run_and_kill(&mut dice);
        tally.kills.fetch_add(1, Ordering::Relaxed);
    }
    scene.settle(writers);
    scene.commit_somewhere(&mut dice);
    scene.catch_up();
    tally.records.fetch_add(scene.judge(), Ordering::Relaxed);
    tally.faults.fetch_add(scene.fired(), Ordering::Relaxed);
    tally.seeds.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn killed_anywhere_among_faults_every_record_arrives_once_and_in_order() {
    let seconds = std::env::var("KAFKA_MIGRATE_CRASH_SECONDS").ok();
    let seconds = seconds
        .and_then(|text| text.parse().ok())
        .unwrap_or(SECONDS);
    let until = Instant::now() + Duration::from_secs(seconds);
    let next = AtomicU64::new(seed());
    let tally = Tally::default();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while Instant::now() < until || tally.seeds.load(Ordering::Relaxed) < LEAST {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    eprintln!("KAFKA_MIGRATE_SEED={seed}");
                    run(seed, &tally);
                }
            });
        }
    });
    eprintln!("{tally:?}");
    assert!(
        tally.faults.load(Ordering::Relaxed) > LEAST,
        "nothing went wrong: {tally:?}"
    );
}
