//! Records of a batch (magic 2), decoded lazily and without changing a byte: raw header names, order and duplicates kept.
//!
//! The layout is that of Apache Kafka's `DefaultRecord` and `DefaultRecordBatch` (KIP-98): varints in zigzag, a record's length
//! first. The protocol crate's own record codec folds duplicate header names and refuses names that are not UTF-8.

use bytes::Bytes;

use super::{
    batch::{Batch, HEADER_LEN},
    codec::{Codec, CodecError},
};

/// One record as a consumer would see it. Slices share the batch's (decompressed) bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Absolute offset.
    pub offset: i64,
    /// Milliseconds since 1970; the batch's largest where the broker stamps records (LogAppendTime).
    pub timestamp: i64,
    /// `None` is null, which differs from empty.
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
    /// In the producer's order, duplicates included.
    pub headers: Vec<Header>,
}

/// One header of a record. The name is bytes: nothing in Kafka's log makes it UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name as stored.
    pub name: Bytes,
    /// `None` is null.
    pub value: Option<Bytes>,
}

/// Why a batch's records cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The body cannot be decompressed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A batch of an older format; brokers since 3.0 write none, and answer Fetch v10 and later without converting.
    #[error("batch format {0} is not supported, only 2 is")]
    Magic(i8),
    /// The bytes end inside a record.
    #[error("record {index} of the batch is cut short")]
    Cut {
        /// Counted from 0 within the batch.
        index: i32,
    },
    /// A length or number that no writer of the format produces.
    #[error("record {index} of the batch has an impossible {field}")]
    Impossible {
        /// Counted from 0 within the batch.
        index: i32,
        /// Which number.
        field: &'static str,
    },
    /// Bytes are left after the number of records that the batch's header names.
    #[error("{0} bytes are left after the last record of the batch")]
    Leftover(usize),
}

/// The records of one batch, decoded one at a time. After an error it ends.
#[derive(Debug)]
pub struct Records {
    rest: Bytes,
    index: i32,
    count: i32,
    base_offset: i64,
    base_timestamp: i64,
    /// The time of all records, where the broker stamped them.
    append_time: Option<i64>,
}

impl Records {
    /// Decompresses a batch's body into at most `limit` bytes and stands before its first record. The checksum is not looked at.
    pub fn of(batch: &Batch, limit: usize) -> Result<Self, RecordError> {
        let header = &batch.header;
        if header.magic != 2 {
            return Err(RecordError::Magic(header.magic));
        }
        if batch.bytes.len() < HEADER_LEN {
            return Err(RecordError::Cut { index: 0 });
        }
        if header.record_count < 0 {
            return Err(RecordError::Impossible {
                index: 0,
                field: "count",
            });
        }
        Ok(Self {
            rest: Codec::of(header.attributes)?
                .decompress(&batch.bytes.slice(HEADER_LEN..), limit)?,
            index: 0,
            count: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time: header.is_log_append_time().then_some(header.max_timestamp),
        })
    }

    fn decode(&mut self) -> Result<Record, RecordError> {
        let index = self.index;
        let mut outer = Cursor {
            bytes: &mut self.rest,
            index,
        };
        let length = outer.length("length")?;
        let mut record = outer.take(length)?;
        let mut at = Cursor {
            bytes: &mut record,
            index,
        };
        at.take(1)?; // A record's own attributes: no bit is defined.
        let timestamp =
            self.base_timestamp
                .checked_add(at.varlong()?)
                .ok_or(RecordError::Impossible {
                    index,
                    field: "timestamp",
                })?;
        let offset = at.varint("offset")?;
        let offset =
            self.base_offset
                .checked_add(offset.into())
                .ok_or(RecordError::Impossible {
                    index,
                    field: "offset",
                })?;
        let key = at.nullable("key length")?;
        let value = at.nullable("value length")?;
        let count = at.length("header count")?;
        let mut headers = Vec::new(); // grows with what is really there
        for _ in 0..count {
            let length = at.length("header name length")?;
            headers.push(Header {
                name: at.take(length)?,
                value: at.nullable("header value length")?,
            });
        }
        if !record.is_empty() {
            return Err(RecordError::Impossible {
                index,
                field: "length",
            });
        }
        Ok(Record {
            offset,
            timestamp: self.append_time.unwrap_or(timestamp),
            key,
            value,
            headers,
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            let left = self.rest.len();
            self.rest.clear();
            return (left > 0).then_some(Err(RecordError::Leftover(left)));
        }
        let record = self.decode();
        self.index += 1;
        if record.is_err() {
            self.rest.clear();
            self.index = self.count;
        }
        Some(record)
    }
}

/// Checked reads from the front of some bytes.
struct Cursor<'a> {
    bytes: &'a mut Bytes,
    index: i32,
}

