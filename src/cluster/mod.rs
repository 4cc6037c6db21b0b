//! One cluster as questions and commands: `Source` can only be read, `Target` can be written too.

use std::{collections::HashMap, ops::Deref, sync::Arc, time::Duration};

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    model::{
        connection::Connection,
        names::{TopicName, TopicPartition},
    },
    wire::batch::{Batch, Stamped},
};

/// A cluster, read only. Cloning shares connections and the leader cache.
#[derive(Clone)]
pub struct Cluster { inner: Arc<()> }

/// The cluster applications come from. No method writes.
#[derive(Clone)]
pub struct Source(Cluster);

/// The cluster applications go to.
#[derive(Clone)]
pub struct Target(Cluster);

impl Deref for Source { type Target = Cluster; fn deref(&self) -> &Cluster { &self.0 } }
impl Deref for Target { type Target = Cluster; fn deref(&self) -> &Cluster { &self.0 } }

/// What a cluster operation can fail with: placeholder, replaced by the owner (typed enum carrying side, broker, api, topic, partition).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone)]
pub struct TopicInfo { pub name: TopicName, pub id: Uuid, pub internal: bool, pub partitions: Vec<PartitionInfo> }
#[derive(Debug, Clone)]
pub struct PartitionInfo { pub partition: i32, pub leader: Option<i32>, pub leader_epoch: i32, pub replicas: usize, pub isr: usize }

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec { /// log start
    Earliest, /// high watermark (read_uncommitted end)
    End, /// last stable offset (read_committed end)
    Stable }

#[derive(Debug, Clone)]
pub struct ConfigEntry { pub name: String, pub value: Option<String>, /// set on the topic itself, not inherited
    pub set_here: bool, pub read_only: bool, pub sensitive: bool }

#[derive(Debug, Clone, Copy)]
pub struct ActiveProducer { pub producer_id: i64, pub producer_epoch: i16, pub last_sequence: i32, pub last_timestamp: i64 }

/// A producer id and its epoch, as the transaction coordinator handed it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdentity { pub producer_id: i64, pub producer_epoch: i16 }

#[derive(Debug, Clone)]
pub struct NewTopic { pub name: TopicName, pub partitions: i32, /// -1: the broker's default
    pub replication: i16, pub configs: Vec<(String, String)> }

/// Where a fetch of one partition stands.
#[derive(Debug, Clone)]
pub struct FetchPosition { pub at: TopicPartition, pub topic_id: Uuid, pub offset: i64, /// leader epoch of the last batch fetched, -1 if none
    pub last_epoch: i32, pub leader_epoch: i32, pub max_bytes: i32 }

/// One partition of a fetch answer.
#[derive(Debug)]
pub struct FetchedPartition { pub at: TopicPartition, /// Kafka error code, 0 when fine
    pub error: i16, pub high_watermark: i64, pub last_stable: i64, pub log_start: i64,
    /// (producer id, first offset), unordered
    pub aborted: Vec<(i64, i64)>, /// (epoch, end offset) where our log and the leader's part
    pub diverging: Option<(i32, i64)>, /// whole batches, undecoded; slices of one frame
    pub records: Bytes }

#[derive(Debug)]
pub struct FetchAnswer { pub throttle: Duration, pub partitions: Vec<FetchedPartition>, /// bytes of the whole frame
    pub frame_bytes: usize }

impl Cluster {
    /// The cluster's id as the brokers tell it.
    pub fn id(&self) -> &str { todo!() }
    /// All topics (`None`), or the named ones; an unknown name is left out of the answer. Refreshes the leader cache too. Never auto-creates.
    pub async fn topics(&self, names: Option<&[TopicName]>) -> Result<Vec<TopicInfo>> { todo!() }
    /// Offsets of many partitions at once; a partition that could not be asked carries its own error. Retries leader moves inside.
    pub async fn offsets(&self, of: &[TopicPartition], spec: OffsetSpec) -> HashMap<TopicPartition, Result<i64>> { todo!() }
    /// All configs of topics.
    pub async fn topic_configs(&self, topics: &[TopicName]) -> Result<HashMap<TopicName, Vec<ConfigEntry>>> { todo!() }
    /// Configs of one live broker (any).
    pub async fn broker_configs(&self) -> Result<Vec<ConfigEntry>> { todo!() }
    /// Active producers per partition (DescribeProducers); Ok(None) where the broker does not offer the API.
    pub async fn active_producers(&self, of: &[TopicPartition]) -> Result<Option<HashMap<TopicPartition, Vec<ActiveProducer>>>> { todo!() }
    /// Broker id of the partition's leader from the cache, asking if unknown.
    pub async fn leader(&self, of: &TopicPartition) -> Result<i32> { todo!() }
    /// Cached leader and leader epoch without asking. `None` if unknown.
    pub fn cached_leader(&self, of: &TopicPartition) -> Option<(i32, i32)> { todo!() }
    /// Asks the brokers again who leads what (rate-limited inside; concurrent calls share one request).
    pub async fn refresh_leaders(&self) -> Result<()> { todo!() }
    /// A new connection to a broker for fetching, apart from all others.
    pub async fn fetcher(&self, broker: i32) -> Result<Fetcher> { todo!() }
    /// Reads whole batches of one partition from `from` (read_uncommitted, one request, up to `max_bytes`, retries leader moves);
    /// returns batches (first may begin before `from`) and the high watermark at that time.
    pub async fn read(&self, at: &TopicPartition, from: i64, max_bytes: i32) -> Result<(Vec<Batch>, i64)> { todo!() }
}

