//! When a line about progress is due: often at the start, at the end and around a change, seldom in between.

use std::time::Duration;

/// How long the start, the end and a change are of interest.
const INTEREST: Duration = Duration::from_secs(60);
/// Between lines in the first and the last minute.
const OFTEN: Duration = Duration::from_secs(1);
/// Between lines around a change.
const SOMETIMES: Duration = Duration::from_secs(5);
/// Between lines otherwise.
const SELDOM: Duration = Duration::from_secs(30);
/// Between lines that say what this is all about.
const BANNER: Duration = Duration::from_mins(10);
/// Beats come once a second, give or take this.
const SLACK: Duration = Duration::from_millis(200);

/// Decides which beats become lines. All times are since the command began.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Duration>,
    change: Option<Duration>,
    banner: Duration,
}

impl Pace {
    /// Something changed: the next beats are of more interest.
    pub fn change(&mut self, now: Duration) {
        self.change = Some(now);
    }

    /// Is a line due? `left` is the time until the end, where there is one in sight. Counts the line as written.
    pub fn is_due(&mut self, now: Duration, left: Option<Duration>) -> bool {
        let near = |since: Duration| now.saturating_sub(since) < INTEREST;
        let between = if near(Duration::ZERO) || left.is_some_and(|left| left <= INTEREST) {
            OFTEN
        } else if self.change.is_some_and(near) {
            SOMETIMES
        } else {
            SELDOM
        };
        let due = self.last.is_none_or(|last| now + SLACK >= last + between);
        if due {
            self.last = Some(now);
        }
        due
    }

    /// Is it time to say again what this is all about? Counts it as said.
    pub fn is_banner_due(&mut self, now: Duration) -> bool {
        let due = now >= self.banner + BANNER;
        if due {
            self.banner = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which lines are written, of one beat a second from `from` to `to`.
    fn lines(pace: &mut Pace, from: u64, to: u64, left: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
        (from..to)
            .filter(|&second| {
                let left = left(second).map(Duration::from_secs);
                pace.is_due(Duration::from_secs(second), left)
            })
            .collect()
    }

    #[test]
    fn first_and_last_minute_have_a_line_a_second_and_the_time_between_two_a_minute() {
        let mut pace = Pace::default();
        assert_eq!(lines(&mut pace, 0, 60, |_| None).len(), 60);
        assert_eq!(
            lines(&mut pace, 60, 300, |_| Some(500)),
            [89, 119, 149, 179, 209, 239, 269, 299]
        );
        assert_eq!(
            lines(&mut pace, 300, 360, |second| Some(360 - second)).len(),
            60
        );
    }

    #[test]
    fn a_change_has_a_line_every_five_seconds_for_a_minute() {
        let mut pace = Pace::default();
        assert_eq!(lines(&mut pace, 100, 131, |_| None), [100, 130]);
        pace.change(Duration::from_secs(131));
        let after = lines(&mut pace, 131, 251, |_| None);
        assert_eq!(after[..3], [135, 140, 145]);
        assert_eq!(after[after.len() - 2..], [220, 250]);
    }

    #[test]
    fn a_beat_that_comes_a_little_early_counts() {
        let mut pace = Pace::default();
        assert!(pace.is_due(Duration::from_millis(0), None));
        assert!(pace.is_due(Duration::from_millis(990), None));
        assert!(!pace.is_due(Duration::from_millis(1500), None));
    }

    #[test]
    fn the_banner_comes_every_ten_minutes() {
        let mut pace = Pace::default();
        let said: Vec<u64> = (0..1900)
            .filter(|&second| pace.is_banner_due(Duration::from_secs(second)))
            .collect();
        assert_eq!(said, [600, 1200, 1800]);
    }
}
