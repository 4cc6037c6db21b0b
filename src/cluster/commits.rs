//! Positions of many groups at once: who coordinates them, where they stand, and plain commits without a member.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::MutexGuard,
    time::Duration,
};

use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::OffsetFetchRequestGroup,
};
use tokio::task::JoinSet;

use super::{
    Cluster, Error, Result, Target,
    patience::Patience,
    pool::{Lane, kafka_name, text},
};
use crate::{
    model::names::{TopicName, TopicPartition},
    wire::{
        conn::Conn,
        retry::{self, CommitVerdict},
        versions::Ask,
    },
};

/// `FindCoordinatorRequest.CoordinatorType.GROUP`.
const GROUP: i8 = 0;
/// Groups read by one request, and coordinators asked for by one.
const READ_AT_ONCE: usize = 100;
const FOUND_AT_ONCE: usize = 1000;
/// From these versions on one request asks for many.
const MANY_GROUPS: i16 = 8;
pub(super) const MANY_COORDINATORS: i16 = 4;
/// Lines to one broker, for reads and for commits. A commit waits for replicas, and for the coordinator to fill its batch, which takes others
/// in meanwhile, but none of the same line.
const READ_LINES: usize = 4;
const COMMIT_LINES: usize = 32;
/// Commits that one line takes before another is worth opening.
const PER_LINE: usize = 4;
/// Who asks comes back in a moment: trouble is waited out no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a group stands, by partition; only what was committed.
pub type Commits = BTreeMap<TopicPartition, Commit>;

/// One committed position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The next offset to be read.
    pub offset: i64,
    /// What the application keeps beside it.
    pub metadata: String,
}

/// A group as the broker that coordinates it lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its name.
    pub name: String,
    /// `classic`, `consumer` (KIP-848), `share` or another; empty where the broker does not tell, and `classic` is meant.
    pub kind: String,
    /// Kafka's word for its state.
    pub state: String,
}

impl ListedGroup {
    /// Has it members, or is it about to?
    pub fn is_active(&self) -> bool {
        !matches!(&*self.state, "" | "Empty" | "Dead")
    }
}

/// What became of one commit.
#[derive(Debug, Clone)]
pub enum Committed {
    /// It stands.
    Done,
    /// The group has members: the broker takes commits from them alone.
    Active,
    /// The broker does not take it.
    Refused(Error),
}

