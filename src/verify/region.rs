//! Two short stretches that are not the same: which records match, which differ, which stand on one side only.

use std::collections::HashMap;

use super::{print::Print, tally::Finding};

/// Above this many cells the longest common subsequence is not worth its time, and places decide.
const CELLS: usize = 1 << 20;

/// What became of a stretch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Records that are the same, in the same order.
    pub matching: u64,
    /// What is not, roughly in order.
    pub findings: Vec<Finding>,
    /// Source records at the end behind which the target has nothing, if asked for.
    pub tail: usize,
}

/// Compares two stretches. With `tail`, the target ends here, and source records behind its last are the tail, not missing.
pub fn compare(source: &[Print], target: &[Print], tail: bool) -> Region {
    let mut region = Region::default();
    let pairs = common(source, target);
    region.matching = pairs.len() as u64;
    let (mut s_moved, mut t_moved) = (vec![None; source.len()], vec![false; target.len()]);
    moved(source, target, &pairs, &mut s_moved, &mut t_moved);
    let (mut s, mut t) = (0, 0);
    let ends = std::iter::once((source.len(), target.len()));
    for (s_end, t_end) in pairs.into_iter().chain(ends) {
        let left: Vec<usize> = (s..s_end).filter(|i| s_moved[*i].is_none()).collect();
        let right: Vec<usize> = (t..t_end).filter(|j| !t_moved[*j]).collect();
        let partners = partners(source, target, &left, &right);
        let last = s_end == source.len() && tail;
        let settled = if last {
            (s..s_end).rposition(|i| s_moved[i].is_some() || partners.iter().any(|p| p.0 == i))
        } else {
            None
        };
        let tail_from = if last {
            s + settled.map_or(0, |at| at + 1)
        } else {
            s_end
        };
        for i in s..tail_from {
            let finding = match (s_moved[i], partners.iter().find(|p| p.0 == i)) {
                (Some(j), _) => Finding::Reordered(source[i], target[j]),
                (None, Some((_, j))) => Finding::Different(source[i], target[*j]),
                (None, None) => Finding::Missing(source[i]),
            };
            region.findings.push(finding);
        }
        let alone = right.iter().filter(|j| partners.iter().all(|p| p.1 != **j));
        region
            .findings
            .extend(alone.map(|j| Finding::Extra(target[*j])));
        region.tail = s_end - tail_from;
        (s, t) = (s_end + 1, t_end + 1);
    }
    region
}

/// Index pairs of a longest common subsequence, in order.
fn common(source: &[Print], target: &[Print]) -> Vec<(usize, usize)> {
    let (n, m) = (source.len(), target.len());
    if n.saturating_mul(m) > CELLS {
        return (0..n.min(m))
            .filter(|i| source[*i].whole == target[*i].whole)
            .map(|i| (i, i))
            .collect();
    }
    let width = m + 1;
    let mut best = vec![0u16; (n + 1) * width]; // a common subsequence within CELLS is no longer than 1,024
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            best[i * width + j] = if source[i].whole == target[j].whole {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < n && j < m {
        if source[i].whole == target[j].whole {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[(i + 1) * width + j] >= best[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Finds the same record on both sides outside the common order.
fn moved(
    source: &[Print],
    target: &[Print],
    pairs: &[(usize, usize)],
    s_moved: &mut [Option<usize>],
    t_moved: &mut [bool],
) {
    let (mut s_used, mut t_used) = (vec![false; source.len()], vec![false; target.len()]);
    pairs
        .iter()
        .for_each(|(i, j)| (s_used[*i], t_used[*j]) = (true, true));
    let mut there: HashMap<u128, Vec<usize>> = HashMap::new();
    (0..target.len())
        .rev()
        .filter(|j| !t_used[*j])
        .for_each(|j| there.entry(target[j].whole).or_default().push(j));
    for i in (0..source.len()).filter(|i| !s_used[*i]) {
        if let Some(j) = there.get_mut(&source[i].whole).and_then(Vec::pop) {
            (s_moved[i], t_moved[j]) = (Some(j), true);
        }
    }
}

/// Pairs records that are one record, changed: of one key and time, or of one value; all in order where both sides have as many.
fn partners(
    source: &[Print],
    target: &[Print],
    left: &[usize],
    right: &[usize],
) -> Vec<(usize, usize)> {
    if left.len() == right.len() {
        return left.iter().copied().zip(right.iter().copied()).collect();
    }
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let mut from = 0;
    for i in left {
        let alike = |j: &usize| {
            let (a, b) = (&source[*i], &target[*j]);
            (a.key == b.key && a.timestamp == b.timestamp)
                || (a.value.length > 0 && a.value == b.value)
        };
        if let Some(at) = right[from..].iter().position(alike) {
            pairs.push((*i, right[from + at]));
            from += at + 1;
        }
    }
    pairs
}
