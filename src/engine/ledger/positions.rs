//! What a ledger says of groups: who has authority over their positions, what stood before us, what we wrote, and how they stand.
//!
//! 1. Of a group's partition the other side holds what we wrote last, or what we had found before that write: a write is on record before it is
//!    made. Any other value is somebody else's.
//! 2. What stood before our first write is kept until authority is declared anew: from then on another first write counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::Entry;
use crate::{clock, model::names::TopicPartition};

/// A failure counts against what is to move for so long.
const OF_LATE_MS: i64 = 10_000;

/// Which cluster's commits count for a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// The one that applications come from.
    Source,
    /// The one that they go to.
    Target,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Who has authority over a group's positions from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// The group.
    pub group: String,
    /// The cluster whose commits count.
    pub side: Holder,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What stood in a partition of a group before our first write to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoodAt {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The committed offset, -1 where there was none.
    pub offset: i64,
    /// What stood beside it.
    pub metadata: String,
}

/// A position that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenAt {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset that was found there, -1 where there was none.
    pub found: i64,
    /// The offset that is written.
    pub offset: i64,
}

/// How a group stands on the side that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupStanding {
    /// What its consumers would meet there.
    pub position: Position,
    /// It has members on the side that has authority.
    pub active_here: bool,
    /// It has members on the other side.
    pub active_there: bool,
}

/// What a group's consumers would meet on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// The next record, nothing twice.
    Exact,
    /// So many records a second time.
    Repeats(u64),
    /// Not the newest position yet; time brings it.
    Waiting(String),
    /// Nothing is committed there, or not the newest.
    Refused {
        /// Stable code, `K5xx`.
        code: String,
        /// Why.
        reason: String,
    },
}

/// The numbers of all groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBeat {
    /// Milliseconds since 1970, by the owner's clock.
    pub at_ms: i64,
    /// When all groups were last looked at, by the owner's clock.
    pub synced_ms: i64,
    /// Groups that are carried.
    pub groups: u32,
    /// Positions that could not be read or written, in this run.
    pub failures: u64,
    /// Positions written in this run.
    pub committed: u64,
    /// Offsets that the groups are behind on the side that has authority; `None` if it could not be asked.
    pub lag_here: Option<u64>,
    /// The same on the other side.
    pub lag_there: Option<u64>,
    /// When the last of the failures was, by the owner's clock; 0 where there was none.
    pub failed_ms: i64,
}

impl GroupBeat {
    /// One more position could not be read or written.
    pub fn failed(&mut self) {
        self.failures += 1;
        self.failed_ms = clock::unix_millis();
    }

    /// Did one fail of late?
    pub fn is_failing(&self) -> bool {
        self.failures > 0 && self.at_ms - self.failed_ms <= OF_LATE_MS
    }
}

/// All groups. Folded from the ledger as the rest of its state is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// By name.
    pub groups: BTreeMap<String, Kept>,
    /// The last numbers.
    pub beat: Option<GroupBeat>,
}

/// What the ledger says of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last declaration; without one the source has authority.
    pub authority: Option<Authority>,
    /// What stood before our first write, offset and metadata; -1 where nothing stood.
    pub stood: BTreeMap<TopicPartition, (i64, String)>,
    /// What we wrote last, and what we had found there before: one of them stands there, if nobody else wrote.
    pub written: BTreeMap<TopicPartition, Written>,
    /// How it stood last.
    pub standing: Option<GroupStanding>,
}

/// What we wrote last to a partition of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// What was found there.
    pub found: i64,
    /// What was written.
    pub offset: i64,
}

impl Kept {
    /// Which cluster's commits count.
    pub fn holder(&self) -> Holder {
        let declared = self.authority.as_ref();
        declared.map_or(Holder::Source, |declared| declared.side)
    }
}

