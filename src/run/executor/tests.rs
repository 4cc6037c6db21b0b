//! Whatever fails, and wherever it is killed: a plan ends done, undone or as attention, and nothing holds that the journal does not know.

use std::{
    future::pending,
    sync::{Mutex, MutexGuard},
};

use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::run::{
    journal::{Line, fold},
    plan::tests::{plan, step},
    state::Head,
};

/// The world as it is: what holds, what the journal's store holds, and when the process is killed next.
#[derive(Default)]
struct World(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    kept: Vec<Line>,
    holds: Vec<bool>,
    calls: Vec<u32>,
    asked: Vec<u32>,
    /// Operations until the next kill.
    kill_in: Option<usize>,
    /// Which operations fail, by a random number each.
    dice: u64,
    fail_one_in: u64,
    /// The one step that fails, before it does anything, and how.
    fails_at: Option<(usize, Exit)>,
    /// The one step that says it is done and changes nothing.
    idle: Option<usize>,
    /// The one step whose undo says it is done and changes nothing.
    clings: Option<usize>,
    /// Intents that stood in the store when an effect was begun without one of its own.
    unforeseen: bool,
}

impl World {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// One operation: killed before it, or `change` happens, or killed after it.
    async fn operation<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let (dies, first) = {
            let world = &mut *self.lock();
            let dies = match &mut world.kill_in {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            };
            (dies, dies && world.roll().is_multiple_of(2))
        };
        if first {
            return pending().await;
        }
        let answer = change(&mut self.lock());
        if dies {
            return pending().await;
        }
        answer
    }
}

impl Inner {
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed >> 33
    }

    fn fails(&mut self) -> bool {
        self.fail_one_in > 0 && self.roll().is_multiple_of(self.fail_one_in)
    }

    /// Of the failures one in four needs a person.
    fn failure(&mut self) -> Failure {
        let exit = if self.roll().is_multiple_of(4) {
            Exit::Attention
        } else {
            Exit::Target
        };
        Failure::new(exit, "K201", "made to fail")
    }

    fn at(&self, step: &Step) -> usize {
        step.name[1..]
            .parse()
            .unwrap_or(0)
            .min(self.holds.len() - 1)
    }

    fn last_word(&self, at: usize) -> Option<Standing> {
        let state = fold(&self.kept).unwrap();
        state.courses.last().map(|course| course.standing[at])
    }
}

struct Kept<'a>(&'a World);

impl Store for Kept<'_> {
    async fn keep(&mut self, line: &Line) -> Result<(), Failure> {
        let line = line.clone();
        self.0
            .operation(|world| {
                if world.fails() {
                    return Err(Failure::new(Exit::Target, "K440", "no cluster took it"));
                }
                world.kept.push(line);
                Ok(())
            })
            .await
    }
}

impl Effects for World {
    async fn perform(&self, step: &Step, attempt: u32) -> Result<String, Failure> {
        self.operation(|world| {
            let at = world.at(step);
            world.unforeseen |= world.last_word(at) != Some(Standing::Begun(attempt));
            world.calls[at] += 1;
            if let Some((step, exit)) = world.fails_at
                && step == at
            {
                return Err(Failure::new(exit, "K201", "made to fail"));
            }
            if world.idle == Some(at) {
                return Ok("fine".into());
            }
            let fails = world.fails();
            // A failure comes before or after what it does.
            if !fails || world.roll().is_multiple_of(2) {
                world.holds[at] = true;
            }
            if fails {
                Err(world.failure())
            } else {
                Ok("fine".into())
            }
        })
        .await
    }

    async fn holds(&self, step: &Step) -> Result<bool, Failure> {
        assert_ne!(step.what, What::Hook, "nobody can read a hook back");
        self.operation(|world| {
            if world.fails() {
                return Err(world.failure());
            }
            Ok(world.holds[world.at(step)])
        })
        .await
    }

