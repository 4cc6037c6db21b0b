//! Holds the retention of target topics open while old records arrive, and puts it back: each step stands in the ledger before it is taken.

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

use super::{Done, Phase, Session};
use crate::{
    clock,
    cluster::{self, ConfigEntry, Target},
    engine::{
        held::{self, Holds},
        ledger::record::{Entry, Held, HeldStage},
        steps,
    },
    events::Event,
    model::names::TopicName,
};

/// Topics looked at or changed by one command.
const AT_ONCE: usize = 100;
/// Pause after a target did not answer, which was tried for a while.
const PAUSE: Duration = Duration::from_secs(1);
/// So often it is tried again.
const TRIES: u32 = 3;

/// The topics whose settings this shard looks after.
#[derive(Default)]
pub(super) struct Holding {
    /// As the ledger has them, by their number.
    of: BTreeMap<u32, Held>,
    /// Nothing is done before the ledger has this flush.
    mark: u64,
    is_busy: bool,
    not_before: Option<Instant>,
    /// Tries in a row that came to nothing.
    tries: u32,
    /// Not tried again in this session.
    given_up: Vec<u32>,
}

/// What a topic keeps, as far as the target says.
pub(super) type Found = (TopicName, Option<cluster::Result<Vec<ConfigEntry>>>);

/// What became of one topic.
pub(super) enum Outcome {
    /// It is as it should be; what somebody else has changed was left as it is.
    Done(Vec<String>),
    /// Somebody else has changed it: it is left as it is.
    Foreign(Vec<String>),
    /// Not now, or never.
    Failed(cluster::Error),
}

impl Holding {
    /// As the ledger has them; names by number.
    pub(super) fn new(
        of: BTreeMap<u32, Held>,
        name: impl Fn(u32) -> Option<TopicName>,
        holds: &Holds,
    ) -> Self {
        for (&number, held) in &of {
            if let Some(name) = name(number) {
                holds.adopt(&name, held.stage != HeldStage::Intended);
            }
        }
        Self {
            of,
            ..Self::default()
        }
    }
}

impl Session {
    /// The next thing to do about settings of topics, one at a time.
    pub(super) fn tend_holds(&mut self) {
        let holding = &self.holding;
        // Settings are changed only while the ledger is surely ours.
        if holding.is_busy
            || self.draining.is_some()
            || self.recorded < holding.mark
            || holding
                .not_before
                .is_some_and(|until| Instant::now() < until)
            || !self.lease.holds()
        {
            return;
        }
        let due = |stage| {
            let with = holding.of.iter().filter(move |(number, held)| {
                held.stage == stage && !holding.given_up.contains(number)
            });
            let named =
                with.filter_map(|(&number, held)| Some((self.topic_named(number)?, held.clone())));
            named.take(AT_ONCE).collect::<Vec<_>>()
        };
        let intended = due(HeldStage::Intended);
        if !intended.is_empty() {
            return self.change(intended, HeldStage::Holding);
        }
        let restoring = due(HeldStage::Restoring);
        if !restoring.is_empty() {
            return self.change(restoring, HeldStage::Restoring);
        }
        let ready: Vec<u32> = holding
            .of
            .iter()
            .filter(|(number, held)| {
                held.stage == HeldStage::Holding && !holding.given_up.contains(number)
            })
            .filter(|(number, _)| {
                let name = self.topic_named(**number);
                name.is_some_and(|name| self.shared.holds.is_at_end(&name))
            })
            .map(|(&number, _)| number)
            .collect();
        for number in ready {
            self.hold_is(number, HeldStage::Restoring);
        }
        if self.recorded < self.holding.mark {
            return;
        }
        let mut wanted = self.shared.holds.wanted_of(self.shard);
        wanted.retain(|name| {
            let number = self.topics.get(name).map(|(number, ..)| number);
            number.is_some_and(|number| !self.holding.of.contains_key(number))
        });
        wanted.truncate(AT_ONCE);
        if !wanted.is_empty() {
            self.look_at_settings(wanted);
        }
    }

    fn topic_named(&self, number: u32) -> Option<TopicName> {
        let named = self.topics.iter().find(|(_, (known, ..))| *known == number);
        named.map(|(name, _)| name.clone())
    }

