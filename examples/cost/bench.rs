//! The two clusters, the copies between them, and the proof that each copy is one.

use std::{fs, time::Duration};

use super::{
    measure::{self, Cost, Process, Watch},
    mirror,
    producer::{self, Dated},
    stored,
    support::{self, kafka::Kafka, raw::Code, wait},
    table::Row,
    tools::Tool,
    workload::Workload,
};

/// Part of the stored bytes by which a copy by kafka-migrate may be larger or smaller: batches may be cut differently.
const TOLERANCE: f64 = 0.02;

/// What is copied, and by whom.
pub struct Copies {
    /// Each of these.
    pub workloads: Vec<Workload>,
    /// By each of these.
    pub tools: Vec<Tool>,
    /// Millions of bytes in each workload's topic.
    pub megabytes: u64,
    /// So many times.
    pub rounds: u32,
}

/// The two clusters.
pub struct Bench {
    /// Is filled once, and copied from.
    pub source: Kafka,
    /// Is emptied before every copy.
    pub target: Kafka,
}

impl Bench {
    /// Starts a broker for each side.
    pub fn start() -> Self {
        // A topic that was copied to is to be gone before the next copy begins.
        let spec = |name| Kafka::spec(name).set("log.segment.delete.delay.ms", "0");
        std::thread::scope(|scope| {
            let source = scope.spawn(|| spec("source").start());
            let target = spec("target").start();
            let source = source.join().expect("the source starts");
            Self { source, target }
        })
    }

    /// `host:port` of source and target.
    pub fn addresses(&self) -> [String; 2] {
        [&self.source, &self.target].map(|kafka| kafka.address(0))
    }

    /// Processes of source and target.
    pub fn brokers(&self) -> [u32; 2] {
        [&self.source, &self.target].map(|kafka| measure::broker_in(kafka.home()))
    }

    /// Fills the source and copies everything by all tools, again and again.
    pub fn run(&self, copies: &Copies) -> Vec<Row> {
        let mut workloads = Vec::new();
        for workload in copies.workloads.iter().copied() {
            for workload in workload.start().into_iter().chain([workload]) {
                if !workloads.contains(&workload) {
                    workloads.push(workload);
                }
            }
        }
        let mut rows = Vec::new();
        for workload in &workloads {
            let name = workload.name();
            self.fill(*workload, copies.megabytes);
            if workload.start().is_some() {
                eprintln!("{name}: a copy to warm up");
                self.copy(Tool::Bare, *workload, copies.megabytes);
            }
            rows.extend(copies.tools.iter().map(|tool| Row {
                workload: *workload,
                tool: *tool,
                bytes: self.source.log_bytes(workload.topic()),
                costs: Vec::new(),
            }));
        }
        for round in 0..copies.rounds {
            for rows in rows.chunks_mut(copies.tools.len()) {
                // Who comes first finds the brokers in another state: take turns.
                let first = round as usize % rows.len();
                let (later, sooner) = rows.split_at_mut(first);
                for row in sooner.iter_mut().chain(later) {
                    let cost = self.copy(row.tool, row.workload, copies.megabytes);
                    eprintln!(
                        "round {}: {} by {}: {:.2} s, {:.2} CPU-s",
                        round + 1,
                        row.workload.name(),
                        row.tool.name(),
                        cost.wall.as_secs_f64(),
                        cost.cpu.as_secs_f64()
                    );
                    row.costs.push(cost);
                }
            }
        }
        rows
    }

    fn fill(&self, workload: Workload, megabytes: u64) {
        let (topic, partitions) = (workload.topic(), workload.partitions());
        self.source.create_topic(topic, partitions, &[]);
        let bytes = megabytes * 1_000_000;
        let filled = producer::produce(&self.source.address(0), workload, bytes, Dated::Always);
        filled.expect("the source takes the load");
        let (_, smaller) = workload.pool();
        let name = workload.name();
        eprintln!("{name}: the source is filled, compressed {smaller:.2} to 1");
    }

    /// One copy of one topic, measured; panics unless the target then holds what the source holds.
    fn copy(&self, tool: Tool, workload: Workload, megabytes: u64) -> Cost {
        if tool != Tool::Fetch {
            self.clear();
        }
        let scratch = support::scratch("cost");
        let run = self.once(tool, workload, megabytes, scratch.path());
        let log = scratch.path().join("output");
        let ends = self.source.end_offsets(workload.topic());
        // Nothing but the end offsets says that a tool without an end has done its work.
        let has_all = || self.target.end_offsets(workload.topic()) == ends;
        let watch = Watch {
            bytes: &|| self.target.log_bytes(workload.topic()),
            // It looks into each partition's directory.
            pause: Duration::from_millis(if workload.partitions() > 100 { 250 } else { 20 }),
            is_done: tool.is_endless().then_some(&has_all),
        };
        let process = Process::start(run.command, &log, self.brokers());
        let cost = process.and_then(|process| process.run(&watch));
        let cost = cost.unwrap_or_else(|error| panic!("{error}"));
        if tool != Tool::Fetch {
            self.assert_copied(tool, workload);
        }
        cost
    }

    /// Leaves nothing of earlier copies on the target, nor of whoever copied on the source.
    pub fn clear(&self) {
        let is_kafkas = |name: &str| name.starts_with("__");
        delete(&self.source, |name| {
            name.starts_with(mirror::OWN_TOPICS) || name.starts_with("kafka-migrate.")
        });
        delete(&self.target, |name| !is_kafkas(name));
        let data = self.target.home().join("broker-0").join("data");
        wait::until(
            "the target has removed the logs",
            Duration::from_secs(120),
            || {
                let entries = fs::read_dir(&data).expect("the broker has data").flatten();
                let mut logs = entries.filter(|entry| entry.path().is_dir());
                logs.all(|log| log.file_name().to_str().is_some_and(is_kafkas))
            },
        );
    }

    fn assert_copied(&self, tool: Tool, workload: Workload) {
        let (topic, count) = (workload.topic(), workload.partitions());
        let [source, target] =
            [&self.source, &self.target].map(|kafka| stored::partitions(kafka, topic, count));
        let allowed = match tool {
            Tool::Fetch | Tool::Produce | Tool::Bare => 0.0,
            Tool::KafkaMigrate | Tool::TwoWays => TOLERANCE,
            // It takes batches apart, and compresses anew what it puts together.
            Tool::Library | Tool::Mirror | Tool::MirrorTuned => f64::INFINITY,
        };
        for (partition, (source, target)) in source.iter().zip(&target).enumerate() {
            assert!(
                source.records == target.records
                    && source.bytes.abs_diff(target.bytes) as f64 <= source.bytes as f64 * allowed,
                "{topic}-{partition}: the source has {source:?}, the copy by {} has {target:?}",
                tool.name()
            );
        }
    }
}

fn delete(kafka: &Kafka, which: impl Fn(&str) -> bool) {
    for name in kafka.metadata().topics.keys().filter(|name| which(name)) {
        let deleted: Result<(), Code> =
            kafka.wire().delete_topic(name).expect("the broker answers");
        deleted.unwrap_or_else(|code| panic!("cannot delete topic {name}: {code}"));
    }
}
