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

/// How names begin that belong to brokers and to other tools.
const NEVER: [&str; 6] = [
    "__",
    "kafka-migrate.",
    "mm2-",
    "__amazon_msk_",
    "mskr-",
    "_confluent",
];
const HEARTBEATS: &str = "heartbeats";
/// Registries and Connect's own topics move only when asked for by name.
const ONLY_WHEN_NAMED: [&str; 4] = [
    "_schemas",
    "connect-configs",
    "connect-offsets",
    "connect-status",
];

/// Names that belong to brokers and to other tools: no glob reaches them.
fn never_in_scope(name: &str) -> bool {
    NEVER.iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with(".internal")
        || name == HEARTBEATS
}

fn only_when_named(name: &str) -> bool {
    ONLY_WHEN_NAMED.contains(&name)
}

/// May a name that begins so be one that no glob reaches? Endings aside.
pub fn begins_reserved(begins: &str) -> bool {
    let reserved = NEVER.iter().chain(&[HEARTBEATS]).chain(&ONLY_WHEN_NAMED);
    NEVER.iter().any(|name| begins.starts_with(name))
        || reserved.copied().any(|name| name.starts_with(begins))
}
