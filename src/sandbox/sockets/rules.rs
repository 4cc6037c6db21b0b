//! Access rules and users, made and enforced by requests.

use kafka_protocol::messages::{
    alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion},
    create_acls_request::AclCreation,
    delete_acls_request::DeleteAclsFilter,
    describe_user_scram_credentials_request::UserName,
    offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::OffsetFetchRequestTopic,
    *,
};

use super::super::acls::{operation::READ, resource::GROUP};
use super::*;

const LITERAL: i8 = 3;
const ALLOW: i8 = 3;
const ANY: i8 = 1;
/// `acls::resource::TOPIC`.
const TOPIC: i8 = 2;

async fn guarded() -> Sandbox {
    let mut plan = ClusterPlan::new("one")
        .with_user("admin", "a")
        .with_user("alice", "b");
    plan.authorizer = true;
    plan.super_users = vec!["User:admin".to_owned()];
    started(plan).await
}

async fn logged_in(cluster: &Cluster, name: &str, password: &str) -> Client {
    let mut client = Client::new(cluster).await;
    client
        .ask(
            1,
            &SaslHandshakeRequest::default().with_mechanism(word("PLAIN")),
        )
        .await;
    let token = format!("\0{name}\0{password}");
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into_bytes().into());
    assert_eq!(client.ask(2, &request).await.error_code, errors::NONE);
    client
}

fn reading(of: &str, resource: i8) -> CreateAclsRequest {
    let creation = AclCreation::default()
        .with_resource_type(resource)
        .with_resource_name(text(of))
        .with_resource_pattern_type(LITERAL)
        .with_principal(word("User:alice"))
        .with_host(word("*"))
        .with_operation(READ)
        .with_permission_type(ALLOW);
    CreateAclsRequest::default().with_creations(vec![creation])
}

async fn beats(client: &mut Client) -> i16 {
    client
        .ask(4, &HeartbeatRequest::default().with_group_id(group("g")))
        .await
        .error_code
}

fn describe_all() -> DescribeAclsRequest {
    DescribeAclsRequest::default()
        .with_resource_type_filter(ANY)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(ANY)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY)
}

#[tokio::test]
async fn a_rule_opens_what_was_closed_and_its_end_closes_it() {
    let sandbox = guarded().await;
    let mut admin = logged_in(only(&sandbox), "admin", "a").await;
    let mut alice = logged_in(only(&sandbox), "alice", "b").await;
    assert_eq!(beats(&mut alice).await, errors::GROUP_AUTHORIZATION_FAILED);
    assert_eq!(
        alice.ask(3, &reading("g", GROUP)).await.results[0].error_code,
        errors::CLUSTER_AUTHORIZATION_FAILED
    );
    assert_eq!(
        alice.ask(3, &describe_all()).await.error_code,
        errors::CLUSTER_AUTHORIZATION_FAILED
    );
    let made = admin.ask(3, &reading("g", GROUP)).await;
    assert_eq!(
        (made.results.len(), made.results[0].error_code),
        (1, errors::NONE)
    );
    assert_eq!(beats(&mut alice).await, errors::UNKNOWN_MEMBER_ID, "let in");
    let described = admin.ask(3, &describe_all()).await;
    let resource = &described.resources[0];
    assert_eq!(
        (
            described.resources.len(),
            resource.resource_name.as_str(),
            resource.pattern_type
        ),
        (1, "g", LITERAL)
    );
    assert_eq!(
        (
            resource.acls[0].principal.as_str(),
            resource.acls[0].operation
        ),
        ("User:alice", READ)
    );
    let senseless = admin.ask(3, &reading("", GROUP)).await;
    assert_eq!(
        senseless.results[0].error_message.as_deref(),
        Some("Invalid empty resource name")
    );
    let filter = DeleteAclsFilter::default()
        .with_resource_type_filter(GROUP)
        .with_resource_name_filter(None)
        .with_pattern_type_filter(LITERAL)
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(ANY)
        .with_permission_type(ANY);
    let deleted = admin
        .ask(3, &DeleteAclsRequest::default().with_filters(vec![filter]))
        .await;
    assert_eq!(deleted.filter_results[0].matching_acls.len(), 1);
    assert_eq!(beats(&mut alice).await, errors::GROUP_AUTHORIZATION_FAILED);
}

