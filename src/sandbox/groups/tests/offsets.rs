//! Committed offsets: rules G1 to G7, G10, G11 and probe 11.

use super::*;

fn at(partition: i32, offset: i64) -> Position {
    Position {
        topic: "t".to_owned(),
        partition,
        offset,
        leader_epoch: -1,
        metadata: None,
    }
}

impl World {
    fn commit_bare(&mut self, offset: i64) -> Result<Vec<i16>, i16> {
        self.groups
            .commit(self.now, "g", &Who::NOBODY, 8, vec![at(0, offset)])
    }

    fn stage_bare(&mut self, producer: i64, offset: i64) -> Result<Vec<i16>, i16> {
        self.groups
            .stage(self.now, producer, "g", &Who::NOBODY, vec![at(0, offset)])
    }

    fn committed(&self, require_stable: bool) -> (i64, i16) {
        let found = self
            .groups
            .fetch("g", Some(&[("t".to_owned(), 0)]), require_stable);
        (found[0].offset, found[0].error)
    }
}

const DONE: Result<Vec<i16>, i16> = Ok(Vec::new());

fn accepted() -> Result<Vec<i16>, i16> {
    Ok(vec![errors::NONE])
}

#[test]
fn a_bare_commit_makes_a_simple_group_and_is_taken_by_an_empty_one() {
    let mut world = World::new();
    assert_eq!(world.commit_bare(5), accepted());
    assert_eq!(world.phase(), Some(Phase::Empty));
    assert_eq!(world.groups.list(world.now, &[], &[])[0].protocol_type, "");
    // G10: it stays Empty however often somebody commits, and anybody may overwrite.
    assert_eq!(world.commit_bare(3), accepted());
    assert_eq!(world.committed(false), (3, errors::NONE));
}

#[test]
fn a_bare_commit_into_an_active_group_is_refused() {
    // G1, in each state with members.
    let (mut world, id) = World::of_one();
    assert_eq!(
        world.commit_bare(5),
        Err(errors::UNKNOWN_MEMBER_ID),
        "Stable"
    );
    let (_, second_joins) = world.enter();
    assert_eq!(
        world.commit_bare(5),
        Err(errors::UNKNOWN_MEMBER_ID),
        "PreparingRebalance"
    );
    now(world.join(World::who(&id)));
    now(second_joins);
    assert_eq!(
        world.commit_bare(5),
        Err(errors::UNKNOWN_MEMBER_ID),
        "CompletingRebalance"
    );
    assert_eq!(world.committed(false), (-1, errors::NONE));
    world.later(1_000_000);
    assert_eq!(world.phase(), Some(Phase::Empty));
    assert_eq!(world.commit_bare(5), accepted(), "Empty again");
}

#[test]
fn a_member_commits_in_its_generation_only() {
    let (mut world, id) = World::of_one();
    let who = |generation| Who {
        member: &id,
        instance: None,
        generation,
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &who(1), 8, vec![at(0, 9)]),
        accepted()
    );
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &who(0), 8, vec![at(0, 7)]),
        Err(errors::ILLEGAL_GENERATION)
    );
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &who(-1), 8, vec![at(0, 7)]),
        Err(errors::ILLEGAL_GENERATION)
    );
    let stranger = Who {
        member: "made-up",
        instance: None,
        generation: 1,
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &stranger, 8, vec![at(0, 7)]),
        Err(errors::UNKNOWN_MEMBER_ID)
    );
    assert_eq!(world.committed(false), (9, errors::NONE));
}

#[test]
fn a_member_does_not_commit_while_the_leader_assigns() {
    let mut world = World::new();
    let (id, _) = world.enter();
    let who = Who {
        member: &id,
        instance: None,
        generation: 1,
    };
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, vec![at(0, 9)]),
        Err(errors::REBALANCE_IN_PROGRESS)
    );
    now(world.sync(&id, 1, &[]));
    let second = world.enter();
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, vec![at(0, 9)]),
        accepted(),
        "but while others join"
    );
    drop(second);
}

