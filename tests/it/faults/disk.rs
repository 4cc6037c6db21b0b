//! The target's disk is full while we copy: it halts, is given room, and every record is there once.

use super::{event, held, wait_until_copying};
use crate::support::{
    kafka::Kafka,
    load::Load,
    read, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

#[test]
fn a_target_whose_disk_is_full_halts_and_goes_on_with_room_and_nothing_is_lost_or_repeated() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("full-target").start();
    let topic = unique("full");
    source.create_topic(&topic, 2, &[]);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(&target),
        &[&topic],
    );
    Load::to(&[(&topic, 2)]).fill(source, 200);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    let loader = Load::to(&[(&topic, 2)]).keep_writing(source, 300);
    wait_until_copying(&mut tool, &target, &topic);
    // Above what indexes take at once, below what the data comes to.
    target.limit_files(0, 11 << 20);
    Load::to(&[(&topic, 2)]).filling(1000).fill(source, 30_000);
    target.wait_until_it_halts(0);
    assert!(held(source, &topic) > 30_000);
    target.start_again(0);
    let before = held(&target, &topic);
    wait::until("it goes on", PATIENCE, || held(&target, &topic) > before);
    loader.stop();
    tool.interrupt();
    let ended = tool.wait(PATIENCE);
    ended.assert_exit(130);
    assert!(
        !ended.stdout.contains(&event("partition-stopped")),
        "{ended}"
    );
    migration.catch_up();
    read::assert_same(source, &target, &topic);
    migration.verify();
}
