//! A record batch (magic 2) as bytes with a readable, rewritable header.

use bytes::{Buf, Bytes};
use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest, checksum};

use super::{crc, kept::Body};

/// Bytes from the start of a batch to its first record.
pub const HEADER_LEN: usize = 61;
/// Bytes before `batch_length` counts: base offset and the length itself.
const LOG_OVERHEAD: usize = 12;
/// Where the part of a batch that its CRC covers begins: at the attributes.
const CRC_START: usize = 21;
/// Attribute bits that name the codec.
const CODEC_BITS: i16 = 0x07;
/// Attribute bit: the broker's append time replaces the records' own.
const LOG_APPEND_TIME: i16 = 0x08;
/// Attribute bit: part of a transaction.
const TRANSACTIONAL: i16 = 0x10;
/// Attribute bit: a commit or abort marker.
const CONTROL: i16 = 0x20;
/// The fixed part of a batch, decoded. Offsets of fields are those of Apache Kafka's `DefaultRecordBatch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record as produced; compaction may have removed that record.
    pub base_offset: i64,
    /// Bytes after this field, as written on the wire.
    pub batch_length: i32,
    /// Leader epoch under which the leader appended the batch.
    pub leader_epoch: i32,
    /// Format version; always 2 in a decoded header.
    pub magic: i8,
    /// CRC-32C of everything from the attributes to the end.
    pub crc: u32,
    /// Codec, timestamp type, transactional, control and delete-horizon bits.
    pub attributes: i16,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// Milliseconds since the epoch that timestamp deltas count from.
    pub base_timestamp: i64,
    /// Largest timestamp in the batch, in milliseconds since the epoch.
    pub max_timestamp: i64,
    /// -1 if the producer was not idempotent.
    pub producer_id: i64,
    /// -1 if the producer was not idempotent.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 if the producer was not idempotent.
    pub base_sequence: i32,
    /// Records in the batch; 0 where compaction kept only the header.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes` and nothing else.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() < LOG_OVERHEAD {
            return Err(BatchError::Truncated { have: bytes.len() });
        }
        // The magic byte sits at 16 in all three formats: look at it before trusting any other field.
        if let Some(&magic) = bytes.get(16)
            && magic != 2
        {
            return Err(BatchError::Magic {
                magic: magic.cast_signed(),
            });
        }
        if bytes.len() < HEADER_LEN {
            return Err(BatchError::Truncated { have: bytes.len() });
        }
        let header = Self {
            base_offset: bytes.get_i64(),
            batch_length: bytes.get_i32(),
            leader_epoch: bytes.get_i32(),
            magic: bytes.get_i8(),
            crc: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            record_count: bytes.get_i32(),
        };
        if (header.batch_length as i64) < (HEADER_LEN - LOG_OVERHEAD) as i64 {
            return Err(BatchError::Length {
                length: header.batch_length,
            });
        }
        let sane_offsets = header.base_offset >= 0
            && header.last_offset_delta >= 0
            && header
                .base_offset
                .checked_add(i64::from(header.last_offset_delta) + 1)
                .is_some();
        if !sane_offsets || header.record_count < 0 {
            return Err(BatchError::Offsets {
                base: header.base_offset,
                delta: header.last_offset_delta,
                records: header.record_count,
            });
        }
        Ok(header)
    }

    /// Offset of the last record as produced.
    pub fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// Bytes of the whole batch.
    pub fn whole(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// Is it a commit or abort marker?
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Was it written inside a transaction?
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Do readers see the append time of the broker instead of the records' own times?
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// The codec's number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; others are unknown.
    pub fn codec(&self) -> u8 {
        (self.attributes & CODEC_BITS) as u8
    }

    /// Sequence of the last record, wrapping from 2^31-1 to 0 as `DefaultRecordBatch.incrementSequence` does;
    /// -1 without a producer id.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }
}

/// One whole batch: its header, and its bytes as they came (header included, nothing copied).
#[derive(Debug, Clone)]
pub struct Batch {
    /// The decoded header.
    pub header: BatchHeader,
    /// The batch, header included.
    pub bytes: Bytes,
}

