//! What is told of groups.

use super::*;

#[test]
fn filters_of_states_and_types() {
    let (mut world, _) = World::of_one();
    assert_eq!(
        world
            .groups
            .commit(world.now, "h", &Who::NOBODY, 8, Vec::new()),
        Ok(Vec::new())
    );
    let mut names = |states: &[&str], types: &[&str]| {
        let listed = world.groups.list(1_000_000, states, types);
        listed
            .into_iter()
            .map(|one| format!("{} {} {}", one.group, one.protocol_type, one.phase.name()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&[], &[]), ["g consumer Stable", "h  Empty"]);
    assert_eq!(names(&["stable"], &[]), ["g consumer Stable"]);
    assert_eq!(names(&["Empty", "Dead"], &["Classic"]), ["h  Empty"]);
    assert!(names(&[], &["consumer"]).is_empty(), "KIP-848 groups only");
    assert!(names(&["Reconciling"], &[]).is_empty());
}

#[test]
fn metadata_and_assignments_are_shown_while_stable() {
    let (mut world, first, second) = World::of_two();
    let group = world.groups.describe(world.now, "g").expect("a group");
    assert_eq!(
        (group.phase, group.protocol.as_str(), group.members.len()),
        (Phase::Stable, "range", 2)
    );
    let leader = group
        .members
        .iter()
        .find(|member| member.id == first)
        .expect("the first");
    assert_eq!(
        (leader.assignment.clone(), leader.metadata.clone()),
        (Bytes::from_static(b"left"), subscription(&["t"]))
    );
    assert_eq!(
        (leader.client_id.as_str(), leader.client_host.as_str()),
        ("app", "/127.0.0.1")
    );
    let _waiting = world.join(World::who(&first));
    let group = world.groups.describe(world.now, "g").expect("a group");
    assert_eq!(
        (group.phase, group.protocol.as_str(), group.members.len()),
        (Phase::PreparingRebalance, "", 2)
    );
    let member = group
        .members
        .iter()
        .find(|member| member.id == second)
        .expect("the second");
    assert!(member.assignment.is_empty() && member.metadata.is_empty());
    assert_eq!(world.groups.describe(world.now, "h"), None);
}

#[test]
fn settings_come_from_the_brokers() {
    let settings = Settings::of(|name| match name {
        "group.initial.rebalance.delay.ms" => 3_000,
        "offset.metadata.max.bytes" => 10,
        _ => -1,
    });
    assert_eq!(
        (
            settings.initial_delay_ms,
            settings.max_metadata,
            settings.min_session_ms
        ),
        (3_000, 10, 6_000)
    );
}

#[test]
fn ids_follow_from_the_seed() {
    let id = |seed| now(Groups::new(seed).join(0, World::who(""))).member;
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
}
