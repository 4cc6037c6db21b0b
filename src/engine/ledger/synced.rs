//! What a ledger says of settings and access rules that follow the source: what was brought over, so that it can be told from what others did.
//!
//! 1. A setting is on record before it is set, with what stood there; a rule before it is made.
//! 2. A rule of the target is ours only if it is on record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{positions::Holder, record::Entry};
use crate::{cluster::ScramUser, model::acl::Rule};

/// A setting of a topic on the target as we know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// Kafka's name for it.
    pub name: String,
    /// What was set on the target's topic itself before.
    pub before: Option<String>,
    /// What is set since, or about to be; the same as `before` once that is certain.
    pub value: Option<String>,
    /// We set it, rather than found it the same on both sides.
    pub is_ours: bool,
}

/// How far a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleStage {
    /// About to be made.
    Intended,
    /// Made.
    Made,
    /// Not ours any more: it was removed, or never made.
    Gone,
}

/// On which cluster an application may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// The application.
    pub application: String,
    /// The cluster.
    pub side: Holder,
    /// Who said so, for people.
    pub by: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What becomes of a setting that is not the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It is brought over.
    Differs,
    /// The target does not take it.
    Refused,
    /// Somebody has set it on the target: it is left.
    Left,
    /// It does not mean the same on every cluster.
    Stays,
}

impl What {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Refused => "refused",
            Self::Left => "left",
            Self::Stays => "stays",
        }
    }
}

/// A setting that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The topic.
    pub topic: String,
    /// Kafka's name for it.
    pub setting: String,
    /// What is set on the source's topic itself.
    pub source: Option<String>,
    /// What is set on the target's topic itself.
    pub target: Option<String>,
    /// What becomes of it.
    pub what: What,
    /// Why, where it is not brought over.
    pub reason: Option<String>,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".into());
        write!(
            f,
            "{}: {} is {} on the source, {} on the target",
            self.topic,
            self.setting,
            words(&self.source),
            words(&self.target)
        )?;
        match &self.reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// What becomes of a rule of the source that does not simply stand on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is made there, for what is in scope only.
    Narrowed,
    /// It waits for an application's cutover.
    Waits,
    /// The target does not take it.
    Refused,
    /// It is not carried.
    Left,
}

impl Fate {
    /// The word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Narrowed => "narrowed",
            Self::Waits => "waits",
            Self::Refused => "refused",
            Self::Left => "left",
        }
    }
}

/// Such a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStanding {
    /// In words.
    pub rule: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Why.
    pub reason: String,
}

/// How settings, rules and logins stand on both sides, as the engine saw them last. Long lists are cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When settings were last held against each other, by the engine's clock; 0 where they are not.
    pub settings_ms: i64,
    /// When rules were; 0 where they are not.
    pub rules_ms: i64,
    /// Settings that are not the same.
    pub settings: Vec<Standing>,
    /// How many there are.
    pub settings_differ: u32,
    /// Rules of the target that are there because of the source, ours or not.
    pub rules_there: u32,
    /// Of them made by us.
    pub rules_ours: u32,
    /// Rules of the source about what is not in scope.
    pub rules_elsewhere: u32,
    /// Rules of the source that do not simply stand on the target.
    pub rules: Vec<RuleStanding>,
    /// How many there are.
    pub rules_differ: u32,
    /// Why settings or rules are not carried at the moment.
    pub troubles: Vec<String>,
    /// Logins with SCRAM that the target lacks.
    pub users_missing: Vec<ScramUser>,
    /// How many there are; `None` where it could not be asked.
    pub users_lacking: Option<u32>,
}

/// All of it. Folded from the ledger as the rest of its state is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// Settings by topic and name.
    pub settings: BTreeMap<String, BTreeMap<String, Brought>>,
    /// Rules of the target that are ours.
    pub rules: BTreeMap<Rule, RuleStage>,
    /// Where applications may write, if somebody has said so; without, it is the source.
    pub writes: BTreeMap<String, Writes>,
    /// How it stood last.
    pub report: Option<Report>,
}

