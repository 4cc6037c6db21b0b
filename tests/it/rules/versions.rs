//! Every version that both kinds of brokers offer says what has to be said; and what is not offered is refused as brokers do.

use kafka_protocol::messages::{
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    metadata_request::MetadataRequestTopic,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    *,
};

use super::{Rule, World, batches::*, code, codes::*, groups::group, is, line::*};

pub const RULES: &[Rule] = &[
    (
        "ApiVersions: what is offered, and a version that is not",
        api_versions,
    ),
    (
        "a version that is not offered closes the connection",
        too_new,
    ),
    ("Produce 3 to 11", produce_versions),
    ("Fetch 4 to 17", fetch_versions),
    ("ListOffsets 1 to 9", list_versions),
    ("Metadata 0 to 12", metadata_versions),
    ("FindCoordinator 0 to 6", find_versions),
    ("InitProducerId 0 to 5", init_versions),
    (
        "OffsetCommit 2 to 9 and OffsetFetch 1 to 9",
        offset_versions,
    ),
];

fn api_versions(world: &World) {
    let mut line = Line::to(world);
    for version in 0..=3 {
        let mut request = ApiVersionsRequest::default();
        if version == 3 {
            request.client_software_name = text("rules");
            request.client_software_version = text("1");
        }
        let answer = line.ask(version, &request);
        code("offered", answer.error_code, NONE);
        // What engines need of every broker (probe 21).
        for (key, version) in [
            (0, 9),
            (1, 12),
            (2, 6),
            (3, 12),
            (8, 8),
            (9, 7),
            (22, 4),
            (24, 3),
            (26, 3),
        ] {
            let found = answer.api_keys.iter().find(|one| one.api_key == key);
            let there = found
                .is_some_and(|one| one.max_version >= version && one.min_version <= 3 + key.min(1));
            is(&format!("API {key} in {version}"), there, true);
        }
    }
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("rules"))
        .with_client_software_version(text("1"));
    line.send_as(99, 4, &request).expect("sent");
    let answer = line
        .receive::<ApiVersionsRequest>(0)
        .expect("an answer in version 0");
    code("version 99", answer.error_code, UNSUPPORTED_VERSION);
    is(
        "what there is",
        answer.api_keys.first().map(|one| one.api_key),
        Some(18),
    );
    code(
        "and goes on",
        line.ask(0, &ApiVersionsRequest::default()).error_code,
        NONE,
    );
}

fn too_new(world: &World) {
    let mut line = Line::to(world);
    line.send_as(
        99,
        12,
        &MetadataRequest::default().with_topics(Some(vec![])),
    )
    .expect("sent");
    let closed = line.receive::<MetadataRequest>(12).is_err();
    is("closed", closed, true);
}

fn produce_versions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    for (at, version) in (0..).zip(3..=11) {
        let seen = line.put(version, (&t, 0), batch(NOBODY, -1, 1), None);
        is(
            "taken",
            (seen.error_code, seen.base_offset, seen.log_append_time_ms),
            (NONE, at, -1),
        );
        let start = if version >= 5 { 0 } else { -1 };
        is("the log's start", seen.log_start_offset, start);
    }
}

fn fetch_versions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let x = world.unique("txn");
    let sent = batch(NOBODY, -1, 1);
    line.produce(&t, sent.clone());
    let me = super::transactions::open(&mut line, &x, &t);
    let id = line.describe(&t).topic_id;
    for version in 4..=17 {
        let mut request = fetch(&t, &[(0, 0)], true);
        if version >= 13 {
            request.topics[0].topic_id = id;
        }
        let answer = line.ask(version, &request);
        let data = &answer.responses[0].partitions[0];
        let seen = (
            data.error_code,
            data.high_watermark,
            data.last_stable_offset,
        );
        is(&format!("version {version}"), seen, (NONE, 2, 1));
        let start = if version >= 5 { 0 } else { -1 };
        is("the log's start", data.log_start_offset, start);
        is(
            "bytes",
            data.records.as_ref().map(|it| it.len()),
            Some(sent.len()),
        );
    }
    super::transactions::close(&mut line, &x, me);
}

