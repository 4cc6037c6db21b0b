//! Asks the clusters and the ledger, and watches whether an engine lives. Changes nothing.

use std::{collections::HashMap, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    Batches, Closely, EngineState, GroupsStatus, OpenTransaction, Said, Status, StoppedBack,
    WayBack, positions, steered, sums, synced,
};
use crate::{
    cluster::{Cluster, OffsetSpec, Source, Target, TopicInfo, failure},
    engine::{
        Settings,
        ledger::{
            self,
            read::{LedgerError, Reader},
            record::Header,
            state::State,
        },
    },
    error::Failure,
    model::{
        names::{TopicName, TopicPartition},
        scope::Scope,
    },
};
use crate::{
    engine::{opening, supervisor::of_the_way_back, ways},
    events::Choice,
    model::direction::{Direction, as_on_the_way_back},
};

/// Version of the document.
const DOCUMENT: u32 = 1;
/// A living engine writes a heartbeat each second.
const WATCHED_FOR: Duration = Duration::from_millis(2500);
const PAUSE: Duration = Duration::from_millis(200);
/// Times that a ledger is read anew because its owner trimmed it meanwhile.
const TRIMMED: usize = 3;
const OUT_OF_RANGE: i16 = 1;

/// Asks both clusters and the ledger.
pub async fn look(
    settings: &Settings,
    source: &Source,
    target: &Target,
) -> Result<Status, Failure> {
    let looked = look_closely(settings, source, target).await;
    looked.map(|(status, _)| status)
}

/// The direction back: `None` where nothing ever came back, and nothing is to.
async fn look_back(
    settings: &Settings,
    source: &Source,
    target: &Target,
) -> Result<Option<(WayBack, Option<GroupsStatus>)>, Failure> {
    let (read, written) = (target.for_the_way_back(), source.for_the_way_back());
    let is_there = opening::shows_ledger(&written, &settings.migration, Direction::Reverse);
    if !is_there.await? && !settings.two_way {
        return Ok(None);
    }
    let (status, _) = look_at(Direction::Reverse, settings, &read, &written).await?;
    let stopped = status.stopped.into_iter().map(|one| StoppedBack {
        topic: one.topic,
        partition: one.partition,
        code: one.code,
        reason: as_on_the_way_back(&one.reason),
        target_offset: one.source_offset,
        choices: ways_back(one.choices),
    });
    let back = WayBack {
        engine: status.engine,
        message_lag: status.message_lag,
        records_per_second: status.records_per_second,
        batches: status.batches,
        stopped: stopped.collect(),
        trimmed: status.trimmed,
    };
    Ok(Some((back, status.groups)))
}

/// The same ways in words of the way back, without those that are refused there.
fn ways_back(mut choices: Vec<Choice>) -> Vec<Choice> {
    ways::without_recopy(&mut choices);
    for choice in &mut choices {
        choice.does = as_on_the_way_back(&choice.does);
    }
    choices
}

/// The same, and what gates ask of single partitions.
pub async fn look_closely(
    settings: &Settings,
    source: &Source,
    target: &Target,
) -> Result<(Status, Closely), Failure> {
    let (there, back) = tokio::join!(
        look_at(Direction::Forward, settings, source, target),
        look_back(settings, source, target),
    );
    let (mut status, closely) = there?;
    if let Some((back, groups)) = back? {
        status.way_back = Some(back);
        status.groups = positions::both(status.groups, groups);
    }
    Ok((status, closely))
}

