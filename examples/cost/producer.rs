//! The bare producer: batches from memory, with nothing around them. It fills the source, and is measured on the target.

use std::{
    io, thread,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    wire::Connection,
    workload::{Workload, date},
};

/// Produce requests that wait for their answer, a connection.
const IN_FLIGHT: usize = 2;

/// When a batch gets its timestamp, and with it a new checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dated {
    /// Each time it is sent, as applications do.
    Always,
    /// Before the first is sent: nothing but sending is left to be measured.
    Once,
}

/// Writes at least `bytes` of a workload's batches to its topic, which must exist, over two connections.
pub fn produce(address: &str, workload: Workload, bytes: u64, dated: Dated) -> io::Result<()> {
    let (mut pool, _) = workload.pool();
    let now = now();
    for batch in &mut pool {
        date(batch, now);
    }
    let rounds = workload.rounds(&pool, bytes);
    let all: Vec<i32> = (0..workload.partitions()).collect();
    let (first, second) = all.split_at(all.len() / 2);
    thread::scope(|scope| {
        let other = pool.clone();
        let other = scope.spawn(|| write(address, workload, second, other, rounds, dated));
        write(address, workload, first, pool, rounds, dated)?;
        let panicked = |_| Err(io::Error::other("a thread of the producer panicked"));
        other.join().unwrap_or_else(panicked)
    })
}

/// Sends one batch to each partition, so many times.
fn write(
    address: &str,
    workload: Workload,
    partitions: &[i32],
    mut pool: Vec<Vec<u8>>,
    rounds: u64,
    dated: Dated,
) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    let mut answer = Vec::new();
    let mut waiting = 0;
    for _ in 0..rounds {
        for partitions in partitions.chunks(pool.len()) {
            pool.rotate_left(partitions.len());
            let batches = &mut pool[..partitions.len()];
            if dated == Dated::Always {
                let now = now();
                batches.iter_mut().for_each(|batch| date(batch, now));
            }
            if waiting == IN_FLIGHT {
                connection.read_produced(&mut answer)?;
                waiting -= 1;
            }
            let batches = batches.iter().map(Vec::as_slice);
            let request: Vec<(i32, &[u8])> = partitions.iter().copied().zip(batches).collect();
            connection.send_produce(workload.topic(), &request)?;
            waiting += 1;
        }
    }
    for _ in 0..waiting {
        connection.read_produced(&mut answer)?;
    }
    Ok(())
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("it is later than 1970");
    i64::try_from(since.as_millis()).expect("times fit")
}
