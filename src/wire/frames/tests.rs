//! What comes out of a socket, whatever pieces it came in.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        FetchResponse, TopicName,
        fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData},
    },
    protocol::{Encodable, StrBytes},
};
use proptest::prelude::*;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

use super::*;
use crate::wire::{batch::HEADER_LEN, records::Records};

fn up_to(limit: usize) -> Option<Expected> {
    Some(Expected { limit, keeps: None })
}

async fn read(bytes: &[u8], limit: usize) -> Result<(i32, Frame), FrameError> {
    Frames::default()
        .next(&mut &bytes[..], |correlation| {
            up_to(limit).filter(|_| correlation == 7)
        })
        .await
}

fn frame(correlation: i32, body: usize) -> Vec<u8> {
    let mut bytes = ((body + 4) as i32).to_be_bytes().to_vec();
    bytes.extend(correlation.to_be_bytes());
    bytes.extend((0..body).map(|i| i as u8));
    bytes
}

#[tokio::test]
async fn frames_of_all_sizes_arrive_whole() {
    for body in [
        0,
        1,
        START - 8,
        START - 7,
        START,
        FIRST - 8,
        FIRST,
        3 * FIRST + 11,
    ] {
        let mut two = frame(7, body);
        two.extend(frame(7, 3));
        let mut from = &two[..];
        let mut frames = Frames::default();
        for wanted in [body, 3] {
            let (correlation, frame) = frames
                .next(&mut from, |_| up_to(8 * FIRST))
                .await
                .expect("a frame");
            let bytes = frame.bytes;
            assert_eq!((correlation, bytes.len()), (7, wanted + 4));
            assert!(
                bytes[4..]
                    .iter()
                    .enumerate()
                    .all(|(i, &byte)| byte == i as u8)
            );
        }
        assert!(matches!(
            frames.next(&mut from, |_| up_to(0)).await,
            Err(FrameError::Closed)
        ));
    }
}

#[tokio::test]
async fn hostile_prefixes_are_errors() {
    assert!(matches!(
        read(&frame(7, 100)[..50], 1000).await,
        Err(FrameError::CutOff)
    ));
    assert!(matches!(
        read(&frame(8, 10), 1000).await,
        Err(FrameError::Correlation(8))
    ));
    assert!(matches!(
        read(&frame(7, 10), 13).await,
        Err(FrameError::Length {
            length: 14,
            limit: 13
        })
    ));
    for length in [-1, i32::MIN, 0, 3] {
        let mut bytes = i32::to_be_bytes(length).to_vec();
        bytes.extend([0, 0, 0, 7]);
        assert!(matches!(
            read(&bytes, 1000).await,
            Err(FrameError::Length { .. })
        ));
    }
    assert!(matches!(
        read(&[0x15, 3, 3, 0, 2, 2, 80], 1000).await,
        Err(FrameError::Tls)
    ));
}

/// An answer to a fetch request of one topic, and how many of its batches have so many bytes of records.
fn answer(version: i16, partitions: &[Vec<usize>], cut_off: usize) -> Vec<u8> {
    let mut offset = 0;
    let partitions = partitions.iter().zip(0..).map(|(bodies, index)| {
        let mut records = Vec::new();
        for &body in bodies {
            let mut header = [0; HEADER_LEN];
            header[..8].copy_from_slice(&i64::to_be_bytes(offset));
            let length = i32::try_from(HEADER_LEN - 12 + body).expect("small");
            header[8..12].copy_from_slice(&length.to_be_bytes());
            header[16] = 2;
            offset += 1;
            records.extend(header);
            records.extend((0..body).map(|at| (at % 251) as u8));
        }
        records.truncate(records.len().saturating_sub(cut_off));
        let aborted = AbortedTransaction::default().with_producer_id(7.into());
        PartitionData::default()
            .with_partition_index(index)
            .with_aborted_transactions(Some(vec![aborted; index as usize]))
            .with_records(Some(records.into()))
    });
    let topic = FetchableTopicResponse::default()
        .with_topic(TopicName(StrBytes::from_static_str("orders")))
        .with_topic_id(Uuid::from_u128(9))
        .with_partitions(partitions.collect());
    let answer = FetchResponse::default().with_responses(vec![topic.clone(), topic]);
    let mut frame = BytesMut::from(&[0, 0, 0, 0, 0, 0, 0, 7, 0][..]);
    answer
        .encode(&mut frame, version)
        .expect("it can be encoded");
    let length = i32::try_from(frame.len() - LENGTH).expect("small");
    frame[..LENGTH].copy_from_slice(&length.to_be_bytes());
    frame.to_vec()
}

