//! Fetch, ListOffsets and epochs: rules F1 to F7, probes 12, 21 and N1.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{
    fetch_request::ForgottenTopic,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    *,
};

use super::client::*;
use crate::sandbox::errors;

const NOBODY: (i64, i16) = (-1, -1);

#[tokio::test]
async fn a_fetch_inside_a_batch_gets_all_of_it_even_what_was_deleted() {
    let (_sandbox, _, mut client) = start_one().await;
    let sent = batch(NOBODY, -1, 4);
    assert_eq!(client.produce(sent.clone()).await.0, 0);
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let one = DeleteRecordsPartition::default()
        .with_partition_index(0)
        .with_offset(2);
    let one = DeleteRecordsTopic::default()
        .with_name(topic("t"))
        .with_partitions(vec![one]);
    let answer = client
        .ask(DeleteRecordsRequest::default().with_topics(vec![one]), 2)
        .await;
    assert_eq!(answer.topics[0].partitions[0].low_watermark, 2);
    let data = client.fetch(2, false).await; // F1
    assert_eq!(data.records.expect("records").len(), sent.len());
    assert_eq!(data.log_start_offset, 2);
    // F3: both sides, with nothing known.
    for offset in [1, 5] {
        let data = client.fetch(offset, false).await;
        assert_eq!(data.error_code, errors::OFFSET_OUT_OF_RANGE);
        assert_eq!((data.high_watermark, data.log_start_offset), (-1, -1));
    }
    assert_eq!(client.fetch(4, false).await.error_code, 0);
}

#[tokio::test]
async fn only_the_first_partition_may_exceed_the_limit() {
    let (_sandbox, _, mut client) = start_one().await;
    let sent = batch(NOBODY, -1, 3);
    client
        .produce_to("t", vec![(0, sent.clone()), (1, sent.clone())], None, 9)
        .await;
    let mut request = fetch("t", &[(0, 0), (1, 0)], false);
    for one in &mut request.topics[0].partitions {
        one.partition_max_bytes = 10;
    }
    let answer = client.ask(request.clone(), 12).await;
    let lengths = |answer: &FetchResponse| -> Vec<(i32, usize)> {
        let each = answer.responses[0].partitions.iter();
        each.map(|one| {
            (
                one.partition_index,
                one.records.as_ref().map_or(0, |it| it.len()),
            )
        })
        .collect()
    };
    assert_eq!(lengths(&answer), [(0, sent.len()), (1, 0)]); // F6
    request.topics[0].partitions.reverse();
    let answer = client.ask(request, 12).await;
    assert_eq!(lengths(&answer), [(1, sent.len()), (0, 0)]);
    // A later batch is cut short.
    client.produce(sent.clone()).await;
    let mut request = fetch("t", &[(0, 0)], false);
    request.topics[0].partitions[0].partition_max_bytes = (sent.len() + 20) as i32;
    let answer = client.ask(request, 12).await;
    assert_eq!(lengths(&answer), [(0, sent.len() + 20)]);
}

