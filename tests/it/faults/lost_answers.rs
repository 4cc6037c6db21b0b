//! ★ A proxy that loses the answers of produce requests after the batches were appended: nothing arrives twice.

use std::time::Duration;

use crate::support::{
    kafka::Kafka,
    load::Load,
    proxy::{Fault, Proxy, When},
    seed, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{assert_all_same, held, wait_until_copying};

/// One kind of loss on a topic under load, until `losses` answers were lost.
fn lose(name: &str, age: Duration, when: When, faults: &[Fault], losses: u64) {
    let (source, _) = shared_pair();
    let target = Kafka::spec(name).proxied().start();
    let proxy = Proxy::start(&target, seed());
    let topic = unique(name);
    source.create_topic(&topic, 4, &[]);
    // Ten records make a batch: large enough to stay in the kernel on its way.
    let load = Load::to(&[(&topic, 4)]).filling(5_000).age(age);
    let loader = load.keep_writing(source, 500);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Proxied(&target),
        &[&topic],
    );
    // An answer that never comes is waited for this long.
    migration.edit("[target]\n", "[target]\nrequest_timeout = \"3s\"\n");
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, &target, &topic);
    proxy.lose(when, faults);
    wait::until(
        &format!("{losses} lost answers\n{}", tool.said()),
        Duration::from_secs(120),
        || {
            assert!(!tool.has_ended(), "it ended: {}", tool.said());
            proxy.counts().1 >= losses
        },
    );
    proxy.pass();
    let before = held(&target, &topic);
    wait::until(
        &format!("it goes on\n{}", tool.said()),
        Duration::from_secs(60),
        || held(&target, &topic) > before + 100,
    );
    loader.stop();
    assert!(tool.pipes() > 0, "no records stayed in the kernel");
    tool.interrupt();
    let ended = tool.wait(PATIENCE);
    ended.assert_exit(130);
    if age.is_zero() {
        // An answered retry does not call back the first copy: the next run must not go on under this identity.
        assert!(ended.stdout.contains("\"sealed\":false"), "{ended}");
    }
    migration.catch_up();
    let records = assert_all_same(source, &target, &[&topic]);
    let (answers, lost) = proxy.counts();
    println!("{records} records equal and in order; {lost} of {answers} answers lost");
    migration.verify();
}

#[test]
fn answers_cut_off_are_asked_again_without_a_second_copy() {
    lose(
        "cut",
        Duration::ZERO,
        When::EveryNth(5),
        &[Fault::Cut, Fault::CutMidFrame],
        40,
    );
}

#[test]
fn answers_that_never_come_are_given_up_without_a_second_copy() {
    lose(
        "swallow",
        Duration::ZERO,
        When::Share(0.1),
        &[Fault::Swallow],
        5,
    );
}

#[test]
fn answers_that_come_late_change_nothing() {
    lose(
        "late",
        Duration::ZERO,
        When::Share(0.3),
        &[Fault::Delay(Duration::from_millis(300)), Fault::Cut],
        40,
    );
}

#[test]
fn answers_lost_for_records_the_broker_does_not_remember_lead_to_a_fence() {
    lose(
        "cold",
        Duration::from_hours(72),
        When::EveryNth(10),
        &[Fault::Cut],
        10,
    );
}
