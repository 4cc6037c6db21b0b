//! Fences: what a new epoch does, and what only its marker does. Probes D1, N10, 10 and 14, rules X1 and X2.

use kafka_migrate::wire::batch::Marker;

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "D1: the same old identity gets the same new epoch twice",
        same_epoch_twice,
    ),
    (
        "N10: without an identity everybody gets an epoch of their own",
        own_epochs,
    ),
    (
        "probes 10 14: the barrier fences with its marker and not before",
        barrier,
    ),
    (
        "X2: a marker without data, on an empty partition too; nothing was aborted",
        empty_marker,
    ),
    (
        "probe 14: a second empty abort at the same epoch is no fence",
        same_epoch_abort,
    ),
    (
        "X1: an open transaction is aborted by the next init, its owner fenced",
        aborted_by_init,
    ),
    (
        "X1: a bump fences nothing outside the transaction that it aborts",
        outside_fence,
    ),
    (
        "S4: a marker with a higher epoch begins a sequence anew",
        marker_begins,
    ),
];

fn same_epoch_twice(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let (id, epoch) = line.begin(&x);
    is("the first", epoch, 0);
    is("once", line.init(Some(&x), (id, 0)), (NONE, id, 1));
    is("twice", line.init(Some(&x), (id, 0)), (NONE, id, 1));
    code("added", line.add(&x, (id, 1), &t, &[0]), NONE);
    line.end(&x, (id, 1), false);
    is(
        "after the barrier",
        line.init(Some(&x), (id, 0)),
        (NONE, id, 1),
    );
    is(
        "the second bump",
        line.init(Some(&x), (id, 1)),
        (NONE, id, 2),
    );
    code("fences", line.init(Some(&x), (id, 0)).0, PRODUCER_FENCED);
}

fn own_epochs(world: &World) {
    let mut line = Line::to(world);
    let x = world.unique("txn");
    let (id, _) = line.begin(&x);
    is("second", line.begin(&x), (id, 1));
    is("third", line.begin(&x), (id, 2));
    code(
        "the first one's",
        line.init(Some(&x), (id, 0)).0,
        PRODUCER_FENCED,
    );
    code("of later", line.init(Some(&x), (id, 9)).0, PRODUCER_FENCED);
    code(
        "another id",
        line.init(Some(&x), (id + 77_777, 2)).0,
        PRODUCER_FENCED,
    );
}

