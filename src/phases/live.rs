//! Moves on real clusters: groups, ends and hooks as they are.

use std::collections::{BTreeMap, HashMap};

use super::{
    carrier::{Carrier, Ends},
    world::{Call, EndNow, Frost, GroupNow, Hook, World},
};
use crate::{
    cluster::{self, Cluster, OffsetSpec, freeze::Freeze},
    error::Failure,
    exit::Exit,
    model::{
        application::Application,
        freeze::Frozen,
        names::{Side, TopicName, TopicPartition},
        patterns::Patterns,
        scope::Scope,
    },
    run::hooks::{self, Kept, Told},
    wire::record::Records,
};

/// Bytes read to learn the time of one record.
const CHUNK: i32 = 1 << 16;
const LARGEST: usize = 256 << 20;

/// Asks the gates.
pub trait Gates: Send + Sync {
    /// Are they open for this application, and where `hold` says so for as long as they have to be?
    fn ask(
        &self,
        application: &str,
        hold: bool,
    ) -> impl Future<Output = Result<String, Failure>> + Send;
}

/// Both clusters, as they are.
pub struct Live<C, G> {
    /// The migration's name.
    pub migration: String,
    /// The phase, for hooks.
    pub phase: String,
    /// The source.
    pub source: Cluster,
    /// The target, unless it is gone.
    pub target: Option<Cluster>,
    /// Bootstrap servers of both, for hooks: the source's first.
    pub bootstrap: [String; 2],
    /// Which topics move at all.
    pub scope: Scope,
    /// The application that moves.
    pub application: Application,
    /// What is kept from hooks.
    pub kept: Kept,
    /// Who copies.
    pub carrier: C,
    /// The gates.
    pub gates: G,
}

impl<C, G> Live<C, G> {
    fn cluster(&self, side: Side) -> Result<&Cluster, Failure> {
        match side {
            Side::Source => Ok(&self.source),
            Side::Target => self.target.as_ref().ok_or_else(|| {
                Failure::new(Exit::Bug, "K000", "the target was asked, and there is none")
            }),
        }
    }

    fn freezes(&self, on: Side) -> Result<Freeze, Failure> {
        Ok(Freeze::on(self.cluster(on)?, &self.migration))
    }
}

impl<C: Carrier, G: Gates> World for Live<C, G> {
    type Carrier = C;

    fn carrier(&self) -> &C {
        &self.carrier
    }

    async fn gates(&self, application: &str, hold: bool) -> Result<String, Failure> {
        self.gates.ask(application, hold).await
    }

    async fn groups(&self, on: Side, of: &Patterns) -> Result<Vec<GroupNow>, Failure> {
        groups(self.cluster(on)?, of).await
    }

    async fn ends(&self, on: Side, of: &Patterns) -> Result<Vec<EndNow>, Failure> {
        let cluster = self.cluster(on)?;
        let topics = failed(cluster.topics(None).await)?;
        let mut all = Vec::new();
        for topic in topics {
            if of.matches(&topic.name) && self.scope.has_topic(&topic.name, topic.internal) {
                let at = |partition: &cluster::PartitionInfo| {
                    TopicPartition::new(topic.name.clone(), partition.partition)
                };
                all.extend(topic.partitions.iter().map(at));
            }
        }
        let starts = known(cluster.offsets(&all, OffsetSpec::Earliest).await)?;
        // The end before the stable one: what is written in between is no open transaction.
        let ends = known(cluster.offsets(&all, OffsetSpec::End).await)?;
        let stable = known(cluster.offsets(&all, OffsetSpec::Stable).await)?;
        let now = |at: TopicPartition| {
            Some(EndNow {
                start: *starts.get(&at)?,
                end: *ends.get(&at)?,
                stable: *stable.get(&at)?,
                at,
            })
        };
        Ok(all.into_iter().filter_map(now).collect())
    }

    async fn writers(&self, on: Side, of: &[TopicPartition]) -> BTreeMap<TopicPartition, String> {
        let mut words = BTreeMap::new();
        let Ok(cluster) = self.cluster(on) else {
            return words;
        };
        let Ok(Some(producers)) = cluster.active_producers(of).await else {
            return words;
        };
        let ids = cluster.transactional_ids().await.ok().flatten();
        let ids = ids.unwrap_or_default();
        for (at, producers) in producers {
            // The one that wrote last.
            let last = producers.iter().max_by_key(|one| one.last_timestamp);
            if let Some(last) = last {
                let leader = cluster.cached_leader(&at);
                let broker =
                    leader.map_or(String::new(), |(broker, _)| format!(" at broker {broker}"));
                let id = ids.get(&last.producer_id);
                let id = id.map_or(String::new(), |id| format!(" ({id})"));
                let said = format!("producer {}{id} wrote to {at}{broker}", last.producer_id);
                words.insert(at, said);
            }
        }
        words
    }

