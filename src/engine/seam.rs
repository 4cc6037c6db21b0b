//! First contact with a partition: what both sides hold, and whether ours may be appended behind what the target holds.
//!
//! 1. The seam stands in the ledger before the first batch: until then nothing of ours is in the partition, so that what is found there is others'.
//! 2. Once it stands there it is never looked for again: the target's recorded end is where ours begins, whatever was appended since.

use super::ledger::record::Seam;
use crate::{
    cluster::{self, OffsetSpec, Source, Target},
    model::names::TopicPartition,
};

/// What is to become of records that the target's partition holds at first contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nobody has said.
    Undecided,
    /// They stay where they are, and ours go behind them.
    Keep,
    /// They stay, and are copied back, too: whatever is there is as good as written later.
    Merge,
    /// They stay in any case: we made the partition just now, so that whoever wrote to it did so after the migration began.
    New,
    /// Nobody may say: a ledger of this migration is lost, so that they may be our own.
    MayBeOurs,
}

/// Where a partition begins, or why it does not.
pub fn begin(found: Seam, existing: Existing) -> Result<Seam, String> {
    let holds = found.target_end > found.target_start;
    let offsets = || {
        format!(
            "the target's partition already holds offsets {} to {}",
            found.target_start,
            found.target_end - 1
        )
    };
    match existing {
        _ if !holds => Ok(found),
        Existing::Keep => Ok(found),
        Existing::Merge => Ok(Seam {
            target_end: found.target_start,
            ..found
        }),
        // What was written behind the beginning is not what was there before.
        Existing::New => Ok(Seam {
            target_start: 0,
            target_end: 0,
            ..found
        }),
        Existing::Undecided => Err(format!(
            "{}, which this migration did not write, and nobody has said what becomes of them (`existing` of a [[topic]])",
            offsets()
        )),
        Existing::MayBeOurs => Err(format!(
            "{}, and this migration had a ledger before, which is gone: they may be its own copies, so `existing = \"keep\"` does not count here",
            offsets()
        )),
    }
}

/// Starts and ends of partitions on both sides, in the order asked for.
pub async fn look(
    source: &Source,
    target: &Target,
    names: &[TopicPartition],
) -> Vec<Result<Seam, cluster::Error>> {
    let (mut source_start, mut source_end, mut target_start, mut target_end) = tokio::join!(
        source.offsets(names, OffsetSpec::Earliest),
        source.offsets(names, OffsetSpec::Stable),
        target.offsets(names, OffsetSpec::Earliest),
        target.offsets(names, OffsetSpec::End),
    );
    let mut seam = |name: &TopicPartition| -> Option<Result<Seam, cluster::Error>> {
        let offsets = [
            source_start.remove(name)?,
            source_end.remove(name)?,
            target_start.remove(name)?,
            target_end.remove(name)?,
        ];
        let [source_start, source_end, target_start, target_end] = offsets;
        Some((|| {
            Ok(Seam {
                source_start: source_start?,
                source_end: source_end?,
                target_start: target_start?,
                target_end: target_end?,
            })
        })())
    };
    names
        .iter()
        .map(|name| {
            seam(name).unwrap_or_else(|| {
                Err(cluster::Error::NoLeader {
                    side: source.side(),
                    at: name.clone(),
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUND: Seam = Seam {
        source_start: 3,
        source_end: 9,
        target_start: 5,
        target_end: 8,
    };

    #[test]
    fn what_the_target_holds_is_left_in_front_of_ours_or_stops_it() {
        assert_eq!(begin(FOUND, Existing::Keep), Ok(FOUND));
        let new = begin(FOUND, Existing::New).unwrap();
        assert_eq!((new.target_start, new.target_end), (0, 0));
        assert_eq!((new.source_start, new.source_end), (3, 9));
        for existing in [Existing::Undecided, Existing::MayBeOurs] {
            let why = begin(FOUND, existing).unwrap_err();
            assert!(why.contains("offsets 5 to 7"), "{why}");
        }
        // Where nothing is left, there is nothing to decide.
        let emptied = Seam {
            target_start: 8,
            ..FOUND
        };
        for existing in [
            Existing::Keep,
            Existing::New,
            Existing::Undecided,
            Existing::MayBeOurs,
        ] {
            assert_eq!(begin(emptied, existing), Ok(emptied));
        }
    }
}