impl Synced {
    /// Takes in what the owner says; anything else is left alone.
    pub fn take(&mut self, entry: &Entry) {
        match entry {
            Entry::Brought { topic, settings } => {
                let of_topic = self.settings.entry(topic.clone()).or_default();
                for one in settings {
                    match (&one.before, &one.value) {
                        (None, None) => drop(of_topic.remove(&one.name)),
                        _ => drop(of_topic.insert(one.name.clone(), one.clone())),
                    }
                }
                if of_topic.is_empty() {
                    self.settings.remove(topic);
                }
            }
            Entry::Rules { stage, rules } => {
                for rule in rules {
                    match stage {
                        RuleStage::Gone => drop(self.rules.remove(rule)),
                        stage => drop(self.rules.insert(rule.clone(), *stage)),
                    }
                }
            }
            Entry::Writes(writes) => {
                self.writes
                    .insert(writes.application.clone(), writes.clone());
            }
            Entry::Synced(report) => self.report = Some(report.clone()),
            _ => {}
        }
    }

    /// May this application write on the target?
    pub fn is_released(&self, application: &str) -> bool {
        let writes = self.writes.get(application);
        writes.is_some_and(|writes| writes.side == Holder::Target)
    }

    /// Everything from which it is folded again, in order.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        entries.extend(
            self.settings
                .iter()
                .map(|(topic, settings)| Entry::Brought {
                    topic: topic.clone(),
                    settings: settings.values().cloned().collect(),
                }),
        );
        for stage in [RuleStage::Intended, RuleStage::Made] {
            let of_stage = self.rules.iter().filter(|(_, known)| **known == stage);
            let rules: Vec<Rule> = of_stage.map(|(rule, _)| rule.clone()).collect();
            entries.extend(rules.chunks(RULES_AT_ONCE).map(|rules| Entry::Rules {
                stage,
                rules: rules.to_vec(),
            }));
        }
        entries.extend(self.writes.values().cloned().map(Entry::Writes));
        entries.extend(self.report.clone().map(Entry::Synced));
        entries
    }
}

/// Rules in one entry of a ledger, whose records are bounded.
pub const RULES_AT_ONCE: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::acl::{Doing, Kind};

    fn rule(name: &str) -> Rule {
        Rule {
            kind: Kind::Topic,
            name: name.into(),
            prefixed: false,
            principal: "User:a".into(),
            host: "*".into(),
            doing: Doing::Read,
            denies: false,
        }
    }

    fn brought(before: Option<&str>, value: Option<&str>) -> Entry {
        Entry::Brought {
            topic: "t".into(),
            settings: vec![Brought {
                name: "retention.ms".into(),
                before: before.map(Into::into),
                value: value.map(Into::into),
                is_ours: true,
            }],
        }
    }

    #[test]
    fn a_snapshot_says_the_same_also_when_it_is_taken_in_twice() {
        let rules = |stage, names: &[&str]| Entry::Rules {
            stage,
            rules: names.iter().map(|name| rule(name)).collect(),
        };
        let mut synced = Synced::default();
        for entry in [
            brought(Some("1"), Some("2")),
            rules(RuleStage::Intended, &["a", "b", "c"]),
            rules(RuleStage::Made, &["a", "b"]),
            rules(RuleStage::Gone, &["b"]),
            Entry::Writes(Writes {
                application: "orders".into(),
                side: Holder::Target,
                by: "ann".into(),
                at_ms: 3,
            }),
            Entry::Synced(Report::default()),
        ] {
            synced.take(&entry);
        }
        assert_eq!(synced.rules.len(), 2);
        assert!(synced.is_released("orders") && !synced.is_released("payments"));
        let mut again = Synced::default();
        for entry in synced.entries().into_iter().chain(synced.entries()) {
            again.take(&entry);
        }
        assert_eq!(again, synced);
        synced.take(&brought(None, None));
        assert!(synced.settings.is_empty());
    }
}
