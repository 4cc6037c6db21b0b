//! `rate = "auto"`: as fast as nobody else suffers from it, by what the brokers themselves show.
//!
//! Once a second: a broker that throttles us, a target that answers much more slowly than it did, or replicas that fall behind while we write
//! cost a third of the present speed. While nothing of it shows, the limit grows, until it is none.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// A target is slow when the median answer takes so many times what is usual, and at least so long.
const TIMES: u32 = 4;
const SLOW: Duration = Duration::from_millis(150);
/// What is usual is the quickest of so many seconds.
const USUAL_OVER: usize = 300;
/// What is left of the speed after a sign of trouble, and what it grows by in a second without.
const LESS: f64 = 0.67;
const MORE: f64 = 1.1;
/// Seconds without trouble before it grows.
const CALM: u32 = 3;
/// Bytes per second that are always allowed: a copy that stands still is nobody's wish.
const LEAST: f64 = 512.0 * 1024.0;
/// Answers kept of one second; more say no more.
const ANSWERS: usize = 2048;

/// What happened within a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Second {
    /// The longest pause that a broker of the source asked for.
    pub source_pause: Duration,
    /// The longest pause that a broker of the target asked for.
    pub target_pause: Duration,
    /// How long produce requests took.
    pub answers: Vec<Duration>,
    /// Our partitions on the target that miss a replica.
    pub under_replicated: usize,
    /// What was copied.
    pub bytes_per_second: f64,
}

/// Where the pipeline leaves what it sees, and finds why it is slowed down. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Signs(Arc<Mutex<(Second, Option<String>)>>);

impl Signs {
    fn lock(&self) -> MutexGuard<'_, (Second, Option<String>)> {
        self.0.lock().expect("nothing panics while holding it")
    }

    /// A produce request was answered.
    pub fn answered(&self, took: Duration, pause: Duration) {
        let (second, _) = &mut *self.lock();
        second.target_pause = second.target_pause.max(pause);
        if second.answers.len() < ANSWERS {
            second.answers.push(took);
        }
    }

    /// A fetch was answered with a pause.
    pub fn fetched(&self, pause: Duration) {
        let (second, _) = &mut *self.lock();
        second.source_pause = second.source_pause.max(pause);
    }

    /// So many partitions miss a replica now.
    pub fn under_replicated(&self, count: usize) {
        self.lock().0.under_replicated = count;
    }

    /// What was seen since the last call.
    pub fn take(&self, bytes_per_second: f64) -> Second {
        let (second, _) = &mut *self.lock();
        let next = Second {
            under_replicated: second.under_replicated,
            ..Second::default()
        };
        let seen = std::mem::replace(second, next);
        Second {
            bytes_per_second,
            ..seen
        }
    }

    /// Says why we are slow, or that we are not.
    pub fn say(&self, reason: Option<&str>) {
        self.lock().1 = reason.map(str::to_owned);
    }

    /// Why we are slowed down, in words.
    pub fn reason(&self) -> Option<String> {
        self.lock().1.clone()
    }
}

/// Turns what was seen into a limit.
#[derive(Debug, Default)]
pub struct Manners {
    limit: Option<f64>,
    reason: Option<String>,
    usual: VecDeque<Duration>,
    calm: u32,
    under_replicated: usize,
}

impl Manners {
    /// The limit of the next second, in bytes; `None` is none.
    pub fn after(&mut self, second: &Second) -> Option<u64> {
        match self.trouble(second) {
            Some(reason) => {
                let speed = self.limit.unwrap_or(f64::INFINITY);
                let speed = speed.min(second.bytes_per_second.max(LEAST));
                self.limit = Some((speed * LESS).max(LEAST));
                self.reason = Some(reason);
                self.calm = 0;
            }
            None => {
                self.calm += 1;
                if let Some(limit) = &mut self.limit
                    && self.calm > CALM
                {
                    *limit *= MORE;
                    // Not the limit is what holds us back any more.
                    if *limit > 2.0 * second.bytes_per_second.max(LEAST) {
                        self.limit = None;
                        self.reason = None;
                    }
                }
            }
        }
        self.limit.map(|limit| limit as u64)
    }

