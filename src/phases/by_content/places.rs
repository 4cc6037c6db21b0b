//! Where records stand on the other side: the last that were copied, and those that a group has to read next.

use super::{
    super::{
        carrier::{Place, other},
        content::{Exact, First, Search, Seen, Unread, original},
    },
    ByContent, Topic,
    lane::{BACK, Span},
};
use crate::{
    error::Failure,
    model::names::{Side, TopicPartition},
};

/// How far back it is looked for a record that was written on a side at all, before it is asked whether it was copied.
const BACK_FOR_ONE: i64 = 100_000;
/// Records that a group may be behind and still be followed one by one.
const UNREAD: usize = 4_000_000;

/// What came of looking for the copy of the last record.
pub(super) enum Last {
    /// Nothing was written on this side.
    Nothing,
    /// Its copy stands here.
    At(i64),
    /// It has none yet.
    NotYet(Seen),
}

impl ByContent {
    /// The copy, on the other side, of the last record written on this side below an offset.
    pub(super) async fn last(
        &self,
        from: Side,
        at: &TopicPartition,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Last, Failure> {
        let mut lane = self.lane(from);
        let Some(run) = lane.run(at, here).await? else {
            return Ok(Last::Nothing);
        };
        let last = run.last();
        let key = (from, at.clone(), last.offset);
        let known = self
            .found
            .lock()
            .ok()
            .and_then(|all| all.get(&key).copied());
        if let Some(place) = known {
            return Ok(Last::At(place));
        }
        let mut times = 0;
        let since = lane.since(at, last.time, here).await?;
        lane.scan(at, since, here.end, |record| {
            times += usize::from(!record.is_copy && record.what == last.what);
            true
        })
        .await?;
        let mut lane = self.lane(other(from));
        let mut search = Search::new(&run, times, topic.compacts);
        let since = lane.since(at, run.since(), there).await?;
        lane.scan(at, since, there.end, |record| {
            search.see(&record);
            search.found().is_none()
        })
        .await?;
        Ok(match search.found() {
            None => Last::NotYet(last),
            Some(place) => {
                if let Ok(mut found) = self.found.lock() {
                    found.insert(key, place);
                }
                Last::At(place)
            }
        })
    }

    /// Where a group that committed this on one side goes on on the other. `Err`: it cannot be told, and why.
    pub(super) async fn place(
        &self,
        from: Side,
        at: &TopicPartition,
        committed: i64,
        below: i64,
        topic: Topic,
    ) -> Result<Result<(Exact, Span), Place>, Failure> {
        let key = (from, at.clone(), committed, below);
        let known = self
            .placed
            .lock()
            .ok()
            .and_then(|all| all.get(&key).copied());
        if let Some(placed) = known {
            return Ok(Ok(placed));
        }
        let one = std::slice::from_ref(at);
        // The other side first: whatever is copied there by then was written here before the end that is read after it.
        let there = self.spans(other(from), one).await?[at];
        let now = self.spans(from, one).await?[at];
        let mut here = Span {
            end: below.min(now.end),
            ..now
        };
        let mut last = self.last(from, at, here, there, topic).await?;
        if matches!(last, Last::Nothing) && now.end > here.end {
            here = now;
            last = self.last(from, at, here, there, topic).await?;
        }
        let copied_to = match last {
            Last::NotYet(record) => {
                let what = format!("the record at {} of {at} has not arrived", record.offset);
                return Ok(Err(Place::NotYet(what)));
            }
            Last::At(place) => place + 1,
            Last::Nothing => there.end,
        };
        // What it has not read on the side that it leaves: written there, or copied to it.
        let (mut unread, mut copied) = (Unread::default(), None);
        let begin = committed.max(here.start);
        let mut lane = self.lane(from);
        lane.scan(at, begin, now.end, |record| {
            match record.is_copy {
                true => copied = copied.or(Some(record)),
                false if record.offset < here.end => unread.add(&record),
                false => {}
            }
            unread.len() <= UNREAD
        })
        .await?;
        if unread.len() > UNREAD {
            return Ok(Err(Place::Nowhere(format!(
                "it has more than {UNREAD} records of {at} to read, which are not followed one by one"
            ))));
        }
        let copies = match self
            .copies(from, at, &mut unread, there, copied_to, topic)
            .await?
        {
            Ok(copies) => copies,
            Err(place) => return Ok(Err(place)),
        };
        let natives = match copied {
            Some(record) => self.original(from, at, &record, now, there, topic).await?,
            None => self.not_copied(from, at, now, there, topic).await?,
        };
        let natives = match natives {
            Ok(natives) => natives,
            Err(place) => return Ok(Err(place)),
        };
        let exact = Exact {
            copies,
            natives,
            copies_below: copied_to,
            natives_below: there.end,
        };
        if let Ok(mut all) = self.placed.lock() {
            all.insert(key, (exact, there));
        }
        Ok(Ok((exact, there)))
    }

    /// The copy of the first record that it has not read.
    pub(super) async fn copies(
        &self,
        from: Side,
        at: &TopicPartition,
        unread: &mut Unread,
        there: Span,
        copied_to: i64,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let mut lane = self.lane(other(from));
        if let Some(since) = unread.since() {
            let since = lane.since(at, since, there).await?;
            lane.scan(at, since, copied_to, |record| {
                unread.see(&record);
                true
            })
            .await?;
        }
        match unread.first(topic.compacts) {
            First::At(place) => return Ok(Ok(Some(place))),
            First::Gone => {
                let place = Place::Nowhere(format!(
                    "the next record that it has to read of {at} is not on the {}",
                    other(from)
                ));
                return Ok(Err(place));
            }
            First::None => {}
        }
        // What was copied since: nobody has read it.
        let mut next = None;
        lane.scan(at, copied_to, there.end, |record| {
            next = record.is_copy.then_some(record.offset);
            next.is_none()
        })
        .await?;
        Ok(Ok(next))
    }

    /// The original, on the other side, of a copy that it has not read.
    pub(super) async fn original(
        &self,
        from: Side,
        at: &TopicPartition,
        copy: &Seen,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let mut lane = self.lane(from);
        let (mut place, mut copies) = (0, 0);
        let since = lane.since(at, copy.time, here).await?;
        lane.scan(at, since, here.end, |record| {
            if record.is_copy && record.what == copy.what {
                place += usize::from(record.offset < copy.offset);
                copies += 1;
            }
            true
        })
        .await?;
        let mut lane = self.lane(other(from));
        let mut originals = Vec::new();
        let since = lane.since(at, copy.time, there).await?;
        lane.scan(at, since, there.end, |record| {
            if !record.is_copy && record.what == copy.what {
                originals.push(record.offset);
            }
            true
        })
        .await?;
        Ok(match original(place, copies, &originals) {
            Some(offset) => Ok(Some(offset)),
            // Compaction took it there; what came after it stands behind.
            None if topic.compacts => {
                let mut next = None;
                lane.scan(at, since, there.end, |record| {
                    next = (!record.is_copy).then_some(record.offset);
                    next.is_none()
                })
                .await?;
                Ok(next)
            }
            None => Err(Place::Nowhere(format!(
                "the next record that it has to read of {at}, which was copied from the {}, is not there any more",
                other(from)
            ))),
        })
    }

    /// It has read every copy: the first record of the other side that was not copied yet, if there is one.
    pub(super) async fn not_copied(
        &self,
        from: Side,
        at: &TopicPartition,
        here: Span,
        there: Span,
        topic: Topic,
    ) -> Result<Result<Option<i64>, Place>, Failure> {
        let is_native: fn(&Seen) -> bool = |record| !record.is_copy;
        let mut lane = self.lane(other(from));
        if lane
            .back(at, there, BACK_FOR_ONE, 1, is_native)
            .await?
            .is_empty()
        {
            return Ok(Ok(None));
        }
        let mut home = self.lane(from);
        let copies = home.back(at, here, BACK, 1, |record| record.is_copy);
        let Some(copy) = copies.await?.pop() else {
            // None of them was copied yet.
            let natives = lane.back(at, there, BACK, usize::MAX, is_native).await?;
            return Ok(Ok(natives.first().map(|record| record.offset)));
        };
        let last = self.original(from, at, &copy, here, there, topic).await?;
        let behind = match last {
            Ok(Some(offset)) => offset + 1,
            // The original is gone; those behind it are as young, or younger.
            Ok(None) | Err(_) => lane.since(at, copy.time, there).await?,
        };
        let mut next = None;
        lane.scan(at, behind, there.end, |record| {
            next = (!record.is_copy).then_some(record.offset);
            next.is_none()
        })
        .await?;
        Ok(Ok(next))
    }

    /// Records from an offset on that it would read again.
    pub(super) async fn counted(
        &self,
        side: Side,
        at: &TopicPartition,
        from: i64,
        exact: &Exact,
    ) -> Result<u64, Failure> {
        let until = [exact.copies, exact.natives].into_iter().flatten().max();
        let until = until
            .unwrap_or(i64::MIN)
            .max(exact.copies_below)
            .max(exact.natives_below);
        let mut again = 0;
        self.lane(side)
            .scan(at, from, until, |record| {
                again += u64::from(exact.was_read(&record));
                true
            })
            .await?;
        Ok(again)
    }
}
