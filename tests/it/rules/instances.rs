//! Static members (KIP-345): who takes over, who is fenced, who is removed.

use super::{
    Rule, World, code,
    codes::*,
    groups::{joining, syncing},
    is,
    line::*,
};

pub const RULES: &[Rule] = &[
    (
        "static members: a restart takes over, the old one is fenced",
        fenced,
    ),
    ("LeaveGroup: by instance id, and of strangers", leaving),
];

fn fenced(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let i = Some("i-1");
    let joined = line.ask(9, &joining(&g, "", i));
    is(
        "no id first",
        (joined.error_code, joined.generation_id),
        (NONE, 1),
    );
    let old = joined.member_id.to_string();
    is("named after it", old.starts_with("i-1-"), true);
    line.ask(5, &syncing(&g, &old, 1, &[(&old, b"all")]));
    let again = line.ask(9, &joining(&g, "", i));
    is(
        "a restart",
        (again.error_code, again.generation_id),
        (NONE, 1),
    );
    is(
        "KIP-814",
        (again.skip_assignment, again.leader == again.member_id),
        (true, true),
    );
    let new = again.member_id.to_string();
    is("another id", new == old, false);
    line.is_in_state(&g, "Stable");
    let synced = line.ask(
        5,
        &syncing(&g, &new, 1, &[]).with_group_instance_id(i.map(text)),
    );
    is(
        "as before",
        (synced.error_code, &synced.assignment[..]),
        (NONE, &b"all"[..]),
    );
    code(
        "the old one beats",
        line.beat(&g, &old, 1, i),
        FENCED_INSTANCE_ID,
    );
    code(
        "without its name",
        line.beat(&g, &old, 1, None),
        UNKNOWN_MEMBER_ID,
    );
    code(
        "the old one joins",
        line.ask(9, &joining(&g, &old, i)).error_code,
        FENCED_INSTANCE_ID,
    );
    let request = syncing(&g, &old, 1, &[]).with_group_instance_id(i.map(text));
    code(
        "the old one syncs",
        line.ask(5, &request).error_code,
        FENCED_INSTANCE_ID,
    );
    code(
        "an unknown name",
        line.beat(&g, &new, 1, Some("i-2")),
        UNKNOWN_MEMBER_ID,
    );
    code("the new one beats", line.beat(&g, &new, 1, i), NONE);
}

fn leaving(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let absent = line.leave(&g, &[("made-up", None)]);
    is("no group", absent, (NONE, vec![UNKNOWN_MEMBER_ID]));
    let i = Some("i-1");
    let me = line.ask(9, &joining(&g, "", i)).member_id.to_string();
    line.ask(5, &syncing(&g, &me, 1, &[]));
    let strangers = [("", Some("i-2")), ("made-up", i), ("made-up", None)];
    let seen = line.leave(&g, &strangers);
    let expected = vec![UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, UNKNOWN_MEMBER_ID];
    is("strangers", seen, (NONE, expected));
    line.is_in_state(&g, "Stable");
    is(
        "by its name",
        line.leave(&g, &[("", i)]),
        (NONE, vec![NONE]),
    );
    line.is_in_state(&g, "Empty");
}
