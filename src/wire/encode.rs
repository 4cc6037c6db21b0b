//! A batch of one uncompressed record, for what the program itself writes into Kafka.

use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest};

use super::batch::{HEADER_LEN, Stamp, Stamped};

/// A batch with one record that has a value and neither key nor headers. `timestamp` in milliseconds since 1970.
pub fn batch_of_one(value: &[u8], timestamp: i64, stamp: Stamp) -> Stamped {
    let mut record = BytesMut::with_capacity(value.len() + 16);
    record.put_i8(0); // attributes
    put_varlong(&mut record, 0); // timestamp delta
    put_varlong(&mut record, 0); // offset delta
    put_varlong(&mut record, -1); // no key
    put_varlong(&mut record, value.len() as i64);
    record.put_slice(value);
    put_varlong(&mut record, 0); // no headers
    let mut body = BytesMut::with_capacity(record.len() + 5);
    put_varlong(&mut body, record.len() as i64);
    body.put_slice(&record);
    let body: Bytes = body.freeze();

    let mut head = [0; HEADER_LEN];
    let mut to = &mut head[..];
    to.put_i64(0); // base offset
    to.put_i32((HEADER_LEN - 12 + body.len()) as i32);
    to.put_i32(-1); // leader epoch
    to.put_i8(2); // magic
    to.put_u32(0); // CRC, below
    to.put_i16(0); // attributes
    to.put_i32(0); // last offset delta
    to.put_i64(timestamp);
    to.put_i64(timestamp);
    to.put_i64(stamp.producer_id);
    to.put_i16(stamp.producer_epoch);
    to.put_i32(stamp.base_sequence);
    to.put_i32(1); // records
    let mut digest = Digest::new(Crc32Iscsi);
    digest.update(&head[21..]);
    digest.update(&body);
    head[17..21].copy_from_slice(&(digest.finalize() as u32).to_be_bytes());
    Stamped { head, body }
}

/// A zigzag varint, as records use it.
fn put_varlong(to: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        to.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.put_u8(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{batch, record::Records};

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
            let bytes = [&stamped.head[..], &stamped.body[..]].concat();
            let batches: Result<Vec<_>, _> = batch::split(bytes.into()).collect();
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
