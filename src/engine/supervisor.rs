//! One run: reads every shard's ledger, makes sure that nobody else copies, starts the shards of both directions, follows the scope.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use uuid::Uuid;

use super::{
    Settings, Stop, StopSignal, Summary, Until,
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
    manners::{Manners, Signs},
    maps::Maps,
    metrics::{Numbers, Rates},
    opening::{check_headers, has_ledger, lost_ledger, nobody_else, open_ledger},
    other::{self, Other},
    owner,
    pipeline::{Assignment, Shared, Warmth},
    scope::{self, Scope},
    shard::Shard,
    steer::Steering,
    sync::{Follower, Made},
    topics,
    ways::{self, Decision},
};
use crate::{
    clock,
    cluster::{Source, Target},
    error::Failure,
    events::{Event, Events, GroupsProgress},
    exit::Exit,
    lock::Lock,
    model::{
        direction::{Direction, as_on_the_way_back},
        names::TopicName,
        pace::Pace,
    },
};

/// How often the source is asked for new topics and partitions.
const DISCOVER_EVERY: Duration = Duration::from_secs(2);
/// The same on the way back of a run that waits for it, which looks into a ledger and asks no broker for topics.
const DISCOVER_SOON: Duration = Duration::from_millis(250);
/// How often the numbers are told.
const BEAT: Duration = Duration::from_secs(1);
/// How long a run that is to end waits for positions of groups that cannot be carried for the moment.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// How often it is looked whether all is caught up.
const LOOK: Duration = Duration::from_millis(50);

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

/// One direction at work.
struct Way {
    shared: Shared,
    scope: Scope,
    carrier: Option<Carrier>,
    follower: Option<Follower>,
    shards: JoinSet<Result<bool, Failure>>,
}

impl Way {
    fn begin(
        &mut self,
        ledger: Opened,
        first: Vec<Vec<Assignment>>,
        mut decisions: Vec<Decision>,
        us: &Owner,
    ) {
        for (index, (reader, assigned)) in ledger.readers.into_iter().zip(first).enumerate() {
            let (sender, incoming) = mpsc::unbounded_channel();
            self.scope.hand_to(sender);
            let shard = Shard {
                shared: self.shared.clone(),
                reader,
                owner: us.clone(),
                header: ledger.header.clone(),
                assigned,
                incoming,
                decisions: decisions
                    .extract_if(.., |decision| decision.shard == index)
                    .collect(),
            };
            self.shards.spawn(shard.run());
        }
    }

    /// Did everything reach the ends of then?
    fn caught_up(shared: &Shared) -> bool {
        // What a topic keeps is put back before it ends.
        shared.numbers.caught_up() && !shared.holds.is_due()
    }
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

/// Waits for the shards of a direction, and meanwhile says where we are, follows the scope, and passes on what the user wants. `beside`: the
/// other one, which has to have caught up too.
async fn supervise(
    way: Way,
    beside: Option<Shared>,
    until: Until,
    outer: &StopSignal,
    inner: &StopSignal,
) -> Result<Summary, Failure> {
    let Way {
        shared,
        mut scope,
        carrier,
        follower,
        mut shards,
    } = way;
    let mut wanted = outer.listen();
    let mut manners = Manners::default();
    // Beside everything else: a source that does not answer must not keep anybody waiting.
    let steering = shared.steering.clone();
    let pause = scope.pause_of(DISCOVER_EVERY, DISCOVER_SOON);
    let following = tokio::spawn(async move {
        loop {
            sleep(pause).await;
            scope.follow().await;
            if steering.pace() == Pace::Auto {
                scope.look_at_replicas().await;
            }
        }
    });
    let carrying = carrier.map(|carrier| tokio::spawn(carrier.run()));
    let looked = follower
        .as_ref()
        .map(|follower| follower.looked.subscribe());
    let following_too = follower.map(|follower| tokio::spawn(follower.run()));
    let (mut met, mut caught_up) = (None, None);
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
                sum.groups = groups(&shared);
                sum.throttled_by = shared.steering.reason().or(shared.signs.reason());
                shared.events.send(Event::Progress(sum));
            }
            _ = look.tick(), if !ending => {
                if let Some(by) = shared.steering.stopped_by() {
                    ending = true;
                    let text = format!("asked to come to its end by {by}");
                    shared.events.send(Event::Steered { text });
                    inner.drain();
                    continue;
                }
                if until != Until::CaughtUp {
                    continue;
                }
                if !Way::caught_up(&shared) {
                    continue;
                }
                // All that this direction meets stands in its ledger by then, so one more look shows it to the way back.
                let met: Instant = *met.get_or_insert_with(Instant::now);
                let has_come_back = beside
                    .as_ref()
                    .is_none_or(|back| back.numbers.has_looked_since(met) && Way::caught_up(back));
                if has_come_back {
                    // Positions too, if they can be had.
                    let since: Instant = *caught_up.get_or_insert_with(Instant::now);
                    let settled = |shared: &Shared| shared.desk.is_settled(since);
                    let has_looked = looked.as_ref().is_none_or(|looked| *looked.borrow());
                    let is_settled = settled(&shared)
                        && beside.as_ref().is_none_or(settled)
                        && has_looked;
                    if !is_settled && since.elapsed() < SETTLED_WITHIN {
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
    for aside in carrying.into_iter().chain(following_too) {
        aside.abort();
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

fn groups(shared: &Shared) -> Option<GroupsProgress> {
    let beat = shared.desk.numbers()?;
    let (source, target) = match shared.direction {
        Direction::Forward => (beat.lag_here, beat.lag_there),
        Direction::Reverse => (beat.lag_there, beat.lag_here),
    };
    let age = clock::unix_millis().saturating_sub(beat.synced_ms);
    Some(GroupsProgress {
        carried: beat.groups,
        failures: beat.failures,
        committed: beat.committed,
        lag_source: source,
        lag_target: target,
        age_ms: u64::try_from(age).unwrap_or(0),
    })
}

fn progress(numbers: &Numbers, rates: &mut Rates) -> crate::events::Progress {
    let mut sum = numbers.sum();
    (sum.records_per_second, sum.bytes_per_second) = rates.note(sum.records, sum.bytes);
    sum
}