impl Cluster {
    /// Every group that the cluster shows this login, with its state.
    pub async fn listed_groups(&self) -> Result<Vec<ListedGroup>> {
        let mut patience = self.short_patience(ListGroupsRequest::API.name);
        loop {
            match self.list_once().await {
                Ok(groups) => return Ok(groups),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_leaders().await?;
                    }
                }
            }
        }
    }

    async fn list_once(&self) -> Result<Vec<ListedGroup>> {
        let api = ListGroupsRequest::API.name;
        let mut asking = JoinSet::new();
        for broker in self.brokers() {
            let cluster = self.clone();
            asking.spawn(async move {
                let conn = cluster.conn(broker, Lane::Groups(0), api).await?;
                let answer = cluster.ask(&conn, &ListGroupsRequest::default()).await?;
                cluster.checked(&conn, api, answer.error_code)?;
                Ok::<_, Error>((broker, answer.groups))
            });
        }
        let mut groups = Vec::new();
        for listed in asking.join_all().await {
            let (broker, listed) = listed?;
            let mut known = self.group_coordinators();
            for group in listed {
                let name = group.group_id.0.to_string();
                // Who lists a group coordinates it.
                known.insert(name.clone(), broker);
                groups.push(ListedGroup {
                    name,
                    kind: group.group_type.to_lowercase(),
                    state: group.group_state.to_string(),
                });
            }
        }
        Ok(groups)
    }

    /// Where groups stand, each with its own trouble. An offset that a transaction is about to move is waited for: its group has an error that
    /// passes.
    pub async fn positions(&self, of: &[String]) -> HashMap<String, Result<Commits>> {
        let mut known = HashMap::with_capacity(of.len());
        let mut patience = self.short_patience(OffsetFetchRequest::API.name);
        let mut open = of.to_vec();
        loop {
            let (found, mut failed) = self.coordinated(open).await;
            let mut asking = JoinSet::new();
            for (broker, names) in found {
                for (index, some) in names.chunks(READ_AT_ONCE).enumerate() {
                    let (cluster, some) = (self.clone(), some.to_vec());
                    asking.spawn(
                        async move { cluster.read_at(broker, index % READ_LINES, some).await },
                    );
                }
            }
            for (name, read) in asking.join_all().await.into_iter().flatten() {
                match read {
                    Err(error) if error.passes() == Some(true) => failed.push((name, error)),
                    read => drop(known.insert(name, read)),
                }
            }
            let Some((_, error)) = failed.iter().find(|(_, error)| error.passes().is_some()) else {
                known.extend(failed.into_iter().map(|(name, error)| (name, Err(error))));
                return known;
            };
            if patience.after(error.clone()).await.is_err() {
                known.extend(failed.into_iter().map(|(name, error)| (name, Err(error))));
                return known;
            }
            self.forget(failed.iter().map(|(name, _)| name)).await;
            open = failed.into_iter().map(|(name, _)| name).collect();
        }
    }

    async fn read_at(
        &self,
        broker: i32,
        line: usize,
        names: Vec<String>,
    ) -> Vec<(String, Result<Commits>)> {
        let api = OffsetFetchRequest::API.name;
        let lane = Lane::Groups(u8::try_from(line).unwrap_or(0));
        let asked = async {
            let conn = self.conn(broker, lane, api).await?;
            let version = self.version::<OffsetFetchRequest>(&conn)?;
            let mut read = Vec::with_capacity(names.len());
            if version < MANY_GROUPS {
                for name in &names {
                    let request = OffsetFetchRequest::default()
                        .with_group_id(GroupId(text(name)))
                        .with_topics(None)
                        .with_require_stable(version >= 7);
                    let answer = self.ask(&conn, &request).await?;
                    let partitions = answer.topics.into_iter().flat_map(|topic| {
                        let name = TopicName::from(&*topic.name.0);
                        topic.partitions.into_iter().map(move |one| {
                            let at = TopicPartition::new(name.clone(), one.partition_index);
                            (at, one.error_code, one.committed_offset, one.metadata)
                        })
                    });
                    let commits = self.commits(&conn, answer.error_code, partitions);
                    read.push((name.clone(), commits));
                }
                return Ok(read);
            }
            let group = |name: &String| {
                OffsetFetchRequestGroup::default()
                    .with_group_id(GroupId(text(name)))
                    .with_topics(None)
            };
            let request = OffsetFetchRequest::default()
                .with_groups(names.iter().map(group).collect())
                .with_require_stable(true);
            for group in self.ask(&conn, &request).await?.groups {
                let partitions = group.topics.into_iter().flat_map(|topic| {
                    let name = TopicName::from(&*topic.name.0);
                    topic.partitions.into_iter().map(move |one| {
                        let at = TopicPartition::new(name.clone(), one.partition_index);
                        (at, one.error_code, one.committed_offset, one.metadata)
                    })
                });
                let commits = self.commits(&conn, group.error_code, partitions);
                read.push((group.group_id.0.to_string(), commits));
            }
            let answered: HashSet<&String> = read.iter().map(|(name, _)| name).collect();
            let missing = names.iter().filter(|name| !answered.contains(name));
            let missing: Vec<_> = missing
                .map(|name| (name.clone(), Err(self.incomplete(&conn, api, name))))
                .collect();
            read.extend(missing);
            Ok(read)
        };
        let asked: Result<Vec<(String, Result<Commits>)>> = asked.await;
        asked.unwrap_or_else(|error| {
            let failed = names.into_iter().map(|name| (name, Err(error.clone())));
            failed.collect()
        })
    }

    fn commits(
        &self,
        conn: &Conn,
        code: i16,
        partitions: impl Iterator<
            Item = (
                TopicPartition,
                i16,
                i64,
                Option<kafka_protocol::protocol::StrBytes>,
            ),
        >,
    ) -> Result<Commits> {
        let api = OffsetFetchRequest::API.name;
        self.checked(conn, api, code)?;
        let mut commits = Commits::new();
        for (at, code, offset, metadata) in partitions {
            self.checked(conn, api, code)?;
            if offset >= 0 {
                let metadata = metadata.unwrap_or_default().to_string();
                commits.insert(at, Commit { offset, metadata });
            }
        }
        Ok(commits)
    }

    /// Groups by the broker that coordinates them; those that are not known are asked for together. And those for which none is found.
    async fn coordinated(
        &self,
        names: Vec<String>,
    ) -> (HashMap<i32, Vec<String>>, Vec<(String, Error)>) {
        let mut failed = Vec::new();
        let unknown: Vec<String> = {
            let known = self.group_coordinators();
            let unknown = names.iter().filter(|name| !known.contains_key(*name));
            unknown.cloned().collect()
        };
        for some in unknown.chunks(FOUND_AT_ONCE) {
            match self.find_coordinators(GROUP, some).await {
                Ok(found) => {
                    for (name, broker) in found {
                        match broker {
                            Ok(broker) => drop(self.group_coordinators().insert(name, broker)),
                            Err(error) => failed.push((name, error)),
                        }
                    }
                }
                Err(error) => {
                    failed.extend(some.iter().map(|name| (name.clone(), error.clone())));
                }
            }
        }
        let mut by_broker: HashMap<i32, Vec<String>> = HashMap::new();
        let known = self.group_coordinators();
        for name in names {
            if let Some(&broker) = known.get(&name) {
                by_broker.entry(broker).or_default().push(name);
            }
        }
        (by_broker, failed)
    }

    /// Who coordinates these keys, each with its own trouble: in one request where the broker takes one.
    pub(super) async fn find_coordinators(
        &self,
        key_type: i8,
        keys: &[String],
    ) -> Result<Vec<(String, Result<i32>)>> {
        let api = FindCoordinatorRequest::API.name;
        let conn = self.any().await?;
        let request = FindCoordinatorRequest::default().with_key_type(key_type);
        let mut found = Vec::with_capacity(keys.len());
        if self.version::<FindCoordinatorRequest>(&conn)? < MANY_COORDINATORS {
            for key in keys {
                let answer = self
                    .ask(&conn, &request.clone().with_key(text(key)))
                    .await?;
                let checked = self.checked(&conn, api, answer.error_code);
                found.push((key.clone(), checked.map(|()| answer.node_id.0)));
            }
            return Ok(found);
        }
        let request = request.with_coordinator_keys(keys.iter().map(|key| text(key)).collect());
        for one in self.ask(&conn, &request).await?.coordinators {
            let checked = self.checked(&conn, api, one.error_code);
            found.push((one.key.to_string(), checked.map(|()| one.node_id.0)));
        }
        let answered: HashSet<&String> = found.iter().map(|(key, _)| key).collect();
        let missing = keys.iter().filter(|key| !answered.contains(key));
        let missing: Vec<_> = missing
            .map(|key| (key.clone(), Err(self.incomplete(&conn, api, key))))
            .collect();
        found.extend(missing);
        Ok(found)
    }

    /// These groups' coordinators may have moved.
    async fn forget<'a>(&self, names: impl Iterator<Item = &'a String>) {
        {
            let mut known = self.group_coordinators();
            for name in names {
                known.remove(name);
            }
        }
        // A broker that is gone is met again, and reported, by whoever asks next.
        let _ = self.refresh_leaders().await;
    }

    fn group_coordinators(&self) -> MutexGuard<'_, HashMap<String, i32>> {
        self.inner
            .group_coordinators
            .lock()
            .expect("nothing panics while holding it")
    }

    fn short_patience(&self, api: &'static str) -> Patience {
        let limit = PATIENCE.min(self.settings().request_timeout);
        Patience::new(self.side(), api, limit)
    }

    fn version<A: Ask>(&self, conn: &Conn) -> Result<i16> {
        let version = conn.version(A::API);
        version.map_err(|source| self.wire(conn.address(), A::API.name, source))
    }

    fn checked(&self, conn: &Conn, api: &'static str, code: i16) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        Err(self.answered(conn, api, None, code))
    }

    fn answered(
        &self,
        conn: &Conn,
        api: &'static str,
        at: Option<&TopicPartition>,
        code: i16,
    ) -> Error {
        Error::Kafka {
            side: self.side(),
            broker: Some(conn.address().clone()),
            api,
            topic: at.map(|at| at.topic.clone()),
            partition: at.map(|at| at.partition),
            code,
            message: None,
        }
    }

    fn incomplete(&self, conn: &Conn, api: &'static str, what: &str) -> Error {
        Error::Incomplete {
            side: self.side(),
            broker: conn.address().clone(),
            api,
            what: what.to_owned(),
        }
    }
}

