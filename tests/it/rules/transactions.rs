//! Transactions: how they end, who may end them, what is known of them. Probes D9 and N9, rule S12.

use kafka_migrate::wire::batch::Marker;

use kafka_protocol::messages::{
    add_partitions_to_txn_request::AddPartitionsToTxnTopic,
    describe_producers_request::TopicRequest, describe_producers_response::ProducerState, *,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "D9: markers of EndTxn v3 and v4 carry the epoch as it was",
        ends_keep_epochs,
    ),
    (
        "N9: an empty commit keeps sequence and window, and makes the time now",
        seal,
    ),
    ("an end repeats and does not change its mind", ends),
    ("identities that are not the coordinator's", identities),
    ("S12: DescribeProducers", describe_producers),
    (
        "DescribeTransactions and ListTransactions",
        describe_transactions,
    ),
];

impl Line {
    pub fn begin(&mut self, id: &str) -> Identity {
        let (seen, producer, epoch) = self.init(Some(id), NOBODY);
        assert_eq!(seen, NONE, "no identity for {id}");
        (producer, epoch)
    }

    pub fn add(&mut self, id: &str, me: Identity, t: &str, partitions: &[i32]) -> i16 {
        let one = AddPartitionsToTxnTopic::default()
            .with_name(topic(t))
            .with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(id)))
            .with_v3_and_below_producer_id(ProducerId(me.0))
            .with_v3_and_below_producer_epoch(me.1)
            .with_v3_and_below_topics(vec![one]);
        let first = |answer: &AddPartitionsToTxnResponse| {
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        };
        first(&patiently(|| self.ask(3, &request), first))
    }

    pub fn end_as(&mut self, version: i16, id: &str, me: Identity, commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(me.0))
            .with_producer_epoch(me.1)
            .with_committed(commit);
        patiently(|| self.ask(version, &request), |answer| answer.error_code).error_code
    }

    /// Ends a transaction and waits for its markers: a repeated end is answered when all are written.
    pub fn end(&mut self, id: &str, me: Identity, commit: bool) {
        for _ in 0..2 {
            code("the end", self.end_as(3, id, me, commit), NONE);
        }
    }

    /// A transactional batch to partition 0.
    pub fn put_in(&mut self, t: &str, id: &str, batch: bytes::Bytes) -> (i16, i64) {
        let answer = self.put(9, (t, 0), batch, Some(id));
        (answer.error_code, answer.base_offset)
    }

    /// What the leader of partition 0 remembers of a producer.
    pub fn remembered(&mut self, t: &str, id: i64) -> Option<ProducerState> {
        let one = TopicRequest::default()
            .with_name(topic(t))
            .with_partition_indexes(vec![0]);
        let request = DescribeProducersRequest::default().with_topics(vec![one]);
        let answer = self.ask(0, &request);
        let all = &answer.topics[0].partitions[0].active_producers;
        all.iter().find(|one| *one.producer_id == id).cloned()
    }
}

fn ends_keep_epochs(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    for (version, sequence) in [(3, 0), (4, 1)] {
        code("added", line.add(&x, me, &t, &[0]), NONE);
        let sent = line.put_in(&t, &x, transactional(me, sequence, 1));
        code("sent", sent.0, NONE);
        for _ in 0..2 {
            code("ended", line.end_as(version, &x, me, true), NONE);
        }
        let marker = line.last(&t);
        is("a commit", marker.marker(), Ok(Some(Marker::Commit)));
        is("its epoch", marker.header.producer_epoch, me.1);
    }
}

fn seal(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    let days_ago = now() - 2 * 86_400_000;
    for sequence in 0..3 {
        code(
            "sent",
            line.produce(&t, batch_at(me, sequence, 1, days_ago)).0,
            NONE,
        );
    }
    let before = line.remembered(&t, me.0).map(|one| one.last_timestamp);
    is("cold", before, Some(days_ago));
    code("added", line.add(&x, me, &t, &[0]), NONE);
    line.end(&x, me, true);
    let after = line.remembered(&t, me.0).expect("it is known");
    is(
        "its sequence",
        (after.last_sequence, after.producer_epoch),
        (2, me.1.into()),
    );
    is("warm", (after.last_timestamp - now()).abs() < 60_000, true);
    is(
        "a retry",
        line.produce(&t, batch_at(me, 1, 1, days_ago)),
        (NONE, 1),
    );
    is(
        "the next",
        line.produce(&t, batch_at(me, 3, 1, days_ago)),
        (NONE, 4),
    );
    let last = line.remembered(&t, me.0).map(|one| one.last_timestamp);
    is("cold again", last, Some(days_ago));
}

fn ends(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    for commit in [true, false] {
        code(
            "nothing open",
            line.end_as(3, &x, me, commit),
            INVALID_TXN_STATE,
        );
    }
    for commit in [true, false] {
        code("added", line.add(&x, me, &t, &[0]), NONE);
        line.end(&x, me, commit);
        code("the same again", line.end_as(3, &x, me, commit), NONE);
        code(
            "the other",
            line.end_as(3, &x, me, !commit),
            INVALID_TXN_STATE,
        );
    }
}

