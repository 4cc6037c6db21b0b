//! Claims a shard's ledger and appends to it: one record at a time, each where it is expected, or the ledger is no longer ours.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    ledger_id,
    read::{LedgerError, Reader},
    record::{Entry, Header, Owner, Record},
    state::State,
};
use crate::model::direction::Direction;
use crate::{
    clock::{self, BootInstant},
    cluster::{self, End, ProducePart, Producer, ProducerIdentity, Target},
    engine::{
        lease::Lease,
        maps::{self, Maps},
        steps,
    },
    error::Failure,
    exit::Exit,
    model::names::TopicPartition,
    wire::{
        batch::Stamp,
        encode::batch_of_one,
        retry::{self, ProduceVerdict},
    },
};

/// A snapshot is written after so many bytes, or so much time.
const SNAPSHOT_BYTES: usize = 16 << 20;
const SNAPSHOT_EVERY: Duration = Duration::from_secs(600);
/// Transactional ids that nobody uses are forgotten after 7 days (`transactional.id.expiration.ms`).
const KEEP_ALIVE_EVERY: Duration = Duration::from_hours(12);
/// Bytes of entries per record, well below what brokers take by default.
const RECORD_BYTES: usize = 512 << 10;
/// How long a claim is waited for after somebody took our ledger's epoch.
const CLAIM_PATIENCE: Duration = Duration::from_secs(5);
/// How long the ledger's topic may be unknown to the brokers before it is taken for deleted.
const GONE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// A ledger that is ours.
pub struct Ledger {
    target: Target,
    migration: String,
    direction: Direction,
    shard: u32,
    reader: Reader,
    generation: u64,
    run: u64,
    identity: ProducerIdentity,
    sequence: i32,
    producer: Option<(i32, Producer)>,
    lease: Lease,
    maps: Maps,
    since_snapshot: usize,
    last_snapshot: Instant,
    last_kept_alive: Instant,
}

/// Why a ledger is no longer ours, or cannot be written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerLost {
    /// Another engine claimed it.
    #[error("another engine took over: {} on {}", .0.process, .0.host)]
    TakenOver(Box<Owner>),
    /// Somebody took our epoch and claimed nothing.
    #[error("the ledger's producer epoch was taken, and nobody claimed the ledger")]
    Fenced,
    /// It cannot be read.
    #[error(transparent)]
    Read(LedgerError),
    /// It is another migration's.
    #[error("the ledger belongs to another migration")]
    Foreign(Box<Failure>),
    /// Its topic is not there any more.
    #[error("the ledger {0} is gone")]
    Gone(TopicPartition),
    /// The target refuses.
    #[error("the ledger could not be written")]
    Refused(#[source] cluster::Error),
}

impl LedgerLost {
    /// The error a person sees.
    pub fn failure(&self) -> Failure {
        match self {
            Self::TakenOver(owner) => Failure::new(
                Exit::Refused,
                "K403",
                format!(
                    "another engine took over this migration: process {} on {}",
                    owner.process, owner.host
                ),
            )
            .hint("two engines never copy at once; let that one go on, or stop it before starting here")
            .next("kafka-migrate status"),
            Self::Fenced => Failure::new(
                Exit::Stopped,
                "K404",
                "somebody uses this migration's transactional ids without claiming its ledger",
            )
            .hint("allow only kafka-migrate to write under transactional ids that begin with `kafka-migrate.`")
            .next("kafka-migrate replicate"),
            Self::Read(error) => error.failure(),
            Self::Foreign(failure) => (**failure).clone(),
            Self::Gone(at) => Failure::new(
                Exit::Refused,
                "K417",
                format!("the ledger topic {} was deleted while it was in use", at.topic),
            )
            .hint("nothing was repeated: without its ledger the next start takes what the target holds for others' records, and stops")
            .hint("give the migration another name, and copy into topics that are made anew")
            .next("kafka-migrate status"),
            Self::Refused(error) => error.failure().cause("while writing the ledger"),
        }
    }
}

