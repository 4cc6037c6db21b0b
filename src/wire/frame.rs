//! Protocol types: read from an answer, with every read checked, and written to a request.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::records::{Cut, Frame, Records};

/// Bytes ran out, or a length is impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Reads protocol types of flexible versions (KIP-482) from an answer; byte fields are slices of it.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
    /// Bytes at hand in all.
    whole: usize,
    cuts: VecDeque<Cut>,
}

macro_rules! fixed {
    ($($name:ident $type:ty, $get:ident;)*) => {
        $(
            #[doc = concat!("A big-endian `", stringify!($type), "`.")]
            pub fn $name(&mut self) -> Result<$type, Malformed> {
                self.rest.$get().map_err(|_| Malformed("it ends too early"))
            }
        )*
    };
}

impl Reader {
    /// Starts at the first byte.
    pub fn new(bytes: Bytes) -> Self {
        Self::of(bytes.into())
    }

    /// Starts at the first byte of an answer that may have bytes in the kernel.
    pub fn of(frame: Frame) -> Self {
        Self {
            whole: frame.bytes.len(),
            rest: frame.bytes,
            cuts: frame.cuts,
        }
    }

    fixed! {
        int8 i8, try_get_i8;
        int16 i16, try_get_i16;
        int32 i32, try_get_i32;
        int64 i64, try_get_i64;
    }

    /// An unsigned varint of up to five bytes.
    pub fn varint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self
                .rest
                .try_get_u8()
                .map_err(|_| Malformed("it ends too early"))?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| Malformed("a varint is too large"));
            }
        }
        Err(Malformed("a varint does not end"))
    }

    /// The length of a compact array, `None` for null. Never more than the bytes that remain.
    pub fn array(&mut self) -> Result<Option<usize>, Malformed> {
        match self.varint()? {
            0 => Ok(None),
            n if (n - 1) as usize <= self.rest.len() => Ok(Some((n - 1) as usize)),
            _ => Err(Malformed("an array is longer than the answer")),
        }
    }

    /// Compact bytes, `None` for null; a slice of the answer.
    pub fn bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.varint()? {
            0 => Ok(None),
            n if (n - 1) as usize <= self.rest.len() => {
                Ok(Some(self.rest.split_to((n - 1) as usize)))
            }
            _ => Err(Malformed("a field is longer than the answer")),
        }
    }

    /// Compact bytes of which some may have stayed in the kernel; none for null.
    pub fn records(&mut self) -> Result<Records, Malformed> {
        let Some(mut missing) = (self.varint()? as usize).checked_sub(1) else {
            return Ok(Records::default());
        };
        let begin = self.whole - self.rest.len();
        let mut cuts = VecDeque::new();
        while let Some(cut) = self.cuts.front()
            && let Some(left) = missing.checked_sub(cut.kept.len())
            && cut.at <= begin + left
            && let Some(cut) = self.cuts.pop_front()
        {
            missing = left;
            let at = cut.at.saturating_sub(begin);
            cuts.push_back(Cut { at, ..cut });
        }
        if missing > self.rest.len() {
            return Err(Malformed("a field is longer than the answer"));
        }
        Ok(Records::new(self.rest.split_to(missing), cuts))
    }

    /// A UUID.
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        let value = self
            .rest
            .try_get_u128()
            .map_err(|_| Malformed("it ends too early"))?;
        Ok(Uuid::from_u128(value))
    }

    /// Tagged fields: calls `known` with tag and value; what it does not know is skipped.
    pub fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let size = self.varint()? as usize;
            if size > self.rest.len() {
                return Err(Malformed("a tagged field is longer than the answer"));
            }
            known(tag, &mut Self::new(self.rest.split_to(size)))?;
        }
        Ok(())
    }

    /// Skips tagged fields.
    pub fn skip_tags(&mut self) -> Result<(), Malformed> {
        self.tags(|_, _| Ok(()))
    }
}

/// Writes an unsigned varint.
pub fn put_varint(buffer: &mut BytesMut, mut value: u32) {
    while value >= 0x80 {
        buffer.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}

/// Writes the length of a compact array or of compact bytes.
pub fn put_length(buffer: &mut BytesMut, length: usize) {
    let length = u32::try_from(length + 1).expect("requests are far smaller than 4 GiB");
    put_varint(buffer, length);
}

/// Writes a compact string.
pub fn put_string(buffer: &mut BytesMut, text: &str) {
    put_length(buffer, text.len());
    buffer.put_slice(text.as_bytes());
}

/// Writes a request header of version 2 (flexible): key, version, correlation id, client id, no tagged fields.
pub fn put_header(buffer: &mut BytesMut, key: i16, version: i16, correlation: i32) {
    buffer.put_i16(key);
    buffer.put_i16(version);
    buffer.put_i32(correlation);
    buffer.put_i16(CLIENT_ID.len() as i16);
    buffer.put_slice(CLIENT_ID.as_bytes());
    buffer.put_u8(0);
}

/// How brokers see us in their logs and quotas.
pub const CLIENT_ID: &str = "kafka-migrate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_beyond_the_answer_are_errors() {
        let reader = |bytes: &'static [u8]| Reader::new(Bytes::from_static(bytes));
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).array().is_err());
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 1]).varint().is_err());
        assert!(reader(&[0xff, 0xff, 0xff, 0xff, 0x1f]).varint().is_err());
        assert!(reader(&[5, 1, 2]).bytes().is_err());
        assert!(reader(&[2, 0, 9, 1]).skip_tags().is_err());
        assert_eq!(reader(&[0]).array(), Ok(None));
    }
}
