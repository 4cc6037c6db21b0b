//! Where are we: the answer of `status`, from the two clusters and the ledger alone.

mod look;
mod maps;
mod others;
mod positions;
mod steered;
mod sums;
mod synced;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

pub use look::{look, look_closely, said, said_back};
pub(in crate::engine) use look::{open, shards};
pub use maps::{Asked, MapStatus, PartitionMap, PlaceStatus, maps};
pub use others::{Other, others};
pub use positions::{GroupStatus, GroupsStatus};
use serde::Serialize;
pub use synced::SyncStatus;

use crate::{
    engine::ledger::{record::Heartbeat, synced::Synced},
    events::Choice,
    model::names::TopicPartition,
};

/// What the ledger says to those who compare both sides.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// There is a ledger.
    pub ledger: bool,
    /// What persons decided.
    pub decided: Vec<Decided>,
    /// The offset at which ours begins where it writes, of every partition that was met.
    pub begins: HashMap<TopicPartition, i64>,
    /// Every identity it ever wrote under: epochs by producer id.
    pub identities: HashMap<i64, Vec<i16>>,
    /// Ranges of what it reads that look like copies of the other direction, and a person took for an application's.
    pub not_copies: HashMap<TopicPartition, Vec<Range<i64>>>,
}

/// Everything `status` shows.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Version of this document.
    pub v: u32,
    /// The migration's name.
    pub migration: String,
    /// Source cluster id.
    pub source_cluster: String,
    /// Target cluster id.
    pub target_cluster: String,
    /// What the engine does, as far as the ledger tells.
    pub engine: EngineState,
    /// Who owns the ledger: host, process, version.
    pub owner: Option<String>,
    /// Milliseconds since 1970 of the last heartbeat, by the engine's clock.
    pub last_heartbeat_ms: Option<i64>,
    /// One line a topic.
    pub topics: Vec<TopicStatus>,
    /// Partitions that wait for a person.
    pub stopped: Vec<StoppedPartition>,
    /// What a person gave up, or wanted copied again, ever since the migration began.
    pub decided: Vec<Decided>,
    /// Partitions of repartition topics whose owner had read and deleted something before it was copied: no gaps.
    pub trimmed: Vec<TrimmedStatus>,
    /// Where the target held records at first contact, which stay in front of ours.
    pub seams: Vec<SeamStatus>,
    /// Settings of topics on the target that are not as they were, until nothing old is left to come.
    pub held: Vec<HeldStatus>,
    /// Transactions that are open on the source, oldest first: nothing behind them can be copied. `None` if it could not be asked.
    pub open_transactions: Option<Vec<OpenTransaction>>,
    /// Offsets between the source's last stable offset and what the target holds, all partitions; `None` if it could not be asked.
    pub message_lag: Option<u64>,
    /// Records per second, as last reported by a running engine.
    pub records_per_second: f64,
    /// Bytes per second, as last reported by a running engine.
    pub bytes_per_second: f64,
    /// Why a running engine holds itself back, if it does.
    pub throttled_by: Option<String>,
    /// Somebody wants the engine to stand still, whichever runs, now or later.
    pub pause: Option<SteeredStatus>,
    /// Somebody wants another limit of rate than the engine was started with.
    pub limit: Option<SteeredStatus>,
    /// Batches of the source that do not stand on the target as they came, since the engine last began to copy.
    pub batches: Batches,
    /// Groups whose positions are carried; `None` where none ever were.
    pub groups: Option<GroupsStatus>,
    /// The direction back, where there is one.
    pub way_back: Option<WayBack>,
    /// Settings and access rules that follow the source, as the engine saw them last; `None` where none ever did.
    pub sync: Option<SyncStatus>,
}

/// The direction from the target back to the source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayBack {
    /// What it does, as far as its ledger tells.
    pub engine: EngineState,
    /// Target offsets that it has not passed, all partitions; `None` if it could not be asked.
    pub message_lag: Option<u64>,
    /// Records per second that came back, as last reported by a running engine.
    pub records_per_second: f64,
    /// Batches that did not come back as they were, by reason: above all our own copies.
    pub batches: Batches,
    /// Partitions that wait for a person.
    pub stopped: Vec<StoppedBack>,
    /// Partitions of repartition topics whose owner had read and deleted something there before it came back: no gaps.
    pub trimmed: Vec<TrimmedStatus>,
}

/// A partition that waits for a person on the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedBack {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Stable code.
    pub code: String,
    /// What happened.
    pub reason: String,
    /// First target offset that did not come back.
    pub target_offset: i64,
    /// What a person can do, each with its command.
    pub choices: Vec<Choice>,
}

/// Batches that were not copied as they came, counted by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Batches {
    /// Commit and abort markers, which are the broker's own.
    pub control: u64,
    /// Records of aborted transactions.
    pub aborted: u64,
    /// Emptied by compaction.
    pub empty: u64,
    /// Tiny ones that became part of another.
    pub merged: u64,
    /// Copies by the other direction that were fetched, proved to be that, and not copied back.
    pub echoes: u64,
    /// Ranges of such copies that were not even fetched.
    pub jumps: u64,
}