/// What comes out of a socket that is written to in pieces.
async fn keep(answer: &[u8], version: i16, piece: usize) -> Frame {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has one");
    let (mut into, from) = tokio::join!(
        async { TcpStream::connect(address).await.expect("it connects") },
        async { listener.accept().await.expect("it is accepted").0 }
    );
    into.set_nodelay(true).expect("a socket");
    let (mut from, _write) = from.into_split();
    let written = async {
        for piece in answer.chunks(piece) {
            into.write_all(piece).await.expect("it is read");
        }
        into
    };
    let expected = Expected {
        limit: answer.len(),
        keeps: Some(version),
    };
    let mut frames = Frames::default();
    let (read, _into) = tokio::join!(frames.next(&mut from, |_| Some(expected)), written);
    let (correlation, frame) = read.expect("a frame");
    assert_eq!(correlation, 7);
    frame
}

fn together(frame: &Frame) -> Bytes {
    Records::new(frame.bytes.clone(), frame.cuts.clone()).bytes()
}

#[tokio::test]
async fn large_bodies_stay_in_the_kernel_and_nothing_else() {
    let large = 65_000;
    for version in [12, 13, 16] {
        let partitions = [
            vec![100, large, large, 15_000],
            vec![],
            vec![large],
            vec![300_000, large],
        ];
        let answer = answer(version, &partitions, 10);
        let frame = keep(&answer, version, usize::MAX).await;
        assert_eq!(frame.len(), answer.len() - LENGTH);
        // Of each topic three: the last batches are cut off, one is too small, one too large.
        assert_eq!(frame.cuts.len(), 2 * 2, "version {version}");
        assert!(frame.cuts.iter().all(|cut| cut.kept.len() > large - START));
        assert_eq!(together(&frame), answer[LENGTH..]);
        assert_eq!(together(&frame), answer[LENGTH..], "they can be read again");
    }
}

#[tokio::test]
async fn small_bodies_are_read_and_none_of_them_is_kept() {
    let answer = answer(13, &[vec![5_000; 100], vec![15_000; 20]], 0);
    let frame = keep(&answer, 13, usize::MAX).await;
    assert!(frame.cuts.is_empty());
    assert_eq!(frame.bytes, answer[LENGTH..]);
}

#[tokio::test]
async fn bodies_that_come_in_many_small_packets_are_read() {
    let answer = answer(13, &[vec![100_000; 3]], 0);
    // A pipe has room for so many pieces, however small they are.
    let frame = keep(&answer, 13, 100).await;
    assert_eq!(together(&frame), answer[LENGTH..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_answer_is_the_same_whatever_stays_in_the_kernel(
        partitions in proptest::collection::vec(proptest::collection::vec(0usize..90_000, 0..4), 0..4),
        cut_off in 0usize..70_000, piece in 1_000usize..200_000, version in 12i16..=16,
    ) {
        let answer = answer(version, &partitions, cut_off);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let frame = runtime.expect("a runtime").block_on(keep(&answer, version, piece));
        prop_assert_eq!(together(&frame), &answer[LENGTH..]);
    }

    #[test]
    fn bytes_that_are_no_answer_come_as_they_are(
        bytes in proptest::collection::vec(any::<u8>(), START..3 * START), version in 12i16..=16,
    ) {
        let mut frame = ((bytes.len() + 4) as i32).to_be_bytes().to_vec();
        frame.extend([0, 0, 0, 7]);
        frame.extend(bytes);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let read = runtime.expect("a runtime").block_on(keep(&frame, version, 5_000));
        prop_assert_eq!(together(&read), &frame[LENGTH..]);
    }
}
