//! What the ledger of one direction says, read on by commands beside a running engine.

use futures_util::future::try_join_all;

use super::{
    ledger::{
        self,
        positions::{Holder, Kept},
        read::Reader,
        record::{Header, Held, Steer, Stopped},
        state::{self, State},
    },
    opening,
    status::{open, shards},
};
use crate::{
    cluster::Cluster,
    error::Failure,
    model::{
        direction::Direction,
        map::Way,
        names::{TopicName, TopicPartition},
    },
};

/// The ledger of one direction, as far as it was read.
pub struct Told {
    /// Where it stands, and where its copies are.
    cluster: Cluster,
    readers: Vec<Reader>,
}

/// Who has authority over a group's positions, by one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// Whose commits are followed.
    pub holder: Holder,
    /// Whose it is to be, by what was asked last and no engine has answered yet.
    pub asked: Option<Holder>,
}

impl Told {
    /// Reads it to its end; `None` where there is none. `read` is the id of the cluster that is read, where it is known.
    pub async fn open(
        migration: &str,
        direction: Direction,
        read: Option<&str>,
        written: &Cluster,
    ) -> Result<Option<Self>, Failure> {
        if !opening::shows_ledger(written, migration, direction).await? {
            return Ok(None);
        }
        let name: TopicName = ledger::topic(migration, direction).into();
        let readers = open(written, &name, shards(written, &name).await?).await?;
        for found in readers.iter().filter_map(|one| one.state.header.as_ref()) {
            let wanted = Header {
                migration: migration.to_owned(),
                source_cluster: read.unwrap_or(&found.source_cluster).to_owned(),
                target_cluster: written.id().to_owned(),
                direction: direction.word().to_owned(),
                ..found.clone()
            };
            ledger::check_header(found, &wanted)?;
        }
        Ok(Some(Self {
            cluster: written.clone(),
            readers,
        }))
    }

    /// Reads it to its end as it is now.
    pub async fn read_on(&mut self) -> Result<(), Failure> {
        let cluster = &self.cluster;
        let read = self.readers.iter_mut().map(|one| one.catch_up(cluster));
        let read = try_join_all(read).await;
        read.map(drop).map_err(|error| error.failure())
    }

    fn states(&self) -> impl Iterator<Item = &State> {
        self.readers.iter().map(|reader| &reader.state)
    }

    fn partition(&self, at: &TopicPartition) -> Option<&state::Partition> {
        let mut known = self.states().filter_map(|state| state.partition(at));
        known.next().map(|(_, partition)| partition)
    }

    /// Every record below this offset of the side that is read is on the other one, or came from there; `None` where the engine has not met the
    /// partition yet, or is about to copy it anew.
    pub fn passed(&self, at: &TopicPartition) -> Option<i64> {
        let partition = self.partition(at)?;
        let seam = partition.seam.filter(|_| !partition.recopying)?;
        let told = partition.checkpoint.as_ref();
        Some(told.map_or(seam.source_start, |checkpoint| checkpoint.source))
    }

    /// Why a partition waits for a person, if it does.
    pub fn stopped(&self, at: &TopicPartition) -> Option<&Stopped> {
        self.partition(at)?.stopped.as_ref()
    }

    /// Which offset is which.
    pub fn way(&self, at: &TopicPartition) -> Option<Way> {
        self.partition(at)?.way()
    }

    /// May a batch with this producer id, epoch and offset be one of its copies, by what was read so far?
    pub fn has_written(&self, at: &TopicPartition, id: i64, epoch: i16, offset: i64) -> bool {
        let seam = self.partition(at).and_then(|partition| partition.seam);
        let is_behind = seam.is_some_and(|seam| offset >= seam.target_end);
        let mut identities = self.states().flat_map(|state| state.identities.values());
        is_behind && identities.any(|one| (one.producer_id, one.epoch) == (id, epoch))
    }

    /// The ledger of groups is the first shard's.
    fn keeper(&self) -> Option<&State> {
        self.states().next()
    }

    /// What it says of a group.
    pub fn group(&self, name: &str) -> Option<&Kept> {
        self.keeper()?.book.groups.get(name)
    }

    /// Who has authority over a group's positions.
    pub fn authority(&self, name: &str) -> Authority {
        let holder = self.group(name).map_or(Holder::Source, Kept::holder);
        let asked = self.keeper().and_then(|state| {
            let asked = state.unanswered.iter().rev();
            asked
                .filter_map(|one| match &one.request.steer {
                    Steer::Authority { group, side } if group == name => Some(*side),
                    _ => None,
                })
                .next()
        });
        Authority { holder, asked }
    }

    /// Do rules of the target let an application write there that waited for it?
    pub fn may_write(&self, application: &str) -> bool {
        self.keeper()
            .is_some_and(|state| state.synced.is_released(application))
    }

    /// Does what applications wrote to these topics wait for a person, or is an engine asked to let it wait? A shard that has none of them need not
    /// say so.
    pub fn strands(&self, topics: &[String]) -> bool {
        let is_asked = |state: &State| {
            let mut asked = state.unanswered.iter();
            asked.any(
                |one| matches!(&one.request.steer, Steer::Strand { topics: of } if of == topics),
            )
        };
        let is_said = |state: &State| {
            let is_one = |name: TopicPartition| topics.iter().any(|one| **one == *name.topic);
            let known = state.partitions.iter();
            let mut of = known.filter(|(at, _)| state.name(**at).is_some_and(is_one));
            let has_none = of.clone().next().is_none();
            has_none || of.any(|(_, one)| one.stranded.is_some())
        };
        self.states().all(|state| is_asked(state) || is_said(state))
    }

    /// Did the last owner of each shard say that it ended? Where nobody ever owned one, nobody runs.
    pub fn has_ended(&self) -> bool {
        self.states()
            .all(|state| state.ended || state.claim.is_none())
    }

    /// Where the last words of owners stand: while an engine lives they move.
    pub fn last_words(&self) -> Vec<i64> {
        self.readers.iter().map(|reader| reader.last).collect()
    }

    /// Settings of topics that are not as they were.
    pub fn held(&self) -> Vec<(TopicName, Held)> {
        let all = self.states().flat_map(|state| {
            let named = |(&number, held): (&u32, &Held)| {
                let topic = state.topics.get(number as usize)?;
                Some((topic.name.clone(), held.clone()))
            };
            state.held.iter().filter_map(named)
        });
        all.collect()
    }

    /// When positions were last looked at: milliseconds since 1970 by the engine's clock.
    pub fn synced_ms(&self) -> Option<i64> {
        Some(self.keeper()?.book.beat.as_ref()?.synced_ms)
    }
}
