//! Adds up what the ledger and the source's offsets say.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use uuid::Uuid;

use super::{
    Decided, HeldStatus, SeamStatus, Standing, StoppedPartition, TopicStatus, TrimmedStatus,
};
use crate::{
    cluster::TopicInfo,
    engine::{
        ledger::{
            record::{Gap, Recopy, Seam, Stopped, Trimmed},
            state::{self, State},
        },
        ways,
    },
    model::names::{TopicName, TopicPartition},
};

/// What the ledger says of all partitions, whichever shard they belong to.
#[derive(Debug, Default)]
pub(super) struct Known {
    partitions: BTreeMap<TopicPartition, Partition>,
    topics: HashMap<TopicName, (Uuid, Uuid)>,
    /// Topics that are on the target now.
    there: HashMap<TopicName, Uuid>,
}

#[derive(Debug)]
struct Partition {
    /// Everything below is on the target.
    copied: Option<i64>,
    /// What was found when it was first met.
    seam: Option<Seam>,
    /// Where to look on the target for what follows our last record.
    target: Option<i64>,
    stopped: Option<Stopped>,
    gaps: Vec<Gap>,
    not_ours: Vec<Gap>,
    recopies: Vec<Recopy>,
    trimmed: Option<Trimmed>,
    before: ways::Before,
}

impl Known {
    pub(super) fn of(states: &[State], there: HashMap<TopicName, Uuid>) -> Self {
        let mut known = Self {
            there,
            ..Self::default()
        };
        for state in states {
            for (&at, of) in &state.partitions {
                // A topic that was made anew has a new number: what was said under the old one is over.
                let current =
                    |name: &TopicPartition| state.numbers.get(&name.topic) == Some(&at.topic);
                if let Some(name) = state.name(at).filter(current) {
                    let state::Partition {
                        seam,
                        checkpoint,
                        stopped,
                        gaps,
                        not_ours,
                        recopies,
                        trimmed,
                        ..
                    } = of;
                    let before = |stopped: &Stopped| ways::Before {
                        here: of.decisions(stopped.source),
                        recopies: recopies.len(),
                        kept: seam.and_then(Seam::kept),
                    };
                    let partition = Partition {
                        copied: checkpoint.map(|checkpoint| checkpoint.source),
                        seam: *seam,
                        target: checkpoint.map(|checkpoint| checkpoint.target),
                        before: stopped.as_ref().map(before).unwrap_or_default(),
                        stopped: stopped.clone(),
                        gaps: gaps.clone(),
                        not_ours: not_ours.clone(),
                        recopies: recopies.clone(),
                        trimmed: trimmed.clone(),
                    };
                    known.partitions.insert(name, partition);
                }
            }
            for (name, &number) in &state.numbers {
                if let Some(topic) = state.topics.get(number as usize) {
                    let ids = (topic.source_id, topic.target_id);
                    known.topics.insert(name.clone(), ids);
                }
            }
        }
        known
    }

    /// Is the topic on either side another one than the ledger speaks of, or gone from the target? Then nothing of it counts as copied.
    fn is_other(&self, topic: &TopicInfo) -> bool {
        let Some(&(source_id, target_id)) = self.topics.get(&topic.name) else {
            return false;
        };
        let differ = |one: Uuid, other: Uuid| !one.is_nil() && !other.is_nil() && one != other;
        match self.there.get(&topic.name) {
            None => true,
            Some(&there) => differ(source_id, topic.id) || differ(target_id, there),
        }
    }

    /// Where every partition stands.
    pub(super) fn standings(&self) -> BTreeMap<TopicPartition, Standing> {
        let standing = |(at, of): (&TopicPartition, &Partition)| {
            let standing = Standing {
                copied: of.copied,
                first: of.seam.map(|seam| seam.source_start),
                target: of.target,
            };
            (at.clone(), standing)
        };
        self.partitions.iter().map(standing).collect()
    }

    /// Partitions that wait for a person, in order.
    pub(super) fn stopped(&self, in_scope: impl Fn(&str) -> bool) -> Vec<StoppedPartition> {
        let stopped = self.partitions.iter().filter_map(|(at, partition)| {
            let stopped = partition.stopped.as_ref()?;
            in_scope(&at.topic).then(|| StoppedPartition {
                topic: at.topic.to_string(),
                partition: at.partition,
                code: stopped.code.clone(),
                reason: stopped.reason.clone(),
                source_offset: stopped.source,
                goes_on_at: stopped.beyond.map(|beyond| beyond.source),
                since_ms: stopped.since_ms,
                choices: ways::choices(at, stopped, partition.before),
            })
        });
        stopped.collect()
    }

