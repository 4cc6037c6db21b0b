//! A group goes over and comes back, with records of both sides in one partition: where it stands is the first record it has not read.

use std::{collections::HashSet, time::Duration};

use kafka_migrate::{
    cluster::Target,
    engine::{
        ledger::{positions::Holder, record::Steer},
        steer,
    },
    model::{
        connection::{Auth, Connection},
        direction::Direction,
        names::Side,
    },
};

use serde_json::Value;

use super::{ON_SOURCE, ON_TARGET, two_way, wait_until_even};
use crate::{
    groups::{commit, committed},
    support::{
        codecs::Record,
        kafka::Kafka,
        load::Load,
        read::{self, View},
        shared_pair, unique, wait,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Asks both directions of a running engine to follow the commits of a side.
fn declare(source: &Kafka, target: &Kafka, migration: &str, group: &str, side: Holder) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    for (kafka, direction) in [(target, Direction::Forward), (source, Direction::Reverse)] {
        let connection = Connection {
            side: Side::Target,
            bootstrap: kafka.bootstrap(),
            auth: Auth::None,
            tls: None,
            connect_timeout: PATIENCE,
            request_timeout: PATIENCE,
        };
        let answered = runtime.block_on(async {
            let written = Target::connect(&connection).await.expect("it connects");
            let steer = Steer::Authority {
                group: group.to_owned(),
                side,
            };
            Box::pin(steer::ask_direction(
                &written, migration, direction, steer, "ann",
            ))
            .await
        });
        let answered = answered.expect("it can be asked");
        assert_eq!(answered.answered, 1, "{direction}: {answered:?}");
        assert!(answered.said[0].contains("has authority"), "{answered:?}");
    }
}

fn says(record: &Record) -> (Option<Vec<u8>>, Option<Vec<u8>>, i64) {
    (record.key.clone(), record.value.clone(), record.timestamp)
}

/// The offset of the first record there that is not below the offset here; behind the last where all are.
fn right(here: &Kafka, offset: i64, there: &Kafka, topic: &str) -> i64 {
    let all = |kafka| read::partition(kafka, topic, 0, View::Committed);
    let consumed: HashSet<_> = all(here)
        .iter()
        .filter(|record| record.offset < offset)
        .map(says)
        .collect();
    let first = all(there)
        .into_iter()
        .find(|record| !consumed.contains(&says(record)));
    first.expect("something is left to read").offset
}

#[test]
fn a_group_goes_over_and_comes_back_through_kills_and_skips_nothing() {
    let (source, target) = shared_pair();
    let (topic, group) = (unique("over-and-back"), unique("traveller"));
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).marked(ON_SOURCE).fill(source, 60);
    let migration = two_way(source, target, &topic, &[&topic]);
    let topics = format!("topics = [{topic:?}]");
    migration.edit(&topics, &format!("{topics}\ngroups = [{group:?}]"));
    let mut tool = migration.command(&["replicate"]).start();
    wait_until_even(source, target, &[&topic], &|| tool.said());
    for round in 0..3 {
        // Both sides write, so that the partition holds the records of each in another order.
        let ends =
            [source, target].map(|kafka| kafka.end_offset(&topic, 0).expect("it has an end"));
        Load::to(&[(&topic, 1)]).marked(ON_TARGET).fill(target, 25);
        Load::to(&[(&topic, 1)]).marked(ON_SOURCE).fill(source, 25);
        wait_until_even(source, target, &[&topic], &|| tool.said());
        let [here, there] = ends.map(|end| end + 7 + round);
        commit(source, &group, &topic, here, "on the source");
        let wanted = right(source, here, target, &topic);
        stands(target, &group, &topic, wanted, "on the source");

        declare(source, target, &topic, &group, Holder::Target);
        tool.kill();
        tool = migration.command(&["replicate"]).start();
        commit(target, &group, &topic, there, "on the target");
        let wanted = right(target, there, source, &topic);
        stands(source, &group, &topic, wanted, "on the target");
        wait::until("status tells it", PATIENCE, || {
            let shown = migration.run(&["status", "--json"]);
            let shown: Value = serde_json::from_str(&shown.stdout).expect("it is JSON");
            let told = &shown["groups"]["each"][0];
            let position = told["position"].as_str().unwrap_or_default();
            told["authority"] == "target" && ["exact", "repeats"].contains(&position)
        });

        declare(source, target, &topic, &group, Holder::Source);
        tool.kill();
        tool = migration.command(&["replicate"]).start();
    }
}

#[track_caller]
fn stands(kafka: &Kafka, group: &str, topic: &str, offset: i64, metadata: &str) {
    let wanted = Some((offset, metadata.to_owned()));
    let is_there = || committed(kafka, group, topic) == wanted;
    assert!(
        wait::whether(PATIENCE, is_there),
        "wanted {wanted:?}, found {:?}",
        committed(kafka, group, topic)
    );
}

#[test]
fn positions_are_not_carried_where_what_came_back_is_not_followed_any_more() {
    let (source, target) = shared_pair();
    let (topic, group) = (unique("one-way-again"), unique("stays-put"));
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).marked(ON_SOURCE).fill(source, 30);
    let migration = two_way(source, target, &topic, &[&topic]);
    let topics = format!("topics = [{topic:?}]");
    migration.edit(&topics, &format!("{topics}\ngroups = [{group:?}]"));
    commit(source, &group, &topic, 10, "with both");
    migration.catch_up();
    Load::to(&[(&topic, 1)]).marked(ON_TARGET).fill(target, 20);
    migration.catch_up();
    assert!(committed(target, &group, &topic).is_some());
    let stood = committed(target, &group, &topic);

    migration.edit("two_way = true", "two_way = false");
    commit(source, &group, &topic, 40, "with one");
    let told = migration.catch_up();
    told.assert_says("positions of groups are not carried");
    assert_eq!(committed(target, &group, &topic), stood);
    // And are once it is followed again.
    migration.edit("two_way = false", "two_way = true");
    migration.catch_up();
    let wanted = right(source, 40, target, &topic);
    assert_eq!(
        committed(target, &group, &topic),
        Some((wanted, "with one".into()))
    );
}
