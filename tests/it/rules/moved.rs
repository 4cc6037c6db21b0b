//! Leaders that move: what the new one remembers, what the old one answers, leader epochs. Probes D5, D7 and 18, rules F4, F5, F8, S8.

use kafka_protocol::messages::{
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
    *,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "D5: after a leader moved all five batches are known",
        window,
    ),
    (
        "the old leader: NOT_LEADER_OR_FOLLOWER, but for a fetch (F8)",
        old_leader,
    ),
    (
        "F4 F5: leader epochs: fenced, unknown, and where logs part",
        epochs,
    ),
    (
        "F5: an epoch in which nothing was written leaves no trace",
        no_trace,
    ),
    (
        "Metadata: the new leader, its epoch, and who is in sync",
        shown,
    ),
    (
        "a transaction goes on and ends at another leader",
        transaction,
    ),
    (
        "D7: the trap stays with the leader that it was set at",
        trap_stays,
    ),
    ("S4: epochs and fences are known to the next leader", fences),
];

/// OffsetForLeaderEpoch of partition 0.
pub fn end_of(t: &str, current: i32, epoch: i32) -> OffsetForLeaderEpochRequest {
    let one = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(current)
        .with_leader_epoch(epoch);
    let one = OffsetForLeaderTopic::default()
        .with_topic(topic(t))
        .with_partitions(vec![one]);
    OffsetForLeaderEpochRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![one])
}

fn latest(t: &str, current: i32) -> ListOffsetsRequest {
    let one = ListOffsetsPartition::default()
        .with_partition_index(0)
        .with_current_leader_epoch(current)
        .with_timestamp(-1);
    let one = ListOffsetsTopic::default()
        .with_name(topic(t))
        .with_partitions(vec![one]);
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![one])
}

impl Line {
    /// Where an epoch ended: code, epoch and offset.
    pub fn epoch_end(&mut self, t: &str, current: i32, epoch: i32) -> (i16, i32, i64) {
        let answer = self.ask(4, &end_of(t, current, epoch));
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.leader_epoch, one.end_offset)
    }

    /// The latest offset, asked by somebody who knows this leader epoch.
    pub fn latest(&mut self, t: &str, current: i32) -> (i16, i64) {
        let answer = self.ask(6, &latest(t, current));
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.offset)
    }

    /// A fetch by somebody who knows this leader epoch and read a record of the other: code, and where the logs part.
    pub fn fetch_knowing(
        &mut self,
        t: &str,
        offset: i64,
        current: i32,
        last: i32,
    ) -> (i16, i32, i64) {
        let mut request = fetch(t, &[(0, offset)], false);
        let one = &mut request.topics[0].partitions[0];
        (one.current_leader_epoch, one.last_fetched_epoch) = (current, last);
        let answer = self.ask(12, &request);
        let one = &answer.responses[0].partitions[0];
        let parted = &one.diverging_epoch;
        (one.error_code, parted.epoch, parted.end_offset)
    }
}

/// Has another broker lead; a connection to it.
fn moved(world: &World, t: &str, broker: i32) -> Line {
    world.operator().lead(t, broker);
    Line::leading(world, t, broker)
}

/// A topic on both brokers, led by the first; a connection to that one.
fn on_both(world: &World) -> (Line, String) {
    let t = Line::create_on(world, &[1, 2], &[]);
    (Line::at(world, 1), t)
}

