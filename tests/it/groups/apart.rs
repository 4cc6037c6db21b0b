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

#[test]
fn a_position_before_what_was_copied_has_no_place() {
    let (source, target) = shared_pair();
    let topic = unique("before");
    source.create_topic(&topic, 1, &[]);
    load::write_transactions(source, &topic, 4, 4);
    let deleted = source.wire_to_leader(&topic, 0).expect("it has a leader");
    let deleted = { deleted }.delete_records(&topic, 0, 2);
    deleted.expect("it answers").expect("they are deleted");
    let names = ["early", "late"].map(|name| format!("{topic}-{name}"));
    commit(source, &names[0], &topic, 1, "");
    commit(source, &names[1], &topic, 3, "");
    let migration = migration(source, target, &topic, &format!("{topic}-*"));
    catch_up(&migration).assert_says("K579");
    let found = names.clone().map(|name| committed(target, &name, &topic));
    assert_eq!(found, [None, Some((1, String::new()))]);
    let status = migration.run(&["status", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&status.stdout).expect("it is JSON");
    let groups = &said["groups"];
    assert_eq!(groups["consumer_group_count"], 2, "{groups}");
    let each = |index: usize, field: &str| groups["each"][index][field].clone();
    assert_eq!(
        (each(0, "position"), each(0, "code")),
        ("refused".into(), "K579".into())
    );
    assert_eq!(
        (each(1, "position"), each(1, "group")),
        ("exact".into(), names[1].as_str().into())
    );
    assert_eq!(
        (each(1, "authority"), each(1, "active_target")),
        ("source".into(), false.into())
    );
    // What a person reads.
    let text = migration.run(&["status"]).stdout;
    assert!(text.contains("groups     1 exact, 1 refused"), "{text}");
    assert!(text.contains("K579") && !text.contains(&names[1]), "{text}");
    let text = migration.run(&["status", "--groups"]).stdout;
    assert!(text.contains(&names[1]), "{text}");
}
