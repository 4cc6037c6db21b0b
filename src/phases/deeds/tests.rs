//! A move on a world without clusters: killed and failing everywhere, it ends on one side, and never runs on two.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;

use super::*;
use crate::{
    model::{
        application::Hooks, direction::Direction, freeze::Frozen, names::TopicPartition,
        patterns::Patterns,
    },
    phases::{
        carrier::{Behind, Ends, Place, Position, hears},
        course::{self, Next},
        cutover,
        moving::{Engine, Move},
        rollback, standing,
        world::{EndNow, Frost, GroupNow},
    },
    run::{
        executor::{Ended, Executor},
        journal::{Journal, Line, Store, fold},
        state::{End, Head, Record, State},
        step::Undo,
    },
};

/// The world: where the application runs, what was called, what arrives, and when the process is killed next.
#[derive(Default)]
struct Sim {
    inner: Mutex<Inner>,
    killed: Notify,
}

#[derive(Default)]
struct Inner {
    kept: Vec<Line>,
    /// Runs on the source, on the target.
    runs: [bool; 2],
    /// It ran on both sides at once.
    split: bool,
    /// It was started where its positions had not been looked at since it stopped.
    blind: bool,
    placed: bool,
    calls: Vec<(Hook, Side, u32)>,
    /// Looks until all has arrived, anew after each stop.
    behind: u32,
    behind_for: u32,
    place: Option<Place>,
    stray: bool,
    fails: Option<(Hook, Side)>,
    operations: usize,
    kill_at: Option<(usize, bool)>,
    fail_at: Option<usize>,
    /// Our own engine copies: who has authority is what its ledgers say, the forward one's first.
    engine: bool,
    authority: [Option<Side>; 2],
    /// Both directions wrote positions at once.
    doubly: bool,
    /// It may not write on the source, on the target.
    frozen: [bool; 2],
    /// It was started where it may not write.
    shut: bool,
}

impl Inner {
    /// Whom a direction follows.
    fn followed(&self, direction: usize) -> Side {
        self.authority[direction].unwrap_or(Side::Source)
    }
}

fn index(side: Side) -> usize {
    usize::from(side == Side::Target)
}

impl Sim {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// One operation: killed before it, or `change` happens, or killed after it; or it fails.
    async fn operation<T>(
        &self,
        change: impl FnOnce(&mut Inner) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (dies, fails) = {
            let inner = &mut *self.lock();
            let now = inner.operations;
            inner.operations += 1;
            let dies = inner.kill_at.filter(|(at, _)| *at == now);
            (dies, inner.fail_at == Some(now))
        };
        if matches!(dies, Some((_, false))) {
            self.killed.notify_one();
            return pending().await;
        }
        if fails {
            return Err(Failure::new(Exit::Target, "K201", "made to fail"));
        }
        let answer = change(&mut self.lock());
        if dies.is_some() {
            self.killed.notify_one();
            return pending().await;
        }
        answer
    }
}

struct Kept<'a>(&'a Sim);

impl Store for Kept<'_> {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        let line = line.clone();
        self.0
            .operation(|inner| {
                inner.kept.push(line);
                Ok(())
            })
            .await
    }
}

fn at() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

impl Carrier for Sim {
    async fn attends(&self, _from: Side) -> Result<String, Failure> {
        self.operation(|_| Ok("here".to_owned())).await
    }

    async fn behind(&self, _from: Side, _below: &Ends) -> Result<Vec<Behind>, Failure> {
        self.operation(|inner| {
            if inner.behind == 0 {
                return Ok(Vec::new());
            }
            inner.behind -= 1;
            let what = "up to 9".to_owned();
            Ok(vec![Behind { at: at(), what }])
        })
        .await
    }

    async fn positions(
        &self,
        from: Side,
        group: &str,
        _below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        let group = group.to_owned();
        self.operation(|inner| {
            inner.placed = inner.behind == 0;
            // Nobody carries them where nobody follows that side.
            let carries = !inner.engine || inner.followed(index(from)) == from;
            let not_carried = (!carries).then(|| Place::NotYet("nobody follows".to_owned()));
            let place = not_carried.or(inner.place.clone()).unwrap_or(Place::Known {
                exact: 10,
                stands: Some(8),
                again: 2,
                skips: false,
            });
            let at = at();
            Ok(vec![Position {
                group,
                at,
                committed: 10,
                place,
            }])
        })
        .await
    }

