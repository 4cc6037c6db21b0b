//! What one beat of `replicate` or `verify` says, for bars and lines alike.

use std::time::Duration;

use super::{numbers, trend::Trend};
use crate::events::Progress;

/// One beat in words and numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// What is being done: a change of this word is news.
    pub word: &'static str,
    /// What holds it back on purpose.
    pub because: Option<String>,
    /// Done, and in all.
    pub share: (u64, u64),
    /// `87.6%  1.84M/2.10M offsets`.
    pub amount: String,
    /// Partitions at the end, and in all; nothing for `verify`.
    pub partitions: Option<(u64, u64)>,
    /// `4/12 partitions at the end, 2 stopped`.
    pub ends: Option<String>,
    /// `412 MB/s`, `lag 96k` and so on.
    pub speed: Vec<String>,
    /// The time left, where it can be told.
    pub left: Option<Duration>,
}

impl Beat {
    /// Everything but the word, for a line.
    pub fn line(&self) -> String {
        let because = self.because.as_ref().map(|why| format!("by {why}"));
        let parts = because.into_iter().chain(self.ends.clone());
        let parts = parts.chain([self.amount.clone()]);
        let parts = parts.chain(self.speed.iter().cloned());
        let parts: Vec<String> = parts.chain(self.eta()).collect();
        parts.join("  ")
    }

    /// `eta 11m`; nothing where there is no end in sight, or where it is reached.
    pub fn eta(&self) -> Option<String> {
        self.left
            .filter(|left| !left.is_zero())
            .map(|left| format!("eta {}", numbers::time(left)))
    }
}

/// Turns the engine's numbers into beats.
#[derive(Debug, Default)]
pub struct Copying {
    lag: Trend,
    draining: bool,
    /// Every partition was once at the end: from then on there is no end to be estimated.
    arrived: bool,
}

impl Copying {
    /// From now on it drains.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// The beat for these numbers.
    pub fn beat(&mut self, now: Duration, progress: &Progress) -> Beat {
        let Progress {
            partitions,
            caught_up,
            stopped,
            done,
            total,
            lag,
            records_per_second,
            bytes_per_second,
            records: _,
            bytes: _,
            throttled_by,
            slowest,
            groups: _,
            behind_ms: _,
        } = progress;
        self.lag.note(now, *lag);
        // `partitions` are those that copy; those that stopped stand beside them.
        let at_end = *partitions > 0 && caught_up >= partitions;
        self.arrived |= at_end;
        let word = match throttled_by {
            _ if self.draining => "draining",
            Some(_) => "throttled",
            None if at_end => "following",
            None => "replicating",
        };
        let left = if self.arrived || self.draining {
            None
        } else {
            self.lag.until_zero().filter(|_| *lag > 0)
        };
        let mut ends = format!("{caught_up}/{partitions} partitions at the end");
        if *stopped > 0 {
            ends += &format!(", {stopped} stopped");
        }
        let mut speed = vec![
            numbers::rate(*bytes_per_second),
            format!("{} rec/s", numbers::count(whole(*records_per_second))),
            format!("lag {}", numbers::count(*lag)),
        ];
        if let Some((at, behind)) = slowest.as_ref().filter(|(_, behind)| *behind > 0) {
            speed.push(format!("slowest {at} {}", numbers::count(*behind)));
        }
        Beat {
            word,
            because: throttled_by.clone().filter(|_| !self.draining),
            share: (*done, *total),
            amount: amount(*done, *total),
            partitions: Some((*caught_up, *partitions)),
            ends: Some(ends),
            speed,
            left,
        }
    }
}

/// Turns the numbers of `verify` into beats.
#[derive(Debug, Default)]
pub struct Comparing {
    remaining: Trend,
    records: Trend,
    bytes: Trend,
}

impl Comparing {
    /// The beat for these numbers.
    pub fn beat(
        &mut self,
        now: Duration,
        records: u64,
        bytes: u64,
        remaining: u64,
        total: u64,
    ) -> Beat {
        self.remaining.note(now, remaining);
        self.records.note(now, records);
        self.bytes.note(now, bytes);
        let done = total.saturating_sub(remaining);
        Beat {
            word: "verifying",
            because: None,
            share: (done, total),
            amount: amount(done, total),
            partitions: None,
            ends: None,
            // Rates are left out until there is enough to tell them from.
            speed: [
                Some(format!("{} records compared", numbers::count(records))),
                self.bytes.per_second().map(numbers::rate),
                self.records
                    .per_second()
                    .map(|rate| format!("{} rec/s", numbers::count(whole(rate)))),
            ]
            .into_iter()
            .flatten()
            .collect(),
            left: self.remaining.until_zero(),
        }
    }
}

