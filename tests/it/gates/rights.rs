//! Missing rights, found one by one; and what preflight prints to mend them is enough, and is all it takes.

use std::{collections::BTreeSet, thread};

use serde_json::Value;

use super::{
    applications::{commit, member},
    assert_says, preflight,
};
use crate::support::{
    kafka::{Kafka, MIGRATOR, Version},
    load::Load,
    read,
    tool::{Access, Migration},
    unique,
};

const OPERATIONS: [(&str, i8); 8] = [
    ("Read", 3),
    ("Write", 4),
    ("Create", 5),
    ("Delete", 6),
    ("Alter", 7),
    ("Describe", 8),
    ("DescribeConfigs", 10),
    ("AlterConfigs", 11),
];

fn principal() -> String {
    format!("User:{}", MIGRATOR.0)
}

/// Does what a printed line of `kafka-acls` says, through the wire.
fn run_as_printed(kafka: &Kafka, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag)?;
        words.get(at + 1).copied()
    };
    assert_eq!(
        after("--bootstrap-server"),
        Some(&*kafka.secure_bootstrap()[0]),
        "{line}"
    );
    assert_eq!(after("--allow-principal"), Some(&*principal()), "{line}");
    let pattern = if after("--resource-pattern-type") == Some("prefixed") {
        4
    } else {
        3
    };
    let resource = [("--topic", 2), ("--group", 3), ("--transactional-id", 5)]
        .into_iter()
        .find_map(|(flag, kind)| Some((kind, after(flag)?)));
    let (kind, name) = resource.unwrap_or_else(|| {
        assert!(words.contains(&"--cluster"), "{line}");
        (4, "kafka-cluster")
    });
    let mut given = 0;
    for (at, word) in words.iter().enumerate() {
        if *word == "--operation" {
            let (_, operation) = OPERATIONS
                .into_iter()
                .find(|(name, _)| *name == words[at + 1])
                .unwrap_or_else(|| panic!("{line}"));
            allow(kafka, (kind, name, pattern), operation);
            given += 1;
        }
    }
    assert!(given > 0, "{line}");
}

fn allow(kafka: &Kafka, resource: (i8, &str, i8), operation: i8) {
    kafka
        .wire()
        .allow(&principal(), resource, operation)
        .expect("the broker answers")
        .expect("the ACL is taken");
}

fn deny(kafka: &Kafka, resource: (i8, &str, i8), operation: i8) {
    kafka
        .wire()
        .deny(&principal(), resource, operation)
        .expect("the broker answers")
        .expect("the ACL is taken");
}

