//! Empties a partition of the target for a new copy: earlier runs are shut out of it first, then its records are deleted.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    identity::Fence,
    ledger::{
        record::{At, Seam},
        state::Partition,
    },
};
use crate::{
    cluster::{self, OffsetSpec, Source, Target},
    model::names::TopicPartition,
};

/// Bytes per request.
const CHUNK: i32 = 256 << 10;
const PAUSE: Duration = Duration::from_millis(10);
/// After so long without anything new others get their turn to read.
const IDLE: Duration = Duration::from_millis(300);
/// OFFSET_OUT_OF_RANGE.
const OUT_OF_RANGE: i16 = 1;

/// Why a partition cannot be begun anew.
#[derive(Debug, Clone)]
pub enum NotEmptied {
    /// A marker is not there yet, or a broker does not answer for the moment.
    NotYet,
    /// A cluster refuses.
    Refused(&'static str, cluster::Error),
}

/// Waits until every marker of the fences is in the log, deletes what the target holds, and says where the new copy begins.
pub async fn empty(
    source: &Source,
    target: &Target,
    name: &TopicPartition,
    at: At,
    known: &Partition,
    fences: &[Fence],
) -> Result<Seam, NotEmptied> {
    let refused = |what| move |error| not_emptied(what, error);
    let markers = fences
        .iter()
        .filter(|fence| fence.partitions.contains(&at))
        .filter_map(|fence| Some((fence.identity.producer_id, fence.marker_epoch?)));
    let before = fences.iter().filter_map(|fence| fence.ends.get(&at)).min();
    wait_for_markers(target, name, known, before.copied(), markers.collect())
        .await
        .map_err(refused("the target cannot be read"))?;
    let ask = async |cluster: &cluster::Cluster, spec| {
        let names = std::slice::from_ref(name);
        match cluster.offsets(names, spec).await.remove(name) {
            Some(offset) => offset,
            None => Err(cluster::Error::NoLeader {
                side: cluster.side(),
                at: name.clone(),
            }),
        }
    };
    let on_target = refused("its offsets on the target cannot be asked");
    let on_source = refused("its offsets on the source cannot be asked");
    let start = ask(target, OffsetSpec::Earliest).await.map_err(on_target)?;
    let end = ask(target, OffsetSpec::End).await.map_err(on_target)?;
    if end > start {
        target
            .delete_records(name, end)
            .await
            .map_err(refused("the target does not delete its records"))?;
    }
    Ok(Seam {
        source_start: ask(source, OffsetSpec::Earliest).await.map_err(on_source)?,
        source_end: ask(source, OffsetSpec::Stable).await.map_err(on_source)?,
        target_start: end,
        target_end: end,
    })
}

fn not_emptied(what: &'static str, error: cluster::Error) -> NotEmptied {
    if error.is_passing() {
        NotEmptied::NotYet
    } else {
        NotEmptied::Refused(what, error)
    }
}

/// Reads the log from where the ledger last knew it to end, or where it ended before the markers, or from its start where it is another.
async fn wait_for_markers(
    target: &Target,
    name: &TopicPartition,
    known: &Partition,
    before: Option<i64>,
    mut open: Vec<(i64, i16)>,
) -> Result<(), cluster::Error> {
    if open.is_empty() {
        return Ok(());
    }
    let names = std::slice::from_ref(name);
    let mut next = known.checkpoint.map_or(0, |checkpoint| checkpoint.target);
    next = before.map_or(next, |before| before.min(next));
    let end = target.offsets(names, OffsetSpec::End).await.remove(name);
    if end.transpose()?.is_none_or(|end| end < next) {
        next = 0;
    }
    let mut idle = Instant::now();
    while !open.is_empty() {
        let read = match target.read(name, next, CHUNK).await {
            Ok((batches, _)) => batches,
            Err(error) if error.code() == Some(OUT_OF_RANGE) => {
                let start = target.offsets(names, OffsetSpec::Earliest).await;
                match start.get(name) {
                    Some(Ok(start)) if *start > next => {
                        next = *start;
                        continue;
                    }
                    _ => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let before = next;
        for batch in &read {
            let header = &batch.header;
            next = next.max(header.next_offset());
            if header.is_control() {
                open.retain(|(producer, epoch)| {
                    *producer != header.producer_id || header.producer_epoch < *epoch
                });
            }
        }
        if next != before {
            idle = Instant::now();
        } else if idle.elapsed() > IDLE {
            return Err(cluster::Error::NoLeader {
                side: target.side(),
                at: name.clone(),
            });
        } else {
            sleep(PAUSE).await;
        }
    }
    Ok(())
}
