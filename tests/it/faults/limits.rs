//! What the program may cost: memory and restart time with a thousand partitions, and the rate it is told to keep.

use std::time::{Duration, Instant};

use crate::support::{
    kafka::Kafka,
    load::Load,
    read, shared_pair,
    tool::{Access, Migration, PATIENCE, last_step},
    unique, wait,
};

use super::held;

const PARTITIONS: i32 = 1000;
const RECORDS: u64 = 200_000;
/// Resident, at most, while a thousand partitions catch up, beside the program's own code: `replication.memory` (32 MiB), the buffers kept
/// to be used again (8 MiB), and 16 MiB for the program and a thousand partitions. All of it is used where the target is slow.
const MEMORY: u64 = 56 << 20;
/// From the start after a kill -9 to the first batch acknowledged. Two seconds is the aim on a quiet machine; tests
/// share theirs.
const RESTART: Duration = Duration::from_secs(5);
const RESTARTS: u32 = 3;

#[test]
fn a_thousand_partitions_catch_up_in_little_memory_and_restart_quickly() {
    let (source, target) = shared_pair();
    let topic = unique("thousand");
    source.create_topic(&topic, PARTITIONS, &[]);
    Load::to(&[(&topic, PARTITIONS)])
        .filling(500)
        .utf8_headers()
        .fill(source, RECORDS);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    // Slow enough that it is still catching up when it is killed.
    migration.edit("[replication]\n", "[replication]\nrate = \"8MiB/s\"\n");
    let steps = migration.path("steps");
    let start = || {
        migration
            .command(&["--json", "replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_STEPS", &steps)
            .start()
    };
    let has_answer = || {
        last_step(&steps)
            .is_some_and(|(step, _)| step == "produce-answered" || step.starts_with("checkpoint"))
    };

    let mut tool = start();
    wait::until(
        &format!("a tenth is copied\n{}", tool.said()),
        Duration::from_secs(120),
        || {
            assert!(!tool.has_ended(), "it ended: {}", tool.said());
            held(target, &topic) > RECORDS.cast_signed() / 10
        },
    );
    let first_peak = tool.peak_memory() - tool.code_memory();
    drop(tool.kill());
    drop(std::fs::remove_file(&steps));

    // The best of a few: a restart that takes long beside other tests says nothing.
    let (tool, restart) = (1..=RESTARTS)
        .find_map(|attempt| {
            let began = Instant::now();
            let tool = start();
            wait::until(
                "a batch is acknowledged after the restart",
                Duration::from_secs(60),
                has_answer,
            );
            let took = began.elapsed();
            println!("restart {attempt} took {took:?}");
            if took <= RESTART || attempt == RESTARTS {
                return Some((tool, took));
            }
            drop(tool.kill());
            drop(std::fs::remove_file(&steps));
            None
        })
        .expect("the last attempt counts");
    wait::until(
        "the target holds nine tenths",
        Duration::from_secs(120),
        || held(target, &topic) > RECORDS.cast_signed() * 9 / 10,
    );
    let second_peak = tool.peak_memory() - tool.code_memory();
    tool.wait(PATIENCE).assert_exit(0);
    println!(
        "{PARTITIONS} partitions: restart {restart:?}, peak memory {} and {} MiB",
        first_peak >> 20,
        second_peak >> 20
    );
    read::assert_same(source, target, &topic);
    assert!(
        first_peak.max(second_peak) <= MEMORY,
        "more than {} MiB resident",
        MEMORY >> 20
    );
    assert!(restart <= RESTART, "the restart took {restart:?}");
}

#[test]
fn a_rate_limit_is_kept() {
    let (source, target) = shared_pair();
    let topic = unique("rate");
    source.create_topic(&topic, 4, &[]);
    // About 8 MB, half of it incompressible to a half by most codecs.
    Load::to(&[(&topic, 4)]).filling(1000).fill(source, 8000);
    let stored = source.log_bytes(&topic);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    migration.edit("[replication]\n", "[replication]\nrate = \"1MiB/s\"\n");
    let began = Instant::now();
    migration.catch_up();
    let rate = stored as f64 / began.elapsed().as_secs_f64();
    println!("{stored} bytes at {:.2} MiB/s", rate / f64::from(1 << 20));
    assert!(
        rate < 1.25 * f64::from(1 << 20),
        "faster than allowed: {rate} bytes a second"
    );
    assert!(
        rate > 0.4 * f64::from(1 << 20),
        "far slower than allowed: {rate} bytes a second"
    );
    read::assert_same(source, target, &topic);
}

#[test]
fn a_quota_of_the_target_is_given_way_to_and_named() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("quota").start();
    let quota = |value| {
        let set = target
            .wire()
            .client_quota("kafka-migrate", "producer_byte_rate", value);
        set.expect("the broker answers").expect("the quota is set");
    };
    let topic = unique("quota");
    source.create_topic(&topic, 4, &[]);
    Load::to(&[(&topic, 4)]).filling(1000).fill(source, 20_000);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(&target),
        &[&topic],
    );
    migration.edit("[replication]\n", "[replication]\nrate = \"auto\"\n");
    quota(Some(500_000.0));
    let mut tool = migration
        .command(&["--json", "replicate", "--until", "caught-up"])
        .start();
    tool.wait_for(
        "\"throttled_by\":\"the target throttles us (quota)\"",
        Duration::from_secs(60),
    );
    assert!(held(&target, &topic) < 20_000, "it was over before");
    // From another shell, through the ledger.
    wait::until("status says why", Duration::from_secs(30), || {
        let status = migration.run(&["status"]);
        status.assert_exit(0);
        assert!(!tool.has_ended(), "it ended: {}", tool.said());
        status.stdout.contains("the target throttles us (quota)")
    });
    quota(None);
    tool.wait(PATIENCE).assert_exit(0);
    read::assert_same(source, &target, &topic);
}
