//! Faults: each does what it says, at the request it names, and again from the same seed.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{ApiKey, MetadataRequest, ProduceRequest};

use super::client::*;
use crate::sandbox::{Action, ClusterPlan, Follow, Rule, When, errors};

const ME: (i64, i16) = (5, 0);

#[tokio::test]
async fn before_and_after_differ_by_the_effect() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let faults = cluster.faults();
    let cases = [
        (Action::CutBefore, false),
        (Action::CutAfter, true),
        (Action::SilentBefore, false),
        (Action::SilentAfter, true),
    ];
    for ((action, effect), sequence) in cases.into_iter().zip(0..) {
        let rule = faults.add(Rule::new(ApiKey::Produce, When::Nth(1), action));
        let request = produce("t", vec![(0, batch((100 + sequence, 0), 0, 1))], None);
        let before = cluster.stored("t", 0).len();
        let answer = client.try_ask(request, 9);
        let answer = tokio::time::timeout(Duration::from_millis(300), answer).await;
        assert!(!matches!(answer, Ok(Ok(_))), "{action:?}");
        let silent = matches!(action, Action::SilentBefore | Action::SilentAfter);
        assert_eq!(answer.is_err(), silent, "{action:?}");
        assert_eq!(
            cluster.stored("t", 0).len() - before,
            usize::from(effect),
            "{action:?}"
        );
        assert_eq!(faults.count(rule), 1);
        client = Client::to(&cluster, 1).await;
    }
}

#[tokio::test]
async fn errors_and_delays_leave_the_connection_alone() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let faults = cluster.faults();
    faults.add(Rule::new(
        ApiKey::Produce,
        When::Nth(2),
        Action::Error(errors::NOT_LEADER_OR_FOLLOWER),
    ));
    faults.add(Rule::new(
        ApiKey::Produce,
        When::Nth(3),
        Action::ErrorAfter(errors::NOT_ENOUGH_REPLICAS_AFTER_APPEND),
    ));
    faults.add(Rule::new(
        ApiKey::Produce,
        When::Nth(4),
        Action::Delay(Duration::from_millis(80)),
    ));
    assert_eq!(client.produce(batch(ME, 0, 1)).await, (0, 0));
    assert_eq!(
        client.produce(batch(ME, 1, 1)).await.0,
        errors::NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(cluster.stored("t", 0).len(), 1);
    assert_eq!(
        client.produce(batch(ME, 1, 1)).await.0,
        errors::NOT_ENOUGH_REPLICAS_AFTER_APPEND
    );
    assert_eq!(cluster.stored("t", 0).len(), 2);
    let began = Instant::now();
    assert_eq!(client.produce(batch(ME, 1, 1)).await, (0, 1));
    assert!(began.elapsed() >= Duration::from_millis(80));
    let fired: Vec<u64> = faults.fired().iter().map(|fired| fired.nth).collect();
    assert_eq!(fired, [2, 3, 4]);
    assert!(format!("{faults:?}").contains("seed: 7"));
}

#[tokio::test]
async fn rules_hold_for_one_topic_client_or_broker() {
    let (_sandbox, cluster, mut client) = start_one().await;
    client.create("other", 1, &[]).await;
    let faults = cluster.faults();
    let refuse = Action::Error(errors::NOT_LEADER_OR_FOLLOWER);
    let rule = faults.add(Rule::new(ApiKey::Fetch, When::Always, refuse).of_topic("other"));
    assert_eq!(client.fetch(0, false).await.error_code, 0);
    let mut request = fetch("other", &[(0, 0)], false);
    assert_eq!(
        client.ask(request.clone(), 12).await.error_code,
        errors::NOT_LEADER_OR_FOLLOWER
    );
    // By its id as well.
    let id = cluster.with(|state| state.topics["other"].id);
    request.topics[0].topic_id = id;
    assert_eq!(
        client.ask(request.clone(), 13).await.error_code,
        errors::NOT_LEADER_OR_FOLLOWER
    );
    faults.remove(rule);
    assert_eq!(client.ask(request, 13).await.error_code, 0);
    faults.add(Rule::any(When::Always, Action::CutBefore).of_client("somebody"));
    faults.add(Rule::any(When::Always, Action::CutBefore).at_broker(2));
    client.ask(MetadataRequest::default(), 9).await;
    client.client_id = "somebody";
    assert!(client.try_ask(MetadataRequest::default(), 9).await.is_err());
}