impl From<LedgerError> for LedgerLost {
    fn from(error: LedgerError) -> Self {
        Self::Read(error)
    }
}

impl Ledger {
    /// Claims the ledger: from now on no record of an earlier owner counts. What it says was read up to the claim.
    pub async fn claim(
        target: &Target,
        reader: Reader,
        owner: &Owner,
        header: &Header,
        lease: Lease,
    ) -> Result<Self, LedgerLost> {
        let shard = u32::try_from(reader.at.partition).unwrap_or(0);
        let migration = header.migration.clone();
        let direction = header.direction();
        let identity = target
            .init_producer(&ledger_id(&migration, direction, shard))
            .await
            .map_err(LedgerLost::Refused)?;
        let before = reader.state.claim.as_ref();
        let mut ledger = Self {
            target: target.clone(),
            migration,
            direction,
            shard,
            generation: before.map_or(1, |claim| claim.generation + 1),
            run: random(),
            identity,
            sequence: 0,
            producer: None,
            lease,
            maps: Maps::default(),
            since_snapshot: usize::MAX,
            last_snapshot: Instant::now(),
            last_kept_alive: Instant::now(),
            reader,
        };
        let mut entries = vec![Entry::Claim(owner.clone())];
        if ledger.reader.state.header.is_none() {
            entries.push(Entry::Header(header.clone()));
        }
        let begun = BootInstant::now();
        let record = ledger.record(entries);
        let offset = ledger.send(&record).await?;
        steps::reached("claim-appended");
        // Whatever stands before the claim counts, also what was written since we last looked.
        while ledger.reader.next <= offset {
            let _ = ledger.reader.catch_up(target).await?;
        }
        ledger.check_owner()?;
        if let Some(found) = &ledger.reader.state.header {
            super::check_header(found, header)
                .map_err(|failure| LedgerLost::Foreign(Box::new(failure)))?;
        }
        ledger.lease.renew(begun);
        ledger.since_snapshot = 0;
        steps::reached("ledger-read");
        Ok(ledger)
    }

    /// What the ledger says.
    pub fn state(&self) -> &State {
        &self.reader.state
    }

    /// Says from now on in these maps what is on record.
    pub fn tell(&mut self, maps: Maps) {
        maps.fill(self.state());
        self.maps = maps;
    }

    /// Which shard's it is.
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// The migration's name.
    pub fn migration(&self) -> &str {
        &self.migration
    }

    /// Which way its records go.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Transactional id of the n-th data identity of the shard.
    pub fn data_id(&self, number: u32) -> String {
        super::data_id(&self.migration, self.direction, self.shard, number)
    }

    /// Where it stands, and the offset behind what is known of it.
    pub fn end(&self) -> (&TopicPartition, i64) {
        (&self.reader.at, self.reader.next)
    }

    /// The generation of our claim.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Appends entries, in order, in as many records as they need. They stand in the ledger, and the ledger is ours, when this returns.
    pub async fn append(&mut self, entries: Vec<Entry>) -> Result<(), LedgerLost> {
        for record in self.cut(entries) {
            self.append_record(record).await?;
        }
        if self.since_snapshot >= SNAPSHOT_BYTES || self.last_snapshot.elapsed() >= SNAPSHOT_EVERY {
            self.snapshot().await?;
        }
        Ok(())
    }

    /// Reads what others may have written, to learn whether the ledger is still ours.
    pub async fn look(&mut self) -> Result<(), LedgerLost> {
        let _ = self.reader.catch_up(&self.target).await?;
        self.check_owner()
    }

    fn record(&self, entries: Vec<Entry>) -> Record {
        Record {
            generation: self.generation,
            run: self.run,
            entries,
        }
    }

