//! What `preflight` and `ready` look at of Amazon's side: everything that can be asked, and for what cannot, why.

use std::time::Duration;

use super::{
    keep::{self, State},
    look::{Wanted, place},
    told,
};
use crate::{
    aws::{Clients, clusters, metrics, replicators, secrets},
    cluster::{Probe, Source},
    error::Failure,
    model::{
        connection::{Auth, Connection, Tls},
        msk::{Authority, Msk, Secrets},
        names::{Side, TopicName},
    },
    msk::{self, Direction, Documents, broken, numbers},
    observe::{
        self, AmazonAsked, AmazonSeen, CallerSeen, Known, ListenerSeen, Observation,
        ReplicatorSeen, ReplicatorsSeen, SecretSeen,
    },
};

/// Names whose rights are asked.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Topics in scope.
    pub topics: Vec<TopicName>,
    /// Groups in scope.
    pub groups: Vec<String>,
}

/// Looks at everything. `thorough`: also at what only has to be right before anything is made.
pub async fn sight(
    clients: &Clients,
    msk: &Msk,
    wanted: &Wanted,
    names: &Names,
    thorough: bool,
) -> AmazonSeen {
    const NOT_ASKED: &str = "not asked by this command";
    let documents = documents(msk, wanted);
    let arn = msk.cluster.to_string();
    let (caller, cluster, replicators) = tokio::join!(
        clients.caller(),
        clusters::describe(clients, &arn),
        replicators_of(clients, documents.as_ref().ok(), wanted),
    );
    let mut seen = AmazonSeen {
        asked: asked(msk),
        caller: known(caller.map(|caller| CallerSeen {
            account: caller.account,
            arn: caller.arn,
        })),
        cluster: known(cluster),
        listener: Known::unknown(NOT_ASKED),
        broken: Known::unknown(NOT_ASKED),
        replicators: known(replicators),
        secrets: Known::unknown(NOT_ASKED),
        log_group: Known::unknown(NOT_ASKED),
        from_subnets: Known::unknown(
            "this machine is none of the replicators': that it reaches a broker says nothing of them",
        ),
    };
    if thorough {
        seen.broken = match &documents {
            Ok(documents) => Known::seen(broken_rules(documents)),
            Err(failure) => Known::seen(
                std::iter::once(&failure.message)
                    .chain(&failure.causes)
                    .cloned()
                    .collect(),
            ),
        };
        let (listener, secrets, log_group) = tokio::join!(
            Box::pin(listener(msk, names)),
            secrets_of(clients, msk, wanted),
            log_group(clients, msk),
        );
        seen.listener = Known::seen(Box::new(listener));
        seen.secrets = known(secrets);
        seen.log_group = known(log_group);
    }
    seen
}

/// Adds what CloudWatch says of the replicators to what the clusters said.
pub async fn numbers(clients: &Clients, seen: &mut Observation) {
    let Some(amazon) = &seen.amazon else { return };
    let replicators = match amazon.replicators.value() {
        Ok(replicators) => replicators.clone(),
        Err(reason) => {
            let reason = || Err(reason.to_owned());
            return told::fill(
                &mut seen.metrics,
                reason(),
                reason(),
                &ReplicatorsSeen::default(),
            );
        }
    };
    let now = seen.at_ms;
    let read = async |direction| {
        let one = replicators
            .of(direction)
            .ok_or_else(|| format!("the {direction} replicator is not there"))?;
        let aliases = [&one.described.msk_alias, &one.described.external_alias];
        let wanted = numbers::Wanted {
            replicator: one.described.name.clone(),
            aliases: aliases.into_iter().flatten().cloned().collect(),
            ..numbers::Wanted::default()
        };
        let read = metrics::read(clients, &wanted, now, numbers::Patience::default());
        read.await
            .map_err(|failure| format!("{}: {}", failure.code, failure.message))
    };
    let (forward, reverse) = tokio::join!(read(Direction::Forward), read(Direction::Reverse));
    told::fill(
        &mut seen.metrics,
        forward.as_ref().map_err(String::clone),
        reverse.as_ref().map_err(String::clone),
        &replicators,
    );
}

fn known<T>(answer: Result<T, Failure>) -> Known<T> {
    match answer {
        Ok(value) => Known::seen(value),
        Err(failure) => {
            let cause = failure.causes.first();
            let cause = cause.map_or(String::new(), |cause| format!(" ({cause})"));
            Known::unknown(format!("{}: {}{cause}", failure.code, failure.message))
        }
    }
}

