//! Are both sides the same, record by record? Aligned by content, not by the engine's own map.
//!
//! From the source to the target, every partition of every topic in scope: the records that a read_committed reader of the
//! source sees, against all that a read_uncommitted reader of the target sees. The end of the source is taken before the end
//! of the target, and once more after it: what the target holds must be there, and what it does not hold yet is behind.

mod align;
mod partition;
mod print;
mod reader;
mod region;
mod report;
mod scope;
mod search;
mod show;
mod stream;
mod table;
mod tally;
#[cfg_attr(
    not(feature = "rdkafka"),
    expect(
        dead_code,
        reason = "without librdkafka nobody listens to what is told"
    )
)]
mod witness;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use globset::GlobSet;
pub use print::{Print, Printer};
pub use reader::{Fetchers, Reader, Stop};
pub use report::{
    Content, Counts, Difference, Kind, Report, SAMPLES, Shape, TopicReport, Verdict, Witness,
};
pub use stream::{Item, Stream};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use self::partition::{Lane, Outcome, Shared, Task};
use crate::{
    cluster::{Source, Target},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::{connection::Connection, names::TopicPartition, scope::Scope},
};

/// How often progress is told.
const BEAT: Duration = Duration::from_secs(1);

/// What one `verify` is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The migration's name.
    pub migration: String,
    /// Topics to compare.
    pub scope: Scope,
    /// How to reach the target once more, for the second reader.
    pub target: Connection,
    /// Show what the differing records hold.
    pub show_values: bool,
    /// Read the target through librdkafka too; needs the feature `rdkafka`.
    pub witness: bool,
    /// Partitions compared at the same time; each takes a few MiB.
    pub at_once: usize,
}

/// Where copies begin in partitions of the target, as the ledger has it.
#[derive(Debug, Clone)]
pub struct Seams {
    /// There is a ledger.
    pub ledger: bool,
    /// The target offset at which copies begin, of every partition that was met.
    pub begins: HashMap<TopicPartition, i64>,
    /// Topics whose records on the target stay there, and are copied behind.
    pub keep: GlobSet,
}

impl Seams {
    /// Target offsets below are no copies.
    fn kept(&self, at: &TopicPartition, target_end: i64) -> i64 {
        match self.begins.get(at) {
            Some(begin) => *begin,
            // Not met yet: all that was there is of before.
            None if self.ledger && self.keep.is_match(&*at.topic) => target_end,
            None => 0,
        }
    }

    fn is_unknown(&self, task: &Task) -> bool {
        !self.ledger && task.target_end > 0 && self.keep.is_match(&*task.at.topic)
    }
}

/// Compares all topics in scope, from the source to the target, up to the ends seen when it begins.
///
/// `seams` is asked after these ends were seen: whoever copies writes a partition's seam before its first batch, so that of a partition
/// without one nothing below its end is a copy.
///
/// A report comes back only if everything could be read; whether both sides are the same is its verdict.
pub async fn run(
    settings: Settings,
    source: Source,
    target: Target,
    seams: impl Future<Output = Result<Seams, Failure>>,
    events: Events,
) -> Result<Report, Failure> {
    let begun = Instant::now();
    let mut scope = scope::look(&settings.scope, &source, &target).await?;
    let seams = seams.await?;
    for task in &mut scope.tasks {
        task.kept = seams.kept(&task.at, task.target_end);
    }
    let unknown = scope.tasks.iter().filter(|task| seams.is_unknown(task));
    let unknown = unknown.count();
    let shared = Arc::new(Shared {
        records: AtomicU64::new(0),
        source_bytes: AtomicU64::new(0),
        target_bytes: AtomicU64::new(0),
        done: AtomicU64::new(0),
        tables: Semaphore::new(1),
        seed: seed()?,
    });
    let beat = tokio::spawn(beat(shared.clone(), scope.total, events));
    let outcomes = compare(&settings, &source, &target, &shared, Arc::new(scope.tasks)).await;
    beat.abort();
    let (tasks, outcomes) = outcomes?;
    let clusters = [source.id().to_owned(), target.id().to_owned()];
    let mut report = show::report(
        settings.migration,
        clusters,
        &scope.absent,
        &tasks,
        outcomes,
    );
    report.source_bytes = shared.source_bytes.load(Relaxed);
    if unknown > 0 {
        report.notes.push(format!(
            "there is no ledger of this migration, so where copies begin cannot be known: in {unknown} partitions set to `existing = \"keep\"` all that the target holds was compared"
        ));
    }
    if settings.show_values {
        show::contents(&mut report.samples, &source, &target).await;
    }
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

type Tasks = Arc<Vec<Task>>;

/// Several lanes side by side, each with one partition after the other; outcomes in the order of the tasks.
async fn compare(
    settings: &Settings,
    source: &Source,
    target: &Target,
    shared: &Arc<Shared>,
    tasks: Tasks,
) -> Result<(Tasks, Vec<Outcome>), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..settings.at_once.clamp(1, tasks.len().max(1)) {
        let printer = Printer::new(shared.seed, false);
        let witness = if settings.witness {
            witness::Witness::start(&settings.target, &printer)
        } else {
            None
        };
        let mut lane = Lane::new(source, target, witness, shared.clone());
        let (next, tasks) = (next.clone(), tasks.clone());
        lanes.spawn(async move {
            let mut outcomes = Vec::new();
            loop {
                let index = next.fetch_add(1, Relaxed);
                let Some(task) = tasks.get(index) else {
                    return Ok::<_, Failure>(outcomes);
                };
                let outcome = lane
                    .compare(task)
                    .await
                    .map_err(|stop| failure(task, stop))?;
                outcomes.push((index, outcome));
            }
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = lanes.join_next().await {
        let ended = ended.map_err(|error| {
            Failure::new(Exit::Bug, "K000", "comparing ended unexpectedly").because(&error)
        })?;
        all.extend(ended?);
    }
    all.sort_by_key(|(index, _)| *index);
    Ok((tasks, all.into_iter().map(|(_, outcome)| outcome).collect()))
}

/// Says where we are until it is stopped.
async fn beat(shared: Arc<Shared>, total: u64, events: Events) {
    let mut ticks = tokio::time::interval(BEAT);
    loop {
        ticks.tick().await;
        let remaining = total.saturating_sub(shared.done.load(Relaxed));
        let (records, bytes) = (
            shared.records.load(Relaxed),
            shared.source_bytes.load(Relaxed),
        );
        events.send(Event::Verifying {
            records,
            bytes,
            remaining,
            total,
        });
    }
}

fn seed() -> Result<u64, Failure> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| {
        Failure::new(Exit::Bug, "K000", "the system gives no random numbers").because(&error)
    })?;
    Ok(u64::from_le_bytes(seed))
}

fn failure(task: &Task, stop: Stop) -> Failure {
    match stop {
        Stop::Failed(error) => error
            .failure()
            .cause(format!("while comparing {}", task.at)),
        Stop::Stalled(reason) => Failure::new(Exit::NotReady, "K493", reason),
        Stop::Moved => Failure::new(
            Exit::NotReady,
            "K492",
            format!("{} moves while it is compared", task.at),
        )
        .hint("retention removes its records faster than they are read; try again with a higher --at-once"),
    }
}
