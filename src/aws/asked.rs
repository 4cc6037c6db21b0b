//! A request as the SDK's builders take it. They check nothing: what is wrong has to be found before.

use aws_sdk_kafka::{
    Client,
    operation::create_replicator::builders::CreateReplicatorFluentBuilder,
    types::{
        AmazonMskCluster, ApacheKafkaCluster, ConsumerGroupOffsetSyncMode,
        ConsumerGroupReplication, KafkaCluster, KafkaClusterClientAuthentication,
        KafkaClusterClientVpcConfig, KafkaClusterEncryptionInTransit,
        KafkaClusterEncryptionInTransitType, KafkaClusterSaslScramAuthentication,
        KafkaClusterSaslScramMechanism, LogDelivery, ReplicationInfo, ReplicationStartingPosition,
        ReplicationStartingPositionType, ReplicationTopicNameConfiguration,
        ReplicationTopicNameConfigurationType, ReplicatorCloudWatchLogs, ReplicatorFirehose,
        ReplicatorLogDelivery, ReplicatorS3, TargetCompressionType, TopicReplication,
    },
};

use crate::msk;

/// The call that asks for this replicator.
pub fn create(client: &Client, request: &msk::Request) -> CreateReplicatorFluentBuilder {
    let tags = request.tags.clone().into_iter().collect();
    client
        .create_replicator()
        .replicator_name(&request.replicator_name)
        .set_description(request.description.clone())
        .service_execution_role_arn(&request.service_execution_role_arn)
        .set_kafka_clusters(Some(request.kafka_clusters.iter().map(cluster).collect()))
        .set_replication_info_list(Some(
            request.replication_info_list.iter().map(info).collect(),
        ))
        .set_log_delivery(request.log_delivery.as_ref().map(logs))
        .set_tags((!request.tags.is_empty()).then_some(tags))
}

fn cluster(cluster: &msk::KafkaCluster) -> KafkaCluster {
    let managed = cluster.amazon_msk_cluster.as_ref().map(|one| {
        let arn = &one.msk_cluster_arn;
        AmazonMskCluster::builder().msk_cluster_arn(arn).build()
    });
    let external = cluster.apache_kafka_cluster.as_ref().map(|one| {
        ApacheKafkaCluster::builder()
            .apache_kafka_cluster_id(&one.apache_kafka_cluster_id)
            .bootstrap_broker_string(&one.bootstrap_broker_string)
            .build()
    });
    let network = cluster.vpc_config.as_ref().map(|one| {
        let groups = &one.security_group_ids;
        KafkaClusterClientVpcConfig::builder()
            .set_subnet_ids(Some(one.subnet_ids.clone()))
            .set_security_group_ids((!groups.is_empty()).then(|| groups.clone()))
            .build()
    });
    let login = cluster.client_authentication.as_ref().map(|one| {
        let scram = KafkaClusterSaslScramAuthentication::builder()
            .mechanism(KafkaClusterSaslScramMechanism::from(
                &*one.sasl_scram.mechanism,
            ))
            .secret_arn(&one.sasl_scram.secret_arn)
            .build();
        KafkaClusterClientAuthentication::builder()
            .sasl_scram(scram)
            .build()
    });
    let tls = cluster.encryption_in_transit.as_ref().map(|one| {
        KafkaClusterEncryptionInTransit::builder()
            .encryption_type(KafkaClusterEncryptionInTransitType::from(
                &*one.encryption_type,
            ))
            .set_root_ca_certificate(one.root_ca_certificate.clone())
            .build()
    });
    KafkaCluster::builder()
        .set_amazon_msk_cluster(managed)
        .set_apache_kafka_cluster(external)
        .set_vpc_config(network)
        .set_client_authentication(login)
        .set_encryption_in_transit(tls)
        .build()
}

fn info(info: &msk::ReplicationInfo) -> ReplicationInfo {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let topics = &info.topic_replication;
    let start = ReplicationStartingPositionType::from(&*topics.starting_position.r#type);
    let names =
        ReplicationTopicNameConfigurationType::from(&*topics.topic_name_configuration.r#type);
    let topics = TopicReplication::builder()
        .set_topics_to_replicate(Some(topics.topics_to_replicate.clone()))
        .set_topics_to_exclude(some(&topics.topics_to_exclude))
        .copy_topic_configurations(topics.copy_topic_configurations)
        .copy_access_control_lists_for_topics(topics.copy_access_control_lists_for_topics)
        .detect_and_copy_new_topics(topics.detect_and_copy_new_topics)
        .starting_position(ReplicationStartingPosition::builder().r#type(start).build())
        .topic_name_configuration(
            ReplicationTopicNameConfiguration::builder()
                .r#type(names)
                .build(),
        )
        .build();
    let groups = &info.consumer_group_replication;
    let mode = ConsumerGroupOffsetSyncMode::from(&*groups.consumer_group_offset_sync_mode);
    let groups = ConsumerGroupReplication::builder()
        .set_consumer_groups_to_replicate(Some(groups.consumer_groups_to_replicate.clone()))
        .set_consumer_groups_to_exclude(some(&groups.consumer_groups_to_exclude))
        .synchronise_consumer_group_offsets(groups.synchronise_consumer_group_offsets)
        .detect_and_copy_new_consumer_groups(groups.detect_and_copy_new_consumer_groups)
        .consumer_group_offset_sync_mode(mode)
        .build();
    ReplicationInfo::builder()
        .set_source_kafka_cluster_arn(info.source_kafka_cluster_arn.clone())
        .set_source_kafka_cluster_id(info.source_kafka_cluster_id.clone())
        .set_target_kafka_cluster_arn(info.target_kafka_cluster_arn.clone())
        .set_target_kafka_cluster_id(info.target_kafka_cluster_id.clone())
        .target_compression_type(TargetCompressionType::from(&*info.target_compression_type))
        .topic_replication(topics)
        .consumer_group_replication(groups)
        .build()
}

fn logs(logs: &msk::LogDelivery) -> LogDelivery {
    let logs = &logs.replicator_log_delivery;
    let cloudwatch = logs.cloud_watch_logs.as_ref().map(|one| {
        ReplicatorCloudWatchLogs::builder()
            .enabled(one.enabled)
            .set_log_group(one.log_group.clone())
            .build()
    });
    let firehose = logs.firehose.as_ref().map(|one| {
        ReplicatorFirehose::builder()
            .enabled(one.enabled)
            .set_delivery_stream(one.delivery_stream.clone())
            .build()
    });
    let s3 = logs.s3.as_ref().map(|one| {
        ReplicatorS3::builder()
            .enabled(one.enabled)
            .set_bucket(one.bucket.clone())
            .set_prefix(one.prefix.clone())
            .build()
    });
    let delivery = ReplicatorLogDelivery::builder()
        .set_cloud_watch_logs(cloudwatch)
        .set_firehose(firehose)
        .set_s3(s3)
        .build();
    LogDelivery::builder()
        .replicator_log_delivery(delivery)
        .build()
}
