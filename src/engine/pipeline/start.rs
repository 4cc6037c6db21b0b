//! Takes partitions on: where the ledger knows them, from there; else from first contact, which goes to the ledger before anything is sent.

use std::sync::Arc;

use tokio::{
    sync::Semaphore,
    time::{Duration, sleep},
};

use super::{
    Assignment, Done, Partition, Phase, Reason, Session, current::Current, echo::Echoes,
    still_there, strand::STRANDED,
};
use crate::{
    clock,
    engine::{
        lanes::Lanes,
        ledger::{
            record::{At, Entry, Seam},
            state,
        },
        recover::{self, Position, Unclear},
        steps,
    },
    model::names::TopicPartition,
};

/// Tails read at once.
const READING: usize = 4;
/// Pause before a partition that could not be asked is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// A topic was deleted and made anew.
pub const MADE_ANEW: &str = "K503";

/// What happened to such a topic.
pub fn made_anew(side: &str) -> String {
    format!(
        "the topic was deleted and made anew on the {side}: its records are not the ones that were copied"
    )
}

/// The target appended a batch although it had refused the one before.
pub(super) const BROKEN: &str = "K517";

/// Stops that a later look at the target's log does not show: what was appended in the wrong order looks like any other, and what was
/// lost may have been as long as the markers that stand there now. Only a person can end them.
pub(super) const NOT_SEEN_AGAIN: [&str; 2] = [BROKEN, still_there::LOST];

impl Session {
    /// Takes partitions on.
    pub(super) fn assign(&mut self, assigned: &[Assignment]) {
        let reading = Arc::new(Semaphore::new(READING));
        let (mut strangers, mut resumed) = (Vec::new(), Vec::new());
        for assignment in assigned {
            if let Some(&index) = self.index.get(&assignment.name) {
                if let Some(reason) = assignment.refused.clone() {
                    self.stop_partition(index, reason);
                }
                continue;
            }
            let (mut at, mut recreated) = self.number(assignment);
            if recreated.is_some() && self.known.get(&at).is_some_and(|known| known.recopying) {
                (at, recreated) = (self.renumber(assignment), None);
            }
            let index = self.partitions.len();
            let mut partition = Partition::new(assignment.name.clone(), at, assignment.source_id);
            partition.wanted_end = assignment.wanted_end;
            partition.codec = assignment.takes.codec;
            partition.largest = assignment.takes.largest.unwrap_or(usize::MAX);
            partition.existing = assignment.existing;
            partition.begin_at = assignment.begin_at;
            let lane = |lanes: &Option<Lanes>| Some(lanes.as_ref()?.lane(&assignment.name));
            partition.our_lane = lane(&self.shared.our_lanes);
            partition.their_lane = lane(&self.shared.their_lanes);
            partition.too_old_ms = assignment.takes.too_old_ms;
            self.index.insert(assignment.name.clone(), index);
            let known = self.known.remove(&at);
            if let Some(known) = &known
                && let Some(position) = recover::known(known)
            {
                partition.checkpoint = known.checkpoint;
                partition.origin = known.seam.map_or(position.source, |seam| seam.source_start);
                partition.kept = known.seam.and_then(Seam::kept);
                partition.source = position.source;
                partition.durable = position.source;
                partition.target = position.target;
            }
            if let Some(kept_ms) = assignment.tombstones_ms {
                let told = known.as_ref().and_then(|known| known.current);
                // One that was not compacted when it was met: it was looked after as long as an engine lived.
                let met = known
                    .as_ref()
                    .is_some_and(|known| known.checkpoint.is_some());
                let at_ms = told.or(self.lived_ms.filter(|_| met));
                let at_ms = at_ms.unwrap_or_else(clock::unix_millis);
                partition.current = Some(Current::new(kept_ms, at_ms, told.is_some()));
            }
            if let Some(known) = &known {
                let gaps = known.gaps.iter().map(|gap| gap.from);
                let recopies = known.recopies.iter().map(|recopy| recopy.from);
                partition.recopies = known.recopies.len();
                partition.epochs = known.epochs.clone();
                partition.echoes = Echoes::new(known.echo);
                partition.told_echo = known.echo;
                let of = |is_stranded: bool| {
                    let said = known.not_ours.iter();
                    let said = said.filter(|one| (one.code == STRANDED) == is_stranded);
                    said.map(|one| (one.from, one.to.source)).collect()
                };
                (partition.not_ours, partition.brought) = (of(false), of(true));
                partition.trimmed = known.trimmed.clone();
                partition.stranded = known.stranded.as_ref().map(|one| one.until);
                let not_ours = known.not_ours.iter().map(|one| one.from);
                partition.decided = gaps.chain(recopies).chain(not_ours).collect();
            }
            partition.stopped_before = known.as_ref().and_then(|known| known.stopped.clone());
            self.partitions.push(partition);
            if let Some(reason) = assignment.refused.clone().or(recreated) {
                self.stop_partition(index, reason);
                continue;
            }
            match known {
                Some(known) if known.recopying => self.copy_again(index, known, &reading),
                Some(known) if not_seen_again(&known).is_some() => {
                    if let Some(reason) = not_seen_again(&known) {
                        self.stop_partition(index, reason);
                    }
                }
                Some(known) if recover::known(&known).is_some() => {
                    self.resume(index, known, &reading);
                    resumed.push(index);
                }
                _ => strangers.push(index),
            }
        }
        self.look_whether_still_there(&resumed);
        // An offline partition is asked for a long time: the others do not wait for it.
        let led = |index: &usize| {
            let name = &self.partitions[*index].name;
            self.shared.source.cached_leader(name).is_some()
                && self.shared.target.cached_leader(name).is_some()
        };
        let (led, others): (Vec<_>, Vec<_>) = strangers.into_iter().partition(led);
        self.meet(led);
        for some in others.chunks(1) {
            self.meet(some.to_vec());
        }
    }

