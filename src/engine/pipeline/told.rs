//! What was told a moment ago is not told again.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::Instant;

/// The same is told once in so long.
const ONCE_IN: Duration = Duration::from_secs(10);

/// What was told, and when.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Is it to be told now? Then it counts as told.
    pub(super) fn is_due(&self, text: &str, now: Instant) -> bool {
        let mut told = self.0.lock().expect("nothing panics while holding it");
        told.retain(|_, at| now - *at < ONCE_IN);
        if told.contains_key(text) {
            return false;
        }
        told.insert(text.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_again_after_a_while_and_anything_else_at_once() {
        let (told, now) = (Told::default(), Instant::now());
        assert!(told.is_due("a", now));
        assert!(!told.is_due("a", now));
        assert!(told.is_due("b", now));
        assert!(told.is_due("a", now + ONCE_IN));
    }
}
