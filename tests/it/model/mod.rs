//! An explicit-state model of the exactly-once protocol: every interleaving of a small world is searched, and each safeguard is shown to be needed.
//!
//! One target partition, one ledger partition, one source partition of a few records, two engines at a time. `broker` and `ledger` say what
//! the target does; `start`, `fence`, `copy` and `engine` what the engine does; `search` looks at every reachable state; `variants` has the
//! worlds in which the protocol holds, `safeguards` those that break without one of its rules.
//!
//! What is simplified: a batch has one or two records and a window of two batches stands for five; the log's end is its high watermark; a ledger
//! append is one step (a paused engine that wakes for it is the same as a delayed request); AddPartitionsToTxn and EndTxn are one
//! step; a killed engine is one that is never scheduled again, until its place is needed. Nothing bounds the delay of a request,
//! and a dead engine's requests may arrive at any time or never.

mod broker;
mod copy;
mod engine;
mod fence;
mod ledger;
mod safeguards;
mod scope;
mod search;
mod start;
mod variants;
mod words;

use std::hash::{Hash, Hasher};

/// Identities, producer ids and transactional ids per world: each identity has a transactional id of its own.
const IDS: usize = 6;
/// Stands in a log for a marker, where a record has its source offset.
const MARKER: u8 = u8::MAX;

/// A short list in place, so that states are copied and compared as a whole. Unused places hold the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct List<T, const N: usize> {
    len: u8,
    items: [T; N],
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self {
            len: 0,
            items: [T::default(); N],
        }
    }
}

impl<T: Hash, const N: usize> Hash for List<T, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.len);
        self.items[..usize::from(self.len)]
            .iter()
            .for_each(|item| item.hash(state));
    }
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    fn push(&mut self, item: T) {
        // Out of bounds: the scope asks for more than this world has room for.
        self.items[usize::from(self.len)] = item;
        self.len += 1;
    }

    fn remove(&mut self, index: usize) -> T {
        let item = self.items[index];
        self.items.copy_within(index + 1.., index);
        self.len -= 1;
        self.items[usize::from(self.len)] = T::default();
        item
    }

    fn is_full(&self) -> bool {
        usize::from(self.len) == N
    }
}

impl<T, const N: usize> std::ops::Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items[..usize::from(self.len)]
    }
}

impl<T, const N: usize> std::ops::DerefMut for List<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..usize::from(self.len)]
    }
}

/// One or two records as they are sent: their first sequence, and the source offset of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Batch {
    first: u8,
    len: u8,
    source: [u8; 2],
}

impl Batch {
    fn next(self) -> u8 {
        self.first + self.len
    }

    fn sources(self) -> impl Iterator<Item = u8> {
        self.source.into_iter().take(usize::from(self.len))
    }

    /// (sequence, source offset) of each record.
    fn records(self) -> impl Iterator<Item = (u8, u8)> {
        (self.first..).zip(self.sources())
    }

    fn last_source(self) -> u8 {
        self.source[usize::from(self.len) - 1]
    }
}

/// A producer id and epoch; epochs count from 1, and 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Producer {
    id: u8,
    epoch: u8,
}

/// A produce request that has left an engine and has not arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Request {
    run: u8,
    connection: u8,
    producer: Producer,
    batch: Batch,
}

/// One offset of the target's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Logged {
    producer: Producer,
    sequence: u8,
    source: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Standing {
    #[default]
    Unused,
    Open,
    Sealed,
    Fenced,
    /// Without `FenceRedo`: taken for fenced because the ledger names its successor.
    Claimed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Identity {
    producer: Producer,
    standing: Standing,
}

/// From this sequence of this identity on, sequence and source offset advance together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Run {
    identity: u8,
    sequence: u8,
    source: u8,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Checkpoint {
    identity: u8,
    next: u8,
    source: u8,
    target: u8,
}

/// What the ledger says in all, folded from the records that count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Ledger {
    /// The engine run that claimed it last.
    claim: u8,
    identities: [Identity; IDS],
    runs: List<Run, 8>,
    checkpoint: Checkpoint,
    /// Source offsets, as bits, that have a target run.
    mapped: u8,
}

/// What the partition remembers of a producer id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Entry {
    /// 0: unknown.
    epoch: u8,
    /// First sequence and length of the last batches.
    window: List<(u8, u8), 2>,
    warm: bool,
}

/// A transaction's end that the coordinator has decided and not yet written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Pending {
    #[default]
    Nothing,
    Abort(u8),
    Commit(u8),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    /// Source offsets, as bits, that compaction has removed.
    gone: u8,
    log: List<Logged, 14>,
    entries: [Entry; IDS],
    network: List<Request, 4>,
    /// Epochs last handed out.
    epochs: [u8; IDS],
    pending: [Pending; IDS],
    ledger: Ledger,
    /// Transactional ids, as bits, that the coordinator has forgotten.
    forgotten: u8,
    /// Whose epoch the ledger's partition holds; 0: it has forgotten.
    ledger_epoch: u8,
    /// Without `LedgerEpochBump`: records in the ledger, all under one epoch.
    ledger_end: u8,
    engines: [engine::Engine; 2],
    starts: u8,
    lost: u8,
    refused: u8,
    forgot: u8,
    asked: u8,
}

/// What must never be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// A record stands on the target twice, or behind a later one.
    TwiceOrOutOfOrder,
    /// A later record is on the target, and this one was still on the source.
    Lost,
    /// One (identity, sequence) stands for two records.
    TwoMeanings,
    /// A position is checkpointed below which a record is neither on the target nor gone.
    CheckpointAhead,
    /// A record is checkpointed and its target offset is in no run.
    Unmapped,
    /// The end cannot be reached any more.
    Stuck,
}
