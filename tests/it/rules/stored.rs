//! What a broker makes of a batch: rules P5 and P12 to P16, probes D2, D3, N6 and N8.

use kafka_migrate::wire::{codec::Codec, record::Records};

use super::{Rule, World, batches::*, code, codes::*, is, line::*, produce::ONE};

pub const RULES: &[Rule] = &[
    (
        "P5 D2: holes inside are stored plain, and break the broker compressed",
        holes,
    ),
    (
        "P16: another codec than the topic's is packed anew, the producer kept",
        other_codec,
    ),
    (
        "P14 N6: what is not to be changed comes back byte for byte",
        bytes_kept,
    ),
    ("N8: the largest timestamp is counted anew", largest_time),
    (
        "P12: append time replaces times, and its bit is not for clients",
        append_time,
    ),
    (
        "P13 D3: the append-time bit is cleared on a topic that keeps times",
        append_time_bit,
    ),
];

const HOLED: &[Rec<'_>] = &[
    Rec(0, 0, None, Some(b"a")),
    Rec(4, 0, None, Some(b"b")),
    Rec(9, 0, None, Some(b"c")),
];

fn offsets(batch: &kafka_migrate::wire::batch::Batch) -> Vec<i64> {
    let records = Records::of(batch, 1 << 20).expect("records");
    records.map(|one| one.expect("a record").offset).collect()
}

fn holes(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    let sent = plain(header(me, 0, 3), HOLED);
    is("plain", line.produce(&t, sent), (NONE, 0));
    is("as stored", offsets(&line.last(&t)), vec![0, 4, 9]);
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = packed(header(me, 3, 3), HOLED, codec);
        code("compressed", line.produce(&t, sent).0, UNKNOWN_SERVER_ERROR);
    }
    is(
        "nothing was taken",
        line.produce(&t, batch(me, 3, 1)),
        (NONE, 3),
    );
}

fn other_codec(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("gzip");
    line.create(&t, 1, &[("compression.type", "gzip")]);
    let me = line.producer();
    let sent = packed(header(me, 0, 3), HOLED, Codec::Lz4);
    is("taken", line.produce(&t, sent), (NONE, 0));
    let stored = line.last(&t);
    is("its codec", stored.header.codec(), 1);
    let head = stored.header;
    is("its producer", (head.producer_id, head.producer_epoch), me);
    is(
        "its sequence",
        (head.base_sequence, head.record_count),
        (0, 3),
    );
    is("without holes", offsets(&stored), vec![0, 1, 2]);
    is("its CRC", stored.verify().is_ok(), true);
    let sent = packed(header(me, 3, 3), HOLED, Codec::Gzip);
    code(
        "the topic's codec",
        line.produce(&t, sent).0,
        UNKNOWN_SERVER_ERROR,
    );
    let mut head = header(me, 3, 1);
    head.attributes = DELETE_HORIZON | 0x80;
    let sent = packed(head, ONE, Codec::None);
    is("with a horizon", line.produce(&t, sent), (NONE, 3));
    is("its attributes", line.last(&t).header.attributes, 1);
}

fn bytes_kept(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    let all = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];
    for (at, codec) in (0..).zip(all) {
        for (next, bits) in [(2 * at, 0x80), (2 * at + 1, DELETE_HORIZON)] {
            let mut head = header(me, next, 1);
            head.attributes = bits;
            let sent = packed(head, &[Rec(0, 0, Some(b"k"), Some(b"v"))], codec);
            is("taken", line.produce(&t, sent.clone()), (NONE, next.into()));
            let stored = line.last(&t);
            let what = format!("{codec:?} with bits {bits:#x}");
            is(&what, &stored.bytes[16..], &sent[16..]);
            is("its place", stored.header.base_offset, next.into());
        }
    }
}

fn largest_time(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    for lie in [7_200_000, -3 * 86_400_000] {
        let mut head = header(NOBODY, -1, 1);
        let time = head.max_timestamp;
        head.max_timestamp += lie;
        code("taken", line.produce(&t, plain(head, ONE)).0, NONE);
        let stored = line.last(&t);
        is("the largest", stored.header.max_timestamp, time);
        is("its CRC", stored.verify().is_ok(), true);
    }
}

fn append_time(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("stamped");
    line.create(&t, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let seen = line.put(9, (&t, 0), batch_at((5, 0), 0, 1, 1_000), None);
    code("any time", seen.error_code, NONE);
    is(
        "now",
        (seen.log_append_time_ms - now()).abs() < 60_000,
        true,
    );
    let stored = line.last(&t).header;
    is("its bit", stored.is_log_append_time(), true);
    is("its time", stored.max_timestamp, seen.log_append_time_ms);
    is("what others count from", stored.base_timestamp, 1_000);
    let mut head = header(NOBODY, -1, 1);
    head.attributes = LOG_APPEND_TIME;
    code(
        "the bit",
        line.produce(&t, plain(head, ONE)).0,
        INVALID_TIMESTAMP,
    );
}

fn append_time_bit(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut head = header(NOBODY, -1, 1);
    head.attributes = LOG_APPEND_TIME;
    head.base_timestamp -= 7_200_000;
    let seen = line.put(9, (&t, 0), plain(head, ONE), None);
    code("taken", seen.error_code, NONE);
    is("no append time", seen.log_append_time_ms, -1);
    let stored = line.last(&t);
    is("its bit", stored.header.is_log_append_time(), false);
    is("its time", stored.header.max_timestamp, head.max_timestamp);
    is("its CRC", stored.verify().is_ok(), true);
}