impl Batch {
    /// Everything after the header: the records, compressed or not.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(HEADER_LEN..)
    }

    /// Does the stored CRC match the bytes?
    pub fn verify(&self) -> Result<(), CrcMismatch> {
        let actual = checksum(Crc32Iscsi, &self.bytes[CRC_START..]) as u32;
        if actual == self.header.crc {
            Ok(())
        } else {
            Err(CrcMismatch {
                base_offset: self.header.base_offset,
                stored: self.header.crc,
                actual,
            })
        }
    }

    /// What a control batch says. `None` if it holds no record (compaction keeps the header of a producer's last batch).
    pub fn marker(&self) -> Result<Option<Marker>, BatchError> {
        let malformed = || BatchError::Marker {
            base_offset: self.header.base_offset,
        };
        if !self.header.is_control() {
            return Err(malformed());
        }
        if self.header.record_count == 0 {
            return Ok(None);
        }
        let mut record = &self.bytes[HEADER_LEN..];
        let _length = varlong(&mut record).ok_or_else(malformed)?;
        let _attributes = record.try_get_i8().map_err(|_| malformed())?;
        let _timestamp_delta = varlong(&mut record).ok_or_else(malformed)?;
        let _offset_delta = varlong(&mut record).ok_or_else(malformed)?;
        let key_length = varlong(&mut record).ok_or_else(malformed)?;
        if key_length < 4 || record.len() < 4 {
            return Err(malformed());
        }
        let _version = record.get_i16();
        Ok(Some(match record.get_i16() {
            0 => Marker::Abort,
            1 => Marker::Commit,
            other => Marker::Other(other),
        }))
    }
}

/// What a control batch says (`ControlRecordType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The producer's open transaction was aborted.
    Abort,
    /// The producer's open transaction was committed.
    Commit,
    /// A control record that is no transaction marker.
    Other(i16),
}

/// A zigzag varint of up to ten bytes, as records use it.
fn varlong(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    None
}

/// Splits the records of a fetch answer into whole batches without copying.
///
/// A broker may cut the last batch short (`FileRecords` slices end anywhere): that batch is left out, it comes again with the
/// next fetch. After an error the iterator ends.
#[derive(Debug)]
pub struct Batches {
    rest: Bytes,
}

/// Splits `records` into batches.
pub fn split(records: Bytes) -> Batches {
    Batches { rest: records }
}

/// The header of what comes next. None at the end, or where a broker cut; after an error nothing is left.
pub(super) fn next_header(rest: &mut Bytes) -> Option<Result<BatchHeader, BatchError>> {
    match BatchHeader::decode(rest) {
        Ok(header) => Some(Ok(header)),
        Err(BatchError::Truncated { .. }) => None,
        Err(error) => {
            rest.clear();
            Some(Err(error))
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = match next_header(&mut self.rest)? {
            Ok(header) => header,
            Err(error) => return Some(Err(error)),
        };
        let whole = header.whole();
        if whole > self.rest.len() {
            return None;
        }
        Some(Ok(Batch {
            header,
            bytes: self.rest.split_to(whole),
        }))
    }
}

/// Bytes that are not a batch of format 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than a header has.
    #[error("a record batch is cut off after {have} bytes")]
    Truncated {
        /// Bytes at hand.
        have: usize,
    },
    /// Message format 0 or 1 (before Kafka 0.11), or no batch at all.
    #[error(
        "records are in message format {magic}, only format 2 (Kafka 0.11 and later) is understood"
    )]
    Magic {
        /// The format's number.
        magic: i8,
    },
    /// A length that no batch can have.
    #[error("a record batch claims {length} bytes, less than its own header")]
    Length {
        /// The length as read.
        length: i32,
    },
    /// Offsets or counts that no batch can have.
    #[error("a record batch claims offset {base}, last offset delta {delta} and {records} records")]
    Offsets {
        /// The base offset as read.
        base: i64,
        /// The last offset delta as read.
        delta: i32,
        /// The record count as read.
        records: i32,
    },
    /// A control batch whose record is not a control record.
    #[error("the control batch at offset {base_offset} has no readable marker")]
    Marker {
        /// Where the batch begins.
        base_offset: i64,
    },
}

/// What a rewritten batch carries instead of the source's producer fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The producer id that the target's coordinator handed out.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence of the batch's first record.
    pub base_sequence: i32,
}

/// A batch ready for a produce request: a new header and the untouched body, to be written one after the other.
#[derive(Debug, Clone)]
pub struct Stamped {
    /// The new header.
    pub head: [u8; HEADER_LEN],
    /// The records as they came.
    pub body: Body,
}

