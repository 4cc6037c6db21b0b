//! Bytes that no broker sends, fed to every decoder of answers, under an address-space limit.

use bytes::Bytes;
use kafka_migrate::{
    cluster::decoders,
    wire::{
        batch::{self, Stamp},
        conn,
        frames::Frames,
        records::Arrived,
        versions::{API_VERSIONS, Ask, FETCH, PRODUCE},
    },
};
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiVersionsResponse, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteRecordsRequest, DescribeConfigsRequest, DescribeProducersRequest, EndTxnRequest,
    FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest,
};
use proptest::{prelude::*, test_runner::TestRunner};

use super::broker;

/// Address space of the child, in KiB: enough for the test binary and its threads, far below what a hostile length asks for.
const ADDRESS_SPACE_KIB: usize = 768 * 1024;

fn answers_of<A: Ask>(bytes: &Bytes) {
    for version in A::API.speak.0..=A::API.speak.1 {
        let _ = conn::decode::<A::Answer>(&mut bytes.clone(), version);
    }
}

/// Every decoder of answers that the product uses.
fn every_decoder(bytes: &Bytes) {
    answers_of::<AddPartitionsToTxnRequest>(bytes);
    answers_of::<CreatePartitionsRequest>(bytes);
    answers_of::<CreateTopicsRequest>(bytes);
    answers_of::<DeleteRecordsRequest>(bytes);
    answers_of::<DescribeConfigsRequest>(bytes);
    answers_of::<DescribeProducersRequest>(bytes);
    answers_of::<EndTxnRequest>(bytes);
    answers_of::<FindCoordinatorRequest>(bytes);
    answers_of::<InitProducerIdRequest>(bytes);
    answers_of::<ListOffsetsRequest>(bytes);
    answers_of::<MetadataRequest>(bytes);
    answers_of::<SaslAuthenticateRequest>(bytes);
    answers_of::<SaslHandshakeRequest>(bytes);
    for version in API_VERSIONS.speak.0..=API_VERSIONS.speak.1 {
        let _ = conn::decode::<ApiVersionsResponse>(&mut bytes.clone(), version);
    }
    for version in FETCH.speak.0..=FETCH.speak.1 {
        let _ = decoders::fetch(bytes.clone().into(), version);
    }
    for version in PRODUCE.speak.0..=PRODUCE.speak.1 {
        let _ = decoders::produce(bytes.clone(), version);
    }
    for batch in batch::split(bytes.clone()).flatten() {
        let _ = batch.marker();
        let _ = batch.verify();
        let _ = Arrived::from(batch.clone()).stamped(Stamp {
            producer_id: 1,
            producer_epoch: 2,
            base_sequence: 3,
        });
    }
}

/// A fetch answer of version 13 with one partition, one aborted transaction and some records.
fn fetch_answer() -> Vec<u8> {
    let mut answer = vec![0, 0, 0, 9, 0];
    answer.extend([0; 4 + 2 + 4]);
    answer.push(2);
    answer.extend([7; 16]);
    answer.push(2);
    answer.extend([0; 4 + 2 + 8 + 8 + 8]);
    answer.push(2);
    answer.extend([0; 8 + 8 + 1]);
    answer.extend([0; 4]);
    answer.push(101);
    answer.extend([0; 100]);
    answer.extend([1, 0, 13]);
    answer.extend([0; 13]);
    answer.extend([0, 0]);
    answer
}

#[test]
fn the_examples_are_valid() {
    assert!(decoders::fetch(Bytes::from(fetch_answer()).into(), 13).is_ok());
    let mut metadata = vec![0, 0, 0, 9];
    metadata.extend(broker::metadata(9092));
    assert!(conn::decode::<<MetadataRequest as Ask>::Answer>(&mut metadata.into(), 12).is_ok());
}

/// Bytes that look like answers: small numbers and nulls lead deep into a decoder, runs of 0xff are its largest lengths.
fn answer_like() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![6 => Just(0u8), 4 => 1u8..4, 2 => Just(0xff), 1 => any::<u8>()];
    let random = proptest::collection::vec(byte, 0..400);
    let metadata: Vec<u8> = [vec![0, 0, 0, 9], broker::metadata(9092)].concat();
    let mutated = (
        prop_oneof![Just(metadata), Just(fetch_answer())],
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    )
        .prop_map(|(mut bytes, changes)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    // A hostile length in the middle of something valid.
    let stretched = (
        fetch_or_metadata(),
        any::<prop::sample::Index>(),
        prop_oneof![
            Just(vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
            Just(vec![0x7f, 0xff, 0xff, 0xff]),
            Just(vec![0xff, 0xff, 0xff, 0x7f]),
        ],
    )
        .prop_map(|(mut bytes, at, length)| {
            let at = at.index(bytes.len());
            bytes.splice(at..at, length);
            bytes
        });
    prop_oneof![random, mutated, stretched]
}

fn fetch_or_metadata() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(fetch_answer()),
        Just([vec![0, 0, 0, 9], broker::metadata(9092)].concat())
    ]
}

/// Runs in a child process with little address space: a decoder that believes a length aborts it.
#[test]
#[ignore = "run by hostile_bytes_cost_no_memory"]
fn child() {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let decoded = runner.run(&answer_like(), |bytes| {
        every_decoder(&Bytes::from(bytes));
        Ok(())
    });
    decoded.expect("no answer makes a decoder panic");

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let read = runner.run(&proptest::collection::vec(any::<u8>(), 0..200), |bytes| {
        runtime.block_on(async {
            let mut from = &bytes[..];
            let mut frames = Frames::default();
            while frames
                .next(&mut from, |_| Some(usize::MAX.into()))
                .await
                .is_ok()
            {}
        });
        Ok(())
    });
    read.expect("no bytes make the frame reader panic");
}

#[test]
fn hostile_bytes_cost_no_memory() {
    let done = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!(r#"ulimit -v {ADDRESS_SPACE_KIB}; exec "$0" "$@""#))
        .arg(std::env::current_exe().expect("this binary has a path"))
        .args([
            "hostile::bytes::child",
            "--exact",
            "--ignored",
            "--test-threads=1",
        ])
        .output()
        .expect("sh is there");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}
