//! Brings settings of topics over: on record first, then set, each topic's together.

use std::collections::{BTreeMap, HashMap};

use super::{
    configs::{self, Judged},
    follow::{Following, Trouble},
};
use crate::{
    clock,
    cluster::ConfigEntry,
    engine::{
        ledger::{
            record::Entry,
            synced::{Brought, Standing, What},
        },
        steps,
    },
    events::Event,
    model::names::TopicName,
};

/// Topics whose settings are in memory at once: each has some thirty of them.
const AT_ONCE: usize = 200;

/// Settings of topics on one side; a topic that is not described stays out.
type Settings = HashMap<TopicName, Vec<ConfigEntry>>;

impl Following {
    /// Looks at the settings of all topics in scope, and brings over what differs and may.
    pub(super) async fn follow_settings(&mut self) -> Result<(), Trouble> {
        // What is not on record yet is tried again with the next look.
        self.made.extend(self.with.made.take());
        let made = self
            .made
            .iter()
            .filter(|(_, settings)| !settings.is_empty());
        let learned = made.map(|(topic, settings)| Entry::Brought {
            topic: topic.clone(),
            settings: settings.clone(),
        });
        if !self.record(learned.collect()).await {
            return Err(Trouble::of_ledger());
        }
        self.made.clear();
        let names = self.topics().await?;
        let mut standings = Vec::new();
        for some in names.chunks(AT_ONCE) {
            standings.extend(self.follow_some(some).await?);
        }
        standings
            .sort_by(|one, other| (&one.topic, &one.setting).cmp(&(&other.topic, &other.setting)));
        self.report.settings_differ = u32::try_from(standings.len()).unwrap_or(u32::MAX);
        self.report.settings = standings;
        self.report.settings_ms = clock::unix_millis();
        Ok(())
    }

    /// The same of these topics. Answers what is not the same afterwards, and why.
    async fn follow_some(&mut self, names: &[TopicName]) -> Result<Vec<Standing>, Trouble> {
        let (here, there) = tokio::join!(
            self.with.source.topic_configs_each(names),
            self.with.target.topic_configs_each(names),
        );
        let (here, there) = (described(here?), described(there?));
        let (mut standings, mut differ) = (Vec::new(), Vec::new());
        let mut learned = Vec::new();
        for name in names {
            let Some(judged) = self.judge(name, &here, &there, self.with.holds.is_busy(name))
            else {
                continue;
            };
            if !judged.learned.is_empty() {
                learned.push(Entry::Brought {
                    topic: name.to_string(),
                    settings: judged.learned,
                });
            }
            if !judged.changes.is_empty() {
                differ.push(name.clone());
            }
            let others = judged.standings.into_iter();
            standings.extend(others.filter(|one| one.what != What::Differs));
        }
        if !self.record(learned).await {
            return Err(Trouble::of_ledger());
        }
        if !differ.is_empty() {
            // From here on nobody begins to hold their retention open, until what is under way is over.
            let taken = self.with.holds.keep_free(&differ);
            let brought = self.bring(&differ, &taken, &here).await;
            self.with.holds.let_be(&taken);
            standings.extend(brought?);
        }
        Ok(standings)
    }

    /// Topics in scope that both sides have.
    async fn topics(&self) -> Result<Vec<TopicName>, Trouble> {
        let found = self.with.source.topics(None).await?;
        let scope = &self.with.scope;
        let in_scope = found
            .into_iter()
            .filter(|topic| scope.has_topic(&topic.name, topic.internal));
        let names: Vec<TopicName> = in_scope.map(|topic| topic.name).collect();
        if names.is_empty() {
            return Ok(names);
        }
        let there = self.with.target.topics_each(&names).await?;
        let is_there = |name: &TopicName| matches!(there.get(name), Some(Ok(_)));
        Ok(names.into_iter().filter(is_there).collect())
    }

    fn judge(
        &self,
        name: &TopicName,
        here: &Settings,
        there: &Settings,
        is_held: bool,
    ) -> Option<Judged> {
        let known = self.synced.settings.get(&**name);
        Some(configs::judge(
            name,
            here.get(name)?,
            there.get(name)?,
            known,
            is_held,
        ))
    }