    async fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        let since = since.clone();
        self.operation(|inner| {
            let count = u64::from(inner.stray && on == Side::Source);
            Ok(since.into_keys().map(|at| (at, count)).collect())
        })
        .await
    }

    async fn declare(&self, application: &str, to: Side) -> Result<String, Failure> {
        for direction in hears(to) {
            let direction = usize::from(direction == Direction::Reverse);
            self.operation(|inner| {
                inner.authority[direction] = Some(to);
                inner.doubly |=
                    (inner.followed(0), inner.followed(1)) == (Side::Source, Side::Target);
                Ok(())
            })
            .await?;
        }
        Ok(application.to_owned())
    }

    async fn is_declared(&self, _application: &str, to: Side) -> Result<bool, Failure> {
        self.operation(|inner| {
            let is_so = [0, 1].iter().all(|way| inner.followed(*way) == to);
            Ok(!inner.engine || is_so)
        })
        .await
    }

    async fn has_left(&self, from: Side) -> Result<bool, Failure> {
        self.operation(|inner| Ok(inner.engine && inner.followed(index(from)) != from))
            .await
    }

    async fn strand(&self, _topics: &[String]) -> Result<String, Failure> {
        self.operation(|_| Ok("it waits".to_owned())).await
    }

    async fn is_stranded(&self, _topics: &[String]) -> Result<bool, Failure> {
        self.operation(|_| Ok(true)).await
    }

    async fn synced_ms(&self) -> Result<Option<i64>, Failure> {
        Ok(None)
    }

    fn improves(&self) -> bool {
        true
    }

    fn advice(&self) -> String {
        "look".to_owned()
    }
}

impl World for Sim {
    type Carrier = Self;

    fn carrier(&self) -> &Self {
        self
    }

    async fn gates(&self, _application: &str, _hold: bool) -> Result<String, Failure> {
        self.operation(|_| Ok("open".to_owned())).await
    }

    async fn groups(&self, on: Side, _of: &Patterns) -> Result<Vec<GroupNow>, Failure> {
        self.operation(|inner| {
            Ok(vec![GroupNow {
                name: "order-status".to_owned(),
                members: usize::from(inner.runs[index(on)]),
                clients: Vec::new(),
                committed: [(at(), 10)].into(),
            }])
        })
        .await
    }

    async fn ends(&self, _on: Side, of: &Patterns) -> Result<Vec<EndNow>, Failure> {
        let topic = of.texts()[0].clone();
        self.operation(|_| {
            Ok(vec![EndNow {
                at: TopicPartition::new(topic.as_str(), 0),
                start: 0,
                end: 10,
                stable: 10,
            }])
        })
        .await
    }

    async fn writers(&self, _on: Side, _of: &[TopicPartition]) -> BTreeMap<TopicPartition, String> {
        BTreeMap::new()
    }

    async fn times(
        &self,
        _on: Side,
        before: &Ends,
    ) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
        let before = before.clone();
        self.operation(|_| Ok(before.into_keys().map(|at| (at, 7)).collect()))
            .await
    }

    async fn freeze(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        assert_eq!(all, freeze());
        self.operation(|inner| {
            inner.frozen[index(on)] = true;
            Ok(())
        })
        .await
    }

    async fn lift(&self, on: Side, all: &[Frozen]) -> Result<(), Failure> {
        assert_eq!(all, freeze());
        self.operation(|inner| {
            inner.frozen[index(on)] = false;
            Ok(())
        })
        .await
    }

    async fn frost(&self, on: Side, _all: &[Frozen]) -> Result<Frost, Failure> {
        self.operation(|inner| {
            Ok(Frost {
                denies_all: inner.frozen[index(on)],
                has_ours: inner.frozen[index(on)],
            })
        })
        .await
    }

    async fn call(&self, call: &Call) -> Result<String, Failure> {
        let call = call.clone();
        self.operation(|inner| {
            inner.calls.push((call.hook, call.side, call.attempt));
            if inner.fails == Some((call.hook, call.side)) {
                return Err(Failure::new(Exit::Stopped, "K452", "the hook ended with 1"));
            }
            match call.hook {
                Hook::Stop => {
                    inner.runs[index(call.side)] = false;
                    inner.behind = inner.behind_for;
                    inner.placed = false;
                }
                Hook::Start => {
                    inner.runs[index(call.side)] = true;
                    inner.shut |= inner.frozen[index(call.side)];
                    // Where it had been it goes on; elsewhere only by positions that were looked at.
                    let is_back = call.step == STOP;
                    inner.blind |= !is_back && !inner.placed;
                }
            }
            inner.split |= inner.runs == [true, true];
            Ok("exit 0".to_owned())
        })
        .await
    }
}

