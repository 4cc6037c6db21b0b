//! From a committed offset on one cluster to the offset on the other that skips nothing: arithmetic over what the two ledgers say.
//!
//! *Here* is the cluster a group committed on, *there* the other one. A record below the committed offset here is consumed, any other is
//! not. The answer is the smallest offset there of any record that is not consumed, or the end there.
//!
//! 1. A copy from here that stands in the map is consumed if its source offset is below the committed one.
//! 2. A record of there that was copied here is consumed if its copy's offset is below the committed one.
//! 3. What stands there at or behind the offset that the direction back has passed, and is no copy in the map, is not consumed.
//! 4. Nor is what stands there behind the last copy in the map and was passed by the direction back as a copy from here: the map has not
//!    got that far, so its source offset is not below the committed one.
//! 5. No answer before the map has passed the committed offset, nor before every copy from there below it stands in the other map: what
//!    is consumed could not be counted.
//! 6. Repeats are the consumed records at or behind the answer. Compaction may have removed some since they were copied.
//! 7. No answer that rests on what a map has let go of: neither the offset nor the count would be right.
//! 8. Offsets that hold no record (markers, aborted data, what compaction removed) may be answered: a reader there moves on to the next
//!    record. A marker that the direction back has not passed yet, or that stands where rule 4 looks, is taken for a record: nothing is
//!    skipped by it, and consumed records behind it are counted as repeats.
//! 9. With one writing side at a time, and no such marker, no record is repeated: surely so once both ledgers have reached the ends.
//!
//! With one direction only nobody reads what others write there. Between the copies it is passed over, behind the last of them it is not
//! consumed; a group that has read everything here goes on right behind the last copy.

mod segments;

use std::fmt;

pub use self::segments::{Segment, Segments};

/// What the ledger of one direction says of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Where copying began at first contact, an offset of the cluster that is read. What lies below has no counterpart.
    pub seam: i64,
    /// Every copy of a record from this source offset on is in `segments`; above `seam` if older ones were let go of.
    pub begin: i64,
    /// Every copy from this target offset on is in `segments`; 0 if none were let go of.
    pub mapped_begin: i64,
    /// Records and their copies.
    pub segments: Segments,
    /// Every source record below was copied, or skipped as the other direction's copy, or given up by a person.
    pub passed: i64,
    /// The source offset behind the last batch that was skipped as the other direction's copy, 0 if none was. It has to stand in the
    /// ledger before what was read behind that batch is written: a position that a crash leaves to be found in the target's log
    /// knows nothing of what was skipped in front of it.
    pub echo_end: i64,
    /// Every copy below this target offset is in `segments` (or was let go of), every other one stands at it or behind.
    pub mapped_end: i64,
}

/// Where a group goes on over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The offset to commit there.
    pub offset: i64,
    /// How many records, consumed here already, it will see again there.
    pub repeats: u64,
}

/// Why there is no answer, yet or ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The offset lies before what was copied at all, which begins here.
    BeforeSeam {
        /// Where copying began.
        seam: i64,
    },
    /// The map does not reach back so far any more.
    BeforeMap {
        /// The first committed offset that it may know, on the cluster of the group.
        begin: i64,
    },
    /// Records below the committed offset are not on record as copied.
    NotCopied {
        /// Up to where they are.
        passed: i64,
    },
    /// Copies from there below the committed offset are not on record in the other direction's ledger.
    OtherTrails {
        /// Up to where they are.
        mapped: i64,
    },
    /// The ledgers know of more over there than the log holds: it was asked too early, or has lost records.
    BehindEnd {
        /// Where the log ends.
        end: i64,
    },
}

impl NoPlace {
    /// Will time alone bring an answer?
    pub fn is_passing(self) -> bool {
        matches!(
            self,
            Self::NotCopied { .. } | Self::OtherTrails { .. } | Self::BehindEnd { .. }
        )
    }
}

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeSeam { seam } => {
                write!(f, "before the seam: copying began at offset {seam}")
            }
            Self::BeforeMap { begin } => {
                write!(f, "before the map, which is kept from offset {begin} on")
            }
            Self::NotCopied { passed } => {
                write!(f, "not copied yet: on record up to offset {passed}")
            }
            Self::OtherTrails { mapped } => write!(
                f,
                "the other direction's copies are on record up to offset {mapped} only"
            ),
            Self::BehindEnd { end } => write!(
                f,
                "the other side's log ends at offset {end}, and more was copied to it"
            ),
        }
    }
}