impl Stamped {
    /// The batch with the fields a target accepts, and a CRC that holds exactly if the source's did: neither reads the records.
    ///
    /// The new header has base offset 0 and leader epoch -1 (the broker sets both), the attributes reduced to the codec, and the
    /// stamp's producer id, epoch and sequence. Everything else stays. A batch that is damaged stays recognisably damaged: every broker
    /// checks the CRC before it appends (`UnifiedLog.analyzeAndValidateRecords`), and answers CORRUPT_MESSAGE.
    pub fn anew(
        mut head: [u8; HEADER_LEN],
        header: &BatchHeader,
        body: Body,
        stamp: Stamp,
    ) -> Self {
        let old_prefix = checksum(Crc32Iscsi, &head[CRC_START..]) as u32;
        head[0..8].copy_from_slice(&0i64.to_be_bytes());
        head[12..16].copy_from_slice(&(-1i32).to_be_bytes());
        head[21..23].copy_from_slice(&(header.attributes & CODEC_BITS).to_be_bytes());
        head[43..51].copy_from_slice(&stamp.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&stamp.producer_epoch.to_be_bytes());
        head[53..57].copy_from_slice(&stamp.base_sequence.to_be_bytes());
        let new_prefix = checksum(Crc32Iscsi, &head[CRC_START..]) as u32;
        let length = u32::try_from(body.len()).expect("a batch's length is an i32");
        let crc = crc::with_other_beginning(header.crc, old_prefix, new_prefix, length);
        head[17..21].copy_from_slice(&crc.to_be_bytes());
        Self { head, body }
    }

    /// Header and body together.
    pub fn bytes(&self) -> Bytes {
        [&self.head[..], &self.body.bytes()].concat().into()
    }

