//! The transaction coordinator: identities, open transactions, and the markers that end them.
//!
//! As EndTxn up to version 4 has it (transaction.version below 2, D9): an end does not move the epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::{errors, state::State};

/// How long after EndTxn's answer the markers are written: brokers do it in the background (probe, §6).
const MARKERS_AFTER_MS: i64 = 2;
/// An epoch this high is the last (X3: `TransactionMetadata.isEpochExhausted`).
const LAST_EPOCH: i16 = i16::MAX - 1;

/// Where a transactional id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was ever opened, or not since the identity is new.
    Empty,
    /// Open.
    Ongoing,
    /// Decided; markers are being written.
    Prepared {
        /// Commit, or abort?
        commit: bool,
    },
    /// All markers are written.
    Complete {
        /// Was it a commit, or an abort?
        commit: bool,
    },
}

impl Phase {
    /// As DescribeTransactions calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::Prepared { commit: true } => "PrepareCommit",
            Self::Prepared { commit: false } => "PrepareAbort",
            Self::Complete { commit: true } => "CompleteCommit",
            Self::Complete { commit: false } => "CompleteAbort",
        }
    }
}

/// One transactional id.
#[derive(Debug, Clone)]
pub struct Txn {
    /// Its identity.
    pub producer_id: i64,
    /// -1 before the first InitProducerId ended.
    pub epoch: i16,
    /// The identity before, if the client named it when it asked for the next (D1).
    last: Option<(i64, i16)>,
    /// As the client asked.
    pub timeout_ms: i32,
    /// Where it stands.
    pub phase: Phase,
    /// Partitions that were added.
    pub partitions: BTreeSet<(String, i32)>,
    groups: BTreeSet<String>,
    /// When the open transaction began, -1 without one.
    pub started_ms: i64,
    updated_ms: i64,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub struct Transactions {
    by_id: BTreeMap<String, Txn>,
    /// Are markers held back, as by a partition's leader that cannot be reached?
    pub held: bool,
}

impl Transactions {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&String, &Txn)> {
        self.by_id.iter()
    }

