//! What access rules allow, which filters find them, and which are refused.

use super::{
    operation::{ALL, ALTER, ALTER_CONFIGS, DELETE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE},
    resource::{CLUSTER, GROUP, TOPIC},
    *,
};

fn rule(permission: i8, principal: &str, operation: i8, pattern: i8, name: &str) -> Acl {
    Acl {
        resource: TOPIC,
        name: name.to_owned(),
        pattern,
        principal: principal.to_owned(),
        host: "*".to_owned(),
        operation,
        permission,
    }
}

fn with(rules: &[Acl]) -> Acls {
    let mut acls = Acls {
        enforced: true,
        super_users: vec!["User:admin".to_owned()],
        ..Acls::default()
    };
    for rule in rules {
        acls.create(rule.clone()).expect("a good rule");
    }
    acls
}

#[test]
fn without_an_authorizer_everything_is_allowed() {
    let mut acls = with(&[rule(DENY, EVERYBODY, ALL, LITERAL, "*")]);
    assert!(!acls.allows("User:a", READ, TOPIC, "t"));
    acls.enforced = false;
    assert!(acls.allows("User:a", READ, TOPIC, "t"));
}

#[test]
fn literal_prefixed_and_wildcard() {
    let acls = with(&[
        rule(ALLOW, "User:a", READ, LITERAL, "orders"),
        rule(ALLOW, "User:b", READ, PREFIXED, "ord"),
        rule(ALLOW, "User:c", READ, LITERAL, "*"),
    ]);
    let reads = |user: &str, topic: &str| acls.allows(user, READ, TOPIC, topic);
    assert_eq!(
        (
            reads("User:a", "orders"),
            reads("User:a", "orders2"),
            reads("User:a", "ord")
        ),
        (true, false, false)
    );
    assert_eq!(
        (
            reads("User:b", "orders"),
            reads("User:b", "ord"),
            reads("User:b", "or")
        ),
        (true, true, false)
    );
    assert_eq!(
        (reads("User:c", "anything"), reads("User:d", "orders")),
        (true, false)
    );
    assert!(
        !acls.allows("User:c", READ, GROUP, "orders"),
        "another type"
    );
    assert!(
        !acls.allows("User:a", WRITE, TOPIC, "orders"),
        "another operation"
    );
}

#[test]
fn what_denies_wins_wherever_it_stands() {
    for deny in [
        rule(DENY, "User:a", READ, LITERAL, "orders"),
        rule(DENY, EVERYBODY, READ, LITERAL, "*"),
        rule(DENY, "User:a", ALL, PREFIXED, "o"),
    ] {
        let acls = with(&[rule(ALLOW, "User:a", ALL, LITERAL, "orders"), deny.clone()]);
        assert!(!acls.allows("User:a", READ, TOPIC, "orders"), "{deny:?}");
        assert!(
            acls.allows("User:admin", READ, TOPIC, "orders"),
            "a super user"
        );
    }
    let acls = with(&[
        rule(ALLOW, "User:a", ALL, LITERAL, "orders"),
        rule(DENY, "User:b", ALL, LITERAL, "orders"),
    ]);
    assert!(
        acls.allows("User:a", READ, TOPIC, "orders"),
        "denied to another"
    );
}

#[test]
fn describing_is_implied_by_what_allows_only() {
    for operation in [READ, WRITE, DELETE, ALTER] {
        assert!(
            with(&[rule(ALLOW, "User:a", operation, LITERAL, "t")])
                .allows("User:a", DESCRIBE, TOPIC, "t")
        );
        let denied = with(&[
            rule(ALLOW, "User:a", DESCRIBE, LITERAL, "t"),
            rule(DENY, "User:a", operation, LITERAL, "t"),
        ]);
        assert!(denied.allows("User:a", DESCRIBE, TOPIC, "t"));
    }
    let acls = with(&[rule(ALLOW, "User:a", ALTER_CONFIGS, LITERAL, "t")]);
    assert!(acls.allows("User:a", DESCRIBE_CONFIGS, TOPIC, "t"));
    assert!(!acls.allows("User:a", DESCRIBE, TOPIC, "t"));
    assert!(
        !with(&[rule(ALLOW, "User:a", DESCRIBE, LITERAL, "t")]).allows("User:a", READ, TOPIC, "t")
    );
}

#[test]
fn everyone_is_let_in_only_where_there_is_no_rule_at_all() {
    let mut acls = with(&[rule(ALLOW, "User:a", READ, PREFIXED, "ord")]);
    acls.everyone_if_none = true;
    assert!(acls.allows("User:b", READ, TOPIC, "payments"));
    assert!(
        !acls.allows("User:b", READ, TOPIC, "orders"),
        "there is a rule, for another"
    );
    acls.everyone_if_none = false;
    assert!(!acls.allows("User:b", READ, TOPIC, "payments"));
}

