//! Records of a batch as slices: where each one stands and its time are decoded, the rest is left as it is.

use super::record::RecordError;

/// One record. Its deltas count from its batch's base offset and base timestamp.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    /// Offset minus the batch's base offset.
    pub offset_delta: i32,
    /// Timestamp minus the batch's base timestamp.
    pub timestamp_delta: i64,
    /// All of it, its length included.
    pub whole: &'a [u8],
    /// The record's own attributes, of which none is defined.
    pub attributes: u8,
    /// Key, value and headers.
    pub rest: &'a [u8],
}

/// The records of one batch, from its decompressed body. Offsets ascend and lie within the batch, or it is an error, after which it
/// ends.
#[derive(Debug)]
pub struct Slices<'a> {
    plain: &'a [u8],
    index: i32,
    count: i32,
    last: i64,
    largest: i32,
}

impl<'a> Slices<'a> {
    /// So many records, the last of them at most this far behind the first, from a decompressed body.
    pub fn of(count: i32, last_offset_delta: i32, plain: &'a [u8]) -> Self {
        Self {
            plain,
            index: 0,
            count,
            last: -1,
            largest: last_offset_delta,
        }
    }

    fn decode(&mut self) -> Result<Slice<'a>, RecordError> {
        let index = self.index;
        let cut = || RecordError::Cut { index };
        let impossible = |field| RecordError::Impossible { index, field };
        let mut at = self.plain;
        let length = varint(&mut at).map_err(|bad| bad.of(index, "length"))?;
        let length = usize::try_from(length).map_err(|_| impossible("length"))?;
        let (mut record, next) = at.split_at_checked(length).ok_or_else(cut)?;
        let whole = &self.plain[..self.plain.len() - next.len()];
        let (&attributes, behind) = record.split_first().ok_or_else(cut)?;
        record = behind;
        let timestamp_delta = varlong(&mut record).map_err(|bad| bad.of(index, "timestamp"))?;
        let offset_delta = varint(&mut record).map_err(|bad| bad.of(index, "offset"))?;
        if i64::from(offset_delta) <= self.last || offset_delta > self.largest {
            return Err(impossible("offset"));
        }
        self.last = offset_delta.into();
        self.plain = next;
        Ok(Slice {
            offset_delta,
            timestamp_delta,
            whole,
            attributes,
            rest: record,
        })
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = Result<Slice<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.count {
            let left = std::mem::take(&mut self.plain).len();
            return (left > 0).then_some(Err(RecordError::Leftover(left)));
        }
        let record = self.decode();
        self.index += 1;
        if record.is_err() {
            self.plain = &[];
            self.index = self.count;
        }
        Some(record)
    }
}

/// Why a number cannot be read.
enum Bad {
    Cut,
    Large,
}

impl Bad {
    fn of(self, index: i32, field: &'static str) -> RecordError {
        match self {
            Self::Cut => RecordError::Cut { index },
            Self::Large => RecordError::Impossible { index, field },
        }
    }
}

/// An unsigned LEB128 number.
fn unsigned(bytes: &mut &[u8]) -> Result<u64, Bad> {
    let mut number = 0u64;
    for (at, &byte) in bytes.iter().enumerate() {
        let shift = 7 * at as u32;
        let payload = u64::from(byte & 0x7f);
        if shift >= u64::BITS || (payload << shift) >> shift != payload {
            return Err(Bad::Large);
        }
        number |= payload << shift;
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(number);
        }
    }
    Err(Bad::Cut)
}

fn varlong(bytes: &mut &[u8]) -> Result<i64, Bad> {
    let number = unsigned(bytes)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn varint(bytes: &mut &[u8]) -> Result<i32, Bad> {
    i32::try_from(varlong(bytes)?).map_err(|_| Bad::Large)
}
