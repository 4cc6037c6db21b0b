//! A broker's socket, whose writing half asks for permission before every system call.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, ReadHalf, WriteHalf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_rustls::client::TlsStream;

use super::{conn::MaySend, pipes::Pipe};

/// What frames are read from.
pub trait Readable: AsyncRead + Send + Unpin {
    /// The socket itself, where what it brings is what was sent.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl Readable for OwnedReadHalf {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

impl Readable for ReadHalf<TlsStream<Socket>> {}

/// Bytes that are there already.
impl Readable for &[u8] {}

/// What frames are written to.
pub(super) trait Writable: AsyncWrite + Send + Unpin {
    /// The socket itself, where what is written is what is sent.
    fn gated(&self) -> Option<&Gated> {
        None
    }
}

impl Writable for Gated {
    fn gated(&self) -> Option<&Gated> {
        Some(self)
    }
}

impl Writable for WriteHalf<TlsStream<Socket>> {}

/// The right to write was withdrawn.
#[derive(Debug, thiserror::Error)]
#[error("the right to write was lost")]
pub(super) struct RightLost;

/// The writing half of a socket that asks for permission before every system call that writes.
pub(super) struct Gated {
    half: OwnedWriteHalf,
    may_send: Option<MaySend>,
}

impl Gated {
    pub(super) fn new(half: OwnedWriteHalf, may_send: Option<MaySend>) -> Self {
        Self { half, may_send }
    }

    /// Writes what more follows behind at once: the last packet waits to be filled.
    pub(super) async fn write_before_more(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = |socket: &TcpStream| {
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
            let sent = || sendmsg(socket, slices, &mut SendAncillaryBuffer::default(), flags);
            socket.try_io(Interest::WRITABLE, || Ok(rustix::io::retry_on_intr(sent)?))
        };
        poll_fn(|cx| self.poll(cx, write)).await
    }

    /// Writes what a pipe holds, likewise.
    pub(super) async fn spill_before_more(&self, pipe: &mut Pipe) -> io::Result<()> {
        while pipe.holds() > 0 {
            let spilt = poll_fn(|cx| {
                self.poll(cx, |socket| {
                    socket.try_io(Interest::WRITABLE, || pipe.spill(socket))
                })
            });
            if spilt.await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let socket = self.half.as_ref();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            if self.may_send.as_ref().is_some_and(|may_send| !may_send()) {
                return Poll::Ready(Err(io::Error::other(RightLost)));
            }
            match write(socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncWrite for Gated {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, |socket| socket.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.half).poll_shutdown(cx)
    }
}

/// Both halves of a socket together, for TLS to sit on.
pub(super) struct Socket {
    pub(super) read: OwnedReadHalf,
    pub(super) write: Gated,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(cx)
    }
}
