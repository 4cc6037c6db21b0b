//! The log cleaner: rules C1 to C5, probe 22.

use super::client::*;
use crate::{
    sandbox::records::{self, DELETE_HORIZON},
    wire::batch::Batch,
};

const ME: (i64, i16) = (5, 0);

/// A batch of these keys and values.
fn keyed(sequence: i32, inside: &[(&str, Option<&str>)]) -> bytes::Bytes {
    let each: Vec<_> = inside
        .iter()
        .zip(0..)
        .map(|((key, value), at)| record(at, Some(key.as_bytes()), value.map(str::as_bytes)))
        .collect();
    let head = header(ME, sequence, each.len() as i32, crate::clock::unix_millis());
    records::seal(&head, &records::write(&each))
}

fn shape(batches: &[Batch]) -> Vec<(i64, i64, i32, i32)> {
    let each = batches.iter().map(|one| &one.header);
    each.map(|one| {
        (
            one.base_offset,
            one.last_offset(),
            one.record_count,
            one.base_sequence,
        )
    })
    .collect()
}

#[tokio::test]
async fn headers_stay_while_records_go() {
    let (_sandbox, cluster, mut client) = start_one().await;
    for sent in [
        keyed(0, &[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]),
        keyed(3, &[("a", Some("2"))]),
        keyed(4, &[("a", Some("3")), ("b", Some("2"))]),
    ] {
        assert_eq!(client.produce(sent).await.0, 0);
    }
    // Another producer's batches: the last one overwrites mine and stands for the active segment.
    let other = batch((6, 0), 0, 1);
    assert_eq!(client.produce(other).await.0, 0);
    cluster.compact("t");
    // C1: producer, sequence, first and last offset stay; a batch without records is gone.
    assert_eq!(
        shape(&client.batches().await),
        [(0, 2, 1, 0), (4, 5, 2, 4), (6, 6, 1, 0)]
    );
    for one in client.batches().await {
        one.verify().expect("its CRC is right");
    }
    // A fetch inside the hole begins at the next batch.
    let data = client.fetch(3, false).await;
    let next = crate::wire::batch::split(data.records.expect("records")).next();
    assert_eq!(next.expect("one").expect("whole").header.base_offset, 4);
}

#[tokio::test]
async fn the_last_batch_of_a_known_producer_stays_without_records() {
    let (_sandbox, cluster, mut client) = start_one().await;
    assert_eq!(
        client
            .produce(keyed(0, &[("a", Some("1")), ("b", Some("1"))]))
            .await
            .0,
        0
    );
    let over = [
        record(0, Some(b"a"), Some(b"2")),
        record(1, Some(b"b"), Some(b"2")),
    ];
    for sequence in [0, 2] {
        let head = header((6, 0), sequence, 2, crate::clock::unix_millis());
        let sent = records::seal(&head, &records::write(&over));
        assert_eq!(client.produce(sent).await.0, 0);
    }
    cluster.compact("t");
    // C2.
    assert_eq!(
        shape(&client.batches().await),
        [(0, 1, 0, 0), (2, 3, 2, 0), (4, 5, 2, 2)]
    );
    cluster.advance_clock(std::time::Duration::from_secs(2 * 86_400));
    cluster.expire_producers();
    cluster.compact("t");
    assert_eq!(shape(&client.batches().await), [(2, 3, 2, 0), (4, 5, 2, 2)]);
}

#[tokio::test]
async fn tombstones_get_a_horizon_and_then_go() {
    let (_sandbox, cluster, mut client) = start_one().await;
    assert_eq!(
        client
            .produce(keyed(0, &[("a", None), ("b", Some("1"))]))
            .await
            .0,
        0
    );
    assert_eq!(client.produce(batch((6, 0), 0, 1)).await.0, 0);
    let time = client.batches().await[0].header.max_timestamp;
    cluster.compact("t");
    let first = client.batches().await.remove(0);
    assert_ne!(first.header.attributes & DELETE_HORIZON, 0); // C5
    assert_eq!(
        (first.header.record_count, first.header.max_timestamp),
        (2, time)
    );
    let deltas = records::read(&first.header, &first.bytes).expect("records");
    assert_eq!(
        first.header.base_timestamp + deltas[0].timestamp_delta,
        time
    );
    cluster.advance_clock(std::time::Duration::from_secs(86_401));
    cluster.compact("t");
    assert_eq!(client.batches().await[0].header.record_count, 1);
}

#[tokio::test]
async fn aborted_data_goes_and_its_marker_stays() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    for sequence in 0..2 {
        let sent = vec![(0, transactional(me, sequence, 1))];
        assert_eq!(
            client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
            0
        );
    }
    client.end_at_last("x", me, false).await;
    assert_eq!(client.produce(batch((6, 0), 0, 1)).await.0, 0);
    assert_eq!(client.produce(batch((6, 0), 1, 1)).await.0, 0);
    cluster.compact("t");
    // C4; the last data batch is an empty transactional one (probe 22).
    let batches = client.batches().await;
    let kinds: Vec<_> = batches
        .iter()
        .map(|one| (one.header.is_control(), one.header.record_count))
        .collect();
    assert_eq!(kinds, [(false, 0), (true, 1), (false, 1), (false, 1)]);
    assert_eq!(batches[0].header.attributes, records::TRANSACTIONAL);
    let data = client.fetch(0, true).await;
    assert_eq!(data.aborted_transactions.expect("a list").len(), 1);
}
