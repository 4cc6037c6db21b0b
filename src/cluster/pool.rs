//! Connections of one cluster: one per broker and purpose, opened when first needed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_protocol::messages::{
    MetadataRequest, MetadataResponse, metadata_request::MetadataRequestTopic,
};
use kafka_protocol::protocol::StrBytes;
use tokio::{
    sync::Mutex as AsyncMutex,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{Cluster, Error, Result, patience::Patience};
use crate::{
    model::{
        connection::{Auth, Connection},
        names::{Side, TopicName, TopicPartition},
    },
    wire::{
        self,
        conn::{Conn, MaySend},
        dial::Dialer,
        leaders::{Leader, Leaders, Seen},
        versions::Ask,
    },
};

/// A second server is tried beside a silent one after this long.
const STAGGER: Duration = Duration::from_secs(1);
/// What a broker answers for a partition it has not heard of.
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
/// Refreshes of the leader cache are at least this far apart.
const REFRESH_EVERY: Duration = Duration::from_millis(100);

/// What a shared connection is for. A broker serves one request per connection at a time, so slow questions are kept off the others' line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// Metadata, offsets, configs, topic commands.
    Ask,
    /// The transaction coordinator.
    Transact,
    /// Appends to topics of our own, which wait for replicas.
    Own,
    /// Lists and positions of groups.
    Groups(u8),
    /// Commits for groups, which wait for replicas.
    Commit(u8),
    /// One-shot reads; a partition always takes the same of four lines.
    Read(u8),
    /// Reads that wait for records to come.
    Wait,
}

type Slot = Arc<AsyncMutex<Option<Conn>>>;

pub(super) struct Inner {
    pub(super) dialer: Dialer,
    pub(super) leaders: Leaders,
    /// Transactional id to the broker that coordinates it.
    pub(super) coordinators: Mutex<HashMap<String, i32>>,
    /// Group to the broker that coordinates it.
    pub(super) group_coordinators: Mutex<HashMap<String, i32>>,
    id: String,
    lanes: Mutex<HashMap<(i32, Lane), Slot>>,
    any: Slot,
    /// When the leader cache was last refreshed; held while a refresh runs.
    refreshed: AsyncMutex<Option<Instant>>,
}

impl Cluster {
    pub(super) async fn connect(settings: &Connection) -> Result<Self> {
        let side = settings.side;
        let dialer = Dialer::new(settings).map_err(|source| Error::Settings {
            side,
            source: Box::new(source),
        })?;
        let mut inner = Inner {
            dialer,
            leaders: Leaders::default(),
            coordinators: Mutex::default(),
            group_coordinators: Mutex::default(),
            id: String::new(),
            lanes: Mutex::default(),
            any: Slot::default(),
            refreshed: AsyncMutex::default(),
        };
        let conn = first_of(
            &inner.dialer,
            settings
                .bootstrap
                .iter()
                .map(|address| address.as_str().into())
                .collect(),
        )
        .await?;
        let request = request(Some(&[]));
        let answer = conn
            .ask(&request, settings.request_timeout)
            .await
            .map_err(|source| {
                // A listener with SASL tells strangers its versions and nothing else.
                let source = match source {
                    wire::Error::Closed { address, .. } if matches!(settings.auth, Auth::None) => {
                        wire::Error::LoginWanted { address }
                    }
                    other => other,
                };
                Error::Wire {
                    side,
                    broker: conn.address().clone(),
                    api: MetadataRequest::API.name,
                    source: Box::new(source),
                }
            })?;
        inner.id = answer.cluster_id.as_deref().unwrap_or_default().to_owned();
        *inner.any.lock().await = Some(conn);
        let cluster = Self {
            inner: Arc::new(inner),
            plays: None,
        };
        cluster.learn(&answer)?;
        Ok(cluster)
    }

    /// The cluster's id as the brokers tell it.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The brokers' ids.
    pub fn brokers(&self) -> Vec<i32> {
        let brokers = self.inner.leaders.brokers();
        brokers.into_iter().map(|(id, _)| id).collect()
    }

    /// A broker's address, or its id where that is not known.
    pub(super) fn address(&self, broker: i32) -> Arc<str> {
        let known = self.inner.leaders.broker(broker);
        known.unwrap_or_else(|| broker.to_string().into())
    }

    /// Source or target.
    pub fn side(&self) -> Side {
        self.plays.unwrap_or(self.settings().side)
    }

    pub(super) fn settings(&self) -> &Connection {
        self.inner.dialer.settings()
    }

    pub(super) fn patience(&self, api: &'static str) -> Patience {
        Patience::new(self.side(), api, self.settings().request_timeout)
    }

    pub(super) fn wire(&self, broker: &Arc<str>, api: &'static str, source: wire::Error) -> Error {
        Error::Wire {
            side: self.side(),
            broker: broker.clone(),
            api,
            source: Box::new(source),
        }
    }

