//! Committed offsets: probe 11 and rules G1 to G5, G7, G11.

use kafka_protocol::messages::{
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    *,
};

use uuid::Uuid;

use super::{
    Rule, World, code,
    codes::*,
    groups::{group, joining, syncing},
    is,
    line::*,
};

pub const RULES: &[Rule] = &[
    (
        "G1: a bare commit into an absent and an empty group",
        absent_and_empty,
    ),
    ("G1: a bare commit into an active group is refused", active),
    ("members commit in their generation only", generations),
    (
        "probe 11: made-up members and generations without one",
        made_up,
    ),
    ("probe 11: values are not checked", values),
    (
        "G5: metadata that is too long, and a leader epoch that is kept",
        metadata,
    ),
    ("G3: topics and partitions must exist", unknown),
    ("a static member's commit is fenced", fenced),
    (
        "OffsetFetch: all of a group, of groups that are not there",
        fetched,
    ),
    ("OffsetDelete: not what somebody reads", deleted),
    ("G7: a deleted topic takes its offsets along", topic_gone),
];

/// A commit of one partition.
fn position(partition: i32, offset: i64) -> OffsetCommitRequestPartition {
    OffsetCommitRequestPartition::default()
        .with_partition_index(partition)
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("")))
}

/// Who commits: member, generation.
pub type Who<'a> = (&'a str, i32);

pub const BARE: Who<'static> = ("", -1);

impl Line {
    fn commit_each(
        &mut self,
        g: &str,
        t: &str,
        who: Who<'_>,
        instance: Option<&str>,
        each: Vec<OffsetCommitRequestPartition>,
    ) -> Vec<i16> {
        let one = OffsetCommitRequestTopic::default()
            .with_name(topic(t))
            .with_partitions(each);
        let request = OffsetCommitRequest::default()
            .with_group_id(group(g))
            .with_member_id(text(who.0))
            .with_generation_id_or_member_epoch(who.1)
            .with_group_instance_id(instance.map(text))
            .with_topics(vec![one]);
        let answer = self.ask(8, &request);
        let each = answer.topics.iter().flat_map(|one| &one.partitions);
        // In whatever order they were answered.
        let mut each: Vec<_> = each
            .map(|one| (one.partition_index, one.error_code))
            .collect();
        each.sort_unstable();
        each.into_iter().map(|one| one.1).collect()
    }

    pub fn commit(&mut self, g: &str, t: &str, who: Who<'_>, offset: i64) -> i16 {
        self.commit_each(g, t, who, None, vec![position(0, offset)])[0]
    }

    /// OffsetFetch of partition 0: offset and code.
    pub fn committed(&mut self, g: &str, t: &str, stable: bool) -> (i64, i16) {
        let one = OffsetFetchRequestTopics::default()
            .with_name(topic(t))
            .with_partition_indexes(vec![0]);
        let one = OffsetFetchRequestGroup::default()
            .with_group_id(group(g))
            .with_topics(Some(vec![one]));
        let request = OffsetFetchRequest::default()
            .with_groups(vec![one])
            .with_require_stable(stable);
        let answer = self.ask(8, &request);
        let one = &answer.groups[0].topics[0].partitions[0];
        (one.committed_offset, one.error_code)
    }
}

fn absent_and_empty(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    is("before", line.committed(&g, &t, true), (-1, NONE));
    code("absent", line.commit(&g, &t, BARE, 5), NONE);
    line.is_in_state(&g, "Empty");
    code("empty", line.commit(&g, &t, BARE, 3), NONE);
    is("it counts", line.committed(&g, &t, true), (3, NONE));
    let other = world.unique("group");
    let me = line.alone(&other);
    line.leave(&other, &[(&me, None)]);
    line.is_in_state(&other, "Empty");
    code("left", line.commit(&other, &t, BARE, 9), NONE);
    is("it counts", line.committed(&other, &t, true), (9, NONE));
}

fn active(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    let me = line.enter(&g);
    line.ask(9, &joining(&g, &me, None));
    code(
        "CompletingRebalance",
        line.commit(&g, &t, BARE, 5),
        UNKNOWN_MEMBER_ID,
    );
    line.ask(5, &syncing(&g, &me, 1, &[]));
    code("Stable", line.commit(&g, &t, BARE, 5), UNKNOWN_MEMBER_ID);
    let mut other = Line::to(world);
    let second = other.enter(&g);
    other.send(9, &joining(&g, &second, None)).expect("sent");
    line.is_in_state(&g, "PreparingRebalance");
    code(
        "PreparingRebalance",
        line.commit(&g, &t, BARE, 5),
        UNKNOWN_MEMBER_ID,
    );
    is("nothing", line.committed(&g, &t, true), (-1, NONE));
}

