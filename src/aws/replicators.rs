//! MSK's replicators: made, described, changed, removed; what the service says comes out in our words.

use aws_sdk_kafka::{
    error::ProvideErrorMetadata as _,
    operation::describe_replicator::DescribeReplicatorOutput,
    types::{ConsumerGroupReplicationUpdate, ReplicationInfoDescription, TopicReplicationUpdate},
};

use super::{
    Clients, asked,
    failure::{Asked, lacks},
};
use crate::{
    error::Failure,
    msk::{Described, Lifecycle, Request},
};

/// Asks for a replicator; answers with its ARN.
pub async fn create(clients: &Clients, request: &Request) -> Result<String, Failure> {
    let call = asked::create(&clients.kafka, request);
    match call.send().await {
        Ok(made) => made
            .replicator_arn
            .ok_or_else(|| lacks("kafka:CreateReplicator", "replicatorArn")),
        Err(error) => {
            let asked = Asked::to("kafka:CreateReplicator").on(&request.replicator_name);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// The replicator of exactly this name: its ARN. The service's own filter takes every name that begins so.
pub async fn find(clients: &Clients, name: &str) -> Result<Option<String>, Failure> {
    let mut pages = clients
        .kafka
        .list_replicators()
        .replicator_name_filter(name)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                let asked = Asked::to("kafka:ListReplicators");
                return Err(clients.failed(&asked, &error).await);
            }
        };
        for one in page.replicators() {
            let is_mirror = one.is_replicator_reference().unwrap_or_default();
            if one.replicator_name() == Some(name) && !is_mirror {
                let arn = one.replicator_arn();
                return arn
                    .map(|arn| Some(arn.to_owned()))
                    .ok_or_else(|| lacks("kafka:ListReplicators", "replicatorArn"));
            }
        }
    }
    Ok(None)
}

/// How many replicators the account has in this region.
pub async fn count(clients: &Clients) -> Result<usize, Failure> {
    let mut pages = clients.kafka.list_replicators().into_paginator().send();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => count += page.replicators().len(),
            Err(error) => {
                let asked = Asked::to("kafka:ListReplicators");
                return Err(clients.failed(&asked, &error).await);
            }
        }
    }
    Ok(count)
}