#[tokio::test]
async fn without_an_authorizer_there_are_no_rules() {
    let sandbox = started(ClusterPlan::new("one")).await;
    let mut client = Client::new(only(&sandbox)).await;
    let described = client.ask(3, &describe_all()).await;
    assert_eq!(described.error_code, errors::SECURITY_DISABLED);
    assert_eq!(
        described.error_message.as_deref(),
        Some("No Authorizer is configured on the broker")
    );
    assert_eq!(
        client.ask(3, &reading("g", GROUP)).await.results[0].error_code,
        errors::SECURITY_DISABLED
    );
}

#[tokio::test]
async fn users_of_scram_are_described_and_altered() {
    let sandbox = guarded().await;
    let mut admin = logged_in(only(&sandbox), "admin", "a").await;
    let all = admin
        .ask(
            0,
            &DescribeUserScramCredentialsRequest::default().with_users(None),
        )
        .await;
    let names: Vec<(&str, usize)> = all
        .results
        .iter()
        .map(|one| (one.user.as_str(), one.credential_infos.len()))
        .collect();
    assert_eq!(names, [("admin", 2), ("alice", 2)]);
    let user = |name| UserName::default().with_name(word(name));
    let named = vec![user("bob"), user("alice"), user("alice")];
    let some = admin
        .ask(
            0,
            &DescribeUserScramCredentialsRequest::default().with_users(Some(named)),
        )
        .await;
    let codes: Vec<i16> = some.results.iter().map(|one| one.error_code).collect();
    assert_eq!(
        codes,
        [errors::DUPLICATE_RESOURCE, errors::RESOURCE_NOT_FOUND]
    );
    let upsertion = |name, iterations| {
        ScramCredentialUpsertion::default()
            .with_name(word(name))
            .with_mechanism(1)
            .with_iterations(iterations)
            .with_salt(Bytes::from_static(b"salt"))
            .with_salted_password(Bytes::from_static(&[1; 32]))
    };
    let deletion = |name| {
        ScramCredentialDeletion::default()
            .with_name(word(name))
            .with_mechanism(2)
    };
    let request = AlterUserScramCredentialsRequest::default()
        .with_deletions(vec![deletion("alice"), deletion("dora")])
        .with_upsertions(vec![
            upsertion("bob", 8_192),
            upsertion("carl", 4_095),
            upsertion("eve", 16_385),
            upsertion("fred", 4_096),
            upsertion("fred", 4_096),
        ]);
    let altered = admin.ask(0, &request).await;
    let codes: Vec<(&str, i16)> = altered
        .results
        .iter()
        .map(|one| (one.user.as_str(), one.error_code))
        .collect();
    assert_eq!(
        codes,
        [
            ("alice", errors::NONE),
            ("bob", errors::NONE),
            ("carl", errors::UNACCEPTABLE_CREDENTIAL),
            ("dora", errors::RESOURCE_NOT_FOUND),
            ("eve", errors::UNACCEPTABLE_CREDENTIAL),
            ("fred", errors::DUPLICATE_RESOURCE),
        ]
    );
    let all = admin
        .ask(
            0,
            &DescribeUserScramCredentialsRequest::default().with_users(None),
        )
        .await;
    let infos: Vec<(&str, usize)> = all
        .results
        .iter()
        .map(|one| (one.user.as_str(), one.credential_infos.len()))
        .collect();
    assert_eq!(infos, [("admin", 2), ("alice", 1), ("bob", 1)]);
    let mut alice = logged_in(only(&sandbox), "alice", "b").await;
    assert_eq!(
        alice.ask(0, &request).await.results[0].error_code,
        errors::CLUSTER_AUTHORIZATION_FAILED
    );
}

/// A commit of `t` 0 and `u` 0: the error of each.
async fn commits(client: &mut Client) -> Vec<i16> {
    let topics = ["t", "u"].map(|name| {
        let partition = OffsetCommitRequestPartition::default().with_committed_offset(5);
        OffsetCommitRequestTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![partition])
    });
    let request = OffsetCommitRequest::default()
        .with_group_id(group("g"))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(topics.to_vec());
    let answer = client.ask(8, &request).await;
    answer
        .topics
        .iter()
        .map(|one| one.partitions[0].error_code)
        .collect()
}

