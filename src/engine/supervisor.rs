//! One run: locks, reads every shard's ledger, makes sure that nobody else copies, starts the shards, follows the scope.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{
    Settings, Stop, StopSignal, Summary, Until,
    budget::{Budget, Rate},
    groups::{carry::Carrier, desk::Desk, ways::Ways},
    held::Holds,
    ledger::{
        positions::Holder,
        record::{Header, Steer},
    },
    manners::{Manners, Signs},
    maps::Maps,
    metrics::{Numbers, Rates},
    opening::{check_headers, has_ledger, lost_ledger, nobody_else, open_ledger},
    owner,
    pipeline::{Shared, Warmth},
    scope::{self, Scope},
    shard::Shard,
    steer::Steering,
    topics, ways,
};
use crate::{
    clock,
    cluster::{Source, Target},
    error::Failure,
    events::{Event, Events, GroupsProgress},
    exit::Exit,
    lock::Lock,
    model::{names::TopicName, pace::Pace},
};

/// How often the source is asked for new topics and partitions.
const DISCOVER_EVERY: Duration = Duration::from_secs(2);
/// How often the numbers are told.
const BEAT: Duration = Duration::from_secs(1);
/// How long a run that is to end waits for positions of groups that cannot be carried for the moment.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked whether all is caught up.
const LOOK: Duration = Duration::from_millis(50);

/// Copies until stopped, or until caught up. `lock` is that of the state directory, held to the end.
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
    if (found.is_empty() || !gone.is_empty()) && !has_ledger(&target, &settings.migration).await? {
        topics::check_scope(&found, &settings.scope, &HashSet::new())?;
    }
    let wanted = Header {
        migration_id: Uuid::new_v4(),
        migration: settings.migration.clone(),
        source_cluster: source.id().to_owned(),
        target_cluster: target.id().to_owned(),
        direction: "forward".to_owned(),
        shards: settings.shards,
        after_loss: false,
    };
    let readers = open_ledger(&target, &wanted).await?;
    let mut header = check_headers(&readers, &wanted)?;
    header.after_loss = lost_ledger(&target, &readers, &wanted).await?;
    let readers = nobody_else(&target, readers, &us).await?;
    gone.retain(|name| {
        readers
            .iter()
            .any(|one| one.state.numbers.contains_key(name))
    });
    topics::check_scope(&found, &settings.scope, &gone)?;
    let states: Vec<_> = readers.iter().map(|reader| &reader.state).collect();
    let by = format!("{} on {}", settings.asked_by, us.host);
    let now_ms = clock::unix_millis();
    let mut decisions = ways::decide(&settings.asked, &by, now_ms, &states, &settings.keep)?;
    ways::renew(&mut decisions, &source).await?;

    let steering = Steering::new(settings.pace);
    // The first shard's ledger speaks for all; each shard heeds its own.
    if let Some(Steer::Throttle(limit)) = readers
        .first()
        .and_then(|reader| Some(&reader.state.throttle.as_ref()?.request.steer))
    {
        steering.throttle(*limit);
    }
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
            settings.pace.fixed(),
        ),
        rate: Rate::new(steering.pace().fixed()),
        steering,
        signs: Signs::default(),
        numbers: settings.numbers.clone(),
        holds: Holds::new(settings.shards),
        desk: Desk::default(),
        maps: Maps::default(),
        warmth,
        stop: inner.listen(),
        patience: settings.request_timeout,
        source,
        target,
        events,
    };
    for text in std::mem::take(&mut decisions.notes) {
        shared.events.send(Event::Trouble { text });
    }
    let mut scope = Scope::new(shared.clone(), settings.clone(), header.after_loss);
    let mut first = scope.take_on(found, settings.until).await?;
    for (assigned, reader) in first.iter_mut().zip(&readers) {
        assigned.extend(scope::gone(&gone, &reader.state));
    }
    shared.events.send(Event::Started {
        source_cluster: shared.source.id().to_owned(),
        target_cluster: shared.target.id().to_owned(),
        topics: scope.topics(),
        partitions: first.iter().map(Vec::len).sum(),
        shards: readers.len(),
    });
    let mut shards = JoinSet::new();
    for (index, (reader, assigned)) in readers.into_iter().zip(first).enumerate() {
        let (sender, incoming) = mpsc::unbounded_channel();
        scope.hand_to(sender);
        let shard = Shard {
            shared: shared.clone(),
            reader,
            owner: us.clone(),
            header: header.clone(),
            assigned,
            incoming,
            decisions: decisions
                .all
                .extract_if(.., |decision| decision.shard == index)
                .collect(),
        };
        shards.spawn(shard.run());
    }
    let carrier = carrier(&shared, &settings, Holder::Source);
    let summary = supervise(shards, scope, carrier, shared, &settings, &stop, &inner).await;
    drop(lock);
    summary
}

