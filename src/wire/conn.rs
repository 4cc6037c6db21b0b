//! One broker connection: requests in flight by correlation id, or poisoned.

use std::{
    collections::HashMap,
    io::{self, IoSlice},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::{
    messages::{RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, StrBytes},
};
use tokio::{
    io::AsyncWriteExt,
    sync::{RwLock, mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{
    Error,
    frame::CLIENT_ID,
    frames::{Expected, FrameError, Frames},
    kept::{Chunk, Ready},
    records::Frame,
    socket::{Readable, RightLost, Writable},
    versions::{Api, Ask, Versions},
};

/// Checked right before every write to a produce socket; `false` poisons the connection with nothing more written.
pub type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

/// Requests that may wait for the writer.
const QUEUE: usize = 16;
/// Chunks handed to the kernel in one call.
const SLICES: usize = 64;

/// A connection, ready for requests. Clones share it; it closes with the last one.
#[derive(Clone)]
pub struct Conn(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    next: AtomicI32,
    queue: mpsc::Sender<Vec<Chunk>>,
    /// Held for writing while the connection logs in again (KIP-368): nothing else may be sent between those steps.
    turn: RwLock<()>,
    versions: OnceLock<Versions>,
    certificate_ends: OnceLock<i64>,
}

struct Shared {
    address: Arc<str>,
    state: Mutex<State>,
    tasks: OnceLock<[AbortHandle; 2]>,
}

enum State {
    Open(HashMap<i32, Waiting>),
    Poisoned(Error),
}

struct Waiting {
    expected: Expected,
    answer: oneshot::Sender<Frame>,
}

/// A request whose answer has not come yet.
pub struct Pending {
    answer: oneshot::Receiver<Frame>,
    conn: Conn,
    api: &'static str,
    patience: Duration,
    deadline: Instant,
}

impl Conn {
    /// Starts the reader and the writer on an open stream.
    pub(super) fn start(
        address: Arc<str>,
        mut read: impl Readable + 'static,
        mut write: impl Writable + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            address,
            state: Mutex::new(State::Open(HashMap::new())),
            tasks: OnceLock::new(),
        });
        let (queue, mut waiting) = mpsc::channel::<Vec<Chunk>>(QUEUE);
        let of = shared.clone();
        let reader = tokio::spawn(async move {
            let mut frames = Frames::default();
            loop {
                match frames
                    .next(&mut read, |correlation| of.expected(correlation))
                    .await
                {
                    Ok((correlation, frame)) => of.answered(correlation, frame),
                    Err(error) => return of.poison(of.frame_error(error)),
                }
            }
        });
        let of = shared.clone();
        let writer = tokio::spawn(async move {
            while let Some(chunks) = waiting.recv().await {
                if let Err(error) = write_all(&mut write, chunks).await {
                    return of.poison(of.io_error(error));
                }
            }
        });
        let _ = shared
            .tasks
            .set([reader.abort_handle(), writer.abort_handle()]);
        Self(Arc::new(Inner {
            shared,
            next: AtomicI32::new(0),
            queue,
            turn: RwLock::new(()),
            versions: OnceLock::new(),
            certificate_ends: OnceLock::new(),
        }))
    }

    /// `host:port` of the broker.
    pub fn address(&self) -> &Arc<str> {
        &self.0.shared.address
    }

    /// What the broker offers; nothing before the greeting.
    pub fn versions(&self) -> &Versions {
        static NONE: OnceLock<Versions> = OnceLock::new();
        self.0
            .versions
            .get()
            .unwrap_or_else(|| NONE.get_or_init(Versions::default))
    }

    pub(super) fn set_versions(&self, versions: Versions) {
        let _ = self.0.versions.set(versions);
    }

    /// When the first certificate of the broker's chain ends, in seconds since 1970; `None` without TLS or where it cannot be read.
    pub fn certificate_ends(&self) -> Option<i64> {
        self.0.certificate_ends.get().copied()
    }

    pub(super) fn set_certificate_ends(&self, ends: i64) {
        let _ = self.0.certificate_ends.set(ends);
    }

    /// The highest version of an API that both sides speak.
    pub fn version(&self, api: Api) -> Result<i16, Error> {
        self.versions().pick(api).ok_or_else(|| Error::Version {
            address: self.address().to_string(),
            api: api.name,
            ours: api.speak,
            theirs: self.versions().offered(api),
        })
    }

    /// False once poisoned.
    pub fn is_alive(&self) -> bool {
        matches!(*self.0.shared.lock(), State::Open(_))
    }

    /// Gives the connection up: everyone who waits gets `error`, and nothing more is written.
    pub fn poison(&self, error: Error) {
        self.0.shared.poison(error);
    }

    /// Asks in the highest common version and waits for the answer.
    pub async fn ask<A: Ask>(&self, request: &A, patience: Duration) -> Result<A::Answer, Error> {
        let version = self.version(A::API)?;
        self.ask_version(request, version, patience).await
    }

    /// Asks in a given version and waits for the answer.
    pub async fn ask_version<A: Ask>(
        &self,
        request: &A,
        version: i16,
        patience: Duration,
    ) -> Result<A::Answer, Error> {
        let pending = self
            .submit(A::API, A::API.limit, patience, |correlation| {
                encode(request, A::API, version, correlation)
            })
            .await?;
        let frame = pending.wait().await?;
        self.decode::<A::Answer>(A::API, version, frame)
    }

    /// Like [`Conn::ask`], for the steps of a login, which other requests have to stay out of.
    pub(super) async fn ask_in_login<A: Ask>(
        &self,
        request: &A,
        patience: Duration,
    ) -> Result<A::Answer, Error> {
        let version = self.version(A::API)?;
        let build = |correlation| encode(request, A::API, version, correlation);
        let frame = self
            .enqueue(A::API, A::API.limit.into(), patience, build)
            .await?
            .wait()
            .await?;
        self.decode::<A::Answer>(A::API, version, frame)
    }

    /// Keeps every other request waiting until the guard is dropped.
    pub(super) async fn alone(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.0.turn.write().await
    }

    pub(super) fn downgrade(&self) -> WeakConn {
        WeakConn(Arc::downgrade(&self.0))
    }

    /// Queues one request, in call order; returns when it is queued. `build` gets the correlation id and gives the chunks of the frame
    /// without its length, which are written as they are. The answer is no larger than `expected`.
    pub async fn submit(
        &self,
        api: Api,
        expected: impl Into<Expected>,
        patience: Duration,
        build: impl FnOnce(i32) -> Result<Vec<Chunk>, Error>,
    ) -> Result<Pending, Error> {
        let _turn = self.0.turn.read().await;
        self.enqueue(api, expected.into(), patience, build).await
    }

    async fn enqueue(
        &self,
        api: Api,
        expected: Expected,
        patience: Duration,
        build: impl FnOnce(i32) -> Result<Vec<Chunk>, Error>,
    ) -> Result<Pending, Error> {
        let deadline = Instant::now() + patience;
        let correlation = self.0.next.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let mut chunks = build(correlation)?;
        let length: usize = chunks.iter().map(Chunk::len).sum();
        let length = i32::try_from(length).map_err(|_| Error::Unencodable {
            api: api.name,
            reason: format!("{length} bytes are too many for one request"),
        })?;
        chunks.insert(0, Bytes::copy_from_slice(&length.to_be_bytes()).into());
        let room = match timeout_at(deadline, self.0.queue.reserve()).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) => return Err(self.0.shared.error()),
            Err(_) => return Err(self.timed_out(api.name, patience)),
        };
        let (answer, receiver) = oneshot::channel();
        match &mut *self.0.shared.lock() {
            State::Open(in_flight) => in_flight.insert(correlation, Waiting { expected, answer }),
            State::Poisoned(error) => return Err(error.clone()),
        };
        room.send(chunks);
        Ok(Pending {
            answer: receiver,
            conn: self.clone(),
            api: api.name,
            patience,
            deadline,
        })
    }

    /// Reads an answer's header and body.
    pub(super) fn decode<M: Decodable + HeaderVersion>(
        &self,
        api: Api,
        version: i16,
        mut frame: Bytes,
    ) -> Result<M, Error> {
        decode(&mut frame, version).map_err(|error| self.malformed(api.name, error))
    }

    /// An error for an answer that cannot be read.
    pub fn malformed(&self, api: &'static str, reason: impl ToString) -> Error {
        Error::Malformed {
            address: self.address().to_string(),
            api,
            reason: reason.to_string().trim().to_owned(),
        }
    }

    fn timed_out(&self, api: &'static str, after: Duration) -> Error {
        let error = Error::TimedOut {
            address: self.address().to_string(),
            api,
            after,
        };
        self.poison(error.clone());
        error
    }
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Conn").field(&self.address()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.poison(Error::Dropped {
            address: self.shared.address.to_string(),
        });
    }
}

