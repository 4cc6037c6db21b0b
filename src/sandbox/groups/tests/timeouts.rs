//! What time does: sessions, rebalances, and ids that nobody came back with.

use super::*;

#[test]
fn a_silent_member_is_out_after_its_session() {
    let (mut world, first, second) = World::of_two();
    for _ in 0..3 {
        world.later(4_000);
        world.beat(&second, 2);
    }
    assert_eq!(
        world.beat(&second, 2),
        errors::REBALANCE_IN_PROGRESS,
        "12 s without the first"
    );
    assert_eq!(world.beat(&first, 2), errors::UNKNOWN_MEMBER_ID);
    let joined = now(world.join(World::who(&second)));
    assert_eq!((joined.generation, joined.members.len()), (3, 1));
}

#[test]
fn the_last_session_leaves_the_group_empty() {
    let (mut world, _) = World::of_one();
    world.later(9_999);
    assert_eq!(world.phase(), Some(Phase::Stable));
    world.later(1);
    assert_eq!(world.phase(), Some(Phase::Empty));
}

#[test]
fn a_commit_keeps_the_session() {
    let (mut world, id) = World::of_one();
    world.later(9_000);
    let who = Who {
        member: &id,
        instance: None,
        generation: 1,
    };
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, Vec::new()),
        Ok(Vec::new())
    );
    world.later(9_000);
    assert_eq!(world.phase(), Some(Phase::Stable));
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let (mut world, first, second) = World::of_two();
    let mut second_joins = {
        let mut changed = World::who(&second);
        changed.protocols[0].1 = subscription(&["u"]);
        world.join(changed)
    };
    for _ in 0..12 {
        assert!(waits(&mut second_joins));
        // The first beats, but does not join: alive, and out after the rebalance's 60 s all the same.
        world.later(5_000);
        world.beat(&first, 2);
    }
    let joined = now(second_joins);
    assert_eq!(
        (
            joined.generation,
            joined.leader.as_str(),
            joined.members.len()
        ),
        (3, second.as_str(), 1)
    );
    assert_eq!(world.beat(&first, 3), errors::UNKNOWN_MEMBER_ID);
}

#[test]
fn waiting_for_others_is_no_silence() {
    let (mut world, first) = World::of_one();
    let (_, second_joins) = world.enter();
    // The first joins again only after 9 s, then a third's id holds the rebalance up beyond both sessions.
    world.later(9_000);
    let pending = now(world.join(World::who(""))).member;
    let mut first_joins = world.join(World::who(&first));
    assert!(waits(&mut first_joins));
    world.later(9_999);
    assert!(waits(&mut first_joins));
    world.later(1);
    let joined = now(first_joins);
    assert_eq!(
        (joined.generation, joined.members.len()),
        (2, 2),
        "without the id that was never used"
    );
    assert_eq!(now(second_joins).generation, 2);
    assert_eq!(
        now(world.join(World::who(&pending))).error,
        errors::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn who_does_not_sync_in_time_is_out() {
    let (mut world, first, second) = World::of_two();
    let first_joins = world.join(World::who(&first));
    now(world.join(World::who(&second)));
    now(first_joins);
    now(world.sync(&first, 3, &[(&first, "left"), (&second, "right")]));
    for _ in 0..11 {
        world.later(5_000);
        assert_eq!(
            (world.beat(&first, 3), world.beat(&second, 3)),
            (errors::NONE, errors::NONE)
        );
    }
    // The second beats, but never asks for its assignment.
    world.later(5_000);
    assert_eq!(world.beat(&second, 3), errors::UNKNOWN_MEMBER_ID);
    assert_eq!(world.beat(&first, 3), errors::REBALANCE_IN_PROGRESS);
}

#[test]
fn the_first_rebalance_waits_and_waits_again_for_who_comes() {
    let mut world = World::new();
    world.groups.settings.initial_delay_ms = 3_000;
    let (_, mut first) = world.enter();
    world.later(2_999);
    assert!(waits(&mut first));
    let (_, second) = world.enter();
    world.later(1);
    assert!(waits(&mut first), "somebody came: it waits once more");
    world.later(2_999);
    assert!(waits(&mut first));
    world.later(1);
    assert_eq!(now(first).members.len(), 2);
    assert_eq!(now(second).generation, 1);
}

#[test]
fn a_new_member_that_went_away_does_not_hold_others_up_for_ever() {
    let (mut world, first) = World::of_one();
    let mut slow = World::who("");
    slow.version = 3;
    slow.rebalance_timeout_ms = 600_000;
    let second_joins = world.join(slow);
    for _ in 0..70 {
        world.later(5_000);
        world.beat(&first, 1);
    }
    // The rebalance may take ten minutes, a new member's JoinGroup five.
    assert_eq!(now(second_joins).error, errors::UNKNOWN_MEMBER_ID);
}

#[test]
fn old_versions_have_no_rebalance_timeout() {
    let (mut world, first) = World::of_one();
    let (_, mut second_joins) = {
        let mut old = World::who("");
        old.version = 0;
        old.rebalance_timeout_ms = -1;
        ("", world.join(old))
    };
    assert!(waits(&mut second_joins));
    let mut old = World::who(&first);
    old.rebalance_timeout_ms = -1;
    assert_eq!(now(world.join(old)).generation, 2);
    now(second_joins);
    let (_, mut third) = world.enter();
    assert!(waits(&mut third));
}
