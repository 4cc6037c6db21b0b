//! What of ours is on the target cannot be known any more, or is another log: the partition stops, and is never written on by guess.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use crate::support::{
    codecs::Record,
    kafka::{Kafka, MIGRATOR},
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{
    cold::forgetful,
    first_copy::allow_on_target,
    held,
    holes::{UTF8, record, write},
    stops::{status, stops},
    stops_past::{assert_holds, recopy, records, replicate},
    wait_until_copying,
};

/// A target that is stopped and started again: one test at a time.
fn fragile() -> MutexGuard<'static, Kafka> {
    static TARGET: OnceLock<Mutex<Kafka>> = OnceLock::new();
    TARGET
        .get_or_init(|| Mutex::new(Kafka::spec("fragile").start()))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// A word that is no way past what has stopped.
#[track_caller]
fn refuses_a_gap(migration: &Migration, topic: &str) {
    let wrong = replicate(migration, &["--accept-gap", &format!("{topic}:0")]);
    wrong.assert_exit(7);
    wrong.assert_says("with --recopy");
}

/// A record as an application writes it now.
fn native(key: &str) -> Record {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later than 1970");
    Record {
        offset: 0,
        timestamp: i64::try_from(now.as_millis()).expect("times fit"),
        key: Some(key.as_bytes().to_vec()),
        value: Some(b"native".to_vec()),
        headers: Vec::new(),
    }
}

/// Old records are forgotten at once, so no empty batch keeps their place when the cleaner takes them: a copy made again
/// would put old values behind newer ones.
#[test]
fn a_compacted_tail_that_may_have_held_a_batch_of_ours_stops_and_is_not_copied_twice() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("compacted-tail");
    source.create_topic(&topic, 1, &[]);
    let settings = [
        ("cleanup.policy", "compact,delete"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    target.create_topic(&topic, 1, &settings);
    let batch = |numbers: std::ops::Range<i64>| -> Vec<Record> {
        numbers
            .map(|number| record(number, Some(format!("key {number}")), UTF8, 30))
            .collect()
    };
    write(source, &topic, 0, 0, &batch(0..10));
    let migration = Migration::of_topic(source, target, &topic);
    let tool = migration.command(&["--json", "replicate"]).start();
    wait::until("all is copied", Duration::from_secs(30), || {
        held(target, &topic) >= 10
    });
    tool.kill();
    // Appended, and not on record when it is killed.
    write(source, &topic, 0, 0, &batch(10..20));
    let crashed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:1")
        .finish();
    assert_eq!(crashed.code(), None, "{crashed}");
    assert_eq!(records(target, &topic).len(), 20);
    // The broker looks for producers to forget.
    wait::elapse(Duration::from_millis(1500));
    let newer: Vec<Record> = (10..20)
        .map(|number| native(&format!("key {number}")))
        .collect();
    write(target, &topic, 0, 0, &newer);
    for other in ["other", "another"] {
        // Each begins a segment: the last is not cleaned.
        wait::elapse(Duration::from_millis(150));
        write(target, &topic, 0, 0, &[native(other)]);
    }
    let has_ours = |key: &str| {
        let key = Some(key.as_bytes());
        let value = Some(&b"native"[..]);
        let all = records(target, &topic);
        all.iter()
            .any(|one| one.key.as_deref() == key && one.value.as_deref() != value)
    };
    wait::until("the cleaner takes them", Duration::from_secs(60), || {
        !has_ours("key 19")
    });
    assert!(has_ours("key 9"), "what was on record is still there");
    let before = records(target, &topic);

    for _ in 0..2 {
        let stopped = stops(&migration, &["K505", "may have been among them"]);
        stopped.assert_says(&format!("{topic}-0 from source offset 10"));
        assert_holds(target, &topic, &[&before]);
    }
    refuses_a_gap(&migration, &topic);
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    read::assert_same(source, target, &topic);
}

/// Records that the cleaner took before the last batch of ours leave nothing open: that batch tells.
#[test]
fn a_compacted_tail_that_ends_with_a_batch_of_ours_is_gone_on_from() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("compacted-front");
    source.create_topic(&topic, 1, &[]);
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.001"),
    ];
    target.create_topic(&topic, 1, &settings);
    let one = |number: i64, key: &str| -> Record { record(number, Some(key.to_owned()), UTF8, 30) };
    write(source, &topic, 0, 0, &[one(0, "first")]);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    // Each overwrites the one before, and is behind the last checkpoint.
    for number in 1..4 {
        write(source, &topic, 0, 0, &[one(number, "again")]);
    }
    let crashed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:4")
        .finish();
    assert_eq!(crashed.code(), None, "{crashed}");
    for other in ["other", "another"] {
        // Each begins a segment: the last is not cleaned.
        wait::elapse(Duration::from_millis(150));
        write(target, &topic, 0, 0, &[native(other)]);
    }
    let is_holed = || {
        let again = Some(&b"again"[..]);
        let all = records(target, &topic);
        let of_key = all.iter().filter(|one| one.key.as_deref() == again);
        of_key.count() < 3
    };
    wait::until("the cleaner takes some", Duration::from_secs(60), is_holed);
    migration.catch_up();
    let keys = |records: &[Record]| -> Vec<String> {
        let keys = records.iter().filter_map(|record| record.key.clone());
        keys.map(|key| String::from_utf8(key).expect("text"))
            .collect()
    };
    let held = records(target, &topic);
    assert_eq!(keys(&held), ["first", "again", "other", "another"]);
    assert!(held[1].is_same(&one(3, "again")), "{:?}", held[1]);
}

