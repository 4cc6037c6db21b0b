//! The plan of `cleanup`: what the migration made is removed, one after the other, once nobody depends on it; and what its steps do.

pub mod embedded;

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    carrier::other,
    standing::{CLEANUP, Standing},
    world::GroupNow,
};
use crate::{
    clock,
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::{names::Side, numbers},
    run::{
        plan::{CLUSTERS, JOURNAL, Plan, VERSION, counted},
        step::{Effects, Fails, Step, What},
    },
};

/// Does nobody depend on what is removed?
pub const UNUSED: &str = "nobody-depends-on-it";
const REMOVE: &str = "remove-";

/// Something that the migration made, and that is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it is: `replicator`, `secret`.
    pub kind: String,
    /// Its name; one of a kind.
    pub name: String,
    /// What names it to whoever removes it, such as an ARN.
    pub id: String,
    /// What removing it means beside its end, in words; empty: nothing. A secret that can be restored for 30 days, say.
    pub note: String,
}

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What it is.
    pub what: String,
    /// How a person removes it; empty where it is meant to stay.
    pub how: String,
}

/// Whoever made things for the migration, and can remove them.
pub trait Removes: Send + Sync {
    /// What is still there of what it made, in the order in which it has to go. Only what the journal or a tag says is ours.
    fn made(&self) -> impl Future<Output = Result<Vec<Made>, Failure>> + Send;

    /// Begins to remove one of them; that it is gone already is as good. It need not be gone when this returns.
    fn remove(&self, one: &Made) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Is it gone?
    fn is_gone(&self, one: &Made) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// What stays when all of this is gone, and how a person removes it.
    fn left(&self) -> Vec<Left>;
}

/// Whether somebody depends on it, asked of both clusters.
pub trait Interlock: Send + Sync {
    /// `Err` names who does.
    fn nobody(&self) -> impl Future<Output = Result<String, Failure>> + Send;
}

/// What a cleanup is made from.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The migration's name.
    pub migration: String,
    /// Ids of both clusters, the source first; what is not known of a target that is gone is empty.
    pub clusters: [String; 2],
    /// How far the migration is.
    pub journal: String,
    /// A checksum of the settings.
    pub settings: String,
    /// What is there.
    pub made: Vec<Made>,
    /// The target is given up.
    pub abandons_target: bool,
}

/// Removes what is there, in its order.
pub fn plan(of: &Seen) -> Plan {
    let says = match of.abandons_target {
        false => "all applications are on one side, and nothing of them is seen on the other",
        true => "all applications are on the source; the target is given up",
    };
    let mut steps = vec![Step::new(UNUSED, What::Attestation, says.to_owned())];
    steps.extend(of.made.iter().map(removal));
    let made: Vec<String> = of
        .made
        .iter()
        .map(|one| format!("{} {}", one.kind, one.id))
        .collect();
    let [source, target] = &of.clusters;
    Plan {
        v: VERSION,
        migration: of.migration.clone(),
        phase: CLEANUP.to_owned(),
        subject: String::new(),
        made_at_ms: clock::unix_millis(),
        rests_on: [
            (CLUSTERS[0], source.clone()),
            (CLUSTERS[1], target.clone()),
            (JOURNAL, of.journal.clone()),
            ("settings", of.settings.clone()),
            ("to be removed", counted("thing", &made)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
        steps,
        clients: "nobody notices: nothing is copied that anybody needs".to_owned(),
        back: "there is none: what comes after this is another migration".to_owned(),
    }
}

fn removal(of: &Made) -> Step {
    let Made {
        kind,
        name,
        id,
        note,
    } = of;
    let note = match note.is_empty() {
        true => String::new(),
        false => format!("; {note}"),
    };
    let with = [("kind", kind), ("name", name), ("id", id)];
    Step {
        // What is half removed waits for the same command: nothing of it can be put back.
        fails: Fails::Attention,
        with: with
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .into(),
        ..Step::new(
            &format!("{REMOVE}{kind}-{name}"),
            What::Effect,
            format!("remove the {kind} {name}, and wait until it is gone{note}"),
        )
    }
}

/// What the steps of a cleanup do.
pub struct Removal<'a, R, I> {
    /// Whoever made it.
    pub removes: &'a R,
    /// Whether somebody depends on it.
    pub interlock: &'a I,
    /// Where to say what is waited for.
    pub events: &'a Events,
    /// The longest that one thing may take to be gone.
    pub within: Duration,
    /// Between two looks.
    pub pause: Duration,
}

impl<R: Removes, I: Interlock> Removal<'_, R, I> {
    async fn remove(&self, step: &Step) -> Result<String, Failure> {
        let made = of(step)?;
        let said = self.removes.remove(&made).await?;
        let begun = Instant::now();
        let mut told = false;
        while !self.removes.is_gone(&made).await? {
            if begun.elapsed() >= self.within {
                let limit = numbers::time(self.within);
                return Err(Failure::new(
                    Exit::Stopped,
                    "K485",
                    format!("the {} {} is not gone after {limit}", made.kind, made.name),
                )
                .hint("it may only be slow: the same command looks again, and goes on"));
            }
            if !told {
                told = true;
                self.events.send(Event::StepWaits {
                    step: step.name.clone(),
                    said: format!("the {} {} is being removed", made.kind, made.name),
                    waited_ms: 0,
                });
            }
            sleep(self.pause).await;
        }
        Ok(said)
    }
}

