//! Reads one partition of one cluster, over a connection per broker that later partitions use again.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::stream::{Item, Stream};
use crate::{
    cluster::{Cluster, Error, FetchPosition, FetchedPartition, Fetcher, Isolation},
    model::names::TopicPartition,
    wire::retry::{ReadVerdict, describe, read_verdict},
};

/// Bytes asked of a partition at once; bounds a lane's memory together with the largest batch.
const FETCH_BYTES: i32 = 1 << 20;
const MAX_WAIT: Duration = Duration::from_millis(500);
/// Without a single answer with data for so long, reading has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);

/// Why reading ended early.
#[derive(Debug)]
pub enum Stop {
    /// The log does not hold the offset any more: retention went past it, or the log was cut.
    Moved,
    /// The cluster does not answer, or refuses.
    Failed(Error),
    /// Something of no cluster operation.
    Stalled(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Connections for fetching from one cluster, one per broker.
pub struct Fetchers {
    cluster: Cluster,
    by_broker: HashMap<i32, Fetcher>,
}

impl Fetchers {
    /// No connection yet.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            by_broker: HashMap::new(),
        }
    }

    /// One fetch of one partition; `None` where the broker had nothing new to say.
    async fn fetch(
        &mut self,
        position: &FetchPosition,
        isolation: Isolation,
    ) -> Result<Option<FetchedPartition>, Error> {
        let broker = self.cluster.leader(&position.at).await?;
        let mut fetcher = match self.by_broker.remove(&broker) {
            Some(fetcher) if fetcher.is_alive() => fetcher,
            _ => self.cluster.fetcher(broker).await?,
        };
        // Dropped on an error, so that the next try opens another.
        let answer = fetcher
            .fetch(
                std::slice::from_ref(position),
                isolation,
                MAX_WAIT,
                1,
                FETCH_BYTES,
            )
            .await?;
        self.by_broker.insert(broker, fetcher);
        if !answer.throttle.is_zero() {
            sleep(answer.throttle).await;
        }
        Ok(answer
            .partitions
            .into_iter()
            .find(|partition| partition.at == position.at))
    }
}

/// One partition being read.
pub struct Reader<'a> {
    fetchers: &'a mut Fetchers,
    position: FetchPosition,
    isolation: Isolation,
    stream: Stream,
    bytes: &'a AtomicU64,
    since: Instant,
}

impl<'a> Reader<'a> {
    /// Reads what `stream` asks for; adds what was fetched to `bytes`.
    pub fn new(
        fetchers: &'a mut Fetchers,
        at: TopicPartition,
        topic_id: Uuid,
        isolation: Isolation,
        stream: Stream,
        bytes: &'a AtomicU64,
    ) -> Self {
        let position = FetchPosition {
            at,
            topic_id,
            offset: 0,
            last_epoch: -1,
            leader_epoch: -1,
            max_bytes: FETCH_BYTES,
        };
        Self {
            fetchers,
            position,
            isolation,
            stream,
            bytes,
            since: Instant::now(),
        }
    }

    /// The next record; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Item>, Stop> {
        loop {
            if let Some(item) = self.stream.take() {
                return Ok(Some(item));
            }
            if self.stream.is_complete() {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// The offset behind the last batch that counts, whether it still holds records or not.
    pub fn counted_to(&self) -> i64 {
        self.stream.counted_to()
    }

    async fn fill(&mut self) -> Result<(), Stop> {
        self.position.offset = self.stream.next_offset();
        let answer = match self.fetchers.fetch(&self.position, self.isolation).await {
            Ok(answer) => answer,
            Err(error) => return self.again(error).await,
        };
        let Some(partition) = answer else {
            return self.wait("has nothing to say").await;
        };
        match read_verdict(partition.error) {
            ReadVerdict::Fine => {}
            ReadVerdict::OutOfRange => return Err(Stop::Moved),
            ReadVerdict::Retry { .. } | ReadVerdict::Fatal => {
                let (topic, number) = (
                    Some(self.position.at.topic.clone()),
                    Some(self.position.at.partition),
                );
                let (side, code) = (self.fetchers.cluster.side(), partition.error);
                return self
                    .again(Error::Kafka {
                        side,
                        broker: None,
                        api: "Fetch",
                        topic,
                        partition: number,
                        code,
                        message: None,
                    })
                    .await;
            }
        }
        self.bytes
            .fetch_add(partition.records.len() as u64, Relaxed);
        self.stream
            .push(&partition.records.bytes(), &partition.aborted);
        if self.stream.next_offset() == self.position.offset {
            return self.wait("returns no records").await;
        }
        self.since = Instant::now();
        Ok(())
    }

    /// Waits and asks who leads, or gives up.
    async fn again(&mut self, error: Error) -> Result<(), Stop> {
        let passes = match (error.code(), error.wire()) {
            (Some(code), _) => matches!(read_verdict(code), ReadVerdict::Retry { .. }),
            (None, Some(wire)) => wire.is_passing(),
            (None, None) => matches!(error, Error::NoLeader { .. } | Error::NoBroker { .. }),
        };
        if !passes || self.since.elapsed() > PATIENCE {
            tracing::debug!(at = %self.position.at, code = %describe(error.code().unwrap_or(0)), "reading failed");
            return Err(error.into());
        }
        sleep(PAUSE).await;
        // If this fails too, the next fetch says so, or the time runs out.
        drop(self.fetchers.cluster.refresh_leaders().await);
        Ok(())
    }

    async fn wait(&mut self, what: &str) -> Result<(), Stop> {
        if self.since.elapsed() > PATIENCE {
            let (side, at, offset) = (
                self.fetchers.cluster.side(),
                &self.position.at,
                self.position.offset,
            );
            return Err(Stop::Stalled(format!(
                "the {side} {what} for {at} from offset {offset}, although its log goes on"
            )));
        }
        // The fetch itself is the long poll: the next one waits at the broker.
        Ok(())
    }
}
