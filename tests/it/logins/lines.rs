//! One connection each, through several sessions; and what becomes of tokens that are not taken, or not there.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use kafka_migrate::{
    cluster::{FetchPosition, Isolation, ProducePart, Source, Target},
    exit::Exit,
    model::names::TopicPartition,
    wire::{self, batch::Stamp, encode::batch_of_one},
};

use super::{SESSION, pair, settings, tokens};
use crate::support::{
    read::{self, View},
    unique,
};

/// Three sessions and a half: a connection whose login was not renewed would have been closed by its broker.
const LONG: Duration = Duration::from_millis(SESSION * 7 / 2);

#[tokio::test(flavor = "multi_thread")]
async fn connections_live_through_sessions_while_they_write_and_read() {
    let (source, target) = pair();
    let topic = unique("renewed");
    target.create_topic(&topic, 1, &[]);
    let (settings, _migration) = settings(source, target, &topic, &topic);
    let writing = Target::connect(&settings.target)
        .await
        .expect("it connects");
    let reading = {
        let mut there = settings.target.clone();
        there.side = kafka_migrate::model::names::Side::Source;
        Source::connect(&there).await.expect("it connects")
    };
    let at = TopicPartition::new(&*topic, 0);
    let leader = writing.leader(&at).await.expect("it is known");
    let producer = writing
        .producer(leader, Arc::new(|| true))
        .await
        .expect("it connects");
    let mut fetcher = reading.fetcher(leader).await.expect("it connects");
    let before = tokens(&topic).made();
    let begun = Instant::now();
    let mut written = 0;
    let mut read = 0;
    while begun.elapsed() < LONG {
        // Several in flight, so that a login finds some before it and some behind.
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let stamp = Stamp {
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
            };
            let part = ProducePart {
                at: at.clone(),
                batch: batch_of_one(format!("{written}").as_bytes(), 1_769_862_896_000, stamp),
            };
            waiting.push(producer.send(vec![part]).await.expect("it is sent"));
            written += 1;
        }
        for pending in waiting {
            let (answers, _) = pending.answers().await.expect("it is answered");
            assert!(
                answers.iter().all(|answer| answer.error == 0),
                "{answers:?}"
            );
        }
        let wanted = [FetchPosition {
            at: at.clone(),
            topic_id: uuid::Uuid::nil(),
            offset: read,
            last_epoch: -1,
            leader_epoch: -1,
            max_bytes: 1 << 20,
        }];
        let answer = fetcher
            .fetch(
                &wanted,
                Isolation::ReadUncommitted,
                Duration::from_millis(50),
                1,
                1 << 20,
            )
            .await
            .expect("it is answered");
        read = answer
            .partitions
            .first()
            .map_or(read, |partition| partition.high_watermark.max(read));
    }
    assert!(producer.is_alive() && fetcher.is_alive());
    let renewed = tokens(&topic).made() - before;
    // Four connections, three times each: the two of the clusters, the producer, the fetcher.
    assert!(renewed >= 12, "only {renewed} logins were renewed");
    let found = read::partition(target, &topic, 0, View::Uncommitted);
    let found: Vec<String> = found
        .iter()
        .map(|record| {
            let value = record.value.as_ref().expect("it has a value");
            String::from_utf8_lossy(value).into_owned()
        })
        .collect();
    let wanted: Vec<String> = (0..written).map(|number| number.to_string()).collect();
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_is_a_refused_login_and_says_why() {
    let (source, target) = pair();
    let name = unique("stale");
    let (settings, _migration) = settings(source, target, &name, &name);
    tokens(&name).stale.store(true, Ordering::SeqCst);
    let error = Target::connect(&settings.target)
        .await
        .map(drop)
        .expect_err("the token has ended");
    let Some(wire::Error::Login {
        mechanism, reason, ..
    }) = error.wire()
    else {
        panic!("not a refused login: {error:?}")
    };
    assert_eq!(*mechanism, "OAUTHBEARER");
    assert!(reason.contains("invalid_token"), "{reason}");
    let failure = error.failure();
    assert_eq!((failure.exit, failure.code), (Exit::Target, "K204"));
    assert!(failure.message.contains("refused our token"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_made_is_no_fault_of_the_cluster() {
    let (source, target) = pair();
    let name = unique("missing");
    let (settings, _migration) = settings(source, target, &name, &name);
    tokens(&name).missing.store(true, Ordering::SeqCst);
    let error = Source::connect(&settings.source)
        .await
        .map(drop)
        .expect_err("there is no token");
    let failure = error.failure();
    assert_eq!((failure.exit, failure.code), (Exit::Aws, "K300"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_renewed_ends_the_connection_with_the_reason() {
    let (source, target) = pair();
    let name = unique("renewals");
    let (settings, _migration) = settings(source, target, &name, &name);
    let there = Target::connect(&settings.target)
        .await
        .expect("it connects");
    let broker = there.brokers()[0];
    let producer = there
        .producer(broker, Arc::new(|| true))
        .await
        .expect("it connects");
    tokens(&name).missing.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    while producer.is_alive() {
        assert!(begun.elapsed() < 20 * LONG, "nobody ended it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What was asked for again, while the session lasted, was more than once.
    let error = producer
        .send(Vec::new())
        .await
        .map(drop)
        .expect_err("it is over");
    assert!(
        matches!(error.wire(), Some(wire::Error::Token { .. })),
        "{error:?}"
    );
}
