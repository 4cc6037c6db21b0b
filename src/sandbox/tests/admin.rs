//! Topics, settings, and what describes a cluster.

use kafka_protocol::messages::{
    create_partitions_request::CreatePartitionsTopic,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    delete_topics_request::DeleteTopicState,
    describe_configs_request::DescribeConfigsResource,
    describe_producers_request::TopicRequest,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    metadata_request::MetadataRequestTopic,
    *,
};

use super::client::*;
use crate::sandbox::{ClusterPlan, Release, errors};

async fn setting(client: &mut Client, kind: i8, of: &str, name: &str) -> Option<(String, i8, i8)> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(of))
        .with_configuration_keys(Some(vec![text(name)]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer = client.ask(request, 4).await;
    let result = &answer.results[0];
    assert_eq!(result.error_code, 0);
    let one = result.configs.first()?;
    Some((
        one.value.as_deref().unwrap_or("(hidden)").to_owned(),
        one.config_source,
        one.config_type,
    ))
}

async fn alter(
    client: &mut Client,
    kind: i8,
    of: &str,
    name: &str,
    operation: i8,
    value: &str,
) -> i16 {
    let one = AlterableConfig::default()
        .with_name(text(name))
        .with_config_operation(operation)
        .with_value(Some(text(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(of))
        .with_configs(vec![one]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    client.ask(request, 1).await.responses[0].error_code
}

#[tokio::test]
async fn settings_say_where_they_came_from() {
    let plan = ClusterPlan::new("a")
        .with_setting("log.retention.ms", "1000")
        .with_setting("allow.everyone.if.no.acl.found", "true");
    let (_sandbox, cluster) = start(plan).await;
    let mut client = Client::to(&cluster, 1).await;
    client
        .create("t", 1, &[("cleanup.policy", "compact")])
        .await;
    let mut topic = async |name| setting(&mut client, 2, "t", name).await.expect("known");
    assert_eq!(topic("retention.ms").await, ("1000".to_owned(), 4, 5));
    assert_eq!(topic("cleanup.policy").await, ("compact".to_owned(), 1, 7));
    assert_eq!(
        topic("max.message.bytes").await,
        ("1048588".to_owned(), 5, 3)
    );
    assert_eq!(topic("message.timestamp.after.max.ms").await.0, "3600000");
    assert_eq!(alter(&mut client, 2, "t", "retention.ms", 0, "5").await, 0);
    assert_eq!(
        alter(&mut client, 2, "t", "cleanup.policy", 2, "delete").await,
        0
    );
    let mut topic = async |name| setting(&mut client, 2, "t", name).await.expect("known");
    assert_eq!(topic("retention.ms").await, ("5".to_owned(), 1, 5));
    assert_eq!(topic("cleanup.policy").await.0, "compact,delete");
    assert_eq!(
        alter(&mut client, 2, "t", "cleanup.policy", 3, "compact").await,
        0
    );
    assert_eq!(alter(&mut client, 2, "t", "retention.ms", 1, "").await, 0);
    assert_eq!(
        setting(&mut client, 2, "t", "cleanup.policy")
            .await
            .expect("known")
            .0,
        "delete"
    );
    assert_eq!(
        setting(&mut client, 2, "t", "retention.ms")
            .await
            .expect("known")
            .1,
        4
    );
    for (name, value) in [
        ("nothing", "1"),
        ("retention.ms", "x"),
        ("cleanup.policy", "keep"),
    ] {
        assert_eq!(
            alter(&mut client, 2, "t", name, 0, value).await,
            errors::INVALID_CONFIG
        );
    }
    assert_eq!(
        alter(&mut client, 2, "u", "retention.ms", 0, "1").await,
        errors::UNKNOWN_TOPIC_OR_PARTITION
    );
    // Brokers.
    let broker = setting(&mut client, 4, "1", "producer.id.expiration.ms").await;
    assert_eq!(broker, Some(("86400000".to_owned(), 5, 3)));
    assert_eq!(
        alter(
            &mut client,
            4,
            "1",
            "producer.id.expiration.ms",
            0,
            "2147483648"
        )
        .await,
        errors::INVALID_REQUEST
    );
    assert_eq!(
        alter(&mut client, 4, "1", "producer.id.expiration.ms", 0, "2000").await,
        0
    );
    assert_eq!(
        alter(&mut client, 4, "1", "offsets.retention.minutes", 0, "1").await,
        errors::INVALID_REQUEST
    );
    let broker = setting(&mut client, 4, "1", "producer.id.expiration.ms").await;
    assert_eq!(broker, Some(("2000".to_owned(), 2, 3)));
    let hidden = setting(&mut client, 4, "1", "allow.everyone.if.no.acl.found").await;
    assert_eq!(hidden, Some(("(hidden)".to_owned(), 4, 0)));
}

#[tokio::test]
async fn releases_differ() {
    let mut plan = ClusterPlan::new("a");
    plan.release = Release::V3_9;
    let (_sandbox, cluster) = start(plan).await;
    let mut client = Client::to(&cluster, 1).await;
    client.create("t", 1, &[]).await;
    let after = setting(&mut client, 2, "t", "message.timestamp.after.max.ms").await;
    assert_eq!(after.expect("known").0, i64::MAX.to_string());
    let ahead = cluster.clock() + 7_200_000;
    assert_eq!(client.produce(batch_at((5, 0), 0, 1, ahead)).await.0, 0);
    let named = ApiVersionsRequest::default()
        .with_client_software_name(text("app"))
        .with_client_software_version(text("1"));
    let answer = client.ask(named, 3).await;
    let metadata = answer
        .api_keys
        .iter()
        .find(|one| one.api_key == 3)
        .expect("offered");
    assert_eq!(metadata.max_version, 12);
    // What engines must never use is not there (D4, D9).
    for (key, highest) in [(0, 11), (24, 3), (26, 4)] {
        let one = answer
            .api_keys
            .iter()
            .find(|one| one.api_key == key)
            .expect("offered");
        assert_eq!(one.max_version, highest);
    }
}

#[tokio::test]
async fn topics_come_grow_and_go() {
    let (_sandbox, cluster, mut client) = start_one().await;
    let described = async |client: &mut Client, name: &str| {
        let one = MetadataRequestTopic::default().with_name(Some(topic(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![one]))
            .with_allow_auto_topic_creation(false);
        client.ask(request, 12).await.topics.remove(0)
    };
    let before = described(&mut client, "t").await;
    assert_eq!((before.error_code, before.partitions.len()), (0, 2));
    let mut grow = async |count| {
        let one = CreatePartitionsTopic::default()
            .with_name(topic("t"))
            .with_count(count);
        let one = one.with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![one]);
        client.ask(request, 3).await.results[0].error_code
    };
    assert_eq!(grow(2).await, errors::INVALID_PARTITIONS);
    assert_eq!(grow(4).await, 0);
    assert_eq!(described(&mut client, "t").await.partitions.len(), 4);
    let delete = async |client: &mut Client, state| {
        let request = DeleteTopicsRequest::default().with_topics(vec![state]);
        client.ask(request, 6).await.responses[0].error_code
    };
    let by_id = DeleteTopicState::default()
        .with_name(None)
        .with_topic_id(before.topic_id);
    assert_eq!(delete(&mut client, by_id.clone()).await, 0);
    assert_eq!(delete(&mut client, by_id).await, errors::UNKNOWN_TOPIC_ID);
    assert_eq!(
        described(&mut client, "t").await.error_code,
        errors::UNKNOWN_TOPIC_OR_PARTITION
    );
    client.create("t", 1, &[]).await;
    assert_ne!(described(&mut client, "t").await.topic_id, before.topic_id);
    // One that a client only asks for.
    let one = MetadataRequestTopic::default().with_name(Some(topic("auto")));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![one]))
        .with_allow_auto_topic_creation(true);
    client.ask(request, 12).await;
    assert_eq!(described(&mut client, "auto").await.error_code, 0);
    let answer = client
        .ask(DescribeClusterRequest::default().with_endpoint_type(1), 1)
        .await;
    assert_eq!(answer.cluster_id.as_str(), "simulated-a");
    assert_eq!(answer.brokers.len(), 1);
    let answer = client.ask(DescribeQuorumRequest::default(), 2).await;
    let voter = &answer.topics[0].partitions[0].current_voters[0];
    assert!((voter.last_caught_up_timestamp - cluster.clock()).abs() < 5_000);
}

#[tokio::test]
async fn records_are_deleted_where_the_policy_says_delete() {
    let (_sandbox, _, mut client) = start_one().await;
    client
        .create("compacted", 1, &[("cleanup.policy", "compact")])
        .await;
    client.produce(batch((5, 0), 0, 3)).await;
    let mut delete = async |name, offset| {
        let one = DeleteRecordsPartition::default()
            .with_partition_index(0)
            .with_offset(offset);
        let one = DeleteRecordsTopic::default()
            .with_name(topic(name))
            .with_partitions(vec![one]);
        let request = DeleteRecordsRequest::default().with_topics(vec![one]);
        let answer = client.ask(request, 2).await;
        let one = &answer.topics[0].partitions[0];
        (one.error_code, one.low_watermark)
    };
    assert_eq!(delete("compacted", 0).await.0, errors::POLICY_VIOLATION); // N14
    assert_eq!(delete("t", 4).await.0, errors::OFFSET_OUT_OF_RANGE);
    assert_eq!(delete("t", -1).await, (0, 3));
    // S9: what is known of producers stays.
    assert_eq!(client.produce(batch((5, 0), 0, 3)).await, (0, 0));
    assert_eq!(client.produce(batch((5, 0), 3, 1)).await, (0, 3));
}

#[tokio::test]
async fn producers_and_transactions_are_described() {
    let (_sandbox, _, mut client) = start_one().await;
    let me = client.init_at_last("x", (-1, -1)).await;
    assert_eq!(client.add("x", me, &[0]).await, 0);
    let sent = vec![(0, transactional(me, 7, 2))];
    assert_eq!(
        client.produce_to("t", sent, Some("x"), 9).await[0].error_code,
        0
    );
    let one = TopicRequest::default()
        .with_name(topic("t"))
        .with_partition_indexes(vec![0]);
    let request = DescribeProducersRequest::default().with_topics(vec![one]);
    let answer = client.ask(request, 0).await;
    let one = &answer.topics[0].partitions[0].active_producers[0];
    assert_eq!(
        (
            *one.producer_id,
            one.last_sequence,
            one.current_txn_start_offset
        ),
        (me.0, 8, 0)
    ); // S12
    let ids = vec![TransactionalId(text("x")), TransactionalId(text("y"))];
    let answer = client
        .ask(
            DescribeTransactionsRequest::default().with_transactional_ids(ids),
            0,
        )
        .await;
    assert_eq!(
        answer.transaction_states[0].transaction_state.as_str(),
        "Ongoing"
    );
    assert_eq!(
        answer.transaction_states[1].error_code,
        errors::TRANSACTIONAL_ID_NOT_FOUND
    );
    let answer = client.ask(ListTransactionsRequest::default(), 0).await;
    assert_eq!(answer.transaction_states.len(), 1);
}
