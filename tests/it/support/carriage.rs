//! What the fake AWS's replicators do: a [`Copier`] between two real clusters for each that runs, whose numbers are CloudWatch's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use super::{
    aws::{
        Aws, Carries,
        replicator::{CreatedReplicator, End},
    },
    copier::{Begin, Copier, Direction, Exchange, Numbers},
    kafka::Kafka,
};

/// A point stands for a minute, and counts once that is over for a while.
const LATE_MS: i64 = 125_000;
const MINUTE_MS: i64 = 60_000;

/// Carries between an external cluster and one that plays the part of MSK.
pub struct Carriage {
    aws: Weak<Aws>,
    /// Servers and ids: the external cluster, and MSK's.
    sides: [(Vec<String>, String); 2],
    exchange: Arc<Exchange>,
    running: Mutex<HashMap<String, Copier>>,
}

impl Carriage {
    /// Lets the fake's replicators copy between these two.
    pub fn between(aws: &Arc<Aws>, external: &Kafka, msk: &Kafka) {
        let side = |kafka: &Kafka, id: &str| (kafka.bootstrap(), id.to_owned());
        let carriage = Arc::new(Self {
            aws: Arc::downgrade(aws),
            sides: [side(external, "external"), side(msk, "msk")],
            exchange: Arc::default(),
            running: Mutex::default(),
        });
        aws.carried_by(carriage);
    }
}

impl Carries for Carriage {
    fn begin(&self, replicator: &CreatedReplicator) {
        let is_forward = matches!(replicator.target, End::Msk { .. });
        let (from, to) = match is_forward {
            true => (&self.sides[0], &self.sides[1]),
            false => (&self.sides[1], &self.sides[0]),
        };
        let direction = Direction {
            from: from.0.clone(),
            to: to.0.clone(),
            from_id: from.1.clone(),
            to_id: to.1.clone(),
            topics: matching(&replicator.topics, &replicator.topics_excluded),
            groups: matching(&replicator.groups, &replicator.groups_excluded),
            begin: match replicator.from_earliest {
                true => Begin::Earliest,
                false => Begin::Latest,
            },
            half: usize::from(!is_forward),
        };
        let told = publisher(self.aws.clone(), replicator);
        let copier = Copier::start(direction, self.exchange.clone(), told);
        let mut running = self.running.lock().expect("nobody panics with it");
        running.insert(replicator.arn.clone(), copier);
    }

    fn end(&self, arn: &str) {
        let mut running = self.running.lock().expect("nobody panics with it");
        if let Some(copier) = running.remove(arn) {
            copier.stop();
        }
    }
}

/// Publishes a replicator's numbers, once for each minute.
fn publisher(aws: Weak<Aws>, replicator: &CreatedReplicator) -> impl Fn(Numbers) + Send + 'static {
    let name = replicator.name.clone();
    let aliases = [&replicator.source_alias, &replicator.target_alias].map(Clone::clone);
    let last = Mutex::new(0_i64);
    move |numbers| {
        let Some(aws) = aws.upgrade() else { return };
        let at = aws.now() - LATE_MS;
        let mut last = last.lock().expect("nobody panics with it");
        // Until it has found the groups it says nothing.
        if numbers.groups == 0 {
            return;
        }
        // What a sum has counted once it does not count again.
        if at / MINUTE_MS == *last / MINUTE_MS {
            return;
        }
        *last = at;
        let own = [("ReplicatorName", &*name)];
        for (metric, value) in [
            ("MessageLag", numbers.message_lag as f64),
            ("ReplicationLatency", numbers.latency_ms.unwrap_or(0) as f64),
            ("ReplicatorFailure", 0.0),
            ("ConsumerGroupCount", numbers.groups as f64),
            (
                "ConsumerGroupOffsetSyncFailure",
                numbers.sync_failures as f64,
            ),
        ] {
            aws.publish_at(at, metric, &own, value);
        }
        for (alias, ping) in aliases.iter().zip(numbers.pings) {
            let beside = [("ReplicatorName", &*name), ("ClusterAlias", &**alias)];
            aws.publish_at(at, "KafkaClusterPingSuccessCount", &beside, ping as f64);
            aws.publish_at(at, "AuthError", &beside, 0.0);
        }
    }
}

/// Does a name match? Of regular expressions only names and `.*` are known here.
fn matching(take: &[String], leave: &[String]) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let (take, leave) = (take.to_vec(), leave.to_vec());
    let fits = |expression: &str, name: &str| match expression.split_once(".*") {
        Some((before, after)) => {
            let (before, after) = (before.replace('\\', ""), after.replace('\\', ""));
            name.starts_with(&before) && name.ends_with(&after)
        }
        None => expression.replace('\\', "") == name,
    };
    Arc::new(move |name| {
        take.iter().any(|one| fits(one, name)) && !leave.iter().any(|one| fits(one, name))
    })
}

/// How long what is copied may take to be seen.
pub const PATIENCE: Duration = Duration::from_secs(120);
