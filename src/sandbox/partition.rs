//! One partition: who leads it, who is in sync, its log, and what each replica remembers of producers.

use std::collections::BTreeMap;

use super::{
    errors,
    log::{
        Log,
        validate::{Admitted, Refused},
    },
    producers::Producers,
    records,
};
use crate::wire::batch::BatchHeader;

/// One partition. All replicas in sync share one log; what they remember of producers can differ (S7, D5).
#[derive(Debug)]
pub struct Partition {
    /// -1 without one.
    pub leader: i32,
    /// One more at each change of the leader.
    pub leader_epoch: i32,
    /// The preferred leader first.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// The log.
    pub log: Log,
    /// What each replica knows of producers.
    memory: BTreeMap<i32, Memory>,
}

/// What one replica knows of producers.
#[derive(Debug, Default)]
struct Memory {
    producers: Producers,
    /// Where the log ended when the replica stopped, and whether it then lost what it had in memory.
    stopped: Option<(i64, bool)>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The first record's offset: that of the first time, for a duplicate.
    pub base_offset: i64,
    /// The log's own time; -1 where records keep theirs.
    pub append_time: i64,
    /// The high watermark at which it is on all replicas in sync.
    pub needs: i64,
}

impl Partition {
    /// An empty one, led by the first replica that runs.
    pub fn new(replicas: &[i32], alive: impl Fn(i32) -> bool) -> Self {
        let isr: Vec<i32> = replicas.iter().copied().filter(|id| alive(*id)).collect();
        let mut log = Log::default();
        log.begin_epoch(0);
        Self {
            leader: isr.first().copied().unwrap_or(-1),
            leader_epoch: 0,
            replicas: replicas.to_vec(),
            isr: if isr.is_empty() {
                replicas.to_vec()
            } else {
                isr
            },
            log,
            memory: replicas.iter().map(|id| (*id, Memory::default())).collect(),
        }
    }

    /// What the leader knows of producers.
    pub fn producers(&mut self) -> &mut Producers {
        &mut self.memory.entry(self.leader).or_default().producers
    }

    /// Was this leader epoch, as a client knows it, left behind (FENCED_LEADER_EPOCH) or not seen here yet (UNKNOWN_LEADER_EPOCH)?
    pub fn check_epoch(&self, known: i32) -> Result<(), i16> {
        match known {
            -1 => Ok(()),
            old if old < self.leader_epoch => Err(errors::FENCED_LEADER_EPOCH),
            new if new > self.leader_epoch => Err(errors::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }

    /// Appends a client's batch: duplicates first, then epoch and sequence, then whether a transaction is open.
    pub fn append(&mut self, batch: &Admitted, append_time: bool) -> Result<Appended, Refused> {
        let header = &batch.header;
        if header.producer_id >= 0 {
            if let Some(first) = self.producers().duplicate(header) {
                // It waits for replicas as the first one did.
                let length = i64::from(header.last_offset_delta) + 1;
                return Ok(Appended {
                    base_offset: first.base_offset,
                    append_time: first.timestamp,
                    needs: first.base_offset + length,
                });
            }
            self.producers().check(header)?;
            let open = self.log.open_since(header.producer_id).is_some();
            // Only once transactional data lies here (D10, S10).
            if open && !header.is_transactional() {
                return Err(errors::INVALID_TXN_STATE.into());
            }
        }
        let base_offset = self.store(batch);
        Ok(Appended {
            base_offset,
            append_time: if append_time {
                header.max_timestamp
            } else {
                -1
            },
            needs: self.log.end(),
        })
    }

    /// Ends the producer's transaction here, with a marker. A lower epoch than the partition knows is left out.
    pub fn append_marker(&mut self, producer_id: i64, epoch: i16, commit: bool, now: i64) {
        if self
            .producers()
            .epoch(producer_id)
            .is_some_and(|known| known > epoch)
        {
            return;
        }
        let (header, bytes) = records::marker(producer_id, epoch, commit, now);
        let offset = self.store(&Admitted { header, bytes });
        self.log.ended(producer_id, offset, commit);
    }

    /// Appends, and tells every replica that runs.
    fn store(&mut self, batch: &Admitted) -> i64 {
        let offset = self
            .log
            .append(batch.header, &batch.bytes, self.leader_epoch);
        let mut header = batch.header;
        header.base_offset = offset;
        for replica in self.memory.values_mut().filter(|one| one.stopped.is_none()) {
            replica.producers.learn(&header);
        }
        offset
    }

    /// Cleans the log. The last batch of a producer that is not forgotten stays, if only as a header (C2).
    pub fn compact(&mut self, now: i64, delete_retention_ms: i64) {
        let producers = self.producers().clone();
        let is_last = |header: &BatchHeader| {
            let mut all = producers.all();
            all.any(|(id, entry)| id == header.producer_id && entry.is_told_by(header))
        };
        self.log.compact(now, delete_retention_ms, is_last);
    }

    /// Forgets producers whose last batch is too old (S6).
    pub fn expire_producers(&mut self, now: i64, expiry: i64) {
        for replica in self.memory.values_mut().filter(|one| one.stopped.is_none()) {
            let open = |id| self.log.open_since(id).is_some();
            replica.producers.expire(now, expiry, open);
        }
    }

    /// Another leader, one epoch later.
    pub fn lead(&mut self, leader: i32) {
        self.leader = leader;
        self.leader_epoch += 1;
        if leader >= 0 {
            self.log.begin_epoch(self.leader_epoch);
        }
    }

    /// A replica falls behind, or has caught up.
    pub fn set_in_sync(&mut self, broker: i32, in_sync: bool) {
        let is = self.isr.contains(&broker);
        if in_sync && !is && self.replicas.contains(&broker) {
            self.isr.push(broker);
        } else if !in_sync && broker != self.leader {
            self.isr.retain(|id| *id != broker);
        }
    }

    /// Loses what lies at this offset and after it, acknowledged or not: the same leader goes on, one epoch later, with what it knows
    /// from the log that is left (S8: `truncateAndReload`).
    pub fn lose(&mut self, to: i64) {
        self.log.truncate(to);
        for replica in self.memory.values_mut() {
            replica.producers = Producers::default();
            for batch in self.log.batches() {
                replica.producers.learn(&batch.header);
            }
        }
        self.lead(self.leader);
    }

    /// One of the replicas may be gone.
    pub fn broker_stopped(&mut self, broker: i32, keep_memory: bool) {
        let Some(memory) = self.memory.get_mut(&broker) else {
            return;
        };
        memory.stopped = Some((self.log.end(), !keep_memory));
        // The last one in sync stays in the list: nobody else may lead (no unclean election).
        if self.isr.len() > 1 {
            self.isr.retain(|id| *id != broker);
        }
        if self.leader == broker {
            let next = self.isr.iter().copied().find(|id| *id != broker);
            self.lead(next.unwrap_or(-1));
        }
    }

    /// One of the replicas may be back. `expiry` is `producer.id.expiration.ms`.
    pub fn broker_started(&mut self, broker: i32, now: i64, expiry: i64) {
        let Some(memory) = self.memory.get_mut(&broker) else {
            return;
        };
        if let Some((end, forgot)) = memory.stopped.take() {
            if forgot {
                let open = |id| self.log.open_since(id).is_some();
                memory.producers.reload(now, expiry, open);
            }
            for batch in self.log.from(end) {
                memory.producers.learn(&batch.header);
            }
        }
        if !self.isr.contains(&broker) && self.leader >= 0 {
            self.isr.push(broker);
        }
        if self.leader < 0 && self.isr.contains(&broker) {
            self.lead(broker);
        }
    }
}
