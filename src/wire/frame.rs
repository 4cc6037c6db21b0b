//! Length-prefixed frames, and a cursor whose every read is checked.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use uuid::Uuid;

use super::buffers;

/// Room for the start of a frame; most answers fit.
const START: usize = 8 * 1024;
/// Room made for a large frame before its bytes have come: more than the engine asks for at once, so that nothing is copied.
const FIRST: usize = 1024 * 1024;
/// A frame's length and correlation id.
const PREFIX: usize = 8;

/// Reads frames from a socket into buffers of their own.
///
/// A length is believed only as far as bytes arrive: a large frame starts with 1 MiB, in a buffer that may have been used before, and doubles as it fills. Nothing is zeroed, and bytes
/// are copied only when the buffer grows.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    /// A large frame of which some has come.
    large: Option<Large>,
    any: bool,
}

#[derive(Debug)]
struct Large {
    correlation: i32,
    /// Bytes in all, the length included.
    whole: usize,
    frame: Vec<u8>,
}

/// Why there is no next frame.
#[derive(Debug)]
pub enum FrameError {
    /// The other side hung up.
    Closed,
    /// The other side hung up in the middle of a frame.
    CutOff,
    /// Reading failed.
    Io(io::Error),
    /// A length that no answer in flight can have.
    Length {
        /// As read.
        length: i32,
        /// The limit.
        limit: usize,
    },
    /// An answer to nothing in flight.
    Correlation(i32),
    /// The first bytes are a TLS alert or handshake record.
    Tls,
}

impl Frames {
    /// The next frame without its length: the correlation id, and the bytes from the correlation id on.
    ///
    /// `limit_of` gives the largest answer to a request in flight. A call that is dropped half-way keeps what it read for the next.
    pub async fn next<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
        limit_of: impl Fn(i32) -> Option<usize>,
    ) -> Result<(i32, Bytes), FrameError> {
        if self.large.is_some() {
            return self.large(from).await;
        }
        while self.buffer.len() < PREFIX {
            self.buffer.reserve(START);
            self.fill(from).await?;
            // TLS records begin with a type (alert 21, handshake 22) and the major version 3; as a length that is over 300 MiB.
            if !self.any
                && self.buffer.len() >= 3
                && matches!(self.buffer[..2], [0x15 | 0x16, 0x03])
                && self.buffer[2] <= 4
            {
                return Err(FrameError::Tls);
            }
        }
        let mut prefix = &self.buffer[..PREFIX];
        let length = prefix.get_i32();
        let correlation = prefix.get_i32();
        if length < 4 {
            return Err(FrameError::Length { length, limit: 0 });
        }
        let limit = limit_of(correlation).ok_or(FrameError::Correlation(correlation))?;
        let whole = length as usize + 4;
        if length as usize > limit {
            return Err(FrameError::Length { length, limit });
        }
        if whole > START {
            let mut frame = buffers::take();
            let have = self.buffer.len().min(whole);
            frame.extend_from_slice(&self.buffer[..have]);
            self.buffer.advance(have);
            self.large = Some(Large {
                correlation,
                whole,
                frame,
            });
            return self.large(from).await;
        }
        while self.buffer.len() < whole {
            self.buffer.reserve(whole - self.buffer.len());
            self.fill(from).await?;
        }
        self.any = true;
        let mut frame = self.buffer.split_to(whole);
        frame.advance(4);
        Ok((correlation, frame.freeze()))
    }

    /// The rest of a large frame, straight into its own buffer.
    async fn large<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
    ) -> Result<(i32, Bytes), FrameError> {
        while let Some(large) = &mut self.large {
            let missing = large.whole - large.frame.len();
            if missing == 0 {
                break;
            }
            if large.frame.capacity() == large.frame.len() {
                let room = missing.min(FIRST.max(large.frame.len()));
                large.frame.reserve_exact(room);
            }
            match from.read_buf(&mut (&mut large.frame).limit(missing)).await {
                Ok(0) => return Err(FrameError::CutOff),
                Ok(_) => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        let large = self.large.take().ok_or(FrameError::CutOff)?;
        self.any = true;
        let mut frame = buffers::freeze(large.frame);
        frame.advance(4);
        Ok((large.correlation, frame))
    }

    async fn fill<R: AsyncRead + Unpin>(&mut self, from: &mut R) -> Result<(), FrameError> {
        match from.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Err(FrameError::Closed),
            Ok(0) => Err(FrameError::CutOff),
            Ok(_) => Ok(()),
            Err(error) => Err(FrameError::Io(error)),
        }
    }
}

