//! Fetch: rules F1 to F7, F12, probes 12, 21 and N1.

use std::time::{Duration, Instant};

use kafka_protocol::messages::{
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    *,
};

use uuid::Uuid;

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "F1: a fetch inside a batch gets all of it, what was deleted too",
        inside_a_batch,
    ),
    (
        "F3: outside the log nothing is known, at its end nothing is there",
        outside,
    ),
    (
        "F6: only the first partition may exceed its limit",
        oversize,
    ),
    ("F1: the last batch is cut short", cut_short),
    ("N1: a long poll holds up its connection", held_up),
    ("a long poll ends with data", ends_with_data),
    (
        "F4: an epoch that is unknown, one that was, and the leader's own",
        epochs,
    ),
    ("F5: OffsetForLeaderEpoch", where_epochs_end),
    ("an unknown topic by name and by id", unknown),
    ("a fetch by id is answered by id", by_id),
];

fn inside_a_batch(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch(NOBODY, -1, 4);
    is("sent", line.produce(&t, sent.clone()), (NONE, 0));
    is("deleted", line.delete_records(&t, 2), (NONE, 2));
    let data = line.fetch(&t, 2, false);
    is("bytes", data.records.map(|it| it.len()), Some(sent.len()));
    is("the start", data.log_start_offset, 2);
    is(
        "a record further",
        line.stored(&t, 3)[0].header.base_offset,
        0,
    );
}

fn outside(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    line.produce(&t, batch(NOBODY, -1, 4));
    line.delete_records(&t, 2);
    for offset in [0, 1, 5] {
        let data = line.fetch(&t, offset, false);
        code("outside", data.error_code, OFFSET_OUT_OF_RANGE);
        let known = (
            data.high_watermark,
            data.last_stable_offset,
            data.log_start_offset,
        );
        is("known", known, (-1, -1, -1));
    }
    let data = line.fetch(&t, 4, false);
    code("at the end", data.error_code, NONE);
    is("nothing", data.records.map_or(0, |it| it.len()), 0);
    let known = (
        data.high_watermark,
        data.last_stable_offset,
        data.log_start_offset,
    );
    is("known there", known, (4, 4, 2));
}

pub fn lengths(answer: &FetchResponse) -> Vec<(i32, usize)> {
    let each = answer.responses.iter().flat_map(|topic| &topic.partitions);
    each.map(|one| {
        (
            one.partition_index,
            one.records.as_ref().map_or(0, |it| it.len()),
        )
    })
    .collect()
}

fn oversize(world: &World) {
    let (mut line, t) = Line::with_topic(world, 3);
    let sent = batch(NOBODY, -1, 3);
    for partition in [0, 1] {
        line.put(9, (&t, partition), sent.clone(), None);
    }
    let limited = |order: &[(i32, i64)], of_partition, of_all| {
        let mut request = fetch(&t, order, false).with_max_bytes(of_all);
        for one in &mut request.topics[0].partitions {
            one.partition_max_bytes = of_partition;
        }
        request
    };
    let whole = sent.len();
    let answer = line.ask(12, &limited(&[(0, 0), (1, 0)], 10, 1 << 20));
    is("in order", lengths(&answer), vec![(0, whole), (1, 0)]);
    let answer = line.ask(12, &limited(&[(1, 0), (0, 0)], 10, 1 << 20));
    is(
        "the other way round",
        lengths(&answer),
        vec![(1, whole), (0, 0)],
    );
    let answer = line.ask(12, &limited(&[(2, 0), (1, 0), (0, 0)], 10, 1 << 20));
    is(
        "after an empty one",
        lengths(&answer),
        vec![(2, 0), (1, whole), (0, 0)],
    );
    let answer = line.ask(12, &limited(&[(0, 0), (1, 0)], 1 << 20, 10));
    is(
        "limited altogether",
        lengths(&answer),
        vec![(0, whole), (1, 0)],
    );
    let answer = line.ask(12, &limited(&[(0, 0), (1, 0)], 1 << 20, 1 << 20));
    is(
        "not limited",
        lengths(&answer),
        vec![(0, whole), (1, whole)],
    );
}

fn cut_short(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch(NOBODY, -1, 3);
    for _ in 0..2 {
        line.produce(&t, sent.clone());
    }
    let mut request = fetch(&t, &[(0, 0)], false);
    let limit = sent.len() + 20;
    request.topics[0].partitions[0].partition_max_bytes = limit as i32;
    let answer = line.ask(12, &request);
    is("bytes", lengths(&answer), vec![(0, limit)]);
}

fn held_up(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let request = fetch(&t, &[(0, 0)], false)
        .with_max_wait_ms(400)
        .with_min_bytes(1);
    let began = Instant::now();
    line.send(12, &request).expect("sent");
    line.send(9, &MetadataRequest::default().with_topics(Some(vec![])))
        .expect("sent");
    let answer = line.receive::<FetchRequest>(12).expect("an answer");
    code(
        "the poll",
        answer.responses[0].partitions[0].error_code,
        NONE,
    );
    line.receive::<MetadataRequest>(9).expect("an answer");
    is(
        "it waited",
        began.elapsed() >= Duration::from_millis(390),
        true,
    );
}

