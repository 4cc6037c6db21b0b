//! Joining, agreeing, leaving: the states of a group and who hears what.

use super::*;

#[test]
fn a_new_member_is_told_its_id_first_from_v4_on() {
    let mut world = World::new();
    let refused = now(world.join(World::who("")));
    assert_eq!(refused.error, errors::MEMBER_ID_REQUIRED);
    assert!(refused.member.starts_with("app-"), "{}", refused.member);
    assert_eq!(world.phase(), Some(Phase::Empty));
    let mut old = World::who("");
    old.version = 3;
    let joined = now(world.join(old));
    // The id that was given out still counts as on its way, but the first generation does not wait for it.
    assert_eq!((joined.error, joined.generation), (errors::NONE, 1));
}

#[test]
fn the_leader_hears_of_everyone_and_assigns() {
    let (mut world, first) = World::of_one();
    let (second, mut second_joins) = world.enter();
    assert!(waits(&mut second_joins), "the first has not joined again");
    assert_eq!(world.phase(), Some(Phase::PreparingRebalance));
    assert_eq!(world.beat(&first, 1), errors::REBALANCE_IN_PROGRESS);
    let leads = now(world.join(World::who(&first)));
    let follows = now(second_joins);
    assert_eq!(
        (leads.generation, leads.leader.as_str()),
        (2, first.as_str())
    );
    assert_eq!(
        (follows.generation, follows.leader.as_str()),
        (2, first.as_str())
    );
    assert_eq!(leads.protocol.as_deref(), Some("range"));
    assert_eq!(leads.members.len(), 2);
    assert!(follows.members.is_empty());
    let mut second_syncs = world.sync(&second, 2, &[]);
    assert!(waits(&mut second_syncs), "the leader has not assigned");
    assert_eq!(world.phase(), Some(Phase::CompletingRebalance));
    assert_eq!(
        world.beat(&second, 2),
        errors::NONE,
        "a heartbeat while the leader assigns"
    );
    let leader = now(world.sync(&first, 2, &[(&first, "left"), (&second, "right")]));
    assert_eq!(leader.assignment, "left");
    assert_eq!(now(second_syncs).assignment, "right");
    assert_eq!(world.phase(), Some(Phase::Stable));
    assert_eq!(
        now(world.sync(&second, 2, &[])).assignment,
        "right",
        "asked again"
    );
}

#[test]
fn whom_the_leader_forgets_gets_nothing() {
    let mut world = World::new();
    let (id, _) = world.enter();
    assert_eq!(
        now(world.sync(&id, 1, &[("somebody", "all")])).assignment,
        ""
    );
}

#[test]
fn a_follower_that_joins_again_unchanged_begins_nothing() {
    let (mut world, first, second) = World::of_two();
    let again = now(world.join(World::who(&second)));
    assert_eq!((again.generation, again.members.len()), (2, 0));
    assert_eq!(world.phase(), Some(Phase::Stable));
    let mut changed = World::who(&second);
    changed.protocols[0].1 = subscription(&["t", "u"]);
    let mut waiting = world.join(changed);
    assert!(waits(&mut waiting));
    assert_eq!(world.phase(), Some(Phase::PreparingRebalance));
    let leader = now(world.join(World::who(&first)));
    assert_eq!(leader.generation, 3);
    assert!(
        leader
            .members
            .iter()
            .any(|(id, _, metadata)| *id == second && *metadata == subscription(&["t", "u"]))
    );
}

#[test]
fn a_leader_that_joins_again_begins_a_rebalance() {
    let (mut world, first, second) = World::of_two();
    let mut waiting = world.join(World::who(&first));
    assert!(waits(&mut waiting));
    assert_eq!(world.beat(&second, 2), errors::REBALANCE_IN_PROGRESS);
}

