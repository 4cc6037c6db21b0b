//! Looks at everything once, and remembers what earlier looks saw.

use std::collections::BTreeSet;

use super::{
    Asked, ClusterSeen, EngineSeen, GroupsSeen, Known, Metrics, Observation, StoppedSeen, Trend,
    VERSION, arrived, clusters, groups, needs, topics, trend::Memory, tried,
};
use crate::model::{direction::Direction, names::TopicName};
use crate::{
    clock::{self, BootInstant},
    cluster::{Cluster, Source, Target, TopicInfo},
    engine::{
        self,
        status::{Closely, EngineState},
    },
    error::Failure,
    model::{
        application::Application, backend::Backend, connection::Connection, patterns::Patterns,
    },
};

/// What is looked at, as the migration file has it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The engine's settings; the migration's name and scope are among them.
    pub engine: engine::Settings,
    /// How to reach the source.
    pub source: Connection,
    /// How to reach the target.
    pub target: Connection,
    /// What gates want to know of the file.
    pub asked: Asked,
    /// Groups to leave out.
    pub exclude_groups: Patterns,
    /// Applications.
    pub applications: Vec<Application>,
    /// The application to look at alone, by its place among them.
    pub only: Option<usize>,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What moves: positions, lag, groups, replicas.
    Ready,
    /// And what has to be so before anything is copied: rights, stored batches, other migrations.
    Preflight,
}

/// Looks, as often as it is asked to, over connections that stay.
pub struct Eyes {
    subject: Subject,
    source: Option<Source>,
    target: Option<Target>,
    memory: Memory,
}

