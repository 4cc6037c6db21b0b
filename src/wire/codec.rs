//! Decompression of batch bodies: none, gzip, snappy, lz4, zstd, each under a limit.
//!
//! Whatever the bytes claim, at most `limit` bytes come out and no more than a small multiple of what really came in, or of a
//! codec's fixed block size, is allocated ahead of the output. Broken input is an error, never a panic.

use std::io::Read;

use bytes::Bytes;

use super::buffers;
use crate::model::numbers;

/// How the records of a batch are compressed: the low three bits of the batch's attributes (Apache Kafka's `CompressionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As they are.
    None,
    /// RFC 1952, possibly several members one after the other.
    Gzip,
    /// Snappy: one raw block (librdkafka), or blocks in xerial's framing (Java).
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames (KIP-110).
    Zstd,
}

/// Why a batch's body could not be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The attributes name a codec that does not exist.
    #[error("unknown compression type {0}")]
    Unknown(i16),
    /// More than this many bytes came out, or would have.
    #[error("decompressed records are larger than {}", numbers::bytes(*.0 as u64))]
    TooLarge(usize),
    /// The bytes are not what the codec's format demands.
    #[error("broken {codec:?} data: {reason}")]
    Broken {
        /// The codec the attributes name.
        codec: Codec,
        /// What the decoder says.
        reason: String,
    },
}

impl Codec {
    /// The codec that a batch's attributes name.
    pub fn of(attributes: i16) -> Result<Self, CodecError> {
        match attributes & 0x07 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(CodecError::Unknown(other)),
        }
    }

    /// The records of a batch as plain bytes, at most `limit` of them. Uncompressed bodies are handed through without a copy.
    pub fn decompress(self, body: &Bytes, limit: usize) -> Result<Bytes, CodecError> {
        let out = self.into_buffer(body, limit, Vec::new())?;
        Ok(out.map_or_else(|| body.clone(), Bytes::from))
    }

    /// The same, for bytes that are read once and dropped: their buffer is used again.
    pub fn decompress_once(self, body: &Bytes, limit: usize) -> Result<Bytes, CodecError> {
        let out = self.into_buffer(body, limit, buffers::take())?;
        Ok(out.map_or_else(|| body.clone(), buffers::freeze))
    }

    /// `None`: the body is plain as it is.
    fn into_buffer(
        self,
        body: &[u8],
        limit: usize,
        mut out: Vec<u8>,
    ) -> Result<Option<Vec<u8>>, CodecError> {
        let broken = |reason: String| CodecError::Broken {
            codec: self,
            reason,
        };
        let read = match self {
            Self::None if body.len() > limit => return Err(CodecError::TooLarge(limit)),
            Self::None => return Ok(None),
            Self::Gzip => {
                let reader = flate2::bufread::MultiGzDecoder::new(body);
                read_up_to(reader, body.len(), limit, &mut out)
            }
            Self::Lz4 => {
                if lz4_blocks(body, limit, &mut out).is_some() {
                    return Ok(Some(out));
                }
                // The frame's checked reader understands more, and says what is wrong.
                out.clear();
                read_up_to(Lz4Frames::new(body), body.len(), limit, &mut out)
            }
            Self::Zstd => {
                // A frame's header claims its window, and streaming writers claim far more than they use; the library refuses
                // windows above 128 MiB (the largest that zstd-jni writes) and touches only what is filled.
                let decoder = zstd::stream::read::Decoder::with_buffer(body)
                    .map_err(|e| broken(e.to_string()))?;
                read_up_to(decoder, body.len(), limit, &mut out)
            }
            Self::Snappy => return snappy(body, limit, &mut out).map(|()| Some(out)),
        };
        match read {
            Ok(true) => Ok(Some(out)),
            Ok(false) => Err(CodecError::TooLarge(limit)),
            Err(error) => Err(broken(error.to_string())),
        }
    }
}

