//! What a leader accepts of a produced batch, and what it changes in it (rules P1 to P16; probes D2, D3, N6, N8).

use bytes::Bytes;
use kafka_protocol::messages::produce_response::BatchIndexAndErrorMessage;

use crate::wire::{
    batch::{self, BatchError, BatchHeader, HEADER_LEN},
    codec::Codec,
};

use super::super::{
    errors,
    records::{self, CONTROL, DELETE_HORIZON, LOG_APPEND_TIME, Rec, TRANSACTIONAL},
    state::text,
};

/// What a topic's settings ask of a batch.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The cluster's clock.
    pub now: i64,
    /// `message.timestamp.type=LogAppendTime`.
    pub append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub before_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_ms: i64,
    /// `max.message.bytes`.
    pub message_bytes: i64,
    /// `segment.bytes`.
    pub segment_bytes: i64,
    /// Is `compact` part of `cleanup.policy`?
    pub compacted: bool,
    /// `compression.type`; none is `producer`.
    pub codec: Option<Codec>,
}

/// A batch as it will be stored, but for its place.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Its header.
    pub header: BatchHeader,
    /// All of it.
    pub bytes: Bytes,
}

/// Why a batch is not taken.
#[derive(Debug, Clone, Default)]
pub struct Refused {
    /// The error.
    pub code: i16,
    /// In words.
    pub message: Option<&'static str>,
    /// Which records are to blame.
    pub records: Vec<BatchIndexAndErrorMessage>,
    /// Where it lies all the same, if it does: nobody knows whether it will stay.
    pub appended: Option<super::super::partition::Appended>,
}

impl From<i16> for Refused {
    fn from(code: i16) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }
}

fn invalid(message: &'static str) -> Refused {
    Refused {
        code: errors::INVALID_RECORD,
        message: Some(message),
        ..Refused::default()
    }
}

/// The one batch of a produce request's partition, as `ProduceRequest.validateRecords` demands it (P1). Nothing else is checked.
pub fn single(records: Option<&Bytes>, version: i16) -> Result<Admitted, Refused> {
    let mut batches = batch::split(records.cloned().unwrap_or_default());
    let first = match batches.next() {
        None => return Err(invalid("a produce request must hold a record batch")),
        Some(Err(BatchError::Magic { .. })) => {
            return Err(invalid("a produce request must hold a batch of magic 2"));
        }
        Some(Err(BatchError::Offsets { .. })) => {
            return Err(invalid("offsets or counts that no batch can have"));
        }
        Some(Err(_)) => return Err(errors::CORRUPT_MESSAGE.into()),
        Some(Ok(first)) => first,
    };
    if batches.next().is_some() {
        return Err(invalid("a produce request must hold exactly one batch"));
    }
    if first.header.codec() == 4 && version < 7 {
        return Err(errors::UNSUPPORTED_COMPRESSION_TYPE.into());
    }
    Ok(Admitted {
        header: first.header,
        bytes: first.bytes,
    })
}

/// Checks a batch, and makes of it what is to be stored. Sequences are not looked at.
pub fn admit(given: Admitted, limits: &Limits) -> Result<Admitted, Refused> {
    let Admitted { mut header, bytes } = given;
    if header.base_offset != 0 {
        return Err(invalid("the base offset of a batch must be 0"));
    }
    if bytes.len() as i64 > limits.message_bytes {
        return Err(errors::MESSAGE_TOO_LARGE.into());
    }
    if !records::is_intact(&header, &bytes) {
        return Err(errors::CORRUPT_MESSAGE.into());
    }
    if header.record_count <= 0 || header.last_offset_delta != header.record_count - 1 {
        return Err(invalid("the count of records does not fit their offsets"));
    }
    if header.is_control() {
        return Err(invalid("clients may not write control records"));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return Err(invalid("a batch of an idempotent producer has no sequence"));
    }
    // Brokers have no words for a codec that does not exist.
    let source = Codec::of(header.attributes).map_err(|_| errors::UNKNOWN_SERVER_ERROR)?;
    let target = limits.codec.unwrap_or(source);
    let Some(mut inside) = records::read(&header, &bytes) else {
        return Err(invalid(
            "the records cannot be read, or are not as many as the batch says",
        ));
    };
    each_record(&header, &inside, limits)?;

    let dense = inside
        .iter()
        .zip(0..)
        .all(|(record, at)| record.offset_delta == at);
    let largest = largest_timestamp(&header, &inside, limits);
    let stored = if source == target {
        if source != Codec::None && !dense {
            // The broker's rebuild asks a record for a key that it skipped, and fails (D2).
            return Err(errors::UNKNOWN_SERVER_ERROR.into());
        }
        in_place(header, &bytes, limits, largest)
    } else {
        let base = inside.first().map_or(0, |first| first.timestamp_delta);
        for (record, at) in inside.iter_mut().zip(0..) {
            record.offset_delta = at;
            record.timestamp_delta = record.timestamp_delta.wrapping_sub(base);
        }
        header.base_timestamp = header.base_timestamp.wrapping_add(base);
        header.max_timestamp = largest;
        header.attributes = target.attributes()
            | header.attributes & TRANSACTIONAL
            | if limits.append_time {
                LOG_APPEND_TIME
            } else {
                0
            };
        rebuild(header, &inside, target)?
    };
    if stored.bytes.len() as i64 > limits.message_bytes {
        return Err(errors::MESSAGE_TOO_LARGE.into());
    }
    if stored.bytes.len() as i64 > limits.segment_bytes {
        return Err(errors::RECORD_LIST_TOO_LARGE.into());
    }
    Ok(stored)
}

