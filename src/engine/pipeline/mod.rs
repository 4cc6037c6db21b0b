//! One shard's partitions, from the source to the target, under one identity.
//!
//! ```text
//! fetch ─▶ filter ─▶ rewrite │ repack ─▶ produce ─▶ map ─▶ checkpoint
//! ```
//!
//! One task owns everything of the shard; what takes time (a fetch, an append, a read) runs beside it and comes back as `Done`.

mod behind;
mod beside;
mod beyond;
mod checkpoint;
mod current;
mod echo;
mod fetch;
mod filter;
mod hear;
mod heed;
mod hold;
mod listen;
mod meet;
mod partition;
mod produce;
mod recopied;
mod repack;
mod retired;
mod rewrite;
mod stand;
mod start;
mod still_there;
mod stop;
mod strand;
mod told;
mod trimmed;
mod warmth;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;

use self::{
    beside::{Beside, Done},
    echo::Judge,
    fetch::Fetches,
    hear::Hearing,
    hold::Holding,
    partition::{Partition, Phase},
    produce::Lines,
    retired::Retirees,
    rewrite::Writer,
    strand::Stranding,
    trimmed::Trims,
};
pub use self::{
    partition::Reason,
    start::{MADE_ANEW, made_anew},
    warmth::Warmth,
};
use super::{
    budget::{Budget, Rate},
    groups::desk::{Desk, KEEPER},
    held::Holds,
    identity::{Established, Fence},
    lanes::Lanes,
    lease::Lease,
    ledger::{
        record::{At, Entry, Limit, Request},
        state,
        write::{Ledger, LedgerLost},
    },
    manners::Signs,
    maps::Maps,
    metrics::{self, Numbers, Rates},
    other::Other,
    seam::Existing,
    settings::Stop,
    steer::Steering,
    sync::Made,
    topics::Takes,
};
use crate::{
    clock,
    cluster::{Source, Target},
    error::Failure,
    events::{Event, Events},
    model::{
        direction::Direction,
        names::{TopicName, TopicPartition},
    },
};

/// How often time alone is a reason to look.
const TICK: Duration = Duration::from_millis(50);

/// What all shards of a run share.
#[derive(Clone)]
pub struct Shared {
    /// Which way records go.
    pub direction: Direction,
    /// The other direction, if it has a ledger: what it wrote to the cluster that is read is not copied back.
    pub other: Option<Other>,
    /// What we write, for the other direction in this process, if it runs.
    pub our_lanes: Option<Lanes>,
    /// What it writes.
    pub their_lanes: Option<Lanes>,
    /// The cluster that is read.
    pub source: Source,
    /// The cluster that is written.
    pub target: Target,
    /// Where to say what happens.
    pub events: Events,
    /// Memory.
    pub budget: Budget,
    /// Bytes per second.
    pub rate: Rate,
    /// What somebody asked for.
    pub steering: Steering,
    /// What tells whether we are in anybody's way.
    pub signs: Signs,
    /// Between whoever carries positions of groups and the ledger.
    pub desk: Desk,
    /// How long the target remembers producers.
    pub warmth: Warmth,
    /// Counters.
    pub numbers: Numbers,
    /// Topics whose retention is held open.
    pub holds: Holds,
    /// What is on record as copied.
    pub maps: Maps,
    /// Topics that were made, for whoever follows their settings.
    pub made: Made,
    /// Somebody follows access rules, and answers what is asked of them.
    pub follows_rules: bool,
    /// Whether to stop.
    pub stop: watch::Receiver<Stop>,
    /// The longest a request may stay unanswered.
    pub patience: Duration,
}

/// A partition that a shard has to copy.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Which.
    pub name: TopicPartition,
    /// The topic's id on the source.
    pub source_id: Uuid,
    /// The topic's id on the target.
    pub target_id: Uuid,
    /// What the topic takes there.
    pub takes: Takes,
    /// For how many milliseconds the source keeps its tombstones, if it is compacted.
    pub tombstones_ms: Option<i64>,
    /// The end offset to reach for `--until caught-up`.
    pub wanted_end: Option<i64>,
    /// The source offset to begin at, where it is not the first.
    pub begin_at: Option<i64>,
    /// What is to become of records that it already holds.
    pub existing: Existing,
    /// Why it cannot be copied at all.
    pub refused: Option<Reason>,
}

/// How a session ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is on record; the next start continues.
    Sealed,
    /// Stopped, and the next start fences.
    Unsealed,
    /// The identity has to be given up for another; and stops that no fence may make forgotten.
    Fence(String, Vec<Entry>),
    /// The ledger is not ours any more.
    Lost(LedgerLost),
    /// Something that no retry cures.
    Failed(Box<Failure>),
}

/// A record being appended to the ledger.
struct Appending {
    task: JoinHandle<(Ledger, Result<(), LedgerLost>)>,
    mark: u64,
    has_runs: bool,
    has_fences: bool,
    has_seams: bool,
    has_trims: bool,
    checkpoints: Vec<(usize, i64)>,
}