#[test]
fn a_target_that_appends_below_what_it_acknowledged_is_not_written_on() {
    let ((source, _), target) = (shared_pair(), fragile());
    let topic = unique("emptied");
    source.create_topic(&topic, 1, &[]);
    let load = Load::to(&[(&topic, 1)]);
    load.fill(source, 50);
    let migration = Migration::of_topic(source, &target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    let wanted = held(source, &topic);
    wait::until("all is copied", Duration::from_secs(30), || {
        held(&target, &topic) >= wanted
    });
    wait::elapse(Duration::from_secs(1));
    // Everything of it is lost, and with it the memory of who wrote.
    target.cut_off(&topic, 0, 0);
    load.fill(source, 50);
    tool.wait_for("K517", Duration::from_secs(60));
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    // The log does not show it any more; the ledger does.
    let found = records(&target, &topic);
    stops(&migration, &["K517", "acknowledged everything below"]);
    assert_holds(&target, &topic, &[&found]);
    refuses_a_gap(&migration, &topic);
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    read::assert_same(source, &target, &topic);
}

/// The next start shuts the killed run out with a marker, which takes the very offset that was lost. Of many partitions the last is looked
/// at when its marker is surely there.
#[test]
fn a_target_that_lost_no_more_than_a_marker_takes_is_noticed() {
    const LAST: i32 = 31;
    let ((source, _), target) = (shared_pair(), fragile());
    let topic = unique("lost-one");
    source.create_topic(&topic, LAST + 1, &[]);
    let add = |partition: i32, numbers: std::ops::Range<i64>| {
        let records: Vec<Record> = numbers
            .map(|number| record(number, None, UTF8, 30))
            .collect();
        write(source, &topic, partition, 0, &records);
    };
    for partition in 0..=LAST {
        add(partition, 0..20);
    }
    let migration = Migration::of_topic(source, &target, &topic);
    let tool = migration.command(&["--json", "replicate"]).start();
    let wait_for = |end: i64| {
        wait::until(
            &format!("{end} are copied\n{}", tool.said()),
            Duration::from_secs(30),
            || held(&target, &topic) == end,
        );
    };
    let all = 20 * i64::from(LAST + 1);
    wait_for(all);
    add(LAST, 20..21);
    wait_for(all + 1);
    // Checkpoints are half a second apart.
    wait::elapse(Duration::from_millis(1500));
    tool.kill();
    target.cut_off(&topic, LAST, 20);
    let kept = || read::partition(&target, &topic, LAST, View::Uncommitted).len();
    for _ in 0..2 {
        let says = [
            "K523",
            "lost target offsets 20 to 20",
            &format!("{topic}-{LAST} "),
        ];
        stops(&migration, &says);
        assert_eq!(kept(), 20);
    }
    recopy(&migration, &format!("{topic}:{LAST}")).assert_exit(0);
    read::assert_same(source, &target, &topic);
}

#[test]
fn a_target_that_cannot_be_read_back_after_a_kill_stops_until_it_can() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("unreadable-target").secure().start();
    let stem = unique("unreadable");
    let [hidden, free] = ["hidden", "free"].map(|name| format!("{stem}-{name}"));
    for topic in [&hidden, &free] {
        source.create_topic(topic, 1, &[]);
    }
    allow_on_target(&target, &stem);
    let loader = Load::to(&[(&hidden, 1), (&free, 1)]).keep_writing(source, 400);
    let migration = Migration::new(
        &stem,
        Access::Plain(source),
        Access::Secure(&target, "scram-sha-512"),
        &[&format!("{stem}-*")],
    );
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, &target, &hidden);
    tool.kill();
    loader.stop();
    let (principal, read) = (format!("User:{}", MIGRATOR.0), 3);
    let rule = (2, hidden.as_str(), 3);
    let denied = target.wire().deny(&principal, rule, read);
    denied
        .expect("the broker answers")
        .expect("the ACL is taken");
    wait::elapse(Duration::from_secs(1));
    let before = read::partition(&target, &hidden, 0, View::Uncommitted);
    stops(&migration, &["K506", &format!("{hidden}-0")]);
    read::assert_same(source, &target, &free);
    assert_holds(&target, &hidden, &[&before]);
    refuses_a_gap(&migration, &hidden);
    assert_eq!(
        status(&migration)["stopped"].as_array().map(Vec::len),
        Some(1)
    );
    let allowed = target.wire().undeny(&principal, rule, read);
    allowed
        .expect("the broker answers")
        .expect("the ACL is gone");
    wait::elapse(Duration::from_secs(1));
    // The cause is gone, and nobody has to decide anything.
    migration.catch_up();
    read::assert_same(source, &target, &hidden);
}