/// Keys and timestamps of single records (P10, P11, P12).
fn each_record(header: &BatchHeader, inside: &[Rec], limits: &Limits) -> Result<(), Refused> {
    let mut refused = Refused::default();
    for (record, index) in inside.iter().zip(0..) {
        let stamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        let (code, message) = if limits.compacted && record.key.is_none() {
            (
                errors::INVALID_RECORD,
                "a compacted topic takes no message without a key",
            )
        } else if is_off(stamp, header, limits) {
            (
                errors::INVALID_TIMESTAMP,
                "the timestamp is out of the range the topic allows",
            )
        } else {
            continue;
        };
        if refused.code != errors::INVALID_TIMESTAMP {
            refused.code = code;
        }
        refused.message = Some("one or more records have been rejected");
        refused.records.push(
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(Some(text(message))),
        );
    }
    if refused.records.is_empty() {
        Ok(())
    } else {
        Err(refused)
    }
}

/// `LogValidator.validateTimestamp`. A batch of LogAppendTime shows its largest time for each record.
fn is_off(stamp: i64, header: &BatchHeader, limits: &Limits) -> bool {
    if limits.append_time {
        return header.is_log_append_time();
    }
    let stamp = if header.is_log_append_time() {
        header.max_timestamp
    } else {
        stamp
    };
    stamp != -1
        && (limits.now.saturating_sub(stamp) > limits.before_ms
            || stamp.saturating_sub(limits.now) > limits.after_ms)
}

/// What the header's largest timestamp becomes: whatever it said before (N8).
fn largest_timestamp(header: &BatchHeader, inside: &[Rec], limits: &Limits) -> i64 {
    if limits.append_time {
        return limits.now;
    }
    if header.is_log_append_time() {
        return header.max_timestamp;
    }
    let stamps = inside
        .iter()
        .map(|record| header.base_timestamp.wrapping_add(record.timestamp_delta));
    stamps.max().unwrap_or(-1)
}

/// `DefaultRecordBatch.setMaxTimestamp`: not a byte changes unless the type or the largest time does; then unknown bits go, too.
fn in_place(mut header: BatchHeader, bytes: &Bytes, limits: &Limits, largest: i64) -> Admitted {
    if header.is_log_append_time() == limits.append_time && header.max_timestamp == largest {
        return Admitted {
            header,
            bytes: bytes.clone(),
        };
    }
    header.attributes &= 0x07 | TRANSACTIONAL | CONTROL | DELETE_HORIZON;
    if limits.append_time {
        header.attributes |= LOG_APPEND_TIME;
    }
    header.max_timestamp = largest;
    let bytes = records::seal(&header, &bytes[HEADER_LEN..]);
    Admitted { header, bytes }
}

/// A new batch of the same producer, epoch and sequence (P16).
pub fn rebuild(mut header: BatchHeader, inside: &[Rec], codec: Codec) -> Result<Admitted, Refused> {
    let plain = records::write(inside);
    let body = if codec == Codec::None {
        plain
    } else {
        let mut packed = Vec::new();
        codec
            .compress(&plain, &mut packed)
            .map_err(|_| Refused::from(errors::UNKNOWN_SERVER_ERROR))?;
        packed
    };
    let bytes = records::seal(&header, &body);
    header.batch_length = (bytes.len() - 12) as i32;
    Ok(Admitted { header, bytes })
}
