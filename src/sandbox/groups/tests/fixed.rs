//! Static members (KIP-345).

use super::*;

fn fixed(member: &str, version: i16) -> Joining {
    let mut joining = World::who(member);
    joining.instance = Some("i-1".to_owned());
    joining.version = version;
    joining
}

/// A stable group of one static member.
fn stable(world: &mut World) -> String {
    let joined = now(world.join(fixed("", 9)));
    assert_eq!(
        (joined.error, joined.generation),
        (errors::NONE, 1),
        "no MEMBER_ID_REQUIRED"
    );
    assert!(joined.member.starts_with("i-1-"));
    now(world.sync(&joined.member, 1, &[(&joined.member, "all")]));
    joined.member
}

#[test]
fn a_restarted_one_takes_over_without_a_rebalance() {
    let mut world = World::new();
    let old = stable(&mut world);
    let again = now(world.join(fixed("", 9)));
    assert_eq!((again.error, again.generation), (errors::NONE, 1));
    assert_ne!(again.member, old);
    assert!(
        again.skip_assignment,
        "the leader need not assign (KIP-814)"
    );
    assert_eq!(again.leader, again.member);
    assert_eq!(world.phase(), Some(Phase::Stable));
    assert_eq!(now(world.sync(&again.member, 1, &[])).assignment, "all");
    let who = Who {
        member: &old,
        instance: Some("i-1"),
        generation: 1,
    };
    assert_eq!(
        world.groups.heartbeat(world.now, "g", &who),
        errors::FENCED_INSTANCE_ID
    );
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, Vec::new()),
        Err(errors::FENCED_INSTANCE_ID)
    );
    assert_eq!(
        now(world.join(fixed(&old, 9))).error,
        errors::FENCED_INSTANCE_ID
    );
    assert_eq!(
        now(world.groups.sync(
            world.now,
            Syncing {
                group: "g".to_owned(),
                member: old.clone(),
                instance: Some("i-1".to_owned()),
                generation: 1,
                ..Syncing::default()
            }
        ))
        .error,
        errors::FENCED_INSTANCE_ID
    );
}

#[test]
fn before_v9_it_is_not_told_that_it_leads() {
    let mut world = World::new();
    let old = stable(&mut world);
    let again = now(world.join(fixed("", 8)));
    assert_eq!(
        (again.leader, again.skip_assignment, again.members.len()),
        (old, false, 0)
    );
}

#[test]
fn its_waiting_request_is_fenced() {
    let mut world = World::new();
    stable(&mut world);
    let (other, mut other_joins) = world.enter();
    let mut twin = world.join(fixed("", 9));
    // Both wait no longer: all have joined.
    assert_eq!(
        now(std::mem::replace(&mut other_joins, oneshot::channel().1)).generation,
        2
    );
    let twin_joined = twin.try_recv().expect("an answer");
    let mut twin_syncs = world.groups.sync(
        world.now,
        Syncing {
            group: "g".to_owned(),
            member: other,
            generation: 2,
            ..Syncing::default()
        },
    );
    assert!(waits(&mut twin_syncs), "the leader has not assigned");
    let leader = twin_joined.member.clone();
    assert_eq!(twin_joined.leader, leader);
    // The leader restarts while others wait for its assignment.
    let mut again = world.join(fixed("", 9));
    assert!(waits(&mut again));
    assert_eq!(now(twin_syncs).error, errors::REBALANCE_IN_PROGRESS);
    let mut third = world.join(fixed("", 9));
    assert_eq!(now(again).error, errors::FENCED_INSTANCE_ID);
    assert!(waits(&mut third));
}

#[test]
fn it_is_kept_through_a_rebalance_that_it_misses() {
    let mut world = World::new();
    let id = stable(&mut world);
    let (_, mut other_joins) = world.enter();
    world.later(1_000);
    assert!(waits(&mut other_joins));
    let who = Who {
        member: &id,
        instance: Some("i-1"),
        generation: 1,
    };
    for _ in 0..12 {
        world.later(5_000);
        world.groups.heartbeat(world.now, "g", &who);
    }
    let joined = now(other_joins);
    assert_eq!(joined.generation, 2, "the rebalance ended after its 60 s");
    assert_eq!(joined.leader, joined.member, "who came leads");
    assert_eq!(
        joined.members.len(),
        2,
        "and the static member is still one"
    );
}

#[test]
fn an_operator_removes_it_by_its_instance_id() {
    let mut world = World::new();
    stable(&mut world);
    let named = |member: &str, instance: &str| Leaving {
        member: member.to_owned(),
        instance: Some(instance.to_owned()),
    };
    let each = world
        .groups
        .leave(world.now, "g", &[named("", "i-2"), named("made-up", "i-1")]);
    assert_eq!(
        each,
        Ok(vec![errors::UNKNOWN_MEMBER_ID, errors::FENCED_INSTANCE_ID])
    );
    assert_eq!(world.phase(), Some(Phase::Stable));
    assert_eq!(
        world.groups.leave(world.now, "g", &[named("", "i-1")]),
        Ok(vec![errors::NONE])
    );
    assert_eq!(world.phase(), Some(Phase::Empty));
}
