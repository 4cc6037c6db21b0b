//! What takes a broker seconds: sessions that end, transactions that time out, and the last epoch.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use kafka_protocol::messages::*;

use super::{
    Rule, World,
    batches::*,
    code,
    codes::*,
    groups::{joining, syncing},
    is,
    line::*,
};

pub const RULES: &[Rule] = &[
    (
        "X3: after the last epoch comes a new producer id",
        last_epoch,
    ),
    (
        "X8: a transaction that takes too long is aborted, its owner fenced",
        timed_out,
    ),
    (
        "a member that falls silent is gone when its session ends",
        silent,
    ),
    ("a rebalance does not wait for ever", rebalance_ends),
];

fn last_epoch(world: &World) {
    let mut line = Line::to(world);
    let x = world.unique("txn");
    let (id, mut epoch) = line.begin(&x);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(&x))))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    // Many at once: the answers come in order.
    while epoch < 32_765 {
        let many = (32_765 - epoch).min(100);
        for _ in 0..many {
            line.send(4, &request).expect("sent");
        }
        for _ in 0..many {
            let answer = line.receive::<InitProducerIdRequest>(4).expect("an answer");
            if answer.error_code == NONE {
                epoch = answer.producer_epoch;
            }
        }
    }
    is("the last but one", epoch, 32_765);
    is(
        "the last",
        line.init(Some(&x), (id, 32_765)),
        (NONE, id, 32_766),
    );
    let (seen, next, epoch) = line.init(Some(&x), (id, 32_766));
    is("a new one", (seen, next != id, epoch), (NONE, true, 0));
    is(
        "asked again",
        line.init(Some(&x), (id, 32_766)),
        (NONE, next, 0),
    );
}

fn timed_out(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(&x))))
        .with_transaction_timeout_ms(500)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = patiently(|| line.ask(4, &request), |answer| answer.error_code);
    let me = (*answer.producer_id, answer.producer_epoch);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    code(
        "sent",
        line.put(9, (&t, 0), transactional(me, 0, 1), Some(&x))
            .error_code,
        NONE,
    );
    let began = Instant::now();
    while line.fetch(&t, 0, true).last_stable_offset == 0
        && began.elapsed() < Duration::from_secs(25)
    {
        sleep(Duration::from_millis(50));
    }
    is(
        "not before its time",
        began.elapsed() >= Duration::from_millis(400),
        true,
    );
    let data = line.fetch(&t, 0, true);
    is("aborted", data.last_stable_offset, 2);
    is(
        "listed",
        data.aborted_transactions.map_or(0, |all| all.len()),
        1,
    );
    is(
        "with a higher epoch",
        line.last(&t).header.producer_epoch,
        me.1 + 1,
    );
    code("its owner", line.end_as(3, &x, me, true), PRODUCER_FENCED);
    is(
        "the next",
        line.init(Some(&x), NOBODY),
        (NONE, me.0, me.1 + 2),
    );
}

fn silent(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    let me = line.enter(&g);
    let request = joining(&g, &me, None).with_session_timeout_ms(6_000);
    line.ask(9, &request);
    line.ask(5, &syncing(&g, &me, 1, &[]));
    sleep(Duration::from_millis(3_500));
    code("a sign of life", line.beat(&g, &me, 1, None), NONE);
    sleep(Duration::from_millis(3_500));
    code("still there", line.beat(&g, &me, 1, None), NONE);
    sleep(Duration::from_millis(6_500));
    line.is_in_state(&g, "Empty");
    code("gone", line.beat(&g, &me, 1, None), UNKNOWN_MEMBER_ID);
}

fn rebalance_ends(world: &World) {
    let (mut a, mut b) = (Line::to(world), Line::to(world));
    let g = world.unique("group");
    let first = a.enter(&g);
    let short = |member: &str| joining(&g, member, None).with_rebalance_timeout_ms(2_000);
    a.ask(9, &short(&first));
    a.ask(5, &syncing(&g, &first, 1, &[]));
    let second = b.enter(&g);
    let began = Instant::now();
    b.send(9, &short(&second)).expect("sent");
    // The first shows that it lives, and never joins again.
    while began.elapsed() < Duration::from_millis(1_000) {
        a.beat(&g, &first, 1, None);
        sleep(Duration::from_millis(100));
    }
    let joined = b.receive::<JoinGroupRequest>(9).expect("an answer");
    is(
        "without the first",
        (
            joined.error_code,
            joined.generation_id,
            joined.members.len(),
        ),
        (NONE, 2, 1),
    );
    is(
        "after its time",
        began.elapsed() >= Duration::from_millis(1_900),
        true,
    );
    is(
        "and no later",
        began.elapsed() < Duration::from_secs(8),
        true,
    );
    code(
        "the first is gone",
        a.beat(&g, &first, 2, None),
        UNKNOWN_MEMBER_ID,
    );
}
