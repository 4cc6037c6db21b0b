//! Access rules follow the source: never wider than there, what lets an application write after its cutover, and nobody else's are touched.

use std::{collections::BTreeSet, sync::OnceLock};

use kafka_migrate::{
    cluster::Target,
    engine::{ledger::positions::Holder, sync},
    model::connection::{Auth, Connection},
};

use super::{PATIENCE, eager, engine, events, wait_until_it_says};
use crate::support::{
    kafka::{Kafka, MIGRATOR},
    load::Load,
    read, secure_pair, shared_pair,
    tool::{Access, Migration},
    unique, wait,
};

const READ: i8 = 3;
const WRITE: i8 = 4;
const ALL: i8 = 2;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const DENY: i8 = 2;
const ALLOW: i8 = 3;

/// Two clusters that decide by access rules.
pub fn guarded() -> (&'static Kafka, &'static Kafka) {
    static PAIR: OnceLock<(Kafka, Kafka)> = OnceLock::new();
    let (source, target) = PAIR.get_or_init(|| secure_pair("rules"));
    (source, target)
}

pub fn allow(kafka: &Kafka, principal: &str, resource: (i8, &str, i8), operation: i8) {
    let made = kafka.wire().allow(principal, resource, operation);
    made.expect("the broker answers").expect("it is made");
}

/// Rules on what begins so, whoever made them.
pub fn rules(kafka: &Kafka, beginning: &str) -> BTreeSet<String> {
    let rules = kafka.wire().access_rules(beginning);
    rules.expect("the broker answers").into_iter().collect()
}

/// As `access_rules` tells them.
fn rule(principal: &str, resource: (i8, &str, i8), operation: i8, permission: i8) -> String {
    let (kind, name, pattern) = resource;
    format!(
        "{kind} {name} {pattern} {:?} {:?} {operation} {permission}",
        Some(principal),
        Some("*")
    )
}

#[track_caller]
fn wait_until_they_are(kafka: &Kafka, beginning: &str, wanted: &[String]) {
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    let mut found = BTreeSet::new();
    let are = wait::whether(PATIENCE, || {
        found = rules(kafka, beginning);
        found == wanted
    });
    assert!(are, "found {found:#?}\nwanted {wanted:#?}");
}

/// Lets an application write on one side, as the commands that move it do.
fn let_write(kafka: &Kafka, migration: &Migration, application: &str, side: Holder) -> Vec<String> {
    let settings = Connection {
        side: kafka_migrate::model::names::Side::Target,
        bootstrap: kafka.bootstrap(),
        auth: Auth::None,
        tls: None,
        connect_timeout: PATIENCE,
        request_timeout: PATIENCE,
    };
    let runtime = tokio::runtime::Runtime::new().expect("it starts");
    runtime.block_on(async {
        let target = Target::connect(&settings).await.expect("it connects");
        let asked = sync::let_write(&target, &migration.name, application, side, "a test");
        let answered = asked.await.expect("it is asked");
        assert_eq!((answered.answered, answered.shards), (1, 1), "{answered:?}");
        answered.said
    })
}