/// The replicator of this ARN; `None`: there is none.
pub async fn describe(clients: &Clients, arn: &str) -> Result<Option<Described>, Failure> {
    match clients
        .kafka
        .describe_replicator()
        .replicator_arn(arn)
        .send()
        .await
    {
        Ok(output) => Ok(Some(described(output))),
        Err(error) if error.code() == Some("NotFoundException") => Ok(None),
        Err(error) => {
            let asked = Asked::to("kafka:DescribeReplicator").on(arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// Gives a replicator the topics and groups of this request. Only what an update can change is sent.
pub async fn update(
    clients: &Clients,
    described: &Described,
    request: &Request,
) -> Result<(), Failure> {
    let Some(info) = request.replication_info_list.first() else {
        return Ok(());
    };
    let (topics, groups) = (&info.topic_replication, &info.consumer_group_replication);
    let topics = TopicReplicationUpdate::builder()
        .set_topics_to_replicate(Some(topics.topics_to_replicate.clone()))
        .set_topics_to_exclude(Some(topics.topics_to_exclude.clone()))
        .copy_topic_configurations(topics.copy_topic_configurations)
        .copy_access_control_lists_for_topics(topics.copy_access_control_lists_for_topics)
        .detect_and_copy_new_topics(topics.detect_and_copy_new_topics)
        .build();
    let groups = ConsumerGroupReplicationUpdate::builder()
        .set_consumer_groups_to_replicate(Some(groups.consumer_groups_to_replicate.clone()))
        .set_consumer_groups_to_exclude(Some(groups.consumer_groups_to_exclude.clone()))
        .synchronise_consumer_group_offsets(groups.synchronise_consumer_group_offsets)
        .detect_and_copy_new_consumer_groups(groups.detect_and_copy_new_consumer_groups)
        .build();
    // The external cluster goes by its id: an empty ARN in its place is refused.
    let call = clients
        .kafka
        .update_replication_info()
        .replicator_arn(&described.arn)
        .current_version(&described.version)
        .set_source_kafka_cluster_arn(info.source_kafka_cluster_arn.clone())
        .set_source_kafka_cluster_id(info.source_kafka_cluster_id.clone())
        .set_target_kafka_cluster_arn(info.target_kafka_cluster_arn.clone())
        .set_target_kafka_cluster_id(info.target_kafka_cluster_id.clone())
        .topic_replication(topics)
        .consumer_group_replication(groups);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let asked = Asked::to("kafka:UpdateReplicationInfo").on(&described.arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

/// Asks for its removal; nothing is said of one that is gone.
pub async fn delete(clients: &Clients, described: &Described) -> Result<(), Failure> {
    let call = clients
        .kafka
        .delete_replicator()
        .replicator_arn(&described.arn)
        .current_version(&described.version);
    match call.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("NotFoundException") => Ok(()),
        Err(error) => {
            let asked = Asked::to("kafka:DeleteReplicator").on(&described.arn);
            Err(clients.failed(&asked, &error).await)
        }
    }
}

fn described(output: DescribeReplicatorOutput) -> Described {
    let info = output.replication_info_list().first();
    let clusters = output.kafka_clusters();
    let msk = clusters
        .iter()
        .find(|one| one.amazon_msk_cluster().is_some());
    let external = clusters
        .iter()
        .find(|one| one.amazon_msk_cluster().is_none());
    let alias = |cluster: Option<&aws_sdk_kafka::types::KafkaClusterDescription>| {
        cluster
            .and_then(|one| one.kafka_cluster_alias())
            .map(str::to_owned)
    };
    let (msk_alias, external_alias) = (alias(msk), alias(external));
    let from_msk = info
        .and_then(ReplicationInfoDescription::source_kafka_cluster_alias)
        .and_then(|source| match source {
            source if Some(source) == msk_alias.as_deref() => Some(true),
            source if Some(source) == external_alias.as_deref() => Some(false),
            _ => None,
        });
    let state_info = output.state_info().map(|info| {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        (text(info.code()), text(info.message()))
    });
    let mut described = Described {
        lifecycle: Lifecycle::of(output.replicator_state().map_or("", |state| state.as_str())),
        state_info,
        created_ms: output
            .creation_time()
            .and_then(|time| time.to_millis().ok()),
        msk_cluster_arn: msk
            .and_then(|one| one.amazon_msk_cluster())
            .and_then(|one| one.msk_cluster_arn())
            .map(str::to_owned),
        msk_alias,
        external_alias,
        from_msk,
        ..Described::default()
    };
    if let Some(info) = info {
        of_info(&mut described, info);
    }
    described.arn = output.replicator_arn.unwrap_or_default();
    described.name = output.replicator_name.unwrap_or_default();
    described.version = output.current_version.unwrap_or_default();
    described.role_arn = output.service_execution_role_arn.unwrap_or_default();
    described.tags = output.tags.unwrap_or_default().into_iter().collect();
    described
}

fn of_info(described: &mut Described, info: &ReplicationInfoDescription) {
    if let Some(compression) = info.target_compression_type() {
        described.compression = compression.as_str().to_owned();
    }
    if let Some(topics) = info.topic_replication() {
        described.topics = topics.topics_to_replicate().to_vec();
        described.topics_to_exclude = topics.topics_to_exclude().to_vec();
        described.copy_configs = topics.copy_topic_configurations().unwrap_or(true);
        described.copy_acls = topics
            .copy_access_control_lists_for_topics()
            .unwrap_or(true);
        described.detect_topics = topics.detect_and_copy_new_topics().unwrap_or_default();
        let start = topics.starting_position().and_then(|one| one.r#type());
        described.start = start.map_or("LATEST", |start| start.as_str()).to_owned();
        let names = topics
            .topic_name_configuration()
            .and_then(|one| one.r#type());
        described.names = names
            .map_or("PREFIXED_WITH_SOURCE_CLUSTER_ALIAS", |names| names.as_str())
            .to_owned();
    }
    if let Some(groups) = info.consumer_group_replication() {
        described.groups = groups.consumer_groups_to_replicate().to_vec();
        described.groups_to_exclude = groups.consumer_groups_to_exclude().to_vec();
        described.sync_offsets = groups.synchronise_consumer_group_offsets().unwrap_or(true);
        described.detect_groups = groups
            .detect_and_copy_new_consumer_groups()
            .unwrap_or_default();
        let mode = groups.consumer_group_offset_sync_mode();
        described.sync_mode = mode.map_or("LEGACY", |mode| mode.as_str()).to_owned();
    }
}
