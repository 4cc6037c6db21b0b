//! What those see who read only what is committed: rules F2 and F12.

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "F2 F12: the last stable offset, and what was aborted",
        aborted_list,
    ),
    ("F2: aborted lists of several producers", several_aborted),
    (
        "F2: an aborted transaction that began before what was deleted",
        deleted_beginning,
    ),
];

fn aborted_list(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    line.produce(&t, batch(NOBODY, -1, 2));
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "open",
        line.put_in(&t, &x, transactional(me, 0, 2)),
        (NONE, 2),
    );
    line.produce(&t, batch(NOBODY, -1, 1));
    let data = line.fetch(&t, 0, true);
    is(
        "while it is open",
        (data.high_watermark, data.last_stable_offset),
        (5, 2),
    );
    let first = batch(NOBODY, -1, 2).len();
    is("bytes", data.records.map(|it| it.len()), Some(first));
    let data = line.fetch(&t, 3, true);
    code("past the stable offset", data.error_code, NONE);
    is("nothing", data.records.map_or(0, |it| it.len()), 0);
    is("to others", line.fetch(&t, 0, false).last_stable_offset, 2);
    line.end(&x, me, false);
    let data = line.fetch(&t, 0, true);
    is(
        "when it has ended",
        (data.high_watermark, data.last_stable_offset),
        (6, 6),
    );
    for (from, expected) in [
        (0, vec![(me.0, 2)]),
        (3, vec![(me.0, 2)]),
        (5, vec![(me.0, 2)]),
        (6, vec![]),
    ] {
        let aborted = line
            .fetch(&t, from, true)
            .aborted_transactions
            .unwrap_or_default();
        let aborted: Vec<_> = aborted
            .iter()
            .map(|one| (*one.producer_id, one.first_offset))
            .collect();
        is(&format!("aborted from {from} on"), aborted, expected);
    }
    is(
        "to others",
        line.fetch(&t, 0, false).aborted_transactions,
        None,
    );
}

fn several_aborted(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let ids = [
        world.unique("txn"),
        world.unique("txn"),
        world.unique("txn"),
    ];
    let who = ids.clone().map(|id| line.begin(&id));
    for (id, me) in ids.iter().zip(who) {
        code("added", line.add(id, me, &t, &[0]), NONE);
        code("sent", line.put_in(&t, id, transactional(me, 0, 1)).0, NONE);
    }
    is(
        "the first holds it",
        line.fetch(&t, 0, true).last_stable_offset,
        0,
    );
    line.end(&ids[1], who[1], false);
    is("still", line.fetch(&t, 0, true).last_stable_offset, 0);
    line.end(&ids[0], who[0], true);
    is("the third", line.fetch(&t, 0, true).last_stable_offset, 2);
    line.end(&ids[2], who[2], false);
    let data = line.fetch(&t, 0, true);
    is("nobody", data.last_stable_offset, 6);
    let aborted = data.aborted_transactions.unwrap_or_default();
    let mut aborted: Vec<_> = aborted
        .iter()
        .map(|one| (*one.producer_id, one.first_offset))
        .collect();
    aborted.sort_by_key(|one| one.1);
    is("aborted", aborted, vec![(who[1].0, 1), (who[2].0, 2)]);
}

fn deleted_beginning(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    for sequence in 0..3 {
        code(
            "sent",
            line.put_in(&t, &x, transactional(me, sequence, 1)).0,
            NONE,
        );
    }
    is("deleted", line.delete_records(&t, 2), (NONE, 2));
    is(
        "the stable offset",
        line.fetch(&t, 2, true).last_stable_offset,
        2,
    );
    line.end(&x, me, false);
    let data = line.fetch(&t, 2, true);
    is(
        "then",
        (data.log_start_offset, data.last_stable_offset),
        (2, 4),
    );
    let aborted = data.aborted_transactions.unwrap_or_default();
    let aborted: Vec<_> = aborted
        .iter()
        .map(|one| (*one.producer_id, one.first_offset))
        .collect();
    is("aborted", aborted, vec![(me.0, 0)]);
}
