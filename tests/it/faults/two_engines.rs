//! ★ One engine is paused, a second takes over, the first is woken: one goes on, the other ends with exit 7.

use std::time::Duration;

use crate::support::{
    kafka::Kafka,
    load::Load,
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{assert_all_same, wait_until_copying};

/// The engine's lease: how long it may go on sending after its last word in the ledger.
const LEASE: Duration = Duration::from_secs(10);

/// Pauses the first engine; `asleep` before the second starts, `beside` while the second copies; then wakes the first.
fn take_over(target: &Kafka, name: &str, asleep: Duration, beside: Duration) {
    let (source, _) = shared_pair();
    let topic = unique(name);
    source.create_topic(&topic, 4, &[]);
    let loader = Load::to(&[(&topic, 4)]).keep_writing(source, 500);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let mut first = migration
        .command_in("first", &["--json", "replicate"])
        .start();
    wait_until_copying(&mut first, target, &topic);
    first.pause();
    wait::elapse(asleep);
    let mut second = migration
        .command_in("second", &["--json", "replicate"])
        .start();
    wait_until_copying(&mut second, target, &topic);
    wait::elapse(beside);
    first.resume();
    let ended = first.wait(Duration::from_secs(60));
    ended.assert_exit(7);
    assert!(
        ended.stderr.contains("took over") || ended.stdout.contains("took over"),
        "no reason is named: {ended}"
    );
    wait_until_copying(&mut second, target, &topic);
    loader.stop();
    second.interrupt();
    second.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
    migration.verify();
}

#[test]
fn an_engine_woken_within_its_lease_ends() {
    take_over(
        shared_pair().1,
        "woken-early",
        Duration::ZERO,
        Duration::ZERO,
    );
}

#[test]
fn an_engine_woken_after_its_lease_ends() {
    take_over(
        shared_pair().1,
        "woken-late",
        Duration::ZERO,
        LEASE + Duration::from_secs(2),
    );
}

/// A target that forgets transactional ids and producers within seconds.
fn forgetful() -> Kafka {
    Kafka::spec("forgetful")
        .set("transactional.id.expiration.ms", "4000")
        .set(
            "transaction.remove.expired.transaction.cleanup.interval.ms",
            "1000",
        )
        .set("producer.id.expiration.ms", "4000")
        .set("producer.id.expiration.check.interval.ms", "1000")
        .start()
}

#[test]
fn an_engine_woken_after_everything_was_forgotten_ends() {
    let target = forgetful();
    // Forgotten before the second engine starts.
    take_over(
        &target,
        "forgotten-before",
        Duration::from_secs(8),
        Duration::ZERO,
    );
    // Forgotten while the second engine runs.
    take_over(
        &target,
        "forgotten-beside",
        Duration::ZERO,
        Duration::from_secs(8),
    );
}

#[test]
fn a_second_engine_is_refused_while_the_first_runs() {
    let (source, target) = shared_pair();
    let topic = unique("refused");
    source.create_topic(&topic, 2, &[]);
    let loader = Load::to(&[(&topic, 2)]).keep_writing(source, 500);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Plain(target),
        &[&topic],
    );
    let mut first = migration
        .command_in("first", &["--json", "replicate"])
        .start();
    wait_until_copying(&mut first, target, &topic);
    // On another machine the heartbeat tells; on this one, with the same state directory, the lock.
    for state in ["second", "first"] {
        let refused = migration.command_in(state, &["replicate"]).finish();
        refused.assert_exit(7);
        refused.assert_says("error[K4");
    }
    wait_until_copying(&mut first, target, &topic);
    loader.stop();
    first.interrupt();
    first.wait(PATIENCE).assert_exit(130);
    migration.catch_up();
    assert_all_same(source, target, &[&topic]);
}