fn asked(msk: &Msk) -> AmazonAsked {
    AmazonAsked {
        region: msk.region.clone(),
        account: msk.cluster.account.clone(),
        cluster_arn: msk.cluster.to_string(),
        subnets: msk.subnets.clone(),
        security_groups: msk.security_groups.clone(),
        role_arn: msk.role_arn.clone(),
        kms_key: msk.kms_key.clone(),
        log_group: msk.logs.cloudwatch.clone(),
        from_earliest: msk.start == crate::model::msk::Start::Earliest,
        names: [msk.forward.clone(), msk.reverse.clone()],
        bootstrap: msk.source_bootstrap.clone(),
        user: msk.source_login.username.clone(),
        public_authority: matches!(msk.source_ca, Authority::Public),
    }
}

/// The documents as they would be sent, before any secret is there.
pub(super) fn documents(msk: &Msk, wanted: &Wanted) -> Result<Documents, Failure> {
    let place = place(msk, wanted)?;
    Documents::render(msk, &place, wanted.templates.as_deref())
}

fn broken_rules(documents: &Documents) -> Vec<String> {
    let mut all = Vec::new();
    for direction in Direction::BOTH {
        let found = broken(documents.request(direction), direction);
        all.extend(
            found
                .iter()
                .map(|one| format!("{direction}: {}: {}", one.place, one.why)),
        );
    }
    all
}

/// The replicators beside what they are asked for.
pub(super) async fn replicators_of(
    clients: &Clients,
    documents: Option<&Documents>,
    wanted: &Wanted,
) -> Result<ReplicatorsSeen, Failure> {
    let mut seen = ReplicatorsSeen {
        all: replicators::count(clients).await?,
        ..ReplicatorsSeen::default()
    };
    let Some(documents) = documents else {
        return Ok(seen);
    };
    for direction in Direction::BOTH {
        let request = documents.request(direction);
        let Some(arn) = replicators::find(clients, &request.replicator_name).await? else {
            continue;
        };
        let Some(described) = replicators::describe(clients, &arn).await? else {
            continue;
        };
        let differ = wanted.differences(direction, &described, request);
        let words = |can: bool| {
            let some = differ.iter().filter(|one| one.can_be_changed == can);
            some.map(|one| format!("{}: {}, asked for {}", one.what, one.is, one.wanted))
                .collect()
        };
        let one = Some(ReplicatorSeen {
            is_ours: msk::is_ours(&described.tags, &wanted.migration, &wanted.id) == Some(true),
            to_change: words(true),
            cannot_change: words(false),
            described,
        });
        match direction {
            Direction::Forward => seen.forward = one,
            Direction::Reverse => seen.reverse = one,
        }
    }
    Ok(seen)
}

/// How the replicators reach the external cluster: by their listener, as their user, trusting whom they trust.
pub(super) fn as_replicators(msk: &Msk) -> Connection {
    let login = &msk.source_login;
    Connection {
        side: Side::Source,
        bootstrap: msk.source_bootstrap.clone(),
        auth: Auth::Scram {
            hash: login.hash,
            username: login.username.clone(),
            password: login.password.clone(),
        },
        tls: Some(match &msk.source_ca {
            Authority::Public => Tls::default(),
            Authority::Private { path, pem } => Tls {
                ca_pem: Some(pem.clone().into_bytes()),
                ca_path: Some(path.clone()),
            },
        }),
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(30),
    }
}

/// The external cluster as the replicators would meet it.
async fn listener(msk: &Msk, names: &Names) -> ListenerSeen {
    let connection = as_replicators(msk);
    let reason = "no connection to the replicators' listener";
    let source = match Source::connect(&connection).await {
        Ok(source) => source,
        Err(error) => {
            return ListenerSeen {
                cluster: observe::unreachable(&connection, &error.failure()),
                topic_rights: Known::unknown(reason),
                groups_denied: Known::unknown(reason),
            };
        }
    };
    let (cluster, rights, groups) = tokio::join!(
        observe::cluster(&connection, &source),
        source.topic_rights(&names.topics),
        source.may_describe_groups(&names.groups),
    );
    let of_topics = |mut rights: std::collections::HashMap<TopicName, _>| {
        let names = names.topics.iter();
        names
            .map(|name| (name.to_string(), rights.remove(name).flatten()))
            .collect()
    };
    let denied = |probes: std::collections::HashMap<String, Probe>| {
        let mut denied: Vec<String> = probes
            .into_iter()
            .filter(|(_, probe)| *probe == Probe::Denied)
            .map(|(group, _)| group)
            .collect();
        denied.sort_unstable();
        denied
    };
    ListenerSeen {
        cluster,
        topic_rights: Known::from(rights).map(of_topics),
        groups_denied: Known::from(groups).map(denied),
    }
}

