//! Two consumers through the life of a group.

use std::time::Duration;

use kafka_protocol::messages::{
    join_group_request::JoinGroupRequestProtocol,
    leave_group_request::MemberIdentity,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    sync_group_request::SyncGroupRequestAssignment,
    *,
};

use super::*;

fn joining(member: &str) -> JoinGroupRequest {
    let range = JoinGroupRequestProtocol::default()
        .with_name(word("range"))
        .with_metadata(Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"));
    JoinGroupRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(member))
        .with_protocol_type(word("consumer"))
        .with_protocols(vec![range])
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(60_000)
}

fn syncing(member: &str, generation: i32, to: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let assignments = to.iter().map(|(member, what)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(what))
    });
    SyncGroupRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(member))
        .with_generation_id(generation)
        .with_protocol_type(Some(word("consumer")))
        .with_protocol_name(Some(word("range")))
        .with_assignments(assignments.collect())
}

async fn beat(client: &mut Client, member: &str, generation: i32) -> i16 {
    let request = HeartbeatRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(member))
        .with_generation_id(generation);
    client.ask(4, &request).await.error_code
}

/// OffsetCommit of offset 5 of `t` 0, and of a partition that does not exist.
async fn commit(client: &mut Client, member: &str, generation: i32) -> Vec<i16> {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(5)
    };
    let of_topic = OffsetCommitRequestTopic::default()
        .with_name(topic("t"))
        .with_partitions(vec![partition(9), partition(0)]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![of_topic]);
    let answer = client.ask(8, &request).await;
    answer.topics[0]
        .partitions
        .iter()
        .map(|one| one.error_code)
        .collect()
}

async fn committed(client: &mut Client) -> (i64, i16) {
    let wanted = OffsetFetchRequestTopics::default()
        .with_name(topic("t"))
        .with_partition_indexes(vec![0]);
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(group("g"))
        .with_topics(Some(vec![wanted]));
    let request = OffsetFetchRequest::default()
        .with_groups(vec![asked])
        .with_require_stable(true);
    let answer = client.ask(8, &request).await;
    let found = &answer.groups[0].topics[0].partitions[0];
    (found.committed_offset, found.error_code)
}

async fn state(client: &mut Client) -> String {
    let request = DescribeGroupsRequest::default().with_groups(vec![group("g")]);
    client.ask(5, &request).await.groups[0]
        .group_state
        .to_string()
}

/// Joins with the id that the first answer names.
async fn enter(client: &mut Client) -> String {
    let refused = client.ask(9, &joining("")).await;
    assert_eq!(refused.error_code, errors::MEMBER_ID_REQUIRED);
    refused.member_id.to_string()
}

