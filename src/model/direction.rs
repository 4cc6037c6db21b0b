//! The two directions of a migration, and which cluster each of them reads.

use std::fmt;

/// Which way records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Direction {
    /// From the source to the target.
    #[default]
    Forward,
    /// From the target back to the source.
    Reverse,
}

impl Direction {
    /// As it stands in names of ledgers and in what they say.
    pub fn word(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Forward => Self::Reverse,
            Self::Reverse => Self::Forward,
        }
    }

    /// What a person calls the cluster that is read.
    pub fn read(self) -> &'static str {
        match self {
            Self::Forward => "source",
            Self::Reverse => "target",
        }
    }

    /// What a person calls the cluster that is written.
    pub fn written(self) -> &'static str {
        self.other().read()
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