    /// Brings over what differs, by what the target holds now. Answers what does not come over, and why.
    async fn bring(
        &mut self,
        names: &[TopicName],
        free: &[TopicName],
        here: &Settings,
    ) -> Result<Vec<Standing>, Trouble> {
        let there = described(self.with.target.topic_configs_each(names).await?);
        let mut wanted: BTreeMap<TopicName, (Vec<Brought>, Vec<Standing>)> = BTreeMap::new();
        for name in names {
            let Some(judged) = self.judge(name, here, &there, !free.contains(name)) else {
                continue;
            };
            let mut standings = judged.standings;
            standings.retain(|one| one.what == What::Differs);
            wanted.insert(name.clone(), (judged.changes, standings));
        }
        let asked: Vec<_> = wanted
            .iter()
            .map(|(name, (changes, _))| (name.clone(), told(changes)))
            .filter(|(_, changes)| !changes.is_empty())
            .collect();
        let objections = self.with.target.objections(&asked).await?;
        let mut refused = Vec::new();
        for (name, (changes, standings)) in &mut wanted {
            for (setting, error) in objections.get(name).into_iter().flatten() {
                // A right that is missing is of the whole topic.
                let is_whole = error.code() == Some(29);
                let of = |name: &str| is_whole || name == setting;
                changes.retain(|change| !of(&change.name));
                refused.extend(standings.extract_if(.., |one| of(&one.setting)).map(|one| {
                    Standing {
                        what: What::Refused,
                        reason: Some(error.to_string()),
                        ..one
                    }
                }));
            }
        }
        wanted.retain(|_, (changes, _)| !changes.is_empty());
        let intents = wanted.iter().map(|(name, (changes, _))| Entry::Brought {
            topic: name.to_string(),
            settings: changes.clone(),
        });
        if !self.record(intents.collect()).await || !self.is_held() {
            return Err(Trouble::of_ledger());
        }
        steps::reached("settings-recorded");
        let sent: Vec<_> = wanted
            .iter()
            .map(|(name, (changes, _))| (name.clone(), told(changes)))
            .collect();
        let answers = match sent.is_empty() {
            true => Vec::new(),
            false => self.with.target.alter_topics(&sent).await?,
        };
        steps::reached("settings-set");
        let mut done = Vec::new();
        for ((name, (changes, standings)), answer) in wanted.into_iter().zip(answers) {
            let is_set = answer.is_ok();
            let settled = changes.iter().map(|change| Brought {
                before: if is_set {
                    change.value.clone()
                } else {
                    change.before.clone()
                },
                value: if is_set {
                    change.value.clone()
                } else {
                    change.before.clone()
                },
                ..change.clone()
            });
            done.push(Entry::Brought {
                topic: name.to_string(),
                settings: settled.collect(),
            });
            match answer {
                Ok(()) => self.with.events.send(Event::SettingsFollowed {
                    topic: name.to_string(),
                    brought: changes.iter().map(words).collect(),
                }),
                Err(error) => refused.extend(standings.into_iter().map(|one| Standing {
                    what: What::Refused,
                    reason: Some(error.to_string()),
                    ..one
                })),
            }
        }
        if !self.record(done).await {
            return Err(Trouble::of_ledger());
        }
        let texts = refused.iter().map(Standing::to_string);
        self.tell_refused("a setting of the source", texts.collect());
        Ok(refused)
    }
}

fn described(all: HashMap<TopicName, crate::cluster::Result<Vec<ConfigEntry>>>) -> Settings {
    let each = all.into_iter();
    each.filter_map(|(name, entries)| Some((name, entries.ok()?)))
        .collect()
}

fn told(changes: &[Brought]) -> Vec<(String, Option<String>)> {
    let told = changes
        .iter()
        .map(|one| (one.name.clone(), one.value.clone()));
    told.collect()
}

fn words(change: &Brought) -> String {
    match &change.value {
        Some(value) => format!("{} = {value}", change.name),
        None => format!("{} as the target's brokers have it", change.name),
    }
}
