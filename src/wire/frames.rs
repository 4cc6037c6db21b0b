//! Length-prefixed frames from a socket: read into buffers, but for bodies of large batches, which may stay in the kernel.

use std::{collections::VecDeque, io};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::AsyncReadExt;

use super::{
    buffers,
    kept::Kept,
    pipes::{Moved, Pipe},
    records::{Cut, Frame},
    skim::{Next, Skim},
    socket::Readable,
};

/// Room for the start of a frame; most answers fit.
const START: usize = 8 * 1024;
/// Room made for a large frame before its bytes have come: more than the engine asks for at once, so that nothing is copied.
const FIRST: usize = 1 << 20;
/// A frame's length and correlation id.
const PREFIX: usize = 8;
/// Bytes of the length.
const LENGTH: usize = 4;
/// What stays in the kernel: rests of batches that are not smaller, because a pipe costs some calls, and not larger, because it has to hold them.
const WORTH_KEEPING: std::ops::RangeInclusive<usize> = 16 << 10..=100 << 10;
/// Read at once where bodies are kept: tags, the header of a partition and of its first batch mostly fit.
const BETWEEN: usize = 512;
/// Read at once behind a batch that is too small to be kept: so will be the next.
const AMONG_SMALL: usize = 64 << 10;
/// A connection whose bytes did not fit into pipes so often in a row comes in pieces too small for them.
const MISFITS: u32 = 3;

/// Reads frames from a socket into buffers of their own.
///
/// A length is believed only as far as bytes arrive: a large frame starts with 1 MiB, in a buffer that may have been used before, and doubles as it fills. Nothing is zeroed, and bytes
/// are copied only when the buffer grows.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    any: bool,
    /// How often in a row a pipe was full too early.
    misfits: u32,
}

/// A large frame of which some has come.
struct Large {
    /// Bytes in all, the length included.
    whole: usize,
    /// What is at hand of them.
    frame: Vec<u8>,
    /// What is not.
    cuts: VecDeque<Cut>,
    /// Bytes of all cuts.
    cut: usize,
}

/// What is known of an answer before it comes.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Bytes it may have.
    pub limit: usize,
    /// It answers a fetch request of this version, and bodies of its batches may stay in the kernel.
    pub keeps: Option<i16>,
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

impl From<usize> for Expected {
    fn from(limit: usize) -> Self {
        Self { limit, keeps: None }
    }
}

impl Frames {
    /// The next frame without its length: the correlation id, and the bytes from the correlation id on.
    ///
    /// `expected` tells of a request in flight what its answer may be. A call that is dropped half-way loses the frame.
    pub async fn next<R: Readable>(
        &mut self,
        from: &mut R,
        expected: impl Fn(i32) -> Option<Expected>,
    ) -> Result<(i32, Frame), FrameError> {
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
        let Expected { limit, keeps } =
            expected(correlation).ok_or(FrameError::Correlation(correlation))?;
        let whole = length as usize + LENGTH;
        if length as usize > limit {
            return Err(FrameError::Length { length, limit });
        }
        if whole > START {
            let mut frame = buffers::take();
            let have = self.buffer.len().min(whole);
            frame.extend_from_slice(&self.buffer[..have]);
            self.buffer.advance(have);
            let keeps = keeps.filter(|_| self.misfits < MISFITS);
            let mut large = Large {
                whole,
                frame,
                cuts: VecDeque::new(),
                cut: 0,
            };
            if let (Some(version), true) = (keeps, from.socket().is_some()) {
                large.skim(from, version, &mut self.misfits).await?;
            }
            large.read_rest(from).await?;
            self.any = true;
            return Ok((correlation, large.done()));
        }
        while self.buffer.len() < whole {
            self.buffer.reserve(whole - self.buffer.len());
            self.fill(from).await?;
        }
        self.any = true;
        let mut frame = self.buffer.split_to(whole);
        frame.advance(LENGTH);
        Ok((correlation, frame.freeze().into()))
    }

    async fn fill<R: Readable>(&mut self, from: &mut R) -> Result<(), FrameError> {
        match from.read_buf(&mut self.buffer).await {
            Ok(0) if self.buffer.is_empty() => Err(FrameError::Closed),
            Ok(0) => Err(FrameError::CutOff),
            Ok(_) => Ok(()),
            Err(error) => Err(FrameError::Io(error)),
        }
    }
}

