//! What a broker knows after it was stopped, and after it was killed. Probes D5, 12 and 19, rules S6 to S8, F7.

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const CLEAN: &[Rule] = &[
    (
        "D5 S7: a clean restart leaves one batch of each producer",
        window,
    ),
    (
        "S6 probe 19: a clean restart forgets producers of old records",
        cold,
    ),
    (
        "S7 S8: a replica back from a stop knows one batch and what it missed",
        replica,
    ),
    (
        "a clean restart: the leader epoch rises, the old one is fenced",
        epoch,
    ),
    ("F7: a clean restart ends fetch sessions", session),
    (
        "a clean restart keeps ids, settings, and where a log starts",
        kept,
    ),
];

pub const KILLED: &[Rule] = &[
    ("D5 S7: kill -9 leaves one batch of each producer", window),
    (
        "S6 probe 19: kill -9 forgets producers of old records",
        cold,
    ),
    (
        "S7 S8: a replica back from kill -9 knows one batch and what it missed",
        replica,
    ),
    (
        "kill -9: the leader epoch rises, the old one is fenced",
        epoch,
    ),
    ("F7: kill -9 ends fetch sessions", session),
    (
        "S8 probe 12: a log that lost acknowledged records shows it",
        lost,
    ),
];

/// Lets broker 2 go and come back; a connection to it, once it leads the topic again.
pub fn restart(world: &World, t: &str) -> Line {
    world.next();
    world.next();
    Line::leading(world, t, 2)
}

