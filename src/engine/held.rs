//! Settings of target topics that are held open while old records arrive, and put back after: which, and when.
//!
//! Records keep their times, so a topic's own retention may delete what arrives before anybody has read it, up to the very last record, from which a start
//! learns where it is.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{ledger::record::HeldSetting, scope::shard_of};
use crate::{
    cluster::ConfigEntry,
    model::names::{TopicName, TopicPartition},
};

/// Where only the size is limited, older records than this are a backlog.
const BACKLOG: Duration = Duration::from_hours(1);
/// A target that takes so long to change a setting does not keep records waiting any longer.
const PATIENCE: Duration = Duration::from_secs(30);
const FOR_EVER: &str = "-1";
/// `local.retention.*` that follow the topic's whole retention.
const AS_THE_WHOLE: &str = "-2";

fn value<'a>(entries: &'a [ConfigEntry], name: &str) -> Option<&'a str> {
    let entry = entries.iter().find(|entry| entry.name == name)?;
    entry.value.as_deref()
}

/// A setting that bounds what a topic keeps.
fn limit<'a>(entries: &'a [ConfigEntry], name: &str) -> Option<&'a str> {
    value(entries, name).filter(|value| value.parse().is_ok_and(|limit: i64| limit >= 0))
}

fn deletes(entries: &[ConfigEntry]) -> bool {
    value(entries, "cleanup.policy").is_none_or(|policy| policy.contains("delete"))
}

/// The age in milliseconds from which on records that arrive in a topic with these settings may be deleted before all have arrived: half of what
/// it keeps, as much for the time that a copy takes, and for clocks that differ. `None`: it keeps them.
pub fn too_old_ms(entries: &[ConfigEntry]) -> Option<i64> {
    if !deletes(entries) {
        return None;
    }
    let time = limit(entries, "retention.ms").and_then(|limit| limit.parse::<i64>().ok());
    let size = limit(entries, "retention.bytes").map(|_| BACKLOG.as_millis() as i64);
    time.map(|time| time / 2).into_iter().chain(size).min()
}

/// What is changed in a topic with these settings, so that it keeps what arrives.
///
/// Where it moves its log to remote storage (KIP-405) and what stays local follows from the whole, local disks would hold everything: there the limits
/// become those of what stays local. `delete.retention.ms` is not held: it counts from a log cleaner's first pass over a tombstone, not from
/// the tombstone's own time.
pub fn wanted(entries: &[ConfigEntry]) -> Vec<HeldSetting> {
    let mut all = Vec::new();
    if !deletes(entries) {
        return all;
    }
    let is_remote = value(entries, "remote.storage.enable") == Some("true");
    for name in ["retention.ms", "retention.bytes"] {
        let Some(limit) = limit(entries, name) else {
            continue;
        };
        let mut hold = |name: &str, held: &str| {
            all.push(HeldSetting {
                name: name.to_owned(),
                before: set_here(entries, name),
                held: held.to_owned(),
            });
        };
        hold(name, FOR_EVER);
        let local = format!("local.{name}");
        if is_remote && value(entries, &local) == Some(AS_THE_WHOLE) {
            hold(&local, limit);
        }
    }
    all
}

/// What is set on the topic itself.
fn set_here(entries: &[ConfigEntry], name: &str) -> Option<String> {
    let entry = entries.iter().find(|entry| entry.name == name)?;
    entry.value.clone().filter(|_| entry.set_here)
}

/// Settings to be changed, each with its new value, `None` for what its broker says.
pub type Changes = Vec<(String, Option<String>)>;

/// How to hold what is not held yet. `Err`: settings that somebody else has changed meanwhile, in words.
pub fn to_hold(settings: &[HeldSetting], now: &[ConfigEntry]) -> Result<Changes, Vec<String>> {
    let mut changes = Vec::new();
    let mut foreign = Vec::new();
    for setting in settings {
        let here = set_here(now, &setting.name);
        if here == setting.before {
            changes.push((setting.name.clone(), Some(setting.held.clone())));
        } else if here.as_ref() != Some(&setting.held) {
            foreign.push(changed(setting, here.as_deref()));
        }
    }
    if foreign.is_empty() {
        Ok(changes)
    } else {
        Err(foreign)
    }
}