#[test]
fn joining_while_the_leader_assigns_begins_again() {
    let (mut world, first, second) = World::of_two();
    let second_joins = {
        let first_joins = world.join(World::who(&first));
        let second_joins = world.join(World::who(&second));
        now(first_joins);
        second_joins
    };
    now(second_joins);
    let mut second_syncs = world.sync(&second, 3, &[]);
    assert!(waits(&mut second_syncs));
    let missed = now(world.join(World::who(&second)));
    assert_eq!(
        missed.generation, 3,
        "the answer was lost, it is given again"
    );
    let (_, mut third_joins) = world.enter();
    assert!(waits(&mut third_joins));
    assert_eq!(now(second_syncs).error, errors::REBALANCE_IN_PROGRESS);
    assert_eq!(
        now(world.sync(&first, 3, &[])).error,
        errors::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn strangers_and_other_generations_are_refused() {
    let (mut world, id) = World::of_one();
    assert_eq!(
        now(world.join(World::who("made-up"))).error,
        errors::UNKNOWN_MEMBER_ID
    );
    assert_eq!(
        now(world.sync("made-up", 1, &[])).error,
        errors::UNKNOWN_MEMBER_ID
    );
    assert_eq!(world.beat("made-up", 1), errors::UNKNOWN_MEMBER_ID);
    assert_eq!(
        now(world.sync(&id, 7, &[])).error,
        errors::ILLEGAL_GENERATION
    );
    assert_eq!(world.beat(&id, 0), errors::ILLEGAL_GENERATION);
    let mut elsewhere = World::who(&id);
    elsewhere.group = "h".to_owned();
    assert_eq!(now(world.join(elsewhere)).error, errors::UNKNOWN_MEMBER_ID);
    assert_eq!(
        world.groups.heartbeat(world.now, "h", &Who::NOBODY),
        errors::UNKNOWN_MEMBER_ID
    );
    let mut nameless = World::who("");
    nameless.group = String::new();
    assert_eq!(now(world.join(nameless)).error, errors::INVALID_GROUP_ID);
}

#[test]
fn sessions_outside_the_brokers_limits_are_refused() {
    let mut world = World::new();
    for (ms, error) in [
        (5_999, errors::INVALID_SESSION_TIMEOUT),
        (6_000, errors::MEMBER_ID_REQUIRED),
        (1_800_001, errors::INVALID_SESSION_TIMEOUT),
    ] {
        let mut joining = World::who("");
        joining.session_timeout_ms = ms;
        assert_eq!(now(world.join(joining)).error, error, "{ms}");
    }
}

#[test]
fn a_full_group_takes_nobody() {
    let (mut world, _) = World::of_one();
    world.groups.settings.max_size = 1;
    let refused = now(world.join(World::who("")));
    assert_eq!(
        (refused.error, refused.member.as_str()),
        (errors::GROUP_MAX_SIZE_REACHED, "")
    );
}

#[test]
fn several_leave_at_once() {
    let (mut world, first, second) = World::of_two();
    let leaving = |member: &str| Leaving {
        member: member.to_owned(),
        instance: None,
    };
    let each = world.groups.leave(
        world.now,
        "g",
        &[leaving(&first), leaving("made-up"), leaving(&second)],
    );
    assert_eq!(
        each,
        Ok(vec![errors::NONE, errors::UNKNOWN_MEMBER_ID, errors::NONE])
    );
    assert_eq!(world.phase(), Some(Phase::Empty));
    let each = world.groups.leave(world.now, "h", &[leaving("made-up")]);
    assert_eq!(each, Ok(vec![errors::UNKNOWN_MEMBER_ID]));
}

#[test]
fn one_that_leaves_makes_the_others_join_again() {
    let (mut world, first, second) = World::of_two();
    let leaving = Leaving {
        member: first,
        instance: None,
    };
    assert_eq!(
        world.groups.leave(world.now, "g", &[leaving]),
        Ok(vec![errors::NONE])
    );
    assert_eq!(world.beat(&second, 2), errors::REBALANCE_IN_PROGRESS);
    let joined = now(world.join(World::who(&second)));
    assert_eq!((joined.generation, joined.leader), (3, second));
}

#[test]
fn an_id_that_was_only_given_out_can_be_given_back() {
    let (mut world, first) = World::of_one();
    let pending = now(world.join(World::who(""))).member;
    let mut waiting = world.join(World::who(&first));
    assert!(waits(&mut waiting), "a rebalance waits for who has an id");
    let leaving = Leaving {
        member: pending,
        instance: None,
    };
    assert_eq!(
        world.groups.leave(world.now, "g", &[leaving]),
        Ok(vec![errors::NONE])
    );
    assert_eq!(now(waiting).generation, 2);
}
