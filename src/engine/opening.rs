//! Before anything is claimed: the ledger's topic, what every shard of it says, and whether somebody else is at work.

use std::time::Duration;

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    ledger::{
        self,
        read::{LedgerError, Reader},
        record::{Header, Owner},
    },
    owner,
    settings::Settings,
};
use crate::{
    cluster::{Cluster, NewTopic, Target},
    error::Failure,
    exit::Exit,
    model::{
        direction::Direction,
        names::{TopicName, TopicPartition},
    },
};

/// How long a silent owner's ledger is watched: two heartbeats and what a busy machine adds.
const WATCH: Duration = Duration::from_millis(2500);
/// How long a ledger that was just made may not be shown by every broker.
const SHOWN_WITHIN: Duration = Duration::from_secs(15);
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const WATCH_PAUSE: Duration = Duration::from_millis(100);
/// What lies below a snapshot is given back to the disk by whole segments, which are 1 GiB for each shard where nobody says otherwise.
const SEGMENT_BYTES: usize = 16 << 20;
/// Replicas of a ledger, where there are so many brokers.
const REPLICAS: usize = 3;

/// Is there a ledger of this migration?
pub async fn has_ledger(
    on: &Cluster,
    migration: &str,
    direction: Direction,
) -> Result<bool, Failure> {
    let name: TopicName = ledger::topic(migration, direction).into();
    let there = on.topics(Some(std::slice::from_ref(&name))).await;
    Ok(!there.map_err(|error| error.failure())?.is_empty())
}

/// The same, where one that this login may not see counts as none: it wrote none then.
pub async fn shows_ledger(
    on: &Cluster,
    migration: &str,
    direction: Direction,
) -> Result<bool, Failure> {
    let name: TopicName = ledger::topic(migration, direction).into();
    match on.topics(Some(std::slice::from_ref(&name))).await {
        Err(error) if error.code() == Some(TOPIC_AUTHORIZATION_FAILED) => Ok(false),
        there => Ok(!there.map_err(|error| error.failure())?.is_empty()),
    }
}