/// How to put back what is still held, and what is not, because somebody has changed it meanwhile, in words. It may be back already.
pub fn to_restore(settings: &[HeldSetting], now: &[ConfigEntry]) -> (Changes, Vec<String>) {
    let mut changes = Vec::new();
    let mut foreign = Vec::new();
    for setting in settings {
        let here = set_here(now, &setting.name);
        if here.as_ref() == Some(&setting.held) {
            changes.push((setting.name.clone(), setting.before.clone()));
        } else if here != setting.before {
            foreign.push(changed(setting, here.as_deref()));
        }
    }
    (changes, foreign)
}

fn changed(setting: &HeldSetting, now: Option<&str>) -> String {
    let words = |value: Option<&str>| value.unwrap_or("not set").to_owned();
    format!(
        "{} is {} (it was {}, and was held at {})",
        setting.name,
        words(now),
        words(setting.before.as_deref()),
        setting.held
    )
}

/// A setting as it is held, in words.
pub fn words(setting: &HeldSetting) -> String {
    format!(
        "{} = {}, instead of {}",
        setting.name,
        setting.held,
        setting.before.as_deref().unwrap_or("the broker's own")
    )
}

/// What all shards of a run know of it: who needs a topic held, whether it is, and how far its partitions are. Clones share it.
#[derive(Clone)]
pub struct Holds(Arc<Inner>);

struct Inner {
    shards: usize,
    topics: Mutex<HashMap<TopicName, Topic>>,
    /// Something is to be held, or is.
    is_any: AtomicBool,
}

#[derive(Default)]
struct Topic {
    /// Its partitions in scope.
    partitions: usize,
    at_end: HashSet<i32>,
    stage: Stage,
    /// Its settings are being changed by somebody else in this run: it is not held before that is over.
    is_kept_free: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// Nobody needs it held.
    #[default]
    Free,
    /// Somebody does, since then.
    Wanted(Instant),
    /// It is.
    Held,
    /// It was, or it cannot be: in this run it is left as it is.
    Over,
}

