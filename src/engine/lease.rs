//! Send only while the ledger is ours, on a clock that counts suspend.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{clock::BootInstant, cluster::MaySend};

/// How long after the last contiguous append to the ledger data may be sent.
pub const TERM: Duration = Duration::from_secs(10);

/// One shard's lease. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lease {
    /// Milliseconds since boot; 0 is over.
    until: Arc<AtomicU64>,
}

impl Lease {
    /// An append that was begun at `begun` was acknowledged where it was expected.
    pub fn renew(&self, begun: BootInstant) {
        self.until
            .fetch_max(begun.plus(TERM).as_millis(), Ordering::Release);
    }

    /// From now on nothing may be sent.
    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    /// May data be sent now?
    pub fn holds(&self) -> bool {
        BootInstant::now().as_millis() < self.until.load(Ordering::Acquire)
    }

    /// The same question, for the one who writes to the socket.
    pub fn may_send(&self) -> MaySend {
        let lease = self.clone();
        Arc::new(move || lease.holds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_from_a_renewal_until_its_end() {
        let lease = Lease::default();
        let may_send = lease.may_send();
        assert!(!may_send());
        lease.renew(BootInstant::now());
        assert!(may_send());
        lease.end();
        assert!(!may_send());
    }
}