    /// Says it to the ledger; what rests on it waits until it stands there.
    fn tell_hold(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.holding.mark = self.next_mark;
    }

    fn hold_is(&mut self, topic: u32, stage: HeldStage) {
        if let Some(held) = self.holding.of.get_mut(&topic) {
            held.stage = stage;
            let held = held.clone();
            self.tell_hold(Entry::Held { topic, held });
        }
    }

    fn let_go(&mut self, topic: u32) {
        if self.holding.of.remove(&topic).is_some() {
            self.tell_hold(Entry::LetGo { topic });
        }
    }

    fn look_at_settings(&mut self, names: Vec<TopicName>) {
        self.holding.is_busy = true;
        let target = self.shared.target.clone();
        self.beside.push(Box::pin(async move {
            let found = target.topic_configs_each(&names).await;
            Done::Settings {
                found: found.map(|mut found| {
                    let found = names.into_iter().map(|name| {
                        let entries = found.remove(&name);
                        (name, entries)
                    });
                    found.collect()
                }),
            }
        }));
    }

    /// What topics keep, as they are before anything is changed.
    pub(super) fn settings_found(&mut self, found: cluster::Result<Vec<Found>>) {
        self.holding.is_busy = false;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                self.holding.not_before = Some(Instant::now() + PAUSE);
                return self.trouble(format!(
                    "settings of topics on the target cannot be read: {error}"
                ));
            }
        };
        for (name, entries) in found {
            let number = self.topics.get(&name).map(|(number, ..)| *number);
            let wanted = entries
                .and_then(Result::ok)
                .map(|entries| held::wanted(&entries));
            match (wanted, number) {
                (Some(settings), Some(topic)) if !settings.is_empty() => {
                    let held = Held {
                        settings,
                        stage: HeldStage::Intended,
                        since_ms: clock::unix_millis(),
                    };
                    self.holding.of.insert(topic, held.clone());
                    self.tell_hold(Entry::Held { topic, held });
                }
                // Nothing to hold, or nobody tells.
                _ => self.shared.holds.over(&name),
            }
        }
    }

    fn change(&mut self, topics: Vec<(TopicName, Held)>, to: HeldStage) {
        steps::reached(match to {
            HeldStage::Holding => "hold-recorded",
            _ => "restore-recorded",
        });
        self.holding.is_busy = true;
        let target = self.shared.target.clone();
        self.beside.push(Box::pin(async move {
            let outcomes = change(&target, topics, to).await;
            Done::Changed { to, outcomes }
        }));
    }

    /// What became of it.
    pub(super) fn changed(&mut self, to: HeldStage, outcomes: Vec<(TopicName, Outcome)>) {
        self.holding.is_busy = false;
        steps::reached(match to {
            HeldStage::Holding => "hold-set",
            _ => "restore-set",
        });
        for (name, outcome) in outcomes {
            let Some(number) = self.topics.get(&name).map(|(number, ..)| *number) else {
                continue;
            };
            match (outcome, to) {
                (Outcome::Failed(error), _) if error.is_passing() && self.holding.tries < TRIES => {
                    self.holding.tries += 1;
                    self.holding.not_before = Some(Instant::now() + PAUSE);
                    continue;
                }
                (Outcome::Done(_), HeldStage::Holding) => {
                    let settings = self.holding.of.get(&number).map(|held| &held.settings);
                    let settings = settings.into_iter().flatten().map(held::words).collect();
                    self.hold_is(number, HeldStage::Holding);
                    self.shared.holds.held(&name);
                    let topic = name.to_string();
                    self.shared
                        .events
                        .send(Event::RetentionHeld { topic, settings });
                }
                (Outcome::Foreign(changed), HeldStage::Holding) => {
                    self.let_go(number);
                    self.shared.holds.over(&name);
                    self.trouble(format!(
                        "topic {name} on the target is not held open for old records, since somebody has changed its settings: {}",
                        changed.join(", ")
                    ));
                }
                (Outcome::Failed(error), HeldStage::Holding) => {
                    self.let_go(number);
                    self.shared.holds.over(&name);
                    self.trouble(format!(
                        "topic {name} on the target may delete old records as soon as they arrive: its retention cannot be held open meanwhile: {error}"
                    ));
                }
                (Outcome::Done(left) | Outcome::Foreign(left), _) => {
                    self.let_go(number);
                    self.shared.holds.restored(&name);
                    let topic = name.to_string();
                    self.shared
                        .events
                        .send(Event::RetentionRestored { topic, left });
                }
                (Outcome::Failed(error), _) => {
                    self.holding.given_up.push(number);
                    self.shared.holds.over(&name);
                    self.trouble(format!(
                        "what topic {name} keeps on the target cannot be put back as it was; the next start tries again, and `status` shows it: {error}"
                    ));
                }
            }
            self.holding.tries = 0;
        }
    }

    /// How far partitions of topics are that are held.
    pub(super) fn note_how_far(&mut self) {
        let watched = self.shared.holds.watched();
        let now_ms = clock::unix_millis();
        for partition in &mut self.partitions {
            let caught_up = partition.phase == Phase::Copying
                && partition
                    .last_stable
                    .is_some_and(|end| partition.source >= end);
            // What comes to a partition that was at the end is not a backlog.
            partition.takes_old |= caught_up;
            if !watched.contains(&partition.name.topic) {
                continue;
            }
            let wanted = partition.wanted_end.or(partition.last_stable);
            partition.backlog_end = partition.backlog_end.or(wanted);
            let goal = partition.backlog_end.unwrap_or(i64::MAX);
            // Once a topic goes by its own rules again, the ledger must not need what it may delete.
            let end = partition.last_stable.unwrap_or(i64::MAX);
            let is_durable = |to| partition.phase == Phase::Copying && partition.durable >= to;
            let at_end = is_durable(end) || is_durable(goal) && partition.is_next_young(now_ms);
            self.shared.holds.note(&partition.name, at_end);
        }
    }
}

