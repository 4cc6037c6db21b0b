//! Requests for replicators: a complete one is taken as AWS's client writes it, and each way to spoil it is refused by name.

use aws_sdk_kafka::types::{
    AmazonMskCluster, ApacheKafkaCluster, ConsumerGroupOffsetSyncMode, ConsumerGroupReplication,
    KafkaCluster, KafkaClusterClientAuthentication, KafkaClusterClientVpcConfig,
    KafkaClusterEncryptionInTransit, KafkaClusterEncryptionInTransitType,
    KafkaClusterSaslScramAuthentication, KafkaClusterSaslScramMechanism, LogDelivery,
    ReplicationInfo, ReplicationStartingPosition, ReplicationStartingPositionType,
    ReplicationTopicNameConfiguration, ReplicationTopicNameConfigurationType,
    ReplicatorCloudWatchLogs, ReplicatorLogDelivery, TargetCompressionType, TopicReplication,
};
use serde_json::{Value, json};

use super::{code, create, prepared};
use crate::support::aws::{Aws, clusters::Cluster};

#[tokio::test]
async fn a_complete_request_is_taken_as_the_client_writes_it() {
    let (aws, wanted) = prepared().await;
    let text = |pointer: &str| {
        let value = wanted.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("{pointer}")).to_owned()
    };
    let arn = text("/kafkaClusters/1/amazonMskCluster/mskClusterArn");
    let external = KafkaCluster::builder()
        .apache_kafka_cluster(
            ApacheKafkaCluster::builder()
                .apache_kafka_cluster_id("lkc-abc123")
                .bootstrap_broker_string("broker1.example.com:9096")
                .build(),
        )
        .client_authentication(
            KafkaClusterClientAuthentication::builder()
                .sasl_scram(
                    KafkaClusterSaslScramAuthentication::builder()
                        .mechanism(KafkaClusterSaslScramMechanism::Sha512)
                        .secret_arn(text(
                            "/kafkaClusters/0/clientAuthentication/saslScram/secretArn",
                        ))
                        .build(),
                )
                .build(),
        )
        .encryption_in_transit(
            KafkaClusterEncryptionInTransit::builder()
                .encryption_type(KafkaClusterEncryptionInTransitType::Tls)
                .root_ca_certificate(text(
                    "/kafkaClusters/0/encryptionInTransit/rootCaCertificate",
                ))
                .build(),
        )
        .build();
    let msk = KafkaCluster::builder()
        .amazon_msk_cluster(AmazonMskCluster::builder().msk_cluster_arn(&arn).build())
        .vpc_config(
            KafkaClusterClientVpcConfig::builder()
                .security_group_ids("sg-1")
                .set_subnet_ids(Some(
                    ["subnet-1", "subnet-2", "subnet-3"]
                        .map(str::to_owned)
                        .to_vec(),
                ))
                .build(),
        )
        .build();
    let topics = TopicReplication::builder()
        .topics_to_replicate("my-topic")
        .copy_topic_configurations(true)
        .copy_access_control_lists_for_topics(true)
        .detect_and_copy_new_topics(true)
        .starting_position(
            ReplicationStartingPosition::builder()
                .r#type(ReplicationStartingPositionType::Earliest)
                .build(),
        )
        .topic_name_configuration(
            ReplicationTopicNameConfiguration::builder()
                .r#type(ReplicationTopicNameConfigurationType::Identical)
                .build(),
        )
        .build();
    let groups = ConsumerGroupReplication::builder()
        .consumer_groups_to_replicate("my-group")
        .synchronise_consumer_group_offsets(true)
        .detect_and_copy_new_consumer_groups(true)
        .consumer_group_offset_sync_mode(ConsumerGroupOffsetSyncMode::Enhanced)
        .build();
    let logs = ReplicatorCloudWatchLogs::builder()
        .enabled(true)
        .log_group("/msk/replicator/my-replicator")
        .build();
    let created = aws_sdk_kafka::Client::new(&aws.sdk())
        .create_replicator()
        .replicator_name("external-to-msk")
        .service_execution_role_arn("arn:aws:iam::123456789012:role/MSKReplicatorRole")
        .kafka_clusters(external)
        .kafka_clusters(msk)
        .replication_info_list(
            ReplicationInfo::builder()
                .source_kafka_cluster_id("lkc-abc123")
                .target_kafka_cluster_arn(arn)
                .target_compression_type(TargetCompressionType::Lz4)
                .topic_replication(topics)
                .consumer_group_replication(groups)
                .build(),
        )
        .log_delivery(
            LogDelivery::builder()
                .replicator_log_delivery(
                    ReplicatorLogDelivery::builder()
                        .cloud_watch_logs(logs)
                        .build(),
                )
                .build(),
        )
        .tags("k", "v")
        .send()
        .await
        .expect("it is complete");
    assert_eq!(
        created.replicator_state().map(|s| s.as_str()),
        Some("CREATING")
    );
    let requests = aws.requests_of("CreateReplicator");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].input, wanted);
    let replicator = aws.replicator("external-to-msk").expect("it is there");
    assert_eq!(replicator.topics, ["my-topic"]);
    assert!(replicator.from_earliest && replicator.enhanced);
}

