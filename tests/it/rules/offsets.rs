//! ListOffsets and DeleteRecords: probes D8 and 21, rules F12, N14 and S9.

use kafka_protocol::messages::{
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    *,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "D8: ends and special timestamps, each from its version on",
        special,
    ),
    ("ListOffsets: the first record at or after a time", by_time),
    (
        "ListOffsets: epochs, and partitions that are not there",
        refused,
    ),
    (
        "F12: ListOffsets to those who read what is committed",
        committed,
    ),
    (
        "DeleteRecords: to an offset, to the end, past it",
        delete_records,
    ),
    ("N14: a compacted topic is not trimmed", compacted),
    (
        "S9: what is known of producers survives DeleteRecords",
        producers_stay,
    ),
    (
        "ListOffsets: where the broker stamps, the batch's first record",
        by_append_time,
    ),
];

impl Line {
    /// ListOffsets of partition 0: code, offset and time.
    fn list(&mut self, version: i16, t: &str, timestamp: i64) -> (i16, i64, i64) {
        self.list_of(version, t, 0, timestamp, -1, false)
    }

    fn list_of(
        &mut self,
        version: i16,
        t: &str,
        partition: i32,
        timestamp: i64,
        epoch: i32,
        committed: bool,
    ) -> (i16, i64, i64) {
        let one = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(epoch)
            .with_timestamp(timestamp);
        let one = ListOffsetsTopic::default()
            .with_name(topic(t))
            .with_partitions(vec![one]);
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(i8::from(committed))
            .with_topics(vec![one]);
        let answer = self.ask(version, &request);
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.offset, one.timestamp)
    }
}

fn special(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    is(
        "an empty log's largest",
        line.list(7, &t, -3),
        (NONE, -1, -1),
    );
    let now = now();
    for (at, time) in [(0, now - 5_000), (1, now - 1_000), (2, now - 3_000)] {
        is(
            "sent",
            line.produce(&t, batch_at(NOBODY, -1, 1, time)),
            (NONE, at),
        );
    }
    for version in [1, 6, 9] {
        is("the end", line.list(version, &t, -1), (NONE, 3, -1));
        is("the start", line.list(version, &t, -2), (NONE, 0, -1));
    }
    is(
        "-3 in 6",
        line.list(6, &t, -3),
        (UNSUPPORTED_VERSION, -1, -1),
    );
    is("-3 in 7", line.list(7, &t, -3), (NONE, 1, now - 1_000));
    is(
        "-4 in 7",
        line.list(7, &t, -4),
        (UNSUPPORTED_VERSION, -1, -1),
    );
    is("-4 in 8", line.list(8, &t, -4), (NONE, 0, -1));
    is(
        "-5 in 8",
        line.list(8, &t, -5),
        (UNSUPPORTED_VERSION, -1, -1),
    );
    is("-5 in 9", line.list(9, &t, -5), (NONE, -1, -1));
    for nothing in [-6, -7] {
        is(
            "-6, -7",
            line.list(9, &t, nothing),
            (UNSUPPORTED_VERSION, -1, -1),
        );
    }
    line.delete_records(&t, 2);
    is("the start then", line.list(6, &t, -2), (NONE, 2, -1));
}

fn by_time(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let base = now() - 100_000;
    let mut head = header(NOBODY, -1, 3);
    (head.base_timestamp, head.max_timestamp) = (base, base + 2_000);
    let three = [
        Rec(0, 0, None, Some(b"a")),
        Rec(1, 2_000, None, Some(b"b")),
        Rec(2, 1_000, None, Some(b"c")),
    ];
    for (at, codec) in [
        (0, kafka_migrate::wire::codec::Codec::None),
        (3, kafka_migrate::wire::codec::Codec::Zstd),
    ] {
        head.base_timestamp = base + at * 1_000;
        head.max_timestamp = head.base_timestamp + 2_000;
        is(
            "sent",
            line.produce(&t, packed(head, &three, codec)),
            (NONE, at),
        );
    }
    for (after, offset, time) in [
        (0, 0, 0),
        (1, 1, 2_000),
        (2_000, 1, 2_000),
        (2_001, 3, 3_000),
        (3_001, 4, 5_000),
        (5_000, 4, 5_000),
    ] {
        let seen = line.list(6, &t, base + after);
        is(
            &format!("after {after} ms"),
            seen,
            (NONE, offset, base + time),
        );
    }
    is("after all", line.list(6, &t, base + 5_001), (NONE, -1, -1));
    is("1970", line.list(6, &t, 0), (NONE, 0, base));
    is("the largest", line.list(7, &t, -3), (NONE, 4, base + 5_000));
}

