//! What an application was given, held against what was written: lost, again, out of order.

use std::collections::{BTreeMap, HashSet};

/// Numbers by partition, in their order.
pub type Numbers = BTreeMap<i32, Vec<u64>>;

/// What came of it, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Given for the first time.
    pub given: u64,
    /// Written and never given.
    pub lost: u64,
    /// Given more than once, each time after the first.
    pub again: u64,
    /// Given for the first time behind one that was written later.
    pub out_of_order: u64,
}

impl Tally {
    /// Compares what was given with what was written.
    pub fn of(written: &Numbers, given: &Numbers) -> Self {
        let mut tally = Self::default();
        let none = Vec::new();
        for partition in written.keys().chain(given.keys()).collect::<HashSet<_>>() {
            let written = written.get(partition).unwrap_or(&none);
            let place: BTreeMap<u64, usize> = written.iter().copied().zip(0..).collect();
            let mut seen = HashSet::new();
            let mut last = None;
            for number in given.get(partition).unwrap_or(&none) {
                if !seen.insert(*number) {
                    tally.again += 1;
                    continue;
                }
                tally.given += 1;
                let at = place.get(number).copied();
                tally.out_of_order += u64::from(at < last);
                last = last.max(at);
            }
            let lost = written.iter().filter(|number| !seen.contains(number));
            tally.lost += lost.count() as u64;
        }
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_again_or_out_of_order_is_counted() {
        let written = Numbers::from([(0, vec![0, 2, 4, 6]), (1, vec![1, 3])]);
        let given = Numbers::from([(0, vec![0, 4, 2, 2, 4]), (1, vec![1, 3])]);
        let wanted = Tally {
            given: 5,
            lost: 1,
            again: 2,
            out_of_order: 1,
        };
        assert_eq!(Tally::of(&written, &given), wanted);
        let all = Tally {
            given: 6,
            ..Tally::default()
        };
        assert_eq!(Tally::of(&written, &written), all);
    }
}