    /// Where records of before stay in front of ours, in order.
    pub(super) fn seams(&self, in_scope: impl Fn(&str) -> bool) -> Vec<SeamStatus> {
        let seams = self.partitions.iter().filter_map(|(at, partition)| {
            let seam = partition.seam?;
            let (kept_from, target_offset) = seam.kept()?;
            in_scope(&at.topic).then(|| SeamStatus {
                topic: at.topic.to_string(),
                partition: at.partition,
                kept_from,
                target_offset,
                source_offset: seam.source_start,
            })
        });
        seams.collect()
    }

    /// The target offset at which ours begins, by partition.
    pub(super) fn begins(&self) -> HashMap<TopicPartition, i64> {
        let begin = |(at, partition): (&TopicPartition, &Partition)| {
            Some((at.clone(), partition.seam?.target_end))
        };
        self.partitions.iter().filter_map(begin).collect()
    }

    /// Ranges that look like copies of the other direction, and a person took for an application's, by partition.
    pub(super) fn not_copies(&self) -> HashMap<TopicPartition, Vec<Range<i64>>> {
        let taken = |(at, partition): (&TopicPartition, &Partition)| {
            let batches = partition.not_ours.iter();
            let ranges: Vec<Range<i64>> = batches.map(|one| one.from..one.to.source).collect();
            (!ranges.is_empty()).then(|| (at.clone(), ranges))
        };
        self.partitions.iter().filter_map(taken).collect()
    }

    /// What owners of repartition topics had read and deleted, by partition.
    pub(super) fn trimmed(&self, in_scope: impl Fn(&str) -> bool) -> Vec<TrimmedStatus> {
        let here = self.partitions.iter().filter(|(at, _)| in_scope(&at.topic));
        let trimmed = here.filter_map(|(at, partition)| {
            let trimmed = partition.trimmed.clone()?;
            Some(TrimmedStatus {
                topic: at.topic.to_string(),
                partition: at.partition,
                group: trimmed.group,
                offsets: trimmed.offsets,
                times: trimmed.times,
                from: trimmed.from,
                to: trimmed.to,
                at_ms: trimmed.at_ms,
            })
        });
        trimmed.collect()
    }

    /// What a person decided, by partition and time.
    pub(super) fn decided(&self, in_scope: impl Fn(&str) -> bool) -> Vec<Decided> {
        let mut all = Vec::new();
        for (at, partition) in self.partitions.iter().filter(|(at, _)| in_scope(&at.topic)) {
            let mut decided = |code: &str, decision: String, from, to, by: &str, at_ms| {
                all.push(Decided {
                    topic: at.topic.to_string(),
                    partition: at.partition,
                    code: code.to_owned(),
                    decision,
                    from,
                    to,
                    by: by.to_owned(),
                    at_ms,
                });
            };
            for gap in &partition.gaps {
                let to = Some(gap.to.source);
                let what = ways::describe(gap);
                decided(&gap.code, what, gap.from, to, &gap.by, gap.at_ms);
            }
            for batch in &partition.not_ours {
                let to = Some(batch.to.source);
                let what = ways::taken(batch);
                decided(&batch.code, what, batch.from, to, &batch.by, batch.at_ms);
            }
            for one in &partition.recopies {
                let what = "it was copied again from the source's first record".to_owned();
                decided(&one.code, what, one.from, None, &one.by, one.at_ms);
            }
        }
        all.sort_by(|a, b| (&a.topic, a.partition, a.at_ms).cmp(&(&b.topic, b.partition, b.at_ms)));
        all
    }
}

/// Producer ids under which this migration ever wrote data.
pub(super) fn identities(states: &[State]) -> BTreeSet<i64> {
    let all = states.iter().flat_map(|state| state.identities.values());
    all.map(|identity| identity.producer_id).collect()
}

/// The same, each with its epochs.
pub(super) fn epochs(states: &[State]) -> HashMap<i64, Vec<i16>> {
    let mut all: HashMap<i64, Vec<i16>> = HashMap::new();
    for identity in states.iter().flat_map(|state| state.identities.values()) {
        let epochs = all.entry(identity.producer_id).or_default();
        epochs.push(identity.epoch);
    }
    all
}

/// Settings of topics that are held, by topic.
pub(super) fn held(states: &[State]) -> Vec<HeldStatus> {
    let mut all = Vec::new();
    for state in states {
        for (&number, held) in &state.held {
            let Some(topic) = state.topics.get(number as usize) else {
                continue;
            };
            all.extend(held.settings.iter().map(|setting| HeldStatus {
                topic: topic.name.to_string(),
                setting: setting.name.clone(),
                held: setting.held.clone(),
                before: setting.before.clone(),
                since_ms: held.since_ms,
            }));
        }
    }
    all.sort_by(|a, b| (&a.topic, &a.setting).cmp(&(&b.topic, &b.setting)));
    all
}

