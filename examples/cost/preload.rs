//! The two workloads, and a source topic full of each: a few batches built once and sent many times.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    support::{
        Dice,
        codecs::{self, Envelope, Record},
        kafka::Kafka,
    },
    wire::{Connection, LOG_OVERHEAD},
};

/// Partitions of every topic here.
pub const PARTITIONS: i32 = 8;

/// Bytes of a record's value.
const VALUE: usize = 1024;
/// Different batches of a workload; more than a request holds.
const POOL: usize = 16;
/// Before the records.
const HEADER: usize = 61;
/// What the checksum of a batch covers begins here, with the attributes.
const CHECKED: usize = 21;
/// Produce requests that wait for their answer, a connection.
const IN_FLIGHT: usize = 2;

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Values of 1 KB random hexadecimal digits, not compressed, in batches of about 64 KB.
    Plain,
    /// Values of 1 KB JSON, lz4, in batches of about 75 KB as stored.
    Lz4,
}

impl Workload {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "1 KB plain",
            Self::Lz4 => "1 KB lz4",
        }
    }

    /// The topic that holds it.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lz4 => "lz4",
        }
    }

    fn records_in_a_batch(self) -> usize {
        match self {
            Self::Plain => 62,
            Self::Lz4 => 230,
        }
    }

    fn value(self, dice: &mut Dice) -> Vec<u8> {
        let mut value = match self {
            Self::Plain => String::new(),
            Self::Lz4 => json(dice),
        };
        while value.len() < VALUE {
            write!(value, "{:016x}", dice.bits()).expect("writing to a string");
        }
        value.truncate(VALUE);
        value.into_bytes()
    }

    /// One of its batches, and the bytes of its records before compression.
    fn batch(self, dice: &mut Dice) -> (Vec<u8>, usize) {
        let records: Vec<Record> = (0..self.records_in_a_batch())
            .map(|index| Record {
                offset: 0,
                timestamp: i64::try_from(index / 8).expect("few records"),
                key: None,
                value: Some(self.value(dice)),
                headers: Vec::new(),
            })
            .collect();
        let batch = codecs::encode(Envelope::PLAIN, &records);
        let plain = batch.len() - HEADER;
        match self {
            Self::Plain => (batch, plain),
            Self::Lz4 => (lz4(&batch).expect("compressing into memory"), plain),
        }
    }
}

/// An order as services write them: the same fields each time, a few words among them, and some values of its own.
fn json(dice: &mut Dice) -> String {
    const STATES: [&str; 4] = ["created", "paid", "shipped", "delivered"];
    let mut text = format!(
        "{{\"orderId\":\"{:016x}\",\"customerId\":\"{:012x}\",\"status\":\"{}\",\"currency\":\"EUR\",\"lines\":[",
        dice.bits(),
        dice.bits() >> 16,
        STATES[(dice.bits() % 4) as usize],
    );
    while text.len() < VALUE - 130 {
        write!(
            text,
            "{{\"articleNumber\":\"{:010}\",\"description\":\"article of the catalogue\",\"quantity\":{},\"unitPriceInCents\":{},\"signature\":\"{:016x}\"}},",
            dice.bits() % 10_000_000_000,
            1 + dice.bits() % 9,
            dice.bits() % 100_000,
            dice.bits(),
        )
        .expect("writing to a string");
    }
    text.push_str(
        "null],\"shippingAddress\":\"unchanged\",\"paymentMethod\":\"invoice\",\"trace\":\"",
    );
    text
}

fn lz4(batch: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = batch[..HEADER].to_vec();
    let mut frame = lz4_flex::frame::FrameEncoder::new(out);
    frame.write_all(&batch[HEADER..])?;
    out = frame.finish().map_err(io::Error::other)?;
    let length = i32::try_from(out.len() - LOG_OVERHEAD).map_err(io::Error::other)?;
    out[8..12].copy_from_slice(&length.to_be_bytes());
    out[CHECKED + 1] = 3;
    Ok(out)
}

/// Creates the workload's topic and writes at least `bytes` of batches to it, made now. Answers how much smaller
/// compression has made them.
pub fn fill(source: &Kafka, workload: Workload, bytes: u64) -> f64 {
    source.create_topic(workload.topic(), PARTITIONS, &[]);
    let mut dice = Dice::new(1);
    let pool: Vec<(Vec<u8>, usize)> = (0..POOL).map(|_| workload.batch(&mut dice)).collect();
    let stored: usize = pool.iter().map(|(batch, _)| batch.len() - HEADER).sum();
    let plain: usize = pool.iter().map(|(_, plain)| plain).sum();
    let pool: Vec<Vec<u8>> = pool.into_iter().map(|(batch, _)| batch).collect();
    let a_round = (stored / POOL + HEADER) as u64 * PARTITIONS.unsigned_abs() as u64;
    let rounds = bytes.div_ceil(a_round);
    let address = source.address(0);
    thread::scope(|scope| {
        let half = PARTITIONS / 2;
        for partitions in [0..half, half..PARTITIONS] {
            let (pool, address) = (pool.clone(), &address);
            scope.spawn(move || {
                write(address, workload.topic(), partitions, pool, rounds)
                    .expect("the source takes the load");
            });
        }
    });
    plain as f64 / stored as f64
}

/// Sends one batch to each partition, so many times.
fn write(
    address: &str,
    topic: &str,
    partitions: std::ops::Range<i32>,
    mut pool: Vec<Vec<u8>>,
    rounds: u64,
) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    let mut answer = Vec::new();
    let mut waiting = 0;
    for _ in 0..rounds {
        pool.rotate_left(partitions.len());
        let now = now();
        for batch in &mut pool[..partitions.len()] {
            date(batch, now);
        }
        if waiting == IN_FLIGHT {
            connection.read_produced(&mut answer)?;
            waiting -= 1;
        }
        let batches = partitions.clone().zip(pool.iter().map(Vec::as_slice));
        connection.send_produce(topic, &batches.collect::<Vec<_>>())?;
        waiting += 1;
    }
    for _ in 0..waiting {
        connection.read_produced(&mut answer)?;
    }
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("it is later than 1970");
    i64::try_from(since.as_millis()).expect("times fit")
}

/// Makes a batch's first record this old; the others follow as they did.
fn date(batch: &mut [u8], base: i64) {
    let field = |batch: &[u8], at: usize| {
        i64::from_be_bytes(batch[at..at + 8].try_into().expect("eight bytes"))
    };
    let spread = field(batch, 35) - field(batch, 27);
    batch[27..35].copy_from_slice(&base.to_be_bytes());
    batch[35..43].copy_from_slice(&(base + spread).to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&batch[CHECKED..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
