//! What is shown to whom: operations that are allowed, names that are left out, the good parts of a request that is refused in part.

use kafka_protocol::messages::{
    metadata_request::MetadataRequestTopic,
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    *,
};

use super::{
    Rule, World, batches::*, code, codes::*, commits::BARE, groups::*, is, line::*, rights::*,
};

pub const RULES: &[Rule] = &[
    (
        "rights: operations that are allowed are shown where asked for",
        operations,
    ),
    (
        "rights: Metadata of all topics leaves out what may not be seen",
        all_topics,
    ),
    ("rights: a topic by its id", by_id),
    (
        "rights: Produce, Fetch and OffsetCommit are refused in part",
        in_part,
    ),
    (
        "rights: OffsetFetch of all topics leaves out what may not be seen",
        positions,
    ),
    (
        "rights: CreateTopics and settings that may not be seen",
        made,
    ),
];

fn bits(operations: &[i8]) -> i32 {
    operations.iter().fold(0, |all, one| all | 1 << one)
}

fn one(t: &str) -> Option<Vec<MetadataRequestTopic>> {
    Some(vec![
        MetadataRequestTopic::default().with_name(Some(topic(t))),
    ])
}

/// What Metadata says one may do with a topic.
fn allowed(line: &mut Line, t: &str) -> i32 {
    let request = MetadataRequest::default()
        .with_topics(one(t))
        .with_include_topic_authorized_operations(true);
    line.ask(9, &request).topics[0].topic_authorized_operations
}

fn operations(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    code("a commit", admin.commit(&g, &t, BARE, 1), NONE);
    let whole = [
        READ,
        WRITE,
        CREATE,
        DELETE,
        ALTER,
        DESCRIBE,
        DESCRIBE_CONFIGS,
        ALTER_CONFIGS,
    ];
    is("everything", allowed(&mut admin, &t), bits(&whole));
    let who = world.user();
    let mut they = Line::of(world, &who);
    is("nothing", allowed(&mut they, &t), i32::MIN);
    admin.give(&[
        allow(&who, TOPIC, &t, READ),
        allow(&who, TOPIC, &t, ALTER_CONFIGS),
        allow(&who, GROUP, &g, DELETE),
    ]);
    let some = bits(&[READ, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]);
    is("some of a topic", allowed(&mut they, &t), some);
    let request = MetadataRequest::default().with_topics(one(&t));
    let unasked = they.ask(9, &request).topics[0].topic_authorized_operations;
    is("not asked for", unasked, i32::MIN);
    let groups = DescribeGroupsRequest::default()
        .with_groups(vec![group(&g)])
        .with_include_authorized_operations(true);
    // Groups have settings of their own since 4.1.
    let of_groups: &[i8] = if world.is_41() {
        &[READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS]
    } else {
        &[READ, DELETE, DESCRIBE]
    };
    let of_group = |line: &mut Line| line.ask(5, &groups).groups[0].authorized_operations;
    is("all of a group", of_group(&mut admin), bits(of_groups));
    is(
        "some of a group",
        of_group(&mut they),
        bits(&[DELETE, DESCRIBE]),
    );
    let cluster =
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    let of_cluster = |line: &mut Line| line.ask(0, &cluster).cluster_authorized_operations;
    let whole = [
        CREATE,
        ALTER,
        DESCRIBE,
        9,
        DESCRIBE_CONFIGS,
        ALTER_CONFIGS,
        IDEMPOTENT_WRITE,
    ];
    is("all of the cluster", of_cluster(&mut admin), bits(&whole));
    is("none of the cluster", of_cluster(&mut they), 0);
    let unasked = they.ask(0, &DescribeClusterRequest::default());
    is(
        "not asked for",
        unasked.cluster_authorized_operations,
        i32::MIN,
    );
}

fn all_topics(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let (_, hidden) = Line::with_topic(world, 1);
    let who = world.user();
    let mut they = Line::of(world, &who);
    let mut names = || {
        let answer = they.ask(12, &MetadataRequest::default().with_topics(None));
        let each = answer.topics.into_iter();
        each.map(|one| (name(one.error_code), one.name.map(|name| name.to_string())))
            .filter(|(_, name)| [Some(&t), Some(&hidden)].contains(&name.as_ref()))
            .collect::<Vec<_>>()
    };
    is("none", names(), vec![]);
    admin.give(&[allow(&who, TOPIC, &t, DESCRIBE)]);
    let seen = settled(&mut names, |seen| !seen.is_empty());
    is("one", seen, vec![(name(NONE), Some(t.clone()))]);
}

fn by_id(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let id = admin.describe(&t).topic_id;
    let who = world.user();
    let mut they = Line::of(world, &who);
    let asked = MetadataRequestTopic::default()
        .with_name(None)
        .with_topic_id(id);
    let request = MetadataRequest::default().with_topics(Some(vec![asked]));
    let described = |line: &mut Line| {
        let one = line.ask(12, &request).topics.remove(0);
        (name(one.error_code), one.name.map(|name| name.to_string()))
    };
    is(
        "shown",
        described(&mut admin),
        (name(NONE), Some(t.clone())),
    );
    is(
        "hidden",
        described(&mut they),
        (name(TOPIC_AUTHORIZATION_FAILED), None),
    );
    let mut asked = fetch(&t, &[(0, 0)], false);
    asked.topics[0].topic_id = id;
    let read = |line: &mut Line| line.ask(13, &asked).responses[0].partitions[0].error_code;
    code("read", read(&mut admin), NONE);
    code("not read", read(&mut they), TOPIC_AUTHORIZATION_FAILED);
}