/// What OffsetFetch finds, asked for all topics or for `t` and `u`: offset and error.
async fn fetches(client: &mut Client, all: bool) -> (i16, Vec<(i64, i16)>) {
    let topics = ["t", "u"].map(|name| {
        OffsetFetchRequestTopic::default()
            .with_name(topic(name))
            .with_partition_indexes(vec![0])
    });
    let request = OffsetFetchRequest::default()
        .with_group_id(group("g"))
        .with_topics((!all).then(|| topics.to_vec()));
    let answer = client.ask(7, &request).await;
    let each = answer.topics.iter().map(|one| &one.partitions[0]);
    (
        answer.error_code,
        each.map(|one| (one.committed_offset, one.error_code))
            .collect(),
    )
}

#[tokio::test]
async fn who_has_no_right_is_refused_by_each_api() {
    let sandbox = guarded().await;
    only(&sandbox).with(|state| {
        for name in ["t", "u"] {
            state.create_topic(name, &[vec![1]], Default::default());
        }
    });
    let mut admin = logged_in(only(&sandbox), "admin", "a").await;
    let mut alice = logged_in(only(&sandbox), "alice", "b").await;
    assert_eq!(commits(&mut admin).await, [errors::NONE; 2]);
    let refused = errors::GROUP_AUTHORIZATION_FAILED;
    let g = || group("g");
    assert_eq!(commits(&mut alice).await, [refused; 2]);
    assert_eq!(fetches(&mut alice, false).await, (refused, vec![]));
    assert!(
        alice
            .ask(5, &ListGroupsRequest::default())
            .await
            .groups
            .is_empty()
    );
    assert_eq!(
        admin
            .ask(5, &ListGroupsRequest::default())
            .await
            .groups
            .len(),
        1
    );
    let described = alice
        .ask(6, &DescribeGroupsRequest::default().with_groups(vec![g()]))
        .await;
    assert_eq!(described.groups[0].error_code, refused);
    let described = alice
        .ask(
            1,
            &ConsumerGroupDescribeRequest::default().with_group_ids(vec![g()]),
        )
        .await;
    assert_eq!(described.groups[0].error_code, refused);
    let described = admin
        .ask(
            1,
            &ConsumerGroupDescribeRequest::default().with_group_ids(vec![g()]),
        )
        .await;
    assert_eq!(
        described.groups[0].error_code,
        errors::GROUP_ID_NOT_FOUND,
        "not of that kind"
    );
    let deleted = alice
        .ask(
            2,
            &DeleteGroupsRequest::default().with_groups_names(vec![g()]),
        )
        .await;
    assert_eq!(deleted.results[0].error_code, refused);
    let deleted = alice
        .ask(0, &OffsetDeleteRequest::default().with_group_id(g()))
        .await;
    assert_eq!(deleted.error_code, refused);
    assert_eq!(
        alice
            .ask(9, &JoinGroupRequest::default().with_group_id(g()))
            .await
            .error_code,
        refused
    );
    let sync = SyncGroupRequest::default().with_group_id(g());
    assert_eq!(alice.ask(4, &sync).await.error_code, refused);
    let left = alice
        .ask(5, &LeaveGroupRequest::default().with_group_id(g()))
        .await;
    assert_eq!(left.error_code, refused);
    let users = alice
        .ask(0, &DescribeUserScramCredentialsRequest::default())
        .await;
    assert_eq!(users.error_code, errors::CLUSTER_AUTHORIZATION_FAILED);

    // The group alone is not enough, and a topic opens itself only.
    admin.ask(3, &reading("g", GROUP)).await;
    let refused = errors::TOPIC_AUTHORIZATION_FAILED;
    assert_eq!(commits(&mut alice).await, [refused; 2]);
    admin.ask(3, &reading("u", TOPIC)).await;
    assert_eq!(commits(&mut alice).await, [refused, errors::NONE]);
    assert_eq!(
        fetches(&mut alice, false).await,
        (errors::NONE, vec![(-1, refused), (5, errors::NONE)])
    );
    assert_eq!(
        fetches(&mut alice, true).await,
        (errors::NONE, vec![(5, errors::NONE)]),
        "the other is left out"
    );
    let described = DescribeGroupsRequest::default()
        .with_groups(vec![group("g")])
        .with_include_authorized_operations(true);
    let described = alice.ask(5, &described).await;
    assert_eq!(
        described.groups[0].authorized_operations,
        1 << READ | 1 << 8,
        "READ, and DESCRIBE with it"
    );
}
