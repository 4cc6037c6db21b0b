//! A target that loses what it had acknowledged after the way back jumped over it: what applications write in its place comes back all the same.

use std::time::Duration;

use kafka_migrate::engine::ledger::record::{Echo, Entry, Record as Said};

use super::{ON_SOURCE, ON_TARGET, two_way, written_on};
use crate::support::{
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::PATIENCE,
    unique, wait,
};

/// What the way back was told of copies that it need not read.
fn jumps(kafka: &Kafka, ledger: &str) -> Vec<Echo> {
    let mut found = Vec::new();
    for partition in 0..kafka.partitions(ledger) {
        for record in read::partition(kafka, ledger, partition, View::Uncommitted) {
            let said = Said::decode(record.value.as_deref().unwrap_or_default());
            for entry in said.expect("a ledger record").entries {
                if let Entry::Echo { echo, .. } = entry {
                    found.push(echo);
                }
            }
        }
    }
    found.retain(|echo| echo.copied_to < echo.end);
    found
}

#[test]
fn what_is_written_where_jumped_over_copies_were_lost_comes_back() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("three-jumped")
        .brokers(3)
        .set("broker.session.timeout.ms", "4000")
        .start();
    let topic = unique("jumped");
    source.create_topic(&topic, 1, &[]);
    let settings = [
        ("unclean.leader.election.enable", "true"),
        ("min.insync.replicas", "1"),
    ];
    let made = target.wire().create_topic(&topic, 1, 2, &settings);
    made.expect("the broker answers").expect("it is made");
    target.wait_for_partitions(&topic, 1);
    let limit = Duration::from_secs(90);
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
    let migration = two_way(source, &target, &topic, &[&topic]);
    let load = Load::to(&[(&topic, 1)]).marked(ON_SOURCE);
    load.fill(source, 60);
    let tool = migration.command(&["--json", "replicate"]).start();
    let end = |kafka: &Kafka| kafka.end_offset(&topic, 0).unwrap_or(0);
    let is_copied = || end(&target) == end(source);
    wait::until("the first records are copied", limit, is_copied);
    let kept = end(&target);

    target.kill(other);
    wait::until("one is alone", limit, || in_sync().len() == 1);
    load.fill(source, 200);
    wait::until("it alone has more", limit, is_copied);
    let lost = end(&target);
    let ledger = format!("kafka-migrate.{topic}.reverse");
    wait::until("the way back jumped over it", limit, || {
        jumps(source, &ledger).iter().any(|jump| jump.end == lost)
    });
    target.kill(leader);
    target.start_again(other);
    wait::until("the other is elected", limit, || {
        drop(target.wire().elect_unclean(&topic, 0));
        target.leader_index(&topic, 0) == Some(other)
    });
    assert_eq!(end(&target), kept, "acknowledged records are lost");
    // Applications write where the copies stood, further than they reached.
    let native = Load::to(&[(&topic, 1)]).marked(ON_TARGET);
    native.fill(&target, u64::try_from(lost - kept + 40).expect("few"));
    let all = written_on(&target, &topic, 0, ON_TARGET);
    let ends = || written_on(source, &topic, 0, ON_TARGET).len() == all.len();
    if !wait::whether(limit, ends) {
        let came = written_on(source, &topic, 0, ON_TARGET).len();
        panic!("{came} of {} came back\n{}", all.len(), tool.kill());
    }
    target.start_again(leader);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    let back = written_on(source, &topic, 0, ON_TARGET);
    for (wanted, got) in all.iter().zip(&back) {
        assert!(
            wanted.is_same(got),
            "at {} and {}",
            wanted.offset,
            got.offset
        );
    }
}