    /// Why there is a limit.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    fn trouble(&mut self, second: &Second) -> Option<String> {
        let fell_behind = second.under_replicated > self.under_replicated;
        self.under_replicated = second.under_replicated;
        let median = median(&second.answers);
        let usual = self.usual.iter().min().copied();
        if let Some(median) = median {
            self.usual.push_back(median);
            if self.usual.len() > USUAL_OVER {
                self.usual.pop_front();
            }
        }
        if !second.target_pause.is_zero() {
            return Some("the target throttles us (quota)".to_owned());
        }
        if !second.source_pause.is_zero() {
            return Some("the source throttles us (quota)".to_owned());
        }
        if fell_behind {
            return Some(format!(
                "{} partitions of the target miss a replica",
                second.under_replicated
            ));
        }
        let (median, usual) = (median?, usual?);
        (median >= SLOW && median >= usual * TIMES).then(|| {
            format!(
                "the target takes {} ms to answer, {} ms before",
                median.as_millis(),
                usual.as_millis()
            )
        })
    }
}

fn median(answers: &[Duration]) -> Option<Duration> {
    let mut sorted = answers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: f64 = 100e6;

    fn second(answer_ms: u64) -> Second {
        Second {
            answers: vec![Duration::from_millis(answer_ms); 3],
            bytes_per_second: FAST,
            ..Second::default()
        }
    }

    #[test]
    fn nothing_is_limited_while_nobody_suffers() {
        let mut manners = Manners::default();
        for ms in [1, 2, 40, 3, 90, 100] {
            assert_eq!(manners.after(&second(ms)), None, "{ms} ms");
        }
        assert_eq!(manners.reason(), None);
    }

    #[test]
    fn each_sign_of_trouble_costs_speed_and_is_named() {
        let pause = Duration::from_millis(10);
        let signs = [
            (
                Second {
                    target_pause: pause,
                    ..second(2)
                },
                "the target throttles us",
            ),
            (
                Second {
                    source_pause: pause,
                    ..second(2)
                },
                "the source throttles us",
            ),
            (
                Second {
                    under_replicated: 3,
                    ..second(2)
                },
                "3 partitions of the target miss a replica",
            ),
            (
                second(400),
                "the target takes 400 ms to answer, 2 ms before",
            ),
        ];
        for (sign, says) in signs {
            let mut manners = Manners::default();
            manners.after(&second(2));
            assert_eq!(manners.after(&sign), Some((FAST * LESS) as u64), "{says}");
            let reason = manners.reason().unwrap_or_default();
            assert!(reason.starts_with(says), "{reason}");
        }
    }

    #[test]
    fn it_slows_down_as_long_as_there_is_trouble_and_comes_back_when_there_is_none() {
        let mut manners = Manners::default();
        manners.after(&second(2));
        let mut speed = FAST;
        for _ in 0..40 {
            let slow = Second {
                bytes_per_second: speed,
                ..second(400)
            };
            speed = manners.after(&slow).expect("a limit") as f64;
        }
        assert_eq!(speed as u64, LEAST as u64, "never less");
        let mut seconds = 0;
        while let Some(limit) = manners.after(&Second {
            bytes_per_second: speed,
            ..second(2)
        }) {
            // A cluster that can do 20 MB per second.
            speed = (limit as f64).min(20e6);
            seconds += 1;
            assert!(seconds < 100, "still limited to {limit}");
        }
        assert!(seconds > 10, "it comes back slowly: {seconds} s");
        assert_eq!(manners.reason(), None);
    }

    #[test]
    fn replicas_that_are_missing_all_the_time_are_no_news() {
        let mut manners = Manners::default();
        let missing = Second {
            under_replicated: 3,
            ..second(2)
        };
        assert!(manners.after(&missing).is_some());
        for _ in 0..CALM {
            manners.after(&missing);
        }
        let before = manners.limit;
        manners.after(&missing);
        assert!(manners.limit > before);
    }
}