impl Holds {
    /// For so many shards.
    pub fn new(shards: u32) -> Self {
        Self(Arc::new(Inner {
            shards: shards as usize,
            topics: Mutex::default(),
            is_any: AtomicBool::new(false),
        }))
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<TopicName, Topic>> {
        self.0
            .topics
            .lock()
            .expect("nothing panics while holding it")
    }

    fn stage(&self, topic: &TopicName, stage: Stage) {
        if matches!(stage, Stage::Wanted(_) | Stage::Held) {
            self.0.is_any.store(true, Ordering::Relaxed);
        }
        self.topics().entry(topic.clone()).or_default().stage = stage;
    }

    /// The topic is in scope, with so many partitions.
    pub fn expect(&self, topic: &TopicName, partitions: usize) {
        self.topics().entry(topic.clone()).or_default().partitions = partitions;
    }

    /// Old records are about to be sent to the topic: may they? Asking is how it comes to be held.
    pub fn may_take_old(&self, topic: &TopicName) -> bool {
        let stage = self.topics().get(topic).map(|one| one.stage);
        match stage.unwrap_or_default() {
            Stage::Free => {
                self.stage(topic, Stage::Wanted(Instant::now()));
                false
            }
            Stage::Wanted(since) => since.elapsed() > PATIENCE,
            Stage::Held | Stage::Over => true,
        }
    }

    /// The shard that looks after a topic's settings is that of its first partition.
    fn is_of(&self, topic: &TopicName, shard: u32) -> bool {
        let first = TopicPartition::new(topic.clone(), 0);
        shard_of(&first, self.0.shards) == shard as usize
    }

    /// Topics that this shard has to hold.
    pub fn wanted_of(&self, shard: u32) -> Vec<TopicName> {
        if !self.0.is_any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let topics = self.topics();
        let wanted = topics.iter().filter(|(name, topic)| {
            matches!(topic.stage, Stage::Wanted(_))
                && !topic.is_kept_free
                && self.is_of(name, shard)
        });
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// An earlier run began to hold it.
    pub fn adopt(&self, topic: &TopicName, is_held: bool) {
        let stage = self.topics().get(topic).map(|one| one.stage);
        if stage.unwrap_or_default() == Stage::Free {
            self.stage(
                topic,
                if is_held {
                    Stage::Held
                } else {
                    Stage::Wanted(Instant::now())
                },
            );
        }
    }

    /// It is held.
    pub fn held(&self, topic: &TopicName) {
        self.stage(topic, Stage::Held);
    }

    /// It is as it was before. What is behind by now may need it held once more.
    pub fn restored(&self, topic: &TopicName) {
        let stage = if self.is_at_end(topic) {
            Stage::Over
        } else {
            Stage::Free
        };
        self.stage(topic, stage);
    }

    /// It is not held, and will not be in this run.
    pub fn over(&self, topic: &TopicName) {
        self.stage(topic, Stage::Over);
    }

    /// Is it held, or about to be, or being put back?
    pub fn is_busy(&self, topic: &TopicName) -> bool {
        let topics = self.topics();
        let stage = topics.get(topic).map(|one| one.stage).unwrap_or_default();
        matches!(stage, Stage::Wanted(_) | Stage::Held)
    }

    /// Of these topics, those that are not held and will not be before [`Self::let_be`].
    pub fn keep_free(&self, wanted: &[TopicName]) -> Vec<TopicName> {
        let mut topics = self.topics();
        let mut free = Vec::new();
        for name in wanted {
            let topic = topics.entry(name.clone()).or_default();
            if !matches!(topic.stage, Stage::Wanted(_) | Stage::Held) {
                topic.is_kept_free = true;
                free.push(name.clone());
            }
        }
        free
    }

    /// They may be held again.
    pub fn let_be(&self, topics: &[TopicName]) {
        let mut known = self.topics();
        for name in topics {
            if let Some(topic) = known.get_mut(name) {
                topic.is_kept_free = false;
            }
        }
    }

    /// Topics of which it matters how far they are.
    pub fn watched(&self) -> HashSet<TopicName> {
        if !self.0.is_any.load(Ordering::Relaxed) {
            return HashSet::new();
        }
        let topics = self.topics();
        let watched = topics
            .iter()
            .filter(|(_, topic)| matches!(topic.stage, Stage::Wanted(_) | Stage::Held));
        watched.map(|(name, _)| name.clone()).collect()
    }

    /// Whether nothing old is left to come in a partition.
    pub fn note(&self, at: &TopicPartition, at_end: bool) {
        if let Some(topic) = self.topics().get_mut(&at.topic) {
            if at_end {
                topic.at_end.insert(at.partition);
            } else {
                topic.at_end.remove(&at.partition);
            }
        }
    }

    /// Is nothing old left to come in any partition of the topic? So it is for a topic that is not in scope any more.
    pub fn is_at_end(&self, topic: &TopicName) -> bool {
        let topics = self.topics();
        topics.get(topic).is_none_or(Topic::is_at_end)
    }

    /// Is some topic still held although nothing keeps it from being put back?
    pub fn is_due(&self) -> bool {
        self.0.is_any.load(Ordering::Relaxed)
            && self
                .topics()
                .values()
                .any(|topic| topic.stage == Stage::Held && topic.is_at_end())
    }
}

impl Topic {
    fn is_at_end(&self) -> bool {
        self.at_end.len() >= self.partitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: &str, set_here: bool) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            set_here,
            read_only: false,
            sensitive: false,
        }
    }

    fn setting(name: &str, before: Option<&str>, held: &str) -> HeldSetting {
        HeldSetting {
            name: name.to_owned(),
            before: before.map(Into::into),
            held: held.to_owned(),
        }
    }

    #[test]
    fn what_limits_a_topic_is_held_and_nothing_else() {
        let policy = |policy| entry("cleanup.policy", policy, true);
        let weeks = entry("retention.ms", "1000", false);
        let size = entry("retention.bytes", "77", true);
        let no_size = entry("retention.bytes", "-1", false);
        for policy in [policy("delete"), policy("compact,delete")] {
            let all = [policy.clone(), weeks.clone(), no_size.clone()];
            assert_eq!(wanted(&all), [setting("retention.ms", None, "-1")]);
            assert_eq!(too_old_ms(&all), Some(500));
            let all = [policy, entry("retention.ms", "-1", true), size.clone()];
            assert_eq!(wanted(&all), [setting("retention.bytes", Some("77"), "-1")]);
            assert_eq!(too_old_ms(&all), Some(3_600_000));
        }
        let kept = [policy("compact"), weeks.clone(), size.clone()];
        assert_eq!((wanted(&kept), too_old_ms(&kept)), (Vec::new(), None));
        let kept = [policy("delete"), entry("retention.ms", "-1", true), no_size];
        assert_eq!((wanted(&kept), too_old_ms(&kept)), (Vec::new(), None));
    }