fn amount(done: u64, total: u64) -> String {
    format!(
        "{}  {}/{} offsets",
        percent(done, total),
        numbers::count(done),
        numbers::count(total)
    )
}

/// One decimal, rounded down: `100.0%` is said only when it is true.
fn percent(done: u64, total: u64) -> String {
    if done >= total {
        return "100.0%".to_owned();
    }
    let tenths = u128::from(done) * 1000 / u128::from(total);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

fn whole(number: f64) -> u64 {
    // Casts of floats saturate: what is below zero or no number becomes 0.
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(done: u64, caught_up: u64) -> Progress {
        Progress {
            partitions: 12,
            caught_up,
            done,
            total: 2_100_000,
            lag: 2_100_000 - done,
            records_per_second: 96_204.7,
            bytes_per_second: 412e6,
            slowest: Some(("orders-7".into(), 41_000)),
            ..Progress::default()
        }
    }

    #[test]
    fn a_beat_reads_well() {
        let mut copying = Copying::default();
        copying.beat(Duration::from_secs(0), &progress(1_740_000, 2));
        let beat = copying.beat(Duration::from_secs(10), &progress(1_840_000, 4));
        assert_eq!(beat.word, "replicating");
        assert_eq!(
            beat.line(),
            "4/12 partitions at the end  87.6%  1.84M/2.1M offsets  412 MB/s  96.2k rec/s  lag 260k  slowest orders-7 41k  eta 26s"
        );
    }

    #[test]
    fn the_word_says_what_is_being_done() {
        let mut copying = Copying::default();
        let now = Duration::ZERO;
        let throttled = Progress {
            throttled_by: Some("rate 1.00 MB/s".into()),
            stopped: 2,
            ..progress(0, 0)
        };
        let beat = copying.beat(now, &throttled);
        assert_eq!(beat.word, "throttled");
        assert!(
            beat.line()
                .starts_with("by rate 1.00 MB/s  0/12 partitions at the end, 2 stopped  0.0%  0/"),
            "{}",
            beat.line()
        );
        assert_eq!(
            copying.beat(now, &progress(2_100_000, 12)).word,
            "following"
        );
        assert_eq!(
            copying.beat(now, &progress(2_099_990, 11)).word,
            "replicating"
        );
        copying.drain();
        assert_eq!(copying.beat(now, &throttled).word, "draining");
    }

    #[test]
    fn there_is_no_end_to_estimate_once_it_was_reached() {
        let mut copying = Copying::default();
        copying.beat(Duration::from_secs(0), &progress(0, 0));
        copying.beat(Duration::from_secs(5), &progress(2_100_000, 12));
        let beat = copying.beat(Duration::from_secs(10), &progress(2_099_000, 11));
        assert_eq!((beat.left, beat.eta()), (None, None));
    }

    #[test]
    fn nothing_at_all_is_done() {
        let beat = Copying::default().beat(Duration::ZERO, &Progress::default());
        assert_eq!(
            beat.line(),
            "0/0 partitions at the end  100.0%  0/0 offsets  0 B/s  0 rec/s  lag 0"
        );
        let odd = Progress {
            records_per_second: f64::NAN,
            bytes_per_second: -1.0,
            ..Progress::default()
        };
        let beat = Copying::default().beat(Duration::ZERO, &odd);
        assert_eq!(beat.speed[..2], ["0 B/s", "0 rec/s"]);
    }

    #[test]
    fn a_comparison_knows_its_end() {
        let mut comparing = Comparing::default();
        let first = comparing.beat(Duration::from_secs(0), 0, 0, 1000, 1000);
        assert_eq!(first.line(), "0.0%  0/1000 offsets  0 records compared");
        let beat = comparing.beat(Duration::from_secs(4), 380, 40_000_000, 600, 1000);
        assert_eq!(
            beat.line(),
            "40.0%  400/1000 offsets  380 records compared  10.0 MB/s  95 rec/s  eta 6.0s"
        );
    }

    #[test]
    fn all_is_said_only_when_it_is_all() {
        assert_eq!(percent(999_999, 1_000_000), "99.9%");
        assert_eq!(percent(1_000_000, 1_000_000), "100.0%");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9%");
    }
}