    /// Asks over a connection, in the highest common version.
    pub(super) async fn ask<A: Ask>(&self, conn: &Conn, request: &A) -> Result<A::Answer> {
        let answer = conn.ask(request, self.settings().request_timeout).await;
        answer.map_err(|source| self.wire(conn.address(), A::API.name, source))
    }

    /// Opens a connection of the caller's own to a broker.
    pub(super) async fn open(
        &self,
        broker: i32,
        api: &'static str,
        may_send: Option<MaySend>,
    ) -> Result<Conn> {
        let address = match self.inner.leaders.broker(broker) {
            Some(address) => address,
            None => {
                self.refresh_leaders().await?;
                self.inner.leaders.broker(broker).ok_or(Error::NoBroker {
                    side: self.side(),
                    broker,
                })?
            }
        };
        self.inner
            .dialer
            .dial(&address, may_send)
            .await
            .map_err(|source| self.wire(&address, api, source))
    }

    /// The shared connection to a broker.
    pub(super) async fn conn(&self, broker: i32, lane: Lane, api: &'static str) -> Result<Conn> {
        let slot = self
            .inner
            .lanes
            .lock()
            .expect("nothing panics while holding it")
            .entry((broker, lane))
            .or_default()
            .clone();
        let mut slot = slot.lock().await;
        if let Some(conn) = slot.as_ref().filter(|conn| conn.is_alive()) {
            return Ok(conn.clone());
        }
        let address = self.inner.leaders.broker(broker).ok_or(Error::NoBroker {
            side: self.side(),
            broker,
        })?;
        let conn = self
            .inner
            .dialer
            .dial(&address, None)
            .await
            .map_err(|source| self.wire(&address, api, source))?;
        *slot = Some(conn.clone());
        Ok(conn)
    }

    /// A connection to any broker: the brokers that were advertised first, then the bootstrap servers.
    pub(super) async fn any(&self) -> Result<Conn> {
        let mut slot = self.inner.any.lock().await;
        if let Some(conn) = slot.as_ref().filter(|conn| conn.is_alive()) {
            return Ok(conn.clone());
        }
        let mut addresses: Vec<Arc<str>> = self
            .inner
            .leaders
            .brokers()
            .into_iter()
            .map(|(_, address)| address)
            .collect();
        for address in &self.settings().bootstrap {
            if !addresses.iter().any(|known| **known == **address) {
                addresses.push(address.as_str().into());
            }
        }
        let conn = first_of(&self.inner.dialer, addresses).await?;
        *slot = Some(conn.clone());
        Ok(conn)
    }

    /// Asks for topics (all, or the named ones) and stores what the answer says of leaders. Never lets the broker create a topic.
    pub(super) async fn metadata(&self, names: Option<&[TopicName]>) -> Result<MetadataResponse> {
        let api = MetadataRequest::API.name;
        let request = request(names);
        let mut patience = self.patience(api);
        loop {
            let tried = async {
                let conn = self.any().await?;
                self.ask(&conn, &request).await
            };
            match tried.await {
                Ok(answer) => {
                    self.learn(&answer)?;
                    return Ok(answer);
                }
                Err(error) => patience.after(error).await?,
            };
        }
    }

    fn learn(&self, answer: &MetadataResponse) -> Result<()> {
        let found = answer.cluster_id.as_deref().unwrap_or_default();
        if found != self.inner.id {
            return Err(Error::OtherCluster {
                side: self.side(),
                expected: self.inner.id.clone(),
                found: found.to_owned(),
            });
        }
        let brokers = answer
            .brokers
            .iter()
            .map(|broker| (broker.node_id.0, address(&broker.host, broker.port)));
        let mut seen = Vec::new();
        let mut gone = Vec::new();
        for topic in &answer.topics {
            let Some(name) = topic.name.as_ref().map(|name| TopicName::from(&*name.0)) else {
                continue;
            };
            match topic.error_code {
                0 | 5 => seen.push(Seen {
                    name,
                    id: topic.topic_id,
                    leaders: topic
                        .partitions
                        .iter()
                        .map(|partition| {
                            let leader = Leader {
                                broker: partition.leader_id.0,
                                epoch: partition.leader_epoch,
                            };
                            (partition.partition_index, leader)
                        })
                        .collect(),
                }),
                _ => gone.push(name),
            }
        }
        let controller = Some(answer.controller_id.0).filter(|&id| id >= 0);
        self.inner
            .leaders
            .learn(brokers.collect(), controller, seen, &gone);
        Ok(())
    }

    /// Asks the brokers again who leads what (rate-limited inside; concurrent calls share one request).
    pub async fn refresh_leaders(&self) -> Result<()> {
        self.refresh_since(self.inner.leaders.generation()).await
    }

