//! One run: reads every shard's ledger, makes sure that nobody else copies, and starts both directions.

mod way;

use std::collections::HashSet;

use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use self::way::{Way, supervise};
use super::{
    Settings, StopSignal, Summary, Until,
    budget::{Budget, Rate},
    groups::{carry::Carrier, desk::Desk, ways::Ways},
    held::Holds,
    lanes::Lanes,
    ledger::{
        positions::Holder,
        read::Reader,
        record::{Header, HeldStage, Owner, Steer},
        state::State,
    },
    manners::Signs,
    maps::Maps,
    metrics::Numbers,
    opening::{check_headers, has_ledger, lost_ledger, nobody_else, open_ledger},
    other::{self, Other},
    owner,
    pipeline::{Shared, Warmth},
    scope::{self, Scope},
    steer::Steering,
    sync::{Follower, Made},
    topics, ways,
};
use crate::{
    clock,
    cluster::{Source, Target},
    error::Failure,
    events::{Event, Events},
    exit::Exit,
    lock::Lock,
    model::{
        direction::{Direction, as_on_the_way_back},
        names::TopicName,
    },
};

/// Copies until stopped, or until caught up; both ways, where that is wanted. `lock` is that of the state directory, held to the end.
pub async fn run(
    settings: Settings,
    lock: Lock,
    source: Source,
    target: Target,
    events: Events,
    stop: StopSignal,
) -> Result<Summary, Failure> {
    let us = owner::here(&lock);
    let found = topics::found(&source, &settings.scope).await?;
    let mut gone: HashSet<TopicName> = topics::missing(&found, &settings.scope)
        .into_iter()
        .collect();
    // A ledger is not made for a word that was mistyped.
    if (found.is_empty() || !gone.is_empty())
        && !has_ledger(&target, &settings.migration, Direction::Forward).await?
    {
        topics::check_scope(&found, &settings.scope, &HashSet::new())?;
    }
    let wanted = Header {
        migration_id: Uuid::new_v4(),
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        direction: Direction::Forward.word().to_owned(),
        shards: settings.shards,
        after_loss: false,
    };
    let ledger = open(&target, wanted, &us).await?;
    let readers = &ledger.readers;
    gone.retain(|name| {
        readers
            .iter()
            .any(|one| one.state.numbers.contains_key(name))
    });
    topics::check_scope(&found, &settings.scope, &gone)?;
    let wanted_back = other::wanted(&ledger.header);
    let ledger_back = match settings.two_way {
        true => {
            let opened = open(&source.for_the_way_back(), wanted_back.clone(), &us).await;
            Some(opened.map_err(of_the_way_back)?)
        }
        false => None,
    };
    // Also where nothing comes back any more: what came back before stands on the source.
    let other = Other::open(&source, &wanted_back).await?;

    let by = format!("{} on {}", settings.asked_by, us.host);
    let now_ms = clock::unix_millis();
    let there = states(readers);
    let back = ledger_back.as_ref().map(|ledger| states(&ledger.readers));
    let (asked, asked_back) = ways::of_each(&settings.asked, &there, back.as_deref());
    if other.is_some() {
        ways::check_two_way(&settings.asked)?;
    }
    let mut decisions = ways::decide(&asked, &by, now_ms, &there, &settings.keep)?;
    ways::renew(&mut decisions, &source).await?;
    let back = back.unwrap_or_default();
    let mut decisions_back = ways::decide(&asked_back, &by, now_ms, &back, &settings.keep)?;
    ways::renew(&mut decisions_back, &target.for_the_way_back()).await?;

    if let Some(by) = there
        .iter()
        .chain(&back)
        .find_map(|state| state.stopped_by())
    {
        return Err(asked_to_end(by));
    }
    let steering = Steering::new(settings.pace);
    // The first shard's ledger speaks for all; each shard heeds its own.
    if let Some(Steer::Throttle(limit)) = readers
        .first()
        .and_then(|reader| Some(&reader.state.throttle.as_ref()?.request.steer))
    {
        steering.throttle(*limit);
    }
    let holds = Holds::new(settings.shards);
    // What an earlier run holds open is not somebody's choice of a setting.
    for state in &there {
        for (&number, held) in &state.held {
            if let Some(topic) = state.topics.get(number as usize) {
                holds.adopt(&topic.name, held.stage != HeldStage::Intended);
            }
        }
    }
    let inner = StopSignal::default();
    let lanes = settings
        .two_way
        .then(|| (Lanes::default(), Lanes::default()));
    let ways = if settings.two_way { 2 } else { 1 };
    let budget = |brokers: usize, memory: usize| {
        let fetches = settings.shards as usize * brokers.max(1);
        Budget::new(memory, fetches, settings.pace.fixed())
    };
    let shared = Shared {
        direction: Direction::Forward,
        other,
        our_lanes: lanes.as_ref().map(|(there, _)| there.clone()),
        their_lanes: lanes.as_ref().map(|(_, back)| back.clone()),
        // Most of it is for the way there, on which the backlog is.
        budget: budget(
            source.brokers().len(),
            settings.memory - (ways - 1) * settings.memory / 4,
        ),
        rate: Rate::new(steering.pace().fixed()),
        steering,
        signs: Signs::default(),
        numbers: settings.numbers.clone(),
        holds,
        made: settings.made.clone(),
        follows_rules: settings.sync.acls.is_some(),
        desk: Desk::default(),
        maps: Maps::default(),
        warmth: warmth_of(&target, &events).await,
        stop: inner.listen(),
        patience: settings.request_timeout,
        source,
        target,
        events,
    };
    for text in decisions.notes.drain(..).chain(decisions_back.notes) {
        shared.events.send(Event::Trouble { text });
    }
    let mut there = Way {
        scope: Scope::new(shared.clone(), settings.clone(), ledger.header.after_loss),
        carrier: None,
        follower: None,
        shards: JoinSet::new(),
        shared,
    };
    let mut first = there.scope.take_on(found, settings.until).await?;
    for (assigned, reader) in first.iter_mut().zip(&ledger.readers) {
        assigned.extend(scope::gone(&gone, &reader.state));
    }
    there.shared.events.send(Event::Started {
        source_cluster: there.shared.source.id().to_owned(),
        target_cluster: there.shared.target.id().to_owned(),
        topics: there.scope.topics(),
        partitions: first.iter().map(Vec::len).sum(),
        shards: ledger.readers.len(),
    });
    let back = match ledger_back {
        None => None,
        Some(ledger_back) => {
            let shared = &there.shared;
            let events = shared.events.of_the_way_back();
            let (read, written) = (
                shared.target.for_the_way_back(),
                shared.source.for_the_way_back(),
            );
            let numbers = Numbers::new(settings.shards as usize, false);
            let shared = Shared {
                direction: Direction::Reverse,
                other: Other::open(&read, &ledger.header).await?,
                our_lanes: shared.their_lanes.clone(),
                their_lanes: shared.our_lanes.clone(),
                budget: budget(read.brokers().len(), settings.memory / 4),
                rate: Rate::new(shared.steering.pace().fixed()),
                signs: Signs::default(),
                numbers,
                holds: Holds::new(settings.shards),
                made: Made::default(),
                follows_rules: false,
                maps: Maps::default(),
                desk: Desk::default(),
                warmth: warmth_of(&written, &events).await,
                source: read,
                target: written,
                events,
                ..shared.clone()
            };
            let mut back = Way {
                scope: Scope::new(shared.clone(), settings.clone(), false),
                carrier: carrier(&shared, Some(&there.shared), &settings),
                follower: None,
                shards: JoinSet::new(),
                shared,
            };
            let first = back.scope.take_back(settings.until).await?;
            back.begin(ledger_back, first, decisions_back.all, &us);
            Some(back)
        }
    };
    let beside = back.as_ref().map(|back| &back.shared);
    there.carrier = carrier(&there.shared, beside, &settings);
    there.follower = follower(&there.shared, &settings);
    there.begin(ledger, first, decisions.all, &us);
    let summary = Box::pin(both(there, back, &settings, &stop, &inner)).await;
    drop(lock);
    summary
}