impl Target {
    /// Commits positions for groups without being a member: the broker takes that only while a group has none, which is what keeps running
    /// applications from being moved. No leader epoch goes with it: ours means nothing to the other cluster. Each group has its own outcome,
    /// by partition.
    pub async fn commit(
        &self,
        wanted: Vec<(String, Commits)>,
    ) -> HashMap<String, Result<Vec<(TopicPartition, Committed)>>> {
        let names = wanted.iter().map(|(name, _)| name.clone()).collect();
        // Found together; what could not be found is looked for once more by the group's own commit.
        drop(self.coordinated(names).await);
        let lines = wanted.len().div_ceil(PER_LINE).clamp(1, COMMIT_LINES);
        let mut shares: Vec<Vec<(String, Commits)>> = vec![Vec::new(); lines];
        for (index, group) in wanted.into_iter().enumerate() {
            shares[index % lines].push(group);
        }
        let mut committing = JoinSet::new();
        for (line, share) in shares.into_iter().enumerate() {
            let target = self.clone();
            committing.spawn(async move {
                let lane = Lane::Commit(u8::try_from(line).unwrap_or(0));
                let mut done = Vec::with_capacity(share.len());
                for (name, commits) in share {
                    let outcome = target.commit_group(lane, &name, &commits).await;
                    done.push((name, outcome));
                }
                done
            });
        }
        let done = committing.join_all().await;
        done.into_iter().flatten().collect()
    }

