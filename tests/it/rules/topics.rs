//! Topics, their ids and their settings: what is made, refused, grown, deleted and made again.

use kafka_protocol::messages::{
    create_partitions_request::CreatePartitionsTopic,
    create_topics_request::{CreatableReplicaAssignment, CreatableTopic},
    delete_topics_request::DeleteTopicState,
    metadata_request::MetadataRequestTopic,
    *,
};

use uuid::Uuid;

use super::{Release, Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("CreateTopics: what is refused", refused_topics),
    (
        "CreateTopics: only checked, and what it answers",
        checked_topics,
    ),
    ("4.1: no segment below 1 MiB", small_segments_41),
    ("3.9: small segments", small_segments_39),
    (
        "CreatePartitions: more, not fewer, not as many",
        more_partitions,
    ),
    ("DeleteTopics: by name and by id, once", delete_topics),
    (
        "P20: a topic made again has another id, and takes what is sent by name",
        made_again,
    ),
    ("Metadata: by id, and what is not there", metadata),
    (
        "several topics in one request: each its own answer",
        several,
    ),
];

impl Line {
    fn grow(&mut self, t: &str, count: i32) -> i16 {
        let one = CreatePartitionsTopic::default()
            .with_name(topic(t))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one]);
        self.ask(3, &request).results[0].error_code
    }

    pub fn delete(&mut self, name: Option<&str>, id: Uuid) -> i16 {
        let state = DeleteTopicState::default()
            .with_name(name.map(topic))
            .with_topic_id(id);
        let request = DeleteTopicsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![state]);
        self.ask(6, &request).responses[0].error_code
    }
}

fn refused_topics(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let mut refused = |what: &str, name: &str, partitions, configs: &[(&str, &str)], expected| {
        code(what, line.try_create(name, partitions, configs), expected);
    };
    refused("there already", &t, 1, &[], TOPIC_ALREADY_EXISTS);
    let free = world.unique("free");
    for name in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
        refused(
            &format!("named {name:?}"),
            name,
            1,
            &[],
            INVALID_TOPIC_EXCEPTION,
        );
    }
    refused("no partition", &free, 0, &[], INVALID_PARTITIONS);
    refused("less than none", &free, -2, &[], INVALID_PARTITIONS);
    for (name, value) in [
        ("no.such.setting", "1"),
        ("retention.ms", "soon"),
        ("retention.ms", "-2"),
        ("cleanup.policy", "keep"),
        ("compression.type", "zip"),
        ("max.message.bytes", "-1"),
        ("min.insync.replicas", "0"),
    ] {
        refused(
            &format!("{name}={value}"),
            &free,
            1,
            &[(name, value)],
            INVALID_CONFIG,
        );
    }
    let mut with = |what: &str, one: CreatableTopic, expected| {
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one.with_name(topic(&free))]);
        code(what, line.ask(7, &request).topics[0].error_code, expected);
    };
    let one = || CreatableTopic::default().with_num_partitions(1);
    with(
        "two replicas",
        one().with_replication_factor(2),
        INVALID_REPLICATION_FACTOR,
    );
    with(
        "no replica",
        one().with_replication_factor(0),
        INVALID_REPLICATION_FACTOR,
    );
    let assigned = |partition: i32, broker: i32| {
        let to = CreatableReplicaAssignment::default()
            .with_partition_index(partition)
            .with_broker_ids(vec![BrokerId(broker)]);
        CreatableTopic::default()
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![to])
    };
    with(
        "to a broker that is not there",
        assigned(0, 99),
        INVALID_REPLICA_ASSIGNMENT,
    );
    with("not from 0 on", assigned(1, 1), INVALID_REPLICA_ASSIGNMENT);
    code(
        "nothing was made",
        line.describe(&free).error_code,
        UNKNOWN_TOPIC_OR_PARTITION,
    );
}