fn freeze() -> Vec<Frozen> {
    vec![Frozen {
        principal: "User:CN=shop,O=company".into(),
        topic: "order_status".into(),
    }]
}

fn application(hooks: bool) -> Application {
    let patterns = |text: &str| Patterns::of(&[text.to_owned()]).unwrap();
    Application {
        name: "order-status".into(),
        reads: patterns("orders"),
        writes: patterns("order_status"),
        groups: patterns("order-status"),
        hooks: Hooks {
            stop: hooks.then(|| "stop.sh".into()),
            start: hooks.then(|| "start.sh".into()),
            ..Hooks::default()
        },
        ..Application::default()
    }
}

fn made_of(to: Side, state: &State, hooks: bool, shared: &[&str]) -> Move {
    Move {
        migration: "orders".into(),
        application: application(hooks),
        to,
        clusters: ["Aaa".into(), "Bbb".into()],
        journal: state.summary(),
        settings: "none".into(),
        topics: vec!["orders".into(), "order_status".into()],
        shared: shared.iter().map(ToString::to_string).collect(),
        groups: vec!["order-status".into()],
        waived: Vec::new(),
        engine: None,
        freeze: Vec::new(),
        frozen: Vec::new(),
    }
}

/// What a plan has to know of the engine.
fn engine_of(sim: &Sim, to: Side) -> Option<Engine> {
    let inner = sim.lock();
    let follows = [0, 1].iter().all(|way| inner.followed(*way) == other(to));
    inner.engine.then_some(Engine {
        two_way: true,
        has_groups: true,
        writes: false,
        follows,
    })
}

/// A world in which it runs on the source, with our own engine.
fn sim_with(engine: bool) -> Sim {
    let sim = sim();
    sim.lock().engine = engine;
    sim
}

/// A world in which it runs on the source.
fn sim() -> Sim {
    let sim = Sim::default();
    let begun = Record::Begun(Head {
        migration: "orders".into(),
        id: uuid::Uuid::nil(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    });
    {
        let inner = &mut *sim.lock();
        inner.kept.push(Line::after(None, begun));
        inner.runs = [true, false];
        inner.behind_for = 2;
    }
    sim
}

/// One command, in a process of its own: `None` is that it was killed.
struct Command<'a> {
    to: Side,
    hooks: bool,
    shared: &'a [&'a str],
    said: Said,
    waits: Waits,
}

/// What comes is waited for; nothing has to stand still for a time.
const PATIENT: Waits = Waits {
    quiet: Duration::ZERO,
    hook: Duration::from_secs(20),
    person: Duration::from_secs(20),
    drain: Duration::from_secs(20),
    positions: Duration::from_secs(20),
    still: Duration::ZERO,
    pause: Duration::ZERO,
};

/// What does not come is not waited for long.
const HASTY: Waits = Waits {
    hook: Duration::from_millis(20),
    person: Duration::from_millis(20),
    drain: Duration::from_millis(20),
    positions: Duration::from_millis(20),
    ..PATIENT
};

