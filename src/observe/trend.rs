//! How numbers move from observation to observation, and what that says of latency.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::{Known, Latency, Observation};
use crate::clock::BootInstant;

/// What is remembered.
const REMEMBERED_MS: u64 = 15 * 60 * 1000;
const MOST: usize = 1000;
/// Looks whose offsets are kept while the target has not reached them. What comes after waits until it has.
const OFFSETS_KEPT: usize = 32;

type Offsets = HashMap<(String, i32), i64>;

/// A number, and how many milliseconds ago it was seen.
pub type Point = (u64, u64);

/// How numbers moved, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Trend {
    /// Observations so far, this one included.
    pub observations: usize,
    /// Milliseconds since the first of them.
    pub watched_ms: u64,
    /// MessageLag.
    pub message_lag: Vec<Point>,
    /// SumOffsetLag of the source.
    pub source_offset_lag: Vec<Point>,
    /// SumOffsetLag of the target.
    pub target_offset_lag: Vec<Point>,
}

/// What earlier observations saw.
#[derive(Debug, Default)]
pub(super) struct Memory(VecDeque<Beat>);

#[derive(Debug)]
struct Beat {
    at_ms: u64,
    /// Last stable offsets of the source; `None` where they are not needed any more, or were too many to keep.
    stable: Option<Offsets>,
    lags: [Option<u64>; 3],
}

impl Memory {
    /// Takes an observation in, and adds to it what only several together say.
    pub(super) fn note(&mut self, seen: &mut Observation) {
        self.note_at(seen, BootInstant::now().as_millis());
    }

    fn note_at(&mut self, seen: &mut Observation, now: u64) {
        let metrics = &seen.metrics;
        let number = |known: &Known<u64>| known.value().ok().copied();
        let mut stable = HashMap::new();
        let mut copied = HashMap::new();
        for topic in seen.topics.value().map_or(&[][..], |topics| topics) {
            for partition in &topic.partitions {
                let at = || (topic.name.clone(), partition.partition);
                stable.extend(partition.source_stable.map(|offset| (at(), offset)));
                copied.extend(
                    partition
                        .copied
                        .or(partition.first)
                        .map(|offset| (at(), offset)),
                );
            }
        }
        let kept = self.0.iter().filter(|beat| beat.stable.is_some()).count();
        let is_blind = stable.is_empty();
        self.0.push_back(Beat {
            at_ms: now,
            stable: (kept < OFFSETS_KEPT).then_some(stable),
            lags: [
                number(&metrics.message_lag),
                number(&metrics.source_offset_lag),
                number(&metrics.target_offset_lag),
            ],
        });
        while self.0.len() > MOST
            || self
                .0
                .front()
                .is_some_and(|beat| now - beat.at_ms > REMEMBERED_MS)
        {
            self.0.pop_front();
        }
        let points = |index: usize| -> Vec<Point> {
            let of = |beat: &Beat| Some((now - beat.at_ms, beat.lags[index]?));
            self.0.iter().filter_map(of).collect()
        };
        seen.trend = Trend {
            observations: self.0.len(),
            watched_ms: self.0.front().map_or(0, |beat| now - beat.at_ms),
            message_lag: points(0),
            source_offset_lag: points(1),
            target_offset_lag: points(2),
        };
        if is_blind {
            seen.metrics.replication_latency = Known::unknown("no partition's offsets are known");
        } else if seen.engine.value().is_ok() && seen.topics.value().is_ok() {
            seen.metrics.replication_latency = self.latency(&copied, now);
        }
    }

