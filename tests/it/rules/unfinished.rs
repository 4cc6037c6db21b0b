//! Transactions that a restart falls into, and what is known of ended ones behind it. Probes D7, N9 and 13, rules X1, F2.

use super::{Rule, World, batches::*, code, codes::*, is, line::*, restarted::restart};

pub const CLEAN: &[Rule] = &[
    (
        "probe 13: an open transaction survives a clean restart, old as it is",
        open,
    ),
    (
        "F2: what was aborted is known after a clean restart",
        aborted,
    ),
    ("D7: the trap is gone with a clean restart", trap),
    (
        "N9: a seal carries old records over a clean restart",
        sealed,
    ),
    ("S4: a fence holds over a clean restart", fence),
];

pub const KILLED: &[Rule] = &[
    (
        "probe 13: an open transaction survives kill -9, old as it is",
        open,
    ),
    ("F2: what was aborted is known after kill -9", aborted),
    ("D7: the trap is gone with kill -9", trap),
    ("N9: a seal carries old records over kill -9", sealed),
    ("S4: a fence holds over kill -9", fence),
];

const TWO_DAYS: i64 = 2 * 86_400_000;

/// A batch of a transaction, with this time.
fn of_then(me: Identity, sequence: i32, time: i64) -> bytes::Bytes {
    let mut head = header(me, sequence, 1);
    (head.base_timestamp, head.max_timestamp) = (time, time);
    head.attributes = TRANSACTIONAL;
    plain(head, &[Rec(0, 0, Some(b"k"), Some(b"v"))])
}

fn open(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let me = coordinator.begin(&x);
    code("added", coordinator.add(&x, me, &t, &[0]), NONE);
    let mut line = Line::at(world, 2);
    let then = now() - TWO_DAYS;
    for at in 0..2 {
        let sent = line.put_in(&t, &x, of_then(me, at, then));
        is("sent", sent, (NONE, at.into()));
    }
    let mut line = restart(world, &t);
    is("held", line.fetch(&t, 0, true).last_stable_offset, 0);
    let known = line.remembered(&t, me.0);
    let known = known.map(|one| (one.last_sequence, one.current_txn_start_offset));
    is("known", known, Some((1, 0)));
    let again = line.put_in(&t, &x, of_then(me, 1, then));
    is("the last again", again, (NONE, 1));
    let sent = line.put_in(&t, &x, of_then(me, 2, then));
    is("goes on", sent, (NONE, 2));
    let plain = line.produce(&t, batch(me, 3, 1)).0;
    code("a plain one", plain, INVALID_TXN_STATE);
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    is("who comes next", coordinator.begin(&x), (me.0, me.1 + 2));
    let data = line.fetch(&t, 0, true);
    is("aborted", data.last_stable_offset, 4);
    is("its marker", line.last(&t).header.producer_epoch, me.1 + 1);
}

fn aborted(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let me = coordinator.begin(&x);
    let mut line = Line::at(world, 2);
    for (sequence, commit) in [(0, true), (1, false)] {
        code("added", coordinator.add(&x, me, &t, &[0]), NONE);
        let sent = line.put_in(&t, &x, transactional(me, sequence, 1)).0;
        code("sent", sent, NONE);
        coordinator.end(&x, me, commit);
    }
    let mut line = restart(world, &t);
    let data = line.fetch(&t, 0, true);
    let all = data.aborted_transactions.unwrap_or_default();
    let all: Vec<_> = all
        .iter()
        .map(|one| (*one.producer_id, one.first_offset))
        .collect();
    is("aborted", all, vec![(me.0, 2)]);
    is("nothing is open", data.last_stable_offset, 4);
}

fn trap(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let x = world.unique("txn");
    let me = Line::to_coordinator(world, 1, &x).begin(&x);
    let mut line = Line::at(world, 2);
    for sequence in 0..3 {
        code("sent", line.produce(&t, batch(me, sequence, 1)).0, NONE);
    }
    let (seen, _) = line.put_in(&t, &x, transactional(me, 1, 1));
    code("a lower one", seen, INVALID_TXN_STATE);
    let (seen, _) = line.produce(&t, batch(me, 3, 1));
    code("the trap", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    let mut line = restart(world, &t);
    is("gone", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
}

fn sealed(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let me = coordinator.begin(&x);
    let mut line = Line::at(world, 2);
    let then = now() - TWO_DAYS;
    for at in 0..3 {
        let sent = line.produce(&t, batch_at(me, at, 1, then));
        is("sent", sent, (NONE, at.into()));
    }
    code("added", coordinator.add(&x, me, &t, &[0]), NONE);
    coordinator.end(&x, me, true);
    let mut line = restart(world, &t);
    let again = line.produce(&t, batch_at(me, 2, 1, then));
    is("the last again", again, (NONE, 2));
    let older = line.produce(&t, batch_at(me, 1, 1, then)).0;
    code("an older one", older, OUT_OF_ORDER_SEQUENCE_NUMBER);
    let next = line.produce(&t, batch_at(me, 3, 1, then));
    is("the next", next, (NONE, 4));
}

fn fence(world: &World) {
    let t = Line::create_on(world, &[2], &[]);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let old = coordinator.begin(&x);
    let mut line = Line::at(world, 2);
    is("sent", line.produce(&t, batch(old, 0, 2)), (NONE, 0));
    let new = coordinator.begin(&x);
    code("added", coordinator.add(&x, new, &t, &[0]), NONE);
    coordinator.end(&x, new, false);
    let mut line = restart(world, &t);
    let (seen, _) = line.produce(&t, batch(old, 2, 1));
    code("fenced", seen, INVALID_PRODUCER_EPOCH);
    let (seen, _) = line.produce(&t, batch(new, 2, 1));
    code("not at 0", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    is("at 0", line.produce(&t, batch(new, 0, 1)), (NONE, 3));
}
