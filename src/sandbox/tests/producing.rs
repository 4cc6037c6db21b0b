//! Produce: rules P1 to P16, probes D2, D3, N6, N8.

use bytes::Bytes;

use super::client::*;
use crate::{
    sandbox::{errors, records},
    wire::codec::Codec,
};

const NOBODY: (i64, i16) = (-1, -1);

fn now() -> i64 {
    crate::clock::unix_millis()
}

/// A batch of these records, compressed so.
fn packed(header: crate::wire::batch::BatchHeader, inside: &[records::Rec], codec: Codec) -> Bytes {
    let mut header = header;
    header.attributes |= codec.attributes();
    let plain = records::write(inside);
    let mut body = Vec::new();
    if codec == Codec::None {
        body = plain;
    } else {
        codec.compress(&plain, &mut body).expect("it compresses");
    }
    records::seal(&header, &body)
}

#[tokio::test]
async fn what_a_batch_must_be() {
    let (_sandbox, _, mut client) = start_one().await;
    let good = batch(NOBODY, -1, 1);
    assert_eq!(client.produce(good.clone()).await, (0, 0));
    // P1: two, none, another magic.
    let two = [&good[..], &good[..]].concat();
    assert_eq!(client.produce(two.into()).await.0, errors::INVALID_RECORD);
    assert_eq!(client.produce(Bytes::new()).await.0, errors::INVALID_RECORD);
    let mut old = good.to_vec();
    old[16] = 1;
    assert_eq!(client.produce(old.into()).await.0, errors::INVALID_RECORD);
    // P2: the base offset. It lies outside the CRC.
    let moved = records::place(&good, 5, -1);
    assert_eq!(client.produce(moved).await.0, errors::INVALID_RECORD);
    // P3: the CRC; the leader epoch does not matter.
    let mut broken = good.to_vec();
    *broken.last_mut().expect("bytes") ^= 1;
    assert_eq!(
        client.produce(broken.into()).await.0,
        errors::CORRUPT_MESSAGE
    );
    assert_eq!(client.produce(records::place(&good, 0, 77)).await, (0, 1));
    // P4, P6: count and last offset.
    let one = [record(0, None, Some(b"v"))];
    let mut holed = header(NOBODY, -1, 1, now());
    holed.last_offset_delta = 3;
    assert_eq!(
        client.produce(packed(holed, &one, Codec::None)).await.0,
        errors::INVALID_RECORD
    );
    for (delta, count) in [(i32::MAX, i32::MAX), (i32::MAX - 1, i32::MAX), (0, -1)] {
        let mut wild = header(NOBODY, -1, 1, now());
        (wild.last_offset_delta, wild.record_count) = (delta, count);
        let sent = packed(wild, &one, Codec::None);
        assert_eq!(client.produce(sent).await.0, errors::INVALID_RECORD);
    }
    let mut empty = header(NOBODY, -1, 1, now());
    empty.record_count = 0;
    assert_eq!(
        client.produce(packed(empty, &[], Codec::None)).await.0,
        errors::INVALID_RECORD
    );
    let more = header(NOBODY, -1, 2, now());
    assert_eq!(
        client.produce(packed(more, &one, Codec::None)).await.0,
        errors::INVALID_RECORD
    );
    // P7, P8.
    let mut control = header(NOBODY, -1, 1, now());
    control.attributes = records::CONTROL;
    assert_eq!(
        client.produce(packed(control, &one, Codec::None)).await.0,
        errors::INVALID_RECORD
    );
    let unnumbered = header((5, 0), -1, 1, now());
    assert_eq!(
        client
            .produce(packed(unnumbered, &one, Codec::None))
            .await
            .0,
        errors::INVALID_RECORD
    );
    assert_eq!(client.batches().await.len(), 2);
}