impl Command<'_> {
    fn to(to: Side) -> Self {
        Self {
            to,
            hooks: true,
            shared: &[],
            said: Said::default(),
            waits: PATIENT,
        }
    }

    async fn run(&self, sim: &Sim) -> Option<Result<(Next, Ended), Failure>> {
        let kept = sim.lock().kept.clone();
        sim.lock().operations = 0;
        let mut journal = Journal::after(&kept, Kept(sim)).expect("every prefix is legal");
        let state = journal.state().clone();
        let application = application(self.hooks);
        let next = course::next(&state, &application.name, self.to);
        // Our own engine's moves are those that freeze, too.
        let (freezes, frozen) = {
            let inner = sim.lock();
            (inner.engine, inner.frozen[index(self.to)])
        };
        let only = |is_so: bool| if is_so { freeze() } else { Vec::new() };
        let of = Move {
            engine: engine_of(sim, self.to),
            freeze: only(freezes),
            frozen: only(frozen),
            ..made_of(self.to, &state, self.hooks, self.shared)
        };
        let plan = course::plan_of(&state, next, || match self.to {
            Side::Target => cutover::plan(&of),
            Side::Source => rollback::plan(&of),
        });
        let course = match next {
            Next::GoOn(number) | Next::Undo(number) => state.courses.get(number as usize),
            Next::Nothing | Next::Begin | Next::Replace(_) => None,
        };
        let begun = begun(course);
        let (events, _told) = Events::channel();
        let deeds = Deeds {
            world: sim,
            events: &events,
            application: &application,
            to: standing::goal(&plan.phase).unwrap(),
            plan: &plan,
            waits: self.waits,
            said: &self.said,
            begun,
            placed: Mutex::default(),
            command: "kafka-migrate cutover --app order-status",
        };
        let mut executor = Executor {
            journal: &mut journal,
            effects: &deeds,
            events: &events,
            stop: &|| false,
        };
        tokio::select! {
            ended = course::run(&mut executor, next, &plan) => Some(ended.map(|ended| (next, ended))),
            () = sim.killed.notified() => None,
        }
    }

    /// The same command again and again, until it has nothing to do or is over.
    async fn insist(&self, sim: &Sim) -> Ended {
        for _ in 0..20 {
            sim.lock().kill_at = None;
            sim.lock().fail_at = None;
            if let Some(Ok((_, ended))) = self.run(sim).await {
                return ended;
            }
        }
        panic!("it never ends");
    }
}

fn state(sim: &Sim) -> State {
    fold(&sim.lock().kept).unwrap()
}

fn stands(sim: &Sim) -> standing::Standing {
    standing::of(&state(sim), "order-status")
}

fn assert_sound(sim: &Sim, at: Side, when: &str) {
    let standing = stands(sim);
    assert_eq!((standing.at, standing.moving), (at, None), "{when}");
    let inner = sim.lock();
    assert_eq!(
        inner.runs,
        [at == Side::Source, at == Side::Target],
        "{when}"
    );
    assert!(!inner.split, "it ran on both sides: {when}");
    assert!(!inner.blind, "it was started without positions: {when}");
    assert!(!inner.shut, "it was started where it may not write: {when}");
    assert!(!inner.frozen[index(at)], "it may not write: {when}");
    if inner.engine {
        let followed = [inner.followed(0), inner.followed(1)];
        assert_eq!(followed, [at; 2], "{when}");
        assert!(!inner.doubly, "both directions wrote positions: {when}");
    }
}

fn distinct(sim: &Sim) -> Vec<(Hook, Side)> {
    let mut calls: Vec<(Hook, Side)> = Vec::new();
    for (hook, side, _) in &sim.lock().calls {
        if calls.last() != Some(&(*hook, *side)) {
            calls.push((*hook, *side));
        }
    }
    calls
}

const OVER: [(Hook, Side); 2] = [(Hook::Stop, Side::Source), (Hook::Start, Side::Target)];
const BACK: [(Hook, Side); 2] = [(Hook::Stop, Side::Target), (Hook::Start, Side::Source)];

#[tokio::test]
async fn it_goes_over_and_comes_back() {
    let sim = sim();
    let ended = Command::to(Side::Target).run(&sim).await.unwrap().unwrap();
    assert!(matches!(ended, (Next::Begin, Ended::Done)), "{ended:?}");
    assert_sound(&sim, Side::Target, "over");
    let again = Command::to(Side::Target).run(&sim).await.unwrap().unwrap();
    assert_eq!(again.0, Next::Nothing);
    let ended = Command::to(Side::Source).run(&sim).await.unwrap().unwrap();
    assert!(matches!(ended, (Next::Begin, Ended::Done)), "{ended:?}");
    assert_sound(&sim, Side::Source, "back");
    assert_eq!(distinct(&sim), [OVER, BACK].concat());
}

/// Where to, and whether our own engine copies.
const MOVES: [(Side, bool); 4] = [
    (Side::Target, false),
    (Side::Source, false),
    (Side::Target, true),
    (Side::Source, true),
];