/// A change to the complete request, and what has to be said to it: code, parameter, part of the message.
type Variant = (fn(&mut Value), &'static str, &'static str, &'static str);

const BAD: &str = "BadRequestException";

/// Takes a key away from the object at a pointer.
fn without(request: &mut Value, pointer: &str, key: &str) {
    let object = request.pointer_mut(pointer).and_then(Value::as_object_mut);
    let removed = object.and_then(|object| object.remove(key));
    assert!(removed.is_some(), "{pointer} has no {key}");
}

#[rustfmt::skip]
const VARIANTS: &[Variant] = &[
    // The model's.
    (|r| r["replicatorName"] = json!("under_score"), BAD, "replicatorName", "has to match"),
    (|r| r["replicatorName"] = json!("-first"), BAD, "replicatorName", "has to match"),
    (|r| r["replicatorName"] = json!("x".repeat(129)), BAD, "replicatorName", "128 long"),
    (|r| without(r, "", "replicatorName"), BAD, "replicatorName", "is required"),
    (|r| without(r, "", "serviceExecutionRoleArn"), BAD, "serviceExecutionRoleArn", "is required"),
    (|r| without(r, "", "kafkaClusters"), BAD, "kafkaClusters", "is required"),
    (|r| r["description"] = json!("x".repeat(1025)), BAD, "description", "1024 long"),
    (|r| r["KafkaClusters"] = json!([]), BAD, "KafkaClusters", "no such parameter"),
    (|r| r["currentVersion"] = json!("K1"), BAD, "currentVersion", "no such parameter"),
    (|r| r["kafkaClusters"][0]["apacheKafkaCluster"]["id"] = json!("x"), BAD, "id", "no such parameter"),
    (|r| without(r, "/kafkaClusters/0/apacheKafkaCluster", "bootstrapBrokerString"), BAD, "bootstrapBrokerString", "is required"),
    (|r| r["kafkaClusters"][0]["clientAuthentication"]["saslScram"]["mechanism"] = json!("SCRAM-SHA-512"), BAD, "mechanism", "SHA256, SHA512"),
    (|r| r["kafkaClusters"][0]["encryptionInTransit"]["encryptionType"] = json!("NONE"), BAD, "encryptionType", "one of TLS"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["startingPosition"] = json!({ "Kind": "EARLIEST" }), BAD, "Kind", "no such parameter"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicNameConfiguration"]["type"] = json!("PREFIXED"), BAD, "type", "IDENTICAL"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicsToReplicate"] = json!(["x".repeat(250)]), BAD, "topicsToReplicate", "249 long"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["copyTopicConfigurations"] = json!("true"), BAD, "copyTopicConfigurations", "boolean"),
    (|r| r["replicationInfoList"][0]["consumerGroupReplication"]["consumerGroupsToReplicate"] = json!(["x".repeat(257)]), BAD, "consumerGroupsToReplicate", "256 long"),
    (|r| r["replicationInfoList"][0]["consumerGroupReplication"]["synchronizeConsumerGroupOffsets"] = json!(true), BAD, "synchronizeConsumerGroupOffsets", "no such parameter"),
    (|r| without(r, "/replicationInfoList/0", "targetCompressionType"), BAD, "targetCompressionType", "is required"),
    (|r| r["logDelivery"] = json!({ "brokerLogs": {} }), BAD, "brokerLogs", "no such parameter"),
    (|r| without(r, "/logDelivery/replicatorLogDelivery/cloudWatchLogs", "enabled"), BAD, "enabled", "is required"),
    (|r| r["tags"] = json!({ "k": 1 }), BAD, "k", "string"),
    // CloudFormation's limits, and what goes together.
    (|r| r["serviceExecutionRoleArn"] = json!("MSKReplicatorRole"), BAD, "serviceExecutionRoleArn", "no ARN of iam"),
    (|r| drop(r["kafkaClusters"].as_array_mut().expect("a list").pop()), BAD, "kafkaClusters", "2 to 2"),
    (|r| r["replicationInfoList"] = json!([]), BAD, "replicationInfoList", "1 to 1"),
    (|r| r["kafkaClusters"][1]["apacheKafkaCluster"] = r["kafkaClusters"][0]["apacheKafkaCluster"].clone(), BAD, "amazonMskCluster", "Exactly one"),
    (|r| r["kafkaClusters"][1] = r["kafkaClusters"][0].clone(), BAD, "kafkaClusters", "of Amazon MSK"),
    (|r| without(r, "/kafkaClusters/1", "vpcConfig"), BAD, "vpcConfig", "needs vpcConfig"),
    (|r| r["kafkaClusters"][1]["vpcConfig"]["subnetIds"] = json!(["subnet-1"]), BAD, "subnetIds", "2 to 3"),
    (|r| r["kafkaClusters"][1]["vpcConfig"]["subnetIds"] = json!(["a", "b", "c", "d"]), BAD, "subnetIds", "2 to 3"),
    (|r| r["kafkaClusters"][1]["vpcConfig"]["subnetIds"] = json!(["a", "a"]), BAD, "subnetIds", "twice"),
    (|r| r["kafkaClusters"][1]["vpcConfig"]["securityGroupIds"] = json!([]), BAD, "securityGroupIds", "1 to 16"),
    (|r| r["kafkaClusters"][1]["clientAuthentication"] = r["kafkaClusters"][0]["clientAuthentication"].clone(), BAD, "clientAuthentication", "external clusters only"),
    (|r| without(r, "/kafkaClusters/0", "clientAuthentication"), BAD, "clientAuthentication", "needs clientAuthentication"),
    (|r| without(r, "/kafkaClusters/0", "encryptionInTransit"), BAD, "encryptionInTransit", "needs encryptionInTransit"),
    (|r| r["kafkaClusters"][0]["clientAuthentication"]["mTLS"] = json!({ "secretArn": "arn:aws:secretsmanager:x" }), BAD, "saslScram", "Exactly one"),
    (|r| r["kafkaClusters"][0]["encryptionInTransit"]["rootCaCertificate"] = json!("-----BEGIN CERTIFICATE-----"), BAD, "rootCaCertificate", "no ARN of secretsmanager"),
    (|r| r["kafkaClusters"][0]["clientAuthentication"]["saslScram"]["secretArn"] = json!("my-creds"), BAD, "secretArn", "no ARN of secretsmanager"),
    (|r| r["kafkaClusters"][0]["apacheKafkaCluster"]["bootstrapBrokerString"] = json!("SASL_SSL://b1:9096"), BAD, "bootstrapBrokerString", "host:port"),
    (|r| r["replicationInfoList"][0]["sourceKafkaClusterArn"] = json!(""), BAD, "sourceKafkaClusterArn", "Exactly one"),
    (|r| without(r, "/replicationInfoList/0", "sourceKafkaClusterId"), BAD, "sourceKafkaClusterArn", "Exactly one"),
    (|r| r["replicationInfoList"][0]["sourceKafkaClusterId"] = json!("another"), BAD, "sourceKafkaClusterId", "none of kafkaClusters"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicsToReplicate"] = json!([]), BAD, "topicsToReplicate", "1 to 100"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicsToReplicate"] = json!(vec!["t"; 101]), BAD, "topicsToReplicate", "1 to 100"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicsToReplicate"] = json!(["a("]), BAD, "topicsToReplicate", "regular expression"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicsToExclude"] = json!([]), BAD, "topicsToExclude", "1 to 100"),
    (|r| r["replicationInfoList"][0]["consumerGroupReplication"]["consumerGroupsToExclude"] = json!([]), BAD, "consumerGroupsToExclude", "1 to 100"),
    (|r| r["replicationInfoList"][0]["topicReplication"]["topicNameConfiguration"]["type"] = json!("PREFIXED_WITH_SOURCE_CLUSTER_ALIAS"), BAD, "topicNameConfiguration", "IDENTICAL"),
    (|r| r["replicationInfoList"][0]["consumerGroupReplication"]["synchroniseConsumerGroupOffsets"] = json!(false), BAD, "synchroniseConsumerGroupOffsets", "ENHANCED needs"),
    (|r| without(r, "/logDelivery/replicatorLogDelivery/cloudWatchLogs", "logGroup"), BAD, "logGroup", "has no logGroup"),
    (|r| r["logDelivery"]["replicatorLogDelivery"]["cloudWatchLogs"]["enabled"] = json!(false), BAD, "logGroup", "not enabled"),
    (|r| r["logDelivery"]["replicatorLogDelivery"]["cloudWatchLogs"]["logGroup"] = json!("arn:aws:logs:us-east-1:123456789012:log-group:x"), BAD, "logGroup", "not an ARN"),
    (|r| r["logDelivery"]["replicatorLogDelivery"]["cloudWatchLogs"]["logGroup"] = json!("/not/there"), BAD, "logGroup", "does not exist"),
    (|r| r["logDelivery"]["replicatorLogDelivery"]["s3"] = json!({ "enabled": true }), BAD, "bucket", "has no bucket"),
    (|r| r["tags"] = json!({ "aws:k": "v" }), BAD, "tags", "not valid"),
    // What there is not.
    (|r| {
        let arn = json!("arn:aws:kafka:us-east-1:123456789012:cluster/another/abc-123");
        r["kafkaClusters"][1]["amazonMskCluster"]["mskClusterArn"] = arn.clone();
        r["replicationInfoList"][0]["targetKafkaClusterArn"] = arn;
    }, "NotFoundException", "clusterArn", "is not found"),
];