impl Eyes {
    /// Has seen nothing yet.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            source: None,
            target: None,
            memory: Memory::default(),
        }
    }

    /// Looks. Whatever fails stands in the observation.
    pub async fn look(&mut self, depth: Depth) -> Observation {
        let (source_failed, target_failed) = self.connect().await;
        let (source, target) = tokio::join!(
            cluster(&self.subject.source, self.source.as_deref(), source_failed),
            cluster(&self.subject.target, self.target.as_deref(), target_failed),
        );
        let mut seen = self.empty(source, target);
        if let Some(source) = self.source.clone() {
            Box::pin(self.fill(&mut seen, &source, depth)).await;
        }
        groups::count(&mut seen);
        if let Some(only) = self
            .subject
            .only
            .and_then(|only| self.subject.applications.get(only))
        {
            seen = seen.of_application(only);
        }
        self.memory.note(&mut seen);
        seen
    }

    async fn connect(&mut self) -> (Option<Failure>, Option<Failure>) {
        let (mut source_failed, mut target_failed) = (None, None);
        let (source, target) = tokio::join!(
            async {
                match &self.source {
                    Some(_) => None,
                    None => Some(Source::connect(&self.subject.source).await),
                }
            },
            async {
                match &self.target {
                    Some(_) => None,
                    None => Some(Target::connect(&self.subject.target).await),
                }
            },
        );
        match source {
            Some(Ok(source)) => self.source = Some(source),
            Some(Err(error)) => source_failed = Some(error.failure()),
            None => {}
        }
        match target {
            Some(Ok(target)) => self.target = Some(target),
            Some(Err(error)) => target_failed = Some(error.failure()),
            None => {}
        }
        (source_failed, target_failed)
    }

    /// Nothing but the clusters is known.
    fn empty(&self, source: ClusterSeen, target: ClusterSeen) -> Observation {
        fn none<T>() -> Known<T> {
            Known::unknown("no connection to the source")
        }
        let migration = &self.subject.engine.migration;
        let metrics = Metrics {
            replicator_failure: none(),
            offset_sync_failure: none(),
            source_ping: ping(&source),
            target_ping: ping(&target),
            message_lag: none(),
            auth_errors: none(),
            groups_carried: none(),
            waiting: none(),
            replication_latency: none(),
            source_offset_lag: none(),
            target_offset_lag: none(),
            groups: none(),
        };
        Observation {
            v: VERSION,
            at_ms: clock::unix_millis(),
            migration: migration.clone(),
            asked: self.subject.asked.clone(),
            topics: none(),
            missing_topics: Vec::new(),
            topics_outside: Vec::new(),
            engine: none(),
            reverse: not_back(),
            source_groups: none(),
            target_groups: match target.trouble {
                Some(_) => Known::unknown("no connection to the target"),
                None => none(),
            },
            applications: self.subject.applications.clone(),
            others: none(),
            engine_rights: needs::nothing(migration, Direction::Forward),
            back: None,
            follows: None,
            commits_denied: Known::unknown(needs::NOT_ASKED),
            fidelity: Known::unknown(needs::NOT_ASKED),
            amazon: None,
            metrics,
            trend: Trend::default(),
            source,
            target,
        }
    }

    async fn fill(&self, seen: &mut Observation, source: &Source, depth: Depth) {
        let begun = BootInstant::now();
        let target = self.target.as_ref();
        let settings = &self.subject.engine;
        let all = match source.topics(None).await {
            Ok(all) => all,
            Err(error) => {
                let reason = error.to_string();
                seen.topics = Known::unknown(&reason);
                seen.engine = Known::unknown(&reason);
                seen.source_groups = Known::unknown(&reason);
                return;
            }
        };
        let (here, outside): (Vec<TopicInfo>, Vec<TopicInfo>) = all
            .into_iter()
            .partition(|topic| settings.scope.has_topic(&topic.name, topic.internal));
        let named = settings.scope.literal_topics.iter();
        let is_here = |name: &String| here.iter().any(|topic| *topic.name == **name);
        seen.missing_topics = named.filter(|name| !is_here(name)).cloned().collect();
        seen.topics_outside = outside.iter().map(|topic| topic.name.to_string()).collect();

        let is_ours = self.subject.asked.backend == Backend::Embedded;
        let (engine, back, closely) = match is_ours {
            true => self.engine(source).await,
            false => {
                let reason = "MSK Replicator copies: there is no ledger of ours";
                (
                    Known::unknown(reason),
                    Known::unknown(reason),
                    Err(reason.to_owned()),
                )
            }
        };
        seen.engine = engine.aged(begun.elapsed());
        seen.reverse = back.aged(begun.elapsed());
        let begun = BootInstant::now();
        let mut found = topics::seen(
            source,
            target,
            &here,
            closely.as_ref().map_err(|reason| &**reason),
        )
        .await;
        let names: BTreeSet<String> = here.iter().map(|topic| topic.name.to_string()).collect();
        self.groups(seen, source, &names).await;
        if depth == Depth::Preflight {
            needs::samples(source, &mut found.topics).await;
            needs::rights(source, target, &mut found, settings.replication_factor).await;
            if let Some(target) = target {
                seen.engine_rights = needs::engine(
                    target,
                    &settings.migration,
                    Direction::Forward,
                    settings.shards,
                )
                .await;
                seen.others = needs::others(source, target, &settings.migration).await;
            }
            if settings.two_way {
                let names: Vec<TopicName> = found
                    .topics
                    .iter()
                    .map(|topic| topic.name.as_str().into())
                    .collect();
                let back = needs::back(source, &settings.migration, settings.shards, &names);
                seen.back = Some(Box::new(back.await));
            }
            if let (Some(target), true) = (target, is_ours) {
                let follows = needs::follows(source, target, settings, closely.as_ref().ok());
                seen.follows = Some(Box::new(Box::pin(follows).await));
            }
            Box::pin(tried::all(seen, &self.subject, source, target, &mut found)).await;
        }
        for topic in &mut found.topics {
            let says = [&settings.keep, &settings.merge];
            topic.keeps_existing = says.iter().any(|says| says.is_match(&topic.name));
        }
        if let (Some(target), false, Depth::Ready) = (target, is_ours, depth) {
            let asked = BootInstant::now();
            let waiting = arrived::waiting(source, target, &found.topics).await;
            seen.metrics.waiting = waiting.aged(asked.elapsed());
        }
        seen.topics = Known::seen(found.topics).aged(begun.elapsed());
        if !is_ours {
            // CloudWatch says them.
            return;
        }
        seen.metrics.replicator_failure = match seen.engine.value() {
            Ok(engine) => Known::seen(u64::from(engine.state != EngineState::Running)),
            Err(reason) => Known::unknown(reason),
        };
        seen.metrics.offset_sync_failure = if self.subject.asked.groups.is_empty() {
            Known::seen(0)
        } else {
            match seen.engine.value().map(|engine| engine.sync_failures) {
                Ok(Some(failures)) => Known::seen(failures),
                Ok(None) => Known::unknown("the engine has not carried positions of groups yet"),
                Err(reason) => Known::unknown(reason),
            }
        };
    }

    /// The engine by its ledger, and what the ledger says of partitions.
    /// The engine there and back.
    async fn engine(
        &self,
        source: &Source,
    ) -> (
        Known<EngineSeen>,
        Known<EngineSeen>,
        Result<Closely, String>,
    ) {
        let Some(target) = &self.target else {
            let reason = "no connection to the target".to_owned();
            return (
                Known::unknown(&reason),
                Known::unknown(&reason),
                Err(reason),
            );
        };
        match engine::status::look_closely(&self.subject.engine, source, target).await {
            Ok((status, closely)) => {
                let back = status
                    .way_back
                    .map_or_else(not_back, |back| Known::seen(came(back)));
                let stopped = status.stopped.into_iter().map(|one| StoppedSeen {
                    topic: one.topic,
                    partition: one.partition,
                    code: one.code,
                    reason: one.reason,
                });
                let seen = EngineSeen {
                    state: status.engine,
                    owner: status.owner,
                    message_lag: status.message_lag,
                    stopped: stopped.collect(),
                    throttled_by: status.throttled_by,
                    // What failed while the engine began and has gone well since is over.
                    sync_failures: status.groups.map(|groups| match groups.is_failing {
                        true => groups.consumer_group_offset_sync_failures,
                        false => 0,
                    }),
                    open_transactions: status.open_transactions.map(|open| open.len()),
                };
                (Known::seen(seen), back, Ok(closely))
            }
            Err(failure) => {
                let reason = format!("{}: {failure}", failure.code);
                (
                    Known::unknown(&reason),
                    Known::unknown(&reason),
                    Err(reason),
                )
            }
        }
    }

    async fn groups(&self, seen: &mut Observation, source: &Source, topics: &BTreeSet<String>) {
        let (wanted, unwanted) = (&self.subject.asked.groups, &self.subject.exclude_groups);
        if wanted.is_empty()
            && self
                .subject
                .applications
                .iter()
                .all(|one| one.groups.is_empty())
        {
            // Nobody asks for any: that there are none in scope needs no question.
            let none = || {
                Known::seen(GroupsSeen {
                    complete: true,
                    ..GroupsSeen::default()
                })
            };
            seen.source_groups = none();
            seen.target_groups = none();
            return;
        }
        // An application's groups are looked at whether they are to be carried or not.
        let mut texts = wanted.texts().to_vec();
        texts.extend(
            self.subject
                .applications
                .iter()
                .flat_map(|one| one.groups.texts().to_vec()),
        );
        let wanted = Patterns::of(&texts).unwrap_or_default();
        let now = seen.at_ms;
        let begun = BootInstant::now();
        let of_target = async {
            match &self.target {
                Some(target) => {
                    groups::seen(target, &seen.target.rights, &wanted, unwanted, topics, now).await
                }
                None => Known::unknown("no connection to the target"),
            }
        };
        let (here, there) = tokio::join!(
            groups::seen(source, &seen.source.rights, &wanted, unwanted, topics, now),
            of_target
        );
        seen.source_groups = here.aged(begun.elapsed());
        seen.target_groups = there.aged(begun.elapsed());
    }
}

