//! Record batches (magic 2) taken apart and put together by hand, to compare what two clusters hold and to write what
//! librdkafka cannot.
//!
//! The layout is that of Apache Kafka's `DefaultRecordBatch` and `DefaultRecord`.

use std::io::{Read as _, Write as _};

/// A record as a reader sees it, with headers as raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it lies; not part of what is compared between clusters.
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Record {
    /// Equal in everything but the offset.
    pub fn is_same(&self, other: &Self) -> bool {
        self.timestamp == other.timestamp
            && self.key == other.key
            && self.value == other.value
            && self.headers == other.headers
    }
}

/// One batch, decoded.
#[derive(Debug, Clone)]
pub struct Batch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub codec: i16,
    pub is_transactional: bool,
    pub is_control: bool,
    pub records: Vec<Record>,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }
    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }
    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }
    fn varint(&mut self) -> i64 {
        let mut raw = 0u64;
        for shift in (0..).step_by(7) {
            let byte = self.take(1)[0];
            raw |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
    }
    fn sized(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(self.varint()).ok()?;
        Some(self.take(length).to_vec())
    }
}

/// Decodes whole batches; a cut last batch is left out, as brokers may send one. Checks every checksum.
pub fn decode(bytes: &[u8]) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut rest = bytes;
    while rest.len() >= 61 {
        let mut at = Bytes(rest);
        let base_offset = at.i64();
        let length = usize::try_from(at.i32()).expect("lengths are positive") + 12;
        if rest.len() < length {
            break;
        }
        batches.push(decode_one(base_offset, &rest[..length]));
        rest = &rest[length..];
    }
    batches
}

fn decode_one(base_offset: i64, bytes: &[u8]) -> Batch {
    let mut at = Bytes(&bytes[16..]);
    assert_eq!(at.take(1), [2], "only magic 2 is written here");
    let crc = at.i32().cast_unsigned();
    assert_eq!(
        crc,
        crc_fast::crc32_iscsi(&bytes[21..]),
        "a batch at offset {base_offset} is corrupt"
    );
    let attributes = at.i16();
    let last_offset = base_offset + i64::from(at.i32());
    let base_timestamp = at.i64();
    let max_timestamp = at.i64();
    let (producer_id, producer_epoch, base_sequence) = (at.i64(), at.i16(), at.i32());
    let count = at.i32();
    let codec = attributes & 7;
    let payload = decompress(codec, at.0);
    let mut at = Bytes(&payload);
    let log_append_time = attributes & 8 != 0;
    let records = (0..count)
        .map(|_| {
            at.varint();
            at.take(1);
            let timestamp = base_timestamp + at.varint();
            let offset = base_offset + at.varint();
            let (key, value) = (at.sized(), at.sized());
            let headers = (0..at.varint())
                .map(|_| (at.sized().expect("header names are not null"), at.sized()))
                .collect();
            Record {
                offset,
                timestamp: if log_append_time {
                    max_timestamp
                } else {
                    timestamp
                },
                key,
                value,
                headers,
            }
        })
        .collect();
    Batch {
        base_offset,
        last_offset,
        producer_id,
        producer_epoch,
        base_sequence,
        codec,
        is_transactional: attributes & 16 != 0,
        is_control: attributes & 32 != 0,
        records,
    }
}

fn decompress(codec: i16, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match codec {
        0 => out.extend(bytes),
        1 => drop(
            flate2::read::MultiGzDecoder::new(bytes)
                .read_to_end(&mut out)
                .expect("valid gzip"),
        ),
        2 => out = snappy(bytes),
        3 => drop(
            lz4_flex::frame::FrameDecoder::new(bytes)
                .read_to_end(&mut out)
                .expect("valid lz4"),
        ),
        4 => out = zstd::stream::decode_all(bytes).expect("valid zstd"),
        other => panic!("unknown codec {other}"),
    }
    out
}

/// Snappy in the Java client's framing or, from librdkafka, bare.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = snap::raw::Decoder::new();
    if !bytes.starts_with(b"\x82SNAPPY\0") {
        return decoder.decompress_vec(bytes).expect("valid snappy");
    }
    let mut at = Bytes(&bytes[16..]);
    let mut out = Vec::new();
    while !at.0.is_empty() {
        let length = usize::try_from(at.i32()).expect("lengths are positive");
        out.extend(
            decoder
                .decompress_vec(at.take(length))
                .expect("valid snappy"),
        );
    }
    out
}

