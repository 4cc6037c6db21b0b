//! Which topics are copied, and what is to become of those that the target holds already.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{fault, overlay::Resolving, value::Value};
use crate::model::scope::Scope;

/// Characters that make a glob of a name.
const GLOB: [char; 5] = ['*', '?', '[', '{', '\\'];

impl Resolving<'_> {
    pub(super) fn scope(&mut self) -> Option<Scope> {
        let topics = self.texts("scope.topics")?;
        if topics.is_empty() {
            self.fault_of(
                "scope.topics",
                fault::BAD_VALUE,
                "names no topic".into(),
                Some("\"*\" takes them all".into()),
            );
            return None;
        }
        let literal_topics: Vec<String> = topics
            .iter()
            .filter(|topic| !topic.contains(GLOB))
            .cloned()
            .collect();
        for literal in &literal_topics {
            if !is_topic_name(literal) {
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} cannot be a topic's name"),
                    Some("letters, digits, `.`, `_` and `-`, at most 249".into()),
                );
            }
        }
        let scope = Scope {
            topics: globs(&topics)?,
            exclude_topics: globs(&self.texts("scope.exclude_topics").unwrap_or_default())?,
            literal_topics,
        };
        // Otherwise they would be looked for on the source and called missing.
        for literal in &scope.literal_topics {
            if scope.exclude_topics.is_match(literal) {
                let hint = "take it out of one of the two".to_owned();
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} is named here, and excluded by scope.exclude_topics"),
                    Some(hint),
                );
            } else if is_topic_name(literal) && !scope.has_topic(literal, false) {
                let hint = "it belongs to the brokers or to another tool: leave it out".to_owned();
                self.fault_of(
                    "scope.topics",
                    fault::BAD_VALUE,
                    format!("{literal:?} is never copied"),
                    Some(hint),
                );
            }
        }
        Some(scope)
    }

    /// What `[[topic]]` says of topics by name or glob; a name that is nobody's is a mistake.
    pub(super) fn existing(&mut self, scope: &Scope) -> Option<(GlobSet, GlobSet)> {
        let two_way = matches!(self.value("replication.two_way"), Some(Value::Flag(true)));
        let matches: Vec<(String, String)> = self
            .settings
            .iter()
            .filter(|(_, setting)| setting.field.path == "topic[].match")
            .map(|(path, setting)| (path.clone(), setting.value.to_string()))
            .collect();
        let (mut kept, mut merged) = (Vec::new(), Vec::new());
        for (path, text) in matches {
            let is_glob = text.contains(GLOB);
            let wrong = match GlobBuilder::new(&text).build() {
                Err(error) => Some(format!("{text:?} is no glob: {}", error.kind())),
                Ok(_) if !is_glob && !scope.has_topic(&text, false) => {
                    Some(format!("{text:?} is no topic of scope.topics"))
                }
                Ok(_) => None,
            };
            if let Some(wrong) = wrong {
                let hint = "name a topic that is copied, or a glob".to_owned();
                self.fault_of(&path, fault::BAD_VALUE, wrong, Some(hint));
                continue;
            }
            let existing = path.replace(".match", ".existing");
            match self.text(&existing).as_deref() {
                Some("keep") => kept.push(text),
                Some("merge") if !two_way => self.fault_of(
                    &existing,
                    fault::BAD_VALUE,
                    "\"merge\" copies back what the target holds, and nothing is copied back".to_owned(),
                    Some("set replication.two_way = true; or \"keep\" leaves the target's records where they are, and copies behind them".to_owned()),
                ),
                Some("merge") => merged.push(text),
                _ => {}
            }
        }
        Some((globs(&kept)?, globs(&merged)?))
    }
}

/// Kafka's rule (`org.apache.kafka.common.internals.Topic`): letters, digits, `.`, `_`, `-`, at most 249.
fn is_topic_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 249
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn globs(patterns: &[String]) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).build().ok()?);
    }
    set.build().ok()
}