/// A connection that this reference does not keep open.
pub(super) struct WeakConn(std::sync::Weak<Inner>);

impl WeakConn {
    pub(super) fn upgrade(&self) -> Option<Conn> {
        self.0.upgrade().map(Conn)
    }
}

impl Pending {
    /// Waits for the answer, from its correlation id on. No answer in time poisons the connection.
    pub async fn wait(self) -> Result<Bytes, Error> {
        Ok(self.wait_for_frame().await?.bytes)
    }

    /// The same of an answer that may have bytes in the kernel.
    pub async fn wait_for_frame(self) -> Result<Frame, Error> {
        match timeout_at(self.deadline, self.answer).await {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(_)) => Err(self.conn.0.shared.error()),
            Err(_) => Err(self.conn.timed_out(self.api, self.patience)),
        }
    }

    /// The connection the request went out on.
    pub fn conn(&self) -> &Conn {
        &self.conn
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while holding it")
    }

    fn expected(&self, correlation: i32) -> Option<Expected> {
        match &*self.lock() {
            State::Open(in_flight) => in_flight.get(&correlation).map(|waiting| waiting.expected),
            State::Poisoned(_) => None,
        }
    }

    fn answered(&self, correlation: i32, frame: Frame) {
        if let State::Open(in_flight) = &mut *self.lock()
            && let Some(waiting) = in_flight.remove(&correlation)
        {
            // Nobody may be waiting any more.
            let _ = waiting.answer.send(frame);
        }
    }

    /// The first error stays: it is the cause of the others.
    fn poison(&self, error: Error) {
        let dropped = match &mut *self.lock() {
            State::Poisoned(_) => return,
            open @ State::Open(_) => std::mem::replace(open, State::Poisoned(error)),
        };
        for task in self.tasks.get().into_iter().flatten() {
            task.abort();
        }
        // Wakes everyone in flight; they find the error in the state.
        drop(dropped);
    }

    fn error(&self) -> Error {
        match &*self.lock() {
            State::Poisoned(error) => error.clone(),
            State::Open(_) => Error::Closed {
                address: self.address.to_string(),
                during: None,
            },
        }
    }

    fn frame_error(&self, error: FrameError) -> Error {
        let address = self.address.to_string();
        match error {
            FrameError::Closed => Error::Closed {
                address,
                during: None,
            },
            FrameError::CutOff => Error::CutOff { address },
            FrameError::Io(error) => self.io_error(error),
            FrameError::Length { length, limit } => Error::FrameLength {
                address,
                length: length.into(),
                limit,
            },
            FrameError::Correlation(correlation) => Error::Correlation {
                address,
                correlation,
            },
            FrameError::Tls => Error::SpeaksTls { address },
        }
    }

    fn io_error(&self, error: io::Error) -> Error {
        let address = self.address.to_string();
        if error.get_ref().is_some_and(|inner| inner.is::<RightLost>()) {
            return Error::MayNotSend { address };
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Error::Closed {
                address,
                during: None,
            },
            _ => Error::Io {
                address,
                source: Arc::new(error),
            },
        }
    }
}

