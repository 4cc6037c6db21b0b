//! The bare byte copier, the floor of what a copy can cost: fetch answers become produce requests, and nothing else.
//!
//! It knows no metadata, keeps no positions, verifies no checksum, uses no producer id, and gives up at the first
//! trouble. Of a batch it reads where it begins and ends, and sets the base offset to 0, because brokers refuse any
//! other. The bytes go out of the very buffer they came into, which is used again and again.
//!
//! Without a target it throws away what it has fetched.

use std::{io, ops::Range, thread};

use super::{
    support::raw::Wire,
    wire::{Connection, LOG_OVERHEAD, records},
};

/// Each with a connection to fetch and one to produce, and every n-th partition.
const WORKERS: usize = 2;
/// Produce requests of a worker that wait for their answer.
const IN_FLIGHT: usize = 2;
/// Of all partitions of a fetch request together.
const FETCH_BYTES: usize = 4 << 20;
/// Of one partition at most.
const PARTITION_BYTES: usize = 1 << 20;
/// Partitions that are asked for at once; the others wait until one of these is read to its end.
const AT_ONCE: usize = 64;

/// Copies a topic from its start to the end it has now; both sides are one broker each.
pub fn copy(source: &str, target: Option<&str>, topic: &str) -> io::Result<()> {
    let mut wire = Wire::connect(source)?;
    let metadata = wire.metadata()?;
    let leaders = metadata.topics.get(topic).map_or(0, Vec::len);
    let count = i32::try_from(leaders).map_err(io::Error::other)?;
    let all: Vec<i32> = (0..count).collect();
    let mut parts = Vec::new();
    for (partition, end) in wire.offsets(topic, &all, -1)? {
        let end = end.map_err(io::Error::other)?;
        if end > 0 {
            parts.push(Part {
                partition,
                position: 0,
                end,
            });
        }
    }
    parts.sort_by_key(|part: &Part| part.partition);
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for worker in 0..WORKERS {
            let of_worker = parts.iter().skip(worker).step_by(WORKERS);
            let parts: Vec<Part> = of_worker.copied().collect();
            workers.push(scope.spawn(move || copy_parts(source, target, topic, parts)));
        }
        let mut ends = workers.into_iter().map(|worker| {
            let panicked = |_| Err(io::Error::other("a thread of the copier panicked"));
            worker.join().unwrap_or_else(panicked)
        });
        ends.try_for_each(|end| end)
    })
}

#[derive(Clone, Copy)]
struct Part {
    partition: i32,
    position: i64,
    end: i64,
}

fn copy_parts(
    source: &str,
    target: Option<&str>,
    topic: &str,
    mut parts: Vec<Part>,
) -> io::Result<()> {
    let mut from = Connection::open(source)?;
    let mut to = target.map(Sender::open).transpose()?;
    let mut bytes = Vec::new();
    let mut is_asked = ask(&mut from, topic, &parts)?;
    while is_asked {
        let length = from.read(&mut bytes)?;
        let batches = split(&mut bytes[..length], &mut parts)?;
        parts.retain(|part| part.position < part.end);
        // The source gets ready what comes next while this goes out.
        is_asked = ask(&mut from, topic, &parts)?;
        if let Some(to) = &mut to {
            to.send(topic, &bytes, &batches)?;
        }
    }
    to.map_or(Ok(()), Sender::finish)
}

/// Asks for what comes next; false if nothing does.
fn ask(from: &mut Connection, topic: &str, parts: &[Part]) -> io::Result<bool> {
    let parts = &parts[..parts.len().min(AT_ONCE)];
    let asked: Vec<(i32, i64)> = parts
        .iter()
        .map(|part| (part.partition, part.position))
        .collect();
    if !asked.is_empty() {
        let each = (FETCH_BYTES / asked.len()).min(PARTITION_BYTES);
        from.send_fetch(topic, &asked, each)?;
    }
    Ok(!asked.is_empty())
}

/// Where the whole batches of each partition lie in a buffer.
type Batches = Vec<(i32, Vec<Range<usize>>)>;

/// The side that produces.
struct Sender {
    connection: Connection,
    answer: Vec<u8>,
    waiting: usize,
}

impl Sender {
    fn open(address: &str) -> io::Result<Self> {
        Ok(Self {
            connection: Connection::open(address)?,
            answer: Vec::new(),
            waiting: 0,
        })
    }

    fn send(&mut self, topic: &str, bytes: &[u8], batches: &Batches) -> io::Result<()> {
        let most = batches.iter().map(|(_, batches)| batches.len()).max();
        for nth in 0..most.unwrap_or(0) {
            // A broker takes one batch of a partition per request.
            let request: Vec<(i32, &[u8])> = batches
                .iter()
                .filter_map(|(partition, batches)| {
                    Some((*partition, &bytes[batches.get(nth)?.clone()]))
                })
                .collect();
            if self.waiting == IN_FLIGHT {
                self.connection.read_produced(&mut self.answer)?;
                self.waiting -= 1;
            }
            self.connection.send_produce(topic, &request)?;
            self.waiting += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        for _ in 0..self.waiting {
            self.connection.read_produced(&mut self.answer)?;
        }
        Ok(())
    }
}

/// The whole batches of each partition, made ready to be sent; moves the partitions' positions behind them.
fn split(answer: &mut [u8], parts: &mut [Part]) -> io::Result<Batches> {
    let mut all = Vec::new();
    for (partition, mut start, end) in records(answer)? {
        let part = parts.binary_search_by_key(&partition, |part| part.partition);
        let part = part.map_err(|_| io::Error::other("a partition nobody asked for"))?;
        let part = &mut parts[part];
        let mut batches = Vec::new();
        while let Some(header) = answer[start..end].first_chunk_mut::<27>() {
            let field = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
            let length = i32::from_be_bytes(field(8));
            let length = usize::try_from(length).map_err(io::Error::other)? + LOG_OVERHEAD;
            if start + length > end {
                break;
            }
            let last_delta = i32::from_be_bytes(field(23));
            let (base_offset, _) = header.split_first_chunk_mut().expect("8 of 27 bytes");
            part.position = i64::from_be_bytes(*base_offset) + i64::from(last_delta) + 1;
            *base_offset = [0; 8];
            batches.push(start..start + length);
            start += length;
        }
        all.push((partition, batches));
    }
    Ok(all)
}