/// One session of a shard: from an identity until it is given up, or the run ends.
pub struct Session {
    shared: Shared,
    shard: u32,
    lease: Lease,
    ledger: Option<Ledger>,
    appending: Option<Appending>,
    data_id: String,
    writer: Writer,
    /// The migration's name and the direction: parts of transactional ids.
    name_of_id: (String, Direction),
    /// Producer ids of every identity before this one.
    fenced_ids: HashMap<u32, i64>,
    retirees: Retirees,
    holding: Holding,
    fences: Vec<Fence>,
    unfenced: usize,
    partitions: Vec<Partition>,
    index: HashMap<TopicPartition, usize>,
    /// Topics' numbers in the ledger, and their ids.
    topics: HashMap<TopicName, (u32, Uuid, Uuid)>,
    /// What the ledger knew of partitions when the session began and nobody has asked for yet.
    known: HashMap<At, state::Partition>,
    /// The last sign of life of whoever wrote the ledger before, by its clock.
    lived_ms: Option<i64>,
    /// Partitions that nobody copies any more, and that a fence covers.
    left: HashSet<usize>,
    entries: Vec<Entry>,
    next_mark: u64,
    recorded: u64,
    last_checkpoint: Instant,
    last_heartbeat: Option<Instant>,
    last_published: Option<Instant>,
    fetches: Fetches,
    trims: Trims,
    judge: Judge,
    hearing: Hearing,
    stranding: Stranding,
    is_listening: bool,
    told: told::Told,
    lines: Lines,
    beside: Beside,
    /// Answers that are looked at together with the next one.
    put_off: Vec<Done>,
    count: metrics::Shard,
    rates: Rates,
    dropped: rewrite::Dropped,
    draining: Option<Instant>,
    /// Somebody asked for a pause.
    paused: bool,
    /// The limit that somebody asked for.
    limit: Limit,
    /// Requests that are not answered yet.
    unanswered: Vec<Request>,
    /// Who waits until an append stands in the ledger, and which.
    posted: Vec<(u64, oneshot::Sender<()>)>,
}

impl Session {
    /// Prepares a session. Nothing is sent yet.
    pub fn new(
        shared: Shared,
        lease: Lease,
        ledger: Ledger,
        established: Established,
        before: metrics::Shard,
    ) -> Self {
        let state = ledger.state();
        let topics = state
            .numbers
            .iter()
            .map(|(name, &number)| {
                let topic = &state.topics[number as usize];
                (name.clone(), (number, topic.source_id, topic.target_id))
            })
            .collect();
        let known = state.partitions.clone();
        let lived_ms = state.heartbeat.as_ref().map(|beat| beat.at_ms);
        let retirees = Retirees::new(state.retired.clone());
        let named = |number: u32| Some(state.topics.get(number as usize)?.name.clone());
        let holding = Holding::new(state.held.clone(), named, &shared.holds);
        let fenced_ids = state
            .identities
            .iter()
            .map(|(&number, identity)| (number, identity.producer_id))
            .collect();
        let name_of_id = (ledger.migration().to_owned(), ledger.direction());
        let shard = ledger.shard();
        let judge = Judge::new(shared.other.clone());
        let data_id = ledger.data_id(established.number);
        Self {
            shared,
            shard,
            lease,
            ledger: Some(ledger),
            appending: None,
            data_id,
            writer: Writer {
                number: established.number,
                producer_id: established.identity.producer_id,
                producer_epoch: established.identity.producer_epoch,
                mark: 1,
            },
            name_of_id,
            fenced_ids,
            retirees,
            holding,
            unfenced: established.fences.len(),
            fences: established.fences,
            partitions: Vec::new(),
            index: HashMap::new(),
            topics,
            known,
            lived_ms,
            left: HashSet::new(),
            entries: Vec::new(),
            next_mark: 1,
            recorded: 0,
            last_checkpoint: Instant::now(),
            last_heartbeat: None,
            last_published: None,
            fetches: Fetches::default(),
            trims: Trims::default(),
            judge,
            hearing: Hearing::default(),
            stranding: Stranding::default(),
            is_listening: false,
            told: told::Told::default(),
            lines: Lines::default(),
            beside: Beside::default(),
            put_off: Vec::new(),
            count: before,
            rates: Rates::default(),
            dropped: rewrite::Dropped::default(),
            draining: None,
            paused: false,
            limit: Limit::Settings,
            unanswered: Vec::new(),
            posted: Vec::new(),
        }
    }