/// Reads to the end, growing as bytes really arrive; `false` beyond the limit.
fn read_up_to(
    reader: impl Read,
    input: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> std::io::Result<bool> {
    out.reserve(input.saturating_mul(2).min(limit));
    reader
        .take((limit as u64).saturating_add(1))
        .read_to_end(out)?;
    Ok(out.len() <= limit)
}

/// LZ4 frames as Kafka's clients write them (no checksums, no dictionary), block by block straight into `out`. `None` for anything
/// else, broken or too large: what stands in `out` then means nothing.
fn lz4_blocks(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut rest = body;
    while !rest.is_empty() {
        let (header, mut blocks) = rest.split_first_chunk::<7>()?;
        // Version 1; the bit for independent blocks may be set or not.
        let known = header[..4] == LZ4_MAGIC && header[4] & !0x20 == 0x40;
        let largest = match header[5] {
            code @ (0x40 | 0x50 | 0x60 | 0x70) => 1usize << (8 + 2 * (code >> 4)),
            _ => return None,
        };
        if !known {
            return None;
        }
        let begun = out.len();
        loop {
            let (length, behind) = blocks.split_first_chunk::<4>()?;
            let length = u32::from_le_bytes(*length);
            if length == 0 {
                rest = behind;
                break;
            }
            let (block, behind) = behind.split_at_checked((length & !LZ4_STORED) as usize)?;
            blocks = behind;
            if length & LZ4_STORED != 0 {
                out.extend_from_slice(block);
            } else {
                let start = out.len();
                // A byte of input never yields more than 255.
                let most = largest.min(block.len().saturating_mul(255));
                out.resize(start + most.min(limit.saturating_sub(start)), 0);
                let (before, into) = out.split_at_mut(start);
                let before = &before[begun.max(start.saturating_sub(64 << 10))..];
                let length =
                    lz4_flex::block::decompress_into_with_dict(block, into, before).ok()?;
                out.truncate(start + length);
            }
            if out.len() > limit {
                return None;
            }
        }
    }
    Some(())
}

/// LZ4 frames one after the other, until the input is used up.
struct Lz4Frames<'a>(Option<lz4_flex::frame::FrameDecoder<&'a [u8]>>);

impl<'a> Lz4Frames<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self((!body.is_empty()).then(|| lz4_flex::frame::FrameDecoder::new(body)))
    }
}

impl Read for Lz4Frames<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        while let Some(frame) = &mut self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "a reader itself; whoever reads it reads to the end"
            )]
            let n = frame.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            // Non-obvious: the decoder answers 0 at the end of a frame and then begins the next one by itself, but it also
            // answers 0 for input cut inside a frame header; progress of the input tells the two from the real end.
            let rest = *frame.get_ref();
            if rest.is_empty() {
                self.0 = None;
            } else {
                *frame = lz4_flex::frame::FrameDecoder::new(rest);
            }
        }
        Ok(0)
    }
}

/// What an LZ4 frame begins with.
pub(super) const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// Set in a block's length where the block is stored as it is.
pub(super) const LZ4_STORED: u32 = 1 << 31;
/// What xerial's framing begins with: a byte that no text has, a name, a zero.
pub(super) const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// Magic, version, lowest compatible version.
const XERIAL_HEADER: usize = 16;

fn snappy(body: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if !body.starts_with(XERIAL_MAGIC) {
        return snappy_block(body, out, limit);
    }
    let cut = || CodecError::Broken {
        codec: Codec::Snappy,
        reason: "a block is cut short".into(),
    };
    let mut rest = body;
    while !rest.is_empty() {
        // Streams that were flushed and reopened repeat the header between blocks.
        if rest.starts_with(XERIAL_MAGIC) {
            rest = rest.get(XERIAL_HEADER..).ok_or_else(cut)?;
            continue;
        }
        let (length, blocks) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| cut())?;
        snappy_block(blocks.get(..length).ok_or_else(cut)?, out, limit)?;
        rest = &blocks[length..];
    }
    Ok(())
}

