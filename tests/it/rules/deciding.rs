//! Access rules: which of them decide.

use super::{Rule, World, batches::*, code, codes::*, is, line::*, rights::*};

pub const RULES: &[Rule] = &[
    ("access rules: what denies wins", denied),
    ("access rules: prefixes, for all, for everyone", patterns),
    ("access rules: super users need none", super_user),
    (
        "access rules: IDEMPOTENT_WRITE, or WRITE of any topic",
        idempotent,
    ),
];

impl Line {
    /// May this connection read, write and describe a topic? At once or soon.
    #[track_caller]
    fn may(&mut self, what: &str, t: &str, expected: (bool, bool, bool)) {
        let look = || {
            let yes = |code| code != TOPIC_AUTHORIZATION_FAILED;
            let read = yes(self.fetch(t, 0, false).error_code);
            let write = yes(self.produce(t, batch(NOBODY, -1, 1)).0);
            (read, write, yes(self.describe(t).error_code))
        };
        let seen = settled(look, |seen| *seen == expected);
        is(what, seen, expected);
    }
}

fn denied(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let who = world.user();
    let mut they = Line::of(world, &who);
    they.may("nothing is allowed", &t, (false, false, false));
    line.give(&[allow(&who, TOPIC, &t, ALL)]);
    they.may("everything is", &t, (true, true, true));
    line.give(&[deny(&who, TOPIC, &t, WRITE)]);
    they.may("but to write", &t, (true, false, true));
    line.give(&[deny(&who, TOPIC, &t, DESCRIBE)]);
    they.may("or to describe", &t, (true, false, false));
    line.give(&[deny("*", TOPIC, &t, READ)]);
    they.may("nobody reads", &t, (false, false, false));
    line.take(&of("*").with_resource_name_filter(Some(text(&t))));
    line.take(&of(&who).with_permission_type(DENY));
    they.may("as before", &t, (true, true, true));
    line.give(&[rule(&who, (TOPIC, &t[..4], PREFIXED), WRITE).with_permission_type(DENY)]);
    they.may("a prefix is as good", &t, (true, false, true));
    line.give(&[deny(&who, TOPIC, "*", ALL)]);
    they.may("all is for all", &t, (false, false, false));
}

fn patterns(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let who = world.user();
    let mut they = Line::of(world, &who);
    line.give(&[
        rule(&who, (TOPIC, &t[1..], PREFIXED), READ),
        rule(&who, (TOPIC, &format!("{t}x"), PREFIXED), READ),
        allow(&who, TOPIC, &t[..6], READ),
        allow(&who, GROUP, &t, READ),
        allow(&who, TOPIC, &t, READ).with_host(text("10.0.0.1")),
        allow(&who.to_uppercase(), TOPIC, &t, READ),
        allow(&who, TOPIC, &t, READ).with_principal(text(&format!("Group:{who}"))),
    ]);
    they.may("none of these is it", &t, (false, false, false));
    line.give(&[rule(&who, (TOPIC, &t, PREFIXED), READ)]);
    they.may("a whole name as prefix", &t, (true, false, true));
    line.give(&[allow(&who, TOPIC, "*", WRITE)]);
    line.take(&of(&who).with_operation(READ));
    they.may("for all topics", &t, (false, true, true));
    line.take(&of(&who));
    they.may("nothing is left", &t, (false, false, false));
    // Not WRITE: whoever may write to any topic may do more than that.
    line.give(&[allow("*", TOPIC, &t, READ).with_host(text("127.0.0.1"))]);
    they.may("for everyone from here", &t, (true, false, true));
}

fn super_user(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    line.give(&[deny("admin", TOPIC, &t, ALL), deny("*", TOPIC, &t, ALL)]);
    line.may("denied, and does it", &t, (true, true, true));
}

fn idempotent(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("rule");
    let who = world.user();
    let mut they = Line::of(world, &who);
    let mut check = |what: &str, expected: i16| {
        let seen = settled(|| they.init(None, NOBODY).0, |seen| *seen == expected);
        code(what, seen, expected);
    };
    check("nothing", CLUSTER_AUTHORIZATION_FAILED);
    line.give(&[allow(&who, TOPIC, &t, READ), allow(&who, TOPIC, &t, CREATE)]);
    check("other rights", CLUSTER_AUTHORIZATION_FAILED);
    line.give(&[allow(&who, TOPIC, &t, WRITE)]);
    check("a topic that does not exist", NONE);
    line.give(&[rule(&who, (TOPIC, &t[..4], PREFIXED), WRITE).with_permission_type(DENY)]);
    check("which is denied", CLUSTER_AUTHORIZATION_FAILED);
    line.give(&[rule(&who, (TOPIC, &t[..3], PREFIXED), WRITE)]);
    check("where more is allowed than denied", NONE);
    line.give(&[deny(&who, TOPIC, "*", ALL)]);
    check("all are denied", CLUSTER_AUTHORIZATION_FAILED);
    line.give(&[allow(&who, CLUSTER, "kafka-cluster", IDEMPOTENT_WRITE)]);
    check("of the cluster", NONE);
}