    async fn commit_group(
        &self,
        lane: Lane,
        name: &String,
        commits: &Commits,
    ) -> Result<Vec<(TopicPartition, Committed)>> {
        let mut patience = self.short_patience(OffsetCommitRequest::API.name);
        let request = request(name, commits);
        loop {
            let error = match self.commit_once(lane, name, commits, &request).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            if patience.after(error).await? {
                self.forget(std::iter::once(name)).await;
            }
        }
    }

    async fn commit_once(
        &self,
        lane: Lane,
        name: &str,
        commits: &Commits,
        request: &OffsetCommitRequest,
    ) -> Result<Vec<(TopicPartition, Committed)>> {
        let api = OffsetCommitRequest::API.name;
        let (found, failed) = self.coordinated(vec![name.to_owned()]).await;
        let Some(&broker) = found.keys().next() else {
            let error = failed.into_iter().next().map(|(_, error)| error);
            let (side, broker) = (self.side(), -1);
            return Err(error.unwrap_or(Error::NoBroker { side, broker }));
        };
        let conn = self.conn(broker, lane, api).await?;
        let answer = self.ask(&conn, request).await?;
        let mut outcomes = Vec::with_capacity(commits.len());
        for topic in answer.topics {
            for one in topic.partitions {
                let at = TopicPartition::new(&*topic.name.0, one.partition_index);
                let error = || self.answered(&conn, api, Some(&at), one.error_code);
                let outcome = match retry::commit_verdict(one.error_code) {
                    CommitVerdict::Committed => Committed::Done,
                    CommitVerdict::Active => Committed::Active,
                    CommitVerdict::Refused => Committed::Refused(error()),
                    // Committing the same once more does no harm.
                    CommitVerdict::Retry => return Err(error()),
                };
                outcomes.push((at, outcome));
            }
        }
        let answered: HashSet<&TopicPartition> = outcomes.iter().map(|(at, _)| at).collect();
        match commits.keys().find(|at| !answered.contains(at)) {
            Some(at) => Err(self.incomplete(&conn, api, &at.to_string())),
            None => Ok(outcomes),
        }
    }
}

fn request(group: &str, commits: &Commits) -> OffsetCommitRequest {
    let mut topics: BTreeMap<&TopicName, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (at, commit) in commits {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(at.partition)
            .with_committed_offset(commit.offset)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text(&commit.metadata)));
        topics.entry(&at.topic).or_default().push(partition);
    }
    let topic = |(name, partitions): (&TopicName, _)| {
        OffsetCommitRequestTopic::default()
            .with_name(kafka_name(name))
            .with_partitions(partitions)
    };
    OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.into_iter().map(topic).collect())
}
