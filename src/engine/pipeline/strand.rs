//! What was stranded: records of an application that went back without the cluster that they are on. They wait for a person.
//!
//! 1. Asked for through the ledger. Until it is known where the partition's log ends nothing of it is taken in.
//! 2. What applications wrote below that end stops the partition (K562); our own copies there are passed over as ever, and what comes behind it is
//!    copied as ever.
//! 3. The end goes to the ledger before the request is answered: until then whoever comes next asks again.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use super::{Done, Reason, Session};
use crate::{
    clock,
    cluster::{self, OffsetSpec},
    engine::ledger::record::{Entry, Request, Steer, Stranded},
    model::{direction::Direction, names::TopicPartition},
};

/// What an application wrote there waits for a person.
pub(super) const STRANDED: &str = "K562";
/// Pause before a log that could not be asked is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the partition stops at this offset.
pub(super) fn reason(offset: i64) -> Reason {
    Reason {
        code: STRANDED,
        text: format!(
            "an application wrote what stands on the source from offset {offset} on, and went back without it: copied now it would come behind what was written on the target since"
        ),
    }
}

impl Session {
    /// Takes up what was asked for and is not begun yet. What is asked of the way there strands nothing.
    pub(super) fn strand(&mut self) {
        let is_new = |request: &&Request| !self.stranding.contains_key(&request.id);
        let asked: Vec<Request> = self.unanswered.iter().filter(is_new).cloned().collect();
        for request in asked {
            let Steer::Strand { topics } = &request.steer else {
                continue;
            };
            let is_back = self.shared.direction == Direction::Reverse;
            let mut of = Vec::new();
            for (index, partition) in self.partitions.iter_mut().enumerate() {
                let topic = &*partition.name.topic;
                if is_back && topics.iter().any(|one| one == topic) {
                    partition.strands += 1;
                    of.push((index, partition.name.clone()));
                }
            }
            self.stranding.insert(request.id, false);
            let source = self.shared.source.clone();
            self.beside.push(Box::pin(async move {
                let names: Vec<TopicPartition> = of.iter().map(|(_, name)| name.clone()).collect();
                let ends = loop {
                    let ends = source.offsets(&names, OffsetSpec::End).await;
                    let is_passing = |end: &cluster::Result<i64>| {
                        end.as_ref().is_err_and(|why| why.is_passing())
                    };
                    match ends.values().any(is_passing) {
                        true => sleep(PAUSE).await,
                        false => break ends,
                    }
                };
                // One that is not there, or may not be read, stops for that.
                let end = |name| ends.get(name).and_then(|end| end.as_ref().ok()).copied();
                let ends = of.iter().map(|(index, name)| (*index, end(name)));
                Done::Strands {
                    ends: ends.collect(),
                    request,
                }
            }));
        }
    }

    /// It is known up to where.
    pub(super) fn stranded(&mut self, request: Request, ends: Vec<(usize, Option<i64>)>) {
        for (index, end) in ends {
            let partition = &mut self.partitions[index];
            partition.strands -= 1;
            let Some(end) = end else { continue };
            let until = partition.stranded.map_or(end, |before| before.max(end));
            partition.stranded = Some(until);
            self.entries.push(Entry::Stranded {
                at: partition.at,
                stranded: Stranded {
                    until,
                    by: request.by.clone(),
                    at_ms: clock::unix_millis(),
                },
            });
        }
        self.stranding.insert(request.id, true);
    }
}

/// Requests that are taken up, and whether up to where is known by now.
pub(super) type Stranding = std::collections::HashMap<Uuid, bool>;
