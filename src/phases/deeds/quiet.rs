//! Has an application stopped? Nothing of it is seen for a while: no members, no records, no open transaction.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Deeds, some};
use crate::{
    error::Failure,
    exit::Exit,
    model::{
        names::{Side, TopicPartition},
        numbers,
    },
    phases::{
        carrier::{Carrier as _, Ends, other},
        moving::{SHARED, WITH_ALONE, WITH_TOPICS},
        world::{GroupNow, World},
    },
    run::step::Step,
};

impl<W: World> Deeds<'_, W> {
    /// Waits until nothing of it was seen for long enough.
    pub(super) async fn quiet(&self, step: &Step) -> Result<String, Failure> {
        let by_hook = self.application.hooks.stop.is_some();
        let limit = match by_hook {
            true => self.waits.hook,
            false => self.waits.person,
        };
        let alone = step.with.contains_key(WITH_ALONE);
        let begun = Instant::now();
        let mut since: Option<(Instant, Ends)> = None;
        let mut told = String::new();
        loop {
            let mut seen = self.members(alone).await?;
            let ends = self.sole_ends(&mut seen).await?;
            if seen.is_empty() {
                match &since {
                    None => since = Some((Instant::now(), ends)),
                    Some((still_since, before)) => {
                        let written = self
                            .world
                            .carrier()
                            .written(self.here(alone), before)
                            .await?;
                        let here = self.here(alone);
                        let by = self.written_by(here, written, still_since.elapsed()).await;
                        if !by.is_empty() {
                            seen.extend(by);
                            since = None;
                        } else if still_since.elapsed() >= self.waits.quiet {
                            let quiet = numbers::time(self.waits.quiet);
                            return Ok(format!("nothing of it was seen for {quiet}"));
                        }
                    }
                }
            } else {
                since = None;
            }
            if begun.elapsed() >= limit {
                return Err(self.not_quiet(&seen, by_hook));
            }
            let says = match seen.is_empty() {
                true => "nothing of it is seen; waits whether it stays so".to_owned(),
                false => some(&seen),
            };
            if says != told {
                self.waits(step, begun, &says);
                told = says;
            }
            sleep(self.waits.pause).await;
        }
    }

    /// Where it has to be quiet: where it comes from, or the only side there is.
    fn here(&self, alone: bool) -> Side {
        match alone {
            true => self.to,
            false => self.from(),
        }
    }

    /// Members of its groups, on both sides where both can be asked.
    async fn members(&self, alone: bool) -> Result<Vec<String>, Failure> {
        let mut sides = vec![self.here(alone)];
        // What an earlier run began to start there may be there.
        if !alone && !self.begun.started {
            sides.push(other(sides[0]));
        }
        let mut seen = Vec::new();
        for side in sides {
            let groups = self.world.groups(side, &self.application.groups).await?;
            seen.extend(
                groups
                    .iter()
                    .filter(|group| group.members > 0)
                    .map(|group| format!("{} on the {side}", members(group))),
            );
        }
        Ok(seen)
    }

    /// Ends of the partitions that it alone writes; adds open transactions to what is seen.
    async fn sole_ends(&self, seen: &mut Vec<String>) -> Result<Ends, Failure> {
        let alone = self
            .plan
            .steps
            .iter()
            .any(|step| step.with.contains_key(WITH_ALONE));
        let writes = &self.application.writes;
        if alone || writes.is_empty() {
            return Ok(Ends::new());
        }
        let shared = self.plan.steps.iter().find(|step| step.name == SHARED);
        let shared = shared.map(|step| super::list(step, WITH_TOPICS));
        let shared = shared.unwrap_or_default();
        let mut ends = Ends::new();
        for end in self.world.ends(self.from(), writes).await? {
            if shared.iter().any(|topic| **topic == *end.at.topic) {
                continue;
            }
            if end.is_open() {
                seen.push(format!(
                    "a transaction is open in {} from offset {} on",
                    end.at, end.stable
                ));
            }
            ends.insert(end.at, end.end);
        }
        Ok(ends)
    }

    /// Who wrote so many records to these partitions within this time, in words; none where nothing was written.
    pub(super) async fn written_by(
        &self,
        on: Side,
        mut written: BTreeMap<TopicPartition, u64>,
        within: Duration,
    ) -> Vec<String> {
        written.retain(|_, count| *count > 0);
        if written.is_empty() {
            return Vec::new();
        }
        let moved: Vec<TopicPartition> = written.keys().cloned().collect();
        let known = self.world.writers(on, &moved).await;
        let said = |(at, count): (&TopicPartition, &u64)| {
            let who = known.get(at);
            let who = who.map_or_else(|| format!("somebody wrote to {at}"), Clone::clone);
            let count = numbers::of(*count, "record");
            format!(
                "{who} on the {on}: {count} within {}",
                numbers::time(within)
            )
        };
        written.iter().map(said).collect()
    }

    fn not_quiet(&self, seen: &[String], by_hook: bool) -> Failure {
        let from = self.from();
        let exit = match by_hook {
            true => Exit::Stopped,
            false => Exit::Attention,
        };
        let failure = Failure::new(
            exit,
            "K472",
            format!("{} is not quiet on the {from}", self.name()),
        );
        let failure = seen
            .iter()
            .take(5)
            .fold(failure, |failure, one| failure.cause(one.clone()));
        let failure = match seen.is_empty() {
            true => failure.cause(format!(
                "it was, but not yet for {}",
                numbers::time(self.waits.quiet)
            )),
            false => failure,
        };
        match by_hook {
            true => failure.hint("the stop hook has to end only when nothing of it runs any more"),
            false => failure
                .hint("stop it, then run the same command; the file may name hooks that do it")
                .next(self.command),
        }
    }
}

/// A group and its members, in words.
pub(super) fn members(group: &GroupNow) -> String {
    let who = match group.clients.is_empty() {
        true => String::new(),
        false => format!(" ({})", group.clients.join(", ")),
    };
    format!(
        "group {} has {}{who}",
        group.name,
        numbers::of(group.members as u64, "member")
    )
}