#[test]
fn simple_groups_take_any_member_without_a_generation() {
    // Probe 11: "simple group with a made-up member id accepted; generation >= 0 without member 25".
    let mut world = World::new();
    let made_up = Who {
        member: "made-up",
        instance: None,
        generation: -1,
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &made_up, 8, vec![at(0, 9)]),
        accepted()
    );
    let generation = Who {
        member: "",
        instance: None,
        generation: 0,
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &generation, 8, vec![at(0, 9)]),
        Err(errors::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_generation_in_a_group_that_is_not_there() {
    let mut world = World::new();
    let who = Who {
        member: "",
        instance: None,
        generation: 0,
    };
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, vec![]),
        Err(errors::ILLEGAL_GENERATION)
    );
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 9, vec![]),
        Err(errors::GROUP_ID_NOT_FOUND)
    );
    assert_eq!(
        world.groups.stage(world.now, 1, "g", &who, vec![]),
        Err(errors::ILLEGAL_GENERATION)
    );
    assert_eq!(world.phase(), None);
}

#[test]
fn values_are_not_checked() {
    let mut world = World::new();
    for offset in [i64::MAX, 3, -1, -5] {
        assert_eq!(world.commit_bare(offset), accepted(), "{offset}");
        assert_eq!(world.committed(true), (offset, errors::NONE));
    }
}

#[test]
fn metadata_that_is_too_long_hurts_its_partition_only() {
    // G5: 4096 characters are kept, 4097 are not.
    let mut world = World::new();
    let with = |partition, metadata: String| Position {
        metadata: Some(metadata),
        leader_epoch: 4,
        ..at(partition, 1)
    };
    let positions = vec![with(0, "x".repeat(4_097)), with(1, "é".repeat(4_096))];
    let each = world
        .groups
        .commit(world.now, "g", &Who::NOBODY, 8, positions);
    assert_eq!(
        each,
        Ok(vec![errors::OFFSET_METADATA_TOO_LARGE, errors::NONE])
    );
    let found = world.groups.fetch("g", None, false);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].partition,
            found[0].leader_epoch,
            found[0].metadata.chars().count()
        ),
        (1, 4, 4_096)
    );
}

#[test]
fn a_transaction_without_a_member_gets_into_an_active_group() {
    // G2.
    let (mut world, _) = World::of_one();
    assert_eq!(world.stage_bare(9, 5), accepted());
    assert_eq!(
        world.committed(false),
        (-1, errors::NONE),
        "not before the marker"
    );
    world.groups.complete(9, true);
    assert_eq!(world.committed(true), (5, errors::NONE));
    let who = Who {
        member: "made-up",
        instance: None,
        generation: 1,
    };
    assert_eq!(
        world.groups.stage(world.now, 9, "g", &who, vec![at(0, 6)]),
        Err(errors::UNKNOWN_MEMBER_ID),
        "one that names a member must be right"
    );
}

#[test]
fn require_stable_shows_what_a_transaction_holds() {
    // G11.
    let mut world = World::new();
    assert_eq!(world.commit_bare(1), accepted());
    assert_eq!(world.stage_bare(9, 5), accepted());
    assert_eq!(world.committed(false), (1, errors::NONE));
    assert_eq!(world.committed(true), (-1, errors::UNSTABLE_OFFSET_COMMIT));
    assert_eq!(
        world.groups.fetch("g", Some(&[("t".to_owned(), 1)]), true)[0].error,
        errors::NONE,
        "another partition"
    );
    assert_eq!(
        world.groups.fetch("h", Some(&[("t".to_owned(), 0)]), true)[0].error,
        errors::NONE,
        "another group"
    );
    world.groups.complete(8, true);
    assert_eq!(
        world.committed(true).1,
        errors::UNSTABLE_OFFSET_COMMIT,
        "another producer"
    );
    world.groups.complete(9, false);
    assert_eq!(world.committed(true), (1, errors::NONE));
}