/// One direction.
async fn look_at(
    direction: Direction,
    settings: &Settings,
    source: &Source,
    target: &Target,
) -> Result<(Status, Closely), Failure> {
    let ledger: TopicName = ledger::topic(&settings.migration, direction).into();
    let (here, shards) = tokio::join!(source.topics(None), shards(target, &ledger));
    let here = here.map_err(|error| error.failure())?;
    let readers = open(target, &ledger, shards?).await?;
    let wanted = Header {
        migration_id: uuid::Uuid::nil(),
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        direction: direction.word().to_owned(),
        shards: settings.shards,
        after_loss: false,
    };
    for header in readers.iter().filter_map(|one| one.state.header.as_ref()) {
        ledger::check_header(header, &wanted)?;
    }
    let (readers, engine) = watch(target, readers).await?;

    let (here, gone) = match direction {
        Direction::Forward => in_scope(here, &settings.scope, &readers)?,
        // What it has met is its scope.
        Direction::Reverse => {
            let knows = |name: &TopicName| {
                let mut states = readers.iter().map(|one| &one.state);
                states.any(|state| state.numbers.contains_key(name))
            };
            let met = here.into_iter().filter(|topic| knows(&topic.name));
            (met.collect(), Vec::new())
        }
    };
    let partitions = here
        .iter()
        .flat_map(TopicInfo::named_partitions)
        .collect::<Vec<_>>();
    // Taken together, so that a living source and a living engine are compared as they are at one moment.
    let (ends, highest, starts, there, readers) = tokio::join!(
        offsets(source, &partitions, OffsetSpec::Stable),
        offsets(source, &partitions, OffsetSpec::End),
        offsets(source, &partitions, OffsetSpec::Earliest),
        ids(target, &here),
        catch_up(target, readers),
    );
    let (readers, _) = readers?;
    let states: Vec<State> = readers.into_iter().map(|reader| reader.state).collect();
    let known = sums::Known::of(&states, there?);
    let (topics, message_lag) = sums::topics(&here, &gone, &known, &ends, &starts);
    let open_transactions = held_back(source, &ends, &highest).await;
    let decided = known.decided(|name| settings.scope.has_topic(name, false));
    let trimmed = known.trimmed(|name| settings.scope.has_topic(name, false));
    let stopped = known.stopped(|name| settings.scope.has_topic(name, false));
    let held = sums::held(&states);
    let seams = known.seams(|name| settings.scope.has_topic(name, false));
    let (mut records_per_second, mut bytes_per_second) = (0.0, 0.0);
    let beats = || states.iter().filter_map(|state| state.heartbeat.as_ref());
    let mut throttled_by = None;
    if engine == EngineState::Running {
        throttled_by = beats().find_map(|beat| beat.throttled_by.clone());
        records_per_second = beats().map(|beat| beat.records_per_second).sum();
        bytes_per_second = beats().map(|beat| beat.bytes_per_second).sum();
    }
    let closely = Closely {
        partitions: known.standings(),
        identities: sums::identities(&states),
        synced: states
            .first()
            .map(|one| one.synced.clone())
            .unwrap_or_default(),
        held: held.iter().map(|one| one.topic.clone()).collect(),
    };
    let status = Status {
        v: DOCUMENT,
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        engine,
        owner: sums::owner(&states),
        last_heartbeat_ms: beats().map(|beat| beat.at_ms).max(),
        topics,
        stopped,
        decided,
        trimmed,
        seams,
        held,
        open_transactions,
        message_lag,
        records_per_second,
        bytes_per_second,
        throttled_by,
        pause: steered::pause(&states),
        limit: steered::limit(&states),
        batches: Batches::of(beats()),
        way_back: None,
        groups: positions::of(&states, direction),
        sync: synced::of(&states),
    };
    Ok((status, closely))
}

/// What the ledger says of partitions in scope, without looking at either cluster's records.
pub async fn said(settings: &Settings, target: &Target) -> Result<Said, Failure> {
    let (shards, states) = states(&settings.migration, Direction::Forward, target).await?;
    let known = sums::Known::of(&states, HashMap::new());
    Ok(Said {
        ledger: shards > 0,
        decided: known.decided(|name| settings.scope.has_topic(name, false)),
        begins: known.begins(),
        identities: sums::epochs(&states),
        not_copies: known.not_copies(),
    })
}

/// The same of the way back; `None` where there is no ledger of it, so that nothing came back.
pub async fn said_back(
    settings: &Settings,
    source: &Source,
    target: &Target,
) -> Result<Option<Said>, Failure> {
    let shown = opening::shows_ledger(source, &settings.migration, Direction::Reverse);
    if !shown.await? {
        return Ok(None);
    }
    let (_, states) = states(&settings.migration, Direction::Reverse, source).await?;
    let headers: Vec<&Header> = states
        .iter()
        .filter_map(|one| one.header.as_ref())
        .collect();
    for found in &headers {
        let wanted = Header {
            migration: settings.migration.clone(),
            source_cluster: target.id().to_owned(),
            target_cluster: source.id().to_owned(),
            direction: Direction::Reverse.word().to_owned(),
            ..(*found).clone()
        };
        ledger::check_header(found, &wanted).map_err(of_the_way_back)?;
    }
    if headers.is_empty() {
        return Ok(None);
    }
    let known = sums::Known::of(&states, HashMap::new());
    let mut decided = known.decided(|name| settings.scope.has_topic(name, false));
    for one in &mut decided {
        one.decision = as_on_the_way_back(&one.decision);
    }
    Ok(Some(Said {
        ledger: true,
        decided,
        begins: known.begins(),
        identities: sums::epochs(&states),
        not_copies: known.not_copies(),
    }))
}