    async fn undo(&self, step: &Step, _attempt: u32) -> Result<String, Failure> {
        self.operation(|world| {
            let at = world.at(step);
            world.unforeseen |= !matches!(world.last_word(at), Some(Standing::Undoing(_)));
            if world.fails() {
                return Err(world.failure());
            }
            if world.clings != Some(at) {
                world.holds[at] = false;
            }
            Ok("back".into())
        })
        .await
    }

    async fn attest(&self, step: &Step) -> Result<String, Failure> {
        self.operation(|world| {
            let at = world.at(step);
            world.asked[at] += 1;
            if world.fails() {
                return Err(world.failure());
            }
            Ok("it is so".into())
        })
        .await
    }
}

fn head() -> Record {
    Record::Begun(Head {
        migration: "orders".into(),
        id: uuid::Uuid::nil(),
        source: "Aaa".into(),
        target: "Bbb".into(),
    })
}

fn world(steps: usize) -> World {
    let world = World::default();
    {
        let inner = &mut *world.lock();
        inner.kept.push(Line::after(None, head()));
        inner.holds = vec![false; steps];
        inner.calls = vec![0; steps];
        inner.asked = vec![0; steps];
    }
    world
}

/// One process: reads the journal, and does the plan until it ends or is killed (`None`).
fn process(world: &World, plan: &Plan, stop: bool) -> Option<Result<Ended, Failure>> {
    let kept = world.lock().kept.clone();
    let mut journal = Journal::after(&kept, Kept(world)).expect("every prefix is legal");
    let (events, _told) = Events::channel();
    let mut executor = Executor {
        journal: &mut journal,
        effects: world,
        events: &events,
        stop: &|| stop,
    };
    executor.run(plan).now_or_never()
}

/// A cutover in small: a hook, an attestation, effects, a hook, an attestation.
fn cutover() -> Plan {
    let mut steps = vec![
        step("s0", What::Hook),
        step("s1", What::Attestation),
        step("s2", What::Effect),
        step("s3", What::Engine),
        step("s4", What::Effect),
        step("s5", What::Hook),
        step("s6", What::Attestation),
    ];
    for at in [0, 2, 5] {
        steps[at].undo = Undo::By("back".into());
    }
    plan(steps)
}

fn is_done(ended: Option<Result<Ended, Failure>>) -> bool {
    matches!(ended, Some(Ok(Ended::Done)))
}

#[test]
fn a_plan_is_done_once_and_then_over() {
    let world = world(7);
    assert!(is_done(process(&world, &cutover(), false)));
    assert_eq!(world.lock().calls, [1, 0, 1, 0, 1, 1, 0]);
    // The same again is another plan.
    assert!(is_done(process(&world, &cutover(), false)));
    assert_eq!(world.lock().calls, [2, 0, 2, 0, 2, 2, 0]);
}

#[test]
fn an_effect_that_holds_no_longer_is_done_again_and_what_it_rests_on_asked_again() {
    let world = world(7);
    // Killed in the last attestation: everything else is done.
    world.lock().kill_in = Some(16);
    let killed = process(&world, &cutover(), false);
    assert!(killed.is_none(), "{killed:?}");
    assert_eq!(world.lock().calls, [1, 0, 1, 0, 1, 1, 0]);
    let asked = world.lock().asked.clone();
    world.lock().kill_in = None;
    world.lock().holds[4] = false;
    assert!(is_done(process(&world, &cutover(), false)));
    let world = world.lock();
    assert_eq!(
        world.calls,
        [1, 0, 1, 0, 2, 1, 0],
        "only what held no longer"
    );
    assert_eq!(world.asked[1], asked[1] + 1, "asked again before it");
}

#[test]
fn what_is_done_is_not_asked_about_again_but_the_last_word_is() {
    let world = world(7);
    world.lock().kill_in = Some(16);
    assert!(process(&world, &cutover(), false).is_none());
    let asked = world.lock().asked.clone();
    world.lock().kill_in = None;
    assert!(is_done(process(&world, &cutover(), false)));
    let now = world.lock().asked.clone();
    assert_eq!((now[1], now[6]), (asked[1], asked[6] + 1));
}

