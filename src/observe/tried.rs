//! What is learnt by trying: settings, rights on what is not there yet, what is not written down, and whether batches stay as they are.

use super::{
    Known, Objection, Observation, Refusal, Subject, TopicSeen, clients, needs::probed,
    topics::Found,
};
use crate::{
    cluster::{self, Operation, Operations, Probe, Source, Target},
    model::{connection::Connection, names::TopicName, patterns::Patterns},
};

const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
/// What retention is held open with while old records arrive.
const HELD: (&str, &str) = ("retention.ms", "-1");
/// Rights of a topic that every super user has.
const ALL: [Operation; 8] = [
    Operation::Read,
    Operation::Write,
    Operation::Create,
    Operation::Delete,
    Operation::Alter,
    Operation::Describe,
    Operation::DescribeConfigs,
    Operation::AlterConfigs,
];

/// Tries all of it, on both sides as far as there is a connection.
pub(super) async fn all(
    seen: &mut Observation,
    subject: &Subject,
    source: &Source,
    target: Option<&Target>,
    found: &mut Found,
) {
    let names: Vec<TopicName> = found
        .topics
        .iter()
        .map(|topic| topic.name.as_str().into())
        .collect();
    let lacks = |of: fn(&TopicSeen) -> &Known<Operations>| {
        let mut told = found
            .topics
            .iter()
            .map(of)
            .filter_map(|known| known.value().ok());
        told.any(|has| ALL.iter().any(|one| !has.contains(one)))
    };
    let (here_limited, there_limited) = (
        lacks(|topic| &topic.source_rights),
        lacks(|topic| &topic.target_rights.operations),
    );
    let groups = groups(seen, &subject.asked.groups);
    let here = cluster_tried(source, &subject.source, &seen.source, here_limited);
    let there = async {
        let target = target?;
        let (cluster, fidelity, commits, settings) = tokio::join!(
            cluster_tried(target, &subject.target, &seen.target, there_limited),
            target.fidelity(&subject.engine.migration),
            target.may_commit(&groups),
            topics(target, &names, found),
        );
        Some((cluster, fidelity, commits, settings))
    };
    let (here, there) = tokio::join!(here, there);
    here.into_cluster(&mut seen.source);
    let Some((cluster, fidelity, commits, ())) = there else {
        return;
    };
    cluster.into_cluster(&mut seen.target);
    seen.fidelity = fidelity.into();
    seen.commits_denied = match (seen.source_groups.value(), commits) {
        (Err(reason), _) => Known::unknown(reason),
        (_, Err(error)) => Known::unknown(error.to_string()),
        (Ok(_), Ok(answers)) => {
            let denied = answers
                .into_iter()
                .filter(|(_, probe)| *probe == Probe::Denied);
            let mut denied: Vec<String> = denied.map(|(name, _)| name).collect();
            denied.sort_unstable();
            Known::seen(denied)
        }
    };
}

/// Groups that will want positions on the target.
fn groups(seen: &Observation, wanted: &Patterns) -> Vec<String> {
    let mut names: Vec<String> = wanted.literals().cloned().collect();
    if let Ok(groups) = seen.source_groups.value() {
        names.extend(groups.groups.iter().map(|group| group.name.clone()));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// What was tried of one cluster as a whole.
struct Tried {
    everyone: Known<cluster::Everyone>,
    quotas: Known<cluster::Quotas>,
    clients: Known<Vec<super::ClientSeen>>,
}

impl Tried {
    fn into_cluster(self, seen: &mut super::ClusterSeen) {
        seen.everyone = self.everyone;
        seen.quotas = self.quotas;
        seen.clients = self.clients;
    }
}

async fn cluster_tried(
    cluster: &cluster::Cluster,
    settings: &Connection,
    seen: &super::ClusterSeen,
    limited: bool,
) -> Tried {
    let clients = async {
        match seen.brokers.value() {
            Ok(brokers) => clients::seen(settings, brokers).await,
            Err(reason) => Known::unknown(reason),
        }
    };
    let (everyone, quotas, clients) =
        tokio::join!(cluster.everyone(limited), cluster.quotas(), clients);
    Tried {
        everyone: match everyone {
            Ok(Ok(everyone)) => Known::seen(everyone),
            Ok(Err(reason)) => Known::unknown(reason),
            Err(error) => Known::unknown(error.to_string()),
        },
        quotas: quotas.into(),
        clients,
    }
}

/// Rights that brokers do not tell of what is not there, and the source's settings where the topic is.
async fn topics(target: &Target, names: &[TopicName], found: &mut Found) {
    let absent: Vec<TopicName> = found
        .topics
        .iter()
        .filter(|topic| matches!(topic.target.value(), Ok(None)))
        .map(|topic| topic.name.as_str().into())
        .collect();
    let set = |(name, value): &(String, String)| (name.clone(), Some(value.clone()));
    let held = vec![(HELD.0.to_owned(), Some(HELD.1.to_owned()))];
    let holds: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), held.clone()))
        .collect();
    let carried: Vec<_> = found
        .topics
        .iter()
        .filter(|topic| matches!(topic.target.value(), Ok(Some(_))))
        .filter_map(|topic| {
            let made = found.made_with.get(&topic.name)?;
            Some((topic.name.as_str().into(), made.iter().map(set).collect()))
        })
        .collect();
    let (describe, grow, holds, objections) = tokio::join!(
        target.may_describe_configs(names),
        target.may_grow(&absent),
        target.objections(&holds),
        target.objections(&carried),
    );
    let denied = |error: &cluster::Error| error.code() == Some(TOPIC_AUTHORIZATION_FAILED);
    for topic in &mut found.topics {
        let name: TopicName = topic.name.as_str().into();
        topic.target_rights.describe_configs = probed(&describe, &name);
        if absent.contains(&name) {
            topic.target_rights.grow = probed(&grow, &name);
        }
        topic.target_rights.alter_configs = match &holds {
            Err(error) => Known::unknown(error.to_string()),
            Ok(all) => Known::seen(match all.get(&name) {
                Some(objections) if objections.iter().any(|(_, error)| denied(error)) => {
                    Probe::Denied
                }
                _ => Probe::Allowed,
            }),
        };
        let value = |setting: &str| {
            let made = found.made_with.get(&topic.name)?;
            let (_, value) = made.iter().find(|(name, _)| name == setting)?;
            Some(value.as_str())
        };
        topic.objections = match &objections {
            Err(error) => Known::unknown(error.to_string()),
            Ok(all) => {
                let of_topic = all.get(&name).into_iter().flatten();
                let refused = of_topic.filter(|(_, error)| !denied(error));
                let objection = |(setting, error): &(String, cluster::Error)| Objection {
                    setting: format!("{setting}={}", value(setting).unwrap_or_default()),
                    refusal: Refusal {
                        code: error.code().unwrap_or(-1),
                        message: error.to_string(),
                    },
                };
                Known::seen(refused.map(objection).collect())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::example;

    #[test]
    fn groups_that_a_pattern_finds_are_tried_like_those_that_are_named() {
        let wanted = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            Patterns::of(&texts).expect("they are globs")
        };
        let seen = example::green();
        assert_eq!(groups(&seen, &wanted(&["order*"])), ["order-status"]);
        // One that the source does not show yet is tried too, and none twice.
        let named = wanted(&["billing", "order-status"]);
        assert_eq!(groups(&seen, &named), ["billing", "order-status"]);
    }
}