fn ends_with_data(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch(NOBODY, -1, 1);
    let least = 2 * sent.len() as i32;
    let request = fetch(&t, &[(0, 0)], false)
        .with_max_wait_ms(8_000)
        .with_min_bytes(least);
    let began = Instant::now();
    line.send(12, &request).expect("sent");
    let mut other = Line::to(world);
    for _ in 0..2 {
        other.produce(&t, sent.clone());
    }
    let answer = line.receive::<FetchRequest>(12).expect("an answer");
    is("both", lengths(&answer), vec![(0, 2 * sent.len())]);
    is("early", began.elapsed() < Duration::from_secs(6), true);
    // What is wrong is said at once.
    let request = fetch(&t, &[(0, 99)], false)
        .with_max_wait_ms(8_000)
        .with_min_bytes(1);
    let answer = line.ask(12, &request);
    let seen = answer.responses[0].partitions[0].error_code;
    code("out of range", seen, OFFSET_OUT_OF_RANGE);
    is("at once", began.elapsed() < Duration::from_secs(7), true);
}

fn epochs(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    for _ in 0..3 {
        line.produce(&t, batch(NOBODY, -1, 1));
    }
    let mut ask = |offset, last, current| {
        let mut request = fetch(&t, &[(0, offset)], false);
        let one = &mut request.topics[0].partitions[0];
        (one.last_fetched_epoch, one.current_leader_epoch) = (last, current);
        line.ask(12, &request).responses[0].partitions[0].clone()
    };
    let data = ask(2, 0, 0);
    code("the right one", data.error_code, NONE);
    is("no divergence", data.diverging_epoch.end_offset, -1);
    code("9999", ask(2, 9999, -1).error_code, OFFSET_OUT_OF_RANGE);
    code(
        "a leader of later",
        ask(2, -1, 7).error_code,
        UNKNOWN_LEADER_EPOCH,
    );
    let data = ask(7, 0, -1);
    code("past the end with the epoch", data.error_code, NONE);
    let diverging = (data.diverging_epoch.epoch, data.diverging_epoch.end_offset);
    is("where it ends", diverging, (0, 3));
    is("no bytes", data.records.map_or(0, |it| it.len()), 0);
    code("without it", ask(7, -1, -1).error_code, OFFSET_OUT_OF_RANGE);
}

fn where_epochs_end(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    line.produce(&t, batch(NOBODY, -1, 3));
    let mut ask = |partition, current, epoch| {
        let one = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(current)
            .with_leader_epoch(epoch);
        let one = OffsetForLeaderTopic::default()
            .with_topic(topic(&t))
            .with_partitions(vec![one]);
        let request = OffsetForLeaderEpochRequest::default().with_topics(vec![one]);
        let request = request.with_replica_id(BrokerId(-1));
        let answer = line.ask(4, &request);
        let end = &answer.topics[0].partitions[0];
        (end.error_code, end.leader_epoch, end.end_offset)
    };
    is("the first", ask(0, -1, 0), (NONE, 0, 3));
    is("one of later", ask(0, -1, 7), (NONE, -1, -1));
    is("none", ask(0, -1, -1), (NONE, -1, -1));
    is(
        "a leader of later",
        ask(0, 7, 0),
        (UNKNOWN_LEADER_EPOCH, -1, -1),
    );
    is(
        "nowhere",
        ask(9, -1, 0),
        (UNKNOWN_TOPIC_OR_PARTITION, -1, -1),
    );
}

fn unknown(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let name = world.unique("nowhere");
    let data = line.fetch(&name, 0, false);
    code("by name", data.error_code, UNKNOWN_TOPIC_OR_PARTITION);
    let answer = line.ask(12, &fetch(&t, &[(9, 0)], false));
    let seen = answer.responses[0].partitions[0].error_code;
    code("its partition", seen, UNKNOWN_TOPIC_OR_PARTITION);
    let mut request = fetch(&t, &[(0, 0)], false);
    request.topics[0].topic_id = Uuid::from_u128(5);
    let answer = line.ask(13, &request);
    code("at the top", answer.error_code, NONE);
    let seen = answer.responses[0].partitions[0].error_code;
    code("by id", seen, UNKNOWN_TOPIC_ID);
}

fn by_id(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch(NOBODY, -1, 1);
    line.produce(&t, sent.clone());
    let id = line.describe(&t).topic_id;
    let mut request = fetch("", &[(0, 0)], false);
    request.topics[0].topic_id = id;
    for version in 13..=17 {
        let answer = line.ask(version, &request);
        is("bytes", lengths(&answer), vec![(0, sent.len())]);
        is("whose", answer.responses[0].topic_id, id);
    }
}
