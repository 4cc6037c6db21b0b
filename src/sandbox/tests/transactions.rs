//! Transactions: probes D1, D4, D7, D10, N9, N10, N11, 10, 14 and rules X1 to X4.

use std::time::Duration;

use super::client::*;
use crate::{sandbox::errors, wire::batch::Marker};

#[tokio::test]
async fn the_same_old_identity_gets_the_same_new_epoch_twice() {
    let (_sandbox, _, mut client) = start_one().await;
    let (code, id, epoch) = client.init(Some("x"), (-1, -1)).await;
    assert_eq!((code, epoch), (0, 0));
    assert_eq!(client.init(Some("x"), (id, 0)).await, (0, id, 1));
    // D1: even after the first caller's whole barrier.
    assert_eq!(client.init(Some("x"), (id, 0)).await, (0, id, 1));
    assert_eq!(client.add("x", (id, 1), &[0]).await, 0);
    client.end_at_last("x", (id, 1), false).await;
    assert_eq!(client.init(Some("x"), (id, 0)).await, (0, id, 1));
    // Only the second bump fences.
    assert_eq!(client.init(Some("x"), (id, 1)).await, (0, id, 2));
    assert_eq!(
        client.init(Some("x"), (id, 0)).await.0,
        errors::PRODUCER_FENCED
    );
    // N10: without an identity everybody gets an epoch of their own.
    assert_eq!(client.init(Some("x"), (-1, -1)).await, (0, id, 3));
    assert_eq!(client.init(Some("x"), (-1, -1)).await, (0, id, 4));
}

#[tokio::test]
async fn the_barrier_fences_with_its_marker_and_not_before() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let old = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.produce(batch(old, 0, 2)).await, (0, 0));
    let new = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(new, (old.0, old.1 + 1));
    assert_eq!(client.add("x", new, &[0, 1]).await, 0);
    cluster.hold_markers(true);
    assert_eq!(client.end("x", new, false).await, 0);
    // X1: nothing is written yet, the old one still may.
    assert_eq!(client.produce(batch(old, 2, 1)).await, (0, 2));
    assert_eq!(
        client.end("x", new, false).await,
        errors::CONCURRENT_TRANSACTIONS
    );
    cluster.hold_markers(false);
    client.end_at_last("x", new, false).await;
    assert_eq!(
        client.produce(batch(old, 3, 1)).await.0,
        errors::INVALID_PRODUCER_EPOCH
    );
    assert_eq!(
        client.produce(batch(new, 5, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    assert_eq!(client.produce(batch(new, 0, 1)).await, (0, 4));
    // X2: a marker without data, on the empty partition, too; nothing was aborted.
    let data = client.fetch(0, true).await;
    assert_eq!(data.aborted_transactions, Some(vec![]));
    let marker = &client.batches().await[2];
    assert_eq!(marker.marker(), Ok(Some(Marker::Abort)));
    assert_eq!(
        (marker.header.producer_epoch, marker.header.base_offset),
        (new.1, 3)
    );
    marker.verify().expect("its CRC is right");
    let other = client.ask(fetch("t", &[(1, 0)], false), 12).await;
    assert_eq!(other.responses[0].partitions[0].high_watermark, 1);
    // A second empty abort at the same epoch is no fence.
    assert_eq!(client.add("x", new, &[0]).await, 0);
    client.end_at_last("x", new, false).await;
    assert_eq!(client.produce(batch(new, 1, 1)).await, (0, 6));
}

#[tokio::test]
async fn an_open_transaction_is_aborted_by_the_next_init_and_its_owner_fenced() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    let sent = vec![(0, transactional(me, 0, 2))];
    assert_eq!(
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
        0
    );
    let data = client.fetch(0, true).await;
    assert_eq!((data.high_watermark, data.last_stable_offset), (2, 0));
    assert!(data.records.expect("records").is_empty());
    let next = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(next, (me.0, me.1 + 2)); // X1
    assert_eq!(client.end("x", me, true).await, errors::PRODUCER_FENCED);
    assert_eq!(client.batches().await[1].header.producer_epoch, me.1 + 1);
    let data = client.fetch(0, true).await;
    let aborted = data.aborted_transactions.expect("a list");
    assert_eq!(
        (*aborted[0].producer_id, aborted[0].first_offset),
        (me.0, 0)
    );
    assert_eq!(data.last_stable_offset, 3);
}

#[tokio::test]
async fn the_last_epoch_is_followed_by_a_new_identity() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    cluster.with(|state| state.transactions.set_epoch("x", 32_765));
    assert_eq!(
        client.init(Some("x"), (me.0, 32_765)).await,
        (0, me.0, 32_766)
    );
    let (code, next, epoch) = client.init(Some("x"), (me.0, 32_766)).await;
    assert_eq!((code, epoch), (0, 0));
    assert_ne!(next, me.0);
    assert_eq!(client.init(Some("x"), (me.0, 32_766)).await, (0, next, 0)); // X3
}