fn generations(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    let me = line.enter(&g);
    line.ask(9, &joining(&g, &me, None));
    code(
        "while the leader assigns",
        line.commit(&g, &t, (&me, 1), 1),
        REBALANCE_IN_PROGRESS,
    );
    line.ask(5, &syncing(&g, &me, 1, &[]));
    code("well", line.commit(&g, &t, (&me, 1), 4), NONE);
    for generation in [0, 2, -1] {
        let seen = line.commit(&g, &t, (&me, generation), 7);
        code("another generation", seen, ILLEGAL_GENERATION);
    }
    code(
        "a stranger",
        line.commit(&g, &t, ("made-up", 1), 7),
        UNKNOWN_MEMBER_ID,
    );
    let mut other = Line::to(world);
    let second = other.enter(&g);
    other.send(9, &joining(&g, &second, None)).expect("sent");
    line.is_in_state(&g, "PreparingRebalance");
    code("while others join", line.commit(&g, &t, (&me, 1), 5), NONE);
    is("it counts", line.committed(&g, &t, true), (5, NONE));
}

fn made_up(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    code(
        "absent, with a generation",
        line.commit(&g, &t, ("", 0), 1),
        ILLEGAL_GENERATION,
    );
    let one = OffsetCommitRequestTopic::default()
        .with_name(topic(&t))
        .with_partitions(vec![position(0, 1)]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group(&g))
        .with_generation_id_or_member_epoch(0)
        .with_topics(vec![one]);
    let seen = line.ask(9, &request).topics[0].partitions[0].error_code;
    // 3.9's older coordinator says what it said before.
    let expected = if world.is_41() {
        GROUP_ID_NOT_FOUND
    } else {
        ILLEGAL_GENERATION
    };
    code("in version 9", seen, expected);
    code(
        "absent, made up",
        line.commit(&g, &t, ("made-up", -1), 1),
        NONE,
    );
    code(
        "empty, made up",
        line.commit(&g, &t, ("made-up", -1), 2),
        NONE,
    );
    code(
        "empty, with a generation",
        line.commit(&g, &t, ("", 0), 3),
        UNKNOWN_MEMBER_ID,
    );
    code(
        "both",
        line.commit(&g, &t, ("made-up", 1), 3),
        UNKNOWN_MEMBER_ID,
    );
    is("what counts", line.committed(&g, &t, true), (2, NONE));
    code("no group", line.commit("", &t, BARE, 3), NONE);
}

fn values(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    for offset in [i64::MAX, 3, 0, -1, -5] {
        code("taken", line.commit(&g, &t, BARE, offset), NONE);
        is("as it was", line.committed(&g, &t, true), (offset, NONE));
    }
}

fn metadata(world: &World) {
    let (mut line, t) = Line::with_topic(world, 3);
    let g = world.unique("group");
    let with = |partition, metadata: String| {
        let one = position(partition, 1).with_committed_leader_epoch(4);
        one.with_committed_metadata(Some(text(&metadata)))
    };
    let each = vec![
        with(0, "x".repeat(4_097)),
        with(1, "é".repeat(4_096)),
        with(2, String::new()),
    ];
    let seen = line.commit_each(&g, &t, BARE, None, each);
    is(
        "each its own",
        seen,
        vec![OFFSET_METADATA_TOO_LARGE, NONE, NONE],
    );
    let one = OffsetFetchRequestGroup::default()
        .with_group_id(group(&g))
        .with_topics(None);
    let answer = line.ask(8, &OffsetFetchRequest::default().with_groups(vec![one]));
    let mut found: Vec<_> = answer.groups[0].topics[0]
        .partitions
        .iter()
        .map(|one| {
            let length = one.metadata.as_deref().map(|it| it.chars().count());
            (one.partition_index, one.committed_leader_epoch, length)
        })
        .collect();
    found.sort_unstable();
    is("kept", found, vec![(1, 4, Some(4_096)), (2, 4, Some(0))]);
}