fn checked_topics(world: &World) {
    let mut line = Line::to(world);
    let t = world.unique("checked");
    let one = CreatableTopic::default()
        .with_name(topic(&t))
        .with_num_partitions(3)
        .with_replication_factor(-1);
    let mut request = CreateTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![one])
        .with_validate_only(true);
    let answer = line.ask(7, &request);
    code("checked", answer.topics[0].error_code, NONE);
    code(
        "not made",
        line.describe(&t).error_code,
        UNKNOWN_TOPIC_OR_PARTITION,
    );
    request.validate_only = false;
    let made = line.ask(7, &request).topics.remove(0);
    code("made", made.error_code, NONE);
    is(
        "its size",
        (made.num_partitions, made.replication_factor),
        (3, 1),
    );
    is("its id", made.topic_id.is_nil(), false);
    let configs = made.configs.unwrap_or_default();
    let largest = configs
        .iter()
        .find(|one| one.name.as_str() == "max.message.bytes");
    let largest = largest.and_then(|one| one.value.as_deref());
    is("its settings", largest, Some("1048588"));
}

fn small_segments(world: &World, expected: i16) {
    let mut line = Line::to(world);
    let t = world.unique("segments");
    code(
        "1 KiB",
        line.try_create(&t, 1, &[("segment.bytes", "1024")]),
        expected,
    );
}

fn small_segments_41(world: &World) {
    world.only(&[Release::V4_1], "KIP-1030 came with 4.0");
    small_segments(world, INVALID_CONFIG);
}

fn small_segments_39(world: &World) {
    world.only(&[Release::V3_9], "refused since 4.0");
    small_segments(world, NONE);
}

fn more_partitions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    code("fewer", line.grow(&t, 1), INVALID_PARTITIONS);
    code("as many", line.grow(&t, 2), INVALID_PARTITIONS);
    code("more", line.grow(&t, 4), NONE);
    let four = settled(|| line.describe(&t).partitions.len(), |count| *count == 4);
    is("four", four, 4);
    let nowhere = world.unique("nowhere");
    code(
        "nowhere",
        line.grow(&nowhere, 2),
        UNKNOWN_TOPIC_OR_PARTITION,
    );
    let request = || line_put(&t);
    let answer = patiently(
        || line.ask(9, &request()),
        |answer: &ProduceResponse| answer.responses[0].partition_responses[0].error_code,
    );
    let first = &answer.responses[0].partition_responses[0];
    is(
        "the new one",
        (first.error_code, first.base_offset),
        (NONE, 0),
    );
}

fn line_put(t: &str) -> ProduceRequest {
    produce(t, &[(3, batch(NOBODY, -1, 1))], None)
}

fn delete_topics(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let id = line.describe(&t).topic_id;
    code("by id", line.delete(None, id), NONE);
    code("again", line.delete(None, id), UNKNOWN_TOPIC_ID);
    code(
        "by name",
        line.delete(Some(&t), Uuid::nil()),
        UNKNOWN_TOPIC_OR_PARTITION,
    );
    let (mut line, t) = Line::with_topic(world, 1);
    code("by name", line.delete(Some(&t), Uuid::nil()), NONE);
    let gone = settled(|| line.describe(&t).error_code, |code| *code != NONE);
    code("gone", gone, UNKNOWN_TOPIC_OR_PARTITION);
}

fn made_again(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let me = line.producer();
    line.produce(&t, batch(me, 0, 2));
    let old = line.describe(&t).topic_id;
    code("deleted", line.delete(Some(&t), Uuid::nil()), NONE);
    line.create(&t, 1, &[]);
    let is_new = |id: &Uuid| *id != old && !id.is_nil();
    let new = settled(|| line.describe(&t).topic_id, is_new);
    is("another id", old == new, false);
    is(
        "by name, a gap and all",
        line.produce(&t, batch(me, 7, 1)),
        (NONE, 0),
    );
    let mut request = fetch("", &[(0, 0)], false);
    request.topics[0].topic_id = old;
    let answer = line.ask(13, &request);
    let seen = answer.responses[0].partitions[0].error_code;
    code("by the old id", seen, UNKNOWN_TOPIC_ID);
}

