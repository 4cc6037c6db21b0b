//! One direction at work: begins its shards, and follows them, the scope and what the user wants to their end.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::Opened;
use crate::{
    clock,
    engine::{
        Stop, StopSignal, Summary, Until,
        groups::carry::Carrier,
        ledger::record::Owner,
        manners::Manners,
        metrics::{Numbers, Rates},
        pipeline::{Assignment, Shared},
        scope::Scope,
        shard::Shard,
        sync::Follower,
        ways::Decision,
    },
    error::Failure,
    events::{Event, GroupsProgress},
    exit::Exit,
    model::{direction::Direction, pace::Pace},
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

/// One direction at work.
pub(super) struct Way {
    pub(super) shared: Shared,
    pub(super) scope: Scope,
    pub(super) carrier: Option<Carrier>,
    pub(super) follower: Option<Follower>,
    pub(super) shards: JoinSet<Result<bool, Failure>>,
}

impl Way {
    pub(super) fn begin(
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

/// Waits for the shards of a direction, and meanwhile says where we are, follows the scope, and passes on what the user wants. `beside`: the
/// other one, which has to have caught up too.
pub(super) async fn supervise(
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
