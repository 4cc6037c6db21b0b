//! What applications wrote on a side, told apart from copies by who wrote: the ledger names every identity that copies are written under.

use std::collections::BTreeMap;

use super::{ByLedger, direction};
use crate::{
    cluster::{Cluster, OffsetSpec},
    error::Failure,
    model::names::{Side, TopicPartition},
    phases::carrier::{Ends, other},
    wire::batch::BatchHeader,
};

/// Bytes per request.
const CHUNK: i32 = 1 << 20;
const OUT_OF_RANGE: i16 = 1;

impl ByLedger {
    /// Records at or behind these offsets that are no copies, by partition.
    pub(super) async fn natives(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        let mut counts: BTreeMap<TopicPartition, u64> =
            since.keys().map(|at| (at.clone(), 0)).collect();
        let Some(cluster) = self.cluster(on) else {
            return Ok(counts);
        };
        let all: Vec<TopicPartition> = since.keys().cloned().collect();
        let mut found = Vec::new();
        for (at, end) in cluster.offsets(&all, OffsetSpec::End).await {
            let end = end.map_err(|error| error.failure())?;
            let begin = since[&at];
            if end > begin {
                let headers = headers(cluster, &at, begin, end).await?;
                found.extend(headers.into_iter().map(|header| (at.clone(), header)));
            }
        }
        if found.is_empty() {
            return Ok(counts);
        }
        // An identity stands in its ledger before its first batch: read after the batches, it names all that wrote them.
        let told = self.told().await?;
        let told = told.of(direction(other(on)));
        for (at, header) in found {
            let is_copy = !header.is_transactional()
                && header.producer_id >= 0
                && told.is_some_and(|told| {
                    let (id, epoch) = (header.producer_id, header.producer_epoch);
                    told.has_written(&at, id, epoch, header.base_offset)
                });
            if !is_copy && let Some(count) = counts.get_mut(&at) {
                *count += u64::try_from(header.record_count).unwrap_or(0);
            }
        }
        Ok(counts)
    }
}

/// Batches with data that begin at or behind an offset.
async fn headers(
    cluster: &Cluster,
    at: &TopicPartition,
    begin: i64,
    end: i64,
) -> Result<Vec<BatchHeader>, Failure> {
    let mut all = Vec::new();
    let mut next = begin;
    while next < end {
        let (batches, _) = match cluster.read(at, next, CHUNK).await {
            Ok(read) => read,
            // Deleted meanwhile.
            Err(error) if error.code() == Some(OUT_OF_RANGE) => return Ok(all),
            Err(error) => return Err(error.failure()),
        };
        let before = next;
        for batch in batches {
            let header = batch.header;
            if header.next_offset() <= next {
                continue;
            }
            next = header.next_offset();
            if !header.is_control() && header.base_offset >= begin {
                all.push(header);
            }
        }
        if next == before {
            break;
        }
    }
    Ok(all)
}
