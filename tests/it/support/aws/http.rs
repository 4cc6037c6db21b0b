//! HTTP/1.1 on loopback, as much of it as AWS's clients use: one thread a connection, requests with a length, connections kept.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::super::ports::Port;

/// A request. Names of headers are in lower case.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Still encoded.
    pub path: String,
    /// Still encoded, without the question mark.
    pub query: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Reply {
    Answer(Response),
    /// The connection is closed without a word.
    Cut,
    /// Nothing is said until the client is gone.
    Silence,
}

type Serve = dyn Fn(Request) -> Reply + Send + Sync;

struct Shared {
    serve: Box<Serve>,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// A running server; dropping it closes everything.
pub struct Server {
    port: Port,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(serve: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let (port, listener) = Port::listen();
        let shared = Arc::new(Shared {
            serve: Box::new(serve),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let at_work = Arc::clone(&shared);
        let listener = thread::spawn(move || accept(&listener, &at_work));
        Self {
            port,
            shared,
            listener: Some(listener),
        }
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let open = self.shared.open.lock();
        for stream in open.expect("nobody panics with this lock").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the listener, which then sees that it is to end.
        drop(TcpStream::connect(("127.0.0.1", self.port.number())));
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(twin) = stream.try_clone() else {
            continue;
        };
        let mut open = shared.open.lock().expect("nobody panics with this lock");
        // Those that ended have no peer any more.
        open.retain(|stream| stream.peer_addr().is_ok());
        open.push(twin);
        drop(open);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            drop(converse(&stream, &shared));
            drop(stream.shutdown(Shutdown::Both));
        });
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader, stream)? {
        match (shared.serve)(request) {
            Reply::Answer(response) => write(stream, &response)?,
            Reply::Cut => break,
            Reply::Silence => {
                drop(io::copy(&mut reader, &mut io::sink()));
                break;
            }
        }
    }
    Ok(())
}

/// The next request; `None` when the client is done.
fn read(reader: &mut impl BufRead, mut back: &TcpStream) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let broken = || io::Error::other("not HTTP/1.1");
    let mut words = line.split_whitespace();
    let (Some(method), Some(target), Some("HTTP/1.1")) = (words.next(), words.next(), words.next())
    else {
        return Err(broken());
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    if headers.contains_key("expect") {
        back.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = match headers.get("content-length") {
        None => 0,
        Some(length) => length.parse::<usize>().map_err(|_| broken())?,
    };
    if length > 16 << 20 || headers.contains_key("transfer-encoding") {
        return Err(broken());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        query,
        headers,
        body,
    }))
}

fn write(mut stream: &TcpStream, response: &Response) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} -\r\n", response.status);
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if response.status != 204 {
        head.push_str(&format!("content-length: {}\r\n", response.body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&response.body);
    stream.write_all(&bytes)
}

/// Undoes percent-encoding; `plus` where a form's `+` is a space.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The pairs of a query or a form, decoded.
pub fn pairs(text: &str, plus: bool) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, plus)?, decode(value, plus)?))
        })
        .collect()
}
