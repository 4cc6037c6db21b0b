//! One cluster as questions and commands: `Source` can only be read, `Target` can be written too.

mod acls;
mod attempts;
mod clock;
mod commits;
mod configs;
mod describe;
mod error;
mod everyone;
pub mod failure;
mod fetch;
mod fidelity;
pub mod freeze;
mod groups;
mod offsets;
mod open;
mod own;
mod patience;
mod pool;
mod produce;
mod quotas;
mod reach;
mod records;
mod rights;
mod scram;
mod scratch;
mod times;
pub mod token;
mod topics;
mod transactions;

use std::{ops::Deref, sync::Arc};

pub use self::{
    clock::ClockReading,
    commits::{Commit, Commits, Committed, ListedGroup},
    configs::ConfigEntry,
    describe::{ActiveProducer, PartitionInfo, TopicInfo},
    error::{Error, Result},
    everyone::Everyone,
    fetch::{FetchAnswer, FetchPosition, FetchedPartition, Fetcher, Isolation},
    fidelity::Fidelity,
    groups::{Group, GroupMember},
    offsets::OffsetSpec,
    open::{OpenTransaction, Owner as TransactionOwner},
    own::JournalTopic,
    produce::{PendingProduce, ProduceAnswer, ProducePart, Producer},
    quotas::Quotas,
    reach::{Reach, Reached},
    rights::{Operation, Operations, Probe},
    scram::ScramUser,
    times::Timed,
    topics::NewTopic,
    transactions::{End, ProducerIdentity},
};
use crate::model::{connection::Connection, names::Side};
pub use crate::wire::conn::MaySend;

/// Decoders of answers, for tests that feed them bytes no broker would send.
#[doc(hidden)]
pub mod decoders {
    pub use super::{fetch::decode as fetch, produce::decode as produce};
}

/// A cluster, read only. Cloning shares connections and the leader cache.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<pool::Inner>,
    /// The part it plays where records go back: the other one than that of its settings.
    plays: Option<Side>,
}

/// The cluster applications come from. No method writes, but to our own journal ([`JournalTopic`]).
#[derive(Clone)]
pub struct Source(Cluster);

/// The cluster applications go to.
#[derive(Clone)]
pub struct Target(Cluster);

impl Deref for Source {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Deref for Target {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.0
    }
}

impl Source {
    /// Connects to the first server that answers, logs in and learns who the brokers are.
    pub async fn connect(settings: &Connection) -> Result<Self> {
        Cluster::connect(settings).await.map(Self)
    }

    /// The same cluster as the one that is written where records also go back. Nobody else may ask for it. What it says of itself is then said of
    /// a target: [`crate::model::direction::as_on_the_way_back`] puts that right for people.
    pub fn for_the_way_back(&self) -> Target {
        Target(self.0.in_the_other_part())
    }
}

impl Cluster {
    fn in_the_other_part(&self) -> Self {
        let plays = Some(match self.side() {
            Side::Source => Side::Target,
            Side::Target => Side::Source,
        });
        let inner = self.inner.clone();
        Self { inner, plays }
    }
}

impl Target {
    /// The same cluster as the one that is read where records also go back.
    pub fn for_the_way_back(&self) -> Source {
        Source(self.0.in_the_other_part())
    }

    /// Connects to the first server that answers, logs in and learns who the brokers are.
    pub async fn connect(settings: &Connection) -> Result<Self> {
        Cluster::connect(settings).await.map(Self)
    }
}
