//! The whole program over logins with tokens: copied while every session ends after seconds, compared, looked at by librdkafka.

use std::{sync::atomic::Ordering, time::Duration};

use kafka_migrate::{
    cluster::{Source, Target},
    config::Settings,
    engine::{self, StopSignal, Until, metrics::Numbers},
    events::Events,
    lock::Lock,
    observe::{Asked, Depth, Eyes, Known, Subject},
    verify::{self, Seams, Verdict, Witness},
};

use super::{SESSION, pair, settings, tokens};
use crate::support::{load::Load, read, unique};

fn told(settings: &Settings, until: Until) -> engine::Settings {
    engine::Settings {
        migration: settings.name.clone(),
        scope: settings.scope.clone(),
        keep: settings.keep.clone(),
        merge: settings.keep.clone(),
        groups: engine::groups::Wanted::default(),
        sync: engine::sync::Wanted::default(),
        made: engine::sync::Made::default(),
        two_way: settings.two_way,
        shards: settings.shards,
        pace: settings.pace,
        memory: settings.memory,
        replication_factor: settings.replication_factor,
        state_dir: settings.state.clone(),
        until,
        request_timeout: settings.target.request_timeout,
        asked: Vec::new(),
        asked_by: "a test".into(),
        numbers: Numbers::new(settings.shards as usize, false),
    }
}

/// Copies until `stop` is raised, or all is there; what the engine said of trouble.
async fn copy(settings: &Settings, until: Until, stop: StopSignal) -> Vec<String> {
    let source = Source::connect(&settings.source)
        .await
        .expect("it connects");
    let target = Target::connect(&settings.target)
        .await
        .expect("it connects");
    let lock = Lock::take(&settings.state).expect("nobody else has it");
    let (events, mut feed) = Events::channel();
    let summary = Box::pin(engine::run(
        told(settings, until),
        lock,
        source,
        target,
        events,
        stop,
    ))
    .await;
    let summary = summary.unwrap_or_else(|failure| panic!("it failed: {failure:?}"));
    assert!(
        summary.sealed && summary.stopped_partitions == 0,
        "{summary:?}"
    );
    let mut said = Vec::new();
    while let Some(event) = feed.recv().await {
        said.push(format!("{event:?}"));
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_through_many_sessions_and_is_whole() {
    let (source, target) = pair();
    let topic = unique("tokens");
    source.create_topic(&topic, 2, &[]);
    let (settings, _migration) = settings(source, target, &topic, &topic);
    let load = Load::to(&[(&*topic, 2)]);
    let loader = load.keep_writing(source, 200);
    let stop = StopSignal::default();
    let engine = tokio::spawn({
        let (settings, stop) = (settings.clone(), stop.clone());
        async move { copy(&settings, Until::Stopped, stop).await }
    });
    // Not a wait for something to happen: the time that the sessions take.
    tokio::time::sleep(Duration::from_millis(SESSION * 4)).await;
    tokio::task::spawn_blocking(move || loader.stop())
        .await
        .expect("it stops");
    stop.drain();
    let said = engine.await.expect("it ends");
    // Nobody had to begin again, and no partition waits for anything.
    let broken: Vec<&String> = said
        .iter()
        .filter(|event| {
            ["ShardRestarted", "PartitionStopped", "Trouble"]
                .iter()
                .any(|word| event.starts_with(word))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    copy(&settings, Until::CaughtUp, StopSignal::default()).await;
    assert!(tokens(&topic).made() > 20, "{}", tokens(&topic).made());
    assert!(read::assert_same(source, target, &topic) > 1000);

    let (from, to) = (
        Source::connect(&settings.source)
            .await
            .expect("it connects"),
        Target::connect(&settings.target)
            .await
            .expect("it connects"),
    );
    let asked = verify::Settings {
        migration: settings.name.clone(),
        scope: settings.scope.clone(),
        source: settings.source.clone(),
        target: settings.target.clone(),
        show_values: false,
        witness: true,
        at_once: 2,
    };
    let seams = async {
        Ok(Seams {
            ledger: true,
            there: verify::Written::default(),
            back: None,
            keep: settings.keep.clone(),
        })
    };
    let report = verify::run(asked, from, to, seams, Events::channel().0)
        .await
        .unwrap_or_else(|failure| panic!("it failed: {failure:?}"));
    assert_eq!(report.verdict, Verdict::Same, "{report:#?}");
    assert!(
        matches!(report.witness, Witness::Agrees { records } if records > 500),
        "{:?}",
        report.witness
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_like_those_of_applications_log_in_the_same_way() {
    let (source, target) = pair();
    let topic = unique("probed");
    source.create_topic(&topic, 1, &[]);
    let (settings, _migration) = settings(source, target, &topic, &topic);
    let subject = Subject {
        engine: told(&settings, Until::Stopped),
        source: settings.source.clone(),
        target: settings.target.clone(),
        asked: Asked::default(),
        exclude_groups: settings.exclude_groups.clone(),
        applications: Vec::new(),
        only: None,
    };
    let seen = Box::pin(Eyes::new(subject.clone()).look(Depth::Preflight)).await;
    for cluster in [&seen.source, &seen.target] {
        assert_eq!(cluster.mechanism, "OAUTHBEARER");
        let Known::Seen { value, .. } = &cluster.clients else {
            panic!("librdkafka was not asked: {:?}", cluster.clients)
        };
        assert_eq!(value.len(), 1);
        assert!(value[0].trouble.is_none(), "{:?}", value[0]);
    }
    // Brokers that our own connections did not reach are not asked again: a stale token is found there.
    tokens(&topic).stale.store(true, Ordering::SeqCst);
    let seen = Box::pin(Eyes::new(subject).look(Depth::Preflight)).await;
    let trouble = format!("{:?}", seen.source.trouble);
    assert!(trouble.contains("K104"), "{trouble}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_while_it_copies_end_it_and_the_next_start_goes_on() {
    let (source, target) = pair();
    let topic = unique("expiring");
    source.create_topic(&topic, 2, &[]);
    let (settings, _migration) = settings(source, target, &topic, &topic);
    let loader = Load::to(&[(&*topic, 2)]).keep_writing(source, 200);
    let (from, to) = (
        Source::connect(&settings.source)
            .await
            .expect("it connects"),
        Target::connect(&settings.target)
            .await
            .expect("it connects"),
    );
    let lock = Lock::take(&settings.state).expect("nobody else has it");
    let events = Events::channel().0;
    let told_ = told(&settings, Until::Stopped);
    let running = tokio::spawn(engine::run(
        told_,
        lock,
        from,
        to,
        events,
        StopSignal::default(),
    ));
    let begun = std::time::Instant::now();
    while target.end_offset(&topic, 0).unwrap_or(0) < 50 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is copied"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokens(&topic).missing.store(true, Ordering::SeqCst);
    let ended = tokio::time::timeout(Duration::from_secs(120), running).await;
    let failure = ended
        .expect("it ends by itself")
        .expect("it does not panic")
        .expect_err("it cannot log in any more");
    assert_eq!(
        (failure.exit.code(), failure.code),
        (6, "K300"),
        "{failure:?}"
    );
    tokens(&topic).missing.store(false, Ordering::SeqCst);
    tokio::task::spawn_blocking(move || loader.stop())
        .await
        .expect("it stops");
    copy(&settings, Until::CaughtUp, StopSignal::default()).await;
    assert!(read::assert_same(source, target, &topic) > 100);
}
