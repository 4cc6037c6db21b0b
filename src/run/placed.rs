//! Where groups go on after a move and what they read again there: announced by the step that placed them, counted after it; for reports.

use serde::{Deserialize, Serialize};

/// A line of the journal also stands in a topic, whose records are a mebibyte at most unless somebody has set that otherwise.
const MOST_BYTES: usize = 400 << 10;

/// Where a group goes on in a partition, before it is started there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What it had committed on the side that it leaves.
    pub committed: i64,
    /// The largest offset of the other side that skips nothing.
    pub exact: i64,
    /// Where it goes on there: at `exact`, or before it.
    pub stands: i64,
    /// Records that it has read and reads again, as announced.
    pub again: u64,
    /// Where the partition ended there: what it had read by then stands before. `None` where nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
}

/// What a group was really given a second time in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Records; `None`: they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<u64>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// As many as fit into one line, those that read something again first; what is left out reads nothing again unless there are very many.
pub fn that_fit(mut all: Vec<Placed>) -> Vec<Placed> {
    all.sort_by_key(|one| std::cmp::Reverse(one.again));
    let fit = fitting(&all);
    all.truncate(fit);
    all.sort_by(|a, b| (&a.group, &a.topic, a.partition).cmp(&(&b.group, &b.topic, b.partition)));
    all
}

/// Cut into parts, each of which fits into one line.
pub fn in_lines(mut all: Vec<Counted>) -> Vec<Vec<Counted>> {
    let mut lines = Vec::new();
    while !all.is_empty() {
        let rest = all.split_off(fitting(&all).max(1));
        lines.push(std::mem::replace(&mut all, rest));
    }
    lines
}

/// How many of them, from the first, fit into one line.
fn fitting<T: Serialize>(all: &[T]) -> usize {
    let mut bytes = 0;
    let length = |one: &T| serde_json::to_vec(one).map_or(MOST_BYTES, |bytes| bytes.len() + 1);
    all.iter()
        .take_while(|one| {
            bytes += length(one);
            bytes <= MOST_BYTES
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_again_is_kept_before_what_does_not_and_no_line_is_too_long() {
        let placed = |partition: i32| Placed {
            group: "g".repeat(200),
            topic: "t".repeat(200),
            partition,
            committed: 7,
            exact: 7,
            stands: 7,
            again: u64::from(partition == 4999),
            end: Some(9),
        };
        let kept = that_fit((0..5000).map(placed).collect());
        assert!(kept.len() < 5000 && kept.len() > 500, "{}", kept.len());
        assert_eq!(kept.last().map(|one| one.partition), Some(4999));
        assert!(serde_json::to_vec(&kept).unwrap().len() <= MOST_BYTES + 2);
        let counted = |partition| Counted {
            group: "g".repeat(200),
            topic: "t".repeat(200),
            partition,
            again: Some(0),
            why: None,
        };
        let lines = in_lines((0..5000).map(counted).collect());
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), 5000);
        for line in &lines {
            assert!(serde_json::to_vec(line).unwrap().len() <= MOST_BYTES + 2);
        }
        assert!(in_lines(Vec::new()).is_empty());
    }
}