/// Appends one raw snappy block.
fn snappy_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), CodecError> {
    let broken = |reason: String| CodecError::Broken {
        codec: Codec::Snappy,
        reason,
    };
    let claimed = snap::raw::decompress_len(block).map_err(|e| broken(e.to_string()))?;
    if claimed > limit.saturating_sub(out.len()) {
        return Err(CodecError::TooLarge(limit));
    }
    // Snappy's densest element is a copy of three bytes that yields 64: a larger claim is a lie, refused before allocating.
    if claimed / 64 > block.len() / 3 + 1 {
        return Err(broken(format!(
            "{} bytes cannot hold {claimed}",
            block.len()
        )));
    }
    let start = out.len();
    out.resize(start + claimed, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut out[start..])
        .map_err(|e| broken(e.to_string()))?;
    out.truncate(start + written);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    pub(crate) const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    /// Compresses as clients do; snappy in xerial's framing.
    pub(crate) fn compress(codec: Codec, plain: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => plain.to_vec(),
            Codec::Gzip => {
                let mut gzip =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(plain).unwrap();
                gzip.finish().unwrap()
            }
            Codec::Snappy => {
                let mut out = XERIAL_MAGIC.to_vec();
                out.extend([0, 0, 0, 1, 0, 0, 0, 1]);
                for block in plain.chunks(1000) {
                    let block = snap::raw::Encoder::new().compress_vec(block).unwrap();
                    out.extend((block.len() as i32).to_be_bytes());
                    out.extend(block);
                }
                out
            }
            Codec::Lz4 => {
                let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
                lz4.write_all(plain).unwrap();
                lz4.finish().unwrap()
            }
            Codec::Zstd => zstd::encode_all(plain, 3).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(plain in proptest::collection::vec(0u8..8, 0..20_000)) {
            for codec in ALL {
                let packed = Bytes::from(compress(codec, &plain));
                prop_assert_eq!(&codec.decompress(&packed, 20_000).unwrap()[..], &plain[..]);
            }
            let raw = Bytes::from(snap::raw::Encoder::new().compress_vec(&plain).unwrap());
            prop_assert_eq!(&Codec::Snappy.decompress(&raw, 20_000).unwrap()[..], &plain[..]);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_pass_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in any::<proptest::sample::Index>(),
        ) {
            for codec in ALL {
                let mut mixed = compress(codec, &bytes);
                mixed.truncate(cut.index(mixed.len() + 1));
                mixed.extend(&bytes);
                for input in [&bytes, &mixed] {
                    if let Ok(out) = codec.decompress(&Bytes::from(input.clone()), 1000) {
                        prop_assert!(out.len() <= 1000);
                    }
                }
            }
        }
    }

    #[test]
    fn every_kind_of_lz4_frame_is_read() {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
        let plain: Vec<u8> = (0..60_000u32)
            .flat_map(|n| (n % 5000).to_le_bytes())
            .collect();
        let mut fast = 0;
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            for mode in [BlockMode::Independent, BlockMode::Linked] {
                for sums in 0..4 {
                    let info = FrameInfo::new()
                        .block_size(size)
                        .block_mode(mode)
                        .block_checksums(sums & 1 != 0)
                        .content_checksum(sums & 2 != 0);
                    let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
                    frame.write_all(&plain).unwrap();
                    let packed = Bytes::from(frame.finish().unwrap());
                    let back = Codec::Lz4.decompress(&packed, plain.len()).unwrap();
                    assert!(back[..] == plain, "{mode:?} {sums}");
                    assert_eq!(
                        Codec::Lz4.decompress(&packed, plain.len() - 1),
                        Err(CodecError::TooLarge(plain.len() - 1))
                    );
                    let direct = lz4_blocks(&packed, plain.len(), &mut Vec::new());
                    fast += usize::from(direct.is_some());
                }
            }
        }
        assert_eq!(fast, 6, "those without checksums");
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 50_000_000];
        for codec in ALL {
            let bomb = Bytes::from(compress(codec, &zeros));
            assert_eq!(
                codec.decompress(&bomb, 1_000_000),
                Err(CodecError::TooLarge(1_000_000)),
                "{codec:?}"
            );
        }
    }

    #[test]
    fn cut_input_is_an_error_and_several_frames_are_one_body() {
        let plain: Vec<u8> = (0..5000u32).flat_map(|n| n.to_be_bytes()).collect();
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let packed = compress(codec, &plain);
            let cut = Bytes::copy_from_slice(&packed[..packed.len() - 9]);
            assert!(
                matches!(
                    codec.decompress(&cut, 1 << 20),
                    Err(CodecError::Broken { .. })
                ),
                "{codec:?}"
            );
            let twice = Bytes::from([packed.clone(), packed].concat());
            assert_eq!(
                codec.decompress(&twice, 1 << 20).unwrap()[..],
                [plain.clone(), plain.clone()].concat(),
                "{codec:?}"
            );
        }
    }

    #[test]
    fn a_snappy_length_that_the_bytes_cannot_hold_is_not_allocated() {
        let lie = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
        assert!(matches!(
            Codec::Snappy.decompress(&lie, usize::MAX),
            Err(CodecError::Broken { .. })
        ));
    }
}
