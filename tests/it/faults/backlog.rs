//! ★ A backlog of large batches, of which many are under way at once: answers lost and killed by `kill -9` on the way, each record once, in order.

use std::{fs, time::Duration};

use crate::support::{
    Dice,
    kafka::Kafka,
    load::Load,
    proxy::{Fault, Proxy, When},
    seed, shared_pair,
    tool::{Access, Migration, last_step},
    unique, wait,
};

use super::{
    assert_all_same, held,
    kills::{killed_by_us, wait_for_batch},
};

const PARTITIONS: i32 = 12;
const KILLS: usize = 6;
/// Open files of every second run, and the pipes that may be among them: a quarter of the files. Batches for which there is none are read.
const FILES: u64 = 128;
const PIPES: usize = 16;

#[test]
fn a_backlog_of_large_batches_arrives_once_whatever_is_lost_and_whoever_is_killed() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("backlog").proxied().start();
    let proxy = Proxy::start(&target, seed());
    let topic = unique("backlog");
    source.create_topic(&topic, PARTITIONS, &[]);
    // Large enough to stay in the kernel.
    let load = Load::to(&[(&topic, PARTITIONS)])
        .filling(2_000)
        .batches_of(64_000);
    load.fill(source, 30_000);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Proxied(&target),
        &[&topic],
    );
    // The target is slow, so that requests are under way all the time and the backlog outlasts the last kill, and loses what it answers now and then.
    proxy.slow_down(Duration::from_millis(60));
    proxy.lose(When::EveryNth(9), &[Fault::Cut, Fault::CutMidFrame]);

    let seed = seed();
    println!("KAFKA_MIGRATE_SEED={seed}");
    let mut dice = Dice::new(seed);
    let steps = migration.path("steps");
    let (mut most, mut with_pipes) = (0, 0);
    for kill in 0..KILLS {
        drop(fs::remove_file(&steps));
        let call = migration.command(&["--json", "replicate"]);
        let mut tool = call.env("KAFKA_MIGRATE_STEPS", &steps).start();
        let has_few = kill % 2 == 1;
        if has_few {
            tool.limit_open_files(FILES);
        }
        wait_for_batch(&mut tool, &steps);
        wait::elapse(Duration::from_millis(dice.between(0, 300)));
        let pipes = tool.pipes();
        assert!(!has_few || pipes <= PIPES, "{pipes} pipes");
        with_pipes += usize::from(pipes > 0);
        killed_by_us(tool);
        let (_, in_flight) = last_step(&steps).expect("it had sent something");
        most = most.max(in_flight);
    }
    let (there, all) = (held(&target, &topic), held(source, &topic));
    println!(
        "{KILLS} kills, {with_pipes} with records in the kernel, {most} batches in flight at most, {there} of {all} copied"
    );
    assert!(there < all, "the last runs had nothing to do");
    proxy.slow_down(Duration::ZERO);
    migration.catch_up();
    let (answers, lost) = proxy.counts();
    let records = assert_all_same(source, &target, &[&topic]);
    println!("{records} records equal and in order; {lost} of {answers} answers lost");
    assert!(lost >= 8, "{lost} of {answers} answers lost");
    assert!(with_pipes > 0, "no records stayed in the kernel");
    // A request holds one batch of a partition: more than two of some shard's were under way, and only then is an answer put off.
    let two = 2 * u64::from(PARTITIONS.unsigned_abs());
    assert!(most > two, "{most} batches in flight at most");
    migration.verify();
}
