//! The scope of the way back: the partitions that the direction there has met, each from where its copies begin, onto topics that are there.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    ledger::{record::Seam, state::State},
    pipeline::{Assignment, Reason},
    seam::Existing,
    topics::{self, Prepared},
};
use crate::{
    cluster::{Source, Target, TopicInfo},
    error::Failure,
    model::names::{TopicName, TopicPartition},
};

/// A partition that the direction there has met.
pub struct Met {
    /// Its name.
    pub name: TopicPartition,
    /// The topic's id on the migration's target, which is read.
    pub target_id: Uuid,
    /// The topic's id on the migration's source, which is written.
    pub source_id: Uuid,
    /// First contact.
    pub seam: Seam,
}

/// What the ledger of the direction there knows of.
pub fn met(states: &[&State]) -> Vec<Met> {
    let of = |state: &State| {
        let met = state.partitions.iter().filter_map(|(&at, partition)| {
            let name = state.name(at)?;
            let topic = state.topics.get(at.topic as usize)?;
            Some(Met {
                name,
                target_id: topic.target_id,
                source_id: topic.source_id,
                seam: partition.seam?,
            })
        });
        met.collect::<Vec<_>>()
    };
    states.iter().flat_map(|state| of(state)).collect()
}

/// A topic on the way back.
pub struct Topic {
    /// Partitions on the cluster that is read.
    pub partitions: i32,
    read_id: Uuid,
    written: Prepared,
}

/// Looks at topics on both sides. Nothing is made or changed on the cluster that applications come from.
pub async fn look(
    read: &Source,
    written: &Target,
    met: &[Met],
) -> Result<HashMap<TopicName, Topic>, Failure> {
    let mut names: Vec<TopicName> = met.iter().map(|one| one.name.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let there = read.topics(Some(&names)).await;
    let there: Vec<TopicInfo> = there.map_err(|error| error.failure())?;
    let prepared = topics::see(read, written, &there).await?;
    let topics = there.iter().zip(prepared).map(|(topic, prepared)| {
        let topic = Topic {
            partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            read_id: topic.id,
            written: prepared,
        };
        (topic.written.name.clone(), topic)
    });
    Ok(topics.collect())
}

impl Topic {
    /// What a shard is told of one of its partitions.
    pub fn assignment(&self, met: Met, wanted_end: Option<i64>) -> Assignment {
        let changed = |known: Uuid, now: Uuid| !known.is_nil() && !now.is_nil() && known != now;
        let written = &self.written;
        let refused = written.refused.as_ref();
        let mut refused = refused.map(|(code, text)| Reason {
            code,
            text: text.clone(),
        });
        let anew = |side| {
            Some(Reason {
                code: super::pipeline::MADE_ANEW,
                text: super::pipeline::made_anew(side),
            })
        };
        if changed(met.target_id, self.read_id) {
            refused = anew("target");
        } else if changed(met.source_id, written.target_id) {
            refused = anew("source");
        }
        Assignment {
            wanted_end,
            begin_at: Some(met.seam.target_end),
            name: met.name,
            source_id: self.read_id,
            target_id: written.target_id,
            // The topic's own retention stays as its owner has set it.
            takes: topics::Takes {
                too_old_ms: None,
                ..written.takes
            },
            tombstones_ms: written.tombstones_ms,
            // What applications wrote there is why it is there.
            existing: Existing::Keep,
            refused,
        }
    }
}
