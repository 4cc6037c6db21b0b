//! Has everything arrived, and where do groups go on?

use std::collections::BTreeSet;

use tokio::time::{Instant, sleep};

use super::{Deeds, some};
use crate::{
    clock,
    error::Failure,
    exit::Exit,
    model::{
        names::{Side, TopicPartition},
        numbers,
        patterns::Patterns,
    },
    phases::{
        carrier::{Carrier as _, Ends, Place, Position},
        world::World,
    },
    run::{placed::Placed, step::Step},
};

impl<W: World> Deeds<'_, W> {
    /// Settled ends of everything that it reads and writes, on one side.
    async fn settled(&self, on: Side) -> Result<Ends, Failure> {
        let mut settled = Ends::new();
        for topics in [&self.application.reads, &self.application.writes] {
            if topics.is_empty() {
                continue;
            }
            let ends = self.world.ends(on, topics).await?;
            settled.extend(ends.into_iter().map(|end| {
                let below = end.stable.min(end.end);
                (end.at, below)
            }));
        }
        Ok(settled)
    }

    /// Waits until all that it read and wrote is on the other side.
    pub(super) async fn drained(&self, step: &Step) -> Result<String, Failure> {
        let below = self.settled(self.from()).await?;
        let all = numbers::of(below.len() as u64, "partition");
        let begun = Instant::now();
        let mut told = usize::MAX;
        loop {
            let behind = self.world.carrier().behind(self.from(), &below).await?;
            if behind.is_empty() {
                return Ok(all);
            }
            if begun.elapsed() >= self.waits.drain {
                let limit = numbers::time(self.waits.drain);
                let failure = Failure::new(
                    Exit::Stopped,
                    "K474",
                    format!(
                        "{} of {all} did not arrive on the {} within {limit}",
                        behind.len(),
                        self.to
                    ),
                );
                let lines = behind.iter().take(5);
                return Err(lines
                    .fold(failure, |failure, one| {
                        failure.cause(format!("{}: {}", one.at, one.what))
                    })
                    .hint(
                        "see whether it is copied at all, and how fast; then run the same command",
                    )
                    .next("kafka-migrate status"));
            }
            if behind.len() != told {
                told = behind.len();
                let left: Vec<String> = behind.iter().map(|one| one.at.to_string()).collect();
                self.waits(step, begun, &format!("{told} of {all}: {}", some(&left)));
            }
            sleep(self.waits.pause).await;
        }
    }

    /// Waits until its groups have positions on the other side that skip nothing, and shows what they read again.
    pub(super) async fn positions(&self, step: &Step) -> Result<String, Failure> {
        // Nobody of it reads any more: all that it has read stands there before these ends. It goes without them.
        let (below, there) = tokio::join!(self.settled(self.from()), self.settled(self.to));
        let (below, there) = (below?, there.unwrap_or_default());
        let groups = self
            .world
            .groups(self.from(), &self.application.groups)
            .await?;
        let begun = Instant::now();
        let mut last: Option<(Vec<Position>, Instant)> = None;
        let mut told = String::new();
        loop {
            let mut all = Vec::new();
            for group in groups.iter().filter(|group| !group.committed.is_empty()) {
                let carrier = self.world.carrier();
                all.extend(carrier.positions(self.from(), &group.name, &below).await?);
            }
            let found = Found::of(&all);
            if !found.nowhere.is_empty() {
                return Err(self.nowhere(&found));
            }
            let unchanged = match &last {
                Some((before, since)) if *before == all => *since,
                _ => Instant::now(),
            };
            let is_over = begun.elapsed() >= self.waits.positions;
            let is_still =
                unchanged.elapsed() >= self.waits.still || !self.world.carrier().improves();
            if found.is_sound() && (found.again == 0 || is_still || is_over) {
                self.show(step, &all);
                self.keep(&all, &there);
                return Ok(found.words(self.to));
            }
            // What has not arrived is given as long as everything else.
            if is_over && (found.not_yet.is_empty() || begun.elapsed() >= self.waits.drain) {
                return Err(self.unsound(&found));
            }
            let words = found.words(self.to);
            if words != told {
                self.waits(step, begun, &words);
                told = words;
            }
            last = Some((all, unchanged));
            sleep(self.waits.pause).await;
        }
    }

    fn show(&self, step: &Step, all: &[Position]) {
        for one in all {
            if let Place::Known {
                exact,
                stands: Some(stands),
                again,
                ..
            } = &one.place
                && *again > 0
            {
                let words = format!(
                    "group {} of {} goes on at {stands}, {} before {exact}",
                    one.group,
                    one.at,
                    numbers::of(*again, "record"),
                );
                self.shows(step, &words);
            }
        }
    }

    /// For the journal.
    fn keep(&self, all: &[Position], there: &Ends) {
        let placed = all.iter().filter_map(|one| match &one.place {
            Place::Known {
                exact,
                stands: Some(stands),
                again,
                ..
            } => Some(Placed {
                group: one.group.clone(),
                topic: one.at.topic.to_string(),
                partition: one.at.partition,
                committed: one.committed,
                exact: *exact,
                stands: *stands,
                again: *again,
                end: there.get(&one.at).copied(),
            }),
            _ => None,
        });
        if let Ok(mut kept) = self.placed.lock() {
            *kept = placed.collect();
        }
    }

    fn nowhere(&self, found: &Found) -> Failure {
        let failure = Failure::new(
            Exit::Stopped,
            "K477",
            format!(
                "groups of {} have something to read next that is not on the {}",
                self.name(),
                self.to
            ),
        );
        let lines = found.nowhere.iter().take(5);
        lines
            .fold(failure, |failure, one| failure.cause(one.clone()))
            .hint("let them read on where they are until they are past it, then move them")
    }

    fn unsound(&self, found: &Found) -> Failure {
        let limit = numbers::time(self.waits.positions);
        let (code, message, lines) = if !found.skips.is_empty() {
            let message = format!(
                "groups of {} would skip records on the {}, so it is not started there",
                self.name(),
                self.to
            );
            ("K476", message, &found.skips)
        } else if !found.missing.is_empty() {
            let message = format!(
                "groups of {} have no position on the {} after {limit}",
                self.name(),
                self.to
            );
            ("K475", message, &found.missing)
        } else {
            let message = format!(
                "where groups of {} go on on the {} could not be told",
                self.name(),
                self.to
            );
            ("K474", message, &found.not_yet)
        };
        let failure = Failure::new(Exit::Stopped, code, message);
        let failure = lines
            .iter()
            .take(5)
            .fold(failure, |failure, one| failure.cause(one.clone()));
        failure.hint(self.world.carrier().advice())
    }

    /// Where it goes on without the other side, and how old that is.
    pub(super) async fn last_positions(&self, step: &Step) -> Result<String, Failure> {
        let groups = self.world.groups(self.to, &self.application.groups).await?;
        let (mut count, mut behind) = (0, 0);
        for group in groups.iter().filter(|group| !group.committed.is_empty()) {
            count += group.committed.len();
            behind += self.behind_them(&group.committed).await?;
            let times = self.world.times(self.to, &group.committed).await?;
            let newest = times.values().max();
            let oldest = times.values().min();
            let words = match (oldest, newest) {
                (Some(oldest), Some(newest)) => format!(
                    "group {} goes on behind records of {} to {}, in {}",
                    group.name,
                    numbers::stamp(*oldest),
                    numbers::stamp(*newest),
                    numbers::of(group.committed.len() as u64, "partition")
                ),
                _ => format!("group {} goes on at the beginning", group.name),
            };
            self.shows(step, &words);
        }
        if count == 0 && !self.application.groups.is_empty() {
            let failure = Failure::new(
                Exit::Attention,
                "K475",
                format!(
                    "groups of {} have no position on the {}",
                    self.name(),
                    self.to
                ),
            );
            return Err(
                failure.hint("give them one with Kafka's own tools, then run the same command")
            );
        }
        let when = match self.world.carrier().synced_ms().await? {
            Some(at_ms) => {
                let age = u64::try_from(clock::unix_millis() - at_ms).unwrap_or(0);
                format!(
                    "; they were looked at last {} ago, {} by the engine's clock",
                    numbers::time(std::time::Duration::from_millis(age)),
                    numbers::stamp(at_ms)
                )
            }
            None => String::new(),
        };
        Ok(format!(
            "{}; what was read on the {} since they came back last is read again, at most {}{when}",
            numbers::of(count as u64, "position"),
            self.from(),
            numbers::of(behind, "record")
        ))
    }

    /// How much stands behind these positions where they count from now on: what was read on the other side is among it, or is not here.
    async fn behind_them(&self, committed: &Ends) -> Result<u64, Failure> {
        let names: BTreeSet<String> = committed.keys().map(|at| at.topic.to_string()).collect();
        let topics = Patterns::of(&Vec::from_iter(names)).unwrap_or_default();
        let ends = self.world.ends(self.to, &topics).await?;
        let behind = ends.iter().filter_map(|end| {
            let from = committed.get(&end.at)?;
            u64::try_from(end.end - from).ok()
        });
        Ok(behind.sum())
    }
}