#[test]
fn a_hook_is_told_which_attempt_it_is() {
    let world = world(7);
    // Killed in the first hook, after its intent.
    world.lock().kill_in = Some(2);
    assert!(process(&world, &cutover(), false).is_none());
    world.lock().kill_in = None;
    assert!(is_done(process(&world, &cutover(), false)));
    let begun: Vec<u32> = world
        .lock()
        .kept
        .iter()
        .filter_map(|line| match line.record {
            Record::Intent {
                step: 0, attempt, ..
            } => Some(attempt),
            _ => None,
        })
        .collect();
    assert_eq!(begun, [1, 2]);
}

#[test]
fn a_stop_comes_between_steps_and_the_same_command_goes_on() {
    let world = world(7);
    let stopped = process(&world, &cutover(), true);
    assert!(
        matches!(stopped, Some(Ok(Ended::Stopped(_)))),
        "{stopped:?}"
    );
    assert_eq!(world.lock().calls, [0; 7]);
    assert!(is_done(process(&world, &cutover(), false)));
}

#[test]
fn behind_a_step_that_cannot_be_undone_a_failure_waits_for_a_person() {
    let mut plan = cutover();
    plan.steps[4].undo = Undo::Impossible;
    let world = world(7);
    world.lock().kill_in = Some(13);
    assert!(process(&world, &plan, false).is_none());
    {
        let inner = &mut *world.lock();
        assert_eq!(inner.last_word(4), Some(Standing::Done(1)));
        (inner.kill_in, inner.fail_one_in) = (None, 1);
        inner.holds[4] = true;
    }
    // Everything fails, the journal too; then only the hook.
    assert!(matches!(process(&world, &plan, false), Some(Err(_))));
    world.lock().fail_one_in = 0;
    let mut fails_once = plan.clone();
    fails_once.steps[5].fails = Fails::Attention;
    assert!(is_done(process(&world, &plan, false)));
    assert!(world.lock().holds[2], "nothing was undone");
}

#[test]
fn what_was_done_and_does_not_hold_is_a_failure_and_so_is_an_undo_that_undoes_nothing() {
    let idle = world(7);
    idle.lock().idle = Some(2);
    let ended = process(&idle, &cutover(), false);
    assert!(
        matches!(&ended, Some(Ok(Ended::Attention(failure))) if failure.code == "K443"),
        "{ended:?}"
    );
    assert_eq!(
        idle.lock().calls,
        [1, 0, 1, 0, 0, 0, 0],
        "nothing behind it"
    );
    let clings = world(7);
    clings.lock().clings = Some(2);
    clings.lock().fails_at = Some((4, Exit::Target));
    let ended = process(&clings, &cutover(), false);
    assert!(
        matches!(&ended, Some(Ok(Ended::Attention(failure))) if failure.code == "K442"),
        "{ended:?}"
    );
}

#[test]
fn an_effect_that_is_found_as_it_was_begun_is_not_done_again() {
    let mut found = 0;
    for (kill_in, dice) in (0..12).flat_map(|at| (0..4).map(move |dice| (at, dice))) {
        let world = world(7);
        (world.lock().kill_in, world.lock().dice) = (Some(kill_in), dice);
        assert!(process(&world, &cutover(), false).is_none());
        world.lock().kill_in = None;
        let is_begun = world.lock().last_word(2) == Some(Standing::Begun(1));
        if is_begun && world.lock().holds[2] {
            found += 1;
            assert!(is_done(process(&world, &cutover(), false)));
            assert_eq!(world.lock().calls[2], 1);
        }
    }
    assert!(found > 0);
}

#[test]
fn a_failure_undoes_unless_it_needs_a_person_or_what_was_begun_cannot_be_undone() {
    let after = |plan: &Plan, at, exit| {
        let world = world(7);
        world.lock().fails_at = Some((at, exit));
        let ended = process(&world, plan, false).expect("nobody kills it");
        let is_attention = matches!(ended, Ok(Ended::Attention(_)));
        assert!(
            is_attention || matches!(ended, Ok(Ended::Undone(_))),
            "{ended:?}"
        );
        assert_eq!(world.lock().holds[2], is_attention, "all of it or nothing");
        (is_attention, world)
    };
    let plan = cutover();
    assert!(!after(&plan, 4, Exit::Target).0);
    assert!(after(&plan, 4, Exit::Attention).0);
    let mut one_way = cutover();
    one_way.steps[4].undo = Undo::Impossible;
    let (is_attention, world) = after(&one_way, 5, Exit::Target);
    assert!(is_attention);
    // Once its cause is gone the same command goes on, and not back.
    world.lock().fails_at = None;
    assert!(is_done(process(&world, &one_way, false)));
}

