//! Batches put together: of records that came from other batches, copied as bytes, or of one record of our own.

use bytes::{BufMut, Bytes};
use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest};

use super::{
    batch::{HEADER_LEN, Stamp, Stamped},
    buffers,
    codec::{Codec, CodecError},
    slices::Slice,
};

/// A batch with one record that has a value and neither key nor headers. `timestamp` in milliseconds since 1970.
pub fn batch_of_one(value: &[u8], timestamp: i64, stamp: Stamp) -> Stamped {
    let record = Draft {
        timestamp,
        key: None,
        value: Some(value),
        headers: &[],
    };
    let times = Times {
        base: timestamp,
        largest: timestamp,
    };
    seal(
        plain(&[record], timestamp).into(),
        Codec::None,
        1,
        times,
        stamp,
    )
}

/// A record of our own.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, whose names are bytes like any other.
    pub headers: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// A batch of records of our own. Nothing of it is empty: there is at least one record.
pub fn batch_of(records: &[Draft<'_>], codec: Codec, stamp: Stamp) -> Result<Stamped, CodecError> {
    let base = records.first().map_or(0, |record| record.timestamp);
    let times = records.iter().map(|record| record.timestamp);
    let times = Times {
        base,
        largest: times.max().unwrap_or(base),
    };
    let plain = plain(records, base);
    let body = if codec == Codec::None {
        plain
    } else {
        let mut packed = Vec::new();
        codec.compress(&plain, &mut packed)?;
        packed
    };
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    Ok(seal(body.into(), codec, count, times, stamp))
}

/// Records as they stand in a batch that is not compressed.
fn plain(records: &[Draft<'_>], base: i64) -> Vec<u8> {
    let mut all = Vec::new();
    for (offset, one) in records.iter().enumerate() {
        let mut record = vec![0]; // attributes
        put_varlong(&mut record, one.timestamp.wrapping_sub(base));
        put_varlong(&mut record, offset as i64);
        put_bytes(&mut record, one.key);
        put_bytes(&mut record, one.value);
        put_varlong(&mut record, one.headers.len() as i64);
        for (name, value) in one.headers {
            put_bytes(&mut record, Some(name));
            put_bytes(&mut record, *value);
        }
        put_varlong(&mut all, record.len() as i64);
        all.extend_from_slice(&record);
    }
    all
}

fn put_bytes(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(to, -1),
        Some(bytes) => {
            put_varlong(to, bytes.len() as i64);
            to.extend_from_slice(bytes);
        }
    }
}

/// A batch being put together: records are numbered without holes, in the order they come.
#[derive(Debug)]
pub struct Builder {
    plain: Vec<u8>,
    count: u32,
    times: Times,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    /// What timestamps count from.
    base: i64,
    largest: i64,
}

impl Builder {
    /// An empty batch. Records are copied fastest where their timestamps count from the same base as before.
    pub fn new(base_timestamp: i64) -> Self {
        Self {
            plain: buffers::take(),
            count: 0,
            times: Times {
                base: base_timestamp,
                largest: i64::MIN,
            },
        }
    }

    /// Appends a record with this timestamp. Nothing but its timestamp, its offset and its length is written anew.
    pub fn push(&mut self, record: &Slice<'_>, timestamp: i64) {
        // Wraps as the addition of Java's readers does.
        let timestamp_delta = timestamp.wrapping_sub(self.times.base);
        let offset_delta = i64::from(self.count);
        if timestamp_delta == record.timestamp_delta
            && offset_delta == i64::from(record.offset_delta)
        {
            self.plain.extend_from_slice(record.whole);
        } else {
            let length =
                1 + varlong_len(timestamp_delta) + varlong_len(offset_delta) + record.rest.len();
            put_varlong(&mut self.plain, length as i64);
            self.plain.push(record.attributes);
            put_varlong(&mut self.plain, timestamp_delta);
            put_varlong(&mut self.plain, offset_delta);
            self.plain.extend_from_slice(record.rest);
        }
        self.count += 1;
        self.times.largest = self.times.largest.max(timestamp);
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The largest timestamp so far.
    pub fn max_timestamp(&self) -> i64 {
        self.times.largest
    }

    /// What timestamps count from.
    pub fn base_timestamp(&self) -> i64 {
        self.times.base
    }

    /// Bytes so far, before compression.
    pub fn len(&self) -> usize {
        self.plain.len()
    }

    /// No record yet?
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    /// Compresses, and writes the header. Answers with the batch, and with its records before compression.
    pub fn finish(self, codec: Codec, stamp: Stamp) -> Result<(Stamped, Bytes), CodecError> {
        let (body, plain) = if codec == Codec::None {
            let plain = fitted(self.plain);
            (plain.clone(), plain)
        } else {
            let mut packed = buffers::take();
            codec.compress(&self.plain, &mut packed)?;
            (fitted(packed), buffers::freeze(self.plain))
        };
        let batch = seal(body, codec, self.count, self.times, stamp);
        Ok((batch, plain))
    }
}

/// A body may wait long: it must not keep a buffer that is far too large for it.
fn fitted(buffer: Vec<u8>) -> Bytes {
    if buffer.capacity() <= 2 * buffer.len() {
        return buffers::freeze(buffer);
    }
    let body = Bytes::copy_from_slice(&buffer);
    drop(buffers::freeze(buffer));
    body
}

/// Writes the header of a body whose records are numbered without holes.
fn seal(body: Bytes, codec: Codec, count: u32, times: Times, stamp: Stamp) -> Stamped {
    let mut head = [0; HEADER_LEN];
    let mut to = &mut head[..];
    to.put_i64(0); // base offset
    to.put_i32((HEADER_LEN - 12 + body.len()) as i32);
    to.put_i32(-1); // leader epoch
    to.put_i8(2); // magic
    to.put_u32(0); // CRC, below
    to.put_i16(codec.attributes());
    to.put_u32(count.wrapping_sub(1)); // last offset delta
    to.put_i64(times.base);
    to.put_i64(times.largest);
    to.put_i64(stamp.producer_id);
    to.put_i16(stamp.producer_epoch);
    to.put_i32(stamp.base_sequence);
    to.put_u32(count);
    let mut digest = Digest::new(Crc32Iscsi);
    digest.update(&head[21..]);
    digest.update(&body);
    head[17..21].copy_from_slice(&(digest.finalize() as u32).to_be_bytes());
    Stamped {
        head,
        body: body.into(),
    }
}

/// A zigzag varint, as records use it.
fn put_varlong(to: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn varlong_len(value: i64) -> usize {
    let bits = u64::BITS - (zigzag(value) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{batch, record::Records};

    proptest! {
        #[test]
        fn the_length_of_a_number_is_known_before_it_is_written(value: i64, shift in 0u32..64) {
            let value = value >> shift;
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            prop_assert_eq!(out.len(), varlong_len(value));
        }
    }

    #[test]
    fn what_is_encoded_can_be_read() {
        for length in [0, 1, 63, 64, 8191, 70_000] {
            let value = vec![7; length];
            let stamp = Stamp {
                producer_id: 9,
                producer_epoch: 4,
                base_sequence: 77,
            };
            let stamped = batch_of_one(&value, 1_700_000_000_000, stamp);
            let batches: Result<Vec<_>, _> = batch::split(stamped.bytes()).collect();
            let batches = batches.expect("it is a batch");
            assert_eq!(batches.len(), 1);
            batches[0].verify().expect("its CRC is right");
            assert_eq!(batches[0].header.base_sequence, 77);
            let records: Result<Vec<_>, _> = Records::of(&batches[0], 1 << 20)
                .expect("records")
                .collect();
            let records = records.expect("readable");
            assert_eq!(records.len(), 1);
            assert_eq!(records[0].value.as_deref(), Some(&value[..]));
            assert_eq!(records[0].timestamp, 1_700_000_000_000);
            assert!(records[0].key.is_none() && records[0].headers.is_empty());
        }
    }
}
