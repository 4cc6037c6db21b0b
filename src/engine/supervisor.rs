//! One run: locks, reads every shard's ledger, makes sure that nobody else copies, starts the shards, follows the scope.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{
    Settings, Stop, StopSignal, Summary, Until,
    budget::{Budget, Rate},
    ledger::{
        self,
        read::Reader,
        record::{Header, Owner},
    },
    metrics::{Numbers, Rates},
    owner::{self, Lock},
    pipeline::{Assignment, MADE_ANEW, Reason, Shared, Warmth, made_anew},
    shard::Shard,
    topics::{self, Prepared},
};
use crate::{
    cluster::{NewTopic, OffsetSpec, Source, Target, TopicInfo},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    model::names::{TopicName, TopicPartition},
};

/// How long a silent owner's ledger is watched: two heartbeats and what a busy machine adds.
const WATCH: Duration = Duration::from_millis(2500);
const WATCH_PAUSE: Duration = Duration::from_millis(100);
/// How often the source is asked for new topics and partitions.
const DISCOVER_EVERY: Duration = Duration::from_secs(2);
/// How often the numbers are told.
const BEAT: Duration = Duration::from_secs(1);
/// How often it is looked whether all is caught up.
const LOOK: Duration = Duration::from_millis(50);
/// Replicas of a ledger, where there are so many brokers.
const REPLICAS: usize = 3;

/// Copies until stopped, or until caught up.
pub async fn run(
    settings: Settings,
    source: Source,
    target: Target,
    events: Events,
    stop: StopSignal,
) -> Result<Summary, Failure> {
    let lock = Lock::take(&settings.state_dir)?;
    let us = owner::here(&lock);
    let found = topics::discover(&source, &settings.scope).await?;
    let wanted = Header {
        migration_id: Uuid::new_v4(),
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        direction: "forward".to_owned(),
        shards: settings.shards,
    };
    let readers = open_ledger(&target, &wanted).await?;
    let header = check_headers(&readers, &wanted)?;
    let readers = nobody_else(&target, readers, &us).await?;

    let warmth = Warmth::of(&target).await;
    if warmth.is_unknown() {
        events.send(Event::Trouble {
            text: "the target does not tell after how long it forgets producers: one batch at a time is written to each partition".to_owned(),
        });
    }
    let inner = StopSignal::default();
    let shared = Shared {
        budget: Budget::new(
            settings.memory,
            settings.shards as usize * source.brokers().len().max(1),
            settings.rate,
        ),
        rate: Rate::new(settings.rate),
        numbers: Numbers::new(settings.shards as usize),
        warmth,
        stop: inner.listen(),
        patience: settings.request_timeout,
        source,
        target,
        events,
    };
    let mut scope = Scope {
        shared: shared.clone(),
        settings: settings.clone(),
        known: HashMap::new(),
        senders: Vec::new(),
        trouble: None,
    };
    let first = scope.take_on(found, settings.until).await?;
    shared.events.send(Event::Started {
        source_cluster: shared.source.id().to_owned(),
        target_cluster: shared.target.id().to_owned(),
        topics: scope.known.len(),
        partitions: first.iter().map(Vec::len).sum(),
        shards: readers.len(),
    });
    let mut shards = JoinSet::new();
    for (reader, assigned) in readers.into_iter().zip(first) {
        let (sender, incoming) = mpsc::unbounded_channel();
        scope.senders.push(sender);
        let shard = Shard {
            shared: shared.clone(),
            reader,
            owner: us.clone(),
            header: header.clone(),
            assigned,
            incoming,
        };
        shards.spawn(shard.run());
    }
    let summary = supervise(shards, scope, settings.until, &stop, &inner).await;
    drop(lock);
    summary
}

