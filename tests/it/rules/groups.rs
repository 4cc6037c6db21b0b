//! Classic groups: joining, syncing, heartbeats, leaving, static members, listing.

use bytes::Bytes;

use kafka_protocol::messages::{
    join_group_request::JoinGroupRequestProtocol, leave_group_request::MemberIdentity,
    sync_group_request::SyncGroupRequestAssignment, *,
};

use super::{Rule, World, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("JoinGroup: an id is given first, from version 4 on", join),
    ("JoinGroup: what is refused", refused_joins),
    (
        "SyncGroup and Heartbeat: members and generations",
        generations,
    ),
    (
        "two members: a rebalance, assignments, a leave",
        two_members,
    ),
    ("DescribeGroups, ListGroups, DeleteGroups", listed),
];

pub fn group(name: &str) -> GroupId {
    GroupId(text(name))
}

pub fn joining(g: &str, member: &str, instance: Option<&str>) -> JoinGroupRequest {
    let range = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"));
    JoinGroupRequest::default()
        .with_group_id(group(g))
        .with_member_id(text(member))
        .with_group_instance_id(instance.map(text))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![range])
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
}

pub fn syncing(
    g: &str,
    member: &str,
    generation: i32,
    to: &[(&str, &'static [u8])],
) -> SyncGroupRequest {
    let assignments = to.iter().map(|(member, what)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(what))
    });
    SyncGroupRequest::default()
        .with_group_id(group(g))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignments(assignments.collect())
}

impl Line {
    pub fn beat(&mut self, g: &str, member: &str, generation: i32, instance: Option<&str>) -> i16 {
        let request = HeartbeatRequest::default()
            .with_group_id(group(g))
            .with_member_id(text(member))
            .with_group_instance_id(instance.map(text))
            .with_generation_id(generation);
        self.ask(4, &request).error_code
    }

    /// The id that a first join is told to come back with.
    pub fn enter(&mut self, g: &str) -> String {
        let refused = self.ask(9, &joining(g, "", None));
        code("a first join", refused.error_code, MEMBER_ID_REQUIRED);
        refused.member_id.to_string()
    }

    /// One member that is in a stable group of generation 1.
    pub fn alone(&mut self, g: &str) -> String {
        let me = self.enter(g);
        let joined = self.ask(9, &joining(g, &me, None));
        is(
            "joined",
            (joined.error_code, joined.generation_id),
            (NONE, 1),
        );
        let synced = self.ask(5, &syncing(g, &me, 1, &[(&me, b"all")]));
        code("synced", synced.error_code, NONE);
        me
    }

    pub fn leave(&mut self, g: &str, who: &[(&str, Option<&str>)]) -> (i16, Vec<i16>) {
        let each = who.iter().map(|(member, instance)| {
            MemberIdentity::default()
                .with_member_id(text(member))
                .with_group_instance_id(instance.map(text))
        });
        let request = LeaveGroupRequest::default()
            .with_group_id(group(g))
            .with_members(each.collect());
        let answer = self.ask(5, &request);
        let each = answer.members.iter().map(|one| one.error_code);
        (answer.error_code, each.collect())
    }

    /// Is a group in this state, at once or soon?
    #[track_caller]
    pub fn is_in_state(&mut self, g: &str, expected: &str) {
        let request = DescribeGroupsRequest::default().with_groups(vec![group(g)]);
        let look = || self.ask(5, &request).groups[0].group_state.to_string();
        // Every ten minutes 3.9 clears away what is empty and holds no offset.
        let cleared = |seen: &str| expected == "Empty" && seen == "Dead";
        let seen = settled(look, |seen| seen == expected || cleared(seen));
        if !cleared(&seen) {
            is("its state", seen.as_str(), expected);
        }
    }
}

fn join(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let me = line.enter(&g);
    is("named after the client", me.starts_with("rules-"), true);
    let joined = line.ask(9, &joining(&g, &me, None));
    is(
        "joined",
        (joined.error_code, joined.generation_id),
        (NONE, 1),
    );
    is("who leads", joined.leader.as_str(), &*me);
    is("its members", joined.members.len(), 1);
    let protocol = joined.protocol_name.map(|name| name.to_string());
    is("its protocol", protocol.as_deref(), Some("range"));
    let g = world.unique("group");
    let joined = line.ask(3, &joining(&g, "", None));
    is(
        "version 3",
        (joined.error_code, joined.generation_id),
        (NONE, 1),
    );
}

