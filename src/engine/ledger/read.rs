//! Reads a shard's ledger from its start, and what was added since.

use std::{collections::HashSet, time::Duration};

use super::{
    record::{FORMAT, Header, Record, Unreadable},
    state::State,
};
use crate::{
    cluster::{self, Cluster, OffsetSpec},
    error::Failure,
    exit::Exit,
    model::names::TopicPartition,
    wire::record::{RecordError, Records},
};

/// Bytes per request.
const CHUNK: i32 = 1 << 20;
/// No ledger record of ours is larger than what a broker takes in one batch.
const LARGEST: usize = 16 << 20;
/// How long a fresh leader is given to show what it holds.
const STALLED: Duration = Duration::from_secs(30);

/// A shard's ledger as far as it was read.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The ledger's topic and the shard.
    pub at: TopicPartition,
    /// What it says so far.
    pub state: State,
    /// The next offset to read.
    pub next: i64,
    /// Offset of the last record that counted, -1 if none.
    pub last: i64,
    /// Producer ids whose commit and abort markers stand in what was read; data never does.
    pub markers: HashSet<i64>,
}

/// Why a ledger could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The cluster did not answer.
    #[error("the ledger {at} could not be read")]
    Cluster {
        /// Which.
        at: TopicPartition,
        /// Why.
        source: cluster::Error,
    },
    /// A record is not ours, or not for this version.
    #[error("the ledger {at} cannot be understood at offset {offset}")]
    Unreadable {
        /// Which.
        at: TopicPartition,
        /// Where.
        offset: i64,
        /// Why.
        source: Unreadable,
    },
    /// A batch is damaged.
    #[error("the ledger {at} is damaged at offset {offset}")]
    Damaged {
        /// Which.
        at: TopicPartition,
        /// Where.
        offset: i64,
        /// Why.
        source: RecordError,
    },
    /// The log ends before what was read of it.
    #[error(
        "the ledger {at} ends at {end}, but was read to {next}: the target lost what it had acknowledged"
    )]
    Truncated {
        /// Which.
        at: TopicPartition,
        /// Where it ends now.
        end: i64,
        /// Where it had ended.
        next: i64,
    },
}

impl LedgerError {
    /// The error a person sees.
    pub fn failure(&self) -> Failure {
        let refused =
            |code, message: String| Failure::new(Exit::Refused, code, message).because(self);
        match self {
            Self::Cluster { at, source } => source.failure().cause(format!("while reading the ledger {at}")),
            Self::Unreadable { at, source: Unreadable::Newer { .. }, .. } => {
                refused("K412", format!("the ledger {} was written by a newer version", at.topic))
                    .hint("run the version of kafka-migrate that wrote it, or a later one")
            }
            Self::Unreadable { at, .. } | Self::Damaged { at, .. } => {
                refused("K411", format!("the ledger {} holds records that kafka-migrate did not write", at.topic))
                    .hint("choose another name for this migration, or find out who writes to that topic")
                    .hint(format!("this version writes and reads ledger format {FORMAT}"))
            }
            Self::Truncated { at, .. } => {
                refused("K413", format!("the ledger {} has lost records", at.topic))
                    .hint("the target lost acknowledged data (an unclean leader election?): see what else it lost before going on")
            }
        }
    }
}

impl Reader {
    /// Reads a ledger from its log start to its end.
    pub async fn open(cluster: &Cluster, at: TopicPartition) -> Result<Self, LedgerError> {
        let mut reader = Self::at_start(cluster, at).await?;
        reader.catch_up(cluster).await?;
        Ok(reader)
    }

    async fn at_start(cluster: &Cluster, at: TopicPartition) -> Result<Self, LedgerError> {
        let starts = cluster
            .offsets(std::slice::from_ref(&at), OffsetSpec::Earliest)
            .await;
        let next = match starts.get(&at) {
            Some(Ok(start)) => *start,
            Some(Err(error)) => {
                return Err(LedgerError::Cluster {
                    source: error.clone(),
                    at,
                });
            }
            None => 0,
        };
        Ok(Self {
            at,
            state: State::default(),
            next,
            last: -1,
            markers: HashSet::new(),
        })
    }

