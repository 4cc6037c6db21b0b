//! Listens at the end of our ledger: what somebody asks for there is heard at once, and not only with the next sign of life.

use std::time::Duration;

use tokio::time::sleep;

use super::{Done, Session};
use crate::{cluster, engine::groups::desk::KEEPER};

/// Between two looks, at least: what we append ourselves ends one, too.
const PAUSE: Duration = Duration::from_millis(50);
/// After a look that failed: with the next sign of life it is heard all the same.
const LATER: Duration = Duration::from_secs(1);

impl Session {
    /// Begins to listen, where nobody does yet. What an application stands still for is asked of the keeper of groups and rules.
    pub(super) fn listen(&mut self) {
        let Some(ledger) = &self.ledger else {
            return;
        };
        if self.shard != KEEPER || self.is_listening {
            return;
        }
        self.is_listening = true;
        let (at, next) = ledger.end();
        let (target, at) = (self.shared.target.clone(), at.clone());
        self.beside.push(Box::pin(async move {
            sleep(PAUSE).await;
            let end = target.wait_for_more(&at, next).await;
            if end.is_err() {
                sleep(LATER).await;
            }
            Done::Listened { end }
        }));
    }

    /// There is more than was read, or it was waited for in vain. While we append, the append reads what came before it, and the next look sees what
    /// came behind it.
    pub(super) fn listened(&mut self, end: &cluster::Result<i64>) {
        self.is_listening = false;
        let is_more = |next: i64| end.as_ref().is_ok_and(|end| *end > next);
        let ledger = self.ledger.as_ref();
        if ledger.is_some_and(|ledger| is_more(ledger.end().1)) {
            // The next append comes at once, and reads what others wrote.
            self.last_heartbeat = None;
        }
    }
}