    /// Puts an id at an epoch, so that a test need not ask 32 766 times.
    #[cfg(test)]
    pub fn set_epoch(&mut self, id: &str, epoch: i16) {
        if let Some(txn) = self.by_id.get_mut(id) {
            txn.epoch = epoch;
        }
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Txn> {
        self.by_id.get(id)
    }

    /// The one of this identity, in its present epoch, if it is open: may it write there? `handleVerifyPartitionsInTransaction` (X6).
    pub fn verify(&self, id: &str, producer_id: i64, epoch: i16, at: &(String, i32)) -> i16 {
        match self.by_id.get(id) {
            Some(txn) if txn.producer_id == producer_id => match txn.phase {
                _ if txn.epoch != epoch => errors::INVALID_PRODUCER_EPOCH,
                Phase::Prepared { .. } => errors::CONCURRENT_TRANSACTIONS,
                Phase::Ongoing if txn.partitions.contains(at) => errors::NONE,
                _ => errors::TRANSACTION_ABORTABLE,
            },
            _ => errors::INVALID_PRODUCER_ID_MAPPING,
        }
    }

    /// The id of this identity, if a request may act on it now.
    fn acting(&mut self, id: &str, producer_id: i64, epoch: i16) -> Result<&mut Txn, i16> {
        let txn = self.by_id.get_mut(id);
        let txn = txn.filter(|txn| txn.producer_id == producer_id);
        let txn = txn.ok_or(errors::INVALID_PRODUCER_ID_MAPPING)?;
        if txn.epoch != epoch {
            return Err(errors::PRODUCER_FENCED);
        }
        Ok(txn)
    }

    /// Opens a transaction if none is open, and adds to it.
    fn add(
        &mut self,
        id: &str,
        (producer_id, epoch): (i64, i16),
        now: i64,
        change: impl FnOnce(&mut Txn),
    ) -> Result<(), i16> {
        let txn = self.acting(id, producer_id, epoch)?;
        if matches!(txn.phase, Phase::Prepared { .. }) {
            return Err(errors::CONCURRENT_TRANSACTIONS);
        }
        if txn.phase != Phase::Ongoing {
            txn.phase = Phase::Ongoing;
            txn.partitions.clear();
            txn.groups.clear();
            txn.started_ms = now;
        }
        txn.updated_ms = now;
        change(txn);
        Ok(())
    }

    /// Adds partitions (AddPartitionsToTxn up to version 3).
    pub fn add_partitions(
        &mut self,
        id: &str,
        identity: (i64, i16),
        now: i64,
        partitions: Vec<(String, i32)>,
    ) -> Result<(), i16> {
        self.add(id, identity, now, |txn| txn.partitions.extend(partitions))
    }

    /// Adds a group whose offsets the transaction commits (AddOffsetsToTxn).
    pub fn add_group(
        &mut self,
        id: &str,
        identity: (i64, i16),
        now: i64,
        group: &str,
    ) -> Result<(), i16> {
        self.add(id, identity, now, |txn| {
            txn.groups.insert(group.to_owned());
        })
    }

    /// May offsets of this group be staged for it (TxnOffsetCommit, verified as X6)?
    pub fn has_group(&self, id: &str, producer_id: i64, epoch: i16, group: &str) -> i16 {
        match self.by_id.get(id) {
            Some(txn) if txn.producer_id == producer_id => match txn.phase {
                _ if txn.epoch != epoch => errors::INVALID_PRODUCER_EPOCH,
                Phase::Prepared { .. } => errors::CONCURRENT_TRANSACTIONS,
                Phase::Ongoing if txn.groups.contains(group) => errors::NONE,
                _ => errors::INVALID_TXN_STATE,
            },
            _ => errors::INVALID_PRODUCER_ID_MAPPING,
        }
    }

    /// Decides the transaction (EndTxn up to version 4). The markers come a moment later.
    pub fn end(
        &mut self,
        id: &str,
        identity: (i64, i16),
        now: i64,
        commit: bool,
    ) -> Result<(), i16> {
        let txn = self.acting(id, identity.0, identity.1)?;
        match txn.phase {
            Phase::Ongoing => {
                txn.phase = Phase::Prepared { commit };
                txn.updated_ms = now;
                Ok(())
            }
            Phase::Complete { commit: was } if was == commit => Ok(()),
            Phase::Prepared { commit: was } if was == commit => {
                Err(errors::CONCURRENT_TRANSACTIONS)
            }
            _ => Err(errors::INVALID_TXN_STATE),
        }
    }
}

impl Txn {
    /// The next epoch, for a client that does or does not say which identity it had (`prepareIncrementProducerEpoch`).
    fn bump(&mut self, had: Option<i16>) -> Result<(), i16> {
        match had {
            None => {
                self.last = None;
                self.epoch += 1;
            }
            Some(had) if self.epoch == -1 || had == self.epoch => {
                self.last = Some((self.producer_id, self.epoch));
                self.epoch += 1;
            }
            // A retry, or somebody else with the same old identity: the same answer again (D1).
            Some(had) if self.last.is_some_and(|(_, epoch)| epoch == had) => {}
            Some(_) => return Err(errors::PRODUCER_FENCED),
        }
        Ok(())
    }
}

/// InitProducerId for a transactional id; `had` is the identity that the client names, if it does.
pub fn init(
    state: &mut State,
    id: &str,
    timeout_ms: i32,
    had: Option<(i64, i16)>,
) -> Result<(i64, i16), i16> {
    let now = state.now_ms();
    if !state.transactions.by_id.contains_key(id) {
        let fresh = Txn {
            producer_id: state.new_producer_id(),
            epoch: -1,
            last: None,
            timeout_ms,
            phase: Phase::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: -1,
            updated_ms: now,
        };
        state.transactions.by_id.insert(id.to_owned(), fresh);
    }
    let next_id = state.next_producer_id();
    let Some(txn) = state.transactions.by_id.get_mut(id) else {
        return Err(errors::UNKNOWN_SERVER_ERROR);
    };
    if let Some((producer_id, epoch)) = had {
        let retried = txn.last.is_some_and(|(last, _)| last == producer_id) && epoch >= LAST_EPOCH;
        if txn.epoch != -1 && producer_id != txn.producer_id && !retried {
            return Err(errors::PRODUCER_FENCED);
        }
    }
    match txn.phase {
        Phase::Prepared { .. } => return Err(errors::CONCURRENT_TRANSACTIONS),
        // The open one is aborted first, one epoch later; the client asks again (X1).
        Phase::Ongoing => {
            txn.epoch = txn.epoch.saturating_add(1);
            txn.last = None;
            txn.phase = Phase::Prepared { commit: false };
            txn.updated_ms = now;
            return Err(errors::CONCURRENT_TRANSACTIONS);
        }
        Phase::Empty | Phase::Complete { .. } => {}
    }
    if txn.epoch >= LAST_EPOCH && had.is_none_or(|(_, epoch)| epoch == txn.epoch) {
        txn.last = had.map(|_| (txn.producer_id, txn.epoch));
        txn.producer_id = next_id;
        txn.epoch = 0;
    } else {
        txn.bump(had.map(|(_, epoch)| epoch))?;
    }
    txn.phase = Phase::Empty;
    txn.partitions.clear();
    txn.groups.clear();
    txn.started_ms = -1;
    txn.timeout_ms = timeout_ms;
    txn.updated_ms = now;
    let identity = (txn.producer_id, txn.epoch);
    if identity.0 == next_id {
        state.new_producer_id();
    }
    Ok(identity)
}

/// Writes markers that are due, aborts transactions that took too long (X8), forgets ids that were idle for too long (X4).
pub fn due(state: &mut State) {
    let now = state.now_ms();
    let expiry = state.number("transactional.id.expiration.ms");
    let mut markers = Vec::new();
    state.transactions.by_id.retain(|id, txn| {
        match txn.phase {
            Phase::Prepared { .. } if now - txn.updated_ms >= MARKERS_AFTER_MS => {
                markers.push(id.clone());
            }
            Phase::Ongoing if now - txn.started_ms > i64::from(txn.timeout_ms) => {
                txn.epoch = txn.epoch.saturating_add(1);
                txn.last = None;
                txn.phase = Phase::Prepared { commit: false };
                txn.updated_ms = now;
            }
            Phase::Empty | Phase::Complete { .. } => return now - txn.updated_ms < expiry,
            Phase::Ongoing | Phase::Prepared { .. } => {}
        }
        true
    });
    if !state.transactions.held {
        for id in markers {
            write_markers(state, &id, now);
        }
    }
}

/// One marker to every partition of the transaction, data or not (X2). A partition without a leader has it later.
fn write_markers(state: &mut State, id: &str, now: i64) {
    let Some(txn) = state.transactions.get(id).cloned() else {
        return;
    };
    let Phase::Prepared { commit } = txn.phase else {
        return;
    };
    let mut left = BTreeSet::new();
    for at in &txn.partitions {
        match state.partition_mut(&at.0, at.1) {
            Some(partition) if partition.leader < 0 => {
                left.insert(at.clone());
            }
            Some(partition) => partition.append_marker(txn.producer_id, txn.epoch, commit, now),
            None => {} // The topic is gone.
        }
    }
    let done = left.is_empty();
    if let Some(txn) = state.transactions.by_id.get_mut(id) {
        txn.partitions = left;
        if done {
            txn.phase = Phase::Complete { commit };
            txn.started_ms = -1;
        }
    }
    if done {
        state.groups.complete(txn.producer_id, commit);
    }
    state.touch();
}
