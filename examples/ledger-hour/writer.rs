//! Small transactions, many a second, in every partition: each spans all partitions of its producer, one record in each.
//!
//! Every one leaves a record and a commit marker in each of those partitions, which is what the ledger has to bear: a
//! marker is an offset that is not copied, so behind each of them a new run begins.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::support::{
    codecs::{self, Envelope, Record},
    raw::{Body, Code, Wire},
};

/// Bytes of a record's value.
const VALUE: usize = 100;
/// CONCURRENT_TRANSACTIONS: the markers of the transaction before are still being written.
const CONCURRENT: i16 = 51;
/// NOT_ENOUGH_REPLICAS, which stands for every passing trouble of a transaction with older requests.
const PASSING: i16 = 19;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Partitions in all.
    pub partitions: i32,
    /// Transactional producers, each with an equal part of the partitions.
    pub producers: i32,
    /// Transactions per second of each producer.
    pub per_second: u32,
}

/// Producers at work.
pub struct Writers {
    over: Arc<AtomicBool>,
    transactions: Arc<AtomicU64>,
    each: u64,
    threads: Vec<JoinHandle<()>>,
}

impl Writers {
    /// Starts all producers.
    pub fn start(address: &str, topic: &str, load: Load) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let transactions = Arc::new(AtomicU64::new(0));
        let each = load.partitions / load.producers;
        let threads = (0..load.producers)
            .map(|number| {
                let partitions = number * each..(number + 1) * each;
                let mut producer = Producer::new(address, topic, number, partitions.collect())
                    .unwrap_or_else(|error| panic!("producer {number} cannot begin: {error}"));
                let (over, transactions) = (Arc::clone(&over), Arc::clone(&transactions));
                let interval = Duration::from_secs(1) / load.per_second;
                thread::spawn(move || {
                    let mut due = Instant::now();
                    while !over.load(Relaxed) {
                        producer
                            .transaction()
                            .unwrap_or_else(|error| panic!("a transaction failed: {error}"));
                        transactions.fetch_add(1, Relaxed);
                        // What the broker cannot do is not made up for: it would come in bursts.
                        due = (due + interval).max(Instant::now());
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                })
            })
            .collect();
        Self {
            over,
            transactions,
            each: each.unsigned_abs().into(),
            threads,
        }
    }

    /// Transactions committed so far, counted in every partition that they touched: as many records were written.
    pub fn in_partitions(&self) -> u64 {
        self.transactions.load(Relaxed) * self.each
    }

    /// Ends after the transactions that are open.
    pub fn stop(mut self) -> u64 {
        self.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("a producer did not fail");
        }
        self.in_partitions()
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

struct Producer {
    wire: Wire,
    topic: String,
    id: String,
    producer_id: i64,
    epoch: i16,
    partitions: Vec<i32>,
    sequence: i32,
}

impl Producer {
    fn new(address: &str, topic: &str, number: i32, partitions: Vec<i32>) -> io::Result<Self> {
        let mut wire = Wire::connect(address)?;
        let id = format!("{topic}-{number}");
        let (producer_id, epoch) = loop {
            // FindCoordinator v1: the first one makes the coordinator's topic.
            wire.call(10, 1, Body::default().text(&id).i8(1))?;
            // InitProducerId v0; the coordinator may still be loading.
            let body = Body::default().text(&id).i32(60_000);
            let mut answer = wire.call(22, 0, body)?;
            answer.i32();
            let code = answer.i16();
            if code == 0 {
                break (answer.i64(), answer.i16());
            }
            thread::sleep(Duration::from_millis(50));
        };
        Ok(Self {
            wire,
            topic: topic.to_owned(),
            id,
            producer_id,
            epoch,
            partitions,
            sequence: 0,
        })
    }

    fn transaction(&mut self) -> io::Result<()> {
        self.again_while_concurrent(|producer| producer.add_partitions())?;
        let mut left = self.partitions.clone();
        while !left.is_empty() {
            left = self.produce(&left)?;
        }
        self.sequence += 1;
        self.again_while_concurrent(|producer| producer.commit())
    }

    fn again_while_concurrent(
        &mut self,
        mut what: impl FnMut(&mut Self) -> io::Result<i16>,
    ) -> io::Result<()> {
        loop {
            match what(self)? {
                0 => return Ok(()),
                CONCURRENT => thread::sleep(Duration::from_millis(2)),
                code => return Err(io::Error::other(Code(code))),
            }
        }
    }

    /// AddPartitionsToTxn v0.
    fn add_partitions(&mut self) -> io::Result<i16> {
        let count = i32::try_from(self.partitions.len()).expect("few partitions");
        let body = self.begin_body().i32(1).text(&self.topic).i32(count);
        let body = self.partitions.iter().fold(body, |body, at| body.i32(*at));
        let mut answer = self.wire.call(24, 0, body)?;
        answer.i32();
        let codes = answer.array(|a| {
            a.text();
            a.array(|a| (a.i32(), a.i16()).1)
        });
        let mut codes = codes.into_iter().flatten();
        Ok(codes.find(|code| *code != 0).unwrap_or(0))
    }

    /// EndTxn v0.
    fn commit(&mut self) -> io::Result<i16> {
        let body = self.begin_body().i8(1);
        let mut answer = self.wire.call(26, 0, body)?;
        answer.i32();
        Ok(answer.i16())
    }

    fn begin_body(&self) -> Body {
        Body::default()
            .text(&self.id)
            .i64(self.producer_id)
            .i16(self.epoch)
    }

    /// Produce v7 of one record to each of these partitions; answers those that have to be tried again.
    fn produce(&mut self, partitions: &[i32]) -> io::Result<Vec<i32>> {
        let batch = self.batch();
        let count = i32::try_from(partitions.len()).expect("few partitions");
        let body = Body::default().text(&self.id).i16(-1).i32(30_000);
        let body = body.i32(1).text(&self.topic).i32(count);
        let body = partitions
            .iter()
            .fold(body, |body, at| body.i32(*at).bytes(&batch));
        let mut answer = self.wire.call(0, 7, body)?;
        let answers = answer.array(|a| {
            a.text();
            a.array(|a| {
                let (partition, code) = (a.i32(), a.i16());
                a.i64();
                a.i64();
                a.i64();
                (partition, code)
            })
        });
        let mut again = Vec::new();
        for (partition, code) in answers.into_iter().flatten() {
            match code {
                0 => {}
                PASSING | CONCURRENT => again.push(partition),
                code => return Err(io::Error::other(Code(code))),
            }
        }
        Ok(again)
    }

    /// The same for every partition: their sequences go together.
    fn batch(&self) -> Vec<u8> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is later than 1970");
        let text = format!("{}/{}/", self.id, self.sequence);
        let record = Record {
            offset: 0,
            timestamp: i64::try_from(now.as_millis()).expect("times fit"),
            key: Some(b"key".to_vec()),
            value: Some(text.bytes().cycle().take(VALUE).collect()),
            headers: Vec::new(),
        };
        let envelope = Envelope {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
        };
        let mut batch = codecs::encode(envelope, &[record]);
        // The attribute that makes it part of a transaction.
        batch[22] |= 0x10;
        let crc = crc_fast::crc32_iscsi(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    }
}