/// Waits for the shards, and meanwhile says where we are, follows the scope, and passes on what the user wants.
async fn supervise(
    mut shards: JoinSet<Result<bool, Failure>>,
    mut scope: Scope,
    carrier: Option<Carrier>,
    shared: Shared,
    settings: &Settings,
    outer: &StopSignal,
    inner: &StopSignal,
) -> Result<Summary, Failure> {
    let mut wanted = outer.listen();
    let until = settings.until;
    let mut manners = Manners::default();
    // Beside everything else: a source that does not answer must not keep anybody waiting.
    let steering = shared.steering.clone();
    let following = tokio::spawn(async move {
        loop {
            sleep(DISCOVER_EVERY).await;
            scope.follow().await;
            if steering.pace() == Pace::Auto {
                scope.look_at_replicas().await;
            }
        }
    });
    let carrying = carrier.map(|carrier| tokio::spawn(carrier.run()));
    let mut caught_up = None;
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
            _ = beat.tick() => {
                let mut sum = progress(&shared.numbers, &mut rates);
                let second = shared.signs.take(sum.bytes_per_second);
                match shared.steering.pace() {
                    Pace::Auto => {
                        shared.rate.set(manners.after(&second));
                        shared.signs.say(manners.reason());
                    }
                    pace => {
                        manners = Manners::default();
                        shared.rate.set(pace.fixed());
                        shared.signs.say(None);
                    }
                }
                sum.groups = groups(&shared.desk);
                sum.throttled_by = shared.steering.reason().or(shared.signs.reason());
                shared.events.send(Event::Progress(sum));
            }
            _ = look.tick(), if !ending && until == Until::CaughtUp => {
                // What a topic keeps is put back before it ends.
                if shared.numbers.caught_up() && !shared.holds.is_due() {
                    // Positions too, if they can be had.
                    let since: Instant = *caught_up.get_or_insert_with(Instant::now);
                    if !shared.desk.is_settled(since) && since.elapsed() < SETTLED_WITHIN {
                        continue;
                    }
                    ending = true;
                    shared.events.send(Event::CaughtUp { records: shared.numbers.sum().records });
                    inner.drain();
                }
            }
        }
    }
    following.abort();
    // What it was about to write is on record, and done or not: the next run finds out.
    if let Some(carrying) = carrying {
        carrying.abort();
    }
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

/// Who carries positions of groups, if any are wanted.
fn carrier(shared: &Shared, settings: &Settings, side: Holder) -> Option<Carrier> {
    if settings.groups.groups.is_empty() {
        return None;
    }
    shared.desk.attend();
    Some(Carrier {
        from: (*shared.source).clone(),
        to: shared.target.clone(),
        side,
        wanted: settings.groups.clone(),
        scope: settings.scope.clone(),
        maps: Box::new(Ways {
            here: shared.maps.clone(),
            there: None,
        }),
        desk: shared.desk.clone(),
        events: shared.events.clone(),
    })
}

fn groups(desk: &Desk) -> Option<GroupsProgress> {
    let beat = desk.numbers()?;
    let age = clock::unix_millis().saturating_sub(beat.synced_ms);
    Some(GroupsProgress {
        carried: beat.groups,
        failures: beat.failures,
        committed: beat.committed,
        lag_source: beat.lag_here,
        lag_target: beat.lag_there,
        age_ms: u64::try_from(age).unwrap_or(0),
    })
}

fn progress(numbers: &Numbers, rates: &mut Rates) -> crate::events::Progress {
    let mut sum = numbers.sum();
    (sum.records_per_second, sum.bytes_per_second) = rates.note(sum.records, sum.bytes);
    sum
}