#[tokio::test]
async fn one_bad_partition_does_not_hurt_the_others() {
    let (_sandbox, _, mut client) = start_one().await;
    let batches = vec![
        (0, Bytes::new()),
        (1, batch(NOBODY, -1, 1)),
        (9, batch(NOBODY, -1, 1)),
    ];
    let answers = client.produce_to("t", batches, None, 9).await;
    let code = |index| {
        answers
            .iter()
            .find(|one| one.index == index)
            .map(|one| one.error_code)
    };
    assert_eq!(code(0), Some(errors::INVALID_RECORD));
    assert_eq!(code(1), Some(0));
    assert_eq!(code(9), Some(errors::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn holes_inside_are_stored_plain_and_break_the_broker_compressed() {
    let (_sandbox, _, mut client) = start_one().await;
    client
        .create("packed", 1, &[("compression.type", "gzip")])
        .await;
    let inside = [
        record(0, None, Some(b"a")),
        record(4, None, Some(b"b")),
        record(9, None, Some(b"c")),
    ];
    let head = header((5, 0), 0, 3, now());
    // P5: nobody looks.
    assert_eq!(
        client.produce(packed(head, &inside, Codec::None)).await,
        (0, 0)
    );
    let head = header((5, 0), 3, 3, now());
    // D2: nothing is appended, the sequence is free.
    assert_eq!(
        client.produce(packed(head, &inside, Codec::Lz4)).await.0,
        errors::UNKNOWN_SERVER_ERROR
    );
    assert_eq!(client.produce(batch((5, 0), 3, 1)).await, (0, 3));
    // Another codec on the topic: numbered densely, the producer kept (P16).
    let answer = client
        .produce_to(
            "packed",
            vec![(0, packed(head, &inside, Codec::Lz4))],
            None,
            9,
        )
        .await;
    assert_eq!(answer[0].error_code, 0);
    let answer = client.ask(fetch("packed", &[(0, 0)], false), 12).await;
    let bytes = answer.responses[0].partitions[0]
        .records
        .clone()
        .expect("records");
    let stored = crate::wire::batch::split(bytes)
        .next()
        .expect("one")
        .expect("whole");
    assert_eq!(stored.header.codec(), 1);
    assert_eq!(
        (stored.header.producer_id, stored.header.base_sequence),
        (5, 3)
    );
    let deltas: Vec<i64> = records::read(&stored.header, &stored.bytes)
        .expect("records")
        .iter()
        .map(|record| record.offset_delta)
        .collect();
    assert_eq!(deltas, [0, 1, 2]);
    stored.verify().expect("its CRC is right");
}

#[tokio::test]
async fn what_is_not_to_be_changed_comes_back_byte_for_byte() {
    let (_sandbox, _, mut client) = start_one().await;
    for (codec, at) in [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ]
    .into_iter()
    .zip(0..)
    {
        let mut head = header((5, 2), at, 1, now());
        head.attributes = 0x80; // N6: a bit nobody knows.
        let sent = packed(head, &[record(0, Some(b"k"), Some(b"v"))], codec);
        assert_eq!(client.produce(sent.clone()).await, (0, at.into()));
        let stored = client.batches().await.pop().expect("one");
        assert_eq!(stored.bytes[16..], sent[16..], "{codec:?}");
        assert_eq!(stored.header.base_offset, i64::from(at));
        assert_eq!(stored.header.leader_epoch, 0);
    }
}

#[tokio::test]
async fn the_largest_timestamp_is_counted_anew() {
    let (_sandbox, _, mut client) = start_one().await;
    let time = now();
    for lie in [7_200_000, -3 * 86_400_000] {
        let mut head = header(NOBODY, -1, 1, time);
        head.max_timestamp += lie;
        let sent = packed(head, &[record(0, None, Some(b"v"))], Codec::None);
        assert_eq!(client.produce(sent).await.0, 0);
        let stored = client.batches().await.pop().expect("one");
        assert_eq!(stored.header.max_timestamp, time); // N8
        stored.verify().expect("its CRC is right");
    }
}

#[tokio::test]
async fn keys_times_and_sizes_are_limited() {
    let (_sandbox, _, mut client) = start_one().await;
    client
        .create("compacted", 1, &[("cleanup.policy", "compact")])
        .await;
    let keyless = packed(
        header(NOBODY, -1, 1, now()),
        &[record(0, None, Some(b"v"))],
        Codec::None,
    );
    let answer = client
        .produce_to("compacted", vec![(0, keyless)], None, 9)
        .await;
    assert_eq!(answer[0].error_code, errors::INVALID_RECORD); // P10
    assert_eq!(answer[0].record_errors[0].batch_index, 0);
    // P11: one hour ahead is the default of 4.1, the past has no limit.
    assert_eq!(
        client
            .produce(batch_at(NOBODY, -1, 1, now() + 7_200_000))
            .await
            .0,
        errors::INVALID_TIMESTAMP
    );
    assert_eq!(client.produce(batch_at(NOBODY, -1, 1, 0)).await.0, 0);
    assert_eq!(client.produce(batch_at(NOBODY, -1, 1, -1)).await.0, 0);
    client
        .create(
            "fresh",
            1,
            &[
                ("message.timestamp.before.max.ms", "1000"),
                ("max.message.bytes", "3000000"),
                ("segment.bytes", "1048576"),
            ],
        )
        .await;
    let mut inside = [record(0, None, Some(b"v")), record(1, None, Some(b"v"))];
    inside[1].timestamp_delta = -2000;
    let stale = packed(header(NOBODY, -1, 2, now()), &inside, Codec::None);
    let answer = client.produce_to("fresh", vec![(0, stale)], None, 9).await;
    assert_eq!(answer[0].error_code, errors::INVALID_TIMESTAMP);
    assert_eq!(answer[0].record_errors.len(), 1);
    assert_eq!(answer[0].record_errors[0].batch_index, 1);
    // P15.
    let value = vec![b'v'; 1_100_000];
    let large = packed(
        header(NOBODY, -1, 1, now()),
        &[record(0, None, Some(&value))],
        Codec::None,
    );
    let answer = client.produce_to("fresh", vec![(0, large)], None, 9).await;
    assert_eq!(answer[0].error_code, errors::RECORD_LIST_TOO_LARGE);
    for (length, code) in [(1_048_588, 0), (1_048_589, errors::MESSAGE_TOO_LARGE)] {
        let small = packed(
            header(NOBODY, -1, 1, now()),
            &[record(0, None, Some(&vec![0; 1_048_000]))],
            Codec::None,
        );
        let value = vec![0; 1_048_000 + length - small.len()];
        let sent = packed(
            header(NOBODY, -1, 1, now()),
            &[record(0, None, Some(&value))],
            Codec::None,
        );
        assert_eq!(sent.len(), length);
        assert_eq!(client.produce(sent).await.0, code);
    }
}

#[tokio::test]
async fn append_time_replaces_times_and_its_bit_is_not_for_clients() {
    let (_sandbox, _, mut client) = start_one().await;
    client
        .create("stamped", 1, &[("message.timestamp.type", "LogAppendTime")])
        .await;
    let sent = batch_at((5, 0), 0, 1, 1_000);
    let answer = client.produce_to("stamped", vec![(0, sent)], None, 9).await;
    assert!((answer[0].log_append_time_ms - now()).abs() < 60_000);
    let mut head = header((5, 0), 1, 1, now());
    head.attributes = records::LOG_APPEND_TIME;
    let bit = packed(head, &[record(0, None, Some(b"v"))], Codec::None);
    let answer = client
        .produce_to("stamped", vec![(0, bit.clone())], None, 9)
        .await;
    assert_eq!(answer[0].error_code, errors::INVALID_TIMESTAMP); // P12
    // P13: on a topic that keeps times the bit is cleared (D3: from 3.7 on).
    assert_eq!(client.produce(bit).await.0, 0);
    let stored = client.batches().await.pop().expect("one");
    assert!(!stored.header.is_log_append_time());
    stored.verify().expect("its CRC is right");
}

#[tokio::test]
async fn acks_need_enough_replicas() {
    let (_sandbox, cluster, mut client) = start_one().await;
    client
        .create("strict", 1, &[("min.insync.replicas", "2")])
        .await;
    let answer = client
        .produce_to("strict", vec![(0, batch(NOBODY, -1, 1))], None, 9)
        .await;
    assert_eq!(answer[0].error_code, 0, "no more than there are");
    // P18: what no follower has is there, and nobody knows.
    cluster.hold_replication("t", 0, true);
    assert_eq!(
        client.produce(batch((5, 0), 0, 1)).await.0,
        errors::REQUEST_TIMED_OUT
    );
    assert!(client.batches().await.is_empty());
    cluster.hold_replication("t", 0, false);
    assert_eq!(client.produce(batch((5, 0), 0, 1)).await, (0, 0));
    assert_eq!(client.batches().await.len(), 1);
}

#[tokio::test]
async fn a_leader_that_leads_no_more_answers_those_who_wait() {
    let plan = crate::sandbox::ClusterPlan::new("a").with_brokers(2);
    let (_sandbox, cluster) = start(plan).await;
    assert!(cluster.create_topic("t", 1, 2, &[("min.insync.replicas", "2")]));
    let mut client = Client::to(&cluster, 1).await;
    cluster.hold_replication("t", 0, true);
    let request = produce("t", vec![(0, batch((5, 0), 0, 1))], None).with_timeout_ms(60_000);
    client.send(request, 9).await.expect("sent");
    while cluster.stored("t", 0).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    cluster.move_leader("t", 0, 2);
    let answer = client
        .receive::<kafka_protocol::messages::ProduceRequest>(9)
        .await;
    let one = &answer.expect("an answer").responses[0].partition_responses[0];
    assert_eq!(one.error_code, errors::NOT_LEADER_OR_FOLLOWER);
    // Too few in sync: nothing is appended.
    cluster.set_in_sync("t", 0, 1, false);
    let mut other = Client::to(&cluster, 2).await;
    assert_eq!(
        other.produce(batch((5, 0), 1, 1)).await.0,
        errors::NOT_ENOUGH_REPLICAS
    );
    assert_eq!(cluster.stored("t", 0).len(), 1);
}
