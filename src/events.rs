//! Everything the program can say while it works; only `ui` turns it into text.

use tokio::sync::mpsc;

use crate::model::{direction::as_on_the_way_back, names::TopicPartition};

/// Where events go. Cloned freely; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::UnboundedSender<Event>,
    is_of_way_back: bool,
}

impl Events {
    /// A sender and the end that `ui` reads.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let is_of_way_back = false;
        (
            Self {
                sender,
                is_of_way_back,
            },
            receiver,
        )
    }

    /// For the direction back, which runs beside the other: what goes without saying is not said, and what it says is told apart.
    pub fn of_the_way_back(&self) -> Self {
        Self {
            is_of_way_back: true,
            ..self.clone()
        }
    }

    /// Says something. If nobody listens any more it is lost, which is right at shutdown.
    pub fn send(&self, event: Event) {
        let event = match self.is_of_way_back {
            true => of_the_way_back(event),
            false => Some(event),
        };
        if let Some(event) = event {
            drop(self.sender.send(event));
        }
    }
}

/// What is left to be said of the direction back.
fn of_the_way_back(event: Event) -> Option<Event> {
    let back = |text: String| format!("on the way back: {}", as_on_the_way_back(&text));
    match event {
        Event::Progress(progress) => Some(Event::WayBack(progress)),
        Event::Trouble { text } => Some(Event::Trouble { text: back(text) }),
        Event::ShardRestarted { shard, reason } => Some(Event::ShardRestarted {
            shard,
            reason: back(reason),
        }),
        Event::PartitionStopped {
            topic,
            partition,
            code,
            reason,
            source_offset,
            goes_on_at,
            since_ms,
            choices,
        } => Some(Event::PartitionStopped {
            topic,
            partition,
            code,
            reason: back(reason),
            source_offset,
            goes_on_at,
            since_ms,
            choices: choices
                .into_iter()
                .map(|choice| Choice {
                    does: as_on_the_way_back(&choice.does),
                    ..choice
                })
                .collect(),
        }),
        Event::Decided {
            topic,
            partition,
            code,
            decision,
        } => Some(Event::Decided {
            topic,
            partition,
            code,
            decision: back(decision),
        }),
        Event::Trimmed {
            topic,
            partition,
            group,
            from,
            to,
            reason,
        } => Some(Event::Trimmed {
            topic,
            partition,
            group,
            from,
            to,
            reason: back(reason),
        }),
        // The direction there says the same.
        _ => None,
    }
}

