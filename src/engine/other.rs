//! The other direction, as its ledger tells of it: under which identities it writes to the cluster that we read, and from where on.
//!
//! 1. An identity stands in its ledger before the first batch under it. So an identity that the ledger, read to its end after a batch was
//!    fetched, does not name did not write that batch.
//! 2. It writes to a partition only behind the end that it recorded there at first contact: what stands before is nobody's copy.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    ledger::{
        self,
        read::{LedgerError, Reader},
        record::{Header, Seam},
        state::State,
    },
    opening,
};
use crate::{
    cluster::Cluster,
    error::Failure,
    model::names::{TopicName, TopicPartition},
};

/// What is known of the other direction. Cloning shares it.
#[derive(Clone)]
pub struct Other {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where its ledger is, and its copies are.
    cluster: Cluster,
    readers: tokio::sync::Mutex<Vec<Reader>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Epochs by producer id: one, but that an id may come again under another.
    identities: HashMap<i64, Vec<i16>>,
    seams: HashMap<TopicPartition, Seam>,
}

impl Other {
    /// Reads the ledger of a direction on the cluster that it writes to; `None` where there is none. `wanted` is what it has to be.
    pub async fn open(cluster: &Cluster, wanted: &Header) -> Result<Option<Self>, Failure> {
        let (migration, direction) = (&wanted.migration, wanted.direction());
        if !opening::shows_ledger(cluster, migration, direction).await? {
            return Ok(None);
        }
        let name: TopicName = ledger::topic(migration, direction).into();
        let there = cluster.topics(Some(std::slice::from_ref(&name))).await;
        let there = there.map_err(|error| error.failure())?;
        let shards = there.first().map_or(0, |topic| topic.partitions.len());
        let mut readers = Vec::new();
        for shard in 0..shards {
            let at = TopicPartition::new(name.clone(), i32::try_from(shard).unwrap_or(0));
            let reader = Reader::open(cluster, at).await;
            let reader = reader.map_err(|error| error.failure())?;
            if let Some(found) = &reader.state.header {
                let wanted = Header {
                    shards: found.shards,
                    ..wanted.clone()
                };
                ledger::check_header(found, &wanted)?;
            }
            readers.push(reader);
        }
        let known = Known::of(&readers);
        Ok(Some(Self {
            inner: Arc::new(Inner {
                cluster: cluster.clone(),
                readers: tokio::sync::Mutex::new(readers),
                known: Mutex::new(known),
            }),
        }))
    }

    /// Reads its ledger to the end as it is now.
    pub async fn catch_up(&self) -> Result<(), LedgerError> {
        let mut readers = self.inner.readers.lock().await;
        let mut counted = 0;
        for reader in readers.iter_mut() {
            counted += reader.catch_up(&self.inner.cluster).await?;
        }
        if counted > 0 {
            *self.lock() = Known::of(&readers);
        }
        Ok(())
    }

    /// What its shards' ledgers say, as they were last read.
    pub async fn with<T>(&self, see: impl FnOnce(&[&State]) -> T) -> T {
        let readers = self.inner.readers.lock().await;
        let states: Vec<&State> = readers.iter().map(|reader| &reader.state).collect();
        see(&states)
    }

    /// Epochs under which it has written, or may, as this producer id. Empty: it is none of its.
    pub fn epochs(&self, producer_id: i64) -> Vec<i16> {
        let known = self.lock();
        let epochs = known.identities.get(&producer_id);
        epochs.cloned().unwrap_or_default()
    }

    /// The first offset of a partition at which it may have written, if it has met it.
    pub fn begins(&self, at: &TopicPartition) -> Option<i64> {
        self.lock().seams.get(at).map(|seam| seam.target_end)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner
            .known
            .lock()
            .expect("nothing panics while holding it")
    }
}

impl Known {
    fn of(readers: &[Reader]) -> Self {
        let mut known = Self::default();
        for state in readers.iter().map(|reader| &reader.state) {
            for identity in state.identities.values() {
                let epochs = known.identities.entry(identity.producer_id).or_default();
                epochs.push(identity.epoch);
            }
            for (&at, partition) in &state.partitions {
                if let (Some(name), Some(seam)) = (state.name(at), partition.seam) {
                    known.seams.insert(name, seam);
                }
            }
        }
        known
    }
}

/// What the ledger of the other direction has to be, seen from this one's.
pub fn wanted(ours: &Header) -> Header {
    Header {
        source_cluster: ours.target_cluster.clone(),
        target_cluster: ours.source_cluster.clone(),
        direction: ours.direction().other().word().to_owned(),
        ..ours.clone()
    }
}
