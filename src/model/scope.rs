//! Which topics belong to this migration.

use globset::GlobSet;

/// The topics of a migration, by glob and exclusion.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Topics to take.
    pub topics: GlobSet,
    /// Topics to leave out although `topics` matches.
    pub exclude_topics: GlobSet,
    /// Names in `topics` that hold no glob character: each must exist on the source.
    pub literal_topics: Vec<String>,
}

impl Scope {
    /// Is this topic to be copied? `internal` is what the broker says of it.
    pub fn has_topic(&self, name: &str, internal: bool) -> bool {
        if internal || never_in_scope(name) {
            return false;
        }
        if only_when_named(name) && !self.literal_topics.iter().any(|literal| literal == name) {
            return false;
        }
        self.topics.is_match(name) && !self.exclude_topics.is_match(name)
    }
}

/// Names that belong to brokers and to other tools: no glob reaches them.
fn never_in_scope(name: &str) -> bool {
    [
        "__",
        "kafka-migrate.",
        "mm2-",
        "__amazon_msk_",
        "mskr-",
        "_confluent",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
        || name.ends_with(".internal")
        || name == "heartbeats"
}

/// Registries and Connect's own topics move only when asked for by name.
fn only_when_named(name: &str) -> bool {
    matches!(
        name,
        "_schemas" | "connect-configs" | "connect-offsets" | "connect-status"
    )
}