fn window(world: &World) {
    let (mut line, t) = on_both(world);
    let me = line.producer();
    let sent: Vec<_> = (0..7).map(|at| batch(me, at, 1)).collect();
    for (at, one) in (0..).zip(&sent) {
        is("sent", line.produce(&t, one.clone()), (NONE, at));
    }
    let mut line = moved(world, &t, 2);
    for at in (2..7).rev() {
        let again = line.produce(&t, sent[at].clone());
        is("one of the last five again", again, (NONE, at as i64));
    }
    for at in [0, 1] {
        let again = line.produce(&t, sent[at].clone());
        code("an older one", again.0, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    is("the next", line.produce(&t, batch(me, 7, 1)), (NONE, 7));
}

fn old_leader(world: &World) {
    let (mut old, t) = on_both(world);
    let me = old.producer();
    is("sent", old.produce(&t, batch(me, 0, 1)), (NONE, 0));
    let mut new = moved(world, &t, 2);
    let seen = settled(
        || old.produce(&t, batch(me, 1, 1)).0,
        |seen| *seen == NOT_LEADER_OR_FOLLOWER,
    );
    code("Produce", seen, NOT_LEADER_OR_FOLLOWER);
    code("ListOffsets", old.latest(&t, -1).0, NOT_LEADER_OR_FOLLOWER);
    let end = old.epoch_end(&t, -1, 0).0;
    code("OffsetForLeaderEpoch", end, NOT_LEADER_OR_FOLLOWER);
    let answer = old.ask(10, &fetch(&t, &[(0, 0)], false));
    let seen = answer.responses[0].partitions[0].error_code;
    code("Fetch before version 11", seen, NOT_LEADER_OR_FOLLOWER);
    code("Fetch", old.fetch(&t, 0, false).error_code, NONE);
    is("what it has", old.stored(&t, 0).len(), 1);
    is(
        "at the new one",
        new.produce(&t, batch(me, 1, 1)),
        (NONE, 1),
    );
    let seen = settled(|| old.stored(&t, 0).len(), |seen| *seen == 2);
    is("soon all of it", seen, 2);
    let past = old.fetch(&t, 5, false).error_code;
    code("past its end", past, OFFSET_OUT_OF_RANGE);
}

fn epochs(world: &World) {
    let (mut line, t) = on_both(world);
    for at in 0..2 {
        is("sent", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, at));
    }
    let first = line.last(&t).header.leader_epoch;
    is("of the first", first, 0);
    let mut line = moved(world, &t, 2);
    is("sent", line.produce(&t, batch(NOBODY, -1, 3)), (NONE, 2));
    let second = line.last(&t).header.leader_epoch;
    is("one more", second, first + 1);
    is(
        "where it ended",
        line.epoch_end(&t, -1, first),
        (NONE, first, 2),
    );
    is(
        "the present",
        line.epoch_end(&t, second, second),
        (NONE, second, 5),
    );
    is(
        "one to come",
        line.epoch_end(&t, -1, second + 1),
        (NONE, -1, -1),
    );
    for (known, expected) in [
        (first, FENCED_LEADER_EPOCH),
        (second + 1, UNKNOWN_LEADER_EPOCH),
    ] {
        code(
            "OffsetForLeaderEpoch",
            line.epoch_end(&t, known, first).0,
            expected,
        );
        code("ListOffsets", line.latest(&t, known).0, expected);
        code("Fetch", line.fetch_knowing(&t, 0, known, -1).0, expected);
    }
    is(
        "in step",
        line.fetch_knowing(&t, 2, second, first),
        (NONE, -1, -1),
    );
    is(
        "parted",
        line.fetch_knowing(&t, 4, second, first),
        (NONE, first, 2),
    );
    is("at the end", line.latest(&t, second), (NONE, 5));
}

fn no_trace(world: &World) {
    let (mut line, t) = on_both(world);
    is("sent", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 0));
    moved(world, &t, 2);
    let mut line = moved(world, &t, 1);
    is("sent", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 1));
    is("its epoch", line.last(&t).header.leader_epoch, 2);
    is("the one between", line.epoch_end(&t, -1, 1), (NONE, 0, 1));
    is("the first", line.epoch_end(&t, -1, 0), (NONE, 0, 1));
    is("the last", line.epoch_end(&t, -1, 2), (NONE, 2, 2));
}

fn shown(world: &World) {
    let (_, t) = on_both(world);
    moved(world, &t, 2);
    for broker in [1, 2] {
        let mut line = Line::at(world, broker);
        let look = || {
            let seen = line.describe(&t).partitions.remove(0);
            let mut in_sync: Vec<i32> = seen.isr_nodes.iter().map(|id| **id).collect();
            in_sync.sort_unstable();
            (*seen.leader_id, seen.leader_epoch, in_sync)
        };
        let seen = settled(look, |seen| seen.0 == 2);
        is("leader, epoch, in sync", seen, (2, 1, vec![1, 2]));
    }
}

fn transaction(world: &World) {
    let (mut line, t) = on_both(world);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let me = coordinator.begin(&x);
    code("added", coordinator.add(&x, me, &t, &[0]), NONE);
    is(
        "sent",
        line.put_in(&t, &x, transactional(me, 0, 1)),
        (NONE, 0),
    );
    let mut line = moved(world, &t, 2);
    is("held", line.fetch(&t, 0, true).last_stable_offset, 0);
    is(
        "a plain one",
        line.produce(&t, batch(me, 1, 1)).0,
        INVALID_TXN_STATE,
    );
    is(
        "goes on",
        line.put_in(&t, &x, transactional(me, 1, 1)),
        (NONE, 1),
    );
    coordinator.end(&x, me, false);
    let data = line.fetch(&t, 0, true);
    is("ended", data.last_stable_offset, 3);
    is(
        "aborted",
        data.aborted_transactions.map_or(0, |all| all.len()),
        1,
    );
    is("its marker", line.last(&t).header.leader_epoch, 1);
}

fn trap_stays(world: &World) {
    let (mut line, t) = on_both(world);
    let x = world.unique("txn");
    let me = Line::to_coordinator(world, 1, &x).begin(&x);
    for sequence in 0..3 {
        code("sent", line.produce(&t, batch(me, sequence, 1)).0, NONE);
    }
    let (seen, _) = line.put_in(&t, &x, transactional(me, 1, 1));
    code("a lower one", seen, INVALID_TXN_STATE);
    let (seen, _) = line.produce(&t, batch(me, 3, 1));
    code("the trap", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    let mut line = moved(world, &t, 2);
    is("at another", line.produce(&t, batch(me, 3, 1)), (NONE, 3));
}

fn fences(world: &World) {
    let (mut line, t) = on_both(world);
    let x = world.unique("txn");
    let mut coordinator = Line::to_coordinator(world, 1, &x);
    let old = coordinator.begin(&x);
    is("sent", line.produce(&t, batch(old, 0, 2)), (NONE, 0));
    let new = coordinator.begin(&x);
    code("added", coordinator.add(&x, new, &t, &[0]), NONE);
    coordinator.end(&x, new, false);
    let mut line = moved(world, &t, 2);
    let (seen, _) = line.produce(&t, batch(old, 2, 1));
    code("fenced", seen, INVALID_PRODUCER_EPOCH);
    let (seen, _) = line.produce(&t, batch(new, 2, 1));
    code("not at 0", seen, OUT_OF_ORDER_SEQUENCE_NUMBER);
    is("at 0", line.produce(&t, batch(new, 0, 1)), (NONE, 3));
}
