//! Idempotence: rules S1 to S9, probes D5, N2 to N4, N9, and what restarts forget.

use std::time::Duration;

use super::client::*;
use crate::sandbox::{ClusterPlan, errors};

const DUPLICATES: [(i16, i64); 5] = [(0, 10), (0, 8), (0, 6), (0, 4), (0, 2)];

#[tokio::test]
async fn the_last_five_batches_are_known_and_older_ones_are_not() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = (5, 0);
    for sequence in [0, 2, 4, 6, 8, 10] {
        let answer = client.produce(batch(me, sequence, 2)).await;
        assert_eq!(answer, (0, sequence.into()));
    }
    for (age, expected) in DUPLICATES.into_iter().enumerate() {
        let sequence = 10 - 2 * age as i32;
        assert_eq!(
            client.produce(batch(me, sequence, 2)).await,
            expected,
            "age {age}"
        );
    }
    // S1: the sixth is forgotten; S2: other boundaries are no duplicates.
    assert_eq!(
        client.produce(batch(me, 0, 2)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(
        client.produce(batch(me, 8, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(
        client.produce(batch(me, 8, 4)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(client.batches().await.len(), 6);
}

#[tokio::test]
async fn epochs_and_sequences_are_checked_and_anything_of_a_stranger_is_taken() {
    let (_sandbox, _, mut client) = start_one().await;
    // S5: an unknown producer.
    assert_eq!(
        client.produce(batch((1 << 62, 32_767), 1000, 3)).await,
        (0, 0)
    );
    let me = (9, 4);
    assert_eq!(client.produce(batch(me, 7, 1)).await.0, 0);
    // S3: a gap, and a step back.
    assert_eq!(
        client.produce(batch(me, 9, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(
        client.produce(batch(me, 6, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    // S4: a lower epoch; a higher one begins at 0, and may skip some.
    assert_eq!(
        client.produce(batch((9, 3), 8, 1)).await.0,
        errors::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(
        client.produce(batch((9, 6), 8, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(client.produce(batch((9, 6), 0, 1)).await.0, 0);
    assert_eq!(
        client.produce(batch(me, 8, 1)).await.0,
        errors::INVALID_PRODUCER_EPOCH
    );
    // A refused batch uses no sequence.
    assert_eq!(client.produce(batch((9, 6), 1, 1)).await.0, 0);
}

#[tokio::test]
async fn sequences_wrap_inside_a_batch() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = (5, 0);
    assert_eq!(client.produce(batch(me, i32::MAX - 1, 3)).await, (0, 0));
    assert_eq!(client.produce(batch(me, i32::MAX - 1, 3)).await, (0, 0));
    assert_eq!(client.produce(batch(me, 1, 1)).await, (0, 3));
}

#[tokio::test]
async fn a_duplicate_is_judged_by_its_numbers_alone() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = (5, 0);
    assert_eq!(client.produce(batch(me, 0, 1)).await, (0, 0));
    let other = crate::sandbox::records::write(&[record(0, None, Some(b"something else"))]);
    let other = crate::sandbox::records::seal(&header(me, 0, 1, 1_700_000_000_000), &other);
    assert_eq!(client.produce(other).await, (0, 0)); // N4
    assert_eq!(client.batches().await.len(), 1);
}

#[tokio::test]
async fn old_data_lets_the_producer_be_forgotten_and_a_retry_is_appended_twice() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let days_ago = cluster.clock() - 2 * 86_400_000;
    let (warm, cold) = ((5, 0), (6, 3));
    assert_eq!(client.produce(batch(warm, 0, 1)).await, (0, 0));
    assert_eq!(client.produce(batch_at(cold, 0, 1, days_ago)).await, (0, 1));
    assert_eq!(client.produce(batch_at(cold, 0, 1, days_ago)).await, (0, 1));
    cluster.expire_producers();
    // S6: the second copy, even of an older epoch.
    assert_eq!(client.produce(batch_at(cold, 0, 1, days_ago)).await, (0, 2));
    assert_eq!(client.produce(batch(warm, 0, 1)).await, (0, 0));
    cluster.expire_producers();
    assert_eq!(
        client.produce(batch_at((6, 1), 77, 1, days_ago)).await,
        (0, 3)
    );
}

#[tokio::test]
async fn the_tick_comes_by_itself_when_its_time_has_come() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let days_ago = cluster.clock() - 2 * 86_400_000;
    assert_eq!(
        client.produce(batch_at((6, 3), 0, 1, days_ago)).await,
        (0, 0)
    );
    cluster.advance_clock(Duration::from_secs(601));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        client.produce(batch_at((6, 3), 0, 1, days_ago)).await,
        (0, 1)
    );
}

#[tokio::test]
async fn after_a_restart_one_batch_is_known_and_after_a_failover_all_five() {
    let plan = ClusterPlan::new("a")
        .with_brokers(2)
        .with_setting("default.replication.factor", "2");
    let (_sandbox, cluster) = start(plan).await;
    let mut client = Client::to(&cluster, 1).await;
    client.create("t", 1, &[]).await;
    let me = (5, 0);
    for sequence in 0..5 {
        assert_eq!(client.produce(batch(me, sequence, 1)).await.0, 0);
    }
    cluster.kill(1, false);
    let mut client = Client::to(&cluster, 2).await;
    assert_eq!(client.produce(batch(me, 0, 1)).await, (0, 0));
    cluster
        .start_again(1)
        .await
        .expect("the port is free again");
    cluster.move_leader("t", 0, 1);
    let mut client = Client::to(&cluster, 1).await;
    // D5: exactly one.
    assert_eq!(client.produce(batch(me, 4, 1)).await, (0, 4));
    assert_eq!(
        client.produce(batch(me, 3, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(client.produce(batch(me, 5, 1)).await, (0, 5));
}

#[tokio::test]
async fn a_broker_alone_comes_back_with_its_log_and_without_old_producers() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let days_ago = cluster.clock() - 2 * 86_400_000;
    assert_eq!(client.produce(batch((5, 0), 0, 1)).await, (0, 0));
    assert_eq!(
        client.produce(batch_at((6, 0), 0, 1, days_ago)).await,
        (0, 1)
    );
    cluster.kill(1, false);
    assert!(
        client
            .try_ask(produce("t", vec![(0, batch((5, 0), 1, 1))], None), 9)
            .await
            .is_err()
    );
    cluster
        .start_again(1)
        .await
        .expect("the port is free again");
    let mut client = Client::to(&cluster, 1).await;
    assert_eq!(client.produce(batch((5, 0), 0, 1)).await, (0, 0));
    assert_eq!(
        client.produce(batch_at((6, 0), 0, 1, days_ago)).await,
        (0, 2)
    );
    assert_eq!(
        client
            .batches()
            .await
            .last()
            .expect("one")
            .header
            .leader_epoch,
        2
    );
}

#[tokio::test]
async fn lost_data_shows_as_a_sequence_out_of_order() {
    let (_sandbox, cluster, mut client) = start_one().await;
    for sequence in 0..6 {
        assert_eq!(client.produce(batch((5, 0), sequence, 1)).await.0, 0);
    }
    cluster.lose_acknowledged("t", 0, 2);
    assert_eq!(
        client.produce(batch((5, 0), 6, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(client.produce(batch((5, 0), 2, 1)).await, (0, 2));
}

#[tokio::test]
async fn answers_come_in_another_order_and_a_partition_counts_once() {
    let (_sandbox, _, mut client) = start_one().await;
    let answers = client
        .produce_to(
            "t",
            vec![(0, batch((5, 0), 0, 1)), (1, batch((5, 0), 0, 1))],
            None,
            9,
        )
        .await;
    let order: Vec<i32> = answers.iter().map(|one| one.index).collect();
    assert_eq!(order, [1, 0]); // N2
    let twice = vec![(0, batch((6, 0), 0, 1)), (0, batch((7, 0), 0, 1))];
    let answers = client.produce_to("t", twice, None, 9).await;
    assert_eq!(answers.len(), 1); // N3
    assert_eq!(client.batches().await.len(), 2);
}
