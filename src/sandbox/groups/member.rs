//! One member of a group: what it can do, what it was assigned, and what it waits for.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{join::Joined, sync::Synced};

/// One member.
#[derive(Debug)]
pub(super) struct Member {
    /// Given by the coordinator.
    pub id: String,
    /// `group.instance.id` of a static member (KIP-345).
    pub instance: Option<String>,
    /// As its requests say.
    pub client_id: String,
    /// Where they come from.
    pub client_host: String,
    /// How long others wait for it to join again.
    pub rebalance_timeout_ms: i64,
    /// How long it may be silent.
    pub session_timeout_ms: i64,
    /// What it can do, the best first, each with what it tells the leader.
    pub protocols: Vec<(String, Bytes)>,
    /// What the leader gave it.
    pub assignment: Bytes,
    /// Its JoinGroup, while that waits.
    pub join: Option<oneshot::Sender<Joined>>,
    /// Its SyncGroup, while that waits.
    pub sync: Option<oneshot::Sender<Synced>>,
    /// It has not seen a generation yet, so it cannot send heartbeats.
    pub is_new: bool,
    /// When its session ends; nothing while it waits for an answer that others hold up.
    pub expires: Option<i64>,
}

impl Member {
    /// Does it wait to hear of a generation?
    pub fn joins(&self) -> bool {
        self.join.is_some()
    }

    /// Answers its waiting JoinGroup.
    pub fn answer_join(&mut self, answer: Joined) {
        if let Some(waiting) = self.join.take() {
            // Whoever asked may be gone; the answer is then lost, as on a closed connection.
            let _ = waiting.send(answer);
        }
    }

    /// Answers its waiting SyncGroup; false if there was none.
    pub fn answer_sync(&mut self, answer: Synced) -> bool {
        let Some(waiting) = self.sync.take() else {
            return false;
        };
        let _ = waiting.send(answer);
        true
    }

    /// It is alive without heartbeats: it waits for others, and has been in a generation before.
    pub fn is_excused(&self) -> bool {
        !self.is_new && (self.join.is_some() || self.sync.is_some())
    }

    /// What it tells the leader under this protocol.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|(name, _)| name == protocol);
        known
            .map(|(_, metadata)| metadata.clone())
            .unwrap_or_default()
    }

    /// The first of its protocols that all others can do as well.
    pub fn vote(&self, candidates: &BTreeSet<&str>) -> Option<&str> {
        let mut names = self.protocols.iter().map(|(name, _)| name.as_str());
        names.find(|name| candidates.contains(name))
    }
}
