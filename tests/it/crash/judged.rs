//! Whether everything is as it has to be: whole sequences, and every position.

use std::collections::{HashMap, HashSet};

use super::scene::{Scene, TOPICS};
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

impl Scene {
    fn records(&self, side: &str, topic: &str, partition: i32) -> Vec<Record> {
        let stored = self.cluster(side).stored(topic, partition);
        let batches: Vec<Batch> = stored.iter().flat_map(|bytes| decode(bytes)).collect();
        given(&batches, side == "source")
    }

    /// Compares everything; answers the number of records.
    #[track_caller]
    pub fn judge(&self) -> usize {
        let mut all = 0;
        for (topic, partitions) in TOPICS {
            for partition in 0..partitions {
                let wanted = self.records("source", topic, partition);
                let found = self.records("target", topic, partition);
                let differs = wanted.iter().zip(&found).position(|(a, b)| !a.is_same(b));
                assert!(
                    differs.is_none() && wanted.len() == found.len(),
                    "not the same records: seed {}, {topic}-{partition}: {} and {} records, first different at {differs:?}\n{}",
                    self.seed,
                    wanted.len(),
                    found.len(),
                    self.told()
                );
                all += wanted.len();
                if topic == TOPICS[0].0 {
                    let below = |records: &[Record], offset: i64| {
                        records
                            .iter()
                            .filter(|record| record.offset < offset)
                            .count()
                    };
                    let here = self.position("source", partition);
                    let there = self.position("target", partition);
                    assert_eq!(
                        below(&wanted, here),
                        below(&found, there),
                        "seed {}, {topic}-{partition}: {here} on the source became {there}\n{}",
                        self.seed,
                        self.told()
                    );
                }
            }
        }
        all
    }
}
