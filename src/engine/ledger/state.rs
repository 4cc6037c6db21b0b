//! What a shard's ledger says in all, folded from its records.
//!
//! 1. A record counts only if it was written under the last claim before it.
//! 2. A claim counts if its generation is above that of the last one, or if it repeats the last one (a snapshot does): an engine that was
//!    taken over cannot take the ledger back by what it writes late.
//! 3. An identity is open from its record until it is sealed or fenced; a sealed one is opened again by `Continued`.
//! 4. A gap that a person gave up, or that is none because the owner had read what it deleted, moves the checkpoint that stands at its
//!    beginning, once; a snapshot that repeats it moves nothing.
//! 5. A request counts whoever wrote it, in the ledger's order, and is nobody's sign of life: `apply` does not count it. Once appended twice it
//!    is one.
//! 6. Runs are kept from the one that holds the checkpoint's sequence on; older ones only up to a bound. What they said of positions
//!    has become part of the map by then.

mod partition;
mod snapshot;

pub use partition::Partition;
use partition::push;

use std::collections::{BTreeMap, HashMap, VecDeque};

use uuid::Uuid;

use super::{
    epochs::Epochs,
    mapped::Mapped,
    positions::Book,
    record::{Answer, At, Entry, Header, Heartbeat, Held, Owner, Record, Request, Retired, Steer},
    synced::Synced,
};
use crate::model::names::{TopicName, TopicPartition};

/// Segments of maps kept of all partitions of a shard.
const SEGMENTS_KEPT: usize = 1 << 17;
/// Requests and answers that are remembered.
const REQUESTS_KEPT: usize = 64;

/// A shard's ledger.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What the ledger is.
    pub header: Option<Header>,
    /// The last claim.
    pub claim: Option<Claim>,
    /// The last owner said that it ended.
    pub ended: bool,
    /// Every identity ever used, by number.
    pub identities: BTreeMap<u32, Identity>,
    /// Fenced identities whose markers have to be kept up.
    pub retired: BTreeMap<u32, Retired>,
    /// Topics by number.
    pub topics: Vec<Topic>,
    /// Numbers of topics by name; a topic that was made anew has a new number.
    pub numbers: HashMap<TopicName, u32>,
    /// Settings of topics on the target that are not as they were, by the topic's number.
    pub held: BTreeMap<u32, Held>,
    /// What is known of partitions.
    pub partitions: HashMap<At, Partition>,
    /// The last sign of life.
    pub heartbeat: Option<Heartbeat>,
    /// The last request to pause, to come to an end, or to resume.
    pub pause: Option<Wanted>,
    /// The last request for another limit.
    pub throttle: Option<Wanted>,
    /// Requests without an answer, in order.
    pub unanswered: VecDeque<Wanted>,
    /// The last answers.
    pub answers: VecDeque<Answer>,
    /// Groups and their positions.
    pub book: Book,
    /// Settings and access rules that follow the source.
    pub synced: Synced,
    /// Segments of all partitions' maps.
    pub segments: usize,
}

/// A request, and where it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The request.
    pub request: Request,
    /// Its offset.
    pub offset: i64,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its generation.
    pub generation: u64,
    /// The run that made it.
    pub run: u64,
    /// Who.
    pub owner: Owner,
    /// Where it stands in the ledger.
    pub offset: i64,
}

/// A producer id and epoch under which batches were, or may have been, written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Producer id.
    pub producer_id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// What became of it.
    pub standing: Standing,
}

/// What became of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Somebody may still write under it.
    Open,
    /// Its run ended with nothing in flight and nothing unknown.
    Sealed,
    /// It was shut out everywhere.
    Fenced,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its id on the source.
    pub source_id: Uuid,
    /// Its id on the target.
    pub target_id: Uuid,
}

impl State {
    /// Takes in a record found at `offset`. Answers whether it counts.
    pub fn apply(&mut self, record: Record, offset: i64) -> bool {
        let Record {
            generation,
            run,
            entries,
        } = record;
        if let [Entry::Request(request)] = entries.as_slice() {
            self.ask(request.clone(), offset);
            return false;
        }
        let claims = entries.iter().any(|entry| matches!(entry, Entry::Claim(_)));
        let repeats = self
            .claim
            .as_ref()
            .is_some_and(|claim| (claim.generation, claim.run) == (generation, run));
        let rises = self
            .claim
            .as_ref()
            .is_none_or(|claim| claim.generation < generation);
        let counts = repeats || (claims && rises);
        if !counts {
            return false;
        }
        for entry in entries {
            if let Entry::Claim(owner) = entry {
                if !repeats {
                    self.ended = false;
                }
                self.claim = Some(Claim {
                    generation,
                    run,
                    owner,
                    offset,
                });
            } else {
                self.take(entry);
            }
        }
        true
    }

