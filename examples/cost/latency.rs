//! How late records arrive: written at a steady rate, read at the end of the way, timed from when each was due.
//!
//! The writer does not wait for answers and never falls back from its schedule: a record that is sent late because
//! something stood still counts from the moment it was due, not from when it was sent.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    bench::Bench,
    measure::{self, Cost, Process},
    producer,
    support::{
        self,
        codecs::{self, Envelope, Record},
        kafka::Kafka,
        wait,
    },
    tools::Tool,
    wire::{Connection, records},
};

/// Records are due in steps of this.
const TICK: Duration = Duration::from_millis(1);
/// So many at each, in one batch.
const PER_TICK: u64 = 5;
/// Of each record's value.
const VALUE: usize = 1024;
const PARTITIONS: i32 = 8;
/// Of one partition in one fetch.
const FETCH_BYTES: usize = 1 << 20;

/// How long a run is, and how long what is not counted.
pub const RUN: Duration = Duration::from_secs(15);
const WARMING: Duration = Duration::from_secs(10);
/// After the last was due: what has not come by then is taken for lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one run has shown.
pub struct Run {
    /// Half of the records came sooner.
    pub p50: Duration,
    /// All but one in a hundred came sooner.
    pub p99: Duration,
    /// What the tool, the brokers and the rest took meanwhile.
    pub cost: Cost,
}

/// All runs of one tool; of none if the source itself was read.
pub struct Late {
    /// What the records came through.
    pub tool: Option<Tool>,
    /// In the order they were made.
    pub runs: Vec<Run>,
}

impl Bench {
    /// So many runs with the reader on the source, then as many through each tool.
    pub fn latencies(&self, tools: &[Tool], runs: u32) -> Vec<Late> {
        let through = std::iter::once(None).chain(tools.iter().copied().map(Some));
        through.map(|tool| self.latency(tool, runs)).collect()
    }

    fn latency(&self, tool: Option<Tool>, runs: u32) -> Late {
        let name = tool.map_or("nothing", Tool::name);
        let topic = support::unique("latency");
        self.clear();
        self.source.create_topic(&topic, PARTITIONS, &[]);
        let scratch = support::scratch("cost");
        let running = tool.map(|tool| {
            let run = self.following(tool, &topic, scratch.path());
            let log = scratch.path().join("output");
            let process = Process::start(run.command, &log, self.brokers());
            let process = process.unwrap_or_else(|error| panic!("{error}"));
            (process, run.migration)
        });
        let end = tool.map_or(&self.source, |_| &self.target);
        let what = format!("{name} has created {topic}");
        wait::until(&what, PATIENCE, || {
            end.end_offsets(&topic)
                .is_some_and(|ends| ends.len() == PARTITIONS as usize)
        });
        eprintln!("latency through {name}: warming up");
        let once = |number: u64, length: Duration| {
            let late = write_and_read(&self.source, end, &topic, number, length);
            late.unwrap_or_else(|error| {
                let failure = running.as_ref().map(|(process, _)| process.failure(""));
                panic!("{name}: {error}\n{}", failure.unwrap_or_default())
            })
        };
        once(0, WARMING);
        let mut late = Late {
            tool,
            runs: Vec::new(),
        };
        for number in 1..=u64::from(runs) {
            let process = running.as_ref().map(|(process, _)| process);
            let (mut times, cost) =
                measure::meanwhile(process, self.brokers(), || once(number, RUN));
            times.sort_unstable();
            let run = Run {
                p50: times[times.len() / 2],
                p99: times[times.len() * 99 / 100],
                cost,
            };
            eprintln!(
                "run {number} through {name}: p50 {:.2?}, p99 {:.2?}",
                run.p50, run.p99
            );
            late.runs.push(run);
        }
        late
    }
}

/// Writes for so long to the source, reads at the end, and answers how late each record came.
fn write_and_read(
    source: &Kafka,
    end: &Kafka,
    topic: &str,
    run: u64,
    length: Duration,
) -> io::Result<Vec<Duration>> {
    let ticks = (length.as_millis() / TICK.as_millis()) as u64;
    let positions = end.end_offsets(topic).ok_or(io::ErrorKind::NotFound)?;
    let mut positions: Vec<(i32, i64)> = (0..).zip(positions).collect();
    let mut from = Connection::open(&end.address(0))?;
    let began = Instant::now() + 10 * TICK;
    thread::scope(|scope| {
        let writer = scope.spawn(|| write(&source.address(0), topic, run, began, ticks));
        let mut late = Vec::new();
        let mut answer = Vec::new();
        while (late.len() as u64) < ticks * PER_TICK {
            if began.elapsed() > length + PATIENCE {
                let lost = ticks * PER_TICK - late.len() as u64;
                return Err(io::Error::other(format!("{lost} records did not come")));
            }
            from.send_fetch(topic, &positions, FETCH_BYTES)?;
            let size = from.read(&mut answer)?;
            let now = Instant::now();
            for (partition, start, end) in records(&answer[..size])? {
                for batch in codecs::decode(&answer[start..end]) {
                    positions[partition as usize].1 = batch.last_offset + 1;
                    if batch.is_control {
                        continue;
                    }
                    let values = batch
                        .records
                        .iter()
                        .filter_map(|record| record.value.as_deref());
                    let due = values.filter_map(due).filter(|(of, _)| *of == run);
                    late.extend(due.map(|(_, tick)| now - due_at(began, tick)));
                }
            }
        }
        let panicked = |_| Err(io::Error::other("the writer panicked"));
        writer.join().unwrap_or_else(panicked)?;
        Ok(late)
    })
}

fn due_at(began: Instant, tick: u64) -> Instant {
    began + TICK * u32::try_from(tick).expect("runs are short")
}

/// Sends each tick's records when they are due, whether or not earlier ones are answered.
fn write(address: &str, topic: &str, run: u64, began: Instant, ticks: u64) -> io::Result<()> {
    let mut out = Connection::open(address)?;
    let mut back = out.another()?;
    thread::scope(|scope| {
        let answers = scope.spawn(move || {
            let mut answer = Vec::new();
            (0..ticks).try_for_each(|_| back.read_produced(&mut answer))
        });
        for (tick, partition) in (0..ticks).zip((0..PARTITIONS).cycle()) {
            thread::sleep(due_at(began, tick).saturating_duration_since(Instant::now()));
            out.send_produce(topic, &[(partition, &batch(run, tick))])?;
        }
        let panicked = |_| Err(io::Error::other("the reader of answers panicked"));
        answers.join().unwrap_or_else(panicked)
    })
}

fn batch(run: u64, tick: u64) -> Vec<u8> {
    let timestamp = producer::now();
    let records: Vec<Record> = (0..PER_TICK)
        .map(|_| Record {
            offset: 0,
            timestamp,
            key: None,
            value: Some(format!("{run:016x}{tick:016x}{:->1$}", "", VALUE - 32).into_bytes()),
            headers: Vec::new(),
        })
        .collect();
    codecs::encode(Envelope::PLAIN, &records)
}

/// The run and the tick a value names.
fn due(value: &[u8]) -> Option<(u64, u64)> {
    let number = |at: usize| {
        let digits = value.get(at..at + 16)?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    Some((number(0)?, number(16)?))
}
