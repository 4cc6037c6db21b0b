//! `[[application]]` and `[ready]`: what moves as one, and the limits of the gates.

use std::collections::{BTreeMap, BTreeSet};

use super::{fault, overlay::Resolving, value::Value};
use crate::model::{
    application::{self, Application, Hooks},
    limits::Limits,
    patterns::Patterns,
};

impl Resolving<'_> {
    /// The applications, in the order of the file; two of one name could not be told apart.
    pub(super) fn applications(&mut self) -> Vec<Application> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut applications = Vec::new();
        let index = |path: &String| {
            let rest = path.strip_prefix("application[")?;
            rest.split(']').next()?.parse().ok()
        };
        let indices: BTreeSet<usize> = self.paths().filter_map(index).collect();
        for index in indices {
            let at = |key: &str| format!("application[{index}].{key}");
            let Some(name) = self.value(&at("name")).map(ToString::to_string) else {
                continue;
            };
            if let Some(first) = seen.insert(name.clone(), index) {
                self.fault_of(
                    &at("name"),
                    fault::BAD_VALUE,
                    format!("{name:?} is the name of application[{first}] already"),
                    Some("give each application a name of its own".into()),
                );
            }
            let (Some(reads), Some(writes), Some(groups)) = (
                self.patterns(&at("reads")),
                self.patterns(&at("writes")),
                self.patterns(&at("groups")),
            ) else {
                continue;
            };
            let file = |key: &str| match self.value(&at(key))? {
                Value::Text(text) => Some(self.start_of(&at(key)).join(text)),
                _ => None,
            };
            let hooks = Hooks {
                stop: file("hooks.stop"),
                start: file("hooks.start"),
                within: self
                    .duration(&at("hooks.within"))
                    .unwrap_or(application::HOOK_WITHIN),
            };
            let principals = self.texts(&at("principals")).unwrap_or_default();
            applications.push(Application {
                name,
                reads,
                writes,
                groups,
                principals,
                hooks,
            });
        }
        applications
    }

    /// The limits of the gates.
    pub(super) fn limits(&self) -> Option<Limits> {
        let offsets = |path: &str| u64::try_from(self.number(path)?).ok();
        Some(Limits {
            message_lag: offsets("ready.message_lag")?,
            replication_latency: self.duration("ready.replication_latency")?,
            offset_lag: offsets("ready.offset_lag")?,
            hold: self.duration("ready.hold")?,
        })
    }

    /// Names or globs; none where nobody wrote any.
    pub(super) fn patterns(&self, path: &str) -> Option<Patterns> {
        Patterns::of(&self.texts(path).unwrap_or_default())
    }
}