    /// What a ledger says it is: read from its start until it says so. `None` for one that is empty.
    pub async fn header(
        cluster: &Cluster,
        at: TopicPartition,
    ) -> Result<Option<Header>, LedgerError> {
        let mut reader = Self::at_start(cluster, at).await?;
        loop {
            let read = cluster.read(&reader.at, reader.next, CHUNK).await;
            let (batches, end) = read.map_err(|source| LedgerError::Cluster {
                at: reader.at.clone(),
                source,
            })?;
            let before = reader.next;
            for batch in batches {
                let next = batch.header.next_offset();
                if next > reader.next {
                    if !batch.header.is_control() {
                        let _ = reader.take(&batch)?;
                    }
                    reader.next = next;
                }
                if reader.state.header.is_some() {
                    return Ok(reader.state.header);
                }
            }
            if reader.next >= end || reader.next == before {
                return Ok(None);
            }
        }
    }

    /// Reads to the end as it is now. Answers how many records counted.
    pub async fn catch_up(&mut self, cluster: &Cluster) -> Result<usize, LedgerError> {
        let failed = |at: &TopicPartition, source| LedgerError::Cluster {
            at: at.clone(),
            source,
        };
        let mut counted = 0;
        let mut begun = tokio::time::Instant::now();
        let mut progress = self.next;
        loop {
            let (batches, end) = match cluster.read(&self.at, self.next, CHUNK).await {
                Ok(read) => read,
                // Past the high watermark of a new leader, or the log is shorter than it was.
                Err(error) if error.code() == Some(1) => {
                    let ends = cluster
                        .offsets(std::slice::from_ref(&self.at), OffsetSpec::End)
                        .await;
                    match ends.get(&self.at) {
                        Some(Ok(end)) if *end < self.next => {
                            if begun.elapsed() < STALLED {
                                tokio::time::sleep(Duration::from_millis(100)).await;
                                continue;
                            }
                            return Err(LedgerError::Truncated {
                                at: self.at.clone(),
                                end: *end,
                                next: self.next,
                            });
                        }
                        Some(Ok(_)) if self.begin_again(cluster).await => continue,
                        _ => return Err(failed(&self.at, error)),
                    }
                }
                Err(error) => return Err(failed(&self.at, error)),
            };
            for batch in batches {
                let next = batch.header.next_offset();
                if next <= self.next {
                    continue;
                }
                if batch.header.is_control() {
                    self.markers.insert(batch.header.producer_id);
                } else {
                    counted += self.take(&batch)?;
                }
                self.next = next;
            }
            if self.next >= end {
                return Ok(counted);
            }
            if progress < self.next {
                progress = self.next;
                begun = tokio::time::Instant::now();
            } else {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if begun.elapsed() > STALLED {
                // Nothing readable below the high watermark: a hole that only a lost segment leaves.
                return Err(LedgerError::Truncated {
                    at: self.at.clone(),
                    end,
                    next: self.next,
                });
            }
        }
    }

    /// The ledger was trimmed past what was read: a snapshot at its start says everything.
    async fn begin_again(&mut self, cluster: &Cluster) -> bool {
        let starts = cluster
            .offsets(std::slice::from_ref(&self.at), OffsetSpec::Earliest)
            .await;
        match starts.get(&self.at) {
            Some(Ok(start)) if *start > self.next => {
                self.state = State::default();
                self.next = *start;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, batch: &crate::wire::batch::Batch) -> Result<usize, LedgerError> {
        let offset = batch.header.base_offset;
        let damaged = |source| LedgerError::Damaged {
            at: self.at.clone(),
            offset,
            source,
        };
        let records: Result<Vec<_>, _> = Records::of(batch, LARGEST).map_err(damaged)?.collect();
        let mut counted = 0;
        for record in records.map_err(damaged)? {
            let read =
                Record::decode(record.value.as_deref().unwrap_or_default()).map_err(|source| {
                    LedgerError::Unreadable {
                        at: self.at.clone(),
                        offset: record.offset,
                        source,
                    }
                })?;
            if record.offset >= self.next && self.state.apply(read, record.offset) {
                counted += 1;
                self.last = record.offset;
            }
        }
        Ok(counted)
    }
}
