//! Limits of times and sizes: rules P11 and P15.

use bytes::Bytes;
use kafka_migrate::wire::codec::Codec;

use super::{Release, Rule, World, batches::*, code, codes::*, is, line::*, produce::ONE};

pub const RULES: &[Rule] = &[
    (
        "P11: times are limited on both sides, record by record",
        times,
    ),
    ("P11: two hours ahead are refused by default", far_ahead_41),
    ("P11: two hours ahead are taken by default", far_ahead_39),
    (
        "P15: sizes are limited on arrival and after packing anew",
        sizes,
    ),
    (
        "P15: a refused batch leaves its sequence free",
        refused_sequence,
    ),
    (
        "P18: min.insync.replicas asks for no more replicas than there are",
        replicas,
    ),
];

fn times(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("fresh");
    let limits = [
        ("message.timestamp.before.max.ms", "60000"),
        ("message.timestamp.after.max.ms", "60000"),
    ];
    line.create(&t, 1, &limits);
    for off in [-120_000, 120_000] {
        let three = [
            ONE[0],
            Rec(1, off, None, Some(b"v")),
            Rec(2, 0, None, Some(b"v")),
        ];
        let seen = line.put(9, (&t, 0), plain(header(NOBODY, -1, 3), &three), None);
        code("one of three", seen.error_code, INVALID_TIMESTAMP);
        let which: Vec<i32> = seen
            .record_errors
            .iter()
            .map(|one| one.batch_index)
            .collect();
        is("which", which, vec![1]);
    }
    is(
        "none was appended",
        line.fetch(&t, 0, false).high_watermark,
        0,
    );
    let mut open = Line::with_topic(world, 1);
    let old = batch_at(NOBODY, -1, 1, 0);
    is("1970", open.0.produce(&open.1, old), (NONE, 0));
    let never = batch_at(NOBODY, -1, 1, -1);
    is("no time", open.0.produce(&open.1, never), (NONE, 1));
}

fn far_ahead(world: &World, expected: i16) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch_at(NOBODY, -1, 1, now() + 7_200_000);
    code("two hours ahead", line.produce(&t, sent).0, expected);
}

fn far_ahead_41(world: &World) {
    world.only(&[Release::V4_1], "one hour is 4.0's default");
    far_ahead(world, INVALID_TIMESTAMP);
}

fn far_ahead_39(world: &World) {
    world.only(&[Release::V3_9], "there was no limit before 4.0");
    far_ahead(world, NONE);
}

/// A batch of exactly so many bytes.
fn sized(bytes: usize) -> Bytes {
    let with = |length: usize| {
        let value = vec![0; length];
        plain(header(NOBODY, -1, 1), &[Rec(0, 0, None, Some(&value))])
    };
    let less = bytes - 100;
    let sent = with(less + bytes - with(less).len());
    assert_eq!(sent.len(), bytes);
    sent
}

fn sizes(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    is(
        "the default limit",
        line.produce(&t, sized(1_048_588)),
        (NONE, 0),
    );
    let (seen, _) = line.produce(&t, sized(1_048_589));
    code("one more", seen, MESSAGE_TOO_LARGE);
    let plain_only = world.unique("plain");
    let limits = [
        ("max.message.bytes", "2000"),
        ("compression.type", "uncompressed"),
    ];
    line.create(&plain_only, 1, &limits);
    let value = vec![b'v'; 3_000];
    let small = packed(
        header(NOBODY, -1, 1),
        &[Rec(0, 0, None, Some(&value))],
        Codec::Gzip,
    );
    is("small on arrival", small.len() < 500, true);
    let (seen, _) = line.produce(&plain_only, small);
    code("large when unpacked", seen, MESSAGE_TOO_LARGE);
    let short = world.unique("short");
    // 4.1 takes no segments below 1 MiB.
    let limits = [
        ("max.message.bytes", "3000000"),
        ("segment.bytes", "1048576"),
    ];
    line.create(&short, 1, &limits);
    let (seen, _) = line.produce(&short, sized(1_048_577));
    code("over a segment", seen, RECORD_LIST_TOO_LARGE);
    is(
        "a segment",
        line.produce(&short, sized(1_048_576)),
        (NONE, 0),
    );
}

fn refused_sequence(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    let value = vec![0; 1_100_000];
    let large = plain(header(me, 0, 1), &[Rec(0, 0, None, Some(&value))]);
    code("refused", line.produce(&t, large).0, MESSAGE_TOO_LARGE);
    is(
        "the next at 0",
        line.produce(&t, batch(me, 0, 1)),
        (NONE, 0),
    );
}

fn replicas(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("strict");
    line.create(&t, 1, &[("min.insync.replicas", "2")]);
    let (seen, _) = line.produce(&t, batch(NOBODY, -1, 1));
    code("two of one", seen, NONE);
    let request = produce(&t, &[(0, batch(NOBODY, -1, 1))], None).with_acks(1);
    let answer = line.ask(9, &request);
    code(
        "acks=1",
        answer.responses[0].partition_responses[0].error_code,
        NONE,
    );
}