fn list_versions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let time = now();
    line.produce(&t, batch_at(NOBODY, -1, 3, time));
    for version in 1..=9 {
        for (asked, expected) in [
            (-1, (NONE, 3, -1)),
            (-2, (NONE, 0, -1)),
            (time, (NONE, 0, time)),
        ] {
            let one = ListOffsetsPartition::default().with_timestamp(asked);
            let one = one.with_current_leader_epoch(-1);
            let one = ListOffsetsTopic::default()
                .with_name(topic(&t))
                .with_partitions(vec![one]);
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_topics(vec![one]);
            let answer = line.ask(version, &request);
            let one = &answer.topics[0].partitions[0];
            is(
                &format!("version {version}"),
                (one.error_code, one.offset, one.timestamp),
                expected,
            );
            let epoch = if version >= 4 { 0 } else { -1 };
            is("its epoch", one.leader_epoch, epoch);
        }
    }
}

/// Everything that can be done with a topic: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
const RIGHTS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

fn metadata_versions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 2);
    for version in 0..=12 {
        let one = MetadataRequestTopic::default().with_name(Some(topic(&t)));
        let request = MetadataRequest::default().with_topics(Some(vec![one]));
        let answer = line.ask(version, &request);
        is("brokers", answer.brokers.len(), 1);
        let found = &answer.topics[0];
        is(
            &format!("version {version}"),
            (found.error_code, found.partitions.len()),
            (NONE, 2),
        );
        let leader = found.partitions[0].leader_id;
        is("its leader", leader, answer.brokers[0].node_id);
        is(
            "the cluster's id",
            answer.cluster_id.is_some(),
            version >= 2,
        );
        is("an id", found.topic_id.is_nil(), version < 10);
        is("no rights", found.topic_authorized_operations, i32::MIN);
        if version >= 8 {
            let request = request.with_include_topic_authorized_operations(true);
            let rights = line.ask(version, &request).topics[0].topic_authorized_operations;
            is("rights", rights, RIGHTS);
        }
    }
}

fn find_versions(world: &World) {
    let mut line = Line::to(world);
    let g = world.unique("group");
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version >= 4 {
            request.coordinator_keys = vec![text(&g)];
        } else {
            request.key = text(&g);
        }
        let answer = line.ask(version, &request);
        let (seen, port) = match answer.coordinators.first() {
            Some(one) => (one.error_code, one.port),
            None => (answer.error_code, answer.port),
        };
        code(&format!("version {version}"), seen, NONE);
        is(
            "where",
            world.brokers[0].ends_with(&format!(":{port}")),
            true,
        );
    }
    let mut request = FindCoordinatorRequest::default().with_key(text(&g));
    request.key_type = 7;
    code(
        "no such kind",
        line.ask(3, &request).error_code,
        INVALID_REQUEST,
    );
}

fn init_versions(world: &World) {
    let mut line = Line::to(world);
    for version in 0..=5 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000);
        let answer = patiently(|| line.ask(version, &request), |answer| answer.error_code);
        let seen = (
            answer.error_code,
            answer.producer_epoch,
            *answer.producer_id >= 0,
        );
        is(&format!("version {version}"), seen, (NONE, 0, true));
        let id = world.unique("txn");
        let request = request.with_transactional_id(Some(TransactionalId(text(&id))));
        let answer = patiently(|| line.ask(version, &request), |answer| answer.error_code);
        is(
            "with an id",
            (answer.error_code, answer.producer_epoch),
            (NONE, 0),
        );
    }
}

fn offset_versions(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let g = world.unique("group");
    for version in 2..=9 {
        let one = OffsetCommitRequestPartition::default()
            .with_committed_offset(version.into())
            .with_committed_metadata(Some(text("m")));
        let one = OffsetCommitRequestTopic::default()
            .with_name(topic(&t))
            .with_partitions(vec![one]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group(&g))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![one]);
        let answer = line.ask(version, &request);
        code(
            &format!("commit {version}"),
            answer.topics[0].partitions[0].error_code,
            NONE,
        );
    }
    for version in 1..=9 {
        let mut request = OffsetFetchRequest::default();
        if version >= 8 {
            let one = OffsetFetchRequestTopics::default()
                .with_name(topic(&t))
                .with_partition_indexes(vec![0]);
            let one = OffsetFetchRequestGroup::default()
                .with_group_id(group(&g))
                .with_topics(Some(vec![one]));
            request.groups = vec![one];
        } else {
            let one = OffsetFetchRequestTopic::default()
                .with_name(topic(&t))
                .with_partition_indexes(vec![0]);
            request.group_id = group(&g);
            request.topics = Some(vec![one]);
        }
        let answer = line.ask(version, &request);
        let seen = match answer.groups.first() {
            Some(group) => group.topics[0].partitions[0].committed_offset,
            None => answer.topics[0].partitions[0].committed_offset,
        };
        is(&format!("fetch {version}"), seen, 9);
    }
}