    /// Copies until something ends it. Gives back the ledger, if it is at hand, and the counters.
    pub async fn run(
        mut self,
        assigned: &[Assignment],
        incoming: &mut mpsc::UnboundedReceiver<Vec<Assignment>>,
        all: &mut Vec<Assignment>,
    ) -> (Option<Ledger>, Ended, metrics::Shard) {
        // What is asked of whoever carries positions is known before it begins: authority may have been taken from it.
        self.heed();
        if let (KEEPER, Some(ledger)) = (self.shard, &self.ledger) {
            let (book, synced) = (ledger.state().book.clone(), ledger.state().synced.clone());
            self.shared.desk.open(book, synced, self.lease.clone());
        }
        self.assign(assigned);
        self.look_after_left();
        self.end_fences();
        let ended = self.copy(incoming, all).await;
        self.last_published = None;
        self.publish();
        self.beside.clear();
        super::steps::in_flight_is(self.shard, 0);
        let ended = match ended {
            Ended::Fence(reason, _) => Ended::Fence(reason, self.broken()),
            other => other,
        };
        match ended {
            // The next session needs the ledger, unless the run is to end.
            Ended::Fence(..) => {
                let mut stop = self.shared.stop.clone();
                tokio::select! {
                    () = self.reclaim_ledger() => {}
                    _ = stop.wait_for(|stop| *stop != Stop::No) => {}
                }
            }
            _ => {
                if let Some(appending) = self.appending.take() {
                    appending.task.abort();
                }
            }
        }
        (self.ledger, ended, self.count)
    }

    async fn copy(
        &mut self,
        incoming: &mut mpsc::UnboundedReceiver<Vec<Assignment>>,
        all: &mut Vec<Assignment>,
    ) -> Ended {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = self.shared.stop.clone();
        let mut waits = false;
        loop {
            if !waits && let Some(ended) = self.turn().await {
                return ended;
            }
            waits = false;
            let appended = async {
                match &mut self.appending {
                    Some(appending) => (&mut appending.task).await,
                    None => std::future::pending().await,
                }
            };
            let desk = self.shared.desk.clone();
            let ended = tokio::select! {
                Some(done) = self.beside.next() => {
                    waits = self.can_wait(&done);
                    if waits {
                        self.put_off.push(done);
                        None
                    } else {
                        self.all_done(done)
                    }
                }
                appended = appended => match appended {
                    Ok((ledger, result)) => self.appended(ledger, result),
                    Err(error) => {
                        self.appending = None;
                        Some(Ended::Failed(Box::new(bug(&error))))
                    }
                },
                Some(more) = incoming.recv() => {
                    self.count.heard += 1;
                    self.assign(&more);
                    all.extend(more);
                    None
                }
                () = desk.wait(), if self.shard == KEEPER => None,
                _ = stop.changed() => None,
                _ = ticks.tick() => None,
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    /// Everything that can be done now.
    async fn turn(&mut self) -> Option<Ended> {
        for done in std::mem::take(&mut self.put_off) {
            if let Some(ended) = self.done(done) {
                return Some(ended);
            }
        }
        let wanted = *self.shared.stop.borrow();
        match wanted {
            Stop::Now => return Some(Ended::Unsealed),
            Stop::Drain if self.draining.is_none() => self.begin_draining(),
            _ => {}
        }
        if let Some(reason) = self.gives_up_identity() {
            return Some(Ended::Fence(reason, Vec::new()));
        }
        self.strand();
        self.stop_what_is_done();
        self.pass_trimmed();
        self.resume_what_goes_on();
        self.relieve();
        self.send().await;
        if let Some(ended) = self.settle_unsent() {
            return Some(ended);
        }
        self.jump();
        self.ask();
        self.keep_out();
        self.tend_holds();
        self.take_posted();
        self.flush();
        self.listen();
        self.publish();
        if self.draining.is_some() {
            return self.finish_draining().await;
        }
        None
    }

    /// An identity with an unknown outcome must not be left until the broker forgets it, nor carry a batch that makes it forget.
    fn gives_up_identity(&self) -> Option<String> {
        let now_ms = clock::unix_millis();
        self.partitions
            .iter()
            .find(|partition| partition.needs_fence(now_ms, self.shared.warmth))
            .map(|partition| {
                format!(
                    "{}: an outcome was unknown, and the target may forget us",
                    partition.name
                )
            })
    }

    /// What others want in the ledger goes with the next append.
    fn take_posted(&mut self) {
        if self.shard != KEEPER {
            return;
        }
        for posted in self.shared.desk.take() {
            self.entries.extend(posted.entries);
            self.posted.push((self.next_mark, posted.done));
        }
    }

    /// Tells it, unless it was told a moment ago: what is tried again many times a second fails as often.
    fn trouble(&self, text: String) {
        if self.told.is_due(&text, Instant::now()) {
            self.shared.events.send(Event::Trouble { text });
        }
    }
}

fn bug(error: &tokio::task::JoinError) -> Failure {
    Failure::new(
        crate::exit::Exit::Bug,
        "K000",
        "a part of the engine ended unexpectedly",
    )
    .because(error)
}