    /// Refreshes, unless the cache is already newer than the generation that was used.
    pub(super) async fn refresh_since(&self, used: u64) -> Result<()> {
        let mut last = self.inner.refreshed.lock().await;
        if self.inner.leaders.generation() > used {
            return Ok(());
        }
        if let Some(last) = *last {
            sleep_until(last + REFRESH_EVERY).await;
        }
        let topics = self.inner.leaders.topics();
        let done = self.metadata(Some(&topics)).await;
        *last = Some(Instant::now());
        done.map(drop)
    }

    /// Broker id of the partition's leader from the cache, asking if unknown.
    pub async fn leader(&self, of: &TopicPartition) -> Result<i32> {
        if let Some(leader) = self.inner.leaders.leader(of) {
            return Ok(leader.broker);
        }
        self.metadata(Some(std::slice::from_ref(&of.topic))).await?;
        let leader = self.inner.leaders.leader(of);
        leader
            .map(|leader| leader.broker)
            .ok_or_else(|| self.orphan(of))
    }

    /// Cached leader and leader epoch without asking. `None` if unknown.
    pub fn cached_leader(&self, of: &TopicPartition) -> Option<(i32, i32)> {
        self.inner
            .leaders
            .leader(of)
            .map(|leader| (leader.broker, leader.epoch))
    }

    /// Does the partition exist, by what the brokers last said, with a leader or without?
    pub fn knows(&self, at: &TopicPartition) -> bool {
        self.inner.leaders.has(at)
    }

    /// Why a partition has no leader: it is offline, or it does not exist.
    pub(super) fn orphan(&self, at: &TopicPartition) -> Error {
        if self.knows(at) {
            return Error::NoLeader {
                side: self.side(),
                at: at.clone(),
            };
        }
        Error::Kafka {
            side: self.side(),
            broker: None,
            api: MetadataRequest::API.name,
            topic: Some(at.topic.clone()),
            partition: Some(at.partition),
            code: UNKNOWN_TOPIC_OR_PARTITION,
            message: None,
        }
    }

    /// Sorts partitions by leader, asking once for all topics that are not known; those without a leader come apart.
    pub(super) async fn by_leader(
        &self,
        of: Vec<TopicPartition>,
    ) -> Result<(HashMap<i32, Vec<TopicPartition>>, Vec<TopicPartition>)> {
        let mut unknown: Vec<TopicName> = of
            .iter()
            .map(|at| &at.topic)
            .filter(|topic| !self.inner.leaders.knows(topic))
            .cloned()
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            self.metadata(Some(&unknown)).await?;
        }
        let mut led: HashMap<i32, Vec<TopicPartition>> = HashMap::new();
        let mut orphans = Vec::new();
        for at in of {
            match self.inner.leaders.leader(&at) {
                Some(leader) => led.entry(leader.broker).or_default().push(at),
                None => orphans.push(at),
            }
        }
        Ok((led, orphans))
    }
}

/// Tries servers one after the other, a second beside a silent first; the first working connection wins.
async fn first_of(dialer: &Dialer, addresses: Vec<Arc<str>>) -> Result<Conn> {
    let side = dialer.settings().side;
    let mut running = JoinSet::new();
    let mut worst: Option<wire::Error> = None;
    let mut waiting = addresses.iter().cloned();
    loop {
        if let Some(address) = waiting.next() {
            let dialer = dialer.clone();
            running.spawn(async move { dialer.dial(&address, None).await });
        } else if running.is_empty() {
            break;
        }
        let patience = if waiting.len() > 0 {
            STAGGER
        } else {
            Duration::MAX
        };
        match timeout(patience, running.join_next()).await {
            Ok(Some(Ok(Ok(conn)))) => return Ok(conn),
            Ok(Some(Ok(Err(error)))) => {
                if worst
                    .as_ref()
                    .is_none_or(|worst| error.weight() > worst.weight())
                {
                    worst = Some(error);
                }
            }
            Ok(Some(Err(_)) | None) | Err(_) => {}
        }
    }
    let source = worst.unwrap_or_else(|| wire::Error::Address {
        address: String::new(),
    });
    let tried = addresses.iter().map(ToString::to_string).collect();
    Err(Error::Unreachable {
        side,
        tried,
        source: Box::new(source),
    })
}

fn request(names: Option<&[TopicName]>) -> MetadataRequest {
    let topic =
        |name: &TopicName| MetadataRequestTopic::default().with_name(Some(kafka_name(name)));
    MetadataRequest::default()
        .with_allow_auto_topic_creation(false)
        .with_topics(names.map(|names| names.iter().map(topic).collect()))
}

fn address(host: &str, port: i32) -> Arc<str> {
    if host.contains(':') {
        format!("[{host}]:{port}").into()
    } else {
        format!("{host}:{port}").into()
    }
}

/// A topic's name as the message types want it.
pub(super) fn kafka_name(name: &str) -> kafka_protocol::messages::TopicName {
    kafka_protocol::messages::TopicName(text(name))
}

/// A string as the message types want it.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
