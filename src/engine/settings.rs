//! What one engine run is told, what it answers, and how it is asked to stop.

use std::{path::PathBuf, time::Duration};

use globset::GlobSet;
use tokio::sync::watch;

use super::{groups::Wanted, metrics::Numbers, sync, ways::Asked};
use crate::model::{pace::Pace, scope::Scope};

/// The settings of one `replicate`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The migration's name; part of the ledger's topic name and of every transactional id.
    pub migration: String,
    /// Topics to copy.
    pub scope: Scope,
    /// Topics whose records on the target stay there, and are copied behind.
    pub keep: GlobSet,
    /// Those whose records on the target are copied back, too.
    pub merge: GlobSet,
    /// Whether what applications write on the target comes back.
    pub two_way: bool,
    /// Ledger partitions; fixed when the ledger is created.
    pub shards: u32,
    /// Groups whose positions are carried.
    pub groups: Wanted,
    /// Settings and access rules that follow the source.
    pub sync: sync::Wanted,
    /// Topics that whoever starts it has made on the target just before.
    pub made: sync::Made,
    /// Bytes per second read from the source.
    pub pace: Pace,
    /// Bytes of records held in memory at once, all partitions together.
    pub memory: usize,
    /// Replication factor of topics we create; `None` leaves it to the broker.
    pub replication_factor: Option<i16>,
    /// Where the lock of this migration lies.
    pub state_dir: PathBuf,
    /// When to end by itself.
    pub until: Until,
    /// The clients' request time-out, the longest a produce request may stay unanswered.
    pub request_timeout: Duration,
    /// The ways past stops that a person asks for with this start.
    pub asked: Vec<Asked>,
    /// Who that is.
    pub asked_by: String,
    /// Where its numbers stand while it runs.
    pub numbers: Numbers,
}

/// When `replicate` ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never: it runs until it is stopped.
    Stopped,
    /// When every partition has reached the end offset seen at the start and positions are durable.
    CaughtUp,
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Every shard was sealed, so the next start continues without fencing.
    pub sealed: bool,
    /// Partitions that stopped and wait for a person.
    pub stopped_partitions: usize,
    /// Records acknowledged by the target in this run.
    pub records: u64,
    /// Bytes acknowledged by the target in this run, as stored.
    pub bytes: u64,
}

/// Asks an engine to stop; cloned freely.
#[derive(Debug, Clone)]
pub struct StopSignal {
    sender: std::sync::Arc<watch::Sender<Stop>>,
}

/// How urgently to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    No,
    /// Answer what is in flight, write positions, seal.
    Drain,
    /// Leave everything as it is; the next start fences.
    Now,
}

impl Default for StopSignal {
    fn default() -> Self {
        Self {
            sender: std::sync::Arc::new(watch::Sender::new(Stop::No)),
        }
    }
}

impl StopSignal {
    /// Asks for a clean stop.
    pub fn drain(&self) {
        self.raise(Stop::Drain);
    }

    /// Asks to end at once.
    pub fn now(&self) {
        self.raise(Stop::Now);
    }

    fn raise(&self, to: Stop) {
        self.sender.send_if_modified(|stop| {
            let raised = to > *stop;
            *stop = to.max(*stop);
            raised
        });
    }

    /// For those who must stop.
    pub fn listen(&self) -> watch::Receiver<Stop> {
        self.sender.subscribe()
    }
}
