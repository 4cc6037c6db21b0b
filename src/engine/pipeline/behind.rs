//! For how long a partition's target has not held all that its source held: what a record waits at most.

use std::time::Duration;

use tokio::time::Instant;

/// What is known of one partition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behind {
    /// When the source held nothing that the target does not hold by now.
    since: Option<Instant>,
    /// An end of the source that is not reached yet, and when it was seen.
    ahead: Option<(i64, Instant)>,
}

impl Behind {
    /// Everything below `copied` is on the target, and the source ended at `end` when it was last heard of. Before all was there once, it
    /// counts from the first look.
    pub fn seen(&mut self, copied: i64, end: i64, now: Instant) -> Duration {
        if let Some((goal, then)) = self.ahead
            && copied >= goal
        {
            (self.since, self.ahead) = (Some(then), None);
        }
        if copied >= end {
            (self.since, self.ahead) = (Some(now), None);
        } else if self.ahead.is_none() {
            self.ahead = Some((end, now));
        }
        now.saturating_duration_since(*self.since.get_or_insert(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_counts_from_when_it_was_seen_and_not_from_when_it_was_reached() {
        let begun = Instant::now();
        let mut behind = Behind::default();
        let mut seen = |at_ms, copied, end| {
            let now = begun + Duration::from_millis(at_ms);
            behind.seen(copied, end, now).as_millis()
        };
        // A first copy waits since it began.
        assert_eq!(seen(0, 0, 40), 0);
        assert_eq!(seen(100, 10, 50), 100);
        // The end of the first look is reached: all of then is there.
        assert_eq!(seen(300, 40, 60), 300);
        // The end that was seen at 300.
        assert_eq!(seen(400, 60, 70), 100);
        assert_eq!(seen(450, 65, 80), 150);
        assert_eq!(seen(500, 80, 80), 0);
        // Always a little behind a source that goes on is not behind for ever.
        for step in 1..100 {
            let at_ms = 500 + step * 50;
            let end = 80 + i64::try_from(step).unwrap();
            assert!(seen(at_ms, end - 1, end) <= 100, "{step}");
        }
    }
}
