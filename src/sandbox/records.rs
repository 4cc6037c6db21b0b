//! Records inside a batch: read leniently, written densely; and a batch's header written with its CRC.
//!
//! Apart from the decompression none of it is shared with the engine: what one of them got wrong the other must not repeat.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm::Crc32Iscsi, checksum};

use crate::wire::{
    batch::{BatchHeader, HEADER_LEN},
    codec::Codec,
};

/// Largest body of one batch after decompression; a socket request is smaller than this.
const PLAIN_MAX: usize = 256 * 1024 * 1024;
/// Attribute bits: LogAppendTime, transactional, control, delete horizon (`DefaultRecordBatch`).
pub const LOG_APPEND_TIME: i16 = 0x08;
/// See above.
pub const TRANSACTIONAL: i16 = 0x10;
/// See above.
pub const CONTROL: i16 = 0x20;
/// See above.
pub const DELETE_HORIZON: i16 = 0x40;

/// One record: where and when it is, and the rest as bytes.
#[derive(Debug, Clone)]
pub struct Rec {
    /// Counted from the batch's base offset.
    pub offset_delta: i64,
    /// Counted from the batch's base timestamp.
    pub timestamp_delta: i64,
    /// No bit is defined.
    pub attributes: u8,
    /// None is null.
    pub key: Option<Bytes>,
    /// None is a tombstone.
    pub value: Option<Bytes>,
    /// Key, value and headers as they stand.
    pub rest: Bytes,
}

/// The records of a batch, as many as its header says and not a byte more. None where they cannot be read.
pub fn read(header: &BatchHeader, bytes: &Bytes) -> Option<Vec<Rec>> {
    let body = bytes.slice(HEADER_LEN.min(bytes.len())..);
    let codec = Codec::of(header.attributes).ok()?;
    let mut plain = codec.decompress(&body, PLAIN_MAX).ok()?;
    let mut records = Vec::new();
    for _ in 0..header.record_count {
        let length = usize::try_from(varlong(&mut plain)?).ok()?;
        if length > plain.len() {
            return None;
        }
        let mut record = plain.split_to(length);
        let attributes = record.try_get_u8().ok()?;
        let timestamp_delta = varlong(&mut record)?;
        let offset_delta = varlong(&mut record)?;
        let rest = record.clone();
        let key = nullable(&mut record).ok()?;
        let value = nullable(&mut record).ok()?;
        let headers = varlong(&mut record)?;
        for _ in 0..headers {
            nullable(&mut record).ok()??;
            nullable(&mut record).ok()?;
        }
        if headers < 0 || !record.is_empty() {
            return None;
        }
        records.push(Rec {
            offset_delta,
            timestamp_delta,
            attributes,
            key,
            value,
            rest,
        });
    }
    plain.is_empty().then_some(records)
}

/// Records as they stand in a batch, before compression.
pub fn write(records: &[Rec]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut one = Vec::new();
    for record in records {
        one.clear();
        one.push(record.attributes);
        put_varlong(&mut one, record.timestamp_delta);
        put_varlong(&mut one, record.offset_delta);
        one.extend_from_slice(&record.rest);
        put_varlong(&mut all, one.len() as i64);
        all.extend_from_slice(&one);
    }
    all
}

/// A batch of this header and body; length and CRC are computed.
pub fn seal(header: &BatchHeader, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_LEN + body.len());
    out.put_i64(header.base_offset);
    out.put_u32((HEADER_LEN - 12 + body.len()) as u32);
    out.put_i32(header.leader_epoch);
    out.put_i8(2);
    out.put_u32(0);
    out.put_i16(header.attributes);
    out.put_i32(header.last_offset_delta);
    out.put_i64(header.base_timestamp);
    out.put_i64(header.max_timestamp);
    out.put_i64(header.producer_id);
    out.put_i16(header.producer_epoch);
    out.put_i32(header.base_sequence);
    out.put_i32(header.record_count);
    out.put_slice(body);
    let crc = checksum(Crc32Iscsi, &out[21..]) as u32;
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out.freeze()
}

/// Does the CRC fit?
pub fn is_intact(header: &BatchHeader, bytes: &[u8]) -> bool {
    bytes
        .get(21..)
        .is_some_and(|covered| checksum(Crc32Iscsi, covered) as u32 == header.crc)
}

/// The same bytes with the base offset and the leader epoch that the leader gives: both lie outside the CRC (P3).
pub fn place(bytes: &[u8], base_offset: i64, leader_epoch: i32) -> Bytes {
    let mut out = BytesMut::from(bytes);
    if out.len() >= 16 {
        out[..8].copy_from_slice(&base_offset.to_be_bytes());
        out[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    }
    out.freeze()
}

/// A commit or abort marker (`EndTransactionMarker`), before it is placed.
pub fn marker(producer_id: i64, epoch: i16, commit: bool, now: i64) -> (BatchHeader, Bytes) {
    let mut rest = Vec::new();
    put_varlong(&mut rest, 4);
    rest.extend_from_slice(&[0, 0, 0, u8::from(commit)]); // version, type
    put_varlong(&mut rest, 6);
    rest.extend_from_slice(&[0; 6]); // version, coordinator epoch
    put_varlong(&mut rest, 0);
    let record = Rec {
        offset_delta: 0,
        timestamp_delta: 0,
        attributes: 0,
        key: None,
        value: None,
        rest: rest.into(),
    };
    let body = write(&[record]);
    let mut header = BatchHeader {
        base_offset: 0,
        batch_length: 0,
        leader_epoch: -1,
        magic: 2,
        crc: 0,
        attributes: TRANSACTIONAL | CONTROL,
        last_offset_delta: 0,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch: epoch,
        base_sequence: -1,
        record_count: 1,
    };
    let bytes = seal(&header, &body);
    header.batch_length = (bytes.len() - 12) as i32;
    (header, bytes)
}

/// The bytes end inside a record.
struct Cut;

/// Bytes after their length; none is null.
fn nullable(from: &mut Bytes) -> Result<Option<Bytes>, Cut> {
    match varlong(from).ok_or(Cut)? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Cut)?;
            if length > from.len() {
                return Err(Cut);
            }
            Ok(Some(from.split_to(length)))
        }
    }
}

/// A zigzag varint.
fn varlong(from: &mut Bytes) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
    }
    None
}

/// A zigzag varint.
pub fn put_varlong(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}