fn compress(codec: i16, plain: Vec<u8>) -> Vec<u8> {
    match codec {
        0 => plain,
        1 => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
            gzip.write_all(&plain).expect("vectors grow");
            gzip.finish().expect("vectors grow")
        }
        2 => snap::raw::Encoder::new()
            .compress_vec(&plain)
            .expect("small batches"),
        3 => {
            let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
            lz4.write_all(&plain).expect("vectors grow");
            lz4.finish().expect("vectors grow")
        }
        4 => zstd::encode_all(&plain[..], 3).expect("vectors grow"),
        other => panic!("unknown codec {other}"),
    }
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut raw = (value << 1 ^ value >> 63).cast_unsigned();
    while raw >= 0x80 {
        out.push((raw & 0x7f) as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

fn sized(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint(out, -1),
        Some(bytes) => {
            varint(out, bytes.len() as i64);
            out.extend(bytes);
        }
    }
}

/// What stands in a batch's header beside the records.
#[derive(Debug, Clone, Copy)]
pub struct Envelope {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

impl Envelope {
    /// No idempotence.
    pub const PLAIN: Self = Self {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };
}

/// Encodes one uncompressed batch; the records' offsets are ignored.
pub fn encode(envelope: Envelope, records: &[Record]) -> Vec<u8> {
    encode_as(0, envelope, records)
}

/// Encodes one batch, compressed with the codec of this number.
pub fn encode_as(codec: i16, envelope: Envelope, records: &[Record]) -> Vec<u8> {
    let base_timestamp = records[0].timestamp;
    let max_timestamp = records
        .iter()
        .map(|record| record.timestamp)
        .max()
        .expect("a batch has a record");
    let mut payload = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let mut body = vec![0];
        varint(&mut body, record.timestamp - base_timestamp);
        varint(&mut body, index as i64);
        sized(&mut body, record.key.as_deref());
        sized(&mut body, record.value.as_deref());
        varint(&mut body, record.headers.len() as i64);
        for (name, value) in &record.headers {
            sized(&mut body, Some(name));
            sized(&mut body, value.as_deref());
        }
        varint(&mut payload, body.len() as i64);
        payload.extend(body);
    }
    let count = i32::try_from(records.len()).expect("few records");
    let mut signed = Vec::new();
    signed.extend(codec.to_be_bytes());
    signed.extend((count - 1).to_be_bytes());
    signed.extend(base_timestamp.to_be_bytes());
    signed.extend(max_timestamp.to_be_bytes());
    signed.extend(envelope.producer_id.to_be_bytes());
    signed.extend(envelope.producer_epoch.to_be_bytes());
    signed.extend(envelope.base_sequence.to_be_bytes());
    signed.extend(count.to_be_bytes());
    signed.extend(compress(codec, payload));
    let mut batch = Vec::new();
    batch.extend(0i64.to_be_bytes());
    batch.extend(
        i32::try_from(signed.len() + 9)
            .expect("small batches")
            .to_be_bytes(),
    );
    batch.extend((-1i32).to_be_bytes());
    batch.push(2);
    batch.extend(crc_fast::crc32_iscsi(&signed).to_be_bytes());
    batch.extend(signed);
    batch
}

/// Changes the value of a record in a log segment, in an uncompressed batch, so that the batch is valid again.
pub fn tamper(segment: &mut [u8], record: &Record) {
    let value = record.value.as_deref().expect("the record has a value");
    let mut start = 0;
    while start + 61 <= segment.len() {
        let mut header = Bytes(&segment[start..]);
        let base_offset = header.i64();
        let end = start + 12 + usize::try_from(header.i32()).expect("lengths are positive");
        let batch = &mut segment[start..end];
        let last = base_offset
            + i64::from(i32::from_be_bytes(
                batch[23..27].try_into().expect("four bytes"),
            ));
        if (base_offset..=last).contains(&record.offset) {
            let at = batch
                .windows(value.len())
                .position(|window| window == value)
                .expect("the batch holds the value as it is");
            batch[at + value.len() - 1] ^= 1;
            let crc = crc_fast::crc32_iscsi(&batch[21..]);
            batch[17..21].copy_from_slice(&crc.to_be_bytes());
            return;
        }
        start = end;
    }
    panic!("the segment does not hold offset {}", record.offset);
}