fn plans() -> impl Strategy<Value = Plan> {
    let kinds = prop_oneof![
        4 => Just(What::Effect),
        2 => Just(What::Hook),
        2 => Just(What::Attestation),
        1 => Just(What::Engine),
    ];
    let undo = prop_oneof![
        3 => Just(Undo::By("back".to_owned())),
        2 => Just(Undo::NotNeeded),
        1 => Just(Undo::Impossible),
    ];
    let fails = prop_oneof![3 => Just(Fails::Undo), 1 => Just(Fails::Attention)];
    proptest::collection::vec((kinds, undo, fails), 1..7).prop_map(|steps| {
        let step = |(at, (what, undo, fails)): (usize, (What, Undo, Fails))| Step {
            undo,
            fails,
            ..step(&format!("s{at}"), what)
        };
        plan(steps.into_iter().enumerate().map(step).collect())
    })
}

fn last_word(kept: &[Line]) -> Option<End> {
    fold(kept).unwrap().courses.last()?.end
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn failures_and_kills_at_every_point_end_in_done_undone_or_attention(
        plan in plans(),
        kills in proptest::collection::vec(0usize..24, 0..6),
        dice in any::<u64>(),
        fail_one_in in prop_oneof![Just(0u64), Just(3), Just(9), Just(30)],
    ) {
        let world = world(plan.steps.len());
        {
            let inner = &mut *world.lock();
            (inner.dice, inner.fail_one_in) = (dice, fail_one_in);
        }
        let mut kills = kills.into_iter();
        let mut processes = 0;
        let ended = loop {
            processes += 1;
            world.lock().kill_in = kills.next();
            // In the end whatever fails comes to rest, so that the search does.
            if processes > 40 {
                world.lock().fail_one_in = 0;
            }
            match process(&world, &plan, false) {
                Some(Ok(ended)) => break ended,
                // Killed, or the journal or a look failed: the same command again. Killed after its last word, it is over all the same.
                None | Some(Err(_)) => match last_word(&world.lock().kept) {
                    Some(End::Done) => break Ended::Done,
                    Some(End::Undone) => break Ended::Undone(Failure::new(Exit::Stopped, "K441", "")),
                    Some(End::Attention | End::Replaced) | None => {}
                },
            }
        };
        let inner = &mut *world.lock();
        prop_assert!(!inner.unforeseen, "something was done before its intent was kept");
        for length in 0..=inner.kept.len() {
            prop_assert!(fold(&inner.kept[..length]).is_ok());
        }
        let state = fold(&inner.kept).unwrap();
        let course = state.courses.last().unwrap();
        for (at, step) in plan.steps.iter().enumerate() {
            let standing = course.standing[at];
            match &ended {
                Ended::Done if step.what.is_done_here() => prop_assert!(inner.holds[at]),
                Ended::Undone(_) if step.what.is_done_here() && matches!(step.undo, Undo::By(_)) => {
                    prop_assert!(!inner.holds[at]);
                }
                Ended::Undone(_) => prop_assert!(step.undo != Undo::Impossible || !inner.holds[at]),
                Ended::Attention(_) => {
                    prop_assert!(!inner.holds[at] || standing.may_hold(), "{standing:?}");
                }
                Ended::Stopped(_) => prop_assert!(false, "nobody asked for it"),
                Ended::Done => {}
            }
        }
        let end = match ended {
            Ended::Done => End::Done,
            Ended::Undone(_) => End::Undone,
            Ended::Attention(_) | Ended::Stopped(_) => End::Attention,
        };
        prop_assert_eq!(course.end, Some(end));
    }
}
