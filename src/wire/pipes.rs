//! Pipes that hold bytes inside the kernel on their way from one socket to another: pages change hands, nothing is copied.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, OnceLock},
};

use rustix::{
    io::Errno,
    net::RecvFlags,
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tokio::net::TcpStream;

/// Room of a pipe in bytes, of which the kernel makes a slot for each page; a slot holds a piece of a packet, however small.
const ROOM: usize = 128 << 10;
/// Pipes there may be: half of the pages that Linux lets all pipes of a user have together (`pipe-user-pages-soft`, 16,384).
const MOST: usize = 256;
/// Of these so many are for what is being sent: one for each connection that waits for room; where there are more, bytes are read and written.
const SPARE: usize = 8;
/// Of the files that the process may have open, one in so many may be an end of a pipe.
const SHARE_OF_FILES: u64 = 4;
/// Files that it may have open, if the system lets it: Linux says 1,024 where nobody says otherwise.
const FILES: u64 = 8_192;

/// The pipes nobody uses, and how many there are in all.
static POOL: Mutex<Pool> = Mutex::new(Pool {
    idle: Vec::new(),
    made: 0,
});

struct Pool {
    idle: Vec<Pipe>,
    made: usize,
}

impl Pool {
    fn take(&mut self) -> Option<Pipe> {
        if let Some(pipe) = self.idle.pop() {
            return Some(pipe);
        }
        if self.made >= most() {
            return None;
        }
        let pipe = Pipe::make()?;
        self.made += 1;
        Some(pipe)
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().expect("nothing panics while holding it")
}

/// A pipe, and how much it holds.
#[derive(Debug)]
pub(super) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    holds: usize,
}

/// What came of moving bytes from a socket into a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// None: the pipe takes no more, or none at all, though there are some.
    Full,
}

impl Pipe {
    /// An empty pipe for bytes that stay a while, if one more may be had.
    pub(super) fn take() -> Option<Self> {
        let mut pool = pool();
        let free = pool.idle.len() + most().saturating_sub(pool.made);
        if free > SPARE { pool.take() } else { None }
    }

    /// An empty pipe for bytes that are sent at once, if one more may be had.
    pub(super) fn take_spare() -> Option<Self> {
        pool().take()
    }

    fn make() -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // Refused where the user's pipes have too many pages already: one that is smaller would often not hold a batch.
        let room = fcntl_setpipe_size(&into, ROOM).ok()?;
        // Made only where it is kept: a pipe that is dropped asks for the pool, which is locked here.
        (room >= ROOM).then(|| Self {
            out,
            into,
            holds: 0,
        })
    }

    /// Gives it back; what it holds is thrown away.
    pub(super) fn give_back(mut self) {
        self.empty();
        if self.holds == 0 {
            pool().idle.push(self);
        }
    }

    fn empty(&mut self) {
        static NOWHERE: OnceLock<Option<File>> = OnceLock::new();
        let open = || File::options().write(true).open("/dev/null").ok();
        let Some(nowhere) = NOWHERE.get_or_init(open) else {
            return;
        };
        while self.holds > 0 {
            match splice(&self.out, None, nowhere, None, self.holds, quick()) {
                Ok(gone) if gone > 0 => self.holds -= gone,
                Err(Errno::INTR) => {}
                _ => return,
            }
        }
    }

    /// Moves up to `most` bytes that have come to a socket, without waiting: `WouldBlock` where there are none, `UnexpectedEof` at their end.
    pub(super) fn fill(&mut self, socket: &TcpStream, most: usize) -> io::Result<Moved> {
        let mut there_are_some = false;
        loop {
            match splice(socket, None, &self.into, None, most, quick()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(moved) => {
                    self.holds += moved;
                    return Ok(Moved::Bytes(moved));
                }
                Err(Errno::INTR) => {}
                // Said of a socket without bytes, and of a pipe without room.
                Err(Errno::AGAIN) if there_are_some => return Ok(Moved::Full),
                Err(Errno::AGAIN) => {
                    has_bytes(socket)?;
                    // They may have come just now.
                    there_are_some = true;
                }
                // Not every kernel or sandbox has it: then they are read.
                Err(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::OPNOTSUPP) => {
                    return Ok(Moved::Full);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets another, empty pipe hold the same bytes; `false` if it could not take all.
    pub(super) fn share_with(&self, other: &mut Self) -> bool {
        let shared = rustix::io::retry_on_intr(|| tee(&self.out, &other.into, self.holds, quick()));
        other.holds += shared.unwrap_or(0);
        other.holds == self.holds
    }

    /// Moves what it holds to a socket, as far as that takes it without waiting. The last packet waits to be filled.
    pub(super) fn spill(&mut self, socket: &TcpStream) -> io::Result<usize> {
        let flags = quick() | SpliceFlags::MORE;
        let moved =
            rustix::io::retry_on_intr(|| splice(&self.out, None, socket, None, self.holds, flags))?;
        self.holds -= moved;
        Ok(moved)
    }

    /// Reads what it holds behind what is in `bytes`.
    pub(super) fn read(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let start = bytes.len();
        bytes.resize(start + self.holds, 0);
        let mut at = start;
        while at < bytes.len() {
            let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.out, &mut bytes[at..]))?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += read;
            self.holds -= read;
        }
        Ok(())
    }

    /// How many bytes it holds.
    pub(super) fn holds(&self) -> usize {
        self.holds
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        pool().made -= 1;
    }
}

fn quick() -> SpliceFlags {
    SpliceFlags::MOVE | SpliceFlags::NONBLOCK
}

/// Has the socket bytes that could be moved? `WouldBlock` where it has none.
fn has_bytes(socket: &TcpStream) -> io::Result<()> {
    let mut one = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match rustix::net::recv(socket, &mut one[..], flags)?.0 {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Pipes there may be in this process, which may have more files open from then on.
fn most() -> usize {
    static PIPES: OnceLock<usize> = OnceLock::new();
    *PIPES.get_or_init(|| {
        let mut files = getrlimit(Resource::Nofile);
        let more = files.maximum.map_or(FILES, |most| most.min(FILES));
        if files.current.is_some_and(|now| now < more) {
            let wanted = Rlimit {
                current: Some(more),
                ..files
            };
            if setrlimit(Resource::Nofile, wanted).is_ok() {
                files.current = Some(more);
            }
        }
        let files = files.current.unwrap_or(FILES);
        usize::try_from(files / SHARE_OF_FILES / 2).map_or(MOST, |pipes| pipes.min(MOST))
    })
}