impl Cursor<'_> {
    fn take(&mut self, length: usize) -> Result<Bytes, RecordError> {
        if length > self.bytes.len() {
            return Err(RecordError::Cut { index: self.index });
        }
        Ok(self.bytes.split_to(length))
    }

    /// An unsigned LEB128 number of at most `bits` bits.
    fn unsigned(&mut self, bits: u32, field: &'static str) -> Result<u64, RecordError> {
        let mut number = 0u64;
        for (at, byte) in self.bytes.iter().enumerate() {
            let shift = 7 * at as u32;
            let payload = u64::from(byte & 0x7f);
            if shift >= bits || (payload << shift) >> shift != payload {
                return Err(RecordError::Impossible {
                    index: self.index,
                    field,
                });
            }
            number |= payload << shift;
            if byte & 0x80 == 0 {
                bytes::Buf::advance(self.bytes, at + 1);
                return if bits < 64 && number >> bits != 0 {
                    Err(RecordError::Impossible {
                        index: self.index,
                        field,
                    })
                } else {
                    Ok(number)
                };
            }
        }
        Err(RecordError::Cut { index: self.index })
    }

    fn varint(&mut self, field: &'static str) -> Result<i32, RecordError> {
        let n = self.unsigned(32, field)? as u32;
        Ok((n >> 1) as i32 ^ -((n & 1) as i32))
    }

    fn varlong(&mut self) -> Result<i64, RecordError> {
        let n = self.unsigned(64, "timestamp")?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    fn length(&mut self, field: &'static str) -> Result<usize, RecordError> {
        usize::try_from(self.varint(field)?).map_err(|_| RecordError::Impossible {
            index: self.index,
            field,
        })
    }

    /// Length -1 is null.
    fn nullable(&mut self, field: &'static str) -> Result<Option<Bytes>, RecordError> {
        match self.varint(field)? {
            -1 => Ok(None),
            length => {
                let length = usize::try_from(length).map_err(|_| RecordError::Impossible {
                    index: self.index,
                    field,
                })?;
                self.take(length).map(Some)
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{
        batch::BatchHeader,
        codec::tests::{ALL, compress},
    };

    fn put_varint(out: &mut Vec<u8>, n: i64) {
        let mut n = ((n << 1) ^ (n >> 63)) as u64;
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }

    fn put_nullable(out: &mut Vec<u8>, bytes: Option<&Bytes>) {
        put_varint(out, bytes.map_or(-1, |b| b.len() as i64));
        out.extend_from_slice(bytes.map_or(&[], |b| &b[..]));
    }

    /// What a producer would send; holes between offsets are allowed, as compaction leaves them.
    pub(crate) fn encode(
        records: &[Record],
        codec: Codec,
        change: impl FnOnce(&mut BatchHeader),
    ) -> Batch {
        let first = records.first().map_or((0, 0), |r| (r.offset, r.timestamp));
        encode_from(first, records, codec, change)
    }

    /// The same, with another base offset and base timestamp than the first record's.
    pub(crate) fn encode_from(
        (base_offset, base_timestamp): (i64, i64),
        records: &[Record],
        codec: Codec,
        change: impl FnOnce(&mut BatchHeader),
    ) -> Batch {
        let mut body = Vec::new();
        for record in records {
            let mut one = vec![0];
            put_varint(&mut one, record.timestamp - base_timestamp);
            put_varint(&mut one, record.offset - base_offset);
            put_nullable(&mut one, record.key.as_ref());
            put_nullable(&mut one, record.value.as_ref());
            put_varint(&mut one, record.headers.len() as i64);
            for header in &record.headers {
                put_nullable(&mut one, Some(&header.name));
                put_nullable(&mut one, header.value.as_ref());
            }
            put_varint(&mut body, one.len() as i64);
            body.extend(one);
        }
        let body = compress(codec, &body);
        let mut header = BatchHeader {
            base_offset,
            batch_length: (HEADER_LEN - 12 + body.len()) as i32,
            leader_epoch: 0,
            magic: 2,
            crc: 0,
            attributes: ALL.iter().position(|c| *c == codec).unwrap() as i16,
            last_offset_delta: records
                .last()
                .map_or(0, |r| (r.offset - base_offset) as i32),
            base_timestamp,
            max_timestamp: records.iter().map(|r| r.timestamp).max().unwrap_or(-1),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: records.len() as i32,
        };
        change(&mut header);
        let mut covered = Vec::new();
        covered.extend(header.attributes.to_be_bytes());
        covered.extend(header.last_offset_delta.to_be_bytes());
        covered.extend(header.base_timestamp.to_be_bytes());
        covered.extend(header.max_timestamp.to_be_bytes());
        covered.extend(header.producer_id.to_be_bytes());
        covered.extend(header.producer_epoch.to_be_bytes());
        covered.extend(header.base_sequence.to_be_bytes());
        covered.extend(header.record_count.to_be_bytes());
        covered.extend(body);
        header.crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &covered) as u32;
        let mut bytes = header.base_offset.to_be_bytes().to_vec();
        bytes.extend(header.batch_length.to_be_bytes());
        bytes.extend(header.leader_epoch.to_be_bytes());
        bytes.push(header.magic as u8);
        bytes.extend(header.crc.to_be_bytes());
        bytes.extend(covered);
        Batch {
            header,
            bytes: bytes.into(),
        }
    }

    /// A record that differs from those at other offsets.
    pub(crate) fn record_at(offset: i64) -> Record {
        let key = Some(Bytes::from(offset.to_string()));
        Record {
            offset,
            timestamp: 1000 + offset,
            key,
            value: Some(Bytes::from_static(b"value")),
            headers: vec![],
        }
    }

    pub(crate) fn bytes() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    /// A record; its offset is how far it is behind the one before it.
    pub(crate) fn record() -> impl Strategy<Value = Record> {
        let header = (bytes(), proptest::option::of(bytes()))
            .prop_map(|(name, value)| Header { name, value });
        let headers = proptest::collection::vec(header, 0..4);
        (
            1i64..4,
            -5000i64..5000,
            proptest::option::of(bytes()),
            proptest::option::of(bytes()),
            headers,
        )
            .prop_map(|(offset, timestamp, key, value, headers)| Record {
                offset,
                timestamp,
                key,
                value,
                headers,
            })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_by_every_codec(mut records in proptest::collection::vec(record(), 1..30)) {
            let mut offset = 1 << 40;
            for record in &mut records {
                offset += record.offset;
                record.offset = offset;
            }
            for codec in ALL {
                let batch = encode(&records, codec, |_| ());
                prop_assert!(batch.verify().is_ok());
                let seen: Result<Vec<_>, _> = Records::of(&batch, 1 << 20).unwrap().collect();
                prop_assert_eq!(seen.as_ref(), Ok(&records));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200), attributes in any::<i16>(), record_count in any::<i32>(),
            base in any::<i64>(),
        ) {
            let mut batch = encode(&[], Codec::None, |h| {
                (h.attributes, h.record_count, h.base_offset, h.base_timestamp) = (attributes, record_count, base, base);
            });
            batch.bytes = [&batch.bytes[..], &body].concat().into();
            if let Ok(records) = Records::of(&batch, 10_000) {
                let seen = records.count();
                prop_assert!(seen <= 10_001);
            }
        }

        #[test]
        fn a_flipped_bit_is_found(records in proptest::collection::vec(record(), 1..5), at in any::<proptest::sample::Index>(), bit in 0..8) {
            let mut batch = encode(&records, Codec::None, |_| ());
            let mut bytes = batch.bytes.to_vec();
            let at = 21 + at.index(bytes.len() - 21);
            bytes[at] ^= 1u8 << bit;
            batch.bytes = bytes.into();
            prop_assert!(batch.verify().is_err());
        }
    }

    #[test]
    fn append_time_is_the_batch_s_largest() {
        let record = |offset, timestamp| Record {
            offset,
            timestamp,
            key: None,
            value: None,
            headers: vec![],
        };
        let batch = encode(&[record(7, 100), record(8, 50)], Codec::None, |h| {
            h.attributes |= 8
        });
        let times: Vec<_> = Records::of(&batch, 1000)
            .unwrap()
            .map(|r| r.unwrap().timestamp)
            .collect();
        assert_eq!(times, [100, 100]);
    }

    #[test]
    fn a_count_that_does_not_fit_the_bytes_is_an_error() {
        let record = Record {
            offset: 0,
            timestamp: 0,
            key: None,
            value: None,
            headers: vec![],
        };
        let too_many = encode(std::slice::from_ref(&record), Codec::None, |h| {
            h.record_count = 2
        });
        assert_eq!(
            Records::of(&too_many, 1000).unwrap().last(),
            Some(Err(RecordError::Cut { index: 1 }))
        );
        let too_few = encode(&[record.clone(), record], Codec::None, |h| {
            h.record_count = 1
        });
        assert!(matches!(
            Records::of(&too_few, 1000).unwrap().last(),
            Some(Err(RecordError::Leftover(_)))
        ));
    }
}
