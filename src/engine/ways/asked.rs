//! What a person asks for on the command line: a way, and the stop that it is to pass.

use std::fmt;

use super::Way;
use crate::model::names::TopicPartition;

/// A way asked for: `TOPIC:PARTITION`, `TOPIC:PARTITION@OFFSET`, or for copying again a whole `TOPIC`, for the second time `TOPIC@2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which way.
    pub way: Way,
    /// The topic.
    pub topic: String,
    /// The partition; `None` is every partition of it that has stopped.
    pub partition: Option<i32>,
    /// The source offset of the stop that is meant, and the how manieth stop there it is; of a whole topic the how manieth copy, alone.
    pub stop: Option<(i64, usize)>,
}

/// Stands for the offset where a topic is meant.
const WHOLE: i64 = -1;

/// A word that names no partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag} {word}: {what}")]
pub struct Malformed {
    flag: &'static str,
    word: String,
    what: &'static str,
}

impl Asked {
    /// Reads a word of the command line.
    pub fn parse(way: Way, word: &str) -> Result<Self, Malformed> {
        let malformed = |what| Malformed {
            flag: way.flag(),
            word: word.to_owned(),
            what,
        };
        let (place, stop) = match word.split_once('@') {
            None => (word, None),
            Some((place, stop)) => {
                let stop = read_stop(stop);
                let what = "what follows `@` is no source offset";
                (place, Some(stop.ok_or_else(|| malformed(what))?))
            }
        };
        let (topic, partition) = match place.split_once(':') {
            None => (place, None),
            Some((topic, partition)) => {
                let number = partition.parse().ok().filter(|number: &i32| *number >= 0);
                let what = "what follows `:` is no partition's number";
                (topic, Some(number.ok_or_else(|| malformed(what))?))
            }
        };
        let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        if topic.is_empty() || topic.len() > 249 || !topic.chars().all(legal) {
            return Err(malformed(
                "no topic can have this name; write TOPIC:PARTITION",
            ));
        }
        if partition.is_none() && way != Way::Recopy {
            return Err(malformed("name the partition too: TOPIC:PARTITION"));
        }
        let stop = match (partition, stop) {
            (None, Some((copy, 1))) => {
                let copy = usize::try_from(copy).ok().filter(|copy| *copy > 0);
                let what = "what follows `@` does not say the how manieth copy it is";
                Some((WHOLE, copy.ok_or_else(|| malformed(what))?))
            }
            (None, Some(_)) => return Err(malformed("name the partition too: TOPIC:PARTITION")),
            (Some(_), stop) => stop,
            (None, None) => None,
        };
        Ok(Self {
            way,
            topic: topic.to_owned(),
            partition,
            stop,
        })
    }

    /// The word that names exactly this stop. `before`: decisions at this very offset.
    pub fn naming(way: Way, name: &TopicPartition, offset: i64, before: usize) -> Self {
        Self {
            way,
            topic: name.topic.to_string(),
            partition: Some(name.partition),
            stop: Some((offset, before + 1)),
        }
    }

    /// The word that names all of a topic. `before`: how often it was to be copied again.
    pub fn topic(way: Way, topic: &str, before: usize) -> Self {
        Self {
            way,
            topic: topic.to_owned(),
            partition: None,
            stop: (before > 0).then_some((WHOLE, before + 1)),
        }
    }
}

fn read_stop(text: &str) -> Option<(i64, usize)> {
    let (offset, nth) = text.split_once('/').unwrap_or((text, "1"));
    let offset: i64 = offset.parse().ok()?;
    let nth: usize = nth.parse().ok()?;
    (offset >= 0 && nth > 0).then_some((offset, nth))
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.way.flag(), self.topic)?;
        if let Some(partition) = self.partition {
            write!(f, ":{partition}")?;
        }
        match self.stop {
            None => Ok(()),
            Some((WHOLE, nth)) => write!(f, "@{nth}"),
            Some((offset, 1)) => write!(f, "@{offset}"),
            Some((offset, nth)) => write!(f, "@{offset}/{nth}"),
        }
    }
}
