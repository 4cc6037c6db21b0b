//! What clusters lose or take back: logs that were cut off, rights, topics, ledgers; and transactions that hold a partition back.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use crate::support::{
    kafka::{Kafka, MIGRATOR},
    load::Load,
    read::{self, View},
    secure_pair, shared_older, shared_pair,
    tool::{Access, Migration, PATIENCE},
    unique, wait,
};

use super::{
    first_copy::{allow_migrator, allow_on_target},
    stops::{delete_topic, status, stopped, stops},
    stops_past::{assert_holds, recopy, records, replicate},
    wait_until_copying,
};

#[test]
fn a_source_that_was_cut_off_is_followed_from_there_once_that_is_accepted() {
    let source = Kafka::spec("cut-source").start();
    let (_, target) = shared_pair();
    let topic = unique("cut-source");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(&source, 60);
    let at = source.end_offset(&topic, 0).expect("it has an end");
    let kept = records(&source, &topic);
    Load::to(&[(&topic, 1)]).fill(&source, 60);
    let end = source.end_offset(&topic, 0).expect("it has an end");
    let migration = Migration::of_topic(&source, target, &topic);
    migration.catch_up();
    let copied = records(target, &topic);
    source.cut_off(&topic, 0, at);
    assert_eq!(source.end_offset(&topic, 0), Some(at));
    // It grows past the end that was read: by offsets alone nobody would notice.
    Load::to(&[(&topic, 1)]).fill(&source, 200);
    assert!(source.end_offset(&topic, 0) > Some(end));
    let word = format!("{topic}:0@{end}");
    stops(
        &migration,
        &[
            "K502",
            &format!("go on at source offset {at}"),
            &format!("--accept-gap {word}"),
        ],
    );
    assert_holds(target, &topic, &[&copied]);
    let accept = || replicate(&migration, &["--accept-gap", &word]).assert_exit(0);
    accept();
    let fresh = &records(&source, &topic)[kept.len()..];
    assert_holds(target, &topic, &[&copied, fresh]);
    accept();
    assert_holds(target, &topic, &[&copied, fresh]);
    let decided = status(&migration)["decided"][0].clone();
    assert_eq!(
        (&decided["from"], &decided["to"]),
        (&end.into(), &at.into())
    );
}

#[test]
fn a_target_that_lost_what_it_acknowledged_is_told_with_offsets_and_copied_again() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("cut-target").start();
    let topic = unique("cut-target");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 60);
    let migration = Migration::of_topic(source, &target, &topic);
    migration.catch_up();
    let at = records(&target, &topic).len().cast_signed() as i64;
    Load::to(&[(&topic, 1)]).fill(source, 60);
    migration.catch_up();
    let wanted = records(&target, &topic)
        .last()
        .expect("it has records")
        .offset
        + 1;
    target.cut_off(&topic, 0, at + 2);
    let end = target.end_offset(&topic, 0).expect("it has an end");
    assert!(end < wanted, "{end} of {wanted}");
    // With nothing new on the source there is nothing to append that would show it.
    let mut seen = migration.command(&["--json", "replicate"]).start();
    seen.wait_for("K523", Duration::from_secs(60));
    seen.interrupt();
    seen.wait(PATIENCE).assert_exit(130);
    let one = status(&migration)["stopped"][0].clone();
    let reason = one["reason"].as_str().unwrap_or_default();
    assert!(reason.contains(&format!("ends at offset {end},")), "{one}");
    recopy(&migration, &format!("{topic}:0")).assert_exit(0);
    read::assert_same(source, &target, &topic);
}

#[test]
fn rights_lost_on_one_topic_stop_that_topic_alone() {
    let (source, target) = secure_pair("rights");
    let name = unique("rights");
    let [free, unread, unwritten, unseen] = ["free", "unread", "unwritten", "unseen"];
    let all = [free, unread, unwritten, unseen];
    for topic in all {
        source.create_topic(topic, 1, &[]);
        Load::to(&[(topic, 1)]).fill(&source, 20);
    }
    allow_migrator(&source, &target, &name);
    let migration = Migration::new(
        &name,
        Access::Secure(&source, "scram-sha-512"),
        Access::Secure(&target, "scram-sha-512"),
        &all,
    );
    migration.catch_up();
    let principal = format!("User:{}", MIGRATOR.0);
    let [read, write, describe] = [3, 4, 8];
    let deny = |kafka: &Kafka, topic: &str, operation: i8| {
        let denied = kafka.wire().deny(&principal, (2, topic, 3), operation);
        denied
            .expect("the broker answers")
            .expect("the ACL is taken");
    };
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for("shard-claimed", Duration::from_secs(60));
    deny(&source, unread, read);
    deny(&target, unwritten, write);
    deny(&source, unseen, describe);
    deny(&source, unseen, read);
    let before: Vec<_> = all.iter().map(|topic| records(&target, topic)).collect();
    wait::elapse(Duration::from_secs(1));
    for topic in all {
        Load::to(&[(topic, 1)]).fill(&source, 20);
    }
    tool.wait_for("K508", Duration::from_secs(60));
    tool.wait_for("K526", Duration::from_secs(60));
    wait::until("the others go on", Duration::from_secs(60), || {
        records(&target, free).len() == records(&source, free).len()
    });
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
    // At a start too, where the topic is not even seen.
    Load::to(&[(free, 1)]).fill(&source, 20);
    let again = replicate(&migration, &[]);
    again.assert_exit(10);
    for code in ["K508", "K525"] {
        again.assert_says(code);
    }
    read::assert_same(&source, &target, free);
    for (topic, before) in all.iter().zip(&before).skip(1) {
        assert_holds(&target, topic, &[before]);
    }
    let codes = stopped(&migration);
    assert_eq!(codes.len(), 3, "{codes:?}");
    let way = replicate(&migration, &["--accept-gap", &format!("{unread}:0")]);
    way.assert_exit(7);
    way.assert_says("the right to read");

    // What cannot be made as it has to be stops alone, too: no Alter to grow it, no DescribeConfigs to know its settings, nor to see that it is there.
    let name = unique("rights-made");
    let [made, short, bare, hidden] = ["made", "short", "bare", "hidden"];
    for (topic, partitions) in [(made, 2), (short, 2), (bare, 1), (hidden, 1)] {
        source.create_topic(topic, partitions, &[]);
        Load::to(&[(topic, partitions)]).fill(&source, 20);
    }
    for topic in [short, hidden] {
        target.create_topic(topic, 1, &[]);
    }
    allow_on_target(&target, &name);
    deny(&source, bare, 10);
    deny(&target, hidden, describe);
    let migration = Migration::new(
        &name,
        Access::Secure(&source, "scram-sha-512"),
        Access::Secure(&target, "scram-sha-512"),
        &[made, short, bare, hidden],
    );
    let finished = stops(&migration, &["K552", "K553", "K554"]);
    finished.assert_says("does not show topic hidden");
    assert!(!finished.stdout.contains("did not show"), "{finished}");
    assert!(records(&target, hidden).is_empty());
    read::assert_same(&source, &target, made);
    assert_eq!(
        target.partitions(bare),
        0,
        "it is not made with settings that are a guess"
    );
}