#[tokio::test]
async fn every_way_to_spoil_a_request_is_refused_by_name() {
    let (aws, complete) = prepared().await;
    for (at, (spoil, wanted, parameter, part)) in VARIANTS.iter().enumerate() {
        let mut request = complete.clone();
        spoil(&mut request);
        let Err((code, named, message)) = create(&aws, &request).await else {
            panic!("variant {at}, of {parameter}, was taken: {request:#}");
        };
        assert!(
            code == *wanted && named == *parameter && message.contains(part),
            "variant {at}, of {parameter}: {code} {named:?} {message}"
        );
    }
    assert!(aws.replicators().is_empty());
    create(&aws, &complete)
        .await
        .expect("the complete one is taken");
    let (code, parameter, _) = create(&aws, &complete)
        .await
        .expect_err("the name is taken");
    assert_eq!(
        (&*code, &*parameter),
        ("ConflictException", "replicatorName")
    );
}

#[tokio::test]
async fn the_path_and_the_query_are_held_against_the_model_too() {
    let (aws, _) = prepared().await;
    let client = aws_sdk_kafka::Client::new(&aws.sdk());
    for many in [0, 101] {
        let refused = client.list_replicators().max_results(many).send().await;
        assert_eq!(code(&refused.expect_err("1 to 100")), "BadRequestException");
    }
    let refused = client
        .list_replicators()
        .customize()
        .mutate_request(|request| {
            let uri = format!("{}?nameFilter=x", request.uri());
            request.set_uri(uri).expect("it is a URI");
        })
        .send()
        .await;
    assert_eq!(
        code(&refused.expect_err("there is no nameFilter")),
        "BadRequestException"
    );
    let refused = client
        .describe_replicator()
        .replicator_arn("a/b c")
        .send()
        .await;
    assert_eq!(code(&refused.expect_err("no ARN")), "BadRequestException");
    let requests = aws.requests_of("DescribeReplicator");
    assert_eq!(requests[0].input, json!({ "replicatorArn": "a/b c" }));
}