fn refused_joins(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let mut refused = |what: &str, request: JoinGroupRequest, expected| {
        let seen = line.ask(9, &request);
        code(what, seen.error_code, expected);
    };
    refused("no group", joining("", "", None), INVALID_GROUP_ID);
    let short = joining(&g, "", None).with_session_timeout_ms(5_999);
    refused("a short session", short, INVALID_SESSION_TIMEOUT);
    let long = joining(&g, "", None).with_session_timeout_ms(1_800_001);
    refused("a long session", long, INVALID_SESSION_TIMEOUT);
    refused(
        "a made-up member",
        joining(&g, "made-up", None),
        UNKNOWN_MEMBER_ID,
    );
    let none = joining(&g, "", None).with_protocols(vec![]);
    refused("no protocol", none, INCONSISTENT_GROUP_PROTOCOL);
    line.alone(&g);
    let mut other = joining(&g, "", None);
    other.protocols[0].name = text("sticky");
    code(
        "another protocol",
        line.ask(9, &other).error_code,
        INCONSISTENT_GROUP_PROTOCOL,
    );
    let other = joining(&g, "", None).with_protocol_type(text("connect"));
    code(
        "another type",
        line.ask(9, &other).error_code,
        INCONSISTENT_GROUP_PROTOCOL,
    );
}

fn generations(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    code(
        "no group",
        line.beat(&g, "made-up", 1, None),
        UNKNOWN_MEMBER_ID,
    );
    let seen = line.ask(5, &syncing(&g, "made-up", 1, &[])).error_code;
    code("no group to sync", seen, UNKNOWN_MEMBER_ID);
    let me = line.enter(&g);
    line.ask(9, &joining(&g, &me, None));
    code("before the sync", line.beat(&g, &me, 1, None), NONE);
    line.is_in_state(&g, "CompletingRebalance");
    let seen = line.ask(5, &syncing(&g, &me, 2, &[])).error_code;
    code("another generation", seen, ILLEGAL_GENERATION);
    let wrong = syncing(&g, &me, 1, &[]).with_protocol_name(Some(text("sticky")));
    code(
        "another protocol",
        line.ask(5, &wrong).error_code,
        INCONSISTENT_GROUP_PROTOCOL,
    );
    let synced = line.ask(5, &syncing(&g, &me, 1, &[(&me, b"all")]));
    is(
        "synced",
        (synced.error_code, &synced.assignment[..]),
        (NONE, &b"all"[..]),
    );
    let again = line.ask(5, &syncing(&g, &me, 1, &[]));
    is(
        "again",
        (again.error_code, &again.assignment[..]),
        (NONE, &b"all"[..]),
    );
    for (what, member, generation, expected) in [
        ("well", &*me, 1, NONE),
        ("an older one", &*me, 0, ILLEGAL_GENERATION),
        ("a newer one", &*me, 2, ILLEGAL_GENERATION),
        ("a stranger", "made-up", 1, UNKNOWN_MEMBER_ID),
        ("nobody", "", 1, UNKNOWN_MEMBER_ID),
    ] {
        code(what, line.beat(&g, member, generation, None), expected);
    }
}

