//! An earlier run that cannot be shut out of a partition, because the right to write there is gone by then.

use std::time::Duration;

use crate::support::{
    kafka::MIGRATOR,
    load::Load,
    read, secure_pair,
    tool::{Access, Migration},
    unique, wait,
};

use super::{
    first_copy::allow_migrator,
    stops::stopped,
    stops_past::{assert_holds, records, replicate},
};

/// A topic by its own name, and the right to write to it, in the numbers of the wire (KIP-140).
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const WRITE: i8 = 4;

#[test]
fn a_partition_that_an_earlier_run_cannot_be_shut_out_of_waits_alone() {
    let (source, target) = secure_pair("shut");
    let name = unique("shut-out");
    let [free, unwritten] = ["free", "unwritten"];
    for topic in [free, unwritten] {
        source.create_topic(topic, 1, &[]);
        Load::to(&[(topic, 1)]).fill(&source, 20);
    }
    allow_migrator(&source, &target, &name);
    let migration = Migration::new(
        &name,
        Access::Secure(&source, "scram-sha-512"),
        Access::Secure(&target, "scram-sha-512"),
        &[free, unwritten],
    );
    let tool = migration.command(&["--json", "replicate"]).start();
    for topic in [free, unwritten] {
        wait::until("all is copied", Duration::from_secs(60), || {
            records(&target, topic).len() == records(&source, topic).len()
        });
    }
    // It seals nothing, so the next start has to shut it out of both.
    tool.kill();
    let principal = format!("User:{}", MIGRATOR.0);
    let resource = (TOPIC, unwritten, LITERAL);
    let denied = target.wire().deny(&principal, resource, WRITE);
    denied
        .expect("the broker answers")
        .expect("the ACL is taken");
    let before = records(&target, unwritten);
    for topic in [free, unwritten] {
        Load::to(&[(topic, 1)]).fill(&source, 20);
    }

    let refused = replicate(&migration, &[]);
    refused.assert_exit(10);
    refused.assert_says("K504");
    read::assert_same(&source, &target, free);
    assert_holds(&target, unwritten, &[&before]);
    assert_eq!(
        stopped(&migration),
        [(unwritten.to_owned(), "K504".to_owned())]
    );

    let allowed = target.wire().undeny(&principal, resource, WRITE);
    allowed
        .expect("the broker answers")
        .expect("the ACL is taken back");
    // The way on is a start: the fence was left open, and is done now.
    migration.catch_up();
    for topic in [free, unwritten] {
        read::assert_same(&source, &target, topic);
    }
    assert_eq!(stopped(&migration), []);
}