fn unknown(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    let seen = line.commit_each(&g, &t, BARE, None, vec![position(9, 1), position(0, 1)]);
    is("partitions", seen, vec![NONE, UNKNOWN_TOPIC_OR_PARTITION]);
    let nowhere = world.unique("nowhere");
    code(
        "a topic",
        line.commit(&g, &nowhere, BARE, 1),
        UNKNOWN_TOPIC_OR_PARTITION,
    );
    is(
        "nothing of it",
        line.committed(&g, &nowhere, true),
        (-1, NONE),
    );
}

fn fenced(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    let i = Some("i-1");
    let old = line.ask(9, &joining(&g, "", i)).member_id.to_string();
    line.ask(5, &syncing(&g, &old, 1, &[]));
    let new = line.ask(9, &joining(&g, "", i)).member_id.to_string();
    let mut commit =
        |member: &str| line.commit_each(&g, &t, (member, 1), i, vec![position(0, 5)])[0];
    code("the old one", commit(&old), FENCED_INSTANCE_ID);
    code("the new one", commit(&new), NONE);
}

fn fetched(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let (g, absent) = (world.unique("group"), world.unique("group"));
    let both = vec![position(0, 5), position(1, 6)];
    is(
        "taken",
        line.commit_each(&g, &t, BARE, None, both),
        vec![NONE; 2],
    );
    let of = |name: &str| {
        OffsetFetchRequestGroup::default()
            .with_group_id(group(name))
            .with_topics(None)
    };
    let request = OffsetFetchRequest::default().with_groups(vec![of(&g), of(&absent)]);
    let mut answer = line.ask(8, &request);
    answer.groups.sort_by_key(|one| one.group_id.as_str() != g);
    let mut found: Vec<_> = answer.groups[0]
        .topics
        .iter()
        .flat_map(|one| &one.partitions)
        .map(|one| {
            (
                one.partition_index,
                one.committed_offset,
                one.committed_leader_epoch,
            )
        })
        .collect();
    found.sort_unstable();
    is("all", found, vec![(0, 5, -1), (1, 6, -1)]);
    let other = &answer.groups[1];
    is("absent", (other.error_code, other.topics.len()), (NONE, 0));
}

fn deleted(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let delete = |g: &str, t: &str, line: &mut Line| {
        let one = OffsetDeleteRequestPartition::default().with_partition_index(0);
        let one = OffsetDeleteRequestTopic::default()
            .with_name(topic(t))
            .with_partitions(vec![one]);
        let request = OffsetDeleteRequest::default()
            .with_group_id(group(g))
            .with_topics(vec![one]);
        let answer = line.ask(0, &request);
        let each = answer.topics.iter().flat_map(|one| &one.partitions);
        (
            answer.error_code,
            each.map(|one| one.error_code).collect::<Vec<_>>(),
        )
    };
    let (_, t) = Line::with_topic(world, 1);
    is(
        "no group",
        delete(&g, &t, &mut line),
        (GROUP_ID_NOT_FOUND, vec![]),
    );
    code("committed", line.commit(&g, &t, BARE, 5), NONE);
    is("well", delete(&g, &t, &mut line), (NONE, vec![NONE]));
    is("gone", line.committed(&g, &t, true), (-1, NONE));
    let nowhere = world.unique("nowhere");
    let active = world.unique("group");
    let me = line.alone(&active);
    code("a member's", line.commit(&active, &t, (&me, 1), 5), NONE);
    let seen = delete(&active, &t, &mut line);
    is("not what it reads", seen, (NONE, vec![NONE]));
    let seen = delete(&active, &nowhere, &mut line);
    is("nowhere", seen, (NONE, vec![UNKNOWN_TOPIC_OR_PARTITION]));
}

fn topic_gone(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (_, other) = Line::with_topic(world, 1);
    let g = world.unique("group");
    code("committed", line.commit(&g, &t, BARE, 5), NONE);
    code("committed", line.commit(&g, &other, BARE, 6), NONE);
    code("deleted", line.delete(Some(&t), Uuid::nil()), NONE);
    let seen = settled(|| line.committed(&g, &t, true), |seen| seen.0 == -1);
    is("gone", seen, (-1, NONE));
    is(
        "the other stays",
        line.committed(&g, &other, true),
        (6, NONE),
    );
}