    /// Takes in what the owner itself says.
    pub fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Header(header) => {
                self.header.get_or_insert(header);
            }
            // A request among other things is none of ours.
            Entry::Claim(_) | Entry::Intent { .. } | Entry::Request(_) => {}
            Entry::Standing { request, offset } => self.ask(request, offset),
            Entry::Answer(answer) => self.answered(answer),
            Entry::Identity {
                number,
                producer_id,
                epoch,
                fences: _,
            } => {
                let standing = Standing::Open;
                self.identities.insert(
                    number,
                    Identity {
                        producer_id,
                        epoch,
                        standing,
                    },
                );
            }
            Entry::Continued { number } => self.stand(number, Standing::Open),
            Entry::Fenced { number } => self.stand(number, Standing::Fenced),
            Entry::Sealed { number } => {
                self.stand(number, Standing::Sealed);
                self.ended = true;
            }
            Entry::Ended => self.ended = true,
            Entry::Topic {
                number,
                name,
                source_id,
                target_id,
            } => {
                let name = TopicName::from(name);
                let topic = Topic {
                    name: name.clone(),
                    source_id,
                    target_id,
                };
                // Numbers are given in order; a snapshot repeats them.
                let index = number as usize;
                if index == self.topics.len() {
                    self.topics.push(topic);
                } else if let Some(known) = self.topics.get_mut(index) {
                    *known = topic;
                } else {
                    return;
                }
                self.numbers.insert(name, number);
            }
            Entry::Seam { at, seam } => self.at(at).seam = Some(seam),
            Entry::Run { at, run } => push(&mut self.at(at).runs, run),
            Entry::TargetRun { at, run } => push(&mut self.at(at).target_runs, run),
            Entry::Checkpoint { at, checkpoint } => {
                self.map_of(at, |partition| {
                    let runs = [&partition.runs, &partition.target_runs];
                    partition.map.extend(runs, &checkpoint);
                });
                let partition = self.at(at);
                partition.checkpoint = Some(checkpoint);
                partition.trim();
            }
            Entry::Mapped { at, mapped } => {
                self.map_of(at, |partition| partition.map = Mapped::from(mapped));
            }
            Entry::Current { at, at_ms } => self.at(at).current = Some(at_ms),
            Entry::Echo { at, echo } => self.at(at).echo = Some(echo),
            Entry::Stopped { at, stopped } => self.at(at).stopped = Some(stopped),
            Entry::Resumed { at } => self.at(at).stopped = None,
            Entry::Gap { at, gap } => self.map_of(at, |partition| partition.give_up(gap)),
            Entry::Trimmed { at, trimmed } => {
                self.map_of(at, |partition| partition.pass_trimmed(trimmed));
            }
            Entry::NotOurs { at, batch } => self.at(at).take_for_an_applications(batch),
            Entry::Stranded { at, stranded } => self.at(at).stranded = Some(stranded),
            Entry::Recopy { at, recopy } => self.at(at).copy_again(recopy),
            Entry::Recopied {
                at,
                seam,
                checkpoint,
            } => {
                let partition = self.at(at);
                // A snapshot says it once more.
                if !std::mem::take(&mut partition.recopying) {
                    return;
                }
                let segments = partition.map.segments.len();
                partition.map = Mapped::starting(&checkpoint);
                // What was said of the old copy is over.
                partition.runs.clear();
                partition.target_runs.clear();
                partition.epochs = Epochs::default();
                partition.echo = None;
                partition.seam = Some(seam);
                partition.checkpoint = Some(checkpoint);
                self.segments -= segments;
            }
            Entry::Epoch { at, epoch } => self.at(at).epochs.push(epoch),
            Entry::Held { topic, held } => drop(self.held.insert(topic, held)),
            Entry::LetGo { topic } => drop(self.held.remove(&topic)),
            Entry::Heartbeat(heartbeat) => self.heartbeat = Some(heartbeat),
            Entry::Retired {
                number,
                retired: Some(retired),
            } => drop(self.retired.insert(number, retired)),
            Entry::Retired {
                number,
                retired: None,
            } => drop(self.retired.remove(&number)),
            Entry::Authority(_)
            | Entry::Stood { .. }
            | Entry::Written { .. }
            | Entry::GroupStands { .. }
            | Entry::GroupBeat(_) => self.book.take(&entry),
            Entry::Brought { .. } | Entry::Rules { .. } | Entry::Writes(_) | Entry::Synced(_) => {
                self.synced.take(&entry)
            }
        }
    }

    /// Somebody wants the engine to stand still.
    pub fn is_paused(&self) -> bool {
        let last = self.pause.as_ref();
        last.is_some_and(|last| last.request.steer == Steer::Pause)
    }

    /// Who wants whatever engine runs to come to an end, if somebody does.
    pub fn stopped_by(&self) -> Option<&str> {
        let last = self.pause.as_ref()?;
        (last.request.steer == Steer::Stop).then_some(&*last.request.by)
    }

    fn ask(&mut self, request: Request, offset: i64) {
        let id = request.id;
        // What is asked once and then done stands nowhere but among the unanswered.
        let mut passing = None;
        let slot = match request.steer {
            Steer::Pause | Steer::Resume | Steer::Stop => &mut self.pause,
            Steer::Throttle(_) => &mut self.throttle,
            Steer::Authority { .. }
            | Steer::Writes { .. }
            | Steer::Attend
            | Steer::Strand { .. } => &mut passing,
        };
        let is_known = slot.as_ref().is_some_and(|last| last.request.id == id)
            || self.unanswered.iter().any(|one| one.request.id == id);
        let is_answered = self.answers.iter().any(|answer| answer.id == id);
        // What was appended once more after an unknown outcome asks for nothing new; a snapshot may say what was answered.
        let is_later = slot.as_ref().is_none_or(|last| last.offset < offset);
        let wanted = Wanted { request, offset };
        if is_later && (slot.is_none() || !(is_known || is_answered)) {
            *slot = Some(wanted.clone());
        }
        if is_known || is_answered {
            return;
        }
        if self.unanswered.len() == REQUESTS_KEPT {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(wanted);
    }

    fn answered(&mut self, answer: Answer) {
        self.unanswered.retain(|one| one.request.id != answer.id);
        if self.answers.iter().any(|known| known.id == answer.id) {
            return;
        }
        if self.answers.len() == REQUESTS_KEPT {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
    }

    fn at(&mut self, at: At) -> &mut Partition {
        self.partitions.entry(at).or_default()
    }

    /// Changes a partition's map, and lets go of the oldest parts of the longest ones if all of them together are too long.
    fn map_of(&mut self, at: At, change: impl FnOnce(&mut Partition)) {
        let partition = self.partitions.entry(at).or_default();
        let before = partition.map.segments.len();
        change(partition);
        self.segments = self.segments - before + partition.map.segments.len();
        while self.segments > SEGMENTS_KEPT {
            let maps = self.partitions.values_mut().map(|one| &mut one.map);
            let longest = maps.max_by_key(|map| map.segments.len());
            match longest.map_or(0, Mapped::drop_oldest) {
                0 => return,
                dropped => self.segments -= dropped,
            }
        }
    }

    fn stand(&mut self, number: u32, standing: Standing) {
        if let Some(identity) = self.identities.get_mut(&number) {
            identity.standing = standing;
        }
    }

    /// Numbers of the identities in this standing.
    pub fn standing(&self, standing: Standing) -> Vec<u32> {
        self.identities
            .iter()
            .filter(|(_, identity)| identity.standing == standing)
            .map(|(&number, _)| number)
            .collect()
    }

    /// A partition's number and what is known of it.
    pub fn partition(&self, of: &TopicPartition) -> Option<(At, &Partition)> {
        let at = At {
            topic: *self.numbers.get(&of.topic)?,
            partition: of.partition,
        };
        Some((at, self.partitions.get(&at)?))
    }

    /// A partition's name.
    pub fn name(&self, at: At) -> Option<TopicPartition> {
        let topic = self.topics.get(at.topic as usize)?;
        Some(TopicPartition {
            topic: topic.name.clone(),
            partition: at.partition,
        })
    }
}

#[cfg(test)]
mod tests;
