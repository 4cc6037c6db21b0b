//! Access rules: how they are made, kept and found.

use kafka_protocol::messages::{
    create_acls_request::AclCreation, delete_acls_request::DeleteAclsFilter, *,
};

use super::{Rule, World, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("access rules: made, found, deleted", kept),
    ("access rules: what a filter finds", filters),
    ("access rules: what is refused", refused),
    ("access rules: zeros end the connection", zeros),
];

// `ResourceType`.
pub const TOPIC: i8 = 2;
pub const GROUP: i8 = 3;
pub const CLUSTER: i8 = 4;
pub const TRANSACTIONAL_ID: i8 = 5;
// `AclOperation`.
pub const ALL: i8 = 2;
pub const READ: i8 = 3;
pub const WRITE: i8 = 4;
pub const CREATE: i8 = 5;
pub const DELETE: i8 = 6;
pub const ALTER: i8 = 7;
pub const DESCRIBE: i8 = 8;
pub const DESCRIBE_CONFIGS: i8 = 10;
pub const ALTER_CONFIGS: i8 = 11;
pub const IDEMPOTENT_WRITE: i8 = 12;
// `PatternType`, and "any" of every kind.
const ANY: i8 = 1;
const MATCH: i8 = 2;
pub const LITERAL: i8 = 3;
pub const PREFIXED: i8 = 4;
// `AclPermissionType`.
pub const DENY: i8 = 2;
const ALLOW: i8 = 3;

pub fn rule(user: &str, (kind, name, pattern): (i8, &str, i8), operation: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_resource_pattern_type(pattern)
        .with_principal(text(&format!("User:{user}")))
        .with_host(text("*"))
        .with_operation(operation)
        .with_permission_type(ALLOW)
}

/// The rule that lets a user do this to one resource.
pub fn allow(user: &str, kind: i8, name: &str, operation: i8) -> AclCreation {
    rule(user, (kind, name, LITERAL), operation)
}

pub fn deny(user: &str, kind: i8, name: &str, operation: i8) -> AclCreation {
    allow(user, kind, name, operation).with_permission_type(DENY)
}

/// Every rule.
fn any() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}

/// Every rule for somebody.
pub fn of(user: &str) -> DescribeAclsRequest {
    any().with_principal_filter(Some(text(&format!("User:{user}"))))
}

fn as_deletion(filter: &DescribeAclsRequest) -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(filter.resource_type_filter)
        .with_resource_name_filter(filter.resource_name_filter.clone())
        .with_pattern_type_filter(filter.pattern_type_filter)
        .with_principal_filter(filter.principal_filter.clone())
        .with_host_filter(filter.host_filter.clone())
        .with_operation(filter.operation)
        .with_permission_type(filter.permission_type)
}

impl Line {
    pub fn try_give(&mut self, rules: &[AclCreation]) -> Vec<i16> {
        let request = CreateAclsRequest::default().with_creations(rules.to_vec());
        let answer = self.ask(3, &request);
        answer.results.iter().map(|one| one.error_code).collect()
    }

    /// Makes rules and waits until they count: a broker follows its controller.
    pub fn give(&mut self, rules: &[AclCreation]) {
        let made = self.try_give(rules);
        assert_eq!(made, vec![NONE; rules.len()], "the rules are made");
        let look = || self.find(&any()).1;
        let seen = settled(look, |seen| rules.iter().all(|rule| seen.contains(rule)));
        assert!(rules.iter().all(|rule| seen.contains(rule)), "they count");
    }

    /// What a filter finds: the code, and the rules as they would be made.
    pub fn find(&mut self, filter: &DescribeAclsRequest) -> (i16, Vec<AclCreation>) {
        let answer = self.ask(3, filter);
        let each = answer.resources.iter().flat_map(|resource| {
            resource.acls.iter().map(|acl| {
                AclCreation::default()
                    .with_resource_type(resource.resource_type)
                    .with_resource_name(resource.resource_name.clone())
                    .with_resource_pattern_type(resource.pattern_type)
                    .with_principal(acl.principal.clone())
                    .with_host(acl.host.clone())
                    .with_operation(acl.operation)
                    .with_permission_type(acl.permission_type)
            })
        });
        (answer.error_code, each.collect())
    }

    /// Deletes what a filter finds: the code, and how many.
    pub fn take(&mut self, filter: &DescribeAclsRequest) -> (i16, usize) {
        let one = as_deletion(filter);
        let request = DeleteAclsRequest::default().with_filters(vec![one]);
        let answer = self.ask(3, &request);
        let one = &answer.filter_results[0];
        (one.error_code, one.matching_acls.len())
    }
}

fn kept(world: &World) {
    let mut line = Line::to(world);
    let (who, t) = (world.unique("who"), world.unique("rule"));
    let mut made = vec![
        allow(&who, TOPIC, &t, READ),
        deny(&who, TOPIC, &t, WRITE).with_host(text("10.0.0.1")),
        rule(&who, (GROUP, &t, PREFIXED), ALL),
        allow(&who, TRANSACTIONAL_ID, &t, CREATE),
    ];
    line.give(&made);
    line.give(&made[..1]);
    let by = |rule: &AclCreation| (rule.resource_type, rule.operation);
    made.sort_by_key(by);
    let (seen, mut found) = line.find(&of(&who));
    found.sort_by_key(by);
    code("found", seen, NONE);
    is("as they were made, and once", &found, &made);
    let reading = of(&who).with_operation(READ);
    is("one is deleted", line.take(&reading), (NONE, 1));
    is("once", line.take(&reading), (NONE, 0));
    is("the others", line.take(&of(&who)), (NONE, 3));
    let left = settled(|| line.find(&of(&who)), |seen| seen.1.is_empty());
    is("none are left", left, (NONE, vec![]));
}

