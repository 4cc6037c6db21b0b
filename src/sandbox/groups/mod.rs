//! Groups of consumers as brokers' coordinators keep them: membership by the classic protocol, and committed offsets.
//!
//! Pure: the time, and whether a topic exists, are handed in; nothing here reads a clock or a socket. An answer that has to wait for other
//! members goes through a `oneshot`, as Kafka's futures do. The rules are those of `GroupMetadataManager`, `ClassicGroup` and
//! `OffsetMetadataManager`. KIP-848 groups, share groups and the expiry of offsets are not simulated.

mod group;
mod join;
mod leave;
mod listing;
mod member;
mod offsets;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::{group::Group, offsets::Offsets};
pub use self::{
    join::{Joined, Joining},
    leave::Leaving,
    offsets::{Found, Position, Who},
    sync::{Synced, Syncing},
};

/// What `JoinGroup` sends for "none yet", and `OffsetCommit` for "no member" (`JoinGroupRequest.UNKNOWN_MEMBER_ID`).
const NO_MEMBER: &str = "";

/// The brokers' settings that groups depend on.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay_ms: i64,
    /// `group.min.session.timeout.ms`.
    pub min_session_ms: i64,
    /// `group.max.session.timeout.ms`.
    pub max_session_ms: i64,
    /// `group.max.size`.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`.
    pub max_metadata: usize,
}

impl Default for Settings {
    /// Kafka's defaults, except that nobody waits three seconds for the first generation.
    fn default() -> Self {
        Self {
            initial_delay_ms: 0,
            min_session_ms: 6_000,
            max_session_ms: 1_800_000,
            max_size: i32::MAX as usize,
            max_metadata: 4_096,
        }
    }
}

impl Settings {
    /// Those that the brokers were started with or given later; `number` answers a negative number for one that is not set.
    pub fn of(number: impl Fn(&str) -> i64) -> Self {
        let default = Self::default();
        let time = |name: &str, otherwise: i64| match number(name) {
            set if set >= 0 => set,
            _ => otherwise,
        };
        let size = |name: &str, otherwise: usize| match usize::try_from(number(name)) {
            Ok(set) => set,
            Err(_) => otherwise,
        };
        Self {
            initial_delay_ms: time("group.initial.rebalance.delay.ms", default.initial_delay_ms),
            min_session_ms: time("group.min.session.timeout.ms", default.min_session_ms),
            max_session_ms: time("group.max.session.timeout.ms", default.max_session_ms),
            max_size: size("group.max.size", default.max_size),
            max_metadata: size("offset.metadata.max.bytes", default.max_metadata),
        }
    }
}

/// All groups of a cluster, and what they committed.
#[derive(Debug, Default)]
pub struct Groups {
    /// What brokers are set to.
    pub settings: Settings,
    groups: BTreeMap<String, Group>,
    offsets: Offsets,
    names: u64,
}

impl Groups {
    /// No group yet. The ids of members follow from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            names: seed,
            ..Self::default()
        }
    }

    /// Does what is due by `now`: sessions and rebalances that ran out, each at its own time and in that order.
    pub fn tick(&mut self, now: i64) {
        while let Some((at, group, timer)) = self.next_timer().filter(|(at, ..)| *at <= now) {
            self.fire(at, &group, timer);
        }
    }

    /// A new id for a member: `<client id or instance id>-<uuid>` (`ClassicGroup.generateMemberId`).
    fn new_member_id(&mut self, client_id: &str, instance: Option<&str>) -> String {
        let bytes = (u128::from(self.random()) << 64 | u128::from(self.random())).to_be_bytes();
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        format!("{}-{id}", instance.unwrap_or(client_id))
    }

    /// The next number of SplitMix64.
    fn random(&mut self) -> u64 {
        self.names = self.names.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.names ^ (self.names >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