/// Waits for the shards, and meanwhile says where we are, follows the scope, and passes on what the user wants.
async fn supervise(
    mut shards: JoinSet<Result<bool, Failure>>,
    mut scope: Scope,
    until: Until,
    outer: &StopSignal,
    inner: &StopSignal,
) -> Result<Summary, Failure> {
    let shared = scope.shared.clone();
    let mut wanted = outer.listen();
    // Beside everything else: a source that does not answer must not keep anybody waiting.
    let following = tokio::spawn(async move {
        loop {
            sleep(DISCOVER_EVERY).await;
            scope.follow().await;
        }
    });
    let (mut beat, mut look) = (interval(BEAT), interval(LOOK));
    for ticks in [&mut beat, &mut look] {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut rates = Rates::default();
    let mut failed: Option<Failure> = None;
    let mut sealed = true;
    let mut ending = false;
    loop {
        let now = *wanted.borrow_and_update();
        match now {
            Stop::No => {}
            Stop::Drain => inner.drain(),
            Stop::Now => inner.now(),
        }
        ending |= now != Stop::No;
        tokio::select! {
            ended = shards.join_next() => match ended {
                None => break,
                Some(Ok(Ok(clean))) => {
                    sealed &= clean;
                    // A shard ends by itself only because it was asked to.
                    ending = true;
                }
                Some(Ok(Err(failure))) => {
                    sealed = false;
                    ending = true;
                    if failure.exit == Exit::Refused {
                        inner.now();
                    } else {
                        inner.drain();
                    }
                    failed.get_or_insert(failure);
                }
                Some(Err(error)) => {
                    sealed = false;
                    ending = true;
                    inner.drain();
                    failed.get_or_insert(
                        Failure::new(Exit::Bug, "K000", "a shard of the engine ended unexpectedly").because(&error),
                    );
                }
            },
            changed = wanted.changed() => {
                if changed.is_err() {
                    sleep(LOOK).await;
                }
            }
            _ = beat.tick() => shared.events.send(Event::Progress(progress(&shared.numbers, &mut rates))),
            _ = look.tick(), if !ending && until == Until::CaughtUp => {
                if shared.numbers.caught_up() {
                    ending = true;
                    shared.events.send(Event::CaughtUp { records: shared.numbers.sum().records });
                    inner.drain();
                }
            }
        }
    }
    following.abort();
    let sum = progress(&shared.numbers, &mut rates);
    shared.events.send(Event::Progress(sum.clone()));
    shared.events.send(Event::Stopped {
        sealed,
        records: sum.records,
        bytes: sum.bytes,
    });
    match failed {
        Some(failure) => Err(failure),
        None => Ok(Summary {
            sealed,
            stopped_partitions: usize::try_from(sum.stopped).unwrap_or(usize::MAX),
            records: sum.records,
            bytes: sum.bytes,
        }),
    }
}

fn progress(numbers: &Numbers, rates: &mut Rates) -> crate::events::Progress {
    let mut sum = numbers.sum();
    (sum.records_per_second, sum.bytes_per_second) = rates.note(sum.records, sum.bytes);
    sum
}

/// Makes the ledger's topic if it is not there, and reads every shard of it.
async fn open_ledger(target: &Target, wanted: &Header) -> Result<Vec<Reader>, Failure> {
    let name: TopicName = ledger::topic(&wanted.migration).into();
    let failed = |error: crate::cluster::Error| {
        error
            .failure()
            .cause(format!("while looking for the ledger {name}"))
    };
    let there = target
        .topics(Some(std::slice::from_ref(&name)))
        .await
        .map_err(failed)?;
    if there.is_empty() {
        make_ledger(target, &name, wanted.shards).await?;
    } else if there[0].partitions.len() != wanted.shards as usize {
        return Err(Failure::new(
            Exit::Refused,
            "K414",
            format!(
                "the ledger {name} has {} shards, the migration file says {}",
                there[0].partitions.len(),
                wanted.shards
            ),
        )
        .hint(format!(
            "the number is fixed when the ledger is made: set `replication.shards = {}`",
            there[0].partitions.len()
        ))
        .next("kafka-migrate config"));
    }
    let mut reading = JoinSet::new();
    for shard in 0..wanted.shards {
        let at = TopicPartition::new(name.clone(), i32::try_from(shard).unwrap_or(0));
        let target = target.clone();
        reading.spawn(async move { (shard, Reader::open(&target, at).await) });
    }
    let mut readers = Vec::new();
    for (shard, reader) in reading.join_all().await {
        readers.push((shard, reader.map_err(|error| error.failure())?));
    }
    readers.sort_by_key(|(shard, _)| *shard);
    Ok(readers.into_iter().map(|(_, reader)| reader).collect())
}

async fn make_ledger(target: &Target, name: &TopicName, shards: u32) -> Result<(), Failure> {
    let replicas = target.brokers().len().clamp(1, REPLICAS);
    let mut configs = vec![
        ("cleanup.policy".to_owned(), "delete".to_owned()),
        ("retention.ms".to_owned(), "-1".to_owned()),
        ("retention.bytes".to_owned(), "-1".to_owned()),
    ];
    if replicas == REPLICAS {
        configs.push(("min.insync.replicas".to_owned(), "2".to_owned()));
    }
    let topic = NewTopic {
        name: name.clone(),
        partitions: i32::try_from(shards).unwrap_or(1),
        replication: i16::try_from(replicas).unwrap_or(1),
        configs,
    };
    let refused = |error: crate::cluster::Error| {
        error
            .failure()
            .cause(format!("while making the ledger topic {name}"))
    };
    let made = target
        .create_topics(&[topic], false)
        .await
        .map_err(refused)?;
    for made in made {
        // Made by somebody else meanwhile is as good.
        let _ = made.map_err(refused)?;
    }
    Ok(())
}

/// Every shard's ledger must be of this migration, between these clusters. Answers the header in force.
fn check_headers(readers: &[Reader], wanted: &Header) -> Result<Header, Failure> {
    let mut header = wanted.clone();
    for reader in readers {
        let Some(found) = &reader.state.header else {
            if reader.next > 0 && reader.state.claim.is_some() {
                return Err(Failure::new(
                    Exit::Refused,
                    "K415",
                    format!("the ledger {} does not say what it is of", reader.at),
                )
                .hint("choose another name for this migration"));
            }
            continue;
        };
        ledger::check_header(found, wanted)?;
        header.migration_id = found.migration_id;
    }
    Ok(header)
}

/// Is another engine at work? An owner whose ledger ended, or who was here and holds the lock no more, is not; any other is watched.
async fn nobody_else(
    target: &Target,
    readers: Vec<Reader>,
    us: &Owner,
) -> Result<Vec<Reader>, Failure> {
    let mut watching = JoinSet::new();
    for (index, mut reader) in readers.into_iter().enumerate() {
        let watch = !reader.state.ended
            && reader
                .state
                .claim
                .as_ref()
                .is_some_and(|claim| !owner::is_same_place(&claim.owner, us));
        let target = target.clone();
        watching.spawn(async move {
            let begun = Instant::now();
            while watch && begun.elapsed() < WATCH {
                sleep(WATCH_PAUSE).await;
                let grown = reader
                    .catch_up(&target)
                    .await
                    .map_err(|error| error.failure())?;
                if grown > 0
                    && !reader.state.ended
                    && let Some(claim) = &reader.state.claim
                {
                    let who = format!(
                        "another engine runs this migration: process {} on {}",
                        claim.owner.process, claim.owner.host
                    );
                    return Err(Failure::new(Exit::Refused, "K402", who)
                        .hint("its heartbeat in the ledger advances; stop it before starting another here")
                        .next("kafka-migrate status"));
                }
            }
            Ok((index, reader))
        });
    }
    let mut readers = Vec::new();
    while let Some(watched) = watching.join_next().await {
        let watched = watched.map_err(|error| {
            Failure::new(Exit::Bug, "K000", "watching a ledger ended unexpectedly").because(&error)
        })?;
        readers.push(watched?);
    }
    readers.sort_by_key(|(index, _)| *index);
    Ok(readers.into_iter().map(|(_, reader)| reader).collect())
}

/// What is in scope, and which shard has it.
struct Scope {
    shared: Shared,
    settings: Settings,
    /// Partitions handed out, and the id on the source, by topic.
    known: HashMap<TopicName, (i32, Uuid)>,
    senders: Vec<mpsc::UnboundedSender<Vec<Assignment>>>,
    /// The trouble told last, so that it is told once.
    trouble: Option<String>,
}

impl Scope {
    /// Makes topics ready on the target, and sorts their new partitions by shard.
    async fn take_on(
        &mut self,
        found: Vec<TopicInfo>,
        until: Until,
    ) -> Result<Vec<Vec<Assignment>>, Failure> {
        let shards = self.settings.shards.max(1) as usize;
        let mut sorted = vec![Vec::new(); shards];
        let grown: Vec<TopicInfo> = found
            .into_iter()
            .filter(|topic| self.handed_out(&topic.name) < count(topic))
            .collect();
        if grown.is_empty() {
            return Ok(sorted);
        }
        let (source, target) = (&self.shared.source, &self.shared.target);
        let prepared =
            topics::prepare(source, target, &grown, self.settings.replication_factor).await?;
        let mut names = Vec::new();
        for (topic, prepared) in grown.iter().zip(&prepared) {
            let from = self.handed_out(&topic.name);
            names.extend((from..count(topic)).map(|partition| TopicPartition {
                topic: topic.name.clone(),
                partition,
            }));
            self.tell(topic, prepared, from);
        }
        let mut ends = HashMap::new();
        if until == Until::CaughtUp {
            for (name, end) in source.offsets(&names, OffsetSpec::Stable).await {
                let end = end.map_err(|error| error.failure())?;
                ends.insert(name, end);
            }
        }
        for (topic, prepared) in grown.iter().zip(prepared) {
            let from = self.handed_out(&topic.name);
            self.known
                .insert(topic.name.clone(), (count(topic), topic.id));
            let refused = prepared.refused.map(|(code, text)| Reason { code, text });
            for partition in from..count(topic) {
                let name = TopicPartition {
                    topic: topic.name.clone(),
                    partition,
                };
                sorted[shard_of(&name, shards)].push(Assignment {
                    wanted_end: ends.get(&name).copied(),
                    name,
                    source_id: topic.id,
                    target_id: prepared.target_id,
                    refused: refused.clone(),
                });
            }
        }
        Ok(sorted)
    }

    fn handed_out(&self, topic: &TopicName) -> i32 {
        self.known
            .get(topic)
            .map_or(0, |(partitions, _)| *partitions)
    }

    /// Stops the partitions of topics that were deleted and made anew on the source: a fetch by name would not notice.
    fn made_anew(&self, found: &[TopicInfo]) -> Vec<Vec<Assignment>> {
        let shards = self.settings.shards.max(1) as usize;
        let mut sorted = vec![Vec::new(); shards];
        for topic in found {
            let Some((partitions, id)) = self.known.get(&topic.name) else {
                continue;
            };
            if id.is_nil() || topic.id.is_nil() || *id == topic.id {
                continue;
            }
            for partition in 0..*partitions {
                let name = TopicPartition {
                    topic: topic.name.clone(),
                    partition,
                };
                sorted[shard_of(&name, shards)].push(Assignment {
                    name,
                    source_id: topic.id,
                    target_id: Uuid::nil(),
                    wanted_end: None,
                    refused: Some(Reason {
                        code: MADE_ANEW,
                        text: made_anew("source"),
                    }),
                });
            }
        }
        sorted
    }

    fn tell(&self, topic: &TopicInfo, prepared: &Prepared, before: i32) {
        let events = &self.shared.events;
        if let Some(text) = &prepared.trouble {
            events.send(Event::Trouble { text: text.clone() });
        }
        let (name, partitions) = (topic.name.to_string(), count(topic));
        if before > 0 {
            events.send(Event::PartitionsAdded {
                topic: name,
                partitions,
            });
        } else if prepared.refused.is_none() {
            events.send(Event::TopicAdded {
                topic: name,
                partitions,
                created: prepared.created,
            });
        }
    }

    /// Looks for new topics and partitions, and hands them to their shards.
    async fn follow(&mut self) {
        let looked = async {
            let found = topics::found(&self.shared.source, &self.settings.scope).await?;
            let mut sorted = self.made_anew(&found);
            for (all, more) in sorted
                .iter_mut()
                .zip(self.take_on(found, Until::Stopped).await?)
            {
                all.extend(more);
            }
            Ok::<_, Failure>(sorted)
        };
        match looked.await {
            Ok(sorted) => {
                self.trouble = None;
                for (sender, assigned) in self.senders.iter().zip(sorted) {
                    if !assigned.is_empty() {
                        // A shard that has ended needs none.
                        drop(sender.send(assigned));
                    }
                }
            }
            Err(failure) => {
                let text = format!("new topics cannot be looked for: {failure}");
                if self.trouble.as_ref() != Some(&text) {
                    self.trouble = Some(text.clone());
                    self.shared.events.send(Event::Trouble { text });
                }
            }
        }
    }
}

fn count(topic: &TopicInfo) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

/// The shard of a partition: where its topic's name hashes to, and its neighbours one shard further each.
pub fn shard_of(name: &TopicPartition, shards: usize) -> usize {
    let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, name.topic.as_bytes());
    let partition = u64::try_from(name.partition).unwrap_or(0);
    usize::try_from((hash + partition) % shards.max(1) as u64).unwrap_or(0)
}
