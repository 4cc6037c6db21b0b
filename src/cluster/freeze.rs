//! Keeps principals from writing topics, and lets them again: the one change of a source that a person asks for by name.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::{Cluster, Error, Result, Target};
use crate::{
    model::{
        acl::Rule,
        freeze::{self, Frozen},
    },
    wire,
};

/// Brokers hear of a rule within a moment; longer than this is a fault of theirs.
const HEARD: Duration = Duration::from_secs(30);
/// Whoever has not answered within this may have died: it is found out whether the cluster still names it.
const ANSWER: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
const API: &str = "DescribeAcls";
const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;

/// What a freeze of a migration does to one cluster.
#[derive(Clone)]
pub struct Freeze {
    cluster: Target,
    migration: String,
}

impl Freeze {
    /// On this cluster, whichever side it is.
    pub fn on(cluster: &Cluster, migration: &str) -> Self {
        // Inside, and only here, access rules of a source are made and removed.
        Self {
            cluster: Target(cluster.clone()),
            migration: migration.to_owned(),
        }
    }

    /// What is frozen there.
    pub async fn standing(&self) -> Result<Vec<Frozen>> {
        match self.cluster.acls().await {
            Ok(rules) => Ok(freeze::standing(
                &rules.unwrap_or_default(),
                &self.migration,
            )),
            // Who may not see rules has never made one.
            Err(error) if error.code() == Some(CLUSTER_AUTHORIZATION_FAILED) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// How many of these may not write by the rules there, and how many are ours.
    pub async fn look(&self, all: &[Frozen]) -> Result<(usize, usize)> {
        let rules = self.cluster.acls().await?.unwrap_or_default();
        let ours = freeze::standing(&rules, &self.migration);
        let denied = all.iter().filter(|one| rules.contains(&one.denial()));
        let marked = all.iter().filter(|one| ours.contains(one));
        Ok((denied.count(), marked.count()))
    }

    /// Freezes, and waits until every broker refuses to let them write. What somebody else denies already is left as theirs. Takes the right to
    /// Alter the cluster.
    pub async fn make(&self, all: &[Frozen]) -> Result<()> {
        let there = self.cluster.acls().await?.unwrap_or_default();
        let ours = freeze::standing(&there, &self.migration);
        let new: Vec<&Frozen> = all
            .iter()
            .filter(|one| ours.contains(one) || !there.contains(&one.denial()))
            .collect();
        let marks: Vec<Rule> = new.iter().map(|one| one.mark(&self.migration)).collect();
        let denials: Vec<Rule> = new.iter().map(|one| one.denial()).collect();
        // The mark first: a denial is ours only with it.
        for rules in [&marks, &denials] {
            for made in self.cluster.make_acls(rules).await? {
                made?;
            }
        }
        let denials: Vec<Rule> = all.iter().map(Frozen::denial).collect();
        self.heard(|rules| denials.iter().all(|rule| rules.contains(rule)))
            .await
    }

    /// Lifts what is ours of it, and waits until every broker has heard.
    pub async fn lift(&self, all: &[Frozen]) -> Result<()> {
        let there = self.cluster.acls().await?.unwrap_or_default();
        let ours = freeze::standing(&there, &self.migration);
        let lifted: Vec<&Frozen> = all.iter().filter(|one| ours.contains(one)).collect();
        let denials: Vec<Rule> = lifted.iter().map(|one| one.denial()).collect();
        let marks: Vec<Rule> = lifted.iter().map(|one| one.mark(&self.migration)).collect();
        // The mark last: without it nobody would know that the denial is ours.
        for rules in [&denials, &marks] {
            for removed in self.cluster.remove_acls(rules).await? {
                removed?;
            }
        }
        self.heard(|rules| !denials.iter().any(|rule| rules.contains(rule)))
            .await
    }

    /// Waits until it is so at every broker: each decides by what it has heard itself. One that has died is asked until the cluster does not
    /// name it any more; when it comes back it hears of the rules before it serves anybody.
    async fn heard(&self, is_so: impl Fn(&BTreeSet<Rule>) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let brokers = self.cluster.brokers();
            let told = join_all(brokers.iter().map(|&broker| self.told(broker))).await;
            let (mut late, mut is_silent) = (None, false);
            for (&broker, told) in brokers.iter().zip(told) {
                match told {
                    Ok(rules) if is_so(&rules) => {}
                    Ok(_) => late = Some(self.late(broker)),
                    Err(error) if error.passes().is_some() => {
                        is_silent = true;
                        late = Some(self.gave_up(error));
                    }
                    Err(error) => return Err(error),
                }
            }
            match late {
                None => return Ok(()),
                Some(error) if begun.elapsed() >= HEARD => return Err(error),
                Some(_) => sleep(PAUSE).await,
            }
            if is_silent {
                self.cluster.refresh_leaders().await?;
            }
        }
    }

    /// The rules that one broker has heard of.
    async fn told(&self, broker: i32) -> Result<BTreeSet<Rule>> {
        let Ok(rules) = timeout(ANSWER, self.cluster.acls_at(broker)).await else {
            let address = self.cluster.address(broker);
            let silent = wire::Error::TimedOut {
                address: address.to_string(),
                api: API,
                after: ANSWER,
            };
            return Err(self.cluster.wire(&address, API, silent));
        };
        Ok(rules?.into_iter().flatten().collect())
    }

    fn gave_up(&self, error: Error) -> Error {
        Error::GaveUp {
            side: self.cluster.side(),
            api: API,
            after: HEARD,
            source: Box::new(error),
        }
    }

    fn late(&self, broker: i32) -> Error {
        self.gave_up(Error::Incomplete {
            side: self.cluster.side(),
            broker: self.cluster.address(broker),
            api: API,
            what: "a rule that was made, or still tells one that was removed,".to_owned(),
        })
    }
}
