//! Two simulated clusters of two brokers each, writers, and an engine that is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use kafka_migrate::{
    engine::steps::LABELS,
    sandbox::{Cluster, ClusterPlan, Plan, Sandbox},
};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
};
use tokio::runtime::Runtime;

use super::{
    plots::Plot,
    trouble::{self, Trouble},
};
use crate::support::{
    Dice,
    tool::{Finished, Migration, Tool},
    wait,
};

pub const TOPICS: [(&str, i32); 3] = [("plain", 3), ("transactions", 2), (PLOTTED, 1)];
/// What plots are about.
pub const PLOTTED: &str = "plotted";
/// What one of them compacts.
pub const COMPACTED: &str = "compacted";
/// Of what one of them loses on the target.
pub const LOST: &str = "lost";
pub const LEDGER: &str = "kafka-migrate.crash.forward";
/// Groups whose positions are carried.
pub const GROUPS: [&str; 4] = ["one", "two", "three", "four"];
/// What values begin with that were written on the target.
pub const BACK: &str = "back-";
pub const LIMIT: Duration = Duration::from_secs(60);
/// An engine that does not die by itself is killed after this.
const LABEL_PATIENCE: Duration = Duration::from_millis(1000);
/// So old that a broker forgets who wrote it as soon as it looks.
pub const DAYS: i64 = 9 * 24 * 3_600_000;

/// The stage of one seed. Dropped, everything ends.
pub struct Scene {
    pub seed: u64,
    /// Records go both ways.
    pub is_two_way: bool,
    pub sandbox: Sandbox,
    pub migration: Migration,
    trouble: Option<Trouble>,
    pub stop: Arc<AtomicBool>,
    runtime: Runtime,
}

impl Scene {
    /// Everything runs but the engine.
    pub fn new(seed: u64, dice: &mut Dice, plot: Plot) -> Self {
        let is_two_way = plot.is_two_way().unwrap_or(dice.chance(0.5));
        let runtime = Runtime::new().expect("threads can be had");
        let cluster = |name: &str| ClusterPlan::new(name).with_brokers(2);
        let plan = Plan {
            clusters: vec![cluster("source"), cluster("target")],
            seed,
        };
        let sandbox = runtime.block_on(Sandbox::start(plan)).expect("it starts");
        let side = |name: &str| sandbox.cluster(name).expect("it is in the plan").clone();
        for (topic, partitions) in TOPICS {
            let partitions = usize::try_from(partitions).expect("few");
            assert!(side("source").create_topic(topic, partitions, 2, &[]));
            if is_two_way {
                assert!(side("target").create_topic(topic, partitions, 2, &[]));
            }
        }
        let section = |name: &str| {
            let servers: Vec<String> = side(name)
                .bootstrap()
                .split(',')
                .map(str::to_owned)
                .collect();
            format!(
                "[{name}]\nbootstrap = {servers:?}\nconnect_timeout = \"2s\"\nrequest_timeout = \"3s\"\n"
            )
        };
        let compact = [("cleanup.policy", "compact")];
        assert!(side("source").create_topic(COMPACTED, 1, 2, &compact));
        if plot == Plot::Lost {
            assert!(side("source").create_topic(LOST, 1, 2, &[]));
            assert!(side("target").create_topic(LOST, 1, 2, &[]));
        }
        // What the target's writers write before first contact goes back too.
        let ways = if is_two_way {
            "two_way = true\n\n[[topic]]\nmatch = \"*\"\nexisting = \"merge\"\n"
        } else {
            ""
        };
        let text = format!(
            "version = 1\nname = \"crash\"\n\n{}\n{}\n[scope]\ntopics = [\"*\"]\ngroups = {GROUPS:?}\n\n[replication]\nshards = 2\n{ways}",
            section("source"),
            section("target")
        );
        let migration = Migration::from_text("crash", &text);
        let trouble = (plot == Plot::Random)
            .then(|| Trouble::begin(&runtime, &side("source"), &side("target"), dice));
        Self {
            seed,
            is_two_way,
            sandbox,
            migration,
            trouble,
            stop: Arc::default(),
            runtime,
        }
    }

    pub fn cluster(&self, name: &str) -> &Cluster {
        self.sandbox.cluster(name).expect("it is in the plan")
    }

    pub fn target(&self) -> &Cluster {
        self.cluster("target")
    }