fn metadata(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    let id = line.describe(&t).topic_id;
    let by_id = |id| {
        let one = MetadataRequestTopic::default()
            .with_name(None)
            .with_topic_id(id);
        MetadataRequest::default()
            .with_topics(Some(vec![one]))
            .with_allow_auto_topic_creation(false)
    };
    let found = line.ask(12, &by_id(id)).topics.remove(0);
    let name = found.name.as_ref().map(|name| name.to_string());
    is("by id", (found.error_code, name), (NONE, Some(t.clone())));
    let unknown = line.ask(12, &by_id(Uuid::from_u128(5))).topics.remove(0);
    code("an unknown id", unknown.error_code, UNKNOWN_TOPIC_ID);
    is("its name", unknown.name, None);
    let mut sizes: Vec<_> = found
        .partitions
        .iter()
        .map(|one| {
            (
                one.partition_index,
                one.leader_epoch,
                one.replica_nodes.len(),
                one.isr_nodes.len(),
            )
        })
        .collect();
    sizes.sort_unstable();
    is("its partitions", sizes, vec![(0, 0, 1, 1), (1, 0, 1, 1)]);
    is("not internal", found.is_internal, false);
    let illegal = line.describe("a b");
    code(
        "an illegal name",
        illegal.error_code,
        INVALID_TOPIC_EXCEPTION,
    );
    let all = line.ask(12, &MetadataRequest::default().with_topics(None));
    is(
        "among all",
        all.topics.iter().any(|one| one.topic_id == id),
        true,
    );
    let none = line.ask(12, &MetadataRequest::default().with_topics(Some(vec![])));
    is(
        "none asked for",
        (none.topics.len(), none.brokers.len()),
        (0, 1),
    );
}

fn several(world: &World) {
    let (mut line, there) = Line::with_topic(world, 1);
    let fresh = world.unique("fresh");
    let one = |name: &str| {
        CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(1)
            .with_replication_factor(1)
    };
    let twice = world.unique("twice");
    let request = CreateTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![
            one(&there),
            one(&fresh),
            one("a b"),
            one(&twice),
            one(&twice),
        ]);
    let answer = line.ask(7, &request);
    let seen = |name: &str| {
        let mut found = answer.topics.iter().filter(|one| one.name == topic(name));
        let code = found.next().map(|one| one.error_code);
        (code, found.count())
    };
    is(
        "there already",
        seen(&there),
        (Some(TOPIC_ALREADY_EXISTS), 0),
    );
    is("a fresh one", seen(&fresh), (Some(NONE), 0));
    is(
        "an illegal one",
        seen("a b"),
        (Some(INVALID_TOPIC_EXCEPTION), 0),
    );
    is("one named twice", seen(&twice), (Some(INVALID_REQUEST), 0));
    let more = CreatePartitionsTopic::default()
        .with_name(topic(&there))
        .with_count(3)
        .with_assignments(None);
    let request = CreatePartitionsRequest::default()
        .with_timeout_ms(10_000)
        .with_topics(vec![more.clone(), more]);
    let answer = line.ask(3, &request);
    let seen: Vec<_> = answer.results.iter().map(|one| one.error_code).collect();
    is("grown twice", seen, vec![INVALID_REQUEST]);
    let request = DeleteTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topic_names(vec![topic(&fresh), topic(&twice), topic(&there)]);
    let answer = line.ask(5, &request);
    let mut seen: Vec<_> = answer
        .responses
        .iter()
        .map(|one| (one.name.clone() == Some(topic(&twice)), one.error_code))
        .collect();
    seen.sort_unstable();
    let expected = vec![
        (false, NONE),
        (false, NONE),
        (true, UNKNOWN_TOPIC_OR_PARTITION),
    ];
    is("deleted by name", seen, expected);
    let request = DeleteTopicsRequest::default()
        .with_timeout_ms(10_000)
        .with_topic_names(vec![topic(&twice), topic(&twice)]);
    let answer = line.ask(5, &request);
    let seen: Vec<_> = answer.responses.iter().map(|one| one.error_code).collect();
    is("deleted twice", seen, vec![INVALID_REQUEST]);
}