/// Bytes ran out, or a length is impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// Reads protocol types of flexible versions (KIP-482) from an answer; byte fields are slices of it.
#[derive(Debug)]
pub struct Reader(Bytes);

macro_rules! fixed {
    ($($name:ident $type:ty, $get:ident;)*) => {
        $(
            #[doc = concat!("A big-endian `", stringify!($type), "`.")]
            pub fn $name(&mut self) -> Result<$type, Malformed> {
                self.0.$get().map_err(|_| Malformed("it ends too early"))
            }
        )*
    };
}

impl Reader {
    /// Starts at the first byte.
    pub fn new(bytes: Bytes) -> Self {
        Self(bytes)
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
                .0
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
            n if (n - 1) as usize <= self.0.len() => Ok(Some((n - 1) as usize)),
            _ => Err(Malformed("an array is longer than the answer")),
        }
    }

    /// Compact bytes, `None` for null; a slice of the answer.
    pub fn bytes(&mut self) -> Result<Option<Bytes>, Malformed> {
        match self.varint()? {
            0 => Ok(None),
            n if (n - 1) as usize <= self.0.len() => Ok(Some(self.0.split_to((n - 1) as usize))),
            _ => Err(Malformed("a field is longer than the answer")),
        }
    }

    /// A UUID.
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        let value = self
            .0
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
            if size > self.0.len() {
                return Err(Malformed("a tagged field is longer than the answer"));
            }
            known(tag, &mut Reader(self.0.split_to(size)))?;
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

    async fn read(bytes: &[u8], limit: usize) -> Result<(i32, Bytes), FrameError> {
        Frames::default()
            .next(&mut &bytes[..], |correlation| {
                (correlation == 7).then_some(limit)
            })
            .await
    }

    fn frame(correlation: i32, body: usize) -> Vec<u8> {
        let mut bytes = ((body + 4) as i32).to_be_bytes().to_vec();
        bytes.extend(correlation.to_be_bytes());
        bytes.extend((0..body).map(|i| i as u8));
        bytes
    }

    #[tokio::test]
    async fn frames_of_all_sizes_arrive_whole() {
        for body in [
            0,
            1,
            START - 8,
            START - 7,
            START,
            FIRST - 8,
            FIRST,
            3 * FIRST + 11,
        ] {
            let mut two = frame(7, body);
            two.extend(frame(7, 3));
            let mut from = &two[..];
            let mut frames = Frames::default();
            for wanted in [body, 3] {
                let (correlation, bytes) = frames
                    .next(&mut from, |_| Some(8 * FIRST))
                    .await
                    .expect("a frame");
                assert_eq!((correlation, bytes.len()), (7, wanted + 4));
                assert!(
                    bytes[4..]
                        .iter()
                        .enumerate()
                        .all(|(i, &byte)| byte == i as u8)
                );
            }
            assert!(matches!(
                frames.next(&mut from, |_| Some(0)).await,
                Err(FrameError::Closed)
            ));
        }
    }

    #[tokio::test]
    async fn hostile_prefixes_are_errors() {
        assert!(matches!(
            read(&frame(7, 100)[..50], 1000).await,
            Err(FrameError::CutOff)
        ));
        assert!(matches!(
            read(&frame(8, 10), 1000).await,
            Err(FrameError::Correlation(8))
        ));
        assert!(matches!(
            read(&frame(7, 10), 13).await,
            Err(FrameError::Length {
                length: 14,
                limit: 13
            })
        ));
        for length in [-1, i32::MIN, 0, 3] {
            let mut bytes = i32::to_be_bytes(length).to_vec();
            bytes.extend([0, 0, 0, 7]);
            assert!(matches!(
                read(&bytes, 1000).await,
                Err(FrameError::Length { .. })
            ));
        }
        assert!(matches!(
            read(&[0x15, 3, 3, 0, 2, 2, 80], 1000).await,
            Err(FrameError::Tls)
        ));
    }

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
