//! ★ Killed by `kill -9` at random points and at every labelled step under continuous load: each record once, in order.
//!
//! `KAFKA_MIGRATE_KILLS=300` for the longer mode; `KAFKA_MIGRATE_SEED` to choose the same points again.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use kafka_migrate::engine::steps::{AT_STOP, LABELS};

use crate::support::{
    Dice,
    kafka::Kafka,
    load::{self, Load},
    read, seed, shared_pair,
    tool::{Access, Migration, Tool, last_step},
    unique, wait,
};

use super::{assert_all_same, event};

/// Kills in CI, where nothing else is said.
const KILLS: usize = 36;
/// A label that is not reached in this time is tried again, at its first occurrence.
const LABEL_PATIENCE: Duration = Duration::from_secs(20);

/// How the engine is to be killed.
#[derive(Debug, Clone)]
enum Blow {
    /// By itself, when the label is reached the n-th time.
    AtLabel(&'static str, u64),
    /// By us, so long after its first batch was sent.
    AfterFirstBatch(Duration),
    /// By us, so long after its start, whatever it does then.
    AfterStart(Duration),
}

/// Where the killed engines were.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    with_in_flight: usize,
    by_step: BTreeMap<String, (usize, usize)>,
    hit: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn count(&mut self, step: Option<(String, u64)>, label: Option<&'static str>) {
        self.kills += 1;
        let (step, in_flight) = step.unwrap_or_else(|| ("(before any step)".to_owned(), 0));
        let row = self.by_step.entry(step).or_default();
        row.0 += 1;
        if in_flight > 0 {
            row.1 += 1;
            self.with_in_flight += 1;
        }
        if let Some(label) = label {
            *self.hit.entry(label).or_default() += 1;
        }
    }

    fn print(&self) {
        println!(
            "{} kills, {} with batches in flight",
            self.kills, self.with_in_flight
        );
        println!("{:>24}  kills  in flight  by itself", "step");
        for (step, (kills, in_flight)) in &self.by_step {
            println!(
                "{step:>24}  {kills:>5}  {in_flight:>9}  {:>9}",
                self.hit.get(step.as_str()).unwrap_or(&0)
            );
        }
    }
}

fn blows(kills: usize, dice: &mut Dice) -> VecDeque<Blow> {
    let labelled = LABELS.len().max(kills / 2).min(kills);
    let at_labels = LABELS
        .iter()
        .cycle()
        .take(labelled)
        .map(|label| Blow::AtLabel(label, occurrence(label, dice)));
    let mut blows: Vec<Blow> = at_labels.collect();
    for _ in labelled..kills {
        blows.push(if dice.chance(0.2) {
            Blow::AfterStart(Duration::from_millis(dice.between(0, 2000)))
        } else {
            Blow::AfterFirstBatch(Duration::from_micros(dice.between(0, 1_500_000)))
        });
    }
    for index in (1..blows.len()).rev() {
        blows.swap(
            index,
            usize::try_from(dice.between(0, index as u64 + 1)).expect("few kills"),
        );
    }
    blows.into()
}

/// Which occurrence of a label: steps of the data path come often, those of a start once for each shard.
fn occurrence(label: &str, dice: &mut Dice) -> u64 {
    match label {
        "produce-sent" | "produce-answered" => dice.between(1, 100),
        "checkpoint-appending" | "checkpoint-recorded" => dice.between(1, 4),
        _ => 1,
    }
}

