//! The maps of every partition that one direction copies, as its ledgers say: filled at a claim, and by each append once it is acknowledged.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::ledger::{
    record::{At, Entry, Record},
    state::State,
};
use crate::model::{map::Way, names::TopicPartition};

/// A handle on them; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Maps(Arc<RwLock<HashMap<TopicPartition, Way>>>);

impl Maps {
    /// What is on record of a partition; `None` if nothing is, or if it is about to be copied anew.
    pub fn way(&self, of: &TopicPartition) -> Option<Way> {
        let ways = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ways.get(of).cloned()
    }

    /// Takes in all that a ledger says.
    pub fn fill(&self, state: &State) {
        self.publish(state, state.partitions.keys().copied());
    }

    /// Takes in what a ledger says of some partitions.
    pub fn publish(&self, state: &State, some: impl IntoIterator<Item = At>) {
        let mut ways = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for at in some {
            let Some(name) = state.name(at) else {
                continue;
            };
            // A topic that was made anew has another number than before.
            let Some((now, partition)) = state.partition(&name) else {
                continue;
            };
            if now != at {
                continue;
            }
            match partition.way() {
                Some(way) => drop(ways.insert(name, way)),
                None => drop(ways.remove(&name)),
            }
        }
    }
}

/// The partitions of which a record says where they stand.
pub fn touched(record: &Record) -> Vec<At> {
    let at = |entry: &Entry| match entry {
        Entry::Seam { at, .. }
        | Entry::Checkpoint { at, .. }
        | Entry::Echo { at, .. }
        | Entry::Gap { at, .. }
        | Entry::Trimmed { at, .. }
        | Entry::Recopy { at, .. }
        | Entry::Recopied { at, .. }
        | Entry::Mapped { at, .. } => Some(*at),
        _ => None,
    };
    record.entries.iter().filter_map(at).collect()
}
