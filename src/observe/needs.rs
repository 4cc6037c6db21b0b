//! What preflight asks besides: samples of what is stored, rights, and whether the target would make what is missing.

use std::collections::HashMap;

use tokio::task::JoinSet;

use super::{
    AclsSeen, BackSeen, EngineRights, FollowsSeen, Known, OtherCopies, OtherSeen, Refusal,
    TopicSeen, sample, topics::Found,
};
use crate::{
    cluster::{Cluster, NewTopic, Probe, Source, Target},
    engine::{
        self, ledger, status,
        sync::{self, look::NoRules},
    },
    model::{
        direction::Direction,
        names::{Side, TopicName},
    },
};

/// Topics sampled at the same time.
const SAMPLED_AT_ONCE: usize = 16;
/// Topics of one command that is only validated.
const VALIDATED_AT_ONCE: usize = 200;
pub(super) const NOT_ASKED: &str = "not asked by this command";

/// Nothing of it was asked.
pub(super) fn nothing(migration: &str, direction: Direction) -> EngineRights {
    EngineRights {
        ledger: ledger::topic(migration, direction),
        creation: Known::unknown(NOT_ASKED),
        write: Known::unknown(NOT_ASKED),
        read: Known::unknown(NOT_ASKED),
        delete: Known::unknown(NOT_ASKED),
        operations: Known::unknown(NOT_ASKED),
        transactional_ids: format!("{}.", ledger::topic(migration, direction)),
        transactions: Known::unknown(NOT_ASKED),
    }
}

/// Samples every topic.
pub(super) async fn samples(source: &Source, topics: &mut [TopicSeen]) {
    let mut looking = JoinSet::new();
    let mut next = 0;
    loop {
        while looking.len() < SAMPLED_AT_ONCE && next < topics.len() {
            let topic = &topics[next];
            let compacts = |known: &Known<super::TopicSettings>| {
                known.value().is_ok_and(|settings| settings.compacts)
            };
            let keys = compacts(&topic.target_settings) && !compacts(&topic.source_settings);
            let (cluster, name, partitions) = (
                Cluster::clone(source),
                topic.name.clone(),
                topic.partitions.clone(),
            );
            let index = next;
            looking.spawn(
                async move { (index, sample::of(&cluster, &name, &partitions, keys).await) },
            );
            next += 1;
        }
        match looking.join_next().await {
            Some(Ok((index, sample))) => topics[index].sample = sample.into(),
            Some(Err(_)) => {}
            None => break,
        }
    }
}

/// What may be done to the topics on both sides, and whether those that are missing would be made.
pub(super) async fn rights(
    source: &Source,
    target: Option<&Target>,
    found: &mut Found,
    replication_factor: Option<i16>,
) {
    let names: Vec<TopicName> = found
        .topics
        .iter()
        .map(|topic| topic.name.as_str().into())
        .collect();
    let told = source.topic_rights(&names).await;
    for topic in &mut found.topics {
        topic.source_rights = match &told {
            Ok(told) => match told.get(&*topic.name) {
                Some(Some(rights)) => Known::seen(rights.clone()),
                _ => Known::unknown("the source does not tell what this login may do to it"),
            },
            Err(error) => Known::unknown(error.to_string()),
        };
    }
    let Some(target) = target else { return };
    let (told, write, read) = tokio::join!(
        target.topic_rights(&names),
        target.may_write(&names),
        target.may_read(&names),
    );
    let missing: Vec<NewTopic> = found
        .topics
        .iter()
        .filter(|topic| matches!(topic.target.value(), Ok(None)))
        .filter_map(|topic| {
            Some(NewTopic {
                name: topic.name.as_str().into(),
                partitions: i32::try_from(topic.source.partitions).ok()?,
                replication: replication_factor.unwrap_or(-1),
                configs: found.made_with.get(&topic.name)?.clone(),
            })
        })
        .collect();
    let creations = validated(target, &missing).await;
    for topic in &mut found.topics {
        topic.target_rights.operations = match &told {
            Ok(told) => match told.get(&*topic.name) {
                Some(Some(rights)) => Known::seen(rights.clone()),
                _ => Known::unknown("the target does not tell what this login may do to it"),
            },
            Err(error) => Known::unknown(error.to_string()),
        };
        let name: TopicName = topic.name.as_str().into();
        topic.target_rights.write = probed(&write, &name);
        topic.target_rights.read = probed(&read, &name);
        topic.creation = match (topic.target.value(), creations.get(&topic.name)) {
            (Ok(Some(_)), _) => Known::seen(None),
            (_, Some(creation)) => creation.clone(),
            _ => Known::unknown("its settings on the source are not known"),
        };
    }
}

pub(super) fn probed(
    answers: &crate::cluster::Result<HashMap<TopicName, Probe>>,
    name: &TopicName,
) -> Known<Probe> {
    match answers {
        Ok(answers) => match answers.get(name) {
            Some(probe) => Known::seen(*probe),
            None => Known::unknown("the target left it out of its answer"),
        },
        Err(error) => Known::unknown(error.to_string()),
    }
}