#[test]
fn killed_at_any_point_every_record_arrives_once_and_in_order() {
    let kills = std::env::var("KAFKA_MIGRATE_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(KILLS);
    let seed = seed();
    println!("KAFKA_MIGRATE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let (source, _) = shared_pair();
    // Of its own, because a record is tampered with at the end.
    let target = Kafka::spec("kills-target").start();
    let stem = unique("kills");
    let names: Vec<(String, i32)> = [4, 2, 1]
        .iter()
        .map(|partitions| (format!("{stem}-of-{partitions}"), *partitions))
        .collect();
    let topics: Vec<(&str, i32)> = names
        .iter()
        .map(|(name, partitions)| (name.as_str(), *partitions))
        .collect();
    for (topic, partitions) in &topics {
        source.create_topic(topic, *partitions, &[]);
    }
    let loader = Load::to(&topics).keep_writing(source, 2000);
    // Markers and aborted data all the time: sequence and source offset part again and again.
    let broken = format!("{stem}-transactions");
    source.create_topic(&broken, 1, &[]);
    let transactions = Transactions::keep_writing(source, &broken);
    let migration = Migration::new(
        &stem,
        Access::Plain(source),
        Access::Plain(&target),
        &[&format!("{stem}-*")],
    );

    let mut tally = Tally::default();
    let mut blows = blows(kills, &mut dice);
    let mut attempts = 0;
    while let Some(blow) = blows.pop_front() {
        attempts += 1;
        assert!(
            attempts < 3 * kills + 50,
            "labels that are never reached: {:?}",
            missed(&tally)
        );
        let began = Instant::now();
        let again = strike(&migration, &blow, &mut tally);
        let missed = again.as_ref().map_or("", |_| ", label not reached");
        println!("{blow:?}: {:.1} s{missed}", began.elapsed().as_secs_f32());
        blows.extend(again);
    }
    let written = loader.stop();
    transactions.stop();
    tally.print();

    migration.catch_up();
    let mut names: Vec<&str> = topics.iter().map(|(name, _)| *name).collect();
    names.push(&broken);
    let compared = assert_all_same(source, &target, &names);
    assert!(
        compared as u64 >= written,
        "{written} were acknowledged, {compared} compared"
    );
    println!("{compared} records compared, all equal and in order");
    let verified = migration.verify();
    assert!(
        verified.stdout.contains("differs: no") || verified.stderr.contains("differs: no"),
        "{verified}"
    );
    assert_eq!(missed(&tally), Vec::<&str>::new(), "labels never hit");
    assert!(
        2 * tally.with_in_flight >= tally.kills,
        "too few kills with batches in flight"
    );

    tampering_is_found(&migration, &target, names[0]);
}

/// A thread that writes small transactions, every second one aborted, until it is stopped.
struct Transactions {
    over: Arc<AtomicBool>,
    writer: JoinHandle<()>,
}

impl Transactions {
    fn keep_writing(source: &'static Kafka, topic: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (topic, ends) = (topic.to_owned(), Arc::clone(&over));
        let writer = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                load::write_transactions(source, &topic, 20, 3);
            }
        });
        Self { over, writer }
    }

    fn stop(self) {
        self.over.store(true, Ordering::Relaxed);
        self.writer.join().expect("transactions can be written");
    }
}

fn missed(tally: &Tally) -> Vec<&'static str> {
    LABELS
        .iter()
        .copied()
        .filter(|label| !tally.hit.contains_key(label))
        .collect()
}

/// Starts the engine and kills it. Answers the blow to be tried later if its label was not reached.
fn strike(migration: &Migration, blow: &Blow, tally: &mut Tally) -> Option<Blow> {
    let steps = migration.path("steps");
    drop(fs::remove_file(&steps));
    let call = migration
        .command(&["--json", "replicate"])
        .env("KAFKA_MIGRATE_STEPS", &steps);
    match *blow {
        Blow::AfterStart(time) => {
            let tool = call.start();
            wait::elapse(time);
            killed_by_us(tool);
            tally.count(last_step(&steps), None);
            None
        }
        Blow::AfterFirstBatch(time) => {
            let mut tool = call.start();
            wait_for_batch(&mut tool, &steps);
            wait::elapse(time);
            killed_by_us(tool);
            tally.count(last_step(&steps), None);
            None
        }
        Blow::AtLabel(label, n) => {
            let mut tool = call
                .env("KAFKA_MIGRATE_CRASH_AT", format!("{label}:{n}"))
                .start();
            if AT_STOP.contains(&label) {
                wait_for_batch(&mut tool, &steps);
                tool.interrupt();
            }
            if wait::whether(LABEL_PATIENCE, || tool.has_ended()) {
                let finished = tool.kill();
                assert_eq!(
                    std::os::unix::process::ExitStatusExt::signal(&finished.status),
                    Some(9),
                    "not killed at {label}: {finished}"
                );
                tally.count(last_step(&steps), Some(label));
                return None;
            }
            // A clean start reaches no step of a fence: the next one, after this kill, does.
            killed_by_us(tool);
            tally.count(last_step(&steps), None);
            Some(Blow::AtLabel(label, 1))
        }
    }
}

#[track_caller]
pub(super) fn killed_by_us(tool: Tool) {
    let finished = tool.kill();
    assert_eq!(
        finished.code(),
        None,
        "it ended before it was killed: {finished}"
    );
}

pub(super) fn wait_for_batch(tool: &mut Tool, steps: &std::path::Path) {
    tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
    wait::until(
        &format!("the engine sends a batch\n{}", tool.said()),
        Duration::from_secs(60),
        || {
            tool.has_ended()
                || last_step(steps)
                    .is_some_and(|(step, in_flight)| in_flight > 0 || step.starts_with("produce-"))
        },
    );
}

/// Changes one byte of one value in the target's log, checksum and all, and expects `verify` to name the record.
fn tampering_is_found(migration: &Migration, target: &Kafka, topic: &str) {
    let (batches, _) = read::batches(target, topic, 0, read::View::Uncommitted);
    let plain = batches
        .iter()
        .filter(|batch| batch.codec == 0 && !batch.is_control);
    let record = plain
        .flat_map(|batch| &batch.records)
        .filter(|record| record.value.is_some())
        .nth(3)
        .expect("some uncompressed records");
    target.tamper(topic, 0, record);
    let finished = migration.run(&["verify"]);
    finished.assert_exit(8);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(
        said.contains(topic) && said.contains(&record.offset.to_string()),
        "verify does not name {topic}-0 offset {}: {finished}",
        record.offset
    );
}
