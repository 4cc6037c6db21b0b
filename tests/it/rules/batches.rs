//! Batches and records made by hand, right or wrong as told, and the requests that carry them.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes};
use kafka_migrate::wire::{
    batch::{Batch, BatchHeader, HEADER_LEN, split},
    codec::Codec,
};
use kafka_protocol::messages::{
    fetch_request::{FetchPartition, FetchTopic},
    fetch_response::PartitionData,
    produce_request::{PartitionProduceData, TopicProduceData},
    produce_response::PartitionProduceResponse,
    *,
};

use super::line::{Line, patiently, text, topic};

/// A producer's id and epoch.
pub type Identity = (i64, i16);
pub const NOBODY: Identity = (-1, -1);
pub const LOG_APPEND_TIME: i16 = 0x08;
pub const TRANSACTIONAL: i16 = 0x10;
pub const CONTROL: i16 = 0x20;
pub const DELETE_HORIZON: i16 = 0x40;

pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_millis() as i64
}

fn put_varlong(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// A record: its place and time counted from the batch's, its key and its value.
#[derive(Clone, Copy)]
pub struct Rec<'a>(pub i64, pub i64, pub Option<&'a [u8]>, pub Option<&'a [u8]>);

/// Records as they stand in a batch.
pub fn written(records: &[Rec<'_>]) -> Vec<u8> {
    let mut all = Vec::new();
    for Rec(place, time, key, value) in records {
        let mut one = vec![0];
        put_varlong(&mut one, *time);
        put_varlong(&mut one, *place);
        for part in [key, value] {
            put_varlong(&mut one, part.map_or(-1, |part| part.len() as i64));
            one.extend_from_slice(part.unwrap_or_default());
        }
        put_varlong(&mut one, 0);
        put_varlong(&mut all, one.len() as i64);
        all.extend_from_slice(&one);
    }
    all
}

/// CRC-32C, bit by bit: nothing is shared with those who are tested.
fn crc(bytes: &[u8]) -> u32 {
    let mut table = [0u32; 256];
    for (at, entry) in (0u32..).zip(&mut table) {
        *entry = (0..8).fold(at, |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)));
    }
    let add = |crc: u32, byte: &u8| table[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(u32::MAX, add)
}

/// A batch's header as a careful producer writes it.
pub fn header(identity: Identity, sequence: i32, count: i32) -> BatchHeader {
    let time = now();
    BatchHeader {
        base_offset: 0,
        batch_length: 0,
        leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: time,
        max_timestamp: time,
        producer_id: identity.0,
        producer_epoch: identity.1,
        base_sequence: sequence,
        record_count: count,
    }
}

/// A batch of this header and these records, with length and CRC.
pub fn packed(mut head: BatchHeader, records: &[Rec<'_>], codec: Codec) -> Bytes {
    head.attributes |= codec.attributes();
    let plain = written(records);
    let mut body = Vec::new();
    if codec == Codec::None {
        body = plain;
    } else {
        codec.compress(&plain, &mut body).expect("it compresses");
    }
    let mut out = Vec::with_capacity(HEADER_LEN + body.len());
    out.put_i64(head.base_offset);
    out.put_u32((HEADER_LEN - 12 + body.len()) as u32);
    out.put_i32(head.leader_epoch);
    out.put_i8(head.magic);
    out.put_u32(0);
    out.put_i16(head.attributes);
    out.put_i32(head.last_offset_delta);
    out.put_i64(head.base_timestamp);
    out.put_i64(head.max_timestamp);
    out.put_i64(head.producer_id);
    out.put_i16(head.producer_epoch);
    out.put_i32(head.base_sequence);
    out.put_i32(head.record_count);
    out.extend_from_slice(&body);
    let crc = crc(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.into()
}

pub fn plain(head: BatchHeader, records: &[Rec<'_>]) -> Bytes {
    packed(head, records, Codec::None)
}

fn with_bits(identity: Identity, sequence: i32, count: i32, time: i64, bits: i16) -> Bytes {
    let mut head = header(identity, sequence, count);
    (head.base_timestamp, head.max_timestamp, head.attributes) = (time, time, bits);
    let value = format!("of {sequence}");
    let records: Vec<Rec<'_>> = (0..count)
        .map(|at| Rec(at.into(), 0, Some(b"k"), Some(value.as_bytes())))
        .collect();
    plain(head, &records)
}

/// So many records of a producer, written now.
pub fn batch(identity: Identity, sequence: i32, count: i32) -> Bytes {
    with_bits(identity, sequence, count, now(), 0)
}

/// The same, written then.
pub fn batch_at(identity: Identity, sequence: i32, count: i32, time: i64) -> Bytes {
    with_bits(identity, sequence, count, time, 0)
}

/// The same, now and with the transactional bit.
pub fn transactional(identity: Identity, sequence: i32, count: i32) -> Bytes {
    with_bits(identity, sequence, count, now(), TRANSACTIONAL)
}

/// Copies a batch with another base offset and leader epoch: both lie outside the CRC.
pub fn placed(batch: &[u8], offset: i64, leader_epoch: i32) -> Bytes {
    let mut copy = batch.to_vec();
    copy[..8].copy_from_slice(&offset.to_be_bytes());
    copy[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    copy.into()
}

pub fn produce(name: &str, batches: &[(i32, Bytes)], id: Option<&str>) -> ProduceRequest {
    let each = batches.iter().map(|(index, records)| {
        PartitionProduceData::default()
            .with_index(*index)
            .with_records(Some(records.clone()))
    });
    let one = TopicProduceData::default()
        .with_name(topic(name))
        .with_partition_data(each.collect());
    ProduceRequest::default()
        .with_transactional_id(id.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![one])
}

pub fn fetch(name: &str, partitions: &[(i32, i64)], committed: bool) -> FetchRequest {
    let each = partitions.iter().map(|(partition, offset)| {
        FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_partition_max_bytes(4 << 20)
    });
    let one = FetchTopic::default()
        .with_topic(topic(name))
        .with_partitions(each.collect());
    FetchRequest::default()
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(16 << 20)
        .with_session_epoch(-1)
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![one])
}

impl Line {
    /// Produces to one partition as a version says.
    pub fn put(
        &mut self,
        version: i16,
        to: (&str, i32),
        batch: Bytes,
        id: Option<&str>,
    ) -> PartitionProduceResponse {
        let request = produce(to.0, &[(to.1, batch)], id);
        let answer = self.ask(version, &request);
        answer.responses[0].partition_responses[0].clone()
    }

    /// Produces to partition 0 as version 9: the code and the offset.
    pub fn produce(&mut self, name: &str, batch: Bytes) -> (i16, i64) {
        let answer = self.put(9, (name, 0), batch, None);
        (answer.error_code, answer.base_offset)
    }

    /// Fetches partition 0 as version 12.
    pub fn fetch(&mut self, name: &str, offset: i64, committed: bool) -> PartitionData {
        let answer = self.ask(12, &fetch(name, &[(0, offset)], committed));
        assert_eq!(answer.error_code, 0);
        answer.responses[0].partitions[0].clone()
    }

    /// All batches of partition 0 from an offset on.
    pub fn stored(&mut self, name: &str, from: i64) -> Vec<Batch> {
        let data = self.fetch(name, from, false);
        let batches: Result<Vec<_>, _> = split(data.records.unwrap_or_default()).collect();
        batches.expect("batches")
    }

    /// The last batch of partition 0.
    pub fn last(&mut self, name: &str) -> Batch {
        self.stored(name, 0).pop().expect("a batch")
    }

    /// InitProducerId as version 4, until whatever goes on has ended: code, id and epoch.
    pub fn init(&mut self, id: Option<&str>, had: Identity) -> (i16, i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(id.map(|id| TransactionalId(text(id))))
            .with_transaction_timeout_ms(60_000)
            .with_producer_id(ProducerId(had.0))
            .with_producer_epoch(had.1);
        let answer = patiently(|| self.ask(4, &request), |answer| answer.error_code);
        (
            answer.error_code,
            *answer.producer_id,
            answer.producer_epoch,
        )
    }

    /// A producer of its own.
    pub fn producer(&mut self) -> Identity {
        let (code, id, epoch) = self.init(None, NOBODY);
        assert_eq!(code, 0);
        (id, epoch)
    }
}
