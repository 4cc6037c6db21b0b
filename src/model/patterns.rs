//! Names and globs as they were written, and what they match.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Serialize, Serializer};

/// A list of names or globs.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    texts: Vec<String>,
    set: GlobSet,
}

impl Patterns {
    /// These names or globs; `None` if one of them is no glob.
    pub fn of(texts: &[String]) -> Option<Self> {
        let mut set = GlobSetBuilder::new();
        for text in texts {
            set.add(GlobBuilder::new(text).build().ok()?);
        }
        Some(Self {
            texts: texts.to_vec(),
            set: set.build().ok()?,
        })
    }

    /// Does one of them match?
    pub fn matches(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// As they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Those that name one thing only.
    pub fn literals(&self) -> impl Iterator<Item = &String> {
        let is_literal = |text: &&String| !text.contains(['*', '?', '[', '{', '\\']);
        self.texts.iter().filter(is_literal)
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

impl Serialize for Patterns {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(to)
    }
}