async fn change(
    target: &Target,
    topics: Vec<(TopicName, Held)>,
    to: HeldStage,
) -> Vec<(TopicName, Outcome)> {
    let names: Vec<TopicName> = topics.iter().map(|(name, _)| name.clone()).collect();
    let mut found = match target.topic_configs_each(&names).await {
        Ok(found) => found,
        Err(error) => return all_failed(names, &error),
    };
    let (mut outcomes, mut changes) = (Vec::new(), Vec::new());
    for (name, held) in topics {
        let now = match found.remove(&name) {
            Some(Ok(now)) => now,
            Some(Err(error)) => {
                outcomes.push((name, Outcome::Failed(error)));
                continue;
            }
            None => {
                let error = cluster::Error::Incomplete {
                    side: target.side(),
                    broker: "asked".into(),
                    api: "DescribeConfigs",
                    what: name.to_string(),
                };
                outcomes.push((name, Outcome::Failed(error)));
                continue;
            }
        };
        let (change, left) = if to == HeldStage::Holding {
            match held::to_hold(&held.settings, &now) {
                Ok(change) => (change, Vec::new()),
                Err(foreign) => {
                    outcomes.push((name, Outcome::Foreign(foreign)));
                    continue;
                }
            }
        } else {
            held::to_restore(&held.settings, &now)
        };
        if change.is_empty() {
            outcomes.push((name, Outcome::Done(left)));
        } else {
            changes.push(((name, change), left));
        }
    }
    let (changes, left): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
    if changes.is_empty() {
        return outcomes;
    }
    match target.alter_topics(&changes).await {
        Ok(answers) => {
            let answered = changes.into_iter().zip(left).zip(answers);
            outcomes.extend(answered.map(|(((name, _), left), answer)| match answer {
                Ok(()) => (name, Outcome::Done(left)),
                Err(error) => (name, Outcome::Failed(error)),
            }));
        }
        Err(error) => {
            let names = changes.into_iter().map(|(name, _)| name).collect();
            outcomes.extend(all_failed(names, &error));
        }
    }
    outcomes
}

fn all_failed(names: Vec<TopicName>, error: &cluster::Error) -> Vec<(TopicName, Outcome)> {
    let failed = |name| (name, Outcome::Failed(error.clone()));
    names.into_iter().map(failed).collect()
}