#[tokio::test]
async fn a_long_poll_holds_up_its_connection_and_ends_with_data() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let mut other = Client::to(&cluster, 1).await;
    let request = fetch("t", &[(0, 0)], false)
        .with_max_wait_ms(300)
        .with_min_bytes(1);
    let began = Instant::now();
    client.send(request.clone(), 12).await.expect("sent");
    client
        .send(MetadataRequest::default(), 9)
        .await
        .expect("sent");
    let answer = client.receive::<FetchRequest>(12).await.expect("an answer");
    assert_eq!(answer.responses[0].partitions[0].error_code, 0);
    client
        .receive::<MetadataRequest>(9)
        .await
        .expect("an answer");
    assert!(began.elapsed() >= Duration::from_millis(290)); // N1
    let began = Instant::now();
    client
        .send(request.with_max_wait_ms(20_000), 12)
        .await
        .expect("sent");
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(other.produce(batch(NOBODY, -1, 1)).await.0, 0);
    let answer = client.receive::<FetchRequest>(12).await.expect("an answer");
    assert!(
        !answer.responses[0].partitions[0]
            .records
            .as_ref()
            .expect("records")
            .is_empty()
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn truncation_shows_only_to_those_who_name_the_epoch_they_read() {
    let (_sandbox, cluster, mut client) = start_one().await;
    for _ in 0..5 {
        client.produce(batch(NOBODY, -1, 1)).await;
    }
    cluster.lose_acknowledged("t", 0, 2);
    let mut ask = async |offset, last, current| {
        let mut request = fetch("t", &[(0, offset)], false);
        let one = &mut request.topics[0].partitions[0];
        (one.last_fetched_epoch, one.current_leader_epoch) = (last, current);
        client.ask(request, 12).await.responses[0].partitions[0].clone()
    };
    // The new log is shorter.
    assert_eq!(ask(5, -1, -1).await.error_code, errors::OFFSET_OUT_OF_RANGE);
    let data = ask(5, 0, -1).await; // F4
    assert_eq!(
        (data.diverging_epoch.epoch, data.diverging_epoch.end_offset),
        (0, 2)
    );
    assert_eq!(
        ask(2, 9999, -1).await.error_code,
        errors::OFFSET_OUT_OF_RANGE
    );
    assert_eq!(ask(2, -1, 0).await.error_code, errors::FENCED_LEADER_EPOCH);
    assert_eq!(ask(2, -1, 2).await.error_code, errors::UNKNOWN_LEADER_EPOCH);
    // The new log is longer: without the epoch nobody notices.
    let mut other = Client::to(&cluster, 1).await;
    for _ in 0..6 {
        other.produce(batch(NOBODY, -1, 1)).await;
    }
    assert_eq!(ask(5, -1, -1).await.diverging_epoch.end_offset, -1);
    let data = ask(5, 0, -1).await;
    assert_eq!(
        (data.diverging_epoch.epoch, data.diverging_epoch.end_offset),
        (0, 2)
    );
    assert!(data.records.expect("records").is_empty());
    assert_eq!(ask(2, 0, 1).await.diverging_epoch.end_offset, -1);
    // F5.
    for (epoch, expected) in [(0, (0, 2)), (1, (1, 8)), (7, (-1, -1))] {
        let one = OffsetForLeaderPartition::default()
            .with_partition(0)
            .with_current_leader_epoch(-1)
            .with_leader_epoch(epoch);
        let one = OffsetForLeaderTopic::default()
            .with_topic(topic("t"))
            .with_partitions(vec![one]);
        let answer = other
            .ask(
                OffsetForLeaderEpochRequest::default().with_topics(vec![one]),
                4,
            )
            .await;
        let end = &answer.topics[0].partitions[0];
        assert_eq!((end.leader_epoch, end.end_offset), expected);
    }
}

#[tokio::test]
async fn special_timestamps_need_their_version() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let now = cluster.clock();
    for (at, time) in [(0, now - 5_000), (1, now - 1_000), (2, now - 3_000)] {
        assert_eq!(client.produce(batch_at(NOBODY, -1, 1, time)).await, (0, at));
    }
    let mut ask = async |timestamp, version| {
        let one = ListOffsetsPartition::default()
            .with_partition_index(0)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let one = ListOffsetsTopic::default()
            .with_name(topic("t"))
            .with_partitions(vec![one]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![one]);
        let answer = client.ask(request, version).await;
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.offset, one.timestamp)
    };
    assert_eq!(ask(-1, 6).await, (0, 3, -1));
    assert_eq!(ask(-2, 6).await, (0, 0, -1));
    assert_eq!(ask(now - 4_000, 6).await, (0, 1, now - 1_000));
    assert_eq!(ask(now, 6).await, (0, -1, -1));
    assert_eq!(ask(-3, 6).await.0, errors::UNSUPPORTED_VERSION); // D8
    assert_eq!(ask(-3, 7).await, (0, 1, now - 1_000));
    assert_eq!(ask(-4, 7).await.0, errors::UNSUPPORTED_VERSION);
    assert_eq!(ask(-4, 8).await, (0, 0, -1));
    assert_eq!(ask(-5, 9).await, (0, -1, -1));
    assert_eq!(ask(-6, 9).await.0, errors::UNSUPPORTED_VERSION);
}

#[tokio::test]
async fn sessions_leave_out_what_has_not_changed() {
    let (_sandbox, _, mut client) = start_one().await;
    let answer = client
        .ask(MetadataRequest::default().with_topics(None), 12)
        .await;
    let id = answer.topics[0].topic_id;
    let mut request = fetch("t", &[(0, 0), (1, 0)], false).with_session_epoch(0);
    request.topics[0].topic_id = id;
    let answer = client.ask(request, 13).await;
    let session = answer.session_id;
    assert_ne!(session, 0);
    assert_eq!(answer.responses[0].partitions.len(), 2);
    let next = |epoch| {
        FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_session_id(session)
            .with_session_epoch(epoch)
    };
    assert!(client.ask(next(1), 13).await.responses.is_empty()); // F7
    client.produce(batch(NOBODY, -1, 1)).await;
    let answer = client.ask(next(2), 13).await;
    assert_eq!(answer.responses[0].partitions.len(), 1);
    assert_eq!(answer.responses[0].topic_id, id);
    assert_eq!(
        client.ask(next(2), 13).await.error_code,
        errors::INVALID_FETCH_SESSION_EPOCH
    );
    assert_eq!(
        client.ask(next(3), 12).await.error_code,
        errors::FETCH_SESSION_TOPIC_ID_ERROR
    );
    let gone = ForgottenTopic::default()
        .with_topic_id(id)
        .with_partitions(vec![0]);
    let answer = client
        .ask(next(3).with_forgotten_topics_data(vec![gone]), 13)
        .await;
    assert!(answer.responses.is_empty());
    let answer = client.ask(next(1).with_session_id(session ^ 1), 13).await;
    assert_eq!(answer.error_code, errors::FETCH_SESSION_ID_NOT_FOUND);
    // An id nobody has is the partition's error.
    let mut request = fetch("t", &[(0, 0)], false);
    request.topics[0].topic_id = uuid::Uuid::from_u128(5);
    let answer = client.ask(request, 13).await;
    assert_eq!(answer.error_code, 0);
    assert_eq!(
        answer.responses[0].partitions[0].error_code,
        errors::UNKNOWN_TOPIC_ID
    );
}