impl Large {
    /// Bytes that have not come.
    fn missing(&self) -> usize {
        self.whole - self.cut - self.frame.len()
    }

    /// Reads all that is missing.
    async fn read_rest<R: Readable>(&mut self, from: &mut R) -> Result<(), FrameError> {
        let mut missing = self.missing();
        while missing > 0 {
            if self.frame.capacity() == self.frame.len() {
                let room = missing.min(FIRST.max(self.frame.len()));
                self.frame.reserve_exact(room);
            }
            match from.read_buf(&mut (&mut self.frame).limit(missing)).await {
                Ok(0) => return Err(FrameError::CutOff),
                Ok(read) => missing -= read,
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        Ok(())
    }

    /// Reads at least so many more bytes, and of what follows at most so many.
    async fn read_some<R: Readable>(
        &mut self,
        from: &mut R,
        least: usize,
        following: usize,
    ) -> Result<(), FrameError> {
        let least = least.min(self.missing());
        let most = least.saturating_add(following).min(self.missing());
        let end = self.frame.len() + most;
        let enough = self.frame.len() + least;
        while self.frame.len() < enough {
            let room = (end - self.frame.len()).min(FIRST);
            if self.frame.capacity() - self.frame.len() < room {
                // Among small batches all of it will be at hand; else only a small part.
                let all = self.missing().min(FIRST);
                let more = if following > BETWEEN { all } else { room };
                self.frame.reserve_exact(more.max(self.frame.len() / 2));
            }
            match from.read_buf(&mut (&mut self.frame).limit(room)).await {
                Ok(0) => return Err(FrameError::CutOff),
                Ok(_) => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        Ok(())
    }

    /// Reads all but the bodies of large batches, which are kept in the kernel, up to where nothing more is to be kept.
    async fn skim<R: Readable>(
        &mut self,
        from: &mut R,
        version: i16,
        misfits: &mut u32,
    ) -> Result<(), FrameError> {
        let mut skim = Skim::new(version);
        loop {
            match skim.next(&self.frame[LENGTH..]) {
                Next::More(least) if self.missing() > 0 => {
                    self.read_some(from, least, BETWEEN).await?;
                }
                Next::Body(missing) if missing <= self.missing() => {
                    let end = self.frame.len() + missing;
                    let pipe = WORTH_KEEPING.contains(&missing).then(Pipe::take).flatten();
                    let is_kept = match (pipe, from.socket()) {
                        (Some(pipe), Some(socket)) => {
                            self.keep(socket, pipe, missing, misfits).await?
                        }
                        _ => false,
                    };
                    if !is_kept {
                        let is_small = missing < *WORTH_KEEPING.start();
                        let more = if is_small { AMONG_SMALL } else { BETWEEN };
                        skim.reads(missing);
                        self.read_some(from, end - self.frame.len(), more).await?;
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    /// Moves so many bytes into a pipe. `false`: it did not take them all, and those it took are at hand.
    async fn keep(
        &mut self,
        socket: &tokio::net::TcpStream,
        mut pipe: Pipe,
        bytes: usize,
        misfits: &mut u32,
    ) -> Result<bool, FrameError> {
        while pipe.holds() < bytes {
            let left = bytes - pipe.holds();
            let moved = socket.try_io(tokio::io::Interest::READABLE, || pipe.fill(socket, left));
            match moved {
                Ok(Moved::Bytes(_)) => {}
                Ok(Moved::Full) => {
                    *misfits += 1;
                    pipe.read(&mut self.frame).map_err(FrameError::Io)?;
                    pipe.give_back();
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    socket.readable().await.map_err(FrameError::Io)?;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(FrameError::CutOff);
                }
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        *misfits = 0;
        self.cut += bytes;
        self.cuts.push_back(Cut {
            at: self.frame.len() - LENGTH,
            kept: Kept::new(pipe),
        });
        Ok(true)
    }

    fn done(self) -> Frame {
        let mut bytes = buffers::freeze(self.frame);
        bytes.advance(LENGTH);
        Frame {
            bytes,
            cuts: self.cuts,
        }
    }
}

#[cfg(test)]
mod tests;