/// Whether a fetch returns data of open transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation { ReadUncommitted, ReadCommitted }

/// One connection that fetches from one broker, with an incremental fetch session (KIP-227).
pub struct Fetcher {}

impl Fetcher {
    /// Long-polls for the given partitions: the whole wanted set each time; the session sends only what changed since the last call.
    /// An error of the connection means: drop this fetcher and open another. FETCH_SESSION_ID_NOT_FOUND and its kin restart the session inside.
    pub async fn fetch(&mut self, wanted: &[FetchPosition], isolation: Isolation, max_wait: Duration, min_bytes: i32, max_bytes: i32) -> Result<FetchAnswer> { todo!() }
}

impl Source {
    pub async fn connect(settings: &Connection) -> Result<Self> { todo!() }
}

/// One batch of a produce request.
pub struct ProducePart { pub at: TopicPartition, pub batch: Stamped }

/// The broker's answer for one partition.
#[derive(Debug, Clone)]
pub struct ProduceAnswer { pub at: TopicPartition, pub error: i16, pub base_offset: i64, pub message: Option<String> }

/// One connection that produces to one broker, acks=all, answers matched by partition.
pub struct Producer {}

/// Dropped: the answer is not waited for.
pub struct PendingProduce {}
impl PendingProduce {
    /// Waits for the answers: one per part sent. `Err` means the connection broke or timed out: every part's outcome is unknown.
    pub async fn answers(self) -> Result<(Vec<ProduceAnswer>, Duration)> { todo!() }
}

impl Producer {
    /// Queues one request on the connection in call order and returns at once when its bytes are handed to the writer
    /// (waits only while the writer's queue is full). A partition stands at most once in `parts`.
    pub async fn send(&self, parts: Vec<ProducePart>) -> Result<PendingProduce> { todo!() }
    /// False once broken.
    pub fn is_alive(&self) -> bool { todo!() }
}

/// Checked right before every write to a produce socket; `false` poisons the connection with nothing more written.
pub type MaySend = Arc<dyn Fn() -> bool + Send + Sync>;

impl Target {
    pub async fn connect(settings: &Connection) -> Result<Self> { todo!() }
    /// Opens a connection for produce requests.
    pub async fn producer(&self, broker: i32, may_send: MaySend) -> Result<Producer> { todo!() }
    /// One result per topic, in order. TOPIC_ALREADY_EXISTS is `Ok(false)`.
    pub async fn create_topics(&self, topics: &[NewTopic], validate_only: bool) -> Result<Vec<Result<bool>>> { todo!() }
    /// Grows a topic to `partitions`.
    pub async fn grow_topic(&self, topic: &TopicName, partitions: i32) -> Result<()> { todo!() }
    /// Deletes records below `before` (DeleteRecords).
    pub async fn delete_records(&self, at: &TopicPartition, before: i64) -> Result<()> { todo!() }
    /// InitProducerId(-1, -1) on a transactional id: a new epoch of its producer id, or a new producer id if the old one is gone.
    /// Retries CONCURRENT_TRANSACTIONS, coordinator moves and loading inside, up to the request timeout several times over.
    pub async fn init_producer(&self, transactional_id: &str) -> Result<ProducerIdentity> { todo!() }
    /// AddPartitionsToTxn v3, in chunks the broker takes.
    pub async fn add_partitions(&self, transactional_id: &str, identity: ProducerIdentity, partitions: &[TopicPartition]) -> Result<()> { todo!() }
    /// EndTxn v3.
    pub async fn end_transaction(&self, transactional_id: &str, identity: ProducerIdentity, end: End) -> Result<()> { todo!() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End { Commit, Abort }
