//! A record batch (magic 2) as bytes with a readable, rewritable header.

use bytes::Bytes;

/// Bytes from the start of a batch to its first record.
pub const HEADER_LEN: usize = 61;

/// The fixed part of a batch, decoded. Offsets of fields are those of Apache Kafka's `DefaultRecordBatch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Bytes after this field, as written on the wire.
    pub batch_length: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

/// One whole batch: its header, and its bytes as they came (header included, nothing copied).
#[derive(Debug, Clone)]
pub struct Batch {
    pub header: BatchHeader,
    pub bytes: Bytes,
}

/// What a rewritten batch carries instead of the source's producer fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

/// A batch ready for a produce request: a new header and the untouched body, to be written one after the other.
#[derive(Debug, Clone)]
pub struct Stamped {
    pub head: [u8; HEADER_LEN],
    pub body: Bytes,
}