    /// Header and body together, in bytes.
    pub fn len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }

    /// Are its bytes those that its CRC was computed over?
    pub fn is_intact(&self) -> bool {
        let mut digest = Digest::new(Crc32Iscsi);
        digest.update(&self.head[CRC_START..]);
        digest.update(&self.body.bytes());
        self.head[17..21] == (digest.finalize() as u32).to_be_bytes()
    }

    /// Never: there is always a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// A batch whose bytes are not those its CRC was computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the record batch at offset {base_offset} is damaged: its CRC is {stored:#010x}, its bytes give {actual:#010x}"
)]
pub struct CrcMismatch {
    /// Where the batch begins.
    pub base_offset: i64,
    /// The CRC in the header.
    pub stored: u32,
    /// The CRC of the bytes.
    pub actual: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A batch with a valid CRC around any body.
    fn build(base: i64, attributes: i16, delta: i32, count: i32, body: &[u8]) -> Bytes {
        let mut bytes = Vec::new();
        bytes.extend(base.to_be_bytes());
        bytes.extend(((HEADER_LEN - LOG_OVERHEAD + body.len()) as i32).to_be_bytes());
        bytes.extend(7i32.to_be_bytes());
        bytes.push(2);
        bytes.extend([0; 4]);
        bytes.extend(attributes.to_be_bytes());
        bytes.extend(delta.to_be_bytes());
        bytes.extend(1_000i64.to_be_bytes());
        bytes.extend(2_000i64.to_be_bytes());
        bytes.extend(99i64.to_be_bytes());
        bytes.extend(3i16.to_be_bytes());
        bytes.extend(41i32.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        bytes.extend(body);
        let crc = checksum(Crc32Iscsi, &bytes[CRC_START..]) as u32;
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes.into()
    }

    fn one(bytes: Bytes) -> Batch {
        split(bytes)
            .next()
            .expect("one batch")
            .expect("well formed")
    }

    fn again_as(batch: &Batch, stamp: Stamp) -> Stamped {
        let mut head = [0; HEADER_LEN];
        head.copy_from_slice(&batch.bytes[..HEADER_LEN]);
        Stamped::anew(head, &batch.header, batch.body().into(), stamp)
    }

    fn marker_body(version: i16, kind: i16) -> Vec<u8> {
        let mut record = vec![0, 0, 0, 8];
        record.extend(version.to_be_bytes());
        record.extend(kind.to_be_bytes());
        record.extend([12, 0, 0, 0, 0, 0, 0, 0]);
        let mut body = vec![(record.len() * 2) as u8];
        body.extend(record);
        body
    }

    #[test]
    fn markers_are_told_apart() {
        let read =
            |body: &[u8], count| one(build(5, CONTROL | TRANSACTIONAL, 0, count, body)).marker();
        assert_eq!(read(&marker_body(0, 0), 1), Ok(Some(Marker::Abort)));
        assert_eq!(read(&marker_body(0, 1), 1), Ok(Some(Marker::Commit)));
        assert_eq!(read(&marker_body(0, 3), 1), Ok(Some(Marker::Other(3))));
        assert_eq!(read(&[], 0), Ok(None));
        assert!(read(&[], 1).is_err());
        assert!(read(&marker_body(0, 1)[..7], 1).is_err());
        assert!(one(build(5, 0, 0, 1, &marker_body(0, 1))).marker().is_err());
    }

    #[test]
    fn old_formats_and_impossible_lengths_are_named() {
        let mut old = build(0, 0, 0, 1, b"x").to_vec();
        old[16] = 1;
        assert_eq!(
            split(old.into())
                .next()
                .expect("an item")
                .expect_err("format 1"),
            BatchError::Magic { magic: 1 }
        );
        for length in [-1, 0, 48, i32::MIN] {
            let mut short = build(0, 0, 0, 1, b"x").to_vec();
            short[8..12].copy_from_slice(&i32::to_be_bytes(length));
            let mut batches = split(short.into());
            assert_eq!(
                batches.next().expect("an item").expect_err("length"),
                BatchError::Length { length }
            );
            assert!(batches.next().is_none());
        }
    }

    #[test]
    fn sequences_wrap() {
        let mut header = one(build(0, 0, 4, 5, b"")).header;
        header.base_sequence = i32::MAX - 2;
        assert_eq!(header.last_sequence(), 1);
        header.base_sequence = -1;
        assert_eq!(header.last_sequence(), -1);
    }

    proptest! {
        #[test]
        fn restamped_batches_are_valid_and_keep_their_records(
            base in 0i64..1 << 50, attributes: i16, delta in 0i32..1 << 20, count in 0i32..1 << 20,
            body in proptest::collection::vec(any::<u8>(), 0..2_000),
            producer_id: i64, producer_epoch: i16, base_sequence: i32,
        ) {
            let batch = one(build(base, attributes, delta, count, &body));
            prop_assert_eq!(batch.verify(), Ok(()));
            let stamp = Stamp { producer_id, producer_epoch, base_sequence };
            let stamped = again_as(&batch, stamp);
            prop_assert!(stamped.is_intact());
            prop_assert_eq!(&stamped.body.here[..], &body[..]);
            prop_assert_eq!(stamped.body.here.as_ptr(), batch.bytes[HEADER_LEN..].as_ptr());
            let whole = stamped.bytes();
            let again = one(whole);
            prop_assert_eq!(again.verify(), Ok(()));
            let expected = BatchHeader {
                base_offset: 0, leader_epoch: -1, crc: again.header.crc, attributes: attributes & CODEC_BITS,
                producer_id, producer_epoch, base_sequence, ..batch.header
            };
            prop_assert_eq!(again.header, expected);
        }

        #[test]
        fn a_flipped_bit_is_seen(
            body in proptest::collection::vec(any::<u8>(), 1..40_000), at: prop::sample::Index, bit in 0u8..8,
        ) {
            let mut bytes = build(3, 0, 0, 1, &body).to_vec();
            // The header's own fields from the last offset delta on, and the body.
            let at = 27 + at.index(bytes.len() - 27);
            bytes[at] ^= 1 << bit;
            if let Some(Ok(batch)) = split(bytes.into()).next() {
                let stamp = Stamp { producer_id: 1, producer_epoch: 0, base_sequence: 0 };
                prop_assert!(!again_as(&batch, stamp).is_intact());
                prop_assert!(batch.verify().is_err());
            }
        }

        #[test]
        fn a_batch_cut_short_is_left_out(cut: prop::sample::Index) {
            let first = build(0, 0, 0, 1, b"one");
            let second = build(1, 0, 0, 1, b"two");
            let mut both = first.to_vec();
            both.extend(&second);
            both.truncate(first.len() + cut.index(second.len()));
            let batches: Vec<_> = split(both.into()).collect::<Result<_, _>>().expect("no error");
            prop_assert_eq!(batches.len(), 1);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), as_batch: bool) {
            if as_batch && bytes.len() > HEADER_LEN {
                bytes[16] = 2;
                bytes[8..11].fill(0);
                bytes[0] &= 0x7f;
                bytes[23] &= 0x7f;
                bytes[57] &= 0x7f;
            }
            for batch in split(bytes.into()).flatten() {
                let _ = batch.marker();
                let _ = batch.header.next_offset();
                let _ = batch.header.last_sequence();
                let _ = again_as(&batch, Stamp { producer_id: 1, producer_epoch: 2, base_sequence: 3 });
            }
        }
    }
}