#[test]
fn rules_are_made_as_they_are_no_wider_than_the_scope_and_writing_waits() {
    let (source, target) = guarded();
    let name = unique("rules");
    let [one, two] = ["1", "2"].map(|number| format!("{name}-t{number}"));
    for topic in [&one, &two] {
        source.create_topic(topic, 1, &[]);
    }
    // Not in scope, and reached by a rule that is.
    let beyond = format!("{name}-beyond");
    source.create_topic(&beyond, 1, &[]);
    let (inside, group) = (format!("{name}-t"), format!("{name}-g"));
    allow(source, "User:reader", (TOPIC, &one, LITERAL), READ);
    allow(source, "User:reader", (GROUP, &group, LITERAL), READ);
    allow(source, "User:tail", (TOPIC, &inside, PREFIXED), READ);
    allow(source, "User:wide", (TOPIC, &name, PREFIXED), READ);
    allow(source, "User:beyond", (TOPIC, &beyond, LITERAL), READ);
    allow(source, "User:app", (TOPIC, &one, LITERAL), WRITE);
    allow(source, "User:app", (TOPIC, &two, LITERAL), ALL);
    allow(source, "User:other", (TOPIC, &one, LITERAL), WRITE);
    let denied = source.wire().deny("User:bad", (TOPIC, &one, LITERAL), READ);
    denied.expect("the broker answers").expect("it is made");
    let from = source.wire().rule_from(
        ("User:near", "10.0.0.7"),
        (TOPIC, &one, LITERAL),
        READ,
        ALLOW,
    );
    from.expect("the broker answers").expect("it is made");
    // Somebody's own on the target: one of them the same as on the source.
    allow(target, "User:hand", (TOPIC, &one, LITERAL), READ);
    allow(target, "User:reader", (TOPIC, &one, LITERAL), READ);

    let access = (Access::Plain(source), Access::Plain(target));
    let migration = Migration::new(&name, access.0, access.1, &[&format!("{name}-t*")]);
    eager(&migration);
    migration.edit(
        "[replication]\n",
        &format!(
            "groups = [\"{group}\"]\n\n[[application]]\nname = \"app\"\nprincipals = [\"User:app\"]\nwrites = [\"{one}\", \"{two}\"]\n\n[replication]\n"
        ),
    );
    let tool = engine(&migration);
    let by_hand = rule("User:hand", (TOPIC, &one, LITERAL), READ, ALLOW);
    let always = [
        by_hand.clone(),
        rule("User:reader", (TOPIC, &one, LITERAL), READ, ALLOW),
        rule("User:reader", (GROUP, &group, LITERAL), READ, ALLOW),
        rule("User:tail", (TOPIC, &inside, PREFIXED), READ, ALLOW),
        rule("User:wide", (TOPIC, &one, LITERAL), READ, ALLOW),
        rule("User:wide", (TOPIC, &two, LITERAL), READ, ALLOW),
        rule("User:other", (TOPIC, &one, LITERAL), WRITE, ALLOW),
        rule("User:bad", (TOPIC, &one, LITERAL), READ, DENY),
        rule("User:near", (TOPIC, &one, LITERAL), READ, ALLOW).replace("\"*\"", "\"10.0.0.7\""),
    ];
    let describe_configs = 10;
    let staged = [
        rule("User:app", (TOPIC, &two, LITERAL), READ, ALLOW),
        rule("User:app", (TOPIC, &two, LITERAL), describe_configs, ALLOW),
    ];
    let before = [&always[..], &staged[..]].concat();
    wait_until_they_are(target, &name, &before);
    let said = wait_until_it_says(&migration, "who waits", |said| said["acls_there"] == 10);
    let fates = said["acls"].as_array().expect("a list").iter();
    let mut fates: Vec<&str> = fates.filter_map(|one| one["fate"].as_str()).collect();
    fates.sort_unstable();
    assert_eq!(fates, ["narrowed", "waits", "waits"], "{said:#}");
    assert!(said["acls_elsewhere"].as_u64() >= Some(1), "{said:#}");

    // Its cutover lets it write, at once; its rollback takes that back.
    let released = [
        rule("User:app", (TOPIC, &one, LITERAL), WRITE, ALLOW),
        rule("User:app", (TOPIC, &two, LITERAL), ALL, ALLOW),
    ];
    let after = [&always[..], &released[..]].concat();
    let said = let_write(target, &migration, "app", Holder::Target);
    assert_eq!(
        said,
        ["access rules let app write on the target from now on"]
    );
    assert_eq!(rules(target, &name), after.iter().cloned().collect());
    let_write(target, &migration, "app", Holder::Source);
    assert_eq!(rules(target, &name), before.iter().cloned().collect());
    let_write(target, &migration, "app", Holder::Target);

    // Taken away on the source, it is taken away on the target where it is ours; what stood there before stays.
    for principal in ["User:other", "User:reader"] {
        let operation = if principal == "User:other" {
            WRITE
        } else {
            READ
        };
        let gone = source
            .wire()
            .disallow(principal, (TOPIC, &one, LITERAL), operation);
        gone.expect("the broker answers").expect("it is removed");
    }
    let others = rule("User:other", (TOPIC, &one, LITERAL), WRITE, ALLOW);
    let after: Vec<String> = after.into_iter().filter(|rule| *rule != others).collect();
    wait_until_they_are(target, &name, &after);
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);

    // Another run finds everything as it should be; what somebody removed on the target it does not make again.
    let removed = target
        .wire()
        .disallow("User:tail", (TOPIC, &inside, PREFIXED), READ);
    removed.expect("the broker answers").expect("it is removed");
    let again = migration
        .command(&["--json", "replicate", "--until", "caught-up"])
        .finish();
    again.assert_exit(0);
    let followed = events(&again.stdout, "acls-followed");
    assert!(followed.is_empty(), "{followed:?}");
    let tail = rule("User:tail", (TOPIC, &inside, PREFIXED), READ, ALLOW);
    let after: BTreeSet<String> = after.into_iter().filter(|rule| *rule != tail).collect();
    assert_eq!(rules(target, &name), after);
    let said = super::status(&migration);
    let fates = said["acls"].as_array().expect("a list").iter();
    let reasons: Vec<&str> = fates.filter_map(|one| one["reason"].as_str()).collect();
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("somebody has removed it there")),
        "{said:#}"
    );
}

