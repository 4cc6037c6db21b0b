//! What is to become of one group, by what was seen of it: pure, so that every rule can be tried alone.

use std::collections::BTreeMap;

use super::{NoPlace, Place};
use crate::{
    cluster::{Commit, Commits, ListedGroup},
    engine::ledger::positions::{GroupStanding, Kept, Position, StoodAt, WrittenAt},
    model::names::TopicPartition,
};

/// A share group has no position of its own.
pub const SHARE: &str = "K575";
/// The group has members on the side that is written.
pub const ACTIVE_THERE: &str = "K576";
/// The group has members on both sides.
pub const ACTIVE_TWICE: &str = "K577";
/// Somebody else committed on the side that is written.
pub const FOREIGN: &str = "K578";
/// The position has no counterpart.
pub const NO_PLACE: &str = "K579";
/// The group is of a kind that this version does not know.
pub const UNKNOWN_KIND: &str = "K580";
/// The side that is written refuses a commit.
pub const NOT_TAKEN: &str = "K581";
/// The positions cannot be read.
pub const NOT_READ: &str = "K582";

/// A committed position, and its place on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What was committed.
    pub commit: Commit,
    /// Where that is.
    pub place: Result<Place, NoPlace>,
}

/// What is seen of one group.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// As the side that has authority lists it.
    pub here: &'a ListedGroup,
    /// As the other side lists it.
    pub there: Option<&'a ListedGroup>,
    /// Its positions, by partition in scope.
    pub placed: &'a BTreeMap<TopicPartition, Placed>,
    /// Where it stands on the other side; `None` where nobody looked, because nothing has changed.
    pub theirs: Option<&'a Commits>,
    /// What the ledger says.
    pub kept: Option<&'a Kept>,
    /// It is time to commit again what did not change.
    pub is_due: bool,
}

/// What is to become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// How it stands once the commits are made.
    pub standing: GroupStanding,
    /// What is to be committed.
    pub commits: Commits,
    /// What stood there, of partitions that are written for the first time.
    pub stood: Vec<StoodAt>,
    /// What is written, for the ledger.
    pub written: Vec<WrittenAt>,
    /// Partitions that somebody else committed on the other side.
    pub foreign: Vec<TopicPartition>,
}

/// Is a group of this kind carried?
pub fn refused_kind(group: &ListedGroup) -> Option<Position> {
    let refused = |code: &str, reason| Position::Refused {
        code: code.to_owned(),
        reason,
    };
    match &*group.kind {
        // KIP-1071's groups commit as consumers do.
        "" | "classic" | "consumer" | "streams" => None,
        "share" => Some(refused(
            SHARE,
            "a share group: its records are acknowledged one by one, and that cannot be carried"
                .to_owned(),
        )),
        kind => Some(refused(
            UNKNOWN_KIND,
            format!("a group of the kind {kind}, which this version does not know"),
        )),
    }
}

/// Judges one group.
pub fn judge(sight: Sight<'_>) -> Judged {
    let active_here = sight.here.is_active();
    let active_there = sight.there.is_some_and(ListedGroup::is_active);
    let mut judged = Judged {
        standing: GroupStanding {
            position: Position::Exact,
            active_here,
            active_there,
        },
        commits: Commits::new(),
        stood: Vec::new(),
        written: Vec::new(),
        foreign: Vec::new(),
    };
    let kind = refused_kind(sight.here).or_else(|| sight.there.and_then(refused_kind));
    if let Some(refused) = kind.or_else(|| members(active_here, active_there)) {
        judged.standing.position = refused;
        return judged;
    }
    let mut refused: Vec<(&str, String)> = Vec::new();
    let mut waiting = None;
    let mut repeats = 0;
    for (at, placed) in sight.placed {
        let place = match &placed.place {
            Ok(place) => *place,
            Err(no) if no.is_passing => {
                waiting.get_or_insert_with(|| format!("{at}: {}", no.reason));
                continue;
            }
            Err(no) => {
                let committed = placed.commit.offset;
                let reason = format!("{at}: offset {committed} is {}", no.reason);
                refused.push((NO_PLACE, reason));
                continue;
            }
        };
        if let Some(theirs) = sight.theirs {
            let found = theirs.get(at);
            if let Some(offset) = foreign(at, found, place, sight.kept) {
                let reason = format!("{at}: somebody else committed offset {offset} there");
                refused.push((FOREIGN, reason));
                judged.foreign.push(at.clone());
                continue;
            }
            let commit = Commit {
                offset: place.offset,
                metadata: placed.commit.metadata.clone(),
            };
            judged.write(at, found, commit, sight);
        }
        repeats += place.repeats;
    }
    judged.standing.position = match (refused.first(), waiting) {
        (Some((code, reason)), _) => Position::Refused {
            code: (*code).to_owned(),
            reason: match refused.len() - 1 {
                0 => reason.clone(),
                more => format!("{reason} (and {more} more)"),
            },
        },
        (None, Some(waiting)) => Position::Waiting(waiting),
        (None, None) if repeats > 0 => Position::Repeats(repeats),
        (None, None) => Position::Exact,
    };
    judged
}