#[tokio::test]
async fn transactional_batches_are_verified() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    let mut code = async |id, batch, version| {
        let answer = client.produce_to("t", vec![(0, batch)], id, version).await;
        answer[0].error_code
    };
    // D4.
    assert_eq!(
        code(Some("x"), transactional(me, 0, 1), 10).await,
        errors::INVALID_TXN_STATE
    );
    assert_eq!(
        code(Some("x"), transactional(me, 0, 1), 11).await,
        errors::TRANSACTION_ABORTABLE
    );
    assert_eq!(
        code(Some("x"), transactional((77, 0), 0, 1), 9).await,
        errors::INVALID_PRODUCER_ID_MAPPING
    );
    assert_eq!(
        code(Some("y"), transactional(me, 0, 1), 9).await,
        errors::INVALID_PRODUCER_ID_MAPPING
    );
    assert_eq!(
        code(None, transactional(me, 0, 1), 9).await,
        errors::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    );
    // Without a producer the bit is stored and means nothing.
    assert_eq!(code(Some("x"), transactional((-1, -1), -1, 1), 9).await, 0);
    assert_eq!(client.fetch(0, true).await.last_stable_offset, 1);
    // With verification off anybody opens what nobody ends (P9).
    cluster.with(|state| {
        let name = "transaction.partition.verification.enable".to_owned();
        state.changed.insert(name, "false".to_owned());
    });
    let answer = client
        .produce_to("t", vec![(0, transactional((78, 0), 0, 1))], Some("x"), 9)
        .await;
    assert_eq!(answer[0].error_code, 0);
    let data = client.fetch(0, true).await;
    assert_eq!((data.high_watermark, data.last_stable_offset), (2, 1));
}

#[tokio::test]
async fn a_refused_transactional_batch_leaves_a_trap() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    for sequence in 0..3 {
        assert_eq!(client.produce(batch(me, sequence, 1)).await.0, 0);
    }
    // D7 (D): the right sequence does no harm.
    let sent = vec![(0, transactional(me, 3, 1))];
    assert_eq!(
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
        errors::INVALID_TXN_STATE
    );
    assert_eq!(client.produce(batch(me, 3, 1)).await.0, 0);
    // D7 (C): a lower one does.
    let sent = vec![(0, transactional(me, 2, 1))];
    assert_eq!(
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
        errors::INVALID_TXN_STATE
    );
    assert_eq!(
        client.produce(batch(me, 4, 1)).await.0,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    // The next marker clears it.
    assert_eq!(client.add("x", me, &[0]).await, 0);
    client.end_at_last("x", me, true).await;
    assert_eq!(client.produce(batch(me, 4, 1)).await.0, 0);
}

#[tokio::test]
async fn a_retry_of_committed_data_in_a_new_transaction_is_a_trap_too() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    let send = async |client: &mut Client, sequence| {
        let sent = vec![(0, transactional(me, sequence, 1))];
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code
    };
    assert_eq!(send(&mut client, 0).await, 0);
    assert_eq!(send(&mut client, 1).await, 0);
    client.end_at_last("x", me, true).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    // D7 (B).
    assert_eq!(send(&mut client, 1).await, 0);
    assert_eq!(
        send(&mut client, 2).await,
        errors::OUT_OF_ORDER_SEQUENCE_NUMBER
    );
    client.end_at_last("x", me, false).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    assert_eq!(send(&mut client, 2).await, 0);
    // S10, D10: a plain batch only before transactional data lies there.
    assert_eq!(
        client.produce(batch(me, 3, 1)).await.0,
        errors::INVALID_TXN_STATE
    );
    client.end_at_last("x", me, true).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    assert_eq!(client.produce(batch(me, 3, 1)).await.0, 0);
}

#[tokio::test]
async fn an_empty_commit_keeps_a_cold_producer_known() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let days_ago = cluster.clock() - 2 * 86_400_000;
    let me = client.init_at_last("x", (-1, -1)).await;
    for sequence in 0..3 {
        assert_eq!(
            client.produce(batch_at(me, sequence, 1, days_ago)).await.0,
            0
        );
    }
    assert_eq!(client.add("x", me, &[0]).await, 0);
    client.end_at_last("x", me, true).await;
    cluster.expire_producers();
    // N9: sequence, window and epoch stay.
    assert_eq!(client.produce(batch_at(me, 1, 1, days_ago)).await, (0, 1));
    assert_eq!(client.produce(batch_at(me, 3, 1, days_ago)).await, (0, 4));
    cluster.expire_producers();
    assert_eq!(client.produce(batch_at(me, 3, 1, days_ago)).await, (0, 5));
}

#[tokio::test]
async fn ends_repeat_and_do_not_change_their_mind() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.end("x", me, true).await, errors::INVALID_TXN_STATE);
    assert_eq!(client.add("x", me, &[0]).await, 0);
    client.end_at_last("x", me, true).await;
    assert_eq!(client.end("x", me, true).await, 0);
    assert_eq!(client.end("x", me, false).await, errors::INVALID_TXN_STATE);
    assert_eq!(
        client.end("x", (me.0, me.1 + 1), true).await,
        errors::PRODUCER_FENCED
    );
    assert_eq!(
        client.end("y", me, true).await,
        errors::INVALID_PRODUCER_ID_MAPPING
    );
}

#[tokio::test]
async fn slow_transactions_are_aborted_and_idle_ids_forgotten() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    let sent = vec![(0, transactional(me, 0, 1))];
    assert_eq!(
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
        0
    );
    cluster.advance_clock(Duration::from_secs(61));
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(client.end("x", me, true).await, errors::PRODUCER_FENCED);
    assert_eq!(client.fetch(0, true).await.last_stable_offset, 2);
    // N11, X4: a new identity, and the old one may write where its state expired.
    cluster.advance_clock(Duration::from_secs(8 * 86_400));
    tokio::time::sleep(Duration::from_millis(60)).await;
    let next = client.init_at_last("x", (-1, -1)).await;
    assert_ne!(next.0, me.0);
    assert_eq!(next.1, 0);
    assert_eq!(client.produce(batch(me, 9, 1)).await.0, 0);
}
