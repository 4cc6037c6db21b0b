//! Every version that is offered can say what has to be said.

use kafka_protocol::messages::{
    join_group_request::JoinGroupRequestProtocol,
    leave_group_request::MemberIdentity,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{
        OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    },
    sync_group_request::SyncGroupRequestAssignment,
    *,
};

use super::{super::Release, *};

/// Joins in one version, static member if that can be said.
async fn join(client: &mut Client, version: i16, name: &str) -> JoinGroupResponse {
    let range = JoinGroupRequestProtocol::default().with_name(word("range"));
    let mut request = JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_protocol_type(word("consumer"))
        .with_protocols(vec![range])
        .with_session_timeout_ms(30_000);
    if version >= 1 {
        request.rebalance_timeout_ms = 30_000;
    }
    if version >= 5 {
        request.group_instance_id = Some(word("i"));
    }
    let mut joined = client.ask(version, &request).await;
    if joined.error_code == errors::MEMBER_ID_REQUIRED {
        request.member_id = joined.member_id;
        joined = client.ask(version, &request).await;
    }
    joined
}

#[tokio::test]
async fn a_group_of_one_in_each_version() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let mut client = Client::new(only(&sandbox)).await;
    for version in 0..=9 {
        let name = format!("g{version}");
        let joined = join(&mut client, version, &name).await;
        assert_eq!(
            (
                joined.error_code,
                joined.generation_id,
                joined.members.len()
            ),
            (errors::NONE, 1, 1),
            "JoinGroup {version}"
        );
        let member = joined.member_id.clone();
        let instance = (version >= 5).then(|| word("i"));
        let older = version.min(5);
        let assignment = SyncGroupRequestAssignment::default()
            .with_member_id(member.clone())
            .with_assignment(Bytes::from_static(b"all"));
        let mut sync = SyncGroupRequest::default()
            .with_group_id(group(&name))
            .with_member_id(member.clone())
            .with_generation_id(1)
            .with_group_instance_id(instance.clone().filter(|_| older >= 3))
            .with_assignments(vec![assignment]);
        if older >= 5 {
            sync.protocol_type = Some(word("consumer"));
            sync.protocol_name = Some(word("range"));
        }
        let synced = client.ask(older, &sync).await;
        assert_eq!(
            (synced.error_code, &synced.assignment[..]),
            (errors::NONE, &b"all"[..]),
            "SyncGroup {older}"
        );
        let older = version.min(4);
        let beat = HeartbeatRequest::default()
            .with_group_id(group(&name))
            .with_member_id(member.clone())
            .with_generation_id(1)
            .with_group_instance_id(instance.clone().filter(|_| older >= 3));
        assert_eq!(
            client.ask(older, &beat).await.error_code,
            errors::NONE,
            "Heartbeat {older}"
        );
        let described =
            DescribeGroupsRequest::default().with_groups(vec![group(&name), group("absent")]);
        let older = version.min(6);
        let described = client.ask(older, &described).await.groups;
        assert_eq!(
            (
                described[0].group_state.as_str(),
                described[0].members.len()
            ),
            ("Stable", 1),
            "DescribeGroups {older}"
        );
        assert_eq!(described[1].group_state.as_str(), "Dead");
        assert_eq!(
            described[1].error_code,
            if older >= 6 {
                errors::GROUP_ID_NOT_FOUND
            } else {
                errors::NONE
            }
        );
        let older = version.min(5);
        let listed = client.ask(older, &ListGroupsRequest::default()).await;
        assert_eq!(listed.groups.len(), 1, "ListGroups {older}");
        let mut leave = LeaveGroupRequest::default().with_group_id(group(&name));
        if older >= 3 {
            leave.members = vec![MemberIdentity::default().with_member_id(member)];
        } else {
            leave.member_id = member;
        }
        assert_eq!(
            client.ask(older, &leave).await.error_code,
            errors::NONE,
            "LeaveGroup {older}"
        );
        let older = version.min(2);
        let deleted = client
            .ask(
                older,
                &DeleteGroupsRequest::default().with_groups_names(vec![group(&name)]),
            )
            .await;
        assert_eq!(
            deleted.results[0].error_code,
            errors::NONE,
            "DeleteGroups {older}"
        );
    }
}

#[tokio::test]
async fn positions_in_each_version() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let cluster = only(&sandbox);
    cluster.with(|state| state.create_topic("t", &[vec![1]], Default::default()));
    let mut client = Client::new(cluster).await;
    for version in 1..=9i16 {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(0)
            .with_committed_offset(i64::from(version))
            .with_committed_metadata(Some(word("m")));
        let of_topic = OffsetCommitRequestTopic::default()
            .with_name(topic("t"))
            .with_partitions(vec![partition]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group("g"))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![of_topic]);
        let answer = client.ask(version.max(2), &request).await;
        assert_eq!(
            answer.topics[0].partitions[0].error_code,
            errors::NONE,
            "OffsetCommit {version}"
        );
        for all in [false, true] {
            if all && version < 2 {
                continue;
            }
            let request = OffsetFetchRequest::default();
            let found = if version >= 8 {
                let topics = OffsetFetchRequestTopics::default()
                    .with_name(topic("t"))
                    .with_partition_indexes(vec![0]);
                let of_group = OffsetFetchRequestGroup::default()
                    .with_group_id(group("g"))
                    .with_topics((!all).then(|| vec![topics]));
                let answer = client
                    .ask(version, &request.with_groups(vec![of_group]))
                    .await;
                let found = &answer.groups[0].topics[0].partitions[0];
                (found.committed_offset, found.metadata.clone())
            } else {
                let topics = OffsetFetchRequestTopic::default()
                    .with_name(topic("t"))
                    .with_partition_indexes(vec![0]);
                let request = request
                    .with_group_id(group("g"))
                    .with_topics((!all).then(|| vec![topics]));
                let answer = client.ask(version, &request).await;
                let found = &answer.topics[0].partitions[0];
                (found.committed_offset, found.metadata.clone())
            };
            assert_eq!(
                found,
                (i64::from(version), Some(word("m"))),
                "OffsetFetch {version}"
            );
        }
    }
}

/// The page's table, as it should be.
fn table() -> String {
    let of = |release| super::super::api::versions(release).collect::<Vec<_>>();
    let (new, old) = (of(Release::V4_1), of(Release::V3_9));
    let mut keys: Vec<i16> = new.iter().chain(&old).map(|(key, ..)| *key).collect();
    keys.sort_unstable();
    keys.dedup();
    let rows = keys.into_iter().map(|key| {
        let range = |all: &[(i16, i16, i16)]| match all.iter().find(|(one, ..)| *one == key) {
            Some((_, low, high)) if low == high => low.to_string(),
            Some((_, low, high)) => format!("{low}-{high}"),
            None => "-".to_owned(),
        };
        let name = ApiKey::try_from(key).map(|api| format!("{api:?}"));
        format!(
            "| {} | {} | {} |\n",
            name.expect("a known key"),
            range(&new),
            range(&old)
        )
    });
    rows.collect()
}

#[test]
fn the_page_lists_what_is_offered() {
    let page = include_str!("../../../docs/sandbox.md");
    let listed = page
        .split_once("|---|---|---|\n")
        .map_or("", |(_, rows)| rows);
    let expected = table();
    assert!(
        listed == expected,
        "docs/sandbox.md should list\n{expected}"
    );
}
