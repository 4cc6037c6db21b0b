//! Whether everything is as it has to be: whole sequences, and every position.

use std::collections::{HashMap, HashSet};

use rdkafka::Offset;

use super::scene::{BACK, COMPACTED, GROUPS, LOST, Scene, partitions};
use crate::support::codecs::{Batch, Record, decode};

/// What a reader is given: of the source a read_committed one, of the target one that takes everything.
fn given(batches: &[Batch], committed_only: bool) -> Vec<Record> {
    let mut open: HashMap<i64, Vec<usize>> = HashMap::new();
    let mut out: HashSet<usize> = HashSet::new();
    for (at, batch) in batches.iter().enumerate() {
        if batch.is_control {
            out.insert(at);
            let ended = open.remove(&batch.producer_id).unwrap_or_default();
            // A control record's key: its version, and 0 for an abort.
            let key = batch.records[0].key.as_deref().unwrap_or_default();
            if key.get(2..4) == Some(&[0, 0]) && committed_only {
                out.extend(ended);
            }
        } else if batch.is_transactional {
            open.entry(batch.producer_id).or_default().push(at);
        }
    }
    if committed_only {
        out.extend(open.into_values().flatten());
    }
    let kept = batches
        .iter()
        .enumerate()
        .filter(|(at, _)| !out.contains(at));
    kept.flat_map(|(_, batch)| batch.records.clone()).collect()
}

/// Was it written on the target?
fn is_back(record: &Record) -> bool {
    let value = record.value.as_deref().unwrap_or_default();
    value.starts_with(BACK.as_bytes())
}

/// How many of some records were written on the source, and on the target.
fn count<'a>(records: impl Iterator<Item = &'a Record>) -> [usize; 2] {
    let mut counts = [0, 0];
    for record in records {
        counts[usize::from(is_back(record))] += 1;
    }
    counts
}

/// How many records at the beginning have all been read by who read so many of either side's.
fn all_read(records: &[Record], read: [usize; 2]) -> usize {
    let mut seen = [0, 0];
    let at_the_beginning = records.iter().take_while(|record| {
        let of = usize::from(is_back(record));
        seen[of] += 1;
        seen[of] <= read[of]
    });
    at_the_beginning.count()
}

impl Scene {
    /// What a reader of a partition is given.
    pub fn records(&self, side: &str, topic: &str, partition: i32) -> Vec<Record> {
        let stored = self.cluster(side).stored(topic, partition);
        let batches: Vec<Batch> = stored.iter().flat_map(|bytes| decode(bytes)).collect();
        given(&batches, side == "source")
    }

    /// The offset behind a partition's last record.
    pub fn offsets(&self, side: &str, topic: &str, partition: i32) -> i64 {
        let stored = self.cluster(side).stored(topic, partition);
        let last = stored.last().and_then(|bytes| decode(bytes).pop());
        last.map_or(0, |batch| batch.last_offset + 1)
    }

    /// Compares everything; answers the number of records.
    #[track_caller]
    pub fn judge(&self) -> usize {
        let mut all = 0;
        let mut sides = Vec::new();
        for (topic, partition) in partitions() {
            let on_source = self.records("source", topic, partition);
            let on_target = self.records("target", topic, partition);
            // Each side's own records, in their order, once each; between them those of the other stand anywhere.
            for back in [false, true] {
                let of = |records: &[Record]| {
                    let of = records.iter().filter(|record| is_back(record) == back);
                    of.cloned().collect::<Vec<_>>()
                };
                let (wanted, found) = (of(&on_source), of(&on_target));
                let differs = wanted.iter().zip(&found).position(|(a, b)| !a.is_same(b));
                assert!(
                    differs.is_none() && wanted.len() == found.len(),
                    "not the same records: seed {}, {topic}-{partition}, written on the {}: {} on the source and {} on the target, first different at {differs:?}\n{}",
                    self.seed,
                    if back { "target" } else { "source" },
                    wanted.len(),
                    found.len(),
                    self.told()
                );
            }
            all += on_source.len();
            sides.push((on_source, on_target));
        }
        self.judge_compacted();
        self.judge_lost();
        for group in GROUPS {
            self.judge_positions(group, &sides);
        }
        all
    }

    /// The cleaner is at work on the source alone: the target has all that is left there, in order and once, and what was left once.
    #[track_caller]
    fn judge_compacted(&self) {
        let mut left = self.records("source", COMPACTED, 0).into_iter().peekable();
        let found = self.records("target", COMPACTED, 0);
        let mut values = HashSet::new();
        for record in &found {
            let _ = left.next_if(|wanted| wanted.is_same(record));
            assert!(
                values.insert(record.value.clone()),
                "not the same records: seed {}, {COMPACTED}: twice\n{}",
                self.seed,
                self.told()
            );
        }
        let missing: Vec<_> = left.map(|record| record.offset).collect();
        assert!(
            missing.is_empty(),
            "not the same records: seed {}, {COMPACTED}: {missing:?} of the source are missing\n{}",
            self.seed,
            self.told()
        );
    }

    /// Copies are lost with the target's log; what applications wrote there comes back, in order and once, and what is left of the copies is so, too.
    #[track_caller]
    fn judge_lost(&self) {
        let of = |side: &str, back: bool| {
            let mut records = self.records(side, LOST, 0);
            records.retain(|record| is_back(record) == back);
            records
                .into_iter()
                .map(|record| record.value)
                .collect::<Vec<_>>()
        };
        let (written, back) = (of("target", true), of("source", true));
        let mut own = of("source", false).into_iter();
        let left = of("target", false);
        assert!(
            written == back && left.iter().all(|value| own.any(|one| one == *value)),
            "not the same records: seed {}, {LOST}: {} written on the target, {} came back\n{}",
            self.seed,
            written.len(),
            back.len(),
            self.told()
        );
    }

    /// Behind a position lie all records that were not read, and before it no other.
    #[track_caller]
    fn judge_positions(&self, group: &str, sides: &[(Vec<Record>, Vec<Record>)]) {
        let (here, there) = (
            self.positions("source", group),
            self.positions("target", group),
        );
        let places = partitions().zip(sides).zip(here.into_iter().zip(there));
        for (((topic, partition), (on_source, on_target)), (here, there)) in places {
            let (Offset::Offset(here), Offset::Offset(there)) = (here, there) else {
                panic!(
                    "seed {}, {group}, {topic}-{partition}: {here:?} on the source, {there:?} on the target\n{}",
                    self.seed,
                    self.told()
                );
            };
            let read = count(on_source.iter().filter(|record| record.offset < here));
            let before = on_target.iter().filter(|record| record.offset < there);
            assert_eq!(
                all_read(on_target, read),
                before.count(),
                "seed {}, {group}, {topic}-{partition}: {here} on the source became {there}\n{}",
                self.seed,
                self.told()
            );
        }
    }
}