fn in_part(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let (_, hidden) = Line::with_topic(world, 1);
    let (nowhere, g) = (world.unique("nowhere"), world.unique("group"));
    let who = world.user();
    let mut they = Line::of(world, &who);
    admin.give(&[
        allow(&who, TOPIC, &t, READ),
        allow(&who, TOPIC, &t, WRITE),
        allow(&who, GROUP, &g, READ),
    ]);
    let all = [t.as_str(), &hidden, &nowhere];
    let of = |seen: &TopicName, code: i16| {
        let at = all
            .iter()
            .position(|one| **one == ***seen)
            .expect("asked for");
        (at, name(code))
    };
    let refused = || name(TOPIC_AUTHORIZATION_FAILED);
    let expected = vec![(0, name(NONE)), (1, refused()), (2, refused())];
    let mut sent = produce(&t, &[(0, batch(NOBODY, -1, 1))], None);
    for other in [&hidden, &nowhere] {
        let more = produce(other, &[(0, batch(NOBODY, -1, 1))], None);
        sent.topic_data.extend(more.topic_data);
    }
    let answer = they.ask(9, &sent);
    let mut seen: Vec<_> = answer
        .responses
        .iter()
        .map(|one| of(&one.name, one.partition_responses[0].error_code))
        .collect();
    seen.sort();
    is("produced", &seen, &expected);
    let mut asked = fetch(&t, &[(0, 0)], false);
    for other in [&hidden, &nowhere] {
        asked.topics.extend(fetch(other, &[(0, 0)], false).topics);
    }
    let answer = they.ask(12, &asked);
    let mut seen: Vec<_> = answer
        .responses
        .iter()
        .map(|one| of(&one.topic, one.partitions[0].error_code))
        .collect();
    seen.sort();
    is("fetched", &seen, &expected);
    for (at, one) in all.iter().enumerate() {
        let seen = name(they.commit(&g, one, BARE, 1));
        is("committed", (at, seen), expected[at].clone());
    }
}

fn positions(world: &World) {
    let (mut admin, t) = Line::with_topic(world, 1);
    let (_, hidden) = Line::with_topic(world, 1);
    let g = world.unique("group");
    for one in [&t, &hidden] {
        code("a commit", admin.commit(&g, one, BARE, 7), NONE);
    }
    let who = world.user();
    let mut they = Line::of(world, &who);
    admin.give(&[
        allow(&who, TOPIC, &t, DESCRIBE),
        allow(&who, GROUP, &g, DESCRIBE),
    ]);
    let named = [&t, &hidden].map(|one| {
        OffsetFetchRequestTopics::default()
            .with_name(topic(one))
            .with_partition_indexes(vec![0])
    });
    let mut found = |topics: Option<Vec<OffsetFetchRequestTopics>>| {
        let one = OffsetFetchRequestGroup::default()
            .with_group_id(group(&g))
            .with_topics(topics);
        let request = OffsetFetchRequest::default().with_groups(vec![one]);
        let answer = they.ask(8, &request);
        let topics = answer.groups[0].topics.iter();
        let mut each: Vec<_> = topics
            .map(|one| (*one.name == topic(&hidden), &one.partitions[0]))
            .map(|(hidden, one)| (hidden, one.committed_offset, name(one.error_code)))
            .collect();
        each.sort();
        each
    };
    let shown = (false, 7, name(NONE));
    is("all", found(None), vec![shown.clone()]);
    let hidden = (true, -1, name(TOPIC_AUTHORIZATION_FAILED));
    is("by name", found(Some(named.to_vec())), vec![shown, hidden]);
}

fn made(world: &World) {
    let mut admin = Line::to(world);
    let who = world.user();
    let t = world.unique("rule");
    let mut they = Line::of(world, &who);
    admin.give(&[rule(&who, (TOPIC, &t, PREFIXED), CREATE)]);
    let mut look = || {
        let one = create_topics_request::CreatableTopic::default()
            .with_name(topic(&t))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let request = CreateTopicsRequest::default()
            .with_timeout_ms(10_000)
            .with_topics(vec![one])
            .with_validate_only(true);
        let one = they.ask(7, &request).topics.remove(0);
        let configs = one.configs.map_or(0, |all| all.len().min(1));
        (
            name(one.error_code),
            name(one.topic_config_error_code),
            configs,
            one.num_partitions,
        )
    };
    let expected = (name(NONE), name(TOPIC_AUTHORIZATION_FAILED), 0, -1);
    is(
        "hidden",
        settled(&mut look, |seen| *seen == expected),
        expected,
    );
    admin.give(&[rule(&who, (TOPIC, &t, PREFIXED), DESCRIBE_CONFIGS)]);
    let expected = (name(NONE), name(NONE), 1, 1);
    is(
        "shown",
        settled(&mut look, |seen| *seen == expected),
        expected,
    );
}