fn commands(said: &Value) -> BTreeSet<String> {
    let verdicts = said["verdicts"].as_array().expect("there are verdicts");
    let commands = verdicts
        .iter()
        .flat_map(|verdict| verdict["commands"].as_array().expect("a list"));
    commands
        .filter_map(Value::as_str)
        .filter(|line| line.starts_with("kafka-acls "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_login_without_any_right_gets_by_what_is_printed_all_that_a_copy_takes() {
    let (source, target) = thread::scope(|scope| {
        let source = scope.spawn(|| {
            Kafka::spec("acls-source")
                .version(Version::V3_9)
                .secure()
                .start()
        });
        let target = Kafka::spec("acls-target").secure().start();
        (source.join().expect("the source starts"), target)
    });
    for topic in ["orders", "payments"] {
        source.create_topic(topic, 2, &[]);
    }
    target.create_topic("payments", 2, &[]);
    Load::to(&[("orders", 2), ("payments", 2)]).fill(&source, 1000);
    // A group that the source lists as soon as the cluster may be described, and that may not be looked into.
    let billing = member(&source, "billing", &["orders"]);
    commit(&billing, "orders", 1);
    drop(billing);
    let name = unique("acls");
    let migration = Migration::new(
        &name,
        Access::Secure(&source, "scram-sha-512"),
        Access::Secure(&target, "scram-sha-256"),
        &["orders", "payments"],
    );
    super::with_groups(&migration, &["*"]);

    // Fresh brokers on a busy machine may be slow to take their first logins.
    crate::support::wait::until(
        "both take the login",
        std::time::Duration::from_secs(120),
        || {
            let said = super::document(&migration.run(&["--json", "preflight"]));
            super::verdict(&said, "G101")["verdict"] == "pass"
        },
    );
    let said = preflight(&migration, 3);
    assert_says(&said, "G120", "block", &["orders, payments"]);
    assert_says(
        &said,
        "G110",
        "block",
        &[&format!("kafka-migrate.{name}.forward.")],
    );
    assert_says(&said, "G109", "block", &["no Create, Write, Read, Delete"]);
    assert_says(&said, "G111", "unknown", &["Describe the cluster"]);
    // Printed lines are run until nothing more is printed.
    let mut rounds = 0;
    let mut said = said;
    loop {
        let lines = commands(&said);
        if lines.is_empty() {
            break;
        }
        rounds += 1;
        assert!(rounds < 6, "it goes on and on: {said:#}");
        for line in &lines {
            let kafka = if line.contains(&source.secure_bootstrap()[0]) {
                &source
            } else {
                &target
            };
            run_as_printed(kafka, line);
        }
        // An ACL may take a moment to reach the broker.
        crate::support::wait::until(
            "the lines take effect",
            std::time::Duration::from_secs(30),
            || {
                let finished = migration.run(&["--json", "preflight"]);
                said = super::document(&finished);
                commands(&said).is_disjoint(&lines)
            },
        );
    }
    super::assert_held_up_by(&said, &[]);
    assert_says(&said, "G122", "pass", &["5 batches, 1 broker"]);
    assert_says(&said, "G125", "pass", &["source 1/1, target 1/1"]);
    assert_says(&said, "G126", "pass", &["target: nobody may touch"]);
    migration.catch_up();
    for topic in ["orders", "payments"] {
        read::assert_same(&source, &target, topic);
    }
    // What must not be missing is found when it is taken away again, one by one. Others see a missing DescribeConfigs at run time only.
    let [
        read,
        write,
        delete,
        describe,
        describe_configs,
        alter_configs,
    ] = [3, 4, 6, 8, 10, 11];
    let group = "billing";
    let ledger = format!("kafka-migrate.{name}.forward");
    migration.edit("groups = [\"*\"]", &format!("groups = [{group:?}]"));
    deny(&source, (2, "orders", 3), describe_configs);
    deny(&source, (2, "payments", 3), read);
    deny(&source, (3, group, 3), describe);
    deny(&target, (2, "orders", 3), write);
    deny(&target, (2, &ledger, 3), delete);
    deny(&target, (5, &format!("{ledger}."), 4), write);
    deny(&target, (3, group, 3), read);
    deny(&target, (2, "payments", 3), alter_configs);
    let probe = format!("kafka-migrate.{name}.probe");
    deny(&target, (2, &probe, 3), delete);
    let mut said = Value::Null;
    crate::support::wait::until(
        "all of it is denied",
        std::time::Duration::from_secs(60),
        || {
            said = super::document(&migration.run(&["--json", "preflight"]));
            ["G106", "G108", "G109", "G110", "G111", "G128"]
                .iter()
                .all(|code| super::verdict(&said, code)["verdict"] == "block")
                && super::verdict(&said, "G122")["verdict"] == "unknown"
                && super::verdict(&said, "G127")["verdict"] == "warn"
        },
    );
    assert_says(
        &said,
        "G106",
        "block",
        &["orders: no DescribeConfigs", "payments: no Read"],
    );
    assert_says(&said, "G108", "block", &["orders: no Write"]);
    assert_says(&said, "G109", "block", &[&format!("{ledger}: no Delete")]);
    assert_says(&said, "G110", "block", &[&format!("{ledger}.*")]);
    assert_says(&said, "G111", "block", &[group]);
    assert_says(&said, "G128", "block", &[group]);
    assert_says(&said, "G127", "warn", &["payments: no AlterConfigs"]);
    // None is made that could not be removed again.
    assert_says(
        &said,
        "G122",
        "unknown",
        &[&format!("no Delete on {probe}")],
    );
    assert!(!target.metadata().topics.contains_key(&probe));
}

/// Brokers keep the setting to themselves; what it does shows all the same.
#[test]
fn a_source_that_allows_everyone_what_no_acl_forbids_is_told_from_a_target_that_does_not() {
    let (source, strict) = thread::scope(|scope| {
        let source = scope.spawn(|| {
            Kafka::spec("allows-everyone")
                .secure()
                .set("allow.everyone.if.no.acl.found", "true")
                .start()
        });
        let strict = Kafka::spec("allows-nobody").secure().start();
        (source.join().expect("the source starts"), strict)
    });
    let (_, target) = super::pair();
    for kafka in [&source, &strict] {
        kafka.create_topic("orders", 1, &[]);
    }
    let between = |source, target| Migration::new(&unique("everyone"), source, target, &["orders"]);
    let secure = |kafka| Access::Secure(kafka, "scram-sha-512");
    let until = |migration: &Migration, answer: &str| {
        let mut said = Value::Null;
        crate::support::wait::until(answer, std::time::Duration::from_secs(120), || {
            said = super::document(&migration.run(&["--json", "preflight"]));
            super::verdict(&said, "G126")["verdict"] == answer
        });
        said
    };
    let migration = between(secure(&source), Access::Plain(target));
    // Without any ACL at all this login may do what a super user may.
    let told = until(&migration, "unknown");
    assert_says(&told, "G126", "unknown", &["as a super user may"]);
    for operation in [3, 8, 10] {
        for kafka in [&source, &strict] {
            allow(kafka, (2, "orders", 3), operation);
        }
    }
    let told = until(&migration, "block");
    assert_says(
        &told,
        "G126",
        "block",
        &["source: everyone may do everything to what has no ACL; target: no authorizer"],
    );
    // ACLs on both sides, and yet not the same.
    let narrower = until(&between(secure(&source), secure(&strict)), "block");
    let wider = between(secure(&strict), secure(&source));
    let refused = "applications would be refused on the target";
    assert_says(&narrower, "G126", "block", &[refused]);
    let open = "what nobody may touch on the source everyone could read and write";
    assert_says(&until(&wider, "block"), "G126", "block", &[open]);
    // Where every group has an ACL none without one can be tried.
    allow(&source, (3, "*", 3), 8);
    let told = until(&wider, "unknown");
    assert_says(&told, "G126", "unknown", &["allow every group"]);
}