/// One line a topic, and the lag of all. The lag is unknown as soon as one partition's end is.
///
/// `gone` are topics of the ledger that the source does not show.
pub(super) fn topics(
    here: &[TopicInfo],
    gone: &[TopicName],
    known: &Known,
    ends: &HashMap<TopicPartition, i64>,
    starts: &HashMap<TopicPartition, i64>,
) -> (Vec<TopicStatus>, Option<u64>) {
    let mut lag = Some(0u64);
    let mut topics = Vec::with_capacity(here.len() + gone.len());
    for topic in here {
        let mut line = line(&topic.name);
        let is_other = known.is_other(topic);
        for partition in &topic.partitions {
            let at = TopicPartition::new(topic.name.clone(), partition.partition);
            let said = known.partitions.get(&at);
            let copied = said.and_then(|said| said.copied).filter(|_| !is_other);
            let seam = said.and_then(|said| said.seam).filter(|_| !is_other);
            let start = seam.map(|seam| seam.source_start);
            line.partitions += 1;
            line.stopped += usize::from(said.is_some_and(|said| said.stopped.is_some()));
            line.copied += unsigned(copied.unwrap_or(0));
            let from = copied.or(start).or_else(|| starts.get(&at).copied());
            match (ends.get(&at), from) {
                (Some(&end), Some(from)) => {
                    line.end += unsigned(end);
                    line.lag += unsigned(end - from);
                }
                (end, _) => {
                    // What is known to be copied was there.
                    line.end += unsigned(end.copied().or(copied).unwrap_or(0));
                    lag = None;
                }
            }
        }
        lag = lag.map(|lag| lag + line.lag);
        topics.push(line);
    }
    for name in gone {
        let mut line = line(name);
        for (at, partition) in &known.partitions {
            if at.topic == *name {
                line.partitions += 1;
                line.stopped += usize::from(partition.stopped.is_some());
                line.copied += unsigned(partition.copied.unwrap_or(0));
            }
        }
        line.end = line.copied;
        lag = None;
        topics.push(line);
    }
    topics.sort_by(|a, b| a.topic.cmp(&b.topic));
    (topics, lag)
}

