//! What is copied: the shape of each workload, and a few batches of it, built once and sent many times.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use super::{
    support::{
        Dice,
        codecs::{self, Envelope, Record},
    },
    wire::LOG_OVERHEAD,
};

/// Before the records.
const HEADER: usize = 61;
/// What the checksum of a batch covers begins here, with the attributes.
const CHECKED: usize = 21;

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// A record in each of eight partitions: what a tool costs before it gets going.
    #[value(skip)]
    Start,
    /// The same of the workload with 1,000 partitions: two batches in each, because with the second a broker makes the
    /// partition's indexes, which takes it longer than all that follows.
    #[value(skip)]
    StartWide,
    /// Values of 1 KB random hexadecimal digits, not compressed, in batches of about 64 KB.
    Plain,
    /// Values of 1 KB JSON, lz4, in batches of about 70 KB as stored.
    Lz4,
    /// Values of 100 random hexadecimal digits, not compressed, in batches of about 64 KB.
    Small,
    /// Values of 512 random hexadecimal digits, not compressed, in batches of ten, in 1,000 partitions.
    Tiny,
}

impl Workload {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "8 records",
            Self::StartWide => "20,000 records",
            Self::Plain => "1 KB plain",
            Self::Lz4 => "1 KB lz4",
            Self::Small => "100 B",
            Self::Tiny => "1,000 partitions",
        }
    }

    /// The topic that holds it.
    pub fn topic(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::StartWide => "start-wide",
            Self::Plain => "plain",
            Self::Lz4 => "lz4",
            Self::Small => "small",
            Self::Tiny => "tiny",
        }
    }

    /// The workload of a topic.
    pub fn of_topic(topic: &str) -> Result<Self, String> {
        let all = [
            Self::Start,
            Self::StartWide,
            Self::Plain,
            Self::Lz4,
            Self::Small,
            Self::Tiny,
        ];
        let found = all.into_iter().find(|workload| workload.topic() == topic);
        found.ok_or_else(|| format!("no workload has the topic {topic}"))
    }

    /// How often each partition gets a batch so that all together hold at least so many bytes.
    pub fn rounds(self, pool: &[Vec<u8>], bytes: u64) -> u64 {
        let stored: usize = pool.iter().map(Vec::len).sum();
        let a_round = (stored / pool.len()) as u64 * u64::from(self.partitions().unsigned_abs());
        match self {
            Self::Start => 1,
            Self::StartWide => 2,
            Self::Plain | Self::Lz4 | Self::Small | Self::Tiny => bytes.div_ceil(a_round),
        }
    }

    /// The workload of next to nothing that shows what a tool costs before it gets going with this one; `None` of those.
    pub fn start(self) -> Option<Self> {
        match self {
            Self::Start | Self::StartWide => None,
            Self::Tiny => Some(Self::StartWide),
            Self::Plain | Self::Lz4 | Self::Small => Some(Self::Start),
        }
    }

    /// Partitions of the topic.
    pub fn partitions(self) -> i32 {
        match self {
            Self::Tiny | Self::StartWide => 1000,
            Self::Start | Self::Plain | Self::Lz4 | Self::Small => 8,
        }
    }

    /// What its batches are compressed with, as Kafka's producers name it.
    pub fn codec(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            _ => "none",
        }
    }

    /// Records of a batch, and bytes of each one's value.
    fn shape(self) -> (usize, usize) {
        match self {
            Self::Start => (1, 100),
            Self::Plain => (62, 1024),
            Self::Lz4 => (230, 1024),
            Self::Small => (590, 100),
            Self::Tiny | Self::StartWide => (10, 512),
        }
    }

    /// Different batches of it: more than a request holds, or than what is compared could learn by heart.
    fn pool_size(self) -> usize {
        match self {
            Self::Tiny | Self::StartWide => 64,
            Self::Start | Self::Plain | Self::Lz4 | Self::Small => 16,
        }
    }

    fn value(self, dice: &mut Dice) -> Vec<u8> {
        let (_, length) = self.shape();
        let mut value = match self {
            Self::Lz4 => json(dice, length),
            _ => String::new(),
        };
        while value.len() < length {
            write!(value, "{:016x}", dice.bits()).expect("writing to a string");
        }
        value.truncate(length);
        value.into_bytes()
    }

    /// One of its batches, and the bytes of its records before compression.
    fn batch(self, dice: &mut Dice) -> (Vec<u8>, usize) {
        let records: Vec<Record> = (0..self.shape().0)
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
            Self::Lz4 => (lz4(&batch).expect("compressing into memory"), plain),
            _ => (batch, plain),
        }
    }

    /// Batches of it, the same each time, and how much smaller compression has made them.
    pub fn pool(self) -> (Vec<Vec<u8>>, f64) {
        let mut dice = Dice::new(1);
        let pool: Vec<(Vec<u8>, usize)> = (0..self.pool_size())
            .map(|_| self.batch(&mut dice))
            .collect();
        let stored: usize = pool.iter().map(|(batch, _)| batch.len() - HEADER).sum();
        let plain: usize = pool.iter().map(|(_, plain)| plain).sum();
        let batches = pool.into_iter().map(|(batch, _)| batch).collect();
        (batches, plain as f64 / stored as f64)
    }
}

/// An order as services write them: the same fields each time, a few words among them, and some values of its own.
fn json(dice: &mut Dice, length: usize) -> String {
    const STATES: [&str; 4] = ["created", "paid", "shipped", "delivered"];
    let mut text = format!(
        "{{\"orderId\":\"{:016x}\",\"customerId\":\"{:012x}\",\"status\":\"{}\",\"currency\":\"EUR\",\"lines\":[",
        dice.bits(),
        dice.bits() >> 16,
        STATES[(dice.bits() % 4) as usize],
    );
    while text.len() < length - 130 {
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

/// Makes a batch's first record this old; the others follow as they did.
pub fn date(batch: &mut [u8], base: i64) {
    let field = |batch: &[u8], at: usize| {
        i64::from_be_bytes(batch[at..at + 8].try_into().expect("eight bytes"))
    };
    let spread = field(batch, 35) - field(batch, 27);
    batch[27..35].copy_from_slice(&base.to_be_bytes());
    batch[35..43].copy_from_slice(&(base + spread).to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&batch[CHECKED..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}
