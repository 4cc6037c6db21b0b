//! How fast a number moves, from its last half minute.

use std::{collections::VecDeque, time::Duration};

/// How far back it looks.
const WINDOW: Duration = Duration::from_secs(30);
/// Less than this says nothing.
const ENOUGH: Duration = Duration::from_secs(2);

/// A number over time.
#[derive(Debug, Default)]
pub struct Trend(VecDeque<(Duration, u64)>);

impl Trend {
    /// The number now; `now` counts from any fixed point and never goes back.
    pub fn note(&mut self, now: Duration, value: u64) {
        self.0.push_back((now, value));
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW)
        {
            self.0.pop_front();
        }
    }

    /// Change per second, negative if it falls; `None` before there is enough to say.
    pub fn per_second(&self) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let time = last.0.saturating_sub(first.0);
        (time >= ENOUGH).then(|| (last.1 as f64 - first.1 as f64) / time.as_secs_f64())
    }

    /// The time until a falling number is zero; `None` while it does not fall, or not noticeably.
    pub fn until_zero(&self) -> Option<Duration> {
        let left = self.0.back()?.1 as f64;
        if left == 0.0 {
            return Some(Duration::ZERO);
        }
        let fall = -self.per_second()?;
        // Longer than a thousand days is no estimate.
        let seconds = left / fall;
        (fall > 0.0 && seconds < 86_400_000.0).then(|| Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: &[(u64, u64)]) -> Trend {
        let mut trend = Trend::default();
        for (second, value) in values {
            trend.note(Duration::from_secs(*second), *value);
        }
        trend
    }

    #[test]
    fn a_falling_number_has_an_end() {
        let falling = trend(&[(0, 1000), (5, 900), (10, 800)]);
        assert_eq!(falling.per_second(), Some(-20.0));
        assert_eq!(falling.until_zero(), Some(Duration::from_secs(40)));
        assert_eq!(trend(&[(0, 0)]).until_zero(), Some(Duration::ZERO));
    }

    #[test]
    fn a_number_that_does_not_fall_has_none() {
        for values in [
            &[(0, 10), (5, 10)][..],
            &[(0, 10), (5, 20)],
            &[(0, 10)],
            &[(0, 20), (1, 10)],
            &[(0, u64::MAX), (5, u64::MAX - 1)],
            &[],
        ] {
            assert_eq!(trend(values).until_zero(), None, "{values:?}");
        }
    }

    #[test]
    fn only_the_last_half_minute_counts() {
        let slowed = trend(&[(0, 10_000), (30, 1000), (60, 700)]);
        assert_eq!(slowed.per_second(), Some(-10.0));
        assert_eq!(slowed.0.len(), 2);
    }
}