    /// From the outside: if all that the source held at one look is on the target at this one, no record appended since the look before
    /// that took longer than from then to now. All of it by one clock, ours.
    fn latency(&mut self, copied: &Offsets, now: u64) -> Known<Latency> {
        let reached = |(at, end): (&(String, i32), &i64)| {
            *end == 0 || copied.get(at).is_some_and(|copied| copied >= end)
        };
        let is_copied = |beat: &Beat| {
            beat.stable
                .as_ref()
                .is_some_and(|all| all.iter().all(reached))
        };
        let Some(index) = self.0.iter().rposition(is_copied) else {
            let first = self.0.front().map_or(now, |beat| beat.at_ms);
            return Known::seen(Latency::Behind(now - first));
        };
        // What was reached stays reached: older looks say nothing more.
        for beat in self.0.iter_mut().take(index) {
            beat.stable = None;
        }
        match index.checked_sub(1).and_then(|before| self.0.get(before)) {
            Some(before) => Known::seen(Latency::AtMost(now - before.at_ms)),
            None => Known::unknown("it takes two observations to tell time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{PartitionSeen, example};

    fn seen(copied: i64, stable: i64) -> Observation {
        let mut seen = example::green();
        let Known::Seen { value, .. } = &mut seen.topics else {
            unreachable!()
        };
        value.truncate(1);
        value[0].partitions = vec![PartitionSeen {
            copied: Some(copied),
            source_stable: Some(stable),
            ..PartitionSeen::default()
        }];
        seen.metrics.message_lag = Known::seen(u64::try_from(stable - copied).unwrap());
        seen
    }

    fn latencies(beats: &[(u64, i64, i64)]) -> Vec<Option<Latency>> {
        let mut memory = Memory::default();
        let mut all = Vec::new();
        for &(at, copied, stable) in beats {
            let mut seen = seen(copied, stable);
            memory.note_at(&mut seen, at);
            all.push(seen.metrics.replication_latency.value().ok().copied());
        }
        all
    }

    #[test]
    fn what_was_there_at_one_look_and_is_copied_at_this_one_took_no_longer_than_since_the_look_before()
     {
        let always_at_the_end = latencies(&[(0, 5, 5), (2000, 9, 9), (4000, 20, 20)]);
        let most = |ms| Some(Latency::AtMost(ms));
        assert_eq!(always_at_the_end, [None, most(2000), most(2000)]);
        // Under traffic the end moves on, and the one of the look before is reached.
        let under_traffic = latencies(&[(0, 5, 8), (2000, 9, 12), (4000, 12, 20), (6000, 20, 30)]);
        assert_eq!(under_traffic[2..], [most(4000), most(4000)]);
    }

    #[test]
    fn what_is_not_copied_is_behind_by_as_long_as_it_was_watched() {
        let stuck = latencies(&[(0, 5, 8), (2000, 5, 8), (9000, 5, 8)]);
        let behind = |ms| Some(Latency::Behind(ms));
        assert_eq!(stuck, [behind(0), behind(2000), behind(9000)]);
    }

    #[test]
    fn far_behind_only_so_many_looks_are_kept_and_it_still_comes_back() {
        let mut memory = Memory::default();
        let mut last = None;
        for look in 0..200u64 {
            let copied = if look < 100 { 0 } else { 1_000_000 };
            let mut seen = seen(
                copied.min(1000 + look.cast_signed()),
                1000 + look.cast_signed(),
            );
            memory.note_at(&mut seen, look * 1000);
            let kept = memory.0.iter().filter(|beat| beat.stable.is_some()).count();
            assert!(kept <= OFFSETS_KEPT, "{kept} at {look}");
            last = seen.metrics.replication_latency.value().ok().copied();
        }
        assert_eq!(last, Some(Latency::AtMost(1000)));
    }

    #[test]
    fn the_trend_is_of_this_quarter_of_an_hour() {
        let mut memory = Memory::default();
        for (at, lag) in [(0, 3), (1000, 4), (REMEMBERED_MS + 500, 5)] {
            let mut seen = seen(0, lag);
            memory.note_at(&mut seen, at);
            if at > 1000 {
                assert_eq!(seen.trend.message_lag, [(REMEMBERED_MS - 500, 4), (0, 5)]);
                assert_eq!(seen.trend.observations, 2);
            }
        }
    }
}