/// Whoever asked for the end of all engines may be about to remove the ledgers.
fn asked_to_end(by: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K353",
        format!("{by} asked every engine of this migration to end: `cleanup` removes what it made"),
    )
    .hint("if it is to go on all the same, `resume` takes that back")
    .next("kafka-migrate status")
}

/// A ledger that is ours to claim.
struct Opened {
    header: Header,
    readers: Vec<Reader>,
}

fn states(readers: &[Reader]) -> Vec<&State> {
    readers.iter().map(|reader| &reader.state).collect()
}

/// Makes and reads a ledger, and makes sure that it is of this migration and nobody else is at work.
async fn open(on: &Target, wanted: Header, us: &Owner) -> Result<Opened, Failure> {
    let readers = open_ledger(on, &wanted).await?;
    let mut header = check_headers(&readers, &wanted)?;
    header.after_loss = lost_ledger(on, &readers, &wanted).await?;
    let readers = nobody_else(on, readers, us).await?;
    Ok(Opened { header, readers })
}

async fn warmth_of(target: &Target, events: &Events) -> Warmth {
    let warmth = Warmth::of(target).await;
    if warmth.is_unknown() {
        events.send(Event::Trouble {
            text: format!(
                "the {} does not tell after how long it forgets producers: one batch at a time is written to each partition",
                target.side()
            ),
        });
    }
    warmth
}

