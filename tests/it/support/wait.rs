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