async fn validated(
    target: &Target,
    topics: &[NewTopic],
) -> HashMap<String, Known<Option<Refusal>>> {
    let mut all = HashMap::with_capacity(topics.len());
    for some in topics.chunks(VALIDATED_AT_ONCE) {
        let answers = target.create_topics(some, true).await;
        for (index, topic) in some.iter().enumerate() {
            let answer = match &answers {
                Ok(answers) => match &answers[index] {
                    Ok(_) => Known::seen(None),
                    Err(error) => match error.code() {
                        Some(code) => Known::seen(Some(Refusal {
                            code,
                            message: error.to_string(),
                        })),
                        None => Known::unknown(error.to_string()),
                    },
                },
                Err(error) => Known::unknown(error.to_string()),
            };
            all.insert(topic.name.to_string(), answer);
        }
    }
    all
}

/// What the target lets us do to the ledger and the identities.
pub(super) async fn engine(
    target: &Target,
    migration: &str,
    direction: Direction,
    shards: u32,
) -> EngineRights {
    let mut rights = nothing(migration, direction);
    let name: TopicName = rights.ledger.as_str().into();
    let names = [name.clone()];
    let probe = format!(
        "{}0.probe.{}",
        rights.transactional_ids,
        uuid::Uuid::new_v4()
    );
    let new = NewTopic {
        name: name.clone(),
        partitions: i32::try_from(shards).unwrap_or(1),
        replication: -1,
        configs: vec![
            ("cleanup.policy".into(), "delete".into()),
            ("retention.ms".into(), "-1".into()),
            ("retention.bytes".into(), "-1".into()),
        ],
    };
    let new = [new];
    let (creation, write, read, delete, told, transactions) = tokio::join!(
        validated(target, &new),
        target.may_write(&names),
        target.may_read(&names),
        target.may_delete_records(&names),
        target.topic_rights(&names),
        target.may_use_transactional_id(&probe),
    );
    if let Some(creation) = creation.get(&*name) {
        rights.creation = creation.clone();
    }
    rights.write = probed(&write, &name);
    rights.read = probed(&read, &name);
    rights.delete = probed(&delete, &name);
    rights.operations = Known::from(told.map(|mut told| told.remove(&name).flatten()));
    rights.transactions = transactions.into();
    rights
}

/// What the source lets us do, where records come back to it.
pub(super) async fn back(
    source: &Source,
    migration: &str,
    shards: u32,
    topics: &[TopicName],
) -> BackSeen {
    let written = source.for_the_way_back();
    let (rights, fidelity, write) = tokio::join!(
        engine(&written, migration, Direction::Reverse, shards),
        written.fidelity(migration),
        written.may_write(topics),
    );
    let denied = write.map(|answers| {
        let mut denied: Vec<String> = answers
            .into_iter()
            .filter(|(_, probe)| *probe == Probe::Denied)
            .map(|(name, _)| name.to_string())
            .collect();
        denied.sort_unstable();
        denied
    });
    BackSeen {
        rights,
        fidelity: fidelity.into(),
        denied: denied.into(),
    }
}

/// Ledgers of other migrations on both clusters.
pub(super) async fn others(
    source: &Source,
    target: &Target,
    migration: &str,
) -> Known<Vec<OtherSeen>> {
    let mut all = Vec::new();
    for (on, cluster) in [
        (Side::Source, Cluster::clone(source)),
        (Side::Target, Cluster::clone(target)),
    ] {
        let found = match status::others(&cluster, migration).await {
            Ok(found) => found,
            Err(failure) => return Known::unknown(failure.to_string()),
        };
        for (ledger, other) in found {
            let content = match other {
                Ok(other) => Known::seen(OtherCopies {
                    migration: other.migration,
                    source_cluster: other.source_cluster,
                    target_cluster: other.target_cluster,
                    topics: other.topics.into_iter().collect(),
                }),
                Err(failure) => Known::unknown(failure.to_string()),
            };
            all.push(OtherSeen {
                on,
                ledger,
                content,
            });
        }
    }
    Known::seen(all)
}

/// What would follow the source beside records and positions, and what would become of it. `known`: what the ledger says, if it says something.
pub(super) async fn follows(
    source: &Source,
    target: &Target,
    settings: &engine::Settings,
    known: Option<&engine::status::Closely>,
) -> FollowsSeen {
    let nothing = engine::status::Closely::default();
    let known = known.unwrap_or(&nothing);
    let wanted = &settings.sync;
    let of_settings = async {
        let found = engine::topics::found(source, &settings.scope).await;
        let names: Vec<TopicName> = match found {
            Ok(topics) => topics.into_iter().map(|topic| topic.name).collect(),
            Err(failure) => return Known::unknown(failure.to_string()),
        };
        let is_held = |name: &TopicName| known.held.contains(&**name);
        sync::look::settings(source, target, &names, &known.synced, is_held)
            .await
            .into()
    };
    let of_rules = async {
        let looked = sync::look::rules(source, target, wanted, &settings.scope, &known.synced);
        match looked.await {
            Ok(rules) => Known::seen(AclsSeen::Planned(rules.seen())),
            Err(NoRules::Unguarded) => Known::seen(AclsSeen::Unguarded),
            Err(NoRules::Differ(why)) => Known::seen(AclsSeen::Differ(why)),
            Err(NoRules::Failed(error)) => Known::unknown(error.to_string()),
        }
    };
    let settings = match wanted.settings {
        Some(_) => Some(of_settings.await),
        None => None,
    };
    let acls = match wanted.acls {
        Some(_) => Some(of_rules.await),
        None => None,
    };
    FollowsSeen {
        settings,
        acls,
        users_missing: sync::look::users_missing(source, target).await.into(),
    }
}
