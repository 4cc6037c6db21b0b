//! A state as the entries that it can be folded from again.

use super::{Partition, Standing, State, Wanted};
use crate::engine::ledger::{mapped::Mapped, record::Entry};

impl State {
    /// Everything that has to stand in a ledger for this state to be folded from it again, in order.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        entries.extend(
            self.claim
                .as_ref()
                .map(|claim| Entry::Claim(claim.owner.clone())),
        );
        entries.extend(self.header.clone().map(Entry::Header));
        for (&number, identity) in &self.identities {
            entries.push(Entry::Identity {
                number,
                producer_id: identity.producer_id,
                epoch: identity.epoch,
                fences: Vec::new(),
            });
            match identity.standing {
                Standing::Open => {}
                Standing::Sealed => entries.push(Entry::Sealed { number }),
                Standing::Fenced => entries.push(Entry::Fenced { number }),
            }
        }
        for (&number, retired) in &self.retired {
            entries.push(Entry::Retired {
                number,
                retired: Some(retired.clone()),
            });
        }
        for (number, topic) in (0..).zip(&self.topics) {
            entries.push(Entry::Topic {
                number,
                name: topic.name.to_string(),
                source_id: topic.source_id,
                target_id: topic.target_id,
            });
        }
        for (&topic, held) in &self.held {
            let held = held.clone();
            entries.push(Entry::Held { topic, held });
        }
        // Answers first: a request that they are of is not asked again.
        entries.extend(self.answers.iter().cloned().map(Entry::Answer));
        let standing = self.pause.iter().chain(&self.throttle);
        for Wanted { request, offset } in standing.chain(&self.unanswered) {
            entries.push(Entry::Standing {
                request: request.clone(),
                offset: *offset,
            });
        }
        for (&at, partition) in &self.partitions {
            let Partition {
                seam,
                runs,
                target_runs,
                map,
                epochs,
                checkpoint,
                stopped,
                gaps,
                not_ours,
                stranded,
                recopies,
                recopying,
                current,
                echo,
                trimmed,
            } = partition;
            let batches = not_ours.iter().cloned();
            entries.extend(batches.map(|batch| Entry::NotOurs { at, batch }));
            let stranded = stranded.clone();
            entries.extend(stranded.map(|stranded| Entry::Stranded { at, stranded }));
            let gaps = gaps.iter().cloned();
            entries.extend(gaps.map(|gap| Entry::Gap { at, gap }));
            let trimmed = trimmed.clone();
            entries.extend(trimmed.map(|trimmed| Entry::Trimmed { at, trimmed }));
            let recopies = recopies.iter().cloned();
            entries.extend(recopies.map(|recopy| Entry::Recopy { at, recopy }));
            if let (false, Some(seam), Some(checkpoint)) = (recopying, *seam, *checkpoint)
                && !partition.recopies.is_empty()
            {
                // Says that the last of them was begun; what follows says how far it is.
                entries.push(Entry::Recopied {
                    at,
                    seam,
                    checkpoint,
                });
            }
            entries.extend(seam.map(|seam| Entry::Seam { at, seam }));
            entries.extend(epochs.iter().map(|&epoch| Entry::Epoch { at, epoch }));
            entries.extend(runs.iter().map(|&run| Entry::Run { at, run }));
            entries.extend(target_runs.iter().map(|&run| Entry::TargetRun { at, run }));
            if *map != Mapped::default() {
                // Before the checkpoint, which finds nothing new to take in.
                let mapped = map.entry();
                entries.push(Entry::Mapped { at, mapped });
            }
            entries.extend(checkpoint.map(|checkpoint| Entry::Checkpoint { at, checkpoint }));
            entries.extend(current.map(|at_ms| Entry::Current { at, at_ms }));
            entries.extend(echo.map(|echo| Entry::Echo { at, echo }));
            entries.extend(
                stopped
                    .clone()
                    .map(|stopped| Entry::Stopped { at, stopped }),
            );
        }
        entries.extend(self.book.entries());
        entries.extend(self.synced.entries());
        entries
    }
}