impl Batches {
    fn of<'a>(beats: impl Iterator<Item = &'a Heartbeat>) -> Self {
        beats.fold(Self::default(), |sum, beat| Self {
            control: sum.control + beat.control,
            aborted: sum.aborted + beat.aborted,
            empty: sum.empty + beat.empty,
            merged: sum.merged + beat.merged,
            echoes: sum.echoes + beat.echoes,
            jumps: sum.jumps + beat.jumps,
        })
    }
}

/// What the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineState {
    /// There is no ledger: nothing ever ran.
    NeverStarted,
    /// The heartbeat moves.
    Running,
    /// The last run ended cleanly.
    Stopped,
    /// The heartbeat stands, and the ledger was not sealed.
    Silent,
}

/// One topic.
#[derive(Debug, Clone, Serialize)]
pub struct TopicStatus {
    /// Its name.
    pub topic: String,
    /// Partitions on the source.
    pub partitions: usize,
    /// Partitions stopped.
    pub stopped: usize,
    /// Source offsets below which everything is on the target, summed; 0 where nothing was copied yet.
    pub copied: u64,
    /// Last stable offsets of the source, summed.
    pub end: u64,
    /// Offsets not yet on the target; what the source held no more when it was first met does not count.
    pub lag: u64,
}

/// One partition that waits for a person.
#[derive(Debug, Clone, Serialize)]
pub struct StoppedPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Stable code.
    pub code: String,
    /// What happened.
    pub reason: String,
    /// First source offset not copied.
    pub source_offset: i64,
    /// Where it would go on if a person gave up what is in the way.
    pub goes_on_at: Option<i64>,
    /// Milliseconds since 1970: when it first stopped here.
    pub since_ms: i64,
    /// What a person can do, each with its command.
    pub choices: Vec<Choice>,
}

/// A request that stands in the ledger until another takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SteeredStatus {
    /// What is wanted: `paused`, or a limit in words.
    pub what: String,
    /// Who.
    pub by: String,
    /// Milliseconds since 1970, by their clock.
    pub at_ms: i64,
}

/// What the owner of a repartition topic had read and deleted before it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrimmedStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The owner: a group of Kafka Streams.
    pub group: String,
    /// Offsets that were passed over, ever.
    pub offsets: u64,
    /// How often.
    pub times: u64,
    /// The first offset that was passed over last.
    pub from: i64,
    /// The offset at which the partition went on then.
    pub to: i64,
    /// When that was, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Where records of before and ours meet in a partition of the target.
#[derive(Debug, Clone, Serialize)]
pub struct SeamStatus {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first target offset of before, when it was met.
    pub kept_from: i64,
    /// The target's end when it was met: ours begins here or behind.
    pub target_offset: i64,
    /// The first source offset when it was met: what was copied first.
    pub source_offset: i64,
}

/// A setting of a topic on the target that is held open while old records arrive.
#[derive(Debug, Clone, Serialize)]
pub struct HeldStatus {
    /// The topic.
    pub topic: String,
    /// Kafka's name for the setting.
    pub setting: String,
    /// What it is meanwhile.
    pub held: String,
    /// What was set on the topic itself before; `None` where nothing was.
    pub before: Option<String>,
    /// Milliseconds since 1970.
    pub since_ms: i64,
}

/// A transaction that holds a partition of the source back.
#[derive(Debug, Clone, Serialize)]
pub struct OpenTransaction {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Whose: the application's transactional id, where its coordinator tells.
    pub transactional_id: Option<String>,
    /// Its producer's id.
    pub producer_id: i64,
    /// Its first offset.
    pub first_offset: i64,
    /// Offsets at or behind it that nobody may read yet.
    pub held_back: u64,
    /// Milliseconds since 1970: when it began, by its coordinator's clock, else its producer's last record.
    pub since_ms: i64,
    /// The coordinator aborts it by itself after so many milliseconds.
    pub timeout_ms: Option<i32>,
}

/// Something that a person decided about a partition that had stopped.
#[derive(Debug, Clone, Serialize)]
pub struct Decided {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Code of the stop that it passed.
    pub code: String,
    /// What was given up, or that it was copied again.
    pub decision: String,
    /// The source offset at which the partition had stopped.
    pub from: i64,
    /// The source offset at which it went on; `None` where it was copied again.
    pub to: Option<i64>,
    /// Who.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What the ledger says of single partitions.
#[derive(Debug, Clone, Default)]
pub struct Closely {
    /// Where each of them stands.
    pub partitions: BTreeMap<TopicPartition, Standing>,
    /// Producer ids under which this migration ever wrote data.
    pub identities: BTreeSet<i64>,
    /// What is on record of settings and access rules that follow the source.
    pub synced: Synced,
    /// Topics whose retention is held open.
    pub held: BTreeSet<String>,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Every source record below is on the target.
    pub copied: Option<i64>,
    /// Where the source began when it was first met.
    pub first: Option<i64>,
    /// The target offset after our last record.
    pub target: Option<i64>,
}