    /// Finds and keeps the positions of partitions that a fence covers and nobody copies any more: else the fence would never be over.
    pub(super) fn look_after_left(&mut self) {
        let reading = Arc::new(Semaphore::new(READING));
        let covered: Vec<At> = self
            .fences
            .iter()
            .flat_map(|fence| fence.partitions.iter().copied())
            .collect();
        for at in covered {
            let name = self.topics.iter().find_map(|(name, (number, ..))| {
                (*number == at.topic).then(|| TopicPartition::new(name.clone(), at.partition))
            });
            let (Some(name), Some(known)) = (name, self.known.remove(&at)) else {
                continue;
            };
            let index = self.partitions.len();
            let partition = Partition::new(name.clone(), at, uuid::Uuid::nil());
            self.index.insert(name, index);
            self.partitions.push(partition);
            self.left.insert(index);
            self.resume(index, known, &reading);
        }
    }

    /// The topic's number in the ledger; a new one for a topic that is new. A topic whose id changed was made anew.
    fn number(&mut self, assignment: &Assignment) -> (At, Option<Reason>) {
        let partition = assignment.name.partition;
        let (source_id, target_id) = (assignment.source_id, assignment.target_id);
        if let Some(&(topic, known_source, known_target)) = self.topics.get(&assignment.name.topic)
        {
            let changed = |known: uuid::Uuid, now: uuid::Uuid| {
                !known.is_nil() && !now.is_nil() && known != now
            };
            let reason = |side: &str| Reason {
                code: MADE_ANEW,
                text: made_anew(side),
            };
            let recreated = if changed(known_source, source_id) {
                Some(reason("source"))
            } else if changed(known_target, target_id) && assignment.refused.is_none() {
                Some(reason("target"))
            } else {
                None
            };
            return (At { topic, partition }, recreated);
        }
        let topic = u32::try_from(self.topics.len()).unwrap_or(u32::MAX);
        self.topics
            .insert(assignment.name.topic.clone(), (topic, source_id, target_id));
        self.entries.push(Entry::Topic {
            number: topic,
            name: assignment.name.topic.to_string(),
            source_id,
            target_id,
        });
        (At { topic, partition }, None)
    }

    /// A person wants the topic copied again: the ledger's number from now on means the topic as it is now.
    fn renumber(&mut self, assignment: &Assignment) -> At {
        let name = &assignment.name;
        let (source_id, target_id) = (assignment.source_id, assignment.target_id);
        let topic = self.topics.entry(name.topic.clone()).or_default();
        (topic.1, topic.2) = (source_id, target_id);
        let number = topic.0;
        self.entries.push(Entry::Topic {
            number,
            name: name.topic.to_string(),
            source_id,
            target_id,
        });
        At {
            topic: number,
            partition: name.partition,
        }
    }

