//! Time that counts suspend, and wall-clock time for stamps, so that nothing else asks the system.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// An instant on `CLOCK_BOOTTIME`: unlike `std::time::Instant` it goes on while the machine sleeps,
/// so a lease cannot outlive a suspended laptop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(Duration);

impl BootInstant {
    /// Now.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
        Self(Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), nanos))
    }

    /// How long ago this was; zero if it lies in the future.
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// This instant, later by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0 + by)
    }

    /// Milliseconds since boot, for storing in an atomic.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds since 1970 in UTC, as Kafka stamps records. For stamps and display only: ages that
/// decide anything are never taken from two machines' clocks.
pub fn unix_millis() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec
        .saturating_mul(1000)
        .saturating_add(now.tv_nsec / 1_000_000)
}