/// One thing that happened.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The engine is connected and owns its ledger.
    Started {
        /// Source cluster id.
        source_cluster: String,
        /// Target cluster id.
        target_cluster: String,
        /// Topics in scope.
        topics: usize,
        /// Partitions in scope.
        partitions: usize,
        /// Ledger shards.
        shards: usize,
    },
    /// A shard's ledger was claimed.
    ShardClaimed {
        /// Which shard.
        shard: u32,
        /// Generation of the claim.
        generation: u64,
        /// `fresh`, `continued` after a clean stop, or `fenced` after an unclean one.
        identity: String,
        /// Milliseconds from the start of the claim until the shard could send.
        took_ms: u64,
    },
    /// A shard gave up its session and starts a new one.
    ShardRestarted {
        /// Which shard.
        shard: u32,
        /// Why.
        reason: String,
    },
    /// A topic came into scope.
    TopicAdded {
        /// The topic.
        topic: String,
        /// Its partitions.
        partitions: i32,
        /// Whether we created it on the target just now.
        created: bool,
    },
    /// A topic grew on the source and was grown on the target.
    PartitionsAdded {
        /// The topic.
        topic: String,
        /// Its partitions now.
        partitions: i32,
    },
    /// A partition stopped; the others go on.
    PartitionStopped {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Stable code, `K5xx`.
        code: String,
        /// What happened, with exact offsets.
        reason: String,
        /// Source offset from which nothing was copied.
        source_offset: i64,
        /// Where it would go on if a person gave up what is in the way.
        goes_on_at: Option<i64>,
        /// Milliseconds since 1970: when it first stopped here.
        since_ms: i64,
        /// What a person can do, each with its command.
        choices: Vec<Choice>,
    },
    /// A person's decision stands in the ledger, and a partition goes on.
    Decided {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// Code of the stop that it passes.
        code: String,
        /// What was decided, with exact offsets.
        decision: String,
    },
    /// A partition goes on behind what the owner of a repartition topic had read and deleted before it was copied: no gap.
    Trimmed {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The owner: a group of Kafka Streams.
        group: String,
        /// The first source offset that was passed over.
        from: i64,
        /// The source offset at which the partition goes on.
        to: i64,
        /// What happened, with exact offsets.
        reason: String,
    },
    /// A topic on the target keeps what arrives, whatever it kept before, until nothing old is left to come.
    RetentionHeld {
        /// The topic.
        topic: String,
        /// Its settings as they are now, each with what it was.
        settings: Vec<String>,
    },
    /// A topic on the target keeps again what it kept before.
    RetentionRestored {
        /// The topic.
        topic: String,
        /// Settings that somebody else has changed meanwhile, and which were left as they are.
        left: Vec<String>,
    },
    /// Settings of a topic on the target are now as on the source.
    SettingsFollowed {
        /// The topic.
        topic: String,
        /// Which, with their values.
        brought: Vec<String>,
    },
    /// Access rules of the target follow those of the source.
    AclsFollowed {
        /// Rules that were made.
        made: Vec<String>,
        /// Rules of ours that were removed.
        removed: Vec<String>,
    },
    /// The beat: where we are. At most once a second.
    Progress(Progress),
    /// The beat of the direction back, where it runs.
    WayBack(Progress),
    /// Every partition reached the end offsets seen when the command began, and positions are durable.
    CaughtUp {
        /// Records copied by this run.
        records: u64,
    },
    /// Draining before a planned stop.
    Draining {
        /// Batches still in flight.
        in_flight: u64,
    },
    /// The engine ended.
    Stopped {
        /// Whether every shard was sealed (a clean stop).
        sealed: bool,
        /// Records copied by this run.
        records: u64,
        /// Bytes copied by this run, as stored.
        bytes: u64,
    },
    /// Somebody steered the engine from elsewhere.
    Steered {
        /// What follows, and who asked, in one sentence.
        text: String,
    },
    /// A passing trouble worth showing once.
    Trouble {
        /// What, in one sentence.
        text: String,
    },
    /// A step of a plan waits for something that takes its time.
    StepWaits {
        /// Its name.
        step: String,
        /// For what, and how far that is.
        said: String,
        /// How long it has waited.
        waited_ms: u64,
    },
    /// A step of a plan.
    Step {
        /// The plan's phase.
        phase: String,
        /// The step, from 1.
        number: usize,
        /// Of so many.
        of: usize,
        /// Its name.
        step: String,
        /// What it does.
        says: String,
        /// `begins`, `done`, `done before`, `failed`, `undone`, `not undone`, `not asked again` or `left to the engine`.
        state: String,
        /// What came of it.
        said: String,
        /// How long it took.
        took_ms: u64,
    },
    /// `verify`'s beat.
    Verifying {
        /// Records compared.
        records: u64,
        /// Bytes read from the source.
        bytes: u64,
        /// Source offsets still to compare.
        remaining: u64,
        /// Source offsets in all.
        total: u64,
    },
}

/// One thing that a person can do about a partition that stopped.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// What it does, in a sentence.
    pub does: String,
    /// The command, where one does it.
    pub command: Option<String>,
}

/// Where one partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionProgress {
    /// Which.
    pub at: TopicPartition,
    /// Source offsets not yet on the target; `None` until the source has said where it ends.
    pub lag: Option<u64>,
    /// Code of what stopped it.
    pub stopped: Option<String>,
}

/// Numbers of one beat.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Progress {
    /// Partitions copying.
    pub partitions: u64,
    /// Partitions at the end of the source.
    pub caught_up: u64,
    /// Partitions stopped.
    pub stopped: u64,
    /// Source offsets that the target holds, counted from where this migration began.
    pub done: u64,
    /// Source offsets to copy in all, as last seen.
    pub total: u64,
    /// Source offsets not yet on the target.
    pub lag: u64,
    /// Milliseconds since the target last held all that the source held, of the partition furthest behind among those that are copied; `None`
    /// until a source has said where it ends.
    pub behind_ms: Option<u64>,
    /// Records per second over the last seconds.
    pub records_per_second: f64,
    /// Bytes per second over the last seconds.
    pub bytes_per_second: f64,
    /// Records copied by this run.
    pub records: u64,
    /// Bytes copied by this run.
    pub bytes: u64,
    /// Why it is not faster, if something holds it back on purpose.
    pub throttled_by: Option<String>,
    /// Partition furthest behind, and by how many offsets.
    pub slowest: Option<(String, u64)>,
    /// Groups whose positions are carried, if any are.
    pub groups: Option<GroupsProgress>,
}

/// Numbers of groups whose positions are carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct GroupsProgress {
    /// How many.
    pub carried: u32,
    /// Positions that could not be read or written, in this run.
    pub failures: u64,
    /// Positions written in this run.
    pub committed: u64,
    /// Offsets that they are behind on the source; `None` if it could not be asked.
    pub lag_source: Option<u64>,
    /// The same on the target.
    pub lag_target: Option<u64>,
    /// Milliseconds since all of them were last looked at.
    pub age_ms: u64,
}