#[test]
fn the_later_commit_counts_and_not_the_later_marker() {
    let mut world = World::new();
    assert_eq!(world.stage_bare(9, 5), accepted());
    assert_eq!(world.commit_bare(7), accepted());
    world.groups.complete(9, true);
    assert_eq!(world.committed(true), (7, errors::NONE));
    assert_eq!(world.stage_bare(9, 3), accepted());
    world.groups.complete(9, true);
    assert_eq!(
        world.committed(true),
        (3, errors::NONE),
        "nothing forbids going back"
    );
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    // G7, pending ones included.
    let mut world = World::new();
    assert_eq!(world.commit_bare(5), accepted());
    let other = Position {
        topic: "u".to_owned(),
        ..at(0, 6)
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &Who::NOBODY, 8, vec![other]),
        accepted()
    );
    assert_eq!(world.stage_bare(9, 7), accepted());
    world.groups.delete_topic("t");
    assert_eq!(world.committed(true), (-1, errors::NONE));
    world.groups.complete(9, true);
    let found = world.groups.fetch("g", None, true);
    assert_eq!(
        found
            .iter()
            .map(|one| (one.topic.as_str(), one.offset))
            .collect::<Vec<_>>(),
        [("u", 6)]
    );
}

#[test]
fn only_empty_groups_are_deleted() {
    let (mut world, id) = World::of_one();
    let who = Who {
        member: &id,
        instance: None,
        generation: 1,
    };
    assert_eq!(
        world.groups.commit(world.now, "g", &who, 8, vec![at(0, 9)]),
        accepted()
    );
    assert_eq!(world.groups.delete(world.now, "g"), errors::NON_EMPTY_GROUP);
    assert_eq!(
        world.groups.delete(world.now, "h"),
        errors::GROUP_ID_NOT_FOUND
    );
    let leaving = Leaving {
        member: id,
        instance: None,
    };
    assert_eq!(world.groups.leave(world.now, "g", &[leaving]), accepted());
    assert_eq!(world.groups.delete(world.now, "g"), errors::NONE);
    assert_eq!(
        (world.phase(), world.committed(false)),
        (None, (-1, errors::NONE))
    );
}

#[test]
fn offsets_are_deleted_unless_somebody_reads_the_topic() {
    let (mut world, id) = World::of_one();
    let who = Who {
        member: &id,
        instance: None,
        generation: 1,
    };
    let other = Position {
        topic: "u".to_owned(),
        ..at(0, 6)
    };
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &who, 8, vec![at(0, 9), other]),
        Ok(vec![0, 0])
    );
    let both = [("t".to_owned(), 0), ("u".to_owned(), 0)];
    let each = world.groups.delete_offsets(world.now, "g", &both);
    assert_eq!(
        each,
        Ok(vec![errors::GROUP_SUBSCRIBED_TO_TOPIC, errors::NONE])
    );
    assert_eq!(world.groups.fetch("g", None, false).len(), 1);
    world.later(10_000);
    assert_eq!(
        world.groups.delete_offsets(world.now, "g", &both),
        Ok(vec![0, 0]),
        "Empty"
    );
    assert!(world.groups.fetch("g", None, false).is_empty());
    assert_eq!(
        world.groups.delete_offsets(world.now, "h", &both),
        Err(errors::GROUP_ID_NOT_FOUND)
    );
    let mut connect = World::who("");
    connect.protocol_type = "connect".to_owned();
    connect.version = 3;
    now(world.join(connect));
    assert_eq!(
        world.groups.delete_offsets(world.now, "g", &both),
        Err(errors::NON_EMPTY_GROUP)
    );
}

#[test]
fn commits_of_nothing_are_taken() {
    let mut world = World::new();
    assert_eq!(
        world
            .groups
            .commit(world.now, "g", &Who::NOBODY, 8, Vec::new()),
        DONE
    );
}
