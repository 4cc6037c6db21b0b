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

/// What the engine says of its source and target on the way back, as people call them: there it reads the target, and writes to the source.
pub fn as_on_the_way_back(text: &str) -> String {
    let belongs = |letter: char| letter.is_alphanumeric() || "._-=".contains(letter);
    let mut said = String::with_capacity(text.len());
    let mut word = String::new();
    for letter in text.chars().chain(std::iter::once(' ')) {
        if belongs(letter) {
            word.push(letter);
            continue;
        }
        // A full stop behind a word is no part of it.
        let (stem, rest) = word.split_at(word.trim_end_matches('.').len());
        said.push_str(match stem {
            "source" => "target",
            "target" => "source",
            stem => stem,
        });
        said.push_str(rest);
        said.push(letter);
        word.clear();
    }
    said.pop();
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_way_back_the_sides_change_places_and_names_stay() {
        let said = as_on_the_way_back(
            "the target's log of source-events-3 ends at 4, the source (source.orders) at 9; target, source.",
        );
        assert_eq!(
            said,
            "the source's log of source-events-3 ends at 4, the target (source.orders) at 9; source, target."
        );
        assert_eq!(as_on_the_way_back(""), "");
        assert_eq!(Direction::Reverse.read(), "target");
        assert_eq!(Direction::Reverse.written(), "source");
    }
}