fn two_members(world: &World) {
    let (mut a, mut b) = (Line::to(world), Line::to(world));
    let g = world.unique("group");
    let first = a.alone(&g);
    let second = b.enter(&g);
    code("not yet asked", a.beat(&g, &first, 1, None), NONE);
    b.send(9, &joining(&g, &second, None)).expect("sent");
    let seen = settled(|| a.beat(&g, &first, 1, None), |code| *code != NONE);
    code("asked to join", seen, REBALANCE_IN_PROGRESS);
    a.is_in_state(&g, "PreparingRebalance");
    let seen = a.ask(5, &syncing(&g, &first, 1, &[])).error_code;
    code("a sync then", seen, REBALANCE_IN_PROGRESS);
    let leads = a.ask(9, &joining(&g, &first, None));
    let follows = b.receive::<JoinGroupRequest>(9).expect("an answer");
    is(
        "generations",
        (leads.generation_id, follows.generation_id),
        (2, 2),
    );
    is(
        "members told",
        (leads.members.len(), follows.members.len()),
        (2, 0),
    );
    is("who leads", follows.leader.as_str(), &*first);
    b.send(5, &syncing(&g, &second, 2, &[])).expect("sent");
    let parts: [(&str, &'static [u8]); 2] = [(&first, b"left"), (&second, b"right")];
    let left = a.ask(5, &syncing(&g, &first, 2, &parts));
    let right = b.receive::<SyncGroupRequest>(5).expect("an answer");
    let assigned = (&left.assignment[..], &right.assignment[..]);
    is("assignments", assigned, (&b"left"[..], &b"right"[..]));
    code(
        "the old generation",
        a.beat(&g, &first, 1, None),
        ILLEGAL_GENERATION,
    );
    is(
        "the first leaves",
        a.leave(&g, &[(&first, None)]),
        (NONE, vec![NONE]),
    );
    code("it is gone", a.beat(&g, &first, 2, None), UNKNOWN_MEMBER_ID);
    code(
        "the second hears",
        b.beat(&g, &second, 2, None),
        REBALANCE_IN_PROGRESS,
    );
    let joined = b.ask(9, &joining(&g, &second, None));
    is(
        "and leads",
        (joined.generation_id, joined.leader.as_str()),
        (3, &*second),
    );
}

fn listed(world: &World) {
    let mut line = Line::to(world);
    let (g, absent) = (world.unique("group"), world.unique("group"));
    let me = line.alone(&g);
    line.is_in_state(&g, "Stable");
    let request = DescribeGroupsRequest::default().with_groups(vec![group(&g), group(&absent)]);
    let answer = line.ask(5, &request);
    // In whatever order.
    let found = |answer: &DescribeGroupsResponse, name: &str| {
        let one = answer
            .groups
            .iter()
            .find(|one| one.group_id.as_str() == name);
        one.expect("an answer for each").clone()
    };
    let one = found(&answer, &g);
    is(
        "described",
        (one.error_code, one.group_state.as_str()),
        (NONE, "Stable"),
    );
    is(
        "its kind",
        (one.protocol_type.as_str(), one.protocol_data.as_str()),
        ("consumer", "range"),
    );
    is("its member", one.members[0].member_id.as_str(), &*me);
    is("its client", one.members[0].client_id.as_str(), "rules");
    is(
        "its part",
        &one.members[0].member_assignment[..],
        &b"all"[..],
    );
    let other = found(&answer, &absent);
    is(
        "absent",
        (other.error_code, other.group_state.as_str()),
        (NONE, "Dead"),
    );
    if world.is_41() {
        let answer = line.ask(6, &request);
        code(
            "absent, version 6",
            found(&answer, &absent).error_code,
            GROUP_ID_NOT_FOUND,
        );
    }
    let mut list = |states: &[&str]| {
        let states = states.iter().map(|state| text(state)).collect();
        let request = ListGroupsRequest::default().with_states_filter(states);
        let answer = line.ask(4, &request);
        let found = answer.groups.iter().find(|one| one.group_id.as_str() == g);
        found.map(|one| (one.group_state.to_string(), one.protocol_type.to_string()))
    };
    let stable = Some(("Stable".to_owned(), "consumer".to_owned()));
    is("listed", list(&[]), stable.clone());
    is("among the stable", list(&["Stable"]), stable.clone());
    is("in small letters", list(&["stable"]), stable);
    is("not among the empty", list(&["Empty"]), None);
    let mut delete = |name: &str| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group(name)]);
        line.ask(2, &request).results[0].error_code
    };
    code("deleted while active", delete(&g), NON_EMPTY_GROUP);
    code("deleted while absent", delete(&absent), GROUP_ID_NOT_FOUND);
    line.leave(&g, &[(&me, None)]);
    let mut delete = |name: &str| {
        let request = DeleteGroupsRequest::default().with_groups_names(vec![group(name)]);
        line.ask(2, &request).results[0].error_code
    };
    code("deleted", delete(&g), NONE);
    line.is_in_state(&g, "Dead");
}