fn refused(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let nowhere = world.unique("nowhere");
    let unknown = (UNKNOWN_TOPIC_OR_PARTITION, -1, -1);
    is("no topic", line.list(6, &nowhere, -1), unknown);
    is(
        "no partition",
        line.list_of(6, &t, 9, -1, -1, false),
        unknown,
    );
    let seen = line.list_of(6, &t, 0, -1, 7, false);
    is("a leader of later", seen, (UNKNOWN_LEADER_EPOCH, -1, -1));
    is(
        "the leader's own",
        line.list_of(6, &t, 0, -1, 0, false),
        (NONE, 0, -1),
    );
}

fn committed(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    line.produce(&t, batch(NOBODY, -1, 1));
    let me = super::transactions::open(&mut line, &x, &t);
    is("open", line.fetch(&t, 0, false).high_watermark, 2);
    is("all", line.list_of(6, &t, 0, -1, -1, false), (NONE, 2, -1));
    is(
        "committed",
        line.list_of(6, &t, 0, -1, -1, true),
        (NONE, 1, -1),
    );
    is(
        "of now",
        line.list_of(6, &t, 0, now() - 60_000, -1, true).1,
        0,
    );
    super::transactions::close(&mut line, &x, me);
    is(
        "closed",
        line.list_of(6, &t, 0, -1, -1, true),
        (NONE, 3, -1),
    );
}

fn delete_records(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    line.produce(&t, batch(NOBODY, -1, 4));
    is("to 1", line.delete_records(&t, 1), (NONE, 1));
    is("back to 0", line.delete_records(&t, 0), (NONE, 1));
    code(
        "past the end",
        line.delete_records(&t, 5).0,
        OFFSET_OUT_OF_RANGE,
    );
    code("-2", line.delete_records(&t, -2).0, OFFSET_OUT_OF_RANGE);
    is("to the end", line.delete_records(&t, -1), (NONE, 4));
    let nowhere = world.unique("nowhere");
    let (seen, _) = line.delete_records(&nowhere, 0);
    code("nowhere", seen, UNKNOWN_TOPIC_OR_PARTITION);
    is("goes on", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 4));
}

fn compacted(world: &World) {
    let mut line = Line::to(world);
    for (policy, expected) in [
        ("compact", POLICY_VIOLATION),
        ("compact,delete", NONE),
        ("delete", NONE),
    ] {
        let t = world.unique("policy");
        line.create(&t, 1, &[("cleanup.policy", policy)]);
        line.produce(&t, batch(NOBODY, -1, 2));
        code(policy, line.delete_records(&t, 1).0, expected);
    }
}

fn producers_stay(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    line.produce(&t, batch(me, 0, 3));
    is("deleted", line.delete_records(&t, -1), (NONE, 3));
    is("a retry", line.produce(&t, batch(me, 0, 3)), (NONE, 0));
    code(
        "a gap",
        line.produce(&t, batch(me, 4, 1)).0,
        OUT_OF_ORDER_SEQUENCE_NUMBER,
    );
    is("the next", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
}

fn by_append_time(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("stamped");
    line.create(&t, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let first = line.put(9, (&t, 0), batch_at(NOBODY, -1, 3, 5), None);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let second = line.put(9, (&t, 0), batch_at(NOBODY, -1, 3, 5), None);
    let (first, second) = (first.log_append_time_ms, second.log_append_time_ms);
    is("the first", line.list(6, &t, first), (NONE, 0, first));
    is("the second", line.list(6, &t, first + 1), (NONE, 3, second));
    is("long ago", line.list(6, &t, 5), (NONE, 0, first));
    is("later", line.list(6, &t, second + 1), (NONE, -1, -1));
    is("the largest", line.list(7, &t, -3).2, second);
    is("its offset", line.list(7, &t, -3).1, 3);
}
