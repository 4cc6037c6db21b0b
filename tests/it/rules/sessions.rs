//! Fetch sessions: rule F7 and F-10.

use kafka_protocol::messages::{fetch_request::ForgottenTopic, *};
use uuid::Uuid;

use super::{Rule, World, batches::*, code, codes::*, fetching::lengths, is, line::*};

pub const RULES: &[Rule] = &[
    ("F7: a session leaves out what has not changed", sessions),
    (
        "F7: a session that is lost, late, or not of this version",
        lost_sessions,
    ),
    (
        "F7: a partition joins a session, and one is forgotten",
        changed_sessions,
    ),
    (
        "F-10: what is wrong in a session is told each time",
        session_errors,
    ),
    (
        "F7: a session goes on by the name it had for a topic's id",
        session_of_old,
    ),
];

/// A first fetch of both partitions in a new session: its id, and the topic's.
fn begin(line: &mut Line, t: &str) -> (i32, Uuid) {
    let id = line.describe(t).topic_id;
    let mut request = fetch(t, &[(0, 0), (1, 0)], false).with_session_epoch(0);
    request.topics[0].topic_id = id;
    let answer = line.ask(13, &request);
    code("a new session", answer.error_code, NONE);
    is("it has an id", answer.session_id == 0, false);
    is("all of it", lengths(&answer).len(), 2);
    (answer.session_id, id)
}

fn next(session: i32, epoch: i32) -> FetchRequest {
    FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_session_id(session)
        .with_session_epoch(epoch)
}

fn sessions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let (session, id) = begin(&mut line, &t);
    is(
        "no change",
        line.ask(13, &next(session, 1)).responses.len(),
        0,
    );
    let sent = batch(NOBODY, -1, 1);
    line.produce(&t, sent.clone());
    let answer = line.ask(13, &next(session, 2));
    is("a change", lengths(&answer), vec![(0, sent.len())]);
    is("whose", answer.responses[0].topic_id, id);
    is("which session", answer.session_id, session);
    // It has not been told that the reader went on.
    let answer = line.ask(13, &next(session, 3));
    is("the same again", lengths(&answer), vec![(0, sent.len())]);
    line.delete_records(&t, 1);
    let answer = line.ask(13, &next(session, 4));
    let seen = answer.responses[0].partitions[0].error_code;
    code("out of range", seen, OFFSET_OUT_OF_RANGE);
}

fn lost_sessions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let (session, _) = begin(&mut line, &t);
    let mut ask = |what: &str, version, request: FetchRequest, expected| {
        let answer = line.ask(version, &request);
        code(what, answer.error_code, expected);
        answer
    };
    ask("first", 13, next(session, 1), NONE);
    ask(
        "the first again",
        13,
        next(session, 1),
        INVALID_FETCH_SESSION_EPOCH,
    );
    ask(
        "one too far",
        13,
        next(session, 3),
        INVALID_FETCH_SESSION_EPOCH,
    );
    ask(
        "by name",
        12,
        next(session, 2),
        FETCH_SESSION_TOPIC_ID_ERROR,
    );
    ask(
        "nobody's",
        13,
        next(session ^ 1, 1),
        FETCH_SESSION_ID_NOT_FOUND,
    );
    ask("closed", 13, next(session, -1), NONE);
    ask("gone", 13, next(session, 2), FETCH_SESSION_ID_NOT_FOUND);
}

fn changed_sessions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 3);
    let (session, id) = begin(&mut line, &t);
    for partition in [0, 2] {
        line.put(9, (&t, partition), batch(NOBODY, -1, 1), None);
    }
    let gone = ForgottenTopic::default()
        .with_topic_id(id)
        .with_partitions(vec![0]);
    let mut request = next(session, 1).with_forgotten_topics_data(vec![gone]);
    request.topics = fetch(&t, &[(2, 0)], false).topics;
    request.topics[0].topic_id = id;
    let answer = line.ask(13, &request);
    let which: Vec<i32> = lengths(&answer).iter().map(|one| one.0).collect();
    is("what is left", which, vec![2]);
    // Further on, it is not told again.
    let mut request = next(session, 2);
    request.topics = fetch(&t, &[(2, 1)], false).topics;
    request.topics[0].topic_id = id;
    is("read to the end", line.ask(13, &request).responses.len(), 0);
}

fn session_errors(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut request = fetch("", &[(0, 99)], false).with_session_epoch(0);
    request.topics[0].topic_id = line.describe(&t).topic_id;
    let answer = line.ask(13, &request);
    let codes = |answer: &FetchResponse| -> Vec<i16> {
        let each = answer.responses.iter().flat_map(|one| &one.partitions);
        each.map(|one| one.error_code).collect()
    };
    is("at first", codes(&answer), vec![OFFSET_OUT_OF_RANGE]);
    for epoch in 1..3 {
        let next = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_session_id(answer.session_id)
            .with_session_epoch(epoch);
        is(
            "again",
            codes(&line.ask(13, &next)),
            vec![OFFSET_OUT_OF_RANGE],
        );
    }
}

fn session_of_old(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut request = fetch("", &[(0, 0)], false).with_session_epoch(0);
    request.topics[0].topic_id = line.describe(&t).topic_id;
    let session = line.ask(13, &request).session_id;
    code("deleted", line.delete(Some(&t), uuid::Uuid::nil()), NONE);
    let mut epoch = 0;
    let mut look = || {
        epoch += 1;
        let next = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_session_id(session)
            .with_session_epoch(epoch);
        let answer = line.ask(13, &next);
        let seen = answer
            .responses
            .first()
            .map(|one| one.partitions[0].error_code);
        (answer.error_code, seen)
    };
    let gone = (NONE, Some(UNKNOWN_TOPIC_OR_PARTITION));
    is(
        "by the name it had",
        settled(&mut look, |seen| *seen == gone),
        gone,
    );
    Line::to(world).create(&t, 1, &[]);
    let other = (NONE, Some(INCONSISTENT_TOPIC_ID));
    is(
        "made again",
        settled(&mut look, |seen| *seen == other),
        other,
    );
    let answer = line.ask(13, &request);
    code(
        "a new session",
        answer.responses[0].partitions[0].error_code,
        UNKNOWN_TOPIC_ID,
    );
}