fn members(here: bool, there: bool) -> Option<Position> {
    let (code, reason) = match (here, there) {
        (_, false) => return None,
        (true, true) => (ACTIVE_TWICE, "it has members on both sides"),
        (false, true) => (
            ACTIVE_THERE,
            "it has members on the side that does not have authority over it",
        ),
    };
    Some(Position::Refused {
        code: code.to_owned(),
        reason: reason.to_owned(),
    })
}

/// The offset that stands there and is not ours, if it is not. What stood there before our first write is only written over where somebody
/// declared who has authority.
fn foreign(
    at: &TopicPartition,
    found: Option<&Commit>,
    place: Place,
    kept: Option<&Kept>,
) -> Option<i64> {
    let found = found?.offset;
    let is_fine = match kept.and_then(|kept| kept.written.get(at)) {
        Some(written) => found == written.offset || found == written.found,
        None => found == place.offset || kept.is_some_and(|kept| kept.authority.is_some()),
    };
    (!is_fine).then_some(found)
}

impl Judged {
    fn write(
        &mut self,
        at: &TopicPartition,
        found: Option<&Commit>,
        commit: Commit,
        sight: Sight<'_>,
    ) {
        let is_first = sight.kept.is_none_or(|kept| !kept.written.contains_key(at));
        if !is_first && !sight.is_due && found == Some(&commit) {
            return;
        }
        let (topic, partition) = (at.topic.to_string(), at.partition);
        if is_first {
            self.stood.push(StoodAt {
                topic: topic.clone(),
                partition,
                offset: found.map_or(-1, |found| found.offset),
                metadata: found.map_or_else(String::new, |found| found.metadata.clone()),
            });
        }
        self.written.push(WrittenAt {
            topic,
            partition,
            found: found.map_or(-1, |found| found.offset),
            offset: commit.offset,
        });
        self.commits.insert(at.clone(), commit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::{
        positions::{Authority, Book, Holder},
        record::Entry,
    };

    fn group(kind: &str, state: &str) -> ListedGroup {
        ListedGroup {
            name: "g".into(),
            kind: kind.into(),
            state: state.into(),
        }
    }

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn commit(offset: i64) -> Commit {
        Commit {
            offset,
            metadata: "m".into(),
        }
    }

    fn placed(offset: i64, place: Result<(i64, u64), bool>) -> Placed {
        Placed {
            commit: commit(offset),
            place: match place {
                Ok((offset, repeats)) => Ok(Place { offset, repeats }),
                Err(is_passing) => Err(NoPlace {
                    reason: "nowhere".into(),
                    is_passing,
                }),
            },
        }
    }

    /// What the ledger says after these writes, found and written, of partition 0.
    fn kept(declared: bool, written: &[(i64, i64)]) -> Kept {
        let mut book = Book::default();
        if declared {
            book.take(&Entry::Authority(Authority {
                group: "g".into(),
                side: Holder::Source,
                by: "ann".into(),
                at_ms: 0,
            }));
        }
        for &(found, offset) in written {
            book.take(&Entry::Written {
                group: "g".into(),
                positions: vec![WrittenAt {
                    topic: "t".into(),
                    partition: 0,
                    found,
                    offset,
                }],
            });
        }
        book.groups.remove("g").unwrap_or_default()
    }

    fn see(
        here: &ListedGroup,
        there: Option<&ListedGroup>,
        one: Placed,
        theirs: Option<i64>,
        kept: &Kept,
        is_due: bool,
    ) -> Judged {
        let placed = BTreeMap::from([(at(0), one)]);
        let theirs = theirs.map(|offset| (at(0), commit(offset)));
        judge(Sight {
            here,
            there,
            placed: &placed,
            theirs: Some(&theirs.into_iter().collect()),
            kept: Some(kept),
            is_due,
        })
    }

    fn code(judged: &Judged) -> &str {
        match &judged.standing.position {
            Position::Refused { code, .. } => code,
            _ => "",
        }
    }

    fn offsets(judged: &Judged) -> Vec<i64> {
        judged
            .commits
            .values()
            .map(|commit| commit.offset)
            .collect()
    }

    #[test]
    fn the_first_write_is_of_nothing_and_says_what_stood_there() {
        let (here, none) = (group("classic", "Stable"), Kept::default());
        let judged = see(&here, None, placed(10, Ok((7, 0))), None, &none, false);
        assert_eq!(judged.commits[&at(0)], commit(7), "metadata is kept");
        assert_eq!((judged.stood[0].offset, judged.written[0].found), (-1, -1));
        assert_eq!(judged.standing.position, Position::Exact);
        assert!(judged.standing.active_here && !judged.standing.active_there);
    }

    #[test]
    fn it_follows_forwards_and_backwards_and_rests_where_nothing_changed() {
        let here = group("consumer", "Empty");
        let there = group("classic", "Empty");
        let judged = |place, theirs, kept: &Kept, due| {
            let one = placed(10, Ok((place, 0)));
            offsets(&see(&here, Some(&there), one, theirs, kept, due))
        };
        let ours = kept(false, &[(-1, 7)]);
        assert_eq!(judged(9, Some(7), &ours, false), [9]);
        assert_eq!(judged(3, Some(7), &ours, false), [3]);
        assert_eq!(judged(7, Some(7), &ours, false), [0; 0]);
        assert_eq!(judged(7, Some(7), &ours, true), [7], "kept alive");
        assert_eq!(judged(7, None, &ours, false), [7], "expired there");
        // A write on record that was never made: what was found before still stands there.
        assert_eq!(judged(9, Some(5), &kept(false, &[(5, 7)]), false), [9]);
    }

    #[test]
    fn what_somebody_else_committed_is_not_written_over_and_not_copied() {
        let (here, there) = (group("classic", "Empty"), group("classic", "Empty"));
        let see = |theirs, kept: &Kept| {
            let one = placed(10, Ok((7, 0)));
            see(&here, Some(&there), one, theirs, kept, true)
        };
        let judged = see(Some(4), &Kept::default());
        assert_eq!((code(&judged), offsets(&judged).len()), (FOREIGN, 0));
        let judged = see(Some(4), &kept(false, &[(2, 7)]));
        assert_eq!((code(&judged), offsets(&judged).len()), (FOREIGN, 0));
        assert_eq!(judged.foreign, [at(0)]);
        // Where somebody declared who has authority, what stands there is put on record and written over.
        let judged = see(Some(4), &kept(true, &[]));
        assert_eq!((judged.stood[0].offset, offsets(&judged)), (4, vec![7]));
        // What stands there is right already.
        assert_eq!(offsets(&see(Some(7), &Kept::default())), [7]);
    }

    #[test]
    fn members_over_there_leave_it_alone_and_members_on_both_sides_freeze_it() {
        let ours = kept(false, &[(-1, 7)]);
        let see = |here: &str, there: &str| {
            let (here, there) = (group("classic", here), group("consumer", there));
            let one = placed(10, Ok((9, 0)));
            let judged = see(&here, Some(&there), one, Some(7), &ours, true);
            assert!(judged.commits.is_empty() && judged.written.is_empty());
            code(&judged).to_owned()
        };
        assert_eq!(see("Empty", "Stable"), ACTIVE_THERE);
        assert_eq!(see("Stable", "PreparingRebalance"), ACTIVE_TWICE);
    }

    #[test]
    fn share_groups_and_kinds_of_tomorrow_are_refused_by_name() {
        let none = Kept::default();
        for (kind, wanted) in [("share", SHARE), ("swarm", UNKNOWN_KIND)] {
            let (one, plain) = (group(kind, "Empty"), group("classic", "Empty"));
            for (here, there) in [(&one, None), (&plain, Some(&one))] {
                let judged = see(here, there, placed(1, Ok((1, 0))), None, &none, true);
                assert_eq!((code(&judged), offsets(&judged).len()), (wanted, 0));
            }
        }
    }

    #[test]
    fn without_an_answer_nothing_is_committed_and_repeats_are_counted() {
        let here = group("classic", "Stable");
        let ours = kept(false, &[(-1, 7)]);
        let see = |place| see(&here, None, placed(10, place), Some(7), &ours, true);
        let judged = see(Err(true));
        assert!(judged.commits.is_empty());
        assert!(matches!(judged.standing.position, Position::Waiting(_)));
        let judged = see(Err(false));
        assert!(judged.commits.is_empty());
        assert_eq!(code(&judged), NO_PLACE);
        let judged = see(Ok((9, 3)));
        assert_eq!(offsets(&judged), [9]);
        assert_eq!(judged.standing.position, Position::Repeats(3));
    }
}
