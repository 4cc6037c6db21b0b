//! Keeps fenced identities out: their markers are written again before brokers forget them.
//!
//! A marker is remembered for a producer expiry from its own time. A request that a network or a sleeping machine held back longer would find
//! a producer that nobody knows, and be appended (decision 001, *RetiredKeptWarm*).

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{Done, Session};
use crate::{
    clock, cluster,
    engine::{
        identity::{mark_again, refused_topic},
        ledger::{
            data_id,
            record::{At, Entry, Retired},
        },
    },
    model::names::TopicPartition,
};

/// How long an identity is kept out: nothing holds a request back for longer.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Pause after markers could not be written.
const PAUSE: Duration = Duration::from_secs(60);

/// The identities of a shard that are kept out.
#[derive(Default)]
pub(super) struct Retirees {
    of: BTreeMap<u32, Retired>,
    is_marking: bool,
    not_before: Option<Instant>,
}

impl Retirees {
    /// As the ledger has them.
    pub(super) fn new(of: BTreeMap<u32, Retired>) -> Self {
        Self {
            of,
            ..Self::default()
        }
    }

    /// Are markers being written?
    pub(super) fn is_marking(&self) -> bool {
        self.is_marking
    }

    /// The first one whose markers grow old; `window`: how old they may be.
    fn due(&self, now_ms: i64, window: i64) -> Option<u32> {
        let due = |retired: &&Retired| now_ms.saturating_sub(retired.marked_ms) >= window;
        let found = self.of.iter().find(|(_, retired)| due(retired));
        found.map(|(&number, _)| number)
    }
}

impl Session {
    /// A fence is over: from now on its identity is kept out.
    pub(super) fn retire(&mut self, number: u32, partitions: Vec<At>) {
        if partitions.is_empty() {
            return;
        }
        let now_ms = clock::unix_millis();
        let retired = Retired {
            since_ms: now_ms,
            marked_ms: now_ms,
            partitions,
        };
        self.tell_retired(number, Some(retired));
    }

    fn tell_retired(&mut self, number: u32, retired: Option<Retired>) {
        let of = &mut self.retirees.of;
        match &retired {
            Some(retired) => drop(of.insert(number, retired.clone())),
            None => drop(of.remove(&number)),
        }
        self.entries.push(Entry::Retired { number, retired });
    }

    /// Writes the markers of one identity again, if it is time; one at a time.
    pub(super) fn keep_out(&mut self) {
        let now = Instant::now();
        // The coordinator is touched only while the ledger is surely ours.
        if self.retirees.is_marking
            || self.draining.is_some()
            || self.retirees.not_before.is_some_and(|until| now < until)
            || !self.lease.holds()
        {
            return;
        }
        let now_ms = clock::unix_millis();
        let Some(number) = self.retirees.due(now_ms, self.shared.warmth.window_ms()) else {
            return;
        };
        let retired = &self.retirees.of[&number];
        let identity = self.fenced_ids.get(&number).copied();
        let is_over = now_ms.saturating_sub(retired.since_ms) >= KEPT.as_millis() as i64;
        let names: Vec<TopicPartition> = self.names(&retired.partitions);
        let (Some(producer_id), false, false) = (identity, is_over, names.is_empty()) else {
            return self.tell_retired(number, None);
        };
        self.retirees.is_marking = true;
        let target = self.shared.target.clone();
        let id = data_id(&self.name_of_id.0, self.name_of_id.1, self.shard, number);
        self.beside.push(Box::pin(async move {
            let marked = mark_again(&target, &id, producer_id, &names).await;
            Done::MarkedAgain { number, marked }
        }));
    }

    pub(super) fn marked_again(&mut self, number: u32, marked: Result<bool, cluster::Error>) {
        self.retirees.is_marking = false;
        let Some(mut retired) = self.retirees.of.get(&number).cloned() else {
            return;
        };
        match marked {
            Ok(true) => {
                retired.marked_ms = clock::unix_millis();
                self.tell_retired(number, Some(retired));
            }
            // Nobody can write under an id that the coordinator has forgotten, and nobody can mark it.
            Ok(false) => self.tell_retired(number, None),
            Err(error) => {
                if let Some(topic) = refused_topic(&error) {
                    let gone = self.topics.get(&topic).map(|(number, ..)| *number);
                    retired.partitions.retain(|at| Some(at.topic) != gone);
                    self.tell_retired(number, Some(retired));
                } else {
                    self.retirees.not_before = Some(Instant::now() + PAUSE);
                    self.trouble(format!(
                        "an earlier run could not be shut out once more; this is tried again: {error}"
                    ));
                }
            }
        }
    }

    fn names(&self, partitions: &[At]) -> Vec<TopicPartition> {
        let by_number = |at: &At| {
            let (name, _) = self
                .topics
                .iter()
                .find(|(_, (number, ..))| *number == at.topic)?;
            Some(TopicPartition {
                topic: name.clone(),
                partition: at.partition,
            })
        };
        partitions.iter().filter_map(by_number).collect()
    }
}
