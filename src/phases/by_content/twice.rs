//! What a group is given a second time after its move, counted by what records say, without any map: for reports.
//!
//! Everything that it had read stands on the other side before the end that was asked while nothing of it ran. Of the records between its
//! position and that end, those were read before that also stand below what it had committed where it came from. Records that say the same
//! at the same time are told apart by counting: as many of them were read as stand there, and those before its position are not given again.

use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::{ByContent, LANES, lane::Span};
use crate::{
    error::Failure,
    model::{
        names::{Side, TopicName, TopicPartition},
        numbers,
    },
    phases::carrier::other,
    run::placed::{Counted, Placed},
};

/// Offsets behind a position that are looked at.
const MOST: i64 = 10_000;
/// Offsets that are looked through for a record that says the same.
const MOST_THROUGH: i64 = 100_000;
/// For all of it.
const WITHIN: Duration = Duration::from_secs(20);

/// Why a partition was not counted.
type Why = String;

fn said(failure: Failure) -> Why {
    format!("{} ({})", failure.message, failure.code)
}

impl ByContent {
    /// Counts it for every position of a move from this side; what cannot be counted says why. It takes no longer than some seconds.
    pub async fn given_twice(&self, from: Side, all: &[Placed]) -> Vec<Counted> {
        let until = Instant::now() + WITHIN;
        stream::iter(all.to_vec())
            .map(|one| self.counted_by(from, one, until))
            .buffered(LANES)
            .collect()
            .await
    }

    async fn counted_by(&self, from: Side, one: Placed, until: Instant) -> Counted {
        let counted = timeout_at(until, self.twice(from, &one)).await;
        let late = || format!("it took longer than {}", numbers::time(WITHIN));
        let (again, why) = match counted.unwrap_or_else(|_| Err(late())) {
            Ok(again) => (Some(again), None),
            Err(why) => (None, Some(why)),
        };
        Counted {
            group: one.group,
            topic: one.topic,
            partition: one.partition,
            again,
            why,
        }
    }

    /// What records between two offsets say, and when they were written.
    async fn see(
        &self,
        side: Side,
        at: &TopicPartition,
        (begin, end): (i64, i64),
        mut see: impl FnMut(u128, i64) + Send,
    ) -> Result<(), Why> {
        let mut lane = self.lane(side);
        let all = lane.scan(at, begin, end, |record| {
            see(record.what, record.time);
            true
        });
        all.await.map_err(said)
    }

    async fn twice(&self, from: Side, placed: &Placed) -> Result<u64, Why> {
        let at = TopicPartition::new(TopicName::from(placed.topic.as_str()), placed.partition);
        let to = other(from);
        let Some(end) = placed.end else {
            return Err(format!("where it ended on the {to} was not known"));
        };
        let one = std::slice::from_ref(&at);
        let there = self.spans(to, one).await.map_err(said)?[&at];
        let begin = placed.stands.max(there.start);
        let end = end.min(there.end);
        if begin >= end {
            return Ok(0);
        }
        if end - begin > MOST {
            let most = numbers::exact(MOST.unsigned_abs());
            return Err(format!(
                "more than {most} records stood behind its position"
            ));
        }
        let mut given: HashMap<u128, u64> = HashMap::new();
        let mut oldest = i64::MAX;
        self.see(to, &at, (begin, end), |what, time| {
            *given.entry(what).or_default() += 1;
            oldest = oldest.min(time);
        })
        .await?;
        if given.is_empty() {
            return Ok(0);
        }
        let topic = self.topic(&at.topic).await.map_err(said)?;
        if topic.stamps {
            return Err("its brokers stamp records with their own time, so that a copy is not known by what it says".to_owned());
        }
        if topic.compacts {
            return Err("it is compacted: what was removed is not known again".to_owned());
        }
        let here = self.spans(from, one).await.map_err(said)?[&at];
        // How often each was read where it came from, and how often each stands before its position.
        let mut counts: [HashMap<u128, u64>; 2] = Default::default();
        let places = [
            (from, here, placed.committed.min(here.end)),
            (to, there, begin),
        ];
        for ((side, span, end), count) in places.into_iter().zip(&mut counts) {
            let since = self.whole_since(side, &at, oldest, span, end).await?;
            self.see(side, &at, (since, end), |what, _| {
                if given.contains_key(&what) {
                    *count.entry(what).or_default() += 1;
                }
            })
            .await?;
        }
        let [read, before] = counts;
        let of = |all: &HashMap<u128, u64>, what: &u128| all.get(what).copied().unwrap_or(0);
        let twice = given.iter().map(|(what, times)| {
            of(&read, what)
                .saturating_sub(of(&before, what))
                .min(*times)
        });
        Ok(twice.sum())
    }

    /// From where on all records as young as this stand, if none of them may have been removed, and there are not too many.
    async fn whole_since(
        &self,
        side: Side,
        at: &TopicPartition,
        time: i64,
        span: Span,
        end: i64,
    ) -> Result<i64, Why> {
        let since = self.lane(side).since(at, time, span).await;
        let since = since.map_err(said)?;
        if since == span.start && span.start > 0 && since < end {
            return Err(format!(
                "retention on the {side} may have removed records that are as young"
            ));
        }
        if end - since > MOST_THROUGH {
            let most = numbers::exact(MOST_THROUGH.unsigned_abs());
            return Err(format!(
                "more than {most} records on the {side} would have to be looked through"
            ));
        }
        Ok(since)
    }
}