#[test]
fn without_an_authorizer_on_the_target_records_come_over_and_rules_do_not() {
    let ((source, _), (_, target)) = (guarded(), shared_pair());
    let topic = unique("unguarded");
    source.create_topic(&topic, 1, &[]);
    allow(source, "User:a", (TOPIC, &topic, LITERAL), READ);
    let migration = Migration::of_topic(source, target, &topic);
    migration.catch_up();
    let said = super::status(&migration);
    let troubles = said["troubles"].to_string();
    assert!(
        troubles.contains("the target has no authorizer"),
        "{said:#}"
    );
    assert_eq!(said["acls_there"], 0, "{said:#}");
}

#[test]
fn killed_around_making_rules_it_knows_which_are_its_own() {
    let (source, target) = guarded();
    let topic = unique("rules-killed");
    source.create_topic(&topic, 1, &[]);
    let resource = (TOPIC, &*topic, LITERAL);
    allow(source, "User:a", resource, READ);
    let denied = source.wire().deny("User:b", resource, READ);
    denied.expect("the broker answers").expect("it is made");
    let migration = Migration::of_topic(source, target, &topic);
    let crash = |step: &str| {
        let crashed = migration
            .command(&["replicate", "--until", "caught-up"])
            .env("KAFKA_MIGRATE_CRASH_AT", step)
            .finish();
        assert_eq!(crashed.code(), None, "{step}: {crashed}");
        rules(target, &topic)
    };
    let allowing = rule("User:a", resource, READ, ALLOW);
    let denying = rule("User:b", resource, READ, DENY);
    assert_eq!(
        crash("rules-recorded:1"),
        BTreeSet::new(),
        "on record before they are made"
    );
    assert_eq!(
        crash("rules-made:1"),
        BTreeSet::from([denying.clone()]),
        "what denies is first"
    );
    assert_eq!(crash("rules-recorded:1"), BTreeSet::from([denying.clone()]));
    assert_eq!(crash("rules-made:1"), BTreeSet::from([allowing, denying]));
    // Whatever it was killed at: what it made it removes.
    let gone = source.wire().disallow("User:a", resource, READ);
    gone.expect("the broker answers").expect("it is removed");
    let gone = source.wire().undeny("User:b", resource, READ);
    gone.expect("the broker answers").expect("it is removed");
    migration.catch_up();
    assert_eq!(rules(target, &topic), BTreeSet::new());
}