fn line(name: &TopicName) -> TopicStatus {
    TopicStatus {
        topic: name.to_string(),
        partitions: 0,
        stopped: 0,
        copied: 0,
        end: 0,
        lag: 0,
    }
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

/// Who owns the ledger: one engine, or several while one takes over.
pub(super) fn owner(states: &[State]) -> Option<String> {
    let claims = states.iter().filter_map(|state| state.claim.as_ref());
    let owners: BTreeSet<String> = claims
        .map(|claim| {
            let owner = &claim.owner;
            format!(
                "process {} on {} (kafka-migrate {})",
                owner.process, owner.host, owner.version
            )
        })
        .collect();
    let owners: Vec<String> = owners.into_iter().collect();
    (!owners.is_empty()).then(|| owners.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::PartitionInfo,
        engine::ledger::record::{At, Checkpoint, Entry, Owner, Record, Seam},
    };

    const SOURCE: Uuid = Uuid::from_u128(1);
    const TARGET: Uuid = Uuid::from_u128(2);

    fn topic(name: &str, id: Uuid, partitions: i32) -> TopicInfo {
        let partition = |partition| PartitionInfo {
            partition,
            leader: Some(1),
            leader_epoch: 0,
            replicas: 1,
            isr: 1,
        };
        TopicInfo {
            name: name.into(),
            id,
            internal: false,
            partitions: (0..partitions).map(partition).collect(),
        }
    }

    fn at(partition: i32) -> At {
        At {
            topic: 0,
            partition,
        }
    }

    fn met(partition: i32, source_start: i64) -> Entry {
        let seam = Seam {
            source_start,
            source_end: source_start,
            target_start: 0,
            target_end: 0,
        };
        Entry::Seam {
            at: at(partition),
            seam,
        }
    }

    fn copied(partition: i32, source: i64) -> Entry {
        let checkpoint = Checkpoint {
            identity: 1,
            next_sequence: 1,
            source,
            target: 7,
            source_epoch: -1,
        };
        Entry::Checkpoint {
            at: at(partition),
            checkpoint,
        }
    }

    fn shard(entries: Vec<Entry>) -> State {
        let mut state = State::default();
        state.take(Entry::Topic {
            number: 0,
            name: "orders".into(),
            source_id: SOURCE,
            target_id: TARGET,
        });
        entries.into_iter().for_each(|entry| state.take(entry));
        state
    }

    fn offsets(of: &[(&str, i32, i64)]) -> HashMap<TopicPartition, i64> {
        of.iter()
            .map(|&(topic, partition, offset)| (TopicPartition::new(topic, partition), offset))
            .collect()
    }

    fn there(id: Uuid) -> HashMap<TopicName, Uuid> {
        [("orders".into(), id)].into()
    }

    /// Two shards: partition 0 copied to 40, partition 1 met at 5; partition 2 is in no ledger yet.
    fn states() -> [State; 2] {
        let stopped = Entry::Stopped {
            at: at(1),
            stopped: Stopped {
                code: "K502".into(),
                reason: "the source begins at 9".into(),
                source: 5,
                since_ms: 77,
                beyond: None,
            },
        };
        [
            shard(vec![met(0, 0), copied(0, 40)]),
            shard(vec![met(1, 5), stopped]),
        ]
    }

    #[test]
    fn what_no_ledger_knows_is_not_copied() {
        let known = Known::of(&states(), there(TARGET));
        let here = [topic("orders", SOURCE, 3), topic("new", SOURCE, 1)];
        let ends = offsets(&[
            ("orders", 0, 50),
            ("orders", 1, 20),
            ("orders", 2, 30),
            ("new", 0, 4),
        ]);
        let starts = offsets(&[
            ("orders", 0, 30),
            ("orders", 1, 9),
            ("orders", 2, 10),
            ("new", 0, 0),
        ]);
        let (lines, lag) = topics(&here, &[], &known, &ends, &starts);
        assert_eq!(lag, Some(10 + 15 + 20 + 4));
        let [new, orders] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!((new.copied, new.end, new.lag), (0, 4, 4));
        assert_eq!((orders.partitions, orders.stopped), (3, 1));
        assert_eq!((orders.copied, orders.end, orders.lag), (40, 100, 45));

        let stopped = known.stopped(|_| true);
        assert_eq!(stopped.len(), 1);
        assert_eq!((stopped[0].partition, stopped[0].source_offset), (1, 5));
        assert!(known.stopped(|name| name != "orders").is_empty());
    }

    #[test]
    fn an_end_that_is_not_known_makes_the_lag_unknown() {
        let known = Known::of(&states(), there(TARGET));
        let here = [topic("orders", SOURCE, 2)];
        let (lines, lag) = topics(
            &here,
            &[],
            &known,
            &offsets(&[("orders", 1, 20)]),
            &HashMap::new(),
        );
        assert_eq!(lag, None);
        assert_eq!((lines[0].end, lines[0].lag), (60, 15));
        // A topic of the ledger that the source does not show.
        let (lines, lag) = topics(
            &[],
            &["orders".into()],
            &known,
            &HashMap::new(),
            &HashMap::new(),
        );
        assert_eq!(lag, None);
        assert_eq!((lines[0].partitions, lines[0].copied), (2, 40));
    }

    #[test]
    fn nothing_counts_of_a_topic_that_was_made_anew() {
        let ends = offsets(&[("orders", 0, 50)]);
        let starts = offsets(&[("orders", 0, 0)]);
        let lag = |there: HashMap<TopicName, Uuid>, source: Uuid| {
            let known = Known::of(&states(), there);
            topics(&[topic("orders", source, 1)], &[], &known, &ends, &starts).1
        };
        let other = Uuid::from_u128(9);
        assert_eq!(lag(there(TARGET), SOURCE), Some(10));
        assert_eq!(lag(there(Uuid::nil()), SOURCE), Some(10));
        assert_eq!(lag(there(TARGET), other), Some(50));
        assert_eq!(lag(there(other), SOURCE), Some(50));
        assert_eq!(lag(HashMap::new(), SOURCE), Some(50));
    }

    #[test]
    fn owners_are_named_once() {
        let claimed = |process| {
            let mut state = State::default();
            let owner = Owner {
                host: "ferry".into(),
                machine: "m".into(),
                process,
                lock: "l".into(),
                version: "0.1.0".into(),
            };
            let entries = vec![Entry::Claim(owner)];
            state.apply(
                Record {
                    generation: 1,
                    run: 1,
                    entries,
                },
                0,
            );
            state
        };
        assert_eq!(owner(&[State::default()]), None);
        assert_eq!(
            owner(&[claimed(7), claimed(7), State::default()]).as_deref(),
            Some("process 7 on ferry (kafka-migrate 0.1.0)")
        );
        assert_eq!(
            owner(&[claimed(7), claimed(8)]).as_deref(),
            Some(
                "process 7 on ferry (kafka-migrate 0.1.0), process 8 on ferry (kafka-migrate 0.1.0)"
            )
        );
    }
}