/// What the ledger of this migration says it is, if there is one: its first records are read, and nothing is made. Whichever shard says it: a run that
/// died as it began may have claimed some of them only.
pub async fn header(
    on: &Cluster,
    migration: &str,
    direction: Direction,
) -> Result<Option<Header>, Failure> {
    let name: TopicName = ledger::topic(migration, direction).into();
    let there = on.topics(Some(std::slice::from_ref(&name))).await;
    let there = there.map_err(|error| error.failure())?;
    let shards = there.first().map_or(0, |topic| topic.partitions.len());
    for shard in 0..shards {
        let at = TopicPartition::new(name.clone(), i32::try_from(shard).unwrap_or(0));
        let header = Reader::header(on, at).await;
        if let Some(header) = header.map_err(|error| error.failure())? {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

/// Is a ledger the one of these settings, between these clusters?
pub fn check_header(
    found: &Header,
    settings: &Settings,
    source: &str,
    target: &str,
) -> Result<(), Failure> {
    let wanted = Header {
        migration_id: found.migration_id,
        after_loss: found.after_loss,
        migration: settings.migration.clone(),
        source_cluster: source.to_owned(),
        target_cluster: target.to_owned(),
        direction: found.direction.clone(),
        shards: settings.shards,
    };
    if found.shards != wanted.shards {
        return Err(other_shards(
            &ledger::topic(&settings.migration, found.direction()),
            found.shards,
            wanted.shards,
        ));
    }
    ledger::check_header(found, &wanted)
}

/// Makes the ledger's topic if it is not there, and reads every shard of it.
pub async fn open_ledger(target: &Target, wanted: &Header) -> Result<Vec<Reader>, Failure> {
    let name: TopicName = ledger::topic(&wanted.migration, wanted.direction()).into();
    let failed = |error: crate::cluster::Error| {
        error
            .failure()
            .cause(format!("while looking for the ledger {name}"))
    };
    let there = target
        .topics(Some(std::slice::from_ref(&name)))
        .await
        .map_err(failed)?;
    let mut until = Instant::now();
    if there.is_empty() {
        until += SHOWN_WITHIN;
        make_ledger(target, &name, wanted.shards).await?;
    } else if there[0].partitions.len() != wanted.shards as usize {
        let has = u32::try_from(there[0].partitions.len()).unwrap_or(u32::MAX);
        return Err(other_shards(&name, has, wanted.shards));
    }
    let mut reading = JoinSet::new();
    for shard in 0..wanted.shards {
        let at = TopicPartition::new(name.clone(), i32::try_from(shard).unwrap_or(0));
        let target = target.clone();
        reading.spawn(async move { (shard, open_fresh(&target, at, until).await) });
    }
    let mut readers = Vec::new();
    for (shard, reader) in reading.join_all().await {
        readers.push((shard, reader.map_err(|error| error.failure())?));
    }
    readers.sort_by_key(|(shard, _)| *shard);
    Ok(readers.into_iter().map(|(_, reader)| reader).collect())
}

fn other_shards(name: &str, has: u32, wanted: u32) -> Failure {
    Failure::new(
        Exit::Refused,
        "K414",
        format!("the ledger {name} has {has} shards, the migration file says {wanted}"),
    )
    .hint(format!(
        "the number is fixed when the ledger is made: set `replication.shards = {has}`"
    ))
    .next("kafka-migrate config")
}

/// Reads a ledger. One that was made a moment ago may not be shown yet, where the target is still busy with a thousand partitions.
async fn open_fresh(
    target: &Target,
    at: TopicPartition,
    until: Instant,
) -> Result<Reader, LedgerError> {
    loop {
        match Reader::open(target, at.clone()).await {
            Err(LedgerError::Cluster { source, .. })
                if source.code() == Some(UNKNOWN_TOPIC_OR_PARTITION) && Instant::now() < until =>
            {
                sleep(WATCH_PAUSE).await;
            }
            opened => return opened,
        }
    }
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
    // Brokers that do not take the setting get the topic without it.
    let with_segments = configs
        .iter()
        .cloned()
        .chain([("segment.bytes".to_owned(), SEGMENT_BYTES.to_string())]);
    let topic = |configs| NewTopic {
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
    let mut made = target
        .create_topics(&[topic(with_segments.collect())], false)
        .await
        .map_err(refused)?;
    if made.iter().any(Result::is_err) {
        made = target
            .create_topics(&[topic(configs)], false)
            .await
            .map_err(refused)?;
    }
    for made in made {
        // Made by somebody else meanwhile is as good.
        let _ = made.map_err(refused)?;
    }
    Ok(())
}

/// Was there a ledger of this migration before, of which nothing is left? A shard that nobody ever claimed has no writers yet: if the target's
/// coordinator knows its first one, it is from before. Coordinators forget after a while (seven days by default), and old ones do not tell.
pub async fn lost_ledger(
    target: &Target,
    readers: &[Reader],
    wanted: &Header,
) -> Result<bool, Failure> {
    let mut asking = JoinSet::new();
    for (shard, reader) in (0..).zip(readers) {
        if reader
            .state
            .header
            .as_ref()
            .is_some_and(|one| one.after_loss)
        {
            return Ok(true);
        }
        if reader.state.claim.is_some() {
            continue;
        }
        let (target, id) = (target.clone(), wanted.data_id(shard, 0));
        asking.spawn(async move { target.knows_transactional_id(&id).await });
    }
    let mut lost = false;
    for known in asking.join_all().await {
        lost |= known.map_err(|error| error.failure())?.unwrap_or(false);
    }
    Ok(lost)
}

/// Every shard's ledger must be of this migration, between these clusters. Answers the header in force.
pub fn check_headers(readers: &[Reader], wanted: &Header) -> Result<Header, Failure> {
    let mut header = wanted.clone();
    for reader in readers {
        let Some(found) = &reader.state.header else {
            // Its first record ever says it, and each snapshot once more.
            if reader.next > 0 {
                return Err(Failure::new(
                    Exit::Refused,
                    "K415",
                    format!(
                        "the ledger {} has lost its beginning, and does not say what it is of",
                        reader.at
                    ),
                )
                .hint("somebody deleted records of it: nothing can be known of what was copied")
                .hint("give the migration another name, and copy into topics that are made anew"));
            }
            continue;
        };
        ledger::check_header(found, wanted)?;
        header.migration_id = found.migration_id;
    }
    Ok(header)
}

/// Is another engine at work? An owner whose ledger ended, or who was here and holds the lock no more, is not; any other is watched.
pub async fn nobody_else(
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