async fn cluster(
    settings: &Connection,
    cluster: Option<&Cluster>,
    failed: Option<Failure>,
) -> ClusterSeen {
    match (cluster, failed) {
        (_, Some(failure)) => clusters::unreachable(settings, &failure),
        (Some(cluster), None) => clusters::seen(settings, cluster).await,
        (None, None) => unreachable!("what is not connected has failed to connect"),
    }
}

/// 1 if every advertised broker took our login and answered, as MSK Replicator's ping is of a whole cluster.
fn ping(cluster: &ClusterSeen) -> Known<u64> {
    if cluster.trouble.is_some() {
        return Known::seen(0);
    }
    match cluster.brokers.value() {
        Ok(brokers) => {
            let all = !brokers.is_empty() && brokers.iter().all(|broker| broker.trouble.is_none());
            Known::seen(u64::from(all))
        }
        Err(reason) => Known::unknown(reason),
    }
}

fn not_back() -> Known<EngineSeen> {
    Known::unknown("nothing comes back: `replication.two_way` is off")
}

fn came(back: engine::status::WayBack) -> EngineSeen {
    let stopped = back.stopped.into_iter().map(|one| StoppedSeen {
        topic: one.topic,
        partition: one.partition,
        code: one.code,
        reason: one.reason,
    });
    EngineSeen {
        state: back.engine,
        owner: None,
        message_lag: back.message_lag,
        stopped: stopped.collect(),
        throttled_by: None,
        sync_failures: None,
        open_transactions: None,
    }
}