#[tokio::test]
async fn two_consumers() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let cluster = only(&sandbox);
    cluster.with(|state| state.create_topic("t", &[vec![1]], Default::default()));
    let (mut a, mut b) = (Client::new(cluster).await, Client::new(cluster).await);

    // Before anybody joins, anybody commits.
    assert_eq!(
        commit(&mut b, "", -1).await,
        [errors::UNKNOWN_TOPIC_OR_PARTITION, errors::NONE]
    );
    assert_eq!(committed(&mut b).await, (5, errors::NONE));

    // The first joins and leads itself.
    let first = enter(&mut a).await;
    let joined = a.ask(9, &joining(&first)).await;
    assert_eq!(
        (
            joined.error_code,
            joined.generation_id,
            joined.leader.as_str()
        ),
        (errors::NONE, 1, first.as_str())
    );
    let synced = a.ask(5, &syncing(&first, 1, &[(&first, b"all")])).await;
    assert_eq!(
        (synced.error_code, &synced.assignment[..]),
        (errors::NONE, &b"all"[..])
    );
    assert_eq!(state(&mut a).await, "Stable");
    assert_eq!(
        commit(&mut b, "", -1).await,
        [
            errors::UNKNOWN_TOPIC_OR_PARTITION,
            errors::UNKNOWN_MEMBER_ID
        ],
        "G1"
    );
    assert_eq!(
        commit(&mut a, &first, 1).await,
        [errors::UNKNOWN_TOPIC_OR_PARTITION, errors::NONE]
    );

    // The second waits until the first joins again; its heartbeat tells it to.
    let second = enter(&mut b).await;
    b.send(9, &joining(&second)).await;
    while beat(&mut a, &first, 1).await != errors::REBALANCE_IN_PROGRESS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let leads = a.ask(9, &joining(&first)).await;
    let follows = b.receive::<JoinGroupRequest>(9).await.expect("an answer");
    assert_eq!((leads.generation_id, leads.members.len()), (2, 2));
    assert_eq!(
        (
            follows.generation_id,
            follows.members.len(),
            follows.leader.as_str()
        ),
        (2, 0, first.as_str())
    );
    b.send(5, &syncing(&second, 2, &[])).await;
    let left = a
        .ask(
            5,
            &syncing(&first, 2, &[(&first, b"left"), (&second, b"right")]),
        )
        .await;
    let right = b.receive::<SyncGroupRequest>(5).await.expect("an answer");
    assert_eq!(
        (&left.assignment[..], &right.assignment[..]),
        (&b"left"[..], &b"right"[..])
    );
    assert_eq!(
        (
            beat(&mut a, &first, 2).await,
            beat(&mut b, &second, 2).await
        ),
        (errors::NONE, errors::NONE)
    );

    // The first leaves, the second leads.
    let leaving = MemberIdentity::default().with_member_id(text(&first));
    let request = LeaveGroupRequest::default()
        .with_group_id(group("g"))
        .with_members(vec![leaving]);
    let left = a.ask(5, &request).await;
    assert_eq!(
        (left.error_code, left.members[0].error_code),
        (errors::NONE, errors::NONE)
    );
    assert_eq!(
        beat(&mut b, &second, 2).await,
        errors::REBALANCE_IN_PROGRESS
    );
    let joined = b.ask(9, &joining(&second)).await;
    assert_eq!(
        (joined.generation_id, joined.leader.as_str()),
        (3, second.as_str())
    );
    b.ask(5, &syncing(&second, 3, &[(&second, b"all")])).await;
    assert_eq!(state(&mut a).await, "Stable");

    // The second falls silent, and its session ends.
    cluster.advance_clock(Duration::from_secs(31));
    assert_eq!(state(&mut a).await, "Empty");
    assert_eq!(beat(&mut b, &second, 3).await, errors::UNKNOWN_MEMBER_ID);
    assert_eq!(
        commit(&mut b, "", -1).await,
        [errors::UNKNOWN_TOPIC_OR_PARTITION, errors::NONE]
    );
}

#[tokio::test]
async fn a_join_that_waits_ends_when_the_clock_says_so() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let cluster = only(&sandbox);
    let (mut a, mut b) = (Client::new(cluster).await, Client::new(cluster).await);
    let first = enter(&mut a).await;
    a.ask(9, &joining(&first)).await;
    a.ask(5, &syncing(&first, 1, &[])).await;
    let second = enter(&mut b).await;
    b.send(9, &joining(&second)).await;
    while state(&mut a).await != "PreparingRebalance" {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The first never answers: the waiting request hears of it without asking again.
    cluster.advance_clock(Duration::from_secs(30));
    let joined = b.receive::<JoinGroupRequest>(9).await.expect("an answer");
    assert_eq!(
        (
            joined.error_code,
            joined.generation_id,
            joined.members.len()
        ),
        (errors::NONE, 2, 1)
    );
}

#[tokio::test]
async fn another_broker_is_not_the_coordinator() {
    let sandbox = started(ClusterPlan::new("one").with_brokers(2)).await;
    let cluster = only(&sandbox);
    let coordinator = cluster.with(|state| state.coordinator_of("g"));
    for (at, address) in cluster.bootstrap().split(',').enumerate() {
        let stream = TcpStream::connect(address).await.expect("a listener");
        let mut client = Client { stream, next: 1 };
        let right = at as i32 + 1 == coordinator;
        let joined = client.ask(9, &joining("")).await.error_code;
        assert_eq!(
            joined,
            if right {
                errors::MEMBER_ID_REQUIRED
            } else {
                errors::NOT_COORDINATOR
            }
        );
        let described = client
            .ask(
                6,
                &DescribeGroupsRequest::default().with_groups(vec![group("g")]),
            )
            .await;
        let expected = if right {
            errors::NONE
        } else {
            errors::NOT_COORDINATOR
        };
        // Before the group was made by the join, the coordinator does not know it.
        assert!([expected, errors::GROUP_ID_NOT_FOUND].contains(&described.groups[0].error_code));
        let listed = client
            .ask(5, &ListGroupsRequest::default())
            .await
            .groups
            .len();
        assert_eq!(listed, usize::from(right));
    }
}