/// Positions, by what is wrong with them.
#[derive(Debug, Default)]
struct Found {
    all: u64,
    exact: u64,
    again: u64,
    repeats: u64,
    not_yet: Vec<String>,
    nowhere: Vec<String>,
    missing: Vec<String>,
    skips: Vec<String>,
}

impl Found {
    fn of(all: &[Position]) -> Self {
        let mut found = Self {
            all: all.len() as u64,
            ..Self::default()
        };
        let name = |group: &str, at: &TopicPartition| format!("group {group} of {at}");
        for one in all {
            let of = name(&one.group, &one.at);
            match &one.place {
                Place::NotYet(why) => found.not_yet.push(format!("{of}: {why}")),
                Place::Nowhere(why) => found.nowhere.push(format!("{of}: {why}")),
                Place::Known {
                    exact,
                    stands: None,
                    ..
                } => found.missing.push(format!(
                    "{of} has none; it stands at {}, which is {exact} there",
                    one.committed
                )),
                Place::Known {
                    exact,
                    stands: Some(stands),
                    skips: true,
                    ..
                } => found.skips.push(format!(
                    "{of} would begin at {stands}, and has not read all before {stands}: it would have to begin at {exact}"
                )),
                Place::Known { again: 0, .. } => found.exact += 1,
                Place::Known { again, .. } => {
                    found.repeats += 1;
                    found.again += again;
                }
            }
        }
        found
    }

    fn is_sound(&self) -> bool {
        [&self.not_yet, &self.nowhere, &self.missing, &self.skips]
            .iter()
            .all(|all| all.is_empty())
    }

    fn words(&self, to: Side) -> String {
        let mut words = format!(
            "{} on the {to}: {} exact, {} in {} to be read again",
            numbers::of(self.all, "position"),
            self.exact,
            numbers::of(self.again, "record"),
            numbers::of(self.repeats, "partition"),
        );
        for (all, what) in [
            (&self.missing, "missing"),
            (&self.skips, "too far"),
            (&self.not_yet, "not told yet"),
        ] {
            if !all.is_empty() {
                words += &format!(", {} {what}", all.len());
            }
        }
        words
    }
}
