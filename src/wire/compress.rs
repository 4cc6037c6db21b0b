//! Compression of batch bodies, each codec as Apache Kafka's own clients write it, so that every consumer reads it.

use std::{cell::RefCell, io::Write};

use super::codec::{Codec, CodecError, LZ4_MAGIC, LZ4_STORED, XERIAL_MAGIC};

/// LZ4's frame header behind the magic: version 1 with independent blocks and no checksums (Java's reader refuses blocks that depend on each
/// other), blocks of 64 KiB as Java writes them (a reader sets aside a whole block), and the second byte of the header's xxHash.
const LZ4_HEADER: [u8; 3] = [0x60, 0x40, 0x82];
const LZ4_BLOCK: usize = 64 << 10;
/// Version and lowest compatible version, behind xerial's magic.
const XERIAL_VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// Java's block size.
const XERIAL_BLOCK: usize = 32 << 10;
/// The default of Apache Kafka's producers, as gzip's is 6.
const ZSTD_LEVEL: i32 = 3;

thread_local! {
    /// A compressor is half a megabyte to set up.
    static ZSTD: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

impl Codec {
    /// The number that stands in a batch's attributes.
    pub fn attributes(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Appends the compressed form of `plain` to `out`.
    pub fn compress(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let compressed = match self {
            Self::None => {
                out.extend_from_slice(plain);
                Ok(())
            }
            Self::Gzip => {
                let mut gzip = flate2::write::GzEncoder::new(out, flate2::Compression::default());
                gzip.write_all(plain)
                    .and_then(|()| gzip.finish().map(drop))
                    .map_err(|error| error.to_string())
            }
            Self::Snappy => snappy(plain, out),
            Self::Lz4 => lz4(plain, out),
            Self::Zstd => zstd(plain, out),
        };
        compressed.map_err(|reason| CodecError::Broken {
            codec: self,
            reason,
        })
    }
}

fn snappy(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(XERIAL_MAGIC);
    out.extend_from_slice(&XERIAL_VERSIONS);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(XERIAL_BLOCK) {
        let start = out.len();
        out.resize(start + 4 + snap::raw::max_compress_len(block.len()), 0);
        let length = encoder
            .compress(block, &mut out[start + 4..])
            .map_err(|error| error.to_string())?;
        // A block of 32 KiB never grows past 2 GiB.
        out[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
        out.truncate(start + 4 + length);
    }
    Ok(())
}

fn lz4(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&LZ4_MAGIC);
    out.extend_from_slice(&LZ4_HEADER);
    let mut table = lz4_flex::block::CompressTable::large();
    for block in plain.chunks(LZ4_BLOCK) {
        let start = out.len();
        let most = lz4_flex::block::get_maximum_output_size(block.len());
        out.resize(start + 4 + most, 0);
        let length =
            lz4_flex::block::compress_into_with_table(block, &mut out[start + 4..], &mut table)
                .map_err(|error| error.to_string())?;
        let stored = if length < block.len() {
            out.truncate(start + 4 + length);
            length as u32
        } else {
            out.truncate(start + 4);
            out.extend_from_slice(block);
            block.len() as u32 | LZ4_STORED
        };
        out[start..start + 4].copy_from_slice(&stored.to_le_bytes());
    }
    out.extend_from_slice(&[0; 4]); // the end
    Ok(())
}

fn zstd(plain: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    out.resize(start + zstd::zstd_safe::compress_bound(plain.len()), 0);
    let length = ZSTD.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
        };
        compressor.compress_to_buffer(plain, &mut out[start..])
    });
    let length = length.map_err(|error| error.to_string())?;
    out.truncate(start + length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::codec::tests::ALL;

    fn round_trip(codec: Codec, plain: &[u8]) {
        let mut out = b"before".to_vec();
        codec.compress(plain, &mut out).expect("it compresses");
        assert!(out.starts_with(b"before"));
        let packed = Bytes::from(out).slice(6..);
        let back = codec.decompress(&packed, plain.len()).expect("it is valid");
        assert_eq!(&back[..], plain, "{codec:?}");
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(plain in proptest::collection::vec(0u8..20, 0..3_000), repeat in 0usize..100) {
            for codec in ALL {
                round_trip(codec, &plain);
                round_trip(codec, &plain.repeat(repeat));
            }
        }
    }

    #[test]
    fn bytes_that_do_not_shrink_come_back_over_several_blocks() {
        let mut number = 7u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (number >> 56) as u8
        })
        .take(300_000)
        .collect();
        for codec in ALL {
            round_trip(codec, &noise);
            assert_eq!(Codec::of(codec.attributes()), Ok(codec));
        }
    }

    #[test]
    fn the_frame_header_of_lz4_is_the_one_its_library_writes() {
        use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_mode(BlockMode::Independent);
        let mut frame = FrameEncoder::with_frame_info(info, Vec::new());
        frame.write_all(b"x").expect("a vector takes everything");
        let frame = frame.finish().expect("a vector takes everything");
        assert_eq!(frame[..7], [&LZ4_MAGIC[..], &LZ4_HEADER].concat());
    }
}