    pub fn config(&self, side: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.cluster(side).bootstrap())
            .set("socket.timeout.ms", "3000")
            .set("message.timeout.ms", "60000")
            .set("transaction.timeout.ms", "60000");
        config
    }

    /// Starts the engine, and lets it die at a step or at a moment.
    pub fn run_and_kill(&self, dice: &mut Dice) {
        let pick = usize::try_from(dice.between(0, LABELS.len() as u64)).expect("few");
        if dice.chance(0.6) {
            let label = LABELS[pick];
            let most = if label.starts_with("produce") { 60 } else { 3 };
            self.kill_at(&format!("{label}:{}", dice.between(1, most)));
        } else {
            let mut engine = self.start();
            wait::elapse(Duration::from_millis(dice.between(30, 1500)));
            if dice.chance(0.4) {
                // A clean end, if it comes to one.
                engine.interrupt();
                wait::whether(LABEL_PATIENCE, || engine.has_ended());
            }
            self.kill(engine);
        }
    }

    /// Starts the engine.
    pub fn start(&self) -> Tool {
        self.migration.command(&["replicate"]).start()
    }

    /// Kills it.
    #[track_caller]
    pub fn kill(&self, engine: Tool) {
        self.has_not_given_up(&engine.kill());
    }

    /// Starts the engine, which dies at a step, if it comes to it.
    #[track_caller]
    pub fn kill_at(&self, step: &str) {
        let call = self.migration.command(&["replicate"]);
        let mut engine = call.env("KAFKA_MIGRATE_CRASH_AT", step).start();
        wait::whether(LABEL_PATIENCE, || engine.has_ended());
        self.kill(engine);
    }

    /// An engine that was taken over says so.
    #[track_caller]
    pub fn was_taken_over(&self, finished: &Finished) {
        if finished.code() == Some(7) {
            finished.assert_says("K403");
        } else {
            self.has_not_given_up(finished);
        }
    }

    /// Waits until the target holds as many records of a topic's first partition as the source, or for so long.
    pub fn wait_for_copies(&self, topic: &str, limit: Duration) {
        let count = |side| self.records(side, topic, 0).len();
        wait::whether(limit, || count("target") >= count("source"));
    }

    /// Lets everything arrive that is held on the way to the target.
    pub fn deliver(&self) {
        self.runtime.block_on(self.target().deliver());
    }

    /// It may die, and it may stop because a side is away for long; it may not find anything to be wrong.
    #[track_caller]
    fn has_not_given_up(&self, finished: &Finished) {
        // Codes of stops are K5 and two digits.
        let stopped = finished.stderr.match_indices("K5").any(|(at, _)| {
            let digits = finished.stderr.as_bytes().get(at + 2..at + 4);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
        });
        assert!(
            !stopped && matches!(finished.code(), None | Some(0 | 4 | 5 | 9 | 130)),
            "seed {}: {finished}\n{}",
            self.seed,
            self.told()
        );
    }

    /// Nothing goes wrong any more, and the writers end.
    pub fn settle(&self, writers: Vec<JoinHandle<()>>) {
        if let Some(trouble) = &self.trouble {
            trouble.end(&self.runtime);
        }
        self.target().faults().clear();
        for side in ["source", "target"] {
            self.cluster(side).hold_markers(false);
        }
        self.stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().expect("writers end well");
        }
    }

    /// The groups' positions, anywhere.
    pub fn commit_somewhere(&self, dice: &mut Dice) {
        for group in GROUPS {
            let consumer = self.consumer("source", group);
            let mut list = TopicPartitionList::new();
            for (topic, partition) in partitions() {
                let offsets = self.offsets("source", topic, partition);
                let at = dice.between(0, offsets.unsigned_abs() + 1);
                let offset = Offset::Offset(i64::try_from(at).expect("few records"));
                list.add_partition_offset(topic, partition, offset)
                    .expect("it is an offset");
            }
            wait::until("positions are taken", LIMIT, || {
                consumer.commit(&list, CommitMode::Sync).is_ok()
            });
        }
    }

    fn consumer(&self, side: &str, group: &str) -> BaseConsumer {
        let mut config = self.config(side);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false");
        config.create().expect("a consumer can be made")
    }

    /// What a side holds as a group's positions, in the order of `partitions`.
    pub fn positions(&self, side: &str, group: &str) -> Vec<Offset> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions() {
            list.add_partition(topic, partition);
        }
        let found = self.consumer(side, group).committed_offsets(list, LIMIT);
        let found = found.expect("it can be asked");
        let offset = |(topic, partition): (&str, i32)| {
            let one = found.find_partition(topic, partition);
            one.expect("it was asked for").offset()
        };
        partitions().map(offset).collect()
    }

    /// Left alone it ends well, and with everything at its end.
    #[track_caller]
    pub fn catch_up(&self) {
        let finished = self.migration.run(&["replicate", "--until", "caught-up"]);
        assert_eq!(
            finished.code(),
            Some(0),
            "seed {}: {finished}\n{}",
            self.seed,
            self.told()
        );
    }

    /// What went wrong, for whoever reads a failure.
    pub fn told(&self) -> String {
        trouble::told(self.cluster("source")) + &trouble::told(self.cluster("target"))
    }

    /// How many things went wrong.
    pub fn fired(&self) -> usize {
        ["source", "target"]
            .iter()
            .map(|side| self.cluster(side).faults().fired().len())
            .sum()
    }
}

/// Every partition that is copied.
pub fn partitions() -> impl Iterator<Item = (&'static str, i32)> {
    let each = TOPICS.into_iter();
    each.flat_map(|(topic, partitions)| (0..partitions).map(move |partition| (topic, partition)))
}

/// The machine's time in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("it is later");
    i64::try_from(now.as_millis()).expect("it fits")
}
