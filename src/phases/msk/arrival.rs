//! Until what stood on the external cluster when it was asked is on MSK: MSK Replicator tells nobody, so the copies themselves are looked for.

use std::collections::HashSet;

use super::deeds::Deeds;
use crate::{
    clock::BootInstant,
    cluster::{Cluster, OffsetSpec, TopicInfo},
    error::Failure,
    model::{
        names::{Side, TopicName, TopicPartition},
        scope::Scope,
    },
    msk::Direction,
    phases::{
        by_content::{ByContent, MSK_MARK},
        carrier::{Behind, Carrier as _, Ends},
        live,
    },
};

/// What the waiting is called.
const STEP: &str = "caught-up";

/// What has to arrive.
pub struct Arrival {
    target: Cluster,
    content: ByContent,
    /// What is not known to have arrived; what has arrived stays so, and is not looked for again.
    left: Ends,
}

impl Arrival {
    /// All that stands in scope on the source now, up to where no transaction is open.
    ///
    /// # Errors
    ///
    /// A cluster that does not answer, or does not let us read.
    pub async fn of_now(source: Cluster, target: Cluster, scope: &Scope) -> Result<Self, Failure> {
        let names = live::topics(&source, scope).await?;
        let partitions = partitions(&source, &names).await?;
        let (starts, ends) = tokio::join!(
            source.offsets(&partitions, OffsetSpec::Earliest),
            source.offsets(&partitions, OffsetSpec::Stable),
        );
        let mut left = Ends::new();
        for (at, end) in ends {
            let end = end.map_err(|error| error.failure())?;
            let start = match starts.get(&at) {
                Some(Ok(start)) => *start,
                Some(Err(error)) => return Err(error.failure()),
                None => 0,
            };
            if end > start {
                left.insert(at, end);
            }
        }
        let content = ByContent::new(source, target.clone(), MSK_MARK);
        Ok(Self {
            target,
            content,
            left,
        })
    }

    /// Looks for what has not been found yet; answers with what is still missing.
    async fn look(&mut self) -> Result<Vec<Behind>, Failure> {
        let names: HashSet<TopicName> = self.left.keys().map(|at| at.topic.clone()).collect();
        let names: Vec<TopicName> = names.into_iter().collect();
        let there = partitions(&self.target, &names).await?;
        let there: HashSet<TopicPartition> = there.into_iter().collect();
        let (made, missing): (Ends, Ends) = self
            .left
            .iter()
            .map(|(at, end)| (at.clone(), *end))
            .partition(|(at, _)| there.contains(at));
        let mut behind = self.content.behind(Side::Source, &made).await?;
        behind.extend(missing.into_keys().map(|at| Behind {
            what: "it is not on MSK yet".to_owned(),
            at,
        }));
        behind.sort_by(|a, b| a.at.cmp(&b.at));
        let names: HashSet<&TopicPartition> = behind.iter().map(|one| &one.at).collect();
        self.left.retain(|at, _| names.contains(at));
        Ok(behind)
    }
}

impl Deeds {
    /// Waits until all of it has arrived, for as long as the replicator is there and has not failed.
    ///
    /// # Errors
    ///
    /// K322 and K327: the replicator failed, or is gone. K329: stopped, as asked. Clusters that do not answer.
    pub async fn arrives(&self, arrival: &mut Arrival) -> Result<(), Failure> {
        let begun = BootInstant::now();
        loop {
            self.is_at_work(Direction::Forward).await?;
            let behind = arrival.look().await?;
            let Some(first) = behind.first() else {
                return Ok(());
            };
            let waited = self.wait(STEP, &words(&behind, first), begun).await;
            // Without the flag the next one would not wait for this.
            waited.map_err(|failure| failure.next("kafka-migrate replicate --until caught-up"))?;
        }
    }
}

fn words(behind: &[Behind], first: &Behind) -> String {
    let more = match behind.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more partitions"),
    };
    format!("not on MSK yet: {}, {}{more}", first.at, first.what)
}

async fn partitions(
    cluster: &Cluster,
    names: &[TopicName],
) -> Result<Vec<TopicPartition>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let topics = cluster.topics(Some(names)).await;
    let topics = topics.map_err(|error| error.failure())?;
    let each = topics.iter().flat_map(TopicInfo::named_partitions);
    Ok(each.collect())
}
