//! ★ A target of three brokers elects a leader without what it had acknowledged, while it is copied to: the partition stops with both offsets.

use std::time::Duration;

use crate::support::{
    kafka::Kafka,
    load::Load,
    read, shared_pair,
    tool::{Migration, PATIENCE},
    unique, wait,
};

use super::{
    event, held,
    stops::status,
    stops_past::{assert_holds, recopy, records},
};

#[test]
fn a_target_leader_elected_without_acknowledged_records_stops_the_partition() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("three-lossy")
        .brokers(3)
        .set("broker.session.timeout.ms", "4000")
        .start();
    let topic = unique("lossy");
    source.create_topic(&topic, 1, &[]);
    let settings = [
        ("unclean.leader.election.enable", "true"),
        ("min.insync.replicas", "1"),
    ];
    let made = target.wire().create_topic(&topic, 1, 2, &settings);
    made.expect("the broker answers").expect("it is made");
    target.wait_for_partitions(&topic, 1);
    let (load, limit) = (Load::to(&[(&topic, 1)]), Duration::from_secs(90));
    let in_sync = || {
        let of = target.metadata().in_sync.remove(&topic);
        of.map_or_else(Vec::new, |mut of| of.remove(0))
    };
    wait::until("both are in sync", limit, || in_sync().len() == 2);
    let leader = target.leader_index(&topic, 0).expect("it has a leader");
    let other = in_sync()
        .into_iter()
        .map(|id| id.cast_unsigned() as usize - 1)
        .find(|index| *index != leader)
        .expect("there are two");
    let migration = Migration::of_topic(source, &target, &topic);
    load.fill(source, 60);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("shard-claimed"), limit);
    let is_copied = || held(&target, &topic) == held(source, &topic);
    wait::until("the first records are copied", limit, is_copied);
    let (kept, at) = (records(&target, &topic), held(&target, &topic));

    target.kill(other);
    wait::until("one is alone", limit, || in_sync().len() == 1);
    load.fill(source, 60);
    wait::until("it alone has more", limit, is_copied);
    let wanted = held(&target, &topic);
    // Checkpoints are half a second apart.
    wait::elapse(Duration::from_millis(1500));
    target.kill(leader);
    target.start_again(other);
    wait::until("the other is elected", limit, || {
        drop(target.wire().elect_unclean(&topic, 0));
        target.leader_index(&topic, 0) == Some(other)
    });
    load.fill(source, 20);
    tool.wait_for("K523", limit);
    target.start_again(leader);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    assert_holds(&target, &topic, &[&kept]);
    let stopped = status(&migration)["stopped"][0].clone();
    let reason = stopped["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains(&format!("ends at offset {at},"))
            && reason.contains(&format!("everything below {wanted}:")),
        "{stopped}"
    );
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    read::assert_same(source, &target, &topic);
}
