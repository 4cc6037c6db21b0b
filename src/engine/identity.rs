//! The producer id and epoch of this run: continued after a seal, fresh otherwise, with its predecessors shut out first.
//!
//! 1. An identity stands in the ledger before its first batch.
//! 2. Whoever does not find the ledger sealed fences every identity that is still open, and writes under a fresh producer id.
//! 3. A fence is done in a partition when its marker is seen there, and done in all when all were seen; it is redone otherwise.
//! 4. The coordinator is touched only after the ledger has just taken a word from us.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    lease,
    ledger::{
        record::{At, Entry},
        state::{Identity, Standing},
        write::{Ledger, LedgerLost},
    },
    steps,
};
use crate::{
    cluster::{self, End, OffsetSpec, ProducerIdentity, Source, Target},
    model::names::{TopicName, TopicPartition},
};

/// Clients begin at epoch 0; a client that carries a producer id over from another cluster carries a low epoch with it.
const LOWEST_EPOCH: i16 = 3;
/// Producer ids thrown away in a row before something else must be wrong.
const COLLISIONS: u32 = 20;
/// Fences begun again because somebody bumped in between.
const ATTEMPTS: u32 = 10;
/// PRODUCER_FENCED, INVALID_PRODUCER_EPOCH, INVALID_PRODUCER_ID_MAPPING.
const BUMPED: [i16; 3] = [90, 47, 49];
/// Answers about one partition of a transaction that will not become better: UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
const NOT_THIS_ONE: [i16; 2] = [3, 29];

/// How a run came by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was written before.
    Fresh,
    /// The last run was sealed.
    Continued,
    /// Predecessors were shut out.
    Fenced,
}

impl Origin {
    /// The word in events.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Continued => "continued",
            Self::Fenced => "fenced",
        }
    }
}

/// The identity to write under, and what has to be waited for first.
#[derive(Debug, Clone)]
pub struct Established {
    /// Its number.
    pub number: u32,
    /// Producer id and epoch.
    pub identity: ProducerIdentity,
    /// Where it comes from.
    pub origin: Origin,
    /// Predecessors whose markers have to be seen.
    pub fences: Vec<Fence>,
}