fn window(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let mut line = Line::at(world, 2);
    let (id, _) = line.producer();
    let me = (id, 3);
    let sent: Vec<_> = (0..7).map(|at| batch(me, 2 * at, 2)).collect();
    for (at, one) in (0..).zip(&sent) {
        is("sent", line.produce(&t, one.clone()), (NONE, 2 * at));
    }
    let mut line = restart(world, &t);
    is("all is there", line.fetch(&t, 0, false).high_watermark, 14);
    is(
        "the last again",
        line.produce(&t, sent[6].clone()),
        (NONE, 12),
    );
    for older in &sent[..6] {
        let again = line.produce(&t, older.clone());
        code("an older one", again.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    let half = line.produce(&t, batch(me, 13, 1)).0;
    code("half of the last", half, OUT_OF_ORDER_SEQUENCE_NUMBER);
    let lower = line.produce(&t, batch((id, 2), 14, 1)).0;
    code("a lower epoch", lower, INVALID_PRODUCER_EPOCH);
    let gap = line.produce(&t, batch(me, 15, 1)).0;
    code("a gap", gap, OUT_OF_ORDER_SEQUENCE_NUMBER);
    is("the next", line.produce(&t, batch(me, 14, 1)), (NONE, 14));
}

fn cold(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let mut line = Line::at(world, 2);
    let me = line.producer();
    let old = batch_at(me, 0, 1, now() - 2 * 86_400_000);
    is("sent", line.produce(&t, old.clone()), (NONE, 0));
    let mut line = restart(world, &t);
    is("forgotten", line.remembered(&t, me.0).is_none(), true);
    is("appended twice", line.produce(&t, old), (NONE, 1));
}

fn replica(world: &World) {
    let t = Line::create_on(world, &[2, 1], &[]);
    let strict = Line::create_on(world, &[1, 2], &[("min.insync.replicas", "2")]);
    let mut line = Line::at(world, 2);
    let me = line.producer();
    let sent: Vec<_> = (0..5).map(|at| batch(me, at, 1)).collect();
    for (at, one) in (0..3).zip(&sent) {
        is("sent", line.produce(&t, one.clone()), (NONE, at));
    }
    world.next();
    let mut other = Line::leading(world, &t, 1);
    is(
        "all known there",
        other.produce(&t, sent[0].clone()),
        (NONE, 0),
    );
    for (at, one) in (0..).zip(&sent).skip(3) {
        is("sent", other.produce(&t, one.clone()), (NONE, at));
    }
    let seen = settled(
        || other.produce(&strict, batch(NOBODY, -1, 1)).0,
        |seen| *seen == NOT_ENOUGH_REPLICAS,
    );
    code("too few in sync", seen, NOT_ENOUGH_REPLICAS);
    world.next();
    let look = || other.describe(&t).partitions[0].isr_nodes.len();
    is("both in sync", settled(look, |seen| *seen == 2), 2);
    let seen = settled(
        || other.produce(&strict, batch(NOBODY, -1, 1)).0,
        |seen| *seen == NONE,
    );
    code("enough in sync", seen, NONE);
    world.operator().lead(&t, 2);
    let mut line = Line::leading(world, &t, 2);
    for at in [4, 3, 2] {
        is(
            "known",
            line.produce(&t, sent[at].clone()),
            (NONE, at as i64),
        );
    }
    for at in [1, 0] {
        let again = line.produce(&t, sent[at].clone()).0;
        code("not known", again, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    is("the next", line.produce(&t, batch(me, 5, 1)), (NONE, 5));
}

fn epoch(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let mut line = Line::at(world, 2);
    is("sent", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 0));
    let before = line.last(&t).header.leader_epoch;
    let mut line = restart(world, &t);
    is("sent", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 1));
    let after = line.last(&t).header.leader_epoch;
    is("it rises", after > before, true);
    is("one for the end, one for the beginning", after - before, 2);
    is(
        "where it ended",
        line.epoch_end(&t, -1, before),
        (NONE, before, 1),
    );
    let known = line.fetch_knowing(&t, 0, before, -1).0;
    code("the old one", known, FENCED_LEADER_EPOCH);
    is(
        "in step",
        line.fetch_knowing(&t, 1, after, before),
        (NONE, -1, -1),
    );
}

fn session(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let mut line = Line::at(world, 2);
    let request = fetch(&t, &[(0, 0)], false).with_session_epoch(0);
    let session = line.ask(12, &request).session_id;
    is("it has an id", session == 0, false);
    let mut line = restart(world, &t);
    let request = kafka_protocol::messages::FetchRequest::default()
        .with_session_id(session)
        .with_session_epoch(1);
    let seen = line.ask(12, &request).error_code;
    code("gone", seen, FETCH_SESSION_ID_NOT_FOUND);
}

fn kept(world: &World) {
    let t = Line::create_on(world, &[2], &[("retention.ms", "86400001")]);
    let mut line = Line::at(world, 2);
    let id = line.describe(&t).topic_id;
    let me = line.producer();
    for at in 0..4 {
        is(
            "sent",
            line.produce(&t, batch(me, at, 1)),
            (NONE, at.into()),
        );
    }
    is("deleted", line.delete_records(&t, 2), (NONE, 2));
    let mut line = restart(world, &t);
    is("its id", line.describe(&t).topic_id, id);
    let setting = line.setting(&t, "retention.ms").map(|one| one.0);
    is("a setting", setting.as_deref(), Some("86400001"));
    let data = line.fetch(&t, 2, false);
    is(
        "the log",
        (data.log_start_offset, data.high_watermark),
        (2, 4),
    );
    is("another id", line.producer().0 > me.0, true);
    is("the next", line.produce(&t, batch(me, 4, 1)), (NONE, 4));
}

fn lost(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let mut line = Line::at(world, 2);
    let me = line.producer();
    for at in 0..5 {
        is(
            "sent",
            line.produce(&t, batch(me, at, 1)),
            (NONE, at.into()),
        );
    }
    let before = line.last(&t).header.leader_epoch;
    world.next();
    world.operator().lose(&t, 2);
    world.next();
    let mut line = Line::leading(world, &t, 2);
    is("the rest", line.fetch(&t, 0, false).high_watermark, 2);
    let next = line.produce(&t, batch(me, 5, 1)).0;
    code("what follows the lost", next, OUT_OF_ORDER_SEQUENCE_NUMBER);
    let without = line.fetch_knowing(&t, 5, -1, -1).0;
    code("a reader", without, OFFSET_OUT_OF_RANGE);
    let with = line.fetch_knowing(&t, 5, -1, before);
    is("one that knows what it read", with, (NONE, before, 2));
    is(
        "the last known",
        line.produce(&t, batch(me, 2, 1)),
        (NONE, 2),
    );
    for at in 3..7 {
        code("sent", line.produce(&t, batch(me, at, 1)).0, NONE);
    }
    let without = line.fetch_knowing(&t, 5, -1, -1);
    is("nobody notices", without, (NONE, -1, -1));
    let with = line.fetch_knowing(&t, 5, -1, before);
    is("but who knows", with, (NONE, before, 2));
}
