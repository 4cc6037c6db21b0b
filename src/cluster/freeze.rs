//! Keeps principals from writing topics, and lets them again: the one change of a source that a person asks for by name.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::time::{Duration, Instant, sleep, timeout};

use super::{Cluster, Error, Result, Target};
use crate::model::{
    acl::Rule,
    freeze::{self, Frozen},
};

/// Brokers hear of a rule within a moment; longer than this is a fault of theirs.
const HEARD: Duration = Duration::from_secs(30);
/// Brokers that live answer within this.
const ANSWER: Duration = Duration::from_secs(3);
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
            let asked = brokers
                .iter()
                .map(|broker| timeout(ANSWER, self.cluster.acls_at(*broker)));
            let told = join_all(asked).await;
            let late = told.into_iter().position(|rules| {
                let Ok(Ok(rules)) = rules else {
                    return true;
                };
                !is_so(&rules.into_iter().flatten().collect())
            });
            let Some(at) = late else {
                return Ok(());
            };
            if begun.elapsed() >= HEARD {
                return Err(self.late(brokers[at]));
            }
            sleep(PAUSE).await;
            self.cluster.refresh_leaders().await?;
        }
    }

    fn late(&self, broker: i32) -> Error {
        let side = self.cluster.side();
        Error::GaveUp {
            side,
            api: API,
            after: HEARD,
            source: Box::new(Error::Incomplete {
                side,
                broker: self.cluster.address(broker),
                api: API,
                what: "a rule that was made, or still tells one that was removed,".to_owned(),
            }),
        }
    }
}
