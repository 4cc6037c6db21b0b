//! How long an operation is tried again, and how long it waits in between.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::{Error, Result};
use crate::model::names::Side;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long UNKNOWN_TOPIC_OR_PARTITION is believed to be a broker that has not heard of a new topic yet.
const UNKNOWN_TOPIC: Duration = Duration::from_secs(3);

/// The retries of one operation.
pub(super) struct Patience {
    side: Side,
    api: &'static str,
    begun: Instant,
    limit: Duration,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(side: Side, api: &'static str, limit: Duration) -> Self {
        Self {
            side,
            api,
            begun: Instant::now(),
            limit,
            pause: FIRST_PAUSE,
        }
    }

    /// Waits before another try, and says whether to ask who leads first; or gives the error back if there should be none.
    pub(super) async fn after(&mut self, error: Error) -> Result<bool> {
        let Some(refresh) = error.passes() else {
            return Err(error);
        };
        let spent = self.begun.elapsed();
        if spent > UNKNOWN_TOPIC && matches!(error.code(), Some(3 | 100)) {
            return Err(error);
        }
        if spent + self.pause >= self.limit {
            return Err(Error::GaveUp {
                side: self.side,
                api: self.api,
                after: spent,
                source: Box::new(error),
            });
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(refresh)
    }
}