/// Writes a request: header, then body.
pub(super) fn encode<A: Encodable + HeaderVersion>(
    request: &A,
    api: Api,
    version: i16,
    correlation: i32,
) -> Result<Vec<Chunk>, Error> {
    let header = RequestHeader::default()
        .with_request_api_key(api.key)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
    let mut frame = BytesMut::with_capacity(256);
    header
        .encode(&mut frame, A::header_version(version))
        .and_then(|()| request.encode(&mut frame, version))
        .map_err(|error| Error::Unencodable {
            api: api.name,
            reason: error.to_string(),
        })?;
    Ok(vec![frame.freeze().into()])
}

/// Reads an answer from its correlation id on.
pub fn decode<M: Decodable + HeaderVersion>(frame: &mut Bytes, version: i16) -> Result<M, String> {
    ResponseHeader::decode(frame, M::header_version(version))
        .and_then(|_| M::decode(frame, version))
        .map_err(|error| error.to_string())
}

async fn write_all(write: &mut impl Writable, mut chunks: Vec<Chunk>) -> io::Result<()> {
    let mut first = 0;
    while let Some(chunk) = chunks.get(first) {
        if let Chunk::Kept(kept) = chunk {
            match (write.gated(), kept.ready()) {
                (Some(gated), Ready::Pipe(mut line)) => {
                    gated.spill_before_more(&mut line).await?;
                    line.give_back();
                    chunks[first] = Bytes::new().into();
                    first += 1;
                }
                (None, Ready::Pipe(line)) => {
                    line.give_back();
                    chunks[first] = kept.bytes().into();
                }
                (_, Ready::Bytes(bytes)) => chunks[first] = bytes.into(),
            }
            continue;
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(&chunks[first..]) {
            let Chunk::Bytes(bytes) = chunk else {
                break;
            };
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        let slices = &slices[..used];
        let mut written = match (write.gated(), chunks.get(first + used)) {
            (Some(gated), Some(Chunk::Kept(_))) => gated.write_before_more(slices).await?,
            _ => write.write_vectored(slices).await?,
        };
        if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(Chunk::Bytes(bytes)) = chunks.get_mut(first) {
            if written < bytes.len() {
                bytes.advance(written);
                break;
            }
            written -= bytes.len();
            *bytes = Bytes::new();
            first += 1;
        }
    }
    write.flush().await
}

#[cfg(test)]
mod tests;