#[test]
fn without_the_rights_records_come_over_and_it_is_said_what_is_missing() {
    let (source, target) = guarded();
    let topic = unique("rules-rights");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 50);
    let us = format!("User:{}", MIGRATOR.0);
    let ours = format!("kafka-migrate.{topic}.");
    let (create, delete, alter, describe, describe_configs, alter_configs) = (5, 6, 7, 8, 10, 11);
    for operation in [
        READ,
        WRITE,
        create,
        alter,
        describe,
        describe_configs,
        alter_configs,
    ] {
        allow(target, &us, (TOPIC, &topic, LITERAL), operation);
    }
    for operation in [READ, WRITE, create, delete, describe, describe_configs] {
        allow(target, &us, (TOPIC, &ours, PREFIXED), operation);
    }
    for operation in [WRITE, describe] {
        allow(target, &us, (5, &ours, PREFIXED), operation);
    }
    let by_hand = rules(target, &topic);
    allow(source, "User:a", (TOPIC, &topic, LITERAL), READ);
    let migration = Migration::new(
        &topic,
        Access::Plain(source),
        Access::Secure(target, "scram-sha-512"),
        &[&topic],
    );
    migration.catch_up();
    read::assert_same(source, target, &topic);
    let said = super::status(&migration);
    assert!(
        said["troubles"].to_string().contains("DescribeAcls"),
        "{said:#}"
    );
    // To see rules is not yet to make them.
    allow(target, &us, (4, "kafka-cluster", LITERAL), describe);
    migration.catch_up();
    let said = super::status(&migration);
    assert_eq!(said["acls"][0]["fate"], "refused", "{said:#}");
    assert_eq!(
        (&said["acls_there"], &said["acls_ours"]),
        (&0.into(), &0.into()),
        "{said:#}"
    );
    assert_eq!(rules(target, &topic), by_hand);
    // It is printed what gives the right.
    let said = migration.run(&["--json", "preflight"]).stdout;
    assert!(
        said.contains("can-carry-acls") && said.contains("--operation Alter --cluster"),
        "{said}"
    );
    allow(target, &us, (4, "kafka-cluster", LITERAL), alter);
    migration.catch_up();
    let made = BTreeSet::from([rule("User:a", (TOPIC, &topic, LITERAL), READ, ALLOW)]);
    assert_eq!(&rules(target, &topic) - &by_hand, made);
}

#[test]
fn a_cutover_lets_its_application_write_and_a_rollback_takes_that_back() {
    let (source, target) = guarded();
    let topic = unique("released");
    source.create_topic(&topic, 1, &[]);
    Load::to(&[(&topic, 1)]).fill(source, 20);
    let resource = (TOPIC, &*topic, LITERAL);
    allow(source, "User:app", resource, WRITE);
    let migration = Migration::of_topic(source, target, &topic);
    eager(&migration);
    migration.edit(
        "[replication]\n",
        &format!(
            "\n[ready]\nhold = \"1s\"\n\n[[application]]\nname = \"app\"\nprincipals = [\"User:app\"]\nwrites = [{topic:?}]\n\n[replication]\ntwo_way = true\n"
        ),
    );
    let tool = engine(&migration);
    migration
        .run(&["ready", "--app", "app", "--wait", "2m"])
        .assert_exit(0);
    assert_eq!(rules(target, &topic), BTreeSet::new());
    let writes = rule("User:app", resource, WRITE, ALLOW);
    for (command, there, wanted) in [
        ("cutover", target, vec![writes]),
        ("rollback", source, Vec::new()),
    ] {
        let quick = ["--quiet-for", "500ms", "--confirm", &migration.name];
        let moving = migration
            .command(&[&[command, "--app", "app"][..], &quick].concat())
            .start();
        wait_until_they_are(target, &topic, &wanted);
        // It is started there by hand.
        wait::until("it may be started", PATIENCE, || {
            moving.said().contains("nothing of it was seen on the")
        });
        Load::to(&[(&topic, 1)]).fill(there, 20);
        moving.wait(PATIENCE).assert_exit(0);
    }
    tool.interrupt();
    tool.wait(PATIENCE).assert_exit(130);
}

#[test]
fn a_login_with_scram_that_the_target_lacks_is_named() {
    let (source, target) = guarded();
    let user = unique("only-here");
    let made = source
        .java("-Xmx128m")
        .arg("kafka.admin.ConfigCommand")
        .args(["--bootstrap-server", &source.bootstrap()[0], "--alter"])
        .args(["--entity-type", "users", "--entity-name", &user])
        .args(["--add-config", "SCRAM-SHA-512=[iterations=8192,password=x]"])
        .output();
    let made = made.expect("java runs");
    assert!(made.status.success(), "{made:?}");
    let topic = unique("with-logins");
    source.create_topic(&topic, 1, &[]);
    let migration = Migration::of_topic(source, target, &topic);
    let named = format!("{user}: SCRAM-SHA-512, 8192 iterations");
    let mut said = migration.run(&["preflight"]);
    wait::until("the broker tells it", PATIENCE, || {
        said = migration.run(&["preflight"]);
        said.stdout.contains(&named)
    });
    assert!(said.stdout.contains("G132"), "{said}");
    assert!(said.stdout.contains("passwords cannot be read"), "{said}");
}