/// How many shards a direction's ledger has, and what they say.
async fn states(
    migration: &str,
    direction: Direction,
    on: &Cluster,
) -> Result<(i32, Vec<State>), Failure> {
    let ledger: TopicName = ledger::topic(migration, direction).into();
    let shards = shards(on, &ledger).await?;
    let readers = open(on, &ledger, shards).await?;
    let states = readers.into_iter().map(|reader| reader.state).collect();
    Ok((shards, states))
}

/// Partitions of the ledger; 0 where there is none.
pub(in crate::engine) async fn shards(
    target: &Cluster,
    ledger: &TopicName,
) -> Result<i32, Failure> {
    let topics = target.topics(Some(std::slice::from_ref(ledger))).await;
    let topics = topics.map_err(|error| error.failure())?;
    let count = topics.first().map_or(0, |topic| topic.partitions.len());
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// Reads every shard's ledger to its end, all at once.
pub(in crate::engine) async fn open(
    target: &Cluster,
    ledger: &TopicName,
    shards: i32,
) -> Result<Vec<Reader>, Failure> {
    let mut opening = JoinSet::new();
    for shard in 0..shards {
        let (cluster, at) = (target.clone(), TopicPartition::new(ledger.clone(), shard));
        opening.spawn(async move {
            let mut tried = 0;
            loop {
                tried += 1;
                match Reader::open(&cluster, at.clone()).await {
                    Err(LedgerError::Cluster { source, .. })
                        if source.code() == Some(OUT_OF_RANGE) && tried < TRIMMED => {}
                    opened => return opened,
                }
            }
        });
    }
    let opened: Result<Vec<Reader>, LedgerError> = opening.join_all().await.into_iter().collect();
    let mut readers = opened.map_err(|error| error.failure())?;
    readers.sort_by_key(|reader| reader.at.partition);
    Ok(readers)
}

/// Reads what was added. Answers how many records of owners that was.
async fn catch_up(target: &Target, readers: Vec<Reader>) -> Result<(Vec<Reader>, usize), Failure> {
    let mut reading = JoinSet::new();
    for mut reader in readers {
        let cluster = Cluster::clone(target);
        reading.spawn(async move {
            let counted = reader.catch_up(&cluster).await?;
            Ok((reader, counted))
        });
    }
    let read: Result<Vec<(Reader, usize)>, LedgerError> =
        reading.join_all().await.into_iter().collect();
    let mut read = read.map_err(|error| error.failure())?;
    read.sort_by_key(|(reader, _)| reader.at.partition);
    let counted = read.iter().map(|(_, counted)| counted).sum();
    Ok((
        read.into_iter().map(|(reader, _)| reader).collect(),
        counted,
    ))
}

/// Does an engine live? Its own end says no; otherwise its ledger is watched, since ages by another machine's clock prove nothing.
async fn watch(
    target: &Target,
    mut readers: Vec<Reader>,
) -> Result<(Vec<Reader>, EngineState), Failure> {
    let begun = Instant::now();
    let mut counted = 0;
    loop {
        let owned = || {
            readers
                .iter()
                .map(|reader| &reader.state)
                .filter(|state| state.claim.is_some())
        };
        let state = if owned().next().is_none() {
            Some(EngineState::NeverStarted)
        } else if owned().all(|state| state.ended) {
            Some(EngineState::Stopped)
        } else if counted > 0 {
            Some(EngineState::Running)
        } else if begun.elapsed() >= WATCHED_FOR {
            Some(EngineState::Silent)
        } else {
            None
        };
        if let Some(state) = state {
            return Ok((readers, state));
        }
        sleep(PAUSE).await;
        (readers, counted) = catch_up(target, readers).await?;
    }
}

/// Topics in scope on the source, and those of which only the ledger knows. What is named and nobody knows is an error.
fn in_scope(
    mut here: Vec<TopicInfo>,
    scope: &Scope,
    readers: &[Reader],
) -> Result<(Vec<TopicInfo>, Vec<TopicName>), Failure> {
    here.retain(|topic| scope.has_topic(&topic.name, topic.internal));
    let has = |name: &str| here.iter().any(|topic| &*topic.name == name);
    let names = readers.iter().flat_map(|one| one.state.numbers.keys());
    let mut gone: Vec<TopicName> = names
        .filter(|name| scope.has_topic(name, false) && !has(name))
        .cloned()
        .collect();
    gone.sort_unstable();
    gone.dedup();
    let missing: Vec<TopicName> = scope
        .literal_topics
        .iter()
        .filter(|name| !has(name) && gone.binary_search_by(|gone| (**gone).cmp(name)).is_err())
        .map(|name| name.as_str().into())
        .collect();
    if !missing.is_empty() {
        return Err(failure::missing_topics(&missing));
    }
    if here.is_empty() && gone.is_empty() {
        return Err(failure::empty_scope());
    }
    Ok((here, gone))
}

/// Transactions that keep the last stable offset below the end.
async fn held_back(
    source: &Source,
    stable: &HashMap<TopicPartition, i64>,
    ends: &HashMap<TopicPartition, i64>,
) -> Option<Vec<OpenTransaction>> {
    let behind = |at: &TopicPartition| Some(*ends.get(at)? - *stable.get(at)?);
    let held: Vec<TopicPartition> = stable
        .keys()
        .filter(|at| behind(at).is_some_and(|offsets| offsets > 0))
        .cloned()
        .collect();
    if held.is_empty() {
        return Some(Vec::new());
    }
    let open = source.open_transactions(&held).await;
    let open =
        open.inspect_err(|error| tracing::debug!(%error, "open transactions cannot be seen"));
    let mut open: Vec<OpenTransaction> = open
        .ok()??
        .into_iter()
        .map(|one| OpenTransaction {
            held_back: ends
                .get(&one.at)
                .and_then(|end| u64::try_from(end - one.first_offset).ok())
                .unwrap_or(0),
            topic: one.at.topic.to_string(),
            partition: one.at.partition,
            producer_id: one.producer_id,
            first_offset: one.first_offset,
            since_ms: one
                .owner
                .as_ref()
                .and_then(|owner| owner.started_ms)
                .unwrap_or(one.last_timestamp),
            timeout_ms: one.owner.as_ref().map(|owner| owner.timeout_ms),
            transactional_id: one.owner.map(|owner| owner.transactional_id),
        })
        .collect();
    open.sort_by_key(|one| one.since_ms);
    Some(open)
}

/// Offsets by partition; one that could not be asked is not there.
async fn offsets(
    source: &Source,
    of: &[TopicPartition],
    spec: OffsetSpec,
) -> HashMap<TopicPartition, i64> {
    let answers = source.offsets(of, spec).await.into_iter();
    answers
        .filter_map(|(at, offset)| Some((at, offset.ok()?)))
        .collect()
}

/// Ids of the topics on the target. One that is not shown to us has none, one that is not there stays out.
async fn ids(
    target: &Target,
    here: &[TopicInfo],
) -> Result<HashMap<TopicName, uuid::Uuid>, Failure> {
    let names: Vec<TopicName> = here.iter().map(|topic| topic.name.clone()).collect();
    let there = target.topics_each(&names).await;
    let there = there.map_err(|error| error.failure())?.into_iter();
    Ok(there
        .map(|(name, topic)| (name, topic.map_or(uuid::Uuid::nil(), |topic| topic.id)))
        .collect())
}

#[cfg(test)]
mod tests {
    use globset::{Glob, GlobSetBuilder};
    use uuid::Uuid;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_named_topic_that_only_the_ledger_knows_is_gone_and_one_that_nobody_knows_is_missing() {
        let scope = |names: &[&str]| {
            let mut topics = GlobSetBuilder::new();
            for name in names {
                topics.add(Glob::new(name).unwrap());
            }
            Scope {
                topics: topics.build().unwrap(),
                exclude_topics: GlobSetBuilder::new().build().unwrap(),
                literal_topics: names.iter().map(ToString::to_string).collect(),
            }
        };
        let here = TopicInfo {
            name: "orders".into(),
            id: Uuid::nil(),
            internal: false,
            partitions: Vec::new(),
        };
        let mut state = State::default();
        state.numbers.insert("paid".into(), 0);
        state.numbers.insert("orders".into(), 1);
        state.numbers.insert("elsewhere".into(), 2);
        let reader = Reader {
            at: TopicPartition::new("ledger", 0),
            state,
            next: 0,
            last: -1,
            markers: std::collections::HashSet::new(),
        };
        let readers = [reader];
        let (found, gone) =
            in_scope(vec![here.clone()], &scope(&["orders", "paid"]), &readers).unwrap();
        assert_eq!((found.len(), gone), (1, vec![TopicName::from("paid")]));
        let missing = in_scope(vec![here.clone()], &scope(&["orders", "never"]), &readers);
        let missing = missing.unwrap_err();
        assert_eq!(missing.exit, Exit::Source);
        assert!(missing.message.contains("never"), "{missing}");
        let empty = in_scope(vec![here], &scope(&[]), &readers).unwrap_err();
        assert_eq!(empty.exit, Exit::Source);
    }
}
