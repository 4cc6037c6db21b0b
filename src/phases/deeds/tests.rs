//! A move on a world without clusters: killed and failing everywhere, it ends on one side, and never runs on two.

mod commands;
mod simulated;

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::Notify;

use self::{commands::*, simulated::*};
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
