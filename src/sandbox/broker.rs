//! A broker's listener and its connections: frames in, one request at a time, answers in order.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, ProduceRequest, RequestHeader},
    protocol::Decodable,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use super::{
    api::{self, Outcome},
    cluster::Cluster,
    errors,
    faults::{Action, Follow},
    held::Held,
    login::{self, Hearing, Login},
    state::{Call, Listener},
};

/// `socket.request.max.bytes`: a longer frame closes the connection without an answer (probe 23).
const REQUEST_MAX: usize = 104_857_600;
/// Room made for a frame before its bytes have come.
const FIRST: usize = 64 * 1024;

/// The tasks of one broker, so that killing it ends them all.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    tasks: Vec<AbortHandle>,
    dead: bool,
}

impl Tasks {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, task: AbortHandle) {
        let mut all = self.all();
        if all.dead {
            task.abort();
        }
        all.tasks.retain(|task| !task.is_finished());
        all.tasks.push(task);
    }

    /// Ends them, and whatever is added later.
    pub fn abort(&self) {
        let mut all = self.all();
        all.dead = true;
        all.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Accepts connections until the broker is killed.
pub fn listen(cluster: Cluster, id: i32, socket: TcpListener, tasks: &Tasks) {
    let all = tasks.clone();
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = socket.accept().await else {
                continue;
            };
            let cluster = cluster.clone();
            let task = tokio::spawn(async move {
                if let Err(error) = serve(cluster, id, stream).await {
                    tracing::debug!(broker = id, %error, "a connection to the simulation ended");
                }
            });
            all.add(task.abort_handle());
        }
    });
    tasks.add(task.abort_handle());
}

/// One connection, one request at a time: what waits (a long poll, a join) holds up all that came behind it (probe N1).
async fn serve(cluster: Cluster, broker: i32, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection::new(cluster.listener());
    while let Some(frame) = read_frame(&mut stream).await? {
        if connection.login.takes_raw_tokens() {
            let token = raw_token(&cluster, &mut connection, &frame)?;
            stream.write_all(&token).await?;
            continue;
        }
        let Some(answer) = answer(&cluster, broker, &mut connection, frame).await? else {
            continue;
        };
        stream.write_all(&answer).await?;
        if connection.closing {
            return Ok(());
        }
    }
    Ok(())
}

/// What a connection remembers.
#[derive(Debug)]
pub struct Connection {
    /// Who it is, once that is known.
    pub principal: Option<String>,
    /// How far its login is.
    pub login: Login,
    /// Is it to be closed after the answer?
    pub closing: bool,
    /// Is it to be closed without one?
    pub cut: bool,
}

impl Connection {
    /// A new one.
    pub fn new(listener: Listener) -> Self {
        let needless = listener == Listener::Open;
        Self {
            principal: needless.then(|| login::ANONYMOUS.to_owned()),
            login: if needless {
                Login::needless()
            } else {
                Login::default()
            },
            closing: false,
            cut: false,
        }
    }
}

/// The next frame without its length; none if the client hung up between two.
async fn read_frame(stream: &mut TcpStream) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > REQUEST_MAX {
        return Err(broken("a frame is longer than a request may be"));
    }
    let mut frame = BytesMut::with_capacity(length.min(FIRST));
    let mut body = stream.take(length as u64);
    while frame.len() < length {
        if body.read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(Some(frame.freeze()))
}

