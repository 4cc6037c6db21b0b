//! What a batch must be: rules P1 to P8 and P10, probes N2 and N3.

use bytes::Bytes;

use kafka_protocol::messages::ProduceRequest;

use super::{Rule, World, batches::*, code, codes::*, is, line::Line};

pub const RULES: &[Rule] = &[
    (
        "P1: exactly one batch of version 2 per partition",
        one_batch,
    ),
    ("P2: the base offset is 0", base_offset),
    (
        "P3: the CRC fits; the leader epoch does not matter",
        checksum,
    ),
    (
        "P4 P6: count and last offset belong together, and a batch has records",
        counts,
    ),
    ("P7: no control batches from clients", control),
    ("P10: no record without a key on a compacted topic", keys),
    (
        "N2: one bad partition does not hurt the others",
        others_unhurt,
    ),
    (
        "N3: of a partition named twice one batch is dropped",
        named_twice,
    ),
    ("an unknown topic; acks that do not exist; acks=0", acks),
];

pub const ONE: &[Rec<'_>] = &[Rec(0, 0, None, Some(b"v"))];

fn one_batch(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let good = batch(NOBODY, -1, 1);
    let two: Bytes = [&good[..], &good[..]].concat().into();
    code("two", line.produce(&t, two).0, INVALID_RECORD);
    code("none", line.produce(&t, Bytes::new()).0, INVALID_RECORD);
    let mut old = good.to_vec();
    old[16] = 1;
    code("version 1", line.produce(&t, old.into()).0, INVALID_RECORD);
    is("one", line.produce(&t, good), (NONE, 0));
}

fn base_offset(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let moved = placed(&batch(NOBODY, -1, 1), 5, -1);
    code("base offset 5", line.produce(&t, moved).0, INVALID_RECORD);
}

fn checksum(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let good = batch(NOBODY, -1, 1);
    let mut broken = good.to_vec();
    *broken.last_mut().expect("bytes") ^= 1;
    code(
        "a flipped bit",
        line.produce(&t, broken.into()).0,
        CORRUPT_MESSAGE,
    );
    let elsewhere = placed(&good, 0, 77);
    is("leader epoch 77", line.produce(&t, elsewhere), (NONE, 0));
    let stored = line.last(&t);
    is("the leader's own", stored.header.leader_epoch, 0);
    is("its CRC", stored.verify().is_ok(), true);
}

fn counts(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut wrong = |what: &str, last_offset_delta, record_count, records: &[Rec<'_>]| {
        let mut head = header(NOBODY, -1, 1);
        (head.last_offset_delta, head.record_count) = (last_offset_delta, record_count);
        let seen = line.produce(&t, plain(head, records));
        code(what, seen.0, INVALID_RECORD);
    };
    wrong("a last offset too far", 3, 1, ONE);
    wrong("no record", 0, 0, &[]);
    wrong("no record and no last offset", -1, 0, &[]);
    wrong("a count below 0", 0, -1, ONE);
    wrong("more than there are", 1, 2, ONE);
    wrong("the largest count", i32::MAX - 1, i32::MAX, ONE);
    let two = [ONE[0], Rec(1, 0, None, Some(b"w"))];
    wrong("fewer than there are", 0, 1, &two);
}

fn control(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut head = header(NOBODY, -1, 1);
    head.attributes = CONTROL;
    code(
        "control",
        line.produce(&t, plain(head, ONE)).0,
        INVALID_RECORD,
    );
    let unnumbered = header((5, 0), -1, 1);
    let seen = line.produce(&t, plain(unnumbered, ONE));
    code("a producer without a sequence", seen.0, INVALID_RECORD);
}

fn keys(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("compacted");
    line.create(&t, 1, &[("cleanup.policy", "compact")]);
    let two = [
        Rec(0, 0, Some(b"k"), Some(b"v")),
        Rec(1, 0, None, Some(b"v")),
    ];
    let seen = line.put(9, (&t, 0), plain(header(NOBODY, -1, 2), &two), None);
    code("without a key", seen.error_code, INVALID_RECORD);
    let which: Vec<i32> = seen
        .record_errors
        .iter()
        .map(|one| one.batch_index)
        .collect();
    is("which", which, vec![1]);
    is(
        "with keys",
        line.produce(&t, batch(NOBODY, -1, 2)),
        (NONE, 0),
    );
}

fn others_unhurt(world: &World) {
    let (mut line, t) = Line::with_topic(world, 3);
    let good = || batch(NOBODY, -1, 1);
    let request = produce(
        &t,
        &[(0, Bytes::new()), (1, good()), (2, good()), (9, good())],
        None,
    );
    let answer = line.ask(9, &request);
    let mut codes: Vec<(i32, String)> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .map(|one| (one.index, super::codes::name(one.error_code)))
        .collect();
    codes.sort();
    let expected = [
        (0, INVALID_RECORD),
        (1, NONE),
        (2, NONE),
        (9, UNKNOWN_TOPIC_OR_PARTITION),
    ];
    let expected: Vec<_> = expected
        .map(|(at, code)| (at, super::codes::name(code)))
        .into();
    is("each its own", codes, expected);
}

fn named_twice(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let two = [(0, batch(NOBODY, -1, 1)), (0, batch(NOBODY, -1, 1))];
    let answer = line.ask(9, &produce(&t, &two, None));
    is("answers", answer.responses[0].partition_responses.len(), 1);
    is("appended", line.fetch(&t, 0, false).high_watermark, 1);
}

fn acks(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let nowhere = world.unique("nowhere");
    let (seen, _) = line.produce(&nowhere, batch(NOBODY, -1, 1));
    code("an unknown topic", seen, UNKNOWN_TOPIC_OR_PARTITION);
    let request = produce(&t, &[(0, batch(NOBODY, -1, 1))], None).with_acks(5);
    let answer = line.ask(9, &request);
    let seen = answer.responses[0].partition_responses[0].error_code;
    code("acks=5", seen, INVALID_REQUIRED_ACKS);
    let request = produce(&t, &[(0, batch(NOBODY, -1, 1))], None).with_acks(1);
    let answer = line.ask(9, &request);
    let seen = &answer.responses[0].partition_responses[0];
    is("acks=1", (seen.error_code, seen.base_offset), (NONE, 0));
    // No answer to acks=0: the next answer is the next request's.
    let request = produce(&t, &[(0, batch(NOBODY, -1, 1))], None).with_acks(0);
    line.send::<ProduceRequest>(9, &request).expect("sent");
    is("after acks=0", line.fetch(&t, 0, false).high_watermark, 2);
}