#[tokio::test]
async fn chance_repeats_from_its_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (_sandbox, cluster, mut client) = start_one().await;
        let code = Action::Error(errors::NOT_LEADER_OR_FOLLOWER);
        cluster
            .faults()
            .add(Rule::new(ApiKey::Metadata, When::Chance(300_000), code));
        for _ in 0..100 {
            client.ask(MetadataRequest::default(), 9).await;
        }
        runs.push(cluster.faults().fired());
    }
    assert!((10..60).contains(&runs[0].len()), "{}", runs[0].len());
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_broker_dies_with_the_request_and_the_other_goes_on() {
    let plan = ClusterPlan::new("a").with_brokers(2);
    let (_sandbox, cluster) = start(plan).await;
    assert!(cluster.create_topic("t", 1, 2, &[]));
    let mut client = Client::to(&cluster, 1).await;
    let die = Action::Kill {
        after: true,
        keep_memory: false,
    };
    cluster
        .faults()
        .add(Rule::new(ApiKey::Produce, When::Nth(2), die));
    assert_eq!(client.produce(batch(ME, 0, 1)).await, (0, 0));
    let request: ProduceRequest = produce("t", vec![(0, batch(ME, 1, 1))], None);
    assert!(client.try_ask(request, 9).await.is_err());
    let mut client = Client::to(&cluster, 2).await;
    let answer = client
        .ask(MetadataRequest::default().with_topics(None), 9)
        .await;
    assert_eq!(answer.brokers.len(), 1);
    let one = &answer.topics[0].partitions[0];
    assert_eq!((*one.leader_id, one.leader_epoch), (2, 1));
    assert_eq!(one.isr_nodes.len(), 1);
    assert_eq!(client.produce(batch(ME, 1, 1)).await, (0, 1));
    assert_eq!(client.produce(batch(ME, 2, 1)).await, (0, 2));
    cluster
        .start_again(1)
        .await
        .expect("the port is free again");
    let mut back = Client::to(&cluster, 1).await;
    assert_eq!(
        back.produce(batch(ME, 3, 1)).await.0,
        errors::NOT_LEADER_OR_FOLLOWER
    );
    cluster.move_leader("t", 0, 1);
    assert_eq!(
        client.produce(batch(ME, 3, 1)).await.0,
        errors::NOT_LEADER_OR_FOLLOWER
    );
    assert_eq!(back.produce(batch(ME, 3, 1)).await, (0, 3));
}

#[tokio::test]
async fn another_address_is_refused() {
    let mut plan = ClusterPlan::new("a");
    plan.address = "0.0.0.0".parse().expect("an address");
    let plan = crate::sandbox::Plan {
        clusters: vec![plan],
        seed: 1,
    };
    let refused = crate::sandbox::Sandbox::start(plan).await;
    assert_eq!(
        refused.map(|_| ()).map_err(|error| error.kind()),
        Err(std::io::ErrorKind::InvalidInput)
    );
}

#[tokio::test]
async fn nonsense_closes_the_connection_and_nothing_else() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (_sandbox, cluster, mut client) = start_one().await;
    let huge = [0x7f, 0xff, 0xff, 0xff];
    let negative = [0xff, 0xff, 0xff, 0xff];
    let unknown = [0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    let old = [0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0, 0];
    let empty = [0, 0, 0, 0];
    for bytes in [&huge[..], &negative, &unknown, &old, &empty] {
        let address = cluster.bootstrap();
        let mut stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("it listens");
        stream.write_all(bytes).await.expect("sent");
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest).await;
        assert!(end.is_err() || rest.is_empty(), "{bytes:?}");
    }
    assert_eq!(client.produce(batch(ME, 0, 1)).await, (0, 0));
}

#[tokio::test]
async fn a_held_request_arrives_behind_what_was_sent_after_it() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let faults = cluster.faults();
    let of = |when, action| Rule::new(ApiKey::Produce, when, action).of_partition("t", 1);
    let held = faults.add(of(When::Nth(1), Action::Hold));
    let follow = Follow {
        forget: false,
        deliver: true,
        cut: true,
    };
    let delivers = faults.add(of(When::Nth(2), Action::Follow(follow)));
    let to = |partition, id| produce("t", vec![(partition, batch((id, 0), 0, 1))], None);
    let _ = client.ask(to(0, 100), 9).await;
    assert_eq!(faults.count(held), 0, "another partition");
    assert!(client.try_ask(to(1, 101), 9).await.is_err());
    assert_eq!((cluster.held(), cluster.stored("t", 1).len()), (1, 0));
    let mut client = Client::to(&cluster, 1).await;
    assert!(client.try_ask(to(1, 102), 9).await.is_err());
    assert_eq!(faults.count(delivers), 1);
    let wrote = |at: usize| {
        let stored = cluster.stored("t", 1);
        i64::from_be_bytes(stored[at][43..51].try_into().expect("eight bytes"))
    };
    assert_eq!((wrote(0), wrote(1), cluster.held()), (102, 101, 0));
}