/// Answers one request: a frame with its length, or none where no answer is wanted. An error closes the connection.
async fn answer(
    cluster: &Cluster,
    broker: i32,
    connection: &mut Connection,
    mut frame: Bytes,
) -> io::Result<Option<Bytes>> {
    let whole = frame.clone();
    if frame.len() < 8 {
        return Err(broken("a frame is too short for a header"));
    }
    let (key, version) = {
        let mut peek = &frame[..];
        (peek.get_i16(), peek.get_i16())
    };
    let api = ApiKey::try_from(key).map_err(|()| broken("an API that does not exist"))?;
    let known = api::versions(cluster.with(|state| state.release))
        .find(|(offered, _, _)| *offered == key)
        .is_some_and(|(_, low, high)| (low..=high).contains(&version));
    if !known && api != ApiKey::ApiVersions {
        return Err(broken("a version that is not offered"));
    }
    // An ApiVersions request of an unknown version has a header we cannot know; its first fields never change.
    let header_version = if known {
        api.request_header_version(version)
    } else {
        1
    };
    let header = RequestHeader::decode(&mut frame, header_version)
        .map_err(|_| broken("a header that cannot be read"))?;
    let hearing = connection.login.hears(api);
    if hearing == Hearing::Cut {
        return Err(broken("a request before the login"));
    }
    let principal = connection.principal.clone().unwrap_or_default();
    let call = Call {
        broker,
        principal,
        client_id: header.client_id.as_deref().unwrap_or_default().to_owned(),
        version,
    };
    let id_of = |topic: &str| cluster.with(|state| Some(*state.topics.get(topic)?.id.as_bytes()));
    let produced = || partitions(frame.clone(), version);
    let fault = cluster.faults().decide(&call, api, &whole, id_of, produced);
    let mut error = api::Error::None;
    match fault {
        Some(Action::Delay(time)) => tokio::time::sleep(time).await,
        Some(Action::CutBefore) => return Err(broken("cut, as planned")),
        Some(Action::SilentBefore) => return std::future::pending().await,
        Some(Action::Error(code)) => error = api::Error::Before(code),
        Some(Action::ErrorAfter(code)) => error = api::Error::After(code),
        Some(Action::Kill {
            after: false,
            keep_memory,
        }) => {
            cluster.kill(broker, keep_memory);
            return Err(broken("killed, as planned"));
        }
        Some(Action::Hold) => {
            cluster.hold(Held {
                call,
                api,
                body: frame,
            });
            return Err(broken("cut, as planned"));
        }
        Some(Action::CutAfter | Action::SilentAfter | Action::Kill { .. } | Action::Follow(_))
        | None => {}
    }
    if hearing == Hearing::Refused {
        connection.closing = true;
        error = api::Error::Before(errors::ILLEGAL_SASL_STATE);
    }
    let outcome = api::dispatch(cluster, connection, &call, api, frame, error).await;
    match fault {
        Some(Action::CutAfter) => return Err(broken("cut, as planned")),
        Some(Action::SilentAfter) => return std::future::pending().await,
        Some(Action::Kill {
            after: true,
            keep_memory,
        }) => {
            cluster.kill(broker, keep_memory);
            return Err(broken("killed, as planned"));
        }
        Some(Action::Follow(Follow {
            forget,
            deliver,
            cut,
        })) => {
            if forget {
                cluster.expire_producers();
            }
            if deliver {
                cluster.deliver().await;
            }
            if cut {
                return Err(broken("cut, as planned"));
            }
        }
        _ => {}
    }
    if connection.cut {
        return Err(broken("a login that has no answer"));
    }
    let Outcome {
        header_version,
        body,
    } = match outcome {
        Ok(Some(outcome)) => outcome,
        Ok(None) => return Ok(None),
        Err(reason) => return Err(broken(reason)),
    };
    let mut out = BytesMut::with_capacity(body.len() + 9);
    let tags = usize::from(header_version > 0);
    let length = u32::try_from(4 + tags + body.len()).map_err(|_| broken("an answer too long"))?;
    out.put_u32(length);
    out.put_i32(header.correlation_id);
    if header_version > 0 {
        out.put_u8(0);
    }
    out.put_slice(&body);
    Ok(Some(out.freeze()))
}

/// The partitions that a Produce request brings batches for.
fn partitions(mut body: Bytes, version: i16) -> Vec<(String, i32)> {
    let request = ProduceRequest::decode(&mut body, version).unwrap_or_default();
    let topics = request.topic_data.iter();
    let each = topics.flat_map(|topic| {
        let partitions = topic.partition_data.iter();
        partitions.map(|one| (topic.name.to_string(), one.index))
    });
    each.collect()
}

/// A bare token of a login, as they come after SaslHandshake v0: the answer is one as well, and an error is none.
fn raw_token(cluster: &Cluster, connection: &mut Connection, token: &[u8]) -> io::Result<Bytes> {
    let step = cluster.with(|state| api::sasl_authenticate::step(state, connection, token));
    let token = step.map_err(|_| broken("a login that is refused"))?;
    let length = u32::try_from(token.len()).map_err(|_| broken("an answer too long"))?;
    let mut out = BytesMut::with_capacity(token.len() + 4);
    out.put_u32(length);
    out.put_slice(&token);
    Ok(out.freeze())
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