impl Book {
    /// Takes in what the owner says; what is not of groups is left alone.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Authority(authority) => {
                let kept = self.kept(&authority.group);
                if kept.authority.as_ref() != Some(authority) {
                    kept.stood.clear();
                    kept.written.clear();
                    kept.standing = None;
                    kept.authority = Some(authority.clone());
                }
            }
            Entry::Stood { group, positions } => {
                let kept = self.kept(group);
                for one in positions {
                    let at = TopicPartition::new(one.topic.as_str(), one.partition);
                    kept.stood
                        .entry(at)
                        .or_insert_with(|| (one.offset, one.metadata.clone()));
                }
            }
            Entry::Written { group, positions } => {
                let kept = self.kept(group);
                for one in positions {
                    let at = TopicPartition::new(one.topic.as_str(), one.partition);
                    let written = Written {
                        found: one.found,
                        offset: one.offset,
                    };
                    kept.written.insert(at, written);
                }
            }
            Entry::GroupStands { group, standing } => {
                self.kept(group).standing = Some(standing.clone());
            }
            Entry::GroupBeat(beat) => self.beat = Some(beat.clone()),
            _ => {}
        }
    }

    fn kept(&mut self, group: &str) -> &mut Kept {
        if !self.groups.contains_key(group) {
            self.groups.insert(group.to_owned(), Kept::default());
        }
        self.groups.get_mut(group).expect("it was just put there")
    }

    /// Everything from which it is folded again, in order.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (group, kept) in &self.groups {
            entries.extend(kept.authority.clone().map(Entry::Authority));
            let stood = kept.stood.iter().map(|(at, (offset, metadata))| StoodAt {
                topic: at.topic.to_string(),
                partition: at.partition,
                offset: *offset,
                metadata: metadata.clone(),
            });
            let written = kept.written.iter().map(|(at, written)| WrittenAt {
                topic: at.topic.to_string(),
                partition: at.partition,
                found: written.found,
                offset: written.offset,
            });
            let (stood, written): (Vec<_>, Vec<_>) = (stood.collect(), written.collect());
            let group = group.clone();
            if !stood.is_empty() {
                entries.push(Entry::Stood {
                    group: group.clone(),
                    positions: stood,
                });
            }
            if !written.is_empty() {
                entries.push(Entry::Written {
                    group: group.clone(),
                    positions: written,
                });
            }
            entries.extend(
                kept.standing
                    .clone()
                    .map(|standing| Entry::GroupStands { group, standing }),
            );
        }
        entries.extend(self.beat.clone().map(Entry::GroupBeat));
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood(offset: i64) -> Entry {
        Entry::Stood {
            group: "g".into(),
            positions: vec![StoodAt {
                topic: "t".into(),
                partition: 0,
                offset,
                metadata: format!("m{offset}"),
            }],
        }
    }

    fn written(found: i64, offset: i64) -> Entry {
        Entry::Written {
            group: "g".into(),
            positions: vec![WrittenAt {
                topic: "t".into(),
                partition: 0,
                found,
                offset,
            }],
        }
    }

    fn authority(side: Holder, at_ms: i64) -> Entry {
        Entry::Authority(Authority {
            group: "g".into(),
            side,
            by: "ann".into(),
            at_ms,
        })
    }

    #[test]
    fn a_failure_counts_for_a_while() {
        let mut beat = GroupBeat::default();
        assert!(!beat.is_failing());
        beat.failed();
        beat.at_ms = beat.failed_ms + OF_LATE_MS;
        assert!(beat.is_failing());
        beat.at_ms += 1;
        assert_eq!((beat.is_failing(), beat.failures), (false, 1));
    }

    #[test]
    fn what_stood_first_is_kept_until_authority_is_declared() {
        let at = TopicPartition::new("t", 0);
        let mut book = Book::default();
        for entry in [stood(-1), written(-1, 5), stood(9), written(5, 7)] {
            book.take(&entry);
        }
        let kept = &book.groups["g"];
        assert_eq!(kept.holder(), Holder::Source);
        assert_eq!(kept.stood[&at], (-1, "m-1".to_owned()));
        assert_eq!(
            kept.written[&at],
            Written {
                found: 5,
                offset: 7
            }
        );
        book.take(&authority(Holder::Target, 1));
        let kept = &book.groups["g"];
        assert_eq!(kept.holder(), Holder::Target);
        assert!(kept.stood.is_empty() && kept.written.is_empty());
    }

    #[test]
    fn a_snapshot_says_the_same_also_when_it_is_taken_in_twice() {
        let mut book = Book::default();
        let standing = GroupStanding {
            position: Position::Repeats(3),
            active_here: true,
            active_there: false,
        };
        let group = "g".to_owned();
        for entry in [
            authority(Holder::Source, 4),
            stood(3),
            written(3, 8),
            Entry::GroupStands { group, standing },
            Entry::GroupBeat(GroupBeat::default()),
        ] {
            book.take(&entry);
        }
        let mut again = Book::default();
        for entry in book.entries().into_iter().chain(book.entries()) {
            again.take(&entry);
        }
        assert_eq!(again, book);
    }
}
