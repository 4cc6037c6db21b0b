//! Steering a running engine from anywhere: a request to every shard of the ledger, and the answers that stand there.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    ledger::{
        self,
        record::{Entry, Limit, Record, Request, Steer},
    },
    opening,
};
use crate::model::direction::Direction;
use crate::{
    clock,
    cluster::{OffsetSpec, Target},
    error::Failure,
    exit::Exit,
    model::{
        names::{TopicName, TopicPartition},
        pace::Pace,
    },
    wire::record::Records,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for an answer: an application that moves stands still meanwhile.
const PAUSE: Duration = Duration::from_millis(25);
const CHUNK: i32 = 1 << 20;
const LARGEST: usize = 16 << 20;

/// What an engine answers that carries positions of groups.
pub const CARRIES: &str = "here, and positions of groups are carried";
/// What one answers that does not.
pub const CARRIES_NONE: &str = "this engine does not carry positions of groups";

/// How an engine is steered at the moment. Clones share it.
#[derive(Debug, Clone)]
pub struct Steering(Arc<Mutex<Now>>);

#[derive(Debug)]
struct Now {
    /// What it was started with.
    own: Pace,
    asked: Limit,
    paused: Option<String>,
    stopped: Option<String>,
}

impl Steering {
    /// As it was started.
    pub fn new(own: Pace) -> Self {
        Self(Arc::new(Mutex::new(Now {
            own,
            asked: Limit::Settings,
            paused: None,
            stopped: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.0.lock().expect("nothing panics while holding it")
    }

    /// The pace that is to be kept.
    pub fn pace(&self) -> Pace {
        let now = self.lock();
        match now.asked {
            Limit::Settings => now.own,
            Limit::Unlimited => Pace::Unlimited,
            Limit::Auto => Pace::Auto,
            Limit::Fixed(limit) => Pace::Fixed(limit),
        }
    }

    /// Somebody asked for another limit.
    pub fn throttle(&self, limit: Limit) {
        self.lock().asked = limit;
    }

    /// Somebody asked for a pause, or its end.
    pub fn pause(&self, by: Option<String>) {
        self.lock().paused = by;
    }

    /// Somebody asked for its end.
    pub fn stop(&self, by: String) {
        self.lock().stopped.get_or_insert(by);
    }

    /// Who asked for its end, if somebody did.
    pub fn stopped_by(&self) -> Option<String> {
        self.lock().stopped.clone()
    }

    /// Why it stands still, in words.
    pub fn reason(&self) -> Option<String> {
        let now = self.lock();
        now.paused.as_ref().map(|by| format!("paused by {by}"))
    }
}

/// What came of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered {
    /// Shards that answered within the time.
    pub answered: usize,
    /// Of so many.
    pub shards: usize,
    /// What they said, each thing once.
    pub said: Vec<String>,
}

/// Asks the engine that runs a migration, wherever it runs, and waits for its answers. The request stands in the ledger either way.
pub async fn ask(
    target: &Target,
    migration: &str,
    steer: Steer,
    by: &str,
) -> Result<Answered, Failure> {
    ask_direction(target, migration, Direction::Forward, steer, by).await
}

/// The same of one direction, through its ledger on the cluster that it writes.
pub async fn ask_direction(
    target: &Target,
    migration: &str,
    direction: Direction,
    steer: Steer,
    by: &str,
) -> Result<Answered, Failure> {
    let name: TopicName = ledger::topic(migration, direction).into();
    // Whatever else stands there is not written to.
    let header = opening::header(target, migration, direction).await?;
    let is_ours = header.is_some_and(|header| {
        header.migration == migration && header.target_cluster == target.id()
    });
    if !is_ours {
        return Err(Failure::new(
            Exit::Refused,
            "K460",
            format!("nothing was ever copied by {migration}: there is no engine to steer"),
        )
        .hint(format!("the target has no ledger {name} of this migration"))
        .next("kafka-migrate replicate"));
    }
    let topics = target.topics(Some(std::slice::from_ref(&name))).await;
    let topics = topics.map_err(|error| error.failure())?;
    let mut shards = topics.first().map_or(0, |topic| topic.partitions.len());
    if matches!(
        steer,
        Steer::Authority { .. } | Steer::Attend | Steer::Writes { .. }
    ) {
        // Groups and access rules stand in the first shard's ledger.
        shards = shards.min(1);
    }
    let request = Request {
        id: Uuid::new_v4(),
        steer,
        by: by.to_owned(),
        at_ms: clock::unix_millis(),
    };
    // Up to where it is stranded is known only once that cluster is back: nobody waits for that.
    let patience = match request.steer {
        Steer::Strand { .. } => Duration::ZERO,
        _ => PATIENCE,
    };
    let until = Instant::now() + patience;
    let mut asking = JoinSet::new();
    for shard in 0..shards {
        let at = TopicPartition::new(name.clone(), i32::try_from(shard).unwrap_or(0));
        asking.spawn(ask_shard(target.clone(), at, request.clone(), until));
    }
    let mut answered = Answered {
        shards,
        ..Answered::default()
    };
    let mut said = HashSet::new();
    for answer in asking.join_all().await {
        if let Some(answer) = answer? {
            answered.answered += 1;
            if said.insert(answer.clone()) {
                answered.said.push(answer);
            }
        }
    }
    Ok(answered)
}

async fn ask_shard(
    target: Target,
    at: TopicPartition,
    request: Request,
    until: Instant,
) -> Result<Option<String>, Failure> {
    let id = request.id;
    let failed = |error: crate::cluster::Error| {
        error
            .failure()
            .cause(format!("while asking the engine through the ledger {at}"))
    };
    let ends = target.offsets(std::slice::from_ref(&at), OffsetSpec::End);
    let mut next = match ends.await.remove(&at) {
        Some(end) => end.map_err(failed)?,
        None => 0,
    };
    let record = Record {
        generation: 0,
        run: 0,
        entries: vec![Entry::Request(request)],
    };
    let _ = target.append(&at, &record.encode()).await.map_err(failed)?;
    while Instant::now() < until {
        let (batches, _) = target.read(&at, next, CHUNK).await.map_err(failed)?;
        for batch in batches {
            if batch.header.next_offset() <= next {
                continue;
            }
            next = batch.header.next_offset();
            let records = match Records::of(&batch, LARGEST) {
                Ok(records) if !batch.header.is_control() => records,
                _ => continue,
            };
            let records = records.filter_map(Result::ok);
            let read = records.filter_map(|record| {
                Record::decode(record.value.as_deref().unwrap_or_default()).ok()
            });
            for entry in read.flat_map(|record| record.entries) {
                if let Entry::Answer(answer) = entry
                    && answer.id == id
                {
                    return Ok(Some(answer.said));
                }
            }
        }
        sleep(PAUSE).await;
    }
    Ok(None)
}