/// What a step removes.
fn of(step: &Step) -> Result<Made, Failure> {
    let with = |key: &str| step.with.get(key).cloned();
    match (
        step.name.starts_with(REMOVE),
        with("kind"),
        with("name"),
        with("id"),
    ) {
        (true, Some(kind), Some(name), Some(id)) => Ok(Made {
            kind,
            name,
            id,
            note: String::new(),
        }),
        _ => Err(step.is_unknown()),
    }
}

impl<R: Removes, I: Interlock> Effects for Removal<'_, R, I> {
    async fn perform(&self, step: &Step, _attempt: u32) -> Result<String, Failure> {
        self.remove(step).await
    }

    async fn holds(&self, step: &Step) -> Result<bool, Failure> {
        self.removes.is_gone(&of(step)?).await
    }

    async fn undo(&self, step: &Step, _attempt: u32) -> Result<String, Failure> {
        Err(step.is_unknown())
    }

    async fn attest(&self, step: &Step) -> Result<String, Failure> {
        match step.name.as_str() {
            UNUSED => self.interlock.nobody().await,
            _ => Err(step.is_unknown()),
        }
    }
}

/// Who still depends on what is copied? `groups` are those in scope with members, by side.
pub fn depends(
    standings: &BTreeMap<String, Standing>,
    groups: &[(Side, GroupNow)],
    abandons_target: bool,
) -> Result<String, Failure> {
    let refused = |code, message: String| Failure::new(Exit::Refused, code, message);
    let moving: Vec<&String> = standings
        .iter()
        .filter(|(_, standing)| standing.moving.is_some())
        .map(|(name, _)| name)
        .collect();
    if let Some(first) = moving.first() {
        return Err(refused(
            "K483",
            format!("{first} is between the two sides, so nothing is removed"),
        )
        .hint("move it on or back first")
        .next("kafka-migrate status"));
    }
    let on = |side: Side| -> Vec<&String> {
        let there = standings.iter().filter(|(_, standing)| standing.at == side);
        there.map(|(name, _)| name).collect()
    };
    let (here, there) = (on(Side::Source), on(Side::Target));
    if let (Some(first), true) = (there.first(), abandons_target) {
        return Err(refused(
            "K483",
            format!("{first} is on the target, which is to be given up"),
        )
        .hint("take it back first")
        .next(format!(
            "kafka-migrate rollback --app {first} --without-target"
        )));
    }
    if let (Some(stays), Some(moved)) = (here.first(), there.first()) {
        return Err(refused(
            "K483",
            format!("applications are on both sides and need what is copied: {stays} on the source, {moved} on the target"),
        )
        .hint("move them all to one side first")
        .next("kafka-migrate cutover --all"));
    }
    let side = match there.is_empty() {
        true => Side::Source,
        false => Side::Target,
    };
    let strays: Vec<&(Side, GroupNow)> = groups
        .iter()
        .filter(|(on, group)| *on == other(side) && group.members > 0)
        .collect();
    if let Some((on, group)) = strays.first() {
        let failure = refused(
            "K484",
            format!("group {} still reads on the {on}", group.name),
        );
        let more = strays.iter().skip(1).take(4);
        return Err(more
            .fold(failure, |failure, (on, group)| {
                failure.cause(format!("and group {} on the {on}", group.name))
            })
            .hint("stop what reads there, or take its groups out of scope"));
    }
    Ok(format!(
        "{} on the {side}, none on the {}",
        numbers::of(standings.len() as u64, "application"),
        other(side)
    ))
}

#[cfg(test)]
mod tests;