#[test]
fn rules_for_other_hosts_do_not_count() {
    let mut elsewhere = rule(ALLOW, "User:a", READ, LITERAL, "t");
    elsewhere.host = "10.0.0.1".to_owned();
    assert!(!with(&[elsewhere.clone()]).allows("User:a", READ, TOPIC, "t"));
    elsewhere.host = HOST.to_owned();
    assert!(with(&[elsewhere]).allows("User:a", READ, TOPIC, "t"));
}

#[test]
fn any_topic_unless_all_of_them_are_denied() {
    let allow = rule(ALLOW, "User:a", WRITE, PREFIXED, "ord");
    assert!(with(std::slice::from_ref(&allow)).allows_any("User:a", WRITE, TOPIC));
    assert!(!with(std::slice::from_ref(&allow)).allows_any("User:b", WRITE, TOPIC));
    for (deny, any) in [
        (rule(DENY, "User:a", WRITE, LITERAL, "orders"), true),
        (rule(DENY, "User:a", WRITE, PREFIXED, "o"), false),
        (rule(DENY, EVERYBODY, ALL, LITERAL, "*"), false),
    ] {
        assert_eq!(
            with(&[allow.clone(), deny.clone()]).allows_any("User:a", WRITE, TOPIC),
            any,
            "{deny:?}"
        );
    }
    assert!(with(&[]).allows_any("User:admin", WRITE, TOPIC));
}

#[test]
fn operations_are_a_bit_each() {
    let acls = with(&[rule(ALLOW, "User:a", READ, LITERAL, "t")]);
    assert_eq!(
        acls.operations("User:a", TOPIC, "t"),
        1 << READ | 1 << DESCRIBE
    );
    assert_eq!(
        acls.operations("User:admin", GROUP, "g"),
        1 << READ | 1 << DESCRIBE | 1 << DELETE
    );
}

#[test]
fn the_same_rule_twice_is_one() {
    let same = rule(ALLOW, "User:a", READ, LITERAL, "t");
    assert_eq!(
        with(&[same.clone(), same]).matching(&Filter::all()).len(),
        1
    );
}

#[test]
fn senseless_rules_are_refused() {
    let good = rule(ALLOW, "User:a", READ, LITERAL, "t");
    let refused = |change: &dyn Fn(&mut Acl)| {
        let mut acl = good.clone();
        change(&mut acl);
        Acls::default().create(acl).err().map(|(code, _)| code)
    };
    assert_eq!(refused(&|_| {}), None);
    let wrong: [&dyn Fn(&mut Acl); 8] = [
        &|acl| acl.name.clear(),
        &|acl| acl.resource = ANY,
        &|acl| acl.resource = CLUSTER,
        &|acl| acl.pattern = MATCH,
        &|acl| acl.operation = ANY,
        &|acl| acl.operation = 99,
        &|acl| acl.permission = ANY,
        &|acl| acl.principal = "a".to_owned(),
    ];
    for (at, change) in wrong.iter().enumerate() {
        assert_eq!(refused(*change), Some(errors::INVALID_REQUEST), "{at}");
    }
}

#[test]
fn filters() {
    let mut acls = with(&[
        rule(ALLOW, "User:a", READ, LITERAL, "orders"),
        rule(DENY, "User:b", WRITE, PREFIXED, "ord"),
        rule(ALLOW, "User:a", READ, LITERAL, "*"),
        Acl {
            resource: GROUP,
            ..rule(ALLOW, "User:a", READ, LITERAL, "orders")
        },
    ]);
    let count = |change: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::all();
        change(&mut filter);
        acls.matching(&filter).len()
    };
    let topic = |filter: &mut Filter, pattern: i8, name: &str| {
        filter.resource = TOPIC;
        filter.pattern = pattern;
        filter.name = Some(name.to_owned());
    };
    assert_eq!(count(&|_| {}), 4);
    assert_eq!(count(&|filter| filter.resource = GROUP), 1);
    assert_eq!(
        count(&|filter| filter.principal = Some("User:b".to_owned())),
        1
    );
    assert_eq!(
        count(&|filter| filter.host = Some("10.0.0.1".to_owned())),
        0
    );
    assert_eq!(count(&|filter| filter.operation = READ), 3);
    assert_eq!(count(&|filter| filter.permission = DENY), 1);
    assert_eq!(count(&|filter| filter.pattern = PREFIXED), 1);
    assert_eq!(count(&|filter| topic(filter, LITERAL, "orders")), 1);
    assert_eq!(
        count(&|filter| topic(filter, MATCH, "orders")),
        3,
        "literal, prefixed, wildcard"
    );
    assert_eq!(count(&|filter| topic(filter, MATCH, "or")), 1, "wildcard");
    assert_eq!(
        count(&|filter| topic(filter, ANY, "ord")),
        1,
        "whatever its pattern, but this name"
    );
    assert_eq!(count(&|filter| topic(filter, LITERAL, "ord")), 0);
    let mut filter = Filter::all();
    topic(&mut filter, MATCH, "orders");
    assert_eq!(acls.delete(&filter).len(), 3);
    assert_eq!(acls.matching(&Filter::all()).len(), 1);
    filter.operation = 99;
    assert!(filter.is_unknown() && !Filter::all().is_unknown());
}
