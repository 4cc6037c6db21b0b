//! What a person asked for, against what the ledger says has stopped: all of it is possible, or none of it is begun.

use globset::GlobSet;

use super::{Asked, TOMBSTONES, Way, describe, number, of};
use crate::{
    cluster::{OffsetSpec, Source},
    engine::ledger::{
        record::{At, Beyond, Entry, Gap, Recopy, Seam},
        state::{Partition, State},
    },
    error::Failure,
    events::Event,
    exit::Exit,
    model::names::TopicPartition,
};

/// One decision about one partition, to be recorded in its shard's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The shard.
    pub shard: usize,
    /// The partition.
    pub name: TopicPartition,
    /// Its number in that ledger.
    pub at: At,
    /// What was decided.
    pub what: What,
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something is given up.
    Gap(Gap),
    /// It is copied again.
    Recopy(Recopy),
    /// It is an application's.
    NotOurs(Gap),
}

/// All decisions of a start.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// What is to be recorded.
    pub all: Vec<Decision>,
    /// What was asked for and is not done a second time, in sentences.
    pub notes: Vec<String>,
}

impl Decision {
    /// For the ledger.
    pub fn entries(&self) -> Vec<Entry> {
        let at = self.at;
        match self.what.clone() {
            What::Gap(gap) => {
                // What may have been missed up to now is given up; what comes counts from now.
                let at_ms = gap.at_ms;
                let current = number(&gap.code) == TOMBSTONES;
                let current = current.then_some(Entry::Current { at, at_ms });
                [Entry::Gap { at, gap }]
                    .into_iter()
                    .chain(current)
                    .collect()
            }
            What::Recopy(recopy) => vec![Entry::Recopy { at, recopy }],
            What::NotOurs(batch) => vec![Entry::NotOurs { at, batch }],
        }
    }

    /// For the user.
    pub fn event(&self) -> Event {
        let (code, decision) = match &self.what {
            What::Gap(gap) => (&gap.code, describe(gap)),
            What::NotOurs(batch) => (&batch.code, super::taken(batch)),
            What::Recopy(recopy) => (
                &recopy.code,
                "it is copied again from the source's first record".to_owned(),
            ),
        };
        Event::Decided {
            topic: self.name.topic.to_string(),
            partition: self.name.partition,
            code: code.clone(),
            decision,
        }
    }
}

/// Does the ledger still say what the decision is about?
pub fn still_holds(decision: &Decision, state: &State) -> bool {
    let (code, from) = match &decision.what {
        What::Gap(gap) | What::NotOurs(gap) => (&gap.code, gap.from),
        What::Recopy(recopy) => (&recopy.code, recopy.from),
    };
    let stopped = state.partitions.get(&decision.at).map(|one| &one.stopped);
    stopped
        .into_iter()
        .flatten()
        .any(|stopped| stopped.code == *code && stopped.source == from)
}

/// Decides all that was asked for, or says everything that is wrong with it. `states`: the shards' ledgers, in order; `keep`: topics whose
/// records of before stay on the target.
pub fn decide(
    asked: &[Asked],
    by: &str,
    now_ms: i64,
    states: &[&State],
    keep: &GlobSet,
) -> Result<Decisions, Failure> {
    let mut deciding = Deciding {
        by,
        now_ms,
        states,
        keep,
        decided: Decisions::default(),
        faults: Vec::new(),
    };
    for one in asked {
        deciding.take(one);
    }
    deciding.check_whole_topics();
    let Deciding {
        decided, faults, ..
    } = deciding;
    match faults.as_slice() {
        [] => Ok(decided),
        [fault] => Err(refused(fault.clone())),
        faults => {
            let count = faults.len();
            let failure = refused(format!("{count} of the ways asked for cannot be taken"));
            Err(faults
                .iter()
                .fold(failure, |failure, fault| failure.cause(fault)))
        }
    }
}

fn refused(message: String) -> Failure {
    Failure::new(Exit::Refused, "K416", message)
        .hint("nothing was changed; `status` names every stop with the ways past it")
        .next("kafka-migrate status")
}