/// How many operations a move takes.
async fn operations(to: Side, from: &Sim) -> usize {
    Command::to(to).run(from).await.unwrap().unwrap();
    from.lock().operations
}

#[tokio::test]
async fn killed_anywhere_the_same_command_ends_the_same() {
    for (to, engine) in MOVES {
        let fresh = async || {
            let sim = sim_with(engine);
            if to == Side::Source {
                Command::to(Side::Target).run(&sim).await.unwrap().unwrap();
                sim.lock().calls.clear();
            }
            sim
        };
        let all = operations(to, &fresh().await).await;
        assert!(all > 30, "{all}");
        for kill_at in (0..all).flat_map(|at| [(at, false), (at, true)]) {
            let sim = fresh().await;
            sim.lock().kill_at = Some(kill_at);
            let killed = Command::to(to).run(&sim).await;
            assert!(killed.is_none(), "{kill_at:?}: {killed:?}");
            let ended = Command::to(to).insist(&sim).await;
            assert!(matches!(ended, Ended::Done), "{kill_at:?}: {ended:?}");
            assert_sound(
                &sim,
                to,
                &format!("killed at {kill_at:?} on the way to the {to}"),
            );
            let calls = match to {
                Side::Target => OVER,
                Side::Source => BACK,
            };
            assert_eq!(distinct(&sim), calls, "{kill_at:?}");
        }
    }
}

#[tokio::test]
async fn killed_anywhere_the_command_the_other_way_takes_it_back() {
    for (to, engine) in MOVES {
        let fresh = async || {
            let sim = sim_with(engine);
            if to == Side::Source {
                Command::to(Side::Target).run(&sim).await.unwrap().unwrap();
            }
            sim
        };
        let back = other(to);
        let all = operations(to, &fresh().await).await;
        for kill_at in (0..all).flat_map(|at| [(at, false), (at, true)]) {
            let sim = fresh().await;
            sim.lock().kill_at = Some(kill_at);
            assert!(Command::to(to).run(&sim).await.is_none());
            let ended = Command::to(back).insist(&sim).await;
            assert!(
                matches!(ended, Ended::Done | Ended::Undone(_)),
                "{kill_at:?}: {ended:?}"
            );
            let when = format!(
                "killed at {kill_at:?} on the way to the {to}, and taken back (engine: {engine})"
            );
            assert_sound(&sim, back, &when);
            // And from there it goes over once more.
            let ended = Command::to(to).insist(&sim).await;
            assert!(matches!(ended, Ended::Done), "{when}: {ended:?}");
            assert_sound(&sim, to, &when);
        }
    }
}

#[tokio::test]
async fn killed_on_the_way_back_of_a_half_way_it_ends_on_one_side() {
    // Half-way over, killed while it is taken back, and then one of both commands.
    for first in (0..52).step_by(5) {
        for second in (0..46).step_by(2) {
            let sim = sim_with((first + second / 2) % 2 == 0);
            sim.lock().kill_at = Some((first, true));
            drop(Command::to(Side::Target).run(&sim).await);
            sim.lock().kill_at = Some((second, second % 4 == 0));
            drop(Command::to(Side::Source).run(&sim).await);
            let to = if second % 3 == 0 {
                Side::Target
            } else {
                Side::Source
            };
            let when = format!("killed at {first} and {second}");
            let mut ended = Command::to(to).insist(&sim).await;
            // A plan that was going back goes back to its end first.
            if matches!(ended, Ended::Undone(_)) && stands(&sim).at != to {
                ended = Command::to(to).insist(&sim).await;
            }
            let when = format!("{when}: {ended:?}");
            assert!(matches!(ended, Ended::Done | Ended::Undone(_)), "{when}");
            assert_sound(&sim, to, &when);
        }
    }
}