    /// Goes on where the ledger says, once every fence that covers the partition is seen to be done.
    fn resume(&mut self, index: usize, known: state::Partition, reading: &Arc<Semaphore>) {
        let partition = &self.partitions[index];
        let at = partition.at;
        if !self
            .fences
            .iter()
            .any(|fence| fence.partitions.contains(&at))
        {
            let sequence = known
                .checkpoint
                .filter(|checkpoint| checkpoint.identity == self.writer.number)
                .map_or(0, |checkpoint| checkpoint.next_sequence);
            if let Some(position) = recover::known(&known) {
                self.partitions[index].begin(position, sequence);
            }
            return;
        }
        if let Some(reason) = self.cannot_be_fenced(index) {
            return self.stop_partition(index, reason);
        }
        let (target, name) = (self.shared.target.clone(), partition.name.clone());
        let fences: Vec<_> = self
            .fences
            .iter()
            .filter(|fence| fence.partitions.contains(&at))
            .cloned()
            .collect();
        let reading = reading.clone();
        self.beside.push(Box::pin(async move {
            loop {
                // A turn for each try: partitions that cannot be read for the moment do not keep others waiting.
                let turn = reading.acquire().await;
                let tried = recover::recover(&target, &name, at, &known, &fences).await;
                drop(turn);
                match tried {
                    Err(Unclear::NotYet) => sleep(PAUSE).await,
                    Err(Unclear::Unreadable(error)) if error.is_passing() => sleep(PAUSE).await,
                    position => return Done::Recovered { index, position },
                }
            }
        }));
    }

    pub(super) fn cannot_be_fenced(&self, index: usize) -> Option<Reason> {
        let at = self.partitions[index].at;
        let impossible = self
            .fences
            .iter()
            .find_map(|fence| fence.impossible.iter().find(|(covered, _)| *covered == at));
        impossible.map(|(_, error)| Reason {
            code: "K504",
            text: format!("an earlier run cannot be shut out of this partition: {error}"),
        })
    }

    pub(super) fn recovered(&mut self, index: usize, position: Result<Position, Unclear>) {
        match position {
            Ok(mut position) => {
                let at = self.partitions[index].at;
                let runs = position.target_runs.drain(..);
                self.entries
                    .extend(runs.map(|run| Entry::TargetRun { at, run }));
                let over = position.over.drain(..);
                self.entries
                    .extend(over.map(|checkpoint| Entry::Checkpoint { at, checkpoint }));
                self.partitions[index].begin(position, 0);
                if self.left.contains(&index) {
                    self.partitions[index].phase = Phase::Left;
                }
            }
            Err(Unclear::Ambiguous(text)) => {
                self.stop_partition(index, Reason { code: "K505", text });
            }
            Err(Unclear::Lost(end, wanted)) => {
                self.stop_partition(index, still_there::lost_data(end, wanted));
            }
            // Tried again where it came from.
            Err(Unclear::NotYet) => {}
            Err(Unclear::Unreadable(error)) => {
                let text = format!("the target's log cannot be read: {error}");
                self.stop_partition(index, Reason { code: "K506", text });
            }
        }
        self.end_fences();
    }

    /// When every partition has seen its markers the fences are over.
    pub(super) fn end_fences(&mut self) {
        let recovering = |partition: &Partition| {
            partition.phase == Phase::Recovering
                && self
                    .fences
                    .iter()
                    .any(|fence| fence.partitions.contains(&partition.at))
        };
        if self.unfenced == 0 || self.partitions.iter().any(recovering) {
            return;
        }
        // Partitions that are not assigned any more, or were stopped before they were looked at: their fence stays open, and is redone.
        let mut over = Vec::new();
        for fence in &self.fences {
            let all_seen = fence.partitions.iter().all(|at| {
                self.partitions
                    .iter()
                    .any(|partition| partition.at == *at && partition.is_placed)
            });
            if all_seen {
                over.push((fence.number, fence.partitions.clone()));
            }
        }
        self.unfenced = 0;
        steps::reached("markers-seen");
        for (number, partitions) in over {
            self.retire(number, partitions);
            self.entries.push(Entry::Fenced { number });
        }
    }
}

fn not_seen_again(known: &state::Partition) -> Option<Reason> {
    let stopped = known.stopped.as_ref()?;
    let code = NOT_SEEN_AGAIN
        .into_iter()
        .find(|code| *code == stopped.code)?;
    let text = stopped.reason.clone();
    Some(Reason { code, text })
}