struct Deciding<'a> {
    by: &'a str,
    now_ms: i64,
    states: &'a [&'a State],
    keep: &'a GlobSet,
    decided: Decisions,
    faults: Vec<String>,
}

type Found<'a> = (usize, TopicPartition, At, &'a Partition);

impl<'a> Deciding<'a> {
    /// What the ledgers know of a topic's partitions, in order.
    fn partitions(&self, topic: &str) -> Vec<Found<'a>> {
        let mut found: Vec<Found<'a>> = Vec::new();
        for (shard, state) in self.states.iter().enumerate() {
            let Some(&number) = state.numbers.get(topic) else {
                continue;
            };
            found.extend(
                state
                    .partitions
                    .iter()
                    .filter(|(at, _)| at.topic == number)
                    .map(|(&at, partition)| {
                        let name = TopicPartition::new(topic, at.partition);
                        (shard, name, at, partition)
                    }),
            );
        }
        found.sort_unstable_by_key(|(_, name, ..)| name.partition);
        found
    }

    fn take(&mut self, asked: &Asked) {
        let known = self.partitions(&asked.topic);
        if known.is_empty() {
            return self.faults.push(format!(
                "{asked}: this migration has not copied anything of a topic of that name"
            ));
        }
        let Some(number) = asked.partition else {
            return self.take_topic(asked, known);
        };
        let one = known
            .into_iter()
            .find(|(_, name, ..)| name.partition == number);
        match one {
            Some(one) => self.take_partition(asked, one),
            None => self.faults.push(format!(
                "{asked}: this migration knows no such partition of the topic"
            )),
        }
    }

    fn take_topic(&mut self, asked: &Asked, known: Vec<Found<'a>>) {
        let (stopped, others): (Vec<_>, Vec<_>) = known
            .into_iter()
            .partition(|(.., partition)| partition.stopped.is_some());
        if stopped.is_empty() {
            let before = others.iter().any(|(.., one)| !one.recopies.is_empty());
            return if before {
                self.decided.notes.push(format!(
                    "{asked}: that was decided before, and none of its partitions has stopped since"
                ));
            } else {
                self.faults
                    .push(format!("{asked}: no partition of it has stopped"));
            };
        }
        for one in stopped {
            self.take_partition(asked, one);
        }
    }

    fn take_partition(&mut self, asked: &Asked, (shard, name, at, partition): Found<'a>) {
        let at_offset = |offset: i64| partition.decisions(offset);
        let is_done = match (asked.stop, asked.way) {
            (Some((_, nth)), _) if asked.partition.is_none() => partition.recopies.len() >= nth,
            (Some((offset, nth)), _) => at_offset(offset) >= nth,
            (None, Way::AcceptGap) => !partition.gaps.is_empty(),
            (None, Way::Recopy) => !partition.recopies.is_empty(),
            (None, Way::NotOurs) => !partition.not_ours.is_empty(),
        };
        let Some(stopped) = &partition.stopped else {
            return if is_done {
                self.decided.notes.push(format!(
                    "{asked}: that was decided before; {name} goes on from there"
                ));
            } else {
                self.faults.push(format!("{asked}: {name} has not stopped"));
            };
        };
        let exact = Asked::naming(asked.way, &name, stopped.source, at_offset(stopped.source));
        let word = if of(&stopped.code).whole_topic && asked.way == Way::Recopy {
            self.whole(&name.topic)
        } else {
            exact.clone()
        };
        if is_done {
            return self.decided.notes.push(format!(
                "{asked}: that was decided before; {name} has stopped again ({}), which is `{word}`",
                stopped.code
            ));
        }
        let named = asked.stop.is_some() && asked.partition.is_some();
        if named && asked.stop != exact.stop {
            return self.faults.push(format!(
                "{asked}: {name} has stopped elsewhere ({}), which is `{exact}`",
                stopped.code
            ));
        }
        let ways = of(&stopped.code);
        let fits = match asked.way {
            Way::AcceptGap => ways.gap,
            Way::Recopy => ways.recopy,
            Way::NotOurs => ways.not_ours,
        };
        let code = stopped.code.clone();
        if !fits {
            return self.faults.push(format!(
                "{asked}: that is no way past {code} of {name}: {}",
                match (ways.gap, ways.recopy) {
                    (true, _) => format!("give it up with {}", Way::AcceptGap.flag()),
                    (_, true) if ways.whole_topic => {
                        format!("copy the topic again: `{}`", self.whole(&name.topic))
                    }
                    (_, true) => format!("copy it again with {}", Way::Recopy.flag()),
                    _ => ways.cure.to_owned(),
                }
            ));
        }
        // Records are deleted from the front only: what stands there goes first.
        if let (Way::Recopy, Some((from, to))) = (asked.way, partition.seam.and_then(Seam::kept))
            && self.keep.is_match(&*name.topic)
        {
            return self.faults.push(format!(
                "{asked}: it would delete target offsets {from} to {} of {name} too, which were there before this migration and are to stay: take `existing = \"keep\"` for {} out of the migration file if they may go",
                to - 1,
                name.topic
            ));
        }
        let (by, at_ms, from) = (self.by.to_owned(), self.now_ms, stopped.source);
        let what = match (asked.way, stopped.beyond) {
            (Way::Recopy, _) => What::Recopy(Recopy {
                code,
                from,
                by,
                at_ms,
            }),
            (Way::AcceptGap, Some(to)) => What::Gap(Gap {
                code,
                from,
                to,
                by,
                at_ms,
            }),
            (Way::NotOurs, Some(to)) => What::NotOurs(Gap {
                code,
                from,
                to,
                by,
                at_ms,
            }),
            (Way::AcceptGap | Way::NotOurs, None) => {
                return self.faults.push(format!(
                    "{asked}: where {name} could go on is not known ({code}): what the source serves there has no end that can be read"
                ));
            }
        };
        let twice = self.decided.all.iter().any(|one| one.name == name);
        if twice {
            return self
                .faults
                .push(format!("{asked}: {name} was already named before"));
        }
        self.decided.all.push(Decision {
            shard,
            name,
            at,
            what,
        });
    }

    /// The word that names all of a topic now.
    fn whole(&self, topic: &str) -> Asked {
        let known = self.partitions(topic).into_iter();
        let before = known.map(|(.., one)| one.recopies.len()).max();
        Asked::topic(Way::Recopy, topic, before.unwrap_or(0))
    }

    /// A topic that was made anew is copied again as a whole: the old offsets of its other partitions mean nothing either.
    fn check_whole_topics(&mut self) {
        let mut faults = Vec::new();
        for decision in &self.decided.all {
            let What::Recopy(recopy) = &decision.what else {
                continue;
            };
            if !of(&recopy.code).whole_topic {
                continue;
            }
            let left = self
                .partitions(&decision.name.topic)
                .into_iter()
                .find(|(_, name, ..)| !self.decided.all.iter().any(|one| one.name == *name));
            if let Some((_, name, ..)) = left {
                let topic = &decision.name.topic;
                let fault = format!(
                    "{topic} was made anew and is copied again as a whole, and {name} is not among what was named: `{}`",
                    self.whole(topic)
                );
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
        self.faults.extend(faults);
    }
}

/// Retention goes on while a person thinks: what is given up ends where the source begins now.
pub async fn renew(decisions: &mut Decisions, source: &Source) -> Result<(), Failure> {
    let overtaken = |decision: &Decision| match &decision.what {
        // Only what was deleted from the front; a batch that is passed over ends where it ends.
        What::Gap(gap) => of(&gap.code).recopy && gap.to.source > gap.from,
        What::Recopy(_) | What::NotOurs(_) => false,
    };
    let names: Vec<_> = decisions
        .all
        .iter()
        .filter(|decision| overtaken(decision))
        .map(|decision| decision.name.clone())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let starts = source.offsets(&names, OffsetSpec::Earliest).await;
    for decision in &mut decisions.all {
        let Some(start) = starts.get(&decision.name) else {
            continue;
        };
        if let What::Gap(gap) = &mut decision.what {
            let start = start.clone().map_err(|error| error.failure())?;
            if start > gap.to.source {
                gap.to = Beyond {
                    source: start,
                    epoch: -1,
                };
            }
        }
    }
    Ok(())
}
