//! What goes wrong at both clusters, by the seed: requests cut, delayed, refused or answered late; leaders that move; brokers that die; producers forgotten.

use std::time::Duration;

use kafka_migrate::sandbox::{Action, Cluster, Rule, When};
use kafka_protocol::messages::ApiKey;
use tokio::{runtime::Runtime, task::JoinHandle};

use super::scene::TOPICS;
use crate::support::Dice;

/// Requests that something can happen to, and errors that a broker may answer them with before they took effect.
const APIS: [(ApiKey, &[i16]); 11] = [
    // Most of what can go wrong does so here.
    (ApiKey::Produce, &[6, 19]),
    (ApiKey::Produce, &[6]),
    (ApiKey::Produce, &[19]),
    (ApiKey::Fetch, &[6]),
    (ApiKey::ListOffsets, &[6]),
    (ApiKey::Metadata, &[]),
    (ApiKey::InitProducerId, &[14, 15, 16]),
    (ApiKey::AddPartitionsToTxn, &[14, 15, 16, 51]),
    (ApiKey::EndTxn, &[14, 15, 16]),
    (ApiKey::FindCoordinator, &[15]),
    (ApiKey::OffsetCommit, &[14, 15, 16]),
];
/// After it took effect: appended, and not known to all in time.
const PRODUCED: [i16; 2] = [7, 20];

/// What happens by itself.
pub struct Trouble {
    tasks: Vec<JoinHandle<()>>,
    clusters: [Cluster; 2],
}

impl Trouble {
    /// Lets things go wrong from now on.
    pub fn begin(runtime: &Runtime, source: &Cluster, target: &Cluster, dice: &mut Dice) -> Self {
        let clusters = [source.clone(), target.clone()];
        let tasks = clusters.iter().map(|cluster| {
            for _ in 0..dice.between(0, 5) {
                cluster.faults().add(rule(dice));
            }
            runtime.spawn(happen(cluster.clone(), Dice::new(dice.bits())))
        });
        Self {
            tasks: tasks.collect(),
            clusters,
        }
    }

    /// Nothing goes wrong any more, and every broker lives.
    pub fn end(&self, runtime: &Runtime) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for cluster in &self.clusters {
            cluster.faults().clear();
            for broker in [1, 2] {
                // One that lives has its port.
                drop(runtime.block_on(cluster.start_again(broker)));
            }
        }
    }
}

fn rule(dice: &mut Dice) -> Rule {
    let pick =
        |dice: &mut Dice, of: usize| usize::try_from(dice.between(0, of as u64)).expect("few");
    let (api, errors) = APIS[pick(dice, APIS.len())];
    let when = match dice.chance(0.6) {
        true => When::Nth(dice.between(1, 40)),
        false => When::Chance(30_000),
    };
    let action = match dice.between(0, 8) {
        // Long enough to arrive when another engine is at work.
        0 if api == ApiKey::Produce => Action::Delay(Duration::from_millis(dice.between(1, 2500))),
        0 => Action::Delay(Duration::from_millis(dice.between(1, 120))),
        1 | 2 => Action::CutBefore,
        3 | 4 => Action::CutAfter,
        5 if api == ApiKey::Produce => Action::ErrorAfter(PRODUCED[pick(dice, PRODUCED.len())]),
        6 if matches!(when, When::Nth(_)) => Action::SilentAfter,
        _ => match errors {
            [] => Action::CutAfter,
            errors => Action::Error(errors[pick(dice, errors.len())]),
        },
    };
    Rule::new(api, when, action)
}

/// Now and then a leader moves, a broker dies and comes back, producers are forgotten.
async fn happen(cluster: Cluster, mut dice: Dice) {
    // Some forget whatever they may, as soon as they may.
    let forgetful = dice.chance(0.4);
    loop {
        if forgetful && dice.chance(0.8) {
            cluster.expire_producers();
            tokio::time::sleep(Duration::from_millis(3)).await;
            continue;
        }
        tokio::time::sleep(Duration::from_millis(dice.between(40, 400))).await;
        match dice.between(0, 10) {
            0..=2 => {
                let (topic, partitions) = TOPICS[usize::from(dice.chance(0.5))];
                let partition = i32::try_from(dice.between(0, partitions.unsigned_abs().into()));
                let broker = i32::try_from(dice.between(1, 3)).expect("few");
                cluster.move_leader(topic, partition.expect("few"), broker);
            }
            3 => {
                let broker = i32::try_from(dice.between(1, 3)).expect("few");
                cluster.kill(broker, dice.chance(0.5));
                tokio::time::sleep(Duration::from_millis(dice.between(10, 300))).await;
                cluster.start_again(broker).await.expect("its port is free");
            }
            4..=6 => cluster.expire_producers(),
            _ => {}
        }
    }
}

/// What went wrong by rules.
pub fn told(cluster: &Cluster) -> String {
    let fired = cluster.faults().fired();
    let lines = fired.iter().map(|one| {
        format!(
            "{}: {:?} no. {} of {:?} for {}\n",
            cluster.name(),
            one.action,
            one.nth,
            one.api,
            one.client_id
        )
    });
    lines.collect()
}