fn identities(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (x, y) = (world.unique("txn"), world.unique("txn"));
    let me = line.begin(&x);
    for (what, id, who, expected) in [
        ("another epoch", &x, (me.0, me.1 + 1), PRODUCER_FENCED),
        (
            "another producer",
            &x,
            (me.0 + 77_777, me.1),
            INVALID_PRODUCER_ID_MAPPING,
        ),
        ("nobody's id", &y, me, INVALID_PRODUCER_ID_MAPPING),
    ] {
        code(what, line.end_as(3, id, who, true), expected);
        code(what, line.add(id, who, &t, &[0]), expected);
    }
    code(
        "partition 9",
        line.add(&x, me, &t, &[9]),
        UNKNOWN_TOPIC_OR_PARTITION,
    );
    code("no id", line.init(Some(""), NOBODY).0, INVALID_REQUEST);
    let long = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text(&y))))
        .with_transaction_timeout_ms(900_001)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let seen = line.ask(4, &long).error_code;
    code("16 minutes", seen, INVALID_TRANSACTION_TIMEOUT);
    code(
        "half an identity",
        line.init(Some(&y), (5, -1)).0,
        INVALID_REQUEST,
    );
}

fn describe_producers(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let me = line.begin(&x);
    is("unknown", line.remembered(&t, me.0).is_none(), true);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is("added only", line.remembered(&t, me.0).is_none(), true);
    line.put_in(&t, &x, transactional(me, 7, 2));
    let seen = line.remembered(&t, me.0).expect("it is known");
    is(
        "its sequence",
        (seen.last_sequence, seen.producer_epoch),
        (8, me.1.into()),
    );
    is("open since", seen.current_txn_start_offset, 0);
    is("no marker yet", seen.coordinator_epoch, -1);
    line.end(&x, me, true);
    let seen = line.remembered(&t, me.0).expect("it is known");
    is(
        "ended",
        (seen.last_sequence, seen.current_txn_start_offset),
        (8, -1),
    );
    is("a marker", seen.coordinator_epoch, 0);
    let one = TopicRequest::default()
        .with_name(topic(&t))
        .with_partition_indexes(vec![9]);
    let answer = line.ask(
        0,
        &DescribeProducersRequest::default().with_topics(vec![one]),
    );
    let seen = answer.topics[0].partitions[0].error_code;
    code("nowhere", seen, UNKNOWN_TOPIC_OR_PARTITION);
    // A marker alone: it is known, without a sequence.
    let (mut line, t) = Line::with_topic(world, 1);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    line.end(&x, me, true);
    let seen = line
        .remembered(&t, me.0)
        .map(|one| (one.last_sequence, one.current_txn_start_offset));
    is("a marker only", seen, Some((-1, -1)));
}

fn describe_transactions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let (x, y) = (world.unique("txn"), world.unique("txn"));
    let me = line.begin(&x);
    let asked = |what: &str, expected: &str, line: &mut Line| {
        let ids = vec![TransactionalId(text(&x)), TransactionalId(text(&y))];
        let request = DescribeTransactionsRequest::default().with_transactional_ids(ids);
        let answer = line.ask(0, &request);
        let mine = &answer.transaction_states[0];
        is(what, mine.transaction_state.as_str(), expected);
        is("whose", (*mine.producer_id, mine.producer_epoch), me);
        is("its timeout", mine.transaction_timeout_ms, 60_000);
        let other = answer.transaction_states[1].error_code;
        code("nobody's", other, TRANSACTIONAL_ID_NOT_FOUND);
        let topics: Vec<_> = mine
            .topics
            .iter()
            .map(|one| one.partitions.clone())
            .collect();
        let all = line
            .ask(0, &ListTransactionsRequest::default())
            .transaction_states;
        let listed = all.iter().find(|one| one.transactional_id.as_str() == x);
        let listed = listed.map(|one| one.transaction_state.to_string());
        is("listed", listed.as_deref(), Some(expected));
        topics
    };
    asked("at first", "Empty", &mut line);
    code("added", line.add(&x, me, &t, &[0]), NONE);
    is(
        "its partitions",
        asked("open", "Ongoing", &mut line),
        vec![vec![0]],
    );
    line.end(&x, me, true);
    is(
        "none left",
        asked("ended", "CompleteCommit", &mut line),
        Vec::<Vec<i32>>::new(),
    );
}

/// A transaction with one record in partition 0, for other rules.
pub fn open(line: &mut Line, id: &str, t: &str) -> Identity {
    let me = line.begin(id);
    code("added", line.add(id, me, t, &[0]), NONE);
    code("sent", line.put_in(t, id, transactional(me, 0, 1)).0, NONE);
    me
}

/// Its commit.
pub fn close(line: &mut Line, id: &str, me: Identity) {
    line.end(id, me, true);
}