/// The place there of a group that committed an offset here: `here` is the way from here to there, `there` the way back, if there is one.
/// The end there has to be read after the ways were.
pub fn translate(
    committed: i64,
    here: &Way,
    there: Option<&Way>,
    there_end: i64,
) -> Result<Place, NoPlace> {
    if committed < here.seam {
        return Err(NoPlace::BeforeSeam { seam: here.seam });
    }
    if committed < here.begin {
        return Err(NoPlace::BeforeMap { begin: here.begin });
    }
    if committed > here.passed {
        return Err(NoPlace::NotCopied {
            passed: here.passed,
        });
    }
    if here.mapped_end > there_end || there.is_some_and(|there| there.passed > there_end) {
        return Err(NoPlace::BehindEnd { end: there_end });
    }
    if let Some(there) = there {
        if committed < there.mapped_begin {
            return Err(NoPlace::BeforeMap {
                begin: there.mapped_begin,
            });
        }
        if committed.min(here.echo_end) > there.mapped_end {
            return Err(NoPlace::OtherTrails {
                mapped: there.mapped_end,
            });
        }
    }
    let copied = here
        .segments
        .from_first_not(|one| one.source_end() <= committed);
    let copied = copied
        .map(|one| one.target + (committed - one.source).max(0))
        .next();
    let others = match there {
        None => [
            (here.mapped_end < there_end).then_some(here.mapped_end),
            None,
            None,
        ],
        Some(there) => [
            native(committed, there),
            unmapped(here, there),
            ahead(here, there, there_end),
        ],
    };
    let answers = others.into_iter().chain([copied]).flatten();
    let offset = answers.min().unwrap_or(there_end);
    // Copies that were let go of may stand behind it.
    let forgets = offset < here.mapped_begin
        || there.is_some_and(|there| offset < there.begin && there.begin > there.seam);
    if forgets {
        let begin = here.begin.max(there.map_or(0, |there| there.mapped_begin));
        return Err(NoPlace::BeforeMap { begin });
    }
    Ok(Place {
        offset,
        repeats: repeats(committed, offset, here, there),
    })
}

/// The first record of there that was copied here and is not consumed.
fn native(committed: i64, there: &Way) -> Option<i64> {
    let mut behind = there
        .segments
        .from_first_not(|one| one.target_end() <= committed);
    let first = behind.next()?;
    Some(first.source + (committed - first.target).max(0))
}

/// The first offset behind the last copy in the map that the way back has passed, and where a copy may stand that it skipped.
fn unmapped(here: &Way, there: &Way) -> Option<i64> {
    let mut at = here.mapped_end;
    for native in there
        .segments
        .from_first_not(move |one| one.source_end() <= at)
    {
        if native.source > at {
            break;
        }
        at = native.source_end();
    }
    (at < there.echo_end).then_some(at)
}

/// The first offset that the way back has not passed, and that no copy in the map stands at.
fn ahead(here: &Way, there: &Way, there_end: i64) -> Option<i64> {
    let mut at = there.passed;
    for copy in here
        .segments
        .from_first_not(move |one| one.target_end() <= at)
    {
        if copy.target > at {
            break;
        }
        at = copy.target_end();
    }
    (at < there_end).then_some(at)
}

/// How many records that a group consumed here, by where it stands, it would see again from an offset there on.
pub fn repeats(committed: i64, offset: i64, here: &Way, there: Option<&Way>) -> u64 {
    let copies = here
        .segments
        .from_first_not(|one| one.target_end() <= offset);
    let copies = copies.map_while(|one| {
        let from = one.source + (offset - one.target).max(0);
        (one.source < committed).then(|| one.source_end().min(committed) - from)
    });
    let natives = there.into_iter().flat_map(|there| {
        let behind = there
            .segments
            .from_first_not(|one| one.source_end() <= offset);
        behind.map_while(|one| {
            let from = one.target + (offset - one.source).max(0);
            (one.target < committed).then(|| one.target_end().min(committed) - from)
        })
    });
    let counts = copies.chain(natives);
    counts.map(|count| u64::try_from(count).unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests;
