//! Does the target's broker still remember a producer whose last batch has this timestamp?

use std::time::Duration;

use crate::cluster::{ConfigEntry, Target};

/// Settings that tell after how long a producer is forgotten: since 3.4 the first, before that the second.
const SETTINGS: [&str; 2] = [
    "producer.id.expiration.ms",
    "transactional.id.expiration.ms",
];

/// How old a batch's largest timestamp may be for its producer to be surely remembered: half of the target's expiry, which counts
/// from that timestamp and not from the append (`ProducerStateManager.isProducerExpired`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmth {
    /// Milliseconds; below zero nothing is warm.
    window: i64,
}

impl Warmth {
    /// Asks a broker of the target. Where it does not tell, nothing counts as warm: slower, and as safe.
    pub async fn of(target: &Target) -> Self {
        match target.broker_configs().await {
            Ok(settings) => Self::from_settings(&settings),
            Err(error) => {
                tracing::warn!(%error, "the target does not tell when it forgets producers");
                Self { window: -1 }
            }
        }
    }

    fn from_settings(settings: &[ConfigEntry]) -> Self {
        let expiry = SETTINGS.iter().find_map(|name| {
            let setting = settings.iter().find(|setting| setting.name == *name)?;
            setting.value.as_ref()?.parse::<i64>().ok()
        });
        Self {
            window: expiry.map_or(-1, |expiry| expiry / 2),
        }
    }

    /// A window of this length.
    #[cfg(test)]
    pub const fn window(window: Duration) -> Self {
        Self {
            window: window.as_millis() as i64,
        }
    }

    /// Half of the expiry in milliseconds; half of Kafka's default of a day where it is unknown.
    pub fn window_ms(self) -> i64 {
        if self.is_unknown() {
            Duration::from_hours(12).as_millis() as i64
        } else {
            self.window
        }
    }

    /// Is the setting unknown?
    pub fn is_unknown(self) -> bool {
        self.window < 0
    }

    /// Is a producer whose last batch has this largest timestamp surely remembered?
    pub fn is_warm(self, timestamp: i64, now_ms: i64) -> bool {
        self.window > 0 && timestamp >= 0 && now_ms.saturating_sub(timestamp) < self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            set_here: false,
            read_only: false,
            sensitive: false,
        }
    }

    #[test]
    fn half_of_the_expiry_is_warm() {
        let warmth = Warmth::from_settings(&[
            setting("transactional.id.expiration.ms", "8000"),
            setting("producer.id.expiration.ms", "4000"),
        ]);
        assert!(warmth.is_warm(10_000, 11_999));
        assert!(!warmth.is_warm(10_000, 12_000));
        assert!(warmth.is_warm(20_000, 12_000), "from the future");
        assert!(!warmth.is_warm(-1, 12_000), "without a timestamp");
        let older = Warmth::from_settings(&[setting("transactional.id.expiration.ms", "8000")]);
        assert!(older.is_warm(10_000, 13_999));
        let unknown = Warmth::from_settings(&[]);
        assert!(unknown.is_unknown() && !unknown.is_warm(i64::MAX, 0));
    }
}