    fn cut(&self, entries: Vec<Entry>) -> Vec<Record> {
        let mut records = Vec::new();
        let mut part = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            bytes += size(&entry);
            part.push(entry);
            if bytes > RECORD_BYTES {
                records.push(self.record(std::mem::take(&mut part)));
                bytes = 0;
            }
        }
        if !part.is_empty() {
            records.push(self.record(part));
        }
        records
    }

    async fn append_record(&mut self, record: Record) -> Result<(), LedgerLost> {
        let begun = BootInstant::now();
        let expected = self.reader.next;
        let touched = maps::touched(&record);
        let offset = self.send(&record).await?;
        if offset == expected {
            self.reader.next = offset + 1;
            self.reader.state.apply(record, offset);
        } else {
            // Somebody else wrote: the lease is not renewed until it is known what, and a claim ends it.
            if offset < expected {
                self.lease.end();
                return Err(LedgerLost::Read(LedgerError::Truncated {
                    at: self.reader.at.clone(),
                    end: offset,
                    next: expected,
                }));
            }
            while self.reader.next <= offset {
                let _ = self.reader.catch_up(&self.target).await?;
            }
            self.check_owner()?;
        }
        self.maps.publish(&self.reader.state, touched);
        self.lease.renew(begun);
        Ok(())
    }

    fn check_owner(&self) -> Result<(), LedgerLost> {
        match &self.reader.state.claim {
            Some(claim) if (claim.generation, claim.run) != (self.generation, self.run) => {
                self.lease.end();
                Err(LedgerLost::TakenOver(Box::new(claim.owner.clone())))
            }
            _ => Ok(()),
        }
    }

    /// Sends one record until it is appended: the same bytes again after an unknown outcome. Answers its offset.
    async fn send(&mut self, record: &Record) -> Result<i64, LedgerLost> {
        let stamp = Stamp {
            producer_id: self.identity.producer_id,
            producer_epoch: self.identity.producer_epoch,
            base_sequence: self.sequence,
        };
        let value = record.encode();
        self.since_snapshot = self.since_snapshot.saturating_add(value.len());
        let batch = batch_of_one(&value, clock::unix_millis(), stamp);
        let mut pause = FIRST_PAUSE;
        let mut unknown_topic = None;
        loop {
            let part = ProducePart {
                at: self.reader.at.clone(),
                batch: batch.clone(),
            };
            match self.try_once(part).await {
                Ok(answer) => match retry::produce_verdict(answer.error) {
                    ProduceVerdict::Appended => {
                        self.sequence = self.sequence.wrapping_add(1) & i32::MAX;
                        return Ok(answer.base_offset);
                    }
                    ProduceVerdict::Retry { refresh } => {
                        if refresh {
                            self.producer = None;
                            // The next round meets the same trouble and waits.
                            let _ = self.target.refresh_leaders().await;
                        }
                    }
                    ProduceVerdict::Unknown => {}
                    ProduceVerdict::Identity => {
                        if let Some(offset) = self.whose().await? {
                            self.sequence = self.sequence.wrapping_add(1) & i32::MAX;
                            return Ok(offset);
                        }
                        return Err(LedgerLost::Fenced);
                    }
                    ProduceVerdict::Refused => {
                        return Err(LedgerLost::Refused(self.refusal(answer)));
                    }
                },
                Err(error) => {
                    self.producer = None;
                    let gone = error.code() == Some(3)
                        && unknown_topic.get_or_insert_with(Instant::now).elapsed() > GONE;
                    if gone {
                        return Err(LedgerLost::Gone(self.reader.at.clone()));
                    }
                    if !error.is_passing() {
                        return Err(LedgerLost::Refused(error));
                    }
                    let _ = self.target.refresh_leaders().await;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_once(&mut self, part: ProducePart) -> cluster::Result<cluster::ProduceAnswer> {
        let leader = self.target.leader(&part.at).await?;
        let producer = match &self.producer {
            Some((broker, producer)) if *broker == leader && producer.is_alive() => producer,
            _ => {
                // The ledger is what the lease is made of: its own writes do not ask for it.
                let opened = self
                    .target
                    .producer(leader, std::sync::Arc::new(|| true))
                    .await?;
                &self.producer.insert((leader, opened)).1
            }
        };
        let at = part.at.clone();
        let (answers, _) = producer.send(vec![part]).await?.answers().await?;
        Ok(answers
            .into_iter()
            .next()
            .unwrap_or(cluster::ProduceAnswer {
                at,
                error: 7,
                base_offset: -1,
                message: None,
            }))
    }

    /// Our sequence or epoch was refused: has somebody claimed the ledger, or was this very record appended before? `None`: neither, for long.
    async fn whose(&mut self) -> Result<Option<i64>, LedgerLost> {
        self.lease.end();
        let begun = Instant::now();
        let mut probe = self.reader.clone();
        loop {
            let counted = probe.catch_up(&self.target).await?;
            match &probe.state.claim {
                Some(claim) if claim.run == self.run && counted > 0 => {
                    // One record at a time: what counts as ours and was not known before is this one.
                    return Ok(Some(probe.last));
                }
                Some(claim) if claim.run != self.run && claim.generation >= self.generation => {
                    return Err(LedgerLost::TakenOver(Box::new(claim.owner.clone())));
                }
                _ if begun.elapsed() > CLAIM_PATIENCE => return Ok(None),
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn refusal(&self, answer: cluster::ProduceAnswer) -> cluster::Error {
        cluster::Error::Kafka {
            side: self.target.side(),
            broker: None,
            api: "Produce",
            topic: Some(self.reader.at.topic.clone()),
            partition: Some(self.reader.at.partition),
            code: answer.error,
            message: answer.message,
        }
    }

    /// Writes what the ledger says once more, then lets go of everything before.
    async fn snapshot(&mut self) -> Result<(), LedgerLost> {
        let first = self.reader.next;
        for record in self.cut(self.reader.state.entries()) {
            self.append_record(record).await?;
        }
        self.since_snapshot = 0;
        self.last_snapshot = Instant::now();
        // The snapshot begins with our claim, so that what follows it counts.
        match self.target.delete_records(&self.reader.at, first).await {
            Ok(()) => {}
            // The ledger stays longer than it has to be.
            Err(error) => tracing::warn!(%error, "the ledger could not be trimmed"),
        }
        Ok(())
    }

    /// Uses both transactional ids once in a while, so that the coordinator does not forget them: an empty committed transaction over
    /// the ledger's own partition (InitProducerId would shut out ourselves).
    pub async fn keep_alive(
        &mut self,
        data_id: &str,
        data: ProducerIdentity,
    ) -> Result<(), LedgerLost> {
        if self.last_kept_alive.elapsed() < KEEP_ALIVE_EVERY {
            return Ok(());
        }
        self.last_kept_alive = Instant::now();
        let own_id = ledger_id(&self.migration, self.direction, self.shard);
        let own = (own_id, self.identity);
        let at = self.reader.at.clone();
        for (id, identity) in [own, (data_id.to_owned(), data)] {
            self.reader.markers.clear();
            let marked = async {
                self.target
                    .add_partitions(&id, identity, std::slice::from_ref(&at))
                    .await?;
                self.target
                    .end_transaction(&id, identity, End::Commit)
                    .await
            };
            if let Err(error) = marked.await {
                tracing::warn!(%error, id, "a transactional id could not be kept alive");
                continue;
            }
            let begun = Instant::now();
            while !self.reader.markers.contains(&identity.producer_id)
                && begun.elapsed() < CLAIM_PATIENCE
            {
                let _ = self.reader.catch_up(&self.target).await?;
                sleep(FIRST_PAUSE).await;
            }
            self.check_owner()?;
        }
        Ok(())
    }
}

fn size(entry: &Entry) -> usize {
    postcard::experimental::serialized_size(entry).unwrap_or(RECORD_BYTES)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // A clock is unique enough beside the generation.
        bytes = clock::unix_millis().to_le_bytes();
    }
    u64::from_le_bytes(bytes)
}
