//! Rebalances: who causes one, who does not, and what those hear who wait.

use kafka_protocol::messages::*;

use super::{
    Rule, World, code,
    codes::*,
    groups::{group, joining, syncing},
    is,
    line::*,
};

pub const RULES: &[Rule] = &[
    ("a leader that joins again causes a rebalance", leader_again),
    (
        "a follower that joins again unchanged does not",
        follower_again,
    ),
    (
        "a follower that wants something else does",
        follower_changed,
    ),
    (
        "a sync before the leader's waits, and hears of a rebalance",
        waiting_sync,
    ),
    ("the protocol all members know is chosen", common_protocol),
    ("a member that leaves while it waits", leaves_while_waiting),
    ("ConsumerGroupDescribe: no classic groups", not_of_that_kind),
    ("a group of one in each version", each_version),
];

/// Two members in a stable group: their lines and names, the leader first. Generation 2.
fn two(world: &World, g: &str) -> ((Line, String), (Line, String)) {
    let (mut a, mut b) = (Line::to(world), Line::to(world));
    let first = a.alone(g);
    let second = b.enter(g);
    b.send(9, &joining(g, &second, None)).expect("sent");
    let asked = settled(|| a.beat(g, &first, 1, None), |code| *code != NONE);
    code("asked to join", asked, REBALANCE_IN_PROGRESS);
    is(
        "joined",
        a.ask(9, &joining(g, &first, None)).generation_id,
        2,
    );
    let joined = b.receive::<JoinGroupRequest>(9).expect("an answer");
    is("joined", joined.generation_id, 2);
    let parts: [(&str, &'static [u8]); 2] = [(&first, b"left"), (&second, b"right")];
    code(
        "synced",
        a.ask(5, &syncing(g, &first, 2, &parts)).error_code,
        NONE,
    );
    code(
        "synced",
        b.ask(5, &syncing(g, &second, 2, &[])).error_code,
        NONE,
    );
    ((a, first), (b, second))
}

fn leader_again(world: &World) {
    let g = world.unique("group");
    let ((mut a, first), (mut b, second)) = two(world, &g);
    a.send(9, &joining(&g, &first, None)).expect("sent");
    let asked = settled(|| b.beat(&g, &second, 2, None), |code| *code != NONE);
    code("the other is asked", asked, REBALANCE_IN_PROGRESS);
    let joined = b.ask(9, &joining(&g, &second, None));
    is(
        "the next",
        (joined.error_code, joined.generation_id),
        (NONE, 3),
    );
    let joined = a.receive::<JoinGroupRequest>(9).expect("an answer");
    is(
        "it leads",
        (joined.generation_id, joined.leader.as_str()),
        (3, &*first),
    );
}

fn follower_again(world: &World) {
    let g = world.unique("group");
    let ((mut a, first), (mut b, second)) = two(world, &g);
    let joined = b.ask(9, &joining(&g, &second, None));
    is(
        "at once",
        (joined.error_code, joined.generation_id),
        (NONE, 2),
    );
    let synced = b.ask(5, &syncing(&g, &second, 2, &[]));
    is("its part", &synced.assignment[..], &b"right"[..]);
    code("nobody is asked", a.beat(&g, &first, 2, None), NONE);
}

fn follower_changed(world: &World) {
    let g = world.unique("group");
    let ((mut a, first), (mut b, second)) = two(world, &g);
    let mut changed = joining(&g, &second, None);
    changed.protocols[0].metadata = bytes::Bytes::from_static(b"\0\0\0\0\0\0\xff\xff\xff\xff");
    b.send(9, &changed).expect("sent");
    let asked = settled(|| a.beat(&g, &first, 2, None), |code| *code != NONE);
    code("the leader is asked", asked, REBALANCE_IN_PROGRESS);
    a.ask(9, &joining(&g, &first, None));
    let joined = b.receive::<JoinGroupRequest>(9).expect("an answer");
    is(
        "the next",
        (joined.error_code, joined.generation_id),
        (NONE, 3),
    );
}

fn waiting_sync(world: &World) {
    let g = world.unique("group");
    let ((mut a, first), (mut b, second)) = two(world, &g);
    a.send(9, &joining(&g, &first, None)).expect("sent");
    settled(|| b.beat(&g, &second, 2, None), |code| *code != NONE);
    b.ask(9, &joining(&g, &second, None));
    a.receive::<JoinGroupRequest>(9).expect("an answer");
    // The leader never assigns; a third one comes.
    b.send(5, &syncing(&g, &second, 3, &[])).expect("sent");
    let mut c = Line::to(world);
    let third = c.enter(&g);
    c.send(9, &joining(&g, &third, None)).expect("sent");
    let synced = b.receive::<SyncGroupRequest>(5).expect("an answer");
    code("who waits hears", synced.error_code, REBALANCE_IN_PROGRESS);
    b.send(9, &joining(&g, &second, None)).expect("sent");
    let joined = a.ask(9, &joining(&g, &first, None));
    is(
        "all three",
        (joined.generation_id, joined.members.len()),
        (4, 3),
    );
}

fn common_protocol(world: &World) {
    let (mut a, mut b) = (Line::to(world), Line::to(world));
    let g = world.unique("group");
    let knows = |member: &str, names: &[&str]| {
        let mut request = joining(&g, member, None);
        let one = request.protocols.remove(0);
        let all = names.iter().map(|name| one.clone().with_name(text(name)));
        request.protocols = all.collect();
        request
    };
    let first = a.ask(9, &knows("", &["x", "y", "z"])).member_id.to_string();
    let joined = a.ask(9, &knows(&first, &["x", "y", "z"]));
    is("its own first", joined.protocol_name.as_deref(), Some("x"));
    let second = b.ask(9, &knows("", &["z", "y"])).member_id.to_string();
    b.send(9, &knows(&second, &["z", "y"])).expect("sent");
    settled(|| a.beat(&g, &first, 1, None), |code| *code != NONE);
    let joined = a.ask(9, &knows(&first, &["x", "z", "y"]));
    let other = b.receive::<JoinGroupRequest>(9).expect("an answer");
    is("what both know", joined.protocol_name.as_deref(), Some("z"));
    is("told to both", other.protocol_name, joined.protocol_name);
}

fn leaves_while_waiting(world: &World) {
    let (mut a, mut b) = (Line::to(world), Line::to(world));
    let g = world.unique("group");
    let first = a.alone(&g);
    let second = b.enter(&g);
    b.send(9, &joining(&g, &second, None)).expect("sent");
    settled(|| a.beat(&g, &first, 1, None), |code| *code != NONE);
    is(
        "it leaves",
        a.leave(&g, &[(&second, None)]),
        (NONE, vec![NONE]),
    );
    let joined = b.receive::<JoinGroupRequest>(9).expect("an answer");
    code("what it hears", joined.error_code, UNKNOWN_MEMBER_ID);
    let joined = a.ask(9, &joining(&g, &first, None));
    is(
        "alone again",
        (joined.generation_id, joined.members.len()),
        (2, 1),
    );
}

fn not_of_that_kind(world: &World) {
    world.only(&[super::Release::V4_1], "off by default in 3.9");
    let mut line = Line::to(world);
    let g = world.unique("group");
    line.alone(&g);
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group(&g)]);
    let answer = line.ask(0, &request);
    code("described", answer.groups[0].error_code, GROUP_ID_NOT_FOUND);
}

