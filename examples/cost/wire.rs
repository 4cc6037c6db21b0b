//! Fetch and produce with nothing around them: bytes come into one buffer and leave from it.

use std::{
    io::{self, BufReader, IoSlice, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use crate::support::raw::Body;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
/// The oldest versions that carry magic 2 and that Apache Kafka 4 still serves.
const PRODUCE_VERSION: i16 = 3;
const FETCH_VERSION: i16 = 4;
/// Length, API, version, correlation id and a null client id.
const REQUEST_HEAD: usize = 14;

/// Longer than any pause of a broker that lives.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a batch before the end of its length field.
pub const LOG_OVERHEAD: usize = 12;

/// One connection to one broker; the caller keeps the order of requests and answers.
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// Everything of a request but the batches.
    head: Vec<u8>,
}

/// A partition and the offset to read it from.
pub type From = (i32, i64);

impl Connection {
    /// Connects to `host:port`.
    pub fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::with_capacity(4096, stream),
            head: Vec::new(),
        })
    }

    /// The same connection once more, so that one thread sends and another reads.
    pub fn another(&self) -> io::Result<Self> {
        let stream = self.stream.get_ref().try_clone()?;
        Ok(Self {
            stream: BufReader::with_capacity(4096, stream),
            head: Vec::new(),
        })
    }

    /// Asks for up to `bytes` of each partition.
    pub fn send_fetch(&mut self, topic: &str, from: &[From], bytes: usize) -> io::Result<()> {
        let count = i32::try_from(from.len()).map_err(io::Error::other)?;
        let each = i32::try_from(bytes).map_err(io::Error::other)?;
        // As a consumer, 500 ms at most, one byte at least, read_uncommitted.
        let body = Body::default().i32(-1).i32(500).i32(1);
        let body = body.i32(each.saturating_mul(count)).i8(0);
        let body = body.i32(1).text(topic).i32(count);
        let body = from.iter().fold(body, |body, (partition, offset)| {
            body.i32(*partition).i64(*offset).i32(each)
        });
        self.head.clear();
        begin(&mut self.head, FETCH, FETCH_VERSION, body.0.len())?;
        self.head.extend(body.0);
        self.stream.get_mut().write_all(&self.head)
    }

    /// Sends one batch for each of these partitions, from where it lies.
    pub fn send_produce(&mut self, topic: &str, batches: &[(i32, &[u8])]) -> io::Result<()> {
        let count = i32::try_from(batches.len()).map_err(io::Error::other)?;
        let payload: usize = batches.iter().map(|(_, batch)| batch.len()).sum();
        // acks=all, 30 s, one topic.
        let body = Body::default().no_text().i16(-1).i32(30_000);
        let body = body.i32(1).text(topic).i32(count);
        self.head.clear();
        let length = body.0.len() + 8 * batches.len() + payload;
        begin(&mut self.head, PRODUCE, PRODUCE_VERSION, length)?;
        self.head.extend(body.0);
        let first = self.head.len();
        for (partition, batch) in batches {
            let size = i32::try_from(batch.len()).map_err(io::Error::other)?;
            self.head.extend(partition.to_be_bytes());
            self.head.extend(size.to_be_bytes());
        }
        let (head, partitions) = self.head.split_at(first);
        let mut slices = Vec::with_capacity(1 + 2 * batches.len());
        slices.push(IoSlice::new(head));
        for (partition, (_, batch)) in partitions.chunks_exact(8).zip(batches) {
            slices.push(IoSlice::new(partition));
            slices.push(IoSlice::new(batch));
        }
        write_all(self.stream.get_mut(), &mut slices)
    }

    /// Reads an answer into `buffer`, which only ever grows; answers its length.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        self.stream.read_exact(&mut buffer[..length])?;
        Ok(length)
    }

    /// Reads the answer to a produce request; a refused batch is an error.
    pub fn read_produced(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let length = self.read(buffer)?;
        let mut at = Cursor::new(&buffer[..length]);
        at.skip(4)?;
        for _ in 0..at.i32()? {
            at.text()?;
            for _ in 0..at.i32()? {
                let (partition, code) = (at.i32()?, at.i16()?);
                refuse(partition, code)?;
                at.skip(16)?;
            }
        }
        Ok(())
    }
}

/// The start of a request whose body has `length` bytes.
fn begin(head: &mut Vec<u8>, api: i16, version: i16, length: usize) -> io::Result<()> {
    let after_length = REQUEST_HEAD - 4 + length;
    let after_length = i32::try_from(after_length).map_err(io::Error::other)?;
    let start = Body::default().i32(after_length).i16(api).i16(version);
    head.extend(start.i32(0).no_text().0);
    Ok(())
}

fn write_all(stream: &mut TcpStream, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let written = stream.write_vectored(slices)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

fn refuse(partition: i32, code: i16) -> io::Result<()> {
    if code == 0 {
        return Ok(());
    }
    let what = format!("partition {partition}: Kafka error code {code}");
    Err(io::Error::other(what))
}

/// Where the records of each partition lie in a fetch answer: partition, start, end.
pub fn records(answer: &[u8]) -> io::Result<Vec<(i32, usize, usize)>> {
    let mut at = Cursor::new(answer);
    at.skip(8)?;
    let mut found = Vec::new();
    for _ in 0..at.i32()? {
        at.text()?;
        for _ in 0..at.i32()? {
            let (partition, code) = (at.i32()?, at.i16()?);
            refuse(partition, code)?;
            at.skip(16)?;
            let aborted = usize::try_from(at.i32()?).unwrap_or(0);
            at.skip(16 * aborted)?;
            let length = usize::try_from(at.i32()?).unwrap_or(0);
            let start = at.position;
            at.skip(length)?;
            found.push((partition, start, at.position));
        }
    }
    Ok(found)
}

/// Reads an answer from its front.
struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    fn skip(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let end = self.position.saturating_add(length);
        let skipped = self.bytes.get(self.position..end);
        self.position = end;
        skipped.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn i16(&mut self) -> io::Result<i16> {
        let bytes = self.skip(2)?.try_into().map_err(io::Error::other)?;
        Ok(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> io::Result<i32> {
        let bytes = self.skip(4)?.try_into().map_err(io::Error::other)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn text(&mut self) -> io::Result<()> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        self.skip(length).map(drop)
    }
}
