//! Sequences and epochs: rules S1 to S5, S10, S11, probes N4, 2, 3, 4 and 16.

use super::{Rule, World, batches::*, code, codes::*, is, line::Line};

pub const RULES: &[Rule] = &[
    (
        "S1 S2: the last five batches are known, older ones are not",
        duplicates,
    ),
    (
        "S2 probe 16: halves, merges and overlaps are out of order",
        boundaries,
    ),
    (
        "N4: a duplicate is known by its numbers, not by what it holds",
        same_numbers,
    ),
    ("S3: a gap is refused and appends nothing", gaps),
    ("S4: epochs rise, and begin at 0", epochs),
    ("S5: an unknown producer may begin anywhere", strangers),
    (
        "P8: sequences wrap from 2^31-1 to 0, inside a batch as well",
        wrap,
    ),
    ("S11: without a transactional id every id is a new one", ids),
    ("S1: partitions remember apart", apart),
];

fn duplicates(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    let sent: Vec<_> = (0..7).map(|at| batch(me, at, 1)).collect();
    for (at, one) in (0..).zip(&sent) {
        is("sent", line.produce(&t, one.clone()), (NONE, at));
    }
    for at in (2..7).rev() {
        let again = line.produce(&t, sent[at].clone());
        is("one of the last five again", again, (NONE, at as i64));
    }
    for at in [0, 1] {
        let again = line.produce(&t, sent[at].clone());
        code("an older one", again.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    let end = line.fetch(&t, 0, false).high_watermark;
    is("nothing was appended", end, 7);
}

fn boundaries(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    is("first", line.produce(&t, batch(me, 0, 4)), (NONE, 0));
    is("second", line.produce(&t, batch(me, 4, 4)), (NONE, 4));
    for (sequence, count) in [
        (0, 2),
        (2, 2),
        (4, 2),
        (6, 2),
        (0, 8),
        (2, 4),
        (6, 4),
        (4, 6),
    ] {
        let (seen, _) = line.produce(&t, batch(me, sequence, count));
        code("other boundaries", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    is("the next", line.produce(&t, batch(me, 8, 1)), (NONE, 8));
    let mut other = Line::to(world);
    is(
        "another line",
        other.produce(&t, batch(me, 9, 1)),
        (NONE, 9),
    );
}

fn same_numbers(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    is("first", line.produce(&t, batch(me, 0, 2)), (NONE, 0));
    let other = [Rec(0, 0, None, Some(b"x")), Rec(1, 0, None, Some(b"y"))];
    let other = plain(header(me, 0, 2), &other);
    is("another", line.produce(&t, other), (NONE, 0));
    is("batches", line.stored(&t, 0).len(), 1);
}

fn gaps(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    is("first", line.produce(&t, batch(me, 0, 2)), (NONE, 0));
    for sequence in [1, 3, 100] {
        let seen = line.produce(&t, batch(me, sequence, 1));
        code("a gap", seen.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
        is("its offset", seen.1, -1);
    }
    is(
        "the right one",
        line.produce(&t, batch(me, 2, 1)),
        (NONE, 2),
    );
}

fn epochs(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (id, _) = line.producer();
    is("epoch 3", line.produce(&t, batch((id, 3), 0, 2)), (NONE, 0));
    let (seen, _) = line.produce(&t, batch((id, 2), 2, 1));
    code("a lower one", seen, INVALID_PRODUCER_EPOCH);
    for sequence in [2, 5] {
        let (seen, _) = line.produce(&t, batch((id, 4), sequence, 1));
        code("a higher one, not at 0", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    is("at 0", line.produce(&t, batch((id, 9), 0, 1)), (NONE, 2));
    let (seen, _) = line.produce(&t, batch((id, 3), 0, 2));
    code("a retry of an older epoch", seen, INVALID_PRODUCER_EPOCH);
    is("goes on", line.produce(&t, batch((id, 9), 1, 1)), (NONE, 3));
}

fn strangers(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    // Ids of its own choice: nobody else is given these.
    let far = 1 << 62;
    is("any", line.produce(&t, batch((far, 7), 1000, 2)), (NONE, 0));
    is(
        "goes on",
        line.produce(&t, batch((far, 7), 1002, 1)),
        (NONE, 2),
    );
    let last = (far + 1, i16::MAX);
    is(
        "the last epoch",
        line.produce(&t, batch(last, 5, 1)),
        (NONE, 3),
    );
    let (seen, _) = line.produce(&t, batch((far + 2, 0), -1, 1));
    code("without a sequence", seen, INVALID_RECORD);
    is("nobody", line.produce(&t, batch((-1, 3), 9, 1)), (NONE, 4));
}

fn wrap(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    let first = batch(me, i32::MAX - 1, 3);
    is("over the end", line.produce(&t, first.clone()), (NONE, 0));
    is("again", line.produce(&t, first), (NONE, 0));
    let (seen, _) = line.produce(&t, batch(me, 0, 1));
    code("0 is taken", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    is("1 is next", line.produce(&t, batch(me, 1, 1)), (NONE, 3));
    let other = line.producer();
    let edge = line.produce(&t, batch(other, i32::MAX, 1));
    is("the largest", edge, (NONE, 4));
    is("0 is next", line.produce(&t, batch(other, 0, 1)), (NONE, 5));
}

fn ids(world: &World) {
    let mut line = Line::to(world);
    let (first, second) = (line.producer(), line.producer());
    is("epochs", (first.1, second.1), (0, 0));
    is("another id", first.0 == second.0, false);
}

fn apart(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let me = line.producer();
    is("on 0", line.produce(&t, batch(me, 0, 3)), (NONE, 0));
    let seen = line.put(9, (&t, 1), batch(me, 7, 1), None);
    code("on 1", seen.error_code, NONE);
    is("on 0 again", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
}