/// One predecessor that is being shut out.
#[derive(Debug, Clone)]
pub struct Fence {
    /// Its number.
    pub number: u32,
    /// Producer id and epoch under which it wrote.
    pub identity: Identity,
    /// The epoch its markers carry, or a higher one. `None`: the coordinator has forgotten the id, and the predecessor was waited out instead.
    pub marker_epoch: Option<i16>,
    /// The partitions it may have written to.
    pub partitions: Vec<At>,
    /// Where these ended before a marker of ours stood there, which would hide that as much was lost; those that could be asked.
    pub ends: HashMap<At, i64>,
    /// Partitions that could take no marker, and why.
    pub impossible: Vec<(At, cluster::Error)>,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum NotEstablished {
    /// The ledger is gone.
    #[error(transparent)]
    Lost(#[from] LedgerLost),
    /// A cluster refused or did not answer.
    #[error("no identity could be had")]
    Cluster(#[from] cluster::Error),
    /// Every producer id offered is in use on a partition in scope.
    #[error("every producer id the target offers is in use on partitions in scope")]
    Collisions,
}

/// Finds or makes the identity of this run. `scope`: the shard's partitions. `patience`: the longest a request of a predecessor can be under way.
pub async fn establish(
    ledger: &mut Ledger,
    source: &Source,
    target: &Target,
    scope: &[TopicPartition],
    patience: Duration,
) -> Result<Established, NotEstablished> {
    let open = ledger.state().standing(Standing::Open);
    let sealed = ledger.state().standing(Standing::Sealed);
    // What is copied again begins at sequence 0 of an identity that was never seen there: nothing of before can be taken for it.
    let copies_again = ledger.state().partitions.values().any(|one| one.recopying);
    if let (true, false, [number]) = (open.is_empty(), copies_again, &sealed[..]) {
        let number = *number;
        let identity = ledger.state().identities[&number];
        ledger.append(vec![Entry::Continued { number }]).await?;
        return Ok(Established {
            number,
            identity: ProducerIdentity {
                producer_id: identity.producer_id,
                producer_epoch: identity.epoch,
            },
            origin: Origin::Continued,
            fences: Vec::new(),
        });
    }
    // A sealed identity beside an open one cannot come from us; fencing it is harmless.
    let predecessors: Vec<u32> = open.into_iter().chain(sealed).collect();
    let mut fences = Vec::new();
    for &number in &predecessors {
        fences.push(bump(ledger, target, number, patience).await?);
    }
    let (number, identity) = fresh(ledger, source, target, scope).await?;
    steps::reached("identity-obtained");
    let entry = Entry::Identity {
        number,
        producer_id: identity.producer_id,
        epoch: identity.producer_epoch,
        fences: predecessors,
    };
    ledger.append(vec![entry]).await?;
    steps::reached("identity-recorded");
    for fence in &mut fences {
        mark(ledger, target, fence, patience).await?;
    }
    if !fences.is_empty() {
        steps::reached("fence-ended");
    }
    let origin = if fences.is_empty() {
        Origin::Fresh
    } else {
        Origin::Fenced
    };
    Ok(Established {
        number,
        identity,
        origin,
        fences,
    })
}

/// Takes a predecessor's transactional id: whoever wrote under it cannot end a transaction any more.
async fn bump(
    ledger: &Ledger,
    target: &Target,
    number: u32,
    patience: Duration,
) -> Result<Fence, NotEstablished> {
    let identity = ledger.state().identities[&number];
    let id = ledger.data_id(number);
    let partitions: Vec<At> = ledger
        .state()
        .partitions
        .iter()
        .filter(|(_, partition)| partition.has_run(number))
        .map(|(&at, _)| at)
        .collect();
    let ends = ends(ledger, target, &partitions).await;
    let now = target.init_producer(&id).await?;
    steps::reached("predecessor-bumped");
    let marker_epoch = (now.producer_id == identity.producer_id
        && now.producer_epoch > identity.epoch)
        .then_some(now.producer_epoch);
    if marker_epoch.is_none() {
        // The coordinator forgot the id, so no marker of its can reach the old producer id. Its owner has no lease any more once this is
        // over, and no request of its can still be under way.
        sleep(lease::TERM + patience).await;
    }
    Ok(Fence {
        number,
        identity,
        marker_epoch,
        partitions,
        ends,
        impossible: Vec::new(),
    })
}

async fn ends(ledger: &Ledger, target: &Target, partitions: &[At]) -> HashMap<At, i64> {
    let named = partitions
        .iter()
        .filter_map(|&at| Some((at, ledger.state().name(at)?)))
        // An offline partition would be asked for half a minute.
        .filter(|(_, name)| target.cached_leader(name).is_some());
    let (ats, names): (Vec<At>, Vec<TopicPartition>) = named.unzip();
    let ends = target.offsets(&names, OffsetSpec::End).await;
    let of = ats.into_iter().zip(&names);
    of.filter_map(|(at, name)| Some((at, *ends.get(name)?.as_ref().ok()?)))
        .collect()
}

/// Asks the coordinator for an abort marker in every partition of a fence. The markers come later.
async fn mark(
    ledger: &mut Ledger,
    target: &Target,
    fence: &mut Fence,
    patience: Duration,
) -> Result<(), NotEstablished> {
    let id = ledger.data_id(fence.number);
    for attempt in 0.. {
        let Some(epoch) = fence.marker_epoch else {
            return Ok(());
        };
        let excluded: HashSet<At> = fence.impossible.iter().map(|(at, _)| *at).collect();
        let named: Vec<TopicPartition> = fence
            .partitions
            .iter()
            .filter(|at| !excluded.contains(at))
            .filter_map(|&at| ledger.state().name(at))
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let as_fence = ProducerIdentity {
            producer_id: fence.identity.producer_id,
            producer_epoch: epoch,
        };
        let marked = async {
            target.add_partitions(&id, as_fence, &named).await?;
            target.end_transaction(&id, as_fence, End::Abort).await
        };
        match marked.await {
            Ok(()) => return Ok(()),
            Err(error)
                if error.code().is_some_and(|code| BUMPED.contains(&code))
                    && attempt < ATTEMPTS =>
            {
                // An engine that was overtaken learns it here, and leaves the new owner's fence alone.
                let fences = vec![fence.number];
                ledger.append(vec![Entry::Intent { fences }]).await?;
                let again = bump(ledger, target, fence.number, patience).await?;
                fence.marker_epoch = again.marker_epoch;
            }
            Err(error) if refused_topic(&error).is_some() => {
                let topic = refused_topic(&error);
                let before = fence.impossible.len();
                for &at in &fence.partitions {
                    let name = ledger.state().name(at).map(|name| name.topic);
                    if name.is_some() && name == topic && !excluded.contains(&at) {
                        fence.impossible.push((at, error.clone()));
                    }
                }
                if fence.impossible.len() == before {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes the markers of an identity that was fenced long ago once more, before brokers forget the last ones. Answers false where that
/// cannot be done any more, because the coordinator has forgotten the id.
pub async fn mark_again(
    target: &Target,
    data_id: &str,
    producer_id: i64,
    partitions: &[TopicPartition],
) -> Result<bool, cluster::Error> {
    let identity = target.init_producer(data_id).await?;
    if identity.producer_id != producer_id {
        return Ok(false);
    }
    target.add_partitions(data_id, identity, partitions).await?;
    target
        .end_transaction(data_id, identity, End::Abort)
        .await?;
    Ok(true)
}

/// The topic that an answer about partitions of a transaction refuses for good.
pub fn refused_topic(error: &cluster::Error) -> Option<TopicName> {
    let refused = error
        .code()
        .is_some_and(|code| NOT_THIS_ONE.contains(&code));
    refused.then(|| topic_of(error)).flatten()
}

fn topic_of(error: &cluster::Error) -> Option<TopicName> {
    match error {
        cluster::Error::Kafka { topic, .. } => topic.clone(),
        cluster::Error::GaveUp { source, .. } => topic_of(source),
        _ => None,
    }
}

/// A producer id that no partition in scope remembers, on either cluster, at an epoch that no client begins with.
async fn fresh(
    ledger: &Ledger,
    source: &Source,
    target: &Target,
    scope: &[TopicPartition],
) -> Result<(u32, ProducerIdentity), NotEstablished> {
    let taken = in_use(source, target, scope).await;
    let highest = ledger.state().identities.keys().next_back();
    let first = highest.map_or(0, |number| number + 1);
    for number in first..first + COLLISIONS {
        let id = ledger.data_id(number);
        let mut identity = target.init_producer(&id).await?;
        if taken.contains(&identity.producer_id) {
            continue;
        }
        while identity.producer_epoch < LOWEST_EPOCH {
            identity = target.init_producer(&id).await?;
        }
        return Ok((number, identity));
    }
    Err(NotEstablished::Collisions)
}

/// Producer ids that partitions in scope remember. What cannot be asked (an old broker, a missing right) counts as free: a collision is then
/// as unlikely as two clusters handing out the same number for one partition.
async fn in_use(source: &Source, target: &Target, scope: &[TopicPartition]) -> HashSet<i64> {
    let ask = |cluster: cluster::Cluster| {
        // An offline partition would be asked for half a minute.
        let scope: Vec<_> = scope
            .iter()
            .filter(|name| cluster.cached_leader(name).is_some())
            .cloned()
            .collect();
        async move {
            match cluster.active_producers(&scope).await {
                Ok(Some(found)) => found
                    .into_values()
                    .flatten()
                    .map(|producer| producer.producer_id)
                    .collect(),
                Ok(None) => Vec::new(),
                Err(error) => {
                    tracing::debug!(%error, "active producers cannot be seen");
                    Vec::new()
                }
            }
        }
    };
    let (on_source, on_target) = tokio::join!(
        ask(cluster::Cluster::clone(source)),
        ask(cluster::Cluster::clone(target))
    );
    on_source.into_iter().chain(on_target).collect()
}
