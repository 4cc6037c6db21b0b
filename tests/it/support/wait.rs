//! Waiting for a condition, with a limit and a name for what did not happen.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks again and again until `ask` answers `Some`; panics with `what` after `limit`.
#[track_caller]
pub fn until_some<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_millis(100));
    }
}

/// Asks again and again until `ask` answers true; panics with `what` after `limit`.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut ask: impl FnMut() -> bool) {
    until_some(what, limit, || ask().then_some(()));
}

/// Asks until `ask` answers true, or `limit` has passed; answers whether it did.
pub fn whether(limit: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !ask() {
        if began.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Lets time pass where time itself is the condition: an expiry, a lease, a random moment to strike.
pub fn elapse(time: Duration) {
    thread::sleep(time);
}