fn each_version(world: &World) {
    let mut line = Line::to(world);
    for version in 0..=9 {
        let g = world.unique("group");
        let mut request = joining(&g, "", None);
        if version == 0 {
            request.rebalance_timeout_ms = -1;
        }
        let mut joined = line.ask(version, &request);
        let first = if version >= 4 {
            MEMBER_ID_REQUIRED
        } else {
            NONE
        };
        code(&format!("join {version}"), joined.error_code, first);
        if joined.error_code == MEMBER_ID_REQUIRED {
            request.member_id = joined.member_id;
            joined = line.ask(version, &request);
        }
        let seen = (
            joined.error_code,
            joined.generation_id,
            joined.members.len(),
        );
        is(&format!("joined {version}"), seen, (NONE, 1, 1));
        let me = joined.member_id.to_string();
        let older = version.min(5);
        let mut request = syncing(&g, &me, 1, &[(&me, b"all")]);
        if older < 5 {
            (request.protocol_type, request.protocol_name) = (None, None);
        }
        let synced = line.ask(older, &request);
        let seen = (synced.error_code, &synced.assignment[..]);
        is(&format!("sync {older}"), seen, (NONE, &b"all"[..]));
        let older = version.min(4);
        let request = HeartbeatRequest::default()
            .with_group_id(group(&g))
            .with_member_id(text(&me))
            .with_generation_id(1);
        code(
            &format!("heartbeat {older}"),
            line.ask(older, &request).error_code,
            NONE,
        );
        line.is_in_state(&g, "Stable");
        let older = version.min(5);
        let described = DescribeGroupsRequest::default().with_groups(vec![group(&g)]);
        let described = line.ask(older, &described).groups.remove(0);
        is(&format!("describe {older}"), described.members.len(), 1);
        let listed = line.ask(older, &ListGroupsRequest::default()).groups;
        let listed = listed.iter().any(|one| one.group_id.as_str() == g);
        is(&format!("list {older}"), listed, true);
        let mut leave = LeaveGroupRequest::default().with_group_id(group(&g));
        if older >= 3 {
            let one = leave_group_request::MemberIdentity::default().with_member_id(text(&me));
            leave.members = vec![one];
        } else {
            leave.member_id = text(&me);
        }
        code(
            &format!("leave {older}"),
            line.ask(older, &leave).error_code,
            NONE,
        );
        line.is_in_state(&g, "Empty");
    }
}