#[tokio::test]
async fn whatever_fails_it_runs_on_one_side_or_the_journal_says_that_it_does_not() {
    let all = operations(Side::Target, &sim_with(true)).await;
    // What only a report wants to know may fail and harm nothing: two ends of the other side.
    let mut harmless = 0;
    for (fail_at, engine) in (0..all).flat_map(|at| [(at, true), (at, false)]) {
        let sim = sim_with(engine);
        sim.lock().fail_at = Some(fail_at);
        let ended = Command::to(Side::Target).run(&sim).await.unwrap();
        let when = format!("failed at {fail_at}: {ended:?}");
        match ended {
            Ok((_, Ended::Undone(_))) => assert_sound(&sim, Side::Source, &when),
            // Without the engine there is less to fail.
            Ok((_, Ended::Done)) if !engine => {}
            Ok((_, Ended::Done)) if harmless < 2 => harmless += 1,
            Ok((_, Ended::Done)) => panic!("{when}"),
            Ok(_) | Err(_) => assert!(!sim.lock().split, "{when}"),
        }
        let ended = Command::to(Side::Target).insist(&sim).await;
        if !matches!(ended, Ended::Done) {
            let again = Command::to(Side::Target).insist(&sim).await;
            assert!(matches!(again, Ended::Done), "{when}, then {again:?}");
        }
        assert_sound(&sim, Side::Target, &when);
    }
}

/// Begun on the source, what comes of a cutover in which this is so.
async fn refused(change: impl FnOnce(&mut Inner)) -> (Sim, Ended) {
    let sim = sim();
    change(&mut sim.lock());
    let hasty = Command {
        waits: HASTY,
        ..Command::to(Side::Target)
    };
    let ended = hasty.run(&sim).await.unwrap().unwrap();
    (sim, ended.1)
}

#[tokio::test]
async fn what_does_not_arrive_or_skips_is_never_started_there_and_goes_on_where_it_was() {
    let known = |stands, skips| {
        Some(Place::Known {
            exact: 10,
            stands,
            again: 0,
            skips,
        })
    };
    let (sim, ended) = refused(|inner| inner.behind_for = u32::MAX).await;
    assert!(
        matches!(&ended, Ended::Undone(failure) if failure.code == "K474"),
        "{ended:?}"
    );
    assert_sound(&sim, Side::Source, "not drained");
    for (place, code) in [
        (known(Some(11), true), "K476"),
        (known(None, false), "K475"),
        (Some(Place::Nowhere("gone".into())), "K477"),
        (Some(Place::NotYet("not yet".into())), "K474"),
    ] {
        let (sim, ended) = refused(|inner| inner.place = place).await;
        assert!(
            matches!(&ended, Ended::Undone(failure) if failure.code == code),
            "{ended:?}"
        );
        assert_sound(&sim, Side::Source, code);
        assert_eq!(
            distinct(&sim),
            [(Hook::Stop, Side::Source), (Hook::Start, Side::Source)]
        );
    }
    // Something still writes what it alone writes.
    let (sim, ended) = refused(|inner| inner.stray = true).await;
    assert!(
        matches!(&ended, Ended::Undone(failure) if failure.code == "K472"),
        "{ended:?}"
    );
    assert_sound(&sim, Side::Source, "K472");
}

#[tokio::test]
async fn positions_that_come_late_are_waited_for() {
    // Missing at first, and exact a minute later.
    let sim = sim();
    sim.lock().place = Some(Place::Known {
        exact: 10,
        stands: None,
        again: 0,
        skips: false,
    });
    let comes = async {
        tokio::time::sleep(Duration::from_millis(40)).await;
        sim.lock().place = Some(Place::Known {
            exact: 10,
            stands: Some(10),
            again: 0,
            skips: false,
        });
    };
    let command = Command::to(Side::Target);
    let (ended, ()) = tokio::join!(command.run(&sim), comes);
    assert!(matches!(ended, Some(Ok((_, Ended::Done)))), "{ended:?}");
}

#[tokio::test]
async fn a_start_that_fails_waits_for_a_person_who_may_go_on_or_back() {
    for goes_on in [true, false] {
        let (sim, ended) = refused(|inner| inner.fails = Some((Hook::Start, Side::Target))).await;
        assert!(
            matches!(&ended, Ended::Attention(failure) if failure.code == "K452"),
            "{ended:?}"
        );
        let standing = stands(&sim);
        assert!(
            standing.moving.is_some_and(|moving| moving.is_past),
            "{standing:?}"
        );
        sim.lock().fails = None;
        if goes_on {
            let ended = Command::to(Side::Target).insist(&sim).await;
            assert!(matches!(ended, Ended::Done), "{ended:?}");
            assert_sound(&sim, Side::Target, "goes on");
            assert_eq!(
                sim.lock().calls.last(),
                Some(&(Hook::Start, Side::Target, 2))
            );
            continue;
        }
        let ended = Command::to(Side::Source).insist(&sim).await;
        assert!(matches!(ended, Ended::Done), "{ended:?}");
        assert_sound(&sim, Side::Source, "goes back");
        assert_eq!(state(&sim).open("cutover", "order-status"), None);
        assert_eq!(distinct(&sim), [OVER, BACK].concat());
        assert_eq!(state(&sim).courses[0].end, Some(End::Replaced));
    }
}

