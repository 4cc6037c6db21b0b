//! Where a group goes on on the other side: by the maps of both directions, and what stands there by now.

use super::{ByLedger, Told, direction};
use crate::{
    cluster::{Commits, Error, OffsetSpec},
    engine::ledger::positions::Kept,
    error::Failure,
    model::{
        map::{self, Way},
        names::{Side, TopicPartition},
    },
    phases::carrier::{Ends, Place, Position, other},
};

/// A transaction that commits positions is not over.
const UNSTABLE_OFFSET_COMMIT: i16 = 88;

/// The map of a partition to the other side, and of the way back, if there is one.
type Ways = (Way, Option<Way>);

impl ByLedger {
    /// Places of a group's positions on the side that it leaves, of these partitions. Nothing is written: the engine does that.
    pub(super) async fn places(
        &self,
        from: Side,
        group: &str,
        below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        let [source, target] = self.both()?;
        let (here, there) = match from {
            Side::Source => (source, target),
            Side::Target => (target, source),
        };
        let names = [group.to_owned()];
        let mut committed = match here.positions(&names).await.remove(group) {
            None => Commits::new(),
            Some(Ok(committed)) => committed,
            Some(Err(error)) => return not_settled(group, below, &error),
        };
        committed.retain(|at, _| below.contains_key(at));
        // The ledgers before the ends, as a translation wants it.
        let told = self.told().await?;
        let ways: Vec<(&TopicPartition, Option<Ways>)> = committed
            .keys()
            .map(|at| {
                let way = |direction| told.of(direction).and_then(|told| told.way(at));
                let here = way(direction(from));
                let back = way(direction(other(from)));
                let is_whole = back.is_some() || !self.of.two_way;
                (at, here.filter(|_| is_whole).map(|here| (here, back)))
            })
            .collect();
        let all: Vec<TopicPartition> = committed.keys().cloned().collect();
        let (ends, stands) = tokio::join!(
            there.offsets(&all, OffsetSpec::End),
            there.positions(&names)
        );
        let stands = match stands.into_values().next() {
            None => Commits::new(),
            Some(Ok(stands)) => stands,
            Some(Err(error)) => return not_settled(group, below, &error),
        };
        let ledger = told.of(direction(from));
        let refused = Self::refusal(ledger, group);
        let mut placed = Vec::with_capacity(committed.len());
        for (at, ways) in ways {
            let end = match ends.get(at) {
                Some(Ok(end)) => *end,
                Some(Err(error)) => return Err(error.failure()),
                None => 0,
            };
            let offset = committed[at].offset;
            let stands = stands.get(at).map(|commit| commit.offset);
            let place = match ways {
                None => Place::NotYet("the engine has not met the partition yet".to_owned()),
                Some((here, back)) => {
                    let ways = (&here, back.as_ref());
                    let is_written = is_written(ledger, group, at, stands);
                    place(offset, ways, end, stands, is_written, refused.as_ref())
                }
            };
            placed.push(Position {
                group: group.to_owned(),
                at: at.clone(),
                committed: offset,
                place,
            });
        }
        Ok(placed)
    }
}

/// Does the ledger know what stands there as written by the engine?
fn is_written(told: Option<&Told>, group: &str, at: &TopicPartition, stands: Option<i64>) -> bool {
    let written = told
        .and_then(|told| told.group(group))
        .and_then(|kept: &Kept| kept.written.get(at));
    written.is_some_and(|written| Some(written.offset) == stands)
}

/// Offsets are about to be moved by a transaction: the first of the partitions says so for all.
fn not_settled(group: &str, below: &Ends, error: &Error) -> Result<Vec<Position>, Failure> {
    let first = below.keys().next();
    match (error.code(), first) {
        (Some(UNSTABLE_OFFSET_COMMIT), Some(at)) => Ok(vec![Position {
            group: group.to_owned(),
            at: at.clone(),
            committed: -1,
            place: Place::NotYet("a transaction is about to move it".to_owned()),
        }]),
        _ => Err(error.failure()),
    }
}

/// What the maps and what stands there come to. Only what the engine has written itself is good, and only as far as the maps say now.
fn place(
    committed: i64,
    (here, back): (&Way, Option<&Way>),
    end: i64,
    stands: Option<i64>,
    is_written: bool,
    refused: Option<&String>,
) -> Place {
    let place = match map::translate(committed, here, back, end) {
        Ok(place) => place,
        Err(no) if no.is_passing() => return Place::NotYet(no.to_string()),
        Err(no) => return Place::Nowhere(no.to_string()),
    };
    let exact = place.offset;
    let known = |stands, again, skips| Place::Known {
        exact,
        stands,
        again,
        skips,
    };
    let waits = |what: String| Place::NotYet(refused.cloned().unwrap_or(what));
    match stands {
        None if refused.is_none() => known(None, 0, false),
        None => waits(String::new()),
        Some(stands) if stands > exact => match refused {
            None => known(Some(stands), 0, true),
            Some(_) => waits(String::new()),
        },
        Some(stands) => {
            let again = map::repeats(committed, stands, here, back);
            // Offsets between the two that hold no record make no difference.
            match again > place.repeats || !(is_written || stands == exact) {
                true => waits(format!("it stands at {stands}, and is about to be {exact}")),
                false => known(Some(stands), again, false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::map::{Segment, Segments};

    /// Ten records of here at 5 to 14 there, and one that was written there, which came here behind them.
    fn ways() -> (Way, Way) {
        let way = |source, target, length, passed, mapped_end| {
            let mut segments = Segments::default();
            segments.push(Segment {
                source,
                target,
                length,
            });
            Way {
                segments,
                passed,
                mapped_end,
                ..Way::default()
            }
        };
        let here = Way {
            echo_end: 11,
            ..way(0, 5, 10, 11, 15)
        };
        let back = Way {
            echo_end: 15,
            ..way(0, 10, 1, 15, 11)
        };
        (here, back)
    }

    #[test]
    fn only_what_was_written_by_the_engine_and_skips_nothing_is_good() {
        let (here, back) = ways();
        let see = |committed, stands, is_written, refused: Option<&str>| {
            let refused = refused.map(str::to_owned);
            let ways = (&here, Some(&back));
            place(committed, ways, 15, stands, is_written, refused.as_ref())
        };
        let known = |exact, stands, again, skips| Place::Known {
            exact,
            stands,
            again,
            skips,
        };
        // All is consumed here: it goes on behind the last.
        assert_eq!(see(11, Some(15), true, None), known(15, Some(15), 0, false));
        assert_eq!(see(11, None, false, None), known(15, None, 0, false));
        assert_eq!(see(11, Some(16), true, None), known(15, Some(16), 0, true));
        // The one that came from there is not: everything there is behind it, and read again.
        assert_eq!(see(10, Some(0), true, None), known(0, Some(0), 10, false));
        for (committed, stands, is_written, refused) in [
            // Not what the maps say by now, though it would skip nothing.
            (11, Some(9), true, None),
            // Somebody else's.
            (11, Some(9), false, None),
            (11, Some(16), false, Some("K578: somebody else")),
            (11, None, false, Some("K576: members")),
            // Not copied that far.
            (12, Some(15), true, None),
        ] {
            let seen = see(committed, stands, is_written, refused);
            assert!(matches!(seen, Place::NotYet(_)), "{stands:?}: {seen:?}");
        }
        let before = Way {
            seam: 20,
            ..here.clone()
        };
        let place = place(11, (&before, Some(&back)), 15, Some(15), true, None);
        assert!(matches!(place, Place::Nowhere(_)), "{place:?}");
    }
}