    async fn times(
        &self,
        on: Side,
        before: &Ends,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let cluster = self.cluster(on)?;
        let mut times = BTreeMap::new();
        for (at, offset) in before {
            if let Some(time) = time_before(cluster, at, *offset).await? {
                times.insert(at.clone(), time);
            }
        }
        Ok(times)
    }

    async fn freeze(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        failed(self.freezes(on)?.make(all).await)
    }

    async fn lift(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        failed(self.freezes(on)?.lift(all).await)
    }

    async fn frost(&self, on: Side, all: &[Frozen]) -> Result<Frost, Failure> {
        let (denied, ours) = failed(self.freezes(on)?.look(all).await)?;
        Ok(Frost {
            denies_all: denied == all.len(),
            has_ours: ours > 0,
        })
    }

    async fn call(&self, call: &Call) -> Result<String, Failure> {
        let hooks = &self.application.hooks;
        let path = match call.hook {
            Hook::Stop => &hooks.stop,
            Hook::Start => &hooks.start,
        };
        let Some(path) = path else {
            return Err(Failure::new(
                Exit::Refused,
                "K488",
                format!(
                    "the plan calls a hook of {} that the file does not name any more",
                    call.application
                ),
            )
            .hint("put it back into the file; the same command goes on"));
        };
        let hook = hooks::Hook {
            path: path.clone(),
            within: hooks.within,
        };
        let [source, target] = &self.bootstrap;
        let told = Told {
            migration: self.migration.clone(),
            phase: self.phase.clone(),
            step: call.step.clone(),
            application: call.application.clone(),
            side: call.side.to_string(),
            bootstrap: match call.side {
                Side::Source => source.clone(),
                Side::Target => target.clone(),
            },
            attempt: call.attempt,
        };
        hook.run(&told, &self.kept).await
    }
}

/// Groups of a cluster, as they are now.
pub async fn groups(cluster: &Cluster, of: &Patterns) -> Result<Vec<GroupNow>, Failure> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let groups = failed(cluster.groups(|name| of.matches(name)).await)?;
    if let Some(denied) = groups.iter().find(|group| group.denied) {
        let side = cluster.side();
        return Err(Failure::new(
            Exit::NotReady,
            "K486",
            format!("group {} of the {side} may not be described, so whether it has members is not known", denied.name),
        )
        .hint("give this login Describe on it"));
    }
    let now = |group: cluster::Group| {
        let mut clients: Vec<String> = group
            .members
            .iter()
            .map(|member| member.client_id.clone())
            .collect();
        clients.sort_unstable();
        clients.dedup();
        GroupNow {
            members: group.members.len(),
            clients,
            committed: group.committed,
            name: group.name,
        }
    };
    Ok(groups.into_iter().map(now).collect())
}

/// Names of the topics of a cluster that are in scope.
pub async fn topics(cluster: &Cluster, scope: &Scope) -> Result<Vec<TopicName>, Failure> {
    let topics = failed(cluster.topics(None).await)?;
    let topics = topics
        .into_iter()
        .filter(|topic| scope.has_topic(&topic.name, topic.internal));
    Ok(topics.map(|topic| topic.name).collect())
}

async fn time_before(
    cluster: &Cluster,
    at: &TopicPartition,
    offset: i64,
) -> Result<Option<i64>, Failure> {
    if offset <= 0 {
        return Ok(None);
    }
    let batches = match cluster.read(at, offset - 1, CHUNK).await {
        Ok((batches, _)) => batches,
        // Deleted, or not written yet: it has no time.
        Err(error) if error.code() == Some(1) => return Ok(None),
        Err(error) => return Err(error.failure()),
    };
    let mut time = None;
    for batch in batches.iter().filter(|batch| !batch.header.is_control()) {
        let Ok(records) = Records::of(batch, LARGEST) else {
            continue;
        };
        for record in records.flatten() {
            if record.offset < offset {
                time = Some(record.timestamp);
            }
        }
    }
    Ok(time)
}

fn failed<T>(answer: cluster::Result<T>) -> Result<T, Failure> {
    answer.map_err(|error| error.failure())
}

fn known(offsets: HashMap<TopicPartition, cluster::Result<i64>>) -> Result<Ends, Failure> {
    let known = offsets
        .into_iter()
        .map(|(at, offset)| Ok((at, failed(offset)?)));
    known.collect()
}