#[tokio::test]
async fn what_others_write_too_takes_a_persons_word_each_time() {
    let sim = sim();
    let mut command = Command {
        shared: &["order_status"],
        ..Command::to(Side::Target)
    };
    let ended = command.run(&sim).await.unwrap().unwrap().1;
    let Ended::Attention(failure) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(failure.code, "K473");
    let next = failure.next.unwrap();
    assert!(next.ends_with("--attest-quiet order_status"), "{next}");
    assert_eq!(sim.lock().runs, [false, false]);
    // It was stopped and nothing more: back is its undo.
    let ended = Command::to(Side::Source).run(&sim).await.unwrap().unwrap();
    assert!(
        matches!(ended, (Next::Undo(0), Ended::Undone(_))),
        "{ended:?}"
    );
    assert_sound(&sim, Side::Source, "undone");
    command.said.quiet = vec!["order_status".into()];
    let ended = command.run(&sim).await.unwrap().unwrap().1;
    assert!(matches!(ended, Ended::Done), "{ended:?}");
    assert_sound(&sim, Side::Target, "attested");
}

#[tokio::test]
async fn without_hooks_a_person_stops_and_starts_it_and_is_waited_for() {
    let command = Command {
        hooks: false,
        ..Command::to(Side::Target)
    };
    // Nobody comes.
    let hasty = Command {
        hooks: false,
        waits: HASTY,
        ..Command::to(Side::Target)
    };
    let world = sim();
    let ended = hasty.run(&world).await.unwrap().unwrap().1;
    assert!(
        matches!(&ended, Ended::Attention(failure) if failure.code == "K472"),
        "{ended:?}"
    );
    assert!(world.lock().calls.is_empty());
    // Somebody does; once it may be started there, the way back is a plan of its own.
    let person = async |sim: &Sim| {
        tokio::time::sleep(Duration::from_millis(100)).await;
        sim.lock().runs = [false, false];
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(stands(sim).moving.is_some_and(|moving| moving.is_past));
        sim.lock().runs = [false, true];
    };
    let world = sim();
    let (ended, ()) = tokio::join!(command.run(&world), person(&world));
    assert!(matches!(ended, Some(Ok((_, Ended::Done)))), "{ended:?}");
    assert_sound(&world, Side::Target, "by hand");
}

#[test]
fn what_moves_with_authority_goes_back_with_it() {
    let undo = |has_groups, writes| {
        let of = Move {
            engine: Some(Engine {
                two_way: true,
                has_groups,
                writes,
                follows: true,
            }),
            ..made_of(Side::Target, &State::default(), true, &[])
        };
        let plan = cutover::plan(&of);
        let step = plan.steps.into_iter().find(|step| step.name == AUTHORITY);
        step.expect("it is there").undo
    };
    assert_eq!(undo(false, false), Undo::NotNeeded);
    for (has_groups, writes) in [(true, false), (false, true)] {
        assert!(matches!(undo(has_groups, writes), Undo::By(_)));
    }
}

#[tokio::test]
async fn what_it_leaves_is_frozen_until_it_comes_back_and_no_word_is_wanted_of_others() {
    let sim = sim_with(true);
    let command = Command {
        shared: &["order_status"],
        ..Command::to(Side::Target)
    };
    let ended = command.run(&sim).await.unwrap().unwrap().1;
    assert!(matches!(ended, Ended::Done), "{ended:?}");
    assert_sound(&sim, Side::Target, "over");
    assert_eq!(sim.lock().frozen, [true, false]);
    let ended = Command::to(Side::Source)
        .run(&sim)
        .await
        .unwrap()
        .unwrap()
        .1;
    assert!(matches!(ended, Ended::Done), "{ended:?}");
    assert_sound(&sim, Side::Source, "back");
    assert_eq!(sim.lock().frozen, [false, true]);
}