    #[test]
    fn what_goes_to_remote_storage_does_not_stay_on_local_disks() {
        let remote = [
            entry("cleanup.policy", "delete", false),
            entry("remote.storage.enable", "true", true),
            entry("retention.ms", "1000", true),
            entry("retention.bytes", "77", false),
            entry("local.retention.ms", "-2", false),
            entry("local.retention.bytes", "10", true),
        ];
        assert_eq!(
            wanted(&remote),
            [
                setting("retention.ms", Some("1000"), "-1"),
                setting("local.retention.ms", None, "1000"),
                setting("retention.bytes", None, "-1"),
            ]
        );
    }

    #[test]
    fn what_somebody_changed_is_left_as_it_is() {
        let all = [
            setting("retention.ms", Some("1000"), "-1"),
            setting("retention.bytes", None, "-1"),
        ];
        let now = |time: (&str, bool), size: (&str, bool)| {
            [
                entry("retention.ms", time.0, time.1),
                entry("retention.bytes", size.0, size.1),
            ]
        };
        let change = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        let before = now(("1000", true), ("50", false));
        let held = now(("-1", true), ("-1", true));
        let half = now(("-1", true), ("50", false));
        let foreign = now(("2000", true), ("-1", true));
        let gone = now(("7", false), ("-1", true));
        let both = [
            change("retention.ms", Some("-1")),
            change("retention.bytes", Some("-1")),
        ];
        assert_eq!(to_hold(&all, &before).unwrap(), both);
        assert_eq!(to_hold(&all, &half).unwrap(), both[1..]);
        assert_eq!(to_hold(&all, &held).unwrap(), []);
        assert_eq!(to_hold(&all, &foreign).unwrap_err().len(), 1);
        assert_eq!(to_hold(&all, &gone).unwrap_err().len(), 1);

        let back = [
            change("retention.ms", Some("1000")),
            change("retention.bytes", None),
        ];
        assert_eq!(to_restore(&all, &held), (back.to_vec(), Vec::new()));
        let (changes, left) = to_restore(&all, &foreign);
        assert_eq!((&changes[..], left.len()), (&back[1..], 1));
        assert!(left[0].contains("is 2000"), "{left:?}");
        assert_eq!(to_restore(&all, &half), (back[..1].to_vec(), Vec::new()));
        assert_eq!(to_restore(&all, &before), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_topic_is_held_until_all_of_its_partitions_are_there() {
        let holds = Holds::new(4);
        let topic = TopicName::from("orders");
        holds.expect(&topic, 2);
        let home = (0..4).find(|shard| holds.is_of(&topic, *shard)).unwrap();
        assert!(holds.wanted_of(home).is_empty() && !holds.is_due());
        assert!(!holds.may_take_old(&topic) && !holds.may_take_old(&topic));
        assert_eq!(holds.wanted_of(home), std::slice::from_ref(&topic));
        assert!(holds.wanted_of((home + 1) % 4).is_empty());
        holds.held(&topic);
        assert!(holds.may_take_old(&topic) && holds.wanted_of(home).is_empty());
        for partition in 0..2 {
            assert!(!holds.is_due() && !holds.is_at_end(&topic));
            holds.note(&TopicPartition::new(topic.clone(), partition), true);
        }
        assert!(holds.is_due() && holds.is_at_end(&topic));
        holds.over(&topic);
        assert!(!holds.is_due() && holds.may_take_old(&topic) && holds.watched().is_empty());
        // One of an earlier run that nobody copies any more.
        let gone = TopicName::from("gone");
        holds.adopt(&gone, true);
        assert!(holds.is_at_end(&gone));
    }
}
