//! Batches with and without the transactional bit where they do not belong: probes D4, D7 and D10, rule S10.

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("D4: transactional batches are verified", verified),
    (
        "D4: the bit without a producer is stored and holds nothing",
        bit_of_nobody,
    ),
    (
        "D7 C D: a refused transactional batch with a low sequence is a trap",
        refused_is_a_trap,
    ),
    (
        "D7 B: so is a retry of committed data in a new transaction",
        retry_is_a_trap,
    ),
    (
        "S10 D10: plain batches, until transactional data lies there",
        plain_batches,
    ),
    (
        "D4: a transactional batch of another epoch than the coordinator's",
        other_epochs,
    ),
];

fn verified(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (x, y) = (world.unique("txn"), world.unique("txn"));
    let me = line.begin(&x);
    let mut sent = |version, id, batch| line.put(version, (&t, 0), batch, id).error_code;
    let mine = || transactional(me, 0, 1);
    code("v9", sent(9, Some(&*x), mine()), INVALID_TXN_STATE);
    code("v10", sent(10, Some(&*x), mine()), INVALID_TXN_STATE);
    // 3.9 under load answers now and then as to older versions.
    let mut newer = || sent(11, Some(&*x), mine());
    let seen = settled(&mut newer, |seen| *seen == TRANSACTION_ABORTABLE);
    code("v11", seen, TRANSACTION_ABORTABLE);
    let strange = transactional((me.0 + 77_777, 0), 0, 1);
    code(
        "another's",
        sent(9, Some(&*x), strange),
        INVALID_PRODUCER_ID_MAPPING,
    );
    code(
        "another id",
        sent(9, Some(&*y), mine()),
        INVALID_PRODUCER_ID_MAPPING,
    );
    code(
        "no id",
        sent(9, None, mine()),
        TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    );
    is("appended", line.fetch(&t, 0, false).high_watermark, 0);
}

fn bit_of_nobody(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    line.begin(&x);
    let sent = transactional(NOBODY, -1, 1);
    is("taken", line.put_in(&t, &x, sent), (NONE, 0));
    is("its bit", line.last(&t).header.attributes, TRANSACTIONAL);
    is(
        "the stable offset",
        line.fetch(&t, 0, true).last_stable_offset,
        1,
    );
}

fn refused_is_a_trap(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    for sequence in 0..3 {
        code("sent", line.produce(&t, batch(me, sequence, 1)).0, NONE);
    }
    let (seen, _) = line.put_in(&t, &x, transactional(me, 3, 1));
    code("the right one", seen, INVALID_TXN_STATE);
    is("does no harm", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
    let (seen, _) = line.put_in(&t, &x, transactional(me, 2, 1));
    code("a lower one", seen, INVALID_TXN_STATE);
    let (seen, _) = line.produce(&t, batch(me, 4, 1));
    code("does", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    line.end(&x, me, true);
    is("cleared", line.produce(&t, batch(me, 4, 1)), (NONE, 5));
}

fn retry_is_a_trap(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "first",
        line.put_in(&t, &x, transactional(me, 0, 1)),
        (NONE, 0),
    );
    is(
        "second",
        line.put_in(&t, &x, transactional(me, 1, 1)),
        (NONE, 1),
    );
    line.end(&x, me, true);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "again",
        line.put_in(&t, &x, transactional(me, 1, 1)),
        (NONE, 1),
    );
    let (seen, _) = line.put_in(&t, &x, transactional(me, 2, 1));
    code("the next", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    line.end(&x, me, false);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "cleared",
        line.put_in(&t, &x, transactional(me, 2, 1)),
        (NONE, 4),
    );
    line.end(&x, me, true);
}

fn plain_batches(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    is("no id named", line.produce(&t, batch(me, 0, 1)), (NONE, 0));
    is("its id", line.put_in(&t, &x, batch(me, 1, 1)), (NONE, 1));
    let nobodys = world.unique("txn");
    is(
        "nobody's",
        line.put_in(&t, &nobodys, batch(me, 2, 1)),
        (NONE, 2),
    );
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is("added only", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
    is(
        "data",
        line.put_in(&t, &x, transactional(me, 4, 1)),
        (NONE, 4),
    );
    code(
        "after data",
        line.produce(&t, batch(me, 5, 1)).0,
        INVALID_TXN_STATE,
    );
    line.end(&x, me, true);
    is(
        "after the end",
        line.produce(&t, batch(me, 5, 1)),
        (NONE, 6),
    );
}

fn other_epochs(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let old = line.begin(&x);
    let me = line.begin(&x);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    for (what, epoch) in [("an older one", old.1), ("a newer one", me.1 + 1)] {
        let (seen, _) = line.put_in(&t, &x, transactional((me.0, epoch), 0, 1));
        code(what, seen, INVALID_PRODUCER_EPOCH);
    }
    is(
        "its own",
        line.put_in(&t, &x, transactional(me, 0, 1)).0,
        NONE,
    );
    line.end(&x, me, true);
}
