//! Groups that are not carried: share groups, and those that nobody asked for.

use super::{catch_up, commit, committed, migration};
use crate::support::{
    kafka::{Kafka, Version},
    load,
    raw::{Body, Code, Wire},
    shared_pair, unique,
};

/// A text as newer versions write it.
fn compact(body: Body, text: &str) -> Body {
    let mut body = body.i8(i8::try_from(text.len() + 1).expect("short text"));
    body.0.extend(text.as_bytes());
    body
}

/// UpdateFeatures v1: share groups are off where nobody asked for them.
fn allow_share_groups(wire: &mut Wire) {
    let body = compact(Body::default().i8(0).i32(30_000).i8(2), "share.version");
    let body = body.i16(1).i8(1).i8(0).i8(0).i8(0);
    let mut answer = wire.call(57, 1, body).expect("the broker answers");
    answer.i8();
    answer.i32();
    assert_eq!(answer.i16(), 0, "the feature is taken");
}

/// ShareGroupHeartbeat v1: a member joins.
fn join_share_group(wire: &mut Wire, group: &str, topic: &str) -> Result<(), Code> {
    let body = compact(Body::default().i8(0), group);
    let body = compact(body, "Dkx7nYBvQ2SrfU0Wd1qBZQ").i32(0).i8(0).i8(2);
    let body = compact(body, topic).i8(0);
    let mut answer = wire.call(76, 1, body).expect("the broker answers");
    answer.i8();
    answer.i32();
    match answer.i16() {
        0 => Ok(()),
        code => Err(Code(code)),
    }
}

#[test]
fn a_share_group_is_refused_by_name() {
    let (_, target) = shared_pair();
    let source = Kafka::spec("sharing")
        .version(Version::V4_1)
        .set("share.coordinator.state.topic.replication.factor", "1")
        .set("share.coordinator.state.topic.min.isr", "1")
        .start();
    allow_share_groups(&mut source.wire());
    let topic = unique("shared");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(&source, &topic, 2, 4);
    let plain = format!("{topic}-plain");
    commit(&source, &plain, &topic, 2, "");
    crate::support::wait::until("it joins", super::PATIENCE, || {
        join_share_group(&mut source.wire(), &topic, &topic).is_ok()
    });
    let migration = migration(&source, target, &topic, &format!("{topic}*"));
    let finished = catch_up(&migration);
    finished.assert_says(&format!(
        "K575: the position of group {topic} is not carried: a share group"
    ));
    assert_eq!(committed(target, &plain, &topic).map(|(at, _)| at), Some(2));
}

#[test]
fn what_is_not_in_scope_stays_here() {
    let (source, target) = shared_pair();
    let topic = unique("asked");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 2, 4);
    let names = ["in", "out", "else"].map(|name| format!("{topic}-{name}"));
    for name in &names {
        commit(source, name, &topic, 3, "");
    }
    let migration = migration(source, target, &topic, &format!("{topic}-*"));
    migration.edit(
        &format!("groups = [\"{topic}-*\"]"),
        &format!("groups = [\"{topic}-*\"]\nexclude_groups = [\"*-out\", \"*-else\"]"),
    );
    catch_up(&migration);
    let found = names.map(|name| committed(target, &name, &topic).is_some());
    assert_eq!(found, [true, false, false]);
}
