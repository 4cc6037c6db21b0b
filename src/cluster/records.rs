//! One-shot reads of raw batches.

use std::time::Duration;

use super::{
    Cluster, Error, Result,
    fetch::{self, FetchPosition, Isolation, Shape},
    pool::Lane,
};
use crate::{
    model::names::TopicPartition,
    wire::{
        batch::{self, Batch},
        versions::FETCH,
    },
};

/// With nothing to wait for the broker answers at once; only a read from tiered storage uses this.
const MAX_WAIT: Duration = Duration::from_millis(500);

impl Cluster {
    /// Reads whole batches of one partition from `from` (read_uncommitted, one request, up to `max_bytes`, retries leader moves);
    /// returns batches (first may begin before `from`) and the high watermark at that time.
    pub async fn read(
        &self,
        at: &TopicPartition,
        from: i64,
        max_bytes: i32,
    ) -> Result<(Vec<Batch>, i64)> {
        let mut patience = self.patience(FETCH.name);
        let lane = Lane::Read((at.partition & 3) as u8);
        let shape = || Shape::oneshot(Isolation::ReadUncommitted, MAX_WAIT, max_bytes);
        loop {
            let used = self.inner.leaders.generation();
            match self.read_once(at, from, lane, shape()).await {
                Ok(read) => return Ok(read),
                Err(error) => {
                    if patience.after(error).await? {
                        self.refresh_since(used).await?;
                    }
                }
            }
        }
    }

    /// Waits until a partition has records from `from` on, at most half a second, asking once; answers the high watermark at that time. One
    /// caller for each broker: the line is busy meanwhile.
    pub async fn wait_for_more(&self, at: &TopicPartition, from: i64) -> Result<i64> {
        let shape = Shape::waiting(MAX_WAIT);
        let (_, end) = self.read_once(at, from, Lane::Wait, shape).await?;
        Ok(end)
    }

    async fn read_once(
        &self,
        at: &TopicPartition,
        from: i64,
        lane: Lane,
        shape: Shape,
    ) -> Result<(Vec<Batch>, i64)> {
        let broker = self.leader(at).await?;
        let conn = self.conn(broker, lane, FETCH.name).await?;
        let topic_id = self.inner.leaders.topic_id(&at.topic).unwrap_or_default();
        let (leader_epoch, last_epoch) = (-1, -1);
        let position = FetchPosition {
            at: at.clone(),
            topic_id,
            offset: from,
            last_epoch,
            leader_epoch,
            max_bytes: shape.max_bytes(),
        };
        let wire = |source| self.wire(conn.address(), FETCH.name, source);
        let version = fetch::version(&conn, !topic_id.is_nil()).map_err(wire)?;
        let answer = fetch::once(
            (&conn, version, false),
            &shape,
            &[&position],
            &[],
            self.settings().request_timeout,
        )
        .await
        .map_err(wire)?;
        let kafka = |code| Error::Kafka {
            side: self.side(),
            broker: Some(conn.address().clone()),
            api: FETCH.name,
            topic: Some(at.topic.clone()),
            partition: Some(at.partition),
            code,
            message: (code == 1).then(|| format!("offset {from} is not in the log")),
        };
        if answer.error != 0 {
            return Err(kafka(answer.error));
        }
        let Some(found) = answer
            .partitions
            .into_iter()
            .find(|found| found.partition == at.partition)
        else {
            return Err(Error::Incomplete {
                side: self.side(),
                broker: conn.address().clone(),
                api: FETCH.name,
                what: at.to_string(),
            });
        };
        if found.error != 0 {
            return Err(kafka(found.error));
        }
        let batches = batch::split(found.records.bytes()).collect::<Result<Vec<_>, _>>();
        let batches = batches.map_err(|source| Error::Batch {
            side: self.side(),
            at: at.clone(),
            source,
        })?;
        Ok((batches, found.high_watermark))
    }
}