async fn secrets_of(
    clients: &Clients,
    msk: &Msk,
    wanted: &Wanted,
) -> Result<Vec<SecretSeen>, Failure> {
    if let Secrets::Existing {
        login,
        certificates,
    } = &msk.secrets
    {
        return theirs(clients, msk, login, certificates.as_deref()).await;
    }
    let kept = match keep::kept(clients, msk, &wanted.migration, &wanted.id).await {
        Ok(kept) => kept,
        // A secret of that name that is somebody else's is an answer, and no failure to look.
        Err(failure) if failure.code == keep::FOREIGN => {
            return Ok(vec![SecretSeen {
                name: failure.message.clone(),
                is_kept_by_us: true,
                state: "taken".into(),
                trouble: Some(failure.causes.join("; ")),
            }]);
        }
        Err(failure) => return Err(failure),
    };
    Ok(kept
        .into_iter()
        .map(|one| SecretSeen {
            name: one.name,
            is_kept_by_us: true,
            state: match one.state {
                State::Missing => "to be made",
                State::Leaving => "going to be removed, to be taken back",
                State::Differs => "to be given a new version",
                State::Same => "as it has to be",
            }
            .into(),
            trouble: None,
        })
        .collect())
}

/// Secrets of the user's own: each has what the replicators look for.
async fn theirs(
    clients: &Clients,
    msk: &Msk,
    login: &str,
    certificates: Option<&str>,
) -> Result<Vec<SecretSeen>, Failure> {
    let is_private = matches!(msk.source_ca, Authority::Private { .. });
    let mut wanted: Vec<(&str, Vec<&str>)> = vec![(login, vec!["username", "password"])];
    match certificates {
        Some(arn) if arn == login => wanted[0].1.push("certificate"),
        Some(arn) => wanted.push((arn, vec!["certificate"])),
        None if is_private => wanted[0].1.push("certificate"),
        None => {}
    }
    let mut all = Vec::new();
    for (arn, keys) in wanted {
        let found = secrets::find(clients, arn).await?;
        let trouble = match found {
            None => Some("there is none".to_owned()),
            Some(found) if found.is_leaving => Some("it is going to be removed".to_owned()),
            Some(_) => lacking(secrets::read(clients, arn).await?, &keys),
        };
        all.push(SecretSeen {
            name: arn.to_owned(),
            is_kept_by_us: false,
            state: "yours".into(),
            trouble,
        });
    }
    Ok(all)
}

/// What a secret lacks; its values are not looked at.
fn lacking(text: Option<crate::model::secret::Secret>, keys: &[&str]) -> Option<String> {
    let Some(text) = text else {
        return Some("it has no text".to_owned());
    };
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text.reveal()) else {
        return Some("its text is not a JSON object".to_owned());
    };
    let is_there = |key: &str| fields.get(key).is_some_and(serde_json::Value::is_string);
    let missing: Vec<&str> = keys.iter().copied().filter(|key| !is_there(key)).collect();
    (!missing.is_empty()).then(|| format!("it lacks {}", missing.join(", ")))
}

async fn log_group(clients: &Clients, msk: &Msk) -> Result<Option<bool>, Failure> {
    match &msk.logs.cloudwatch {
        Some(name) => clusters::has_log_group(clients, name).await.map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secret;

    #[test]
    fn what_a_secret_lacks_is_named_and_what_it_says_is_not() {
        let lacks = |text: &str| lacking(Some(Secret::new(text)), &["username", "password"]);
        assert_eq!(lacks(r#"{"username": "a", "password": "b"}"#), None);
        assert_eq!(
            lacks(r#"{"username": "a", "pass": "b"}"#).as_deref(),
            Some("it lacks password")
        );
        assert_eq!(
            lacks(r#"{"username": 1}"#).as_deref(),
            Some("it lacks username, password")
        );
        assert_eq!(
            lacks("Pl4nted").as_deref(),
            Some("its text is not a JSON object")
        );
        assert_eq!(lacking(None, &[]).as_deref(), Some("it has no text"));
    }
}
