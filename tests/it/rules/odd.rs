//! What no careful client sends: unknown codecs, cut batches, acks=0 into nowhere; and what a cluster without access rules answers.

use bytes::Bytes;

use kafka_migrate::wire::codec::Codec;

use kafka_protocol::messages::{
    create_acls_request::AclCreation, describe_user_scram_credentials_request::UserName, *,
};

use super::{Rule, World, batches::*, code, codes::*, is, line::*};

pub const RULES: &[Rule] = &[
    ("Produce: a codec that does not exist", unknown_codec),
    ("Produce: zstd before version 7", old_zstd),
    (
        "Produce: bytes that are cut, and bytes that are not what the header says",
        cut,
    ),
    (
        "Produce: acks=0 into nowhere closes the connection",
        into_nowhere,
    ),
    (
        "access rules: without an authorizer there are none",
        no_rules,
    ),
    ("SCRAM: users that are not there", no_users),
    ("DescribeCluster and DescribeLogDirs", cluster),
];

const ONE: &[Rec<'_>] = &[Rec(0, 0, Some(b"k"), Some(b"v"))];

fn unknown_codec(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    for codec in [5, 6, 7] {
        let mut head = header(NOBODY, -1, 1);
        head.attributes = codec;
        let (seen, _) = line.produce(&t, plain(head, ONE));
        code(&format!("codec {codec}"), seen, UNKNOWN_SERVER_ERROR);
    }
    is("goes on", line.produce(&t, batch(NOBODY, -1, 1)), (NONE, 0));
}

fn old_zstd(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = || packed(header(NOBODY, -1, 1), ONE, Codec::Zstd);
    let seen = line.put(6, (&t, 0), sent(), None);
    code("version 6", seen.error_code, UNSUPPORTED_COMPRESSION_TYPE);
    code(
        "version 7",
        line.put(7, (&t, 0), sent(), None).error_code,
        NONE,
    );
}

fn cut(world: &World) {
    let (mut line, t) = Line::with_topic(world, 1);
    let good = batch(NOBODY, -1, 2);
    let short: Bytes = good[..good.len() - 1].to_vec().into();
    code("one byte less", line.produce(&t, short).0, INVALID_RECORD);
    // Zero bytes that claim to be compressed.
    for codec in [1, 2, 3, 4] {
        let mut head = header(NOBODY, -1, 1);
        head.attributes = codec;
        let (seen, _) = line.produce(&t, plain(head, ONE));
        is(&format!("not codec {codec}"), seen == NONE, false);
    }
    is("nothing of it", line.fetch(&t, 0, false).high_watermark, 0);
    // Fewer bytes behind it than a batch begins with are left out.
    let more: Bytes = [&good[..], &[0; 5]].concat().into();
    is("bytes behind", line.produce(&t, more), (NONE, 0));
    is("what is stored", line.last(&t).bytes.len(), good.len());
    let data = line.fetch(&t, 0, false);
    is(
        "and no more",
        data.records.map(|it| it.len()),
        Some(good.len()),
    );
}

fn into_nowhere(world: &World) {
    let mut line = Line::to(world);
    let nowhere = world.unique("nowhere");
    let request = produce(&nowhere, &[(0, batch(NOBODY, -1, 1))], None).with_acks(0);
    line.send(9, &request).expect("sent");
    is("closed", line.receive::<ProduceRequest>(9).is_err(), true);
}

fn no_rules(world: &World) {
    let mut line = Line::to(world);
    let all = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(1)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1);
    code("described", line.ask(3, &all).error_code, SECURITY_DISABLED);
    let one = AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("t"))
        .with_resource_pattern_type(3)
        .with_principal(text("User:a"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    let request = CreateAclsRequest::default().with_creations(vec![one]);
    code(
        "made",
        line.ask(3, &request).results[0].error_code,
        SECURITY_DISABLED,
    );
}

fn no_users(world: &World) {
    let mut line = Line::to(world);
    let name = world.unique("user");
    let users = vec![UserName::default().with_name(text(&name))];
    let request = DescribeUserScramCredentialsRequest::default().with_users(Some(users));
    let answer = line.ask(0, &request);
    code("at the top", answer.error_code, NONE);
    code("the user", answer.results[0].error_code, RESOURCE_NOT_FOUND);
}

fn cluster(world: &World) {
    let mut line = Line::to(world);
    let answer = line.ask(0, &DescribeClusterRequest::default());
    is(
        "described",
        (answer.error_code, answer.brokers.len()),
        (NONE, 1),
    );
    let here = format!("{}:{}", &*answer.brokers[0].host, answer.brokers[0].port);
    is("where", here.as_str(), &*world.brokers[0]);
    let metadata = line.ask(9, &MetadataRequest::default().with_topics(Some(vec![])));
    is(
        "its id",
        metadata.cluster_id.as_ref(),
        Some(&answer.cluster_id),
    );
    let (mut line, t) = Line::with_topic(world, 1);
    let sent = batch(NOBODY, -1, 1);
    line.produce(&t, sent.clone());
    let answer = line.ask(1, &DescribeLogDirsRequest::default().with_topics(None));
    let topics = answer.results.iter().flat_map(|one| &one.topics);
    let mine: Vec<i64> = topics
        .filter(|one| *one.name == topic(&t))
        .flat_map(|one| &one.partitions)
        .map(|one| one.partition_size)
        .collect();
    is("its size", mine, vec![sent.len() as i64]);
}