fn filters(world: &World) {
    let mut line = Line::to(world);
    let (who, t) = (world.unique("who"), world.unique("rule"));
    let long = format!("{t}-long");
    line.give(&[
        allow(&who, TOPIC, &long, READ),
        rule(&who, (TOPIC, &t, PREFIXED), WRITE),
        deny(&who, TOPIC, "*", READ),
        allow(&who, GROUP, &long, READ).with_host(text("127.0.0.1")),
    ]);
    let mut finds = |what: &str, filter: DescribeAclsRequest, expected: usize| {
        let (seen, found) = line.find(&filter);
        is(what, (seen, found.len()), (NONE, expected));
    };
    let named = |name: &str, pattern| {
        of(&who)
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(Some(text(name)))
            .with_pattern_type_filter(pattern)
    };
    finds("all", of(&who), 4);
    finds(
        "all that match anything",
        of(&who).with_pattern_type_filter(MATCH),
        4,
    );
    finds("literal", of(&who).with_pattern_type_filter(LITERAL), 3);
    finds("prefixed", of(&who).with_pattern_type_filter(PREFIXED), 1);
    finds("what covers a name", named(&long, MATCH), 3);
    finds(
        "what covers another",
        named(&format!("{t}-other"), MATCH),
        2,
    );
    finds("a name", named(&long, ANY), 1);
    finds("a literal name", named(&long, LITERAL), 1);
    finds("for all", named("*", LITERAL), 1);
    finds("what covers all", named("*", MATCH), 1);
    finds("a prefix", named(&t, PREFIXED), 1);
    finds("no prefix of its own", named(&long, PREFIXED), 0);
    finds("reads", of(&who).with_operation(READ), 3);
    finds("not what all would hold", of(&who).with_operation(ALL), 0);
    finds("denies", of(&who).with_permission_type(DENY), 1);
    finds("groups", of(&who).with_resource_type_filter(GROUP), 1);
    finds(
        "a host",
        of(&who).with_host_filter(Some(text("127.0.0.1"))),
        1,
    );
    finds("any host", of(&who).with_host_filter(Some(text("*"))), 3);
    is("deleted", line.take(&named(&long, MATCH)), (NONE, 3));
    is("the rest", line.take(&of(&who)), (NONE, 1));
}

fn refused(world: &World) {
    let mut line = Line::to(world);
    let (who, t) = (world.unique("who"), world.unique("rule"));
    let good = || allow(&who, TOPIC, &t, READ);
    let mut check = |what: &str, bad: AclCreation, expected: i16| {
        let seen = line.try_give(&[bad])[0];
        code(what, seen, expected);
    };
    let whole = UNKNOWN_SERVER_ERROR;
    check("any type", good().with_resource_type(ANY), whole);
    check("any pattern", good().with_resource_pattern_type(ANY), whole);
    check("a match", good().with_resource_pattern_type(MATCH), whole);
    check("any operation", good().with_operation(ANY), whole);
    check("any permission", good().with_permission_type(ANY), whole);
    let own = INVALID_REQUEST;
    check("no name", good().with_resource_name(text("")), own);
    check("no such type", good().with_resource_type(99), own);
    check("no such pattern", good().with_resource_pattern_type(9), own);
    check("no such operation", good().with_operation(99), own);
    check("no such permission", good().with_permission_type(9), own);
    check("another cluster", good().with_resource_type(CLUSTER), own);
    check("no principal", good().with_principal(text("")), own);
    check("no colon", good().with_principal(text(&who)), own);
    for other in ["User:", ":x", ":"] {
        let rule = good().with_principal(text(other));
        check("only a colon is asked for", rule, NONE);
    }
    let half = [good().with_operation(99), good()];
    is("one of two", line.try_give(&half), vec![own, NONE]);
    let left = settled(|| line.find(&of(&who)).1.len(), |left| *left == 1);
    is("and the other counts", left, 1);
    let none = [good().with_operation(ANY), good().with_operation(WRITE)];
    is("neither of two", line.try_give(&none), vec![whole; 2]);
    is(
        "unknown",
        line.find(&of(&who).with_operation(99)),
        (NONE, vec![]),
    );
    code("deleted", line.take(&of(&who).with_operation(99)).0, own);
    is("the one", line.take(&of(&who)), (NONE, 1));
}

fn zeros(world: &World) {
    let (who, t) = (world.unique("who"), world.unique("rule"));
    let good = || allow(&who, TOPIC, &t, READ);
    for bad in [
        good().with_resource_type(0),
        good().with_resource_pattern_type(0),
        good().with_operation(0),
        good().with_permission_type(0),
    ] {
        let request = CreateAclsRequest::default().with_creations(vec![good(), bad]);
        let seen = Line::to(world).try_ask(3, &request);
        is("closed", seen.is_err(), true);
    }
    for bad in [
        of(&who).with_resource_type_filter(0),
        of(&who).with_pattern_type_filter(0),
        of(&who).with_operation(0),
        of(&who).with_permission_type(0),
    ] {
        is("closed", Line::to(world).try_ask(3, &bad).is_err(), true);
        let request = DeleteAclsRequest::default().with_filters(vec![as_deletion(&bad)]);
        let seen = Line::to(world).try_ask(3, &request);
        is("closed", seen.is_err(), true);
    }
    is("nothing is made", Line::to(world).find(&of(&who)).1, vec![]);
}
