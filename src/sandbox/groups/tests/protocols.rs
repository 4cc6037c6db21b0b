//! What members agree on.

use super::*;

fn with(member: &str, protocols: &[&str]) -> Joining {
    let mut joining = World::who(member);
    joining.version = 3;
    joining.protocols = protocols
        .iter()
        .map(|name| ((*name).to_owned(), Bytes::from_static(b"m")))
        .collect();
    joining
}

#[test]
fn the_protocol_with_most_votes_that_all_can_do() {
    let mut world = World::new();
    world.groups.settings.initial_delay_ms = 3_000;
    let answers = [
        world.join(with("", &["cooperative-sticky", "range", "roundrobin"])),
        world.join(with("", &["roundrobin", "range"])),
        world.join(with("", &["range", "roundrobin"])),
    ];
    world.later(6_000);
    for answer in answers {
        // Two of three vote for range, once cooperative-sticky is out.
        assert_eq!(now(answer).protocol.as_deref(), Some("range"));
    }
}

#[test]
fn nothing_in_common_is_refused() {
    let mut world = World::new();
    let id = now(world.join(with("", &["range"]))).member;
    let refused = now(world.join(with("", &["cooperative-sticky"])));
    assert_eq!(refused.error, errors::INCONSISTENT_GROUP_PROTOCOL);
    let mut connect = with("", &["range"]);
    connect.protocol_type = "connect".to_owned();
    assert_eq!(
        now(world.join(connect)).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(
        now(world.join(with("", &[]))).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(
        now(world.join(with(&id, &["roundrobin"]))).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
}

#[test]
fn an_empty_group_takes_any_protocol_but_none() {
    let mut world = World::new();
    assert_eq!(
        now(world.join(with("", &[]))).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(
        now(world.join(with("", &["whatever"]))).protocol.as_deref(),
        Some("whatever")
    );
}

#[test]
fn a_rolling_change_from_eager_to_cooperative() {
    let mut world = World::new();
    let first = now(world.join(with("", &["range"]))).member;
    let mut second_joins = world.join(with("", &["range"]));
    assert!(waits(&mut second_joins));
    now(world.join(with(&first, &["cooperative-sticky", "range"])));
    let second = now(second_joins);
    assert_eq!(second.protocol.as_deref(), Some("range"), "one cannot yet");
    now(world.sync(&first, 2, &[]));
    let first_joins = world.join(with(&first, &["cooperative-sticky", "range"]));
    let again = now(world.join(with(&second.member, &["cooperative-sticky", "range"])));
    assert_eq!(again.protocol.as_deref(), Some("cooperative-sticky"));
    assert_eq!(
        now(first_joins).protocol.as_deref(),
        Some("cooperative-sticky")
    );
}

#[test]
fn a_sync_that_names_another_protocol_is_refused() {
    let (mut world, id) = World::of_one();
    let syncing = |protocol_type: &str, protocol: &str| Syncing {
        group: "g".to_owned(),
        member: id.clone(),
        generation: 1,
        protocol_type: Some(protocol_type.to_owned()),
        protocol: Some(protocol.to_owned()),
        ..Syncing::default()
    };
    assert_eq!(
        now(world.groups.sync(world.now, syncing("consumer", "range"))).error,
        errors::NONE
    );
    assert_eq!(
        now(world.groups.sync(world.now, syncing("consumer", "sticky"))).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
    assert_eq!(
        now(world.groups.sync(world.now, syncing("connect", "range"))).error,
        errors::INCONSISTENT_GROUP_PROTOCOL
    );
}
