//! What ListGroups and DescribeGroups tell of groups.

use bytes::Bytes;

use super::{Groups, group::Phase};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub group: String,
    /// Empty for a simple group.
    pub protocol_type: String,
    /// Where it is.
    pub phase: Phase,
}

/// A group described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Where it is.
    pub phase: Phase,
    /// Empty for a simple group.
    pub protocol_type: String,
    /// What the members agreed on, while stable.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// Of its requests.
    pub client_id: String,
    /// `/127.0.0.1`.
    pub client_host: String,
    /// What it told the leader, while stable.
    pub metadata: Bytes,
    /// What it was assigned, while stable.
    pub assignment: Bytes,
}

impl Groups {
    /// All groups in these states and of these types; an empty list of either is all. Upper or lower case does not matter.
    pub fn list(&mut self, now: i64, states: &[&str], types: &[&str]) -> Vec<Listed> {
        self.tick(now);
        let among = |wanted: &[&str], is: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(is))
        };
        if !among(types, "classic") {
            return Vec::new();
        }
        let listed = self
            .groups
            .iter()
            .filter(|(_, group)| among(states, group.phase.name()));
        let listed = listed.map(|(name, group)| Listed {
            group: name.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            phase: group.phase,
        });
        listed.collect()
    }

    /// One group; nothing if there is none.
    pub fn describe(&mut self, now: i64, name: &str) -> Option<Described> {
        self.tick(now);
        let group = self.groups.get(name)?;
        let stable = group.phase == Phase::Stable;
        let protocol = group
            .protocol
            .clone()
            .filter(|_| stable)
            .unwrap_or_default();
        let members = group.members.values().map(|member| DescribedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable {
                member.metadata(&protocol)
            } else {
                Bytes::new()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Bytes::new()
            },
        });
        Some(Described {
            phase: group.phase,
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol,
        })
    }
}