fn barrier(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let x = world.unique("txn");
    let old = line.begin(&x);
    is("sent", line.produce(&t, batch(old, 0, 2)), (NONE, 0));
    let new = line.begin(&x);
    is("the next epoch", new, (old.0, old.1 + 1));
    // X1: nothing is written yet, the old one still may.
    is(
        "after the bump",
        line.produce(&t, batch(old, 2, 1)),
        (NONE, 2),
    );
    code("added", line.add(&x, new, &t, &[0, 1]), NONE);
    is(
        "after adding",
        line.produce(&t, batch(old, 3, 1)),
        (NONE, 3),
    );
    line.end(&x, new, false);
    code(
        "fenced",
        line.produce(&t, batch(old, 4, 1)).0,
        INVALID_PRODUCER_EPOCH,
    );
    for sequence in [1, 4, 5] {
        let (seen, _) = line.produce(&t, batch(new, sequence, 1));
        code("not at 0", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    is("at 0", line.produce(&t, batch(new, 0, 1)), (NONE, 5));
    // An idle partition that was part of it fences as well.
    let seen = line.put(9, (&t, 1), batch(old, 0, 1), None).error_code;
    code("on the other", seen, INVALID_PRODUCER_EPOCH);
}

fn empty_marker(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let x = world.unique("txn");
    let me = line.begin(&x);
    code("added", line.add(&x, me, &t, &[0, 1]), NONE);
    line.end(&x, me, false);
    let stored = line.stored(&t, 0);
    is("batches", stored.len(), 1);
    let marker = &stored[0];
    is("an abort", marker.marker(), Ok(Some(Marker::Abort)));
    let head = marker.header;
    is("whose", (head.producer_id, head.producer_epoch), me);
    is(
        "its sequence",
        (head.base_sequence, head.record_count),
        (-1, 1),
    );
    is("its attributes", head.attributes, TRANSACTIONAL | CONTROL);
    is("its CRC", marker.verify().is_ok(), true);
    let data = line.fetch(&t, 0, true);
    is("aborted", data.aborted_transactions, Some(vec![]));
    is("the stable offset", data.last_stable_offset, 1);
    let answer = line.ask(12, &fetch(&t, &[(1, 0)], false));
    is(
        "on the other",
        answer.responses[0].partitions[0].high_watermark,
        1,
    );
}

fn same_epoch_abort(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    is("sent", line.produce(&t, batch(me, 0, 1)), (NONE, 0));
    for next in 1..3 {
        code("added", line.add(&x, me, &t, &[0]), NONE);
        line.end(&x, me, false);
        let sent = line.produce(&t, batch(me, next, 1));
        is("goes on", sent, (NONE, 2 * i64::from(next)));
    }
}

fn aborted_by_init(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "sent",
        line.put_in(&t, &x, transactional(me, 0, 2)),
        (NONE, 0),
    );
    is("two epochs later", line.begin(&x), (me.0, me.1 + 2));
    code("its owner", line.end_as(3, &x, me, true), PRODUCER_FENCED);
    code(
        "its owner adds",
        line.add(&x, me, &t, &[0]),
        PRODUCER_FENCED,
    );
    let marker = line.last(&t);
    is("an abort", marker.marker(), Ok(Some(Marker::Abort)));
    is("its epoch", marker.header.producer_epoch, me.1 + 1);
    let (seen, _) = line.put_in(&t, &x, transactional(me, 2, 1));
    code("its owner sends", seen, INVALID_PRODUCER_EPOCH);
    let data = line.fetch(&t, 0, true);
    is("the stable offset", data.last_stable_offset, 3);
    let aborted = data.aborted_transactions.unwrap_or_default();
    let aborted: Vec<_> = aborted
        .iter()
        .map(|one| (*one.producer_id, one.first_offset))
        .collect();
    is("aborted", aborted, vec![(me.0, 0)]);
}

fn outside_fence(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let x = world.unique("txn");
    let old = line.begin(&x);
    is("sent", line.produce(&t, batch(old, 0, 1)), (NONE, 0));
    let other = line.put(9, (&t, 1), batch(old, 0, 1), None);
    code("sent on the other", other.error_code, NONE);
    code("added", line.add(&x, old, &t, &[0]), NONE);
    let new = line.begin(&x);
    is("two epochs later", new, (old.0, old.1 + 2));
    let (seen, _) = line.produce(&t, batch(old, 1, 1));
    code("inside", seen, INVALID_PRODUCER_EPOCH);
    let other = line.put(9, (&t, 1), batch(old, 1, 1), None);
    is("outside", (other.error_code, other.base_offset), (NONE, 1));
    is(
        "until the new one writes",
        line.put(9, (&t, 1), batch(new, 0, 1), None).error_code,
        NONE,
    );
    let other = line.put(9, (&t, 1), batch(old, 2, 1), None);
    code("then not", other.error_code, INVALID_PRODUCER_EPOCH);
}

fn marker_begins(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let old = line.begin(&x);
    code("added", line.add(&x, old, &t, &[0]), NONE);
    let sent = line.put_in(&t, &x, transactional(old, 0, 3));
    is("sent", sent, (NONE, 0));
    let new = line.begin(&x);
    let known = line.remembered(&t, old.0).expect("it is known");
    let known = (known.producer_epoch, known.last_sequence);
    is("after the marker", known, (i32::from(old.1) + 1, -1));
    code("added", line.add(&x, new, &t, &[0]), NONE);
    let (seen, _) = line.put_in(&t, &x, transactional(new, 3, 1));
    code("not at 0", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    line.end(&x, new, false);
    code("added", line.add(&x, new, &t, &[0]), NONE);
    is(
        "at 0",
        line.put_in(&t, &x, transactional(new, 0, 1)).0,
        NONE,
    );
    line.end(&x, new, true);
}