#[tokio::test]
async fn clusters_are_as_the_test_describes_them() {
    let aws = Aws::start();
    aws.pages_of(1);
    let mut express = Cluster::express("one").reached_at("b-1:9098,b-2:9098");
    express.configuration = Some("message.timestamp.before.max.ms=86400000\n".to_owned());
    let express = aws.add_cluster(express);
    aws.add_cluster(Cluster::serverless("two"));
    let client = aws_sdk_kafka::Client::new(&aws.sdk());
    let described = client
        .describe_cluster_v2()
        .cluster_arn(&express)
        .send()
        .await;
    let described = described.expect("it is there");
    let info = described.cluster_info().expect("it is described");
    let provisioned = info.provisioned().expect("it is provisioned");
    let nodes = provisioned
        .broker_node_group_info()
        .expect("they are described");
    assert_eq!(nodes.instance_type(), Some("express.m7g.large"));
    assert_eq!(nodes.client_subnets().len(), 3);
    assert!(info.creation_time().is_some());
    let software = provisioned
        .current_broker_software_info()
        .expect("it is described");
    let revision = client
        .describe_configuration_revision()
        .arn(software.configuration_arn().expect("it has one"))
        .revision(software.configuration_revision().expect("it has one"))
        .send()
        .await
        .expect("it is there");
    let properties = revision.server_properties().expect("it has some");
    assert_eq!(
        properties.as_ref(),
        b"message.timestamp.before.max.ms=86400000\n"
    );
    let brokers = client
        .get_bootstrap_brokers()
        .cluster_arn(&express)
        .send()
        .await;
    let brokers = brokers.expect("it is there");
    assert_eq!(
        brokers.bootstrap_broker_string_sasl_iam(),
        Some("b-1:9098,b-2:9098")
    );
    let mut pages = client.list_clusters_v2().into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("it is answered");
        assert_eq!(page.cluster_info_list().len(), 1);
        names.push(
            page.cluster_info_list()[0]
                .cluster_name()
                .unwrap_or_default()
                .to_owned(),
        );
    }
    names.sort();
    assert_eq!(names, ["one", "two"]);
}
