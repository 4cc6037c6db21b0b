//! Committed positions of consumer groups: read where they count, translated, and committed on the other side.
//!
//! 1. Only the side that has authority is followed, forwards and backwards; what moves on the other side is somebody else's, and reported.
//! 2. What stood before the first write, and each write, are in the ledger before they are made.
//! 3. A group that the other side shows with members is left alone, and the broker refuses what comes between the look and the commit.
//! 4. No answer of the map, no commit: the last position stays, and the reason is shown.

pub mod carry;
pub mod desk;
mod judge;
pub mod ways;

use std::time::Duration;

use crate::model::{names::TopicPartition, patterns::Patterns};

/// Which groups are carried, and how often they are looked at.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Groups to carry.
    pub groups: Patterns,
    /// Groups to leave out all the same.
    pub exclude: Patterns,
    /// The pause between two looks; `None` leaves it to how long they take.
    pub every: Option<Duration>,
}

impl Wanted {
    /// Is this group carried?
    pub fn has(&self, group: &str) -> bool {
        self.groups.matches(group) && !self.exclude.matches(group)
    }
}

/// Where a group goes on over there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The offset to commit there.
    pub offset: i64,
    /// How many records, consumed here already, it will see again there.
    pub repeats: u64,
}

/// Why there is no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace {
    /// In words.
    pub reason: String,
    /// Time alone brings one.
    pub is_passing: bool,
}

/// What the maps say of a partition at one moment: from a committed offset and the end of the other side, which has to be read after that
/// moment, to a place there.
pub type Translation = Box<dyn Fn(i64, i64) -> Result<Place, NoPlace> + Send + Sync>;

/// Both directions' maps, as one of them sees them.
pub trait Translate: Send + Sync {
    /// What is known of a partition now; `None` where nothing of it was copied yet.
    fn now(&self, of: &TopicPartition) -> Option<Translation>;
}
