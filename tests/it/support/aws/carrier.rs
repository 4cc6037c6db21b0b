//! Lets copiers do what the fake's replicators are to do, between two real clusters, and gives CloudWatch their numbers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use regex_lite::Regex;

use super::{
    super::copier::{Begin, Copier, Direction, Exchange, Numbers},
    Aws, Carries, Publisher,
    replicator::{CreatedReplicator, End},
};

/// A cluster as copiers reach it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its own id: what an external cluster is registered with.
    pub id: String,
    /// `host:port`, without encryption.
    pub bootstrap: Vec<String>,
}

/// Two clusters, and the copiers between them.
pub struct Carrier {
    msk: Place,
    external: Place,
    publisher: Publisher,
    exchange: Arc<Exchange>,
    /// By ARN.
    running: Mutex<BTreeMap<String, Copier>>,
}

impl Carrier {
    /// From now on the replicators of this fake copy between these two. What was copied outlives a replicator.
    pub fn attach(aws: &Aws, external: Place, msk: Place) -> Arc<Self> {
        let carrier = Arc::new(Self {
            msk,
            external,
            publisher: aws.publisher(),
            exchange: Arc::default(),
            running: Mutex::default(),
        });
        aws.carried_by(Arc::<Self>::clone(&carrier));
        carrier
    }

    /// ARNs of those that copy.
    pub fn running(&self) -> Vec<String> {
        let running = self.running.lock().expect("nobody panics with this lock");
        running.keys().cloned().collect()
    }

    /// Has the copier of this ARN, if it runs.
    pub fn with<T>(&self, arn: &str, act: impl FnOnce(&Copier) -> T) -> Option<T> {
        let running = self.running.lock().expect("nobody panics with this lock");
        running.get(arn).map(act)
    }

    fn place(&self, end: &End) -> &Place {
        match end {
            End::Msk { .. } => &self.msk,
            End::External { id, .. } => {
                assert_eq!(
                    *id, self.external.id,
                    "the external cluster has another id than the replicator was given"
                );
                &self.external
            }
        }
    }
}

impl Carries for Carrier {
    fn begin(&self, replicator: &CreatedReplicator) {
        let (from, to) = (
            self.place(&replicator.source),
            self.place(&replicator.target),
        );
        let direction = Direction {
            from: from.bootstrap.clone(),
            to: to.bootstrap.clone(),
            from_id: from.id.clone(),
            to_id: to.id.clone(),
            topics: matching(&replicator.topics, &replicator.topics_excluded),
            groups: matching(&replicator.groups, &replicator.groups_excluded),
            begin: match replicator.from_earliest {
                true => Begin::Earliest,
                false => Begin::Latest,
            },
            half: usize::from(matches!(replicator.source, End::Msk { .. })),
        };
        let told = {
            let (publisher, replicator) = (self.publisher.clone(), replicator.clone());
            let before = Mutex::new(0);
            move |mut numbers: Numbers| {
                // CloudWatch has what failed of late; a copier counts from its start.
                let mut before = before.lock().expect("nobody panics with this lock");
                let all = std::mem::replace(&mut *before, numbers.sync_failures);
                numbers.sync_failures -= all.min(numbers.sync_failures);
                publish(&publisher, &replicator, &numbers);
            }
        };
        let copier = Copier::start(direction, Arc::clone(&self.exchange), told);
        let mut running = self.running.lock().expect("nobody panics with this lock");
        running.insert(replicator.arn.clone(), copier);
    }

    fn end(&self, arn: &str) {
        let copier = {
            let mut running = self.running.lock().expect("nobody panics with this lock");
            running.remove(arn)
        };
        // Waits for its threads, which may be about to publish.
        drop(copier);
    }
}

/// Names that match one of `wanted` as a whole, and none of `unwanted`.
fn matching(wanted: &[String], unwanted: &[String]) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let compile = |patterns: &[String]| -> Vec<Regex> {
        patterns
            .iter()
            .map(|text| Regex::new(&format!("^(?:{text})$")).expect("the request was checked"))
            .collect()
    };
    let (wanted, unwanted) = (compile(wanted), compile(unwanted));
    Arc::new(move |name| {
        let is_in = |list: &[Regex]| list.iter().any(|one| one.is_match(name));
        is_in(&wanted) && !is_in(&unwanted)
    })
}

fn publish(publisher: &Publisher, replicator: &CreatedReplicator, numbers: &Numbers) {
    let own = ("ReplicatorName", replicator.name.as_str());
    let latency = numbers.latency_ms.unwrap_or_default();
    for (metric, value) in [
        ("MessageLag", numbers.message_lag),
        ("ReplicationLatency", latency),
        ("ReplicatorFailure", 0),
        ("ConsumerGroupCount", numbers.groups),
        ("ConsumerGroupOffsetSyncFailure", numbers.sync_failures),
    ] {
        publisher.report(metric, &[own], value as f64);
    }
    let aliases = [&replicator.source_alias, &replicator.target_alias];
    for (alias, ping) in aliases.into_iter().zip(numbers.pings) {
        let beside = [own, ("ClusterAlias", alias.as_str())];
        publisher.report("KafkaClusterPingSuccessCount", &beside, ping as f64);
        publisher.report("AuthError", &beside, 0.0);
        publisher.report("ThrottleTime", &beside, 0.0);
    }
}
