//! ★ A source that loses what was copied: leaders that move, and leaders elected without the records. Nothing is overlaid, and once a
//! person accepts it nothing that the source holds is left out.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use crate::support::{
    codecs::Record,
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::{Migration, PATIENCE},
    unique, wait,
};

use super::{
    event, held,
    holes::{NAMES, record, write},
    stops::{status, stops},
    stops_past::{assert_holds, records, replicate},
};

/// A source that is stopped and started again: one test at a time.
fn source() -> MutexGuard<'static, Kafka> {
    static SOURCE: OnceLock<Mutex<Kafka>> = OnceLock::new();
    SOURCE
        .get_or_init(|| Mutex::new(Kafka::spec("cut").start()))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Writes a batch of records with these numbers.
fn write_numbers(kafka: &Kafka, topic: &str, numbers: std::ops::Range<i64>) -> Vec<Record> {
    let records: Vec<Record> = numbers
        .map(|number| record(number, None, NAMES, 40))
        .collect();
    write(kafka, topic, 0, 0, &records);
    records
}

#[test]
fn a_source_cut_off_behind_the_last_checkpoint_of_a_killed_run_stops_the_partition() {
    let source = source();
    let (_, target) = shared_pair();
    let topic = unique("cut-killed");
    source.create_topic(&topic, 1, &[]);
    write_numbers(&source, &topic, 0..60);
    let migration = Migration::of_topic(&source, target, &topic);
    migration.catch_up();
    write_numbers(&source, &topic, 60..100);
    let crashed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "produce-answered:1")
        .finish();
    assert_eq!(crashed.code(), None, "{crashed}");
    let copied = records(target, &topic);
    assert_eq!(copied.len(), 100, "copied, and not on record");
    source.cut_off(&topic, 0, 60);
    // It grows past where we are: by offsets alone nobody would notice.
    let fresh = write_numbers(&source, &topic, 1000..1300);
    let word = format!("{topic}:0@100");
    stops(
        &migration,
        &[
            "K502",
            "go on at source offset 60",
            &format!("--accept-gap {word}"),
        ],
    );
    assert_holds(target, &topic, &[&copied]);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    assert_holds(target, &topic, &[&copied, &fresh]);
}

/// Every file of a partition's log.
fn take_log(directory: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let files = fs::read_dir(directory)
        .expect("it is a directory")
        .flatten();
    files
        .map(|file| (file.file_name(), fs::read(file.path()).expect("a file")))
        .collect()
}

fn put_log(directory: &Path, log: &[(std::ffi::OsString, Vec<u8>)]) {
    for file in fs::read_dir(directory)
        .expect("it is a directory")
        .flatten()
    {
        fs::remove_file(file.path()).expect("the scratch directory is writable");
    }
    for (name, bytes) in log {
        fs::write(directory.join(name), bytes).expect("the scratch directory is writable");
    }
}

/// Two replicas that lead in turn, neither with what the other wrote: first, other, first. Records that the first wrote in its first turn lie
/// below what was read from the other, under an epoch below that of the other.
#[test]
fn two_leaders_that_alternate_without_each_others_records_hide_none_of_them() {
    let source = source();
    let (_, target) = shared_pair();
    let topic = unique("alternate");
    source.create_topic(&topic, 1, &[]);
    let common = write_numbers(&source, &topic, 0..80);
    let migration = Migration::of_topic(&source, target, &topic);
    migration.catch_up();
    let mut other = Vec::new();
    source.change_log(&topic, 0, |log| other = take_log(log));
    let first_turn = write_numbers(&source, &topic, 100..150);
    let mut first = Vec::new();
    source.change_log(&topic, 0, |log| {
        first = take_log(log);
        put_log(log, &other);
    });
    assert_eq!(source.end_offset(&topic, 0), Some(80));
    let of_other = write_numbers(&source, &topic, 200..220);
    migration.catch_up();
    assert_holds(target, &topic, &[&common, &of_other]);
    source.change_log(&topic, 0, |log| put_log(log, &first));
    let second_turn = write_numbers(&source, &topic, 300..310);
    let word = format!("{topic}:0@100");
    stops(
        &migration,
        &[
            "K502",
            "go on at source offset 80",
            &format!("--accept-gap {word}"),
        ],
    );
    assert_holds(target, &topic, &[&common, &of_other]);
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    let all: [&[Record]; 4] = [&common, &of_other, &first_turn, &second_turn];
    assert_holds(target, &topic, &all);
    // Nothing is left to be told.
    migration.catch_up();
    assert_holds(target, &topic, &all);
}

#[test]
fn a_leader_that_moves_is_followed_and_one_elected_without_the_records_stops_the_partition() {
    let source = Kafka::spec("three-source")
        .brokers(3)
        .set("broker.session.timeout.ms", "4000")
        .start();
    let (_, target) = shared_pair();
    let topic = unique("unclean");
    let settings = [
        ("unclean.leader.election.enable", "true"),
        ("min.insync.replicas", "1"),
    ];
    let made = source.wire().create_topic(&topic, 1, 2, &settings);
    made.expect("the broker answers").expect("it is made");
    source.wait_for_partitions(&topic, 1);
    let load = Load::to(&[(&topic, 1)]);
    let limit = Duration::from_secs(60);
    let migration = Migration::of_topic(&source, target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("shard-claimed"), limit);
    let is_copied = || {
        let wanted = source.end_offset(&topic, 0);
        wanted.is_some_and(|wanted| wanted > 0 && held(target, &topic) >= wanted)
    };
    load.fill(&source, 60);
    wait::until("the first records are copied", limit, is_copied);

    // A leader goes in an orderly way, and takes nothing with it.
    let first = source
        .leader_index(&topic, 0)
        .expect("the topic has a leader");
    source.stop(first);
    let moved = || source.leader_index(&topic, 0).filter(|now| *now != first);
    let second = wait::until_some("another leads", limit, moved);
    load.fill(&source, 60);
    wait::until("the copy follows the leader", limit, is_copied);
    source.start_again(first);
    let in_sync = |count: usize| {
        let metadata = source.metadata();
        let of_topic = metadata.in_sync.get(&topic);
        of_topic.is_some_and(|of| of[0].len() == count)
    };
    wait::until("both are in sync", limit, || in_sync(2));
    let kept = read::partition(&source, &topic, 0, View::Uncommitted);
    let at = source.end_offset(&topic, 0).expect("it has an end");

    // Records that only one broker has, and that are copied; then it dies, and the other leads.
    source.kill(first);
    wait::until("one is alone", limit, || in_sync(1));
    load.fill(&source, 60);
    wait::until("its records are copied", limit, is_copied);
    let end = source.end_offset(&topic, 0).expect("it has an end");
    let copied = records(target, &topic);
    source.kill(second);
    source.start_again(first);
    wait::until("the other is elected", limit, || {
        drop(source.wire().elect_unclean(&topic, 0));
        source.leader_index(&topic, 0) == Some(first) && source.end_offset(&topic, 0) == Some(at)
    });
    load.fill(&source, 200);
    tool.wait_for("K502", limit);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    assert_holds(target, &topic, &[&copied]);
    let stopped = status(&migration)["stopped"][0].clone();
    assert_eq!(
        (&stopped["source_offset"], &stopped["goes_on_at"]),
        (&end.into(), &at.into()),
        "{stopped}"
    );
    source.start_again(second);
    wait::until("both are in sync", limit, || in_sync(2));
    let word = format!("{topic}:0@{end}");
    replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    let fresh = &records(&source, &topic)[kept.len()..];
    assert_holds(target, &topic, &[&copied, fresh]);
}