/// Both directions to their end; what ends one ends the other.
async fn both(
    there: Way,
    back: Option<Way>,
    settings: &Settings,
    outer: &StopSignal,
    inner: &StopSignal,
) -> Result<Summary, Failure> {
    let Some(back) = back else {
        return supervise(there, None, settings.until, outer, inner).await;
    };
    let beside = Some(back.shared.clone());
    let (there, back) = tokio::join!(
        supervise(there, beside, settings.until, outer, inner),
        supervise(back, None, Until::Stopped, outer, inner),
    );
    let (there, back) = (there?, back.map_err(of_the_way_back)?);
    Ok(Summary {
        sealed: there.sealed && back.sealed,
        stopped_partitions: there.stopped_partitions + back.stopped_partitions,
        records: there.records + back.records,
        bytes: there.bytes + back.bytes,
    })
}

/// A failure of the way back, where the engine's source is what people call the target.
pub(super) fn of_the_way_back(failure: Failure) -> Failure {
    let exit = match failure.exit {
        Exit::Source => Exit::Target,
        Exit::Target => Exit::Source,
        exit => exit,
    };
    let all = |texts: Vec<String>| texts.iter().map(|text| as_on_the_way_back(text)).collect();
    Failure {
        exit,
        message: format!("on the way back, {}", as_on_the_way_back(&failure.message)),
        causes: all(failure.causes),
        hints: all(failure.hints),
        ..failure
    }
}

/// Who carries positions of groups, if any are wanted.
fn carrier(shared: &Shared, beside: Option<&Shared>, settings: &Settings) -> Option<Carrier> {
    if settings.groups.groups.is_empty() {
        return None;
    }
    if beside.is_none() && shared.other.is_some() {
        // Without the map of the way back a position would pass over what applications wrote on the target.
        shared.events.send(Event::Trouble {
            text: "positions of groups are not carried: records came back once, and `replication.two_way` is off now".to_owned(),
        });
        return None;
    }
    shared.desk.attend();
    Some(Carrier {
        from: (*shared.source).clone(),
        to: shared.target.clone(),
        side: match shared.direction {
            Direction::Forward => Holder::Source,
            Direction::Reverse => Holder::Target,
        },
        wanted: settings.groups.clone(),
        scope: settings.scope.clone(),
        maps: Box::new(Ways {
            here: shared.maps.clone(),
            there: beside.map(|beside| beside.maps.clone()),
        }),
        desk: shared.desk.clone(),
        events: shared.events.clone(),
    })
}

/// Who follows settings and access rules, if any are to follow.
fn follower(shared: &Shared, settings: &Settings) -> Option<Follower> {
    settings.sync.is_any().then(|| Follower {
        source: shared.source.clone(),
        target: shared.target.clone(),
        wanted: settings.sync.clone(),
        scope: settings.scope.clone(),
        holds: shared.holds.clone(),
        made: shared.made.clone(),
        desk: shared.desk.clone(),
        events: shared.events.clone(),
        looked: watch::Sender::new(false),
    })
}
