//! What there is to compare in each direction, by what the ledgers say of seams and identities.

use std::{collections::HashMap, ops::Range, sync::Arc};

use globset::GlobSet;

use super::{
    partition::Task,
    scope::Partition,
    whose::{Copies, Counting, Identities},
};
use crate::model::{direction::Direction, names::TopicPartition};

/// What a direction's ledger says of the cluster that it writes to.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The offset at which copies begin, of every partition that was met.
    pub begins: HashMap<TopicPartition, i64>,
    /// All identities that it ever wrote under.
    pub identities: Arc<Identities>,
    /// Ranges that look like its copies, and a person took for an application's.
    pub except: HashMap<TopicPartition, Vec<Range<i64>>>,
}

impl Written {
    /// Copies in a partition: none in one that was not met.
    fn copies(&self, at: &TopicPartition) -> Copies {
        Copies {
            identities: self.identities.clone(),
            begins: self.begins.get(at).copied().unwrap_or(i64::MAX),
            except: self.except.get(at).cloned().unwrap_or_default(),
        }
    }
}

/// Where copies begin, and how they are known, as the ledgers have it.
#[derive(Debug, Clone)]
pub struct Seams {
    /// There is a ledger of the way there.
    pub ledger: bool,
    /// What it says.
    pub there: Written,
    /// What the ledger of the way back says; `None` where nothing can have come back.
    pub back: Option<Written>,
    /// Topics whose records on the target stay there, and are copied behind.
    pub keep: GlobSet,
}

impl Seams {
    /// Target offsets below are no copies.
    fn kept(&self, at: &TopicPartition, target_end: i64) -> i64 {
        match self.there.begins.get(at) {
            Some(begin) => *begin,
            // Not met yet: all that was there is of before.
            None if self.ledger && self.keep.is_match(&*at.topic) => target_end,
            None => 0,
        }
    }

    /// Would a ledger say where copies begin in it?
    pub fn is_unknown(&self, task: &Task) -> bool {
        !self.ledger && task.target_end > 0 && self.keep.is_match(&*task.at.topic)
    }

    /// From the source to the target. What was not met has nothing to do with the way back.
    pub fn tasks(&self, partitions: &[Partition]) -> Vec<Task> {
        let task = |one: &Partition| {
            let (source, target) = (
                one.source.unwrap_or_default(),
                one.target.unwrap_or_default(),
            );
            let met = self.there.begins.contains_key(&one.at);
            let back = self.back.as_ref().filter(|_| met);
            let (of_source, of_target) = match back {
                None => (Counting::All, Counting::All),
                Some(back) => (
                    Counting::Natives(back.copies(&one.at)),
                    Counting::Copies(self.there.copies(&one.at)),
                ),
            };
            Task {
                direction: Direction::Forward,
                at: one.at.clone(),
                source: one.source.map(|log| log.id),
                target: one.target.map(|log| log.id),
                of_source,
                of_target,
                compacted: source.compacted,
                target_compacted: target.compacted,
                start: source.start,
                required: source.before,
                source_end: source.after,
                target_end: target.end,
                begin: 0,
                kept: self.kept(&one.at, target.end),
            }
        };
        partitions.iter().map(task).collect()
    }

    /// From the target back to the source: of every partition that was met and is on the target, what stands behind the seam.
    pub fn tasks_back(&self, partitions: &[Partition]) -> Option<Vec<Task>> {
        let back = self.back.as_ref()?;
        let task = |one: &Partition| {
            let (begin, target) = (*self.there.begins.get(&one.at)?, one.target?);
            let source = one.source.unwrap_or_default();
            let kept = back.begins.get(&one.at).copied();
            Some(Task {
                direction: Direction::Reverse,
                at: one.at.clone(),
                source: Some(target.id),
                target: one.source.map(|log| log.id),
                of_source: Counting::Natives(self.there.copies(&one.at)),
                of_target: Counting::Copies(back.copies(&one.at)),
                compacted: target.compacted,
                target_compacted: source.compacted,
                start: target.start,
                required: target.before,
                source_end: target.after,
                target_end: source.end,
                begin,
                kept: kept.unwrap_or(source.end),
            })
        };
        Some(partitions.iter().filter_map(task).collect())
    }
}

/// Offsets to be read of the sides that are copied from.
pub fn total<'a>(tasks: impl Iterator<Item = &'a Task>) -> u64 {
    tasks
        .map(|task| u64::try_from(task.source_end - task.start.max(task.begin)).unwrap_or(0))
        .sum()
}
