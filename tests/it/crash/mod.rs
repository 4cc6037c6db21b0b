//! ★ The engine, killed anywhere between two simulated clusters on which anything may go wrong at any moment; what follows from a seed can be run again.
//!
//! Each seed has a plot: the random one, or one that brings about the moment that a rule of the protocol is for. That each rule is needed and the suite sees it
//! missing is shown by `scripts/planted`. Half of the seeds go one way, half both.
//!
//! `KAFKA_MIGRATE_CRASH_SECONDS=3600` runs on for so long (CI: 60, and every plot at least once); `KAFKA_MIGRATE_SEED` begins with that seed.

mod batches;
mod judged;
mod planted;
mod plots;
mod scene;
mod trouble;
mod writers;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use self::{plots::Plot, scene::Scene};
use crate::support::{Dice, seed};

const SECONDS: u64 = 60;
/// Even on a slow machine: every plot has its turn.
const LEAST: usize = plots::TURNS;
/// A seed waits most of its time, for engines to come to a step or to a moment; so many keep two processors busy.
const AT_ONCE: usize = 18;

/// What happened, all seeds together.
#[derive(Debug, Default)]
struct Tally {
    seeds: AtomicUsize,
    two_ways: AtomicUsize,
    failed: AtomicBool,
    kills: AtomicUsize,
    faults: AtomicUsize,
    records: AtomicUsize,
}

/// Says how a seed failed: which of those that were begun, and after how long.
struct Watch<'a> {
    seed: u64,
    plot: Plot,
    began: Instant,
    tally: &'a Tally,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.tally.failed.store(true, Ordering::Relaxed);
            eprintln!(
                "found by seed {} ({:?}) beside {} that were well, after {:.1} s",
                self.seed,
                self.plot,
                self.tally.seeds.load(Ordering::Relaxed),
                self.began.elapsed().as_secs_f64()
            );
        }
    }
}

/// One seed: writers at work, the engine killed again and again, then left alone until it has caught up.
fn run(seed: u64, began: Instant, tally: &Tally) {
    let mut dice = Dice::new(seed);
    let plot = Plot::of(seed);
    let _watch = Watch {
        seed,
        plot,
        began,
        tally,
    };
    let scene = Scene::new(seed, &mut dice, plot);
    let writers = scene.write();
    let kills = plot.play(&scene, &mut dice);
    tally.kills.fetch_add(kills, Ordering::Relaxed);
    scene.settle(writers);
    scene.commit_somewhere(&mut dice);
    scene.catch_up();
    tally.records.fetch_add(scene.judge(), Ordering::Relaxed);
    tally.faults.fetch_add(scene.fired(), Ordering::Relaxed);
    tally
        .two_ways
        .fetch_add(usize::from(scene.is_two_way), Ordering::Relaxed);
    tally.seeds.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn killed_anywhere_among_faults_every_record_arrives_once_and_in_order() {
    let seconds = std::env::var("KAFKA_MIGRATE_CRASH_SECONDS").ok();
    let seconds = seconds
        .and_then(|text| text.parse().ok())
        .unwrap_or(SECONDS);
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let next = AtomicU64::new(seed());
    let tally = Tally::default();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let is_over = || {
                    let enough = tally.seeds.load(Ordering::Relaxed) >= LEAST;
                    tally.failed.load(Ordering::Relaxed) || (enough && Instant::now() >= until)
                };
                while !is_over() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    eprintln!("KAFKA_MIGRATE_SEED={seed}");
                    let begun = Instant::now();
                    run(seed, began, &tally);
                    eprintln!("seed {seed}, {:?}: {:?}", Plot::of(seed), begun.elapsed());
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
