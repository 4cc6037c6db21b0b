//! Does an application work where it was started, and nothing of it where it came from?

use std::collections::BTreeMap;

use tokio::time::{Instant, sleep};

use super::{Deeds, list, quiet, some};
use crate::{
    error::Failure,
    exit::Exit,
    model::{names::TopicPartition, numbers},
    phases::{
        carrier::{Carrier as _, Ends},
        moving::{SHARED, WITH_ALONE, WITH_GROUPS, WITH_TOPICS},
        world::{EndNow, GroupNow, World},
    },
    run::step::Step,
};

/// What was there when it was first looked.
struct Before {
    committed: BTreeMap<(String, TopicPartition), i64>,
    there: Ends,
    here: Ends,
}

impl<W: World> Deeds<'_, W> {
    /// Waits until it is seen at work, and was not seen where it came from.
    pub(super) async fn lives(&self, step: &Step) -> Result<String, Failure> {
        let alone = step.with.contains_key(WITH_ALONE);
        let wanted = list(step, WITH_GROUPS);
        let limit = match self.application.hooks.start {
            Some(_) => self.waits.hook,
            None => self.waits.person,
        };
        let begun = Instant::now();
        let before = self.before(alone).await?;
        let mut told = String::new();
        loop {
            let groups = self.world.groups(self.to, &self.application.groups).await?;
            let ends = self.world.ends(self.to, &self.application.reads).await?;
            let mut lacks: Vec<String> = wanted
                .iter()
                .filter_map(|name| lacks(name, &groups, &ends, &before))
                .collect();
            let there = self.world.carrier().written(self.to, &before.there).await?;
            let there: u64 = there.values().sum();
            if wanted.is_empty() && !self.is_at_work(&groups, &before, there) {
                lacks.push(format!("nothing of it was seen on the {}", self.to));
            }
            let strays = match alone {
                true => Vec::new(),
                false => self.strays(&before.here, begun).await?,
            };
            let is_long = begun.elapsed() >= self.waits.quiet;
            if lacks.is_empty() && strays.is_empty() && is_long {
                let members: usize = groups.iter().map(|group| group.members).sum();
                return Ok(format!(
                    "{} in its groups, {} written there since",
                    numbers::of(members as u64, "member"),
                    numbers::of(there, "record")
                ));
            }
            if begun.elapsed() >= limit.max(self.waits.quiet) {
                return Err(self.does_not_live(&lacks, &strays));
            }
            let says = some(&[lacks, strays].concat());
            if says != told && !says.is_empty() {
                self.waits(step, begun, &says);
                told = says;
            }
            sleep(self.waits.pause).await;
        }
    }

    fn is_at_work(&self, groups: &[GroupNow], before: &Before, there: u64) -> bool {
        let moved = groups.iter().any(|group| {
            group.members > 0
                || group.committed.iter().any(|(at, offset)| {
                    let key = (group.name.clone(), at.clone());
                    before
                        .committed
                        .get(&key)
                        .is_some_and(|before| offset > before)
                })
        });
        moved || there > 0
    }

    async fn before(&self, alone: bool) -> Result<Before, Failure> {
        let groups = self.world.groups(self.to, &self.application.groups).await?;
        let mut committed = BTreeMap::new();
        for group in groups {
            for (at, offset) in group.committed {
                committed.insert((group.name.clone(), at), offset);
            }
        }
        let writes = &self.application.writes;
        let ends = async |side| {
            if writes.is_empty() {
                return Ok(Ends::new());
            }
            let ends = self.world.ends(side, writes).await?;
            Ok::<Ends, Failure>(ends.into_iter().map(|end| (end.at, end.end)).collect())
        };
        let there = ends(self.to).await?;
        let mut here = match alone {
            true => Ends::new(),
            false => ends(self.from()).await?,
        };
        // What others write there, too, says nothing of this one.
        let shared = self.plan.steps.iter().find(|step| step.name == SHARED);
        let shared = shared
            .map(|step| list(step, WITH_TOPICS))
            .unwrap_or_default();
        here.retain(|at, _| !shared.iter().any(|topic| **topic == *at.topic));
        Ok(Before {
            committed,
            there,
            here,
        })
    }

    /// What is seen of it where it came from.
    async fn strays(&self, since: &Ends, looked: Instant) -> Result<Vec<String>, Failure> {
        let groups = self
            .world
            .groups(self.from(), &self.application.groups)
            .await?;
        let groups = groups.iter().filter(|group| group.members > 0);
        let mut seen: Vec<String> = groups
            .map(|group| format!("{} on the {}", quiet::members(group), self.from()))
            .collect();
        let written = self.world.carrier().written(self.from(), since).await?;
        let within = looked.elapsed();
        seen.extend(self.written_by(self.from(), written, within).await);
        Ok(seen)
    }

    fn does_not_live(&self, lacks: &[String], strays: &[String]) -> Failure {
        let (code, message) = match lacks.is_empty() && !strays.is_empty() {
            true => (
                "K479",
                format!(
                    "{} works on the {}, and something of it still does on the {}",
                    self.name(),
                    self.to,
                    self.from()
                ),
            ),
            false => (
                "K478",
                format!("{} was not seen at work on the {}", self.name(), self.to),
            ),
        };
        let failure = Failure::new(Exit::Attention, code, message);
        let lines = lacks.iter().chain(strays).take(5);
        lines
            .fold(failure, |failure, one| failure.cause(one.clone()))
            .hint("the same command looks again; the way back is open, too")
            .next(self.command)
    }
}

/// What a group lacks to be at work; `None`: nothing.
fn lacks(name: &str, groups: &[GroupNow], ends: &[EndNow], before: &Before) -> Option<String> {
    let Some(group) = groups.iter().find(|group| group.name == name) else {
        return Some(format!("group {name} is not there"));
    };
    if group.members == 0 {
        return Some(format!("group {name} has no members"));
    }
    let mut lag = 0;
    let mut moved = false;
    for end in ends {
        let Some(offset) = group.committed.get(&end.at) else {
            continue;
        };
        lag += (end.end - offset).max(0);
        let key = (group.name.clone(), end.at.clone());
        moved |= before
            .committed
            .get(&key)
            .is_none_or(|before| offset > before);
    }
    (lag > 0 && !moved).then(|| {
        format!(
            "group {name} has {} to read and reads none of them",
            numbers::of(lag.unsigned_abs(), "record")
        )
    })
}
