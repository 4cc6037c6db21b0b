//! Who is forgotten when time goes by, on a broker that looks every three seconds. Probes N10, N11, N12, rules S6, X4.

use std::{thread::sleep, time::Duration};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "S6: producers of old records are forgotten at the next tick, others not",
        tick,
    ),
    (
        "S6: an open transaction and a seal keep a producer of old records",
        kept,
    ),
    ("X4 N11: a transactional id that rests is forgotten", idle),
    ("N12: an id that is sealed now and then is not", sealed),
];

const TWO_DAYS: i64 = 2 * 86_400_000;

fn tick(world: &World) {
    let t = Line::create_on(world, &[1], &[]);
    let mut line = Line::at(world, 1);
    let (fresh, old, timeless) = (line.producer(), line.producer(), line.producer());
    let then = now() - TWO_DAYS;
    code("fresh", line.produce(&t, batch(fresh, 0, 1)).0, NONE);
    code("old", line.produce(&t, batch_at(old, 0, 1, then)).0, NONE);
    code(
        "without a time",
        line.produce(&t, batch_at(timeless, 0, 1, -1)).0,
        NONE,
    );
    for who in [old, timeless] {
        let gone = settled(|| line.remembered(&t, who.0).is_none(), |gone| *gone);
        is("forgotten", gone, true);
    }
    is(
        "fresh is known",
        line.remembered(&t, fresh.0).is_some(),
        true,
    );
    is(
        "a retry",
        line.produce(&t, batch_at(old, 0, 1, then)),
        (NONE, 3),
    );
    is("of fresh", line.produce(&t, batch(fresh, 0, 1)), (NONE, 0));
}

fn kept(world: &World) {
    let t = Line::create_on(world, &[1], &[]);
    let mut line = Line::at(world, 1);
    let then = now() - TWO_DAYS;
    let ((mut of_x, x), (mut of_y, y)) = (Line::to_first(world), Line::to_first(world));
    let (open, closed) = (of_x.begin(&x), of_y.begin(&y));
    code(
        "sent",
        line.produce(&t, batch_at(closed, 0, 1, then)).0,
        NONE,
    );
    code("added", of_y.add(&y, closed, &t, &[0]), NONE);
    of_y.end(&y, closed, true);
    code("added", of_x.add(&x, open, &t, &[0]), NONE);
    let mut head = header(open, 0, 1);
    (head.base_timestamp, head.max_timestamp) = (then, then);
    head.attributes = TRANSACTIONAL;
    let sent = plain(head, &[Rec(0, 0, Some(b"k"), Some(b"v"))]);
    code("sent", line.put_in(&t, &x, sent).0, NONE);
    // A witness that the tick has come.
    let witness = line.producer();
    code(
        "sent",
        line.produce(&t, batch_at(witness, 0, 1, then)).0,
        NONE,
    );
    let gone = settled(|| line.remembered(&t, witness.0).is_none(), |gone| *gone);
    is("the witness", gone, true);
    is("open", line.remembered(&t, open.0).is_some(), true);
    is("sealed", line.remembered(&t, closed.0).is_some(), true);
    of_x.end(&x, open, false);
}

fn idle(world: &World) {
    let t = Line::create_on(world, &[1], &[]);
    let mut line = Line::at(world, 1);
    let (mut coordinator, x) = Line::to_first(world);
    let old = coordinator.begin(&x);
    code("sent", line.produce(&t, batch(old, 0, 1)).0, NONE);
    // Time itself is what is waited for; plain batches are no use of the id.
    for sequence in 1..10 {
        sleep(Duration::from_millis(900));
        code("sent", line.produce(&t, batch(old, sequence, 1)).0, NONE);
    }
    let end = coordinator.end_as(3, &x, old, true);
    code("nobody knows it", end, INVALID_PRODUCER_ID_MAPPING);
    let new = coordinator.begin(&x);
    is("a new producer", (new.0 != old.0, new.1), (true, 0));
    let late = line.produce(&t, batch(old, 10, 1)).0;
    code("the older one still writes", late, NONE);
}

fn sealed(world: &World) {
    let t = Line::create_on(world, &[1], &[]);
    let (mut coordinator, x) = Line::to_first(world);
    let me = coordinator.begin(&x);
    for _ in 0..9 {
        sleep(Duration::from_millis(900));
        code("added", coordinator.add(&x, me, &t, &[0]), NONE);
        coordinator.end(&x, me, true);
    }
    is("the next epoch", coordinator.begin(&x), (me.0, me.1 + 1));
}
