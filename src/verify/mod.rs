//! Are both sides the same, record by record? Aligned by content, not by the engine's own map.
//!
//! From the source to the target, every partition of every topic in scope: the records that a read_committed reader of the
//! source sees, against all that a read_uncommitted reader of the target sees. The end of the source is taken before the end
//! of the target, and once more after it: what the target holds must be there, and what it does not hold yet is behind.
//!
//! Where records also come back, the same is done once more with the sides exchanged, and each direction compares what applications wrote
//! on one side with what this direction copied to the other (`whose`). The ledgers are asked for identities and seams, and for nothing else.

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
mod tasks;
mod whose;
#[cfg_attr(
    not(feature = "rdkafka"),
    expect(
        dead_code,
        reason = "without librdkafka nobody listens to what is told"
    )
)]
mod witness;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

pub use print::{Print, Printer};
pub use reader::{Fetchers, Reader, Stop};
pub use report::{
    Content, Counts, Difference, Kind, Report, SAMPLES, Shape, TopicReport, Verdict, WayBack,
    Witness,
};
pub use stream::{Item, Stream};
pub use tasks::{Seams, Written};
use tokio::{task::JoinSet, time::Instant};
pub use whose::Identities;

use self::partition::{Lane, Outcome, Shared, Task};
use crate::{
    cluster::{Cluster, Source, Target},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::{connection::Connection, scope::Scope},
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
    /// How to reach the source once more, for the second reader, where records come back.
    pub source: Connection,
    /// How to reach the target once more, for the second reader.
    pub target: Connection,
    /// Show what the differing records hold.
    pub show_values: bool,
    /// Read copies through librdkafka too; needs the feature `rdkafka`.
    pub witness: bool,
    /// Partitions compared at the same time; each takes a few MiB.
    pub at_once: usize,
}

/// Compares all topics in scope up to the ends seen when it begins: from the source to the target, and back where there is a ledger of it.
///
/// `seams` is asked after these ends were seen: whoever copies writes a partition's seam, and its own identity, before its first batch, so that
/// of a partition without a seam nothing below its end is a copy, and every copy below it is known as one.
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
    let scope = scope::look(&settings.scope, &source, &target).await?;
    let seams = seams.await?;
    let there = seams.tasks(&scope.partitions);
    let back = seams.tasks_back(&scope.partitions);
    let unknown = there.iter().filter(|task| seams.is_unknown(task)).count();
    let seed = seed()?;
    let [shared, shared_back] = [(); 2].map(|()| Arc::new(Shared::new(seed)));
    let beat = {
        let total = tasks::total(there.iter().chain(back.iter().flatten()));
        let shared = [shared.clone(), shared_back.clone()];
        tokio::spawn(beat(shared, total, events))
    };
    let outcomes = async {
        let way = [(&*source, &settings.source), (&*target, &settings.target)];
        let forward = compare(&settings, way, &shared, there).await?;
        let back = match back {
            Some(tasks) => {
                let [source, target] = way;
                Some(compare(&settings, [target, source], &shared_back, tasks).await?)
            }
            None => None,
        };
        Ok::<_, Failure>((forward, back))
    };
    let outcomes = outcomes.await;
    beat.abort();
    let (forward, back) = outcomes?;
    let clusters = [source.id().to_owned(), target.id().to_owned()];
    let mut report = show::report(settings.migration, clusters, &scope.absent, forward, back);
    report.source_bytes =
        shared.source_bytes.load(Relaxed) + shared_back.target_bytes.load(Relaxed);
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

/// What was found in each partition of a direction.
type Found = Vec<(Task, Outcome)>;

/// Compares one direction: several lanes side by side, each with one partition after the other; outcomes in the order of the tasks.
/// `way`: the side that is copied from, and the other, each with how to reach it once more.
async fn compare(
    settings: &Settings,
    way: [(&Cluster, &Connection); 2],
    shared: &Arc<Shared>,
    tasks: Vec<Task>,
) -> Result<Found, Failure> {
    let [(here, _), (there, connection)] = way;
    let tasks = Arc::new(tasks);
    let next = Arc::new(AtomicUsize::new(0));
    let mut lanes = JoinSet::new();
    for _ in 0..settings.at_once.clamp(1, tasks.len().max(1)) {
        let printer = Printer::new(shared.seed, false);
        let witness = if settings.witness {
            witness::Witness::start(connection, &printer)
        } else {
            None
        };
        let mut lane = Lane::new(here, there, witness, shared.clone());
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
    let outcomes = all.into_iter().map(|(_, outcome)| outcome);
    Ok(tasks.iter().cloned().zip(outcomes).collect())
}

/// Says where we are until it is stopped.
async fn beat(shared: [Arc<Shared>; 2], total: u64, events: Events) {
    let mut ticks = tokio::time::interval(BEAT);
    loop {
        ticks.tick().await;
        let sum = |of: fn(&Shared) -> &AtomicU64| -> u64 {
            shared.iter().map(|one| of(one).load(Relaxed)).sum()
        };
        events.send(Event::Verifying {
            records: sum(|one| &one.records),
            bytes: sum(|one| &one.source_bytes),
            remaining: total.saturating_sub(sum(|one| &one.done)),
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