#[test]
fn a_ledger_that_is_deleted_or_emptied_ends_the_run_and_nothing_is_repeated() {
    let (source, target) = shared_pair();
    let topic = unique("no-ledger");
    source.create_topic(&topic, 2, &[]);
    let loader = Load::to(&[(&topic, 2)]).keep_writing(source, 100);
    let fresh = |name: &str| {
        Migration::new(
            name,
            Access::Plain(source),
            Access::Plain(target),
            &[&topic],
        )
    };
    let migration = fresh(&topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, target, &topic);
    let ledger = format!("kafka-migrate.{topic}.forward");
    delete_topic(target, &ledger);
    let ended = tool.wait(PATIENCE);
    loader.stop();
    assert_eq!(ended.code(), Some(7), "{ended}");
    assert!(ended.stdout.contains("K417"), "{ended}");
    let held =
        [0, 1].map(|partition| read::partition(target, &topic, partition, View::Uncommitted));
    stops(&migration, &["K520"]);
    for (partition, held) in (0..).zip(&held) {
        assert_eq!(
            &read::partition(target, &topic, partition, View::Uncommitted),
            held
        );
    }
    // Emptied between two runs.
    for shard in 0..2 {
        let mut wire = target
            .wire_to_leader(&ledger, shard)
            .expect("it has a leader");
        let deleted = wire.delete_records(&ledger, shard, -1);
        deleted
            .expect("the broker answers")
            .expect("the records are deleted");
    }
    let emptied = replicate(&migration, &[]);
    emptied.assert_exit(7);
    emptied.assert_says("K415");
}

#[test]
fn another_cluster_under_the_same_migration_is_refused() {
    let (source, target) = shared_pair();
    let topic = unique("other-cluster");
    for kafka in [source, shared_older()] {
        kafka.create_topic(&topic, 1, &[]);
        Load::to(&[(&topic, 1)]).fill(kafka, 20);
    }
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    let copied = records(target, &topic);
    migration.edit(&source.bootstrap()[0], &shared_older().bootstrap()[0]);
    for command in ["replicate", "status"] {
        let refused = migration.run(&[command]);
        refused.assert_exit(7);
        refused.assert_says("source cluster");
    }
    assert_holds(target, &topic, &[&copied]);
}

#[test]
fn a_transaction_that_holds_a_partition_back_is_named_with_its_owner() {
    let (source, target) = shared_pair();
    let topic = unique("held-back");
    source.create_topic(&topic, 2, &[]);
    Load::to(&[(&topic, 2)]).fill(source, 40);
    let first = source.end_offset(&topic, 0).expect("it has an end");
    let owner = format!("billing-{topic}");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", source.bootstrap().join(","))
        .set("transactional.id", &owner)
        .create()
        .expect("a producer can be made");
    let limit = Duration::from_secs(60);
    producer
        .init_transactions(limit)
        .expect("transactions can begin");
    producer.begin_transaction().expect("a transaction begins");
    for _ in 0..3 {
        let record = BaseRecord::to(&topic).partition(0).key("k").payload("v");
        let sent = producer.send(record);
        sent.map_err(|(error, _)| error)
            .expect("the queue has room");
    }
    producer.flush(limit).expect("the source acknowledges it");
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    let seen = status(&migration);
    let open = &seen["open_transactions"];
    assert_eq!(open.as_array().map(Vec::len), Some(1), "{seen}");
    for (name, value) in [
        ("topic", topic.as_str().into()),
        ("partition", 0.into()),
        ("transactional_id", owner.as_str().into()),
        ("first_offset", first.into()),
        ("held_back", 3.into()),
        ("timeout_ms", 60_000.into()),
    ] {
        let value: serde_json::Value = value;
        assert_eq!(open[0][name], value, "{name} of {seen}");
    }
    assert!(
        open[0]["since_ms"].as_i64() > Some(1_700_000_000_000),
        "{seen}"
    );
    let text = migration.run(&["status"]);
    assert!(text.stdout.contains(&owner), "{text}");
    producer.commit_transaction(limit).expect("it commits");
    migration.catch_up();
    read::assert_same(source, target, &topic);
    assert_eq!(
        status(&migration)["open_transactions"],
        serde_json::json!([])
    );
}
